//! P8: another phone number. One number, one account (spec 0.4).

use super::judge::{Judge, Verdict};
use super::level2::staff_active;
use super::registration::phone_free;
use crate::command::{Claim, Holder};
use crate::event::{OtpVerified, PhoneChangeRequested, PhoneChanged, PhoneVerified};
use crate::identity::Phone;
use crate::ids::{ChallengeId, LookupHash};
use crate::personal::Personal;
use crate::vocabulary::{
    Guard, Message, OtpPurpose, RefusalCode, RetentionClass, Role, StepUpMethod,
};

/// A second proof; then a code to the new number.
pub(super) fn request(
    judge: &mut Judge<'_, '_>,
    phone: &str,
    hash: LookupHash,
    method: StepUpMethod,
) -> Verdict {
    staff_active(judge)?;
    let account = judge.account;
    judge.guard(
        Guard::AccountMatch,
        account.exists(),
        RefusalCode::AccountNotFound,
    )?;
    judge.unlocked()?;
    let good = Phone::try_from(phone).is_ok();
    judge.guard(Guard::PhoneFormat, good, RefusalCode::PhoneFormat)?;
    judge.passcode_if_given()?;
    let proven = is_proven(judge, method);
    judge.guard(Guard::StepUp, proven, RefusalCode::StepUpFailed)?;
    new_number(judge)?;
    judge.may_resend(account.challenge_for(OtpPurpose::PhoneChange))?;
    let asked = PhoneChangeRequested { phone: hash };
    // Only while it is being changed: the number that is changed to is kept by `PhoneChanged`.
    // Kept only while it is being changed (`PhoneChanged` keeps the number changed to). Where
    // short-lived data were erased, nothing can be sealed under their key any more.
    let short = !account.erased.contains(&RetentionClass::Short);
    let class = if short {
        RetentionClass::Short
    } else {
        RetentionClass::Permanent
    };
    judge.record_with(asked, class, Personal::Phone(phone.to_owned()));
    judge.step_up_satisfied(method);
    judge.send_code(OtpPurpose::PhoneChange, Message::OtpSent, true);
    Ok(())
}

/// Who asks decides which proof counts.
fn is_proven(judge: &Judge<'_, '_>, method: StepUpMethod) -> bool {
    let checked = judge.context.step_up == Some(true);
    match (judge.role(), method) {
        // The bound device signed the request itself.
        (Role::Citizen, StepUpMethod::BoundDevice) => {
            let bound = judge.account.device.as_ref().map(|bound| bound.key.id());
            bound.is_some() && bound == judge.context.actor.key
        }
        (Role::Citizen, StepUpMethod::ChipRead | StepUpMethod::CodeOnOldDevice)
        | (Role::HotlineAgent, StepUpMethod::Hotline) => checked,
        (Role::IntakeOfficer, StepUpMethod::InPerson) => judge.context.step_up != Some(false),
        _ => false,
    }
}

/// Nobody's, and not the one the account has already.
fn new_number(judge: &mut Judge<'_, '_>) -> Verdict {
    let free = matches!(judge.context.phone_holder, Holder::Free | Holder::NotAsked);
    judge.guard(Guard::PhoneFree, free, RefusalCode::PhoneInUse)
}

/// The code came back: changed, and the old number is told.
pub(super) fn confirm(judge: &mut Judge<'_, '_>, challenge: ChallengeId) -> Verdict {
    staff_active(judge)?;
    judge.unlocked()?;
    let account = judge.account;
    let pending = account.phone_change.as_ref().zip(judge.context.new_phone);
    let (pending, number) =
        judge.require(Guard::ActivationStep, pending, RefusalCode::StepOutOfOrder)?;
    judge.otp(challenge, OtpPurpose::PhoneChange)?;
    phone_free(judge)?;
    judge.record(OtpVerified {
        challenge,
        purpose: OtpPurpose::PhoneChange,
    });
    judge.record(PhoneVerified { challenge });
    let old = judge.context.phone_hash;
    let changed = PhoneChanged {
        old: old.unwrap_or(LookupHash::ZERO),
        new: pending.phone,
    };
    judge.record_with(
        changed,
        RetentionClass::Permanent,
        Personal::Phone(number.to_owned()),
    );
    let holder = judge.context.phone_holder;
    judge.take(Claim::PhoneHash(pending.phone), holder);
    if let Some(old) = old.filter(|old| *old != pending.phone) {
        judge.release(Claim::PhoneHash(old));
    }
    judge.notify(Message::PhoneChanged);
    Ok(())
}
