//! P1 and P2: the app account, and logging in.

use super::input::{self, Body as _, Secret, bodies};
use super::receipt::CommandResponses;
use super::secrets::{Need, SecretFields};
use super::{Order, carry_out};
use crate::auth::Caller;
use crate::call::{self, Call};
use crate::problem::{Code, Problem};
use crate::state::Api;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::command::Command;
use domain::identity::{CardQr, PersonParts};
use domain::ids::{AccountId, ChallengeId, VerifierId};
use domain::personal::Person;
use domain::vocabulary::{OtpPurpose, RefusalCode, RegistrationMethod};
use ledger::writer::Target;

bodies! {
    /// Registration of an app account (P1 steps 1–4): with the card's QR, or filled in by hand.
    RegistrationBody {
        /// Personal identification number: twelve digits.
        personal_id: String,
        /// Mobile number; the code goes there.
        phone: String,
        /// The raw text of the card's QR: seven fields. With it the fields below may be left out.
        qr: Option<String>,
        /// Legal name, Unicode NFC.
        full_name: Option<String>,
        /// `YYYY-MM-DD`, `YYYY-MM` or `YYYY`.
        birth_date: Option<String>,
        /// `Nam` or `Nữ`.
        sex: Option<String>,
        /// Permanent residence.
        residence: Option<String>,
        /// E-mail address.
        email: Option<String>,
        /// Old nine-digit number.
        old_id: Option<String>,
        /// When the card was issued, `YYYY-MM-DD`.
        card_issued: Option<String>,
    }
    /// A code that came back.
    OtpBody {
        /// The challenge of the receipt that sent the code.
        #[schema(value_type = String)]
        challenge: ChallengeId,
        /// The code, six digits. In a signed request: in the `Idledger-Secret` header instead.
        otp: Option<Secret>,
    }
    /// A new code.
    ResendBody {
        /// `registration`, `activation`, `phone_change` or `device_change`.
        #[schema(value_type = String)]
        purpose: OtpPurpose,
    }
    /// A password the citizen chose.
    PasswordBody {
        /// The password. In a signed request: in the `Idledger-Secret` header instead.
        password: Option<Secret>,
    }
    /// A login (P2).
    LoginBody {
        /// Personal identification number: twelve digits.
        personal_id: String,
        /// The password. In a signed request: in the `Idledger-Secret` header instead.
        password: Option<Secret>,
    }
}

impl RegistrationBody {
    /// Who it is: as typed in, and what is left out from the card.
    fn person(&self) -> Result<(Person, RegistrationMethod), Problem> {
        let card = input::card_qr("/qr", self.qr.as_deref())?;
        let card = card
            .as_ref()
            .map(CardQr::to_parts)
            .as_ref()
            .map(|parts: &PersonParts| Person::from(parts));
        let method = match card {
            Some(_) => RegistrationMethod::CardQr,
            None => RegistrationMethod::Manual,
        };
        let or_card = |typed: &Option<String>, of_card: fn(&Person) -> &String| {
            let of_card = card.as_ref().map(of_card).filter(|text| !text.is_empty());
            typed.clone().or_else(|| of_card.cloned())
        };
        let needed = |pointer: &str, text: Option<String>| {
            text.ok_or_else(|| {
                Problem::field(Code::MissingField, pointer, "needed without the card's QR")
            })
        };
        let person = input::PersonBody {
            personal_id: self.personal_id.clone(),
            full_name: needed(
                "/full_name",
                or_card(&self.full_name, |card| &card.full_name),
            )?,
            birth_date: needed(
                "/birth_date",
                or_card(&self.birth_date, |card| &card.birth_date),
            )?,
            sex: or_card(&self.sex, |card| &card.sex),
            residence: or_card(&self.residence, |card| &card.residence),
            phone: Some(self.phone.clone()),
            email: self.email.clone(),
            old_id: or_card(&self.old_id, |card| &card.old_id),
            card_issued: or_card(&self.card_issued, |card| &card.card_issued),
        };
        Ok((person.person("")?, method))
    }
}

/// Asks for an app account; a code goes to the phone if the registry confirms the data (P1).
#[utoipa::path(
    post,
    path = "/v1/registrations",
    tag = "registration",
    request_body = RegistrationBody,
    responses(CommandResponses),
)]
pub async fn register(State(api): State<Api>, call: Call) -> Result<Response, Problem> {
    let body: RegistrationBody = call.json()?;
    let (person, method) = body.person()?;
    let qr = body.qr.clone();
    let order = Order::for_target(Target::New, body.salt());
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::RegisterAppAccount { person, method, qr })
    })
    .await
}

/// Brings the registration code back; opens a session (P1 step 5).
#[utoipa::path(
    post,
    path = "/v1/registrations/{account}/otp",
    tag = "registration",
    request_body = OtpBody,
    params(
        ("account" = String, Path, description = "The account: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn confirm(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let body: OtpBody = call.json()?;
    let account = call::id(&account)?;
    let challenge = body.challenge;
    let salt = body.salt.as_deref();
    let order = Order::for_account(account, salt).with(SecretFields::otp(body.otp), Need::Otp);
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::ConfirmRegistrationOtp { challenge })
    })
    .await
}

/// Sends the code of a procedure again.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/otp-resends",
    tag = "registration",
    request_body = ResendBody,
    params(
        ("account" = String, Path, description = "The account: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn resend(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let body: ResendBody = call.json()?;
    let account = call::id(&account)?;
    let order = Order::for_account(account, body.salt());
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::ResendOtp {
            purpose: body.purpose,
        })
    })
    .await
}

/// Sets the password, where there is none (P1 step 6, P7 step 6).
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/password",
    tag = "registration",
    request_body = PasswordBody,
    params(
        ("account" = String, Path, description = "The account: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn set_password(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let body: PasswordBody = call.json()?;
    let account = call::id(&account)?;
    let verifier = VerifierId(api.ledger().assembler().ids().id());
    let secrets = SecretFields::password(body.password);
    let order = Order::for_account(account, body.salt.as_deref()).with(secrets, Need::Password);
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::SetPassword { verifier })
    })
    .await
}

/// Logs in with number and password; on an activated account the bound device signs (P2).
#[utoipa::path(
    post,
    path = "/v1/sessions",
    tag = "registration",
    request_body = LoginBody,
    responses(CommandResponses),
)]
pub async fn log_in(State(api): State<Api>, call: Call) -> Result<Response, Problem> {
    let body: LoginBody = call.json()?;
    let personal_id = input::personal_id("/personal_id", &body.personal_id)?;
    let signed = crate::signature::is_signed(&call.headers);
    // Whose device it says it is; strangers are told nothing by it, because nothing is done unless
    // the signature verifies.
    let account = if signed {
        api.ledger().find_by_personal_id(&personal_id).await?
    } else {
        None
    };
    let target = Target::Find {
        personal_id,
        phone: None,
    };
    let mut order = Order::for_target(target, body.salt.as_deref());
    order = order.with(SecretFields::password(body.password), Need::Password);
    order.account = account;
    order.neutral = Some(RefusalCode::CredentialWrong);
    let device = account
        .map(|account| bound_device(&api, account))
        .transpose()?
        .flatten();
    carry_out(&api, &call, order, |caller, _| {
        // Only a signature says which device it is.
        let device = device.filter(|_| matches!(caller, Caller::Device { .. }));
        Ok(Command::LogIn { device })
    })
    .await
}

fn bound_device(api: &Api, account: AccountId) -> Result<Option<domain::ids::DeviceRef>, Problem> {
    let view = api.views().account(account)?;
    Ok(view.and_then(|view| view.account.device.map(|device| device.device)))
}
