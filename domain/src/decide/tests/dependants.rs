//! Children and wards: under a guardian's account, in one of their own, and on their own at fourteen.

use super::*;
use crate::command::{CredentialForm, GuardianFacts, RegistryAnswer, RelationAnswer};
use crate::event::Event;
use crate::ids::{AccountId, AreaCode, LocalDay, LookupHash, Micros};
use crate::policy::ChildrenAccounts;
use crate::vocabulary::{
    DependantKind, Guard as G, LockGround, RefusalCode as C, RegistryOutcome, Relation, ShareField,
    ShareMode,
};

const CHILD: LookupHash = LookupHash([4; 16]);
/// The guardian of `decide_under`.
const GUARDIAN: AccountId = AccountId([Role::Guardian as u8 + 1; 16]);

fn link() -> Command {
    Command::LinkDependant {
        person: person(),
        hash: CHILD,
        consent: true,
        text_version: 1,
        document: None,
    }
}

fn born(s: &mut Scenario, birth_date: &str) {
    s.world.registry = Some(RegistryAnswer::Confirmed {
        area: AreaCode(30_288),
        birth_date: birth_date.into(),
        has_chip_card: true,
    });
}

/// A guardian, and a child who turns fourteen on 10/03/2024.
fn guardian() -> Scenario {
    let mut s = activate(level2());
    born(&mut s, "2010-03-10");
    s
}

const CHECKED: [&str; 2] = ["RegistryCheckRequested", "RegistryCheckSucceeded"];

#[test]
fn the_guards_stand_in_order() {
    let mut s = guardian();
    let then = s
        .when(Role::Citizen, &link())
        .accepted(&[CHECKED[0], CHECKED[1], "DependantLinked"])
        .passed(&[
            G::RoleAllowed,
            G::AccountOpen,
            G::Activated,
            G::Unlocked,
            G::LevelSufficient,
            G::PersonalIdFormat,
            G::Consent,
            G::DependantNew,
            G::DependantNew,
            G::RegistryMatch,
            G::IsDependant,
            G::IsGuardian,
        ]);
    let Event::DependantLinked(facts) = &then.decision.events[2].event else {
        panic!("not linked");
    };
    assert_eq!(facts.majority_on, crate::calendar::local_day(2024, 3, 10));
    assert_eq!(
        (facts.kind, facts.relation),
        (DependantKind::Child, Relation::Parent)
    );
    assert_eq!(then.decision.events[2].sealed.len(), 1);
    s.when(Role::Citizen, &link())
        .refused(G::DependantNew, C::DependantAlreadyLinked, &[]);
    let mut low = activate(level1());
    low.when(Role::Citizen, &link())
        .refused(G::LevelSufficient, C::LevelTooLow, &[]);
    let mut early = level2();
    early
        .when(Role::Citizen, &link())
        .refused(G::Activated, C::NotActivated, &[]);
    let mut s = guardian();
    let without = Command::LinkDependant {
        person: person(),
        hash: CHILD,
        consent: false,
        text_version: 1,
        document: None,
    };
    s.when(Role::Citizen, &without)
        .refused(G::Consent, C::ConsentRefused, &[]);
}

#[test]
fn the_registry_says_who_is_a_dependant_and_of_whom() {
    let mut s = guardian();
    s.world.relation = Some(RelationAnswer::NotRelated { ward: false });
    s.when(Role::Citizen, &link())
        .refused(G::IsGuardian, C::NotGuardian, &CHECKED);
    s.world.relation = Some(RelationAnswer::Unavailable);
    s.when(Role::Citizen, &link())
        .refused(G::IsGuardian, C::RegistryUnavailable, &CHECKED);
    s.world.relation = Some(RelationAnswer::Confirmed {
        relation: Relation::Parent,
        ward: false,
    });
    // Fourteen on this very day: no dependant any more.
    born(&mut s, "2010-03-05");
    s.when(Role::Citizen, &link())
        .refused(G::IsDependant, C::NotDependant, &CHECKED);
    s.world.registry = Some(RegistryAnswer::Not(RegistryOutcome::Mismatch));
    s.when(Role::Citizen, &link()).refused(
        G::RegistryMatch,
        C::DataMismatch,
        &["RegistryCheckRequested", "RegistryCheckFailed"],
    );
    // A ward is one at any age, and no birthday ends it.
    born(&mut s, "1950-01-01");
    s.world.relation = Some(RelationAnswer::Confirmed {
        relation: Relation::Guardian,
        ward: true,
    });
    s.when(Role::Citizen, &link());
    let ward = s.account.dependant(CHILD).unwrap();
    assert_eq!((ward.kind, ward.majority_on), (DependantKind::Ward, None));
    let majority = Command::ReachMajority { dependant: CHILD };
    s.later(9000 * Micros::DAY);
    s.when(Role::Clock, &majority)
        .refused(G::DeadlinePassed, C::DeadlineNotPassed, &[]);
    let unlink = Command::UnlinkDependant { dependant: CHILD };
    s.when(Role::Citizen, &unlink)
        .accepted(&["DependantUnlinked"]);
    s.when(Role::Citizen, &unlink)
        .refused(G::DependantLinked, C::DependantNotLinked, &[]);
}

#[test]
fn at_fourteen_the_clock_ends_it_on_the_day_that_was_counted_once() {
    let mut s = guardian();
    s.when(Role::Citizen, &link());
    // What the registry says later moves nothing.
    born(&mut s, "2015-01-01");
    let majority = Command::ReachMajority { dependant: CHILD };
    s.later(4 * Micros::DAY);
    s.when(Role::Clock, &majority)
        .refused(G::DeadlinePassed, C::DeadlineNotPassed, &[]);
    s.later(Micros::DAY);
    s.when(Role::Citizen, &majority)
        .refused(G::RoleAllowed, C::RoleNotAllowed, &[]);
    s.when(Role::Clock, &majority)
        .accepted(&["DependantReachedMajority", "DependantUnlinked"]);
    assert!(s.account.dependants.is_empty());
    s.when(Role::Clock, &majority)
        .refused(G::DependantLinked, C::DependantNotLinked, &[]);
}

#[test]
fn days_of_fourteen_years() {
    let day = |text: &str| {
        crate::identity::BirthDate::try_from(text)
            .unwrap()
            .day_of_age(14)
    };
    let expected = crate::calendar::local_day;
    assert_eq!(day("2010-03-10"), expected(2024, 3, 10));
    assert_eq!(day("2012-02-29"), expected(2026, 3, 1));
    assert_eq!(day("2010-01-31"), expected(2024, 1, 31));
    // As late as it can be, where the day is not known.
    assert_eq!(day("2010"), expected(2024, 12, 31));
    assert_eq!(day("2010-04"), expected(2024, 4, 30));
}

fn own_account(s: &mut Scenario, kind: DependantKind, majority_on: Option<LocalDay>) {
    s.world.policy.children_accounts = ChildrenAccounts::OwnOnDemand;
    s.world.guardian = Some(GuardianFacts {
        device: None,
        may_act: true,
        dependant: Some((kind, majority_on)),
    });
}

fn open() -> Command {
    Command::OpenDependantAccount {
        person: person(),
        hash: CHILD,
        guardian: GUARDIAN,
        document: None,
    }
}

/// A child of seven with an account of their own.
fn child() -> Scenario {
    let mut s = Scenario::new();
    born(&mut s, "2017-01-15");
    own_account(
        &mut s,
        DependantKind::Child,
        crate::calendar::local_day(2031, 1, 15),
    );
    let then = s.when(Role::Guardian, &open()).accepted(&[
        CHECKED[0],
        CHECKED[1],
        "DependantAccountOpened",
        "AppAccountCreated",
    ]);
    // The guardian's number stays the guardian's: the child claims its own number only.
    assert_eq!(then.decision.claims.len(), 1);
    s
}

/// Policy: both values.
#[test]
fn an_account_of_their_own_is_for_policy_and_the_guardian_to_decide() {
    let mut s = Scenario::new();
    s.when(Role::Guardian, &open())
        .refused(G::OwnAccountAllowed, C::OwnAccountNotAllowed, &[]);
    own_account(&mut s, DependantKind::Ward, None);
    s.world.guardian = Some(GuardianFacts {
        device: None,
        may_act: false,
        dependant: Some((DependantKind::Ward, None)),
    });
    s.when(Role::Guardian, &open())
        .refused(G::GuardianEntitled, C::LevelTooLow, &[]);
    s.world.guardian = Some(GuardianFacts {
        device: None,
        may_act: true,
        dependant: None,
    });
    s.when(Role::Guardian, &open())
        .refused(G::IsGuardian, C::NotGuardian, &[]);
    let mut s = child();
    s.when(Role::Guardian, &open())
        .refused(G::PersonalIdFree, C::PersonalIdAlreadyRegistered, &[]);
    s.when(Role::Citizen, &open())
        .refused(G::RoleAllowed, C::RoleNotAllowed, &[]);
}

#[test]
fn the_guardian_applies_for_the_child_and_nobody_else_does() {
    let mut s = child();
    let mut other = child();
    other.account.guardian.as_mut().unwrap().account = AccountId([9; 16]);
    other
        .when(Role::Guardian, &apply_level1())
        .refused(G::IsGuardian, C::NotGuardian, &[]);
    let chip = Command::ApplyLevel1 {
        chip: Some(crate::vocabulary::ChipEvidence {
            sod: Digest([1; 32]),
            data_groups: Digest([2; 32]),
            certificate: Digest([3; 32]),
            strength: crate::vocabulary::EvidenceStrength::ChipActiveAuth,
            verifier: 1,
        }),
        qr: None,
        portrait: Some(capture()),
    };
    s.when(Role::Guardian, &chip);
    assert!(s.account.open_case().is_some());
    // Taken out of the guardian's account, the child is nobody's to act for.
    let mut taken_out = s.clone();
    taken_out.world.guardian = Some(crate::command::GuardianFacts {
        device: None,
        may_act: true,
        dependant: None,
    });
    taken_out
        .when(Role::Guardian, &Command::GiveConsent)
        .refused(G::IsGuardian, C::NotGuardian, &[]);
    s.when(Role::Guardian, &Command::GiveConsent)
        .accepted(&["GuardianConsentGiven"]);
    // At fourteen they are on their own.
    s.later(2600 * Micros::DAY);
    let lock = Command::LockAccount {
        ground: LockGround::OwnRequest,
    };
    s.when(Role::Guardian, &lock)
        .refused(G::IsGuardian, C::NotGuardian, &[]);
    s.when(Role::Guardian, &Command::GiveConsent)
        .refused(G::IsGuardian, C::NotGuardian, &[]);
}

#[test]
fn a_dependant_acts_with_the_guardians_consent() {
    let mut s = activate(level2());
    s.happened(&[crate::event::DependantAccountOpened {
        guardian: GUARDIAN,
        dependant: CHILD,
        kind: DependantKind::Ward,
        majority_on: None,
    }
    .into()]);
    s.world.credential_right = Some(true);
    let share = Command::ShareData {
        mode: ShareMode::InApp,
        fields: vec![ShareField::FullName],
        relying_party: crate::ids::PrincipalId([1; 16]),
    };
    s.when(Role::Citizen, &share)
        .refused(G::GuardianConsent, C::GuardianConsentMissing, &[]);
    s.when(Role::Guardian, &Command::GiveConsent)
        .accepted(&["GuardianConsentGiven"]);
    s.when(Role::Citizen, &share).accepted(&["ShareGranted"]);
    s.later(600 * SECOND);
    s.when(Role::Citizen, &share)
        .refused(G::GuardianConsent, C::GuardianConsentMissing, &[]);
    // What the guardian does is consent itself.
    let document = Command::LinkDocument {
        kind: crate::vocabulary::DocumentKind::DrivingLicence,
        number: "030012345678".into(),
    };
    s.when(Role::Citizen, &document)
        .refused(G::GuardianConsent, C::GuardianConsentMissing, &[]);
    s.when(Role::Guardian, &document)
        .accepted(&["DocumentLinkRequested", "DocumentLinked"]);
}

#[test]
fn a_child_has_level_2_from_six_years_on() {
    let mut s = child();
    s.world.person.as_mut().unwrap().birth_date = "2019-01-15".into();
    s.when(Role::IntakeOfficer, &intake(false))
        .refused(G::LevelForAge, C::UnderAge, &[]);
    s.world.person.as_mut().unwrap().birth_date = "2017-01-15".into();
    s.when(Role::IntakeOfficer, &intake(false));
    assert!(s.account.open_case().is_some());
}

/// The guardian's own device, as bound to their account.
fn guardians_device(s: &mut Scenario) -> crate::command::DeviceInfo {
    let mine = device(1);
    if let Some(facts) = &mut s.world.guardian {
        facts.device = Some((mine.device, mine.key));
    }
    s.world.device_holder = Holder::Other(GUARDIAN);
    mine
}

/// A child at level 1, issued and told.
fn child_with_level_1() -> Scenario {
    let mut s = child();
    let chip = Command::ApplyLevel1 {
        chip: Some(crate::vocabulary::ChipEvidence {
            sod: Digest([1; 32]),
            data_groups: Digest([2; 32]),
            certificate: Digest([3; 32]),
            strength: crate::vocabulary::EvidenceStrength::ChipActiveAuth,
            verifier: 1,
        }),
        qr: None,
        portrait: Some(capture()),
    };
    s.when(Role::Guardian, &chip);
    decide_and_notify(&mut s);
    s
}

fn by_guardian(s: &mut Scenario) -> Vec<Command> {
    let device = guardians_device(s);
    let (matched, step_up) = (true, None);
    s.world.otp_right = Some(true);
    s.world.credential_form = Some(CredentialForm::Good);
    let asked = Command::RequestActivation {
        matched,
        device,
        step_up,
    };
    s.when(Role::Guardian, &asked).accepted(&[
        "ActivationRequested",
        "GuardianDeviceUsed",
        "OtpChallengeIssued",
        "ActivationCodeSent",
    ]);
    let challenge = challenge(s, OtpPurpose::Activation);
    let verifier = verifier();
    vec![
        Command::ConfirmActivationOtp { challenge },
        Command::SetPassword { verifier },
        Command::SetPasscode { verifier },
        Command::SetSecurityQuestions {
            questions: QuestionId::ALL[..2].to_vec(),
            verifier,
        },
    ]
}

#[test]
fn a_guardian_activates_on_their_own_device_which_stays_theirs() {
    let mut s = child_with_level_1();
    let steps = by_guardian(&mut s);
    for (step, kinds) in steps.iter().zip([
        &["ActivationOtpVerified"][..],
        &["PasswordSet"],
        &["PasscodeSet"],
        &["SecurityQuestionsSet", "AccountActivated"],
    ]) {
        let then = s.when(Role::Guardian, step).accepted(kinds);
        assert!(then.decision.claims.is_empty() && then.decision.first.is_empty());
    }
    assert!(s.account.is_activated() && s.account.device.is_none());
}

#[test]
fn no_other_device_and_no_former_guardian_activates_for_a_dependant() {
    // The right device under another key, and another device.
    let s = child_with_level_1();
    let mut other = s.clone();
    let device = guardians_device(&mut other);
    if let Some(facts) = &mut other.world.guardian {
        facts.device = Some((device.device, crate::ids::PublicKey([8; 32])));
    }
    let asked = Command::RequestActivation {
        matched: true,
        device,
        step_up: None,
    };
    other
        .when(Role::Guardian, &asked)
        .refused(G::DeviceCheck, C::UseOtherDevice, &[]);
    // Whoever is not the guardian cannot take it over by saying so.
    other
        .when(Role::Citizen, &asked)
        .refused(G::DeviceCheck, C::UseOtherDevice, &[]);
    // Taken out between the code and the last step: neither the device nor a session goes on.
    let mut s = s;
    let steps = by_guardian(&mut s);
    for step in &steps[..3] {
        assert_eq!(s.when(Role::Guardian, step).decision.refused(), None);
    }
    if let Some(facts) = &mut s.world.guardian {
        facts.dependant = None;
    }
    for role in [Role::Guardian, Role::Citizen] {
        s.when(role, &steps[3])
            .refused(G::IsGuardian, C::NotGuardian, &[]);
    }
}
