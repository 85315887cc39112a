//! A transparency log, in the formats that public tools read: the Merkle tree of RFC 6962 over
//! SHA-256, and the C2SP formats [tlog-tiles], [signed-note], [tlog-checkpoint],
//! [tlog-cosignature], [tlog-witness] and [tlog-proof].
//!
//! Owns hashes, tiles, notes, checkpoints, cosignatures and proofs: how they are computed, written,
//! read and checked. It must never touch a file, a network, a clock or a source of randomness, and
//! knows nothing of events: an entry is bytes.
//!
//! [tlog-tiles]: https://c2sp.org/tlog-tiles
//! [signed-note]: https://c2sp.org/signed-note
//! [tlog-checkpoint]: https://c2sp.org/tlog-checkpoint
//! [tlog-cosignature]: https://c2sp.org/tlog-cosignature
//! [tlog-witness]: https://c2sp.org/tlog-witness
//! [tlog-proof]: https://c2sp.org/tlog-proof

pub mod bundle;
pub mod checkpoint;
pub mod cosignature;
pub mod error;
pub mod hash;
pub mod map;
pub mod note;
pub mod path;
pub mod policy;
pub mod proof;
pub mod receipt;
mod text;
pub mod tile;
pub mod tree;
pub mod witness;

pub use checkpoint::Checkpoint;
pub use error::Error;
pub use hash::Hash;
pub use note::{Note, Signer, VerifierKey};
pub use tile::{Kind, TileId};
pub use tree::Tree;

/// Largest tree that is dealt with, in entries. Larger sizes in what others send are refused.
pub const SIZE_MAX: u64 = 1 << 48;

#[cfg(test)]
mod tests;
