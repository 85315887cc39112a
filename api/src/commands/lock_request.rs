//! Locks that others ask for, and what registries report of a card, a permit or a holder (spec B.4).

use super::input::{Body as _, bodies};
use super::receipt::CommandResponses;
use super::{Order, carry_out};
use crate::call::{self, Call};
use crate::problem::{Code, Problem};
use crate::state::Api;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::command::Command;
use domain::decide::REASONS_CHARS_MAX;
use domain::identity::CivilDate;
use domain::ids::LocalDay;
use domain::vocabulary::{LockAction, LockGround, LockRefusal, Status};

bodies! {
    /// Asks to lock or unlock.
    LockRequestBody {
        /// `procedural_authority`, `competent_authority` or `relying_party`.
        #[schema(value_type = String)]
        ground: LockGround,
        /// `lock` or `unlock`.
        #[schema(value_type = String)]
        action: LockAction,
        /// The reasons, in words; at most 2,000 characters.
        reasons: String,
    }
    /// The answer.
    LockDecisionBody {
        /// Absent: granted. Else `ground_not_lawful`, `not_founded`, `wrong_account`,
        /// `ground_remains` or `other`.
        #[schema(value_type = Option<String>)]
        refuse: Option<LockRefusal>,
        /// The reasons in writing, needed where it is refused; at most 2,000 characters.
        reasons: Option<String>,
    }
    /// What a registry reports.
    StatusReportBody {
        /// `card_revoked`, `card_held`, `card_returned`, `card_issued`, `died`,
        /// `travel_document_issued`, `residence_granted`, `residence_ended`,
        /// `organisation_dissolved` or `organisation_restored`; `card_expires_soon`, `birthday` and
        /// `procedure_settled` only tell the holder.
        #[schema(value_type = String)]
        status: Status,
        /// The last day of what was issued or granted, `YYYY-MM-DD`.
        until: Option<String>,
    }
}

/// Asks to lock or unlock, with reasons; the answer has its last day.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/lock-requests",
    tag = "locks",
    request_body = LockRequestBody,
    params(
        ("account" = String, Path, description = "The account: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn request(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let body: LockRequestBody = call.json()?;
    let account = call::id(&account)?;
    check_reasons(&body.reasons)?;
    let order = Order::for_account(account, body.salt.as_deref());
    let (ground, action, reasons) = (body.ground, body.action, body.reasons);
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::RequestLock {
            ground,
            action,
            reasons,
        })
    })
    .await
}

/// Grants or refuses a request.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/lock-requests/{request}/decision",
    tag = "locks",
    request_body = LockDecisionBody,
    params(
        ("account" = String, Path, description = "The account: 32 hexadecimal digits"),
        ("request" = String, Path, description = "The request: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn decide(
    State(api): State<Api>,
    Path((account, request)): Path<(String, String)>,
    call: Call,
) -> Result<Response, Problem> {
    let body: LockDecisionBody = call.json()?;
    let (account, request) = (call::id(&account)?, call::id(&request)?);
    let reasons = body.reasons.unwrap_or_default();
    check_reasons(&reasons)?;
    let order = Order::for_account(account, body.salt.as_deref());
    let refuse = body.refuse;
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::DecideLockRequest {
            request,
            refuse,
            reasons,
        })
    })
    .await
}

/// Records what a registry reports; locks come and go with it.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/status-reports",
    tag = "locks",
    request_body = StatusReportBody,
    params(
        ("account" = String, Path, description = "The account: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn report(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let body: StatusReportBody = call.json()?;
    let account = call::id(&account)?;
    let until = body.until.as_deref().map(day).transpose()?;
    let order = Order::for_account(account, body.salt());
    let status = body.status;
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::ReportStatus { status, until })
    })
    .await
}

/// Reasons are text: lines, but no other control characters.
fn check_reasons(text: &str) -> Result<(), Problem> {
    let control = |c: char| c.is_control() && c != '\n';
    if text.chars().count() > REASONS_CHARS_MAX || text.chars().any(control) {
        let detail = "at most 2,000 characters, no control characters";
        return Err(Problem::field(Code::InvalidValue, "/reasons", detail));
    }
    Ok(())
}

fn day(text: &str) -> Result<LocalDay, Problem> {
    let date = CivilDate::try_from(text);
    date.map(|date| date.local_day())
        .map_err(|_| Problem::field(Code::InvalidValue, "/until", "a day as `YYYY-MM-DD`"))
}
