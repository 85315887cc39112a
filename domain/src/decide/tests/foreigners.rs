//! Foreigners: level 1 by travel document, level 2 at the immigration authority, their own lock grounds.

use super::*;
use crate::account::HolderKind;
use crate::command::{ImmigrationAnswer, OfficerFacts, RegistryAnswer};
use crate::event::Event;
use crate::ids::{AreaCode, LocalDay, LookupHash, Micros};
use crate::personal::Personal;
use crate::testing::{foreigner, passport};
use crate::vocabulary::{
    EvidenceStrength, Guard as G, LockGround, RefusalCode as C, RegistryOutcome, ResidenceStatus,
    Status, Validity,
};

fn register() -> Command {
    Command::RegisterForeigner {
        person: foreigner(),
        document: passport(),
    }
}

fn new() -> Scenario {
    let mut s = Scenario::new();
    s.world.person = Some(foreigner());
    s
}

/// What the immigration database says from now on.
fn answers(s: &mut Scenario, document: Option<i32>, residence: Option<i32>, biometrics_held: bool) {
    let today = s.world.now.local_day().0;
    s.world.immigration = document.map(|days| ImmigrationAnswer::Confirmed {
        area: AreaCode(30_288),
        birth_date: "1990-02-01".into(),
        document_until: Some(LocalDay(today + days)),
        residence: match residence {
            Some(_) => ResidenceStatus::Temporary,
            None => ResidenceStatus::None,
        },
        residence_until: residence.map(|days| LocalDay(today + days)),
        biometrics_held,
    });
}

const SUBMITTED: [&str; 3] = [
    "ForeignerRegistrationSubmitted",
    "RegistryCheckRequested",
    "RegistryCheckSucceeded",
];

/// An app account.
fn app() -> Scenario {
    let mut s = new();
    s.when(Role::Citizen, &register()).accepted(&[
        SUBMITTED[0],
        SUBMITTED[1],
        SUBMITTED[2],
        "ValidityRecorded",
        "ValidityRecorded",
        "OtpChallengeIssued",
    ]);
    s.world.personal_id_holder = Holder::Own;
    let challenge = challenge(&s, OtpPurpose::Registration);
    let confirm = Command::ConfirmRegistrationOtp { challenge };
    s.when(Role::Citizen, &confirm);
    let verifier = verifier();
    s.when(Role::Citizen, &Command::SetPassword { verifier })
        .accepted(&["PasswordSet", "AppAccountCreated"]);
    s
}

fn apply() -> Command {
    Command::ApplyLevel1 {
        chip: None,
        qr: None,
        portrait: Some(capture()),
    }
}

fn intake() -> Command {
    Command::OpenForeignerIntake {
        person: Some(foreigner()),
        document: Some(passport()),
        person_present: true,
    }
}

/// The officer of a province, or of the ministry.
fn officer_of(s: &mut Scenario, area: u32) {
    s.world.officer = Some(OfficerFacts {
        active: true,
        sites: vec![area],
    });
}

#[test]
fn level_1_comes_through_the_app_with_a_travel_document() {
    let mut s = app();
    assert_eq!(s.account.holder, HolderKind::Foreigner);
    let then = s.when(Role::Citizen, &apply()).accepted(&[
        "RegistryCheckRequested",
        "RegistryCheckSucceeded",
        "Level1Applied",
        "PortraitCaptured",
    ]);
    let Event::Level1Applied(facts) = &then.decision.events[2].event else {
        panic!("not applied");
    };
    // Tuesday 05/03/2024 and one working day.
    assert_eq!(facts.decide_by, LocalDay(s.world.now.local_day().0 + 1));
    assert_eq!(facts.strength, EvidenceStrength::TravelDocument);
    decide_and_notify(&mut s);
    assert_eq!(s.account.level(), Some(crate::vocabulary::Level::One));
    // No citizen is asked for a passport, no foreigner for a chip card.
    let mut citizen = app_account();
    citizen
        .when(Role::Citizen, &apply())
        .refused(G::Evidence, C::EvidenceInvalid, &[]);
}

#[test]
fn the_document_is_sealed_once_it_is_confirmed() {
    let mut s = new();
    let then = s.when(Role::Citizen, &register());
    let sealed = &then.decision.events[0].sealed;
    assert!(matches!(
        &sealed[..],
        [(_, Personal::Person(_)), (_, Personal::TravelDocument(document))] if *document == passport()
    ));
    let mut s = new();
    let outcome = RegistryOutcome::Mismatch;
    s.world.immigration = Some(ImmigrationAnswer::Not(outcome));
    let then = s.when(Role::Citizen, &register()).refused(
        G::RegistryMatch,
        C::DataMismatch,
        &[
            "ForeignerRegistrationSubmitted",
            "RegistryCheckRequested",
            "RegistryCheckFailed",
        ],
    );
    assert!(then.decision.events[0].sealed.is_empty());
    s.world.immigration = None;
    let then = s.when(Role::Citizen, &register());
    assert_eq!(
        then.decision.refused().map(|refused| refused.code),
        Some(C::RegistryUnavailable)
    );
}

#[test]
fn an_expired_passport_is_none_and_a_residence_card_is_needed_under_decree_69() {
    let mut s = new();
    answers(&mut s, Some(-1), Some(30), true);
    s.when(Role::Citizen, &register()).refused(
        G::TravelDocumentValid,
        C::TravelDocumentExpired,
        &SUBMITTED,
    );
    // Decree 59: who has entered Viet Nam.
    let mut s = new();
    answers(&mut s, Some(30), None, true);
    s.when(Role::Citizen, &register()).accepted(&[
        SUBMITTED[0],
        SUBMITTED[1],
        SUBMITTED[2],
        "ValidityRecorded",
        "OtpChallengeIssued",
    ]);
    // Decree 69: with a permanent or temporary residence card, which is still good.
    for residence in [None, Some(-1)] {
        let mut s = new();
        s.world.policy = decree_69();
        answers(&mut s, Some(30), residence, true);
        s.when(Role::Citizen, &register()).refused(
            G::ResidencePermit,
            C::ResidenceMissing,
            &SUBMITTED,
        );
    }
}

#[test]
fn malformed_numbers_and_documents_end_before_anybody_is_asked() {
    let mut person = foreigner();
    person.personal_id = "1234".into();
    let document = passport();
    let register = Command::RegisterForeigner { person, document };
    new()
        .when(Role::Citizen, &register)
        .refused(G::PersonalIdFormat, C::PersonalIdFormat, &[]);
    let mut document = passport();
    document.nationality = "France".into();
    let person = foreigner();
    let register = Command::RegisterForeigner { person, document };
    new()
        .when(Role::Citizen, &register)
        .refused(G::DocumentFormat, C::DocumentFormat, &[]);
    let mut s = app();
    s.world.personal_id_holder = Holder::Other(crate::ids::AccountId([9; 16]));
    let register = super::foreigners::register();
    s.when(Role::Citizen, &register).refused(
        G::PersonalIdFree,
        C::PersonalIdAlreadyRegistered,
        &[],
    );
}

#[test]
fn level_2_is_the_immigration_authority_s_where_the_foreigner_stays() {
    let mut s = app();
    officer_of(&mut s, 31_000);
    s.when(Role::ImmigrationOfficer, &intake()).refused(
        G::OfficerAuthorised,
        C::OfficerNotAuthorised,
        &["RegistryCheckRequested", "RegistryCheckSucceeded"],
    );
    s.when(Role::IntakeOfficer, &intake())
        .refused(G::RoleAllowed, C::RoleNotAllowed, &[]);
    let police = Command::OpenLevel2Intake {
        person: None,
        site: 7,
        person_present: true,
        with_card_issue: false,
    };
    officer_of(&mut s, 7);
    s.when(Role::IntakeOfficer, &police)
        .refused(G::HolderSort, C::WrongHolderSort, &[]);
    for (area, held, days) in [(30_000, true, 3), (0, false, 7)] {
        let mut s = app();
        officer_of(&mut s, area);
        answers(&mut s, Some(3650), Some(365), held);
        s.when(Role::ImmigrationOfficer, &intake())
            .accepted(&[
                "RegistryCheckRequested",
                "RegistryCheckSucceeded",
                "ForeignerIntakeOpened",
            ])
            .passed(&[
                G::RoleAllowed,
                G::AccountOpen,
                G::OfficerAuthorised,
                G::PersonPresent,
                G::Unlocked,
                G::LevelNotHeld,
                G::NoOpenCase,
                G::HolderSort,
                G::Age,
                G::RegistryMatch,
                G::OfficerAuthorised,
                G::TravelDocumentValid,
                G::ResidencePermit,
            ]);
        let case = case(&s);
        let (portrait, fingerprints) = (Some(capture()), Some(capture()));
        let take = Command::RecordBiometrics {
            case,
            portrait,
            fingerprints,
        };
        s.when(Role::IntakeOfficer, &take)
            .refused(G::HolderSort, C::WrongHolderSort, &[]);
        s.when(Role::ImmigrationOfficer, &take)
            .accepted(&["PortraitCaptured", "FingerprintsCaptured"]);
        let consent = Command::RecordConsent {
            case,
            given: true,
            text_version: 1,
        };
        s.when(Role::ImmigrationOfficer, &consent);
        let then = s
            .when(Role::ImmigrationOfficer, &Command::SubmitLevel2 { case })
            .accepted(&["Level2Applied"]);
        let Event::Level2Applied(facts) = &then.decision.events[0].event else {
            panic!("not applied");
        };
        // From Tuesday 05/03/2024: three working days are Friday, seven the Thursday after.
        let calendar_days = if days == 3 { 3 } else { 9 };
        let today = s.world.now.local_day().0;
        assert_eq!(facts.decide_by, LocalDay(today + calendar_days));
        for modality in [Modality::Portrait, Modality::Fingerprints] {
            let result = Command::RecordRegistryResult {
                case,
                modality,
                database: Database::Immigration,
                result: MatchResult::Match,
            };
            s.when(Role::RegistryAdapter, &result);
        }
        decide_and_notify(&mut s);
        assert_eq!(s.account.level(), Some(crate::vocabulary::Level::Two));
    }
}

#[test]
fn who_has_no_account_gets_level_2_at_the_desk() {
    let mut s = new();
    officer_of(&mut s, 0);
    let then = s.when(Role::ImmigrationOfficer, &intake()).accepted(&[
        "RegistryCheckRequested",
        "RegistryCheckSucceeded",
        "ValidityRecorded",
        "ValidityRecorded",
        "ForeignerIntakeOpened",
    ]);
    assert_eq!(then.decision.events[4].sealed.len(), 2);
    let taken = then.decision.claims.iter().filter(|change| change.take);
    assert_eq!(taken.count(), 2, "number and phone");
    let mut s = new();
    officer_of(&mut s, 0);
    s.world.registry = Some(RegistryAnswer::Confirmed {
        area: AreaCode(30_288),
        birth_date: "2015-02-01".into(),
        has_chip_card: false,
    });
    s.when(Role::ImmigrationOfficer, &intake())
        .refused(G::Age, C::UnderAge, &[]);
}

#[test]
fn their_own_grounds_come_by_the_clock_and_end_by_the_registry() {
    let day = Micros::DAY;
    let issued = |s: &Scenario, status, days: i32| {
        let until = Some(LocalDay(s.world.now.local_day().0 + days));
        Command::ReportStatus { status, until }
    };
    for (of, ground, status) in [
        (
            Validity::TravelDocument,
            LockGround::TravelDocumentExpired,
            Status::TravelDocumentIssued,
        ),
        (
            Validity::Residence,
            LockGround::ResidenceEnded,
            Status::ResidenceGranted,
        ),
    ] {
        let mut s = app();
        let expire = Command::ExpireValidity { of };
        s.when(Role::Clock, &expire)
            .refused(G::DeadlinePassed, C::DeadlineNotPassed, &[]);
        s.later(3700 * day);
        s.when(Role::Clock, &expire).accepted(&["AccountLocked"]);
        assert!(s.account.has_lock(ground));
        s.when(
            Role::Citizen,
            &Command::LockAccount {
                ground: LockGround::OwnRequest,
            },
        );
        let renewed = issued(&s, status, 365);
        s.when(Role::RegistryAdapter, &renewed)
            .accepted(&["ValidityRecorded", "LockGroundRemoved"]);
        assert!(s.account.is_locked(), "another ground remains");
        // Not theirs: a card, and what ends organisations.
        for status in [Status::CardRevoked, Status::OrganisationDissolved] {
            let until = None;
            s.when(
                Role::RegistryAdapter,
                &Command::ReportStatus { status, until },
            )
            .refused(G::GroundLawful, C::GroundNotLawful, &[]);
        }
    }
    // And these are no citizen's.
    let mut citizen = activate(level2());
    let granted = issued(&citizen, Status::ResidenceGranted, 30);
    citizen
        .when(Role::RegistryAdapter, &granted)
        .refused(G::GroundLawful, C::GroundNotLawful, &[]);
}

#[test]
fn foreign_children_are_under_a_guardian_or_in_an_account_of_their_own() {
    const CHILD: LookupHash = LookupHash([4; 16]);
    let born = |s: &mut Scenario| {
        s.world.registry = Some(RegistryAnswer::Confirmed {
            area: AreaCode(30_288),
            birth_date: "2015-03-10".into(),
            has_chip_card: false,
        });
    };
    let mut s = activate(level2());
    born(&mut s);
    let link = Command::LinkDependant {
        person: foreigner(),
        hash: CHILD,
        consent: true,
        text_version: 1,
        document: Some(passport()),
    };
    let then = s.when(Role::Citizen, &link).accepted(&[
        "RegistryCheckRequested",
        "RegistryCheckSucceeded",
        "DependantLinked",
    ]);
    let linked = &then.decision.events[2];
    assert!(matches!(
        &linked.event,
        Event::DependantLinked(facts) if facts.database == Database::Immigration
    ));
    assert_eq!(linked.sealed.len(), 2);
    let open = Command::OpenDependantAccount {
        person: foreigner(),
        hash: CHILD,
        guardian: crate::ids::AccountId([Role::Guardian as u8 + 1; 16]),
        document: Some(passport()),
    };
    let mut s = new();
    born(&mut s);
    s.when(Role::Guardian, &open)
        .refused(G::OwnAccountAllowed, C::OwnAccountNotAllowed, &[]);
    s.world.policy = decree_69();
    s.when(Role::Guardian, &open);
    assert_eq!(s.account.holder, HolderKind::Foreigner);
    assert!(s.account.exists() && s.account.guardian.is_some());
    s.world.personal_id_holder = Holder::Own;
    s.when(Role::Guardian, &apply()).accepted(&[
        "RegistryCheckRequested",
        "RegistryCheckSucceeded",
        "Level1Applied",
        "PortraitCaptured",
    ]);
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

/// Level 1 applied for while the immigration database was silent.
fn unanswered() -> Scenario {
    let mut s = app();
    s.world.immigration = Some(ImmigrationAnswer::Not(RegistryOutcome::Unavailable));
    // The writer tells the same of everybody's registry.
    s.world.registry = Some(RegistryAnswer::Not(RegistryOutcome::Unavailable));
    s.when(Role::Citizen, &apply()).accepted(&[
        "RegistryCheckRequested",
        "RegistryCheckFailed",
        "Level1Applied",
        "PortraitCaptured",
        "RegistryAnswerAwaited",
    ]);
    s
}

#[test]
fn an_application_waits_for_the_immigration_database_and_goes_on() {
    let mut s = unanswered();
    let (again, approval) = (ask(&s), approve(&s));
    s.when(Role::EidAuthority, &approval)
        .refused(G::RegistryMatch, C::ChecksIncomplete, &[]);
    s.when(Role::Ledger, &again)
        .refused(G::RegistryVerified, C::RegistryUnavailable, &[]);
    answers(&mut s, Some(900), Some(60), true);
    s.when(Role::Ledger, &again).accepted(&[
        "RegistryCheckSucceeded",
        "ValidityRecorded",
        "ValidityRecorded",
        "RegistryWaitEnded",
    ]);
    s.when(Role::EidAuthority, &approval)
        .accepted(&["AccountIssued"]);
}

#[test]
fn a_late_no_about_a_foreigner_is_a_no() {
    // Other data; an expired passport; under Decree 69, no residence card.
    for late in 0..3 {
        let mut s = unanswered();
        match late {
            0 => {
                s.world.immigration = Some(ImmigrationAnswer::Not(RegistryOutcome::Mismatch));
            }
            1 => answers(&mut s, Some(-1), Some(30), true),
            _ => {
                s.world.policy = decree_69();
                answers(&mut s, Some(30), None, true);
            }
        }
        let (again, approval) = (ask(&s), approve(&s));
        s.when(Role::Ledger, &again)
            .accepted(&["RegistryCheckFailed", "RegistryWaitEnded"]);
        s.when(Role::EidAuthority, &approval)
            .refused(G::RegistryMatch, C::DataMismatch, &[]);
    }
    // The authority's own question looks at the same.
    let mut s = unanswered();
    answers(&mut s, Some(-1), Some(30), true);
    let approval = approve(&s);
    s.when(Role::EidAuthority, &approval).refused(
        G::TravelDocumentValid,
        C::TravelDocumentExpired,
        &[],
    );
}

#[test]
fn the_desk_goes_on_while_the_database_is_silent_and_the_area_is_looked_at_after() {
    let mut s = new();
    s.world.immigration = None;
    let then = s.when(Role::ImmigrationOfficer, &intake()).accepted(&[
        "RegistryCheckRequested",
        "RegistryCheckFailed",
        "ForeignerIntakeOpened",
        "RegistryAnswerAwaited",
    ]);
    let Event::ForeignerIntakeOpened(facts) = &then.decision.events[2].event else {
        panic!("not opened");
    };
    assert_eq!((facts.area, facts.biometrics_held), (AreaCode(0), false));
    s.world.personal_id_holder = Holder::Own;
    answers(&mut s, Some(900), Some(60), true);
    let again = ask(&s);
    s.when(Role::Ledger, &again).accepted(&[
        "RegistryCheckSucceeded",
        "ValidityRecorded",
        "ValidityRecorded",
        "ForeignerChecked",
        "RegistryWaitEnded",
    ]);
    let captured = Command::RecordBiometrics {
        case: case(&s),
        portrait: Some(capture()),
        fingerprints: Some(capture()),
    };
    let mut elsewhere = s.clone();
    officer_of(&mut elsewhere, 31_000);
    elsewhere.when(Role::ImmigrationOfficer, &captured).refused(
        G::OfficerAuthorised,
        C::OfficerNotAuthorised,
        &[],
    );
    officer_of(&mut s, 30_000);
    s.when(Role::ImmigrationOfficer, &captured)
        .accepted(&["PortraitCaptured", "FingerprintsCaptured"]);
}
