//! P3: level 1, applied for in the app; and how any application ends before a decision.

use super::chip::{Chip, ChipBody, ChipSchema};
use super::input::{Body as _, CaptureBody, bodies, card_qr};
use super::receipt::CommandResponses;
use super::{Order, carry_out};
use crate::auth::Caller;
use crate::call::{self, Call};
use crate::problem::Problem;
use crate::state::Api;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::command::Command;
use domain::vocabulary::WithdrawReason;

bodies! {
    /// An application for level 1 (P3): the card by NFC or QR, and a portrait.
    Level1Body {
        /// What was read from the chip.
        #[schema(value_type = Option<ChipSchema>)]
        #[serde(default, deserialize_with = "crate::json::object_if_given")]
        chip: Option<ChipBody>,
        /// The raw text of the card's QR.
        qr: Option<String>,
        /// The portrait.
        #[serde(default, deserialize_with = "crate::json::object_if_given")]
        portrait: Option<CaptureBody>,
    }
    /// Ends an application.
    WithdrawalBody {}
}

/// Applies for level 1 (P3).
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/level-1-applications",
    tag = "level 1",
    request_body = Level1Body,
    params(
        ("account" = String, Path, description = "The account: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn apply(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let body: Level1Body = call.json()?;
    let account = call::id(&account)?;
    card_qr("/qr", body.qr.as_deref())?;
    let chip = body.chip.as_ref().map(ChipBody::chip).transpose()?;
    let portrait = CaptureBody::given(body.portrait.as_ref(), "/portrait")?;
    let qr = body.qr.clone();
    let mut order = Order::for_account(account, body.salt());
    // Contents of a chip are kept nowhere, not even sealed (spec C.3).
    order.keep_body = !matches!(chip, Some(Chip::Read(_)));
    carry_out(&api, &call, order, |_, secrets| {
        let chip = match chip {
            Some(Chip::Read(read)) => {
                secrets.chip = Some(read);
                None
            }
            Some(Chip::Claim(claim)) => Some(claim),
            None => None,
        };
        Ok(Command::ApplyLevel1 { chip, qr, portrait })
    })
    .await
}

/// Ends an application before a decision.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/cases/{case}/withdrawal",
    tag = "cases",
    request_body = WithdrawalBody,
    params(
        ("account" = String, Path, description = "The account: 32 hexadecimal digits"),
        ("case" = String, Path, description = "The dossier: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn withdraw(
    State(api): State<Api>,
    Path((account, case)): Path<(String, String)>,
    call: Call,
) -> Result<Response, Problem> {
    let body: WithdrawalBody = call.json()?;
    let (account, case) = (call::id(&account)?, call::id(&case)?);
    let order = Order::for_account(account, body.salt());
    carry_out(&api, &call, order, |caller, _| {
        let reason = match caller {
            Caller::Principal { .. } => WithdrawReason::ByOfficer,
            Caller::Representative { .. } => WithdrawReason::ByRepresentative,
            _ => WithdrawReason::ByCitizen,
        };
        Ok(Command::WithdrawApplication { case, reason })
    })
    .await
}
