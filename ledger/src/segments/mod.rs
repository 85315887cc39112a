//! The default engine: append-only segment files, group commit, an index in sled.
//!
//! Owns `<dir>/log`, `<dir>/index` and `<dir>/lock`. What is acknowledged survives kill -9, a power
//! cut and a full disk (INV-5). It must never repair silently, never retry a failed sync, and never
//! look inside a record.
//!
//! ```text
//! <dir>/lock                       held by the one process that may write
//! <dir>/log/00000000000000000000.seg   segments, named by their first position
//! <dir>/log/00000000000000090211.seg
//! <dir>/log/00000000000000000000.off   derived: where each record of a sealed segment starts
//! <dir>/log/next.tmp               the next segment, being made
//! <dir>/index/                     derived: where each stream ends
//!
//! segment = header | frame … frame | mark | zeros up to its size (64 MiB)
//! ```
//!
//! Every byte is drawn in [`frame`]. One append is one or more frames in one segment; its last frame
//! says `left = 0`, and an append without that one does not count. The life of an append:
//!
//! 1. it waits in the queue while the writer's thread syncs the batch before;
//! 2. the writer checks the expected revision against the stream's head, and writes all that waits
//!    with one `write` into space filled with zeros before, followed by one `fdatasync`;
//! 3. readers see it, then whoever asked is answered.
//!
//! Segment files are made ahead of need: filled with zeros, synced, named, directory synced; so a
//! full disk is noticed before an append is touched, and answers *failed*. A failed write or sync
//! answers *uncertain* and stops the store.

mod catalog;
mod create;
pub mod frame;
mod offsets;
mod open;
mod queue;
mod read;
mod reader;
mod scan;
mod tail;
mod walk;
mod writer;

pub use catalog::PAGE_BYTES_MAX;
pub use open::OpenReport;
pub use reader::LogReader;
pub use scan::{LogSizes, ScanEnd, ScannedRecord, Scanner, segment_name};
pub use walk::TornTail;
pub use writer::BATCH_BYTES_MAX;

use crate::disk::{Disk, Lock, RealDisk, io_error};
pub use crate::index::IndexState;
use crate::index::{Index, Opened};
use crate::memory::check_append;
use crate::store::{
    AppendError, Appended, BoxFuture, EventStore, Expected, NewRecord, StoreError, StoredRecord,
    StreamHead,
};
use catalog::Catalog;
use create::{Spare, create_log};
use domain::ids::{EventId, Position, Revision, StreamId};
use parking_lot::Mutex;
use queue::{Ending, Queue, Request};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::{Semaphore, oneshot, watch};
use writer::{Progress, Writer, find_head};

/// Size of a segment file, in bytes.
pub const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
/// Smallest size a segment can be asked to have, in bytes.
pub const SEGMENT_BYTES_MIN: u64 = 4096;
/// Largest size a segment can be asked to have: offsets are 32 bits.
pub const SEGMENT_BYTES_MAX: u64 = 1 << 31;
/// Bytes of appends that may wait for the writer.
pub const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How the engine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Size of new segments, in bytes: from [`SEGMENT_BYTES_MIN`] to [`SEGMENT_BYTES_MAX`]. An
    /// append must fit into one.
    pub segment_bytes: u64,
    /// Whether the next segment is made in a thread of its own, ahead of need.
    pub spare_ahead: bool,
    /// Whether the stream index is kept on disk; otherwise it is built in memory at every open.
    pub index_on_disk: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: SEGMENT_BYTES,
            spare_ahead: true,
            index_on_disk: true,
        }
    }
}

/// The segment engine.
pub struct Segments {
    catalog: Arc<Catalog>,
    index: Arc<Index>,
    queue: Arc<Queue>,
    progress: watch::Receiver<Progress>,
    space: Arc<Semaphore>,
    thread: Mutex<Option<JoinHandle<()>>>,
    _lock: Lock,
}

impl Segments {
    /// Makes an empty log in `dir`, which need not exist. Refuses where there is one already;
    /// finishes one that was not finished being made.
    pub fn create(dir: &Path, options: Options) -> Result<(), StoreError> {
        Self::create_on(&(Arc::new(RealDisk) as Arc<dyn Disk>), dir, options)
    }

    /// The same on any disk.
    pub fn create_on(disk: &Arc<dyn Disk>, dir: &Path, options: Options) -> Result<(), StoreError> {
        options.check()?;
        let log = log_dir(dir);
        disk.create_dir(dir)
            .map_err(|error| io_error("making the data directory", &error))?;
        let _lock = take_lock(&**disk, dir)?;
        if scan::is_made(&**disk, &log)? {
            return Err(StoreError::Unusable(
                "there is a ledger here already".to_owned(),
            ));
        }
        create_log(disk, dir, &log, options.segment_bytes)
    }

    /// Opens the log in `dir` for writing and says what was found.
    pub fn open(dir: &Path, options: Options) -> Result<(Self, OpenReport), StoreError> {
        Self::open_on(Arc::new(RealDisk), dir, options)
    }

    /// The same on any disk. (An index on disk is always a real one.)
    pub fn open_on(
        disk: Arc<dyn Disk>,
        dir: &Path,
        options: Options,
    ) -> Result<(Self, OpenReport), StoreError> {
        options.check()?;
        let log = log_dir(dir);
        scan::segment_files(&*disk, &log)?;
        let lock = take_lock(&*disk, dir)?;
        let (sealed, last) = open::read_log(&*disk, &log)?;
        let (length, torn) = (last.end.next, last.end.torn.clone());
        let clean = last.end.mark.is_some();
        let (index, reason) = open_index(dir, options, length, torn.as_ref())?;
        let (mut state, tip) = open::prepare(&disk, &log, last, options.segment_bytes)?;
        state.sealed.splice(0..0, sealed);
        let segments = state.sealed.len() + 1;
        let catalog = Arc::new(Catalog::new(Arc::clone(&disk), log.clone(), true, state));
        catalog.check_sealed()?;
        let records = open::catch_up(&catalog, &index)?;
        let index_state = match reason {
            _ if !options.index_on_disk => IndexState::InMemory,
            Some(reason) if length > 0 => IndexState::Rebuilt { reason },
            _ => IndexState::CaughtUp { records },
        };
        let report = OpenReport {
            length,
            segments,
            clean,
            cut: torn,
            index: index_state,
        };
        let spare = Spare::new(disk, log, options.segment_bytes, options.spare_ahead);
        Ok((Self::start(catalog, index, spare, tip, lock)?, report))
    }

    fn start(
        catalog: Arc<Catalog>,
        index: Arc<Index>,
        spare: Spare,
        tip: writer::Tip,
        lock: Lock,
    ) -> Result<Self, StoreError> {
        let queue = Arc::new(Queue::default());
        let (sender, progress) = watch::channel(Progress {
            length: tip.next,
            stopped: None,
        });
        let writer = Writer::new(
            Arc::clone(&catalog),
            Arc::clone(&index),
            Arc::clone(&queue),
            sender,
            spare,
            tip,
        );
        let thread = std::thread::Builder::new()
            .name("ledger-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| io_error("starting the writer's thread", &error))?;
        Ok(Self {
            catalog,
            index,
            queue,
            progress,
            space: Arc::new(Semaphore::new(QUEUE_BYTES_MAX)),
            thread: Mutex::new(Some(thread)),
            _lock: lock,
        })
    }

    /// Finishes what waits, leaves the mark of a clean close, writes the index. Blocks; dropping
    /// the store does the same. Appends from now on fail.
    pub fn close(&self) {
        self.end(Ending::Clean);
    }

    /// Ends as a crash would: what waits is dropped, no mark, no index. For tests.
    #[cfg(any(test, feature = "testing"))]
    pub fn crash(&self) {
        self.end(Ending::Crash);
    }

    /// A scan of the log on disk, every byte checked.
    pub fn scan(&self, from: Position) -> Result<Scanner, StoreError> {
        Scanner::new(
            Arc::clone(&self.catalog.disk),
            self.catalog.log.clone(),
            from,
        )
    }

    fn end(&self, ending: Ending) {
        self.queue.end(ending);
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the writer's thread has panicked");
        }
        self.index.close(ending == Ending::Clean);
    }

    fn head(&self, stream: StreamId) -> Result<Option<StreamHead>, StoreError> {
        find_head(&self.catalog, &self.index, stream)
    }

    async fn append_now(
        &self,
        stream: StreamId,
        expected: Expected,
        records: Vec<NewRecord>,
    ) -> Result<Appended, AppendError> {
        check_append(&records).map_err(AppendError::Failed)?;
        let ids: Vec<EventId> = records.iter().map(|record| record.event_id).collect();
        let bytes: usize = records
            .iter()
            .map(|record| frame::frame_bytes(record.bytes.len()))
            .sum();
        let space = Arc::clone(&self.space)
            .acquire_many_owned(bytes as u32)
            .await;
        let closed = |_| AppendError::Failed(StoreError::Stopped("it is closed".to_owned()));
        let (reply, answer) = oneshot::channel();
        let request = Request {
            stream,
            expected,
            records,
            reply,
            _space: space.map_err(closed)?,
        };
        self.queue.push(request).map_err(AppendError::Failed)?;
        let outcome = answer.await.unwrap_or_else(|_| {
            let reason = "the writer ended before it answered".to_owned();
            Err(AppendError::Uncertain(StoreError::Stopped(reason)))
        });
        match outcome {
            Err(AppendError::Conflict { .. }) => self
                .find_append(stream, expected, &ids)
                .map_err(AppendError::Uncertain)?
                .map_or(outcome, Ok),
            outcome => outcome,
        }
    }

    /// The receipt of an earlier append of exactly these events at exactly this place.
    fn find_append(
        &self,
        stream: StreamId,
        expected: Expected,
        ids: &[EventId],
    ) -> Result<Option<Appended>, StoreError> {
        let Some(head) = self.head(stream)? else {
            return Ok(None);
        };
        let from = expected.first_revision();
        let found = self.catalog.ids(head, from, ids.len())?;
        Ok(found
            .filter(|(stored, _, _)| stored == ids)
            .map(|(_, first, last)| Appended {
                first,
                last,
                revision: Revision(from.0 + ids.len() as u64 - 1),
            }))
    }
}

impl Drop for Segments {
    fn drop(&mut self) {
        self.end(Ending::Clean);
    }
}

impl Options {
    fn check(&self) -> Result<(), StoreError> {
        if (SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&self.segment_bytes)
            && self.segment_bytes.is_multiple_of(4096)
        {
            Ok(())
        } else {
            Err(StoreError::Limit {
                what: "segment size",
            })
        }
    }
}

/// Where the segment files are.
pub fn log_dir(dir: &Path) -> PathBuf {
    dir.join("log")
}

fn take_lock(disk: &dyn Disk, dir: &Path) -> Result<Lock, StoreError> {
    let lock = disk.lock(&dir.join("lock"));
    lock.map_err(|error| io_error("locking the data directory", &error))?
        .ok_or(StoreError::Locked)
}

/// Opens the index. One that knows more than a log with a torn tail says that what is torn was
/// safe once.
fn open_index(
    dir: &Path,
    options: Options,
    length: u64,
    torn: Option<&TornTail>,
) -> Result<(Arc<Index>, Option<String>), StoreError> {
    if !options.index_on_disk {
        return Ok((Arc::new(Index::in_memory()), None));
    }
    match Index::open(&dir.join("index"), length, torn.is_some())? {
        Opened::Ready(index, doubt) => Ok((Arc::new(index), doubt.map(|doubt| doubt.to_string()))),
        Opened::AheadOfTorn(known) => Err(StoreError::Corrupt {
            position: length,
            place: torn.map_or(String::new(), |torn| {
                format!("{}:{}", torn.file, torn.offset)
            }),
            reason: format!("the stream index has seen {known} events, so it was safe once"),
        }),
    }
}

impl EventStore for Segments {
    fn append(
        &self,
        stream: StreamId,
        expected: Expected,
        records: Vec<NewRecord>,
    ) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(self.append_now(stream, expected, records))
    }

    fn stream_head(
        &self,
        stream: StreamId,
    ) -> BoxFuture<'_, Result<Option<StreamHead>, StoreError>> {
        Box::pin(async move { self.head(stream) })
    }

    fn read_stream(
        &self,
        stream: StreamId,
        from: Revision,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredRecord>, StoreError>> {
        Box::pin(async move {
            match self.head(stream)? {
                Some(head) => self.catalog.stream((stream, head), from, limit),
                None => Ok(Vec::new()),
            }
        })
    }

    fn read_all(
        &self,
        from: Position,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredRecord>, StoreError>> {
        Box::pin(async move { self.catalog.page(from.0, limit) })
    }

    fn length(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move { Ok(self.progress.borrow().length) })
    }

    fn wait_beyond(&self, seen: u64) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            let mut progress = self.progress.clone();
            let reached = progress
                .wait_for(|now| now.length > seen || now.stopped.is_some())
                .await;
            let now = reached
                .map_err(|_| StoreError::Stopped("the writer has ended".to_owned()))?
                .clone();
            match now.stopped {
                Some(reason) if now.length <= seen => Err(StoreError::Stopped(reason)),
                _ => Ok(now.length),
            }
        })
    }
}

#[cfg(test)]
mod tests;
