//! The reference model of the port: what every engine must do, in the fewest words.
//!
//! Owns a vector. It must never grow a cleverness of its own: the other engines are tested against
//! it.

use crate::store::{
    APPEND_EVENTS_MAX, AppendError, Appended, BoxFuture, EventStore, Expected, NewRecord,
    PAGE_RECORDS_MAX, StoreError, StoredRecord, StreamHead,
};
use domain::ids::{Digest, EventId, Position, Revision, StreamId};
use domain::record::RECORD_BYTES_MAX;
use parking_lot::Mutex;
use std::collections::HashMap;
use tokio::sync::watch;

/// An event store in memory.
pub struct Memory {
    inner: Mutex<Inner>,
    length: watch::Sender<u64>,
}

#[derive(Default)]
struct Inner {
    log: Vec<Entry>,
    streams: HashMap<StreamId, Vec<u64>>,
}

struct Entry {
    record: StoredRecord,
    event_id: EventId,
    link: Digest,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            inner: Mutex::new(Inner::default()),
            length: watch::Sender::new(0),
        }
    }
}

impl Memory {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn append_now(
        &self,
        stream: StreamId,
        expected: Expected,
        records: Vec<NewRecord>,
    ) -> Result<Appended, AppendError> {
        check_append(&records).map_err(AppendError::Failed)?;
        let mut inner = self.inner.lock();
        let current = inner.head(stream).map(|head| head.revision);
        if !expected.is_met_by(current) {
            let ids = records.iter().map(|record| record.event_id);
            return inner
                .find_append(stream, expected, ids)
                .ok_or(AppendError::Conflict {
                    stream,
                    expected,
                    current,
                });
        }
        let first = inner.log.len() as u64;
        let mut revision = expected.first_revision();
        for (position, new) in (first..).zip(records) {
            let record = StoredRecord {
                position: Position(position),
                stream,
                revision,
                bytes: new.bytes,
            };
            inner.log.push(Entry {
                record,
                event_id: new.event_id,
                link: new.link,
            });
            inner.streams.entry(stream).or_default().push(position);
            revision.0 += 1;
        }
        let length = inner.log.len() as u64;
        drop(inner);
        self.length.send_replace(length);
        Ok(Appended {
            first: Position(first),
            last: Position(length - 1),
            revision: Revision(revision.0 - 1),
        })
    }
}

impl Inner {
    fn head(&self, stream: StreamId) -> Option<StreamHead> {
        let entry = self.entry(*self.streams.get(&stream)?.last()?)?;
        Some(StreamHead {
            revision: entry.record.revision,
            position: entry.record.position,
            link: entry.link,
        })
    }

    fn entry(&self, position: u64) -> Option<&Entry> {
        self.log.get(usize::try_from(position).ok()?)
    }

    /// The receipt of an earlier append of exactly these events at exactly this place.
    fn find_append(
        &self,
        stream: StreamId,
        expected: Expected,
        ids: impl ExactSizeIterator<Item = EventId>,
    ) -> Option<Appended> {
        let start = usize::try_from(expected.first_revision().0).ok()?;
        let places = self.streams.get(&stream)?.get(start..)?.get(..ids.len())?;
        let mut same = places
            .iter()
            .zip(ids)
            .map(|(place, id)| self.entry(*place)?.event_id.eq(&id).then_some(*place));
        let first = same.next()??;
        let last = same.try_fold(first, |_, place| place)?;
        let revision = self.entry(last)?.record.revision;
        Some(Appended {
            first: Position(first),
            last: Position(last),
            revision,
        })
    }
}

/// What holds for the records of every append, whatever the engine.
pub(crate) fn check_append(records: &[NewRecord]) -> Result<(), StoreError> {
    if records.is_empty() || records.len() > APPEND_EVENTS_MAX {
        return Err(StoreError::Limit {
            what: "number of events of an append",
        });
    }
    if records
        .iter()
        .any(|record| record.bytes.len() > RECORD_BYTES_MAX)
    {
        return Err(StoreError::Limit { what: "record" });
    }
    Ok(())
}

impl EventStore for Memory {
    fn append(
        &self,
        stream: StreamId,
        expected: Expected,
        records: Vec<NewRecord>,
    ) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(async move { self.append_now(stream, expected, records) })
    }

    fn stream_head(
        &self,
        stream: StreamId,
    ) -> BoxFuture<'_, Result<Option<StreamHead>, StoreError>> {
        Box::pin(async move { Ok(self.inner.lock().head(stream)) })
    }

    fn read_stream(
        &self,
        stream: StreamId,
        from: Revision,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredRecord>, StoreError>> {
        Box::pin(async move {
            let inner = self.inner.lock();
            let places = inner.streams.get(&stream).map_or(&[][..], Vec::as_slice);
            let start = usize::try_from(from.0).unwrap_or(usize::MAX);
            let page = places.iter().skip(start).take(limit.min(PAGE_RECORDS_MAX));
            Ok(page
                .filter_map(|place| Some(inner.entry(*place)?.record.clone()))
                .collect())
        })
    }

    fn read_all(
        &self,
        from: Position,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredRecord>, StoreError>> {
        Box::pin(async move {
            let inner = self.inner.lock();
            let start = usize::try_from(from.0).unwrap_or(usize::MAX);
            let page = inner
                .log
                .iter()
                .skip(start)
                .take(limit.min(PAGE_RECORDS_MAX));
            Ok(page.map(|entry| entry.record.clone()).collect())
        })
    }

    fn length(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move { Ok(*self.length.borrow()) })
    }

    fn wait_beyond(&self, seen: u64) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            let mut length = self.length.subscribe();
            let reached = length.wait_for(|length| *length > seen).await;
            reached
                .map(|length| *length)
                .map_err(|_| StoreError::Stopped("dropped".to_owned()))
        })
    }
}
