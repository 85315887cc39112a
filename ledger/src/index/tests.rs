use super::*;
use crate::conformance::{read_everything, record, stream};
use crate::segments::{OpenReport, Options, Segments};
use crate::store::{EventStore, Expected};
use domain::ids::Revision;
use std::path::PathBuf;
use tempfile::TempDir;

const OPTIONS: Options = Options {
    segment_bytes: 64 * 1024,
    spare_ahead: false,
    index_on_disk: true,
};
const STREAMS: u64 = 50;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// Appends one record to each stream, `rounds` times.
fn grow(store: &Segments, rounds: u64) {
    block_on(async {
        for _ in 0..rounds {
            for n in 0..STREAMS {
                let head = store.stream_head(stream(n)).await.unwrap();
                let expected =
                    head.map_or(Expected::NoStream, |head| Expected::Revision(head.revision));
                let number = store.length().await.unwrap();
                store
                    .append(stream(n), expected, vec![record(number, 300)])
                    .await
                    .unwrap();
            }
        }
    });
}

/// A closed ledger of `STREAMS * rounds` events.
fn ledger(rounds: u64) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    Segments::create(dir.path(), OPTIONS).unwrap();
    grow(&Segments::open(dir.path(), OPTIONS).unwrap().0, rounds);
    dir
}

/// Opens, checks every stream against the log, and returns the report.
fn check(dir: &Path) -> OpenReport {
    let (store, report) = Segments::open(dir, OPTIONS).unwrap();
    block_on(async {
        let all = read_everything(&store, 500).await;
        for n in 0..STREAMS {
            let of_all: Vec<_> = all
                .iter()
                .filter(|record| record.stream == stream(n))
                .collect();
            let read = store
                .read_stream(stream(n), Revision(0), 1000)
                .await
                .unwrap();
            assert!(read.iter().eq(of_all), "stream {n}");
        }
    });
    grow(&store, 1);
    report
}

fn index(dir: &TempDir) -> PathBuf {
    dir.path().join("index")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).map(drop).unwrap();
        }
    }
}

#[test]
fn an_index_that_was_closed_is_used_as_it_is() {
    let dir = ledger(3);
    let report = check(dir.path());
    assert_eq!(report.index, IndexState::CaughtUp { records: 0 });
    assert!(report.clean);
}

#[test]
fn after_a_crash_only_what_is_missing_is_read() {
    let dir = ledger(2);
    let (store, _) = Segments::open(dir.path(), OPTIONS).unwrap();
    grow(&store, 1);
    store.crash();
    drop(store);
    assert_eq!(
        check(dir.path()).index,
        IndexState::CaughtUp { records: STREAMS }
    );
}

#[test]
fn a_missing_index_is_rebuilt() {
    let dir = ledger(3);
    fs::remove_dir_all(index(&dir)).unwrap();
    let reason = "there was none".to_owned();
    assert_eq!(check(dir.path()).index, IndexState::Rebuilt { reason });
    assert_eq!(check(dir.path()).index, IndexState::CaughtUp { records: 0 });
}

#[test]
fn a_stale_index_is_caught_up() {
    let dir = ledger(2);
    let old = tempfile::tempdir().unwrap();
    copy(&index(&dir), old.path());
    check(dir.path());
    fs::remove_dir_all(index(&dir)).unwrap();
    copy(old.path(), &index(&dir));
    assert_eq!(
        check(dir.path()).index,
        IndexState::CaughtUp { records: STREAMS }
    );
}

#[test]
fn an_index_ahead_of_the_log_is_rebuilt() {
    let (dir, longer) = (ledger(1), ledger(3));
    fs::remove_dir_all(index(&dir)).unwrap();
    copy(&index(&longer), &index(&dir));
    let IndexState::Rebuilt { reason } = check(dir.path()).index else {
        panic!("it is rebuilt")
    };
    assert!(reason.contains("ahead"), "{reason}");
}

#[test]
fn an_index_ahead_of_a_torn_log_says_that_the_log_is_damaged() {
    let dir = ledger(1);
    let longer = ledger(3);
    fs::remove_dir_all(index(&dir)).unwrap();
    copy(&index(&longer), &index(&dir));
    let path = dir
        .path()
        .join("log")
        .join(crate::segments::segment_name(0));
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[end + 9] = 1;
    let mark = end - 63;
    bytes[mark..=end].fill(0);
    fs::write(&path, &bytes).unwrap();
    for _ in 0..2 {
        let error = Segments::open(dir.path(), OPTIONS).map(drop).unwrap_err();
        assert!(
            matches!(
                error,
                StoreError::Corrupt {
                    position: STREAMS,
                    ..
                }
            ),
            "{error}"
        );
        assert_eq!(fs::read(&path).unwrap(), bytes, "nothing is repaired");
    }
}

#[test]
fn a_damaged_index_is_moved_aside_and_rebuilt() {
    for damage in 0..4 {
        let dir = ledger(3);
        let db = index(&dir).join("db");
        match damage {
            0 => fs::write(&db, vec![0xA5; 4096]).unwrap(),
            1 => {
                let bytes = fs::read(&db).unwrap();
                let bytes: Vec<u8> = bytes.iter().map(|byte| byte ^ 0x11).collect();
                fs::write(&db, bytes).unwrap();
            }
            2 => {
                fs::remove_dir_all(index(&dir)).unwrap();
                fs::write(index(&dir), "not a directory").unwrap();
            }
            _ => fs::write(index(&dir).with_extension("failed"), "said so").unwrap(),
        }
        let report = check(dir.path());
        let rebuilt = match report.index {
            IndexState::Rebuilt { .. } => true,
            // sled takes some garbage for an empty database.
            IndexState::CaughtUp { records } => records == report.length,
            IndexState::InMemory => false,
        };
        assert!(rebuilt, "{damage}: {report:?}");
        let report = check(dir.path());
        assert_eq!(
            report.index,
            IndexState::CaughtUp { records: 0 },
            "{damage}"
        );
    }
}

/// sled 0.34.7 takes a half-written snapshot for the newest one and refuses to open.
#[test]
fn a_snapshot_that_was_being_written_is_removed() {
    let dir = ledger(2);
    let half = index(&dir).join("snap.FFFFFFFFFFFFFF00.generating");
    fs::write(&half, b"half").unwrap();
    assert_eq!(check(dir.path()).index, IndexState::CaughtUp { records: 0 });
    assert!(!half.exists());
}

/// A row that leads to another stream's record is not believed, and the next start rebuilds.
#[test]
fn a_wrong_row_stops_the_append_and_the_next_start_rebuilds() {
    let dir = ledger(1);
    {
        let db = sled::open(index(&dir)).unwrap();
        db.insert(stream(7).key(), &3_u64.to_be_bytes()).unwrap();
        db.flush().unwrap();
    }
    let (store, _) = Segments::open(dir.path(), OPTIONS).unwrap();
    let head = block_on(store.stream_head(stream(7)));
    assert!(matches!(head, Err(StoreError::Stopped(_))), "{head:?}");
    let refused = block_on(store.append(stream(8), Expected::NoStream, vec![record(0, 1)]));
    assert!(refused.is_err(), "the whole index is in doubt");
    drop(store);
    assert!(matches!(
        check(dir.path()).index,
        IndexState::Rebuilt { .. }
    ));
}

#[test]
fn an_index_that_is_still_held_is_waited_for_and_is_not_damaged() {
    let dir = ledger(2);
    let held = sled::Config::new().path(index(&dir)).open().unwrap();
    let holder = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(100));
        drop(held);
    });
    assert_eq!(check(dir.path()).index, IndexState::CaughtUp { records: 0 });
    holder.join().unwrap();
}
