//! Documents linked to an account, each confirmed by the registry that owns it.

use super::input::{Body as _, Faults, bodies};
use super::receipt::CommandResponses;
use super::{Order, carry_out};
use crate::call::{self, Call};
use crate::problem::{Code, Problem};
use crate::state::Api;
use crate::time::parse_instant;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::command::Command;
use domain::identity::DocumentNumber;
use domain::vocabulary::{DocumentKind, LinkOutcome};

bodies! {
    /// Declares a document.
    DocumentBody {
        /// `driving_licence`, `vehicle_registration`, `health_insurance_card`, `tax_code`,
        /// `social_insurance_code` or `health_record`.
        #[schema(value_type = String)]
        kind: DocumentKind,
        /// Its number, in its kind's form.
        number: String,
    }
    /// Newer data of a registry.
    DocumentRefreshBody {
        /// The instant the data are of (RFC 3339).
        data_as_of: String,
        /// What is wrong with it now; absent: still good.
        #[schema(value_type = Option<String>)]
        outcome: Option<LinkOutcome>,
    }
    /// Takes a document out.
    DocumentUnlinkBody {}
}

/// Declares a document; its registry is asked.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/documents",
    tag = "documents",
    request_body = DocumentBody,
    params(
        ("account" = String, Path, description = "The account: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn link(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let body: DocumentBody = call.json()?;
    let account = call::id(&account)?;
    let mut faults = Faults::default();
    let number = DocumentNumber::parse(body.kind, &body.number)
        .map_err(|error| faults.note("/number", error));
    faults.check()?;
    let (kind, salt) = (body.kind, body.salt.as_deref());
    let number = number
        .map(|number| number.as_str().to_owned())
        .unwrap_or_default();
    let order = Order::for_account(account, salt);
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::LinkDocument { kind, number })
    })
    .await
}

/// Records newer data of the registry, or that it is no longer good.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/documents/{document}/refresh",
    tag = "documents",
    request_body = DocumentRefreshBody,
    params(
        ("account" = String, Path, description = "The account: 32 hexadecimal digits"),
        ("document" = String, Path, description = "The document link: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn refresh(
    State(api): State<Api>,
    Path((account, document)): Path<(String, String)>,
    call: Call,
) -> Result<Response, Problem> {
    let body: DocumentRefreshBody = call.json()?;
    let (account, document) = (call::id(&account)?, call::id(&document)?);
    let data_as_of = parse_instant(&body.data_as_of).ok_or_else(|| {
        Problem::field(
            Code::InvalidValue,
            "/data_as_of",
            "an instant as RFC 3339 writes it",
        )
    })?;
    let outcome = body.outcome;
    let order = Order::for_account(account, body.salt());
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::RefreshDocument {
            document,
            data_as_of,
            outcome,
        })
    })
    .await
}

/// Takes a document out.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/documents/{document}/unlink",
    tag = "documents",
    request_body = DocumentUnlinkBody,
    params(
        ("account" = String, Path, description = "The account: 32 hexadecimal digits"),
        ("document" = String, Path, description = "The document link: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn unlink(
    State(api): State<Api>,
    Path((account, document)): Path<(String, String)>,
    call: Call,
) -> Result<Response, Problem> {
    let body: DocumentUnlinkBody = call.json()?;
    let (account, document) = (call::id(&account)?, call::id(&document)?);
    let order = Order::for_account(account, body.salt());
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::UnlinkDocument { document })
    })
    .await
}
