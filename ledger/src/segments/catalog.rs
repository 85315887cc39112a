//! Which record stands where: what readers share with the writer.
//!
//! Owns the list of segments, the offsets of the active one, and the open files of the others. It
//! shows what is durable and nothing else: the writer tells it after each sync.

use super::frame::FrameHeader;
use super::offsets::Offsets;
use super::read::{Place, broken_link, read_frame, read_run, stored};
use super::scan::{open_walk, read_header, segment_name};
use super::walk::Frame;
use crate::disk::{Disk, DiskFile, io_error};
use crate::store::{PAGE_RECORDS_MAX, StoreError, StoredRecord, StreamHead};
use domain::ids::{EventId, Position, Revision, StreamId};
use parking_lot::{Mutex, RwLock};
use std::path::PathBuf;
use std::sync::Arc;

/// Sealed segments whose files are kept open: two files each.
const OPEN_SEGMENTS_MAX: usize = 128;
/// Bytes of records after which a page of a stream ends; pages of the whole ledger end sooner.
pub const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The segments and what is durable in them.
pub(crate) struct Catalog {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) log: PathBuf,
    /// Whether derived files may be written.
    writable: bool,
    state: RwLock<State>,
    open: Mutex<Vec<(u64, Arc<Sealed>)>>,
}

/// The segments now.
pub(crate) struct State {
    /// First positions of the sealed segments.
    pub sealed: Vec<u64>,
    pub active: Active,
}

/// The segment that is appended to.
pub(crate) struct Active {
    pub first: u64,
    pub file: Arc<dyn DiskFile>,
    /// Where each durable record starts.
    pub offsets: Vec<u32>,
    /// Offset after the last durable append.
    pub end: u64,
}

struct Sealed {
    file: Arc<dyn DiskFile>,
    size: u64,
    offsets: Offsets,
}

impl Active {
    fn next(&self) -> u64 {
        self.first + self.offsets.len() as u64
    }
}

impl Catalog {
    pub(crate) fn new(disk: Arc<dyn Disk>, log: PathBuf, writable: bool, state: State) -> Self {
        Self {
            disk,
            log,
            writable,
            state: RwLock::new(state),
            open: Mutex::new(Vec::new()),
        }
    }

    /// Number of durable records.
    pub(crate) fn length(&self) -> u64 {
        self.state.read().active.next()
    }

    /// Shows records that are durable now.
    pub(crate) fn extend(&self, offsets: &[u32], end: u64) {
        let mut state = self.state.write();
        state.active.offsets.extend_from_slice(offsets);
        state.active.end = end;
    }

    /// Seals the active segment and goes on with another one.
    pub(crate) fn rotate(&self, next: Active) {
        let mut state = self.state.write();
        let old = std::mem::replace(&mut state.active, next);
        state.sealed.push(old.first);
        drop(state);
        if let Err(error) = self.write_offsets(old.first, &old.offsets) {
            tracing::warn!(%error, segment = old.first, "the offsets of a segment were not written");
        }
    }

    /// First positions of all segments.
    pub(crate) fn segments(&self) -> Vec<u64> {
        let state = self.state.read();
        let mut all = state.sealed.clone();
        all.push(state.active.first);
        all
    }

    /// Walks through every sealed segment that has no table of offsets, and makes it. So a segment
    /// that does not reach the next one is noticed.
    pub(crate) fn check_sealed(&self) -> Result<(), StoreError> {
        for pair in self.segments().windows(2) {
            if let [first, end] = *pair
                && Offsets::open(&*self.disk, &self.log, first, end - first).is_none()
            {
                self.rebuild_offsets(first, end)?;
            }
        }
        Ok(())
    }

    /// Takes over what a reader has found to be there now.
    pub(crate) fn replace(&self, state: State) {
        *self.state.write() = state;
    }

    /// The frame of a durable record; with `body`, the record is read and checked too.
    pub(crate) fn frame(&self, position: u64, body: bool) -> Result<Frame, StoreError> {
        let place = self.locate(position)?.ok_or_else(|| StoreError::Corrupt {
            position,
            place: "stream index".to_owned(),
            reason: "the log does not reach this position".to_owned(),
        })?;
        match read_frame(&place, position, body) {
            Err(_) if place.sealed => {
                // The table may be wrong; if the segment is, making the table again says so.
                let place = self.relocate(position)?;
                read_frame(&place, position, body)
            }
            result => result,
        }
    }

    /// The head of the stream whose last record stands at `position`.
    pub(crate) fn head_at(
        &self,
        position: Position,
    ) -> Result<(FrameHeader, StreamHead), StoreError> {
        let header = self.frame(position.0, false)?.header;
        let head = StreamHead {
            revision: header.revision,
            position,
            link: header.link,
        };
        Ok((header, head))
    }

    /// Up to `limit` durable records from a position on.
    pub(crate) fn page(&self, from: u64, limit: usize) -> Result<Vec<StoredRecord>, StoreError> {
        let limit = limit.min(PAGE_RECORDS_MAX);
        let mut records = Vec::with_capacity(limit.min(self.left(from)));
        let mut more = true;
        while more && records.len() < limit {
            let position = from.saturating_add(records.len() as u64);
            let Some(mut place) = self.locate(position)? else {
                break;
            };
            if place.sealed && read_frame(&place, position, false).is_err() {
                place = self.relocate(position)?;
            }
            more = read_run(&place, position, limit, &mut records)?;
        }
        Ok(records)
    }

    /// Up to `limit` records of a stream from a revision on, oldest first, found by following the
    /// links back from its head.
    pub(crate) fn stream(
        &self,
        (stream, head): (StreamId, StreamHead),
        from: Revision,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, StoreError> {
        let limit = limit.min(PAGE_RECORDS_MAX) as u64;
        let wanted = from.0..from.0.saturating_add(limit);
        let mut found = Vec::new();
        let mut bytes_held = 0;
        let mut at = head.position;
        for revision in (from.0..=head.revision.0).rev() {
            let hold = wanted.contains(&revision) && bytes_held < PAGE_BYTES_MAX;
            let frame = self.frame(at.0, hold)?;
            let header = &frame.header;
            if header.revision.0 != revision || header.stream != stream {
                return Err(broken_link(at));
            }
            if wanted.contains(&revision) {
                let record = hold.then(|| stored(header, frame.record()));
                bytes_held += record.as_ref().map_or(0, |record| record.bytes.len());
                found.push((at, record));
            }
            match header.previous {
                Some(previous) if previous < at => at = previous,
                _ if revision == 0 => break,
                _ => return Err(broken_link(at)),
            }
        }
        let mut records = Vec::with_capacity(found.len());
        let mut bytes = 0;
        for (position, record) in found.into_iter().rev() {
            let record = if let Some(record) = record {
                record
            } else {
                let frame = self.frame(position.0, true)?;
                stored(&frame.header, frame.record())
            };
            bytes += record.bytes.len();
            records.push(record);
            if bytes >= PAGE_BYTES_MAX {
                break;
            }
        }
        Ok(records)
    }

    /// Event ids of a stream's revisions `from..from + count` and the positions of the first and
    /// last of them; `None` when the stream does not reach so far.
    pub(crate) fn ids(
        &self,
        head: StreamHead,
        from: Revision,
        count: usize,
    ) -> Result<Option<(Vec<EventId>, Position, Position)>, StoreError> {
        let last = from.0.saturating_add(count as u64).saturating_sub(1);
        if head.revision.0 < last || count == 0 {
            return Ok(None);
        }
        let mut ids = Vec::with_capacity(count);
        let mut end = head.position;
        let mut at = head.position;
        loop {
            let header = self.frame(at.0, false)?.header;
            if header.revision.0 == last {
                end = at;
            }
            if header.revision.0 <= last {
                ids.push(header.event_id);
            }
            if header.revision <= from {
                break;
            }
            at = header
                .previous
                .filter(|previous| *previous < at)
                .ok_or_else(|| broken_link(at))?;
        }
        ids.reverse();
        Ok(Some((ids, at, end)))
    }

    fn left(&self, from: u64) -> usize {
        usize::try_from(self.length().saturating_sub(from)).unwrap_or(usize::MAX)
    }

    fn locate(&self, position: u64) -> Result<Option<Place>, StoreError> {
        let (first, end) = {
            let state = self.state.read();
            let active = &state.active;
            if position >= active.next() {
                return Ok(None);
            }
            if let Some(at) = position.checked_sub(active.first) {
                let offset = usize::try_from(at)
                    .ok()
                    .and_then(|at| active.offsets.get(at));
                return Ok(offset.map(|offset| Place {
                    file: Arc::clone(&active.file),
                    first: active.first,
                    offset: u64::from(*offset),
                    limit: active.end,
                    end: active.next(),
                    sealed: false,
                }));
            }
            let after = state.sealed.partition_point(|first| *first <= position);
            let first = after
                .checked_sub(1)
                .and_then(|at| state.sealed.get(at))
                .copied();
            (
                first.unwrap_or(0),
                state.sealed.get(after).copied().unwrap_or(active.first),
            )
        };
        let sealed = self.sealed(first, end)?;
        let offset = sealed.offsets.get(position - first);
        // An offset that leads nowhere is treated like one that leads elsewhere.
        Ok(Some(sealed.place(
            first,
            end,
            offset.unwrap_or(sealed.size),
        )))
    }

    /// Makes the table of a segment again, then locates.
    fn relocate(&self, position: u64) -> Result<Place, StoreError> {
        let (first, end) = self.bounds(position);
        tracing::warn!(segment = first, "the offsets of a segment are made again");
        self.open.lock().retain(|(open, _)| *open != first);
        let offsets = self.rebuild_offsets(first, end)?;
        let offset = usize::try_from(position - first)
            .ok()
            .and_then(|at| offsets.get(at).copied());
        let sealed = self.sealed(first, end)?;
        Ok(sealed.place(first, end, offset.map_or(sealed.size, u64::from)))
    }

    fn bounds(&self, position: u64) -> (u64, u64) {
        let state = self.state.read();
        let after = state.sealed.partition_point(|first| *first <= position);
        let first = after
            .checked_sub(1)
            .and_then(|at| state.sealed.get(at))
            .copied()
            .unwrap_or(0);
        (
            first,
            state
                .sealed
                .get(after)
                .copied()
                .unwrap_or(state.active.first),
        )
    }

    /// The open files of a sealed segment.
    fn sealed(&self, first: u64, end: u64) -> Result<Arc<Sealed>, StoreError> {
        let mut open = self.open.lock();
        if let Some(at) = open.iter().rposition(|(known, _)| *known == first) {
            let found = open.remove(at);
            let sealed = Arc::clone(&found.1);
            open.push(found);
            return Ok(sealed);
        }
        drop(open);
        let file = self.disk.open(&self.log.join(segment_name(first)), false);
        let file = file.map_err(|error| io_error("opening a segment", &error))?;
        let header = read_header(&*file, first)?;
        let offsets = match Offsets::open(&*self.disk, &self.log, first, end - first) {
            Some(offsets) => offsets,
            None => Offsets::Memory(self.rebuild_offsets(first, end)?),
        };
        let sealed = Arc::new(Sealed {
            file,
            size: header.size,
            offsets,
        });
        let mut open = self.open.lock();
        if open.len() >= OPEN_SEGMENTS_MAX {
            open.remove(0);
        }
        open.push((first, Arc::clone(&sealed)));
        Ok(sealed)
    }

    fn rebuild_offsets(&self, first: u64, end: u64) -> Result<Vec<u32>, StoreError> {
        let mut walk = open_walk(&*self.disk, &self.log, first, false, true)?;
        let mut all = Vec::new();
        while let Some(frame) = walk.next_frame()? {
            all.push(frame.offset as u32);
        }
        if all.len() as u64 != end - first {
            return Err(StoreError::Corrupt {
                position: first + all.len() as u64,
                place: segment_name(first),
                reason: "the segment does not reach the one after it".to_owned(),
            });
        }
        if let Err(error) = self.write_offsets(first, &all) {
            tracing::warn!(%error, segment = first, "the offsets of a segment were not written");
        }
        Ok(all)
    }

    fn write_offsets(&self, first: u64, all: &[u32]) -> std::io::Result<()> {
        if self.writable {
            Offsets::write(&*self.disk, &self.log, first, all)
        } else {
            Ok(())
        }
    }
}

impl Sealed {
    fn place(&self, first: u64, end: u64, offset: u64) -> Place {
        Place {
            file: Arc::clone(&self.file),
            first,
            offset,
            limit: self.size,
            end,
            sealed: true,
        }
    }
}
