//! An account as it was: its own stream folded up to a position or an instant.

use crate::accounts::{AccountView, Fold};
use crate::error::{ApplyError, ViewError};
use crate::projection::{Decoded, decode};
use domain::ids::{AccountId, Micros, Position, Revision, StreamId};
use ledger::store::{EventStore, PAGE_RECORDS_MAX};

/// The instant a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// After the event at this position of the ledger.
    Position(Position),
    /// What the ledger had recorded by this instant.
    Recorded(Micros),
    /// What had happened by this instant, as known today: events in the order in which they
    /// happened.
    Occurred(Micros),
}

impl AsOf {
    fn includes(self, record: &Decoded) -> bool {
        match self {
            Self::Position(at) => record.position <= at,
            Self::Recorded(at) => record.envelope.recorded_at <= at,
            Self::Occurred(at) => record.envelope.occurred_at <= at,
        }
    }
}

/// The account at that instant; `None`: there was none yet.
pub async fn account(
    store: &dyn EventStore,
    account: AccountId,
    at: AsOf,
) -> Result<Option<AccountView>, ViewError> {
    let mut records = records(store, account).await?;
    let mut fold = Fold::default();
    match at {
        // Both rise along a stream; a clock that stepped back must not cut a stream in two, so the
        // fold ends at the first event that is beyond.
        AsOf::Position(_) | AsOf::Recorded(_) => {
            for record in records.iter().take_while(|record| at.includes(record)) {
                fold.push(record).map_err(|error| match error {
                    ApplyError::Poison(reason) => halted(record.position, reason),
                    ApplyError::View(error) => error,
                })?;
            }
        }
        AsOf::Occurred(_) => {
            records.retain(|record| at.includes(record));
            records.sort_by_key(|record| (record.envelope.occurred_at, record.envelope.revision));
            for record in &records {
                fold.push_unchecked(record);
            }
        }
    }
    Ok(fold.view(account))
}

/// An account's stream, taken apart.
pub(crate) async fn records(
    store: &dyn EventStore,
    account: AccountId,
) -> Result<Vec<Decoded>, ViewError> {
    let mut records = Vec::new();
    let mut from = Revision(0);
    loop {
        let page = store
            .read_stream(StreamId::account(account), from, PAGE_RECORDS_MAX)
            .await?;
        let Some(last) = page.last() else {
            return Ok(records);
        };
        from = Revision(last.revision.0 + 1);
        for record in &page {
            let record = decode(record, None)
                .map_err(|unreadable| halted(unreadable.position, unreadable.reason))?;
            records.push(record);
        }
    }
}

fn halted(position: Position, reason: String) -> ViewError {
    ViewError::Halted {
        view: "account history".to_owned(),
        position: position.0,
        reason,
    }
}
