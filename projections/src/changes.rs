//! The rows a projection is changing: a write-back cache in front of its view.
//!
//! Owns what is not yet committed. Rows are read from the view once, changed in memory as often as
//! events ask, and written once per window; a record that fails leaves nothing behind.

use crate::digest::SetDigest;
use crate::error::{ApplyError, ViewError};
use crate::view::{Key, Value, ViewStore, Write};
use domain::bytes;
use std::collections::HashMap;
use std::sync::Arc;
use wincode::config::DefaultConfig;
use wincode::{SchemaRead, SchemaWrite};

/// What is kept as a row, in the encoding of [`domain::bytes`].
pub trait RowValue:
    for<'de> SchemaRead<'de, DefaultConfig, Dst = Self> + SchemaWrite<DefaultConfig, Src = Self>
{
}

impl<T> RowValue for T where
    T: for<'de> SchemaRead<'de, DefaultConfig, Dst = T> + SchemaWrite<DefaultConfig, Src = T>
{
}

/// What a row costs in memory besides its bytes, roughly.
const ROW_OVERHEAD_BYTES: usize = 128;

/// One row in the cache.
struct Slot {
    /// As committed.
    base: Option<Arc<[u8]>>,
    /// As changed since; shares `base` where it was not.
    now: Option<Arc<[u8]>>,
    /// Whether it was put or deleted since the last commit.
    dirty: bool,
}

/// What a row was before the current record touched it.
struct Undo {
    key: Key,
    now: Option<Arc<[u8]>>,
    dirty: bool,
}

/// Rows under change.
pub struct Changes {
    view: Arc<dyn ViewStore>,
    slots: HashMap<Key, Slot>,
    undo: Vec<Undo>,
    bytes: usize,
    dirty: usize,
}

impl Changes {
    /// Over a view's rows.
    pub fn new(view: Arc<dyn ViewStore>) -> Self {
        Self {
            view,
            slots: HashMap::new(),
            undo: Vec::new(),
            bytes: 0,
            dirty: 0,
        }
    }

    /// The view below.
    pub fn view(&self) -> &Arc<dyn ViewStore> {
        &self.view
    }

    /// A row as it is now.
    pub fn get(&mut self, key: &[u8]) -> Result<Option<Arc<[u8]>>, ViewError> {
        Ok(self.slot(key)?.now.clone())
    }

    /// Says that a row is not there, which the projection knows better than the view: saves the
    /// look. Does nothing to a row that is in memory.
    pub fn assume_absent(&mut self, key: &[u8]) -> Result<(), ViewError> {
        if !self.slots.contains_key(key) {
            self.bytes += ROW_OVERHEAD_BYTES + key.len();
            let slot = Slot {
                base: None,
                now: None,
                dirty: false,
            };
            self.slots.insert(Key::try_from(key.to_vec())?, slot);
        }
        Ok(())
    }

    /// Writes a row.
    pub fn put(&mut self, key: &[u8], value: Vec<u8>) -> Result<(), ViewError> {
        // The limit is enforced here, where the record that breaks it is still known.
        let value = Value::try_from(value)?.into_bytes();
        self.set(key, Some(value.into()))
    }

    /// Removes a row.
    pub fn delete(&mut self, key: &[u8]) -> Result<(), ViewError> {
        self.set(key, None)
    }

    /// A row as it is now, decoded. `view`: the projection's name, for the error.
    pub fn read<T: RowValue>(&mut self, view: &str, key: &[u8]) -> Result<Option<T>, ApplyError> {
        let Some(row) = self.get(key)? else {
            return Ok(None);
        };
        bytes::decode(&row)
            .map(Some)
            .map_err(|error| ApplyError::row(view, &error))
    }

    /// Encodes and writes a row.
    pub fn write<T: RowValue>(&mut self, key: &[u8], value: &T) -> Result<(), ApplyError> {
        let row = bytes::encode(value).map_err(|error| ApplyError::Poison(error.to_string()))?;
        // A row that grows over the limit is the event's doing, not the machine's.
        self.put(key, row).map_err(|error| match error {
            ViewError::RowTooLarge { .. } => ApplyError::Poison(error.to_string()),
            other => ApplyError::View(other),
        })
    }

    /// Committed rows with a prefix, for [`crate::projection::Projection::start`] only: rows that
    /// are changed but not committed are not seen.
    pub fn committed(&self, prefix: &[u8]) -> Result<Vec<crate::view::Row>, ViewError> {
        let mut rows = Vec::new();
        crate::view::for_each(&*self.view, prefix, |key, value| {
            rows.push((key.to_vec(), value.to_vec()));
            Ok(true)
        })?;
        Ok(rows)
    }

    /// The current record is folded: its changes stay.
    pub(crate) fn keep(&mut self) {
        self.undo.clear();
    }

    /// The current record failed: nothing of it stays.
    pub(crate) fn revert(&mut self) {
        while let Some(Undo { key, now, dirty }) = self.undo.pop() {
            if let Some(slot) = self.slots.get_mut(&key) {
                if slot.dirty && !dirty {
                    self.dirty -= 1;
                }
                let (old, new) = (length(slot.now.as_ref()), length(now.as_ref()));
                self.bytes = (self.bytes + new).saturating_sub(old);
                slot.now = now;
                slot.dirty = dirty;
            }
        }
    }

    /// Bytes held in memory, roughly.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Number of rows changed since the last commit.
    pub fn dirty(&self) -> usize {
        self.dirty
    }

    /// The changed rows, sorted by key, and the digest that takes them in. Rows that came back to
    /// what is committed are left out.
    pub(crate) fn drain(&mut self, digest: &mut SetDigest) -> Vec<Write> {
        let mut writes = Vec::with_capacity(self.dirty);
        for (key, slot) in self.slots.iter_mut().filter(|(_, slot)| slot.dirty) {
            slot.dirty = false;
            if slot.base == slot.now {
                continue;
            }
            if let Some(base) = &slot.base {
                digest.remove(key.as_bytes(), base);
            }
            if let Some(now) = &slot.now {
                digest.add(key.as_bytes(), now);
            }
            // `put` has checked the length, so the conversion cannot fail.
            let value = slot
                .now
                .as_ref()
                .and_then(|now| Value::try_from(now.to_vec()).ok());
            writes.push(Write {
                key: key.clone(),
                value,
            });
            slot.base.clone_from(&slot.now);
        }
        self.dirty = 0;
        writes.sort_unstable_by(|left, right| left.key.cmp(&right.key));
        writes
    }

    /// Forgets the rows in memory; they must be committed.
    pub(crate) fn forget(&mut self) {
        self.slots.clear();
        self.bytes = 0;
    }

    fn slot(&mut self, key: &[u8]) -> Result<&mut Slot, ViewError> {
        // Looked up twice on a miss: the borrow checker cannot see that the early return is one.
        if !self.slots.contains_key(key) {
            let base: Option<Arc<[u8]>> = self.view.get(key)?.map(Into::into);
            self.bytes += ROW_OVERHEAD_BYTES + key.len() + length(base.as_ref());
            let slot = Slot {
                now: base.clone(),
                base,
                dirty: false,
            };
            return Ok(self
                .slots
                .entry(Key::try_from(key.to_vec())?)
                .or_insert(slot));
        }
        self.slots
            .get_mut(key)
            .ok_or_else(|| ViewError::damaged("cache", "a row went missing"))
    }

    fn set(&mut self, key: &[u8], value: Option<Arc<[u8]>>) -> Result<(), ViewError> {
        let slot = self.slot(key)?;
        let before = slot.now.take();
        let was_dirty = slot.dirty;
        let (old, new) = (length(before.as_ref()), length(value.as_ref()));
        slot.now = value;
        slot.dirty = true;
        self.undo.push(Undo {
            key: Key::try_from(key.to_vec())?,
            now: before,
            dirty: was_dirty,
        });
        self.dirty += usize::from(!was_dirty);
        self.bytes = (self.bytes + new).saturating_sub(old);
        Ok(())
    }
}

fn length(value: Option<&Arc<[u8]>>) -> usize {
    value.map_or(0, |value| value.len())
}
