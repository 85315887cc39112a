//! Is it a torn tail, or a record that was safe once and is damaged now?
//!
//! Owns the rule, and never writes. What was never acknowledged may be cut; what was acknowledged
//! must not. Three facts tell them apart:
//!
//! 1. Every frame names the offset at which its write began (`batch`), and a write begins only
//!    when everything before that offset is durable. So a good frame further on, of a **later**
//!    write, or a mark, proves that the bad one was safe: **corrupt**. Good frames of the same
//!    write prove nothing: a power cut may keep the second page of a write and lose the first.
//! 2. Files are filled with zeros, durably, before they are used, so what a crash leaves out reads
//!    as zero: from some byte on (the process was killed within a write), or in whole sectors of
//!    512 bytes (power was cut). Every frame ends in a byte that is not zero. So a bad frame
//!    without either trace was written whole and changed later: **corrupt**.
//! 3. Everything else is a **torn tail**: its write was not finished, nobody was told that it was.
//!
//! What remains open: a record of the very last write before a kill that loses whole sectors to
//! zero (or its end) afterwards looks like a torn one. It is cut, and reported. A clean close
//! leaves a mark, so then even that is found; and the transparency log covers what is sealed.

use super::frame::{ALIGN, FRAME_HEADER_BYTES, MARK_BYTES, Parsed, SegmentHeader, parse};
use super::walk::Window;
use crate::disk::{DiskFile, io_error};
use crate::store::StoreError;
use std::sync::Arc;

/// What the operating system and the disk keep or lose as a whole, at least.
const SECTOR_BYTES: u64 = 512;
const CHUNK_BYTES: usize = 256 * 1024;

/// What stands behind the last good frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing that was ever safe. `last_byte`: offset of the last byte that is not zero.
    Ends { last_byte: Option<u64> },
    /// Something that was.
    Corrupt(&'static str),
}

/// Judges what stands from `bad` on, where no good frame starts.
pub(crate) fn judge(
    file: &Arc<dyn DiskFile>,
    header: &SegmentHeader,
    bad: u64,
) -> Result<Tail, StoreError> {
    let length = file
        .length()
        .map_err(|error| io_error("reading a segment", &error))?;
    if length > header.size {
        return Ok(Tail::Corrupt("the file is longer than its header says"));
    }
    let Some(first) = first_byte(file, bad, header.size)? else {
        return Ok(Tail::Ends { last_byte: None });
    };
    let (last_byte, proof) = search(file, header, bad, first)?;
    if proof {
        return Ok(Tail::Corrupt("a later write proves that it was safe once"));
    }
    if written_whole(file, header, bad)? {
        return Ok(Tail::Corrupt("it was written whole and changed later"));
    }
    Ok(Tail::Ends {
        last_byte: Some(last_byte),
    })
}

/// Offset of the first byte that is not zero.
pub(crate) fn first_byte(
    file: &Arc<dyn DiskFile>,
    from: u64,
    size: u64,
) -> Result<Option<u64>, StoreError> {
    let mut window = Window::new(Arc::clone(file), size, CHUNK_BYTES);
    let mut at = from;
    while at < size {
        let bytes = window.at(at, 1)?;
        if bytes.is_empty() {
            break;
        }
        if !is_zero(&bytes) {
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            return Ok(Some(at + zeros as u64));
        }
        at += bytes.len() as u64;
    }
    Ok(None)
}

/// The last byte that is not zero, and whether something after `bad` proves that `bad` was safe.
fn search(
    file: &Arc<dyn DiskFile>,
    header: &SegmentHeader,
    bad: u64,
    first: u64,
) -> Result<(u64, bool), StoreError> {
    let mut window = Window::new(Arc::clone(file), header.size, CHUNK_BYTES);
    let mut last = first;
    let mut at = (first - first % ALIGN as u64).max(bad);
    while at < header.size {
        let bytes = window.at(at, FRAME_HEADER_BYTES)?;
        if bytes.is_empty() {
            break;
        }
        // The window's last bytes are too short for a header unless the file ends there.
        let whole = bytes.len().saturating_sub(FRAME_HEADER_BYTES - 1).max(1);
        for start in (0..whole).step_by(ALIGN) {
            let place = bytes.get(start..).unwrap_or_default();
            let offset = at + start as u64;
            let word = place.get(..ALIGN).unwrap_or(place);
            if let Some(nonzero) = word.iter().rposition(|byte| *byte != 0) {
                last = last.max(offset + nonzero as u64);
            } else {
                continue;
            }
            let proof = match parse(place, header.first, offset) {
                Parsed::Frame(frame) => offset > bad && u64::from(frame.batch) > bad,
                Parsed::Mark(_) => offset > bad,
                Parsed::Nothing | Parsed::Bad(_) => false,
            };
            if proof {
                return Ok((last, true));
            }
        }
        at += (whole.next_multiple_of(ALIGN)) as u64;
    }
    Ok((last, false))
}

/// Whether the structure at `bad` bears no trace of a write that was not finished.
fn written_whole(
    file: &Arc<dyn DiskFile>,
    header: &SegmentHeader,
    bad: u64,
) -> Result<bool, StoreError> {
    let mut window = Window::new(Arc::clone(file), header.size, FRAME_HEADER_BYTES);
    let bytes = window.at(bad, FRAME_HEADER_BYTES)?;
    let length = match parse(&bytes, header.first, bad) {
        Parsed::Frame(frame) => frame.frame_bytes(),
        _ if bytes.starts_with(b"IDM") => MARK_BYTES,
        _ => FRAME_HEADER_BYTES,
    };
    let bytes = window.at(bad, length)?;
    let Some(region) = bytes.get(..length) else {
        return Ok(false);
    };
    let ends = region.last().is_some_and(|last| *last != 0);
    let to_sector = ((SECTOR_BYTES - bad % SECTOR_BYTES) as usize).min(length);
    let (head, rest) = region.split_at(to_sector);
    let holes = is_zero(head) || rest.chunks(SECTOR_BYTES as usize).any(is_zero);
    Ok(ends && !holes)
}

fn is_zero(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<64>();
    words.iter().all(|word| *word == [0; 64]) && rest.iter().all(|byte| *byte == 0)
}
