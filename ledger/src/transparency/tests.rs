use super::*;
use crate::faulty::{Fault, Keep, SimDisk};
use crate::memory::Memory;
use crate::store::{EventStore, Expected, Labels, NewRecord};
use bytes::Bytes;
use domain::envelope::{Actor, Envelope, Evidence};
use domain::event::{Event, LedgerKeyAdded};
use domain::ids::*;
use domain::record::sign;
use domain::vocabulary::{KeyPurpose, Role};
use ed25519_dalek::SigningKey;
use std::path::Path;
use std::sync::Arc;
use tlog::hash::Hash;
use tlog::note::{Algorithm, Note, Signer};
use tlog::proof::{Head, check_consistency, check_inclusion};
use tlog::tile::{Kind, TileId};
use tlog::tree::{Stored, Tree};
use tlog::{Checkpoint, bundle};

const ORIGIN: &str = "ledger.example/1";

/// A record of the right form: the tree looks at no more.
fn record(n: u64) -> NewRecord {
    if n == 0 {
        return key_record();
    }
    let envelope = format!("event {n}");
    let mut bytes = (envelope.len() as u32).to_le_bytes().to_vec();
    bytes.extend(envelope.as_bytes());
    bytes.extend([(n % 251) as u8; 64]);
    bytes.push(0);
    let mut id = [1; 16];
    id[..8].copy_from_slice(&n.to_be_bytes());
    NewRecord {
        event_id: EventId(id),
        link: Digest([3; 32]),
        bytes: Bytes::from(bytes),
        labels: Labels::default(),
    }
}

/// The first one makes the key one that signs checkpoints of at least one event.
fn key_record() -> NewRecord {
    let event: Event = LedgerKeyAdded {
        key: PublicKey(signer().verifier().key().to_bytes()),
        purpose: KeyPurpose::Checkpoints,
    }
    .into();
    let envelope = Envelope {
        event_id: EventId([1; 16]),
        stream: StreamId::single(Category::Ledger),
        revision: Revision(0),
        link: Digest::ZERO,
        kind: event.kind(),
        schema: 1,
        recorded_at: Micros(1),
        occurred_at: Micros(1),
        command: CommandId([1; 16]),
        causation: None,
        correlation: CorrelationId([2; 16]),
        actor: Actor {
            role: Role::Operator,
            principal: PrincipalId([0; 16]),
            key: None,
        },
        evidence: Evidence::Operator,
        policy: 0,
        catalogue: 0,
        receipt: None,
        facts: event.encode().unwrap(),
        sealed: Vec::new(),
        ledger_key: PublicKey([0; 32]).id(),
    };
    let signed = sign(&envelope, &[], &SigningKey::from_bytes(&[6; 32])).unwrap();
    NewRecord {
        event_id: envelope.event_id,
        link: signed.link,
        bytes: Bytes::from(signed.record),
        labels: Labels::default(),
    }
}

fn stream_of(n: u64) -> StreamId {
    if n == 0 {
        return StreamId::single(Category::Ledger);
    }
    let mut id = [2; 16];
    id[..8].copy_from_slice(&n.to_be_bytes());
    StreamId::account(AccountId(id))
}

async fn append(store: &Memory, count: u64) {
    let from = store.length().await.unwrap();
    for n in from..from + count {
        let stream = stream_of(n);
        store
            .append(stream, Expected::NoStream, vec![record(n)])
            .await
            .unwrap();
    }
}

fn root_of(count: u64) -> Hash {
    let mut tree = Tree::new();
    for n in 0..count {
        let entry = entry_of(&record(n).bytes).unwrap();
        tree.push(Hash::leaf(&entry), &mut |_| {});
    }
    tree.root()
}

fn signer() -> Signer {
    Signer::new(ORIGIN, Algorithm::Ed25519, SigningKey::from_bytes(&[5; 32])).unwrap()
}

async fn open(disk: &SimDisk, store: &Arc<Memory>) -> Result<Sealer, SealError> {
    let disk: Arc<SimDisk> = Arc::new(disk.clone());
    let levels = Levels::open(disk.clone(), Path::new("/tree"))?;
    let lock = FileLock::open(disk, Path::new("/lock"))?;
    let settings = Settings {
        origin: ORIGIN.to_owned(),
        progress: None,
        near: None,
    };
    let store: Arc<dyn EventStore> = Arc::<Memory>::clone(store);
    Sealer::open(store, Arc::new(levels), Arc::new(lock), signer(), settings).await
}

fn head_of(note: &Note) -> Head {
    let keys = [signer().verifier().clone()];
    assert_eq!(note.verify(&keys).unwrap().len(), 1);
    Checkpoint::parse(note.text()).unwrap().head
}

#[tokio::test]
async fn checkpoints_of_what_was_appended() {
    let store = Arc::new(Memory::new());
    let disk = SimDisk::new();
    let mut sealer = open(&disk, &store).await.unwrap();
    assert_eq!(sealer.seal().await.unwrap(), None);
    let mut size = 0;
    for more in [1, 254, 1, 1, 43, 700] {
        append(&store, more).await;
        size += more;
        let note = sealer.seal().await.unwrap().unwrap();
        assert_eq!(
            head_of(&note),
            Head {
                size,
                root: root_of(size)
            }
        );
        assert_eq!(sealer.seal().await.unwrap(), None);
        assert_eq!(sealer.last().unwrap(), Some(note));
    }
    drop(sealer);
    // Found again as it was, and everything can be proved from the files.
    let levels = Levels::open(Arc::new(disk.clone()), Path::new("/tree")).unwrap();
    let stored = Stored::new(size, &levels).unwrap();
    let head = Head {
        size,
        root: root_of(size),
    };
    for n in [0, 255, 256, 999] {
        let bundle_id = TileId::at(Kind::Entries, n / 256, size).unwrap();
        let bytes = levels.read(&bundle_id).unwrap();
        let entries = bundle::entries(&bytes, bundle_id.width).unwrap();
        let entry = entry_of(&record(n).bytes).unwrap();
        assert_eq!(entries[(n % 256) as usize], entry);
        let proof = stored.inclusion(n).unwrap();
        check_inclusion(Hash::leaf(&entry), n, &proof, &head).unwrap();
    }
    let sealer = open(&disk, &store).await.unwrap();
    assert_eq!(head_of(&sealer.last().unwrap().unwrap()), head);
}

#[tokio::test]
async fn behind_or_beside_the_lock_nothing_is_signed() {
    let (store, disk) = (Arc::new(Memory::new()), SimDisk::new());
    append(&store, 300).await;
    let mut sealer = open(&disk, &store).await.unwrap();
    sealer.seal().await.unwrap().unwrap();
    drop(sealer);
    let shorter = Arc::new(Memory::new());
    append(&shorter, 299).await;
    let error = open(&disk, &shorter).await.err().unwrap();
    assert_eq!(
        error,
        SealError::Behind {
            length: 299,
            locked: 300
        }
    );
    // Another history of the same length; the tree's files are gone, as after a restore.
    let other = Arc::new(Memory::new());
    append(&other, 299).await;
    let stream = stream_of(299);
    other
        .append(stream, Expected::NoStream, vec![record(77_777)])
        .await
        .unwrap();
    for level in 0..2 {
        disk.set_bytes(Path::new(&format!("/tree/level-{level}")), &[]);
    }
    let error = open(&disk, &other).await.err().unwrap();
    assert_eq!(error, SealError::Fork { size: 300 });
    // The true history makes the files anew.
    let mut sealer = open(&disk, &store).await.unwrap();
    append(&store, 1).await;
    let note = sealer.seal().await.unwrap().unwrap();
    assert_eq!(
        head_of(&note),
        Head {
            size: 301,
            root: root_of(301)
        }
    );
}

#[tokio::test]
async fn two_sealers_and_a_lock_that_moved() {
    let (store, disk) = (Arc::new(Memory::new()), SimDisk::new());
    append(&store, 3).await;
    let mut sealer = open(&disk, &store).await.unwrap();
    assert!(matches!(
        open(&disk, &store).await,
        Err(SealError::Store(crate::store::StoreError::Locked))
    ));
    // Somebody put another checkpoint there.
    let other = Checkpoint::new(
        ORIGIN,
        Head {
            size: 2,
            root: root_of(2),
        },
    )
    .unwrap();
    disk.set_bytes(Path::new("/lock/checkpoint"), other.to_text().as_bytes());
    assert_eq!(sealer.seal().await.err(), Some(SealError::LockMoved));
    drop(sealer);
    disk.set_bytes(Path::new("/lock/checkpoint"), b"nonsense");
    assert!(matches!(
        open(&disk, &store).await,
        Err(SealError::Lock { .. })
    ));
}

/// Every step of sealing fails in every way; the next process goes on, and nothing that was signed
/// is ever contradicted.
#[tokio::test]
async fn every_step_may_fail() {
    let steps = {
        let (store, disk) = (Arc::new(Memory::new()), SimDisk::new());
        run(&disk, &store).await;
        disk.steps().len()
    };
    assert!(steps > 20);
    let faults = [
        Fault::NotDone,
        Fault::Done,
        Fault::Partly(300),
        Fault::Full,
        Fault::Dies,
    ];
    for step in 0..steps {
        for fault in faults {
            for keep in [Keep::All, Keep::Synced, Keep::Some(step as u64)] {
                let (store, disk) = (Arc::new(Memory::new()), SimDisk::new());
                disk.fail_at(step, fault);
                let signed = run(&disk, &store).await;
                let disk = disk.restart(keep);
                disk.make_space();
                let mut sealer = open(&disk, &store).await.unwrap();
                let again = sealer.last().unwrap().map(|note| head_of(&note));
                append(&store, 5).await;
                let note = sealer.seal().await.unwrap().unwrap();
                let size = store.length().await.unwrap();
                let head = Head {
                    size,
                    root: root_of(size),
                };
                assert_eq!(head_of(&note), head, "{step} {fault:?} {keep:?}");
                let levels = Levels::open(Arc::new(disk.clone()), Path::new("/tree")).unwrap();
                let stored = Stored::new(size, &levels).unwrap();
                for old in signed.into_iter().chain(again) {
                    assert_eq!(old.root, root_of(old.size));
                    check_consistency(&old, &head, &stored.consistency(old.size).unwrap()).unwrap();
                }
                // The lock was never behind what was signed.
            }
        }
    }
}

/// Seals three times over a disk that may fail: what was signed.
async fn run(disk: &SimDisk, store: &Arc<Memory>) -> Vec<Head> {
    let mut signed = Vec::new();
    append(store, 250).await;
    let Ok(mut sealer) = open(disk, store).await else {
        return signed;
    };
    for more in [3, 10, 2] {
        append(store, more).await;
        match sealer.seal().await {
            Ok(note) => signed.extend(note.map(|note| head_of(&note))),
            Err(_) => return signed,
        }
    }
    signed
}

#[tokio::test]
async fn a_key_that_the_ledger_does_not_name_signs_nothing() {
    let (store, disk) = (Arc::new(Memory::new()), SimDisk::new());
    append(&store, 3).await;
    let disk: Arc<SimDisk> = Arc::new(disk);
    let levels = Arc::new(Levels::open(disk.clone(), Path::new("/tree")).unwrap());
    let lock = Arc::new(FileLock::open(disk.clone(), Path::new("/lock")).unwrap());
    let settings = Settings {
        origin: ORIGIN.to_owned(),
        progress: None,
        near: None,
    };
    let key = SigningKey::from_bytes(&[8; 32]);
    let other = Signer::new(ORIGIN, Algorithm::Ed25519, key).unwrap();
    let mut sealer = Sealer::open(store, levels, lock.clone(), other, settings)
        .await
        .unwrap();
    assert_eq!(sealer.seal().await.err(), Some(SealError::Key { size: 3 }));
    assert_eq!(lock.load().await.unwrap(), None);
}

/// A lock that is lost does not let a ledger sign less than it published, or another history.
#[tokio::test]
async fn without_a_lock_the_published_checkpoint_still_counts() {
    let disk: Arc<SimDisk> = Arc::new(SimDisk::new());
    let log = |disk: &Arc<SimDisk>| {
        let key = signer().verifier().clone();
        Arc::new(TransparencyLog::open(disk.clone(), Path::new("/tree"), key).unwrap())
    };
    let sealing = |store: &Arc<Memory>, lock: &'static str| {
        let locks = disk.clone();
        Sealing {
            store: store.clone(),
            log: log(&disk),
            lock: Box::new(move || Ok(Arc::new(FileLock::open(locks.clone(), Path::new(lock))?))),
            key: SigningKey::from_bytes(&[5; 32]),
            every: std::time::Duration::ZERO,
            cosigner: None,
            progress: None,
            gate: None,
        }
    };
    let (store, shorter) = (Arc::new(Memory::new()), Arc::new(Memory::new()));
    append(&store, 20).await;
    append(&shorter, 12).await;
    assert_eq!(sealing(&store, "/lock").once().await, Ok(Some(20)));
    let behind = SealError::Behind {
        length: 12,
        locked: 20,
    };
    assert_eq!(sealing(&shorter, "/lost").once().await, Err(behind.clone()));
    // It has learnt it: also once what was published is gone.
    disk.lose(Path::new("/tree/checkpoint"));
    assert_eq!(sealing(&shorter, "/lost").once().await, Err(behind));
    assert_eq!(sealing(&store, "/lost").once().await, Ok(Some(20)));
    // What somebody else signed is not believed.
    let other = Signer::new(ORIGIN, Algorithm::Ed25519, SigningKey::from_bytes(&[9; 32])).unwrap();
    let text = Checkpoint::new(
        ORIGIN,
        Head {
            size: 99,
            root: root_of(3),
        },
    )
    .unwrap()
    .to_text();
    let note = format!("{text}\n{}", other.sign(&text).unwrap());
    disk.set_bytes(Path::new("/tree/checkpoint"), note.as_bytes());
    assert_eq!(sealing(&store, "/fresh").once().await, Ok(Some(20)));
}

/// Whatever fails while a stamp is kept: what was acknowledged is there, what is there is whole, and another
/// try ends it.
#[test]
fn a_stamp_is_kept_whole_or_not_at_all() {
    let stamp = |cosigned: &str| Stamp {
        size: 300,
        checkpoint: format!("checkpoint{cosigned}").into_bytes(),
        answer: format!("answer to checkpoint{cosigned}").into_bytes(),
    };
    let of = |disk: &SimDisk| Stamps::of(Arc::new(disk.clone()), Path::new("/timestamps"));
    let disk = SimDisk::new();
    assert_eq!(of(&disk).sizes(), Ok(Vec::new()));
    of(&disk).put(&stamp("")).unwrap();
    let steps = disk.steps().len();
    assert!(
        steps >= 8,
        "two files: made, written, synced, renamed: {steps}"
    );
    // What was said first counts.
    of(&disk).put(&stamp(" twice")).unwrap();
    assert_eq!(of(&disk).get(300), Ok(Some(stamp(""))));
    assert_eq!(of(&disk).covering(299), Ok(Some(stamp(""))));
    assert_eq!(of(&disk).covering(300), Ok(None));
    for step in 0..steps {
        for fault in [
            Fault::NotDone,
            Fault::Done,
            Fault::Partly(5),
            Fault::Full,
            Fault::Dies,
        ] {
            for keep in [Keep::All, Keep::Synced, Keep::Some(step as u64)] {
                let disk = SimDisk::new();
                disk.fail_at(step, fault);
                let kept = of(&disk).put(&stamp("")).is_ok();
                let disk = disk.restart(keep);
                disk.make_space();
                let context = format!("step {step}, {fault:?}, {keep:?}");
                let there = of(&disk).get(300).unwrap();
                assert!(!kept || there.is_some(), "{context}");
                assert_eq!(
                    of(&disk).sizes().unwrap().len(),
                    usize::from(there.is_some())
                );
                of(&disk).put(&stamp(" again")).unwrap();
                let wanted = if there.is_some() { "" } else { " again" };
                assert_eq!(of(&disk).get(300), Ok(Some(stamp(wanted))), "{context}");
            }
        }
    }
}
