//! P4 to P6: level 2 at an officer's desk, the registries' answers, the decision and its notice.

use super::input::{Body as _, CaptureBody, PersonBody, bodies};
use super::receipt::CommandResponses;
use super::{Order, carry_out};
use crate::call::{self, Call};
use crate::problem::Code;
use crate::problem::Problem;
use crate::state::Api;
use crate::time::parse_instant;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::command::Command;
use domain::vocabulary::{Channel, Database, MatchResult, Modality, RefusalReason};
use ledger::writer::Target;

bodies! {
    /// Opens an intake with the person present (P4, P5).
    IntakeBody {
        /// Who it is, as entered by the officer.
        #[serde(deserialize_with = "crate::json::object")]
        person: PersonBody,
        /// The intake site.
        site: u32,
        /// The person is here.
        person_present: bool,
        /// The account is issued together with the chip card (P5).
        with_card_issue: bool,
    }
    /// Captures of the person.
    BiometricsBody {
        /// The portrait.
        #[serde(default, deserialize_with = "crate::json::object_if_given")]
        portrait: Option<CaptureBody>,
        /// The fingerprints.
        #[serde(default, deserialize_with = "crate::json::object_if_given")]
        fingerprints: Option<CaptureBody>,
    }
    /// What the citizen said, witnessed by the officer.
    ConsentBody {
        /// Whether they agree.
        given: bool,
        /// Version of the text that was shown.
        text_version: u16,
    }
    /// Hands the dossier in.
    SubmissionBody {}
    /// A registry's answer about one biometric.
    RegistryResultBody {
        /// `portrait` or `fingerprints`.
        #[schema(value_type = String)]
        modality: Modality,
        /// Which database answered.
        #[schema(value_type = String)]
        database: Database,
        /// `match`, `no_match`, `no_reference` or `unavailable`.
        #[schema(value_type = String)]
        result: MatchResult,
    }
    /// The authority's decision.
    DecisionBody {
        /// Issued, or refused.
        approve: bool,
        /// Why it is refused.
        #[schema(value_type = Option<String>)]
        reason: Option<RefusalReason>,
    }
    /// How and when the citizen was told.
    NoticeBody {
        /// `app`, `sms`, `email` or `in_person`.
        #[schema(value_type = String)]
        channel: Channel,
        /// When it was received (RFC 3339): the days to activate count from here.
        received_at: String,
    }
}

/// Opens a level-2 intake (P4, P5).
#[utoipa::path(
    post,
    path = "/v1/intakes",
    tag = "level 2",
    request_body = IntakeBody,
    responses(CommandResponses),
)]
pub async fn open(State(api): State<Api>, call: Call) -> Result<Response, Problem> {
    let body: IntakeBody = call.json()?;
    let (person, site) = (Some(body.person.person("/person")?), body.site);
    let (person_present, with_card_issue) = (body.person_present, body.with_card_issue);
    let order = Order::for_target(Target::New, body.salt());
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::OpenLevel2Intake {
            person,
            site,
            person_present,
            with_card_issue,
        })
    })
    .await
}

/// Records captures of the person (P4).
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/cases/{case}/biometrics",
    tag = "level 2",
    request_body = BiometricsBody,
    params(
        ("account" = String, Path, description = "The account: 32 hexadecimal digits"),
        ("case" = String, Path, description = "The dossier: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn biometrics(
    State(api): State<Api>,
    Path((account, case)): Path<(String, String)>,
    call: Call,
) -> Result<Response, Problem> {
    let body: BiometricsBody = call.json()?;
    let (account, case) = (call::id(&account)?, call::id(&case)?);
    let portrait = CaptureBody::given(body.portrait.as_ref(), "/portrait")?;
    let fingerprints = CaptureBody::given(body.fingerprints.as_ref(), "/fingerprints")?;
    let order = Order::for_account(account, body.salt());
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::RecordBiometrics {
            case,
            portrait,
            fingerprints,
        })
    })
    .await
}

/// Records what the citizen said (P4).
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/cases/{case}/consent",
    tag = "level 2",
    request_body = ConsentBody,
    params(
        ("account" = String, Path, description = "The account: 32 hexadecimal digits"),
        ("case" = String, Path, description = "The dossier: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn consent(
    State(api): State<Api>,
    Path((account, case)): Path<(String, String)>,
    call: Call,
) -> Result<Response, Problem> {
    let body: ConsentBody = call.json()?;
    let (account, case) = (call::id(&account)?, call::id(&case)?);
    let (given, text_version) = (body.given, body.text_version);
    let order = Order::for_account(account, body.salt());
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::RecordConsent {
            case,
            given,
            text_version,
        })
    })
    .await
}

/// Hands the dossier in (P4).
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/cases/{case}/submission",
    tag = "level 2",
    request_body = SubmissionBody,
    params(
        ("account" = String, Path, description = "The account: 32 hexadecimal digits"),
        ("case" = String, Path, description = "The dossier: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn submit(
    State(api): State<Api>,
    Path((account, case)): Path<(String, String)>,
    call: Call,
) -> Result<Response, Problem> {
    let body: SubmissionBody = call.json()?;
    let (account, case) = (call::id(&account)?, call::id(&case)?);
    let order = Order::for_account(account, body.salt());
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::SubmitLevel2 { case })
    })
    .await
}

/// Records a registry's answer about one biometric.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/cases/{case}/registry-results",
    tag = "level 2",
    request_body = RegistryResultBody,
    params(
        ("account" = String, Path, description = "The account: 32 hexadecimal digits"),
        ("case" = String, Path, description = "The dossier: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn registry_result(
    State(api): State<Api>,
    Path((account, case)): Path<(String, String)>,
    call: Call,
) -> Result<Response, Problem> {
    let body: RegistryResultBody = call.json()?;
    let (account, case) = (call::id(&account)?, call::id(&case)?);
    let (modality, database, result) = (body.modality, body.database, body.result);
    let order = Order::for_account(account, body.salt());
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::RecordRegistryResult {
            case,
            modality,
            database,
            result,
        })
    })
    .await
}

/// Issues the level or refuses it (P6).
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/cases/{case}/decision",
    tag = "cases",
    request_body = DecisionBody,
    params(
        ("account" = String, Path, description = "The account: 32 hexadecimal digits"),
        ("case" = String, Path, description = "The dossier: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn decide(
    State(api): State<Api>,
    Path((account, case)): Path<(String, String)>,
    call: Call,
) -> Result<Response, Problem> {
    let body: DecisionBody = call.json()?;
    let (account, case) = (call::id(&account)?, call::id(&case)?);
    let refuse = match (body.approve, body.reason) {
        (true, None) => None,
        (false, Some(reason)) => Some(reason),
        _ => {
            let detail = "needed with `approve: false`, and only then";
            return Err(Problem::field(Code::InvalidValue, "/reason", detail));
        }
    };
    let order = Order::for_account(account, body.salt());
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::DecideApplication { case, refuse })
    })
    .await
}

/// Records that the citizen was told; the days to activate begin (P6).
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/cases/{case}/notice",
    tag = "cases",
    request_body = NoticeBody,
    params(
        ("account" = String, Path, description = "The account: 32 hexadecimal digits"),
        ("case" = String, Path, description = "The dossier: 32 hexadecimal digits"),
    ),
    responses(CommandResponses),
)]
pub async fn notify(
    State(api): State<Api>,
    Path((account, case)): Path<(String, String)>,
    call: Call,
) -> Result<Response, Problem> {
    let body: NoticeBody = call.json()?;
    let (account, case) = (call::id(&account)?, call::id(&case)?);
    let channel = body.channel;
    let received_at = parse_instant(&body.received_at).ok_or_else(|| {
        Problem::field(
            Code::InvalidValue,
            "/received_at",
            "an instant as RFC 3339 writes it",
        )
    })?;
    let order = Order::for_account(account, body.salt());
    carry_out(&api, &call, order, |_, _| {
        Ok(Command::NotifyResult {
            case,
            channel,
            received_at,
        })
    })
    .await
}
