//! P7: the letter's order, its messages, both values of C-09.

use super::*;
use crate::account::ActivationPhase;
use crate::command::{Claim, CredentialForm};
use crate::ids::{AccountId, Micros};
use crate::policy::BoundDeviceActivation;
use crate::vocabulary::{
    Guard as G, LockGround, Message, RefusalCode as C, StepUpMethod, UnbindReason,
};

#[test]
fn everything_wrong_at_once_is_told_in_the_letter_s_order() {
    let ask = request_activation();
    let not_matched = Command::RequestActivation {
        matched: false,
        device: device(1),
        step_up: None,
    };
    // Number and phone first, and one neutral message.
    let mut s = app_account();
    s.world.device_holder = Holder::Other(AccountId([9; 16]));
    let then = s.when(Role::Citizen, &not_matched);
    let then = then.refused(G::AccountMatch, C::RequestNotAccepted, &[]);
    assert_eq!(
        then.decision.refused().unwrap().message,
        Some(Message::RequestNotAccepted)
    );
    // a. an app account only, on a device of somebody else's
    let then = s
        .when(Role::Citizen, &ask)
        .refused(G::LevelCheck, C::NotIdentified, &[]);
    assert_eq!(
        then.decision.refused().unwrap().message,
        Some(Message::NotIdentified)
    );
    // b. active already, on a device of somebody else's
    let mut active = activate(level1());
    active.world.device_holder = Holder::Other(AccountId([9; 16]));
    active.when(
        Role::Citizen,
        &Command::LockAccount {
            ground: LockGround::OwnRequest,
        },
    );
    let then = active.when(Role::Citizen, &ask);
    let then = then.refused(G::NotActivated, C::AlreadyActivated, &[]);
    assert_eq!(
        then.decision.refused().unwrap().message,
        Some(Message::AlreadyActivated)
    );
    // c. the device, though the window is over and the account is locked
    let mut s = level1();
    s.when(
        Role::Citizen,
        &Command::LockAccount {
            ground: LockGround::OwnRequest,
        },
    );
    s.later(9 * Micros::DAY);
    s.world.device_holder = Holder::Other(AccountId([9; 16]));
    let then = s
        .when(Role::Citizen, &ask)
        .refused(G::DeviceCheck, C::UseOtherDevice, &[]);
    assert_eq!(
        then.decision.refused().unwrap().message,
        Some(Message::UseOtherDevice)
    );
    // then the window, then the lock
    s.world.device_holder = Holder::Free;
    let then = s.when(Role::Citizen, &ask);
    let then = then.refused(
        G::WindowOpen,
        C::ActivationWindowEnded,
        &["ActivationWindowExpired"],
    );
    assert_eq!(
        then.decision.refused().unwrap().message,
        Some(Message::ActivationWindowEnded)
    );
    let mut s = level1();
    s.when(
        Role::Citizen,
        &Command::LockAccount {
            ground: LockGround::OwnRequest,
        },
    );
    s.when(Role::Citizen, &ask)
        .refused(G::Unlocked, C::Locked, &[]);
}

#[test]
fn p7_with_a_password_from_p1() {
    let mut s = level1();
    let then = s
        .when(Role::Citizen, &request_activation())
        .accepted(&[
            "ActivationRequested",
            "DeviceCheckPassed",
            "OtpChallengeIssued",
            "ActivationCodeSent",
        ])
        .passed(&[
            G::RoleAllowed,
            G::AccountMatch,
            G::AccountOpen,
            G::LevelCheck,
            G::NotActivated,
            G::DeviceCheck,
            G::WindowOpen,
            G::Unlocked,
            G::ChannelKnown,
            G::OtpResend,
        ]);
    let notice = then.decision.send[0];
    assert!(notice.message == Message::ActivationCode && !notice.to_new_phone);
    assert!(
        then.decision.claims.is_empty(),
        "the device is claimed when it is bound"
    );
    let passcode = Command::SetPasscode {
        verifier: verifier(),
    };
    s.when(Role::Citizen, &passcode)
        .refused(G::OtpVerified, C::OtpNotVerified, &[]);
    let challenge = challenge(&s, OtpPurpose::Activation);
    s.when(Role::Citizen, &Command::ConfirmActivationOtp { challenge })
        .accepted(&["ActivationOtpVerified"]);
    s.when(
        Role::Citizen,
        &Command::SetPassword {
            verifier: verifier(),
        },
    )
    .refused(G::PasswordNotSet, C::PasswordAlreadySet, &[]);
    s.when(Role::Citizen, &questions())
        .refused(G::ActivationStep, C::StepOutOfOrder, &[]);
    s.world.credential_form = Some(CredentialForm::WrongForm);
    s.when(Role::Citizen, &passcode)
        .refused(G::PasscodeFormat, C::PasscodeFormat, &[]);
    s.world.credential_form = Some(CredentialForm::OnBlockList);
    s.when(Role::Citizen, &passcode)
        .refused(G::PasscodeAllowed, C::PasscodeBlocklisted, &[]);
    s.world.credential_form = Some(CredentialForm::Good);
    s.when(Role::Citizen, &passcode).accepted(&["PasscodeSet"]);
    for wrong in [
        vec![],
        vec![QuestionId::FirstJob],
        vec![QuestionId::FirstJob; 2],
    ] {
        let command = Command::SetSecurityQuestions {
            questions: wrong,
            verifier: verifier(),
        };
        s.when(Role::Citizen, &command)
            .refused(G::QuestionCount, C::QuestionCount, &[]);
    }
    let then = s.when(Role::Citizen, &questions()).accepted(&[
        "SecurityQuestionsSet",
        "DeviceBound",
        "AccountActivated",
    ]);
    let claims: Vec<_> = then
        .decision
        .claims
        .iter()
        .map(|c| (c.claim, c.take))
        .collect();
    assert_eq!(claims, [(Claim::Device(device(1).device), true)]);
    assert!(s.account.is_activated() && s.account.activation.attempt.is_none());
}

#[test]
fn without_an_account_before_the_password_comes_in_between() {
    let mut s = level2();
    assert!(s.account.credentials.password.is_none());
    confirm_activation(&mut s);
    s.when(
        Role::Citizen,
        &Command::SetPasscode {
            verifier: verifier(),
        },
    )
    .refused(G::ActivationStep, C::StepOutOfOrder, &[]);
    s.when(
        Role::Citizen,
        &Command::SetPassword {
            verifier: verifier(),
        },
    )
    .accepted(&["PasswordSet"]);
    assert!(!s.account.is_activated());
    assert!(activate(level2()).account.is_activated());
}

#[test]
fn another_s_device_is_taken_over_only_by_policy_and_with_a_second_proof() {
    let other = AccountId([9; 16]);
    let ask = Command::RequestActivation {
        matched: true,
        device: device(1),
        step_up: Some(StepUpMethod::ChipRead),
    };
    let mut s = level1();
    s.world.device_holder = Holder::Other(other);
    s.world.step_up = Some(true);
    s.when(Role::Citizen, &ask)
        .refused(G::DeviceCheck, C::UseOtherDevice, &[]);
    s.world.policy.bound_device_activation = BoundDeviceActivation::TransferWithStepUp;
    s.when(Role::Citizen, &request_activation())
        .refused(G::StepUp, C::StepUpFailed, &[]);
    // `Context::step_up` is an officer's word: a citizen's own is none.
    s.when(Role::Citizen, &ask)
        .refused(G::StepUp, C::StepUpFailed, &[]);
    s.world.key = Some(device(1).key.id());
    s.world.chip = verified(&[ChipFault::CardExpired]);
    s.when(Role::Citizen, &ask)
        .refused(G::StepUp, C::StepUpFailed, &["ChipVerified"]);
    s.world.chip = verified(&[]);
    s.when(Role::Citizen, &ask).accepted(&[
        "ChipVerified",
        "ActivationRequested",
        "StepUpSatisfied",
        "OtpChallengeIssued",
        "ActivationCodeSent",
    ]);
    let challenge = challenge(&s, OtpPurpose::Activation);
    s.when(Role::Citizen, &Command::ConfirmActivationOtp { challenge });
    s.when(
        Role::Citizen,
        &Command::SetPasscode {
            verifier: verifier(),
        },
    );
    let then = s.when(Role::Citizen, &questions()).accepted(&[
        "SecurityQuestionsSet",
        "DeviceBound",
        "AccountActivated",
    ]);
    // The other account's binding goes first, by its own signed event, and its holder is told.
    let unlink = Command::UnlinkDevice {
        reason: UnbindReason::Transferred,
    };
    assert!(then.decision.first == [(other, unlink.clone())]);
    let mut others = activate(level1());
    let then = others
        .when(Role::Ledger, &unlink)
        .accepted(&["DeviceUnbound"]);
    assert_eq!(then.decision.send[0].message, Message::DeviceChanged);
    assert!(others.account.is_activated() && others.account.device.is_none());
}

#[test]
fn an_officer_lets_who_stands_before_them_take_a_device_over() {
    let by = |step_up| Command::RequestActivation {
        matched: true,
        device: device(1),
        step_up,
    };
    let in_person = by(Some(StepUpMethod::InPerson));
    let mut s = level1();
    s.world.device_holder = Holder::Other(AccountId([9; 16]));
    s.when(Role::IntakeOfficer, &in_person)
        .refused(G::DeviceCheck, C::UseOtherDevice, &[]);
    s.world.policy.bound_device_activation = BoundDeviceActivation::TransferWithStepUp;
    // Without saying that the person is there, or saying that they are not, an officer proves nothing.
    for step_up in [None, Some(StepUpMethod::ChipRead)] {
        s.when(Role::IntakeOfficer, &by(step_up))
            .refused(G::StepUp, C::StepUpFailed, &[]);
    }
    s.world.step_up = Some(false);
    s.when(Role::IntakeOfficer, &in_person)
        .refused(G::StepUp, C::StepUpFailed, &[]);
    s.world.step_up = Some(true);
    s.when(Role::Citizen, &in_person)
        .refused(G::StepUp, C::StepUpFailed, &[]);
    let officer = s.world.officer.take();
    s.when(Role::IntakeOfficer, &in_person).refused(
        G::OfficerAuthorised,
        C::OfficerNotAuthorised,
        &[],
    );
    s.world.officer = officer;
    let mut free = s.clone();
    s.when(Role::IntakeOfficer, &in_person).accepted(&[
        "ActivationRequested",
        "StepUpSatisfied",
        "OtpChallengeIssued",
        "ActivationCodeSent",
    ]);
    free.world.device_holder = Holder::Free;
    free.when(Role::IntakeOfficer, &in_person).accepted(&[
        "ActivationRequested",
        "StepUpSatisfied",
        "DeviceCheckPassed",
        "OtpChallengeIssued",
        "ActivationCodeSent",
    ]);
}

#[test]
fn a_device_taken_meanwhile_stops_the_last_step_and_leaves_nothing() {
    let mut s = level1();
    confirm_activation(&mut s);
    s.when(
        Role::Citizen,
        &Command::SetPasscode {
            verifier: verifier(),
        },
    );
    s.world.device_holder = Holder::Other(AccountId([9; 16]));
    s.when(Role::Citizen, &questions())
        .refused(G::DeviceCheck, C::UseOtherDevice, &[]);
    assert!(!s.account.is_activated() && s.account.credentials.questions.is_none());
}

#[test]
fn seven_days_whole_then_the_hotline() {
    let mut s = level1();
    let ActivationPhase::WindowOpen { deadline } = s.account.activation.phase else {
        panic!("{:?}", s.account.activation)
    };
    // Told on 5 March: 12 March counts whole, overdue from the 13th at 00:00 in Viet Nam.
    assert_eq!(
        crate::calendar::day_text(deadline.local_day()),
        "2024-03-13"
    );
    assert_eq!(deadline, crate::calendar::start_of(deadline.local_day()));
    let assist = |proof_given| Command::AssistActivation { proof_given };
    s.world.now = deadline.plus(-1);
    s.when(Role::Clock, &Command::ExpireActivationWindow)
        .refused(G::DeadlinePassed, C::DeadlineNotPassed, &[]);
    s.when(Role::HotlineAgent, &assist(true))
        .refused(G::WindowOverdue, C::WindowNotOverdue, &[]);
    confirm_activation(&mut s);
    s.world.now = deadline;
    s.when(
        Role::Citizen,
        &Command::SetPasscode {
            verifier: verifier(),
        },
    )
    .refused(
        G::WindowOpen,
        C::ActivationWindowEnded,
        &["ActivationWindowExpired"],
    );
    s.when(Role::Clock, &Command::ExpireActivationWindow)
        .refused(G::WindowOpen, C::DeadlineNotPassed, &[]);
    s.when(Role::Citizen, &request_activation()).refused(
        G::WindowOpen,
        C::ActivationWindowEnded,
        &[],
    );
    s.when(Role::Citizen, &assist(true))
        .refused(G::RoleAllowed, C::RoleNotAllowed, &[]);
    s.when(Role::HotlineAgent, &assist(false))
        .refused(G::StepUp, C::ProofFailed, &[]);
    s.when(Role::HotlineAgent, &assist(true))
        .accepted(&["ActivationReopened"]);
    assert!(activate(s).account.is_activated());
    let mut s = level1();
    s.world.now = deadline;
    s.when(Role::Clock, &Command::ExpireActivationWindow)
        .accepted(&["ActivationWindowExpired"]);
    assert!(matches!(
        s.account.activation.phase,
        ActivationPhase::Overdue { .. }
    ));
}

#[test]
fn before_the_notice_there_is_no_window() {
    let mut s = app_account();
    s.when(Role::Citizen, &apply_level1());
    let case = case(&s);
    s.when(
        Role::EidAuthority,
        &Command::DecideApplication { case, refuse: None },
    );
    s.when(Role::Citizen, &request_activation())
        .refused(G::WindowOpen, C::ResultNotNotified, &[]);
}
