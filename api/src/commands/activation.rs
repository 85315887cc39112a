//! P7: activation. The device that is being introduced signs from the first step on.

use super::chip::{ChipBody, ChipSchema, read_of};
use super::input::{self, Body as _, DeviceBody, Secret, bodies};
use super::receipt::CommandResponses;
use super::registration::OtpBody;
use super::secrets::{Need, SecretFields};
use super::{Order, carry_out};
use crate::auth::Caller;
use crate::call::{self, Call};
use crate::problem::{Code, Problem};
use crate::state::Api;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::command::Command;
use domain::ids::VerifierId;
use domain::vocabulary::{QuestionId, RefusalCode, StepUpMethod};
use ledger::writer::Target;

bodies! {
    /// Asks for activation (P7 steps 2–5). Signed with the device's own key, or by an officer for whoever
    /// stands before them, with `in_person`.
    ActivationBody {
        /// Personal identification number: twelve digits.
        personal_id: String,
        /// The registered mobile number.
        phone: Option<String>,
        /// Instead of it: the e-mail address of an account that has no number.
        email: Option<String>,
        /// The device to bind.
        #[serde(deserialize_with = "crate::json::object")]
        device: DeviceBody,
        /// A second proof offered, where the device belongs to another account and policy lets it
        /// be taken over: `chip_read`, or an officer's `in_person`.
        #[schema(value_type = Option<String>)]
        step_up: Option<StepUpMethod>,
        /// The read of the holder's chip, where that is the proof. Not a claim of one.
        #[schema(value_type = Option<ChipSchema>)]
        #[serde(default, deserialize_with = "crate::json::object_if_given")]
        chip: Option<ChipBody>,
        /// Staff only: whether the proof in person was given.
        proof_given: Option<bool>,
    }
    /// The passcode (P7 step 7).
    PasscodeBody {
        /// Six digits. In a signed request: in the `Idledger-Secret` header instead.
        passcode: Option<Secret>,
    }
    /// Two security questions and their answers (P7 step 8).
    QuestionsBody {
        /// Two questions of the list.
        #[schema(value_type = Vec<String>, min_items = 2, max_items = 2)]
        questions: Vec<QuestionId>,
        /// Their answers, in the same order. In a signed request: in the `Idledger-Secret` header
        /// instead.
        answers: Option<Vec<Secret>>,
    }
    /// The hotline's word.
    AssistanceBody {
        /// The citizen proved who they are.
        proof_given: bool,
    }
}

/// Asks for activation on this device; a code goes to the registered phone (P7).
#[utoipa::path(
    post,
    path = "/v1/activations",
    tag = "activation",
    request_body = ActivationBody,
    responses(CommandResponses),
)]
pub async fn request(State(api): State<Api>, call: Call) -> Result<Response, Problem> {
    let body: ActivationBody = call.json()?;
    let mut faults = input::Faults::default();
    let personal_id = faults.read::<domain::identity::LoginName>("/personal_id", &body.personal_id);
    let phone = faults.read_given::<domain::identity::Phone>("/phone", body.phone.as_deref());
    let email = faults.read_given::<domain::identity::Email>("/email", body.email.as_deref());
    faults.check()?;
    let contact = match (&phone, &email) {
        (Some(phone), None) => phone.as_str().to_owned(),
        (None, Some(email)) => email.as_str().to_owned(),
        _ => {
            return Err(Problem::field(
                Code::MissingField,
                "/phone",
                "or `email`, one of them",
            ));
        }
    };
    let device = body.device.info(api.ledger())?;
    let target = Target::Find {
        personal_id: personal_id
            .map(|number| number.as_str().to_owned())
            .unwrap_or_default(),
        phone: Some(contact),
    };
    let (step_up, proof_given) = (body.step_up, body.proof_given);
    let read = read_of(body.chip.as_ref())?;
    let mut order = Order::for_target(target, body.salt()).introducing(device.key);
    order.neutral = Some(RefusalCode::RequestNotAccepted);
    // Contents of a chip are kept nowhere, not even sealed (spec C.3).
    order.keep_body = read.is_none();
    carry_out(&api, &call, order, |caller, secrets| {
        secrets.chip = read;
        // Only staff can say that a proof was given; a citizen's must be one we check.
        secrets.step_up = proof_given.filter(|_| matches!(caller, Caller::Principal { .. }));
        // The writer finds the account and says whether number and phone are its.
        Ok(Command::RequestActivation {
            matched: false,
            device,
            step_up,
        })
    })
    .await
}

/// Brings the activation code back; opens a session (P7 step 5).
#[utoipa::path(
    post,
    path = "/v1/activations/{account}/otp",
    tag = "activation",
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
    let secrets = SecretFields::otp(body.otp);
    let order = Order::for_account(account, body.salt.as_deref()).with(secrets, Need::Otp);
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::ConfirmActivationOtp { challenge })
    })
    .await
}

/// Sets the passcode (P7 step 7).
#[utoipa::path(
    post,
    path = "/v1/activations/{account}/passcode",
    tag = "activation",
    request_body = PasscodeBody,
    params(
        ("account" = String, Path, description = "The account: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn passcode(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let body: PasscodeBody = call.json()?;
    let account = call::id(&account)?;
    let verifier = VerifierId(api.ledger().assembler().ids().id());
    let secrets = SecretFields {
        passcode: body.passcode,
        ..SecretFields::default()
    };
    let order = Order::for_account(account, body.salt.as_deref()).with(secrets, Need::Passcode);
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::SetPasscode { verifier })
    })
    .await
}

/// Sets the security questions; completes the activation when all is there (P7 step 8).
#[utoipa::path(
    post,
    path = "/v1/activations/{account}/security-questions",
    tag = "activation",
    request_body = QuestionsBody,
    params(
        ("account" = String, Path, description = "The account: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn questions(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let body: QuestionsBody = call.json()?;
    let account = call::id(&account)?;
    let verifier = VerifierId(api.ledger().assembler().ids().id());
    let questions = body.questions;
    let secrets = SecretFields {
        answers: body.answers,
        ..SecretFields::default()
    };
    let order = Order::for_account(account, body.salt.as_deref()).with(secrets, Need::Answers);
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::SetSecurityQuestions {
            questions,
            verifier,
        })
    })
    .await
}

/// Reopens an activation window that ran out (hotline).
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/activation-assistance",
    tag = "activation",
    request_body = AssistanceBody,
    params(
        ("account" = String, Path, description = "The account: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn assist(
    State(api): State<Api>,
    Path(account): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let body: AssistanceBody = call.json()?;
    let account = call::id(&account)?;
    let proof_given = body.proof_given;
    let order = Order::for_account(account, body.salt());
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::AssistActivation { proof_given })
    })
    .await
}
