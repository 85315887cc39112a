//! What is due and when, for the clock that drives deadlines: processing days of dossiers, and
//! activation windows.
//!
//! Rows: one per open deadline, ordered by the instant at which it becomes overdue, and one per
//! account with any open, so that they can be closed. A closed deadline leaves no row. Last days of
//! cards stand apart: whether their passing means anything is for the law in force (Decree 69 art. 15),
//! and while it means nothing they must not be in the way of the others.

use crate::changes::Changes;
use crate::error::{ApplyError, ViewError};
use crate::projection::{Decoded, Projection};
use crate::view::{Order, ViewStore};
use domain::bytes;
use domain::calendar::start_of;
use domain::command::Command;
use domain::event::Event;
use domain::ids::{AccountId, CaseId, LocalDay, LookupHash, Micros, Position, RequestId};
use domain::vocabulary::{LockGround, Validity};
use wincode::{SchemaRead, SchemaWrite};

/// Its name.
pub const NAME: &str = "deadlines";
/// Version of its rows.
pub const VERSION: u32 = 4;

const ACCOUNT: u8 = b'a';
const DUE: u8 = b'd';
const CARD_DUE: u8 = b'c';

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SchemaRead, SchemaWrite, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[wincode(tag_encoding = "u8")]
pub enum Due {
    /// The authority must have decided this dossier.
    Decision(CaseId),
    /// The account must have been activated.
    Activation,
    /// The authority must have answered this request to lock or unlock.
    LockRequest(RequestId),
    /// A card, passport or residence is good until then.
    Validity(Validity),
    /// This dependant turns fourteen.
    Majority(LookupHash),
}

impl Due {
    /// What the clock asks for when it has passed. A new kind of deadline says it here, and the
    /// clock gives it.
    pub const fn command(self) -> Command {
        match self {
            Self::Decision(case) => Command::ExpireProcessingDeadline { case },
            Self::Activation => Command::ExpireActivationWindow,
            Self::LockRequest(request) => Command::ExpireLockDeadline { request },
            Self::Validity(of) => Command::ExpireValidity { of },
            Self::Majority(dependant) => Command::ReachMajority { dependant },
        }
    }
}

/// An open deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SchemaRead, SchemaWrite, serde::Serialize)]
pub struct Deadline {
    /// First instant at which it is overdue.
    pub due: Micros,
    /// Whose.
    pub account: AccountId,
    /// What.
    pub what: Due,
    /// The event that set it.
    pub position: Position,
}

/// An account's open deadlines.
#[derive(Debug, Default, Clone, PartialEq, Eq, SchemaRead, SchemaWrite)]
struct Open {
    deadlines: Vec<Deadline>,
}

/// Folds deadlines.
#[derive(Debug, Default)]
pub struct Deadlines;

/// What an event does to an account's deadlines.
enum Effect {
    Opens(Due, Micros),
    Closes(Due),
    ClosesAll,
}

impl Projection for Deadlines {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn apply(&mut self, changes: &mut Changes, record: &Decoded) -> Result<(), ApplyError> {
        let (Some(account), Some(effect)) = (record.account(), effect(&record.event)) else {
            return Ok(());
        };
        let key = account_key(account);
        let mut open: Open = changes.read(NAME, &key)?.unwrap_or_default();
        let before = open.deadlines.len();
        let ends = |deadline: &Deadline| match effect {
            Effect::Opens(what, _) | Effect::Closes(what) => deadline.what == what,
            Effect::ClosesAll => true,
        };
        for deadline in open.deadlines.iter().filter(|deadline| ends(deadline)) {
            changes.delete(&due_key(deadline))?;
        }
        open.deadlines.retain(|deadline| !ends(deadline));
        if let Effect::Opens(what, due) = effect {
            let deadline = Deadline {
                due,
                account,
                what,
                position: record.position,
            };
            open.deadlines.push(deadline);
            changes.write(&due_key(&deadline), &deadline)?;
        }
        match (open.deadlines.is_empty(), before) {
            (true, 0) => Ok(()),
            (true, _) => Ok(changes.delete(&key)?),
            (false, _) => changes.write(&key, &open),
        }
    }
}

fn effect(event: &Event) -> Option<Effect> {
    Some(match event {
        Event::Level1Applied(facts) => {
            Effect::Opens(Due::Decision(facts.case), end_of(facts.decide_by))
        }
        Event::Level2Applied(facts) => {
            Effect::Opens(Due::Decision(facts.case), end_of(facts.decide_by))
        }
        Event::OrganisationDossierCompleted(facts) => {
            Effect::Opens(Due::Decision(facts.case), end_of(facts.decide_by))
        }
        // Somebody else must agree first: the days begin anew once they did.
        Event::OrganisationChecked(facts) if !facts.others.is_empty() => {
            Effect::Closes(Due::Decision(facts.case))
        }
        Event::OrganisationAccountIssued(facts) => Effect::Closes(Due::Decision(facts.case)),
        Event::OrganisationApplicationEnded(facts) => Effect::Closes(Due::Decision(facts.case)),
        Event::AccountImported(facts) => Effect::Opens(Due::Activation, facts.activate_by?),
        Event::AccountIssued(facts) => Effect::Closes(Due::Decision(facts.case)),
        Event::ApplicationRefused(facts) => Effect::Closes(Due::Decision(facts.case)),
        Event::Level2Withdrawn(facts) => Effect::Closes(Due::Decision(facts.case)),
        Event::ProcessingDeadlineMissed(facts) => Effect::Closes(Due::Decision(facts.case)),
        Event::ActivationWindowOpened(facts) => Effect::Opens(Due::Activation, facts.deadline),
        Event::ActivationReopened(facts) => Effect::Opens(Due::Activation, facts.deadline),
        Event::AccountActivated(_) | Event::ActivationWindowExpired(_) => {
            Effect::Closes(Due::Activation)
        }
        Event::LockRequested(facts) => {
            Effect::Opens(Due::LockRequest(facts.request), end_of(facts.decide_by))
        }
        Event::LockRequestGranted(facts) => Effect::Closes(Due::LockRequest(facts.request)),
        Event::LockRequestRefused(facts) => Effect::Closes(Due::LockRequest(facts.request)),
        Event::LockDeadlineMissed(facts) => Effect::Closes(Due::LockRequest(facts.request)),
        Event::ValidityRecorded(facts) => {
            Effect::Opens(Due::Validity(facts.of), end_of(facts.until))
        }
        Event::AccountLocked(facts) => match facts.ground {
            LockGround::CardExpired => Effect::Closes(Due::Validity(Validity::Card)),
            LockGround::TravelDocumentExpired => {
                Effect::Closes(Due::Validity(Validity::TravelDocument))
            }
            LockGround::ResidenceEnded => Effect::Closes(Due::Validity(Validity::Residence)),
            _ => return None,
        },
        Event::DependantLinked(facts) => {
            let on = facts.majority_on?;
            // Due when the day begins.
            Effect::Opens(Due::Majority(facts.dependant), start_of(on))
        }
        Event::DependantUnlinked(facts) => Effect::Closes(Due::Majority(facts.dependant)),
        Event::AccountClosed(_) => Effect::ClosesAll,
        _ => return None,
    })
}

/// The first instant after a local day (UTC+7, no daylight saving since 1975).
fn end_of(day: LocalDay) -> Micros {
    Micros((i64::from(day.0) + 1) * Micros::DAY - 7 * 3600 * Micros::SECOND)
}

fn account_key(account: AccountId) -> Vec<u8> {
    let mut key = vec![ACCOUNT];
    key.extend(account.0);
    key
}

fn due_prefix(range: u8, due: Micros) -> Vec<u8> {
    let mut key = vec![range];
    // Moved into the unsigned range, so that bytes sort like instants.
    key.extend((due.0.cast_unsigned() ^ (1 << 63)).to_be_bytes());
    key
}

fn due_key(deadline: &Deadline) -> Vec<u8> {
    let range = match deadline.what {
        Due::Validity(Validity::Card) => CARD_DUE,
        _ => DUE,
    };
    let mut key = due_prefix(range, deadline.due);
    key.extend(deadline.account.0);
    match deadline.what {
        Due::Decision(case) => key.extend(case.0),
        Due::Activation => key.push(0),
        Due::LockRequest(request) => key.extend(request.0),
        Due::Validity(of) => key.push(1 + of as u8),
        Due::Majority(dependant) => {
            key.push(b'm');
            key.extend(dependant.0);
        }
    }
    key
}

/// Open deadlines that are overdue at `until`, the earliest first; without those of cards.
pub(crate) fn until(
    view: &dyn ViewStore,
    until: Micros,
    limit: usize,
) -> Result<Vec<Deadline>, ViewError> {
    scan(view, DUE, until, limit)
}

/// The same of cards alone.
pub(crate) fn cards_until(
    view: &dyn ViewStore,
    until: Micros,
    limit: usize,
) -> Result<Vec<Deadline>, ViewError> {
    scan(view, CARD_DUE, until, limit)
}

fn scan(
    view: &dyn ViewStore,
    range: u8,
    until: Micros,
    limit: usize,
) -> Result<Vec<Deadline>, ViewError> {
    let end = due_prefix(range, until.plus(1));
    view.scan(&[range], &end, Order::Ascending, limit)?
        .into_iter()
        .map(|(_, row)| bytes::decode(&row).map_err(|error| ViewError::damaged(NAME, &error)))
        .collect()
}
