//! What a projection is: a fold of events into rows. Pure but for the rows it is handed: no clock,
//! no randomness, no I/O of its own, so that the same events give the same rows everywhere.

use crate::changes::Changes;
use crate::error::{ApplyError, ViewError};
use domain::envelope::Envelope;
use domain::event::Event;
use domain::ids::{AccountId, Digest, Position};
use domain::record::{RecordRef, open_event};
use ledger::store::StoredRecord;
use ledger::transparency::{ENTRY_BYTES, entry};

/// A record taken apart once, for all projections.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// Where it stands in the ledger.
    pub position: Position,
    /// What was signed.
    pub envelope: Envelope,
    /// The facts, in today's schema.
    pub event: Event,
    /// The link that the next record of its stream carries.
    pub link: Digest,
    /// Its entry in the transparency log.
    pub entry: [u8; ENTRY_BYTES],
}

impl Decoded {
    /// The account whose stream it stands in, if it is one.
    pub fn account(&self) -> Option<AccountId> {
        self.envelope.stream.as_account()
    }
}

/// A record that cannot be taken apart. Every projection halts at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Where it stands.
    pub position: Position,
    /// Why.
    pub reason: String,
}

/// An additional check of every record before it is folded: signatures, for instance. `Err`: the
/// projections halt there, with this reason.
pub trait Admission: Send + Sync + 'static {
    /// Whether the record may be folded.
    fn admit(
        &self,
        position: Position,
        record: &RecordRef<'_>,
        envelope: &Envelope,
    ) -> Result<(), String>;
}

/// Takes a stored record apart. An unknown kind or version is an error, never skipped.
pub fn decode(
    record: &StoredRecord,
    admission: Option<&dyn Admission>,
) -> Result<Decoded, Unreadable> {
    let position = record.position;
    let unreadable = |reason: String| Unreadable { position, reason };
    let taken = RecordRef::parse(&record.bytes).map_err(|error| unreadable(error.to_string()))?;
    let envelope = taken
        .open_envelope()
        .map_err(|error| unreadable(error.to_string()))?;
    if envelope.stream != record.stream || envelope.revision != record.revision {
        return Err(unreadable(
            "the record stands in another stream than it says".to_owned(),
        ));
    }
    if let Some(admission) = admission {
        admission
            .admit(position, &taken, &envelope)
            .map_err(&unreadable)?;
    }
    let event = open_event(&envelope).map_err(|error| unreadable(error.to_string()))?;
    if REVIEWED_KINDS.binary_search(&envelope.kind).is_err() {
        return Err(unreadable(format!(
            "event kind {} has not been considered by the projections",
            envelope.kind
        )));
    }
    let link = taken.link();
    let entry = entry(&taken);
    Ok(Decoded {
        position,
        envelope,
        event,
        link,
        entry,
    })
}

/// The kinds that every projection was written with in mind. A kind added to the domain halts the
/// projections until somebody has decided here what each of them makes of it: fail closed.
const REVIEWED_KINDS: &[u16] = &[
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 20, 21, 22, 23, 30, 31, 32, 33, 34, 35, 40, 41, 42, 43, 44,
    50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 70, 71, 72, 73, 74, 75, 80, 81, 82,
    83, 84, 85, 86, 87, 88, 90, 91, 92, 93, 100, 101, 102, 110, 111, 120, 121, 122, 123, 130, 131,
    132, 133, 134, 135, 136, 140, 141, 150, 151, 152, 160, 161, 162, 163, 164, 170, 171, 172, 173,
    174, 175, 176, 177, 178, 179, 180, 181, 182, 183, 184, 190, 191, 195, 196, 200, 215, 216, 217,
];

/// A fold of events into rows.
pub trait Projection: Send + 'static {
    /// Its name: lower case, also the name of its directory and of its digest.
    fn name(&self) -> &'static str;

    /// Raised whenever the rows that the same events give have changed; a view of another version
    /// is built again.
    fn version(&self) -> u32;

    /// Called once before the first event, with the rows as they are stored: what is kept in memory
    /// beside the rows is read back here.
    fn start(&mut self, changes: &mut Changes) -> Result<(), ViewError> {
        let _ = changes;
        Ok(())
    }

    /// Folds one record. On an error nothing of it is kept and the projection halts.
    fn apply(&mut self, changes: &mut Changes, record: &Decoded) -> Result<(), ApplyError>;

    /// How many changed rows it holds in memory besides those in [`Changes`]; counted into the
    /// window.
    fn held_rows(&self) -> usize {
        0
    }

    /// Hands what it holds in memory over as rows.
    fn before_commit(&mut self, changes: &mut Changes) -> Result<(), ViewError> {
        let _ = changes;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_the_domain_was_considered() {
        let known: Vec<u16> = Event::KINDS.iter().map(|(code, _, _)| *code).collect();
        assert_eq!(known, REVIEWED_KINDS);
    }
}
