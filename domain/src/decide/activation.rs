//! P7: activation, in the letter's order (S003 steps 6 and 7).

use super::dependant::guardian_acts;
use super::device::{Bind, bind, shown};
use super::judge::{Judge, Verdict};
use super::level2::{officer_at, staff_active};
use super::registration::by_email;
use crate::account::ActivationPhase;
use crate::calendar::start_of;
use crate::command::{CredentialForm, DeviceInfo, Holder};
use crate::event::{
    AccountActivated, ActivationCodeSent, ActivationOtpVerified, ActivationReopened,
    ActivationRequested, ActivationWindowExpired, DeviceCheckPassed, GuardianDeviceUsed,
    PasscodeSet, SecurityQuestionsSet,
};
use crate::ids::{AccountId, ChallengeId, LocalDay, Micros, VerifierId};
use crate::policy::BoundDeviceActivation;
use crate::vocabulary::{
    Guard, Message, OtpPurpose, QuestionId, RefusalCode, RetentionClass, Role, StepUpMethod,
};

/// What this command adds to what activation needs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Just {
    Otp,
    Password,
    Passcode,
    Questions,
}

/// First instant at which a window is overdue: the day of receipt does not count, and the last of
/// the days counts whole (local calendar days, spec B.3).
pub(super) const fn deadline(received_at: Micros, days: u8) -> Micros {
    let day = received_at
        .local_day()
        .0
        .saturating_add(days as i32)
        .saturating_add(1);
    start_of(LocalDay(day))
}

/// P7 steps 2–5. Number and phone were matched and the account is open; then, and only in this order:
/// the level, whether it is active already, the device. The window and locks come after the letter's
/// checks, so that none of its messages is hidden by them. An officer asks for a person who stands before
/// them, and only with that as the second proof.
pub(super) fn request(
    judge: &mut Judge<'_, '_>,
    device: &DeviceInfo,
    step_up: Option<StepUpMethod>,
) -> Verdict {
    guardian_acts(judge)?;
    let account = judge.account;
    staff_active(judge)?;
    judge.guard(
        Guard::LevelCheck,
        account.level().is_some(),
        RefusalCode::NotIdentified,
    )?;
    not_activated(judge)?;
    let guardian = guardian_device(judge, device)?;
    let taken_over = match guardian {
        Some(_) => None,
        None => device_check(judge, step_up)?,
    };
    in_window(judge)?;
    judge.unlocked()?;
    let reachable = judge
        .context
        .person
        .is_none_or(|person| !person.phone.is_empty() || by_email(judge, person));
    judge.guard(Guard::ChannelKnown, reachable, RefusalCode::NoChannel)?;
    judge.may_resend(account.challenge_for(OtpPurpose::Activation))?;
    let asked = ActivationRequested {
        device: device.device,
        key: device.key,
    };
    judge.record_with(asked, RetentionClass::Usage, device.sealed());
    if let Some(guardian) = guardian {
        judge.record(GuardianDeviceUsed {
            guardian,
            device: device.device,
        });
    }
    if let Some(method) = taken_over {
        judge.step_up_satisfied(method);
    }
    if !matches!(judge.context.device_holder, Holder::Other(_)) {
        judge.record(DeviceCheckPassed {
            device: device.device,
        });
    }
    send_activation_code(judge);
    Ok(())
}

/// Decree 69 art. 10: a guardian activates with their own account and their own number. The device is
/// the one bound to that account, with its very key; one device belongs to one account, so it is looked
/// at here and never bound.
fn guardian_device(
    judge: &mut Judge<'_, '_>,
    device: &DeviceInfo,
) -> Result<Option<AccountId>, super::judge::No> {
    if judge.role() != Role::Guardian {
        return Ok(None);
    }
    let bound = judge.context.guardian.and_then(|facts| facts.device);
    let own = bound == Some((device.device, device.key));
    judge.guard(Guard::DeviceCheck, own, RefusalCode::UseOtherDevice)?;
    Ok(Some(AccountId(judge.context.actor.principal.0)))
}

/// P7 step 4, by policy (C-09). Gives the second proof, where the device is to be taken over.
fn device_check(
    judge: &mut Judge<'_, '_>,
    step_up: Option<StepUpMethod>,
) -> Result<Option<StepUpMethod>, super::judge::No> {
    let others = matches!(judge.context.device_holder, Holder::Other(_));
    let reject = judge.policy().bound_device_activation == BoundDeviceActivation::Reject;
    judge.guard(
        Guard::DeviceCheck,
        !(others && reject),
        RefusalCode::UseOtherDevice,
    )?;
    if !others && judge.role() == Role::Citizen {
        return Ok(None);
    }
    let proven = step_up.filter(|method| shown(judge, *method));
    judge
        .require(Guard::StepUp, proven, RefusalCode::StepUpFailed)
        .map(Some)
}

/// The code to the registered phone.
pub(super) fn send_activation_code(judge: &mut Judge<'_, '_>) {
    let challenge = judge.send_code(OtpPurpose::Activation, Message::ActivationCode, false);
    judge.record(ActivationCodeSent { challenge });
}

/// P7 step 5.
pub(super) fn confirm(judge: &mut Judge<'_, '_>, challenge: ChallengeId) -> Verdict {
    guardian_acts(judge)?;
    not_activated(judge)?;
    in_window(judge)?;
    judge.unlocked()?;
    let begun = judge.account.activation.attempt.is_some();
    judge.guard(Guard::ActivationStep, begun, RefusalCode::StepOutOfOrder)?;
    judge.otp(challenge, OtpPurpose::Activation)?;
    device_still_free(judge, Just::Otp)?;
    judge.record(ActivationOtpVerified { challenge });
    complete(judge, Just::Otp);
    Ok(())
}

/// P7 step 7: after the code, and after the password where there was none.
pub(super) fn set_passcode(judge: &mut Judge<'_, '_>, verifier: VerifierId) -> Verdict {
    after_code(judge)?;
    let password = judge.account.credentials.password.is_some();
    judge.guard(Guard::ActivationStep, password, RefusalCode::StepOutOfOrder)?;
    let form = judge.context.credential_form;
    let digits = matches!(
        form,
        Some(CredentialForm::Good | CredentialForm::OnBlockList)
    );
    judge.guard(Guard::PasscodeFormat, digits, RefusalCode::PasscodeFormat)?;
    let good = form == Some(CredentialForm::Good);
    judge.guard(
        Guard::PasscodeAllowed,
        good,
        RefusalCode::PasscodeBlocklisted,
    )?;
    device_still_free(judge, Just::Passcode)?;
    judge.record(PasscodeSet { verifier });
    complete(judge, Just::Passcode);
    Ok(())
}

/// P7 step 8.
pub(super) fn set_questions(
    judge: &mut Judge<'_, '_>,
    questions: &[QuestionId],
    verifier: VerifierId,
) -> Verdict {
    after_code(judge)?;
    let passcode = judge.account.credentials.passcode.is_some();
    judge.guard(Guard::ActivationStep, passcode, RefusalCode::StepOutOfOrder)?;
    let two = match questions {
        [first, second] if first != second => Some((*first, *second)),
        _ => None,
    };
    // Answers that were found wanting count as not given.
    let answered = judge
        .context
        .credential_form
        .is_none_or(|form| form == CredentialForm::Good);
    let two = two.filter(|_| answered);
    let (first, second) = judge.require(Guard::QuestionCount, two, RefusalCode::QuestionCount)?;
    let known = [first, second]
        .iter()
        .all(|question| QuestionId::ALL.contains(question));
    judge.guard(Guard::QuestionKnown, known, RefusalCode::QuestionUnknown)?;
    device_still_free(judge, Just::Questions)?;
    judge.record(SecurityQuestionsSet {
        first,
        second,
        verifier,
    });
    complete(judge, Just::Questions);
    Ok(())
}

/// What every step after the code needs.
fn after_code(judge: &mut Judge<'_, '_>) -> Verdict {
    guardian_acts(judge)?;
    not_activated(judge)?;
    in_window(judge)?;
    judge.unlocked()?;
    let verified = judge
        .account
        .activation
        .attempt
        .as_ref()
        .is_some_and(|a| a.otp_verified);
    judge.guard(Guard::OtpVerified, verified, RefusalCode::OtpNotVerified)
}

fn not_activated(judge: &mut Judge<'_, '_>) -> Verdict {
    let account = judge.account;
    // What was activated elsewhere sets its credentials here by activating once more.
    let open = !account.is_activated() || account.awaits_credentials();
    judge.guard(Guard::NotActivated, open, RefusalCode::AlreadyActivated)
}

/// The window is open. That it ran out is recorded, if the clock did not yet.
pub(super) fn in_window(judge: &mut Judge<'_, '_>) -> Verdict {
    let now = judge.context.now;
    match judge.account.activation.phase {
        ActivationPhase::WindowOpen { deadline } if now >= deadline => {
            judge.record(ActivationWindowExpired { deadline });
            judge.refuse(Guard::WindowOpen, RefusalCode::ActivationWindowEnded)
        }
        ActivationPhase::Overdue { .. } => {
            judge.refuse(Guard::WindowOpen, RefusalCode::ActivationWindowEnded)
        }
        ActivationPhase::NotNotified => {
            judge.refuse(Guard::WindowOpen, RefusalCode::ResultNotNotified)
        }
        ActivationPhase::WindowOpen { .. } | ActivationPhase::Activated { .. } => {
            judge.guard(Guard::WindowOpen, true, RefusalCode::ActivationWindowEnded)
        }
    }
}

/// Whether this command brings the last thing that was missing.
fn completes(judge: &Judge<'_, '_>, just: Just) -> bool {
    let (credentials, attempt) = (
        &judge.account.credentials,
        &judge.account.activation.attempt,
    );
    (credentials.password.is_some() || just == Just::Password)
        && (credentials.passcode.is_some() || just == Just::Passcode)
        && (credentials.questions.is_some() || just == Just::Questions)
        && attempt
            .as_ref()
            .is_some_and(|attempt| attempt.otp_verified || just == Just::Otp)
}

/// Before the last step is taken: nobody else has the device since it was checked, or it may be
/// taken over.
pub(super) fn device_still_free(judge: &mut Judge<'_, '_>, just: Just) -> Verdict {
    if !completes(judge, just) {
        return Ok(());
    }
    if attempt_of_guardian(judge).is_some() {
        return still_guardian(judge);
    }
    let others = matches!(judge.context.device_holder, Holder::Other(_));
    let stepped_up = judge
        .account
        .activation
        .attempt
        .as_ref()
        .is_some_and(|a| a.step_up);
    let transfer =
        judge.policy().bound_device_activation == BoundDeviceActivation::TransferWithStepUp;
    let may = !others || (transfer && stepped_up);
    judge.guard(Guard::DeviceCheck, may, RefusalCode::UseOtherDevice)
}

fn attempt_of_guardian(judge: &Judge<'_, '_>) -> Option<AccountId> {
    let attempt = judge.account.activation.attempt.as_ref();
    attempt.and_then(|attempt| attempt.guardian)
}

/// Before the last step: whoever began is the dependant's guardian still, whichever way the step came.
fn still_guardian(judge: &mut Judge<'_, '_>) -> Verdict {
    let today = judge.today();
    let known = judge.account.guardian_on(today).map(|known| known.account);
    let facts = judge.context.guardian;
    let linked = facts.is_some_and(|facts| facts.dependant.is_some());
    let same = known.is_some() && known == attempt_of_guardian(judge);
    judge.guard(Guard::IsGuardian, same && linked, RefusalCode::NotGuardian)?;
    let may_act = facts.is_some_and(|facts| facts.may_act);
    judge.guard(Guard::GuardianEntitled, may_act, RefusalCode::LevelTooLow)
}

/// Binds and activates once all is there (spec A.8, automatic).
pub(super) fn complete(judge: &mut Judge<'_, '_>, just: Just) {
    let account = judge.account;
    if let (Some(attempt), Some(level)) = (&account.activation.attempt, account.level())
        && completes(judge, just)
    {
        if attempt.guardian.is_none() {
            bind(
                judge,
                Bind {
                    device: attempt.device,
                    key: attempt.key,
                },
            );
        }
        if !account.is_activated() {
            judge.record(AccountActivated { level });
        }
    }
}

/// The clock: day 7 passed.
pub(super) fn expire(judge: &mut Judge<'_, '_>) -> Verdict {
    not_activated(judge)?;
    let open = match judge.account.activation.phase {
        ActivationPhase::WindowOpen { deadline } => Some(deadline),
        _ => None,
    };
    let deadline = judge.require(Guard::WindowOpen, open, RefusalCode::DeadlineNotPassed)?;
    let passed = judge.context.now >= deadline;
    judge.guard(
        Guard::DeadlinePassed,
        passed,
        RefusalCode::DeadlineNotPassed,
    )?;
    judge.record(ActivationWindowExpired { deadline });
    Ok(())
}

/// The hotline reopens an overdue window after proof of identity (spec 0.6).
pub(super) fn assist(judge: &mut Judge<'_, '_>, proof_given: bool) -> Verdict {
    officer_at(judge, None)?;
    let now = judge.context.now;
    let overdue = judge.account.is_overdue(now);
    judge.guard(Guard::WindowOverdue, overdue, RefusalCode::WindowNotOverdue)?;
    judge.guard(Guard::StepUp, proof_given, RefusalCode::ProofFailed)?;
    if let ActivationPhase::WindowOpen { deadline } = judge.account.activation.phase {
        judge.record(ActivationWindowExpired { deadline });
    }
    let deadline = deadline(now, judge.policy().activation_window_days);
    judge.record(ActivationReopened {
        agent: judge.context.actor.principal,
        deadline,
    });
    Ok(())
}
