//! Reading records where they are said to stand.
//!
//! Owns the checks between a place and what is handed out: the position the frame itself says, both
//! checksums, and the bounds of what is durable. It knows no index and never writes.

use super::frame::{FRAME_HEADER_BYTES, FrameHeader, Parsed, parse};
use super::scan::segment_name;
use super::walk::{CHUNK_BYTES, Frame, Window};
use crate::disk::DiskFile;
use crate::store::{StoreError, StoredRecord};
use domain::ids::Position;
use std::sync::Arc;

/// Read at once when one record is wanted: most records are smaller.
const RECORD_READ_BYTES: usize = 1536;

/// Where a record stands, and how far its file may be read.
pub(crate) struct Place {
    pub file: Arc<dyn DiskFile>,
    pub first: u64,
    pub offset: u64,
    /// Read no further than this offset.
    pub limit: u64,
    /// The first position that is not in this file.
    pub end: u64,
    pub sealed: bool,
}

pub(crate) fn read_frame(place: &Place, position: u64, body: bool) -> Result<Frame, StoreError> {
    let ahead = if body {
        RECORD_READ_BYTES
    } else {
        FRAME_HEADER_BYTES
    };
    let mut window = Window::new(Arc::clone(&place.file), place.limit, ahead);
    frame_at(&mut window, place, place.offset, position, body)
}

/// Reads records from `place` on, at least one, until there are `limit` or the file ends. `false`:
/// one chunk is full. (More at once would be slower: the system would have to find new memory for
/// every page.)
pub(crate) fn read_run(
    place: &Place,
    position: u64,
    limit: usize,
    records: &mut Vec<StoredRecord>,
) -> Result<bool, StoreError> {
    let wanted = limit.saturating_sub(records.len());
    let ahead = (wanted * 1024).clamp(4096, CHUNK_BYTES);
    let mut window = Window::new(Arc::clone(&place.file), place.limit, ahead);
    let mut offset = place.offset;
    for position in (position..place.end).take(wanted) {
        let long = offset - place.offset >= CHUNK_BYTES as u64 / 2;
        if long && !window.holds_frame(offset) {
            return Ok(false);
        }
        let frame = frame_at(&mut window, place, offset, position, true)?;
        offset += frame.header.frame_bytes() as u64;
        records.push(stored(&frame.header, frame.record()));
    }
    Ok(true)
}

fn frame_at(
    window: &mut Window,
    place: &Place,
    offset: u64,
    position: u64,
    body: bool,
) -> Result<Frame, StoreError> {
    let corrupt = |reason: &str| StoreError::Corrupt {
        position,
        place: format!("{}:{offset}", segment_name(place.first)),
        reason: reason.to_owned(),
    };
    let bytes = window.at(offset, FRAME_HEADER_BYTES)?;
    let header = match parse(&bytes, place.first, offset) {
        Parsed::Frame(header) if header.position == position => header,
        Parsed::Frame(_) => return Err(corrupt("another record stands here")),
        Parsed::Bad(reason) => return Err(corrupt(reason)),
        Parsed::Mark(_) | Parsed::Nothing => return Err(corrupt("no record stands here")),
    };
    if !body {
        return Ok(Frame {
            header,
            offset,
            bytes: bytes.slice(..0),
        });
    }
    let length = header.frame_bytes();
    if length as u64 > place.limit.saturating_sub(offset) {
        return Err(corrupt("the record reaches past the end"));
    }
    let bytes = window.at(offset, length)?;
    header.check_body(&bytes).map_err(corrupt)?;
    Ok(Frame {
        header,
        offset,
        bytes: bytes.slice(..length),
    })
}

pub(crate) fn stored(header: &FrameHeader, bytes: bytes::Bytes) -> StoredRecord {
    StoredRecord {
        position: Position(header.position),
        stream: header.stream,
        revision: header.revision,
        bytes,
    }
}

pub(crate) fn broken_link(position: Position) -> StoreError {
    StoreError::Corrupt {
        position: position.0,
        place: "stream links".to_owned(),
        reason: "the record does not belong where the stream's links lead".to_owned(),
    }
}
