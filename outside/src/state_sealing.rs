//! States what the read models came to, in `StateSealed` events of the ledger itself.
//!
//! Looks once in a while whether enough has happened since the last statement, waits until the read
//! models have passed it, and states what they were just after it. Owns when; never what, which is the
//! read models', nor the order of several servers, which is the stream's: of two that state the same,
//! one appends and the other looks again. Nothing that is appended ever waits for it.

use crate::rounds::{self, RoundError, Task};
use domain::ids::{Micros, Position};
use ledger::ledger::Ledger;
use ledger::state_seal::StateSeal;
use ledger::writer::LedgerError;
use projections::state_map::{self, Stated};
use projections::{ViewError, Views};
use std::future::Future;
use std::time::Duration;

/// How often a running sealer looks.
pub const PERIOD: Duration = Duration::from_secs(1);
/// How long the read models may take to pass the last statement before a round gives up.
const SEEN_WITHIN: Duration = Duration::from_secs(10);
/// How often [`StateSealer::seal_present`] tries where others state too.
const ATTEMPTS_MAX: usize = 16;

/// When a statement is due, if anything has happened since the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// So long after the last one, in microseconds.
    pub after: i64,
    /// After so many events, whichever is first. A cut rewrites some two rows for each account that was
    /// touched, in one batch that readers wait for (about 20 µs a row).
    pub events: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            after: 60 * Micros::SECOND,
            events: 4_096,
        }
    }
}

/// What a round came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// Nothing was due.
    Idle,
    /// A statement was made.
    Sealed {
        /// Where it stands.
        at: Position,
        /// How many events it takes in.
        position: u64,
    },
    /// Somebody else has made one meanwhile.
    Raced,
    /// The read models do not know what to state: they were built beyond the last statement by others.
    Unknown,
}

/// States what the read models came to.
pub struct StateSealer {
    ledger: Ledger,
    views: Views,
    pace: Pace,
    /// Since when it looks.
    began: Micros,
    /// Length of the ledger at which there was nothing to do.
    quiet: Option<u64>,
    /// After something went wrong: not before this instant.
    rests: Micros,
}

impl StateSealer {
    /// A sealer for a ledger; `views` must follow it.
    pub fn new(ledger: Ledger, views: Views, pace: Pace) -> Self {
        let began = ledger.now();
        Self {
            ledger,
            views,
            pace,
            began,
            quiet: None,
            rests: began,
        }
    }

    /// States what is due, if anything is.
    pub async fn round(&mut self) -> Result<Round, RoundError> {
        let now = self.ledger.now();
        if now < self.rests {
            return Ok(Round::Idle);
        }
        let done = self.look(now).await;
        if matches!(done, Err(_) | Ok(Round::Unknown)) {
            // The same trouble is not told every second.
            self.rests = now.plus(self.pace.after);
        }
        done
    }

    async fn look(&mut self, now: Micros) -> Result<Round, RoundError> {
        let length = self.ledger.store().length().await;
        let length = length.map_err(LedgerError::from)?;
        if length == 0 || self.quiet == Some(length) {
            return Ok(Round::Idle);
        }
        let last = self.ledger.last_state_seal().await?;
        let (since, known) = last.as_ref().map_or((self.began, 0), |last| {
            (last.recorded_at, last.position.0 + 1)
        });
        if last.as_ref().is_some_and(|last| is_settled(last, length)) {
            self.quiet = Some(length);
            return Ok(Round::Idle);
        }
        let news = length.saturating_sub(known);
        if news < self.pace.events && now.0.saturating_sub(since.0) < self.pace.after {
            return Ok(Round::Idle);
        }
        self.seal(last.as_ref()).await
    }

    /// Makes the next statement after the last, due or not.
    async fn seal(&self, last: Option<&StateSeal>) -> Result<Round, RoundError> {
        if let Some(last) = last {
            self.pass(last.position).await?;
        }
        let Some(facts) = self.views.state_to_seal(last.map(|last| last.position))? else {
            return Ok(Round::Unknown);
        };
        let position = facts.position;
        let sealed = self.ledger.seal_state(last, facts).await?;
        Ok(sealed.map_or(Round::Raced, |at| Round::Sealed { at, position }))
    }

    /// Waits until the read models have passed an event. One that is halted has nothing to say; but the
    /// state map must.
    async fn pass(&self, position: Position) -> Result<(), RoundError> {
        for name in Views::NAMES {
            match self.views.wait_for(&[name], position, SEEN_WITHIN).await {
                Err(ViewError::Halted { .. }) if name != state_map::NAME => {}
                passed => passed?,
            }
        }
        Ok(())
    }

    /// Makes the present state a stated one, which takes up to two statements: one to cut, one to say what
    /// the cut came to. Where it is one already, nothing is appended.
    pub async fn seal_present(&mut self) -> Result<Option<Stated>, RoundError> {
        let length = self.ledger.store().length().await;
        let length = length.map_err(LedgerError::from)?;
        for _ in 0..ATTEMPTS_MAX {
            let last = self.ledger.last_state_seal().await?;
            if let Some(last) = &last {
                let stated = last.facts.position >= length;
                if stated || is_settled(last, length) {
                    self.pass(last.position).await?;
                    return Ok(self.views.stated_state()?);
                }
            }
            if self.seal(last.as_ref()).await? == Round::Unknown {
                break;
            }
        }
        Ok(None)
    }

    /// Looks every [`PERIOD`] until `shutdown` resolves.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        rounds::run(self, shutdown).await;
    }
}

/// Whether nothing has happened since a statement, nor between it and the one before: everything is stated
/// that a statement could be made of.
fn is_settled(last: &StateSeal, length: u64) -> bool {
    length == last.position.0 + 1 && last.facts.position == last.position.0
}

impl Task for StateSealer {
    type Round = Round;
    const PERIOD: Duration = PERIOD;
    const FAILED: &'static str = "the state could not be stated";

    fn once(&mut self) -> impl Future<Output = Result<Round, RoundError>> + Send {
        self.round()
    }

    fn tell(round: &Round) {
        match round {
            Round::Idle | Round::Raced => {}
            Round::Sealed { at, position } => {
                tracing::debug!(at = at.0, position, "state stated");
            }
            Round::Unknown => tracing::warn!(
                "the state is not stated: the read models were built beyond the last statement; \
                 `projections rebuild` makes them know it"
            ),
        }
    }
}
