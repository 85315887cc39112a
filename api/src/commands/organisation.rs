//! Agencies and organisations (Decree 69 art. 12): a legal representative applies with the device of their
//! own account, the others agree with theirs, or all of it comes to a desk on paper.

use super::input::{Body as _, OrganisationFields, bodies, personal_id};
use super::receipt::CommandResponses;
use super::{Order, carry_out};
use crate::auth::Caller;
use crate::call::{self, Call};
use crate::problem::{Code, Problem};
use crate::state::Api;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::command::Command;
use domain::ids::{AccountId, Category, PrincipalId};
use domain::vocabulary::RefusalCode;
use ledger::writer::Target;

/// Most other legal representatives in one body.
const OTHERS_MAX: usize = 64;

bodies! {
    /// A legal representative applies for the organisation's account.
    OrganisationBody {
        /// Which organisation.
        #[serde(deserialize_with = "crate::json::object")]
        organisation: OrganisationFields,
        /// The representative's own account; its device signs.
        #[schema(value_type = String)]
        representative: AccountId,
        /// Personal numbers of all other legal representatives. What the databases know goes before.
        #[serde(default)]
        others: Vec<String>,
    }
    /// The same in person, with form TK02.
    OrganisationIntakeBody {
        /// Which organisation, as entered by the officer.
        #[serde(deserialize_with = "crate::json::object")]
        organisation: OrganisationFields,
        /// Personal number of the legal representative who is here.
        representative_personal_id: String,
        /// The intake site.
        site: u32,
        /// The representative is here.
        person_present: bool,
        /// How many other legal representatives agreed on paper; absent: not all of them did.
        agreements: Option<u8>,
    }
    /// Another legal representative's answer.
    AgreementBody {
        /// Their own account; its device signs.
        #[schema(value_type = String)]
        representative: AccountId,
        /// Whether they agree.
        agree: bool,
    }
    /// Who represents the organisation from now on.
    RepresentativeBody {
        /// Their own account. Its device signs, or the eID authority does.
        #[schema(value_type = String)]
        representative: AccountId,
    }
    /// The representative acts for the organisation.
    RepresentationBody {
        /// Towards whom: an enrolled relying party.
        #[schema(value_type = String)]
        relying_party: PrincipalId,
        /// In what matter; at most 300 characters, sealed.
        matter: String,
    }
}

/// Applies for an organisation's account.
#[utoipa::path(
    post,
    path = "/v1/organisations",
    tag = "organisations",
    request_body = OrganisationBody,
    responses(CommandResponses),
)]
pub async fn register(State(api): State<Api>, call: Call) -> Result<Response, Problem> {
    let body: OrganisationBody = call.json()?;
    let organisation = body.organisation.organisation("/organisation")?;
    if body.others.len() > OTHERS_MAX {
        let detail = "at most 64 numbers";
        return Err(Problem::field(Code::InvalidValue, "/others", detail));
    }
    let hash = |(at, text): (usize, &String)| {
        let number = personal_id(&format!("/others/{at}"), text)?;
        Ok(api.ledger().lookup(Category::PersonalIdClaim, &number))
    };
    let others = body.others.iter().enumerate().map(hash);
    let others = others.collect::<Result<Vec<_>, Problem>>()?;
    let representative = body.representative;
    let mut order = Order::for_target(Target::New, body.salt());
    order.account = Some(representative);
    order.as_representative = true;
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::RegisterOrganisation {
            organisation,
            representative,
            others,
        })
    })
    .await
}

/// Takes an organisation's application in person (form TK02).
#[utoipa::path(
    post,
    path = "/v1/organisations/intakes",
    tag = "organisations",
    request_body = OrganisationIntakeBody,
    responses(CommandResponses),
)]
pub async fn open(State(api): State<Api>, call: Call) -> Result<Response, Problem> {
    let body: OrganisationIntakeBody = call.json()?;
    let organisation = body.organisation.organisation("/organisation")?;
    let at = "/representative_personal_id";
    let number = personal_id(at, &body.representative_personal_id)?;
    let (site, person_present) = (body.site, body.person_present);
    let agreements = body.agreements;
    let representative = api.ledger().find_by_personal_id(&number).await?;
    let order = Order::for_target(Target::New, body.salt());
    carry_out(&api, &call, order, |caller, _| {
        // Only an officer is told whether a number has an account.
        let officer = matches!(caller, Caller::Principal { .. });
        let unknown = Code::Refused(RefusalCode::AccountNotFound);
        let representative = representative.filter(|_| officer);
        let representative = representative.ok_or_else(|| Problem::new(unknown))?;
        Ok(Command::OpenOrganisationIntake {
            organisation,
            representative,
            site,
            person_present,
            agreements,
        })
    })
    .await
}

/// Another legal representative agrees, or ends the application.
#[utoipa::path(
    post,
    path = "/v1/organisations/{account}/cases/{case}/answers",
    tag = "organisations",
    request_body = AgreementBody,
    params(
        ("account" = String, Path, description = "The organisation: 32 hexadecimal digits"),
        ("case" = String, Path, description = "The dossier: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn answer(
    State(api): State<Api>,
    Path((account, case)): Path<(String, String)>,
    call: Call,
) -> Result<Response, Problem> {
    let body: AgreementBody = call.json()?;
    let (account, case) = (call::id(&account)?, call::id(&case)?);
    let (representative, agree) = (body.representative, body.agree);
    let mut order = Order::for_target(Target::Account(account), body.salt());
    order.account = Some(representative);
    order.as_representative = true;
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::AnswerForOrganisation {
            case,
            representative,
            agree,
        })
    })
    .await
}

/// Changes who represents the organisation.
#[utoipa::path(
    post,
    path = "/v1/organisations/{account}/representative",
    tag = "organisations",
    request_body = RepresentativeBody,
    params(
        ("account" = String, Path, description = "The organisation: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn change(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let body: RepresentativeBody = call.json()?;
    let account = call::id(&account)?;
    let representative = body.representative;
    let mut order = Order::for_target(Target::Account(account), body.salt());
    order.account = Some(representative);
    order.as_representative = true;
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::ChangeRepresentative { representative })
    })
    .await
}

/// Acts for the organisation towards a relying party.
#[utoipa::path(
    post,
    path = "/v1/organisations/{account}/acts",
    tag = "organisations",
    request_body = RepresentationBody,
    params(
        ("account" = String, Path, description = "The organisation: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn act(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let body: RepresentationBody = call.json()?;
    let account = call::id(&account)?;
    let (relying_party, matter) = (body.relying_party, body.matter.clone());
    let order = Order::for_account(account, body.salt());
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::ActForOrganisation {
            relying_party,
            matter,
        })
    })
    .await
}
