//! P10: sharing. The holder grants, with the device's signature and the passcode; the relying party
//! looks once, and is answered with the values, which stand nowhere but in that answer.

use super::input::{Body as _, bodies};
use super::receipt::CommandResponses;
use super::secrets::{Need, SecretFields};
use super::{Order, carry_out};
use crate::call::{self, Call};
use crate::problem::Problem;
use crate::state::Api;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::command::Command;
use domain::ids::PrincipalId;
use domain::vocabulary::{ShareField, ShareMode};

bodies! {
    /// Lets a relying party see fields, once.
    ShareBody {
        /// `in_app`, `card_qr` (the card's seven fields) or `identification_qr` (one minute).
        #[schema(value_type = String)]
        mode: ShareMode,
        /// Names of the fields.
        #[schema(value_type = Vec<String>)]
        fields: Vec<ShareField>,
        /// The relying party: 32 hexadecimal digits.
        #[schema(value_type = String)]
        relying_party: PrincipalId,
    }
    /// Looks at what was shared.
    ShareConsumptionBody {}
}

/// Grants a share; the passcode stands in `Idledger-Secret`.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/shares",
    tag = "sharing",
    request_body = ShareBody,
    params(
        ("account" = String, Path, description = "The account: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn grant(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let body: ShareBody = call.json()?;
    let account = call::id(&account)?;
    let order = Order::for_account(account, body.salt.as_deref())
        .with(SecretFields::default(), Need::Passcode);
    let (mode, relying_party, fields) = (body.mode, body.relying_party, body.fields);
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::ShareData {
            mode,
            fields,
            relying_party,
        })
    })
    .await
}

/// The relying party looks, once: the receipt carries the values the first time only.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/shares/{share}/consumption",
    tag = "sharing",
    request_body = ShareConsumptionBody,
    params(
        ("account" = String, Path, description = "The account: 32 hexadecimal digits"),
        ("share" = String, Path, description = "The share: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn consume(
    State(api): State<Api>,
    Path((account, share)): Path<(String, String)>,
    call: Call,
) -> Result<Response, Problem> {
    let body: ShareConsumptionBody = call.json()?;
    let (account, share) = (call::id(&account)?, call::id(&share)?);
    let order = Order::for_account(account, body.salt());
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::ConsumeShare { share })
    })
    .await
}
