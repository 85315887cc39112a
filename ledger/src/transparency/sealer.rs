//! Sealing: from appended events to signed checkpoints.
//!
//! In this order, always: entries and hashes durable → the tree that is *stored* continues the last
//! checkpoint → the lock moved → signed → published. Whatever crashes in between is taken up at the
//! lock, and signing the same checkpoint again gives the same bytes.

use super::SealError;
use super::growing::{Growing, Told};
use super::levels::Levels;
use super::lock::{CheckpointLock, Locked};
use crate::store::EventStore;
use domain::ids::PublicKey;
use std::sync::Arc;
use tlog::checkpoint::Checkpoint;
use tlog::note::{Note, Signer};
use tlog::proof::Head;

/// What a sealer is told.
pub struct Settings {
    /// The log's origin, the first line of its checkpoints.
    pub origin: String,
    /// Told how far it is, while it catches up.
    pub progress: Option<Told>,
    /// What the files are known to lead to, where that is less than what is locked: another node
    /// went on from there.
    pub near: Option<Head>,
}

/// Grows the tree and signs checkpoints. One at a time: the lock sees to it.
pub struct Sealer {
    store: Arc<dyn EventStore>,
    lock: Arc<dyn CheckpointLock>,
    signer: Signer,
    origin: String,
    growing: Growing,
    locked: Option<Locked>,
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
        let locked = lock.load().await?;
        if let Some(locked) = &locked
            && locked.checkpoint.origin != settings.origin
        {
            let why = "it belongs to another log".to_owned();
            return Err(SealError::Lock { why });
        }
        let growing = Growing::new(Arc::clone(&store), levels, settings.progress);
        let mut sealer = Self {
            store,
            lock,
            signer,
            origin: settings.origin,
            growing,
            locked,
        };
        sealer.resume(settings.near).await?;
        Ok(sealer)
    }

    fn head(&self) -> Option<Head> {
        self.locked.as_ref().map(|locked| locked.checkpoint.head)
    }

    /// The tree at the lock: from its files if they lead to its root, otherwise from the events.
    async fn resume(&mut self, near: Option<Head>) -> Result<(), SealError> {
        let Some(head) = self.head() else {
            return Ok(());
        };
        self.growing.wait_for(head.size).await?;
        if self.growing.take_up(head).await? {
            return Ok(());
        }
        let near = near.filter(|near| near.size < head.size);
        let found = match near {
            Some(near) => self.growing.take_up(near).await?,
            None => false,
        };
        if !found {
            tracing::warn!(size = head.size, "the tree is made again from the events");
        }
        self.growing.reach(head).await
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
        self.growing.grow(length).await?;
        self.growing.settle(old)?;
        let head = self.growing.head();
        if !self.may_sign(head.size) {
            return Err(SealError::Key { size: head.size });
        }
        let checkpoint = Checkpoint::new(&self.origin, head)?;
        let new = Locked { checkpoint };
        self.lock.swap(self.locked.as_ref(), &new).await?;
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

    /// Whether a key of the ledger signed a checkpoint of what is locked that counts at its size.
    pub(super) fn is_signed(&self, note: &Note) -> bool {
        self.growing.is_signed(note, &self.origin, self.size())
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
        self.growing.ring().signs_checkpoint(&key, size)
    }

    fn sign(&self, locked: &Locked) -> Result<Note, SealError> {
        let text = locked.checkpoint.to_text();
        let line = self.signer.sign(&text)?;
        Ok(Note::parse(&format!("{text}\n{line}"))?)
    }
}
