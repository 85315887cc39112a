//! A tree that grows with the events: in memory, and in its files.
//!
//! Owns what is not yet written, and what the events in the tree say of the ledger's keys. Every node
//! makes the same tree of the same events; nothing is signed here.

use super::levels::Levels;
use super::{ENTRY_BYTES, SealError, entry_of};
use crate::keyring::KeyRing;
use crate::store::{EventStore, PAGE_RECORDS_MAX, StoredRecord};
use domain::ids::{Category, Position, Revision, StreamId};
use domain::record::{RecordRef, open_event};
use std::sync::Arc;
use std::time::Duration;
use tlog::hash::Hash;
use tlog::note::{Algorithm, Note, VerifierKey};
use tlog::proof::{Head, check_consistency};
use tlog::tree::{FullTile, Stored, Tree};

/// How long other nodes' events may take until they are seen here.
const SEEN_WITHIN: Duration = Duration::from_secs(10);

/// How far sealing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Events in the tree.
    pub done: u64,
    /// Events to take in.
    pub total: u64,
}

/// Is told how far it is.
pub type Told = Box<dyn Fn(Progress) + Send + Sync>;

/// A tree, and what it is made of.
pub(super) struct Growing {
    store: Arc<dyn EventStore>,
    levels: Arc<Levels>,
    told: Option<Told>,
    /// As the events in the tree have it.
    ring: KeyRing,
    tree: Tree,
    /// Hashes and entries that are in the tree and not yet written.
    unwritten: Unwritten,
}

#[derive(Default)]
struct Unwritten {
    entries: Vec<[u8; ENTRY_BYTES]>,
    /// By level: the first one's number, and the hashes.
    hashes: Vec<(u64, Vec<Hash>)>,
}

impl Growing {
    /// An empty one.
    pub fn new(store: Arc<dyn EventStore>, levels: Arc<Levels>, told: Option<Told>) -> Self {
        Self {
            store,
            levels,
            told,
            ring: KeyRing::default(),
            tree: Tree::new(),
            unwritten: Unwritten::default(),
        }
    }

    pub fn head(&self) -> Head {
        Head {
            size: self.tree.size(),
            root: self.tree.root(),
        }
    }

    pub const fn ring(&self) -> &KeyRing {
        &self.ring
    }

    /// Whether a key of the ledger signed it that counts at this size, which the tree has reached.
    /// `origin`: the log's, and its keys' name.
    pub fn is_signed(&self, note: &Note, origin: &str, size: u64) -> bool {
        let keys = self.ring.checkpoint_keys().iter();
        let counting = keys.filter(|key| self.ring.signs_checkpoint(&key.public, size));
        let verifiers = counting.filter_map(|key| {
            let key = *key.verifying();
            VerifierKey::new(origin, Algorithm::Ed25519, key).ok()
        });
        let keys: Vec<_> = verifiers.collect();
        note.verify(&keys).is_ok_and(|signed| !signed.is_empty())
    }

    /// Waits until events up to a size are seen here; [`SealError::Behind`]: they are not.
    pub async fn wait_for(&self, size: u64) -> Result<(), SealError> {
        let mut length = self.store.length().await?;
        if length < size && self.store.is_shared() {
            // Another node may have seen them first.
            let seen = self.store.wait_beyond(size - 1);
            if let Ok(seen) = tokio::time::timeout(SEEN_WITHIN, seen).await {
                length = seen?;
            }
        }
        if length < size {
            let locked = size;
            return Err(SealError::Behind { length, locked });
        }
        Ok(())
    }

    /// Takes up the tree in the files, if they lead to this root. The events of that size are there.
    pub async fn take_up(&mut self, head: Head) -> Result<bool, SealError> {
        let Ok(tree) = Tree::restore(head.size, &*self.levels) else {
            return Ok(false);
        };
        if tree.root() != head.root {
            return Ok(false);
        }
        self.begin_anew();
        self.learn_keys(head.size).await?;
        self.tree = tree;
        Ok(true)
    }

    fn begin_anew(&mut self) {
        self.ring = KeyRing::default();
        self.tree = Tree::new();
        self.unwritten = Unwritten::default();
    }

    /// Grows to a root. If it does not come out, the tree is made again from all events;
    /// [`SealError::Fork`]: they lead elsewhere too.
    pub async fn reach(&mut self, head: Head) -> Result<(), SealError> {
        if self.tree.size() > head.size {
            self.begin_anew();
        }
        let whole = self.tree.size() == 0;
        self.grow(head.size).await?;
        if self.tree.root() == head.root {
            return Ok(());
        }
        if !whole {
            tracing::warn!(size = head.size, "the tree is made again from the events");
            self.begin_anew();
            self.grow(head.size).await?;
        }
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
    pub async fn grow(&mut self, to: u64) -> Result<(), SealError> {
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
            if let Some(told) = &self.told {
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

    /// Makes the tree's files durable and reads back what was written: it must lead to the root, and
    /// continue `old`. One wrong bit that gets signed is a log lost for ever.
    pub fn settle(&self, old: Option<Head>) -> Result<(), SealError> {
        self.levels.sync()?;
        let damaged = |what| SealError::Damaged { what };
        let new = self.head();
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
