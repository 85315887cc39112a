//! P1 and P2.

use super::*;
use crate::command::{Claim, CredentialForm, RegistryAnswer};
use crate::personal::Personal;
use crate::testing::CARD_QR;
use crate::vocabulary::{Guard as G, Message, RefusalCode as C, RegistryOutcome, RetentionClass};

#[test]
fn p1_leaves_an_app_account() {
    let mut s = Scenario::new();
    let then = s
        .when(Role::Citizen, &manual())
        .accepted(&[
            "AppRegistrationSubmitted",
            "RegistryCheckRequested",
            "RegistryCheckSucceeded",
            "OtpChallengeIssued",
        ])
        .passed(&[
            G::RoleAllowed,
            G::AccountOpen,
            G::PersonalIdFormat,
            G::PhoneFormat,
            G::PersonalIdFree,
            G::PhoneFree,
            G::OtpResend,
            G::RegistryMatch,
        ]);
    let claims: Vec<_> = then
        .decision
        .claims
        .iter()
        .map(|c| (c.claim, c.take))
        .collect();
    assert_eq!(claims, [(Claim::PersonalId, true)]);
    let notice = then.decision.send[0];
    assert!(notice.message == Message::OtpSent && notice.to_new_phone);
    assert!(!s.account.exists());
    let challenge = challenge(&s, OtpPurpose::Registration);
    let then = s
        .when(
            Role::Citizen,
            &Command::ConfirmRegistrationOtp { challenge },
        )
        .accepted(&["OtpVerified", "PhoneVerified"])
        .passed(&[
            G::RoleAllowed,
            G::AccountOpen,
            G::OtpOpen,
            G::OtpInTime,
            G::OtpAttempts,
            G::OtpCode,
            G::PhoneFree,
        ]);
    assert_eq!(then.decision.claims[0].claim, Claim::Phone);
    s.when(
        Role::Citizen,
        &Command::SetPassword {
            verifier: verifier(),
        },
    )
    .accepted(&["PasswordSet", "AppAccountCreated"]);
    assert!(s.account.exists() && s.account.level().is_none());
}

#[test]
fn the_person_is_sealed_for_good_and_never_in_the_facts() {
    let mut s = Scenario::new();
    let qr = Some(CARD_QR.to_owned());
    let command = Command::RegisterAppAccount {
        person: person(),
        method: RegistrationMethod::CardQr,
        qr,
    };
    let then = s.when(Role::Citizen, &command);
    let first = &then.decision.events[0];
    let classes: Vec<_> = first.sealed.iter().map(|(class, _)| *class).collect();
    assert_eq!(classes, [RetentionClass::Permanent; 2]);
    assert!(matches!(&first.sealed[0].1, Personal::Person(sealed) if *sealed == person()));
    assert!(matches!(&first.sealed[1].1, Personal::CardQr(raw) if raw == CARD_QR));
    let facts = serde_json::to_string(&s.history).unwrap();
    let debug = format!("{:?} {:?}", then.decision, s.account);
    for datum in ["030099000001", "912345678", "Nguy", "1990", "123456789"] {
        assert!(!facts.contains(datum) && !debug.contains(datum), "{datum}");
    }
}

#[test]
fn not_confirmed_creates_nothing() {
    for (outcome, code) in [
        (RegistryOutcome::Mismatch, C::DataMismatch),
        (RegistryOutcome::NotFound, C::DataMismatch),
        (RegistryOutcome::Unavailable, C::RegistryUnavailable),
    ] {
        let mut s = Scenario::new();
        s.world.registry = Some(RegistryAnswer::Not(outcome));
        let then = s.when(Role::Citizen, &manual()).refused(
            G::RegistryMatch,
            code,
            &[
                "AppRegistrationSubmitted",
                "RegistryCheckRequested",
                "RegistryCheckFailed",
            ],
        );
        assert!(
            then.decision
                .events
                .iter()
                .all(|event| event.sealed.is_empty())
        );
        assert!(s.account.challenges.is_empty() && !s.account.exists());
        // Corrected and asked again, in the same stream.
        s.world = crate::testing::Surroundings::default();
        assert_eq!(s.when(Role::Citizen, &manual()).decision.refused(), None);
    }
}

#[test]
fn p1_guards_in_order() {
    let mut bad = person();
    bad.personal_id = "03009900000".into();
    bad.phone = "0112345678".into();
    let ask = |s: &mut Scenario, person: &crate::personal::Person| {
        let (person, method) = (person.clone(), RegistrationMethod::CardQr);
        s.when(
            Role::Citizen,
            &Command::RegisterAppAccount {
                person,
                method,
                qr: Some("030|x".into()),
            },
        )
    };
    let mut s = app_account();
    s.world.registry = None;
    s.world.phone_holder = Holder::Other(crate::ids::AccountId([9; 16]));
    ask(&mut s, &bad).refused(G::PersonalIdFormat, C::PersonalIdFormat, &[]);
    bad.personal_id = person().personal_id.clone();
    ask(&mut s, &bad).refused(G::PhoneFormat, C::PhoneFormat, &[]);
    bad.phone = "+84912345678".into();
    ask(&mut s, &bad).refused(G::PersonalIdFree, C::PersonalIdAlreadyRegistered, &[]);
    let world = s.world.clone();
    s = Scenario::new();
    s.world = world;
    s.world.personal_id_holder = Holder::Free;
    ask(&mut s, &bad).refused(G::PhoneFree, C::PhoneInUse, &[]);
    s.world.phone_holder = Holder::Free;
    ask(&mut s, &bad).refused(G::Evidence, C::EvidenceInvalid, &[]);
    s.world.personal_id_holder = Holder::Other(crate::ids::AccountId([9; 16]));
    ask(&mut s, &bad).refused(G::PersonalIdFree, C::PersonalIdAlreadyRegistered, &[]);
    s.when(Role::IntakeOfficer, &manual())
        .refused(G::RoleAllowed, C::RoleNotAllowed, &[]);
}

#[test]
fn an_unfinished_registration_blocks_nobody_and_an_intake_is_not_replaced() {
    let mut s = Scenario::new();
    s.when(Role::Citizen, &manual());
    s.world.personal_id_holder = Holder::Own;
    s.when(Role::Citizen, &manual())
        .refused(G::OtpResend, C::OtpResendTooSoon, &[]);
    s.later(60 * SECOND);
    let again = s.when(Role::Citizen, &manual());
    assert_eq!(again.decision.refused(), None);
    assert!(
        again.decision.claims.is_empty(),
        "the number is the account's already"
    );
    // At the desk the officer's data take its place, and its code is void.
    s.later(60 * SECOND);
    let old = challenge(&s, OtpPurpose::Registration);
    // Another number than was declared before is taken, and that one given up…
    let mut elsewhere = s.clone();
    if let Some(person) = &mut elsewhere.world.person {
        person.phone = "+84912345679".into();
    }
    let desk = elsewhere.when(Role::IntakeOfficer, &intake(false)).decision;
    let given_up = |decision: &crate::command::Decision| {
        decision.claims.iter().filter(|change| !change.take).count()
    };
    assert_eq!((desk.refused(), given_up(&desk)), (None, 1));
    // …and the same one is only taken.
    let desk = s.when(Role::IntakeOfficer, &intake(false)).decision;
    assert_eq!((desk.refused(), given_up(&desk)), (None, 0));
    assert!(
        desk.claims
            .iter()
            .any(|change| change.claim == Claim::Phone && change.take)
    );
    s.when(
        Role::Citizen,
        &Command::ConfirmRegistrationOtp { challenge: old },
    )
    .refused(G::OtpOpen, C::OtpNotOpen, &[]);
    s.when(Role::Citizen, &manual()).refused(
        G::PersonalIdFree,
        C::PersonalIdAlreadyRegistered,
        &[],
    );
}

#[test]
fn a_code_is_open_in_time_tried_a_few_times_and_right() {
    let mut s = Scenario::new();
    s.when(Role::Citizen, &manual());
    let id = challenge(&s, OtpPurpose::Registration);
    let confirm = Command::ConfirmRegistrationOtp { challenge: id };
    let other = Command::ConfirmRegistrationOtp {
        challenge: ChallengeId([7; 16]),
    };
    s.when(Role::Citizen, &other)
        .refused(G::OtpOpen, C::OtpNotOpen, &[]);
    s.world.otp_right = Some(false);
    for wrong in 1..=5 {
        s.when(Role::Citizen, &confirm)
            .refused(G::OtpCode, C::OtpWrong, &[]);
        assert_eq!(
            s.account
                .challenge_for(OtpPurpose::Registration)
                .unwrap()
                .wrong,
            wrong
        );
    }
    s.world.otp_right = Some(true);
    s.when(Role::Citizen, &confirm)
        .refused(G::OtpAttempts, C::OtpAttemptsExhausted, &[]);
    s.later(300 * SECOND);
    s.when(Role::Citizen, &confirm)
        .refused(G::OtpInTime, C::OtpExpired, &[]);
    let resend = Command::ResendOtp {
        purpose: OtpPurpose::Registration,
    };
    s.when(Role::Citizen, &resend)
        .accepted(&["OtpChallengeIssued"]);
    s.when(Role::Citizen, &resend)
        .refused(G::OtpResend, C::OtpResendTooSoon, &[]);
    s.when(Role::Citizen, &confirm)
        .refused(G::OtpOpen, C::OtpNotOpen, &[]);
    let challenge = challenge(&s, OtpPurpose::Registration);
    let confirm = Command::ConfirmRegistrationOtp { challenge };
    s.when(Role::Citizen, &confirm)
        .accepted(&["OtpVerified", "PhoneVerified"]);
    // Once is enough: a code that was right is not open any more.
    s.when(Role::Citizen, &confirm)
        .refused(G::OtpOpen, C::OtpNotOpen, &[]);
}

#[test]
fn a_password_needs_the_code_and_a_form() {
    let set = Command::SetPassword {
        verifier: verifier(),
    };
    let mut s = Scenario::new();
    s.when(Role::Citizen, &manual());
    s.when(Role::Citizen, &set)
        .refused(G::OtpVerified, C::OtpNotVerified, &[]);
    let challenge = challenge(&s, OtpPurpose::Registration);
    s.when(
        Role::Citizen,
        &Command::ConfirmRegistrationOtp { challenge },
    );
    s.world.credential_form = Some(CredentialForm::OnBlockList);
    s.when(Role::Citizen, &set)
        .refused(G::PasswordAllowed, C::PasswordBlocklisted, &[]);
    for form in [None, Some(CredentialForm::WrongForm)] {
        s.world.credential_form = form;
        s.when(Role::Citizen, &set)
            .refused(G::PasswordAllowed, C::PasswordFormat, &[]);
    }
    s.when(Role::IntakeOfficer, &set)
        .refused(G::RoleAllowed, C::RoleNotAllowed, &[]);
}

#[test]
fn login_guards_and_throttling() {
    let login = Command::LogIn { device: None };
    let mut s = app_account();
    s.world.credential_right = Some(true);
    s.when(Role::Citizen, &login)
        .accepted(&["SessionOpened"])
        .passed(&[
            G::RoleAllowed,
            G::AccountOpen,
            G::Unlocked,
            G::NotThrottled,
            G::CredentialRight,
            G::DeviceKnown,
        ]);
    s.world.credential_right = Some(false);
    for _ in 0..5 {
        s.when(Role::Citizen, &login).refused(
            G::CredentialRight,
            C::CredentialWrong,
            &["LoginFailed"],
        );
    }
    s.world.credential_right = Some(true);
    s.when(Role::Citizen, &login)
        .refused(G::NotThrottled, C::Throttled, &["LoginFailed"]);
    s.later(900 * SECOND);
    s.when(Role::Citizen, &login).accepted(&["SessionOpened"]);
    assert_eq!(s.account.credentials.wrong_passwords, 0);
    s.when(
        Role::Citizen,
        &Command::LockAccount {
            ground: crate::vocabulary::LockGround::OwnRequest,
        },
    );
    s.when(Role::Citizen, &login)
        .refused(G::Unlocked, C::Locked, &["LoginFailed"]);
}

#[test]
fn an_active_account_logs_in_on_its_device_or_with_a_second_proof() {
    let mut s = activate(level1());
    s.world.credential_right = Some(true);
    let on = |number| Command::LogIn {
        device: Some(device(number).device),
    };
    s.when(Role::Citizen, &on(1)).accepted(&["SessionOpened"]);
    s.when(Role::Citizen, &on(2))
        .refused(G::DeviceKnown, C::DeviceNotBound, &["LoginFailed"]);
    s.world.step_up = Some(true);
    s.when(Role::Citizen, &on(2)).accepted(&["SessionOpened"]);
}

#[test]
fn a_flood_is_not_recorded_but_wrong_codes_are() {
    let mut s = Scenario::new();
    s.world.personal_id_holder = Holder::Other(crate::ids::AccountId([9; 16]));
    for _ in 0..crate::decide::REFUSALS_RECORDED_PER_HOUR {
        assert_eq!(s.when(Role::Citizen, &manual()).events().len(), 1);
    }
    let then = s.when(Role::Citizen, &manual());
    assert!(then.events().is_empty() && then.decision.refused().is_some());
    s.later(3600 * SECOND);
    assert_eq!(s.when(Role::Citizen, &manual()).events().len(), 1);
    let mut s = app_account();
    s.world.credential_right = Some(false);
    for _ in 0..60 {
        s.when(Role::Citizen, &Command::LogIn { device: None });
        s.later(900 * SECOND / 60);
    }
    assert!(s.account.credentials.wrong_passwords >= 5);
}
