//! Where each stream ends: derived from the log, kept in sled, rebuilt when in doubt.
//!
//! Owns `<dir>/index`. One row per stream: its 17-byte key and the position of its last record
//! (`u64`, big-endian); everything else is read from that record's frame, whose checksum then
//! vouches for it. No row per event: an append is found again by comparing the event ids at the
//! expected place of the stream. New heads wait in memory and are written in sorted batches by one
//! thread. The row [`COVERED`] says up to where the log is covered, and is written only after the
//! rows it speaks of are on disk: sled's own `flush` does not sync, so this file does. The index
//! must never be ahead of the log, and must never be the reason for losing an append: a damaged one
//! is moved aside and rebuilt.

mod rows;

use crate::disk::io_error;
use crate::store::StoreError;
use domain::ids::{Position, StreamId};
use parking_lot::{Condvar, Mutex};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use std::{fs, thread};

use crate::store::StreamHead;
use rows::{COVERED, Rows, condemned, move_aside, open_rows};

pub(crate) use rows::Doubt;

/// Heads that may wait in memory before they are written; twice as many stop the writer until the
/// older half is written. About 100 bytes each.
pub const WAITING_HEADS_MAX: usize = 128 * 1024;
/// Events the index may lag behind the log, which bounds what is read again after a crash.
pub const LAG_EVENTS_MAX: u64 = 256 * 1024;
/// Rows in one sled batch: a batch keeps readers out while it is applied.
const BATCH_ROWS: usize = 128;
/// How long nothing may be appended before waiting heads are written anyway.
const IDLE: Duration = Duration::from_secs(2);

/// What the index knows of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// Its head.
    Head(StreamHead),
    /// Where its last record stands.
    At(Position),
    Nothing,
}

/// What became of the index when it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexState {
    /// Used as it was, and brought up to the log's end by reading this many records.
    CaughtUp {
        /// Records read.
        records: u64,
    },
    /// Built anew from the log.
    Rebuilt {
        /// Why.
        reason: String,
    },
    /// Kept in memory only.
    InMemory,
}

/// An index, or the reason why the log must not be used.
pub(crate) enum Opened {
    Ready(Index, Option<Doubt>),
    AheadOfTorn(u64),
}

#[derive(Default)]
struct Heads {
    /// Not yet handed to the flush.
    young: HashMap<StreamId, StreamHead>,
    /// Being written, or written last.
    old: Arc<HashMap<StreamId, StreamHead>>,
    /// Every position below is in a row, in `old` or in `young`.
    next: u64,
    /// Every position below is in a row.
    covered: u64,
    flushing: bool,
    closing: Option<Closing>,
    failed: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closing {
    Flush,
    Abandon,
}

struct Shared {
    rows: Option<Rows>,
    heads: Mutex<Heads>,
    /// There is something to do for the flush, or something was done.
    changed: Condvar,
}

/// The stream index.
pub(crate) struct Index {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Index {
    /// An index that lives in memory only and knows nothing yet.
    pub(crate) fn in_memory() -> Self {
        let shared = Shared {
            rows: None,
            heads: Mutex::new(Heads::default()),
            changed: Condvar::new(),
        };
        Self {
            shared: Arc::new(shared),
            thread: Mutex::new(None),
        }
    }

    /// Opens the index at `path` for a log of `length` events. What cannot be used is moved aside,
    /// and an empty one takes its place: then the doubt is returned. Only when the index is ahead
    /// of a log whose tail is `torn` is nothing touched, for then the log is in doubt.
    pub(crate) fn open(path: &Path, length: u64, torn: bool) -> Result<Opened, StoreError> {
        let existed = path.exists();
        let (rows, covered, doubt) = match open_rows(path, length) {
            Ok((rows, covered)) => (rows, covered, (!existed).then_some(Doubt::Missing)),
            Err(Doubt::Ahead(known)) if torn => return Ok(Opened::AheadOfTorn(known)),
            Err(doubt) => {
                move_aside(path)
                    .map_err(|error| io_error("moving a damaged index aside", &error))?;
                let (rows, covered) = open_rows(path, length)
                    .map_err(|doubt| StoreError::Unusable(format!("the stream index: {doubt}")))?;
                (rows, covered, Some(doubt))
            }
        };
        let heads = Heads {
            next: covered,
            covered,
            ..Heads::default()
        };
        let shared = Arc::new(Shared {
            rows: Some(rows),
            heads: Mutex::new(heads),
            changed: Condvar::new(),
        });
        let background = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("ledger-index".to_owned())
            .spawn(move || background.run())
            .map_err(|error| io_error("starting the index's thread", &error))?;
        Ok(Opened::Ready(
            Self {
                shared,
                thread: Mutex::new(Some(thread)),
            },
            doubt,
        ))
    }

    /// Every position below is known.
    pub(crate) fn next(&self) -> u64 {
        self.shared.heads.lock().next
    }

    /// What is known of a stream.
    pub(crate) fn find(&self, stream: StreamId) -> Result<Found, StoreError> {
        {
            let heads = self.shared.heads.lock();
            if let Some(reason) = &heads.failed {
                return Err(stopped(reason));
            }
            if let Some(head) = heads.young.get(&stream).or_else(|| heads.old.get(&stream)) {
                return Ok(Found::Head(*head));
            }
        }
        let Some(rows) = &self.shared.rows else {
            return Ok(Found::Nothing);
        };
        match rows.db.get(stream.key()) {
            Ok(None) => Ok(Found::Nothing),
            Ok(Some(value)) => match value.as_ref().try_into() {
                Ok(position) => Ok(Found::At(Position(u64::from_be_bytes(position)))),
                Err(_) => Err(self.damaged("a row has the wrong length")),
            },
            Err(error) => Err(self.damaged(&error.to_string())),
        }
    }

    /// Notes the new heads of records that are durable; every position below `next` is then known.
    /// Waits while too many heads are waiting to be written.
    pub(crate) fn record(&self, new: impl Iterator<Item = (StreamId, StreamHead)>, next: u64) {
        let mut heads = self.shared.heads.lock();
        heads.young.extend(new);
        heads.next = next;
        if self.shared.rows.is_none() || !heads.due() {
            return;
        }
        self.shared.changed.notify_all();
        while heads.flushing && heads.young.len() >= 2 * WAITING_HEADS_MAX && heads.failed.is_none()
        {
            self.shared.changed.wait(&mut heads);
        }
    }

    /// Says that the index cannot be trusted: it is rebuilt at the next start.
    pub(crate) fn damaged(&self, reason: &str) -> StoreError {
        self.shared.fail(reason);
        stopped(reason)
    }

    /// Writes what is waiting (or not, for tests that play a crash) and stops the thread.
    pub(crate) fn close(&self, flush: bool) {
        let how = if flush {
            Closing::Flush
        } else {
            Closing::Abandon
        };
        self.shared.heads.lock().closing.get_or_insert(how);
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the index's thread has panicked");
        }
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        self.close(true);
    }
}

impl Heads {
    fn due(&self) -> bool {
        self.young.len() >= WAITING_HEADS_MAX || self.next - self.covered >= LAG_EVENTS_MAX
    }
}

impl Shared {
    /// The index's thread: waits until heads are due, writes them.
    fn run(&self) {
        let mut heads = self.heads.lock();
        loop {
            let seen = heads.next;
            if heads.closing.is_none() && !heads.due() {
                let timeout = self.changed.wait_for(&mut heads, IDLE).timed_out();
                let idle = timeout && heads.next == seen && heads.covered < seen;
                if !idle && !heads.due() && heads.closing.is_none() {
                    continue;
                }
            }
            let closing = heads.closing;
            if closing == Some(Closing::Abandon) || heads.failed.is_some() {
                return;
            }
            if heads.next > heads.covered {
                let next = heads.next;
                heads.old = Arc::new(std::mem::take(&mut heads.young));
                heads.flushing = true;
                let old = Arc::clone(&heads.old);
                drop(heads);
                let written = catch_unwind(AssertUnwindSafe(|| self.write(&old, next)));
                let failure = match written {
                    Ok(Ok(())) => None,
                    Ok(Err(reason)) => Some(reason),
                    Err(_) => Some("sled has panicked".to_owned()),
                };
                drop(old);
                if let Some(reason) = &failure {
                    self.fail(reason);
                }
                heads = self.heads.lock();
                heads.flushing = false;
                if failure.is_none() {
                    heads.covered = next;
                }
                self.changed.notify_all();
            }
            if closing.is_some() {
                return;
            }
        }
    }

    fn write(&self, heads: &HashMap<StreamId, StreamHead>, next: u64) -> Result<(), String> {
        let Some(rows) = &self.rows else {
            return Ok(());
        };
        let mut sorted: Vec<([u8; 17], u64)> = heads
            .iter()
            .map(|(stream, head)| (stream.key(), head.position.0))
            .collect();
        sorted.sort_unstable();
        for part in sorted.chunks(BATCH_ROWS) {
            let mut batch = sled::Batch::default();
            for (key, position) in part {
                batch.insert(key, &position.to_be_bytes());
            }
            rows.db
                .apply_batch(batch)
                .map_err(|error| error.to_string())?;
        }
        rows.sync()?;
        rows.db
            .insert(COVERED, &next.to_be_bytes())
            .map_err(|error| error.to_string())?;
        rows.sync()
    }

    fn fail(&self, reason: &str) {
        tracing::error!(
            reason,
            "the stream index has failed; it is rebuilt at the next start"
        );
        if let Some(rows) = &self.rows
            && let Err(error) = fs::write(condemned(&rows.path), reason)
        {
            tracing::error!(%error, "the failed index could not be marked");
        }
        self.heads
            .lock()
            .failed
            .get_or_insert_with(|| reason.to_owned());
        self.changed.notify_all();
    }
}

fn stopped(reason: &str) -> StoreError {
    StoreError::Stopped(format!(
        "the stream index has failed ({reason}) and is rebuilt at the next start"
    ))
}

#[cfg(test)]
mod tests;
