//! Who looked, and what authorities asked: for the holder, and for those who answer.

use super::{ReadProblems, bad_parameter, json, query, reader, wait_for};
use crate::auth::Caller;
use crate::auth::table::Read;
use crate::call::{self, Call, parse_canonical};
use crate::problem::{Code, Problem};
use crate::queries::account::not_found;
use crate::state::Api;
use crate::time::rfc3339;
use axum::extract::{Path, State};
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::Response;
use domain::account::{EventRef, LockRequest, LockRequestState};
use domain::event::{Event, kind_code};
use domain::ids::{AccountId, Position, PrincipalId};
use domain::personal::Personal;
use domain::record::{RecordRef, open_event};
use domain::vocabulary::{LockAction, LockGround, LockRefusal, Role, ShareField, ShareMode};
use ledger::writer::LedgerError;
use projections::audit::AuditQuery;
use projections::view::Order;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Entries of a page, where the caller does not say.
const LIMIT_DEFAULT: usize = 50;
/// The kinds of event that say who looked.
const KINDS: [&str; 3] = ["ShareGranted", "ShareConsumed", "ShareExpired"];

/// Which entries.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SharesQuery {
    /// How many at most: 1 to 500, otherwise 50.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// The read must show this position.
    min_position: Option<u64>,
}

/// Something that happened to a share.
#[derive(Serialize, ToSchema)]
pub struct ShareEntry {
    /// The share.
    share: String,
    /// `granted`, `consumed` or `expired`.
    what: &'static str,
    /// When it was recorded.
    at: String,
    /// Position of its event.
    position: u64,
    /// How, where it was granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    mode: Option<ShareMode>,
    /// Names of the fields, where it was granted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    fields: Vec<ShareField>,
    /// The relying party.
    #[serde(skip_serializing_if = "Option::is_none")]
    relying_party: Option<String>,
    /// Its name, for those who may see more than open facts.
    #[serde(skip_serializing_if = "Option::is_none")]
    relying_party_name: Option<String>,
    /// No longer good from this instant, where it was granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// In words, in the caller's language.
    sentence: String,
}

/// Who looked, newest first.
#[derive(Serialize, ToSchema)]
pub struct SharesBody {
    /// The account.
    account: String,
    /// What happened.
    entries: Vec<ShareEntry>,
    /// Cursor of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// What was shared with whom, and who looked when.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/shares",
    tag = "sharing",
    params(("account" = String, Path, description = "The account: 32 hexadecimal digits"), SharesQuery),
    responses((status = 200, body = SharesBody), ReadProblems),
)]
pub async fn shares(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let account: AccountId = call::id(&account)?;
    let query: SharesQuery = query(&call)?;
    let caller = reader(&api, &call, Read::Account, Some(account)).await?;
    let limit = query.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=super::event::LIMIT_MAX).contains(&limit) {
        return Err(bad_parameter("limit", "1 to 500"));
    }
    let cursor = query.cursor.as_deref().map(|text| {
        let position = text.strip_prefix('p').and_then(parse_canonical);
        position
            .map(Position)
            .ok_or(Problem::new(Code::CursorInvalid))
    });
    let audit = AuditQuery {
        account: Some(account),
        actor: None,
        kinds: KINDS.iter().filter_map(|name| kind_code(name)).collect(),
        since: None,
        until: None,
        from: None,
        to: None,
        limit,
        cursor: cursor.transpose()?,
        order: Order::Descending,
    };
    wait_for(&api, &call, query.min_position).await?;
    let found = api.views().audit(&audit).await?;
    let named = matches!(caller, Caller::Principal { .. }) || caller.holder() == Some(account);
    let language = crate::telemetry::language(&call.headers);
    let mut entries = Vec::with_capacity(found.positions.len());
    for position in found.positions {
        entries.push(entry(&api, position, named, language).await?);
    }
    json(&SharesBody {
        account: account.to_string(),
        entries,
        next: found.next.map(|next| format!("p{}", next.0)),
    })
}

async fn entry(
    api: &Api,
    position: Position,
    named: bool,
    language: crate::problem::Language,
) -> Result<ShareEntry, Problem> {
    let record = super::event::read(api, position).await?;
    let record = record.ok_or(Problem::new(Code::LedgerCorrupt))?;
    let parsed = RecordRef::parse(&record.bytes).map_err(LedgerError::from)?;
    let envelope = parsed.open_envelope().map_err(LedgerError::from)?;
    let event = open_event(&envelope).map_err(LedgerError::from)?;
    let mut entry = ShareEntry {
        share: String::new(),
        what: "expired",
        at: rfc3339(envelope.recorded_at),
        position: position.0,
        mode: None,
        fields: Vec::new(),
        relying_party: None,
        relying_party_name: None,
        expires_at: None,
        sentence: crate::words::sentence(&event, language, crate::time::Zone::Local),
    };
    let party = match event {
        Event::ShareGranted(facts) => {
            entry.what = "granted";
            entry.share = facts.share.to_string();
            entry.mode = Some(facts.mode);
            entry.fields = facts.fields;
            entry.expires_at = Some(rfc3339(facts.expires_at));
            Some(facts.relying_party)
        }
        Event::ShareConsumed(facts) => {
            entry.what = "consumed";
            entry.share = facts.share.to_string();
            Some(facts.relying_party)
        }
        Event::ShareExpired(facts) => {
            entry.share = facts.share.to_string();
            None
        }
        // The audit index gave the position out for one of these kinds.
        _ => return Err(Problem::new(Code::LedgerCorrupt)),
    };
    entry.relying_party = party.map(|party| party.to_string());
    if let (Some(party), true) = (party, named) {
        entry.relying_party_name = api.ledger().principal_name(party).await?;
    }
    Ok(entry)
}

/// A request to lock or unlock.
#[derive(Serialize, ToSchema)]
pub struct LockRequestEntry {
    /// The request.
    request: String,
    /// Who asks.
    requester: String,
    /// In which role.
    #[schema(value_type = String)]
    role: Role,
    /// On which ground.
    #[schema(value_type = String)]
    ground: LockGround,
    /// To lock or to unlock.
    #[schema(value_type = String)]
    action: LockAction,
    /// The reasons given; absent: erased or redacted.
    reasons: Option<String>,
    /// The last day to decide, `YYYY-MM-DD`.
    decide_by: String,
    /// Whether that day passed without an answer.
    deadline_missed: bool,
    /// `open`, `granted` or `refused`.
    state: &'static str,
    /// Why it was refused, in short.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    refusal: Option<LockRefusal>,
    /// The written reasons of the refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal_reasons: Option<String>,
}

/// Requests to lock or unlock an account: the open ones and the last answered.
#[derive(Serialize, ToSchema)]
pub struct LockRequestsBody {
    /// The account.
    account: String,
    /// The account's revision.
    revision: u64,
    /// The requests, oldest first.
    requests: Vec<LockRequestEntry>,
}

/// What was asked and answered, with the reasons. Whoever asked sees what they asked.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/lock-requests",
    tag = "locks",
    params(("account" = String, Path, description = "The account: 32 hexadecimal digits")),
    responses((status = 200, body = LockRequestsBody), ReadProblems),
)]
pub async fn lock_requests(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let account: AccountId = call::id(&account)?;
    let caller = reader(&api, &call, Read::LockRequests, Some(account)).await?;
    let own: Option<PrincipalId> = match &caller {
        Caller::Principal {
            principal, role, ..
        } if *role != Role::EidAuthority => Some(*principal),
        _ => None,
    };
    let view = api.views().account(account)?.ok_or_else(not_found)?;
    let mut requests = Vec::new();
    for request in &view.account.lock_requests {
        if own.is_none_or(|own| own == request.requester) {
            requests.push(lock_request(&api, request).await?);
        }
    }
    let mut response = json(&LockRequestsBody {
        account: account.to_string(),
        revision: view.head.revision.0,
        requests,
    })?;
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

async fn lock_request(api: &Api, request: &LockRequest) -> Result<LockRequestEntry, Problem> {
    let (state, refused) = match request.state {
        LockRequestState::Open => ("open", None),
        LockRequestState::Granted { .. } => ("granted", None),
        LockRequestState::Refused { reason, by } => ("refused", Some((reason, by))),
    };
    let refusal_reasons = match refused {
        Some((_, by)) => note(api, by).await?,
        None => None,
    };
    Ok(LockRequestEntry {
        request: request.id.to_string(),
        requester: request.requester.to_string(),
        role: request.role,
        ground: request.ground,
        action: request.action,
        reasons: note(api, request.by).await?,
        decide_by: crate::time::day(request.decide_by),
        deadline_missed: request.deadline_missed,
        state,
        refusal: refused.map(|(reason, _)| reason),
        refusal_reasons,
    })
}

/// The text sealed beside an event.
async fn note(api: &Api, by: EventRef) -> Result<Option<String>, Problem> {
    let Some(position) = by.position else {
        return Ok(None);
    };
    let record = super::event::read(api, position).await?;
    let record = record.ok_or(Problem::new(Code::LedgerCorrupt))?;
    let parts = api.ledger().open_personal(&record).await?;
    Ok(parts.iter().flatten().find_map(|part| match part {
        Personal::Note(text) => Some(text.clone()),
        _ => None,
    }))
}
