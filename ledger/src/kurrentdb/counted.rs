//! Whether an event is the one that this node has numbered, and waiting until it is.
//!
//! Owns the comparison of what the server says with a row. Must never take an event for numbered that is
//! not: its place, id, stream, revision, link and bytes are in the running digest.

use super::Kurrent;
use super::numbering::{LogPlace, Row, Running, folded};
use super::pages::Found;
use crate::remote::ServerFault;
use crate::store::StoreError;
use domain::ids::StreamId;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// So long an event that is in the log may be missing from what the server sends by itself, before a page
/// is asked for.
const GRACE: Duration = Duration::from_millis(10);

impl Kurrent {
    /// The dense position of an event, once this node has numbered it; the event must be the one
    /// that was numbered. `after`: the least it can be.
    pub(super) async fn check(
        &self,
        stream: StreamId,
        event: &Found,
        after: u64,
        until: Instant,
    ) -> Result<u64, StoreError> {
        self.numbered_up_to(event.place, until).await?;
        let numbering = &self.shared.numbering;
        let found = numbering.find(event.place, after)?;
        let Some(position) = found else {
            let error = altered(
                numbering.length(),
                "its place was passed and is not numbered",
            );
            return Err(self.missed(error, until).await);
        };
        let before = numbering.digest_before(position)?;
        if let Some(row) = numbering.get(position)? {
            compare(position, stream, event, &row, before)?;
        }
        Ok(position)
    }

    /// An event of ours was passed and not counted, so every number since is wrong, and this node stops;
    /// unless the server has another past by now, which the next looks find and say.
    pub(super) async fn missed(&self, error: StoreError, until: Instant) -> StoreError {
        let shared = &self.shared;
        let mut looks = shared.looks.subscribe();
        // The one that is under way may have begun before.
        for _ in 0..2 {
            if shared.state.borrow().stopped.is_some() {
                return error;
            }
            shared.wake.notify_one();
            if !matches!(timeout_at(until, looks.changed()).await, Ok(Ok(()))) {
                // Nobody knows; whoever comes next may.
                return error;
            }
        }
        shared.stop(error.clone());
        error
    }

    /// Waits until everything up to a place is numbered.
    pub(super) async fn numbered_up_to(
        &self,
        place: LogPlace,
        until: Instant,
    ) -> Result<(), StoreError> {
        let there = || {
            let last = self.shared.numbering.last();
            last.is_some_and(|last| last.place >= place)
        };
        if there() {
            return Ok(());
        }
        let shared = &self.shared;
        let mut reached = shared.waiting.enter(place);
        // It may have got there, or stopped, just before it could know that somebody waits.
        if !there() && shared.state.borrow().stopped.is_none() {
            let soon = (Instant::now() + GRACE).min(until);
            let sent = shared.listening.load(Ordering::Relaxed)
                && timeout_at(soon, &mut reached).await.is_ok();
            if !sent && !there() {
                // A page will say.
                shared.wake.notify_one();
                if timeout_at(until, reached).await.is_err() && !there() {
                    return Err(StoreError::Server {
                        fault: ServerFault::Slow,
                        message: "this node has not numbered the event in time".to_owned(),
                    });
                }
            }
        }
        if there() {
            return Ok(());
        }
        let stopped = shared.state.borrow().stopped.clone();
        Err(stopped.unwrap_or_else(|| StoreError::Stopped("dropped".to_owned())))
    }
}

/// The digest after an event, if it is the one of a row.
pub(super) fn compare(
    position: u64,
    stream: StreamId,
    event: &Found,
    row: &Row,
    before: Running,
) -> Result<Running, StoreError> {
    if event.place != row.place || folded(event.id) != row.id {
        return Err(altered(position, "another one stands there"));
    }
    let digest = event.seen(stream).map(|seen| seen.digest_after(before));
    match digest {
        Some(digest) if digest == row.digest => Ok(digest),
        _ => Err(altered(position, "it was altered")),
    }
}

pub(super) fn altered(position: u64, what: &str) -> StoreError {
    StoreError::Corrupt {
        position,
        place: "the event on the server".to_owned(),
        reason: format!("{what} since this node numbered it"),
    }
}
