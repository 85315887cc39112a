//! A registry that does not answer: what waits, what goes on with the answer, and what ends the wait.

use super::{activate, answer, capture, case, intake, level1, level2, level2_submitted};
use crate::account::CaseState;
use crate::command::{Command, DocumentAnswer, RegistryAnswer};
use crate::ids::{AreaCode, DocumentId, RequestId};
use crate::personal::Personal;
use crate::testing::{NOON, Scenario};
use crate::vocabulary::{
    Awaited, Database, DocumentKind, LinkOutcome, MatchResult, Modality, RefusalReason,
    RegistryOutcome, RetentionClass, Role, WithdrawReason,
};
use crate::vocabulary::{Guard as G, RefusalCode as C};

const SILENT: Option<RegistryAnswer> = Some(RegistryAnswer::Not(RegistryOutcome::Unavailable));

fn confirmed(has_chip_card: bool) -> Option<RegistryAnswer> {
    Some(RegistryAnswer::Confirmed {
        area: AreaCode(30_288),
        birth_date: "1990-02-01".into(),
        has_chip_card,
    })
}

fn ask(s: &Scenario) -> Command {
    let request = s.account.waiting[0].request;
    Command::AskRegistry { request }
}

fn approve(s: &Scenario) -> Command {
    Command::DecideApplication {
        case: case(s),
        refuse: None,
    }
}

/// A dossier at the authority, with everything but the answer about who it is.
fn unanswered() -> Scenario {
    let mut s = level1();
    s.world.registry = SILENT;
    let opened = s.when(Role::IntakeOfficer, &intake(false));
    opened.accepted(&[
        "RegistryCheckRequested",
        "RegistryCheckFailed",
        "Level2IntakeOpened",
        "RegistryAnswerAwaited",
    ]);
    let case = case(&s);
    let (portrait, fingerprints) = (Some(capture()), Some(capture()));
    for command in [
        Command::RecordBiometrics {
            case,
            portrait,
            fingerprints,
        },
        Command::RecordConsent {
            case,
            given: true,
            text_version: 1,
        },
        Command::SubmitLevel2 { case },
    ] {
        assert_eq!(
            s.when(Role::IntakeOfficer, &command).decision.refused(),
            None
        );
    }
    answer(&mut s, Modality::Portrait, MatchResult::Match);
    answer(&mut s, Modality::Fingerprints, MatchResult::Match);
    let waiting = &s.account.waiting;
    assert_eq!(waiting.len(), 1);
    assert_eq!(
        (waiting[0].what, waiting[0].database),
        (Awaited::Identity(case), Database::CitizenCard)
    );
    s
}

#[test]
fn a_dossier_waits_for_the_card_registry_and_goes_on() {
    let mut s = unanswered();
    // The area is known of level 1, and yet nobody has said who was at the desk.
    s.when(Role::EidAuthority, &approve(&s))
        .refused(G::RegistryMatch, C::ChecksIncomplete, &[]);
    s.when(Role::Ledger, &ask(&s))
        .refused(G::RegistryVerified, C::RegistryUnavailable, &[]);
    s.world.registry = confirmed(true);
    let again = ask(&s);
    s.when(Role::Citizen, &again)
        .refused(G::RoleAllowed, C::RoleNotAllowed, &[]);
    s.when(Role::Ledger, &again)
        .accepted(&["RegistryCheckSucceeded", "RegistryWaitEnded"]);
    assert!(s.account.waiting.is_empty());
    s.when(Role::Ledger, &again)
        .refused(G::RequestOpen, C::RequestNotOpen, &[]);
    s.when(Role::EidAuthority, &approve(&s))
        .accepted(&["AccountIssued"]);
}

#[test]
fn a_late_no_is_a_no() {
    for (late, code) in [
        (
            Some(RegistryAnswer::Not(RegistryOutcome::Mismatch)),
            C::DataMismatch,
        ),
        (
            Some(RegistryAnswer::Not(RegistryOutcome::NotFound)),
            C::DataMismatch,
        ),
        // In the card database, and without a card that has a chip.
        (confirmed(false), C::DataMismatch),
    ] {
        let mut s = unanswered();
        s.world.registry = late;
        s.when(Role::Ledger, &ask(&s))
            .accepted(&["RegistryCheckFailed", "RegistryWaitEnded"]);
        s.world.registry = confirmed(true);
        s.when(Role::EidAuthority, &approve(&s))
            .refused(G::RegistryMatch, code, &[]);
        let refuse = Command::DecideApplication {
            case: case(&s),
            refuse: Some(RefusalReason::ALL[0]),
        };
        s.when(Role::EidAuthority, &refuse)
            .accepted(&["ApplicationRefused"]);
    }
}

#[test]
fn the_authority_s_own_question_counts_as_the_answer() {
    let mut s = unanswered();
    s.world.registry = Some(RegistryAnswer::Not(RegistryOutcome::Mismatch));
    s.when(Role::EidAuthority, &approve(&s))
        .refused(G::RegistryMatch, C::DataMismatch, &[]);
    s.world.registry = confirmed(true);
    s.when(Role::EidAuthority, &approve(&s))
        .accepted(&["RegistryWaitEnded", "AccountIssued"]);
    assert!(s.account.waiting.is_empty());
}

#[test]
fn what_is_over_waits_for_nothing() {
    let mut s = unanswered();
    let withdraw = Command::WithdrawApplication {
        case: case(&s),
        reason: WithdrawReason::ByCitizen,
    };
    s.when(Role::Citizen, &withdraw)
        .accepted(&["Level2Withdrawn", "RegistryWaitEnded"]);
    assert!(s.account.waiting.is_empty());
    let mut s = unanswered();
    let refuse = Command::DecideApplication {
        case: case(&s),
        refuse: Some(RefusalReason::ALL[0]),
    };
    s.when(Role::EidAuthority, &refuse)
        .accepted(&["ApplicationRefused", "RegistryWaitEnded"]);
    assert!(s.account.waiting.is_empty());
}

#[test]
fn captures_that_the_card_registry_compares_are_answered_at_once_or_late() {
    let mut s = Scenario::new();
    s.world.biometrics = vec![
        (Modality::Portrait, MatchResult::Match),
        (Modality::Fingerprints, MatchResult::Unavailable),
    ];
    s.when(Role::IntakeOfficer, &intake(false));
    let case = case(&s);
    let (portrait, fingerprints) = (Some(capture()), Some(capture()));
    let taken = Command::RecordBiometrics {
        case,
        portrait,
        fingerprints,
    };
    s.when(Role::IntakeOfficer, &taken);
    let consent = Command::RecordConsent {
        case,
        given: true,
        text_version: 1,
    };
    s.when(Role::IntakeOfficer, &consent);
    s.when(Role::IntakeOfficer, &Command::SubmitLevel2 { case })
        .accepted(&[
            "Level2Applied",
            "BiometricMatchRecorded",
            "BiometricMatchRecorded",
            "RegistryAnswerAwaited",
        ]);
    let state = |s: &Scenario| s.account.case(case).expect("the dossier").state;
    assert_eq!(state(&s), CaseState::AwaitingBiometric);
    s.when(Role::EidAuthority, &approve(&s))
        .refused(G::ChecksComplete, C::ChecksIncomplete, &[]);
    s.when(Role::Ledger, &ask(&s))
        .refused(G::RegistryVerified, C::RegistryUnavailable, &[]);
    // An adapter's own signed answer ends the wait as well.
    let mut other = s.clone();
    let brought = Command::RecordRegistryResult {
        case,
        modality: Modality::Fingerprints,
        database: Database::CitizenCard,
        result: MatchResult::Match,
    };
    other
        .when(Role::RegistryAdapter, &brought)
        .accepted(&["BiometricMatchRecorded", "RegistryWaitEnded"]);
    s.world.biometrics = vec![(Modality::Fingerprints, MatchResult::Match)];
    s.when(Role::Ledger, &ask(&s))
        .accepted(&["BiometricMatchRecorded", "RegistryWaitEnded"]);
    for s in [&mut s, &mut other] {
        assert_eq!(state(s), CaseState::AwaitingDecision);
        let approve = approve(s);
        s.when(Role::EidAuthority, &approve)
            .accepted(&["AccountIssued"]);
    }
}

#[test]
fn a_registry_that_compares_nothing_leaves_it_to_adapters() {
    let s = level2_submitted(Scenario::new());
    assert!(s.account.waiting.is_empty());
}

fn licence() -> Command {
    Command::LinkDocument {
        kind: DocumentKind::DrivingLicence,
        number: "030012345678".into(),
    }
}

fn waiting_licence() -> (Scenario, DocumentId) {
    let mut s = activate(level2());
    for silence in [
        None,
        Some(DocumentAnswer::Not(LinkOutcome::RegistryUnavailable)),
    ] {
        s.world.document = silence;
        s.clone().when(Role::Citizen, &licence()).accepted(&[
            "DocumentLinkRequested",
            "DocumentLinkFailed",
            "RegistryAnswerAwaited",
        ]);
    }
    s.when(Role::Citizen, &licence());
    let Awaited::Document(document, DocumentKind::DrivingLicence) = s.account.waiting[0].what
    else {
        panic!("{:?}", s.account.waiting);
    };
    assert_eq!(s.account.waiting[0].database, Database::DrivingLicence);
    assert!(s.account.documents.is_empty());
    (s, document)
}

#[test]
fn a_document_waits_for_its_registry_and_is_linked() {
    let (mut s, document) = waiting_licence();
    s.when(Role::Citizen, &licence())
        .refused(G::DocumentNew, C::DocumentAlreadyLinked, &[]);
    s.when(Role::Ledger, &ask(&s))
        .refused(G::RegistryVerified, C::RegistryUnavailable, &[]);
    s.world.document = Some(DocumentAnswer::Verified { data_as_of: NOON });
    let then = s.when(Role::Ledger, &ask(&s));
    // The number was sealed for a short time; linked, it is kept.
    let sealed = &then.decision.events[0].sealed;
    assert!(matches!(
        sealed.as_slice(),
        [(RetentionClass::Permanent, Personal::Document(number))] if number == "030012345678"
    ));
    then.accepted(&["DocumentLinked", "RegistryWaitEnded"]);
    assert!(s.account.document(document).is_some() && s.account.waiting.is_empty());
}

#[test]
fn a_document_that_waits_may_be_turned_down_taken_back_or_erased() {
    let (mut s, document) = waiting_licence();
    let mut down = s.clone();
    down.world.document = Some(DocumentAnswer::Not(LinkOutcome::OwnerMismatch));
    down.when(Role::Ledger, &ask(&down))
        .accepted(&["DocumentLinkFailed", "RegistryWaitEnded"]);
    let mut erased = s.clone();
    erased.world.declared = None;
    erased
        .when(Role::Ledger, &ask(&erased))
        .accepted(&["RegistryWaitEnded"]);
    s.when(Role::Citizen, &Command::UnlinkDocument { document })
        .accepted(&["RegistryWaitEnded"]);
    for mut s in [down, erased, s] {
        assert!(s.account.waiting.is_empty() && s.account.documents.is_empty());
        s.world.document = Some(DocumentAnswer::Verified { data_as_of: NOON });
        s.when(Role::Citizen, &licence())
            .accepted(&["DocumentLinkRequested", "DocumentLinked"]);
    }
}

#[test]
fn a_question_nobody_put_is_not_answered() {
    let mut s = level1();
    let request = RequestId([9; 16]);
    s.when(Role::Ledger, &Command::AskRegistry { request })
        .refused(G::RequestOpen, C::RequestNotOpen, &[]);
}
