use super::*;
use crate::conformance::read_everything;
use crate::memory::Memory;
use crate::open::{self, Options as LedgerOptions};
use crate::segments::{LogReader, Options, Segments};
use bytes::Bytes;
use domain::vocabulary::{KeyEnd, Role};
use std::sync::Arc;
use tempfile::TempDir;

/// A ledger as it is made: its own stream, the law's, and some staff.
async fn ledger() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open::init(&LedgerOptions::new(dir.path())).await.unwrap();
    for number in 0..40 {
        let who = ledger.enrol(Role::IntakeOfficer, None, None, vec![7], None);
        let who = who.await.unwrap();
        if number % 3 == 0 {
            ledger.revoke(who, KeyEnd::Lost).await.unwrap();
        }
    }
    dir
}

fn reader(dir: &TempDir) -> LogReader {
    LogReader::open(dir.path()).unwrap()
}

/// A store with the same records, one of them changed.
async fn with(records: &[StoredRecord], change: impl Fn(usize, &mut StoredRecord)) -> Memory {
    let memory = Memory::new();
    for (number, record) in records.iter().enumerate() {
        let mut record = record.clone();
        change(number, &mut record);
        let parsed = RecordRef::parse(&record.bytes);
        let new = NewRecord {
            event_id: EventId([number as u8 + 1; 16]),
            link: parsed.map_or(Digest::ZERO, |parsed| parsed.link()),
            bytes: record.bytes,
            labels: Labels::default(),
        };
        let head = memory.stream_head(record.stream).await.unwrap();
        let expected = head.map_or(Expected::NoStream, |head| Expected::Revision(head.revision));
        let appended = memory.append(record.stream, expected, vec![new]).await;
        appended.unwrap();
    }
    memory
}

fn on(_: Step) -> bool {
    true
}

#[tokio::test]
async fn a_ledger_moves_there_and_back_with_one_digest() {
    let dir = ledger().await;
    let source = reader(&dir);
    let records = read_everything(&source, 100).await;
    assert!(records.len() > 4 * PAGE, "more than one page");
    let memory = Memory::new();
    let there = copy(&source, &memory, &mut on).await.unwrap();
    assert_eq!((there.records, there.found), (records.len() as u64, 0));
    assert_eq!(read_everything(&memory, 7).await, records);

    let back = tempfile::tempdir().unwrap();
    Segments::create(back.path(), Options::default()).unwrap();
    let (target, _) = Segments::open(back.path(), Options::default()).unwrap();
    let home = copy(&memory, &target, &mut on).await.unwrap();
    assert_eq!(home.digest, there.digest);
    target.close();
    drop(target);
    assert_eq!(read_everything(&reader(&back), 100).await, records);
    // Nothing is left to do, and it is checked all the same.
    let again = copy(&source, &memory, &mut on).await.unwrap();
    assert_eq!((again.found, again.digest), (there.records, there.digest));
}

#[tokio::test]
async fn a_copy_that_is_stopped_goes_on_where_it_was() {
    let dir = ledger().await;
    let source = reader(&dir);
    let whole = copy(&source, &Memory::new(), &mut on).await.unwrap();
    let memory = Memory::new();
    let mut stops = 0;
    let copied = loop {
        let before = memory.length().await.unwrap();
        match copy(&source, &memory, &mut |step| {
            matches!(step, Step::Copied(done, _) if done <= before)
                || matches!(step, Step::ReadBack(..))
        })
        .await
        {
            Ok(copied) => break copied,
            Err(CopyError::Stopped { records }) => {
                assert_eq!(memory.length().await.unwrap(), records);
                assert!(records > before, "every run comes further");
                stops += 1;
            }
            Err(error) => panic!("{error}"),
        }
    };
    assert!(stops > 3);
    assert_eq!(copied.digest, whole.digest);
}

#[tokio::test]
async fn what_does_not_verify_is_not_copied() {
    let dir = ledger().await;
    let records = read_everything(&reader(&dir), 100).await;
    let last = records.len() - 1;
    for at in [0, 1, 20, last] {
        let length = records[at].bytes.len();
        // The first and last bytes are lengths and a signature; the middle is the envelope.
        for byte in [0, 4, length / 2, length - 1] {
            let forged = with(&records, |number, record| {
                if number == at {
                    let mut bytes = record.bytes.to_vec();
                    bytes[byte] ^= 1;
                    record.bytes = Bytes::from(bytes);
                }
            })
            .await;
            let target = Memory::new();
            let error = copy(&forged, &target, &mut on).await.unwrap_err();
            let CopyError::Invalid { position, .. } = error else {
                panic!("{at} {byte}: {error}")
            };
            assert_eq!(position, at as u64);
            assert!(target.length().await.unwrap() <= at as u64);
        }
    }
}

#[tokio::test]
async fn a_record_that_was_left_out_or_put_elsewhere_is_noticed() {
    let dir = ledger().await;
    let records = read_everything(&reader(&dir), 100).await;
    let last = records.last().unwrap().stream;
    // The one before the last of the last stream is gone: the last is not linked any more.
    let gone = records.iter().rposition(|r| r.stream == last).unwrap() - 1;
    let mut shorter = records.clone();
    shorter.remove(gone);
    let forged = with(&shorter, |_, _| {}).await;
    let error = copy(&forged, &Memory::new(), &mut on).await.unwrap_err();
    assert!(matches!(error, CopyError::Invalid { .. }), "{error}");
    // Two of one stream change places.
    let mut swapped = records.clone();
    swapped.swap(gone, gone + 1);
    let forged = with(&swapped, |_, _| {}).await;
    let error = copy(&forged, &Memory::new(), &mut on).await.unwrap_err();
    assert!(matches!(error, CopyError::Invalid { .. }), "{error}");
}

#[tokio::test]
async fn another_target_is_told_from_an_unfinished_one() {
    let (dir, other) = (ledger().await, ledger().await);
    let records = read_everything(&reader(&dir), 100).await;
    let target = with(&records[..20], |_, _| {}).await;
    let error = copy(&reader(&other), &target, &mut on).await.unwrap_err();
    assert_eq!(error, CopyError::Differ { position: 0 });
    let longer = with(&records, |_, _| {}).await;
    let shorter = with(&records[..20], |_, _| {}).await;
    let error = copy(&shorter, &longer, &mut on).await.unwrap_err();
    assert!(
        matches!(error, CopyError::Longer { target, source_length: 20 } if target == records.len() as u64)
    );
    let changed = with(&records[..20], |number, record| {
        if number == 19 {
            let mut bytes = record.bytes.to_vec();
            *bytes.last_mut().unwrap() ^= 1;
            record.bytes = Bytes::from(bytes);
        }
    })
    .await;
    let error = copy(&reader(&dir), &changed, &mut on).await.unwrap_err();
    assert_eq!(error, CopyError::Differ { position: 19 });
}

#[tokio::test]
async fn a_target_that_somebody_else_writes_to_is_noticed() {
    let dir = ledger().await;
    let source = Arc::new(reader(&dir));
    let target = Memory::new();
    let intruder = crate::conformance::record(1, 10);
    let mut interfere = Some(intruder);
    let error = copy(&*source, &target, &mut |_| {
        if let Some(record) = interfere.take() {
            let append = target.append(
                crate::conformance::stream(3),
                Expected::NoStream,
                vec![record],
            );
            futures_util::FutureExt::now_or_never(append)
                .unwrap()
                .unwrap();
        }
        true
    })
    .await
    .unwrap_err();
    assert!(matches!(error, CopyError::Moved { .. }), "{error}");
}
