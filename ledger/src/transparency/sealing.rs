//! Sealing while a server runs: seals what was appended, at most so often, and publishes.
//!
//! Runs beside the append on a thread of its own and never in its way. Whatever goes wrong is said
//! ([`TransparencyLog::trouble`]) and tried again; a lock that somebody else moved is taken up where
//! it now stands. Where nodes share a lock, one seals and the others stand by ([`Following`]).

use super::following::{Following, Silence, rest};
use super::lock::{CheckpointLock, Locked, Turns};
use super::log::TransparencyLog;
use super::sealer::{Sealer, Settings};
use super::{SealError, origin};
use crate::gate::Gate;
use crate::store::{BoxFuture, EventStore};
use core::convert::Infallible;
use domain::ids::LedgerId;
use ed25519_dalek::SigningKey;
use std::sync::Arc;
use std::time::Duration;
use tlog::Checkpoint;
use tlog::note::{Algorithm, Note, Signer};
use tokio::sync::watch;
use tokio::time::Instant;

/// How long until witnesses are asked again for what is missing, unless something new is sealed.
const ASK_AGAIN: Duration = Duration::from_secs(2);
/// How long giving up the turn may take: others notice the silence otherwise.
const GIVE_UP_MAX: Duration = Duration::from_secs(2);

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
    /// Whether no new events are taken until it lacks nothing.
    pub refuses: bool,
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
    /// The gate before new events, which whoever seals shuts for all; `None`: it is left alone.
    pub gate: Option<Arc<Gate>>,
}

/// The key that signs the checkpoints of a ledger.
pub fn signer(ledger: LedgerId, key: SigningKey) -> Result<Signer, SealError> {
    Ok(Signer::new(&origin(ledger), Algorithm::Ed25519, key)?)
}

impl Sealing {
    /// Seals until `stop` says so, on a thread of its own; while another node seals, stands by.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let runtime = tokio::runtime::Handle::current();
        let ended = tokio::task::spawn_blocking(move || {
            runtime.block_on(self.until_stopped(stop));
        });
        if ended.await.is_err() {
            tracing::error!("sealing broke down");
        }
    }

    async fn until_stopped(self, mut stop: watch::Receiver<bool>) {
        let gate = self.gate.clone();
        let following = Following::new(Arc::clone(&self.store), Arc::clone(&self.log), gate);
        while let Err(error) = self.one_turn(&following, &mut stop).await {
            let rest = rest(&error);
            if error == SealError::LockMoved {
                tracing::warn!("another node seals now");
            } else {
                tracing::error!(%error, "nothing is sealed");
                self.log.set_trouble(Some(error));
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(rest) => {}
            }
        }
    }

    /// From opening the lock until something fails; `Ok`: it was told to stop.
    async fn one_turn(
        &self,
        following: &Following,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), SealError> {
        let lock = (self.lock)()?;
        let ended = tokio::select! {
            biased;
            // An error means the sender is gone, which is the end as well.
            _ = stop.wait_for(|stop| *stop) => Ok(()),
            ended = self.until_failure(&lock, following) => Err(ended),
        };
        give_up(&*lock).await;
        ended
    }

    async fn until_failure(
        &self,
        lock: &Arc<dyn CheckpointLock>,
        following: &Following,
    ) -> SealError {
        let Some(turns) = lock.turns() else {
            return self.seal_on(lock).await;
        };
        if let Err(error) = following.until_turn(turns, self.told()).await {
            return error;
        }
        tracing::info!("this node seals");
        if let (None, Some(gate)) = (&self.cosigner, &self.gate) {
            gate.open();
        }
        tokio::select! {
            ended = self.seal_on(lock) => ended,
            ended = self.keep(turns) => ended,
        }
    }

    /// Gives signs of life, until the turn is lost or this node has not reached its events for so long
    /// that another should try. Runs between the steps of sealing: a sealer that hangs is silent.
    async fn keep(&self, turns: &dyn Turns) -> SealError {
        let pace = turns.pace();
        let mut troubled: Option<Instant> = None;
        loop {
            tokio::time::sleep(pace.look).await;
            match self.store.trouble() {
                None => troubled = None,
                Some(error) => {
                    let since = troubled.get_or_insert_with(Instant::now);
                    if since.elapsed() >= pace.silent_after {
                        return error.into();
                    }
                }
            }
            if let Err(error) = turns.keep().await {
                return error;
            }
        }
    }

    /// Seals everything there is, once. What was published, if anything was.
    /// [`SealError::Taken`]: another node seals.
    pub async fn once(&self) -> Result<Option<u64>, SealError> {
        let lock = (self.lock)()?;
        let Some(turns) = lock.turns() else {
            return self.once_under(&lock).await;
        };
        take_soon(turns).await?;
        let ended = tokio::select! {
            ended = self.once_under(&lock) => ended,
            ended = self.keep(turns) => Err(ended),
        };
        give_up(&*lock).await;
        ended
    }

    async fn once_under(&self, lock: &Arc<dyn CheckpointLock>) -> Result<Option<u64>, SealError> {
        let (mut sealer, owed) = self.open(lock).await?;
        let note = sealer.seal().await?.or(owed);
        if let Some(note) = note {
            self.publish(note, &**lock).await?;
        }
        match self.log.missing() {
            Some(missing) if !missing.published => Err(SealError::Cosignatures {
                found: missing.found,
                wanted: missing.wanted,
            }),
            _ => Ok(self.log.published().map(|published| published.head.size)),
        }
    }

    fn told(&self) -> Option<super::Told> {
        let progress = self.progress.clone();
        progress.map(|told| Box::new(move |progress| told(progress)) as Box<_>)
    }

    /// The sealer, and the last checkpoint if it is still to be published or cosigned.
    async fn open(
        &self,
        lock: &Arc<dyn CheckpointLock>,
    ) -> Result<(Sealer, Option<Note>), SealError> {
        let signer = Signer::new(self.log.origin(), Algorithm::Ed25519, self.key.clone())?;
        let stored = self.log.stored();
        let known = stored.as_ref().filter(|note| self.is_ours(note));
        let known = known.map(|note| Checkpoint::parse(note.text()));
        let known = known.transpose()?.map(|checkpoint| Locked { checkpoint });
        // A lock that is lost, put back, or new, begins with what was signed as far as it is known.
        if let Some(known) = &known {
            let locked = lock.load().await?;
            let larger = |locked: &Locked| known.checkpoint.head.size > locked.checkpoint.head.size;
            if locked.as_ref().is_none_or(larger) {
                lock.swap(locked.as_ref(), known).await?;
            }
        }
        let settings = Settings {
            origin: self.log.origin().to_owned(),
            progress: self.told(),
            near: known.map(|known| known.checkpoint.head),
        };
        let (store, levels) = (Arc::clone(&self.store), Arc::clone(self.log.levels()));
        let sealer = Sealer::open(store, levels, Arc::clone(lock), signer, settings).await?;
        if let Some(note) = &stored {
            self.show_again(note, sealer.size())?;
        }
        let owed = self.owed(&sealer, stored, &**lock).await?;
        self.log.set_trouble(None);
        Ok((sealer, owed))
    }

    /// The checkpoint that is locked, unless it is published with all it should have.
    async fn owed(
        &self,
        sealer: &Sealer,
        stored: Option<Note>,
        lock: &dyn CheckpointLock,
    ) -> Result<Option<Note>, SealError> {
        let text = sealer.locked_text();
        let is_locked = |note: &Note| Some(note.text()) == text.as_deref();
        let shared = match lock.turns() {
            Some(turns) => turns.look().await?.published,
            None => stored.clone(),
        };
        // What was published has the cosignatures.
        let shown_to_all = shared.as_ref().is_some_and(is_locked);
        let notes = [shared, stored];
        let note = notes.into_iter().flatten().find(is_locked);
        let Some(note) = note.filter(|note| sealer.is_signed(note)) else {
            return sealer.last();
        };
        let shown = self.log.published();
        let shown = shown.is_some_and(|shown| shown.note == note);
        Ok(Some(note).filter(|note| !(shown && shown_to_all && self.is_content(note))))
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

    async fn seal_on(&self, lock: &Arc<dyn CheckpointLock>) -> SealError {
        match self.seal_forever(lock).await {
            Err(error) => error,
            Ok(never) => match never {},
        }
    }

    async fn seal_forever(&self, lock: &Arc<dyn CheckpointLock>) -> Result<Infallible, SealError> {
        let (mut sealer, mut owed) = self.open(lock).await?;
        loop {
            if let Some(note) = owed.take() {
                owed = self.publish(note, &**lock).await?;
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

    /// Publishes a checkpoint with its cosignatures, as far as it may be; where nodes share the lock,
    /// to all of them first, which fails if the turn was lost. What is to be asked for again is handed
    /// back.
    async fn publish(
        &self,
        note: Note,
        lock: &dyn CheckpointLock,
    ) -> Result<Option<Note>, SealError> {
        let (note, missing) = match &self.cosigner {
            None => (note, None),
            Some(cosigner) => {
                let Cosigned { note, missing } = cosigner.cosign(note, &self.log).await;
                (note, missing)
            }
        };
        let may_be_seen = missing.is_none_or(|missing| missing.published);
        if let Some(turns) = lock.turns() {
            turns.show(may_be_seen.then_some(&note), missing).await?;
        }
        self.log.set_missing(missing);
        let shown = self.log.published();
        let shown = shown.is_some_and(|published| published.note == note);
        if may_be_seen && !shown {
            self.log.publish(note.clone())?;
        }
        Ok(missing.map(|_| note))
    }
}

/// Lets another node seal, if it was this one's turn.
async fn give_up(lock: &dyn CheckpointLock) {
    if let Some(turns) = lock.turns()
        && !matches!(
            tokio::time::timeout(GIVE_UP_MAX, turns.give_up()).await,
            Ok(Ok(()))
        )
    {
        tracing::warn!("the turn to seal is given up by silence");
    }
}

/// Takes the turn unless somebody is alive who has it.
async fn take_soon(turns: &dyn Turns) -> Result<(), SealError> {
    let pace = turns.pace();
    let mut silence = Silence::default();
    let mut first = None;
    loop {
        let seen = turns.look().await?;
        if *first.get_or_insert(seen.life) != seen.life {
            return Err(SealError::Taken);
        }
        let free = !seen.held || silence.lasts(seen.life) >= pace.silent_after;
        if free && turns.take(&seen).await? {
            return Ok(());
        }
        tokio::time::sleep(pace.look).await;
    }
}
