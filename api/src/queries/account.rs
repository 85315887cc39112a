//! One account: its state now or as of another time, and what it may use.

use super::law::LawRef;
use super::{ReadProblems, bad_parameter, json, json_bytes, query, reader, wait_for};
use crate::auth::table::Read;
use crate::cache::Answer;
use crate::call::{self, Call, parse_canonical};
use crate::problem::{Code, Problem};
use crate::state::Api;
use crate::time::{parse_instant, rfc3339};
use axum::extract::{Path, State};
use axum::http::header::ETAG;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::account::Account;
use domain::entitlement::{Catalogue, Entitlement};
use domain::ids::{AccountId, Micros, Position, Revision};
use domain::law::{Edition, Known};
use domain::record::RecordRef;
use domain::vocabulary::{LawKind, Level, RefusalCode};
use ledger::store::StoredRecord;
use projections::accounts::AccountView;
use projections::as_of::AsOf;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Which time is asked about.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AsOfQuery {
    /// A position of the ledger, or an instant (RFC 3339) by which it was recorded.
    as_of: Option<String>,
    /// An instant (RFC 3339) by which it had happened, as known today.
    valid_at: Option<String>,
    /// The read must show this position.
    min_position: Option<u64>,
}

impl AsOfQuery {
    fn instant(&self) -> Result<Option<AsOf>, Problem> {
        let detail = "a position, or an instant as RFC 3339 writes it";
        match (&self.as_of, &self.valid_at) {
            (None, None) => Ok(None),
            (Some(text), None) => {
                let position = parse_canonical(text).map(|at| AsOf::Position(Position(at)));
                let recorded = || parse_instant(text).map(AsOf::Recorded);
                let at = position.or_else(recorded);
                at.map(Some).ok_or_else(|| bad_parameter("as_of", detail))
            }
            (None, Some(text)) => {
                let at = parse_instant(text).map(AsOf::Occurred);
                at.map(Some)
                    .ok_or_else(|| bad_parameter("valid_at", detail))
            }
            (Some(_), Some(_)) => Err(bad_parameter("valid_at", "not together with `as_of`")),
        }
    }
}

/// Which instant an answer is about, and by which law.
pub struct Moment {
    /// The instant it is for.
    pub at: Micros,
    /// The law in force then, as known then.
    pub law: Arc<Edition>,
}

impl Moment {
    /// Of a question. A position stands for the instant at which its event was recorded.
    pub async fn of(api: &Api, as_of: Option<AsOf>) -> Result<Self, Problem> {
        let ledger = api.ledger();
        let (at, known) = match as_of {
            None => {
                let at = api.now();
                let law = ledger.law_at(at);
                return Ok(Self { at, law });
            }
            Some(AsOf::Recorded(at)) => (at, Known::Recorded(at)),
            Some(AsOf::Occurred(at)) => (at, Known::Now),
            Some(AsOf::Position(position)) => {
                let page = ledger.store().read_all(position, 1).await?;
                let recorded_at = page.first().map(recorded_at).transpose()?;
                (recorded_at.unwrap_or(api.now()), Known::Position(position))
            }
        };
        let law = Arc::new(ledger.law_known(at, known));
        Ok(Self { at, law })
    }

    /// The versions that answer.
    fn rules(&self, kinds: &[LawKind]) -> Vec<LawRef> {
        let versions = kinds.iter().filter_map(|kind| self.law.get(*kind));
        versions.map(|version| LawRef::of(version)).collect()
    }

    fn catalogue_name(&self) -> Option<String> {
        self.law.catalogue().map(|catalogue| catalogue.name.clone())
    }
}

fn recorded_at(record: &StoredRecord) -> Result<Micros, Problem> {
    let opened = RecordRef::parse(&record.bytes).and_then(|record| record.open_envelope());
    opened
        .map(|envelope| envelope.recorded_at)
        .map_err(|error| Problem::new(Code::Internal).because(error))
}

/// What the account may use, in short.
#[derive(Serialize, ToSchema)]
pub struct EntitlementSummary {
    /// The catalogue; none was in force, where there is none.
    catalogue: Option<String>,
    /// How many services are granted.
    granted: usize,
    /// Their ids.
    services: Vec<String>,
}

/// An account.
#[derive(Serialize, ToSchema)]
pub struct AccountBody<'a> {
    /// Its id.
    id: String,
    /// Its revision, also in `ETag`.
    revision: u64,
    /// Position of its last event.
    position: u64,
    /// BLAKE3 link of its last event.
    link: String,
    /// The issued level: 1 or 2.
    level: Option<u8>,
    /// Whether it is activated.
    activated: bool,
    /// Whether it is locked.
    locked: bool,
    /// Whether it is closed.
    closed: bool,
    /// What it may use.
    entitlements: EntitlementSummary,
    /// The rules that answer: policy and catalogue in force at that instant, as known then. Under which policy a
    /// dossier was *decided* stands in the dossier (`ruled`).
    law: Vec<LawRef>,
    /// The regions of its state. Open facts: nothing personal is in it. Instants are microseconds
    /// since 1970-01-01T00:00:00Z, days are days since 1970-01-01 in Asia/Ho_Chi_Minh.
    #[schema(value_type = Object)]
    state: &'a Account,
}

/// One service and the answer for it.
#[derive(Serialize, ToSchema)]
pub struct EntitlementBody {
    /// The service's id.
    service: String,
    /// Its name, in the caller's language.
    name: String,
    /// Ids of its parts; they do not count as services.
    features: Vec<String>,
    /// Lowest level that may use it.
    level: u8,
    /// Whether it may be used now.
    granted: bool,
    /// Why, or why not.
    #[schema(value_type = String)]
    reason: domain::entitlement::EntitlementReason,
    /// The event that granted it.
    #[schema(value_type = Option<Object>)]
    granted_by: Option<domain::account::EventRef>,
    /// The event that stands in the way.
    #[schema(value_type = Option<Object>)]
    blocked_by: Option<domain::account::EventRef>,
}

/// Every service of the catalogue.
#[derive(Serialize, ToSchema)]
pub struct EntitlementsBody {
    /// The account.
    account: String,
    /// Its revision.
    revision: u64,
    /// The catalogue; none was in force, where there is none.
    catalogue: Option<String>,
    /// The rules that answer: the catalogue's version, and the policy's.
    law: Vec<LawRef>,
    /// The instant the answer is for.
    at: String,
    /// How many are granted.
    granted: usize,
    /// All services, in the catalogue's order.
    services: Vec<EntitlementBody>,
}

/// One account now, or as of another time.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}",
    tag = "reads",
    params(("account" = String, Path, description = "The account: 32 hexadecimal digits"), AsOfQuery),
    responses((status = 200, body = AccountBody), (status = 304), ReadProblems),
)]
pub async fn get(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let account: AccountId = call::id(&account)?;
    reader(&api, &call, Read::Account, Some(account)).await?;
    if call.uri.query().is_none() {
        let answer = answer(&api, account)?.ok_or_else(not_found)?;
        return tagged(&call, &answer);
    }
    let query: AsOfQuery = query(&call)?;
    let at = query.instant()?;
    wait_for(&api, &call, query.min_position).await?;
    let Some(at) = at else {
        let answer = answer(&api, account)?.ok_or_else(not_found)?;
        return tagged(&call, &answer);
    };
    let moment = Moment::of(&api, Some(at)).await?;
    let view = api
        .views()
        .account_as_of(account, at)
        .await?
        .ok_or_else(not_found)?;
    let revision = view.head.revision;
    let body = serialise(&view, &moment)?;
    tagged(
        &call,
        &Answer {
            visible: 0,
            until: moment.at,
            revision,
            body,
        },
    )
}

/// What the account may use, service by service.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/entitlements",
    tag = "reads",
    params(("account" = String, Path, description = "The account: 32 hexadecimal digits"), AsOfQuery),
    responses((status = 200, body = EntitlementsBody), ReadProblems),
)]
pub async fn entitlements(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let account: AccountId = call::id(&account)?;
    reader(&api, &call, Read::Account, Some(account)).await?;
    let query: AsOfQuery = query(&call)?;
    let at = query.instant()?;
    wait_for(&api, &call, query.min_position).await?;
    let view = match at {
        Some(at) => api.views().account_as_of(account, at).await?,
        None => api.views().account(account)?,
    };
    let view = view.ok_or_else(not_found)?;
    let moment = Moment::of(&api, at).await?;
    let language = crate::telemetry::language(&call.headers);
    let services: Vec<EntitlementBody> = match moment.law.catalogue() {
        None => Vec::new(),
        Some(catalogue) => projections::entitlements::of(&view, catalogue, moment.at)
            .into_iter()
            .map(|entitlement| entitlement_body(entitlement, catalogue, language))
            .collect(),
    };
    json(&EntitlementsBody {
        account: account.to_string(),
        revision: view.head.revision.0,
        catalogue: moment.catalogue_name(),
        law: moment.rules(&[LawKind::Catalogue, LawKind::Policy]),
        at: rfc3339(moment.at),
        granted: services.iter().filter(|service| service.granted).count(),
        services,
    })
}

fn entitlement_body(
    entitlement: Entitlement,
    catalogue: &Catalogue,
    language: crate::problem::Language,
) -> EntitlementBody {
    let service = catalogue.find(&entitlement.service);
    let name = service.map_or_else(
        || entitlement.service.clone(),
        |service| service.name(language).to_owned(),
    );
    let features = service.map_or_else(Vec::new, |service| {
        let parts = service.features.iter();
        parts.map(|feature| feature.id.clone()).collect()
    });
    EntitlementBody {
        features,
        name,
        service: entitlement.service,
        level: level_number(entitlement.level),
        granted: entitlement.granted,
        reason: entitlement.reason,
        granted_by: entitlement.granted_by,
        blocked_by: entitlement.blocked_by,
    }
}

/// The account's answer now: from the cache while the read model has not moved, else made anew.
pub fn answer(api: &Api, account: AccountId) -> Result<Option<Answer>, Problem> {
    // Asked before the row: if the read model moves in between, the answer is kept as older than it
    // is and made again, never the other way round.
    let visible = api.views().visible(projections::accounts::NAME)?;
    if let Some(answer) = api.cache().get(account, visible, api.now()) {
        return Ok(Some(answer));
    }
    let Some(view) = api.views().account(account)? else {
        return Ok(None);
    };
    let at = api.now();
    let law = api.ledger().law_at(at);
    let until = law.until;
    let body = serialise(&view, &Moment { at, law })?;
    let answer = Answer {
        visible,
        until,
        revision: view.head.revision,
        body,
    };
    api.cache().put(account, answer.clone());
    Ok(Some(answer))
}

fn serialise(view: &AccountView, moment: &Moment) -> Result<axum::body::Bytes, Problem> {
    let account = &view.account;
    // Which services are granted follows from events alone; only the *reason* of one that is not
    // depends on the time of day, and that is in `/entitlements`.
    let answers = moment
        .law
        .catalogue()
        .map(|catalogue| projections::entitlements::of(view, catalogue, moment.at));
    let services: Vec<String> = answers
        .into_iter()
        .flatten()
        .filter(|entitlement| entitlement.granted)
        .map(|entitlement| entitlement.service)
        .collect();
    let body = AccountBody {
        id: view.id.to_string(),
        revision: view.head.revision.0,
        position: view.head.position.0,
        link: view.head.link.to_string(),
        level: account.level().map(level_number),
        activated: account.is_activated(),
        locked: account.is_locked(),
        closed: account.is_closed(),
        entitlements: EntitlementSummary {
            catalogue: moment.catalogue_name(),
            granted: services.len(),
            services,
        },
        law: moment.rules(&[LawKind::Policy, LawKind::Catalogue]),
        state: account,
    };
    let bytes = serde_json::to_vec(&body);
    bytes
        .map(Into::into)
        .map_err(|error| Problem::new(Code::Internal).because(error))
}

const fn level_number(level: Level) -> u8 {
    match level {
        Level::One => 1,
        Level::Two => 2,
    }
}

fn tagged(call: &Call, answer: &Answer) -> Result<Response, Problem> {
    let Revision(revision) = answer.revision;
    let mut response = if call.has_seen(answer.revision)? {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        json_bytes(answer.body.clone())
    };
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{revision}\"")) {
        response.headers_mut().insert(ETAG, tag);
    }
    Ok(response)
}

/// The problem of an account that is not there.
pub const fn not_found() -> Problem {
    Problem::new(Code::Refused(RefusalCode::AccountNotFound))
}
