//! The citizen has seen a notice in the app: its receipt.

use super::input::{Body as _, bodies};
use super::receipt::CommandResponses;
use super::{Order, carry_out};
use crate::call::{self, Call};
use crate::problem::{Code, Problem};
use crate::state::Api;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::command::Command;
use domain::ids::{AccountId, EventId};
use domain::vocabulary::Channel;

bodies! {
    /// A notice was seen.
    NoticeReceiptBody {}
}

/// Records that a notice was received in the app. The receipt of a result starts the seven days.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/notices/{notice}/receipt",
    tag = "notices",
    request_body = NoticeReceiptBody,
    params(
        ("account" = String, Path, description = "The account: 32 hexadecimal digits"),
        ("notice" = String, Path, description = "The notice: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn receipt(
    State(api): State<Api>,
    Path((account, notice)): Path<(String, String)>,
    call: Call,
) -> Result<Response, Problem> {
    let body: NoticeReceiptBody = call.json()?;
    let (account, notice): (AccountId, EventId) = (call::id(&account)?, call::id(&notice)?);
    let order = Order::for_account(account, body.salt());
    let received_at = api.now();
    carry_out(&api, &call, order, |_, _| {
        // Who may ask is known by now: a stranger learns nothing from whether it is there.
        let notices = api.views().notices(account)?;
        let notice = notices.into_iter().find(|known| known.notice == notice);
        let notice = notice.ok_or(Problem::new(Code::NotFound))?;
        Ok(Command::RecordNoticeDelivered {
            notice: notice.notice,
            case: notice.case,
            channel: Channel::App,
            received_at,
        })
    })
    .await
}
