//! The suite that every engine must pass.
//!
//! Owns what the port's words mean, as code. It knows no engine: it is given a [`Fixture`]. It
//! panics where an engine is wrong, so it belongs into tests only (feature `testing`).
#![allow(
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "it is test code"
)]

use crate::store::{
    APPEND_EVENTS_MAX, AppendError, Appended, EventStore, Expected, Labels, NewRecord,
    PAGE_RECORDS_MAX, StoreError, StoredRecord, StreamHead,
};
use bytes::Bytes;
use domain::ids::{Category, Digest, Digest16, EventId, Position, Revision, StreamId};
use std::sync::Arc;

/// Makes the stores to be tested.
pub trait Fixture {
    /// A new, empty store.
    fn fresh(&mut self) -> Arc<dyn EventStore>;
    /// Closes the store, which nobody else holds, and opens it again; `None`: it keeps nothing.
    fn reopen(&mut self, store: Arc<dyn EventStore>) -> Option<Arc<dyn EventStore>>;
}

/// Runs the whole suite.
pub async fn all(fixture: &mut dyn Fixture) {
    empty(&*fixture.fresh()).await;
    expected_revisions(&*fixture.fresh()).await;
    several_at_once(&*fixture.fresh()).await;
    asking_again(&*fixture.fresh()).await;
    limits(&*fixture.fresh()).await;
    paging(&*fixture.fresh()).await;
    big_records(&*fixture.fresh()).await;
    concurrent_streams(fixture.fresh()).await;
    concurrent_rivals(fixture.fresh()).await;
    waiting(fixture.fresh()).await;
    let store = fixture.fresh();
    reopening(fixture, store).await;
}

/// The `n`-th stream of the suite.
pub fn stream(n: u64) -> StreamId {
    let mut id = [7; 16];
    id[..8].copy_from_slice(&n.to_be_bytes());
    let (category, _) = Category::ALL[n as usize % Category::ALL.len()];
    StreamId {
        category,
        id: Digest16(id),
    }
}

/// A record made from a number, about `size` bytes long.
pub fn record(n: u64, size: usize) -> NewRecord {
    let mut id = [1; 16];
    id[..8].copy_from_slice(&n.to_be_bytes());
    let mut link = [2; 32];
    link[..8].copy_from_slice(&n.to_be_bytes());
    let bytes: Vec<u8> = (0..size as u64)
        .map(|at| (n.wrapping_mul(31) + at) as u8)
        .collect();
    NewRecord {
        event_id: EventId(id),
        link: Digest(link),
        bytes: Bytes::from(bytes),
        labels: Labels::default(),
    }
}

/// Reads the whole ledger in pages, checking that positions have no gaps.
pub async fn read_everything(store: &dyn EventStore, page: usize) -> Vec<StoredRecord> {
    let mut all = Vec::new();
    loop {
        let from = Position(all.len() as u64);
        let next = store.read_all(from, page).await.expect("reading works");
        if next.is_empty() {
            return all;
        }
        assert!(
            next.len() <= page,
            "a page of {page} has {} records",
            next.len()
        );
        all.extend(next);
        let gap = all
            .iter()
            .zip(0..)
            .find(|(record, at)| record.position.0 != *at);
        assert_eq!(gap, None, "positions are contiguous");
    }
}

/// Reads a whole stream in pages, checking that revisions have no gaps.
pub async fn read_whole_stream(
    store: &dyn EventStore,
    stream: StreamId,
    page: usize,
) -> Vec<StoredRecord> {
    let mut all = Vec::new();
    loop {
        let from = Revision(all.len() as u64);
        let next = store
            .read_stream(stream, from, page)
            .await
            .expect("reading works");
        if next.is_empty() {
            return all;
        }
        assert!(
            next.len() <= page,
            "a page of {page} has {} records",
            next.len()
        );
        all.extend(next);
        let gap = all
            .iter()
            .zip(0..)
            .find(|(record, at)| record.revision.0 != *at);
        assert_eq!(gap, None, "revisions are contiguous");
        assert!(
            all.iter().all(|record| record.stream == stream),
            "of this stream only"
        );
    }
}

async fn append(
    store: &dyn EventStore,
    stream: StreamId,
    expected: Expected,
    records: Vec<NewRecord>,
) -> Appended {
    store
        .append(stream, expected, records)
        .await
        .expect("the append succeeds")
}

async fn empty(store: &dyn EventStore) {
    assert_eq!(store.length().await, Ok(0));
    assert_eq!(store.stream_head(stream(1)).await, Ok(None));
    assert_eq!(
        store.read_stream(stream(1), Revision(0), 10).await,
        Ok(Vec::new())
    );
    assert_eq!(store.read_all(Position(0), 10).await, Ok(Vec::new()));
    assert_eq!(store.read_all(Position(u64::MAX), 10).await, Ok(Vec::new()));
}

async fn expected_revisions(store: &dyn EventStore) {
    let (a, b) = (stream(1), stream(2));
    let conflict = |stream, expected, current| {
        Err(AppendError::Conflict {
            stream,
            expected,
            current,
        })
    };
    for expected in [
        Expected::Revision(Revision(0)),
        Expected::Revision(Revision(u64::MAX)),
    ] {
        let refused = store.append(a, expected, vec![record(0, 50)]).await;
        assert_eq!(refused, conflict(a, expected, None));
    }
    let first = append(store, a, Expected::NoStream, vec![record(1, 50)]).await;
    assert_eq!(
        first,
        Appended {
            first: Position(0),
            last: Position(0),
            revision: Revision(0)
        }
    );
    let wrong = [Expected::NoStream, Expected::Revision(Revision(1))];
    for expected in wrong {
        let refused = store.append(a, expected, vec![record(2, 50)]).await;
        assert_eq!(refused, conflict(a, expected, Some(Revision(0))));
    }
    append(store, b, Expected::NoStream, vec![record(3, 60)]).await;
    let second = append(
        store,
        a,
        Expected::Revision(Revision(0)),
        vec![record(4, 70)],
    )
    .await;
    assert_eq!(second.revision, Revision(1));
    assert!(second.first > first.last);
    let head = StreamHead {
        revision: Revision(1),
        position: second.last,
        link: record(4, 0).link,
    };
    assert_eq!(store.stream_head(a).await, Ok(Some(head)));
    assert_eq!(store.length().await, Ok(3), "refused appends leave nothing");
    assert_eq!(read_everything(store, 10).await.len(), 3);
    let same_id = StreamId {
        category: Category::Ledger,
        id: a.id,
    };
    assert_eq!(
        store.stream_head(same_id).await,
        Ok(None),
        "the category is part of the name"
    );
}

async fn several_at_once(store: &dyn EventStore) {
    let a = stream(5);
    let many: Vec<_> = (0..APPEND_EVENTS_MAX as u64)
        .map(|n| record(n, n as usize))
        .collect();
    let done = append(store, a, Expected::NoStream, many.clone()).await;
    assert_eq!(done.revision, Revision(many.len() as u64 - 1));
    let read = read_whole_stream(store, a, 7).await;
    assert_eq!(read.len(), many.len());
    for (stored, new) in read.iter().zip(&many) {
        assert_eq!(stored.bytes, new.bytes, "bytes come back as they were");
    }
    assert_eq!(read_everything(store, 13).await, read);
}

async fn asking_again(store: &dyn EventStore) {
    let a = stream(9);
    let first = vec![record(1, 40), record(2, 41)];
    let then = vec![record(3, 42)];
    let done = append(store, a, Expected::NoStream, first.clone()).await;
    assert_eq!(
        append(store, a, Expected::NoStream, first.clone()).await,
        done
    );
    let after = Expected::Revision(done.revision);
    let done_then = append(store, a, after, then.clone()).await;
    append(store, stream(10), Expected::NoStream, vec![record(4, 43)]).await;
    assert_eq!(
        append(store, a, Expected::NoStream, first.clone()).await,
        done,
        "still, later on"
    );
    assert_eq!(append(store, a, after, then).await, done_then);
    let other = [
        (Expected::NoStream, vec![record(1, 40)], true),
        (
            Expected::NoStream,
            vec![record(2, 41), record(1, 40)],
            false,
        ),
        (
            Expected::NoStream,
            vec![record(1, 40), record(5, 40)],
            false,
        ),
        (Expected::Revision(Revision(0)), first.clone(), false),
        (after, vec![record(3, 42), record(6, 1)], false),
        (Expected::Revision(Revision(7)), vec![record(3, 42)], false),
    ];
    for (expected, records, same) in other {
        let answer = store.append(a, expected, records).await;
        match answer {
            Ok(found) => assert!(same && found.revision == Revision(0), "{expected:?}"),
            Err(AppendError::Conflict { current, .. }) => {
                assert!(!same && current == Some(Revision(2)), "{expected:?}");
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(store.length().await, Ok(4), "asking again writes nothing");
}

async fn limits(store: &dyn EventStore) {
    let max = APPEND_EVENTS_MAX as u64;
    let too_many = (0..=max).map(|n| record(n, 10)).collect();
    let too_big = vec![record(0, domain::record::RECORD_BYTES_MAX + 1)];
    for records in [Vec::new(), too_many, too_big] {
        let refused = store.append(stream(1), Expected::NoStream, records).await;
        let limit = matches!(refused, Err(AppendError::Failed(StoreError::Limit { .. })));
        assert!(limit, "{refused:?}");
    }
    assert_eq!(store.length().await, Ok(0));
}

async fn paging(store: &dyn EventStore) {
    let mut revisions = [0_u64; 7];
    for n in 0..500_u64 {
        let which = (n * n % 7) as usize;
        let expected = match revisions[which] {
            0 => Expected::NoStream,
            next => Expected::Revision(Revision(next - 1)),
        };
        append(
            store,
            stream(which as u64),
            expected,
            vec![record(n, (n % 90) as usize)],
        )
        .await;
        revisions[which] += 1;
    }
    let all = read_everything(store, PAGE_RECORDS_MAX).await;
    assert_eq!(all.len(), 500);
    for page in [1, 2, 99, 500, PAGE_RECORDS_MAX] {
        assert_eq!(read_everything(store, page).await, all, "pages of {page}");
    }
    let middle = store
        .read_all(Position(321), 3)
        .await
        .expect("reading works");
    assert_eq!(middle, all[321..324]);
    assert_eq!(store.read_all(Position(500), 3).await, Ok(Vec::new()));
    assert_eq!(store.read_all(Position(3), 0).await, Ok(Vec::new()));
    for (which, count) in revisions.iter().enumerate() {
        let name = stream(which as u64);
        let of_all: Vec<_> = all
            .iter()
            .filter(|record| record.stream == name)
            .cloned()
            .collect();
        assert_eq!(of_all.len() as u64, *count);
        for page in [1, 10, PAGE_RECORDS_MAX] {
            assert_eq!(read_whole_stream(store, name, page).await, of_all);
        }
        let beyond = store.read_stream(name, Revision(*count), 5).await;
        assert_eq!(beyond, Ok(Vec::new()));
    }
}

/// Pages are bounded in bytes, yet never empty before the end.
async fn big_records(store: &dyn EventStore) {
    let a = stream(3);
    let mut expected = Expected::NoStream;
    for n in 0..40 {
        let done = append(store, a, expected, vec![record(n, 150_000)]).await;
        expected = Expected::Revision(done.revision);
    }
    let all = read_everything(store, PAGE_RECORDS_MAX).await;
    assert_eq!(all.len(), 40);
    assert!(
        all.iter()
            .zip(0..)
            .all(|(stored, n)| stored.bytes == record(n, 150_000).bytes)
    );
    assert_eq!(read_whole_stream(store, a, PAGE_RECORDS_MAX).await, all);
}

/// Writers of different streams never get in each other's way.
async fn concurrent_streams(store: Arc<dyn EventStore>) {
    let (writers, each) = (32_u64, 20_u64);
    let mut tasks = Vec::new();
    for writer in 0..writers {
        let store = Arc::clone(&store);
        tasks.push(tokio::spawn(async move {
            let mut expected = Expected::NoStream;
            for n in 0..each {
                let new = vec![record(writer * 1000 + n, 100)];
                let done = append(&*store, stream(writer), expected, new).await;
                assert_eq!(done.revision, Revision(n));
                expected = Expected::Revision(done.revision);
                let seen = store.length().await.expect("reading works");
                assert!(seen > done.last.0, "what is answered is there");
            }
        }));
    }
    for task in tasks {
        task.await.expect("no writer meets a conflict");
    }
    assert_eq!(
        read_everything(&*store, 100).await.len() as u64,
        writers * each
    );
    for writer in 0..writers {
        let read = read_whole_stream(&*store, stream(writer), 100).await;
        let wanted = (0..each).map(|n| record(writer * 1000 + n, 100).bytes);
        assert!(read.iter().map(|stored| stored.bytes.clone()).eq(wanted));
    }
}

/// Of writers of one stream that expect the same, one succeeds; the others meet a conflict, but
/// for those who append the same events.
async fn concurrent_rivals(store: Arc<dyn EventStore>) {
    let ask = |n: u64| {
        let store = Arc::clone(&store);
        let new = vec![record(n, 80)];
        tokio::spawn(async move { store.append(stream(0), Expected::NoStream, new).await })
    };
    let mut tasks = Vec::new();
    for n in 0..16 {
        tasks.push((n, ask(n)));
        tasks.push((n, ask(n)));
    }
    let mut winners = Vec::new();
    for (n, task) in tasks {
        match task.await.expect("no panic") {
            Ok(done) => winners.push((n, done)),
            Err(AppendError::Conflict { current, .. }) => assert_eq!(current, Some(Revision(0))),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(
        winners.len(),
        2,
        "one, and the one who asked for the same: {winners:?}"
    );
    assert_eq!(winners[0], winners[1]);
    assert_eq!(store.length().await, Ok(1));
}

async fn waiting(store: Arc<dyn EventStore>) {
    let follower = {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut seen = 0;
            while seen < 50 {
                let length = store.wait_beyond(seen).await.expect("the store goes on");
                assert!(length > seen);
                let page = store
                    .read_all(Position(seen), 100)
                    .await
                    .expect("reading works");
                assert!(
                    page.len() as u64 >= length - seen,
                    "what is announced is there"
                );
                seen += page.len() as u64;
            }
        })
    };
    for n in 0..50 {
        append(&*store, stream(n), Expected::NoStream, vec![record(n, 30)]).await;
    }
    follower.await.expect("the follower has seen everything");
    assert_eq!(
        store.wait_beyond(10).await,
        Ok(50),
        "it answers at once when it can"
    );
}

async fn reopening(fixture: &mut dyn Fixture, mut store: Arc<dyn EventStore>) {
    let mut before = Vec::new();
    for round in 0..4_u64 {
        for n in 0..25_u64 {
            let expected = match round {
                0 => Expected::NoStream,
                _ => Expected::Revision(Revision(2 * round - 1)),
            };
            let new = vec![
                record(round * 100 + n, 200),
                record(round * 100 + 50 + n, 10),
            ];
            append(&*store, stream(n), expected, new).await;
        }
        let all = read_everything(&*store, 64).await;
        assert!(all.starts_with(&before));
        before = all;
        match fixture.reopen(store) {
            Some(again) => store = again,
            None => return,
        }
        assert_eq!(store.length().await, Ok(before.len() as u64));
        assert_eq!(read_everything(&*store, 64).await, before);
        let head = store.stream_head(stream(24)).await.expect("reading works");
        let head = head.expect("the stream is still there");
        assert_eq!(head.revision, Revision(2 * round + 1));
        assert_eq!(head.link, record(round * 100 + 74, 0).link);
        let again = vec![record(24, 200), record(74, 10)];
        let found = append(&*store, stream(24), Expected::NoStream, again).await;
        assert_eq!(
            found.revision,
            Revision(1),
            "asking again works after a restart too"
        );
    }
}

#[cfg(test)]
mod tests;
