//! Answers that registries owe, in the order in which they were asked for: what the ledger asks again.
//!
//! Rows: one per owed answer, ordered by the position of the event since which it waits, and one per
//! account with any, so that they can be closed. An answer that came leaves no row.

use crate::changes::Changes;
use crate::error::{ApplyError, ViewError};
use crate::projection::{Decoded, Projection};
use crate::view::{Order, ViewStore};
use domain::bytes;
use domain::event::Event;
use domain::ids::{AccountId, Micros, Position, RequestId};
use domain::vocabulary::{Awaited, Database};
use wincode::{SchemaRead, SchemaWrite};

/// Its name.
pub const NAME: &str = "waiting";
/// Version of its rows.
pub const VERSION: u32 = 1;

const ACCOUNT: u8 = b'a';
const OWED: u8 = b'w';

/// An answer that a registry owes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SchemaRead, SchemaWrite, serde::Serialize)]
pub struct Owed {
    /// Whose it is.
    pub account: AccountId,
    /// The question.
    pub request: RequestId,
    /// What waits.
    pub what: Awaited,
    /// Who is asked.
    pub database: Database,
    /// Since when.
    pub since: Micros,
    /// The event since which it waits.
    pub position: Position,
}

/// What an account waits for.
#[derive(Debug, Default, Clone, PartialEq, Eq, SchemaRead, SchemaWrite)]
struct Open {
    owed: Vec<Owed>,
}

/// Folds owed answers.
#[derive(Debug, Default)]
pub struct WaitingProjection;

impl Projection for WaitingProjection {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn apply(&mut self, changes: &mut Changes, record: &Decoded) -> Result<(), ApplyError> {
        let Some(account) = record.account() else {
            return Ok(());
        };
        let ends = |owed: &Owed| match &record.event {
            Event::RegistryAnswerAwaited(facts) => {
                owed.request == facts.request || owed.what == facts.what
            }
            Event::RegistryWaitEnded(facts) => owed.request == facts.request,
            _ => true,
        };
        let concerned = matches!(
            record.event,
            Event::RegistryAnswerAwaited(_) | Event::RegistryWaitEnded(_) | Event::AccountClosed(_)
        );
        if !concerned {
            return Ok(());
        }
        let key = account_key(account);
        let mut open: Open = changes.read(NAME, &key)?.unwrap_or_default();
        let before = open.owed.len();
        for owed in open.owed.iter().filter(|owed| ends(owed)) {
            changes.delete(&owed_key(owed.position))?;
        }
        open.owed.retain(|owed| !ends(owed));
        if let Event::RegistryAnswerAwaited(facts) = &record.event {
            let owed = Owed {
                account,
                request: facts.request,
                what: facts.what,
                database: facts.database,
                since: record.envelope.recorded_at,
                position: record.position,
            };
            open.owed.push(owed);
            changes.write(&owed_key(record.position), &owed)?;
        }
        match (open.owed.is_empty(), before) {
            (true, 0) => Ok(()),
            (true, _) => Ok(changes.delete(&key)?),
            (false, _) => changes.write(&key, &open),
        }
    }
}

fn account_key(account: AccountId) -> Vec<u8> {
    let mut key = vec![ACCOUNT];
    key.extend(account.0);
    key
}

fn owed_key(position: Position) -> Vec<u8> {
    let mut key = vec![OWED];
    key.extend(position.0.to_be_bytes());
    key
}

/// Owed answers after a position, in order.
pub(crate) fn owed(
    view: &dyn ViewStore,
    after: Option<Position>,
    limit: usize,
) -> Result<Vec<Owed>, ViewError> {
    let start = after.map_or(vec![OWED], |after| {
        owed_key(Position(after.0.saturating_add(1)))
    });
    view.scan(&start, &[OWED + 1], Order::Ascending, limit)?
        .into_iter()
        .map(|(_, row)| bytes::decode(&row).map_err(|error| ViewError::damaged(NAME, &error)))
        .collect()
}
