//! Where each record of a sealed segment starts: a file beside the segment, derived from it.
//!
//! Owns `<first position>.off`. Nothing in it is believed: the frame that an offset leads to says
//! its own position under a checksum, and a table that leads elsewhere is made again.
//!
//! ```text
//!    0  8   "IDLOFF\r\n"
//!    8  u32 version, 1
//!   12  u32 zero
//!   16  u64 first position of the segment
//!   24  u64 number of records
//!   32  …   u32 offset of each record's frame
//! ```

use crate::disk::{Disk, DiskFile};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const HEADER_BYTES: usize = 32;
const MAGIC: &[u8; 8] = b"IDLOFF\r\n";
const VERSION: u32 = 1;

/// The offsets of one sealed segment.
pub(crate) enum Offsets {
    /// On disk, looked up entry by entry.
    File { file: Arc<dyn DiskFile>, count: u64 },
    /// Made again where nothing may be written.
    Memory(Vec<u32>),
}

impl Offsets {
    /// Opens the table of a segment with `count` records; `None` when there is no good one.
    pub(crate) fn open(disk: &dyn Disk, log: &Path, first: u64, count: u64) -> Option<Self> {
        let file = disk.open(&path(log, first), false).ok()?;
        let mut header = [0; HEADER_BYTES];
        let read = file.read_at(&mut header, 0).ok()?;
        let whole = file.length().ok()? == HEADER_BYTES as u64 + 4 * count;
        let good = whole && read == HEADER_BYTES && header == encode_header(first, count);
        good.then_some(Self::File { file, count })
    }

    /// Writes the table. Losing it costs a walk over its segment, so it is not synced.
    pub(crate) fn write(disk: &dyn Disk, log: &Path, first: u64, all: &[u32]) -> io::Result<()> {
        let mut bytes = encode_header(first, all.len() as u64).to_vec();
        bytes.extend(all.iter().flat_map(|offset| offset.to_le_bytes()));
        disk.create(&path(log, first))?.write_at(&bytes, 0)
    }

    /// Offset of the `at`-th record.
    pub(crate) fn get(&self, at: u64) -> Option<u64> {
        match self {
            Self::File { file, count } => {
                let mut entry = [0; 4];
                let place = HEADER_BYTES as u64 + 4 * at;
                let read = (at < *count)
                    .then(|| file.read_at(&mut entry, place))?
                    .ok()?;
                (read == entry.len()).then(|| u64::from(u32::from_le_bytes(entry)))
            }
            Self::Memory(all) => all.get(usize::try_from(at).ok()?).copied().map(u64::from),
        }
    }
}

fn path(log: &Path, first: u64) -> PathBuf {
    log.join(format!("{first:020}.off"))
}

fn encode_header(first: u64, count: u64) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    let fields = [
        &MAGIC[..],
        &VERSION.to_le_bytes(),
        &[0; 4],
        &first.to_le_bytes(),
        &count.to_le_bytes(),
    ];
    for (place, byte) in bytes.iter_mut().zip(fields.concat()) {
        *place = byte;
    }
    bytes
}
