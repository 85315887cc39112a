//! The whole ledger: statistics, read models, keys, and who a personal number belongs to.

use super::{ReadProblems, bad_parameter, json, query, reader, wait_for};
use crate::auth::table::Read;
use crate::call::Call;
use crate::commands::input::{self, bodies};
use crate::problem::Problem;
use crate::queries::account::not_found;
use crate::state::Api;
use crate::time::{day, parse_day};
use axum::extract::State;
use axum::response::Response;
use domain::ids::AreaCode;
use projections::Status;
use projections::statistics::Counts;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which figures.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StatisticsQuery {
    /// Area code: 0 the country, 30000 a province (30: Hải Dương), 30288 a district. Otherwise 0.
    area: Option<u32>,
    /// `YYYY-MM-DD`, Asia/Ho_Chi_Minh; otherwise today.
    as_of: Option<String>,
    /// The read must show this position.
    min_position: Option<u64>,
}

/// Totals of an area at the end of a day; each account once, at its highest level.
#[derive(Serialize, ToSchema)]
pub struct StatisticsBody {
    /// Area code.
    area: u32,
    /// The day.
    as_of: String,
    /// Accounts issued.
    accounts: i64,
    /// Of these, at level 1.
    level1: i64,
    /// Of these, at level 2.
    level2: i64,
    /// Of these, activated.
    activated: i64,
    /// The counts behind the totals.
    #[schema(value_type = Object)]
    counts: Counts,
}

/// Accounts of an area at the end of a day.
#[utoipa::path(
    get,
    path = "/v1/statistics",
    tag = "reads",
    params(StatisticsQuery),
    responses((status = 200, body = StatisticsBody), ReadProblems),
)]
pub async fn statistics(State(api): State<Api>, call: Call) -> Result<Response, Problem> {
    let query: StatisticsQuery = query(&call)?;
    reader(&api, &call, Read::Ledger, None).await?;
    let as_of = match query.as_of.as_deref() {
        Some(text) => parse_day(text).ok_or_else(|| bad_parameter("as_of", "YYYY-MM-DD"))?,
        None => api.now().local_day(),
    };
    wait_for(&api, &call, query.min_position).await?;
    let found = api
        .views()
        .statistics(AreaCode(query.area.unwrap_or(0)), as_of)?;
    json(&StatisticsBody {
        area: found.area.0,
        as_of: day(found.as_of),
        accounts: found.accounts,
        level1: found.level1,
        level2: found.level2,
        activated: found.activated,
        counts: found.counts,
    })
}

/// One read model.
#[derive(Serialize, ToSchema)]
pub struct ProjectionBody {
    /// Name, version, position and state.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    status: Status,
    /// Set digest of its rows, the same on every machine that has folded the same events.
    digest: Option<String>,
}

/// The read models.
#[derive(Serialize, ToSchema)]
pub struct ProjectionsBody {
    /// Each of them.
    projections: Vec<ProjectionBody>,
}

/// How the read models are doing.
#[utoipa::path(
    get,
    path = "/v1/projections",
    tag = "reads",
    responses((status = 200, body = ProjectionsBody), ReadProblems),
)]
pub async fn projections(State(api): State<Api>, call: Call) -> Result<Response, Problem> {
    reader(&api, &call, Read::Ledger, None).await?;
    let digests = api.views().digests();
    let projections = api
        .views()
        .status()
        .await?
        .into_iter()
        .map(|status| {
            let digest = digests
                .iter()
                .find(|digest| digest.projection == status.name);
            ProjectionBody {
                digest: digest.map(|digest| digest.digest.to_string()),
                status,
            }
        })
        .collect();
    json(&ProjectionsBody { projections })
}

bodies! {
    /// Whose account is asked for.
    LookupBody {
        /// Personal identification number: twelve digits. In the body, so that it stands in no URL
        /// and no log.
        personal_id: String,
    }
}

/// Whose it is.
#[derive(Serialize, ToSchema)]
pub struct LookupAnswer {
    /// The account.
    account: String,
}

/// The account of a personal number.
#[utoipa::path(
    post,
    path = "/v1/lookups",
    tag = "reads",
    request_body = LookupBody,
    responses((status = 200, body = LookupAnswer), ReadProblems),
)]
pub async fn lookup(State(api): State<Api>, call: Call) -> Result<Response, Problem> {
    let body: LookupBody = call.json()?;
    reader(&api, &call, Read::Lookup, None).await?;
    let personal_id = input::personal_id("/personal_id", &body.personal_id)?;
    let account = api
        .ledger()
        .find_by_personal_id(&personal_id)
        .await?
        .ok_or_else(not_found)?;
    json(&LookupAnswer {
        account: account.to_string(),
    })
}

/// A signing key of the ledger.
#[derive(Serialize, ToSchema)]
pub struct KeyBody {
    /// Its id.
    id: String,
    /// Ed25519 public key.
    public_key: String,
    /// First position it may sign.
    from: u64,
    /// First position it may no longer sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
}

/// The ledger's keys.
#[derive(Serialize, ToSchema)]
pub struct KeysBody {
    /// The ledger's id.
    ledger: Option<String>,
    /// All keys, oldest first.
    keys: Vec<KeyBody>,
}

/// The public keys that verify every event.
#[utoipa::path(
    get,
    path = "/v1/keys",
    tag = "reads",
    responses((status = 200, body = KeysBody), ReadProblems),
)]
pub async fn keys(State(api): State<Api>) -> Result<Response, Problem> {
    let ring = api.ledger().ring();
    json(&KeysBody {
        ledger: ring.ledger().map(|ledger| ledger.to_string()),
        keys: ring
            .keys()
            .iter()
            .map(|key| KeyBody {
                id: key.id.to_string(),
                public_key: key.public.to_string(),
                from: key.from.0,
                until: key.until.map(|until| until.0),
            })
            .collect(),
    })
}
