//! P8: another phone number.

use super::input::{self, Body as _, bodies};
use super::receipt::CommandResponses;
use super::registration::OtpBody;
use super::secrets::{Need, SecretFields};
use super::{Order, carry_out};
use crate::auth::Caller;
use crate::call::{self, Call};
use crate::problem::Problem;
use crate::state::Api;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::command::Command;
use domain::ids::Category;
use domain::vocabulary::{Role, StepUpMethod};

bodies! {
    /// Asks for another phone number; a code goes to it.
    PhoneChangeBody {
        /// The new mobile number.
        phone: String,
        /// Staff only: whether the holder proved who they are.
        proof_given: Option<bool>,
    }
}

/// Asks for another phone number (P8).
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/phone-changes",
    tag = "phone",
    request_body = PhoneChangeBody,
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
    let body: PhoneChangeBody = call.json()?;
    let account = call::id(&account)?;
    let phone = input::phone("/phone", &body.phone)?;
    let hash = api.ledger().lookup(Category::PhoneClaim, &phone);
    let proof_given = body.proof_given;
    let order = Order::for_account(account, body.salt());
    carry_out(&api, &call, order, |caller, secrets| {
        secrets.step_up = proof_given.filter(|_| matches!(caller, Caller::Principal { .. }));
        let method = match caller.role() {
            Role::HotlineAgent => StepUpMethod::Hotline,
            Role::IntakeOfficer => StepUpMethod::InPerson,
            _ => StepUpMethod::BoundDevice,
        };
        Ok(Command::RequestPhoneChange {
            phone,
            hash,
            method,
        })
    })
    .await
}

/// Brings the code back that went to the new number (P8).
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/phone-changes/confirmation",
    tag = "phone",
    request_body = OtpBody,
    params(
        ("account" = String, Path, description = "The account: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn confirm(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let body: OtpBody = call.json()?;
    let account = call::id(&account)?;
    let challenge = body.challenge;
    let secrets = SecretFields::otp(body.otp);
    let order = Order::for_account(account, body.salt.as_deref()).with(secrets, Need::Otp);
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::ConfirmPhoneChange { challenge })
    })
    .await
}
