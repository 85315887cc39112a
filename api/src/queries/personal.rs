//! Personal data, opened for those who may see them: officers, the authority, the hotline, and the
//! holder. Each reading is logged with who and whose, never with what.

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
use domain::ids::{AccountId, Position};
use domain::personal::{Person, Personal, TravelDocument};
use projections::accounts::SealedAt;
use serde::Serialize;
use utoipa::ToSchema;

/// A document's number.
#[derive(Serialize, ToSchema)]
pub struct PersonalDocument {
    /// The document link.
    document: String,
    /// Its number; absent: erased.
    number: Option<String>,
}

/// A device.
#[derive(Serialize, ToSchema)]
pub struct PersonalDevice {
    /// Keyed hash of its identifier.
    device: String,
    /// Model name; absent: erased.
    model: Option<String>,
}

/// Personal data of one account.
#[derive(Serialize, ToSchema)]
pub struct PersonalBody {
    /// The account.
    account: String,
    /// The account's revision.
    revision: u64,
    /// The holder.
    #[schema(value_type = Object)]
    person: Person,
    /// Of a foreigner: the travel document.
    #[schema(value_type = Option<Object>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    travel_document: Option<TravelDocument>,
    /// The registered number, where it was changed since.
    phone: Option<String>,
    /// Linked documents.
    documents: Vec<PersonalDocument>,
    /// Devices.
    devices: Vec<PersonalDevice>,
}

/// Opens an account's personal data.
#[utoipa::path(
    get,
    path = "/v1/accounts/{account}/personal",
    tag = "reads",
    params(("account" = String, Path, description = "The account: 32 hexadecimal digits")),
    responses((status = 200, body = PersonalBody), ReadProblems),
)]
#[allow(clippy::too_many_lines, reason = "a table: one arm a kind of datum")]
pub async fn get(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let account: AccountId = call::id(&account)?;
    let caller = reader(&api, &call, Read::Personal, Some(account)).await?;
    let view = api.views().account(account)?.ok_or_else(not_found)?;
    let actor = caller.actor();
    tracing::info!(role = ?actor.role, principal = %actor.principal, %account, "personal data opened");
    let person = open(
        &api,
        view.sealed.person.as_ref(),
        |personal| match personal {
            Personal::Person(person) => Some(person.clone()),
            _ => None,
        },
    );
    let person = person
        .await?
        .ok_or(Problem::new(Code::PersonalDataErased))?;
    let travel_document = open(
        &api,
        view.sealed.person.as_ref(),
        |personal| match personal {
            Personal::TravelDocument(document) => Some(document.clone()),
            _ => None,
        },
    );
    let travel_document = travel_document.await?;
    let phone = open(
        &api,
        view.sealed.phone.as_ref(),
        |personal| match personal {
            Personal::Phone(phone) => Some(phone.clone()),
            _ => None,
        },
    );
    let phone = phone.await?;
    let mut documents = Vec::new();
    for sealed in &view.sealed.documents {
        let number = open(&api, Some(&sealed.at), |personal| match personal {
            Personal::Document(number) => Some(number.clone()),
            _ => None,
        });
        let number = number.await?;
        documents.push(PersonalDocument {
            document: sealed.document.to_string(),
            number,
        });
    }
    let mut devices = Vec::new();
    for sealed in &view.sealed.devices {
        let model = open(&api, Some(&sealed.at), |personal| match personal {
            Personal::Device { model, .. } => Some(model.clone()),
            _ => None,
        });
        let model = model.await?;
        devices.push(PersonalDevice {
            device: sealed.device.to_string(),
            model,
        });
    }
    let body = PersonalBody {
        account: account.to_string(),
        revision: view.head.revision.0,
        person,
        travel_document,
        phone,
        documents,
        devices,
    };
    let mut response = json(&body)?;
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Opens the parts at a place and takes the first that is wanted; `None`: erased or redacted.
pub async fn open<T>(
    api: &Api,
    at: Option<&SealedAt>,
    wanted: impl Fn(&Personal) -> Option<T>,
) -> Result<Option<T>, Problem> {
    let Some(at) = at else { return Ok(None) };
    let record = super::event::read(api, Position(at.position)).await?;
    let record = record.ok_or(Problem::new(Code::LedgerCorrupt))?;
    let parts = api.ledger().open_personal(&record).await?;
    Ok(parts.iter().flatten().find_map(wanted))
}
