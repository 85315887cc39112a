//! Reading the whole log front to back without an index: for `verify`, exports and recovery.
//!
//! Owns the order of segments. Memory stays bounded whatever the length: one chunk of a file and
//! one append. It takes no lock and never writes, so it can run beside a server; then it ends at
//! whatever append was last written whole.

use super::frame::{HeaderError, MARK_BYTES, MarkKind, SEGMENT_HEADER_BYTES, SegmentHeader};
use super::walk::{Frame, TornTail, Walk};
use crate::disk::{Disk, io_error};
use crate::store::{StoreError, StoredRecord};
use domain::ids::{Digest, EventId, Position};
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A record with where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScannedRecord {
    /// The record.
    pub record: StoredRecord,
    /// Its event id, from the frame.
    pub event_id: EventId,
    /// The link its successor carries, from the frame.
    pub link: Digest,
    /// Position of the record before in the same stream, from the frame.
    pub previous: Option<Position>,
    /// First position of the segment file it is in; `segment_name` makes the name.
    pub segment: u64,
    /// Offset of its frame in that file.
    pub offset: u64,
}

/// Bytes on disk by what they are for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogSizes {
    /// Segment files.
    pub segments: u64,
    /// Records.
    pub records: u64,
    /// Bytes of the records themselves.
    pub record_bytes: u64,
    /// Frames around records, padding included.
    pub frame_bytes: u64,
    /// Segment headers and marks.
    pub segment_bytes: u64,
    /// Filled ahead, left over before a seal, or torn.
    pub unused_bytes: u64,
}

/// How a scan ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanEnd {
    /// The position after the last record.
    pub next: u64,
    /// The last segment, by its first position.
    pub segment: u64,
    /// Offset in it after the last whole append.
    pub offset: u64,
    /// Whether the log was closed cleanly and is not in use since.
    pub closed: bool,
    /// What a crash, or a writer at work, left behind the last whole append.
    pub torn: Option<TornTail>,
}

/// A scan over the whole log.
pub struct Scanner {
    disk: Arc<dyn Disk>,
    log: PathBuf,
    segments: VecDeque<u64>,
    walk: Option<Walk>,
    from: u64,
    segment: u64,
    chain: Option<u32>,
    held: Vec<ScannedRecord>,
    ready: VecDeque<ScannedRecord>,
    sizes: LogSizes,
    end: Option<ScanEnd>,
}

impl Scanner {
    /// Starts at the segment that holds `from`. `log` is the directory of the segment files.
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        log: PathBuf,
        from: Position,
    ) -> Result<Self, StoreError> {
        let all = segment_files(&*disk, &log)?;
        let skip = all
            .partition_point(|first| *first <= from.0)
            .saturating_sub(1);
        Ok(Self {
            disk,
            log,
            segments: all.into_iter().skip(skip).collect(),
            walk: None,
            from: from.0,
            segment: 0,
            chain: (skip == 0).then_some(0),
            held: Vec::new(),
            ready: VecDeque::new(),
            sizes: LogSizes::default(),
            end: None,
        })
    }

    /// The next record that verifies, in order; `None` at the end. After an error the scan is
    /// over: the error says at which position, file and offset.
    pub fn next_record(&mut self) -> Result<Option<ScannedRecord>, StoreError> {
        loop {
            if let Some(record) = self.ready.pop_front() {
                return Ok(Some(record));
            }
            if self.end.is_some() || !self.advance()? {
                return Ok(None);
            }
        }
    }

    /// Where and how the scan ended; `None` before the end.
    pub fn end(&self) -> Option<&ScanEnd> {
        self.end.as_ref()
    }

    /// Bytes seen so far by kind, files that are done only.
    pub fn sizes(&self) -> LogSizes {
        self.sizes
    }

    /// Reads one more frame, or goes to the next file. `false`: nothing comes any more.
    fn advance(&mut self) -> Result<bool, StoreError> {
        let Some(walk) = &mut self.walk else {
            return self.next_segment();
        };
        match walk.next_frame() {
            Ok(Some(frame)) => {
                self.hold(&frame);
                Ok(true)
            }
            Ok(None) => self.finish_segment(),
            Err(error) => {
                self.segments.clear();
                self.walk = None;
                Err(error)
            }
        }
    }

    fn next_segment(&mut self) -> Result<bool, StoreError> {
        let Some(first) = self.segments.pop_front() else {
            return Ok(false);
        };
        let last = self.segments.is_empty();
        let walk = open_walk(&*self.disk, &self.log, first, last, true)?;
        if self.chain.is_some_and(|chain| chain != walk.header().chain) {
            self.segments.clear();
            return Err(misplaced(
                first,
                "the segment does not follow the one before it",
            ));
        }
        self.segment = first;
        self.walk = Some(walk);
        Ok(true)
    }

    fn hold(&mut self, frame: &Frame) {
        let header = &frame.header;
        self.sizes.records += 1;
        self.sizes.record_bytes += u64::from(header.length);
        self.sizes.frame_bytes += header.frame_bytes() as u64 - u64::from(header.length);
        if header.position >= self.from {
            self.held.push(ScannedRecord {
                record: StoredRecord {
                    position: Position(header.position),
                    stream: header.stream,
                    revision: header.revision,
                    bytes: frame.record(),
                },
                event_id: header.event_id,
                link: header.link,
                previous: header.previous,
                segment: self.segment,
                offset: frame.offset,
            });
        }
        if header.left == 0 {
            self.ready.extend(self.held.drain(..));
        }
    }

    fn finish_segment(&mut self) -> Result<bool, StoreError> {
        let Some(walk) = self.walk.take() else {
            return Ok(false);
        };
        self.held.clear();
        let end = walk.end();
        let mark = if end.mark.is_some() {
            MARK_BYTES as u64
        } else {
            0
        };
        self.sizes.segments += 1;
        self.sizes.segment_bytes += SEGMENT_HEADER_BYTES as u64 + mark;
        self.sizes.unused_bytes += walk.header().size.saturating_sub(end.offset + mark);
        self.chain = Some(end.chain);
        if end.mark == Some(MarkKind::Sealed) && self.segments.is_empty() {
            // The writer may have gone on to a new file since we looked.
            let all = segment_files(&*self.disk, &self.log)?;
            self.segments
                .extend(all.into_iter().filter(|first| *first > self.segment));
        }
        if let Some(next) = self.segments.front() {
            if *next != end.next || end.mark != Some(MarkKind::Sealed) {
                let next = *next;
                self.segments.clear();
                return Err(misplaced(
                    end.next.min(next),
                    "a segment file is missing or misnamed",
                ));
            }
            return Ok(true);
        }
        self.end = Some(ScanEnd {
            next: end.next,
            segment: self.segment,
            offset: end.offset,
            closed: end.mark.is_some(),
            torn: end.torn.clone(),
        });
        Ok(false)
    }
}

fn misplaced(position: u64, reason: &str) -> StoreError {
    StoreError::Corrupt {
        position,
        place: format!("{}:0", segment_name(position)),
        reason: reason.to_owned(),
    }
}

/// The name of the segment file that starts with `first`.
pub fn segment_name(first: u64) -> String {
    format!("{first:020}.seg")
}

/// Whether there is any segment file.
pub(crate) fn is_made(disk: &dyn Disk, log: &Path) -> Result<bool, StoreError> {
    match disk.list(log) {
        Ok(names) => Ok(names.iter().any(|name| name.strip_suffix(".seg").is_some())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io_error("listing the log", &error)),
    }
}

/// First positions of the segment files in a directory, in order.
pub(crate) fn segment_files(disk: &dyn Disk, log: &Path) -> Result<Vec<u64>, StoreError> {
    let names = match disk.list(log) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(StoreError::NotInitialised);
        }
        Err(error) => return Err(io_error("listing the log", &error)),
    };
    let mut all: Vec<u64> = Vec::new();
    for name in names.iter().filter_map(|name| name.strip_suffix(".seg")) {
        if name.len() != 20 {
            return Err(StoreError::Unusable(format!(
                "{name}.seg is no segment's name"
            )));
        }
        all.push(
            name.parse()
                .map_err(|_| StoreError::Unusable(format!("{name}.seg is no segment's name")))?,
        );
    }
    all.sort_unstable();
    match all.first() {
        None => Err(StoreError::Unusable(
            "the log has no segment: it was not finished being made".to_owned(),
        )),
        Some(0) => Ok(all),
        Some(_) => Err(misplaced(0, "the first segment file is missing")),
    }
}

/// Reads and checks a segment's header.
pub(crate) fn read_header(
    file: &dyn crate::disk::DiskFile,
    first: u64,
) -> Result<SegmentHeader, StoreError> {
    let mut bytes = [0; SEGMENT_HEADER_BYTES];
    let read = file.read_at(&mut bytes, 0);
    let read = read.map_err(|error| io_error("reading a segment", &error))?;
    let reason = match SegmentHeader::decode(bytes.get(..read).unwrap_or_default()) {
        Ok(header) if header.first == first => return Ok(header),
        Ok(_) => "the segment's first position is not the one in its name",
        Err(HeaderError::Newer(version)) => {
            return Err(StoreError::Unusable(format!(
                "the log has format version {version}, made by a newer program"
            )));
        }
        Err(HeaderError::Damaged(reason)) => reason,
    };
    Err(misplaced(first, reason))
}

/// Opens a segment for a walk.
pub(crate) fn open_walk(
    disk: &dyn Disk,
    log: &Path,
    first: u64,
    last: bool,
    bodies: bool,
) -> Result<Walk, StoreError> {
    let name = segment_name(first);
    let file = disk.open(&log.join(&name), false);
    let file = file.map_err(|error| io_error("opening a segment", &error))?;
    let header = read_header(&*file, first)?;
    Ok(Walk::new(file, name, header, last, bodies))
}
