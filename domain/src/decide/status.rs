//! Grounds that come and go by themselves (spec B.4): what a registry reports of a card, a permit or
//! a holder, and last days that pass. No human decides here; the adapter's signature is the evidence.

use super::judge::{Judge, Verdict};
use super::lock::{exists, in_force, lift, own_list, present, set};
use super::share::granted;
use crate::event::{ServiceNoticeGiven, ValidityRecorded};
use crate::ids::LocalDay;
use crate::vocabulary::{Guard, LockGround, Message, RefusalCode, Status, Validity};

/// The service that carries notices (letter S004, service 5).
const NOTICES: &str = "procedure_and_card_notifications";

/// The ground that a last day becomes when it passed.
pub const fn ground_of(of: Validity) -> LockGround {
    match of {
        Validity::Card => LockGround::CardExpired,
        Validity::TravelDocument => LockGround::TravelDocumentExpired,
        Validity::Residence => LockGround::ResidenceEnded,
    }
}

/// A registry reports.
pub(super) fn report(
    judge: &mut Judge<'_, '_>,
    status: Status,
    until: Option<LocalDay>,
) -> Verdict {
    exists(judge)?;
    match status {
        Status::CardRevoked | Status::CardHeld => set(judge, LockGround::CardRevoked),
        Status::CardReturned => {
            present(judge, LockGround::CardRevoked)?;
            lift(judge, &[LockGround::CardRevoked])
        }
        Status::CardIssued => {
            let ends = [LockGround::CardRevoked, LockGround::CardExpired];
            issued(judge, Validity::Card, until, &ends)
        }
        Status::TravelDocumentIssued => {
            let ends = [LockGround::TravelDocumentExpired];
            issued(judge, Validity::TravelDocument, until, &ends)
        }
        Status::ResidenceGranted => {
            let ends = [LockGround::ResidenceEnded];
            issued(judge, Validity::Residence, until, &ends)
        }
        Status::Died => set(judge, LockGround::Death),
        Status::ResidenceEnded => set(judge, LockGround::ResidenceEnded),
        Status::OrganisationDissolved => set(judge, LockGround::OrganisationDissolved),
        Status::OrganisationRestored => {
            present(judge, LockGround::OrganisationDissolved)?;
            lift(judge, &[LockGround::OrganisationDissolved])
        }
        Status::CardExpiresSoon => tell(judge, Message::CardExpiry),
        Status::Birthday => tell(judge, Message::Birthday),
        Status::ProcedureSettled => tell(judge, Message::LinkedProcedure),
    }
}

/// Service 5 of level 1 carries it, so it is told to whoever is entitled to that.
fn tell(judge: &mut Judge<'_, '_>, message: Message) -> Verdict {
    let active = judge.account.is_activated();
    judge.guard(Guard::Activated, active, RefusalCode::NotActivated)?;
    judge.unlocked()?;
    let entitled = granted(judge).iter().any(|service| service == NOTICES);
    judge.guard(Guard::LevelSufficient, entitled, RefusalCode::LevelTooLow)?;
    judge.record(ServiceNoticeGiven { message });
    Ok(())
}

/// A new last day, which has not passed; with it end the grounds that the old one was.
fn issued(
    judge: &mut Judge<'_, '_>,
    of: Validity,
    until: Option<LocalDay>,
    ends: &[LockGround],
) -> Verdict {
    own_list(judge, ground_of(of))?;
    let today = judge.today();
    let until = until.filter(|until| *until >= today);
    let until = judge.require(Guard::ValidityKnown, until, RefusalCode::ValidityUnknown)?;
    judge.record(ValidityRecorded { of, until });
    if ends.iter().any(|ground| judge.account.has_lock(*ground)) {
        return lift(judge, ends);
    }
    Ok(())
}

/// The clock: a last day passed.
pub(super) fn expire(judge: &mut Judge<'_, '_>, of: Validity) -> Verdict {
    let until = judge.account.valid_until(of);
    let until = judge.require(Guard::ValidityKnown, until, RefusalCode::ValidityUnknown)?;
    let passed = judge.today() > until;
    judge.guard(
        Guard::DeadlinePassed,
        passed,
        RefusalCode::DeadlineNotPassed,
    )?;
    let ground = ground_of(of);
    let lawful = in_force(ground, judge.policy());
    judge.guard(Guard::GroundLawful, lawful, RefusalCode::GroundNotLawful)?;
    set(judge, ground)
}
