//! How patient a sender is: how often notices were tried since the start, and when each may be tried
//! again. Kept in memory only: what came of them is recorded, and a server that was started anew tries
//! at once.

use crate::retry::Backoff;
use domain::ids::{EventId, Micros};
use domain::vocabulary::Channel;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Duration;

/// How patient a sender is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Tries on one channel before it is given up. Counted since the last start.
    pub attempts_max: u16,
    /// Waiting between tries.
    pub backoff: Backoff,
    /// How often a receipt is asked for.
    pub receipt_every: Duration,
    /// A receipt that has not come after this long will not: given up.
    pub receipt_within: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            attempts_max: 10,
            backoff: Backoff {
                first: Duration::from_secs(5),
                most: Duration::from_mins(30),
            },
            receipt_every: Duration::from_mins(1),
            receipt_within: Duration::from_hours(24),
        }
    }
}

/// Of one notice on one channel.
#[derive(Debug, Clone, Copy, Default)]
struct Tries {
    failed: u16,
    not_before: Option<Micros>,
}

/// Of every notice that has something to be remembered.
#[derive(Debug, Default)]
pub(super) struct Tried(Mutex<HashMap<(EventId, Channel), Tries>>);

impl Tried {
    /// Whether it is not to be tried yet.
    pub fn rests(&self, notice: EventId, channel: Channel, now: Micros) -> bool {
        let tries = self.0.lock();
        let until = tries
            .get(&(notice, channel))
            .and_then(|tries| tries.not_before);
        until.is_some_and(|until| now < until)
    }

    /// Not before an instant.
    pub fn rest(&self, notice: EventId, channel: Channel, until: Micros) {
        let mut tries = self.0.lock();
        tries.entry((notice, channel)).or_default().not_before = Some(until);
    }

    /// Counts a failure; how many there were.
    pub fn failed_again(&self, notice: EventId, channel: Channel) -> u16 {
        let mut tries = self.0.lock();
        let tries = tries.entry((notice, channel)).or_default();
        tries.failed = tries.failed.saturating_add(1);
        tries.failed
    }

    /// How many failures there were.
    pub fn failures(&self, notice: EventId, channel: Channel) -> u16 {
        let tries = self.0.lock();
        tries
            .get(&(notice, channel))
            .map_or(0, |tries| tries.failed)
    }

    /// It has an outcome.
    pub fn forget(&self, notice: EventId, channel: Channel) {
        self.0.lock().remove(&(notice, channel));
    }
}
