//! Rows in memory: the model of the port, and what a replay without a directory folds into.

use super::{Order, Row, SCAN_ROWS_MAX, ViewStore, Write};
use crate::error::ViewError;
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::ops::Bound;

/// A read model in memory.
#[derive(Debug, Default)]
pub struct MemoryView {
    rows: RwLock<BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl MemoryView {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }
}

impl ViewStore for MemoryView {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        Ok(self.rows.read().get(key).cloned())
    }

    fn scan(
        &self,
        start: &[u8],
        end: &[u8],
        order: Order,
        limit: usize,
    ) -> Result<Vec<Row>, ViewError> {
        if start >= end {
            return Ok(Vec::new());
        }
        let rows = self.rows.read();
        let range = rows.range::<[u8], _>((Bound::Included(start), Bound::Excluded(end)));
        let owned = |(key, value): (&Vec<u8>, &Vec<u8>)| (key.clone(), value.clone());
        let limit = limit.min(SCAN_ROWS_MAX);
        Ok(match order {
            Order::Ascending => range.map(owned).take(limit).collect(),
            Order::Descending => range.rev().map(owned).take(limit).collect(),
        })
    }

    fn apply(&self, writes: Vec<Write>) -> Result<(), ViewError> {
        let mut rows = self.rows.write();
        for Write { key, value } in writes {
            match value {
                Some(value) => rows.insert(key.as_bytes().to_vec(), value.into_bytes()),
                None => rows.remove(key.as_bytes()),
            };
        }
        Ok(())
    }

    fn load(&self, writes: Vec<Write>) -> Result<(), ViewError> {
        self.apply(writes)
    }

    fn sync(&self) -> Result<(), ViewError> {
        Ok(())
    }
}
