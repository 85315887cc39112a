use super::*;
use crate::faulty::{Fault, Keep, SimDisk};
use crate::vault::layout::Head;
use futures_util::FutureExt as _;

const LAYOUT: Layout = Layout {
    file: "test.slots",
    kind: 9,
    slot_bytes: 128,
};
const CHECK: [u8; 16] = [7; 16];

fn id(number: u32) -> [u8; 16] {
    let mut id = [0xee; 16];
    id[..4].copy_from_slice(&number.to_le_bytes());
    id
}

fn payload(text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.as_bytes().to_vec())
}

fn open(directory: &Path) -> Result<SlotFile, VaultError> {
    SlotFile::open(&crate::disk::RealDisk, directory, LAYOUT, CHECK)
}

/// A file answers at once.
fn read(slots: &SlotFile, id: [u8; 16]) -> Result<Option<Found>, VaultError> {
    slots
        .read(id)
        .now_or_never()
        .expect("a file answers at once")
}

fn count(slots: &SlotFile) -> usize {
    slots.shared.index.read().len()
}

fn text(slots: &SlotFile, number: u32) -> Option<String> {
    let found = read(slots, id(number)).unwrap()?;
    let end = found.payload.iter().position(|byte| *byte == 0).unwrap();
    Some(String::from_utf8(found.payload[..end].to_vec()).unwrap())
}

/// A file with slots 0..`count`, in batches of one; its bytes while it is still open (as a crash
/// would leave them) and after it was closed.
async fn made(directory: &Path, count: u32) -> (Vec<u8>, Vec<u8>) {
    let slots = open(directory).unwrap();
    for number in 0..count {
        slots
            .insert(id(number), payload(&format!("slot {number}")))
            .await
            .unwrap();
    }
    let path = directory.join(LAYOUT.file);
    let crashed = std::fs::read(&path).unwrap();
    drop(slots);
    (crashed, std::fs::read(&path).unwrap())
}

fn put(directory: &Path, bytes: &[u8]) {
    std::fs::write(directory.join(LAYOUT.file), bytes).unwrap();
}

fn slot_range(number: u32) -> std::ops::Range<usize> {
    let start = usize::try_from(LAYOUT.offset(number)).unwrap();
    start..start + LAYOUT.slot_bytes
}

#[tokio::test]
async fn slots_are_found_again_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let slots = open(directory.path()).unwrap();
    assert_eq!(slots.insert(id(1), payload("one")).await, Ok(Inserted::New));
    assert_eq!(
        slots.insert(id(1), payload("two")).await,
        Ok(Inserted::Existing)
    );
    slots.overwrite(id(1), 1, payload("three")).await.unwrap();
    assert_eq!(
        slots.overwrite(id(1), 1, payload("four")).await,
        Err(VaultError::Contended)
    );
    assert_eq!(
        slots.overwrite(id(2), 1, payload("five")).await,
        Err(VaultError::Contended)
    );
    drop(slots);
    let slots = open(directory.path()).unwrap();
    assert_eq!(
        (text(&slots, 1).as_deref(), text(&slots, 2)),
        (Some("three"), None)
    );
    assert_eq!(read(&slots, id(1)).unwrap().unwrap().generation, 2);
    assert_eq!(count(&slots), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_share_batches_and_each_gets_their_slot() {
    let directory = tempfile::tempdir().unwrap();
    let slots = Arc::new(open(directory.path()).unwrap());
    let tasks: Vec<_> = (0..64)
        .map(|task| {
            let slots = slots.clone();
            tokio::spawn(async move {
                for number in task * 50..task * 50 + 50 {
                    slots
                        .insert(id(number), payload(&number.to_string()))
                        .await
                        .unwrap();
                    // Written by whoever returns first, visible to everybody who has returned.
                    assert_eq!(text(&slots, number), Some(number.to_string()));
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    drop(slots);
    let slots = open(directory.path()).unwrap();
    assert_eq!(count(&slots), 3200);
    assert!((0..3200).all(|number| text(&slots, number) == Some(number.to_string())));
}

#[tokio::test]
async fn a_torn_last_batch_is_given_up_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let (crashed, _) = made(directory.path(), 2).await;
    // A third batch of four slots, of which a crash left any part: whole, half or nothing.
    let batch: Vec<Vec<u8>> = (2..6)
        .map(|number| {
            let head = Head {
                live: true,
                generation: 1,
                batch: 2,
                id: id(number),
            };
            LAYOUT.slot(number, &head, format!("slot {number}").as_bytes())
        })
        .collect();
    for pattern in 0..81_u32 {
        let mut bytes = crashed.clone();
        let mut state = pattern;
        let mut whole = Vec::new();
        for (number, slot) in (2..6).zip(&batch) {
            let kept = match state % 3 {
                0 => 0,
                1 => 60,
                _ => slot.len(),
            };
            if kept == slot.len() {
                whole.push(number);
            }
            bytes[slot_range(number)][..kept].copy_from_slice(&slot[..kept]);
            state /= 3;
        }
        put(directory.path(), &bytes);
        let slots = open(directory.path()).unwrap();
        for number in 0..6 {
            let there = number < 2 || whole.contains(&number);
            assert_eq!(
                text(&slots, number).is_some(),
                there,
                "pattern {pattern} slot {number}"
            );
        }
        slots.insert(id(99), payload("after")).await.unwrap();
        drop(slots);
        let slots = open(directory.path()).unwrap();
        assert_eq!(count(&slots), 3 + whole.len(), "pattern {pattern}");
        assert_eq!(text(&slots, 99).as_deref(), Some("after"));
    }
}

#[tokio::test]
async fn damage_to_a_safe_slot_stops_the_start_and_names_the_slot() {
    let directory = tempfile::tempdir().unwrap();
    let (crashed, closed) = made(directory.path(), 5).await;
    let damaged = |slot| {
        Some(VaultError::Damaged {
            file: LAYOUT.file,
            slot,
        })
    };
    for (bytes, settled) in [(&crashed, 4), (&closed, 5)] {
        for number in 0..settled {
            let mut flipped = bytes.clone();
            flipped[slot_range(number)][40] ^= 1;
            put(directory.path(), &flipped);
            assert_eq!(open(directory.path()).err(), damaged(number));
            let mut emptied = bytes.clone();
            emptied[slot_range(number)].fill(0);
            put(directory.path(), &emptied);
            assert_eq!(open(directory.path()).err(), damaged(number));
            // Nothing was repaired on the way.
            assert_eq!(
                std::fs::read(directory.path().join(LAYOUT.file)).unwrap(),
                emptied
            );
        }
    }
    put(directory.path(), &closed[..slot_range(3).start + 5]);
    assert_eq!(open(directory.path()).err(), damaged(3));
    let mut swapped = closed.clone();
    swapped.copy_within(slot_range(1), slot_range(2).start);
    put(directory.path(), &swapped);
    assert_eq!(open(directory.path()).err(), damaged(2));
}

#[tokio::test]
async fn no_flipped_bit_changes_what_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let (_, closed) = made(directory.path(), 3).await;
    let end = slot_range(3).end;
    let mut refused = 0;
    let redo = 4096..4096 + 8 + LAYOUT.slot_bytes + 8;
    for at in (0..600).chain(redo).chain(slot_range(0).start..end) {
        let mut bytes = closed[..end].to_vec();
        bytes[at] ^= 1 << (at % 8);
        put(directory.path(), &bytes);
        match open(directory.path()) {
            Err(_) => refused += 1,
            Ok(slots) => {
                let all: Vec<_> = (0..3).filter_map(|number| text(&slots, number)).collect();
                assert_eq!(all, ["slot 0", "slot 1", "slot 2"], "byte {at}");
            }
        }
    }
    // Header and slots refuse; reserved zeros, the redo record and the settled record do not.
    assert!(refused >= 512 + 3 * LAYOUT.slot_bytes, "{refused}");
}

#[tokio::test]
async fn an_interrupted_overwrite_ends_as_old_or_new() {
    let directory = tempfile::tempdir().unwrap();
    let (crashed, _) = made(directory.path(), 3).await;
    let head = Head {
        live: true,
        generation: 2,
        batch: 1,
        id: id(1),
    };
    let new = LAYOUT.slot(1, &head, b"new");
    let redo = LAYOUT.redo(1, &new);
    let redo_at = usize::try_from(REDO_AT).unwrap();
    for (redo_kept, slot_kept, expected) in [
        (0, 0, "slot 1"),
        (10, 0, "slot 1"),
        (redo.len() - 1, 0, "slot 1"),
        (redo.len(), 0, "new"),
        (redo.len(), 50, "new"),
        (redo.len(), new.len(), "new"),
        (30, new.len(), "new"),
        (0, new.len(), "new"),
    ] {
        let mut bytes = crashed.clone();
        bytes[redo_at..redo_at + redo_kept].copy_from_slice(&redo[..redo_kept]);
        bytes[slot_range(1)][..slot_kept].copy_from_slice(&new[..slot_kept]);
        put(directory.path(), &bytes);
        let slots = open(directory.path()).unwrap();
        assert_eq!(
            text(&slots, 1).as_deref(),
            Some(expected),
            "{redo_kept} {slot_kept}"
        );
        assert_eq!(count(&slots), 3);
        let after = std::fs::read(directory.path().join(LAYOUT.file)).unwrap();
        assert!(
            after[redo_at..slot_range(0).start]
                .iter()
                .all(|byte| *byte == 0)
        );
    }
}

#[tokio::test]
async fn an_overwritten_payload_is_nowhere_in_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let slots = open(directory.path()).unwrap();
    slots
        .insert(id(1), payload("the old payload"))
        .await
        .unwrap();
    slots
        .overwrite(id(1), 1, payload("the new payload"))
        .await
        .unwrap();
    let count = |needle: &[u8]| {
        let bytes = std::fs::read(directory.path().join(LAYOUT.file)).unwrap();
        bytes
            .windows(needle.len())
            .filter(|window| *window == needle)
            .count()
    };
    assert_eq!((count(b"the old"), count(b"the new")), (0, 1));
}

#[tokio::test]
async fn other_keys_other_kinds_and_other_files_are_refused_unchanged() {
    let directory = tempfile::tempdir().unwrap();
    let (_, closed) = made(directory.path(), 1).await;
    let file = LAYOUT.file;
    let wrong = SlotFile::open(&crate::disk::RealDisk, directory.path(), LAYOUT, [8; 16]).err();
    assert_eq!(wrong, Some(VaultError::WrongKey { file }));
    let unusable = |reason| Some(VaultError::Unusable { file, reason });
    let other = Layout { kind: 8, ..LAYOUT };
    let error = SlotFile::open(&crate::disk::RealDisk, directory.path(), other, CHECK).err();
    assert_eq!(
        error,
        unusable("its header is damaged"),
        "the kind is under the checksum"
    );
    let mut newer = closed.clone();
    newer[16] = 2;
    for (bytes, reason) in [
        (newer.as_slice(), "a newer program made it"),
        (
            b"something else entirely".as_slice(),
            "its header is cut off",
        ),
        (&[0; 9000], "it is not a slot file"),
        (&closed[..600], "it is cut off"),
        (&[], "its header is cut off"),
    ] {
        put(directory.path(), bytes);
        assert_eq!(open(directory.path()).err(), unusable(reason));
        assert_eq!(std::fs::read(directory.path().join(file)).unwrap(), bytes);
    }
}

#[tokio::test]
async fn a_half_made_file_is_made_again() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("test.slots.new"), b"half a head").unwrap();
    let slots = open(directory.path()).unwrap();
    slots.insert(id(1), payload("one")).await.unwrap();
    assert!(!directory.path().join("test.slots.new").exists());
}

/// What the model knows of a slot: what it holds for sure, and what it may hold instead.
type Model = std::collections::BTreeMap<u32, (Option<String>, Vec<String>)>;

/// Slots made one by one and together, and overwritten, on a disk that may fail.
async fn live(disk: &SimDisk) -> Model {
    let mut model = Model::new();
    let Ok(slots) = SlotFile::open(disk, Path::new("/vault"), LAYOUT, CHECK) else {
        return model;
    };
    let mut settle = |number: u32, text: String, good: bool| {
        let slot = model.entry(number).or_default();
        if good {
            *slot = (Some(text), Vec::new());
        } else {
            slot.1.push(text);
        }
    };
    for step in 0..4_u32 {
        let together: Vec<_> = (step * 10..step * 10 + 1 + step)
            .map(|number| {
                let text = format!("slot {number}");
                let pending = slots.insert(id(number), payload(&text));
                (number, text, pending)
            })
            .collect();
        for (number, text, pending) in together {
            settle(number, text, pending.await.is_ok());
        }
        let number = step * 10;
        let text = format!("slot {number} anew");
        let outcome = slots.overwrite(id(number), 1, payload(&text)).await;
        settle(number, text, outcome.is_ok());
    }
    model
}

fn holds(slots: &SlotFile, model: &Model, name: &str) {
    for (number, (safe, unsure)) in model {
        let found = text(slots, *number);
        let good = found == *safe || found.is_some_and(|found| unsure.contains(&found));
        assert!(good, "{name}: slot {number}, {safe:?} or {unsure:?}");
    }
}

#[tokio::test]
async fn whatever_fails_at_whatever_step_what_was_acknowledged_is_there() {
    let whole = SimDisk::new();
    live(&whole).await;
    let steps = whole.steps().len();
    let faults = [
        Fault::NotDone,
        Fault::Done,
        Fault::Partly(450),
        Fault::Full,
        Fault::Dies,
    ];
    for (at, fault) in (0..steps).flat_map(|at| faults.map(|fault| (at, fault))) {
        let disk = SimDisk::new();
        disk.fail_at(at, fault);
        let model = live(&disk).await;
        let keeps = [
            Keep::All,
            Keep::Synced,
            Keep::Some(at as u64),
            Keep::Some(!(at as u64)),
        ];
        for keep in keeps {
            let name = format!("step {at}, {fault:?}, {keep:?}");
            let disk = disk.restart(keep);
            // The recovery may itself be cut short, anywhere.
            for recovery in 0..4 {
                let again = disk.copy();
                again.fail_at(recovery, Fault::Dies);
                let _ = SlotFile::open(&again, Path::new("/vault"), LAYOUT, CHECK);
                let again = again.restart(Keep::Some((at + recovery) as u64));
                let slots = SlotFile::open(&again, Path::new("/vault"), LAYOUT, CHECK)
                    .unwrap_or_else(|error| panic!("{name}, recovery {recovery}: {error}"));
                holds(&slots, &model, &name);
            }
            let slots = SlotFile::open(&disk, Path::new("/vault"), LAYOUT, CHECK)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            holds(&slots, &model, &name);
            slots.insert(id(99), payload("after")).await.unwrap();
            assert_eq!(text(&slots, 99).as_deref(), Some("after"), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_does_what_every_place_for_slots_must_do() {
    let directory = tempfile::tempdir().unwrap();
    let slots = open(directory.path()).unwrap();
    crate::vault::port::suite::all(std::sync::Arc::new(slots)).await;
}
