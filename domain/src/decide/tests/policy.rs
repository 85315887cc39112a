//! Both values of every policy switch (spec section 0, A.9), each reached by publishing a policy.

use super::*;
use crate::command::RegistryAnswer;
use crate::ids::{AccountId, AreaCode, Micros};
use crate::law::{FILES, Known, LawContent, parse};
use crate::policy::{BiometricRule, BoundDeviceActivation, ContactRequired, Policy};
use crate::testing::{NOON, publish, shipped_book};
use crate::vocabulary::{DocumentKind, Guard as G, Level, RefusalCode as C, StepUpMethod};

/// A scenario under the published policy with one value changed, from now on.
fn under(mut s: Scenario, change: impl Fn(&mut Policy)) -> Scenario {
    let mut book = shipped_book();
    let mut draft = parse(FILES[0].1).unwrap();
    draft.terms.effective_from = NOON;
    if let LawContent::Policy(policy) = &mut draft.content {
        change(policy);
    }
    publish(&mut book, draft, NOON.plus(-Micros::DAY));
    let law = book.edition(s.world.now, Known::Now);
    assert_eq!(law.version(crate::vocabulary::LawKind::Policy), 2);
    s.world.policy = law.policy().clone();
    s
}

fn by_email_only() -> crate::personal::Person {
    let mut person = person();
    person.phone.clear();
    person.email = "an@example.vn".into();
    person
}

#[test]
fn the_shipped_policy_is_the_owners_default() {
    let shipped = shipped_book().edition(NOON, Known::Now);
    assert_eq!(*shipped.policy(), Policy::default());
}

#[test]
fn bound_device_activation() {
    let on_anothers = Command::RequestActivation {
        matched: true,
        device: device(1),
        step_up: Some(StepUpMethod::ChipRead),
    };
    for (value, passes) in [
        (BoundDeviceActivation::Reject, false),
        (BoundDeviceActivation::TransferWithStepUp, true),
    ] {
        let mut s = under(level1(), |policy| policy.bound_device_activation = value);
        s.world.device_holder = Holder::Other(AccountId([9; 16]));
        s.world.chip = verified(&[]);
        s.world.key = Some(device(1).key.id());
        let then = s.when(Role::Citizen, &on_anothers);
        if passes {
            assert_eq!(then.decision.refused(), None);
            assert!(then.events().contains(&"StepUpSatisfied"));
        } else {
            then.refused(G::DeviceCheck, C::UseOtherDevice, &[]);
        }
    }
}

#[test]
fn contact_required() {
    let register = Command::RegisterAppAccount {
        person: by_email_only(),
        method: RegistrationMethod::Manual,
        qr: None,
    };
    let desk = Command::OpenLevel2Intake {
        person: Some(by_email_only()),
        site: 7,
        person_present: true,
        with_card_issue: false,
    };
    let mobile = |s| {
        under(s, |policy| {
            policy.contact_required = ContactRequired::OwnMobile;
        })
    };
    let either = |s| {
        under(s, |policy| {
            policy.contact_required = ContactRequired::PhoneOrEmail;
        })
    };
    mobile(Scenario::new())
        .when(Role::Citizen, &register)
        .refused(G::PhoneFormat, C::PhoneFormat, &[]);
    mobile(Scenario::new())
        .when(Role::IntakeOfficer, &desk)
        .refused(G::ChannelKnown, C::NoChannel, &[]);
    let opened = either(Scenario::new())
        .when(Role::IntakeOfficer, &desk)
        .decision;
    assert_eq!(opened.refused(), None);
    // No number, so no claim on one.
    assert!(
        opened
            .claims
            .iter()
            .all(|change| change.claim != crate::command::Claim::Phone)
    );
    // P1 by e-mail: the code goes there, and no number is said to be verified.
    let mut s = either(Scenario::new());
    s.world.person = Some(by_email_only());
    let asked = s.when(Role::Citizen, &register);
    assert_eq!(asked.decision.refused(), None);
    s.world.personal_id_holder = Holder::Own;
    let challenge = challenge(&s, OtpPurpose::Registration);
    s.when(
        Role::Citizen,
        &Command::ConfirmRegistrationOtp { challenge },
    )
    .accepted(&["OtpVerified"]);
    // P7: the code goes to the e-mail address, where policy lets that do.
    for (s, passes) in [(mobile(level1()), false), (either(level1()), true)] {
        let mut s = s;
        s.world.person = Some(by_email_only());
        let then = s.when(Role::Citizen, &request_activation());
        if passes {
            assert_eq!(then.decision.refused(), None);
        } else {
            then.refused(G::ChannelKnown, C::NoChannel, &[]);
        }
    }
}

#[test]
fn biometric_rule() {
    for (value, passes) in [
        (BiometricRule::PortraitAndFingerprints, false),
        (BiometricRule::Any, true),
    ] {
        let s = level2_submitted(Scenario::new());
        let mut s = under(s, |policy| policy.biometric_rule = value);
        answer(&mut s, Modality::Portrait, MatchResult::Match);
        answer(&mut s, Modality::Fingerprints, MatchResult::NoMatch);
        let case = case(&s);
        let approve = Command::DecideApplication { case, refuse: None };
        let then = s.when(Role::EidAuthority, &approve);
        if passes {
            then.accepted(&["AccountIssued"]);
        } else {
            then.refused(G::ChecksComplete, C::ChecksIncomplete, &[]);
        }
    }
}

#[test]
fn minimum_age() {
    for (years, passes) in [(14, true), (16, false)] {
        let mut s = under(app_account(), |policy| policy.minimum_age_years = years);
        // Fifteen on the day.
        s.world.registry = Some(RegistryAnswer::Confirmed {
            area: AreaCode(30_288),
            birth_date: "2009-03-05".into(),
            has_chip_card: true,
        });
        let then = s.when(Role::Citizen, &apply_level1());
        if passes {
            assert_eq!(then.decision.refused(), None);
        } else {
            then.refused(G::Age, C::UnderAge, &[]);
        }
    }
}

#[test]
fn document_link_level() {
    let licence = Command::LinkDocument {
        kind: DocumentKind::DrivingLicence,
        number: "301234567890".into(),
    };
    for (level, passes) in [(Level::Two, false), (Level::One, true)] {
        let mut s = under(activate(level1()), |policy| {
            policy.document_link_level = level;
        });
        let then = s.when(Role::Citizen, &licence);
        if passes {
            then.accepted(&["DocumentLinkRequested", "DocumentLinked"]);
        } else {
            then.refused(G::LevelSufficient, C::LevelTooLow, &[]);
        }
    }
}

#[test]
fn activation_window_and_deadlines() {
    for (days, open) in [(7, true), (3, false)] {
        let s = under(Scenario::new(), |policy| {
            policy.activation_window_days = days;
        });
        let policy = s.world.policy.clone();
        let mut s = level2_submitted(s);
        answer(&mut s, Modality::Portrait, MatchResult::Match);
        answer(&mut s, Modality::Fingerprints, MatchResult::Match);
        decide_and_notify(&mut s);
        assert_eq!(policy.activation_window_days, days);
        s.later(5 * Micros::DAY);
        let overdue = s.account.is_overdue(s.world.now);
        assert_eq!(overdue, !open, "{days} days");
    }
}
