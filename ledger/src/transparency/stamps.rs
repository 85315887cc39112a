//! Time-stamps of checkpoints, kept beside the tree and apart from it, since nothing makes them again: each checkpoint as it was stamped, and the authority's
//! answer.
//!
//! ```text
//! timestamps/<size, 20 digits>.checkpoint     the signed note, byte for byte as it was published
//! timestamps/<size, 20 digits>.tsr            TimeStampResp of RFC 3161 over these bytes
//! ```
//!
//! Written once and never again: the first stamp of a size says the earliest time. Nothing here is believed
//! when it is read; a lost stamp costs what it proved, and nothing else.

use super::SealError;
use crate::disk::{Disk, io_error};
use crate::timestamp::ANSWER_BYTES_MAX;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tlog::note::NOTE_BYTES_MAX;

/// The directory beside the tree's, and the one in a mirror.
pub const STAMPS_DIR: &str = "timestamps";
const CHECKPOINT: &str = "checkpoint";
const ANSWER: &str = "tsr";

/// A stamped checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// Events in the checkpoint, as its file's name has it.
    pub size: u64,
    /// The signed note.
    pub checkpoint: Vec<u8>,
    /// What the authority answered.
    pub answer: Vec<u8>,
}

/// The stamps of one log.
pub struct Stamps {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
}

/// Names of a stamp's two files: the checkpoint's and the answer's.
pub fn stamp_names(size: u64) -> [String; 2] {
    [CHECKPOINT, ANSWER].map(|suffix| format!("{size:020}.{suffix}"))
}

impl Stamps {
    /// Those in a directory. Nothing is made before there is something to keep.
    pub fn of(disk: Arc<dyn Disk>, dir: &Path) -> Self {
        Self {
            disk,
            dir: dir.to_owned(),
        }
    }

    /// Sizes of the stamped checkpoints, smallest first.
    pub fn sizes(&self) -> Result<Vec<u64>, SealError> {
        let names = match self.disk.list(&self.dir) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            names => names.map_err(|error| io_error("list the time-stamps", &error))?,
        };
        // The answer is written last.
        let size = |name: &String| {
            let size = name.split_once('.')?.0.parse().ok()?;
            let [_, answer] = stamp_names(size);
            (answer == *name).then_some(size)
        };
        let mut sizes: Vec<u64> = names.iter().filter_map(size).collect();
        sizes.sort_unstable();
        Ok(sizes)
    }

    /// One of them; `None`: this size was not stamped.
    pub fn get(&self, size: u64) -> Result<Option<Stamp>, SealError> {
        let [checkpoint, answer] = stamp_names(size);
        let checkpoint = self.read(&checkpoint, NOTE_BYTES_MAX)?;
        let answer = self.read(&answer, ANSWER_BYTES_MAX)?;
        Ok(checkpoint.zip(answer).map(|(checkpoint, answer)| Stamp {
            size,
            checkpoint,
            answer,
        }))
    }

    /// The first one that speaks of the event at a position.
    pub fn covering(&self, position: u64) -> Result<Option<Stamp>, SealError> {
        match self.sizes()?.into_iter().find(|size| *size > position) {
            Some(size) => self.get(size),
            None => Ok(None),
        }
    }

    /// Keeps one, durably, unless there is one of this size.
    pub fn put(&self, stamp: &Stamp) -> Result<(), SealError> {
        if self.get(stamp.size)?.is_some() {
            return Ok(());
        }
        let failed = |error: &std::io::Error| io_error("keep a time-stamp", error);
        self.disk
            .create_dir(&self.dir)
            .map_err(|error| failed(&error))?;
        let names = stamp_names(stamp.size);
        for (name, bytes) in names.iter().zip([&stamp.checkpoint, &stamp.answer]) {
            let aside = self.dir.join(format!("{name}.new"));
            let file = self.disk.create(&aside).map_err(|error| failed(&error))?;
            file.write_at(bytes, 0)
                .and_then(|()| file.sync())
                .and_then(|()| self.disk.rename(&aside, &self.dir.join(name)))
                .and_then(|()| self.disk.sync_dir(&self.dir))
                .map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    fn read(&self, name: &str, limit: usize) -> Result<Option<Vec<u8>>, SealError> {
        let failed = |error: &std::io::Error| io_error("read a time-stamp", error);
        let file = match self.disk.open(&self.dir.join(name), false) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file.map_err(|error| failed(&error))?,
        };
        // One byte more than may be is enough for whoever judges it to say that it is too long.
        let length = file.length().map_err(|error| failed(&error))?;
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(limit + 1);
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, 0)
            .map_err(|error| failed(&error))?;
        Ok(Some(bytes))
    }
}
