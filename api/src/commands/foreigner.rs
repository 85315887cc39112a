//! Foreigners: the app account with a travel document, and level 2 at the immigration authority (Decree 59
//! art. 15). What follows (code, password, level 1, decision, activation) is everybody's.

use super::input::{Body as _, PersonBody, TravelDocumentBody, bodies};
use super::receipt::CommandResponses;
use super::{Order, carry_out};
use crate::call::Call;
use crate::problem::Problem;
use crate::state::Api;
use axum::extract::State;
use axum::response::Response;
use domain::command::Command;
use ledger::writer::Target;

bodies! {
    /// A foreigner asks for an app account.
    ForeignerRegistrationBody {
        /// Who it is; `personal_id` is the foreigner's identification number.
        #[serde(deserialize_with = "crate::json::object")]
        person: PersonBody,
        /// The passport or other travel document.
        #[serde(deserialize_with = "crate::json::object")]
        travel_document: TravelDocumentBody,
    }
    /// Opens a level-2 intake at the immigration authority, with the person present.
    ForeignerIntakeBody {
        /// Who it is, as entered by the officer; `personal_id` is the foreigner's identification number.
        #[serde(deserialize_with = "crate::json::object")]
        person: PersonBody,
        /// The passport or other travel document.
        #[serde(deserialize_with = "crate::json::object")]
        travel_document: TravelDocumentBody,
        /// The person is here.
        person_present: bool,
    }
}

/// Asks for an app account; a code goes to the phone if the immigration database confirms the data.
#[utoipa::path(
    post,
    path = "/v1/foreigners/registrations",
    tag = "registration",
    request_body = ForeignerRegistrationBody,
    responses(CommandResponses),
)]
pub async fn register(State(api): State<Api>, call: Call) -> Result<Response, Problem> {
    let body: ForeignerRegistrationBody = call.json()?;
    let person = body.person.foreigner("/person")?;
    let document = body.travel_document.document("/travel_document")?;
    let order = Order::for_target(Target::New, body.salt());
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::RegisterForeigner { person, document })
    })
    .await
}

/// Opens a level-2 intake at the immigration authority.
#[utoipa::path(
    post,
    path = "/v1/foreigners/intakes",
    tag = "level 2",
    request_body = ForeignerIntakeBody,
    responses(CommandResponses),
)]
pub async fn open(State(api): State<Api>, call: Call) -> Result<Response, Problem> {
    let body: ForeignerIntakeBody = call.json()?;
    let person = Some(body.person.foreigner("/person")?);
    let document = Some(body.travel_document.document("/travel_document")?);
    let person_present = body.person_present;
    let order = Order::for_target(Target::New, body.salt());
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::OpenForeignerIntake {
            person,
            document,
            person_present,
        })
    })
    .await
}
