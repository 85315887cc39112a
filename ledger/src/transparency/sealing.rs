//! Sealing while a server runs: seals what was appended, at most so often, and publishes.
//!
//! Runs beside the append on a thread of its own and never in its way. Whatever goes wrong is said
//! ([`TransparencyLog::trouble`]) and tried again; a lock that somebody else moved is taken up where
//! it now stands.

use super::lock::{CheckpointLock, Locked};
use super::log::TransparencyLog;
use super::sealer::{Sealer, Settings};
use super::{SealError, origin};
use crate::store::{BoxFuture, EventStore};
use domain::ids::LedgerId;
use ed25519_dalek::SigningKey;
use std::sync::Arc;
use std::time::Duration;
use tlog::Checkpoint;
use tlog::note::{Algorithm, Note, Signer};
use tokio::sync::watch;

/// How long to wait after a failure.
const AGAIN: Duration = Duration::from_secs(2);
/// How long to wait after a failure that only people can end.
const AGAIN_LATER: Duration = Duration::from_secs(30);

/// How long until witnesses are asked again for what is missing, unless something new is sealed.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// Cosignatures that a checkpoint lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// Events in the checkpoint.
    pub size: u64,
    /// Cosignatures it has.
    pub found: usize,
    /// Cosignatures it should have.
    pub wanted: usize,
    /// Whether it is published nevertheless.
    pub published: bool,
}

/// What became of asking for cosignatures.
pub struct Cosigned {
    /// The checkpoint with those that could be had in time.
    pub note: Note,
    /// What it lacks; `None`: nothing. Otherwise it is asked for again.
    pub missing: Option<Missing>,
}

/// Gets cosignatures for a checkpoint before it is published.
pub trait Cosigner: Send + Sync + 'static {
    /// Asks, for as long as a checkpoint may wait. The tree in `log` reaches the note's size.
    fn cosign<'a>(&'a self, note: Note, log: &'a TransparencyLog) -> BoxFuture<'a, Cosigned>;

    /// Whether a checkpoint has all the cosignatures that are wanted.
    fn is_content(&self, note: &Note) -> bool;
}

/// Where the lock is.
pub type OpenLock = Box<dyn Fn() -> Result<Arc<dyn CheckpointLock>, SealError> + Send + Sync>;

/// What sealing needs.
pub struct Sealing {
    /// The events.
    pub store: Arc<dyn EventStore>,
    /// What readers see.
    pub log: Arc<TransparencyLog>,
    /// Opens the lock.
    pub lock: OpenLock,
    /// The checkpoint key.
    pub key: SigningKey,
    /// At most one checkpoint in so long.
    pub every: Duration,
    /// Witnesses.
    pub cosigner: Option<Arc<dyn Cosigner>>,
    /// Told how far it is, while it catches up.
    pub progress: Option<Arc<dyn Fn(super::Progress) + Send + Sync>>,
}

/// The key that signs the checkpoints of a ledger.
pub fn signer(ledger: LedgerId, key: SigningKey) -> Result<Signer, SealError> {
    Ok(Signer::new(&origin(ledger), Algorithm::Ed25519, key)?)
}

impl Sealing {
    /// Seals until `stop` says so, on a thread of its own.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let runtime = tokio::runtime::Handle::current();
        let ended = tokio::task::spawn_blocking(move || {
            runtime.block_on(async move {
                let mut stopped = stop.clone();
                tokio::select! {
                    // An error means the sender is gone, which is the end as well.
                    _ = stopped.wait_for(|stop| *stop) => {}
                    () = self.forever() => {}
                }
            });
        });
        if ended.await.is_err() {
            tracing::error!("sealing broke down");
        }
    }

    async fn forever(self) {
        loop {
            let Err(error) = self.until_failure().await else {
                return;
            };
            tracing::error!(%error, "nothing is sealed");
            let wait = match &error {
                SealError::LockMoved => Duration::ZERO,
                SealError::Store(_) => AGAIN,
                _ => AGAIN_LATER,
            };
            if error != SealError::LockMoved {
                self.log.set_trouble(Some(error));
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Seals everything there is, once. What was published, if anything was.
    pub async fn once(&self) -> Result<Option<u64>, SealError> {
        let (mut sealer, owed) = self.open().await?;
        let note = sealer.seal().await?.or(owed);
        if let Some(note) = note {
            self.publish(note).await?;
        }
        match self.log.missing() {
            Some(missing) if !missing.published => Err(SealError::Cosignatures {
                found: missing.found,
                wanted: missing.wanted,
            }),
            _ => Ok(self.log.published().map(|published| published.head.size)),
        }
    }

    /// The sealer, and the last checkpoint if it is still to be published or cosigned.
    async fn open(&self) -> Result<(Sealer, Option<Note>), SealError> {
        let signer = Signer::new(self.log.origin(), Algorithm::Ed25519, self.key.clone())?;
        let progress = self.progress.clone();
        let settings = Settings {
            origin: self.log.origin().to_owned(),
            progress: progress.map(|told| Box::new(move |progress| told(progress)) as Box<_>),
        };
        let (store, levels) = (Arc::clone(&self.store), Arc::clone(self.log.levels()));
        let (lock, stored) = ((self.lock)()?, self.log.stored());
        // A lock that is lost, or new on this machine, begins with what was signed as far as it is known.
        if let (None, Some(note)) = (lock.load()?, &stored)
            && self.is_ours(note)
        {
            let checkpoint = Checkpoint::parse(note.text())?;
            lock.swap(None, &Locked { checkpoint })?;
        }
        let sealer = Sealer::open(store, levels, lock, signer, settings).await?;
        if let Some(note) = &stored {
            self.show_again(note, sealer.size())?;
        }
        // What is in the file has the cosignatures.
        let text = sealer.locked_text();
        let owed = match stored.filter(|note| Some(note.text()) == text.as_deref()) {
            Some(note) => Some(note).filter(|note| !self.is_content(note)),
            None => sealer.last()?,
        };
        self.log.set_trouble(None);
        Ok((sealer, owed))
    }

    /// What was published before stays so while witnesses are asked for what came after it.
    fn show_again(&self, note: &Note, locked: u64) -> Result<(), SealError> {
        let size = Checkpoint::parse(note.text()).map(|checkpoint| checkpoint.head.size);
        if self.is_ours(note) && size.is_ok_and(|size| size <= locked) {
            self.log.show(note.clone())?;
        }
        Ok(())
    }

    /// Whether it is a checkpoint of this log, signed with the key at hand.
    fn is_ours(&self, note: &Note) -> bool {
        let key = core::slice::from_ref(self.log.key());
        let signed = note.verify(key).is_ok_and(|signed| !signed.is_empty());
        let checkpoint = Checkpoint::parse(note.text());
        signed && checkpoint.is_ok_and(|checkpoint| checkpoint.origin == self.log.origin())
    }

    fn is_content(&self, note: &Note) -> bool {
        let cosigner = self.cosigner.as_ref();
        cosigner.is_none_or(|cosigner| cosigner.is_content(note))
    }

    async fn until_failure(&self) -> Result<(), SealError> {
        let (mut sealer, mut owed) = self.open().await?;
        loop {
            if let Some(note) = owed.take() {
                owed = self.publish(note).await?;
            }
            let more = self.store.wait_beyond(sealer.size());
            if owed.is_none() {
                more.await?;
            } else if let Ok(more) = tokio::time::timeout(ASK_AGAIN, more).await {
                more?;
            }
            // What comes meanwhile goes into the same checkpoint.
            tokio::time::sleep(self.every).await;
            owed = sealer.seal().await?.or(owed);
        }
    }

    /// Publishes a checkpoint with its cosignatures, as far as it may be. What is to be asked for
    /// again is handed back.
    async fn publish(&self, note: Note) -> Result<Option<Note>, SealError> {
        let Some(cosigner) = &self.cosigner else {
            self.log.publish(note)?;
            return Ok(None);
        };
        let Cosigned { note, missing } = cosigner.cosign(note, &self.log).await;
        self.log.set_missing(missing);
        let shown = self.log.published();
        let shown = shown.is_some_and(|published| published.note == note);
        if !shown && missing.is_none_or(|missing| missing.published) {
            self.log.publish(note.clone())?;
        }
        Ok(missing.map(|_| note))
    }
}
