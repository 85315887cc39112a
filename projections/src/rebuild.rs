//! Builds views aside, from the first event on, in one pass over the ledger for all of them.
//!
//! Never touches a serving view. What is interrupted is thrown away, so nothing needs to be atomic
//! until [`crate::lane::Lane::finish`] says that a view is whole.

use crate::digest::ProjectionDigest;
use crate::error::ViewError;
use crate::inbox::{End, Inbox, Message};
use crate::lane::{Halt, Lane};
use crate::projection::Admission;
use crate::runner::{Feed, LaneInbox, drive};
use ledger::store::EventStore;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::oneshot;

/// How far a build is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Events read.
    pub done: u64,
    /// Events to read.
    pub total: u64,
}

/// A finished rebuild of one projection.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Rebuilt {
    /// Digest of the rows that serve now, at the position of the swap.
    pub after: ProjectionDigest,
    /// Digest of the rows before, at the same position; `None`: they could not be compared, because
    /// the projection was halted.
    pub before: Option<ProjectionDigest>,
    /// Whether both were there and differed: the old rows did not come from this log (exit code 13).
    /// They were set aside as `<name>.aside`.
    pub differed: bool,
}

/// No orders are given to a lane that is being built.
type NoOrder = core::convert::Infallible;

/// What a build needs to know.
pub(crate) struct Build<'a> {
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) admission: Option<Arc<dyn Admission>>,
    /// Where to stop.
    pub(crate) to: u64,
    /// What becomes of a lane that halts.
    pub(crate) on_halt: OnHalt,
    pub(crate) progress: &'a (dyn Fn(Progress) + Send + Sync),
    pub(crate) cancel: &'a AtomicBool,
}

/// What becomes of a lane that halts at an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnHalt {
    /// The build fails: what serves goes on serving.
    Fail,
    /// It is finished as far as it came: there is nothing else to serve. Following the ledger, it
    /// meets the same event again, and halts there for everybody to see.
    Keep,
}

/// Stops the lanes' threads when the build ends in whatever way.
struct Stop(Vec<Arc<LaneInbox<NoOrder>>>);

impl Drop for Stop {
    fn drop(&mut self) {
        for inbox in &self.0 {
            inbox.end(End::Stopped);
        }
    }
}

/// Folds the ledger into new lanes, all or none. They come back finished, at `to`.
pub(crate) async fn build(lanes: Vec<Lane>, build: Build<'_>) -> Result<Vec<Lane>, ViewError> {
    let inboxes: Vec<_> = lanes.iter().map(|_| Arc::new(Inbox::new())).collect();
    let stop = Stop(inboxes.clone());
    let mut results = Vec::with_capacity(lanes.len());
    for (lane, inbox) in lanes.into_iter().zip(&inboxes) {
        let (sender, receiver) = oneshot::channel();
        let inbox = Arc::clone(inbox);
        let (name, on_halt) = (lane.name(), build.on_halt);
        std::thread::Builder::new()
            .name(format!("build-{name}"))
            .spawn(move || {
                let result = fold_all(lane, &inbox, on_halt);
                // Nobody waits for it any more: the build was cancelled.
                let _ = sender.send(result);
            })
            .map_err(|error| ViewError::io("start a build", &error))?;
        results.push((name, receiver));
    }
    let total = build.to;
    let mut reader = Feed {
        store: build.store,
        admission: build.admission,
        next: 0,
        until: Some(total),
    };
    let mut cancelled = false;
    let outcome = reader
        .run(&inboxes, |done| {
            (build.progress)(Progress { done, total });
            cancelled = build.cancel.load(Ordering::Relaxed);
            // A lane that has ended before the feed has halted: the others need not go on.
            !cancelled && inboxes.iter().all(|inbox| inbox.ended().is_none())
        })
        .await;
    if cancelled {
        return Err(ViewError::Cancelled);
    }
    for inbox in &inboxes {
        inbox.end(End::Drained);
    }
    let mut finished = Vec::with_capacity(results.len());
    let mut halted = None;
    for (name, receiver) in results {
        match receiver.await.map_err(|_| ViewError::Closed)? {
            Ok(Some(lane)) => finished.push(lane),
            // Stopped because another lane halted.
            Ok(None) => {}
            Err(Halt {
                position, reason, ..
            }) => {
                halted = Some(ViewError::Halted {
                    view: name.to_owned(),
                    position,
                    reason,
                });
            }
        }
    }
    outcome?;
    drop(stop);
    match halted {
        Some(error) => Err(error),
        None => Ok(finished),
    }
}

/// A lane's thread: folds what comes, then finishes. `None`: it was stopped.
fn fold_all(
    mut lane: Lane,
    inbox: &Arc<LaneInbox<NoOrder>>,
    on_halt: OnHalt,
) -> Result<Option<Lane>, Halt> {
    // Also when a projection panics: the feed must not wait for a thread that is gone.
    let _stop = Stop(vec![Arc::clone(inbox)]);
    let mut halted = false;
    while let Some(Message::Batch(batch)) = inbox.pop() {
        if halted {
            continue;
        }
        match drive(&mut lane, &batch, false) {
            Err(halt) if on_halt == OnHalt::Fail || !halt.poison => return Err(halt),
            Err(halt) => {
                lane.note_halt(halt);
                halted = true;
            }
            Ok(_) => {}
        }
    }
    if inbox.ended() == Some(End::Stopped) {
        return Ok(None);
    }
    let position = lane.cursor();
    let failed = |error: ViewError| Halt {
        position,
        reason: error.to_string(),
        poison: false,
    };
    lane.finish().map_err(failed)?;
    Ok(Some(lane))
}
