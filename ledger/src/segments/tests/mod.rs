//! The engine against a disk that fails, forgets and lies.

mod bits;
mod crashes;
mod directory;
mod model;

use super::frame::{MARK_BYTES, SEGMENT_HEADER_BYTES, frame_bytes};
use super::*;
use crate::conformance::{read_everything, record, stream};
use crate::disk::Disk;
use crate::faulty::{Fault, Keep, SimDisk};
use std::future::Future;

const SMALL: Options = Options {
    segment_bytes: 8192,
    spare_ahead: false,
    index_on_disk: false,
};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

fn dir() -> &'static Path {
    Path::new("/ledger")
}

fn open(disk: &SimDisk) -> Result<(Segments, OpenReport), StoreError> {
    Segments::open_on(Arc::new(disk.clone()), dir(), SMALL)
}

fn create(disk: &SimDisk) -> Result<(), StoreError> {
    Segments::create_on(&(Arc::new(disk.clone()) as Arc<dyn Disk>), dir(), SMALL)
}

fn fresh() -> (SimDisk, Segments) {
    let disk = SimDisk::new();
    create(&disk).unwrap();
    let (store, report) = open(&disk).unwrap();
    assert_eq!(report.length, 0);
    (disk, store)
}

/// Bytes that a small segment has for the frames of one append.
const ROOM: usize = SMALL.segment_bytes as usize - SEGMENT_HEADER_BYTES - MARK_BYTES;

/// Bytes of the frames of an append.
fn frames_of(records: &[NewRecord]) -> usize {
    records.iter().map(|new| frame_bytes(new.bytes.len())).sum()
}

fn too_large() -> AppendError {
    AppendError::Failed(StoreError::Limit { what: "append" })
}

#[test]
fn an_append_that_fills_a_segment_is_taken_and_a_larger_one_changes_nothing() {
    let (disk, store) = fresh();
    let five = |last: usize| -> Vec<_> {
        (0..5)
            .map(|id| record(id, if id == 4 { last } else { 1600 }))
            .collect()
    };
    let longest = (0..1900)
        .rev()
        .find(|&last| frames_of(&five(last)) <= ROOM)
        .unwrap();
    let (exact, over) = (five(longest), five(longest + 1));
    assert!(frames_of(&over) > ROOM);
    let refused = block_on(store.append(stream(1), Expected::NoStream, over));
    assert_eq!(refused, Err(too_large()));
    assert_eq!(block_on(store.stream_head(stream(1))), Ok(None));
    let taken = block_on(store.append(stream(1), Expected::NoStream, exact)).unwrap();
    assert_eq!(taken.last, Position(4));
    drop(store);
    let (store, _) = open(&disk).unwrap();
    assert_eq!(block_on(read_everything(&store, 10)).len(), 5);
}

fn segment_path(first: u64) -> PathBuf {
    log_dir(dir()).join(segment_name(first))
}

/// Numbers of the records that an append of a script brings: `(stream, records)`.
type Script = Vec<(u64, Vec<NewRecord>)>;

/// Appends to a few streams, of one to four records of all sizes, enough for several segments.
fn script(appends: u64) -> Script {
    let mut number = 0;
    let sizes = [0, 1, 7, 300, 55, 512, 1400, 20];
    (0..appends)
        .map(|at| {
            let records = (0..=at * at % 4)
                .map(|_| {
                    number += 1;
                    record(number, sizes[number as usize % sizes.len()])
                })
                .collect();
            (at * 3 % 5, records)
        })
        .collect()
}

/// Appends to a stream wherever it is.
fn append(
    store: &Segments,
    (name, records): &(u64, Vec<NewRecord>),
) -> Result<Appended, AppendError> {
    block_on(async {
        let head = store
            .stream_head(stream(*name))
            .await
            .map_err(AppendError::Failed)?;
        let expected = head.map_or(Expected::NoStream, |head| Expected::Revision(head.revision));
        store.append(stream(*name), expected, records.clone()).await
    })
}

/// The bytes of all records, in order.
fn contents(store: &dyn EventStore) -> Vec<Bytes> {
    block_on(read_everything(store, 100))
        .into_iter()
        .map(|record| record.bytes)
        .collect()
}

fn bytes_of(appends: &[(u64, Vec<NewRecord>)]) -> Vec<Bytes> {
    appends
        .iter()
        .flat_map(|(_, records)| records)
        .map(|record| record.bytes.clone())
        .collect()
}

/// Reads the log on disk and everything the store shows, and compares.
fn check(disk: &SimDisk, store: &Segments) -> ScanEnd {
    let shown = block_on(read_everything(store, 1000));
    let mut scan = Scanner::new(Arc::new(disk.clone()), log_dir(dir()), Position(0)).unwrap();
    let mut heads = std::collections::HashMap::new();
    for record in &shown {
        let scanned = scan.next_record().unwrap().expect("as many as are shown");
        assert_eq!(scanned.record, *record);
        let before = heads.insert(record.stream, record.position);
        assert_eq!(scanned.previous, before, "links lead to the record before");
    }
    assert_eq!(scan.next_record(), Ok(None));
    for (stream, position) in heads {
        let head = block_on(store.stream_head(stream)).unwrap().unwrap();
        assert_eq!(head.position, position);
        let read = block_on(store.read_stream(stream, Revision(0), 1000)).unwrap();
        assert!(
            read.iter()
                .eq(shown.iter().filter(|record| record.stream == stream))
        );
    }
    scan.end().expect("the scan has ended").clone()
}

use bytes::Bytes;
