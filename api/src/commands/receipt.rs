//! The receipt: what became of a command, signed by the ledger, durable before it is sent.

use crate::call::Call;
use crate::problem::Problem;
use crate::sessions::{self, SessionBody};
use crate::state::Api;
use crate::time::rfc3339;
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use domain::vocabulary::ShareField;
use ledger::writer::{Outcome, RecordedEvent, SharedValues};
use projections::ViewError;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::{IntoResponses, ToSchema};

/// `Preference-Applied`.
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// One recorded event.
#[derive(Serialize, ToSchema)]
pub struct ReceiptEvent {
    /// Position in the ledger.
    position: u64,
    /// Number in the stream.
    revision: u64,
    /// Id (UUIDv7 as 32 hexadecimal digits).
    event_id: String,
    /// Kind.
    kind: &'static str,
}

/// What a relying party is shown under one field.
#[derive(Serialize, ToSchema)]
pub struct SharedField {
    /// The field's name.
    #[schema(value_type = String)]
    field: ShareField,
    /// Its values: none where it is no longer there, several where there are several documents.
    values: Vec<String>,
}

/// What became of a command.
#[derive(Serialize, ToSchema)]
pub struct ReceiptBody {
    /// The account.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    /// Position of the last event: `min_position` of reads that must see it.
    position: u64,
    /// Revision of the last event, also in `ETag`.
    revision: u64,
    /// The events, in order.
    events: Vec<ReceiptEvent>,
    /// BLAKE3 link of the last event: the next event of the stream carries it.
    link: String,
    /// The ledger's Ed25519 signature on the last event.
    signature: String,
    /// This request was carried out before; this is its first receipt.
    repeated: bool,
    /// The challenge whose code was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge: Option<String>,
    /// The dossier.
    #[serde(skip_serializing_if = "Option::is_none")]
    case: Option<String>,
    /// The document link.
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<String>,
    /// The share that was granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<String>,
    /// The instant from which the share is no longer good.
    #[serde(skip_serializing_if = "Option::is_none")]
    share_expires_at: Option<String>,
    /// The request to lock or unlock.
    #[serde(skip_serializing_if = "Option::is_none")]
    lock_request: Option<String>,
    /// What the relying party is shown, the first time only.
    #[serde(skip_serializing_if = "Option::is_none")]
    shared: Option<Vec<SharedField>>,
    /// A session that this command opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<SessionBody>,
    /// The account after it, where `Prefer: wait` asked for that and it was visible in time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    account_state: Option<Box<RawValue>>,
}

/// Responses of every command.
#[derive(IntoResponses)]
#[allow(dead_code)] // names the responses for the document; handlers build them themselves
pub enum CommandResponses {
    /// Recorded.
    #[response(status = 201)]
    Recorded(ReceiptBody),
    /// The same request was recorded before; its receipt.
    #[response(status = 200)]
    Repeated(ReceiptBody),
    /// Refused by a rule (recorded) or not admitted (not recorded).
    #[response(status = "default", content_type = "application/problem+json")]
    Problem(crate::problem::ProblemBody),
}

/// For the metrics.
pub const fn outcome_name(outcome: &Outcome) -> &'static str {
    match (&outcome.refused, outcome.repeated) {
        (_, true) => "repeated",
        (Some(_), false) => "refused",
        (None, false) => "recorded",
    }
}

/// The response of a command that was carried out.
pub async fn respond(
    api: &Api,
    call: &Call,
    outcome: &Outcome,
) -> Result<axum::response::Response, Problem> {
    let account_state = match call.wait {
        Some(wait) => state_after(api, outcome, wait).await?,
        None => None,
    };
    let waited = account_state.is_some();
    let body = ReceiptBody {
        account: outcome.account.map(|account| account.to_string()),
        position: outcome.position.0,
        revision: outcome.revision.0,
        events: outcome.events.iter().map(event).collect(),
        link: outcome.link.to_string(),
        signature: outcome.signature.to_string(),
        repeated: outcome.repeated,
        challenge: outcome.challenge.map(|challenge| challenge.to_string()),
        case: outcome.case.map(|case| case.to_string()),
        document: outcome.document.map(|document| document.to_string()),
        share: outcome.share.map(|(share, _)| share.to_string()),
        share_expires_at: outcome.share.map(|(_, until)| rfc3339(until)),
        lock_request: outcome.lock_request.map(|request| request.to_string()),
        shared: outcome.shared.as_ref().map(shown),
        session: sessions::opened_by(api, outcome),
        account_state,
    };
    let status = if outcome.repeated {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let json = serde_json::to_vec(&body)
        .map_err(|error| Problem::new(crate::problem::Code::Internal).because(error))?;
    let mut response = Response::new(Body::from(json));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let texts = [
        (ETAG, format!("\"{}\"", outcome.revision.0)),
        (LOCATION, format!("/v1/events/{}", outcome.position.0)),
    ];
    for (name, text) in texts {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
    if outcome.shared.is_some() {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let (true, Some(wait)) = (waited, call.wait)
        && let Ok(value) = HeaderValue::from_str(&format!("wait={}", wait.as_secs()))
    {
        headers.insert(PREFERENCE_APPLIED, value);
    }
    Ok(response)
}

/// The account once the read model shows the command; `None` if that took longer than was preferred.
async fn state_after(
    api: &Api,
    outcome: &Outcome,
    wait: core::time::Duration,
) -> Result<Option<Box<RawValue>>, Problem> {
    let Some(account) = outcome.account else {
        return Ok(None);
    };
    match api.views().wait(outcome.position, wait).await {
        Ok(()) => {}
        // The command is done whatever the read model does: a receipt without the state.
        Err(ViewError::Timeout { .. } | ViewError::Halted { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let Some(answer) = crate::queries::account::answer(api, account)? else {
        return Ok(None);
    };
    let text = core::str::from_utf8(&answer.body)
        .unwrap_or("null")
        .to_owned();
    Ok(RawValue::from_string(text).ok())
}

fn shown(values: &SharedValues) -> Vec<SharedField> {
    let fields = values.fields().map(|(field, values)| SharedField {
        field,
        values: values.to_vec(),
    });
    fields.collect()
}

fn event(event: &RecordedEvent) -> ReceiptEvent {
    ReceiptEvent {
        position: event.position.0,
        revision: event.revision.0,
        event_id: event.event_id.to_string(),
        kind: domain::event::kind_name(event.kind).unwrap_or("unknown"),
    }
}
