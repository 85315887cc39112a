//! Whole ledgers into archives and back.

use super::{ArchiveError, ArchiveReader, ArchiveWriter, ArchivedRecord, Sealed, Summary};
use crate::segments::Scanner;
use crate::store::{AppendError, EventStore, Expected, Labels, NewRecord};
use core::future::poll_fn;
use core::task::Poll;
use domain::ids::{Position, Revision};
use std::collections::VecDeque;
use std::io::{Read, Write};
use tokio::task::unconstrained;

/// Appends under way at once while importing.
const IMPORT_WINDOW: usize = 256;

/// Exports what a scan brings, up to but without position `end`, if one is given.
pub fn export<W: Write>(
    scan: &mut Scanner,
    first: Position,
    end: Option<Position>,
    to: W,
    sealed: Sealed,
) -> Result<(W, Summary), ArchiveError> {
    let mut writer = ArchiveWriter::new(to, first, sealed)?;
    while let Some(record) = scan.next_record()? {
        if end.is_some_and(|end| record.record.position >= end) {
            break;
        }
        writer.push(&record.into())?;
    }
    writer.finish()
}

/// Imports an archive into an empty store that nobody else writes to and that takes appends in the
/// order they are asked for, as the embedded engines do. Every record gets the position it had, or
/// the import ends with an error. What was imported before an error stays:
/// throw the target away.
pub async fn import<R: Read>(
    reader: &mut ArchiveReader<R>,
    store: &dyn EventStore,
) -> Result<Summary, ArchiveError> {
    if store.length().await? != 0 || reader.first().0 != 0 {
        return Err(ArchiveError::NotEmpty);
    }
    let mut under_way = VecDeque::with_capacity(IMPORT_WINDOW);
    while let Some(next) = reader.next_record()? {
        let ArchivedRecord {
            record,
            event_id,
            link,
        } = next;
        let expected = match record.revision.0.checked_sub(1) {
            None => Expected::NoStream,
            Some(last) => Expected::Revision(Revision(last)),
        };
        let new = vec![NewRecord {
            event_id,
            link,
            labels: Labels::of_record(&record.bytes),
            bytes: record.bytes,
        }];
        // Polled once, it stands in the engine's queue; so appends keep their order and share their
        // syncs. The runtime's budget would make some polls do nothing.
        let mut append = Box::pin(unconstrained(store.append(record.stream, expected, new)));
        match poll_fn(|context| Poll::Ready(append.as_mut().poll(context))).await {
            Poll::Ready(done) => settle(record.position, done)?,
            Poll::Pending => under_way.push_back((record.position, append)),
        }
        if under_way.len() >= IMPORT_WINDOW
            && let Some((position, append)) = under_way.pop_front()
        {
            settle(position, append.await)?;
        }
    }
    while let Some((position, append)) = under_way.pop_front() {
        settle(position, append.await)?;
    }
    reader.summary().ok_or(ArchiveError::Damaged {
        records: 0,
        reason: "it has no end",
    })
}

fn settle(
    position: Position,
    outcome: Result<crate::store::Appended, AppendError>,
) -> Result<(), ArchiveError> {
    let position = position.0;
    match outcome {
        Ok(done) if done.first.0 == position => Ok(()),
        Ok(done) => Err(ArchiveError::Moved {
            position,
            became: done.first.0,
        }),
        Err(error) => Err(ArchiveError::Append { position, error }),
    }
}
