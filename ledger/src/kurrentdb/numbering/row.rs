//! One row of the numbering: what it says of an event, and its bytes, as drawn in [`super`].

use domain::ids::{Digest, EventId, Revision, StreamId};

/// Bytes of one row.
pub const ROW_BYTES: usize = 44;
const DIGEST_PREFIX: &[u8] = b"idledger-order/v1\0";

/// A place in the server's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogPlace {
    /// Commit position.
    pub commit: u64,
    /// Prepare position: at most the commit position, and less than 4 GiB before it.
    pub prepare: u64,
}

/// The first half of a BLAKE3 digest over everything up to a row.
pub type Running = [u8; 16];

/// What is known of one of our events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Where it stands on the server.
    pub place: LogPlace,
    /// Its number in its stream.
    pub revision: u32,
    /// Its id, both halves folded into one: enough to notice another event.
    pub id: [u8; 8],
    /// Digest of this and every event before.
    pub digest: Running,
}

/// An event as the digest sees it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Its stream.
    pub stream: StreamId,
    /// Its number there.
    pub revision: Revision,
    /// Its id.
    pub id: EventId,
    /// Its link.
    pub link: Digest,
    /// The record.
    pub bytes: &'a [u8],
}

impl Seen<'_> {
    /// The running digest after this event.
    pub fn digest_after(&self, before: Running) -> Running {
        let mut hasher = blake3::Hasher::new();
        hasher.update(DIGEST_PREFIX);
        hasher.update(&before);
        hasher.update(&self.stream.key());
        hasher.update(&self.revision.0.to_le_bytes());
        hasher.update(&self.id.0);
        hasher.update(&self.link.0);
        hasher.update(self.bytes);
        let mut digest = [0; 16];
        hasher.finalize_xof().fill(&mut digest);
        digest
    }
}

/// An event id folded into eight bytes.
pub fn folded(id: EventId) -> [u8; 8] {
    let id = u128::from_be_bytes(id.0);
    ((id >> 64) as u64 ^ id as u64).to_be_bytes()
}

impl Row {
    /// Row `position`'s bytes; `None`: the places are too far apart.
    pub(super) fn encode(&self, position: u64) -> Option<[u8; ROW_BYTES]> {
        let apart = self.place.commit.checked_sub(self.place.prepare)?;
        let apart = u32::try_from(apart).ok()?;
        let mut bytes = Vec::with_capacity(ROW_BYTES);
        bytes.extend(self.place.commit.to_le_bytes());
        bytes.extend(apart.to_le_bytes());
        bytes.extend(self.revision.to_le_bytes());
        bytes.extend(self.id);
        bytes.extend(self.digest);
        bytes.extend(checksum(position, &bytes).to_le_bytes());
        bytes.try_into().ok()
    }

    /// `None`: the checksum is not that of row `position`.
    pub(super) fn decode(position: u64, bytes: &[u8; ROW_BYTES]) -> Option<Self> {
        let (body, crc) = bytes.split_last_chunk::<4>()?;
        if u32::from_le_bytes(*crc) != checksum(position, body) {
            return None;
        }
        let (commit, rest) = body.split_first_chunk::<8>()?;
        let (apart, rest) = rest.split_first_chunk::<4>()?;
        let (revision, rest) = rest.split_first_chunk::<4>()?;
        let (id, rest) = rest.split_first_chunk::<8>()?;
        let commit = u64::from_le_bytes(*commit);
        Some(Self {
            place: LogPlace {
                commit,
                prepare: commit.checked_sub(u64::from(u32::from_le_bytes(*apart)))?,
            },
            revision: u32::from_le_bytes(*revision),
            id: *id,
            digest: rest.try_into().ok()?,
        })
    }
}

fn checksum(position: u64, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&position.to_le_bytes());
    hasher.update(body);
    hasher.finalize()
}
