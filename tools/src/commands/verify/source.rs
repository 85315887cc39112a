//! Where the records come from: a ledger's own log, or an archive of it.
//!
//! An archive is read as often as there are passes, and like a log it is never written to. That its bytes are
//! those that were written is checked at its end; that its records are the ledger's, as in a log.

use domain::ids::Position;
use ledger::archive::{ArchiveError, ArchiveReader};
use ledger::segments::{LogReader, ScanEnd, ScannedRecord, Scanner};
use ledger::store::StoreError;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// Buffer of an archive file, in bytes.
const READ_BYTES: usize = 1 << 20;

/// Where.
pub enum Origin {
    /// A ledger's directory.
    Log(Box<LogReader>),
    /// One file.
    Archive(PathBuf),
}

/// Records in order, from the first one on.
pub enum Records {
    /// Of a log.
    Log(Box<Scanner>),
    /// Of an archive.
    Archive {
        /// The file.
        reader: Box<ArchiveReader<BufReader<File>>>,
        /// After the last record.
        end: Option<ScanEnd>,
    },
}

impl Origin {
    /// An archive or the log in a directory.
    pub fn open(dir: &Path, archive: Option<&Path>) -> Result<Self, StoreError> {
        match archive {
            Some(file) => Ok(Self::Archive(file.to_owned())),
            None => Ok(Self::Log(Box::new(LogReader::open(dir)?))),
        }
    }

    /// From the first record on.
    pub fn scan(&self) -> Result<Records, StoreError> {
        match self {
            Self::Log(log) => Ok(Records::Log(Box::new(log.scan(Position(0))?))),
            Self::Archive(path) => {
                let file = File::open(path).map_err(|error| failed(&error.into()))?;
                let reader = ArchiveReader::new(BufReader::with_capacity(READ_BYTES, file));
                let reader = reader.map_err(|error| failed(&error))?;
                if reader.first() != Position(0) {
                    let what = "it does not begin with the ledger's first event";
                    return Err(StoreError::Unusable(what.to_owned()));
                }
                Ok(Records::Archive {
                    reader: Box::new(reader),
                    end: None,
                })
            }
        }
    }

    /// How many records there are, as far as that is known beforehand.
    pub fn length(&self) -> Result<Option<u64>, StoreError> {
        match self {
            Self::Log(log) => log.refresh().map(Some),
            Self::Archive(_) => Ok(None),
        }
    }
}

impl Records {
    /// The next one.
    pub fn next_record(&mut self) -> Result<Option<ScannedRecord>, StoreError> {
        match self {
            Self::Log(scanner) => scanner.next_record(),
            Self::Archive { reader, end } => {
                let next = reader.next_record().map_err(|error| failed(&error))?;
                if next.is_none() {
                    *end = reader.summary().map(|summary| ScanEnd {
                        next: summary.records,
                        segment: 0,
                        offset: 0,
                        closed: true,
                        torn: None,
                    });
                }
                Ok(next.map(|next| ScannedRecord {
                    record: next.record,
                    event_id: next.event_id,
                    link: next.link,
                    previous: None,
                    segment: 0,
                    offset: 0,
                }))
            }
        }
    }

    /// The end, once it was reached.
    pub fn end(&self) -> Option<ScanEnd> {
        match self {
            Self::Log(scanner) => scanner.end().cloned(),
            Self::Archive { end, .. } => end.clone(),
        }
    }
}

/// Damage is a finding; a file that cannot be read is not.
fn failed(error: &ArchiveError) -> StoreError {
    match error {
        ArchiveError::Damaged { records, reason } => StoreError::Corrupt {
            position: *records,
            place: "the archive".to_owned(),
            reason: (*reason).to_owned(),
        },
        ArchiveError::Io(error) => StoreError::Io {
            operation: "read the archive",
            message: error.to_string(),
            full: false,
        },
        error => StoreError::Unusable(error.to_string()),
    }
}
