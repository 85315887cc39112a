//! What everything that works by itself has in common: it looks once in a while, sees what is recorded
//! before it acts, and ends when it is told to.
//!
//! Owns the loop and the errors of a round; never what is done in one. A round may be broken off at any
//! await: the ids of its commands follow from what they are about, so the next round, or the next
//! server, gives the same ones again.

use domain::ids::Position;
use ledger::ledger::Ledger;
use ledger::writer::LedgerError;
use projections::{ViewError, Views};
use std::future::Future;
use std::time::Duration;
use tokio::time::MissedTickBehavior;

/// How long a read model may take to show what is recorded before a round gives up.
const SEEN_WITHIN: Duration = Duration::from_secs(10);

/// Why a round ended early. The next one goes on where it ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RoundError {
    /// The read model cannot be used.
    #[error(transparent)]
    View(#[from] ViewError),
    /// A command could not be carried out.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Something that is done in rounds.
pub(crate) trait Task: Send {
    /// What a round came to.
    type Round: Send;
    /// How often it looks.
    const PERIOD: Duration;
    /// What is said of a round that ended early.
    const FAILED: &'static str;

    /// One round.
    fn once(&mut self) -> impl Future<Output = Result<Self::Round, RoundError>> + Send;

    /// Says what a round came to, if that is worth a line.
    fn tell(round: &Self::Round);
}

/// Round after round until `shutdown` resolves; a round that is under way then is broken off.
pub(crate) async fn run<T: Task>(mut task: T, shutdown: impl Future<Output = ()>) {
    let mut period = tokio::time::interval(T::PERIOD);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => return,
            _ = period.tick() => {}
        }
        let round = tokio::select! {
            () = &mut shutdown => return,
            round = task.once() => round,
        };
        match round {
            Ok(round) => T::tell(&round),
            Err(error) => tracing::warn!(%error, "{}", T::FAILED),
        }
    }
}

/// Waits until a read model shows what is recorded: what was settled a moment ago must not be taken up
/// again.
pub(crate) async fn caught_up(
    ledger: &Ledger,
    views: &Views,
    name: &'static str,
) -> Result<(), RoundError> {
    let length = ledger.store().length().await.map_err(LedgerError::from)?;
    if let Some(last) = length.checked_sub(1) {
        let names = [name];
        views.wait_for(&names, Position(last), SEEN_WITHIN).await?;
    }
    Ok(())
}
