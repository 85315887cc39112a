//! One account: its state now or as of another time, and what it may use.

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
use domain::vocabulary::{Level, RefusalCode};
use projections::accounts::AccountView;
use projections::as_of::AsOf;
use serde::{Deserialize, Serialize};
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

/// What the account may use, in short.
#[derive(Serialize, ToSchema)]
pub struct EntitlementSummary {
    /// The catalogue.
    catalogue: String,
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
    /// The catalogue.
    catalogue: String,
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
    let view = api
        .views()
        .account_as_of(account, at)
        .await?
        .ok_or_else(not_found)?;
    let revision = view.head.revision;
    let body = serialise(&view, &api.ledger().catalogue().1, api.now())?;
    tagged(
        &call,
        &Answer {
            visible: 0,
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
    // An instant is asked about as of itself; a position says nothing of the time of day.
    let now = match at {
        Some(AsOf::Recorded(at) | AsOf::Occurred(at)) => at,
        _ => api.now(),
    };
    let catalogue = api.ledger().catalogue().1;
    let language = crate::telemetry::language(&call.headers);
    let services: Vec<EntitlementBody> = projections::entitlements::of(&view, &catalogue, now)
        .into_iter()
        .map(|entitlement| entitlement_body(entitlement, language))
        .collect();
    json(&EntitlementsBody {
        account: account.to_string(),
        revision: view.head.revision.0,
        catalogue: catalogue.name.clone(),
        at: rfc3339(now),
        granted: services.iter().filter(|service| service.granted).count(),
        services,
    })
}

fn entitlement_body(
    entitlement: Entitlement,
    language: crate::problem::Language,
) -> EntitlementBody {
    let name = Catalogue::names(&entitlement.service).map_or_else(
        || entitlement.service.clone(),
        |names| language.pick(names.vi, names.en).to_owned(),
    );
    EntitlementBody {
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
    if let Some(answer) = api.cache().get(account, visible) {
        return Ok(Some(answer));
    }
    let Some(view) = api.views().account(account)? else {
        return Ok(None);
    };
    let catalogue = api.ledger().catalogue().1;
    let body = serialise(&view, &catalogue, api.now())?;
    let answer = Answer {
        visible,
        revision: view.head.revision,
        body,
    };
    api.cache().put(account, answer.clone());
    Ok(Some(answer))
}

fn serialise(
    view: &AccountView,
    catalogue: &Catalogue,
    now: Micros,
) -> Result<axum::body::Bytes, Problem> {
    let account = &view.account;
    // Which services are granted follows from events alone; only the *reason* of one that is not
    // depends on the time of day, and that is in `/entitlements`.
    let services: Vec<String> = projections::entitlements::of(view, catalogue, now)
        .into_iter()
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
            catalogue: catalogue.name.clone(),
            granted: services.len(),
            services,
        },
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
