//! One path for live following, rebuild and replay: read the ledger in order, take each record apart
//! once, and hand it to every lane.
//!
//! Owns order: positions are contiguous (INV-6), a gap is as bad as an unreadable record. It skips
//! nothing; a lane that cannot take a record halts there and says so.

use crate::error::ViewError;
use crate::inbox::Inbox;
use crate::lane::{Halt, Lane};
use crate::projection::{Admission, Decoded, Unreadable, decode};
use domain::ids::Position;
use ledger::store::{EventStore, PAGE_RECORDS_MAX, StoredRecord};
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Pages up to this many records are taken apart where they are read: handing them to another
/// thread would cost more.
const INLINE_RECORDS_MAX: usize = 64;

/// Consecutive records, taken apart.
pub(crate) struct Batch {
    /// Position of the first.
    pub(crate) first: u64,
    /// The records.
    pub(crate) records: Vec<Result<Decoded, Unreadable>>,
    /// Whether the ledger had no more when they were read.
    pub(crate) caught_up: bool,
}

impl Batch {
    /// Position after the last.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.records.len() as u64
    }

    /// Takes a page of records apart. The store promises contiguous positions; here it is checked.
    pub(crate) fn decode(
        first: u64,
        page: &[StoredRecord],
        caught_up: bool,
        admission: Option<&dyn Admission>,
    ) -> Self {
        let one = |(expected, record): (u64, &StoredRecord)| {
            if record.position.0 != expected {
                let reason = format!("the store gave event {} in its place", record.position.0);
                return Err(Unreadable {
                    position: Position(expected),
                    reason,
                });
            }
            decode(record, admission)
        };
        Self {
            first,
            records: (first..).zip(page).map(one).collect(),
            caught_up,
        }
    }
}

/// Folds a batch into a lane and commits when the window is full, or when everything there is was
/// folded and nothing waits (`idle`). Returns whether anything was committed.
pub(crate) fn drive(lane: &mut Lane, batch: &Batch, idle: bool) -> Result<bool, Halt> {
    let before = lane.committed();
    for (position, record) in (batch.first..).zip(&batch.records) {
        if let Err(halt) = lane.fold(position, record) {
            commit(lane)?;
            return Err(halt);
        }
        if lane.is_full() {
            commit(lane)?;
        }
    }
    if batch.caught_up && idle {
        commit(lane)?;
    }
    Ok(lane.committed() != before)
}

fn commit(lane: &mut Lane) -> Result<(), Halt> {
    let position = lane.cursor();
    lane.commit().map_err(|error| Halt {
        position,
        reason: error.to_string(),
        poison: false,
    })
}

/// Where a feed delivers.
pub(crate) type LaneInbox<O> = Inbox<Arc<Batch>, O>;

/// Reads the ledger.
pub(crate) struct Feed {
    /// From where.
    pub(crate) store: Arc<dyn EventStore>,
    /// A check of every record.
    pub(crate) admission: Option<Arc<dyn Admission>>,
    /// Position of the next record to read.
    pub(crate) next: u64,
    /// Where to stop; `None`: follow for ever.
    pub(crate) until: Option<u64>,
}

/// A page that is being taken apart on another thread.
type Decoding = JoinHandle<Batch>;

impl Feed {
    /// Reads and delivers, the next page while the last is being taken apart. `go_on` is told the
    /// position reached after every batch. Ends at `until`, when `go_on` says so, or with an error;
    /// `next` then says where to go on.
    pub(crate) async fn run<O>(
        &mut self,
        inboxes: &[Arc<LaneInbox<O>>],
        mut go_on: impl FnMut(u64) -> bool,
    ) -> Result<(), ViewError> {
        let mut decoding: Option<Decoding> = None;
        let mut read = self.next;
        let mut told = false;
        loop {
            let left = self
                .until
                .map_or(u64::MAX, |until| until.saturating_sub(read));
            let limit = usize::try_from(left)
                .unwrap_or(usize::MAX)
                .min(PAGE_RECORDS_MAX);
            let page = if limit == 0 {
                Vec::new()
            } else {
                self.store.read_all(Position(read), limit).await?
            };
            let end = read + page.len() as u64;
            let caught_up = page.len() < limit && end >= self.store.length().await?;
            if let Some(batch) = decoding.take() {
                let batch = batch.await.map_err(|_| ViewError::Closed)?;
                if !self.deliver(inboxes, batch, &mut go_on).await {
                    return Ok(());
                }
            }
            if page.is_empty() {
                let last = limit == 0 || self.until.is_some();
                if last || !told {
                    let batch = Batch {
                        first: read,
                        records: Vec::new(),
                        caught_up: true,
                    };
                    if !self.deliver(inboxes, batch, &mut go_on).await || last {
                        return Ok(());
                    }
                    told = true;
                }
                self.store.wait_beyond(read).await?;
                continue;
            }
            told = caught_up;
            let admission = self.admission.clone();
            if caught_up || page.len() <= INLINE_RECORDS_MAX {
                let batch = Batch::decode(read, &page, caught_up, admission.as_deref());
                if !self.deliver(inboxes, batch, &mut go_on).await {
                    return Ok(());
                }
            } else {
                decoding = Some(tokio::task::spawn_blocking(move || {
                    Batch::decode(read, &page, caught_up, admission.as_deref())
                }));
            }
            read = end;
        }
    }

    async fn deliver<O>(
        &mut self,
        inboxes: &[Arc<LaneInbox<O>>],
        batch: Batch,
        go_on: &mut impl FnMut(u64) -> bool,
    ) -> bool {
        let batch = Arc::new(batch);
        for inbox in inboxes {
            inbox.push(Arc::clone(&batch)).await;
        }
        self.next = batch.end();
        go_on(self.next)
    }
}
