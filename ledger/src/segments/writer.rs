//! The writer's thread: the only one that changes a segment.
//!
//! Owns the order of positions. It takes whatever appends wait, checks each against the head of its
//! stream, writes the good ones with one write, syncs once, then shows and answers. A write or a
//! sync that fails stops the store for good: after a failed sync nobody knows what the disk holds,
//! and asking it again would answer yes (the kernel drops the dirty pages). What was waiting for
//! that sync is uncertain, what comes later has failed.

use super::catalog::{Active, Catalog};
use super::create::Spare;
use super::frame::{
    FrameHeader, MARK_BYTES, Mark, MarkKind, SEGMENT_HEADER_BYTES, SegmentHeader, advance_chain,
    encode_frame, frame_bytes,
};
use super::queue::{Answers, Ending, Outcome, Queue, Request};
use crate::disk::{DiskFile, io_error};
use crate::index::{Found, Index};
use crate::store::{AppendError, Appended, NewRecord, StoreError, StreamHead};
use domain::ids::{Position, StreamId};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{oneshot, watch};

/// Bytes after which a batch is written although more waits.
pub const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What followers wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Progress {
    pub length: u64,
    pub stopped: Option<String>,
}

/// Where the next record goes.
pub(crate) struct Tip {
    pub file: Arc<dyn DiskFile>,
    pub header: SegmentHeader,
    pub offset: u64,
    pub next: u64,
    pub chain: u32,
    /// A mark of a clean close stands at `offset`.
    pub marked: bool,
}

/// The writer.
pub(crate) struct Writer {
    catalog: Arc<Catalog>,
    index: Arc<Index>,
    queue: Arc<Queue>,
    progress: watch::Sender<Progress>,
    spare: Spare,
    tip: Tip,
    batch: Batch,
    stopped: Option<String>,
}

/// What is about to be written.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    offsets: Vec<u32>,
    heads: HashMap<StreamId, StreamHead>,
    chain: u32,
    replies: Vec<(oneshot::Sender<Outcome>, Outcome)>,
}

impl Writer {
    pub(crate) fn new(
        catalog: Arc<Catalog>,
        index: Arc<Index>,
        queue: Arc<Queue>,
        progress: watch::Sender<Progress>,
        spare: Spare,
        tip: Tip,
    ) -> Self {
        let batch = Batch {
            chain: tip.chain,
            ..Batch::default()
        };
        Self {
            catalog,
            index,
            queue,
            progress,
            spare,
            tip,
            batch,
            stopped: None,
        }
    }

    /// Runs until told to end.
    pub(crate) fn run(mut self) {
        let mut requests = Vec::new();
        loop {
            if let Some(ending) = self.queue.take(&mut requests) {
                self.finish(ending);
                return;
            }
            for request in requests.drain(..) {
                self.accept(request);
                if self.batch.bytes.len() >= BATCH_BYTES_MAX {
                    self.commit();
                }
            }
            self.commit();
        }
    }

    /// Puts one append into the batch, or its refusal.
    fn accept(&mut self, request: Request) {
        let outcome = match &self.stopped {
            Some(reason) => Err(AppendError::Failed(StoreError::Stopped(reason.clone()))),
            None => self.place(&request),
        };
        self.batch.replies.push((request.reply, outcome));
    }

    fn place(&mut self, request: &Request) -> Result<Appended, AppendError> {
        let needed: usize = request
            .records
            .iter()
            .map(|new| frame_bytes(new.bytes.len()))
            .sum();
        let space = self
            .tip
            .header
            .size
            .saturating_sub((SEGMENT_HEADER_BYTES + MARK_BYTES) as u64);
        if needed as u64 > space {
            return Err(AppendError::Failed(StoreError::Limit { what: "append" }));
        }
        let head = self.head(request.stream).map_err(AppendError::Failed)?;
        let current = head.map(|head| head.revision);
        if !request.expected.is_met_by(current) {
            let (stream, expected) = (request.stream, request.expected);
            return Err(AppendError::Conflict {
                stream,
                expected,
                current,
            });
        }
        let end = self.batch_end() + (needed + MARK_BYTES) as u64;
        if end > self.tip.header.size {
            self.commit();
            if let Some(reason) = &self.stopped {
                return Err(AppendError::Failed(StoreError::Stopped(reason.clone())));
            }
            self.rotate().map_err(AppendError::Failed)?;
        } else if end > self.tip.header.size / 2 {
            self.spare.begin();
        }
        let first = self.tip.next + self.batch.offsets.len() as u64;
        let mut last = head;
        for (at, new) in request.records.iter().enumerate() {
            let left = request.records.len() - at - 1;
            last = Some(self.push(request.stream, last, new, left as u8));
        }
        let last = last.unwrap_or(StreamHead {
            revision: request.expected.first_revision(),
            position: Position(first),
            link: domain::ids::Digest::ZERO,
        });
        self.batch.heads.insert(request.stream, last);
        Ok(Appended {
            first: Position(first),
            last: last.position,
            revision: last.revision,
        })
    }

    /// Adds one record to the batch and returns the head it makes.
    fn push(
        &mut self,
        stream: StreamId,
        head: Option<StreamHead>,
        new: &NewRecord,
        left: u8,
    ) -> StreamHead {
        let offset = self.batch_end();
        let position = self.tip.next + self.batch.offsets.len() as u64;
        let expected = head.map_or(crate::store::Expected::NoStream, |head| {
            crate::store::Expected::Revision(head.revision)
        });
        let header = FrameHeader {
            position,
            previous: head.map(|head| head.position),
            stream,
            revision: expected.first_revision(),
            event_id: new.event_id,
            link: new.link,
            length: new.bytes.len() as u32,
            batch: self.tip.offset as u32,
            left,
            checksum: 0,
            body_checksum: 0,
        };
        let first = self.tip.header.first;
        let checksum = encode_frame(&mut self.batch.bytes, &header, &new.bytes, first, offset);
        self.batch.chain = advance_chain(self.batch.chain, checksum);
        self.batch.offsets.push(offset as u32);
        StreamHead {
            revision: header.revision,
            position: Position(position),
            link: new.link,
        }
    }

    fn batch_end(&self) -> u64 {
        self.tip.offset + self.batch.bytes.len() as u64
    }

    fn head(&self, stream: StreamId) -> Result<Option<StreamHead>, StoreError> {
        if let Some(head) = self.batch.heads.get(&stream) {
            return Ok(Some(*head));
        }
        find_head(&self.catalog, &self.index, stream)
    }

    /// Writes the batch, syncs, shows it, answers.
    fn commit(&mut self) {
        let written = if self.batch.offsets.is_empty() {
            Ok(())
        } else {
            self.write()
        };
        match written {
            Ok(()) => {
                if !self.batch.offsets.is_empty() {
                    self.tip.offset = self.batch_end();
                    self.tip.next += self.batch.offsets.len() as u64;
                    self.tip.chain = self.batch.chain;
                    self.catalog.extend(&self.batch.offsets, self.tip.offset);
                    self.index.record(self.batch.heads.drain(), self.tip.next);
                    let length = self.tip.next;
                    self.progress.send_replace(Progress {
                        length,
                        stopped: None,
                    });
                }
                self.queue
                    .answer(Answers(std::mem::take(&mut self.batch.replies)));
            }
            Err(error) => {
                self.stop(&error);
                for (_, outcome) in &mut self.batch.replies {
                    // A conflict may be with an append of this very batch.
                    if !matches!(outcome, Err(AppendError::Failed(_))) {
                        *outcome = Err(AppendError::Uncertain(error.clone()));
                    }
                }
                self.queue
                    .answer(Answers(std::mem::take(&mut self.batch.replies)));
            }
        }
        self.batch.bytes.clear();
        self.batch.offsets.clear();
        self.batch.heads.clear();
        self.batch.chain = self.tip.chain;
    }

    fn write(&mut self) -> Result<(), StoreError> {
        if self.tip.marked {
            // The mark goes first, so that a write torn over it is not taken for damage.
            self.put(&[0; MARK_BYTES], self.tip.offset)?;
            self.tip.marked = false;
        }
        let bytes = std::mem::take(&mut self.batch.bytes);
        let written = self.put(&bytes, self.tip.offset);
        self.batch.bytes = bytes;
        written
    }

    /// Writes and syncs.
    fn put(&self, bytes: &[u8], offset: u64) -> Result<(), StoreError> {
        let written = self.tip.file.write_at(bytes, offset);
        written.map_err(|error| io_error("writing to the log", &error))?;
        self.tip
            .file
            .sync()
            .map_err(|error| io_error("syncing the log", &error))
    }

    /// Seals the segment and goes on in a new one. Nothing of an append has been written: whoever
    /// waits has failed, for certain. Until the seal is written the store can go on.
    fn rotate(&mut self) -> Result<(), StoreError> {
        let tip = &self.tip;
        let header = SegmentHeader {
            first: tip.next,
            size: tip.header.size,
            chain: tip.chain,
        };
        let file = self.spare.take(header)?;
        let sealed = self.put(&self.mark(MarkKind::Sealed), self.tip.offset);
        if let Err(error) = sealed.and_then(|()| self.spare.name(header.first)) {
            self.stop(&error);
            return Err(error);
        }
        let offset = SEGMENT_HEADER_BYTES as u64;
        let active = Active {
            first: header.first,
            file: Arc::clone(&file),
            offsets: Vec::new(),
            end: offset,
        };
        self.catalog.rotate(active);
        self.tip = Tip {
            file,
            header,
            offset,
            marked: false,
            ..self.tip
        };
        Ok(())
    }

    fn mark(&self, kind: MarkKind) -> [u8; MARK_BYTES] {
        let tip = &self.tip;
        let records = tip.next - tip.header.first;
        let mark = Mark {
            kind,
            chain: tip.chain,
            next: tip.next,
            records,
        };
        mark.encode(tip.header.first, tip.offset)
    }

    fn stop(&mut self, error: &StoreError) {
        let reason = error.to_string();
        tracing::error!(reason, "the event store stops; only a restart goes on");
        let waiting = self.queue.stop(&reason);
        self.stopped = Some(reason.clone());
        let length = self.tip.next;
        self.progress.send_replace(Progress {
            length,
            stopped: Some(reason),
        });
        for request in waiting {
            self.accept(request);
        }
    }

    fn finish(mut self, ending: Ending) {
        if ending == Ending::Clean && self.stopped.is_none() && !self.tip.marked {
            let mark = self.mark(MarkKind::Closed);
            if let Err(error) = self.put(&mark, self.tip.offset) {
                self.stop(&error);
                self.commit();
            }
        }
        let length = self.tip.next;
        let stopped = self.stopped.or_else(|| Some("it is closed".to_owned()));
        self.progress.send_replace(Progress { length, stopped });
    }
}

/// The durable head of a stream.
pub(crate) fn find_head(
    catalog: &Catalog,
    index: &Index,
    stream: StreamId,
) -> Result<Option<StreamHead>, StoreError> {
    match index.find(stream)? {
        Found::Head(head) => Ok(Some(head)),
        Found::Nothing => Ok(None),
        Found::At(position) => {
            let (header, head) = catalog.head_at(position)?;
            if header.stream == stream {
                Ok(Some(head))
            } else {
                Err(index.damaged("a row leads to a record of another stream"))
            }
        }
    }
}
