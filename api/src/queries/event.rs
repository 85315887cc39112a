//! Events as they stand in the ledger: open facts, envelope, and the record itself to verify.

use super::{ReadProblems, bad_parameter, json, query, reader, wait_for};
use crate::auth::table::Read;
use crate::call::{self, Call, parse_canonical};
use crate::problem::{Code, Problem};
use crate::state::Api;
use crate::time::{parse_instant, rfc3339};
use axum::extract::{Path, State};
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use domain::envelope::{Actor, Envelope, Evidence, Receipt};
use domain::event::{Event, kind_code, kind_name};
use domain::ids::{AccountId, Position, PrincipalId};
use domain::record::{RecordRef, open_event};
use ledger::store::StoredRecord;
use ledger::writer::LedgerError;
use projections::audit::AuditQuery;
use projections::view::Order;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Events of a page, where the caller does not say.
const LIMIT_DEFAULT: usize = 50;
/// Most events of a page.
pub const LIMIT_MAX: usize = 500;

/// Which events.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// In this account's stream.
    account: Option<String>,
    /// Caused by this principal, or by this account's holder.
    actor: Option<String>,
    /// Of these kinds, separated by commas.
    kind: Option<String>,
    /// Recorded at or after this instant (RFC 3339).
    since: Option<String>,
    /// Recorded before this instant (RFC 3339).
    until: Option<String>,
    /// At or after this position.
    from: Option<u64>,
    /// Before this position.
    to: Option<u64>,
    /// How many at most: 1 to 500, otherwise 50.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// `asc` or `desc`; newest first otherwise.
    order: Option<String>,
    /// The read must show this position.
    min_position: Option<u64>,
}

impl EventsQuery {
    fn audit(&self, account: Option<AccountId>) -> Result<AuditQuery, Problem> {
        let id = |name: &str, text: &Option<String>| -> Result<Option<[u8; 16]>, Problem> {
            let id = text.as_deref().map(call::id::<PrincipalId>).transpose();
            let id = id.map_err(|_| bad_parameter(name, "32 hexadecimal digits"))?;
            Ok(id.map(|id| id.0))
        };
        let instant = |name: &str, text: &Option<String>| {
            let detail = "an instant as RFC 3339 writes it";
            let read = |text: &str| parse_instant(text).ok_or_else(|| bad_parameter(name, detail));
            text.as_deref().map(read).transpose()
        };
        let limit = self.limit.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(bad_parameter("limit", "1 to 500"));
        }
        Ok(AuditQuery {
            account: match account {
                Some(account) => Some(account),
                None => id("account", &self.account)?.map(AccountId),
            },
            actor: id("actor", &self.actor)?.map(PrincipalId),
            kinds: self.kinds()?,
            since: instant("since", &self.since)?,
            until: instant("until", &self.until)?,
            from: self.from.map(Position),
            to: self.to.map(Position),
            limit,
            cursor: self.cursor.as_deref().map(read_cursor).transpose()?,
            order: match self.order.as_deref() {
                None | Some("desc") => Order::Descending,
                Some("asc") => Order::Ascending,
                Some(_) => return Err(bad_parameter("order", "`asc` or `desc`")),
            },
        })
    }

    fn kinds(&self) -> Result<Vec<u16>, Problem> {
        let Some(names) = &self.kind else {
            return Ok(Vec::new());
        };
        names
            .split(',')
            .map(|name| kind_code(name).ok_or_else(|| bad_parameter("kind", "a kind of event")))
            .collect()
    }
}

/// `p` and a position: opaque to callers, so that it may become something else.
fn read_cursor(text: &str) -> Result<Position, Problem> {
    let position = text.strip_prefix('p').and_then(parse_canonical);
    position
        .map(Position)
        .ok_or(Problem::new(Code::CursorInvalid))
}

/// One sealed part: only that it is there, and what the event commits to.
#[derive(Serialize, ToSchema)]
pub struct SealedBody {
    /// Retention class.
    #[schema(value_type = String)]
    class: domain::vocabulary::RetentionClass,
    /// BLAKE3 of nonce and ciphertext.
    commitment: String,
}

/// An event.
#[derive(Serialize, ToSchema)]
pub struct EventBody {
    /// Position in the ledger.
    position: u64,
    /// Its stream.
    stream: String,
    /// Number in the stream.
    revision: u64,
    /// UUIDv7, 32 hexadecimal digits.
    event_id: String,
    /// Kind.
    kind: &'static str,
    /// Schema version of the facts.
    schema: u16,
    /// When the ledger recorded it.
    recorded_at: String,
    /// When it happened.
    occurred_at: String,
    /// The event in words, in the caller's language.
    sentence: String,
    /// The command it belongs to.
    command_id: String,
    /// What belongs together.
    correlation_id: String,
    /// The event that caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    causation: Option<String>,
    /// Who acted.
    #[schema(value_type = Object)]
    actor: Actor,
    /// How they proved it: `none`, `carried`, `session`, `http_request`, `command` or `operator`.
    evidence: &'static str,
    /// Policy version of the decision.
    policy: u32,
    /// Service catalogue version.
    catalogue: u32,
    /// Guards that passed and the one that refused, on the first event of a command.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    receipt: Option<Receipt>,
    /// Open facts. Instants are microseconds since 1970-01-01T00:00:00Z.
    #[schema(value_type = Object)]
    facts: Event,
    /// Sealed parts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sealed: Vec<SealedBody>,
    /// Link to the previous record of the stream.
    link: String,
    /// Id of the ledger's key that signed it.
    ledger_key: String,
}

impl EventBody {
    /// Its kind.
    pub const fn kind(&self) -> &'static str {
        self.kind
    }
}

/// A page of events.
#[derive(Serialize, ToSchema)]
pub struct EventsBody {
    /// The events.
    events: Vec<EventBody>,
    /// Cursor of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// Events at or after this position are not in the answer yet.
    visible: u64,
}

/// One event and its record.
#[derive(Serialize, ToSchema)]
pub struct EventRecordBody {
    /// The event.
    #[serde(flatten)]
    event: EventBody,
    /// The record without its sealed parts, base64: it verifies in full (FORMAT.md).
    record: String,
}

/// Events of the ledger, newest first.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "events",
    params(EventsQuery),
    responses((status = 200, body = EventsBody), ReadProblems),
)]
pub async fn list(State(api): State<Api>, call: Call) -> Result<Response, Problem> {
    let query: EventsQuery = query(&call)?;
    reader(&api, &call, Read::Ledger, None).await?;
    page(&api, &call, &query, None).await
}

/// The audit trail of one account.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/events",
    tag = "events",
    params(("account" = String, Path, description = "The account: 32 hexadecimal digits"), EventsQuery),
    responses((status = 200, body = EventsBody), ReadProblems),
)]
pub async fn of_account(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let account: AccountId = call::id(&account)?;
    let query: EventsQuery = query(&call)?;
    if query.account.is_some() {
        return Err(bad_parameter("account", "the account stands in the path"));
    }
    reader(&api, &call, Read::Account, Some(account)).await?;
    page(&api, &call, &query, Some(account)).await
}

/// One event with its record.
#[utoipa::path(
    get,
    path = "/v1/events/{position}",
    tag = "events",
    params(("position" = u64, Path, description = "Position in the ledger")),
    responses((status = 200, body = EventRecordBody), ReadProblems),
)]
pub async fn get(
    State(api): State<Api>,
    Path(position): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let position = call::position(&position)?;
    reader(&api, &call, Read::Ledger, None).await?;
    let record = read(&api, position)
        .await?
        .ok_or(Problem::new(Code::EventNotFound))?;
    let language = crate::telemetry::language(&call.headers);
    let parsed = RecordRef::parse(&record.bytes).map_err(LedgerError::from)?;
    json(&EventRecordBody {
        event: event_body(&record, language)?,
        record: BASE64_STANDARD.encode(parsed.redacted()),
    })
}

async fn page(
    api: &Api,
    call: &Call,
    query: &EventsQuery,
    account: Option<AccountId>,
) -> Result<Response, Problem> {
    let audit = query.audit(account)?;
    wait_for(api, call, query.min_position).await?;
    let found = api.views().audit(&audit).await?;
    let language = crate::telemetry::language(&call.headers);
    let mut events = Vec::with_capacity(found.positions.len());
    for position in found.positions {
        // A position of the audit index is a position of the ledger (INV-6).
        let record = read(api, position)
            .await?
            .ok_or(Problem::new(Code::LedgerCorrupt))?;
        events.push(event_body(&record, language)?);
    }
    json(&EventsBody {
        events,
        next: found.next.map(|next| format!("p{}", next.0)),
        visible: found.visible,
    })
}

/// The record at a position.
pub async fn read(api: &Api, position: Position) -> Result<Option<StoredRecord>, Problem> {
    let records = api.ledger().store().read_all(position, 1).await?;
    Ok(records
        .into_iter()
        .find(|record| record.position == position))
}

/// A stored record as the API shows it.
pub fn event_body(
    record: &StoredRecord,
    language: crate::problem::Language,
) -> Result<EventBody, Problem> {
    let parsed = RecordRef::parse(&record.bytes).map_err(LedgerError::from)?;
    let envelope = parsed.open_envelope().map_err(LedgerError::from)?;
    let facts = open_event(&envelope).map_err(LedgerError::from)?;
    Ok(EventBody {
        position: record.position.0,
        stream: envelope.stream.to_string(),
        revision: envelope.revision.0,
        event_id: envelope.event_id.to_string(),
        kind: kind_name(envelope.kind).unwrap_or("unknown"),
        schema: envelope.schema,
        recorded_at: rfc3339(envelope.recorded_at),
        occurred_at: rfc3339(envelope.occurred_at),
        sentence: crate::words::sentence(&facts, language, crate::time::Zone::Local),
        command_id: envelope.command.to_string(),
        correlation_id: envelope.correlation.to_string(),
        causation: envelope.causation.map(|event| event.to_string()),
        actor: envelope.actor,
        evidence: evidence_name(&envelope),
        policy: envelope.policy,
        catalogue: envelope.catalogue,
        sealed: envelope
            .sealed
            .iter()
            .map(|part| SealedBody {
                class: part.class,
                commitment: part.digest.to_string(),
            })
            .collect(),
        link: envelope.link.to_string(),
        ledger_key: envelope.ledger_key.to_string(),
        receipt: envelope.receipt,
        facts,
    })
}

const fn evidence_name(envelope: &Envelope) -> &'static str {
    match envelope.evidence {
        Evidence::None => "none",
        Evidence::Carried(_) => "carried",
        Evidence::Session(_) => "session",
        Evidence::HttpRequest { .. } => "http_request",
        Evidence::Command { .. } => "command",
        Evidence::Operator => "operator",
    }
}
