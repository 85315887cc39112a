//! Locks that others ask for, and those that come and go by themselves (spec B.4).

use super::*;
use crate::account::{HolderKind, LockRequestState};
use crate::decide::may_request;
use crate::event::Event;
use crate::ids::{LocalDay, Micros, RequestId};
use crate::personal::Personal;
use crate::policy::Policy;
use crate::vocabulary::{
    Guard as G, LockAction, LockGround as L, LockRefusal, Message, RefusalCode as C,
    RetentionClass, Status, Validity,
};

/// 01/07/2024, a Monday: Decree 69/2024 in force.
const DECREE_69: LocalDay = LocalDay(19_905);

fn ask(ground: L, action: LockAction) -> Command {
    Command::RequestLock {
        ground,
        action,
        reasons: "quyết định số 1".into(),
    }
}

fn answer(s: &Scenario, refuse: Option<LockRefusal>, reasons: &str) -> Command {
    Command::DecideLockRequest {
        request: last(s),
        refuse,
        reasons: reasons.into(),
    }
}

fn last(s: &Scenario) -> RequestId {
    s.account.lock_requests.last().expect("a request").id
}

fn report(status: Status) -> Command {
    Command::ReportStatus {
        status,
        until: None,
    }
}

fn to_decree_69(s: &mut Scenario) {
    let days = i64::from(DECREE_69.0 - s.world.now.local_day().0);
    s.later(days * Micros::DAY);
    s.world.policy = decree_69();
}

#[test]
fn an_authority_asks_and_the_eid_authority_answers_in_two_working_days() {
    let mut s = activate(level2());
    let ground = L::ProceduralAuthority;
    s.when(Role::CompetentAuthority, &Command::LockAccount { ground })
        .refused(G::RoleAllowed, C::RoleNotAllowed, &[]);
    let then = s
        .when(Role::CompetentAuthority, &ask(ground, LockAction::Lock))
        .accepted(&["LockRequested"])
        .passed(&[
            G::RoleAllowed,
            G::AccountOpen,
            G::GroundLawful,
            G::AccountMatch,
            G::Unlocked,
            G::NoOpenRequest,
            G::ReasonGiven,
        ]);
    let new = &then.decision.events[0];
    assert!(matches!(
        &new.sealed[..],
        [(RetentionClass::Permanent, Personal::Note(text))] if text == "quyết định số 1"
    ));
    let Event::LockRequested(facts) = &new.event else {
        panic!("{}", new.event.name());
    };
    // Tuesday 05/03/2024 and two working days, under Decree 59: nobody forwards.
    assert_eq!(facts.decide_by, LocalDay(s.world.now.local_day().0 + 2));
    assert_eq!(facts.forward_by, None);
    assert!(!s.account.is_locked());
    s.when(Role::CompetentAuthority, &ask(ground, LockAction::Lock))
        .refused(G::NoOpenRequest, C::LockRequestPending, &[]);
    let grant = answer(&s, None, "");
    s.when(Role::CompetentAuthority, &grant)
        .refused(G::RoleAllowed, C::RoleNotAllowed, &[]);
    let then = s
        .when(Role::EidAuthority, &grant)
        .accepted(&["LockRequestGranted", "AccountLocked"]);
    assert_eq!(then.decision.send[0].message, Message::LockChanged);
    assert!(s.account.has_lock(ground));
    s.when(Role::EidAuthority, &grant)
        .refused(G::LockRequestOpen, C::LockRequestNotOpen, &[]);
    // The end is asked for in the same way.
    s.when(Role::CompetentAuthority, &ask(ground, LockAction::Unlock))
        .accepted(&["LockRequested"]);
    let grant = answer(&s, None, "");
    s.when(Role::EidAuthority, &grant).accepted(&[
        "LockRequestGranted",
        "LockGroundRemoved",
        "AccountUnlocked",
    ]);
    assert!(!s.account.is_locked());
}

#[test]
fn under_decree_69_the_local_police_forward_in_one_working_day_first() {
    let mut s = activate(level2());
    to_decree_69(&mut s);
    let ground = L::CompetentAuthority;
    s.later(4 * Micros::DAY);
    // Friday 05/07/2024: forwarded on Monday, decided on Wednesday.
    let then = s.when(Role::CompetentAuthority, &ask(ground, LockAction::Lock));
    let Event::LockRequested(facts) = &then.decision.events[0].event else {
        panic!("no request");
    };
    assert_eq!(facts.forward_by, Some(LocalDay(19_912)));
    assert_eq!(facts.decide_by, LocalDay(19_914));
}

#[test]
fn a_refusal_is_in_writing_with_its_reasons() {
    let mut s = activate(level2());
    s.when(
        Role::CompetentAuthority,
        &ask(L::ProceduralAuthority, LockAction::Lock),
    );
    let refuse = Some(LockRefusal::NotFounded);
    for empty in ["", "  \n", &"x".repeat(2001)] {
        s.when(Role::EidAuthority, &answer(&s, refuse, empty))
            .refused(G::ReasonGiven, C::ReasonMissing, &[]);
    }
    let then = s
        .when(Role::EidAuthority, &answer(&s, refuse, "không có căn cứ"))
        .accepted(&["LockRequestRefused"]);
    let sealed = &then.decision.events[0].sealed;
    assert!(matches!(
        &sealed[..],
        [(RetentionClass::Permanent, Personal::Note(text))] if text == "không có căn cứ"
    ));
    assert_eq!(then.decision.send[0].message, Message::LockRequestRefused);
    assert!(!s.account.is_locked());
    let known = s.account.lock_requests.last().unwrap();
    assert!(matches!(
        known.state,
        LockRequestState::Refused {
            reason: LockRefusal::NotFounded,
            ..
        }
    ));
    let none = Command::RequestLock {
        ground: L::ProceduralAuthority,
        action: LockAction::Lock,
        reasons: " ".into(),
    };
    s.when(Role::CompetentAuthority, &none)
        .refused(G::ReasonGiven, C::ReasonMissing, &[]);
}

#[test]
fn a_missed_day_is_recorded_once_and_the_answer_still_counts() {
    let mut s = activate(level2());
    s.when(
        Role::CompetentAuthority,
        &ask(L::ProceduralAuthority, LockAction::Lock),
    );
    let expire = Command::ExpireLockDeadline { request: last(&s) };
    s.later(2 * Micros::DAY);
    s.when(Role::Clock, &expire)
        .refused(G::DeadlinePassed, C::DeadlineNotPassed, &[]);
    s.later(Micros::DAY);
    s.when(Role::Clock, &expire)
        .accepted(&["LockDeadlineMissed"]);
    s.when(Role::Clock, &expire)
        .refused(G::DeadlinePassed, C::DeadlineNotPassed, &[]);
    s.when(Role::EidAuthority, &answer(&s, None, ""))
        .accepted(&["LockRequestGranted", "AccountLocked"]);
    let mut s = activate(level2());
    s.when(
        Role::CompetentAuthority,
        &ask(L::ProceduralAuthority, LockAction::Lock),
    );
    s.later(5 * Micros::DAY);
    s.when(Role::EidAuthority, &answer(&s, None, ""))
        .accepted(&["LockDeadlineMissed", "LockRequestGranted", "AccountLocked"]);
}

/// Decree 59 lets the relying party ask, Decree 69 no longer; what it asked for it may ask to end.
#[test]
fn who_may_ask_on_which_ground_and_when() {
    let (before, after) = (Policy::default(), decree_69());
    for ground in L::ALL {
        for role in Role::ALL {
            for action in LockAction::ALL {
                let authority = *role == Role::CompetentAuthority
                    && matches!(ground, L::ProceduralAuthority | L::CompetentAuthority);
                let relying = *role == Role::RelyingParty && *ground == L::RelyingParty;
                let asked = |policy| may_request(*role, *ground, *action, policy);
                assert_eq!(asked(&before), authority || relying, "{role:?} {ground:?}");
                let still = authority || (relying && *action == LockAction::Unlock);
                assert_eq!(asked(&after), still, "{role:?} {ground:?}");
            }
        }
    }
    let mut s = activate(level2());
    let ask_it = |action| ask(L::RelyingParty, action);
    s.when(Role::RelyingParty, &ask_it(LockAction::Unlock))
        .refused(G::GroundPresent, C::GroundNotPresent, &[]);
    s.when(Role::RelyingParty, &ask_it(LockAction::Lock))
        .accepted(&["LockRequested"]);
    s.when(Role::EidAuthority, &answer(&s, None, ""));
    to_decree_69(&mut s);
    s.when(Role::RelyingParty, &ask_it(LockAction::Lock))
        .refused(G::GroundLawful, C::GroundNotLawful, &[]);
    s.when(Role::RelyingParty, &ask_it(LockAction::Unlock))
        .accepted(&["LockRequested"]);
    s.when(Role::EidAuthority, &answer(&s, None, ""))
        .accepted(&["LockRequestGranted", "LockGroundRemoved", "AccountUnlocked"]);
}

#[test]
fn another_ground_remains() {
    let mut s = activate(level2());
    s.when(
        Role::Citizen,
        &Command::LockAccount {
            ground: L::OwnRequest,
        },
    );
    s.when(Role::RegistryAdapter, &report(Status::CardHeld))
        .accepted(&["AccountLocked"]);
    let unlock = Command::UnlockAccount {
        ground: L::OwnRequest,
    };
    let then = s
        .when(Role::Citizen, &unlock)
        .accepted(&["LockGroundRemoved"]);
    assert_eq!(then.decision.send[0].message, Message::LockRemains);
    s.when(Role::Citizen, &unlock)
        .refused(G::NoOtherGround, C::OtherGroundRemains, &[]);
    // The card is returned: the ground ends by itself, and with it the lock.
    s.when(Role::RegistryAdapter, &report(Status::CardReturned))
        .accepted(&["LockGroundRemoved", "AccountUnlocked"]);
    s.when(Role::RegistryAdapter, &report(Status::CardReturned))
        .refused(G::GroundPresent, C::GroundNotPresent, &[]);
}

#[test]
fn a_card_expires_by_itself_and_a_new_one_ends_it() {
    let mut s = activate(level2());
    let issued = |until: i32| Command::ReportStatus {
        status: Status::CardIssued,
        until: Some(LocalDay(until)),
    };
    let expire = Command::ExpireValidity { of: Validity::Card };
    s.when(Role::Clock, &expire)
        .refused(G::ValidityKnown, C::ValidityUnknown, &[]);
    s.when(Role::RegistryAdapter, &report(Status::CardIssued))
        .refused(G::ValidityKnown, C::ValidityUnknown, &[]);
    // Good until 30/03/2024: under Decree 59 that was no ground.
    let until = s.world.now.local_day().0 + 25;
    s.when(Role::RegistryAdapter, &issued(until))
        .accepted(&["ValidityRecorded"]);
    s.later(60 * Micros::DAY);
    s.when(Role::Clock, &expire)
        .refused(G::GroundLawful, C::GroundNotLawful, &[]);
    to_decree_69(&mut s);
    let then = s.when(Role::Clock, &expire).accepted(&["AccountLocked"]);
    assert_eq!(then.decision.send[0].message, Message::LockChanged);
    assert!(s.account.has_lock(L::CardExpired));
    s.when(Role::Clock, &expire)
        .refused(G::Unlocked, C::Locked, &[]);
    // One that is over already is no new card.
    s.when(Role::RegistryAdapter, &issued(DECREE_69.0 - 1))
        .refused(G::ValidityKnown, C::ValidityUnknown, &[]);
    s.when(Role::RegistryAdapter, &issued(DECREE_69.0 + 3650))
        .accepted(&["ValidityRecorded", "LockGroundRemoved", "AccountUnlocked"]);
    assert_eq!(
        s.account.valid_until(Validity::Card),
        Some(LocalDay(DECREE_69.0 + 3650))
    );
}

#[test]
fn a_new_card_ends_both_grounds_of_the_old_one() {
    let mut s = activate(level2());
    to_decree_69(&mut s);
    let today = s.world.now.local_day();
    s.when(
        Role::RegistryAdapter,
        &Command::ReportStatus {
            status: Status::CardIssued,
            until: Some(today),
        },
    );
    s.when(Role::RegistryAdapter, &report(Status::CardRevoked))
        .accepted(&["AccountLocked"]);
    s.later(Micros::DAY);
    s.when(Role::Clock, &Command::ExpireValidity { of: Validity::Card })
        .accepted(&["AccountLocked"]);
    s.when(
        Role::RegistryAdapter,
        &Command::ReportStatus {
            status: Status::CardIssued,
            until: Some(LocalDay(today.0 + 3650)),
        },
    )
    .accepted(&[
        "ValidityRecorded",
        "LockGroundRemoved",
        "LockGroundRemoved",
        "AccountUnlocked",
    ]);
}

#[test]
fn what_registries_report_locks_and_lifts_without_anybody_deciding() {
    for (status, ground, end) in [
        (
            Status::ResidenceEnded,
            L::ResidenceEnded,
            Some(Command::ReportStatus {
                status: Status::ResidenceGranted,
                until: Some(LocalDay(30_000)),
            }),
        ),
        (
            Status::OrganisationDissolved,
            L::OrganisationDissolved,
            Some(report(Status::OrganisationRestored)),
        ),
        (Status::Died, L::Death, None),
    ] {
        let mut s = activate(level2());
        s.account.holder = match status {
            Status::ResidenceEnded => HolderKind::Foreigner,
            Status::OrganisationDissolved => HolderKind::Organisation,
            _ => HolderKind::Citizen,
        };
        let then = s
            .when(Role::RegistryAdapter, &report(status))
            .accepted(&["AccountLocked"]);
        assert!(s.account.has_lock(ground));
        // The holder is told at once, unless they died.
        assert_eq!(then.decision.send.is_empty(), ground == L::Death);
        if let Some(end) = end {
            s.when(Role::RegistryAdapter, &end);
            assert!(!s.account.is_locked(), "{ground:?}");
        }
        s.when(Role::EidAuthority, &report(status))
            .refused(G::RoleAllowed, C::RoleNotAllowed, &[]);
    }
    Scenario::new()
        .when(Role::RegistryAdapter, &report(Status::Died))
        .refused(G::AccountMatch, C::AccountNotFound, &[]);
}

#[test]
fn closing_ends_what_was_asked() {
    let mut s = activate(level2());
    s.when(
        Role::CompetentAuthority,
        &ask(L::ProceduralAuthority, LockAction::Lock),
    );
    let reason = crate::vocabulary::CloseReason::Death;
    s.when(Role::RegistryAdapter, &Command::CloseAccount { reason });
    assert!(s.account.lock_requests.is_empty());
}
