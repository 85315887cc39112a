//! When to try again, and when not to try at all.
//!
//! Waiting grows with every try and is drawn at random below its bound ("full jitter"), so that many
//! that failed together do not come back together. Pure: time and randomness are parameters.

use domain::ids::Micros;
use parking_lot::Mutex;
use std::time::Duration;

/// How waiting grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Bound of the first wait.
    pub first: Duration,
    /// Bound of every wait.
    pub most: Duration,
}

impl Backoff {
    /// How long to wait after the `tries`-th failure (from 1). `random`: any number.
    pub fn wait(&self, tries: u16, random: u64) -> Duration {
        let doublings = u32::from(tries.saturating_sub(1)).min(32);
        let bound = self
            .first
            .saturating_mul(1 << doublings.min(31))
            .min(self.most);
        let bound = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
        // The upper half of the range, so that no wait is none.
        let half = bound / 2;
        Duration::from_micros(half + random % (bound - half).max(1))
    }
}

/// What a breaker allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Everything; so many failures in a row so far.
    Closed(u16),
    /// Nothing before this instant.
    Open(Micros),
    /// One try is under way and decides; if it never comes back, another may after this instant.
    HalfOpen(Micros),
}

/// How a breaker stands, for people and figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// The peer is asked.
    Closed,
    /// One question is to find out, or is finding out.
    HalfOpen,
    /// The peer is left alone.
    Open,
}

/// Leaves a peer alone that failed too often: its callers get their answer at once, and it gets time.
#[derive(Debug)]
pub struct Breaker {
    state: Mutex<State>,
    failures_max: u16,
    rest: Duration,
}

impl Breaker {
    /// Opens after `failures_max` failures in a row, for `rest`.
    pub const fn new(failures_max: u16, rest: Duration) -> Self {
        Self {
            state: Mutex::new(State::Closed(0)),
            failures_max,
            rest,
        }
    }

    /// Whether the peer may be asked now. After a rest, one caller is let through to find out.
    pub fn allows(&self, now: Micros) -> bool {
        let mut state = self.state.lock();
        match *state {
            State::Closed(_) => true,
            State::Open(until) | State::HalfOpen(until) if now >= until => {
                *state = State::HalfOpen(self.after(now));
                true
            }
            State::Open(_) | State::HalfOpen(_) => false,
        }
    }

    /// How it stands. A rest that is over counts as half open: the next question finds out.
    pub fn standing(&self, now: Micros) -> Standing {
        match *self.state.lock() {
            State::Closed(_) => Standing::Closed,
            State::Open(until) if now < until => Standing::Open,
            State::Open(_) | State::HalfOpen(_) => Standing::HalfOpen,
        }
    }

    /// It answered.
    pub fn succeeded(&self) {
        *self.state.lock() = State::Closed(0);
    }

    /// It did not. Returns whether this opened the breaker.
    pub fn failed(&self, now: Micros) -> bool {
        let mut state = self.state.lock();
        let failures = match *state {
            State::Closed(failures) => failures.saturating_add(1),
            State::Open(_) => return false,
            State::HalfOpen(_) => self.failures_max,
        };
        if failures < self.failures_max {
            *state = State::Closed(failures);
            return false;
        }
        *state = State::Open(self.after(now));
        true
    }

    fn after(&self, now: Micros) -> Micros {
        now.plus(i64::try_from(self.rest.as_micros()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_differ() {
        let backoff = Backoff {
            first: Duration::from_secs(1),
            most: Duration::from_mins(1),
        };
        for (tries, bound) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (u16::MAX, 60)] {
            for random in [0, 1, 12_345, u64::MAX] {
                let wait = backoff.wait(tries, random);
                assert!(wait <= Duration::from_secs(bound), "{tries}: {wait:?}");
                assert!(wait >= Duration::from_secs(bound) / 2, "{tries}: {wait:?}");
            }
        }
        assert_ne!(backoff.wait(3, 5), backoff.wait(3, 700_000));
    }

    #[test]
    fn a_breaker_opens_rests_and_tries_one() {
        use Standing::{Closed, HalfOpen, Open};
        let breaker = Breaker::new(3, Duration::from_secs(10));
        let at = |seconds: i64| Micros(seconds * Micros::SECOND);
        let stands = |seconds: i64| breaker.standing(at(seconds));
        assert!(!breaker.failed(at(0)) && !breaker.failed(at(0)));
        breaker.succeeded();
        assert!(!breaker.failed(at(1)) && !breaker.failed(at(1)));
        assert!(breaker.allows(at(1)));
        assert_eq!(stands(1), Closed, "two in a row are not three");
        assert!(breaker.failed(at(1)), "the third in a row opens it");
        assert_eq!((stands(1), stands(10), stands(11)), (Open, Open, HalfOpen));
        assert!(!breaker.allows(at(10)));
        assert!(breaker.allows(at(11)), "one is let through");
        assert_eq!(stands(11), HalfOpen);
        assert!(!breaker.allows(at(11)), "and no second one");
        assert!(breaker.failed(at(12)), "it failed too");
        assert_eq!((stands(12), stands(21)), (Open, Open));
        assert!(!breaker.allows(at(21)));
        assert!(!breaker.failed(at(21)), "open already");
        assert!(breaker.allows(at(22)));
        assert!(!breaker.allows(at(31)), "a try that never came back");
        assert!(breaker.allows(at(32)));
        breaker.succeeded();
        assert_eq!(stands(32), Closed);
        assert!(breaker.allows(at(32)) && breaker.allows(at(32)));
        assert!(!breaker.failed(at(33)), "counted from none again");
    }

    #[test]
    fn of_many_that_ask_at_once_one_finds_out() {
        let breaker = Breaker::new(1, Duration::from_secs(10));
        let now = Micros(0);
        assert!(breaker.failed(now));
        let later = now.plus(10 * Micros::SECOND);
        let let_through = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| breaker.allows(later)))
                .collect();
            tries
                .into_iter()
                .map(|t| t.join().unwrap())
                .filter(|a| *a)
                .count()
        });
        assert_eq!(let_through, 1);
    }
}
