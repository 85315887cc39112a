//! P3 to P6.

use super::*;
use crate::account::CaseState;
use crate::command::{OfficerFacts, RegistryAnswer};
use crate::event::Event;
use crate::ids::{AreaCode, LocalDay, Micros};
use crate::personal::Personal;
use crate::policy::{BiometricRule, ContactRequired};
use crate::vocabulary::{
    ChipEvidence, ChipFault, EvidenceStrength, Guard as G, Level, LockGround, Message,
    RefusalCode as C, RefusalReason, RetentionClass, WithdrawReason,
};

fn confirmed(birth: &str, has_chip_card: bool) -> Option<RegistryAnswer> {
    let (area, birth_date) = (AreaCode(30_288), birth.to_owned());
    Some(RegistryAnswer::Confirmed {
        area,
        birth_date,
        has_chip_card,
    })
}

fn chip(strength: EvidenceStrength) -> ChipEvidence {
    let digest = Digest([1; 32]);
    ChipEvidence {
        sod: digest,
        data_groups: digest,
        certificate: digest,
        strength,
        verifier: 1,
    }
}

#[test]
fn p3_by_qr_and_by_chip() {
    let mut s = app_account();
    s.when(Role::Citizen, &apply_level1())
        .accepted(&["Level1Applied", "QrEvidenceRecorded", "PortraitCaptured"])
        .passed(&[
            G::RoleAllowed,
            G::AccountOpen,
            G::Unlocked,
            G::AppOnly,
            G::NoOpenCase,
            G::Age,
            G::ChipCard,
            G::Evidence,
            G::Portrait,
            G::CaptureQuality,
            G::ChannelKnown,
        ]);
    assert!(
        matches!(&s.history[s.history.len() - 3], Event::Level1Applied(applied)
        if applied.strength == EvidenceStrength::QrUnsigned
            // Tuesday 5 March 2024, one working day.
            && crate::calendar::day_text(applied.decide_by) == "2024-03-06")
    );
    s.when(Role::Citizen, &apply_level1())
        .refused(G::NoOpenCase, C::CaseOpen, &[]);
    let by_chip = Command::ApplyLevel1 {
        chip: Some(chip(EvidenceStrength::ChipPassiveAuth)),
        qr: None,
        portrait: Some(capture()),
    };
    let mut s = app_account();
    s.when(Role::Citizen, &by_chip).accepted(&[
        "Level1Applied",
        "ChipEvidenceRecorded",
        "PortraitCaptured",
    ]);
}

#[test]
fn p3_guards_in_order() {
    let ask = |chip, qr: Option<&str>, portrait| Command::ApplyLevel1 {
        chip,
        qr: qr.map(str::to_owned),
        portrait,
    };
    let none = ask(None, None, None);
    let mut s = app_account();
    s.world.registry = confirmed("2010-03-06", false);
    s.when(Role::Citizen, &none)
        .refused(G::Age, C::UnderAge, &[]);
    // Fourteen today.
    s.world.registry = confirmed("2010-03-05", false);
    s.when(Role::Citizen, &none)
        .refused(G::ChipCard, C::NoChipCard, &[]);
    s.world.registry = confirmed("2009", true);
    let foreign = crate::testing::CARD_QR.replace("030099000001", "030099000002");
    for bad in [
        none,
        ask(None, Some(&foreign), Some(capture())),
        ask(None, Some("a|b"), Some(capture())),
        ask(
            Some(chip(EvidenceStrength::QrUnsigned)),
            None,
            Some(capture()),
        ),
    ] {
        s.when(Role::Citizen, &bad)
            .refused(G::Evidence, C::EvidenceInvalid, &[]);
    }
    let qr = Some(crate::testing::CARD_QR);
    s.when(Role::Citizen, &ask(None, qr, None))
        .refused(G::Portrait, C::EvidenceMissing, &[]);
    let blurred = Capture {
        quality: 59,
        ..capture()
    };
    s.when(Role::Citizen, &ask(None, qr, Some(blurred)))
        .refused(G::CaptureQuality, C::CaptureQuality, &[]);
    let mut nowhere = person();
    nowhere.phone = String::new();
    nowhere.email = "an@example.vn".into();
    s.world.person = Some(nowhere);
    s.when(Role::Citizen, &apply_level1())
        .refused(G::ChannelKnown, C::NoChannel, &[]);
    s.world.policy.contact_required = ContactRequired::PhoneOrEmail;
    assert_eq!(
        s.when(Role::Citizen, &apply_level1()).decision.refused(),
        None
    );
    // A year alone counts as its last day.
    let mut s = app_account();
    s.world.registry = confirmed("2010", true);
    s.when(Role::Citizen, &apply_level1())
        .refused(G::Age, C::UnderAge, &[]);
    Scenario::new()
        .when(Role::Citizen, &apply_level1())
        .refused(G::AppOnly, C::NotAppAccount, &[]);
    level1()
        .when(Role::Citizen, &apply_level1())
        .refused(G::AppOnly, C::AlreadyLevel1, &[]);
    level2()
        .when(Role::Citizen, &apply_level1())
        .refused(G::AppOnly, C::AlreadyLevel2, &[]);
    let mut s = app_account();
    s.when(
        Role::Citizen,
        &Command::LockAccount {
            ground: LockGround::OwnRequest,
        },
    );
    s.when(Role::Citizen, &apply_level1())
        .refused(G::Unlocked, C::Locked, &[]);
}

#[test]
fn p4_whole() {
    let s = activate(level2());
    assert_eq!(s.account.level(), Some(Level::Two));
    let names: Vec<_> = s.history.iter().map(Event::name).collect();
    assert_eq!(
        names,
        [
            "RegistryCheckRequested",
            "RegistryCheckSucceeded",
            "Level2IntakeOpened",
            "PortraitCaptured",
            "FingerprintsCaptured",
            "ConsentRecorded",
            "Level2Applied",
            "BiometricMatchRecorded",
            "BiometricMatchRecorded",
            "AccountIssued",
            "ResultNotified",
            "ActivationWindowOpened",
            "ActivationRequested",
            "DeviceCheckPassed",
            "OtpChallengeIssued",
            "ActivationCodeSent",
            "ActivationOtpVerified",
            "PasswordSet",
            "PasscodeSet",
            "SecurityQuestionsSet",
            "DeviceBound",
            "AccountActivated",
        ]
    );
}

#[test]
fn the_desk_s_guards_in_order() {
    let absent = Command::OpenLevel2Intake {
        person: None,
        site: 8,
        person_present: false,
        with_card_issue: false,
    };
    let here = |person_present, person| Command::OpenLevel2Intake {
        person,
        site: 7,
        person_present,
        with_card_issue: false,
    };
    let mut s = Scenario::new();
    s.world.site_open_from = Some(LocalDay(30_000));
    s.when(Role::Citizen, &absent)
        .refused(G::RoleAllowed, C::RoleNotAllowed, &[]);
    s.when(Role::IntakeOfficer, &absent).refused(
        G::OfficerAuthorised,
        C::OfficerNotAuthorised,
        &[],
    );
    s.when(Role::IntakeOfficer, &here(false, None))
        .refused(G::SiteOpen, C::SiteNotOpen, &[]);
    s.world.site_open_from = None;
    s.when(Role::IntakeOfficer, &here(false, None)).refused(
        G::PersonPresent,
        C::PersonNotPresent,
        &[],
    );
    s.when(Role::IntakeOfficer, &here(true, None)).refused(
        G::EvidenceComplete,
        C::EvidenceMissing,
        &[],
    );
    let mut child = person();
    child.birth_date = "2015-01-01".into();
    s.world.registry = None;
    s.when(Role::IntakeOfficer, &here(true, Some(child)))
        .refused(G::Age, C::UnderAge, &[]);
    s.world.registry = confirmed("1990-02-01", false);
    s.when(Role::IntakeOfficer, &here(true, Some(person())))
        .refused(G::ChipCard, C::NoChipCard, &[]);
    // P5: together with the card.
    s.when(Role::IntakeOfficer, &intake(true)).accepted(&[
        "RegistryCheckRequested",
        "RegistryCheckSucceeded",
        "Level2IntakeOpened",
    ]);
    s.when(Role::IntakeOfficer, &intake(true))
        .refused(G::NoOpenCase, C::CaseOpen, &[]);
    s.world.officer = Some(OfficerFacts {
        active: false,
        sites: vec![7],
    });
    s.when(Role::IntakeOfficer, &here(true, None)).refused(
        G::OfficerAuthorised,
        C::OfficerNotAuthorised,
        &[],
    );
    let mut early = Scenario::new();
    early.world.now = Micros(1_645_000_000_000_000);
    early
        .when(Role::IntakeOfficer, &intake(false))
        .refused(G::SiteOpen, C::SiteNotOpen, &[]);
    level2().when(Role::IntakeOfficer, &intake(false)).refused(
        G::LevelNotHeld,
        C::AlreadyLevel2,
        &[],
    );
}

#[test]
fn a_dossier_needs_consent_captures_and_quality() {
    let mut s = Scenario::new();
    s.when(Role::IntakeOfficer, &intake(false));
    let case = case(&s);
    let submit = Command::SubmitLevel2 { case };
    s.when(Role::IntakeOfficer, &submit)
        .refused(G::Consent, C::EvidenceMissing, &[]);
    let consent = |given| Command::RecordConsent {
        case,
        given,
        text_version: 3,
    };
    s.when(Role::IntakeOfficer, &consent(true))
        .accepted(&["ConsentRecorded"]);
    let captures = |portrait, fingerprints| Command::RecordBiometrics {
        case,
        portrait,
        fingerprints,
    };
    s.when(Role::IntakeOfficer, &captures(None, None)).refused(
        G::EvidenceComplete,
        C::EvidenceMissing,
        &[],
    );
    let blurred = Some(Capture {
        quality: 10,
        ..capture()
    });
    s.when(Role::IntakeOfficer, &captures(Some(capture()), blurred))
        .refused(G::CaptureQuality, C::CaptureQuality, &[]);
    s.when(Role::IntakeOfficer, &captures(Some(capture()), None))
        .accepted(&["PortraitCaptured"]);
    let mut any = s.clone();
    s.when(Role::IntakeOfficer, &submit)
        .refused(G::EvidenceComplete, C::EvidenceMissing, &[]);
    any.world.policy.biometric_rule = BiometricRule::Any;
    any.when(Role::IntakeOfficer, &submit)
        .accepted(&["Level2Applied"]);
    any.when(Role::IntakeOfficer, &submit)
        .refused(G::CaseState, C::CaseNotOpen, &[]);
    s.when(Role::IntakeOfficer, &consent(false)).refused(
        G::Consent,
        C::ConsentRefused,
        &["Level2Withdrawn"],
    );
    assert_eq!(
        s.account.cases[0].state,
        CaseState::Withdrawn(WithdrawReason::ConsentRefused)
    );
}

#[test]
fn both_values_of_the_biometric_rule() {
    let decide = |s: &mut Scenario| {
        let case = case(s);
        s.when(
            Role::EidAuthority,
            &Command::DecideApplication { case, refuse: None },
        )
    };
    let mut s = level2_submitted(Scenario::new());
    decide(&mut s).refused(G::ChecksComplete, C::ChecksIncomplete, &[]);
    answer(&mut s, Modality::Portrait, MatchResult::Match);
    decide(&mut s).refused(G::ChecksComplete, C::ChecksIncomplete, &[]);
    let mut any = s.clone();
    any.world.policy.biometric_rule = BiometricRule::Any;
    decide(&mut any).accepted(&["AccountIssued"]);
    answer(&mut s, Modality::Fingerprints, MatchResult::NoMatch);
    decide(&mut s).refused(G::ChecksComplete, C::ChecksIncomplete, &[]);
    // Each database answers once; another may be asked.
    let (case, modality) = (case(&s), Modality::Fingerprints);
    let from = |database| Command::RecordRegistryResult {
        case,
        modality,
        database,
        result: MatchResult::Match,
    };
    s.when(Role::RegistryAdapter, &from(Database::CitizenCard))
        .refused(G::RequestOpen, C::RequestNotOpen, &[]);
    s.when(Role::RegistryAdapter, &from(Database::Population))
        .accepted(&["BiometricMatchRecorded"]);
    decide(&mut s).accepted(&["AccountIssued"]);
    s.when(Role::RegistryAdapter, &from(Database::Immigration))
        .refused(G::RequestOpen, C::RequestNotOpen, &[]);
}

#[test]
fn decisions_have_a_day_and_a_reason() {
    let mut s = level2_submitted(Scenario::new());
    let case = case(&s);
    let due = s.account.cases[0].decide_by.unwrap();
    assert_eq!(crate::calendar::day_text(due), "2024-03-08");
    let expire = Command::ExpireProcessingDeadline { case };
    s.when(Role::Clock, &expire)
        .refused(G::DeadlinePassed, C::DeadlineNotPassed, &[]);
    s.later(6 * Micros::DAY);
    let mut silent = s.clone();
    s.when(Role::Clock, &expire)
        .accepted(&["ProcessingDeadlineMissed"]);
    s.when(Role::Clock, &expire)
        .refused(G::CaseState, C::CaseNotOpen, &[]);
    let refuse = Some(RefusalReason::BiometricMismatch);
    let then = s
        .when(
            Role::EidAuthority,
            &Command::DecideApplication { case, refuse },
        )
        .accepted(&["ApplicationRefused"]);
    assert_eq!(then.decision.send[0].message, Message::IssuanceResult);
    silent
        .when(
            Role::EidAuthority,
            &Command::DecideApplication { case, refuse },
        )
        .accepted(&["ProcessingDeadlineMissed", "ApplicationRefused"]);
    // A refusal is told too, and opens no window.
    let received_at = s.world.now;
    let tell = |channel| Command::NotifyResult {
        case,
        channel,
        received_at,
    };
    s.when(Role::Ledger, &tell(Channel::App))
        .refused(G::ChannelKnown, C::NoChannel, &[]);
    s.when(Role::Ledger, &tell(Channel::Email))
        .refused(G::ChannelKnown, C::NoChannel, &[]);
    s.when(Role::Ledger, &tell(Channel::InPerson))
        .accepted(&["ResultNotified"]);
    s.when(
        Role::EidAuthority,
        &Command::DecideApplication { case, refuse: None },
    )
    .refused(G::CaseState, C::CaseNotOpen, &[]);
}

#[test]
fn an_undecided_result_is_not_told_and_one_notice_opens_the_window() {
    let mut s = level2_submitted(Scenario::new());
    let (case, received_at) = (case(&s), s.world.now);
    let tell = |channel| Command::NotifyResult {
        case,
        channel,
        received_at,
    };
    s.when(Role::Ledger, &tell(Channel::Sms))
        .refused(G::Decided, C::NotDecided, &[]);
    answer(&mut s, Modality::Portrait, MatchResult::Match);
    answer(&mut s, Modality::Fingerprints, MatchResult::Match);
    s.when(
        Role::EidAuthority,
        &Command::DecideApplication { case, refuse: None },
    );
    s.when(Role::Ledger, &tell(Channel::Sms))
        .accepted(&["ResultNotified", "ActivationWindowOpened"]);
    s.when(Role::Ledger, &tell(Channel::InPerson))
        .accepted(&["ResultNotified"]);
}

#[test]
fn an_upgrade_of_an_active_account_stays_active_on_its_device() {
    let mut s = level2_submitted(activate(level1()));
    answer(&mut s, Modality::Portrait, MatchResult::Match);
    answer(&mut s, Modality::Fingerprints, MatchResult::Match);
    decide_and_notify(&mut s);
    assert_eq!(s.history.last().map(Event::name), Some("ResultNotified"));
    assert!(s.account.is_activated() && s.account.level() == Some(Level::Two));
    assert_eq!(s.account.device.as_ref().unwrap().device, device(1).device);
    s.when(Role::Citizen, &request_activation())
        .refused(G::NotActivated, C::AlreadyActivated, &[]);
}

#[test]
fn who_withdraws_says_so() {
    let mut s = app_account();
    s.when(Role::Citizen, &apply_level1());
    let case = case(&s);
    let withdraw = |reason| Command::WithdrawApplication { case, reason };
    s.when(Role::Citizen, &withdraw(WithdrawReason::ByOfficer))
        .refused(G::RoleAllowed, C::RoleNotAllowed, &[]);
    s.when(Role::Citizen, &withdraw(WithdrawReason::ByCitizen))
        .accepted(&["Level2Withdrawn"]);
    s.when(Role::Citizen, &withdraw(WithdrawReason::ByCitizen))
        .refused(G::CaseState, C::CaseNotOpen, &[]);
    s.when(Role::Citizen, &apply_level1()).accepted(&[
        "Level1Applied",
        "QrEvidenceRecorded",
        "PortraitCaptured",
    ]);
}

#[test]
fn the_registry_s_silence_holds_no_intake_up_but_its_answer_is_needed() {
    let mut s = Scenario::new();
    s.world.registry = Some(RegistryAnswer::Not(
        crate::vocabulary::RegistryOutcome::Unavailable,
    ));
    s = level2_submitted(s);
    answer(&mut s, Modality::Portrait, MatchResult::Match);
    answer(&mut s, Modality::Fingerprints, MatchResult::Match);
    let issue = Command::DecideApplication {
        case: case(&s),
        refuse: None,
    };
    s.when(Role::EidAuthority, &issue)
        .refused(G::RegistryMatch, C::ChecksIncomplete, &[]);
    s.world.registry = confirmed("1990-02-01", true);
    s.when(Role::EidAuthority, &issue)
        .accepted(&["RegistryWaitEnded", "AccountIssued"]);
    let mut s = Scenario::new();
    s.world.registry = Some(RegistryAnswer::Not(
        crate::vocabulary::RegistryOutcome::Mismatch,
    ));
    let open = Command::OpenLevel2Intake {
        person: Some(person()),
        site: 7,
        person_present: true,
        with_card_issue: true,
    };
    s.when(Role::IntakeOfficer, &open).refused(
        G::RegistryMatch,
        C::DataMismatch,
        &["RegistryCheckRequested", "RegistryCheckFailed"],
    );
}

const READ: Command = Command::ApplyLevel1 {
    chip: None,
    qr: None,
    portrait: None,
};

fn apply_by(chip: Option<ChipEvidence>, qr: Option<&str>) -> Command {
    Command::ApplyLevel1 {
        chip,
        qr: qr.map(str::to_owned),
        portrait: Some(capture()),
    }
}

#[test]
fn p3_a_chip_read_is_verified_and_recorded_whatever_came_of_it() {
    let mut s = app_account();
    for fault in ChipFault::ALL {
        s.world.chip = verified(&[*fault]);
        let asked = s.when(Role::Citizen, &apply_by(None, None));
        let asked = asked.refused(G::Evidence, C::EvidenceInvalid, &["ChipVerified"]);
        let recorded = &asked.decision.events[0];
        assert!(matches!(&recorded.event, Event::ChipVerified(facts)
            if facts.case.is_none() && facts.proof.faults == [*fault]));
        assert_eq!(recorded.sealed[0].0, RetentionClass::Short);
    }
    // A good chip and the QR of another card.
    let foreign = crate::testing::CARD_QR.replace("030099000001", "030099000002");
    s.world.chip = verified(&[]);
    s.when(Role::Citizen, &apply_by(None, Some(&foreign)))
        .refused(G::Evidence, C::EvidenceInvalid, &["ChipVerified"]);
    s.world.chip = verified(&[]);
    s.when(Role::Citizen, &READ)
        .refused(G::Portrait, C::EvidenceMissing, &[]);
    s.world.chip = verified(&[]);
    let asked = s.when(Role::Citizen, &apply_by(None, None));
    let asked = asked.accepted(&["Level1Applied", "ChipVerified", "PortraitCaptured"]);
    let [applied, chip, _] = asked.decision.events.as_slice() else {
        panic!("three events");
    };
    let (Event::Level1Applied(applied), Event::ChipVerified(facts)) = (&applied.event, &chip.event)
    else {
        panic!("an application and a chip");
    };
    assert_eq!(applied.strength, EvidenceStrength::ChipPassiveAuth);
    assert_eq!(facts.case, Some(applied.case));
    assert!(
        matches!(&chip.sealed[..], [(RetentionClass::Permanent, Personal::ChipHashes(hashes))]
        if hashes.len() == 1)
    );
}

#[test]
fn c2_how_strong_evidence_must_be_is_policys() {
    let claim = |strength| apply_by(Some(chip(strength)), None);
    let claimed = [
        apply_by(None, Some(crate::testing::CARD_QR)),
        claim(EvidenceStrength::ChipPassiveAuth),
        claim(EvidenceStrength::ChipActiveAuth),
    ];
    for command in &claimed {
        // As policy has it: a QR does, and so does what a device says.
        let mut s = app_account();
        assert_eq!(s.when(Role::Citizen, command).decision.refused(), None);
        // Where policy asks for more, a claim is none, whatever it claims.
        let mut s = app_account();
        s.world.policy.level_1_evidence_min = EvidenceStrength::ChipPassiveAuth;
        s.when(Role::Citizen, command)
            .refused(G::Evidence, C::EvidenceTooWeak, &[]);
        s.world.chip = verified(&[]);
        s.when(Role::Citizen, &apply_by(None, None)).accepted(&[
            "Level1Applied",
            "ChipVerified",
            "PortraitCaptured",
        ]);
    }
    // What is not even good is not called too weak.
    let mut s = app_account();
    s.world.policy.level_1_evidence_min = EvidenceStrength::ChipPassiveAuth;
    s.when(Role::Citizen, &claim(EvidenceStrength::QrUnsigned))
        .refused(G::Evidence, C::EvidenceInvalid, &[]);
    for (strength, good) in [
        (EvidenceStrength::QrUnsigned, true),
        (EvidenceStrength::ChipPassiveAuth, true),
        (EvidenceStrength::ChipActiveAuth, false),
        (EvidenceStrength::InPersonBiometric, false),
    ] {
        let policy = crate::policy::Policy {
            level_1_evidence_min: strength,
            ..crate::policy::Policy::default()
        };
        assert_eq!(policy.check().is_ok(), good, "{strength:?}");
    }
}
