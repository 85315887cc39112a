//! An organisation's own data, opened for its legal representative and for those who may see personal data.
//! Each reading is logged with who and whose, never with what.

use super::personal::open;
use super::{ReadProblems, json, reader};
use crate::auth::table::Read;
use crate::call::{self, Call};
use crate::problem::{Code, Problem};
use crate::queries::account::not_found;
use crate::state::Api;
use axum::extract::{Path, State};
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::Response;
use domain::account::CaseState;
use domain::ids::AccountId;
use domain::personal::{Organisation, Personal};
use serde::Serialize;
use utoipa::ToSchema;

/// An organisation's account.
#[derive(Serialize, ToSchema)]
pub struct OrganisationAccountBody {
    /// The account.
    account: String,
    /// The account's revision.
    revision: u64,
    /// As it was applied for.
    #[schema(value_type = Object)]
    organisation: Organisation,
    /// The account of who acts for it, or applies.
    representative: String,
    /// Whether the account was issued.
    issued: bool,
    /// Whether any ground locks it.
    locked: bool,
    /// Where the last application stands.
    #[schema(value_type = Object)]
    application: CaseState,
    /// How many other legal representatives have not agreed yet.
    agreements_missing: usize,
}

/// Opens an organisation's account.
#[utoipa::path(
    get,
    path = "/v1/organisations/{account}",
    tag = "reads",
    params(("account" = String, Path, description = "The organisation: 32 hexadecimal digits")),
    responses((status = 200, body = OrganisationAccountBody), ReadProblems),
)]
pub async fn get(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let account: AccountId = call::id(&account)?;
    let caller = reader(&api, &call, Read::Personal, Some(account)).await?;
    let view = api.views().account(account)?.ok_or_else(not_found)?;
    let known = view.account.organisation.as_ref().ok_or_else(not_found)?;
    let actor = caller.actor();
    tracing::info!(role = ?actor.role, principal = %actor.principal, %account, "organisation opened");
    let organisation = open(&api, view.sealed.person.as_ref(), |part| match part {
        Personal::Organisation(organisation) => Some(organisation.clone()),
        _ => None,
    });
    let organisation = organisation
        .await?
        .ok_or(Problem::new(Code::PersonalDataErased))?;
    let missing = known.dossier.others.iter();
    let missing = missing.filter(|other| other.account.is_none()).count();
    let body = OrganisationAccountBody {
        account: account.to_string(),
        revision: view.head.revision.0,
        organisation,
        representative: known.representative.to_string(),
        issued: known.issued.is_some(),
        locked: view.account.is_locked(),
        application: known.dossier.state,
        agreements_missing: missing,
    };
    let mut response = json(&body)?;
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
