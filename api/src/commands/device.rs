//! P9: the device an account acts with.

use super::chip::{ChipBody, ChipSchema, read_of};
use super::input::{Body as _, DeviceBody, Secret, bodies};
use super::receipt::CommandResponses;
use super::secrets::SecretFields;
use super::{Order, carry_out};
use crate::auth::Caller;
use crate::call::{self, Call};
use crate::problem::Problem;
use crate::state::Api;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::command::Command;
use domain::ids::ChallengeId;
use domain::vocabulary::{Role, StepUpMethod, UnbindReason};

bodies! {
    /// Asks to move to another device. Signed with that device's own key.
    DeviceChangeBody {
        /// The new device.
        #[serde(deserialize_with = "crate::json::object")]
        device: DeviceBody,
    }
    /// Confirms the move with a second proof.
    DeviceChangeConfirmationBody {
        /// `code_on_old_device`, signed with the old device's key; `chip_read`, with the code and the read;
        /// or an officer's `in_person`.
        #[schema(value_type = String)]
        method: StepUpMethod,
        /// The challenge of the code, where the proof is one.
        #[schema(value_type = Option<String>)]
        challenge: Option<ChallengeId>,
        /// The code. In a signed request: in the `Idledger-Secret` header instead.
        otp: Option<Secret>,
        /// The read of the holder's chip, where that is the proof. Not a claim of one.
        #[schema(value_type = Option<ChipSchema>)]
        #[serde(default, deserialize_with = "crate::json::object_if_given")]
        chip: Option<ChipBody>,
        /// Staff only: whether the proof in person was given.
        proof_given: Option<bool>,
    }
    /// Takes the device off the account.
    UnlinkDeviceBody {}
}

/// Asks to move to another device; a code is sent (P9).
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/device-changes",
    tag = "device",
    request_body = DeviceChangeBody,
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
    let body: DeviceChangeBody = call.json()?;
    let account = call::id(&account)?;
    let device = body.device.info(api.ledger())?;
    let order = Order::for_account(account, body.salt()).introducing(device.key);
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::RequestDeviceChange { device })
    })
    .await
}

/// Confirms the move with a second proof (P9).
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/device-changes/confirmation",
    tag = "device",
    request_body = DeviceChangeConfirmationBody,
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
    let body: DeviceChangeConfirmationBody = call.json()?;
    let account = call::id(&account)?;
    let (method, challenge, proof_given) = (body.method, body.challenge, body.proof_given);
    let read = read_of(body.chip.as_ref())?;
    let mut order = Order::for_account(account, body.salt.as_deref());
    order.secrets = SecretFields::otp(body.otp);
    // Contents of a chip are kept nowhere, not even sealed (spec C.3).
    order.keep_body = read.is_none();
    carry_out(&api, &call, order, |caller, secrets| {
        secrets.chip = read;
        // Only staff can say that a proof was given; a citizen's must be one we check.
        secrets.step_up = proof_given.filter(|_| matches!(caller, Caller::Principal { .. }));
        Ok(Command::ConfirmDeviceChange { method, challenge })
    })
    .await
}

/// Takes the device off the account.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/device/unlink",
    tag = "device",
    request_body = UnlinkDeviceBody,
    params(
        ("account" = String, Path, description = "The account: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn unlink(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let body: UnlinkDeviceBody = call.json()?;
    let account = call::id(&account)?;
    let order = Order::for_account(account, body.salt());
    carry_out(&api, &call, order, |caller, _| {
        let reason = match caller.role() {
            Role::Citizen => UnbindReason::ByHolder,
            Role::HotlineAgent => UnbindReason::ByHotline,
            _ => UnbindReason::ByOfficer,
        };
        Ok(Command::UnlinkDevice { reason })
    })
    .await
}
