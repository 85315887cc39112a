//! Makes durable what was counted, behind the follower's back.
//!
//! Nobody waits for it: the server keeps the events, and a node that loses its last rows in a power cut
//! counts the same numbers again from the server's log. It syncs the numbering a few times a second,
//! everything that came meanwhile at once, and only then tells the stream index, which so is never
//! ahead of the numbering. Owns the heads on their way there. It must never let more rows wait
//! than a power cut may tear ([`super::numbering::APPEND_ROWS_MAX`]).

use super::follower::Shared;
use super::numbering::{APPEND_ROWS_MAX, Row};
use crate::index::Found as InIndex;
use crate::store::{StoreError, StreamHead};
use domain::ids::StreamId;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// Rows that may wait to be durable; the page that goes over it is the last, and is smaller.
pub(super) const WAITING_ROWS_MAX: u64 = APPEND_ROWS_MAX as u64 / 2;

/// Between two syncs, unless rows wait for one: a disk that is always syncing keeps writers waiting.
const PAUSE: Duration = Duration::from_millis(100);

/// Heads by stream.
pub(super) type Heads = HashMap<StreamId, StreamHead>;

/// What is counted and not durable.
#[derive(Default)]
struct Recent {
    young: Heads,
    /// Being made durable.
    old: Arc<Heads>,
    /// The streams' heads are known up to this position.
    next: u64,
    /// Nothing will come any more.
    closing: bool,
}

/// What the follower leaves and the keeper takes.
pub(super) struct Keeping {
    recent: Mutex<Recent>,
    /// There is something to make durable.
    wake: Notify,
    /// Somebody waits for it.
    hurry: Notify,
    /// Every row below is durable and in the index; `None`: it has failed.
    durable: watch::Sender<Option<u64>>,
}

impl Keeping {
    /// Nothing waits; `durable`: rows of the numbering that are durable.
    pub(super) fn new(durable: u64) -> Self {
        Self {
            recent: Mutex::default(),
            wake: Notify::new(),
            hurry: Notify::new(),
            durable: watch::Sender::new(Some(durable)),
        }
    }

    /// No more comes after what has come.
    pub(super) fn close(&self) {
        self.recent.lock().closing = true;
        self.wake.notify_one();
        self.hurry.notify_one();
    }

    /// Waits while too much is waiting; `next`: everything below is counted.
    pub(super) async fn has_room(&self, next: u64) {
        let room = |durable: &Option<u64>| {
            durable.is_none_or(|durable| next.saturating_sub(durable) <= WAITING_ROWS_MAX)
        };
        let mut durable = self.durable.subscribe();
        if !room(&durable.borrow()) {
            self.hurry.notify_one();
        }
        // The sender lives as long as this.
        let _ = durable.wait_for(room).await;
    }
}

impl Shared {
    /// Writes a page's rows and takes up its heads; the numbering's length after it. Blocks.
    pub(super) fn count(&self, rows: &[Row], heads: Heads, next: u64) -> Result<u64, StoreError> {
        let length = self.numbering.append(rows)?;
        let mut recent = self.keeping.recent.lock();
        recent.young.extend(heads);
        recent.next = next;
        drop(recent);
        self.keeping.wake.notify_one();
        Ok(length)
    }

    /// Stops everything for good; the first reason stays.
    pub(super) fn stop(&self, error: StoreError) {
        self.state
            .send_modify(|state| _ = state.stopped.get_or_insert(error));
        self.waiting.end();
        self.looks.send_modify(|looks| *looks += 1);
        // The follower sees it.
        self.wake.notify_one();
    }

    /// Where a stream ends, as far as was counted.
    pub(super) fn find(&self, stream: StreamId) -> Result<InIndex, StoreError> {
        {
            let recent = self.keeping.recent.lock();
            let head = recent.young.get(&stream);
            if let Some(head) = head.or_else(|| recent.old.get(&stream)) {
                return Ok(InIndex::Head(*head));
            }
        }
        self.index.find(stream)
    }

    /// Keeps until nothing comes any more.
    pub(super) async fn keep(self: Arc<Self>) {
        loop {
            let (heads, next, closing) = {
                let mut recent = self.keeping.recent.lock();
                recent.old = Arc::new(std::mem::take(&mut recent.young));
                (Arc::clone(&recent.old), recent.next, recent.closing)
            };
            if heads.is_empty() {
                if closing {
                    return;
                }
                self.keeping.wake.notified().await;
                continue;
            }
            let shared = Arc::clone(&self);
            let kept = tokio::task::spawn_blocking(move || {
                shared.numbering.sync()?;
                let heads = heads.iter().map(|(stream, head)| (*stream, *head));
                shared.index.record(heads, next);
                Ok::<(), StoreError>(())
            });
            let gone = || StoreError::Stopped("keeping the numbering has panicked".to_owned());
            if let Err(error) = kept.await.unwrap_or_else(|_| Err(gone())) {
                tracing::error!(%error, "what is counted cannot be kept");
                self.stop(error);
                self.keeping.durable.send_replace(None);
                return;
            }
            self.keeping.durable.send_replace(Some(next));
            let _ = tokio::time::timeout(PAUSE, self.keeping.hurry.notified()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::follower::PAGE_EVENTS;
    use super::*;
    use futures_util::FutureExt as _;

    #[tokio::test]
    async fn no_more_rows_wait_than_a_power_cut_may_tear() {
        assert!(WAITING_ROWS_MAX as usize + PAGE_EVENTS <= APPEND_ROWS_MAX);
        let keeping = Keeping::new(10);
        let most = 10 + WAITING_ROWS_MAX;
        assert_eq!(keeping.has_room(most).now_or_never(), Some(()));
        assert_eq!(keeping.hurry.notified().now_or_never(), None);
        assert_eq!(keeping.has_room(most + 1).now_or_never(), None);
        assert_eq!(keeping.hurry.notified().now_or_never(), Some(()));
        keeping.durable.send_replace(Some(11));
        assert_eq!(keeping.has_room(most + 1).now_or_never(), Some(()));
        keeping.durable.send_replace(None);
        let failed = keeping.has_room(u64::MAX).now_or_never();
        assert_eq!(failed, Some(()), "whoever waits is let go");
    }
}
