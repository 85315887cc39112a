//! Reads: GETs answered from the read models and, for records and history, from the ledger itself.
//! Nothing here writes.

pub mod account;
pub mod event;
pub mod feed;
pub mod law;
pub mod ledger;
pub mod log;
pub mod notices;
pub mod operations;
pub mod organisation;
pub mod personal;
pub mod report;
pub mod sharing;

use crate::auth::table::Read;
use crate::auth::{self, Caller, Hints};
use crate::call::Call;
use crate::problem::{Code, Problem};
use crate::state::Api;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response, StatusCode};
use core::time::Duration;
use domain::ids::{AccountId, Position};
use projections::ViewError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::IntoResponses;

/// How long a read with `min_position` waits where `Prefer: wait` says nothing.
const WAIT_DEFAULT: Duration = Duration::from_secs(1);

/// Every read may answer with a problem.
#[derive(IntoResponses)]
#[allow(dead_code)] // names the response for the document; handlers build it themselves
pub enum ReadProblems {
    /// Not admitted, not found, or not available.
    #[response(status = "default", content_type = "application/problem+json")]
    Problem(crate::problem::ProblemBody),
}

/// The query string, strictly: a parameter that is not known is an error, not ignored.
pub fn query<T: DeserializeOwned>(call: &Call) -> Result<T, Problem> {
    axum::extract::Query::<T>::try_from_uri(&call.uri)
        .map(|query| query.0)
        .map_err(|_| Problem::new(Code::QueryInvalid))
}

/// The problem of one query parameter.
pub fn bad_parameter(name: &str, detail: &str) -> Problem {
    Problem::field(Code::QueryInvalid, format!("?{name}"), detail)
}

/// Who reads, if they may.
pub async fn reader(
    api: &Api,
    call: &Call,
    read: Read,
    account: Option<AccountId>,
) -> Result<Caller, Problem> {
    let caller = auth::caller(
        api,
        call,
        Hints {
            account,
            introduced: None,
        },
    )
    .await?;
    caller.may_read(read, account, api.config().open_reads)?;
    Ok(caller)
}

/// Waits until a position is visible (`min_position`): read your own writes.
pub async fn wait_for(api: &Api, call: &Call, position: Option<u64>) -> Result<(), Problem> {
    let Some(position) = position else {
        return Ok(());
    };
    let wait = call.wait.unwrap_or(WAIT_DEFAULT).min(api.config().wait_max);
    match api.views().wait(Position(position), wait).await {
        Err(ViewError::Timeout { .. }) => Err(Problem::new(Code::ProjectionBehind).retry_after(1)),
        result => Ok(result?),
    }
}

/// A JSON response.
pub fn json<T: Serialize>(value: &T) -> Result<axum::response::Response, Problem> {
    let body =
        serde_json::to_vec(value).map_err(|error| Problem::new(Code::Internal).because(error))?;
    Ok(json_bytes(body.into()))
}

/// A JSON response of bytes made before.
pub fn json_bytes(body: axum::body::Bytes) -> axum::response::Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::OK;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
