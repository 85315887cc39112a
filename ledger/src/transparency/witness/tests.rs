use super::*;
use crate::faulty::{Fault, Keep, SimDisk};
use crate::wiring::ManualClock;
use ed25519_dalek::SigningKey;
use tlog::hash::Hash;
use tlog::tile::{Kind, TileId};
use tlog::tree::{Stored, Tiles, Tree};

const ORIGIN: &str = "log.example/7";
const START: Micros = Micros(1_700_000_000 * Micros::SECOND);

fn log_signer(seed: u8) -> Signer {
    Signer::new(
        ORIGIN,
        Algorithm::Ed25519,
        SigningKey::from_bytes(&[seed; 32]),
    )
    .unwrap()
}

fn open_with(
    disk: &SimDisk,
    logs: Vec<VerifierKey>,
    clock: Micros,
) -> Result<Witness, WitnessError> {
    let own = SigningKey::from_bytes(&[8; 32]);
    let own = Signer::new("witness.example/w", Algorithm::Cosignature, own).unwrap();
    let disk: Arc<SimDisk> = Arc::new(disk.clone());
    Witness::open(
        disk,
        Path::new("/w"),
        own,
        logs,
        Arc::new(ManualClock::new(clock)),
    )
}

fn open(disk: &SimDisk) -> Witness {
    open_with(disk, vec![log_signer(5).verifier().clone()], START).unwrap()
}

/// A history: entries from `parts` on differ from those of every other `branch`.
struct History {
    hashes: Vec<Vec<Hash>>,
    sizes: u64,
}

impl History {
    fn new(size: u64, common: u64, branch: u8) -> Self {
        let mut hashes = vec![Vec::new(); 3];
        let mut tree = Tree::new();
        for n in 0..size {
            let mut entry = n.to_le_bytes().to_vec();
            entry.push(if n < common { 0 } else { branch });
            let leaf = Hash::leaf(&entry);
            hashes[0].push(leaf);
            tree.push(leaf, &mut |full| {
                hashes[usize::from(full.level) + 1].push(full.root);
            });
        }
        Self {
            hashes,
            sizes: size,
        }
    }

    fn head(&self, size: u64) -> Head {
        assert!(size <= self.sizes);
        let root = Stored::new(size, self).unwrap().root().unwrap();
        Head { size, root }
    }

    fn request(&self, old: u64, new: u64) -> AddCheckpoint {
        AddCheckpoint {
            old,
            proof: Stored::new(new, self).unwrap().consistency(old).unwrap(),
            checkpoint: signed(self.head(new), 5),
        }
    }
}

impl Tiles for History {
    fn tile(&self, tile: &TileId) -> Result<Vec<u8>, tlog::Error> {
        let Kind::Hashes(level) = tile.kind else {
            panic!("no entries are asked for");
        };
        let start = tile.index as usize * 256;
        let hashes = &self.hashes[usize::from(level)][start..start + usize::from(tile.width)];
        Ok(tlog::tile::bytes(hashes))
    }
}

fn signed(head: Head, seed: u8) -> Note {
    let text = Checkpoint::new(ORIGIN, head).unwrap().to_text();
    let line = log_signer(seed).sign(&text).unwrap();
    Note::parse(&format!("{text}\n{line}")).unwrap()
}

fn status(answer: &Result<String, NotCosigned>) -> u16 {
    match answer {
        Ok(_) => 200,
        Err(NotCosigned::Refused(refusal)) => refusal.status(),
        Err(NotCosigned::Failed(_)) => 500,
    }
}

#[test]
fn continuations_are_cosigned_and_remembered() {
    let (disk, history) = (SimDisk::new(), History::new(700, 0, 1));
    let witness = open(&disk);
    let id = log_id(ORIGIN);
    assert_eq!(witness.cosigned(&id), None);
    for (old, new) in [(0, 0), (0, 1), (1, 256), (256, 300), (300, 300), (300, 700)] {
        let request = history.request(old, new);
        let line = witness.add(&request).unwrap();
        let mut note = request.checkpoint.clone();
        note.add(&line).unwrap();
        let keys = [log_signer(5).verifier().clone(), witness.verifier().clone()];
        let signed = note.verify(&keys).unwrap();
        assert_eq!(signed.len(), 2);
        assert_eq!(signed[1].time, Some(1_700_000_000));
        assert_eq!(witness.cosigned(&id).unwrap(), note);
    }
    assert_eq!(
        open_with(&disk, Vec::new(), START).err(),
        Some(WitnessError::Store(StoreError::Locked))
    );
    drop(witness);
    let witness = open(&disk.restart(Keep::Synced));
    assert_eq!(witness.sizes(), BTreeMap::from([(ORIGIN.to_owned(), 700)]));
    let back = witness.add(&history.request(300, 700));
    assert_eq!(back, Err(Refusal::OtherOld { latest: 700 }.into()));
    // Said again, once more cosigned.
    assert_eq!(status(&witness.add(&history.request(700, 700))), 200);
}

#[test]
fn what_is_refused_changes_nothing() {
    let (disk, history, fork) = (
        SimDisk::new(),
        History::new(700, 0, 1),
        History::new(700, 299, 2),
    );
    let witness = open(&disk);
    witness.add(&history.request(0, 300)).unwrap();
    let good = history.request(300, 700);
    let mut cut = good.clone();
    cut.proof.pop();
    let mut padded = good.clone();
    padded.proof.push(Hash::empty());
    let mut forged = good.clone();
    forged.checkpoint = signed(history.head(700), 6);
    let other = good.checkpoint.to_text().replace(ORIGIN, "log.example/8");
    let mut elsewhere = good.clone();
    elsewhere.checkpoint = Note::parse(&other).unwrap();
    let same_size = AddCheckpoint {
        old: 300,
        proof: Vec::new(),
        checkpoint: signed(fork.head(300), 5),
    };
    let mut beyond = good.clone();
    beyond.old = 701;
    for (request, expected) in [
        (&cut, 422),
        (&padded, 422),
        (&forged, 403),
        (&elsewhere, 404),
        (&same_size, 422),
        (&fork.request(300, 700), 422),
        (&fork.request(0, 700), 409),
        (&history.request(299, 700), 409),
        (&history.request(0, 200), 409),
        (&beyond, 400),
    ] {
        assert_eq!(status(&witness.add(request)), expected, "{request:?}");
        assert_eq!(witness.sizes()[ORIGIN], 300);
    }
    witness.add(&good).unwrap();
}

#[test]
fn a_clock_before_1970_signs_nothing() {
    let (disk, history) = (SimDisk::new(), History::new(3, 0, 1));
    let key = log_signer(5).verifier().clone();
    let witness = open_with(&disk, vec![key], Micros(999_999)).unwrap();
    let answer = witness.add(&history.request(0, 3));
    assert_eq!(answer, Err(WitnessError::Clock.into()));
    assert_eq!(witness.sizes()[ORIGIN], 0);
}

#[test]
fn a_damaged_memory_is_no_memory_to_start_from() {
    let (disk, history) = (SimDisk::new(), History::new(300, 0, 1));
    open(&disk).add(&history.request(0, 300)).unwrap();
    let file = PathBuf::from(format!("/w/{}.checkpoint", log_id(ORIGIN)));
    let bytes = disk.bytes(&file).unwrap();
    let keys = || vec![log_signer(5).verifier().clone()];
    for at in 0..bytes.len() {
        let mut wrong = bytes.clone();
        wrong[at] ^= 1;
        disk.set_bytes(&file, &wrong);
        // A flip in the log's own signature, or in the name of who cosigned, changes no statement.
        match open_with(&disk, keys(), START) {
            Err(error) => assert!(
                matches!(error, WitnessError::Damaged { .. }),
                "{at}: {error}"
            ),
            Ok(witness) => assert_eq!(witness.sizes()[ORIGIN], 300, "{at}"),
        }
        disk.set_bytes(&file, &bytes[..at]);
        if let Ok(witness) = open_with(&disk, keys(), START) {
            assert_eq!(
                witness.sizes()[ORIGIN],
                300,
                "cut at {at}: only a signature is gone"
            );
        }
    }
    disk.set_bytes(&file, &bytes);
    open(&disk).add(&history.request(300, 300)).unwrap();
}

#[test]
fn of_concurrent_histories_one_wins() {
    for _ in 0..20 {
        let disk = SimDisk::new();
        let witness = open(&disk);
        let base = History::new(100, 100, 1);
        witness.add(&base.request(0, 100)).unwrap();
        let won = std::thread::scope(|scope| {
            let threads: Vec<_> = (1..=4)
                .map(|branch| {
                    let request = History::new(300, 100, branch).request(100, 300);
                    let witness = &witness;
                    scope.spawn(move || witness.add(&request).is_ok())
                })
                .collect();
            threads
                .into_iter()
                .filter_map(|thread| thread.join().ok().filter(|won| *won))
                .count()
        });
        assert_eq!(won, 1);
    }
}

/// Whatever fails or crashes at whatever step: of two histories at most one has a cosignature.
#[test]
fn no_crash_makes_it_cosign_two_histories() {
    let (one, other) = (History::new(300, 100, 1), History::new(300, 100, 2));
    let fresh = || {
        let disk = SimDisk::new();
        open(&disk).add(&one.request(0, 100)).unwrap();
        disk.restart(Keep::Synced)
    };
    let disk = fresh();
    open(&disk).add(&one.request(100, 300)).unwrap();
    let steps = disk.steps().len();
    assert!(
        steps >= 5,
        "create, write, sync, rename, sync the directory: {steps}"
    );
    let faults = [
        Fault::Dies,
        Fault::NotDone,
        Fault::Done,
        Fault::Partly(500),
        Fault::Full,
    ];
    let keeps = [
        Keep::All,
        Keep::Synced,
        Keep::Some(1),
        Keep::Some(2),
        Keep::Some(3),
    ];
    for step in 0..steps {
        for fault in faults {
            for keep in keeps {
                let mut disk = fresh();
                disk.fail_at(step, fault);
                let witness = open(&disk);
                let mut first = witness.add(&one.request(100, 300)).is_ok();
                // The process goes on, if it still can, and is asked for the other history.
                let mut second = witness.add(&other.request(100, 300)).is_ok();
                drop(witness);
                for round in 0..2 {
                    let context = format!("step {step}, {fault:?}, {keep:?}, round {round}");
                    assert!(!(first && second), "{context}");
                    disk = disk.restart(keep);
                    let witness = open(&disk);
                    let size = witness.sizes()[ORIGIN];
                    assert!(size == 300 || !(first || second), "{context}: forgotten");
                    second |= witness.add(&other.request(100, 300)).is_ok();
                    if size == 300 {
                        let same = |history: &History| AddCheckpoint {
                            old: 300,
                            proof: Vec::new(),
                            checkpoint: signed(history.head(300), 5),
                        };
                        first |= witness.add(&same(&one)).is_ok();
                        second |= witness.add(&same(&other)).is_ok();
                    }
                    first |= witness.add(&one.request(100, 300)).is_ok();
                    assert!(!(first && second), "{context}");
                }
            }
        }
    }
}
