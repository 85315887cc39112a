//! For operators: alive, ready, figures, the contract; and the simulated SMS channel and clock, where
//! there are.

use super::{json, json_bytes};
use crate::problem::{Code, Problem};
use crate::state::Api;
use crate::telemetry::OPENMETRICS;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::{IntoResponse, Response};
use domain::ids::Micros;
use ledger::wiring::Clock as _;
use serde::{Deserialize, Serialize};

/// Messages shown of the simulated channel.
const MESSAGES_SHOWN: usize = 100;
/// Furthest that the simulated clock is moved at once: ten years.
const MOVE_S_MAX: i64 = 10 * 366 * 86_400;

/// The process answers.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// Ready to serve: not shutting down, new events are taken, the store answers, no read model is halted
/// or far behind. A second line says what else somebody should look at.
pub async fn readyz(State(api): State<Api>) -> Result<String, Problem> {
    if *api.draining().borrow() {
        return Err(Problem::new(Code::Draining));
    }
    if api.ledger().gate().is_shut() {
        return Err(Problem::new(Code::WitnessesMissing));
    }
    if let Some(error) = api.ledger().store().trouble() {
        // What is shown may be old, and nothing can be recorded.
        return Err(error.into());
    }
    for status in api.views().status().await? {
        let serving = !matches!(
            status.state,
            projections::State::Halted { .. } | projections::State::Failed { .. }
        );
        if !serving {
            return Err(Problem::new(Code::ProjectionFailed).because(status.name));
        }
        if status.lag > api.config().ready_lag_max {
            return Err(Problem::new(Code::ProjectionBehind).because(status.name));
        }
    }
    let missing = api.log().and_then(|log| log.missing());
    let missing = missing.map(|missing| {
        format!(
            "{} of {} cosignatures on the checkpoint of {} events\n",
            missing.found, missing.wanted, missing.size
        )
    });
    Ok(format!("ready\n{}", missing.unwrap_or_default()))
}

/// Prometheus.
pub async fn metrics(State(api): State<Api>) -> Result<Response, Problem> {
    let exposition = api.metrics().expose(&api).await?;
    Ok(([OPENMETRICS], exposition).into_response())
}

/// The OpenAPI document.
pub async fn openapi(State(api): State<Api>) -> Response {
    json_bytes(api.openapi())
}

/// One simulated message.
#[derive(Serialize)]
struct MessageBody {
    account: String,
    phone: String,
    message: &'static str,
    text: String,
    challenge: Option<String>,
    code: Option<String>,
}

/// The newest messages of the simulated SMS channel, newest first.
pub async fn messages(State(api): State<Api>) -> Result<Response, Problem> {
    // The route is only there where the channel is simulated.
    let mailbox = api.mailbox().ok_or(Problem::new(Code::NotFound))?;
    let law = api.ledger().law();
    let messages: Vec<MessageBody> = mailbox
        .newest(MESSAGES_SHOWN)
        .into_iter()
        .map(|message| MessageBody {
            account: message.account.to_string(),
            message: domain::messages::message_id(message.message),
            text: law
                .message_text(message.message, domain::messages::Lang::Vi)
                .to_owned(),
            phone: message.phone,
            challenge: message.challenge.map(|challenge| challenge.to_string()),
            code: message.code,
        })
        .collect();
    json(&messages)
}

/// How far the clock is moved.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockMove {
    /// Forward, in seconds.
    seconds: i64,
}

/// The time after the move.
#[derive(Serialize)]
struct ClockBody {
    now: String,
}

/// Moves the simulated clock forward.
pub async fn move_clock(
    State(api): State<Api>,
    asked: Result<Json<ClockMove>, JsonRejection>,
) -> Result<Response, Problem> {
    let clock = api.simulated_clock();
    let clock = clock.ok_or(Problem::new(Code::NotFound))?;
    let Json(asked) = asked.map_err(|error| Problem::new(Code::MalformedJson).because(error))?;
    if !(0..=MOVE_S_MAX).contains(&asked.seconds) {
        let detail = "0 to 316,224,000";
        return Err(Problem::field(Code::InvalidValue, "/seconds", detail));
    }
    clock.advance(asked.seconds * Micros::SECOND);
    let now = crate::time::rfc3339(clock.now());
    json(&ClockBody { now })
}
