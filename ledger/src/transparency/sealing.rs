//! Sealing while a server runs: seals what was appended, at most so often, and publishes.
//!
//! Runs beside the append on a thread of its own and never in its way. Whatever goes wrong is said
//! ([`TransparencyLog::trouble`]) and tried again; a lock that somebody else moved is taken up where
//! it now stands.

use super::lock::CheckpointLock;
use super::log::TransparencyLog;
use super::sealer::{Sealer, Settings};
use super::{SealError, origin};
use crate::store::{BoxFuture, EventStore};
use domain::ids::LedgerId;
use ed25519_dalek::SigningKey;
use std::sync::Arc;
use std::time::Duration;
use tlog::note::{Algorithm, Note, Signer};
use tokio::sync::watch;

/// How long to wait after a failure.
const AGAIN: Duration = Duration::from_secs(2);
/// How long to wait after a failure that only people can end.
const AGAIN_LATER: Duration = Duration::from_secs(30);

/// Gets cosignatures for a checkpoint before it is published.
pub trait Cosigner: Send + Sync + 'static {
    /// The note with the cosignatures that could be had in time.
    fn cosign<'a>(&'a self, note: Note, log: &'a TransparencyLog) -> BoxFuture<'a, Note>;
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
        let mut sealer = self.open().await?;
        self.seal(&mut sealer).await?;
        Ok(self.log.published().map(|published| published.head.size))
    }

    async fn open(&self) -> Result<Sealer, SealError> {
        let signer = Signer::new(self.log.origin(), Algorithm::Ed25519, self.key.clone())?;
        let progress = self.progress.clone();
        let settings = Settings {
            origin: self.log.origin().to_owned(),
            progress: progress.map(|told| Box::new(move |progress| told(progress)) as Box<_>),
        };
        let (store, levels) = (Arc::clone(&self.store), Arc::clone(self.log.levels()));
        let sealer = Sealer::open(store, levels, (self.lock)()?, signer, settings).await?;
        // What is in the file has the cosignatures.
        let stored = self.log.stored();
        let text = sealer.locked_text();
        match stored.filter(|note| Some(note.text()) == text.as_deref()) {
            Some(note) => self.log.show(note)?,
            None => {
                if let Some(note) = sealer.last()? {
                    self.publish(note).await?;
                }
            }
        }
        self.log.set_trouble(None);
        Ok(sealer)
    }

    async fn until_failure(&self) -> Result<(), SealError> {
        let mut sealer = self.open().await?;
        loop {
            self.store.wait_beyond(sealer.size()).await?;
            // What comes meanwhile goes into the same checkpoint.
            tokio::time::sleep(self.every).await;
            self.seal(&mut sealer).await?;
        }
    }

    async fn seal(&self, sealer: &mut Sealer) -> Result<(), SealError> {
        if let Some(note) = sealer.seal().await? {
            self.publish(note).await?;
        }
        Ok(())
    }

    async fn publish(&self, note: Note) -> Result<(), SealError> {
        let note = match &self.cosigner {
            Some(cosigner) => cosigner.cosign(note, &self.log).await,
            None => note,
        };
        self.log.publish(note)
    }
}
