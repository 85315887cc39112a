//! The simulated clock: two years pass in a minute.
//!
//! Every visit carries its own time (task-local), so that visits of one day can run side by side
//! and each is recorded when it happens. Outside a visit the clock shows the day's beginning.

use domain::ids::Micros;
use ledger::wiring::{Clock, ManualClock};
use std::cell::Cell;
use std::future::Future;

tokio::task_local! {
    static NOW: Cell<i64>;
}

/// A clock that shows the time of the visit it is asked in.
pub struct VisitClock {
    /// Shown outside visits.
    pub day: ManualClock,
}

impl VisitClock {
    /// A clock that shows `now`.
    pub const fn new(now: Micros) -> Self {
        Self {
            day: ManualClock::new(now),
        }
    }
}

impl Clock for VisitClock {
    fn now(&self) -> Micros {
        NOW.try_with(Cell::get)
            .map_or_else(|_| self.day.now(), Micros)
    }
}

/// Runs a visit that begins at `at`.
pub async fn visit<F: Future>(at: Micros, visit: F) -> F::Output {
    NOW.scope(Cell::new(at.0), visit).await
}

/// Lets some seconds of the visit pass.
pub fn pass(seconds: i64) {
    // Outside a visit nothing passes.
    let _ = NOW.try_with(|now| now.set(now.get().saturating_add(seconds * Micros::SECOND)));
}

/// The time of the visit.
pub fn now() -> Micros {
    NOW.try_with(Cell::get).map_or(Micros(0), Micros)
}
