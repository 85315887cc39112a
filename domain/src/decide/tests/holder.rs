//! P8, P9 and documents: what an account holder does.

use super::*;
use crate::command::{Claim, DocumentAnswer};
use crate::ids::{AccountId, DocumentId, LookupHash};
use crate::law::{DocumentKinds, LawContent};
use crate::testing::NOON;
use crate::vocabulary::{
    DocumentKind, Guard as G, LinkOutcome, Message, RefusalCode as C, RetentionClass, StepUpMethod,
    UnbindReason,
};

fn ask_device() -> Command {
    Command::RequestDeviceChange { device: device(2) }
}

fn confirm_device(s: &Scenario, method: StepUpMethod) -> Command {
    let challenge = Some(challenge(s, OtpPurpose::DeviceChange));
    Command::ConfirmDeviceChange { method, challenge }
}

#[test]
fn p9_by_the_code_on_the_old_device() {
    let mut s = activate(level1());
    s.when(
        Role::Citizen,
        &Command::RequestDeviceChange { device: device(1) },
    )
    .refused(G::DeviceKnown, C::StepOutOfOrder, &[]);
    s.when(Role::Citizen, &ask_device())
        .accepted(&["DeviceChangeRequested", "OtpChallengeIssued"]);
    let confirm = confirm_device(&s, StepUpMethod::CodeOnOldDevice);
    // The code without the old device, or from the new one, is no code on the old device.
    for key in [None, Some(device(2).key.id())] {
        s.world.key = key;
        s.when(Role::Citizen, &confirm)
            .refused(G::StepUp, C::StepUpFailed, &[]);
    }
    s.world.key = Some(device(1).key.id());
    let then = s.when(Role::Citizen, &confirm).accepted(&[
        "StepUpSatisfied",
        "DeviceUnbound",
        "DeviceBound",
    ]);
    let claims: Vec<_> = then
        .decision
        .claims
        .iter()
        .map(|c| (c.claim, c.take))
        .collect();
    let (old, new) = (device(1).device, device(2).device);
    assert_eq!(
        claims,
        [(Claim::Device(old), false), (Claim::Device(new), true)]
    );
    assert_eq!(then.decision.send[0].message, Message::DeviceChanged);
    assert!(s.account.is_activated() && s.account.device.as_ref().unwrap().device == new);
    s.when(Role::Citizen, &confirm)
        .refused(G::ActivationStep, C::StepOutOfOrder, &[]);
}

#[test]
fn p9_needs_a_proof_that_counts() {
    let mut s = activate(level1());
    s.world.key = Some(device(1).key.id());
    s.when(Role::Citizen, &ask_device());
    for method in [
        StepUpMethod::InPerson,
        StepUpMethod::Hotline,
        StepUpMethod::BoundDevice,
    ] {
        let confirm = confirm_device(&s, method);
        s.when(Role::Citizen, &confirm)
            .refused(G::StepUp, C::StepUpFailed, &[]);
    }
    let bare = |method| Command::ConfirmDeviceChange {
        method,
        challenge: None,
    };
    for method in [StepUpMethod::CodeOnOldDevice, StepUpMethod::ChipRead] {
        s.when(Role::Citizen, &bare(method))
            .refused(G::StepUp, C::StepUpFailed, &[]);
    }
    s.world.otp_right = Some(false);
    let confirm = confirm_device(&s, StepUpMethod::CodeOnOldDevice);
    s.when(Role::Citizen, &confirm)
        .refused(G::OtpCode, C::OtpWrong, &[]);
    s.world.otp_right = Some(true);
    s.world.device_holder = Holder::Other(AccountId([9; 16]));
    let confirm = confirm_device(&s, StepUpMethod::CodeOnOldDevice);
    s.when(Role::Citizen, &confirm)
        .refused(G::DeviceCheck, C::UseOtherDevice, &[]);
    s.world.device_holder = Holder::Free;
    let mut desk = s.clone();
    desk.when(Role::IntakeOfficer, &bare(StepUpMethod::InPerson))
        .accepted(&["StepUpSatisfied", "DeviceUnbound", "DeviceBound"]);
    let mut desk = s.clone();
    desk.world.step_up = Some(false);
    desk.when(Role::IntakeOfficer, &bare(StepUpMethod::InPerson))
        .refused(G::StepUp, C::StepUpFailed, &[]);
    level1()
        .when(Role::Citizen, &ask_device())
        .refused(G::Activated, C::NotActivated, &[]);
}

#[test]
fn p9_by_a_read_of_the_chip() {
    let mut s = activate(level1());
    s.when(Role::Citizen, &ask_device());
    s.world.key = Some(device(2).key.id());
    let confirm = confirm_device(&s, StepUpMethod::ChipRead);
    // What somebody says of a read is no read; and one that is not genuine is recorded and counts for nothing.
    s.world.step_up = Some(true);
    s.when(Role::Citizen, &confirm)
        .refused(G::StepUp, C::StepUpFailed, &[]);
    s.world.chip = verified(&[ChipFault::HolderMismatch]);
    let then = s.when(Role::Citizen, &confirm);
    let then = then.refused(G::StepUp, C::StepUpFailed, &["ChipVerified"]);
    assert_eq!(then.decision.events[0].sealed[0].0, RetentionClass::Short);
    // Nor does a read that no device signed for, one without the code, or one with a wrong code.
    s.world.chip = verified(&[]);
    s.world.key = None;
    s.when(Role::Citizen, &confirm)
        .refused(G::StepUp, C::StepUpFailed, &["ChipVerified"]);
    s.world.key = Some(device(2).key.id());
    let bare = Command::ConfirmDeviceChange {
        method: StepUpMethod::ChipRead,
        challenge: None,
    };
    s.when(Role::Citizen, &bare)
        .refused(G::StepUp, C::StepUpFailed, &["ChipVerified"]);
    s.world.otp_right = Some(false);
    s.when(Role::Citizen, &confirm)
        .refused(G::OtpCode, C::OtpWrong, &["ChipVerified"]);
    s.world.otp_right = Some(true);
    let then = s.when(Role::Citizen, &confirm).accepted(&[
        "ChipVerified",
        "StepUpSatisfied",
        "DeviceUnbound",
        "DeviceBound",
    ]);
    assert_eq!(then.decision.events[0].sealed[0].0, RetentionClass::Usage);
}

#[test]
fn a_device_is_unlinked_by_whom_it_says() {
    let mut s = activate(level1());
    let unlink = |reason| Command::UnlinkDevice { reason };
    s.when(Role::Citizen, &unlink(UnbindReason::ByOfficer))
        .refused(G::RoleAllowed, C::RoleNotAllowed, &[]);
    s.world.credential_right = Some(false);
    s.when(Role::Citizen, &unlink(UnbindReason::ByHolder))
        .refused(G::CredentialRight, C::CredentialWrong, &[]);
    assert_eq!(s.account.credentials.wrong_passcodes, 1);
    for _ in 1..10 {
        s.when(Role::Citizen, &unlink(UnbindReason::ByHolder));
    }
    s.world.credential_right = Some(true);
    s.when(Role::Citizen, &unlink(UnbindReason::ByHolder))
        .refused(G::NotThrottled, C::Throttled, &[]);
    s.world.credential_right = None;
    s.when(Role::HotlineAgent, &unlink(UnbindReason::ByHotline))
        .accepted(&["DeviceUnbound"]);
    s.when(Role::IntakeOfficer, &unlink(UnbindReason::ByOfficer))
        .refused(G::DeviceBound, C::DeviceNotBound, &[]);
    assert!(s.account.is_activated());
}

fn ask_phone(method: StepUpMethod) -> Command {
    Command::RequestPhoneChange {
        phone: "+84987654321".into(),
        hash: LookupHash([2; 16]),
        method,
    }
}

#[test]
fn p8_on_the_bound_device() {
    let mut s = activate(level1());
    s.when(Role::Citizen, &ask_phone(StepUpMethod::BoundDevice))
        .refused(G::StepUp, C::StepUpFailed, &[]);
    s.world.key = Some(device(1).key.id());
    let mut taken = s.clone();
    taken.world.phone_holder = Holder::Other(AccountId([9; 16]));
    taken
        .when(Role::Citizen, &ask_phone(StepUpMethod::BoundDevice))
        .refused(G::PhoneFree, C::PhoneInUse, &[]);
    let then = s
        .when(Role::Citizen, &ask_phone(StepUpMethod::BoundDevice))
        .accepted(&[
            "PhoneChangeRequested",
            "StepUpSatisfied",
            "OtpChallengeIssued",
        ]);
    assert!(then.decision.send[0].to_new_phone);
    assert_eq!(
        s.account.phone_change.as_ref().unwrap().method,
        Some(StepUpMethod::BoundDevice)
    );
    let challenge = challenge(&s, OtpPurpose::PhoneChange);
    let confirm = Command::ConfirmPhoneChange { challenge };
    let mut late = s.clone();
    late.world.phone_holder = Holder::Other(AccountId([9; 16]));
    late.when(Role::Citizen, &confirm)
        .refused(G::PhoneFree, C::PhoneInUse, &[]);
    let then =
        s.when(Role::Citizen, &confirm)
            .accepted(&["OtpVerified", "PhoneVerified", "PhoneChanged"]);
    let claims: Vec<_> = then
        .decision
        .claims
        .iter()
        .map(|c| (c.claim, c.take))
        .collect();
    let (old, new) = (LookupHash([1; 16]), LookupHash([2; 16]));
    assert_eq!(
        claims,
        [
            (Claim::PhoneHash(new), true),
            (Claim::PhoneHash(old), false)
        ]
    );
    // The old number is told.
    let notice = then.decision.send[0];
    assert!(notice.message == Message::PhoneChanged && !notice.to_new_phone);
    s.when(Role::Citizen, &confirm)
        .refused(G::ActivationStep, C::StepOutOfOrder, &[]);
}

#[test]
fn p8_by_others_and_with_a_bad_number() {
    let mut s = activate(level1());
    for (role, method) in [
        (Role::Citizen, StepUpMethod::InPerson),
        (Role::IntakeOfficer, StepUpMethod::Hotline),
        (Role::HotlineAgent, StepUpMethod::Hotline),
        (Role::Citizen, StepUpMethod::ChipRead),
    ] {
        s.when(role, &ask_phone(method))
            .refused(G::StepUp, C::StepUpFailed, &[]);
    }
    let bad = Command::RequestPhoneChange {
        phone: "12".into(),
        hash: LookupHash([2; 16]),
        method: StepUpMethod::InPerson,
    };
    s.when(Role::IntakeOfficer, &bad)
        .refused(G::PhoneFormat, C::PhoneFormat, &[]);
    let asked = [
        "PhoneChangeRequested",
        "StepUpSatisfied",
        "OtpChallengeIssued",
    ];
    s.clone()
        .when(Role::IntakeOfficer, &ask_phone(StepUpMethod::InPerson))
        .accepted(&asked);
    s.world.step_up = Some(true);
    s.when(Role::HotlineAgent, &ask_phone(StepUpMethod::Hotline))
        .accepted(&asked);
}

fn link(kind: DocumentKind, number: &str) -> Command {
    Command::LinkDocument {
        kind,
        number: number.into(),
    }
}

#[test]
fn a_document_is_linked_when_its_registry_says_so() {
    let licence = link(DocumentKind::DrivingLicence, "030012345678");
    let mut s = activate(level2());
    s.when(Role::Citizen, &link(DocumentKind::DrivingLicence, "1"))
        .refused(G::DocumentFormat, C::DocumentFormat, &[]);
    let failed = ["DocumentLinkRequested", "DocumentLinkFailed"];
    for (outcome, guard, code) in [
        (
            LinkOutcome::NotFound,
            G::RegistryVerified,
            C::RegistryNotFound,
        ),
        (
            LinkOutcome::Mismatch,
            G::RegistryVerified,
            C::RegistryMismatch,
        ),
        (
            LinkOutcome::NoLongerValid,
            G::RegistryVerified,
            C::RegistryMismatch,
        ),
        (LinkOutcome::OwnerMismatch, G::OwnerMatch, C::OwnerMismatch),
    ] {
        s.world.document = Some(DocumentAnswer::Not(outcome));
        s.when(Role::Citizen, &licence)
            .refused(guard, code, &failed);
    }
    s.world.document = Some(DocumentAnswer::Verified { data_as_of: NOON });
    s.when(Role::IntakeOfficer, &licence)
        .accepted(&["DocumentLinkRequested", "DocumentLinked"]);
    s.when(Role::Citizen, &licence)
        .refused(G::DocumentNew, C::DocumentAlreadyLinked, &[]);
    let document = s.account.documents[0].id;
    let refresh = |outcome| Command::RefreshDocument {
        document,
        data_as_of: NOON,
        outcome,
    };
    s.when(Role::RegistryAdapter, &refresh(None))
        .accepted(&["DocumentRefreshed"]);
    s.clone()
        .when(Role::Citizen, &Command::UnlinkDocument { document })
        .accepted(&["DocumentUnlinked"]);
    s.when(
        Role::RegistryAdapter,
        &refresh(Some(LinkOutcome::NoLongerValid)),
    )
    .accepted(&["DocumentLinkBroken"]);
    s.when(Role::Citizen, &Command::UnlinkDocument { document })
        .refused(G::DocumentLinked, C::DocumentNotLinked, &[]);
    s.when(
        Role::RegistryAdapter,
        &Command::RefreshDocument {
            document: DocumentId([8; 16]),
            data_as_of: NOON,
            outcome: None,
        },
    )
    .refused(G::DocumentLinked, C::DocumentNotLinked, &[]);
}

#[test]
fn documents_need_the_level_and_have_a_limit() {
    let car = link(DocumentKind::VehicleRegistration, "34A-123.45");
    let mut s = activate(level1());
    s.when(Role::Citizen, &car)
        .refused(G::LevelSufficient, C::LevelTooLow, &[]);
    s.world.policy.document_link_level = crate::vocabulary::Level::One;
    for _ in 0..crate::account::DOCUMENTS_MAX {
        s.when(Role::Citizen, &car)
            .accepted(&["DocumentLinkRequested", "DocumentLinked"]);
    }
    s.when(Role::Citizen, &car)
        .refused(G::DocumentNew, C::DocumentLimit, &[]);
    let kinds = DocumentKinds { kinds: Vec::new() };
    s.world.law = s.world.law.with(LawContent::Documents(kinds));
    s.when(Role::Citizen, &car)
        .refused(G::DocumentFormat, C::DocumentFormat, &[]);
}
