//! Children and wards: registered under a guardian's account, or in one of their own that the guardian
//! opens (Decree 69 arts. 7, 10, 14).

use super::input::{Body as _, PersonBody, TravelDocumentBody, bodies};
use super::receipt::CommandResponses;
use super::{Order, carry_out};
use crate::call::{self, Call};
use crate::problem::Problem;
use crate::state::Api;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::command::Command;
use domain::ids::{AccountId, Category, LookupHash};
use domain::personal::{Person, TravelDocument};
use ledger::writer::Target;

bodies! {
    /// Registers a child or ward.
    DependantBody {
        /// Who it is.
        #[serde(deserialize_with = "crate::json::object")]
        person: PersonBody,
        /// Whether the guardian agrees.
        consent: bool,
        /// Version of the text that was shown.
        text_version: u16,
        /// Of a foreign child or ward: the travel document.
        #[serde(default, deserialize_with = "crate::json::object_if_given")]
        travel_document: Option<TravelDocumentBody>,
    }
    /// Takes a dependant out.
    DependantUnlinkBody {}
    /// Opens a dependant's own account.
    DependantAccountBody {
        /// Who it is; the phone number is the guardian's own.
        #[serde(deserialize_with = "crate::json::object")]
        person: PersonBody,
        /// Of a foreign child or ward: the travel document.
        #[serde(default, deserialize_with = "crate::json::object_if_given")]
        travel_document: Option<TravelDocumentBody>,
    }
    /// Lets a dependant act.
    GuardianConsentBody {}
}

/// A citizen, or a foreigner with a travel document.
fn dependant(
    person: &PersonBody,
    document: Option<&TravelDocumentBody>,
) -> Result<(Person, Option<TravelDocument>), Problem> {
    let document = TravelDocumentBody::given(document, "/travel_document")?;
    let person = match document {
        Some(_) => person.foreigner("/person")?,
        None => person.person("/person")?,
    };
    Ok((person, document))
}

fn hash(api: &Api, person: &Person) -> LookupHash {
    api.ledger()
        .lookup(Category::PersonalIdClaim, &person.personal_id)
}

/// Registers a child or ward under the account; the registry is asked for the relation.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/dependants",
    tag = "dependants",
    request_body = DependantBody,
    params(
        ("account" = String, Path, description = "The guardian's account: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn link(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let body: DependantBody = call.json()?;
    let account = call::id(&account)?;
    let (person, document) = dependant(&body.person, body.travel_document.as_ref())?;
    let (consent, text_version) = (body.consent, body.text_version);
    let hash = hash(&api, &person);
    let order = Order::for_account(account, body.salt());
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::LinkDependant {
            person,
            hash,
            consent,
            text_version,
            document,
        })
    })
    .await
}

/// Takes a dependant out.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/dependants/{dependant}/unlink",
    tag = "dependants",
    request_body = DependantUnlinkBody,
    params(
        ("account" = String, Path, description = "The guardian's account: 32 hexadecimal digits"),
        ("dependant" = String, Path, description = "The dependant: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn unlink(
    State(api): State<Api>,
    Path((account, dependant)): Path<(String, String)>,
    call: Call,
) -> Result<Response, Problem> {
    let body: DependantUnlinkBody = call.json()?;
    let (account, dependant) = (call::id(&account)?, call::id(&dependant)?);
    let order = Order::for_account(account, body.salt());
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::UnlinkDependant { dependant })
    })
    .await
}

/// Opens an account for a dependant who is linked, where policy lets them have one.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/dependants/account",
    tag = "dependants",
    request_body = DependantAccountBody,
    params(
        ("account" = String, Path, description = "The guardian's account: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn open(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let body: DependantAccountBody = call.json()?;
    let guardian: AccountId = call::id(&account)?;
    let (person, document) = dependant(&body.person, body.travel_document.as_ref())?;
    let hash = hash(&api, &person);
    let mut order = Order::for_target(Target::New, body.salt());
    order.account = Some(guardian);
    order.as_guardian = true;
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::OpenDependantAccount {
            person,
            hash,
            guardian,
            document,
        })
    })
    .await
}

/// Lets the dependant act for a while.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/guardian-consents",
    tag = "dependants",
    request_body = GuardianConsentBody,
    params(
        ("account" = String, Path, description = "The dependant's account: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn consent(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let body: GuardianConsentBody = call.json()?;
    let account = call::id(&account)?;
    let order = Order::for_account(account, body.salt());
    carry_out(&api, &call, order, |_, _| Ok(Command::GiveConsent)).await
}
