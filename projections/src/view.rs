//! The store of a read model's rows: a sorted map of small values, changed in batches.
//!
//! Owns the limits that keep the embedded database safe, and the port [`ViewStore`] with its two
//! adapters. Knows nothing of events. Nothing here holds plaintext personal data (INV-7), and no
//! type of the embedded database leaves its adapter.

mod memory;
mod sled_store;

pub use memory::MemoryView;
pub use sled_store::{SledOptions, SledView};

use crate::error::ViewError;

/// Largest value of one row in bytes. Above some 7.5 KB sled 0.34.7 may move leaves into files that
/// it never syncs, and a power cut then leaves the database unopenable.
pub const VALUE_BYTES_MAX: usize = 7_000;
/// Largest key of one row in bytes.
pub const KEY_BYTES_MAX: usize = 96;
/// Most rows of one page of a scan.
pub const SCAN_ROWS_MAX: usize = 10_000;

/// A row's value: never longer than [`VALUE_BYTES_MAX`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value(Vec<u8>);

impl Value {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, owned.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl TryFrom<Vec<u8>> for Value {
    type Error = ViewError;

    fn try_from(bytes: Vec<u8>) -> Result<Self, ViewError> {
        if bytes.len() > VALUE_BYTES_MAX {
            return Err(ViewError::RowTooLarge {
                bytes: bytes.len(),
                limit: VALUE_BYTES_MAX,
            });
        }
        Ok(Self(bytes))
    }
}

/// A row's key: never longer than [`KEY_BYTES_MAX`], never empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Box<[u8]>);

impl Key {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<Vec<u8>> for Key {
    type Error = ViewError;

    fn try_from(bytes: Vec<u8>) -> Result<Self, ViewError> {
        if bytes.is_empty() || bytes.len() > KEY_BYTES_MAX {
            return Err(ViewError::RowTooLarge {
                bytes: bytes.len(),
                limit: KEY_BYTES_MAX,
            });
        }
        Ok(Self(bytes.into_boxed_slice()))
    }
}

impl core::borrow::Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

/// One change: an upsert, or a removal where there is no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Which row.
    pub key: Key,
    /// Its new value.
    pub value: Option<Value>,
}

/// Which way a scan goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Smallest key first.
    Ascending,
    /// Largest key first.
    Descending,
}

/// A row as read.
pub type Row = (Vec<u8>, Vec<u8>);

/// A sorted map of rows.
pub trait ViewStore: Send + Sync + 'static {
    /// One row's value.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError>;

    /// Up to `limit` (at most [`SCAN_ROWS_MAX`]) rows with `start <= key < end`.
    fn scan(
        &self,
        start: &[u8],
        end: &[u8],
        order: Order,
        limit: usize,
    ) -> Result<Vec<Row>, ViewError>;

    /// Applies changes, sorted by key, all or none: also after a crash.
    fn apply(&self, writes: Vec<Write>) -> Result<(), ViewError>;

    /// Applies changes, sorted by key, without that promise: for a generation that nobody reads
    /// yet and that is thrown away if its making is interrupted. Readers of other views go on.
    fn load(&self, writes: Vec<Write>) -> Result<(), ViewError>;

    /// Puts everything applied so far on the disk itself, `fdatasync` included.
    fn sync(&self) -> Result<(), ViewError>;
}

/// The first key after all keys that start with `prefix`; empty where there is none.
pub(crate) fn prefix_end(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    end
}

/// Every row whose key starts with `prefix`, page by page; `each` returns whether to go on.
pub(crate) fn for_each(
    view: &dyn ViewStore,
    prefix: &[u8],
    mut each: impl FnMut(&[u8], &[u8]) -> Result<bool, ViewError>,
) -> Result<(), ViewError> {
    const PAGE: usize = 1_000;
    let end = prefix_end(prefix);
    let mut start = prefix.to_vec();
    loop {
        let rows = view.scan(&start, &end, Order::Ascending, PAGE)?;
        for (key, value) in &rows {
            if !each(key, value)? {
                return Ok(());
            }
        }
        match rows.last() {
            Some((key, _)) if rows.len() == PAGE => {
                start.clone_from(key);
                start.push(0);
            }
            _ => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
