//! P9: the device an account acts with. At most one per account, and one account per device.

use super::judge::{Judge, Verdict};
use super::level1::record_chip;
use super::level2::{officer_at, staff_active};
use crate::command::{Claim, Command, DeviceInfo, Holder};
use crate::event::{DeviceBound, DeviceChangeRequested, DeviceUnbound};
use crate::ids::{ChallengeId, DeviceRef, PublicKey};
use crate::personal::Personal;
use crate::policy::BoundDeviceActivation;
use crate::vocabulary::{
    Guard, Message, OtpPurpose, RefusalCode, RetentionClass, Role, StepUpMethod, UnbindReason,
};

/// A device about to be bound.
#[derive(Clone, Copy)]
pub(super) struct Bind {
    pub device: DeviceRef,
    pub key: PublicKey,
}

impl DeviceInfo {
    /// What is sealed of it.
    pub(super) fn sealed(&self) -> Personal {
        Personal::Device {
            identifier: self.identifier.clone(),
            model: self.model.clone(),
        }
    }
}

/// Binds a device: unbinds the old one, claims the new one, and has another account's binding
/// dissolved first, where policy let it be taken over (the guards ran before).
pub(super) fn bind(judge: &mut Judge<'_, '_>, new: Bind) {
    let account = judge.account;
    if let Some(old) = account
        .device
        .as_ref()
        .filter(|old| old.device != new.device)
    {
        judge.record(DeviceUnbound {
            device: old.device,
            reason: UnbindReason::Changed,
        });
        judge.release(Claim::Device(old.device));
    }
    let holder = judge.context.device_holder;
    if let Holder::Other(other) = holder {
        judge.first(
            other,
            Command::UnlinkDevice {
                reason: UnbindReason::Transferred,
            },
        );
    }
    judge.record(DeviceBound {
        device: new.device,
        key: new.key,
    });
    judge.take(Claim::Device(new.device), holder);
}

/// Asks to move to another device; a code goes out.
pub(super) fn request(judge: &mut Judge<'_, '_>, device: &DeviceInfo) -> Verdict {
    staff_active(judge)?;
    judge.unlocked()?;
    let account = judge.account;
    judge.guard(
        Guard::Activated,
        account.is_activated(),
        RefusalCode::NotActivated,
    )?;
    let other = account
        .device
        .as_ref()
        .is_none_or(|bound| bound.device != device.device);
    judge.guard(Guard::DeviceKnown, other, RefusalCode::StepOutOfOrder)?;
    not_of_another(judge)?;
    judge.may_resend(account.challenge_for(OtpPurpose::DeviceChange))?;
    let asked = DeviceChangeRequested {
        device: device.device,
        key: device.key,
    };
    judge.record_with(asked, RetentionClass::Usage, device.sealed());
    judge.send_code(OtpPurpose::DeviceChange, Message::OtpSent, false);
    Ok(())
}

/// With a second proof: the code on the old device, the chip, or in person (spec A.8). The code alone counts
/// only where the old device's own key signs; with a read of the chip, which shows that the card's data are
/// genuine and not that the card is there, it comes from whichever device.
pub(super) fn confirm(
    judge: &mut Judge<'_, '_>,
    method: StepUpMethod,
    challenge: Option<ChallengeId>,
) -> Verdict {
    staff_active(judge)?;
    judge.unlocked()?;
    let account = judge.account;
    judge.guard(
        Guard::Activated,
        account.is_activated(),
        RefusalCode::NotActivated,
    )?;
    let pending = account.device_change.as_ref();
    let pending = judge.require(Guard::ActivationStep, pending, RefusalCode::StepOutOfOrder)?;
    step_up(judge, method, challenge)?;
    not_of_another(judge)?;
    judge.step_up_satisfied(method);
    bind(
        judge,
        Bind {
            device: pending.device,
            key: pending.key,
        },
    );
    judge.notify(Message::DeviceChanged);
    Ok(())
}

fn step_up(
    judge: &mut Judge<'_, '_>,
    method: StepUpMethod,
    challenge: Option<ChallengeId>,
) -> Verdict {
    let holds = match (method, judge.role()) {
        (StepUpMethod::CodeOnOldDevice, Role::Citizen) => {
            let bound = judge.account.device.as_ref().map(|bound| bound.key.id());
            let by_it = bound.is_some() && bound == judge.context.actor.key;
            by_it && challenge.is_some()
        }
        (StepUpMethod::ChipRead, Role::Citizen) => {
            let read = shown(judge, method);
            read && challenge.is_some()
        }
        _ => shown(judge, method),
    };
    if let (true, Some(challenge)) = (holds, challenge) {
        judge.otp(challenge, OtpPurpose::DeviceChange)?;
    }
    judge.guard(Guard::StepUp, holds, RefusalCode::StepUpFailed)
}

/// Whether a second proof that needs no code was given, and who asks may give it: a read of the holder's
/// chip, verified here, in a request that a device signed; or an officer's own signature that the person
/// is there. What came of a read is recorded also where it is not good.
pub(super) fn shown(judge: &mut Judge<'_, '_>, method: StepUpMethod) -> bool {
    match (method, judge.role()) {
        (StepUpMethod::ChipRead, Role::Citizen) => {
            let Some(answer) = judge.context.chip.take() else {
                return false;
            };
            let good = answer.proof.is_good() && judge.context.actor.key.is_some();
            let class = if good {
                RetentionClass::Usage
            } else {
                RetentionClass::Short
            };
            record_chip(judge, None, class, answer);
            good
        }
        // Unless they say that it failed.
        (StepUpMethod::InPerson, Role::IntakeOfficer) => judge.context.step_up != Some(false),
        _ => false,
    }
}

/// The new device is no other account's, or may be taken over with the second proof (C-09).
fn not_of_another(judge: &mut Judge<'_, '_>) -> Verdict {
    let others = matches!(judge.context.device_holder, Holder::Other(_));
    let transfer =
        judge.policy().bound_device_activation == BoundDeviceActivation::TransferWithStepUp;
    judge.guard(
        Guard::DeviceCheck,
        !others || transfer,
        RefusalCode::UseOtherDevice,
    )
}

/// Takes the device off the account. A locked account's too: that protects its holder.
pub(super) fn unlink(judge: &mut Judge<'_, '_>, reason: UnbindReason) -> Verdict {
    let own = match judge.role() {
        Role::Citizen => reason == UnbindReason::ByHolder,
        Role::IntakeOfficer => reason == UnbindReason::ByOfficer,
        Role::HotlineAgent => reason == UnbindReason::ByHotline,
        _ => reason == UnbindReason::Transferred,
    };
    judge.guard(Guard::RoleAllowed, own, RefusalCode::RoleNotAllowed)?;
    if judge.role() != Role::Citizen && judge.role() != Role::Ledger {
        officer_at(judge, None)?;
    }
    judge.passcode_if_given()?;
    let bound = judge.account.device.as_ref().map(|bound| bound.device);
    let device = judge.require(Guard::DeviceBound, bound, RefusalCode::DeviceNotBound)?;
    judge.record(DeviceUnbound { device, reason });
    judge.release(Claim::Device(device));
    judge.notify(Message::DeviceChanged);
    Ok(())
}
