//! What a caller is told when something did not happen: problem documents (RFC 9457).
//!
//! # Two messages
//!
//! Every failure has an **external** and an **internal** message, and they are never the same text.
//! The external one is for whoever asked: a stable `code` for their program, a `title` in their
//! language for their people, pointers to the fields that were wrong. It never says what the inside
//! looks like, and nothing in it was taken from what they sent: an echoed value is how personal data
//! get into other people's logs. The internal one is for the operator: it goes to the log under the
//! same `request_id`, names the component and the cause, and holds nothing personal either. A support
//! call therefore needs one thing, the request id, and no screenshot of anybody's data.
//!
//! # Refusals are not failures
//!
//! When a *rule* says no, the ledger has recorded that (spec, decision 10). Such a problem carries
//! `position` and `event_id` of the record and the `guard` that refused, so it can be looked up and
//! proved later. The exception are routes that strangers can call with a guessed number (login,
//! activation): there the answer is the same whether or not there is such an account, so it carries
//! no record.
//!
//! Layers below HTTP know nothing of this; [`from`] is the one place that maps their errors. The
//! problem is rendered by [`crate::telemetry`], which knows request id, path and language.

mod code;
mod from;
#[cfg(test)]
mod tests;

pub use code::{Code, Language, tag};

use axum::http::header::{
    ALLOW, CONTENT_LANGUAGE, CONTENT_TYPE, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use domain::ids::{EventId, Position};
use domain::law::Edition;
use domain::vocabulary::{Guard, Message};
use serde::Serialize;
use utoipa::ToSchema;

/// Media type of problem documents.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// One field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) into the body, or `?name` for a query parameter.
    pub pointer: String,
    /// Stable code of what is wrong with it.
    pub code: String,
    /// In words.
    pub detail: String,
}

/// The record of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusalRecord {
    /// Where it stands.
    pub position: Position,
    /// Its id.
    pub event_id: EventId,
}

/// A failure on its way to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What.
    pub code: Code,
    /// Fields that are wrong.
    pub errors: Vec<FieldError>,
    /// The guard that refused and the message of the catalogue, if a rule said no.
    pub refused: Option<(Guard, Option<Message>)>,
    /// The refusal's record.
    pub record: Option<RefusalRecord>,
    /// Where the account is, if it is not where it was expected.
    pub current_revision: Option<u64>,
    /// Seconds after which another try may do.
    pub retry_after_s: Option<u32>,
    /// For the log only.
    pub internal: Option<String>,
}

impl Problem {
    /// Of a code, with nothing else to say.
    pub const fn new(code: Code) -> Self {
        Self {
            code,
            errors: Vec::new(),
            refused: None,
            record: None,
            current_revision: None,
            retry_after_s: None,
            internal: None,
        }
    }

    /// About one field.
    pub fn field(code: Code, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let mut problem = Self::new(code);
        problem.errors.push(FieldError {
            pointer: pointer.into(),
            code: code.text(),
            detail: detail.into(),
        });
        problem
    }

    /// With a message for the log.
    #[must_use]
    pub fn because(mut self, internal: impl core::fmt::Display) -> Self {
        self.internal = Some(internal.to_string());
        self
    }

    /// With a time after which to try again.
    #[must_use]
    pub const fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }
}

impl IntoResponse for Problem {
    /// A bare response that carries the problem; [`crate::telemetry`] renders it.
    fn into_response(self) -> axum::response::Response {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// A problem as it is sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// `urn:idledger:problem:` and the code in lower case.
    pub r#type: String,
    /// The code in words.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// More about this case, where there is more to say: the catalogue's message for a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The path that was asked for.
    pub instance: String,
    /// Stable code.
    pub code: String,
    /// Id of this request, also in `x-request-id` and in the operator's log.
    pub request_id: String,
    /// Fields that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The guard that refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub guard: Option<Guard>,
    /// Message id of the catalogue.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub message: Option<Message>,
    /// Where the refusal is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// The refusal's event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The account's revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_revision: Option<u64>,
}

impl Problem {
    /// The document for one request, in the words of the law in force.
    pub fn body(
        &self,
        request_id: &str,
        path: &str,
        language: Language,
        law: &Edition,
    ) -> ProblemBody {
        let code = self.code.text();
        let message = self.refused.and_then(|(_, message)| message);
        ProblemBody {
            r#type: format!(
                "urn:idledger:problem:{}",
                code.to_ascii_lowercase().replace('_', "-")
            ),
            title: match self.code {
                Code::Refused(code) => law.refusal_text(code, language).to_owned(),
                own => own.title(language),
            },
            status: self.code.status().as_u16(),
            detail: message.map(|message| law.message_text(message, language).to_owned()),
            instance: path.to_owned(),
            code,
            request_id: request_id.to_owned(),
            errors: self.errors.clone(),
            guard: self.refused.map(|(guard, _)| guard),
            message,
            position: self.record.map(|record| record.position.0),
            event_id: self.record.map(|record| record.event_id.to_string()),
            current_revision: self.current_revision,
        }
    }

    /// The whole response.
    pub fn render(
        &self,
        request_id: &str,
        path: &str,
        language: Language,
        law: &Edition,
    ) -> axum::response::Response {
        let body = self.body(request_id, path, language, law);
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = Response::new(axum::body::Body::from(body));
        *response.status_mut() = self.code.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(tag(language)));
        headers.insert(VARY, HeaderValue::from_static("accept-language"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code.status() == StatusCode::UNAUTHORIZED {
            headers.insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer, Signature"),
            );
        }
        response
    }
}

/// The problem that stands for a response of a layer below that knows none: axum's own refusals, the
/// time limit, a caught panic.
pub fn of_bare(status: StatusCode) -> Problem {
    Problem::new(match status {
        StatusCode::NOT_FOUND => Code::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => Code::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => Code::BodyTooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::UnsupportedMediaType,
        StatusCode::GATEWAY_TIMEOUT | StatusCode::REQUEST_TIMEOUT => Code::Timeout,
        status if status.is_client_error() => Code::HeaderInvalid,
        _ => Code::Internal,
    })
}

/// Keeps `Allow` of a bare 405 when its problem is rendered.
pub fn keep_allow(from: &axum::http::HeaderMap, to: &mut axum::http::HeaderMap) {
    if let Some(allow) = from.get(ALLOW) {
        to.insert(ALLOW, allow.clone());
    }
}
