//! The port to where slots lie: what may have to be destroyed, found by a 16-byte id.
//!
//! A slot is made once and then only overwritten, by whoever names its generation. Everything is
//! safe on disk before it is answered. Owns nothing but the contract; every implementation passes
//! `suite`. Never knows what a slot holds.

use super::error::VaultError;
use crate::store::BoxFuture;
use zeroize::Zeroizing;

/// What was found in a slot.
pub(crate) struct Found {
    /// The slot's generation, to be named when it is overwritten. The first is 1.
    pub generation: u32,
    /// The payload; zeros may follow what was written.
    pub payload: Zeroizing<Vec<u8>>,
}

/// Whether an insertion made the slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inserted {
    /// It did.
    New,
    /// The id has a slot already; nothing was written.
    Existing,
}

/// Where slots lie.
pub(crate) trait Slots: Send + Sync {
    /// Reads a slot.
    fn read(&self, id: [u8; 16]) -> BoxFuture<'_, Result<Option<Found>, VaultError>>;

    /// Makes a slot. Returns when it is safe, whoever made it.
    fn insert(
        &self,
        id: [u8; 16],
        payload: Zeroizing<Vec<u8>>,
    ) -> BoxFuture<'_, Result<Inserted, VaultError>>;

    /// Overwrites a slot that is still of `generation`; it is of the next one then, and nobody
    /// reads the old payload any more. [`VaultError::Contended`]: it is of another.
    fn overwrite(
        &self,
        id: [u8; 16],
        generation: u32,
        payload: Zeroizing<Vec<u8>>,
    ) -> BoxFuture<'_, Result<(), VaultError>>;

    /// Number of ids.
    fn count(&self) -> BoxFuture<'_, Result<u64, VaultError>>;

    /// Whether others write here too, so that what was read may be out of date at once.
    fn is_shared(&self) -> bool;
}

#[cfg(test)]
pub(crate) mod suite;
