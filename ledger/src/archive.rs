//! A ledger as one portable stream of bytes: for backup, hand-over and replay elsewhere.
//!
//! Owns the archive format, drawn below, and its bounded reader and writer. It neither verifies
//! signatures nor decides what may be exported. Imported into an empty store, an archive reproduces
//! the same positions and the same bytes; a redacted one has lost its sealed parts, and still
//! verifies (INV-4). Integers are little-endian.
//!
//! ```text
//! header   0  8   "IDLARC\r\n"
//!          8  u32 version, 1
//!         12  u32 flags: bit 0, sealed parts were taken out; others zero
//!         16  u64 first position
//! record   0  u32 length of the record plus one, so never 0
//!          4  u64 position
//!         12  u64 revision
//!         20  u8  stream: category
//!         21  16  stream: id
//!         37  16  event id
//!         53  32  link
//!         85  n   the record
//! end      0  u32 0
//!          4  u64 number of records
//!         12  32  BLAKE3 over "idledger-archive/v1\0" and every byte before this one
//! ```

mod transfer;

pub use transfer::{export, import};

use crate::segments::ScannedRecord;
use crate::store::{AppendError, StoreError, StoredRecord};
use bytes::Bytes;
use domain::ids::{Category, Digest, Digest16, EventId, Position, Revision, StreamId};
use domain::record::{RECORD_BYTES_MAX, RecordError, RecordRef};
use std::io::{self, Read, Write};

/// The version this program writes, and the newest it reads.
pub const ARCHIVE_VERSION: u32 = 1;

const MAGIC: &[u8; 8] = b"IDLARC\r\n";
const DIGEST_PREFIX: &[u8] = b"idledger-archive/v1\0";
const REDACTED: u32 = 1;
const HEADER_BYTES: usize = 24;
const RECORD_HEADER_BYTES: usize = 81;

/// Why an archive cannot be written, read or imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The stream it is written to or read from.
    #[error("the archive cannot be read or written: {0}")]
    Io(#[from] io::Error),
    /// Not an archive, cut short, or changed.
    #[error("the archive is damaged after {records} records: {reason}")]
    Damaged {
        /// Good records before.
        records: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// Made by a newer program.
    #[error("the archive has format version {version}, made by a newer program")]
    Newer {
        /// Its version.
        version: u32,
    },
    /// The store it is exported from or imported into.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An append of the import did not succeed.
    #[error("importing position {position}: {error}")]
    Append {
        /// Position in the archive.
        position: u64,
        /// Why.
        error: AppendError,
    },
    /// The archive or the store does not start where an import starts.
    #[error("an import needs an empty store and an archive that starts at position 0")]
    NotEmpty,
    /// A record got another position than it had.
    #[error("position {position} became {became}: somebody else writes to the store")]
    Moved {
        /// Position in the archive.
        position: u64,
        /// Position in the store.
        became: u64,
    },
    /// A record that should be redacted cannot be taken apart.
    #[error("position {position} cannot be redacted: {error}")]
    Redaction {
        /// Its position.
        position: u64,
        /// Why.
        error: RecordError,
    },
}

/// One record of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedRecord {
    /// The record.
    pub record: StoredRecord,
    /// Its event id.
    pub event_id: EventId,
    /// The link its successor carries.
    pub link: Digest,
}

/// Whether sealed parts are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealed {
    /// They go along.
    Kept,
    /// They are taken out.
    Redacted,
}

/// What was written or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Number of records.
    pub records: u64,
    /// BLAKE3 over the archive, as its end says.
    pub digest: Digest,
}

impl From<ScannedRecord> for ArchivedRecord {
    fn from(scanned: ScannedRecord) -> Self {
        Self {
            record: scanned.record,
            event_id: scanned.event_id,
            link: scanned.link,
        }
    }
}

/// Writes an archive.
pub struct ArchiveWriter<W: Write> {
    to: W,
    hasher: blake3::Hasher,
    sealed: Sealed,
    first: u64,
    records: u64,
}

impl<W: Write> ArchiveWriter<W> {
    /// Starts an archive at a position.
    pub fn new(to: W, first: Position, sealed: Sealed) -> Result<Self, ArchiveError> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(DIGEST_PREFIX);
        let mut writer = Self {
            to,
            hasher,
            sealed,
            first: first.0,
            records: 0,
        };
        let flags = if sealed == Sealed::Redacted {
            REDACTED
        } else {
            0
        };
        let fields = [
            &MAGIC[..],
            &ARCHIVE_VERSION.to_le_bytes(),
            &flags.to_le_bytes(),
            &first.0.to_le_bytes(),
        ];
        writer.put(&fields.concat())?;
        Ok(writer)
    }

    /// Adds the next record.
    pub fn push(&mut self, next: &ArchivedRecord) -> Result<(), ArchiveError> {
        let record = &next.record;
        if record.position.0 != self.first + self.records {
            return Err(self.damaged("the record is not the next one"));
        }
        let redacted;
        let bytes: &[u8] = match self.sealed {
            Sealed::Kept => &record.bytes,
            Sealed::Redacted => {
                let position = record.position.0;
                let parsed = RecordRef::parse(&record.bytes);
                redacted = parsed
                    .map_err(|error| ArchiveError::Redaction { position, error })?
                    .redacted();
                &redacted
            }
        };
        if bytes.len() > RECORD_BYTES_MAX {
            return Err(self.damaged("the record is over its limit"));
        }
        let fields = [
            &(bytes.len() as u32 + 1).to_le_bytes()[..],
            &record.position.0.to_le_bytes(),
            &record.revision.0.to_le_bytes(),
            &record.stream.key(),
            &next.event_id.0,
            &next.link.0,
        ];
        self.put(&fields.concat())?;
        self.put(bytes)?;
        self.records += 1;
        Ok(())
    }

    /// Ends the archive and flushes it. Without this it is damaged.
    pub fn finish(mut self) -> Result<(W, Summary), ArchiveError> {
        let records = self.records;
        self.put(&[&[0; 4][..], &records.to_le_bytes()].concat())?;
        let digest = *self.hasher.finalize().as_bytes();
        self.to.write_all(&digest)?;
        self.to.flush()?;
        Ok((
            self.to,
            Summary {
                records,
                digest: Digest(digest),
            },
        ))
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.hasher.update(bytes);
        Ok(self.to.write_all(bytes)?)
    }

    fn damaged(&self, reason: &'static str) -> ArchiveError {
        ArchiveError::Damaged {
            records: self.records,
            reason,
        }
    }
}

/// Reads an archive, one record at a time.
pub struct ArchiveReader<R: Read> {
    from: R,
    hasher: blake3::Hasher,
    first: u64,
    sealed: Sealed,
    records: u64,
    summary: Option<Summary>,
}

impl<R: Read> ArchiveReader<R> {
    /// Reads the header.
    pub fn new(from: R) -> Result<Self, ArchiveError> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(DIGEST_PREFIX);
        let mut reader = Self {
            from,
            hasher,
            first: 0,
            sealed: Sealed::Kept,
            records: 0,
            summary: None,
        };
        let header = reader.take::<HEADER_BYTES>()?;
        let mut fields = Fields(&header);
        if fields.take::<8>() != *MAGIC {
            return Err(reader.damaged("it does not start as an archive"));
        }
        let version = u32::from_le_bytes(fields.take());
        if version != ARCHIVE_VERSION {
            return Err(ArchiveError::Newer { version });
        }
        reader.sealed = match u32::from_le_bytes(fields.take()) {
            0 => Sealed::Kept,
            REDACTED => Sealed::Redacted,
            _ => return Err(reader.damaged("flags this program does not know")),
        };
        reader.first = u64::from_le_bytes(fields.take());
        Ok(reader)
    }

    /// Its first position.
    pub fn first(&self) -> Position {
        Position(self.first)
    }

    /// Whether sealed parts were taken out.
    pub fn sealed(&self) -> Sealed {
        self.sealed
    }

    /// What was read; `None` before the end was reached and found right.
    pub fn summary(&self) -> Option<Summary> {
        self.summary
    }

    /// The next record; `None` at the end, when everything has been checked.
    pub fn next_record(&mut self) -> Result<Option<ArchivedRecord>, ArchiveError> {
        if self.summary.is_some() {
            return Ok(None);
        }
        let length = u32::from_le_bytes(self.take()?) as usize;
        let Some(length) = length.checked_sub(1) else {
            return self.end();
        };
        if length > RECORD_BYTES_MAX {
            return Err(self.damaged("a record is over its limit"));
        }
        let header = self.take::<RECORD_HEADER_BYTES>()?;
        let mut fields = Fields(&header);
        let position = Position(u64::from_le_bytes(fields.take()));
        let revision = Revision(u64::from_le_bytes(fields.take()));
        let [category] = fields.take();
        let category = Category::ALL
            .iter()
            .find(|(known, _)| *known as u8 == category);
        let Some((category, _)) = category else {
            return Err(self.damaged("a stream category this program does not know"));
        };
        let stream = StreamId {
            category: *category,
            id: Digest16(fields.take()),
        };
        let (event_id, link) = (EventId(fields.take()), Digest(fields.take()));
        if Some(position.0) != self.first.checked_add(self.records) {
            return Err(self.damaged("a record is not the next one"));
        }
        let mut bytes = vec![0; length];
        self.fill(&mut bytes)?;
        self.records += 1;
        let record = StoredRecord {
            position,
            stream,
            revision,
            bytes: Bytes::from(bytes),
        };
        Ok(Some(ArchivedRecord {
            record,
            event_id,
            link,
        }))
    }

    fn end(&mut self) -> Result<Option<ArchivedRecord>, ArchiveError> {
        let records = u64::from_le_bytes(self.take()?);
        let computed = *self.hasher.finalize().as_bytes();
        if records != self.records {
            return Err(self.damaged("it does not hold as many records as it says"));
        }
        if self.take::<32>()? != computed {
            return Err(self.damaged("its checksum does not match"));
        }
        if self.from.read(&mut [0])? != 0 {
            return Err(self.damaged("something follows its end"));
        }
        self.summary = Some(Summary {
            records,
            digest: Digest(computed),
        });
        Ok(None)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], ArchiveError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), ArchiveError> {
        match self.from.read_exact(bytes) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(self.damaged("it is cut short"));
            }
            result => result?,
        }
        self.hasher.update(bytes);
        Ok(())
    }

    fn damaged(&self, reason: &'static str) -> ArchiveError {
        ArchiveError::Damaged {
            records: self.records,
            reason,
        }
    }
}

/// Takes fixed-size fields off the front of bytes that are long enough.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        match self.0.split_first_chunk::<N>() {
            Some((field, rest)) => {
                self.0 = rest;
                *field
            }
            None => [0; N],
        }
    }
}

#[cfg(test)]
mod tests;
