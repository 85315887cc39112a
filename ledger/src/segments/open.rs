//! Opening a log: what the last process left behind, and what may be done about it.
//!
//! Owns recovery. Only the last segment is read through; of the others the header. The one repair
//! is cutting a torn tail (see `tail` for the rule), the one completion is making the segment that
//! should follow a sealed last one. Anything else that is wrong is reported and left as it is.

use super::catalog::{Active, Catalog, State};
use super::create::{Spare, fill};
use super::frame::{MarkKind, SEGMENT_HEADER_BYTES, SegmentHeader};
use super::scan::{open_walk, read_header, segment_files, segment_name};
use super::walk::{SegmentEnd, TornTail, Walk};
use super::writer::Tip;
use crate::disk::{Disk, DiskFile, io_error};
use crate::index::{Index, IndexState};
use crate::store::{StoreError, StreamHead};
use domain::ids::Position;
use std::path::Path;
use std::sync::Arc;

/// What was found when the log was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenReport {
    /// Number of events.
    pub length: u64,
    /// Segment files.
    pub segments: usize,
    /// Whether the last process closed the log.
    pub clean: bool,
    /// What was cut: bytes of an append nobody was told was safe.
    pub cut: Option<TornTail>,
    /// What became of the stream index.
    pub index: IndexState,
}

/// The last segment, read through.
pub(crate) struct Last {
    pub header: SegmentHeader,
    pub file: Arc<dyn DiskFile>,
    pub offsets: Vec<u32>,
    pub end: SegmentEnd,
}

/// Lists the segments and reads the last one through.
pub(crate) fn read_log(disk: &dyn Disk, log: &Path) -> Result<(Vec<u64>, Last), StoreError> {
    let mut all = segment_files(disk, log)?;
    let first = all.pop().unwrap_or_default();
    for first in &all {
        let file = disk.open(&log.join(segment_name(*first)), false);
        let file = file.map_err(|error| io_error("opening a segment", &error))?;
        let header = read_header(&*file, *first)?;
        let length = file
            .length()
            .map_err(|error| io_error("reading a segment", &error))?;
        if length != header.size {
            // Walking through says where exactly it stops being good.
            let mut walk = open_walk(disk, log, *first, false, true)?;
            while walk.next_frame()?.is_some() {}
        }
    }
    Ok((all, read_last(disk, log, first)?))
}

/// Reads a segment through that may have a torn tail.
pub(crate) fn read_last(disk: &dyn Disk, log: &Path, first: u64) -> Result<Last, StoreError> {
    let mut walk = open_walk(disk, log, first, true, true)?;
    let mut offsets = Vec::new();
    while let Some(frame) = walk.next_frame()? {
        offsets.push(frame.offset as u32);
    }
    let end = walk.end().clone();
    // Frames of an append whose end is missing do not count.
    offsets.truncate(usize::try_from(end.next - first).unwrap_or(usize::MAX));
    let file = disk.open(&log.join(segment_name(first)), false);
    let file = file.map_err(|error| io_error("opening a segment", &error))?;
    Ok(Last {
        header: *walk.header(),
        file,
        offsets,
        end,
    })
}

/// Makes the last segment fit to be appended to: cuts, fills, syncs, or goes on to the next one.
pub(crate) fn prepare(
    disk: &Arc<dyn Disk>,
    log: &Path,
    last: Last,
    size: u64,
) -> Result<(State, Tip), StoreError> {
    let Last {
        header,
        offsets,
        end,
        ..
    } = last;
    let path = log.join(segment_name(header.first));
    let file = disk
        .open(&path, true)
        .map_err(|error| io_error("opening the log to write", &error))?;
    mend(&*file, &header, &end).map_err(|error| io_error("preparing the log", &error))?;
    let active = Active {
        first: header.first,
        file: Arc::clone(&file),
        offsets,
        end: end.offset,
    };
    if end.mark != Some(MarkKind::Sealed) {
        let marked = end.mark.is_some();
        let tip = Tip {
            file,
            header,
            offset: end.offset,
            next: end.next,
            chain: end.chain,
            marked,
        };
        return Ok((
            State {
                sealed: Vec::new(),
                active,
            },
            tip,
        ));
    }
    let next = SegmentHeader {
        first: end.next,
        size,
        chain: end.chain,
    };
    let mut spare = Spare::new(Arc::clone(disk), log.to_owned(), size, false);
    let file = spare.take(next)?;
    spare.name(next.first)?;
    let offset = SEGMENT_HEADER_BYTES as u64;
    let active = Active {
        first: next.first,
        file: Arc::clone(&file),
        offsets: Vec::new(),
        end: offset,
    };
    let tip = Tip {
        file,
        header: next,
        offset,
        next: end.next,
        chain: end.chain,
        marked: false,
    };
    Ok((
        State {
            sealed: vec![header.first],
            active,
        },
        tip,
    ))
}

/// Zeroes what is cut and makes durable whatever the last process wrote without syncing.
fn mend(file: &dyn DiskFile, header: &SegmentHeader, end: &SegmentEnd) -> std::io::Result<()> {
    if let Some(torn) = &end.torn {
        fill(file, torn.offset, torn.offset + torn.bytes)?;
    }
    let length = file.length()?;
    if length < header.size {
        fill(file, length, header.size)?;
    }
    file.sync()
}

/// Reads the records that the index does not cover yet.
pub(crate) fn catch_up(catalog: &Catalog, index: &Index) -> Result<u64, StoreError> {
    let (from, length) = (index.next(), catalog.length());
    let segments = catalog.segments();
    let skip = segments
        .partition_point(|first| *first <= from)
        .saturating_sub(1);
    let mut read = 0;
    for (at, first) in segments.iter().enumerate().skip(skip) {
        if from >= length {
            break;
        }
        let last = at + 1 == segments.len();
        let mut walk = open_walk(&*catalog.disk, &catalog.log, *first, last, false)?;
        read += catch_up_segment(&mut walk, index, from, length)?;
    }
    Ok(read)
}

fn catch_up_segment(
    walk: &mut Walk,
    index: &Index,
    from: u64,
    length: u64,
) -> Result<u64, StoreError> {
    let mut heads = std::collections::HashMap::new();
    let (mut read, mut next) = (0, from);
    while let Some(frame) = walk.next_frame()? {
        let header = frame.header;
        if header.position < from || header.position >= length {
            continue;
        }
        let position = Position(header.position);
        let head = StreamHead {
            revision: header.revision,
            position,
            link: header.link,
        };
        heads.insert(header.stream, head);
        read += 1;
        next = header.position + 1;
    }
    index.record(heads.into_iter(), next.max(index.next()));
    Ok(read)
}
