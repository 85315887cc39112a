//! Locks, their grounds and their end; closing; erasure.

use super::input::{Body as _, bodies};
use super::receipt::CommandResponses;
use super::{Order, carry_out};
use crate::auth::Caller;
use crate::call::{self, Call};
use crate::problem::Problem;
use crate::state::Api;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::command::Command;
use domain::vocabulary::{CloseReason, LockGround, RetentionClass};

bodies! {
    /// One ground for a lock.
    LockBody {
        /// The ground, as the law lists them.
        #[schema(value_type = String)]
        ground: LockGround,
    }
    /// One ground ended.
    UnlockBody {
        /// The ground.
        #[schema(value_type = String)]
        ground: LockGround,
        /// Staff only: whether the holder proved who they are.
        proof_given: Option<bool>,
    }
    /// The end.
    ClosureBody {
        /// `death`, `revoked` or `organisation_dissolved`.
        #[schema(value_type = String)]
        reason: CloseReason,
    }
    /// Erases one retention class.
    ErasureBody {
        /// `permanent`, `usage` or `short`.
        #[schema(value_type = String)]
        class: RetentionClass,
    }
}

/// Adds a ground for a lock.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/locks",
    tag = "locks",
    request_body = LockBody,
    params(
        ("account" = String, Path, description = "The account: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn lock(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let body: LockBody = call.json()?;
    let account = call::id(&account)?;
    let ground = body.ground;
    let order = Order::for_account(account, body.salt());
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::LockAccount { ground })
    })
    .await
}

/// Removes a ground; the account is unlocked when none is left.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/unlocks",
    tag = "locks",
    request_body = UnlockBody,
    params(
        ("account" = String, Path, description = "The account: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn unlock(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let body: UnlockBody = call.json()?;
    let account = call::id(&account)?;
    let (ground, proof_given) = (body.ground, body.proof_given);
    let order = Order::for_account(account, body.salt());
    carry_out(&api, &call, order, |caller, secrets| {
        secrets.step_up = proof_given.filter(|_| matches!(caller, Caller::Principal { .. }));
        Ok(Command::UnlockAccount { ground })
    })
    .await
}

/// Closes the account for good.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/closure",
    tag = "locks",
    request_body = ClosureBody,
    params(
        ("account" = String, Path, description = "The account: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn close(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let body: ClosureBody = call.json()?;
    let account = call::id(&account)?;
    let reason = body.reason;
    let order = Order::for_account(account, body.salt());
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::CloseAccount { reason })
    })
    .await
}

/// Asks for one class of personal data to be erased.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/erasures",
    tag = "locks",
    request_body = ErasureBody,
    params(
        ("account" = String, Path, description = "The account: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn erase(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let body: ErasureBody = call.json()?;
    let account = call::id(&account)?;
    let class = body.class;
    let order = Order::for_account(account, body.salt());
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::RequestErasure { class })
    })
    .await
}
