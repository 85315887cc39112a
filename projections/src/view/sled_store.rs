//! Rows in sled 0.34.7, inside the rules under which it was measured to be safe for derived data:
//! half-written snapshots are deleted before opening, opening is guarded against panics, values
//! are small, the cache is bounded, and the file is synced by ourselves where it must last.

use super::{Order, Row, SCAN_ROWS_MAX, ViewStore, Write};
use crate::error::ViewError;
use ledger::disk::wait_until_closed;
use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How a sled directory is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SledOptions {
    /// Page cache in bytes. Resident memory was measured at 1.5 to 2.8 times this.
    pub cache_bytes: u64,
    /// How often the background flusher writes, in milliseconds.
    pub flush_every_ms: u64,
    /// How long to wait for whoever still has the directory open.
    pub wait_for_lock: Duration,
}

impl Default for SledOptions {
    fn default() -> Self {
        Self {
            cache_bytes: 32 << 20,
            flush_every_ms: 500,
            wait_for_lock: Duration::from_secs(10),
        }
    }
}

/// A read model in a sled directory.
pub struct SledView {
    db: sled::Db,
    file: File,
}

impl SledView {
    /// Opens or creates the directory. `Damaged`: it cannot be opened and should be moved aside and
    /// built again. `Io`: the machine, or somebody else has it open.
    pub fn open(dir: &Path, options: SledOptions) -> Result<Self, ViewError> {
        fs::create_dir_all(dir).map_err(|error| ViewError::io("create view directory", &error))?;
        wait_until_closed(&dir.join("db"), options.wait_for_lock)
            .map_err(|error| ViewError::io("lock view", &error))?;
        remove_half_snapshots(dir)?;
        let config = sled::Config::new()
            .path(dir)
            .cache_capacity(options.cache_bytes)
            .flush_every_ms(Some(options.flush_every_ms));
        // sled's recovery panics on some damage instead of returning an error.
        let opened = catch_unwind(AssertUnwindSafe(|| config.open()));
        let damaged = |reason: String| ViewError::damaged(&file_name(dir), &reason);
        let db = match opened {
            Ok(Ok(db)) => db,
            Ok(Err(sled::Error::Io(error))) if is_environment(error.kind()) => {
                return Err(ViewError::io("open view", &error));
            }
            Ok(Err(error)) => return Err(damaged(error.to_string())),
            Err(_) => return Err(damaged("opening it panicked".to_owned())),
        };
        let file =
            File::open(dir.join("db")).map_err(|error| ViewError::io("open view", &error))?;
        Ok(Self { db, file })
    }
}

/// Errors of the machine rather than of the rows: moving the view aside would not help.
fn is_environment(kind: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind as Kind;
    matches!(
        kind,
        Kind::PermissionDenied
            | Kind::StorageFull
            | Kind::ReadOnlyFilesystem
            | Kind::WouldBlock
            | Kind::ResourceBusy
            | Kind::OutOfMemory
    )
}

/// Deletes what a killed process left of a snapshot: sled would read it as *the* snapshot.
fn remove_half_snapshots(dir: &Path) -> Result<(), ViewError> {
    let failed = |error: &std::io::Error| ViewError::io("clean view directory", error);
    for entry in fs::read_dir(dir).map_err(|error| failed(&error))? {
        let path: PathBuf = entry.map_err(|error| failed(&error))?.path();
        let name = file_name(&path);
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(&path).map_err(|error| failed(&error))?;
        }
    }
    Ok(())
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Runs a database call; a panic inside it is damage, not the end of the process.
fn guarded<T>(
    operation: &'static str,
    call: impl FnOnce() -> Result<T, sled::Error>,
) -> Result<T, ViewError> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(sled::Error::Io(error))) => Err(ViewError::io(operation, &error)),
        Ok(Err(error)) => Err(ViewError::damaged(operation, &error)),
        Err(_) => Err(ViewError::damaged(operation, "the database panicked")),
    }
}

impl ViewStore for SledView {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        guarded("read view", || self.db.get(key)).map(|value| value.map(|value| value.to_vec()))
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
        let limit = limit.min(SCAN_ROWS_MAX);
        let owned = |row: sled::Result<(sled::IVec, sled::IVec)>| {
            row.map(|(key, value)| (key.to_vec(), value.to_vec()))
        };
        guarded("scan view", || {
            let range = self.db.range(start..end);
            match order {
                Order::Ascending => range.take(limit).map(owned).collect(),
                Order::Descending => range.rev().take(limit).map(owned).collect(),
            }
        })
    }

    fn apply(&self, writes: Vec<Write>) -> Result<(), ViewError> {
        let mut batch = sled::Batch::default();
        for Write { key, value } in writes {
            match value {
                Some(value) => batch.insert(key.as_bytes(), value.into_bytes()),
                None => batch.remove(key.as_bytes()),
            }
        }
        guarded("write view", || self.db.apply_batch(batch))
    }

    fn load(&self, writes: Vec<Write>) -> Result<(), ViewError> {
        // A sled batch holds a lock of the whole process; single writes do not.
        for Write { key, value } in writes {
            guarded("load view", || match value {
                Some(value) => self.db.insert(key.as_bytes(), value.into_bytes()),
                None => self.db.remove(key.as_bytes()),
            })?;
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), ViewError> {
        guarded("flush view", || self.db.flush())?;
        // sled's flush is `sync_file_range`, which is no promise; this is.
        self.file
            .sync_data()
            .map_err(|error| ViewError::io("sync view", &error))
    }
}
