//! Making segment files: filled with zeros and durable before a record goes in.
//!
//! Owns the steps and their order. A file that is being made has another name and is replaced
//! without a thought; it becomes a segment by being renamed.

use super::frame::SegmentHeader;
use super::scan::segment_name;
use crate::disk::{Disk, DiskFile, io_error};
use crate::store::StoreError;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// A segment file that is being made.
const UNFINISHED: &str = "next.tmp";
const ZEROS_BYTES: usize = 1024 * 1024;

/// Makes the next segment's file, ahead of need where threads are welcome.
pub(crate) struct Spare {
    disk: Arc<dyn Disk>,
    log: PathBuf,
    size: u64,
    ahead: bool,
    made: Option<JoinHandle<io::Result<Arc<dyn DiskFile>>>>,
}

impl Spare {
    pub(crate) fn new(disk: Arc<dyn Disk>, log: PathBuf, size: u64, ahead: bool) -> Self {
        Self {
            disk,
            log,
            size,
            ahead,
            made: None,
        }
    }

    /// Starts to make the file in a thread, once.
    pub(crate) fn begin(&mut self) {
        if !self.ahead || self.made.is_some() {
            return;
        }
        let (disk, log, size) = (Arc::clone(&self.disk), self.log.clone(), self.size);
        let thread = thread::Builder::new().name("ledger-spare".to_owned());
        self.made = thread.spawn(move || make(&*disk, &log, size)).ok();
    }

    /// The file, ready to be named. On failure nothing is left and the next call starts again.
    pub(crate) fn take(&mut self, header: SegmentHeader) -> Result<Arc<dyn DiskFile>, StoreError> {
        let made = match self.made.take().map(JoinHandle::join) {
            Some(Ok(made)) => made,
            _ => make(&*self.disk, &self.log, self.size),
        };
        let ready = made.and_then(|file| {
            file.write_at(&header.encode(), 0)?;
            file.sync()?;
            Ok(file)
        });
        ready.map_err(|error| {
            let _ = self.disk.remove(&self.log.join(UNFINISHED));
            io_error("making the next segment", &error)
        })
    }

    /// Gives the file its name, durably. After a failure it is unknown which name lasts.
    pub(crate) fn name(&self, first: u64) -> Result<(), StoreError> {
        let named = self.disk.rename(
            &self.log.join(UNFINISHED),
            &self.log.join(segment_name(first)),
        );
        named
            .and_then(|()| self.disk.sync_dir(&self.log))
            .map_err(|error| io_error("naming a segment", &error))
    }
}

impl Drop for Spare {
    /// A file that nobody took is removed; it would only take space.
    fn drop(&mut self) {
        if let Some(made) = self.made.take() {
            let _ = made.join();
            let _ = self.disk.remove(&self.log.join(UNFINISHED));
        }
    }
}

/// Fills a file with zeros from `from` to `size` and makes that durable.
pub(crate) fn fill(file: &dyn DiskFile, from: u64, size: u64) -> io::Result<()> {
    let zeros = vec![0; ZEROS_BYTES];
    let mut at = from;
    while at < size {
        let part = usize::try_from(size - at)
            .unwrap_or(usize::MAX)
            .min(ZEROS_BYTES);
        file.write_at(zeros.get(..part).unwrap_or_default(), at)?;
        at += part as u64;
    }
    file.sync()
}

fn make(disk: &dyn Disk, log: &Path, size: u64) -> io::Result<Arc<dyn DiskFile>> {
    let file = disk.create(&log.join(UNFINISHED))?;
    fill(&*file, 0, size)?;
    Ok(file)
}

/// Makes the log directory of a new ledger with its first segment.
pub(crate) fn create_log(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    log: &Path,
    size: u64,
) -> Result<(), StoreError> {
    disk.create_dir(log)
        .map_err(|error| io_error("making the log's directory", &error))?;
    let mut spare = Spare::new(Arc::clone(disk), log.to_owned(), size, false);
    spare.take(SegmentHeader {
        first: 0,
        size,
        chain: 0,
    })?;
    spare.name(0)?;
    for path in [
        Some(dir),
        dir.parent().filter(|parent| !parent.as_os_str().is_empty()),
    ] {
        let Some(path) = path else { continue };
        disk.sync_dir(path)
            .map_err(|error| io_error("syncing a directory", &error))?;
    }
    Ok(())
}
