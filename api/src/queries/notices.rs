//! An account's notices: its inbox in the app, and what became of each on the other channels.
//! Texts are made here, from ids; no address is in it.

use super::{ReadProblems, json, reader};
use crate::auth::table::Read;
use crate::call::{self, Call};
use crate::problem::Problem;
use crate::state::Api;
use crate::time::rfc3339;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::ids::AccountId;
use domain::messages::{Lang, message_id, message_text};
use projections::outbox::{Failure, NoticeState};
use serde::Serialize;
use utoipa::ToSchema;

/// One notice.
#[derive(Serialize, ToSchema)]
pub struct NoticeBody {
    /// The event it tells of, which is its id.
    notice: String,
    /// Position of that event.
    position: u64,
    /// When it was recorded.
    at: String,
    /// The message's stable id.
    message: &'static str,
    /// In Vietnamese.
    text_vi: &'static str,
    /// In English.
    text_en: &'static str,
    /// The dossier whose result it tells.
    case: Option<String>,
    /// `pending`, `sent`, `received`, `failed` or `withdrawn`; with channel and time in µs.
    #[schema(value_type = Object)]
    state: NoticeState,
    /// How often it was tried, on all channels.
    attempts: u16,
    /// Channels that were given up, and why.
    #[schema(value_type = Vec<Object>)]
    failures: Vec<Failure>,
}

/// The newest notices.
#[derive(Serialize, ToSchema)]
pub struct NoticesBody {
    /// The account.
    account: String,
    /// Newest first, at most 32; older ones are in the events.
    notices: Vec<NoticeBody>,
}

/// The newest notices to an account.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/notices",
    tag = "notices",
    params(("account" = String, Path, description = "The account: 32 hexadecimal digits")),
    responses((status = 200, body = NoticesBody), ReadProblems),
)]
pub async fn list(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let account: AccountId = call::id(&account)?;
    reader(&api, &call, Read::Account, Some(account)).await?;
    let notices = api.views().notices(account)?.into_iter().rev();
    json(&NoticesBody {
        account: account.to_string(),
        notices: notices
            .map(|notice| NoticeBody {
                notice: notice.notice.to_string(),
                position: notice.position.0,
                at: rfc3339(notice.at),
                message: message_id(notice.message),
                text_vi: message_text(notice.message, Lang::Vi),
                text_en: message_text(notice.message, Lang::En),
                case: notice.case.map(|case| case.to_string()),
                state: notice.state,
                attempts: notice.attempts,
                failures: notice.failures,
            })
            .collect(),
    })
}
