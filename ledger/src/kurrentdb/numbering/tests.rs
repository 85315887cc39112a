use super::*;
use crate::faulty::{Fault, Keep, SimDisk};
use domain::ids::{Digest, EventId, Revision};

fn row(n: u64) -> Row {
    Row {
        place: LogPlace {
            commit: n * 300 + 7,
            prepare: n * 300 + 7 - n % 3,
        },
        revision: n as u32 / 3,
        id: n.to_be_bytes(),
        digest: [n as u8 ^ 0x5a; 16],
    }
}

fn rows(range: std::ops::Range<u64>) -> Vec<Row> {
    range.map(row).collect()
}

fn open(disk: &SimDisk) -> Result<(Numbering, u64), StoreError> {
    Numbering::open(disk, Path::new("n"), "idledger")
}

fn disk() -> SimDisk {
    let disk = SimDisk::new();
    disk.create_dir(Path::new("n")).unwrap();
    disk
}

fn file() -> PathBuf {
    Path::new("n").join(FILE)
}

#[test]
fn rows_come_back_and_are_found_by_place() {
    let disk = disk();
    let (numbering, _) = open(&disk).unwrap();
    assert_eq!(numbering.last(), None);
    assert_eq!(numbering.digest_before(0), Ok([0; 16]));
    assert_eq!(numbering.append(&rows(0..1)), Ok(1));
    assert_eq!(numbering.append(&[]), Ok(1));
    assert_eq!(numbering.append(&rows(1..1000)), Ok(1000));
    drop(numbering);
    let (numbering, cut) = open(&disk).unwrap();
    assert_eq!((numbering.length(), cut), (1000, 0));
    assert_eq!(numbering.range(0, 5000).unwrap(), rows(0..1000));
    assert_eq!(numbering.range(998, 1).unwrap(), rows(998..999));
    assert_eq!(numbering.range(1000, 9).unwrap(), []);
    assert_eq!(numbering.range(u64::MAX, 9).unwrap(), []);
    assert_eq!(numbering.get(1000), Ok(None));
    assert_eq!(numbering.get(u64::MAX), Ok(None));
    assert_eq!(numbering.digest_before(11), Ok(row(10).digest));
    for n in 0..1000 {
        for from in [0, n / 2, n] {
            assert_eq!(numbering.find(row(n).place, from), Ok(Some(n)));
        }
        assert_eq!(numbering.find(row(n).place, n + 1), Ok(None));
        let between = LogPlace {
            commit: row(n).place.commit + 1,
            prepare: 0,
        };
        assert_eq!(numbering.find(between, 0), Ok(None));
    }
}

#[test]
fn a_log_that_goes_back_is_corrupt() {
    let disk = disk();
    let (numbering, _) = open(&disk).unwrap();
    numbering.append(&rows(0..5)).unwrap();
    for bad in [
        vec![row(4)],
        vec![row(3)],
        vec![row(5), row(5)],
        vec![row(6), row(5)],
    ] {
        let refused = numbering.append(&bad);
        assert!(
            matches!(refused, Err(StoreError::Corrupt { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(numbering.length(), 5);
    let mut far = row(9);
    far.place.commit = u64::MAX;
    far.place.prepare = 0;
    assert!(matches!(
        numbering.append(&[far]),
        Err(StoreError::Limit { .. })
    ));
    assert_eq!(numbering.append(&rows(5..6)), Ok(6));
}

#[test]
fn another_ledgers_numbering_is_not_used() {
    let disk = disk();
    open(&disk).unwrap();
    let other = Numbering::open(&disk, Path::new("n"), "other").err();
    assert!(matches!(other, Some(StoreError::Unusable(_))), "{other:?}");
    let mut bytes = disk.bytes(&file()).unwrap();
    bytes[3] ^= 1;
    disk.set_bytes(&file(), &bytes);
    assert!(matches!(
        open(&disk).err(),
        Some(StoreError::Corrupt { .. })
    ));
    let long = Numbering::open(&disk, Path::new("n"), &"x".repeat(41)).err();
    assert!(matches!(long, Some(StoreError::Limit { .. })));
}

#[test]
fn a_power_cut_at_any_step_leaves_whole_rows() {
    let appends: Vec<Vec<Row>> = (0..12).map(|n| rows(n * 7..n * 7 + 7)).collect();
    let run = |disk: &SimDisk| -> u64 {
        let Ok((numbering, _)) = open(disk) else {
            return 0;
        };
        let mut durable = 0;
        for (number, append) in (1..).zip(&appends) {
            if numbering.append(append).is_err() {
                break;
            }
            // Some are made durable alone, some with the one before.
            if number % 3 != 1 {
                if numbering.sync().is_err() {
                    break;
                }
                durable = numbering.length();
            }
        }
        durable
    };
    let whole = disk();
    run(&whole);
    let steps = whole.steps().len();
    assert!(steps > 20);
    for step in 1..steps {
        for (fault, keep) in [
            (Fault::Dies, Keep::Synced),
            (Fault::Dies, Keep::Some(step as u64)),
            (Fault::Partly(433), Keep::All),
            (Fault::Partly(700), Keep::Some(99)),
            (Fault::Done, Keep::Some(5)),
        ] {
            let before = disk();
            before.fail_at(step, fault);
            let known = run(&before);
            let after = before.restart(keep);
            after.create_dir(Path::new("n")).unwrap();
            let (numbering, _) = open(&after).unwrap();
            let length = numbering.length();
            assert!(
                length >= known && length <= known + 14,
                "{step} {fault:?} {keep:?}"
            );
            assert_eq!(numbering.range(0, 1000).unwrap(), rows(0..length));
            // What was torn is gone: other rows in its place stand alone.
            let mut other = row(length);
            other.id = [9; 8];
            numbering.append(&[other]).unwrap();
            numbering.sync().unwrap();
            drop(numbering);
            let (numbering, cut) = open(&after).unwrap();
            assert_eq!((numbering.length(), cut), (length + 1, 0));
            assert_eq!(numbering.last(), Some(other));
        }
    }
}

#[test]
fn damage_before_the_last_append_is_never_cut() {
    let disk = disk();
    let (numbering, _) = open(&disk).unwrap();
    for n in 0..4 {
        numbering.append(&rows(n * 4096..(n + 1) * 4096)).unwrap();
    }
    drop(numbering);
    let good = disk.bytes(&file()).unwrap();
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        disk.set_bytes(&file(), &bytes);
        open(&disk)
    };
    // In the middle: found when the row is read.
    let (numbering, cut) = with(&|bytes| bytes[64 + 44 * 5000 + 3] ^= 4).unwrap();
    assert_eq!(cut, 0);
    let read = numbering.get(5000);
    assert!(
        matches!(read, Err(StoreError::Corrupt { position: 5000, .. })),
        "{read:?}"
    );
    // A whole append is torn: that can happen.
    let (numbering, cut) = with(&|bytes| bytes[64 + 44 * 3 * 4096..].fill(1)).unwrap();
    assert_eq!((numbering.length(), cut), (3 * 4096, 4096));
    // More cannot.
    let more = with(&|bytes| bytes[64 + 44 * (3 * 4096 - 1)..].fill(1)).err();
    assert!(matches!(more, Some(StoreError::Corrupt { .. })), "{more:?}");
    // Rows in each other's place do not verify, whatever their own bytes say.
    let swapped = with(&|bytes| {
        let (one, other) = (64 + 44 * 7, 64 + 44 * 8);
        for at in 0..44 {
            bytes.swap(one + at, other + at);
        }
    });
    assert!(swapped.unwrap().0.get(7).is_err());
}

#[test]
fn any_length_and_any_flip_is_an_answer() {
    let disk = disk();
    let (numbering, _) = open(&disk).unwrap();
    numbering.append(&rows(0..9)).unwrap();
    drop(numbering);
    let good = disk.bytes(&file()).unwrap();
    for length in 0..good.len() {
        disk.set_bytes(&file(), &good[..length]);
        match open(&disk) {
            Ok((numbering, _)) => assert_eq!(numbering.length(), (length as u64 - 64) / 44),
            Err(StoreError::Corrupt { .. }) => assert!(length < 64),
            Err(error) => panic!("{error}"),
        }
    }
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        disk.set_bytes(&file(), &bytes);
        match open(&disk) {
            Ok((numbering, cut)) => {
                let row = (at as u64 - 64) / 44;
                assert_eq!((numbering.length(), cut), (row, 9 - row));
            }
            Err(StoreError::Corrupt { .. }) => assert!(at < 64),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn the_digest_covers_everything() {
    let seen = Seen {
        stream: crate::conformance::stream(1),
        revision: Revision(2),
        id: EventId([3; 16]),
        link: Digest([4; 32]),
        bytes: b"record",
    };
    let mut all = vec![seen.digest_after([0; 16]), seen.digest_after([1; 16])];
    for other in [
        Seen {
            stream: crate::conformance::stream(2),
            ..seen
        },
        Seen {
            revision: Revision(3),
            ..seen
        },
        Seen {
            id: EventId([5; 16]),
            ..seen
        },
        Seen {
            link: Digest([5; 32]),
            ..seen
        },
        Seen {
            bytes: b"recorf",
            ..seen
        },
    ] {
        all.push(other.digest_after([0; 16]));
    }
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count);
    // Frozen: the numbering of a node must be read by the next version.
    assert_eq!(
        hex::encode(seen.digest_after([7; 16])),
        "29ed0a699478ded65806017bddb3b55a"
    );
}
