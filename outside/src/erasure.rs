//! Destroying the keys that the events say are destroyed.
//!
//! The writer destroys a key right after its `SubjectKeyDestroyed` is durable; a crash may come in
//! between, and a vault restored from an older copy has the key again. Run before anything is
//! served, so that what was erased cannot be read once more. Never destroys what no event names.

use domain::event::{Event, KindCode};
use domain::ids::{Micros, Position};
use domain::record::{RecordRef, open_event};
use ledger::ledger::Ledger;
use ledger::vault::KeyState;
use ledger::writer::LedgerError;
use projections::audit::{AUDIT_LIMIT_MAX, AuditQuery};
use projections::{ViewError, Views};
use std::time::Duration;

/// `SubjectKeyDestroyed`.
const DESTROYED: KindCode = 92;

/// Why it could not be finished.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErasureError {
    /// The audit trail could not be read.
    #[error(transparent)]
    View(#[from] ViewError),
    /// An event could not be read, or a key not be destroyed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Destroys what is left to be destroyed; returns how many keys that were. `wait`: how long the
/// audit trail may take to show all that is recorded.
pub async fn finish(ledger: &Ledger, views: &Views, wait: Duration) -> Result<u64, ErasureError> {
    let length = ledger.store().length().await.map_err(LedgerError::from)?;
    if let Some(last) = length.checked_sub(1) {
        let names = [projections::audit::NAME];
        views.wait_for(&names, Position(last), wait).await?;
    }
    let mut query = AuditQuery {
        kinds: vec![DESTROYED],
        limit: AUDIT_LIMIT_MAX,
        ..AuditQuery::default()
    };
    let (mut destroyed, began) = (0, ledger.now());
    loop {
        let page = views.audit(&query).await?;
        for position in page.positions {
            destroyed += u64::from(settle(ledger, position).await?);
        }
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => break,
        }
    }
    if destroyed > 0 {
        let seconds = (ledger.now().0 - began.0) / Micros::SECOND;
        tracing::warn!(
            destroyed,
            seconds,
            "keys that events say are destroyed were still there"
        );
    }
    Ok(destroyed)
}

/// Whether the key that the event at a position names was still there.
async fn settle(ledger: &Ledger, position: Position) -> Result<bool, LedgerError> {
    let records = ledger.store().read_all(position, 1).await?;
    let Some(record) = records.first() else {
        return Ok(false);
    };
    let envelope = RecordRef::parse(&record.bytes)?.open_envelope()?;
    let Event::SubjectKeyDestroyed(facts) = open_event(&envelope)? else {
        return Ok(false);
    };
    let subject = record.stream.id.0;
    match ledger.vault().key(&subject, facts.class).await? {
        KeyState::Live(_) => {
            ledger.vault().destroy(&subject, facts.class).await?;
            Ok(true)
        }
        KeyState::Destroyed | KeyState::Unknown => Ok(false),
    }
}
