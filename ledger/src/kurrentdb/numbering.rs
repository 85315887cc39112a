//! Dense positions: which place of the server's log each of our events has.
//!
//! KurrentDB's positions are sparse and its log holds other things too. Every node reads the same
//! filtered log in the same order and so counts the same numbers; this file keeps the count, so
//! that a restart goes on from where it was and notices when the server tells another story. Owns
//! `<dir>/numbering`, drawn in FORMAT.md: a header, then one row of fixed size per event. Rows are
//! only ever appended, and made durable a moment later: what a power cut takes is counted again. It
//! must never be repaired in its middle: a torn tail is cut, anything else that does not verify is
//! corrupt.
//!
//! ```text
//! header (64)  "idledger-numbering/1" (20) ‖ name of the ledger, zero-filled (40) ‖ crc32 u32
//! row (44)     commit u64 ‖ commit − prepare u32 ‖ revision u32 ‖ event id, folded 8
//!              ‖ running digest 16 ‖ crc32 of position u64 and the 40 bytes before
//! digest       first 16 bytes of BLAKE3 of "idledger-order/v1\0" ‖ digest of the row before (zero
//!              for the first) ‖ stream 17 ‖ revision u64 ‖ event id 16 ‖ link 32 ‖ record
//! ```

use crate::disk::{Disk, DiskFile, io_error};
use crate::store::StoreError;
use parking_lot::RwLock;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod row;

pub use row::{LogPlace, ROW_BYTES, Row, Running, Seen, folded};

/// Name of the file.
pub const FILE: &str = "numbering";
const MAGIC: &[u8; 20] = b"idledger-numbering/1";
const HEADER_BYTES: usize = 64;
/// Most rows that are not durable, and so most rows that a crash can leave torn.
pub const APPEND_ROWS_MAX: usize = 4096;
/// So many of the last rows are kept in memory: more than appends are ever under way at once.
const RECENT_ROWS: usize = 1024;
/// So few rows are copied from there.
const FEW_ROWS: u64 = 64;

/// The numbering of one node.
pub struct Numbering {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    end: RwLock<End>,
}

/// Where the numbering ends. Changed after the rows are written.
#[derive(Default)]
struct End {
    /// How many rows there are.
    length: u64,
    /// The last of them, which are asked for most: none only when there are none at all.
    recent: VecDeque<Row>,
}

impl End {
    /// The position of the first row that is in memory.
    fn first_recent(&self) -> u64 {
        self.length.saturating_sub(self.recent.len() as u64)
    }

    fn recent(&self, position: u64) -> Option<Row> {
        let at = position.checked_sub(self.first_recent())?;
        self.recent.get(usize::try_from(at).ok()?).copied()
    }
}

impl Numbering {
    /// Opens the numbering in a directory, or makes it. `name`: the ledger's among others on its
    /// server. The second value is how many torn rows were cut.
    pub fn open(disk: &dyn Disk, dir: &Path, name: &str) -> Result<(Self, u64), StoreError> {
        let path = dir.join(FILE);
        let header = header(name)?;
        let file = match disk.open(&path, true) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                create(disk, dir, &header)?
            }
            Err(error) => return Err(io_error("opening the numbering", &error)),
        };
        let numbering = Self {
            file,
            path,
            end: RwLock::default(),
        };
        numbering.check_header(&header)?;
        let (rows, cut) = numbering.find_end()?;
        let mut end = End {
            length: rows,
            ..End::default()
        };
        if let Some(last) = rows.checked_sub(1) {
            end.recent.push_back(numbering.read(last)?);
        }
        *numbering.end.write() = end;
        // A process that was killed may have left rows that no disk has.
        numbering.sync()?;
        Ok((numbering, cut))
    }

    /// How many events are numbered.
    pub fn length(&self) -> u64 {
        self.end.read().length
    }

    /// The last row.
    pub fn last(&self) -> Option<Row> {
        self.end.read().recent.back().copied()
    }

    /// The row of a position; `None`: not numbered yet.
    pub fn get(&self, position: u64) -> Result<Option<Row>, StoreError> {
        {
            let end = self.end.read();
            if position >= end.length {
                return Ok(None);
            }
            if let Some(row) = end.recent(position) {
                return Ok(Some(row));
            }
        }
        self.read(position).map(Some)
    }

    /// The digest before a position.
    pub fn digest_before(&self, position: u64) -> Result<Running, StoreError> {
        let Some(before) = position.checked_sub(1) else {
            return Ok([0; 16]);
        };
        match self.get(before)? {
            Some(row) => Ok(row.digest),
            None => Err(self.corrupt(before, "the row is missing")),
        }
    }

    /// Rows from a position on, one after the other, at most `count`.
    pub fn range(&self, from: u64, count: usize) -> Result<Vec<Row>, StoreError> {
        let count = (count as u64).min(self.length().saturating_sub(from));
        if count == 0 {
            return Ok(Vec::new());
        }
        if count <= FEW_ROWS {
            let end = self.end.read();
            if from >= end.first_recent() {
                let rows = (from..).take(count as usize);
                return Ok(rows.map_while(|position| end.recent(position)).collect());
            }
        }
        let mut bytes = vec![0; count as usize * ROW_BYTES];
        self.file
            .read_exact_at(&mut bytes, offset(from))
            .map_err(|error| io_error("reading the numbering", &error))?;
        let (rows, _) = bytes.as_chunks::<ROW_BYTES>();
        (from..)
            .zip(rows)
            .map(|(position, row)| {
                Row::decode(position, row)
                    .ok_or_else(|| self.corrupt(position, "the row's checksum is wrong"))
            })
            .collect()
    }

    /// The position of the event that stands at a place, if it is numbered and not before `from`.
    pub fn find(&self, place: LogPlace, from: u64) -> Result<Option<u64>, StoreError> {
        let (mut low, mut high) = (from, self.length());
        // Events asked for are mostly recent, or right after the last one found.
        {
            let end = self.end.read();
            if end.recent.front().is_some_and(|row| row.place <= place) {
                let found = end.recent.binary_search_by(|row| row.place.cmp(&place));
                let position = found.ok().map(|at| end.first_recent() + at as u64);
                return Ok(position.filter(|position| *position >= from));
            }
            high = high.min(end.first_recent());
        }
        if let Some(row) = self.get(from)?
            && row.place == place
        {
            return Ok(Some(from));
        }
        while low < high {
            let middle = low + (high - low) / 2;
            let Some(row) = self.get(middle)? else {
                return Ok(None);
            };
            match row.place.cmp(&place) {
                std::cmp::Ordering::Equal => return Ok(Some(middle)),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(None)
    }

    /// Appends rows: no more than [`APPEND_ROWS_MAX`] without a [`Numbering::sync`] between them. One
    /// caller at a time.
    pub fn append(&self, rows: &[Row]) -> Result<u64, StoreError> {
        let (length, mut last) = (self.length(), self.last());
        let mut bytes = Vec::with_capacity(rows.len() * ROW_BYTES);
        let too_many = StoreError::Limit {
            what: "number of rows of the numbering",
        };
        if rows.len() > APPEND_ROWS_MAX {
            return Err(too_many);
        }
        for (position, row) in (length..).zip(rows) {
            if last.is_some_and(|last| last.place >= row.place) {
                return Err(self.corrupt(position, "the server's log does not go forward"));
            }
            let encoded = row.encode(position);
            let encoded = encoded.ok_or(StoreError::Limit {
                what: "distance of commit and prepare position",
            })?;
            bytes.extend(encoded);
            last = Some(*row);
        }
        if !bytes.is_empty() {
            self.file
                .write_at(&bytes, offset(length))
                .map_err(|error| io_error("writing the numbering", &error))?;
        }
        let length = length.saturating_add(rows.len() as u64);
        let mut end = self.end.write();
        end.length = length;
        end.recent.extend(rows);
        let old = end.recent.len().saturating_sub(RECENT_ROWS);
        end.recent.drain(..old);
        Ok(length)
    }

    /// Makes durable what was appended before.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.file
            .sync()
            .map_err(|error| io_error("syncing the numbering", &error))
    }

    fn read(&self, position: u64) -> Result<Row, StoreError> {
        let mut bytes = [0; ROW_BYTES];
        self.file
            .read_exact_at(&mut bytes, offset(position))
            .map_err(|error| io_error("reading the numbering", &error))?;
        Row::decode(position, &bytes)
            .ok_or_else(|| self.corrupt(position, "the row's checksum is wrong"))
    }

    fn check_header(&self, wanted: &[u8; HEADER_BYTES]) -> Result<(), StoreError> {
        let mut found = [0; HEADER_BYTES];
        let read = self
            .file
            .read_at(&mut found, 0)
            .map_err(|error| io_error("reading the numbering", &error))?;
        if read == HEADER_BYTES && found == *wanted {
            return Ok(());
        }
        let whole = found.split_last_chunk::<4>();
        let whole = whole.is_some_and(|(body, crc)| {
            body.starts_with(MAGIC) && *crc == crc32fast::hash(body).to_le_bytes()
        });
        Err(if whole {
            StoreError::Unusable("the numbering is that of another ledger".to_owned())
        } else {
            self.corrupt(0, "the header is not that of a numbering")
        })
    }

    /// How many rows stand, and how many of the last append were torn and are now gone.
    fn find_end(&self) -> Result<(u64, u64), StoreError> {
        let bytes = self
            .file
            .length()
            .map_err(|error| io_error("reading the numbering", &error))?;
        let body = bytes.saturating_sub(HEADER_BYTES as u64);
        let begun = body.div_ceil(ROW_BYTES as u64);
        let whole = body / ROW_BYTES as u64;
        let start = begun.saturating_sub(APPEND_ROWS_MAX as u64 + 1);
        let mut rows = start;
        while rows < whole {
            let mut row = [0; ROW_BYTES];
            self.file
                .read_exact_at(&mut row, offset(rows))
                .map_err(|error| io_error("reading the numbering", &error))?;
            if Row::decode(rows, &row).is_none() {
                break;
            }
            rows += 1;
        }
        if start > 0 && rows == start {
            // More than one append can have left.
            return Err(self.corrupt(rows, "too many rows are damaged for a torn tail"));
        }
        let mut tail = vec![0; bytes.saturating_sub(offset(rows)) as usize];
        self.file
            .read_exact_at(&mut tail, offset(rows))
            .map_err(|error| io_error("reading the numbering", &error))?;
        let cut = if tail.iter().all(|byte| *byte == 0) {
            0
        } else {
            // What is left of the torn append must not pass for rows when others are written.
            tail.fill(0);
            self.file
                .write_at(&tail, offset(rows))
                .and_then(|()| self.file.sync())
                .map_err(|error| io_error("cutting the numbering's torn tail", &error))?;
            begun - rows
        };
        Ok((rows, cut))
    }

    fn corrupt(&self, position: u64, reason: &str) -> StoreError {
        StoreError::Corrupt {
            position,
            place: format!("{}, byte {}", self.path.display(), offset(position)),
            reason: reason.to_owned(),
        }
    }
}

const fn offset(position: u64) -> u64 {
    (HEADER_BYTES as u64).saturating_add(position.saturating_mul(ROW_BYTES as u64))
}

fn header(name: &str) -> Result<[u8; HEADER_BYTES], StoreError> {
    let mut body = [0; HEADER_BYTES];
    let parts = body.get_mut(..MAGIC.len()).zip(Some(MAGIC));
    if let Some((place, magic)) = parts {
        place.copy_from_slice(magic);
    }
    let room = HEADER_BYTES - 4 - MAGIC.len();
    match body.get_mut(MAGIC.len()..MAGIC.len() + name.len()) {
        Some(place) if name.len() <= room => place.copy_from_slice(name.as_bytes()),
        _ => {
            return Err(StoreError::Limit {
                what: "name of the ledger",
            });
        }
    }
    if let Some((body, crc)) = body.split_last_chunk_mut::<4>() {
        *crc = crc32fast::hash(body).to_le_bytes();
    }
    Ok(body)
}

fn create(
    disk: &dyn Disk,
    dir: &Path,
    header: &[u8; HEADER_BYTES],
) -> Result<Arc<dyn DiskFile>, StoreError> {
    let doing = "making the numbering";
    let aside = dir.join("numbering.new");
    let file = disk
        .create(&aside)
        .map_err(|error| io_error(doing, &error))?;
    file.write_at(header, 0)
        .and_then(|()| file.sync())
        .and_then(|()| disk.rename(&aside, &dir.join(FILE)))
        .and_then(|()| disk.sync_dir(dir))
        .map_err(|error| io_error(doing, &error))?;
    Ok(file)
}

#[cfg(test)]
mod tests;
