//! Directories as operators find them: locked, half made, of a newer format, read-only, with files
//! missing, and read while a server writes.

use super::*;
use crate::segments::frame::FORMAT_VERSION;
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn options() -> Options {
    Options {
        segment_bytes: 8192,
        ..Options::default()
    }
}

/// A real ledger with several segments, closed, and what is in it.
fn on_disk() -> (tempfile::TempDir, Vec<Bytes>) {
    let dir = tempfile::tempdir().unwrap();
    Segments::create(dir.path(), options()).unwrap();
    let (store, _) = Segments::open(dir.path(), options()).unwrap();
    let script = script(40);
    for step in &script {
        append(&store, step).unwrap();
    }
    (dir, bytes_of(&script))
}

fn reopen(dir: &Path) -> Result<(Segments, OpenReport), StoreError> {
    Segments::open(dir, options())
}

/// Every file below, with its bytes.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all: Vec<_> = fs::read_dir(log_dir(dir))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    all.sort();
    all
}

fn last_segment(dir: &Path) -> PathBuf {
    let all = scan::segment_files(&RealDisk, &log_dir(dir)).unwrap();
    log_dir(dir).join(segment_name(*all.last().unwrap()))
}

#[test]
fn a_second_writer_is_locked_out_and_a_reader_is_not() {
    let (dir, wanted) = on_disk();
    let (store, _) = reopen(dir.path()).unwrap();
    assert_eq!(reopen(dir.path()).map(drop), Err(StoreError::Locked));
    assert_eq!(
        Segments::create(dir.path(), options()),
        Err(StoreError::Locked)
    );
    let reader = LogReader::open(dir.path()).unwrap();
    assert_eq!(contents(&reader), wanted);
    drop(store);
    reopen(dir.path()).unwrap();
}

#[test]
fn what_is_not_a_ledger_is_said_to_be_none_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(
        reopen(dir.path()).map(drop),
        Err(StoreError::NotInitialised)
    );
    assert_eq!(
        reopen(&dir.path().join("missing")).map(drop),
        Err(StoreError::NotInitialised)
    );
    assert_eq!(
        LogReader::open(dir.path()).map(drop),
        Err(StoreError::NotInitialised)
    );
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        0,
        "nothing was made"
    );
    fs::create_dir(log_dir(dir.path())).unwrap();
    fs::write(log_dir(dir.path()).join("next.tmp"), [0; 100]).unwrap();
    let error = reopen(dir.path()).map(drop).unwrap_err();
    assert!(
        error.to_string().contains("not finished being made"),
        "{error}"
    );
    Segments::create(dir.path(), options()).unwrap();
    assert_eq!(reopen(dir.path()).unwrap().1.length, 0);
    let error = Segments::create(dir.path(), options()).unwrap_err();
    assert!(error.to_string().contains("already"), "{error}");
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let (dir, _) = on_disk();
    let path = last_segment(dir.path());
    let mut bytes = fs::read(&path).unwrap();
    bytes[8..12].copy_from_slice(&(FORMAT_VERSION + 1).to_le_bytes());
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&bytes[..12]);
    checksum.update(&bytes[16..64]);
    bytes[12..16].copy_from_slice(&checksum.finalize().to_le_bytes());
    fs::write(&path, &bytes).unwrap();
    let before = files(dir.path());
    let error = reopen(dir.path()).map(drop).unwrap_err();
    assert!(
        matches!(&error, StoreError::Unusable(why) if why.contains("newer")),
        "{error}"
    );
    assert_eq!(files(dir.path()), before);
}

#[test]
fn a_read_only_directory_can_be_read_and_is_not_changed() {
    let (dir, wanted) = on_disk();
    let before = files(dir.path());
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    for path in before
        .iter()
        .map(|(path, _)| path.clone())
        .chain([dir.path().join("lock")])
    {
        mode(&path, 0o444).unwrap();
    }
    for path in [log_dir(dir.path()), dir.path().to_owned()] {
        mode(&path, 0o555).unwrap();
    }
    let reader = LogReader::open(dir.path()).unwrap();
    assert_eq!(contents(&reader), wanted);
    // The superuser may write everywhere; everybody else is told.
    if fs::OpenOptions::new()
        .write(true)
        .open(dir.path().join("lock"))
        .is_err()
    {
        let refused = reopen(dir.path()).map(drop);
        assert!(matches!(refused, Err(StoreError::Io { .. })), "{refused:?}");
    }
    for path in [dir.path().to_owned(), log_dir(dir.path())] {
        mode(&path, 0o755).unwrap();
    }
    assert_eq!(files(dir.path()), before);
}

#[test]
fn a_missing_or_shortened_sealed_segment_is_corruption_and_nothing_is_changed() {
    let (dir, wanted) = on_disk();
    let all = scan::segment_files(&RealDisk, &log_dir(dir.path())).unwrap();
    assert!(all.len() >= 4);
    for (at, first) in all.iter().enumerate().take(all.len() - 1) {
        let path = log_dir(dir.path()).join(segment_name(*first));
        let whole = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let before = files(dir.path());
        for outcome in [reopen(dir.path()).map(drop), verify(dir.path())] {
            let missing = matches!(&outcome, Err(StoreError::Corrupt { position, .. })
                if *position <= *first || at == 0);
            assert!(missing, "{outcome:?}");
        }
        // A table of offsets made again is derived and may differ.
        let segments = |all: Vec<(PathBuf, Vec<u8>)>| -> Vec<_> {
            all.into_iter()
                .filter(|(path, _)| path.extension().unwrap() == "seg")
                .collect()
        };
        assert_eq!(segments(files(dir.path())), segments(before));
        fs::write(&path, &whole[..5000]).unwrap();
        for outcome in [reopen(dir.path()).map(drop), verify(dir.path())] {
            assert!(
                matches!(outcome, Err(StoreError::Corrupt { .. })),
                "{outcome:?}"
            );
        }
        fs::write(&path, &whole).unwrap();
    }
    let (store, _) = reopen(dir.path()).unwrap();
    assert_eq!(contents(&store), wanted);
}

fn verify(dir: &Path) -> Result<(), StoreError> {
    let mut scan = LogReader::open(dir)?.scan(Position(0))?;
    while scan.next_record()?.is_some() {}
    Ok(())
}

#[test]
fn a_segment_of_another_ledger_is_noticed() {
    let (dir, _) = on_disk();
    let other = tempfile::tempdir().unwrap();
    Segments::create(other.path(), options()).unwrap();
    let (store, _) = Segments::open(other.path(), options()).unwrap();
    for (name, records) in &script(40) {
        let records: Vec<_> = records
            .iter()
            .map(|new| NewRecord {
                event_id: EventId([9; 16]),
                ..new.clone()
            })
            .collect();
        append(&store, &(*name, records)).unwrap();
    }
    drop(store);
    let all = scan::segment_files(&RealDisk, &log_dir(dir.path())).unwrap();
    let name = segment_name(all[1]);
    fs::copy(
        log_dir(other.path()).join(&name),
        log_dir(dir.path()).join(&name),
    )
    .unwrap();
    let outcome = verify(dir.path());
    assert!(
        matches!(&outcome, Err(StoreError::Corrupt { position, .. }) if *position == all[1]),
        "{outcome:?}"
    );
}

#[test]
fn offsets_that_are_missing_or_wrong_are_made_again() {
    let (dir, wanted) = on_disk();
    let tables: Vec<_> = files(dir.path())
        .into_iter()
        .filter(|(path, _)| path.extension().unwrap() == "off")
        .collect();
    assert!(tables.len() >= 3);
    for damage in 0..4 {
        for (path, bytes) in &tables {
            let mut bytes = bytes.clone();
            match damage {
                0 => fs::remove_file(path).unwrap(),
                1 => fs::write(path, &bytes[..bytes.len() - 3]).unwrap(),
                2 => {
                    bytes[32..].iter_mut().for_each(|byte| *byte ^= 0x10);
                    fs::write(path, &bytes).unwrap();
                }
                _ => {
                    bytes[32..].reverse();
                    fs::write(path, &bytes).unwrap();
                }
            }
        }
        let reader = LogReader::open(dir.path()).unwrap();
        assert_eq!(contents(&reader), wanted, "a reader does without");
        let (store, _) = reopen(dir.path()).unwrap();
        assert_eq!(contents(&store), wanted);
        for n in 0..5 {
            block_on(store.read_stream(stream(n), Revision(0), 100)).unwrap();
        }
        drop(store);
        let now = files(dir.path());
        for table in &tables {
            assert!(now.contains(table), "damage {damage}: made again as it was");
        }
    }
}

#[test]
fn a_reader_beside_a_writer_sees_whole_appends_in_order() {
    let dir = tempfile::tempdir().unwrap();
    Segments::create(dir.path(), options()).unwrap();
    let (store, _) = Segments::open(dir.path(), options()).unwrap();
    let reader = LogReader::open(dir.path()).unwrap();
    let script = script(60);
    for (number, step) in script.iter().enumerate() {
        append(&store, step).unwrap();
        if number % 7 == 0 {
            let wanted = bytes_of(&script[..=number]);
            assert_eq!(reader.refresh(), Ok(wanted.len() as u64));
            assert_eq!(contents(&reader), wanted);
            for n in 0..5 {
                let ours = block_on(store.read_stream(stream(n), Revision(0), 500));
                assert_eq!(
                    block_on(reader.read_stream(stream(n), Revision(0), 500)),
                    ours
                );
            }
        }
    }
    let refused = block_on(reader.append(stream(0), Expected::NoStream, vec![record(0, 1)]));
    assert!(matches!(
        refused,
        Err(AppendError::Failed(StoreError::Unusable(_)))
    ));
    let waits = block_on(async {
        let seen = reader.length().await.unwrap();
        let append = store.append(stream(77), Expected::NoStream, vec![record(0, 1)]);
        let (waited, appended) = tokio::join!(reader.wait_beyond(seen), append);
        (waited, appended.map(|done| done.last.0 + 1))
    });
    assert_eq!(waits.0.ok(), waits.1.ok());
}

#[test]
fn sizes_add_up_to_the_files() {
    let (dir, wanted) = on_disk();
    let mut scan = LogReader::open(dir.path())
        .unwrap()
        .scan(Position(0))
        .unwrap();
    while scan.next_record().unwrap().is_some() {}
    let sizes = scan.sizes();
    let segments = files(dir.path())
        .into_iter()
        .filter(|(path, _)| path.extension().unwrap() == "seg");
    let on_disk: u64 = segments.map(|(_, bytes)| bytes.len() as u64).sum();
    assert_eq!(
        sizes.record_bytes,
        wanted.iter().map(|bytes| bytes.len() as u64).sum::<u64>()
    );
    let parts = [
        sizes.record_bytes,
        sizes.frame_bytes,
        sizes.segment_bytes,
        sizes.unused_bytes,
    ];
    assert_eq!(parts.iter().sum::<u64>(), on_disk);
    assert_eq!(sizes.records, wanted.len() as u64);
    assert!(sizes.frame_bytes <= 120 * sizes.records);
}
