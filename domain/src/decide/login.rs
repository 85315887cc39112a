//! P2: login with number and password.

use super::judge::{Judge, Verdict};
use crate::event::{LoginFailed, SessionOpened};
use crate::ids::{DeviceRef, Micros};
use crate::vocabulary::{Guard, LoginOutcome, RefusalCode};

/// Open, not locked, not throttled, right, on a known device (spec A.8).
pub(super) fn log_in(judge: &mut Judge<'_, '_>, device: Option<DeviceRef>) -> Verdict {
    check(
        judge,
        Guard::Unlocked,
        !judge.account.is_locked(),
        LoginOutcome::Locked,
    )?;
    let throttled = is_throttled(judge);
    check(
        judge,
        Guard::NotThrottled,
        !throttled,
        LoginOutcome::Throttled,
    )?;
    let right = judge.account.credentials.password.is_some()
        && judge.context.credential_right == Some(true);
    check(
        judge,
        Guard::CredentialRight,
        right,
        LoginOutcome::WrongPassword,
    )?;
    let known = is_device_known(judge, device);
    check(
        judge,
        Guard::DeviceKnown,
        known,
        LoginOutcome::DeviceNotBound,
    )?;
    judge.record(SessionOpened { device });
    Ok(())
}

/// A guard that leaves `LoginFailed` behind. A locked-out flood leaves nothing (`Judge::finish`).
fn check(judge: &mut Judge<'_, '_>, guard: Guard, holds: bool, outcome: LoginOutcome) -> Verdict {
    if !holds {
        judge.record(LoginFailed { outcome });
    }
    let code = match outcome {
        LoginOutcome::Locked => RefusalCode::Locked,
        LoginOutcome::Throttled => RefusalCode::Throttled,
        LoginOutcome::WrongPassword => RefusalCode::CredentialWrong,
        LoginOutcome::DeviceNotBound => RefusalCode::DeviceNotBound,
    };
    judge.guard(guard, holds, code)
}

/// Too many wrong passwords, and the last of them not long ago. After the pause one more try is
/// free; a wrong one starts the pause again.
fn is_throttled(judge: &Judge<'_, '_>) -> bool {
    let (credentials, policy) = (&judge.account.credentials, judge.policy());
    let pause = i64::from(policy.password_throttle_s) * Micros::SECOND;
    credentials.wrong_passwords >= policy.password_attempts_max
        && credentials
            .last_wrong_password
            .is_some_and(|last| judge.context.now < last.plus(pause))
}

/// The bound device, or a step-up. An account that was never activated has no device yet.
fn is_device_known(judge: &Judge<'_, '_>, device: Option<DeviceRef>) -> bool {
    let stepped_up = judge.context.step_up == Some(true);
    match &judge.account.device {
        Some(bound) => device == Some(bound.device) || stepped_up,
        None => !judge.account.is_activated() || stepped_up,
    }
}
