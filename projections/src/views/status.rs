//! How a projection is doing, for operators: one look, no waiting.

use crate::rebuild::Progress;
use crate::serving::Slot;

/// How a projection is doing.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// Everything that is safe in the ledger is visible.
    Live,
    /// Behind, and working on it.
    CatchingUp,
    /// Being built aside; the old rows serve until then.
    Rebuilding {
        /// Events read.
        done: u64,
        /// Events to read.
        total: u64,
    },
    /// Halted at an event it cannot take (INV-6).
    Halted {
        /// The event's position.
        position: u64,
        /// Why.
        reason: String,
    },
    /// Stopped by an error of the machine or the store.
    Failed {
        /// Which.
        reason: String,
    },
}

/// Status of one projection.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Status {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: u32,
    /// The generation that serves: raised by every rebuild.
    pub generation: u64,
    /// How many events are visible: the position of the next one.
    pub cursor: u64,
    /// How many events the ledger has beyond that.
    pub lag: u64,
    /// How it is doing.
    #[serde(flatten)]
    pub state: State,
    /// The last error, also one that was cured since.
    pub last_error: Option<String>,
}

/// The status of a projection, of a ledger with `length` events.
pub(super) fn of(slot: &Slot, length: u64) -> Status {
    let info = slot.info.lock();
    let cursor = info.digest.position;
    let lag = length.saturating_sub(cursor);
    let state = if let Some(Progress { done, total }) = info.rebuilding {
        State::Rebuilding { done, total }
    } else if let Some(halt) = &info.halt {
        let (position, reason) = (halt.position, halt.reason.clone());
        if halt.poison {
            State::Halted { position, reason }
        } else {
            State::Failed { reason }
        }
    } else if let Some(reason) = &info.failed {
        State::Failed {
            reason: reason.clone(),
        }
    } else if lag == 0 {
        State::Live
    } else {
        State::CatchingUp
    };
    Status {
        name: slot.name,
        version: slot.version,
        generation: info.generation,
        cursor,
        lag,
        state,
        last_error: info.last_error.clone(),
    }
}
