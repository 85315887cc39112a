//! Locks as a set of grounds, and the end of an account (spec B.4). Requests of others are in
//! [`super::lock_request`], what registries report in [`super::status`].

use super::dependant::guardian_acts;
use super::judge::{Judge, Verdict};
use super::level2::staff_active;
use super::organisation::representative_acts;
use crate::account::HolderKind;
use crate::command::Claim;
use crate::event::{
    AccountClosed, AccountLocked, AccountUnlocked, DeviceUnbound, LockGroundRemoved,
};
use crate::policy::Policy;
use crate::vocabulary::{CloseReason, Guard, LockGround, Message, RefusalCode, Role, UnbindReason};

/// Whether a ground is one of the law's under a policy (Decree 59 art. 19, Decree 69 art. 15).
pub(super) const fn in_force(ground: LockGround, policy: &Policy) -> bool {
    match ground {
        LockGround::CardExpired => policy.expired_card_locks,
        LockGround::RelyingParty => policy.relying_party_asks_for_locks,
        _ => true,
    }
}

/// Whether a ground can be one of this sort of holder's (Decree 59 art. 19: each has a list of its
/// own).
pub(super) const fn concerns(ground: LockGround, holder: HolderKind) -> bool {
    match ground {
        LockGround::CardRevoked | LockGround::CardExpired => {
            matches!(holder, HolderKind::Citizen)
        }
        LockGround::TravelDocumentExpired | LockGround::ResidenceEnded => {
            matches!(holder, HolderKind::Foreigner)
        }
        LockGround::OrganisationDissolved => matches!(holder, HolderKind::Organisation),
        LockGround::Death => !matches!(holder, HolderKind::Organisation),
        LockGround::OwnRequest
        | LockGround::TermsBreached
        | LockGround::ProceduralAuthority
        | LockGround::CompetentAuthority
        | LockGround::RelyingParty => true,
    }
}

/// Whether a role may lock on a ground under a policy, without asking anybody (Decree 59 art. 19, Law
/// 26/2023 art. 34, Decree 69 art. 15).
pub const fn may_lock(role: Role, ground: LockGround, policy: &Policy) -> bool {
    in_force(ground, policy) && (may_unlock(role, ground) || is_source(role, ground))
}

/// Whether a role reports that a ground came to be, besides those who may lift it.
const fn is_source(role: Role, ground: LockGround) -> bool {
    match ground {
        LockGround::Death => matches!(role, Role::RegistryAdapter | Role::EidAuthority),
        LockGround::TermsBreached => matches!(role, Role::Ledger),
        LockGround::CardExpired
        | LockGround::TravelDocumentExpired
        | LockGround::ResidenceEnded => matches!(role, Role::Clock | Role::Ledger),
        _ => false,
    }
}

/// Whether a role may lift a ground, without asking anybody. Nobody lifts death. What an authority or
/// a relying party asked for, the eID authority ends.
pub const fn may_unlock(role: Role, ground: LockGround) -> bool {
    match ground {
        // In the app, by the hotline, or at the police.
        LockGround::OwnRequest => {
            matches!(
                role,
                Role::Citizen
                    | Role::Guardian
                    | Role::Representative
                    | Role::HotlineAgent
                    | Role::IntakeOfficer
            )
        }
        LockGround::TermsBreached
        | LockGround::ProceduralAuthority
        | LockGround::CompetentAuthority
        | LockGround::RelyingParty => matches!(role, Role::EidAuthority),
        LockGround::CardRevoked
        | LockGround::CardExpired
        | LockGround::TravelDocumentExpired
        | LockGround::ResidenceEnded
        | LockGround::OrganisationDissolved => {
            matches!(role, Role::RegistryAdapter | Role::EidAuthority)
        }
        LockGround::Death => false,
    }
}

/// One more ground. The holder is told at once, unless they died.
pub(super) fn lock(judge: &mut Judge<'_, '_>, ground: LockGround) -> Verdict {
    staff_active(judge)?;
    let lawful = may_lock(judge.role(), ground, judge.policy());
    judge.guard(Guard::GroundLawful, lawful, RefusalCode::GroundNotLawful)?;
    guardian_acts(judge)?;
    representative_acts(judge)?;
    exists(judge)?;
    set(judge, ground)
}

/// Somebody has an account here.
pub(super) fn exists(judge: &mut Judge<'_, '_>) -> Verdict {
    judge.guard(
        Guard::AccountMatch,
        judge.account.exists(),
        RefusalCode::AccountNotFound,
    )
}

/// Adds a ground that is not there yet.
pub(super) fn set(judge: &mut Judge<'_, '_>, ground: LockGround) -> Verdict {
    own_list(judge, ground)?;
    let new = !judge.account.has_lock(ground);
    judge.guard(Guard::Unlocked, new, RefusalCode::Locked)?;
    judge.record(AccountLocked { ground });
    if ground != LockGround::Death {
        judge.notify(Message::LockChanged);
    }
    Ok(())
}

/// The ground is one of this sort of holder's. Passing it says nothing, so it leaves no guard.
pub(super) fn own_list(judge: &mut Judge<'_, '_>, ground: LockGround) -> Verdict {
    if concerns(ground, judge.account.holder) {
        return Ok(());
    }
    judge.refuse(Guard::GroundLawful, RefusalCode::GroundNotLawful)
}

/// One ground less. The account stays locked while another remains: the receipt then lacks
/// `NoOtherGround`, and there is no `AccountUnlocked`.
pub(super) fn unlock(judge: &mut Judge<'_, '_>, ground: LockGround) -> Verdict {
    staff_active(judge)?;
    let lawful = may_unlock(judge.role(), ground);
    judge.guard(Guard::GroundLawful, lawful, RefusalCode::GroundNotLawful)?;
    guardian_acts(judge)?;
    representative_acts(judge)?;
    present(judge, ground)?;
    if judge.role() == Role::HotlineAgent {
        let proven = judge.context.step_up == Some(true);
        judge.guard(Guard::StepUp, proven, RefusalCode::ProofFailed)?;
    }
    lift(judge, &[ground])
}

/// The ground is there. Where it is not and another locks the account, that is what is said: whoever
/// asks wants the account unlocked.
pub(super) fn present(judge: &mut Judge<'_, '_>, ground: LockGround) -> Verdict {
    let account = judge.account;
    if account.has_lock(ground) || !account.is_locked() {
        let there = account.has_lock(ground);
        return judge.guard(Guard::GroundPresent, there, RefusalCode::GroundNotPresent);
    }
    judge.refuse(Guard::NoOtherGround, RefusalCode::OtherGroundRemains)
}

/// Removes grounds that are there, and unlocks if none remains.
pub(super) fn lift(judge: &mut Judge<'_, '_>, grounds: &[LockGround]) -> Verdict {
    let locks = &judge.account.locks;
    for lock in locks.iter().filter(|lock| grounds.contains(&lock.ground)) {
        let ground = lock.ground;
        judge.record(LockGroundRemoved { ground });
    }
    let last = locks.iter().all(|lock| grounds.contains(&lock.ground));
    if last {
        judge.guard(Guard::NoOtherGround, true, RefusalCode::OtherGroundRemains)?;
        judge.record(AccountUnlocked {});
        judge.notify(Message::LockChanged);
    } else if !judge.account.has_lock(LockGround::Death) {
        judge.notify(Message::LockRemains);
    }
    Ok(())
}

/// Closed for good. Phone and device become free. The personal number does only where the account
/// was revoked: the number of somebody who died, or of a dissolved organisation, is nobody's again.
pub(super) fn close(judge: &mut Judge<'_, '_>, reason: CloseReason) -> Verdict {
    let may = judge.role() == Role::EidAuthority || reason != CloseReason::Revoked;
    judge.guard(Guard::RoleAllowed, may, RefusalCode::RoleNotAllowed)?;
    exists(judge)?;
    if let Some(bound) = &judge.account.device {
        let device = bound.device;
        judge.record(DeviceUnbound {
            device,
            reason: UnbindReason::AccountClosed,
        });
        judge.release(Claim::Device(device));
    }
    judge.record(AccountClosed { reason });
    judge.release(Claim::Phone);
    if reason == CloseReason::Revoked {
        judge.release(Claim::PersonalId);
    }
    Ok(())
}
