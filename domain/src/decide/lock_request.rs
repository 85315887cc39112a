//! Locks that somebody asks for: procedural and other competent authorities, and under Decree 59 the
//! relying party. The eID authority answers within its working days; a refusal is in writing.

use super::judge::{Judge, No, Verdict};
use super::lock::{exists, in_force, lift, present, set};
use crate::account::LockRequest;
use crate::event::{LockDeadlineMissed, LockRequestGranted, LockRequestRefused, LockRequested};
use crate::ids::{LocalDay, RequestId};
use crate::personal::Personal;
use crate::policy::Policy;
use crate::vocabulary::{
    Guard, LockAction, LockGround, LockRefusal, Message, RefusalCode, RetentionClass, Role,
};

/// Longest reasons, in characters.
pub const REASONS_CHARS_MAX: usize = 2000;

/// Whether a role may ask on a ground under a policy. The end of what one asked for may be asked for
/// ever.
pub const fn may_request(
    role: Role,
    ground: LockGround,
    action: LockAction,
    policy: &Policy,
) -> bool {
    let own = match ground {
        LockGround::ProceduralAuthority | LockGround::CompetentAuthority => {
            matches!(role, Role::CompetentAuthority)
        }
        LockGround::RelyingParty => matches!(role, Role::RelyingParty),
        _ => false,
    };
    own && (in_force(ground, policy) || matches!(action, LockAction::Unlock))
}

/// Asks. The days are counted once, here, and stand in the event.
pub(super) fn request(
    judge: &mut Judge<'_, '_>,
    ground: LockGround,
    action: LockAction,
    reasons: &str,
) -> Verdict {
    let on = judge.context.occurred_at.local_day();
    let lawful = may_request(judge.role(), ground, action, judge.policy());
    judge.guard(Guard::GroundLawful, lawful, RefusalCode::GroundNotLawful)?;
    exists(judge)?;
    match action {
        LockAction::Lock => {
            let new = !judge.account.has_lock(ground);
            judge.guard(Guard::Unlocked, new, RefusalCode::Locked)?;
        }
        LockAction::Unlock => present(judge, ground)?,
    }
    let pending = judge
        .account
        .lock_requests
        .iter()
        .any(|known| known.is_open() && known.ground == ground);
    judge.guard(
        Guard::NoOpenRequest,
        !pending,
        RefusalCode::LockRequestPending,
    )?;
    let reasons = given(judge, reasons)?;
    let request = RequestId(judge.new_id());
    let (forward_by, decide_by) = days(judge, on);
    let actor = judge.context.actor;
    let asked = LockRequested {
        request,
        requester: actor.principal,
        role: actor.role,
        ground,
        action,
        forward_by,
        decide_by,
    };
    judge.record_with(asked, RetentionClass::Permanent, reasons);
    Ok(())
}

/// Decree 59: decided in two working days. Decree 69: forwarded by the local police in one, decided
/// in two more.
fn days(judge: &mut Judge<'_, '_>, on: LocalDay) -> (Option<LocalDay>, LocalDay) {
    let (forward, decide) = (
        judge.policy().lock_forward_working_days,
        judge.policy().lock_decision_working_days,
    );
    if forward == 0 {
        return (None, judge.working_days_after(on, decide));
    }
    let forward_by = judge.working_days_after(on, forward);
    let decide_by = judge.working_days_after(forward_by, decide);
    (Some(forward_by), decide_by)
}

/// Reasons in writing, neither empty nor endless.
fn given(judge: &mut Judge<'_, '_>, reasons: &str) -> Result<Personal, No> {
    let text = reasons.trim();
    let good = !text.is_empty() && text.chars().count() <= REASONS_CHARS_MAX;
    let note = good.then(|| Personal::Note(text.to_owned()));
    judge.require(Guard::ReasonGiven, note, RefusalCode::ReasonMissing)
}

/// The eID authority answers. What it grants happens at once, if it still can.
pub(super) fn decide(
    judge: &mut Judge<'_, '_>,
    request: RequestId,
    refuse: Option<LockRefusal>,
    reasons: &str,
) -> Verdict {
    let asked = open(judge, request)?;
    if let Some(reason) = refuse {
        let reasons = given(judge, reasons)?;
        late(judge, asked);
        let refused = LockRequestRefused { request, reason };
        judge.record_with(refused, RetentionClass::Permanent, reasons);
        judge.notify(Message::LockRequestRefused);
        return Ok(());
    }
    match asked.action {
        LockAction::Lock => {
            let new = !judge.account.has_lock(asked.ground);
            judge.guard(Guard::Unlocked, new, RefusalCode::Locked)?;
            late(judge, asked);
            judge.record(LockRequestGranted { request });
            set(judge, asked.ground)
        }
        LockAction::Unlock => {
            present(judge, asked.ground)?;
            late(judge, asked);
            judge.record(LockRequestGranted { request });
            lift(judge, &[asked.ground])
        }
    }
}

/// The clock: the last day to answer passed.
pub(super) fn expire(judge: &mut Judge<'_, '_>, request: RequestId) -> Verdict {
    let asked = open(judge, request)?;
    let passed = judge.today() > asked.decide_by && !asked.deadline_missed;
    judge.guard(
        Guard::DeadlinePassed,
        passed,
        RefusalCode::DeadlineNotPassed,
    )?;
    late(judge, asked);
    Ok(())
}

fn open<'d>(judge: &mut Judge<'d, '_>, request: RequestId) -> Result<&'d LockRequest, No> {
    let account = judge.account;
    let asked = account.lock_request(request).filter(|r| r.is_open());
    judge.require(
        Guard::LockRequestOpen,
        asked,
        RefusalCode::LockRequestNotOpen,
    )
}

/// Records that the last day passed, once.
fn late(judge: &mut Judge<'_, '_>, asked: &LockRequest) {
    if judge.today() > asked.decide_by && !asked.deadline_missed {
        judge.record(LockDeadlineMissed {
            request: asked.id,
            due: asked.decide_by,
        });
    }
}
