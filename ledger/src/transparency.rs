//! The transparency log of a ledger: what strangers check that no event is missing and none was
//! changed.
//!
//! Owns the tree on disk, the lock that keeps it from ever saying two things, and sealing: reading
//! what was appended, growing the tree, signing checkpoints. Runs behind the append and never in its
//! way; everything but the lock can be made again from the events.
//!
//! The entry of event *n* is `SHA-256(envelope ‖ signature)`: constant in size, free of personal
//! data. Whoever has the event has its entry, by `sha256sum`.

mod following;
mod growing;
mod levels;
mod lock;
mod log;
pub mod proofs;
mod sealer;
mod sealing;
mod shared_lock;
mod stamps;
pub mod state_proof;
#[cfg(test)]
mod tests;
pub mod witness;

pub use following::Following;
pub use growing::{Progress, Told};
pub use levels::Levels;
pub use lock::{CheckpointLock, FileLock, Life, Locked, Seen, TurnPace, Turns};
pub use log::{CHECKPOINT_FILE, Published, ReadError, TransparencyLog};
pub use sealer::{Sealer, Settings};
pub use sealing::{Cosigned, Cosigner, Missing, OpenLock, Sealing, signer};
pub use shared_lock::{LockDatabase, SharedLock};
pub use stamps::{STAMPS_DIR, Stamp, Stamps, stamp_names};

use crate::keyring::KeyRing;
use crate::store::StoreError;
use domain::ids::LedgerId;
use domain::record::{RecordError, RecordRef};
use sha2::{Digest as _, Sha256};
use tlog::note::{Algorithm, VerifierKey};

/// The origin of a ledger's log, which is also the name of its keys: `idledger/<ledger id>`.
pub fn origin(ledger: LedgerId) -> String {
    format!("idledger/{ledger}")
}

/// The keys that the checkpoints of a ledger are checked with, oldest first.
pub fn verifier_keys(ring: &KeyRing) -> Result<Vec<VerifierKey>, tlog::Error> {
    let name = ring.ledger().map(origin).unwrap_or_default();
    let keys = ring.checkpoint_keys().iter();
    keys.map(|key| VerifierKey::new(&name, Algorithm::Ed25519, *key.verifying()))
        .collect()
}

/// Length of an entry, in bytes.
pub const ENTRY_BYTES: usize = 32;

/// The entry of a record's bytes.
pub fn entry_of(record: &[u8]) -> Result<[u8; ENTRY_BYTES], RecordError> {
    Ok(entry(&RecordRef::parse(record)?))
}

/// The entry of a record: sealed parts do not count, so erasing them changes no proof (INV-4).
pub fn entry(record: &RecordRef<'_>) -> [u8; ENTRY_BYTES] {
    let mut hasher = Sha256::new();
    hasher.update(record.envelope);
    hasher.update(record.signature);
    hasher.finalize().into()
}

/// Why nothing is sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The events cannot be read, or the tree's files not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A tree, note or key that does not work.
    #[error(transparent)]
    Log(#[from] tlog::Error),
    /// The ledger is behind what it signed: restored from a backup, or rolled back. Signing another
    /// history of the same size would be a fork.
    #[error("the ledger has {length} events and has signed a checkpoint of {locked}")]
    Behind {
        /// Events there are.
        length: u64,
        /// Size of the last checkpoint.
        locked: u64,
    },
    /// The events lead to another root than the one that was signed: another history.
    #[error("the events up to {size} do not lead to the root that was signed")]
    Fork {
        /// Size of the last checkpoint.
        size: u64,
    },
    /// The tree's own files do not lead to the root they led to: damage. They can be made anew.
    #[error("the tree's files are damaged: {what}")]
    Damaged {
        /// What was found.
        what: &'static str,
    },
    /// The key at hand is not one that the ledger's own events let sign a checkpoint of this size.
    #[error(
        "the checkpoint key is not one of this ledger's keys for a checkpoint of {size} events"
    )]
    Key {
        /// The size.
        size: u64,
    },
    /// Another node has the turn, and is alive.
    #[error("another server seals this ledger")]
    Taken,
    /// Somebody else sealed meanwhile.
    #[error("another sealer has moved the lock")]
    LockMoved,
    /// The address or the settings of the shared lock are wrong.
    #[error("the shared checkpoint lock cannot be used: {reason}")]
    Address {
        /// Why. Never repeats the address, which may hold a password.
        reason: &'static str,
    },
    /// The shared lock cannot be reached or used; a later call may succeed.
    #[error("the shared checkpoint lock failed at {operation}: {message}")]
    Remote {
        /// What was being done.
        operation: &'static str,
        /// The database's message, without its details.
        message: String,
    },
    /// The shared lock stands in the database of the shared vault: restoring one would take the other
    /// back.
    #[error("the shared checkpoint lock stands in the database of the shared vault")]
    VaultDatabase,
    /// The lock is not one of this log.
    #[error("the lock is damaged: {why}")]
    Lock {
        /// Why.
        why: String,
    },
    /// Too few witnesses have cosigned, and what they have not is not published.
    #[error("{found} of {wanted} cosignatures: the checkpoint is not published")]
    Cosignatures {
        /// How many there are.
        found: usize,
        /// How many are wanted.
        wanted: usize,
    },
    /// A record that is not one.
    #[error("event {position}: {reason}")]
    Record {
        /// Where.
        position: u64,
        /// Why.
        reason: String,
    },
}
