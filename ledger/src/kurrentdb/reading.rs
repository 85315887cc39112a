//! The port's reads: what the server says, checked against what this node has numbered.
//!
//! Every event that is handed out has a row in the numbering with its place, and the running digest
//! of that row covers its stream, revision, id, link and bytes: what was altered on the server since
//! it was numbered is found here. A stream that the server denies although this node numbered events
//! of it is not empty but unsafe.

use super::Kurrent;
use super::ahead::{Ahead, Wanted};
use super::connection::{Backoff, Trouble};
use super::counted::{altered, compare};
use super::names::Named;
use super::numbering::{LogPlace, Row, Running};
use super::pages::{Begin, Extent, Found, PAGE_BYTES_MAX, Page, Part, REVISION_MAX};
use crate::index::Found as InIndex;
use crate::remote::StreamHazard;
use crate::store::{PAGE_RECORDS_MAX, StoreError, StoredRecord, StreamHead};
use domain::ids::{Position, Revision, StreamId};
use futures_util::stream::{self, StreamExt as _};
use std::future::Future;
use tokio::time::Instant;

/// A page of everything is asked for in parts of so many events, so many at once: one is checked while
/// the next is on its way. Together they never hold more than three times [`PAGE_BYTES_MAX`].
const PART_RECORDS: usize = 512;
const PARTS_AT_ONCE: usize = 2;
/// More are taken apart by another thread than the network's.
const FEW_RECORDS: usize = 32;

/// A page of everything that is being put together.
struct Read {
    records: Vec<StoredRecord>,
    bytes: usize,
    next: u64,
    /// Where the event before `next` stands.
    before: Option<LogPlace>,
    digest: Running,
    /// An event of ours stands where none was counted.
    missed: bool,
}

impl Kurrent {
    pub(super) async fn head_now(
        &self,
        stream: StreamId,
    ) -> Result<Option<StreamHead>, StoreError> {
        self.going()?;
        let until = Instant::now() + self.deadline;
        let Some(event) = self.last_of(stream, until).await? else {
            return Ok(None);
        };
        let position = self.check(stream, &event, 0, until).await?;
        Ok(Some(StreamHead {
            revision: Revision(event.revision),
            position: Position(position),
            link: event
                .link
                .ok_or_else(|| altered(position, "it has no link"))?,
        }))
    }

    pub(super) async fn read_stream_now(
        &self,
        stream: StreamId,
        from: Revision,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, StoreError> {
        self.going()?;
        let until = Instant::now() + self.deadline;
        let limit = limit.min(PAGE_RECORDS_MAX);
        if limit == 0 || from.0 > REVISION_MAX {
            return Ok(Vec::new());
        }
        let part = Part::From(from.0);
        let Some(events) = self.ask_stream(stream, part, limit, until).await? else {
            return Ok(Vec::new());
        };
        let mut records = Vec::with_capacity(events.len());
        let mut after = 0;
        for (revision, event) in (from.0..).zip(events) {
            if event.revision != revision {
                return Err(StoreError::Unsafe {
                    stream,
                    hazard: StreamHazard::TruncateBefore,
                });
            }
            let position = self.check(stream, &event, after, until).await?;
            after = position + 1;
            records.push(StoredRecord {
                position: Position(position),
                stream,
                revision: Revision(revision),
                bytes: event.bytes,
            });
        }
        Ok(records)
    }

    pub(super) async fn read_all_now(
        &self,
        from: Position,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, StoreError> {
        let until = Instant::now() + self.deadline;
        let rows = self
            .shared
            .numbering
            .range(from.0, limit.min(PAGE_RECORDS_MAX))?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let numbering = &self.shared.numbering;
        let before = match from.0.checked_sub(1) {
            None => None,
            Some(before) => numbering.get(before)?,
        };
        let mut read = Read {
            records: Vec::with_capacity(rows.len()),
            bytes: 0,
            next: from.0,
            before: before.map(|row| row.place),
            digest: before.map_or([0; 16], |row| row.digest),
            missed: false,
        };
        let left = self.take_ahead(&rows, &mut read, until).await;
        if read.bytes > PAGE_BYTES_MAX {
            return Ok(read.records);
        }
        let mut before = read.before;
        let mut asked = Vec::new();
        for part in left.chunks(PART_RECORDS) {
            asked.extend(part.first().map(|first| {
                let begin = before.unwrap_or(first.place);
                // What stands before is asked for too, so that nothing can hide between.
                let count = part.len() + usize::from(before.is_some());
                self.ours_from(begin, count, until)
            }));
            before = part.last().map(|row| row.place);
        }
        let mut pages = stream::iter(asked).buffered(PARTS_AT_ONCE);
        for part in left.chunks(PART_RECORDS) {
            let Some(page) = pages.next().await else {
                break;
            };
            match self.take_part(page?, part, &mut read) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) if read.missed => return Err(self.missed(error, until).await),
                Err(error) => return Err(error),
            }
        }
        Ok(read.records)
    }

    /// Takes what was read ahead, as far as it is what was numbered; which rows are left.
    async fn take_ahead<'a>(&self, rows: &'a [Row], read: &mut Read, until: Instant) -> &'a [Row] {
        let shared = &self.shared;
        let ahead = shared.held.take(read.next).or_else(|| {
            // Who takes a whole page and has more before them will come again.
            let all = shared.numbering.length().saturating_sub(read.next);
            let first = rows.first()?.place;
            if rows.len() <= FEW_RECORDS || all <= rows.len() as u64 {
                return None;
            }
            let wanted = Wanted {
                next: read.next,
                first,
                before: read.before,
                count: all,
            };
            let line = shared.line.as_ref()?;
            Some(Ahead::start(line, &shared.names, wanted))
        });
        let Some(mut ahead) = ahead else {
            return rows;
        };
        let until = until.min(Instant::now() + shared.call_timeout);
        let mut left = rows;
        while let Some((row, rest)) = left.split_first() {
            let event = ahead.next(until).await;
            // A page, asked for now, says what it is.
            let fits = event.is_some_and(|event| self.take_event(event, row, read).is_ok());
            if !fits {
                return left;
            }
            left = rest;
            if read.bytes > PAGE_BYTES_MAX {
                break;
            }
        }
        shared.held.put(ahead);
        left
    }

    /// Our events from a place on, as the server has them.
    async fn ours_from(
        &self,
        place: LogPlace,
        count: usize,
        until: Instant,
    ) -> Result<Page, StoreError> {
        let shared = &self.shared;
        let (names, timeout) = (&shared.names, shared.call_timeout);
        let start = Begin::Place(place);
        let extent = if count > FEW_RECORDS {
            Extent::Many
        } else {
            Extent::Few
        };
        let page = (count, extent);
        let ask = || {
            shared
                .connection
                .page_of_all(names, false, start, page, timeout)
        };
        self.patiently(until, ask).await
    }

    /// Checks a page against its rows; whether all of them were there.
    fn take_part(&self, page: Page, rows: &[Row], read: &mut Read) -> Result<bool, StoreError> {
        let mut events = page.events.into_iter().peekable();
        // It may be gone without a trace; nothing else may stand between.
        events.next_if(|event| Some(event.place) == read.before);
        for row in rows {
            let position = read.next;
            let Some(event) = events.next() else {
                if page.full {
                    return Ok(false);
                }
                return Err(altered(position, "it is gone"));
            };
            let between =
                event.place < row.place && read.before.is_some_and(|before| before < event.place);
            let taken = self.take_event(event, row, read);
            // One of ours was never counted.
            read.missed = between && taken.is_err();
            taken?;
            if read.bytes > PAGE_BYTES_MAX {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Checks an event against its row.
    fn take_event(&self, event: Found, row: &Row, read: &mut Read) -> Result<(), StoreError> {
        let position = read.next;
        let Named::Ours(stream) = self.shared.names.read(&event.name) else {
            return Err(altered(position, "another one stands there"));
        };
        read.digest = compare(position, stream, &event, row, read.digest)?;
        read.bytes += event.bytes.len();
        read.next += 1;
        read.before = Some(row.place);
        read.records.push(StoredRecord {
            position: Position(position),
            stream,
            revision: Revision(event.revision),
            bytes: event.bytes,
        });
        Ok(())
    }

    /// The last event of a stream, straight from the server.
    pub(super) async fn last_of(
        &self,
        stream: StreamId,
        until: Instant,
    ) -> Result<Option<Found>, StoreError> {
        let page = self.ask_stream(stream, Part::Last, 1, until).await?;
        match page.and_then(|events| events.into_iter().next()) {
            Some(event) => Ok(Some(event)),
            None => self.must_be_unknown(stream).map(|()| None),
        }
    }

    /// A page of a stream; `None`: neither the server nor this node knows it.
    pub(super) async fn ask_stream(
        &self,
        stream: StreamId,
        part: Part,
        count: usize,
        until: Instant,
    ) -> Result<Option<Vec<Found>>, StoreError> {
        let asked = self
            .patiently(until, || {
                let name = self.shared.names.of(stream);
                let timeout = self.shared.call_timeout;
                self.shared
                    .connection
                    .page_of_stream(name, part, count, timeout)
            })
            .await;
        match asked {
            Ok(Some(page)) => Ok(Some(page.events)),
            Ok(None) => self.must_be_unknown(stream).map(|()| None),
            Err(StoreError::Unsafe { hazard, .. }) => Err(StoreError::Unsafe { stream, hazard }),
            Err(error) => Err(error),
        }
    }

    /// A stream with numbered events cannot be unknown to the server.
    fn must_be_unknown(&self, stream: StreamId) -> Result<(), StoreError> {
        match self.shared.find(stream)? {
            InIndex::Nothing => Ok(()),
            _ => Err(StoreError::Unsafe {
                stream,
                hazard: StreamHazard::TruncateBefore,
            }),
        }
    }

    /// Asks, and asks again while that can help, until the deadline. For reads only.
    async fn patiently<T, F, Fut>(&self, until: Instant, mut ask: F) -> Result<T, StoreError>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, Trouble>>,
    {
        let mut backoff = Backoff::new();
        loop {
            match ask().await {
                Ok(answer) => return Ok(answer),
                Err(Trouble::Client(kurrentdb::Error::ResourceDeleted)) => {
                    return Err(StoreError::Unsafe {
                        // Whoever knows the stream puts its name here.
                        stream: StreamId::single(domain::ids::Category::Ledger),
                        hazard: StreamHazard::Tombstoned,
                    });
                }
                Err(trouble) if trouble.passes() => {
                    if !backoff.wait(until).await {
                        return Err(trouble.into());
                    }
                }
                Err(trouble) => return Err(trouble.into()),
            }
        }
    }
}
