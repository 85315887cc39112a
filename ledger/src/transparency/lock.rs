//! The lock: the last checkpoint that was, or may have been, signed.
//!
//! It is moved by compare-and-swap before anything is signed, and only forward. It stands in a place
//! of its own that no backup restores together with the data: a ledger that comes back older than
//! its lock has been rolled back, and signs nothing.

use super::SealError;
use crate::disk::{Disk, Lock, io_error};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tlog::Checkpoint;

/// What was locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
}

/// A place for the last checkpoint. Several sealers may share one.
pub trait CheckpointLock: Send + Sync + 'static {
    /// The last one; `None`: there never was one.
    fn load(&self) -> Result<Option<Locked>, SealError>;

    /// Puts `new` in the place of `old`, durably, if `old` is still the last:
    /// [`SealError::LockMoved`] otherwise.
    fn swap(&self, old: Option<&Locked>, new: &Locked) -> Result<(), SealError>;
}

const FILE: &str = "checkpoint";
const FILE_NEW: &str = "checkpoint.new";
const BYTES_MAX: u64 = 64 * 1024;

/// A lock in a directory of this machine.
pub struct FileLock {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    /// Held as long as the lock is open: one sealer a directory.
    _lock: Lock,
}

impl FileLock {
    /// Opens the directory, made if it is not there. [`StoreError::Locked`]: another process has it.
    ///
    /// [`StoreError::Locked`]: crate::store::StoreError::Locked
    pub fn open(disk: Arc<dyn Disk>, dir: &Path) -> Result<Self, SealError> {
        disk.create_dir(dir)
            .map_err(|error| io_error("make the lock's directory", &error))?;
        let lock = disk
            .lock(&dir.join("lock"))
            .map_err(|error| io_error("lock the checkpoint lock", &error))?
            .ok_or(crate::store::StoreError::Locked)?;
        Ok(Self {
            disk,
            dir: dir.to_owned(),
            _lock: lock,
        })
    }
}

impl CheckpointLock for FileLock {
    fn load(&self) -> Result<Option<Locked>, SealError> {
        let damaged = |why: &str| SealError::Lock {
            why: why.to_owned(),
        };
        let failed = |error: &std::io::Error| io_error("read the checkpoint lock", error);
        let file = match self.disk.open(&self.dir.join(FILE), false) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(|error| failed(&error))?,
        };
        let length = file.length().map_err(|error| failed(&error))?;
        if length > BYTES_MAX {
            return Err(damaged("too long"));
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        file.read_exact_at(&mut bytes, 0)
            .map_err(|error| failed(&error))?;
        let text = core::str::from_utf8(&bytes).map_err(|_| damaged("not text"))?;
        let checkpoint = Checkpoint::parse(text).map_err(|error| damaged(&error.to_string()))?;
        Ok(Some(Locked { checkpoint }))
    }

    fn swap(&self, old: Option<&Locked>, new: &Locked) -> Result<(), SealError> {
        if self.load()?.as_ref() != old {
            return Err(SealError::LockMoved);
        }
        let forward = |old: &Locked| {
            let (old, new) = (old.checkpoint.head, new.checkpoint.head);
            old.size < new.size || old == new
        };
        if !old.is_none_or(forward) {
            return Err(SealError::LockMoved);
        }
        let failed = |error: &std::io::Error| io_error("write the checkpoint lock", error);
        let new_path = self.dir.join(FILE_NEW);
        let file = self
            .disk
            .create(&new_path)
            .map_err(|error| failed(&error))?;
        let text = new.checkpoint.to_text();
        file.write_at(text.as_bytes(), 0)
            .and_then(|()| file.sync())
            .and_then(|()| self.disk.rename(&new_path, &self.dir.join(FILE)))
            .and_then(|()| self.disk.sync_dir(&self.dir))
            .map_err(|error| failed(&error).into())
    }
}
