//! Reading a log without owning it: for `verify`, `log` and exports, also beside a server.
//!
//! Takes no lock, writes nothing, needs no index. It shows what was written whole when it last
//! looked, after asking the system to make exactly that durable, so that it never shows what a
//! power cut could still take back. Streams are found by reading frame headers from the front.

use super::catalog::{Active, Catalog, State};
use super::frame::MarkKind;
use super::open::{catch_up, read_log};
use super::scan::Scanner;
use super::walk::TornTail;
use super::writer::find_head;
use crate::disk::{Disk, RealDisk, io_error};
use crate::index::Index;
use crate::store::{
    AppendError, Appended, BoxFuture, EventStore, Expected, NewRecord, StoreError, StoredRecord,
    StreamHead,
};
use domain::ids::{Position, Revision, StreamId};
use parking_lot::Mutex;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How often a follower looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// A log that is only read.
pub struct LogReader {
    catalog: Catalog,
    index: Index,
    /// What the index covers is brought up by one caller at a time.
    catching_up: Mutex<()>,
    torn: Mutex<Option<TornTail>>,
}

impl LogReader {
    /// Opens the log in `dir`. Errors: there is none, it is corrupt, or of a newer format.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::open_on(Arc::new(RealDisk), dir)
    }

    /// The same on any disk.
    pub fn open_on(disk: Arc<dyn Disk>, dir: &Path) -> Result<Self, StoreError> {
        let log = super::log_dir(dir);
        let (state, torn) = look(&*disk, &log)?;
        Ok(Self {
            catalog: Catalog::new(disk, log, false, state),
            index: Index::in_memory(),
            catching_up: Mutex::new(()),
            torn: Mutex::new(torn),
        })
    }

    /// Looks again at what is there, and returns the number of events.
    pub fn refresh(&self) -> Result<u64, StoreError> {
        let (state, torn) = look(&*self.catalog.disk, &self.catalog.log)?;
        self.catalog.replace(state);
        *self.torn.lock() = torn;
        Ok(self.catalog.length())
    }

    /// What stands behind the last whole append: a crash left it, or a writer is at work.
    pub fn torn(&self) -> Option<TornTail> {
        self.torn.lock().clone()
    }

    /// A scan of the whole log, every byte checked.
    pub fn scan(&self, from: Position) -> Result<Scanner, StoreError> {
        Scanner::new(
            Arc::clone(&self.catalog.disk),
            self.catalog.log.clone(),
            from,
        )
    }

    fn head(&self, stream: StreamId) -> Result<Option<StreamHead>, StoreError> {
        {
            let _one = self.catching_up.lock();
            catch_up(&self.catalog, &self.index)?;
        }
        find_head(&self.catalog, &self.index, stream)
    }
}

/// Reads the last segment through and makes what is whole in it durable.
fn look(disk: &dyn Disk, log: &Path) -> Result<(State, Option<TornTail>), StoreError> {
    let (mut sealed, mut last) = read_log(disk, log)?;
    if last.end.mark == Some(MarkKind::Sealed) {
        // Its successor may have come meanwhile; if not, it ends the log.
        (sealed, last) = read_log(disk, log)?;
    }
    last.file
        .sync()
        .map_err(|error| io_error("syncing the log", &error))?;
    let active = Active {
        first: last.header.first,
        file: last.file,
        offsets: last.offsets,
        end: last.end.offset,
    };
    Ok((State { sealed, active }, last.end.torn))
}

impl EventStore for LogReader {
    fn append(
        &self,
        _: StreamId,
        _: Expected,
        _: Vec<NewRecord>,
    ) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(async {
            let reason = "it was opened for reading only".to_owned();
            Err(AppendError::Failed(StoreError::Unusable(reason)))
        })
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
        Box::pin(async move { Ok(self.catalog.length()) })
    }

    fn wait_beyond(&self, seen: u64) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            let mut length = self.catalog.length();
            while length <= seen {
                tokio::time::sleep(LOOK_AGAIN).await;
                length = self.refresh()?;
            }
            Ok(length)
        })
    }
}
