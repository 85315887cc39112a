//! The log as readers see it: the checkpoint published last, and the tree up to it.
//!
//! Owns what may be shown: nothing beyond the published checkpoint, so whatever is read leads to a
//! root that was signed. It must never wait for a sealing.

use super::levels::Levels;
use super::sealing::Missing;
use super::stamps::{STAMPS_DIR, Stamps};
use super::{ENTRY_BYTES, SealError};
use crate::disk::{Disk, io_error};
use core::sync::atomic::{AtomicBool, Ordering};
use parking_lot::Mutex;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tlog::hash::Hash;
use tlog::note::{NOTE_BYTES_MAX, Note, VerifierKey};
use tlog::proof::Head;
use tlog::receipt::Receipt;
use tlog::tile::TileId;
use tlog::tree::Stored;
use tlog::{Checkpoint, bundle};
use tokio::sync::watch;

/// The file that holds the published checkpoint, beside the tree's levels.
pub const CHECKPOINT_FILE: &str = "checkpoint";
const CHECKPOINT_NEW: &str = "checkpoint.new";

/// A checkpoint that readers see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// As it was signed, with the cosignatures that were collected.
    pub note: Note,
    /// What it says.
    pub head: Head,
}

impl Published {
    /// From a note whose text is a checkpoint.
    pub fn new(note: Note) -> Result<Self, tlog::Error> {
        let head = Checkpoint::parse(note.text())?.head;
        Ok(Self { note, head })
    }
}

/// Why something cannot be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// No checkpoint was published yet.
    #[error("no checkpoint has been published yet")]
    Unpublished,
    /// Beyond the published checkpoint, which has so many entries.
    #[error("the published checkpoint has {size} entries")]
    Beyond {
        /// Its size.
        size: u64,
    },
    /// The tree cannot be read.
    #[error(transparent)]
    Tree(#[from] SealError),
    /// What is stored is not what it should be.
    #[error(transparent)]
    Log(#[from] tlog::Error),
}

/// The log, for readers. One for each open ledger.
pub struct TransparencyLog {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    levels: Arc<Levels>,
    key: VerifierKey,
    published: watch::Sender<Option<Arc<Published>>>,
    trouble: Mutex<Option<SealError>>,
    missing: Mutex<Option<Missing>>,
    standby: AtomicBool,
}

impl TransparencyLog {
    /// Over the tree in a directory. `key`: what the ledger's checkpoints are now signed with; its
    /// name is the log's origin.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path, key: VerifierKey) -> Result<Self, SealError> {
        let levels = Levels::open(Arc::clone(&disk), dir)?;
        Ok(Self::over(disk, dir, levels, key))
    }

    fn over(disk: Arc<dyn Disk>, dir: &Path, levels: Levels, key: VerifierKey) -> Self {
        Self {
            disk,
            dir: dir.to_owned(),
            levels: Arc::new(levels),
            key,
            published: watch::Sender::new(None),
            trouble: Mutex::default(),
            missing: Mutex::default(),
            standby: AtomicBool::new(false),
        }
    }

    /// What is published in a directory, for reading only: a ledger's `tree`. Nothing is believed yet;
    /// `None`: no checkpoint was published there.
    pub fn read(disk: Arc<dyn Disk>, dir: &Path, key: VerifierKey) -> Option<Self> {
        let levels = Levels::reading(Arc::clone(&disk), dir);
        let log = Self::over(disk, dir, levels, key);
        let note = log.stored()?;
        log.show(note).ok()?;
        Some(log)
    }

    /// The log's origin.
    pub fn origin(&self) -> &str {
        self.key.name()
    }

    /// What its checkpoints are now signed with.
    pub const fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// The tree's files.
    pub const fn levels(&self) -> &Arc<Levels> {
        &self.levels
    }

    /// The time-stamps of its checkpoints.
    pub fn stamps(&self) -> Stamps {
        Stamps::of(Arc::clone(&self.disk), &self.dir.with_file_name(STAMPS_DIR))
    }

    /// The checkpoint published last.
    pub fn published(&self) -> Option<Arc<Published>> {
        self.published.borrow().clone()
    }

    /// Resolves when a checkpoint of at least so many entries is published.
    pub async fn wait_for(&self, size: u64) -> Option<Arc<Published>> {
        let mut seen = self.published.subscribe();
        let reached = |published: &Option<Arc<Published>>| {
            published.as_ref().is_some_and(|it| it.head.size >= size)
        };
        // An error means that the log is gone.
        let found = seen.wait_for(reached).await.ok()?;
        found.clone()
    }

    /// Why nothing is sealed at present.
    pub fn trouble(&self) -> Option<SealError> {
        self.trouble.lock().clone()
    }

    pub(super) fn set_trouble(&self, trouble: Option<SealError>) {
        *self.trouble.lock() = trouble;
    }

    /// Cosignatures that the newest checkpoint still lacks; `None`: it has all that are wanted.
    pub fn missing(&self) -> Option<Missing> {
        *self.missing.lock()
    }

    /// Whether another node seals, and this one shows what it publishes.
    pub fn is_standby(&self) -> bool {
        self.standby.load(Ordering::SeqCst)
    }

    pub(super) fn set_standby(&self, standby: bool) {
        self.standby.store(standby, Ordering::SeqCst);
    }

    pub(super) fn set_missing(&self, missing: Option<Missing>) {
        *self.missing.lock() = missing;
    }

    /// Shows a checkpoint: durably in its file, then to everybody who asks or waits.
    pub(super) fn publish(&self, note: Note) -> Result<(), SealError> {
        let failed = |error: &std::io::Error| io_error("publish a checkpoint", error);
        let aside = self.dir.join(CHECKPOINT_NEW);
        let file = self.disk.create(&aside).map_err(|error| failed(&error))?;
        file.write_at(note.to_text().as_bytes(), 0)
            .and_then(|()| file.sync())
            .and_then(|()| self.disk.rename(&aside, &self.dir.join(CHECKPOINT_FILE)))
            .and_then(|()| self.disk.sync_dir(&self.dir))
            .map_err(|error| failed(&error))?;
        self.show(note)
    }

    /// Shows a checkpoint that is in its file.
    pub(super) fn show(&self, note: Note) -> Result<(), SealError> {
        let published = Arc::new(Published::new(note)?);
        self.published.send_replace(Some(published));
        Ok(())
    }

    /// The checkpoint in its file, whatever it is; `None`: there is none, or it cannot be read.
    pub(super) fn stored(&self) -> Option<Note> {
        let file = self
            .disk
            .open(&self.dir.join(CHECKPOINT_FILE), false)
            .ok()?;
        let length = usize::try_from(file.length().ok()?).ok()?;
        if length > NOTE_BYTES_MAX {
            return None;
        }
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, 0).ok()?;
        Note::parse(core::str::from_utf8(&bytes).ok()?).ok()
    }

    fn current(&self) -> Result<Arc<Published>, ReadError> {
        self.published().ok_or(ReadError::Unpublished)
    }

    /// A tile or entry bundle, as it is in any tree up to the published one.
    pub fn tile(&self, tile: &TileId) -> Result<Vec<u8>, ReadError> {
        let size = self.current()?.head.size;
        let there = TileId::at(tile.kind, tile.index, size);
        if there.is_none_or(|there| there.width < tile.width) {
            return Err(ReadError::Beyond { size });
        }
        Ok(self.levels.read(tile)?)
    }

    /// Proves that the entry of the event at `index` is in the published tree.
    pub fn receipt(&self, index: u64) -> Result<Receipt, ReadError> {
        let published = self.current()?;
        let proof = self.inclusion(index, published.head.size)?;
        Ok(Receipt {
            extra: None,
            index,
            proof,
            checkpoint: published.note.clone(),
        })
    }

    /// Proves an entry's place in the tree of `size` entries.
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, ReadError> {
        self.within(size)?;
        if index >= size {
            return Err(ReadError::Beyond { size });
        }
        Ok(Stored::new(size, &*self.levels)?.inclusion(index)?)
    }

    /// Proves that the tree of `old` entries is a beginning of that of `new`.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, ReadError> {
        self.within(new)?;
        if old > new {
            return Err(ReadError::Beyond { size: new });
        }
        Ok(Stored::new(new, &*self.levels)?.consistency(old)?)
    }

    /// Root of the tree of `size` entries.
    pub fn root(&self, size: u64) -> Result<Hash, ReadError> {
        self.within(size)?;
        Ok(Stored::new(size, &*self.levels)?.root()?)
    }

    /// The entry of the event at `index`.
    pub fn entry(&self, index: u64) -> Result<[u8; ENTRY_BYTES], ReadError> {
        let size = self.current()?.head.size;
        let (of, at) = (index / 256, usize::try_from(index % 256).unwrap_or(0));
        let tile = TileId::at(tlog::Kind::Entries, of, size).ok_or(ReadError::Beyond { size })?;
        let bytes = self.levels.read(&tile)?;
        let entries = bundle::entries(&bytes, tile.width)?;
        let entry = entries.get(at).ok_or(ReadError::Beyond { size })?;
        let malformed = |_| tlog::Error::MissingTile(tile.to_string());
        Ok(<[u8; ENTRY_BYTES]>::try_from(*entry).map_err(malformed)?)
    }

    fn within(&self, size: u64) -> Result<(), ReadError> {
        let published = self.current()?.head.size;
        if size > published {
            return Err(ReadError::Beyond { size: published });
        }
        Ok(())
    }
}
