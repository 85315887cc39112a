//! For operators: alive, ready, figures, the contract; and the simulated SMS channel, where there is
//! one.

use super::{json, json_bytes};
use crate::problem::{Code, Problem};
use crate::state::Api;
use crate::telemetry::OPENMETRICS;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Messages shown of the simulated channel.
const MESSAGES_SHOWN: usize = 100;

/// The process answers.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// Ready to serve: not shutting down, the store answers, no read model is halted or far behind.
pub async fn readyz(State(api): State<Api>) -> Result<&'static str, Problem> {
    if *api.draining().borrow() {
        return Err(Problem::new(Code::Draining));
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
    Ok("ready\n")
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
