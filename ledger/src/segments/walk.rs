//! Reading one segment file front to back, every rule checked.
//!
//! Owns the order of records within a file and what its end means; `scan` strings files together,
//! `open` decides what to do about a torn tail. It never writes.

use super::frame::{
    FRAME_HEADER_BYTES, FrameHeader, MARK_BYTES, MarkKind, Parsed, SEGMENT_HEADER_BYTES,
    SegmentHeader, advance_chain, frame_bytes, parse,
};
use super::tail::{self, Tail};
use crate::disk::{DiskFile, io_error};
use crate::store::StoreError;
use bytes::Bytes;
use domain::ids::StreamId;
use domain::record::RECORD_BYTES_MAX;
use std::sync::Arc;

/// Bytes read ahead when walking a whole segment.
pub(crate) const CHUNK_BYTES: usize = 512 * 1024;

/// A window over a file that moves forward and hands out slices without copying.
pub(crate) struct Window {
    file: Arc<dyn DiskFile>,
    chunk: Bytes,
    base: u64,
    limit: u64,
    ahead: usize,
}

impl Window {
    /// Reads at most up to offset `limit`, `ahead` bytes at a time.
    pub(crate) fn new(file: Arc<dyn DiskFile>, limit: u64, ahead: usize) -> Self {
        Self {
            file,
            chunk: Bytes::new(),
            base: 0,
            limit,
            ahead,
        }
    }

    /// At least `need` bytes from `offset` on; fewer only where the file or the limit ends.
    pub(crate) fn at(&mut self, offset: u64, need: usize) -> Result<Bytes, StoreError> {
        let from = offset
            .checked_sub(self.base)
            .and_then(|from| usize::try_from(from).ok());
        if let Some(from) = from.filter(|from| from.saturating_add(need) <= self.chunk.len()) {
            return Ok(self.chunk.slice(from..));
        }
        let left = usize::try_from(self.limit.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut chunk = vec![0; need.max(self.ahead).min(left)];
        let read = self.file.read_at(&mut chunk, offset);
        let read = read.map_err(|error| io_error("reading a segment", &error))?;
        chunk.truncate(read);
        self.chunk = Bytes::from(chunk);
        self.base = offset;
        Ok(self.chunk.clone())
    }

    /// Whether the whole frame at `offset` has been read, as far as its length can be believed.
    pub(crate) fn holds_frame(&self, offset: u64) -> bool {
        let from = offset
            .checked_sub(self.base)
            .and_then(|from| usize::try_from(from).ok());
        let Some(bytes) = from.and_then(|from| self.chunk.get(from..)) else {
            return false;
        };
        let length = bytes.get(8..).and_then(|rest| rest.first_chunk::<4>());
        length
            .is_some_and(|length| frame_bytes(u32::from_le_bytes(*length) as usize) <= bytes.len())
    }

    /// Forgets what was read, so that it is read again.
    pub(crate) fn forget(&mut self) {
        self.chunk = Bytes::new();
    }
}

/// One frame of a segment.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub header: FrameHeader,
    /// Where it starts in the file.
    pub offset: u64,
    /// The whole frame, or less when bodies are not read.
    pub bytes: Bytes,
}

impl Frame {
    /// The record.
    pub(crate) fn record(&self) -> Bytes {
        let end = FRAME_HEADER_BYTES + self.header.length as usize;
        if end <= self.bytes.len() {
            self.bytes.slice(FRAME_HEADER_BYTES..end)
        } else {
            Bytes::new()
        }
    }
}

/// Bytes after the last whole append that a crash left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// The position that the next append gets.
    pub position: u64,
    /// Segment file.
    pub file: String,
    /// Offset of the first byte to cut.
    pub offset: u64,
    /// Bytes from there to the last byte that is not zero.
    pub bytes: u64,
    /// What is wrong with the first bad frame.
    pub reason: String,
}

/// How the records of a segment end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentEnd {
    /// Offset after the last whole append.
    pub offset: u64,
    /// Position after it.
    pub next: u64,
    /// Chain value after it.
    pub chain: u32,
    /// The mark that stands there.
    pub mark: Option<MarkKind>,
    /// What a crash left behind.
    pub torn: Option<TornTail>,
}

/// A walk over one segment.
pub(crate) struct Walk {
    file: Arc<dyn DiskFile>,
    window: Window,
    name: String,
    header: SegmentHeader,
    /// Whether it is the last segment, where a tail may be torn.
    last: bool,
    /// Whether records are checked, or frame headers only.
    bodies: bool,
    offset: u64,
    expected: u64,
    chain: u32,
    open_append: Option<(u8, StreamId)>,
    whole: SegmentEnd,
    ended: bool,
}

impl Walk {
    /// Starts a walk. The header has been read and checked by `open_segment`.
    pub(crate) fn new(
        file: Arc<dyn DiskFile>,
        name: String,
        header: SegmentHeader,
        last: bool,
        bodies: bool,
    ) -> Self {
        let offset = SEGMENT_HEADER_BYTES as u64;
        let (next, chain) = (header.first, header.chain);
        Self {
            window: Window::new(Arc::clone(&file), header.size, CHUNK_BYTES),
            file,
            name,
            header,
            last,
            bodies,
            offset,
            expected: next,
            chain,
            open_append: None,
            whole: SegmentEnd {
                offset,
                next,
                chain,
                mark: None,
                torn: None,
            },
            ended: false,
        }
    }

    /// The next frame that verifies; `None` at the end, which [`Walk::end`] then describes. Frames
    /// of an append whose end is missing are handed out too: look at `left`.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Frame>, StoreError> {
        if self.ended {
            return Ok(None);
        }
        match self.step()? {
            Step::Frame(frame) => Ok(Some(frame)),
            Step::Mark(kind) => {
                self.whole.mark = Some(kind);
                self.check_rest()?;
                self.ended = true;
                Ok(None)
            }
            Step::Bad(reason) => self.finish(reason),
        }
    }

    /// Where the whole appends seen so far end; at the end of the walk, how the segment ends.
    pub(crate) fn end(&self) -> &SegmentEnd {
        &self.whole
    }

    /// The chain value before the segment's first record, for the one that strings segments.
    pub(crate) fn header(&self) -> &SegmentHeader {
        &self.header
    }

    fn step(&mut self) -> Result<Step, StoreError> {
        let bytes = self.window.at(self.offset, FRAME_HEADER_BYTES)?;
        match parse(&bytes, self.header.first, self.offset) {
            Parsed::Frame(header) => self.frame(header),
            Parsed::Mark(mark) => {
                let whole = self.open_append.is_none();
                let records = self.expected - self.header.first;
                let right = mark.next == self.expected
                    && mark.chain == self.chain
                    && mark.records == records;
                if whole && right {
                    Ok(Step::Mark(mark.kind))
                } else {
                    Err(self.corrupt("a mark that does not fit the records before it"))
                }
            }
            Parsed::Nothing => Ok(Step::Bad("nothing is written here")),
            Parsed::Bad(reason) => Ok(Step::Bad(reason)),
        }
    }

    fn frame(&mut self, header: FrameHeader) -> Result<Step, StoreError> {
        if let Err(reason) = self.check(&header) {
            return Err(self.corrupt(reason));
        }
        let length = header.frame_bytes();
        let bytes = if self.bodies {
            let bytes = self.window.at(self.offset, length)?;
            if let Err(reason) = header.check_body(&bytes) {
                return Ok(Step::Bad(reason));
            }
            bytes.slice(..length)
        } else {
            Bytes::new()
        };
        let offset = self.offset;
        self.offset += length as u64;
        self.expected += 1;
        self.chain = advance_chain(self.chain, header.checksum);
        self.open_append = (header.left > 0).then_some((header.left, header.stream));
        if header.left == 0 {
            self.whole.offset = self.offset;
            self.whole.next = self.expected;
            self.whole.chain = self.chain;
        }
        Ok(Step::Frame(Frame {
            header,
            offset,
            bytes,
        }))
    }

    /// What a frame whose header verifies must say at this place.
    fn check(&self, header: &FrameHeader) -> Result<(), &'static str> {
        if header.position != self.expected {
            return Err("the record's position is not the next one");
        }
        if header
            .previous
            .is_some_and(|previous| previous.0 >= header.position)
        {
            return Err("the record's predecessor does not stand before it");
        }
        if header.previous.is_none() != (header.revision.0 == 0) {
            return Err("the record's revision and predecessor do not fit");
        }
        if header.length as usize > RECORD_BYTES_MAX {
            return Err("the record is over its limit");
        }
        if self.offset + header.frame_bytes() as u64 > self.header.size {
            return Err("the record reaches past the end of the segment");
        }
        if u64::from(header.batch) > self.offset {
            return Err("the record's batch starts after it");
        }
        match self.open_append {
            Some((left, stream)) if (left - 1, stream) != (header.left, header.stream) => {
                Err("the record does not go on with the append before it")
            }
            _ => Ok(()),
        }
    }

    /// Nothing good stands here: the end, a torn tail, or corruption.
    fn finish(&mut self, reason: &'static str) -> Result<Option<Frame>, StoreError> {
        if !self.last {
            return Err(self.corrupt(match reason {
                "nothing is written here" => "the segment ends without a seal",
                reason => reason,
            }));
        }
        let verdict = tail::judge(&self.file, &self.header, self.offset)?;
        // Somebody may be writing while we read: what stands here now?
        self.window.forget();
        match self.step()? {
            Step::Frame(frame) => return Ok(Some(frame)),
            Step::Mark(_) => return self.next_frame(),
            Step::Bad(_) => {}
        }
        self.ended = true;
        let torn_at = self.whole.offset;
        match verdict {
            Tail::Corrupt(why) => Err(self.corrupt(&format!("{reason}; {why}"))),
            Tail::Ends { last_byte } => {
                let bytes =
                    last_byte.map_or(self.offset, |last| (last + 1).max(self.offset)) - torn_at;
                if bytes > 0 {
                    self.whole.torn = Some(TornTail {
                        position: self.whole.next,
                        file: self.name.clone(),
                        offset: torn_at,
                        bytes,
                        reason: reason.to_owned(),
                    });
                }
                Ok(None)
            }
        }
    }

    /// After a mark everything is zero, and the file is as long as it says.
    fn check_rest(&mut self) -> Result<(), StoreError> {
        let from = self.offset + MARK_BYTES as u64;
        if let Some(at) = tail::first_byte(&self.file, from, self.header.size)? {
            self.offset = at;
            return Err(self.corrupt("bytes after the end of the segment's records"));
        }
        self.check_length()
    }

    /// A sealed segment is exactly as long as its header says.
    fn check_length(&mut self) -> Result<(), StoreError> {
        let length = self
            .file
            .length()
            .map_err(|error| io_error("reading a segment", &error))?;
        if length == self.header.size || (self.last && length < self.header.size) {
            return Ok(());
        }
        self.offset = length.min(self.header.size);
        Err(self.corrupt("the file is not as long as its header says"))
    }

    fn corrupt(&self, reason: &str) -> StoreError {
        StoreError::Corrupt {
            position: self.expected,
            place: format!("{}:{}", self.name, self.offset),
            reason: reason.to_owned(),
        }
    }
}

enum Step {
    Frame(Frame),
    Mark(MarkKind),
    Bad(&'static str),
}
