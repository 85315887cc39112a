//! Standing by: a node shows what whoever seals published, once its own tree leads there.
//!
//! Owns nothing of the lock. What is shown is checked against this node's own events first: a root that
//! they do not lead to is never shown, and said loudly. Must never sign.

use super::SealError;
use super::growing::{Growing, Told};
use super::lock::{CheckpointLock, Life, Seen, Turns};
use super::log::TransparencyLog;
use crate::gate::Gate;
use crate::store::EventStore;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tlog::Checkpoint;
use tlog::note::Note;
use tlog::proof::Head;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long to wait after a failure.
const AGAIN: Duration = Duration::from_secs(2);
/// How long to wait after a failure that only people can end.
const AGAIN_LATER: Duration = Duration::from_secs(30);

/// How long to wait after a failure.
pub(super) const fn rest(error: &SealError) -> Duration {
    match error {
        SealError::LockMoved => Duration::ZERO,
        SealError::Store(_) | SealError::Remote { .. } => AGAIN,
        _ => AGAIN_LATER,
    }
}

/// What a node needs that does not seal.
pub struct Following {
    /// The events.
    pub store: Arc<dyn EventStore>,
    /// What readers see.
    pub log: Arc<TransparencyLog>,
    /// Shut and opened as whoever seals says.
    pub gate: Option<Arc<Gate>>,
    /// A checkpoint that this node's events do not lead to: not tried again.
    forked: Mutex<Option<Head>>,
}

impl Following {
    /// Shows in `log` what is published for the events in `store`.
    pub fn new(
        store: Arc<dyn EventStore>,
        log: Arc<TransparencyLog>,
        gate: Option<Arc<Gate>>,
    ) -> Self {
        let forked = Mutex::default();
        Self {
            store,
            log,
            gate,
            forked,
        }
    }

    /// Follows until `stop` says so, on a thread of its own, and never takes the turn: for a node
    /// without a checkpoint key. A lock that is not shared shows nothing.
    pub async fn run(self, lock: Arc<dyn CheckpointLock>, mut stop: watch::Receiver<bool>) {
        let runtime = tokio::runtime::Handle::current();
        let ended = tokio::task::spawn_blocking(move || {
            runtime.block_on(async move {
                let Some(turns) = lock.turns() else {
                    return;
                };
                let forever = async {
                    while let Err(error) = self.follow(turns, false, None).await {
                        tracing::error!(%error, "no checkpoint is shown");
                        let rest = rest(&error);
                        self.log.set_trouble(Some(error));
                        tokio::time::sleep(rest).await;
                    }
                };
                tokio::select! {
                    // An error means the sender is gone, which is the end as well.
                    _ = stop.wait_for(|stop| *stop) => {}
                    () = forever => {}
                }
            });
        });
        if ended.await.is_err() {
            tracing::error!("following the log broke down");
        }
    }

    /// Shows what is published until the turn is this node's, which it is not before the node is
    /// abreast of what was published.
    pub(super) async fn until_turn(
        &self,
        turns: &dyn Turns,
        told: Option<Told>,
    ) -> Result<(), SealError> {
        self.follow(turns, true, told).await
    }

    async fn follow(
        &self,
        turns: &dyn Turns,
        takes: bool,
        told: Option<Told>,
    ) -> Result<(), SealError> {
        let pace = turns.pace();
        let mut follower = Follower::open(self, told).await?;
        let mut silence = Silence::default();
        self.log.set_standby(true);
        loop {
            let seen = turns.look().await?;
            self.heed(&seen);
            let abreast = follower.show(seen.published.as_ref()).await?;
            let fit = takes && abreast && self.store.trouble().is_none();
            let free = !seen.held || silence.lasts(seen.life) >= pace.silent_after;
            if fit && free && turns.take(&seen).await? {
                self.log.set_standby(false);
                return Ok(());
            }
            tokio::time::sleep(pace.look).await;
        }
    }

    /// What the newest checkpoint lacks counts for all nodes.
    fn heed(&self, seen: &Seen) {
        self.log.set_missing(seen.missing);
        let Some(gate) = &self.gate else {
            return;
        };
        if seen.missing.is_some_and(|missing| missing.refuses) {
            gate.shut();
        } else {
            gate.open();
        }
    }
}

/// How long nobody gave another sign of life, by this node's clock. Looks that failed do not count,
/// since whoever watches begins anew then.
#[derive(Default)]
pub(super) struct Silence {
    since: Option<(Life, Instant)>,
}

impl Silence {
    pub(super) fn lasts(&mut self, life: Life) -> Duration {
        match self.since {
            Some((last, since)) if last == life => since.elapsed(),
            _ => {
                self.since = Some((life, Instant::now()));
                Duration::ZERO
            }
        }
    }
}

/// The tree of a node that follows.
struct Follower<'a> {
    of: &'a Following,
    growing: Growing,
    /// Whether it was said that what is published is behind what this node shows.
    told_behind: bool,
}

impl<'a> Follower<'a> {
    /// Takes up what was shown before, if the files still lead there.
    async fn open(of: &'a Following, told: Option<Told>) -> Result<Self, SealError> {
        let mut growing = Growing::new(Arc::clone(&of.store), Arc::clone(of.log.levels()), told);
        let stored = of.log.stored();
        if let Some(note) = stored
            && let Ok(checkpoint) = Checkpoint::parse(note.text())
            && checkpoint.origin == of.log.origin()
            && of.store.length().await? >= checkpoint.head.size
            && growing.take_up(checkpoint.head).await?
            && growing.is_signed(&note, of.log.origin(), checkpoint.head.size)
        {
            of.log.show(note)?;
        }
        Ok(Self {
            of,
            growing,
            told_behind: false,
        })
    }

    /// Shows what was published, if this node knows the events. Whether it is abreast of it.
    async fn show(&mut self, note: Option<&Note>) -> Result<bool, SealError> {
        let shown = self.of.log.published();
        let Some(note) = note else {
            self.of.log.set_trouble(None);
            return Ok(true);
        };
        if shown.as_ref().is_some_and(|shown| shown.note == *note) {
            self.of.log.set_trouble(None);
            return Ok(true);
        }
        let Checkpoint { origin, head, .. } = Checkpoint::parse(note.text())?;
        if origin != self.of.log.origin() {
            let why = "what it shows belongs to another log".to_owned();
            return Err(SealError::Lock { why });
        }
        let old = shown.map(|shown| shown.head);
        if old.is_some_and(|old| old.size > head.size) {
            self.say_behind();
            return Ok(true);
        }
        if *self.of.forked.lock() == Some(head) {
            return Err(SealError::Fork { size: head.size });
        }
        match self.growing.wait_for(head.size).await {
            Err(SealError::Behind { .. }) => return Ok(false),
            seen => seen?,
        }
        let reached = self.growing.reach(head).await;
        if let Err(SealError::Fork { .. }) = reached {
            *self.of.forked.lock() = Some(head);
        }
        reached?;
        self.growing.settle(old)?;
        if !self.growing.is_signed(note, &origin, head.size) {
            let why = "what it shows is not signed with a key of this ledger".to_owned();
            return Err(SealError::Lock { why });
        }
        self.of.log.publish(note.clone())?;
        self.of.log.set_trouble(None);
        self.told_behind = false;
        Ok(true)
    }

    /// The lock was put back: whoever seals goes on from less than was published. This node goes on
    /// showing what it has; when its turn comes, it moves the lock up again.
    fn say_behind(&mut self) {
        if !self.told_behind {
            let why = "it is behind what was published: an older one was restored".to_owned();
            let error = SealError::Lock { why };
            tracing::error!(%error, "the checkpoint lock was put back");
            self.of.log.set_trouble(Some(error));
            self.told_behind = true;
        }
    }
}
