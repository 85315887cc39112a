//! Given, when, then: every command, its guards in order, both values of every policy.

#![allow(
    clippy::too_many_lines,
    clippy::unnecessary_wraps,
    reason = "a scenario reads best whole"
)]

mod activation;
mod application;
mod dependants;
mod foreigners;
mod holder;
mod import;
mod lock_requests;
mod organisations;
mod policy;
mod properties;
mod registration;
mod sharing;
mod standing;
mod waiting;

use crate::command::{ChipAnswer, Command, Holder};
use crate::ids::{CaseId, ChallengeId, Digest, VerifierId};
use crate::personal::GroupHash;
use crate::policy::Policy;
use crate::testing::{Scenario, device, person};
use crate::vocabulary::{
    Capture, Channel, ChipFault, ChipProof, Database, MatchResult, Modality, OtpPurpose,
    QuestionId, RegistrationMethod, Role,
};

const SECOND: i64 = 1_000_000;

/// The policy of `law/policy-2024-07.toml`: what holds under Decree 69/2024.
fn decree_69() -> Policy {
    let (_, text) = crate::law::LATER[0];
    let draft = crate::law::parse(text).expect("a law file");
    match draft.content {
        crate::law::LawContent::Policy(policy) => policy,
        _ => panic!("not a policy"),
    }
}

fn capture() -> Capture {
    Capture {
        digest: Digest([1; 32]),
        quality: 90,
    }
}

fn verifier() -> VerifierId {
    VerifierId([5; 16])
}

fn manual() -> Command {
    Command::RegisterAppAccount {
        person: person(),
        method: RegistrationMethod::Manual,
        qr: None,
    }
}

fn challenge(scenario: &Scenario, purpose: OtpPurpose) -> ChallengeId {
    scenario
        .account
        .challenge_for(purpose)
        .expect("a challenge")
        .id
}

fn case(scenario: &Scenario) -> CaseId {
    scenario.account.cases.last().expect("a dossier").id
}

/// P1 whole.
fn app_account() -> Scenario {
    let mut s = Scenario::new();
    s.when(Role::Citizen, &manual());
    s.world.personal_id_holder = Holder::Own;
    let challenge = challenge(&s, OtpPurpose::Registration);
    s.when(
        Role::Citizen,
        &Command::ConfirmRegistrationOtp { challenge },
    );
    s.when(
        Role::Citizen,
        &Command::SetPassword {
            verifier: verifier(),
        },
    )
    .accepted(&["PasswordSet", "AppAccountCreated"]);
    s
}

fn apply_level1() -> Command {
    Command::ApplyLevel1 {
        chip: None,
        qr: Some(crate::testing::CARD_QR.into()),
        portrait: Some(capture()),
    }
}

/// P1, P3, P6: level 1, told.
fn level1() -> Scenario {
    let mut s = app_account();
    s.when(Role::Citizen, &apply_level1());
    decide_and_notify(&mut s);
    s
}

fn decide_and_notify(s: &mut Scenario) {
    let case = case(s);
    s.when(
        Role::EidAuthority,
        &Command::DecideApplication { case, refuse: None },
    )
    .accepted(&["AccountIssued"]);
    let received_at = s.world.now;
    s.when(
        Role::Ledger,
        &Command::NotifyResult {
            case,
            channel: Channel::Sms,
            received_at,
        },
    );
}

fn intake(with_card_issue: bool) -> Command {
    Command::OpenLevel2Intake {
        person: Some(person()),
        site: 7,
        person_present: true,
        with_card_issue,
    }
}

/// P4 up to the registries' answers.
fn level2_submitted(mut s: Scenario) -> Scenario {
    s.when(Role::IntakeOfficer, &intake(false));
    let case = case(&s);
    let (portrait, fingerprints) = (Some(capture()), Some(capture()));
    s.when(
        Role::IntakeOfficer,
        &Command::RecordBiometrics {
            case,
            portrait,
            fingerprints,
        },
    )
    .accepted(&["PortraitCaptured", "FingerprintsCaptured"]);
    let consent = Command::RecordConsent {
        case,
        given: true,
        text_version: 1,
    };
    s.when(Role::IntakeOfficer, &consent)
        .accepted(&["ConsentRecorded"]);
    s.when(Role::IntakeOfficer, &Command::SubmitLevel2 { case })
        .accepted(&["Level2Applied"]);
    s
}

fn answer(s: &mut Scenario, modality: Modality, result: MatchResult) {
    let (case, database) = (case(s), Database::CitizenCard);
    let command = Command::RecordRegistryResult {
        case,
        modality,
        database,
        result,
    };
    s.when(Role::RegistryAdapter, &command)
        .accepted(&["BiometricMatchRecorded"]);
}

/// P4 and P6 whole, for somebody who had no account before.
fn level2() -> Scenario {
    let mut s = level2_submitted(Scenario::new());
    answer(&mut s, Modality::Portrait, MatchResult::Match);
    answer(&mut s, Modality::Fingerprints, MatchResult::Match);
    decide_and_notify(&mut s);
    s
}

fn request_activation() -> Command {
    Command::RequestActivation {
        matched: true,
        device: device(1),
        step_up: None,
    }
}

fn confirm_activation(s: &mut Scenario) {
    s.when(Role::Citizen, &request_activation());
    let challenge = challenge(s, OtpPurpose::Activation);
    s.when(Role::Citizen, &Command::ConfirmActivationOtp { challenge })
        .accepted(&["ActivationOtpVerified"]);
}

fn questions() -> Command {
    Command::SetSecurityQuestions {
        questions: vec![QuestionId::FirstJob, QuestionId::FirstSchool],
        verifier: verifier(),
    }
}

/// P7 whole.
fn activate(mut s: Scenario) -> Scenario {
    confirm_activation(&mut s);
    if s.account.credentials.password.is_none() {
        s.when(
            Role::Citizen,
            &Command::SetPassword {
                verifier: verifier(),
            },
        )
        .accepted(&["PasswordSet"]);
    }
    s.when(
        Role::Citizen,
        &Command::SetPasscode {
            verifier: verifier(),
        },
    )
    .accepted(&["PasscodeSet"]);
    s.when(Role::Citizen, &questions()).accepted(&[
        "SecurityQuestionsSet",
        "DeviceBound",
        "AccountActivated",
    ]);
    s.later(120 * SECOND);
    s
}

/// What the verifier says of a chip read.
fn verified(faults: &[ChipFault]) -> Option<ChipAnswer> {
    let proof = ChipProof {
        sod: Digest([1; 32]),
        groups: vec![1, 2],
        serial: "01".into(),
        issuer: "CN=Test CSCA,C=VN".into(),
        certificate: Some(Digest([2; 32])),
        trust_list: Some(Digest([3; 32])),
        faults: faults.to_vec(),
        verifier: 1,
    };
    let hash = vec![4; 32];
    let groups = vec![GroupHash { number: 1, hash }];
    Some(ChipAnswer { proof, groups })
}
