//! Making law over HTTP: one signed request proposes, another approves or turns down.
//!
//! The body of a proposal is a law file's text: its digest is what the approver signs. Which versions may be
//! made, and by whom, is the domain's rule; its refusal is recorded in the law's stream.

use super::input::{Body as _, bodies, check_salt};
use super::{Ids, refusal_of};
use crate::auth::{self, Hints};
use crate::call::Call;
use crate::problem::{Code, Problem};
use crate::state::Api;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, Response, StatusCode};
use domain::ids::Digest;
use domain::law::{LawOrder, parse};
use domain::record::PART_BYTES_MAX;
use domain::vocabulary::LawKind;
use ledger::law::{LawOutcome, LawSubmission};
use serde::Serialize;
use std::sync::Arc;
use utoipa::{IntoResponses, ToSchema};

/// Longest body that is kept as evidence: a sealed part less nonce, tag and length.
const BODY_BYTES_MAX: usize = PART_BYTES_MAX - 64;

bodies! {
    /// A proposal.
    LawProposalBody {
        /// The text of a law file (TOML), as the program's own are.
        file: String,
    }
    /// An approval.
    LawApprovalBody {
        /// The proposal's digest, as it was read: 64 hexadecimal digits.
        digest: String,
    }
    /// A proposal is turned down.
    LawRejectionBody {
    }
}

/// What was recorded.
#[derive(Serialize, ToSchema)]
pub struct LawReceiptBody {
    /// Which law.
    law: &'static str,
    /// Which version.
    version: u32,
    /// The event's kind.
    kind: &'static str,
    /// The event.
    event: String,
    /// Where it stands.
    position: u64,
    /// Its number in the law's stream.
    revision: u64,
    /// BLAKE3 link of the event.
    link: String,
    /// The ledger's signature on it.
    signature: String,
    /// The same request was recorded before.
    repeated: bool,
}

/// Responses of a law command.
#[derive(IntoResponses)]
#[allow(dead_code)] // names the responses for the document; handlers build them themselves
pub enum LawResponses {
    /// Recorded.
    #[response(status = 201)]
    Recorded(LawReceiptBody),
    /// The same request was recorded before; its receipt.
    #[response(status = 200)]
    Repeated(LawReceiptBody),
    /// Refused by a rule (recorded) or not admitted (not recorded).
    #[response(status = "default", content_type = "application/problem+json")]
    Problem(crate::problem::ProblemBody),
}

/// Proposes a version.
#[utoipa::path(
    post,
    path = "/v1/law/{law}/proposals",
    tag = "law",
    request_body = LawProposalBody,
    params(("law" = String, Path, description = "policy, catalogue, provinces, messages, documents, calendar or sites")),
    responses(LawResponses),
)]
pub async fn propose(
    State(api): State<Api>,
    Path(law): Path<String>,
    call: Call,
) -> Result<axum::response::Response, Problem> {
    let body: LawProposalBody = call.json()?;
    let law = kind(&law)?;
    let wrong = |error: String| Problem::field(Code::InvalidValue, "/file", error);
    let draft = parse(&body.file).map_err(|error| wrong(error.to_string()))?;
    if draft.kind() != law {
        return Err(wrong(format!(
            "a file of the law `{}`",
            draft.kind().name()
        )));
    }
    let digest = draft.digest().map_err(|error| wrong(error.to_string()))?;
    let draft = Arc::new(draft);
    give(
        &api,
        &call,
        LawOrder::Propose { draft, digest },
        body.salt(),
    )
    .await
}

/// Approves a proposal: it is law from its effective date on. Another than the proposer.
#[utoipa::path(
    post,
    path = "/v1/law/{law}/proposals/{version}/approval",
    tag = "law",
    request_body = LawApprovalBody,
    params(
        ("law" = String, Path, description = "policy, catalogue, provinces, messages, documents, calendar or sites"),
        ("version" = u32, Path, description = "The version"),
    ),
    responses(LawResponses),
)]
pub async fn approve(
    State(api): State<Api>,
    Path((law, version)): Path<(String, String)>,
    call: Call,
) -> Result<axum::response::Response, Problem> {
    let body: LawApprovalBody = call.json()?;
    let digest: Digest = body
        .digest
        .parse()
        .map_err(|_| Problem::field(Code::InvalidValue, "/digest", "64 hexadecimal digits"))?;
    let (law, version) = (kind(&law)?, number(&version)?);
    let order = LawOrder::Approve {
        law,
        version,
        digest,
    };
    give(&api, &call, order, body.salt()).await
}

/// Turns a proposal down, or takes one's own back.
#[utoipa::path(
    post,
    path = "/v1/law/{law}/proposals/{version}/rejection",
    tag = "law",
    request_body = LawRejectionBody,
    params(
        ("law" = String, Path, description = "policy, catalogue, provinces, messages, documents, calendar or sites"),
        ("version" = u32, Path, description = "The version"),
    ),
    responses(LawResponses),
)]
pub async fn reject(
    State(api): State<Api>,
    Path((law, version)): Path<(String, String)>,
    call: Call,
) -> Result<axum::response::Response, Problem> {
    let body: LawRejectionBody = call.json()?;
    let (law, version) = (kind(&law)?, number(&version)?);
    give(&api, &call, LawOrder::Reject { law, version }, body.salt()).await
}

/// The kind that a path names.
pub fn kind(name: &str) -> Result<LawKind, Problem> {
    LawKind::named(name).ok_or(Problem::new(Code::NotFound))
}

/// The version that a path names.
pub fn number(text: &str) -> Result<u32, Problem> {
    text.parse().map_err(|_| Problem::new(Code::NotFound))
}

/// Who asks, may they, carry it out, answer.
async fn give(
    api: &Api,
    call: &Call,
    order: LawOrder,
    salt: Option<&str>,
) -> Result<axum::response::Response, Problem> {
    let hints = Hints {
        account: None,
        introduced: None,
    };
    let caller = auth::caller(api, call, hints).await?;
    caller.may_ask(order.kind())?;
    check_salt(salt)?;
    if call.body.len() > BODY_BYTES_MAX {
        // What cannot be kept proves nothing.
        return Err(Problem::new(Code::BodyTooLarge));
    }
    let ids = Ids::of(api, call, &caller);
    let submission = LawSubmission {
        order,
        command_id: ids.command,
        correlation: Some(ids.fingerprint),
        actor: caller.actor(),
        proven: caller.proven(&call.body)?,
    };
    let outcome = api.ledger().submit_law(submission).await?;
    match outcome.refused {
        Some(refused) => Err(refusal_of(refused, Some(&outcome.event))),
        None => respond(&outcome),
    }
}

fn respond(outcome: &LawOutcome) -> Result<axum::response::Response, Problem> {
    let body = LawReceiptBody {
        law: outcome.law.name(),
        version: outcome.version,
        kind: domain::event::kind_name(outcome.event.kind).unwrap_or("unknown"),
        event: outcome.event.event_id.to_string(),
        position: outcome.event.position.0,
        revision: outcome.event.revision.0,
        link: outcome.link.to_string(),
        signature: outcome.signature.to_string(),
        repeated: outcome.repeated,
    };
    let json =
        serde_json::to_vec(&body).map_err(|error| Problem::new(Code::Internal).because(error))?;
    let mut response = Response::new(Body::from(json));
    *response.status_mut() = if outcome.repeated {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let place = format!("/v1/events/{}", outcome.event.position.0);
    if let Ok(value) = HeaderValue::from_str(&place) {
        headers.insert(LOCATION, value);
    }
    Ok(response)
}
