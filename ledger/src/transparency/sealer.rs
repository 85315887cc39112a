//! Sealing: from appended events to signed checkpoints.
//!
//! In this order, always: entries and hashes durable → the tree that is *stored* continues the last
//! checkpoint → the lock moved → signed → published. Whatever crashes in between is taken up at the
//! lock, and signing the same checkpoint again gives the same bytes.

use super::levels::Levels;
use super::lock::{CheckpointLock, Locked};
use super::{ENTRY_BYTES, SealError, entry_of};
use crate::keyring::KeyRing;
use crate::store::{EventStore, PAGE_RECORDS_MAX, StoredRecord};
use domain::ids::{Category, Position, PublicKey, Revision, StreamId};
use domain::record::{RecordRef, open_event};
use std::sync::Arc;
use tlog::checkpoint::Checkpoint;
use tlog::hash::Hash;
use tlog::note::{Note, Signer};
use tlog::proof::{Head, check_consistency};
use tlog::tree::{FullTile, Stored, Tree};

/// How far sealing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Events in the tree.
    pub done: u64,
    /// Events to take in.
    pub total: u64,
}

/// What a sealer is told.
pub struct Settings {
    /// The log's origin, the first line of its checkpoints.
    pub origin: String,
    /// Told how far it is, while it catches up.
    pub progress: Option<Box<dyn Fn(Progress) + Send + Sync>>,
}

/// Grows the tree and signs checkpoints. One at a time: the lock sees to it.
pub struct Sealer {
    store: Arc<dyn EventStore>,
    levels: Arc<Levels>,
    lock: Arc<dyn CheckpointLock>,
    signer: Signer,
    settings: Settings,
    /// As the events in the tree have it.
    ring: KeyRing,
    tree: Tree,
    /// Hashes and entries that are in the tree and not yet written.
    unwritten: Unwritten,
    locked: Option<Locked>,
}

#[derive(Default)]
struct Unwritten {
    entries: Vec<[u8; ENTRY_BYTES]>,
    /// By level: the first one's number, and the hashes.
    hashes: Vec<(u64, Vec<Hash>)>,
}

impl Sealer {
    /// Takes up where the lock stands. Fails, and signs nothing, if the events do not lead there.
    pub async fn open(
        store: Arc<dyn EventStore>,
        levels: Arc<Levels>,
        lock: Arc<dyn CheckpointLock>,
        signer: Signer,
        settings: Settings,
    ) -> Result<Self, SealError> {
        let locked = lock.load()?;
        if let Some(locked) = &locked
            && locked.checkpoint.origin != settings.origin
        {
            let why = "it belongs to another log".to_owned();
            return Err(SealError::Lock { why });
        }
        let mut sealer = Self {
            store,
            levels,
            lock,
            signer,
            settings,
            ring: KeyRing::default(),
            tree: Tree::new(),
            unwritten: Unwritten::default(),
            locked,
        };
        sealer.resume().await?;
        Ok(sealer)
    }

    fn head(&self) -> Option<Head> {
        self.locked.as_ref().map(|locked| locked.checkpoint.head)
    }

    /// The tree at the lock: from its files if they lead to its root, otherwise from the events.
    async fn resume(&mut self) -> Result<(), SealError> {
        let Some(head) = self.head() else {
            return Ok(());
        };
        let length = self.store.length().await?;
        if length < head.size {
            return Err(SealError::Behind {
                length,
                locked: head.size,
            });
        }
        if let Ok(tree) = Tree::restore(head.size, &*self.levels)
            && tree.root() == head.root
        {
            self.tree = tree;
            return self.learn_keys(head.size).await;
        }
        tracing::warn!(size = head.size, "the tree is made again from the events");
        self.grow(head.size).await?;
        if self.tree.root() != head.root {
            return Err(SealError::Fork { size: head.size });
        }
        Ok(())
    }

    /// What the first `size` events say of the ledger's keys.
    async fn learn_keys(&mut self, size: u64) -> Result<(), SealError> {
        let stream = StreamId::single(Category::Ledger);
        let mut from = Revision(0);
        loop {
            let page = self
                .store
                .read_stream(stream, from, PAGE_RECORDS_MAX)
                .await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            from = Revision(last.revision.0 + 1);
            for record in page.iter().take_while(|record| record.position.0 < size) {
                learn(&mut self.ring, record)?;
            }
            if last.position.0 >= size {
                return Ok(());
            }
        }
    }

    /// Takes in events up to a size and writes what that adds. Not yet durable.
    async fn grow(&mut self, to: u64) -> Result<(), SealError> {
        while self.tree.size() < to {
            let from = self.tree.size();
            let limit = usize::try_from(to - from).unwrap_or(usize::MAX);
            let page = self
                .store
                .read_all(Position(from), limit.min(PAGE_RECORDS_MAX))
                .await?;
            if page.is_empty() {
                return Err(SealError::Behind {
                    length: from,
                    locked: to,
                });
            }
            for record in &page {
                let entry = entry_of(&record.bytes).map_err(|error| SealError::Record {
                    position: record.position.0,
                    reason: error.to_string(),
                })?;
                if record.stream.category == Category::Ledger {
                    learn(&mut self.ring, record)?;
                }
                self.push(entry);
            }
            self.write()?;
            if let Some(told) = &self.settings.progress {
                told(Progress {
                    done: self.tree.size(),
                    total: to,
                });
            }
        }
        Ok(())
    }

    fn push(&mut self, entry: [u8; ENTRY_BYTES]) {
        let Unwritten { entries, hashes } = &mut self.unwritten;
        let at = self.tree.size();
        let leaf = Hash::leaf(&entry);
        entries.push(entry);
        row(hashes, 0, at).push(leaf);
        self.tree.push(leaf, &mut |full: FullTile| {
            row(hashes, full.level + 1, full.index).push(full.root);
        });
    }

    fn write(&mut self) -> Result<(), SealError> {
        let Unwritten { entries, hashes } = &self.unwritten;
        let first = self.tree.size() - entries.len() as u64;
        self.levels.write_entries(first, entries)?;
        for (level, (first, hashes)) in (0u8..).zip(hashes) {
            self.levels.write_hashes(level, *first, hashes)?;
        }
        self.unwritten = Unwritten::default();
        Ok(())
    }

    /// Takes in everything that is safe and signs a checkpoint of it; `None`: there is nothing new.
    pub async fn seal(&mut self) -> Result<Option<Note>, SealError> {
        let length = self.store.length().await?;
        let old = self.head();
        if length == old.map_or(0, |old| old.size) {
            return Ok(None);
        }
        if let Some(old) = old
            && length < old.size
        {
            return Err(SealError::Behind {
                length,
                locked: old.size,
            });
        }
        self.grow(length).await?;
        self.levels.sync()?;
        let head = Head {
            size: length,
            root: self.tree.root(),
        };
        self.check_stored(old, head)?;
        if !self.may_sign(head.size) {
            return Err(SealError::Key { size: head.size });
        }
        let checkpoint = Checkpoint::new(&self.settings.origin, head)?;
        let new = Locked { checkpoint };
        self.lock.swap(self.locked.as_ref(), &new)?;
        let note = self.sign(&new)?;
        self.locked = Some(new);
        Ok(Some(note))
    }

    /// The last checkpoint, signed; `None`: there is none, or the key it was signed with is no longer
    /// the one at hand. Signing is deterministic: these are the bytes it was first signed with, also
    /// where the process died between the lock and the signature.
    pub fn last(&self) -> Result<Option<Note>, SealError> {
        let locked = self.locked.as_ref();
        locked
            .filter(|locked| self.may_sign(locked.checkpoint.head.size))
            .map(|locked| self.sign(locked))
            .transpose()
    }

    /// The text that is locked.
    pub fn locked_text(&self) -> Option<String> {
        self.locked
            .as_ref()
            .map(|locked| locked.checkpoint.to_text())
    }

    /// Size of the last checkpoint.
    pub fn size(&self) -> u64 {
        self.head().map_or(0, |head| head.size)
    }

    /// Whether the ledger's own events let this key sign a checkpoint of this size.
    fn may_sign(&self, size: u64) -> bool {
        let key = PublicKey(self.signer.verifier().key().to_bytes());
        self.ring.signs_checkpoint(&key, size)
    }

    fn sign(&self, locked: &Locked) -> Result<Note, SealError> {
        let text = locked.checkpoint.to_text();
        let line = self.signer.sign(&text)?;
        Ok(Note::parse(&format!("{text}\n{line}"))?)
    }

    /// What was written is read back: one wrong bit that gets signed is a log lost for ever.
    fn check_stored(&self, old: Option<Head>, new: Head) -> Result<(), SealError> {
        let damaged = |what| SealError::Damaged { what };
        let stored = Stored::new(new.size, &*self.levels)?;
        if stored.root()? != new.root {
            return Err(damaged("they do not lead to the new root"));
        }
        if let Some(old) = old {
            let proof = stored.consistency(old.size)?;
            check_consistency(&old, &new, &proof)
                .map_err(|_| damaged("they do not continue the last checkpoint"))?;
        }
        Ok(())
    }
}

/// Takes in a record of the ledger's own stream.
fn learn(ring: &mut KeyRing, record: &StoredRecord) -> Result<(), SealError> {
    let learnt = RecordRef::parse(&record.bytes)
        .and_then(|taken| taken.open_envelope())
        .and_then(|envelope| open_event(&envelope))
        .and_then(|event| ring.learn(record.position, &event));
    learnt.map_err(|error| SealError::Record {
        position: record.position.0,
        reason: error.to_string(),
    })
}

/// The hashes of a level that wait to be written; the first of them has this number.
fn row(hashes: &mut Vec<(u64, Vec<Hash>)>, level: u8, first: u64) -> &mut Vec<Hash> {
    let at = usize::from(level);
    while hashes.len() <= at {
        hashes.push((first, Vec::new()));
    }
    #[expect(clippy::indexing_slicing, reason = "made long enough above")]
    let (start, row) = &mut hashes[at];
    if row.is_empty() {
        *start = first;
    }
    row
}
