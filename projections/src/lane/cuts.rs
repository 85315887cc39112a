//! What a lane notes at every `StateSealed` event, and how it compares itself with what they state.

use super::{Key, Value, ViewError, Write};
use crate::digest::ProjectionDigest;
use domain::event::StateSealed;
use domain::ids::Digest;

/// Row of the note.
const CUT_KEY: &[u8] = &[0, b's'];

/// The digest just after a `StateSealed` event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Note {
    /// How many events were folded.
    pub(crate) position: u64,
    /// Digest of the rows.
    pub(crate) digest: Digest,
}

impl Note {
    /// As it is stored: u64 LE position ‖ digest.
    pub(super) fn write(&self) -> Result<Write, ViewError> {
        let mut row = self.position.to_le_bytes().to_vec();
        row.extend(self.digest.0);
        Ok(Write {
            key: Key::try_from(CUT_KEY.to_vec())?,
            value: Some(Value::try_from(row)?),
        })
    }

    /// As it was stored. What does not read is as if there were none: the next event makes another.
    pub(super) fn read(view: &dyn crate::view::ViewStore) -> Result<Option<Self>, ViewError> {
        let row = view.get(CUT_KEY)?;
        let read = |row: Vec<u8>| {
            let (position, digest) = row.split_first_chunk::<8>()?;
            Some(Self {
                position: u64::from_le_bytes(*position),
                digest: Digest(digest.try_into().ok()?),
            })
        };
        Ok(row.and_then(read))
    }
}

/// A digest that was stated, and the one that was arrived at here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    /// Position of the `StateSealed` event.
    pub sealed_at: u64,
    /// Which projection and version, of which position, and what it came to here.
    pub here: ProjectionDigest,
    /// What was stated.
    pub stated: Digest,
}

impl core::fmt::Display for Disagreement {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (
            ProjectionDigest {
                position, digest, ..
            },
            stated,
        ) = (&self.here, &self.stated);
        let at = self.sealed_at;
        write!(
            f,
            "the event at {at} states digest {stated} for position {position}, here it is {digest}"
        )
    }
}

/// How what was stated compares with what was folded here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Compared {
    /// The note at the last cut.
    pub(crate) note: Option<Note>,
    /// Position that was agreed on last.
    pub(crate) agreed: Option<u64>,
    /// Digests that were the same.
    pub(crate) same: u64,
    /// Statements that say nothing of this version, or of a position that was not noted.
    pub(crate) not_comparable: u64,
    /// The first difference.
    pub(crate) first: Option<Disagreement>,
    /// The newest difference.
    pub(crate) last: Option<Disagreement>,
}

impl Compared {
    /// Takes in a statement. `name`, `version`: of the projection that is compared.
    pub(super) fn state(
        &mut self,
        sealed_at: u64,
        facts: &StateSealed,
        (name, version): (&'static str, u32),
    ) {
        let mut digests = facts.digests.iter();
        let stated = digests.find(|stated| stated.projection == name && stated.version == version);
        let note = self.note.filter(|note| note.position == facts.position);
        let (Some(stated), Some(note)) = (stated, note) else {
            self.not_comparable += u64::from(facts.position > 0);
            return;
        };
        if stated.digest == note.digest {
            self.same += 1;
            if self.first.is_none() {
                self.agreed = Some(note.position);
            }
            return;
        }
        let here = ProjectionDigest {
            projection: name,
            version,
            position: note.position,
            digest: note.digest,
        };
        let disagreement = Disagreement {
            sealed_at,
            here,
            stated: stated.digest,
        };
        tracing::error!(projection = name, "{disagreement}");
        self.first.get_or_insert_with(|| disagreement.clone());
        self.last = Some(disagreement);
    }
}
