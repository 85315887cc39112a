//! The lock: the last checkpoint that was, or may have been, signed.
//!
//! It is moved by compare-and-swap before anything is signed, and only forward. It stands in a place
//! of its own that no backup restores together with the data: a ledger that comes back older than
//! its lock has been rolled back, and signs nothing. Where several nodes share one, it also says
//! whose turn it is to seal, and what was published last.

use super::SealError;
use super::sealing::Missing;
use crate::disk::{Disk, Lock, io_error};
use crate::store::BoxFuture;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tlog::Checkpoint;
use tlog::note::Note;

/// What was locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
}

impl Locked {
    /// Whether `new` may take its place: it is larger, or the same.
    pub(super) fn may_become(&self, new: &Self) -> bool {
        let (old, new) = (self.checkpoint.head, new.checkpoint.head);
        old.size < new.size || old == new
    }
}

/// A place for the last checkpoint.
pub trait CheckpointLock: Send + Sync + 'static {
    /// The last one; `None`: there never was one.
    fn load(&self) -> BoxFuture<'_, Result<Option<Locked>, SealError>>;

    /// Puts `new` in the place of `old`, durably, if `old` is still the last, and it is this node's
    /// turn: [`SealError::LockMoved`] otherwise.
    fn swap<'a>(
        &'a self,
        old: Option<&'a Locked>,
        new: &'a Locked,
    ) -> BoxFuture<'a, Result<(), SealError>>;

    /// Whose turn it is, where several nodes share the place; `None`: it is this node's as long as the
    /// lock is open.
    fn turns(&self) -> Option<&dyn Turns> {
        None
    }
}

/// A sign of life of whoever has the turn: another one each time. The first number grows with every
/// turn that is taken: it fences off whoever had the turn before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// How many turns were taken.
    pub epoch: i64,
    /// How many signs of life there were.
    pub beat: i64,
}

/// What all nodes that share a lock see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The last sign of life.
    pub life: Life,
    /// Whether somebody has the turn.
    pub held: bool,
    /// The checkpoint published last, signed, with its cosignatures.
    pub published: Option<Note>,
    /// What the newest checkpoint lacks.
    pub missing: Option<Missing>,
}

/// How fast turns change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnPace {
    /// Between two looks, and between two signs of life.
    pub look: Duration,
    /// Whoever gives no sign of life for so long loses the turn to whoever asks.
    pub silent_after: Duration,
}

impl Default for TurnPace {
    fn default() -> Self {
        Self {
            look: Duration::from_secs(2),
            silent_after: Duration::from_secs(7),
        }
    }
}

/// Whose turn it is to seal. Not what keeps two from signing different things, which is the swap: a
/// turn that was lost makes it fail. Nobody's clock is compared with anybody else's.
pub trait Turns: Send + Sync {
    /// What there is to see.
    fn look(&self) -> BoxFuture<'_, Result<Seen, SealError>>;

    /// Takes the turn if nobody gave a sign of life or took it since `seen`; whether it is this node's.
    fn take<'a>(&'a self, seen: &'a Seen) -> BoxFuture<'a, Result<bool, SealError>>;

    /// Gives a sign of life. [`SealError::LockMoved`]: the turn is lost.
    fn keep(&self) -> BoxFuture<'_, Result<(), SealError>>;

    /// Shows a checkpoint to all (`None`: the one before stays), if it is the one that is locked, and
    /// what the newest lacks. [`SealError::LockMoved`]: the turn is lost, and nothing is shown.
    fn show<'a>(
        &'a self,
        note: Option<&'a Note>,
        missing: Option<Missing>,
    ) -> BoxFuture<'a, Result<(), SealError>>;

    /// Lets somebody else have the turn at once. Nothing, if it is not this node's.
    fn give_up(&self) -> BoxFuture<'_, Result<(), SealError>>;

    /// How fast turns change.
    fn pace(&self) -> TurnPace;
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

impl FileLock {
    fn read(&self) -> Result<Option<Locked>, SealError> {
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

    fn write(&self, old: Option<&Locked>, new: &Locked) -> Result<(), SealError> {
        if self.read()?.as_ref() != old {
            return Err(SealError::LockMoved);
        }
        if !old.is_none_or(|old| old.may_become(new)) {
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

/// Files are read and written where it is asked: sealing has a thread of its own.
impl CheckpointLock for FileLock {
    fn load(&self) -> BoxFuture<'_, Result<Option<Locked>, SealError>> {
        Box::pin(async { self.read() })
    }

    fn swap<'a>(
        &'a self,
        old: Option<&'a Locked>,
        new: &'a Locked,
    ) -> BoxFuture<'a, Result<(), SealError>> {
        Box::pin(async move { self.write(old, new) })
    }
}
