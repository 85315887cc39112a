//! Flipped bits and cut tails, byte by byte.

use super::*;

type File = (PathBuf, Vec<u8>);

/// A log with a sealed segment and a last one, and its files.
fn small_log(clean: bool) -> (SimDisk, Vec<File>, Vec<Bytes>) {
    let (disk, store) = fresh();
    let mut script = script(40);
    let sealed = |disk: &SimDisk| scan::segment_files(disk, &log_dir(dir())).unwrap().len() > 1;
    let mut left = 4_usize;
    script.retain(|step| {
        left = left.saturating_sub(usize::from(sealed(&disk)));
        left > 0 && append(&store, step).is_ok()
    });
    if clean {
        store.close();
    } else {
        store.crash();
    }
    let files: Vec<_> = scan::segment_files(&disk, &log_dir(dir()))
        .unwrap()
        .into_iter()
        .map(|first| {
            (
                segment_path(first),
                disk.bytes(&segment_path(first)).unwrap(),
            )
        })
        .collect();
    assert_eq!(files.len(), 2, "one sealed and one open segment");
    (disk.restart(Keep::All), files, bytes_of(&script))
}

/// Which record each byte belongs to: `(offset, length, position, batch)` of every frame.
fn frames(disk: &SimDisk, first: u64) -> Vec<(u64, u64, u64, u64)> {
    let mut walk = scan::open_walk(disk, &log_dir(dir()), first, first != 0, true).unwrap();
    let mut all = Vec::new();
    while let Some(frame) = walk.next_frame().unwrap() {
        let header = frame.header;
        let length = header.frame_bytes() as u64;
        all.push((
            frame.offset,
            length,
            header.position,
            u64::from(header.batch),
        ));
    }
    all
}

fn scan_all(disk: &SimDisk) -> Result<ScanEnd, StoreError> {
    let mut scan = Scanner::new(Arc::new(disk.clone()), log_dir(dir()), Position(0))?;
    while scan.next_record()?.is_some() {}
    Ok(scan.end().unwrap().clone())
}

fn first_of(path: &Path) -> u64 {
    path.file_stem().unwrap().to_str().unwrap().parse().unwrap()
}

/// Calls `check` with every file's every byte changed in one bit.
fn every_flip(disk: &SimDisk, files: &[(PathBuf, Vec<u8>)], mut check: impl FnMut(&Path, u64)) {
    for (path, bytes) in files {
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            disk.set_bytes(path, &flipped);
            check(path, at as u64);
        }
        disk.set_bytes(path, bytes);
    }
}

#[test]
fn a_flipped_bit_anywhere_is_found_with_its_position() {
    for clean in [true, false] {
        let (disk, files, _) = small_log(clean);
        let frames: Vec<_> = files
            .iter()
            .map(|(path, _)| (first_of(path), frames(&disk, first_of(path))))
            .collect();
        every_flip(&disk, &files, |path, at| {
            let first = first_of(path);
            let (_, inside) = frames.iter().find(|(known, _)| *known == first).unwrap();
            let hit = inside
                .iter()
                .find(|(offset, length, ..)| (*offset..offset + length).contains(&at));
            match (scan_all(&disk), hit) {
                (
                    Err(StoreError::Corrupt {
                        position, place, ..
                    }),
                    Some((offset, _, hit, _)),
                ) => {
                    assert_eq!(position, *hit, "byte {at} of {path:?}");
                    assert_eq!(place, format!("{}:{offset}", segment_name(first)));
                }
                (Err(StoreError::Corrupt { .. }), None) => {}
                // Not even a scan can tell a damaged end of the last write from a torn one.
                (
                    Ok(ScanEnd {
                        torn: Some(torn), ..
                    }),
                    hit,
                ) => {
                    assert!(
                        first > 0 && !clean || hit.is_none(),
                        "byte {at} of {path:?}: {torn:?}"
                    );
                    assert!(hit.is_none_or(|(.., batch)| *batch == inside.last().unwrap().3));
                }
                (other, _) => panic!("byte {at} of {path:?}: {other:?}"),
            }
        });
    }
}

#[test]
fn a_flipped_bit_never_makes_opening_lose_a_record() {
    for clean in [true, false] {
        let (disk, files, wanted) = small_log(clean);
        let last = frames(&disk, first_of(&files[1].0)).last().unwrap().3;
        let (mut refused, mut cut) = (0, 0);
        every_flip(&disk, &files, |path, at| {
            // Each attempt works on its own disk, since opening may cut.
            let copy = disk.copy();
            match open(&copy) {
                Err(StoreError::Corrupt { .. }) => refused += 1,
                Err(error) => panic!("byte {at} of {path:?}: {error}"),
                Ok((store, report)) => {
                    let found = contents_or_error(&store);
                    match found {
                        // A sealed segment is not read through when a log is opened.
                        Err(StoreError::Corrupt { .. }) => assert!(first_of(path) == 0),
                        Err(error) => panic!("{error}"),
                        Ok(found) if found == wanted => {}
                        Ok(found) => {
                            assert!(wanted.starts_with(&found) && report.cut.is_some());
                            assert!(!clean && at >= last, "byte {at} of {path:?}: {report:?}");
                            cut += 1;
                        }
                    }
                }
            }
        });
        assert!(refused > 1000);
        assert!(
            cut < 20,
            "{cut} flips in the last write were taken for a torn tail"
        );
    }
}

fn contents_or_error(store: &Segments) -> Result<Vec<Bytes>, StoreError> {
    block_on(async {
        let mut all = Vec::new();
        loop {
            let page = store.read_all(Position(all.len() as u64), 1000).await?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page.into_iter().map(|record| record.bytes));
        }
    })
}

#[test]
fn a_tail_cut_at_any_byte_is_cut_at_the_append_before_and_reported() {
    let (disk, store) = fresh();
    let script = script(4);
    for step in &script[..3] {
        append(&store, step).unwrap();
    }
    let before = bytes_of(&script[..3]);
    let start = check(&disk, &store).offset as usize;
    append(&store, &script[3]).unwrap();
    let end = check(&disk, &store).offset as usize;
    store.crash();
    let path = segment_path(0);
    let whole = disk.bytes(&path).unwrap();
    for at in start..end {
        for shorter in [false, true] {
            let mut cut = whole[..at].to_vec();
            if !shorter {
                cut.resize(whole.len(), 0);
            }
            let disk = SimDisk::new();
            disk.set_bytes(&path, &cut);
            let (store, report) = open(&disk).unwrap_or_else(|error| panic!("byte {at}: {error}"));
            let tail = cut[start..]
                .iter()
                .rposition(|byte| *byte != 0)
                .map_or(0, |last| last + 1);
            assert_eq!(report.cut.is_some(), tail > 0, "byte {at}");
            if let Some(torn) = report.cut {
                assert_eq!(
                    (torn.position, torn.offset),
                    (before.len() as u64, start as u64)
                );
                assert!(torn.bytes as usize >= tail && torn.bytes as usize <= end - start);
            }
            assert_eq!(contents(&store), before, "byte {at}");
            append(&store, &script[3]).unwrap();
            assert_eq!(check(&disk, &store).offset as usize, end);
            assert_eq!(
                disk.bytes(&path).unwrap(),
                whole,
                "as if nothing had happened"
            );
        }
    }
    let disk = SimDisk::new();
    disk.set_bytes(&path, &whole[..end]);
    let (store, report) = open(&disk).unwrap();
    assert_eq!((report.cut, contents(&store)), (None, bytes_of(&script)));
}

#[test]
fn whole_sectors_missing_from_the_last_write_are_a_torn_tail() {
    let (disk, store) = fresh();
    append(&store, &(1, vec![record(1, 700)])).unwrap();
    let start = check(&disk, &store).offset as usize;
    append(&store, &(1, vec![record(2, 1400), record(3, 900)])).unwrap();
    store.crash();
    let path = segment_path(0);
    let whole = disk.bytes(&path).unwrap();
    for sector in start / 512..=(start + 2500) / 512 {
        let mut holed = whole.clone();
        holed[(sector * 512).max(start)..(sector + 1) * 512].fill(0);
        let disk = SimDisk::new();
        disk.set_bytes(&path, &holed);
        let (store, report) = open(&disk).unwrap_or_else(|error| panic!("{sector}: {error}"));
        assert_eq!(
            (contents(&store).len(), report.cut.is_some()),
            (1, true),
            "sector {sector}"
        );
    }
    // The same hole in what was safe before another write is corruption.
    let mut holed = whole.clone();
    holed[512..start.min(1024)].fill(0);
    disk.set_bytes(&path, &holed);
    let error = open(&disk.restart(Keep::All)).map(drop).unwrap_err();
    assert!(
        matches!(error, StoreError::Corrupt { position: 0, .. }),
        "{error}"
    );
}
