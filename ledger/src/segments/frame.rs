//! The bytes of a segment file: its header, record frames, marks.
//!
//! Owns the layout and nothing else; reads and writes no file. Integers are little-endian, every
//! structure starts at a multiple of 8, and every structure ends in the byte `0x5A`, so that what
//! was written whole never ends in the zeros the file was filled with.
//!
//! ```text
//! segment header, 64 bytes at offset 0
//!    0  8   "IDLSEG\r\n"
//!    8  u32 format version, 1
//!   12  u32 CRC-32 of bytes 0..12 and 16..64
//!   16  u64 first position of the segment
//!   24  u64 size of the file
//!   32  u32 chain value at the end of the segment before, 0 in the first
//!   36  27  zero
//!   63  u8  0x5A
//!
//! record frame, 120 bytes around a record at most
//!    0  u32 "IDR\xA5"
//!    4  u32 CRC-32 of: segment's first position (u64), offset of the frame (u64), bytes 8..112
//!    8  u32 length of the record
//!   12  u32 CRC-32 of the record
//!   16  u64 position
//!   24  u64 position of the record before in the same stream, 2^64-1: none
//!   32  u64 revision
//!   40  16  stream: id
//!   56  16  event id
//!   72  32  link that the next record of the stream carries
//!  104  u32 batch: offset at which the write began that brought this frame
//!  108  u8  left: how many records of the same append follow
//!  109  u8  stream: category
//!  110  u8  zero
//!  111  u8  0x5A
//!  112  n   the record
//!    …  0-7 zero
//!  -1   u8  0x5A
//!
//! mark, 64 bytes
//!    0  u32 "IDM\xA5"
//!    4  u32 CRC-32 of: segment's first position (u64), offset of the mark (u64), bytes 8..64
//!    8  u8  kind: 1 closed cleanly (the next append overwrites it), 2 sealed
//!    9  3   zero
//!   12  u32 chain value
//!   16  u64 next position
//!   24  u64 records in this segment
//!   32  31  zero
//!   63  u8  0x5A
//! ```
//!
//! The chain value is a running CRC-32 over the header checksums of all frames since position 0. It
//! ties segments to each other, so that one of another ledger is noticed; it is no protection
//! against an attacker (signatures and the transparency log are).

use crc32fast::Hasher;
use domain::ids::{Category, Digest, Digest16, EventId, Position, Revision, StreamId};

/// Bytes of a segment header.
pub const SEGMENT_HEADER_BYTES: usize = 64;
/// Bytes of a frame before the record.
pub const FRAME_HEADER_BYTES: usize = 112;
/// Bytes of a mark.
pub const MARK_BYTES: usize = 64;
/// The version this program writes, and the newest it reads.
pub const FORMAT_VERSION: u32 = 1;
/// Everything starts at a multiple of this.
pub(crate) const ALIGN: usize = 8;

const SEGMENT_MAGIC: &[u8; 8] = b"IDLSEG\r\n";
const RECORD_MARKER: &[u8; 4] = b"IDR\xA5";
const MARK_MARKER: &[u8; 4] = b"IDM\xA5";
const LAST_BYTE: u8 = 0x5A;
const NO_POSITION: u64 = u64::MAX;

/// What a segment file says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Its first position.
    pub first: u64,
    /// Size of the file, in bytes.
    pub size: u64,
    /// Chain value before its first record.
    pub chain: u32,
}

/// Why 64 bytes are not a segment header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderError {
    Newer(u32),
    Damaged(&'static str),
}

/// What stands in front of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// Position in the ledger.
    pub position: u64,
    /// Position of the record before in the same stream.
    pub previous: Option<Position>,
    /// The stream.
    pub stream: StreamId,
    /// Revision in the stream.
    pub revision: Revision,
    /// Event id.
    pub event_id: EventId,
    /// Link the next record of the stream carries.
    pub link: Digest,
    /// Length of the record, in bytes.
    pub length: u32,
    /// Offset at which the write began that brought this frame.
    pub batch: u32,
    /// How many records of the same append follow.
    pub left: u8,
    /// Checksum of the header, as stored.
    pub(crate) checksum: u32,
    /// Checksum of the record, as stored.
    pub(crate) body_checksum: u32,
}

/// Why a mark stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MarkKind {
    Closed,
    Sealed,
}

/// The end of a segment's records, written when everything before was durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub kind: MarkKind,
    pub chain: u32,
    pub next: u64,
    pub records: u64,
}

/// What stands at an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// A frame whose header verifies; the record is not looked at.
    Frame(FrameHeader),
    Mark(Mark),
    /// Zero, at least as far as a marker reaches.
    Nothing,
    Bad(&'static str),
}

impl FrameHeader {
    /// Bytes of the whole frame.
    pub fn frame_bytes(&self) -> usize {
        frame_bytes(self.length as usize)
    }

    /// Checks the record, the padding and the last byte of the frame that starts at `frame[0]`.
    pub(crate) fn check_body(&self, frame: &[u8]) -> Result<(), &'static str> {
        let end = FRAME_HEADER_BYTES + self.length as usize;
        let body = frame
            .get(FRAME_HEADER_BYTES..end)
            .ok_or("the record is cut short")?;
        if crc32fast::hash(body) != self.body_checksum {
            return Err("the record's checksum does not match");
        }
        match frame
            .get(end..self.frame_bytes())
            .and_then(<[u8]>::split_last)
        {
            Some((&LAST_BYTE, padding)) if padding.iter().all(|byte| *byte == 0) => Ok(()),
            _ => Err("the frame does not end as it should"),
        }
    }
}

/// Bytes of a frame around a record of `length` bytes.
pub fn frame_bytes(length: usize) -> usize {
    (FRAME_HEADER_BYTES + length + 1).next_multiple_of(ALIGN)
}

/// The chain value after one more frame.
pub(crate) fn advance_chain(chain: u32, header_checksum: u32) -> u32 {
    let mut hasher = Hasher::new_with_initial(chain);
    hasher.update(&header_checksum.to_le_bytes());
    hasher.finalize()
}

impl SegmentHeader {
    pub(crate) fn encode(self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        put(&mut bytes, 0, SEGMENT_MAGIC);
        put(&mut bytes, 8, &FORMAT_VERSION.to_le_bytes());
        put(&mut bytes, 16, &self.first.to_le_bytes());
        put(&mut bytes, 24, &self.size.to_le_bytes());
        put(&mut bytes, 32, &self.chain.to_le_bytes());
        put(&mut bytes, 63, &[LAST_BYTE]);
        let checksum = header_checksum(&bytes);
        put(&mut bytes, 12, &checksum.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        let Some(bytes) = bytes.first_chunk::<SEGMENT_HEADER_BYTES>() else {
            return Err(HeaderError::Damaged("the file is too short for its header"));
        };
        if !bytes.starts_with(SEGMENT_MAGIC) {
            return Err(HeaderError::Damaged("the file does not start as a segment"));
        }
        let version = get_u32(bytes, 8);
        let intact = header_checksum(bytes) == get_u32(bytes, 12);
        if !intact {
            return Err(HeaderError::Damaged(
                "the segment header's checksum does not match",
            ));
        }
        if version != FORMAT_VERSION {
            return Err(HeaderError::Newer(version));
        }
        let header = Self {
            first: get_u64(bytes, 16),
            size: get_u64(bytes, 24),
            chain: get_u32(bytes, 32),
        };
        if header.encode() == *bytes {
            Ok(header)
        } else {
            Err(HeaderError::Damaged(
                "the segment header is not as this program writes it",
            ))
        }
    }
}

impl Mark {
    pub(crate) fn encode(&self, first: u64, offset: u64) -> [u8; MARK_BYTES] {
        let mut bytes = [0; MARK_BYTES];
        put(&mut bytes, 0, MARK_MARKER);
        let kind = match self.kind {
            MarkKind::Closed => 1,
            MarkKind::Sealed => 2,
        };
        put(&mut bytes, 8, &[kind]);
        put(&mut bytes, 12, &self.chain.to_le_bytes());
        put(&mut bytes, 16, &self.next.to_le_bytes());
        put(&mut bytes, 24, &self.records.to_le_bytes());
        put(&mut bytes, 63, &[LAST_BYTE]);
        let checksum = placed_checksum(first, offset, &bytes);
        put(&mut bytes, 4, &checksum.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8], first: u64, offset: u64) -> Parsed {
        let Some(bytes) = bytes.first_chunk::<MARK_BYTES>() else {
            return Parsed::Bad("the mark is cut short");
        };
        if placed_checksum(first, offset, bytes) != get_u32(bytes, 4) {
            return Parsed::Bad("the mark's checksum does not match");
        }
        let kind = match bytes[8] {
            1 => MarkKind::Closed,
            2 => MarkKind::Sealed,
            _ => return Parsed::Bad("a mark of an unknown kind"),
        };
        Parsed::Mark(Self {
            kind,
            chain: get_u32(bytes, 12),
            next: get_u64(bytes, 16),
            records: get_u64(bytes, 24),
        })
    }
}

/// Appends the frame of a record to `out`, as the one at `offset` of the segment that starts with
/// `first`, and returns its header checksum. `header.length` and both checksums are filled in here.
pub(crate) fn encode_frame(
    out: &mut Vec<u8>,
    header: &FrameHeader,
    record: &[u8],
    first: u64,
    offset: u64,
) -> u32 {
    let mut bytes = [0; FRAME_HEADER_BYTES];
    put(&mut bytes, 0, RECORD_MARKER);
    put(&mut bytes, 8, &(record.len() as u32).to_le_bytes());
    put(&mut bytes, 12, &crc32fast::hash(record).to_le_bytes());
    put(&mut bytes, 16, &header.position.to_le_bytes());
    let previous = header.previous.map_or(NO_POSITION, |position| position.0);
    put(&mut bytes, 24, &previous.to_le_bytes());
    put(&mut bytes, 32, &header.revision.0.to_le_bytes());
    put(&mut bytes, 40, &header.stream.id.0);
    put(&mut bytes, 56, &header.event_id.0);
    put(&mut bytes, 72, &header.link.0);
    put(&mut bytes, 104, &header.batch.to_le_bytes());
    put(
        &mut bytes,
        108,
        &[header.left, header.stream.category as u8, 0, LAST_BYTE],
    );
    let checksum = placed_checksum(first, offset, &bytes);
    put(&mut bytes, 4, &checksum.to_le_bytes());
    let start = out.len();
    out.extend_from_slice(&bytes);
    out.extend_from_slice(record);
    out.resize(start + frame_bytes(record.len()) - 1, 0);
    out.push(LAST_BYTE);
    checksum
}

/// Reads what stands at `offset` of the segment that starts with `first`; `bytes` starts there.
pub(crate) fn parse(bytes: &[u8], first: u64, offset: u64) -> Parsed {
    match bytes.first_chunk::<4>() {
        Some(RECORD_MARKER) => decode_frame(bytes, first, offset),
        Some(MARK_MARKER) => Mark::decode(bytes, first, offset),
        Some(&[0, 0, 0, 0]) => Parsed::Nothing,
        None if bytes.iter().all(|byte| *byte == 0) => Parsed::Nothing,
        _ => Parsed::Bad("neither a record nor a mark starts here"),
    }
}

fn decode_frame(bytes: &[u8], first: u64, offset: u64) -> Parsed {
    let Some(bytes) = bytes.first_chunk::<FRAME_HEADER_BYTES>() else {
        return Parsed::Bad("the frame header is cut short");
    };
    let checksum = get_u32(bytes, 4);
    if placed_checksum(first, offset, bytes) != checksum {
        return Parsed::Bad("the frame header's checksum does not match");
    }
    let Some(category) = category(bytes[109]) else {
        return Parsed::Bad("a stream category this program does not know");
    };
    let previous = get_u64(bytes, 24);
    Parsed::Frame(FrameHeader {
        position: get_u64(bytes, 16),
        previous: (previous != NO_POSITION).then_some(Position(previous)),
        stream: StreamId {
            category,
            id: Digest16(get(bytes, 40)),
        },
        revision: Revision(get_u64(bytes, 32)),
        event_id: EventId(get(bytes, 56)),
        link: Digest(get(bytes, 72)),
        length: get_u32(bytes, 8),
        batch: get_u32(bytes, 104),
        left: bytes[108],
        checksum,
        body_checksum: get_u32(bytes, 12),
    })
}

fn category(byte: u8) -> Option<Category> {
    let (category, _) = Category::ALL.get(usize::from(byte))?;
    (*category as u8 == byte).then_some(*category)
}

fn header_checksum(bytes: &[u8; SEGMENT_HEADER_BYTES]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&bytes[..12]);
    hasher.update(&bytes[16..]);
    hasher.finalize()
}

/// Binds bytes to their place, so that old or moved bytes never pass.
fn placed_checksum<const N: usize>(first: u64, offset: u64, bytes: &[u8; N]) -> u32 {
    let mut place = [0; 16];
    put(&mut place, 0, &first.to_le_bytes());
    put(&mut place, 8, &offset.to_le_bytes());
    let mut hasher = Hasher::new();
    hasher.update(&place);
    hasher.update(bytes.get(8..).unwrap_or_default());
    hasher.finalize()
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

fn get<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes
        .get(at..)
        .and_then(|rest| rest.first_chunk::<N>())
        .copied()
        .unwrap_or([0; N])
}

fn get_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(get(bytes, at))
}

fn get_u64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(get(bytes, at))
}

#[cfg(test)]
mod tests;
