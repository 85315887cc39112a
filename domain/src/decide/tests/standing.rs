//! Locks, the end, erasure.

use super::*;
use crate::command::Claim;
use crate::decide::{may_lock, may_unlock};
use crate::ids::Micros;
use crate::vocabulary::{
    CloseReason, Guard as G, LockGround, Message, RefusalCode as C, RetentionClass, Status,
};

fn lock(ground: LockGround) -> Command {
    Command::LockAccount { ground }
}

fn unlock(ground: LockGround) -> Command {
    Command::UnlockAccount { ground }
}

#[test]
fn a_lock_is_a_set_of_grounds() {
    let mut s = activate(level2());
    let then = s
        .when(Role::Citizen, &lock(LockGround::OwnRequest))
        .accepted(&["AccountLocked"]);
    assert_eq!(then.decision.send[0].message, Message::LockChanged);
    s.when(Role::HotlineAgent, &lock(LockGround::OwnRequest))
        .refused(G::Unlocked, C::Locked, &[]);
    s.when(Role::EidAuthority, &lock(LockGround::ProceduralAuthority))
        .accepted(&["AccountLocked"]);
    // One ground less, still locked: the receipt lacks `NoOtherGround`.
    s.when(Role::Citizen, &unlock(LockGround::OwnRequest))
        .accepted(&["LockGroundRemoved"])
        .passed(&[
            G::RoleAllowed,
            G::AccountOpen,
            G::GroundLawful,
            G::GroundPresent,
        ]);
    assert!(s.account.is_locked() && s.account.is_activated());
    s.when(Role::Citizen, &unlock(LockGround::OwnRequest))
        .refused(G::NoOtherGround, C::OtherGroundRemains, &[]);
    s.when(Role::Citizen, &unlock(LockGround::ProceduralAuthority))
        .refused(G::GroundLawful, C::GroundNotLawful, &[]);
    let removed = ["LockGroundRemoved", "AccountUnlocked"];
    s.when(Role::EidAuthority, &unlock(LockGround::ProceduralAuthority))
        .accepted(&removed);
    assert!(!s.account.is_locked());
    s.when(Role::HotlineAgent, &lock(LockGround::OwnRequest))
        .accepted(&["AccountLocked"]);
    s.when(Role::HotlineAgent, &unlock(LockGround::OwnRequest))
        .refused(G::StepUp, C::ProofFailed, &[]);
    s.world.step_up = Some(true);
    s.when(Role::HotlineAgent, &unlock(LockGround::OwnRequest))
        .accepted(&removed);
    Scenario::new()
        .when(Role::RegistryAdapter, &lock(LockGround::CardRevoked))
        .refused(G::AccountMatch, C::AccountNotFound, &[]);
}

#[test]
fn notices_of_service_5_are_for_whoever_is_entitled_to_it() {
    let report = |status| Command::ReportStatus {
        status,
        until: None,
    };
    let soon = report(Status::CardExpiresSoon);
    let mut s = level1();
    s.when(Role::RegistryAdapter, &soon)
        .refused(G::Activated, C::NotActivated, &[]);
    s = activate(s);
    for (status, message) in [
        (Status::CardExpiresSoon, Message::CardExpiry),
        (Status::Birthday, Message::Birthday),
        (Status::ProcedureSettled, Message::LinkedProcedure),
    ] {
        let then = s.when(Role::RegistryAdapter, &report(status));
        let then = then.accepted(&["ServiceNoticeGiven"]);
        let told = crate::notice::told(&then.decision.events[0].event).unwrap();
        assert_eq!(told.message, message);
    }
    s.when(Role::EidAuthority, &soon)
        .refused(G::RoleAllowed, C::RoleNotAllowed, &[]);
    s.when(Role::Citizen, &lock(LockGround::OwnRequest));
    s.when(Role::RegistryAdapter, &soon)
        .refused(G::Unlocked, C::Locked, &[]);
}

#[test]
fn death_is_never_lifted_and_nobody_is_told() {
    let mut s = activate(level2());
    let then = s
        .when(Role::RegistryAdapter, &lock(LockGround::Death))
        .accepted(&["AccountLocked"]);
    assert!(then.decision.send.is_empty());
    for role in crate::decide::roles(crate::vocabulary::CommandKind::UnlockAccount) {
        s.when(*role, &unlock(LockGround::Death))
            .refused(G::GroundLawful, C::GroundNotLawful, &[]);
    }
}

/// B.4, row by row: who locks, who lifts.
#[test]
fn who_may_lock_and_lift_on_which_ground() {
    use LockGround as L;
    use Role as R;
    let rows: &[(L, &[R], &[R])] = &[
        (
            L::OwnRequest,
            &[
                R::Citizen,
                R::Guardian,
                R::Representative,
                R::IntakeOfficer,
                R::HotlineAgent,
            ],
            &[
                R::Citizen,
                R::Guardian,
                R::Representative,
                R::IntakeOfficer,
                R::HotlineAgent,
            ],
        ),
        (
            L::TermsBreached,
            &[R::Ledger, R::EidAuthority],
            &[R::EidAuthority],
        ),
        (
            L::CardRevoked,
            &[R::EidAuthority, R::RegistryAdapter],
            &[R::EidAuthority, R::RegistryAdapter],
        ),
        (L::Death, &[R::EidAuthority, R::RegistryAdapter], &[]),
        (
            L::ProceduralAuthority,
            &[R::EidAuthority],
            &[R::EidAuthority],
        ),
        (
            L::CompetentAuthority,
            &[R::EidAuthority],
            &[R::EidAuthority],
        ),
        (
            L::CardExpired,
            &[R::Ledger, R::EidAuthority, R::RegistryAdapter, R::Clock],
            &[R::EidAuthority, R::RegistryAdapter],
        ),
        (
            L::TravelDocumentExpired,
            &[R::Ledger, R::EidAuthority, R::RegistryAdapter, R::Clock],
            &[R::EidAuthority, R::RegistryAdapter],
        ),
        (
            L::ResidenceEnded,
            &[R::Ledger, R::EidAuthority, R::RegistryAdapter, R::Clock],
            &[R::EidAuthority, R::RegistryAdapter],
        ),
        (
            L::OrganisationDissolved,
            &[R::EidAuthority, R::RegistryAdapter],
            &[R::EidAuthority, R::RegistryAdapter],
        ),
        (L::RelyingParty, &[], &[R::EidAuthority]),
    ];
    assert_eq!(rows.len(), L::ALL.len());
    for (ground, lockers, lifters) in rows {
        for role in R::ALL {
            assert_eq!(
                may_lock(*role, *ground, &decree_69()),
                lockers.contains(role),
                "{role:?} {ground:?}"
            );
            assert_eq!(
                may_unlock(*role, *ground),
                lifters.contains(role),
                "{role:?} {ground:?}"
            );
        }
    }
    // Decree 59 knew the relying party and not the expired card.
    let before = Policy::default();
    assert!(may_lock(R::EidAuthority, L::RelyingParty, &before));
    assert!(!may_lock(R::Clock, L::CardExpired, &before));
}

#[test]
fn a_closed_account_refuses_everything() {
    let mut s = activate(level2());
    let then = s
        .when(
            Role::RegistryAdapter,
            &Command::CloseAccount {
                reason: CloseReason::Death,
            },
        )
        .accepted(&["DeviceUnbound", "AccountClosed"]);
    let released: Vec<_> = then
        .decision
        .claims
        .iter()
        .map(|c| (c.claim, c.take))
        .collect();
    assert_eq!(
        released,
        [
            (Claim::Device(device(1).device), false),
            (Claim::Phone, false)
        ]
    );
    for (role, command) in [
        (Role::Citizen, Command::LogIn { device: None }),
        (Role::Citizen, request_activation()),
        (Role::IntakeOfficer, intake(false)),
        (Role::Citizen, manual()),
        (Role::EidAuthority, lock(LockGround::TermsBreached)),
        (
            Role::EidAuthority,
            Command::CloseAccount {
                reason: CloseReason::Revoked,
            },
        ),
    ] {
        s.when(role, &command)
            .refused(G::AccountOpen, C::AccountClosed, &[]);
    }
    let mut s = activate(level1());
    let revoke = Command::CloseAccount {
        reason: CloseReason::Revoked,
    };
    s.when(Role::RegistryAdapter, &revoke)
        .refused(G::RoleAllowed, C::RoleNotAllowed, &[]);
    let then = s.when(Role::EidAuthority, &revoke);
    assert!(
        then.decision
            .claims
            .iter()
            .any(|c| c.claim == Claim::PersonalId && !c.take)
    );
}

#[test]
fn account_data_are_kept_for_ever_and_usage_for_five_years() {
    let erase = |class| Command::RequestErasure { class };
    let mut s = activate(level2());
    let then = s
        .when(Role::Citizen, &erase(RetentionClass::Permanent))
        .refused(G::RetentionAllows, C::RetentionForbids, &["ErasureRefused"]);
    assert_eq!(
        then.decision.refused().unwrap().message,
        Some(Message::KeptByLaw)
    );
    s.when(Role::Citizen, &erase(RetentionClass::Usage))
        .refused(G::RetentionAllows, C::RetentionForbids, &["ErasureRefused"]);
    let erased = ["ErasureApproved", "SubjectKeyDestroyed"];
    s.when(Role::Citizen, &erase(RetentionClass::Short))
        .accepted(&erased);
    let again = s.when(Role::Citizen, &erase(RetentionClass::Short));
    assert!(again.decision.refused().is_some());
    s.when(
        Role::HotlineAgent,
        &Command::UnlinkDevice {
            reason: crate::vocabulary::UnbindReason::ByHotline,
        },
    );
    s.later(1830 * Micros::DAY);
    s.when(Role::Citizen, &erase(RetentionClass::Usage))
        .accepted(&erased);
    // What a procedure under way needs stays.
    let mut s = app_account();
    s.when(Role::Citizen, &apply_level1());
    s.when(Role::Citizen, &erase(RetentionClass::Short))
        .refused(G::RetentionAllows, C::RetentionForbids, &["ErasureRefused"]);
}
