//! Several nodes of one ledger on one event server: one seals at a time, whoever is paused or killed, and
//! all show the same; two that state the state do not fight.

mod stage;

use domain::event::Event;
use domain::ids::{Digest, LedgerId, Position, Revision};
use domain::record::{RecordRef, open_event};
use domain::vocabulary::Role;
use ed25519_dalek::SigningKey;
use idledger_tests::peer::Peer;
use ledger::disk::RealDisk;
use ledger::gate::Gate;
use ledger::kurrentdb::Address;
use ledger::ledger::Ledger;
use ledger::open::{Options, StorePlace};
use ledger::secrets::KeySource;
use ledger::store::BoxFuture;
use ledger::testing::postgres::Postgres;
use ledger::transparency::{
    CheckpointLock, Cosigned, Cosigner, Following, LockDatabase, Locked, Missing, SealError,
    Sealing, Seen, SharedLock, TransparencyLog, TurnPace, Turns, entry_of, signer,
};
use ledger::vault::shared::SharedVault;
use outside::state_sealing::{Pace, Round, StateSealer};
use parking_lot::Mutex;
use projections::Views;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tlog::Checkpoint;
use tlog::hash::Hash;
use tlog::note::{Note, Signer};
use tlog::proof::Head;
use tlog::tree::Tree;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use stage::*;

/// How long anything may take on a busy machine.
const LONG: Duration = Duration::from_mins(1);
const PACE: TurnPace = TurnPace {
    look: Duration::from_millis(40),
    silent_after: Duration::from_millis(500),
};

/// Stopped just before or just after it moves the lock, a sealer that wakes up has lost: the other went on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sealer_that_was_paused_publishes_nothing_when_it_wakes() {
    let (world, one) = World::new().await;
    let (dir, said) = (tempfile::tempdir().unwrap(), Arc::default());
    let other = world.join(&dir).await;
    let mut active = Node::start(&world, &one, world.first.path(), &said);
    let size = length(&one).await;
    active.reaches(size).await;
    let mut standby = Node::start(&world, &other, dir.path(), &said);
    let shown = standby.reaches(size).await;
    assert_eq!(shown, active.log.published().unwrap().note);
    assert!(standby.log.is_standby() && !active.log.is_standby());
    assert!(standby.lock.shown.lock().is_empty());

    for hold in [Hold::Before, Hold::After, Hold::Before] {
        let before = active.lock.shown.lock().len();
        let moved = active.lock.moved();
        *active.lock.hold.lock() = Some(hold);
        world.append(&one).await;
        let mut paused = active.lock.paused.subscribe();
        let paused = timeout(LONG, paused.wait_for(|paused| *paused)).await;
        drop(paused.unwrap().unwrap());
        // What it wants to publish is less than there is when it wakes.
        world.append(&other).await;
        let size = length(&other).await;
        let note = standby.reaches(size).await;
        assert!(!standby.log.is_standby());
        active.lock.pause(false);
        active.reaches(size).await;
        until("it stands by", || active.log.is_standby()).await;
        until("it shows the same", || {
            active.log.published().unwrap().note == note
        })
        .await;
        assert_eq!(active.lock.shown.lock().len(), before, "{hold:?}");
        // What it had locked before it was stopped stays locked: the other signed the same. What it had
        // not, it cannot lock any more.
        let after = moved + u64::from(hold == Hold::After);
        assert_eq!(active.lock.moved(), after, "{hold:?}");
        (active, standby) = (standby, active);
    }
    // Whoever ends in good order does not keep the other waiting.
    active.end().await;
    until("the other seals", || !standby.log.is_standby()).await;
    world.append(&one).await;
    standby.reaches(length(&one).await).await;
    assert_eq!(standby.log.trouble(), None);
    standby.end().await;
    assert!(said.contradictions.lock().is_empty());
}

/// The same numbers on every run.
struct Dice(u64);

impl Dice {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % below
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sealers_killed_and_paused_at_random_never_say_two_things() {
    const ROUNDS: u64 = 40;
    let (world, one) = World::new().await;
    let (dir, said) = (tempfile::tempdir().unwrap(), Arc::<Said>::default());
    let other = world.join(&dir).await;
    let ledgers = [one, other];
    let dirs = [world.first.path(), dir.path()];
    let mut dice = Dice(11);
    let start = |at: usize| Node::start(&world, &ledgers[at], dirs[at], &said);
    let mut nodes = [start(0), start(1)].map(Some);
    for _ in 0..ROUNDS {
        for _ in 0..=dice.next(2) {
            world.append(&ledgers[dice.next(2) as usize]).await;
        }
        let at = dice.next(2) as usize;
        let lock = |nodes: &[Option<Node>; 2]| Arc::clone(&nodes[at].as_ref().unwrap().lock);
        match dice.next(5) {
            0 => {
                nodes[at].take().unwrap().kill().await;
                nodes[at] = Some(start(at));
            }
            1 => lock(&nodes).pause(true),
            2 => *lock(&nodes).hold.lock() = Some(Hold::After),
            _ => lock(&nodes).pause(false),
        }
        // At what step of the others it happens is left to chance.
        tokio::time::sleep(Duration::from_millis(dice.next(400))).await;
        for node in nodes.iter().flatten() {
            if let Some(published) = node.log.published() {
                said.hear(&published.note);
            }
        }
    }
    let nodes = nodes.map(Option::unwrap);
    for node in &nodes {
        *node.lock.hold.lock() = None;
        node.lock.pause(false);
    }
    world.append(&ledgers[0]).await;
    let size = length(&ledgers[0]).await;
    let shown = [nodes[0].reaches(size).await, nodes[1].reaches(size).await];
    assert_eq!(shown[0], shown[1]);
    let turns = world.lock().look().await.unwrap().life.epoch;
    assert!(turns >= 4, "{turns} turns");
    for node in nodes {
        node.end().await;
    }
    assert_eq!(*said.contradictions.lock(), []);
    // Each is the root of this ledger's events, by a tree of its own.
    let fresh = tempfile::tempdir().unwrap();
    let log = world.log(fresh.path());
    let store = Arc::clone(ledgers[0].store());
    let following = Following::new(store, Arc::clone(&log), None);
    let stop = watch::Sender::new(false);
    let following = tokio::spawn(following.run(Arc::new(world.lock()), stop.subscribe()));
    timeout(LONG, log.wait_for(size)).await.unwrap().unwrap();
    for (size, text) in said.texts.lock().iter() {
        let root = log.root(*size).unwrap();
        let said = Checkpoint::parse(text).unwrap().head;
        assert_eq!(said.root, root, "{size}");
    }
    stop.send_replace(true);
    timeout(LONG, following).await.unwrap().unwrap();
}

/// Asks nobody: there are enough cosignatures, or there are none.
struct Policy {
    gate: Arc<Gate>,
    lacks: AtomicBool,
}

impl Policy {
    fn new(ledger: &Ledger) -> Arc<Self> {
        Arc::new(Self {
            gate: Arc::clone(ledger.gate()),
            lacks: AtomicBool::new(true),
        })
    }
}

impl Cosigner for Policy {
    fn cosign<'a>(&'a self, note: Note, _: &'a TransparencyLog) -> BoxFuture<'a, Cosigned> {
        let size = Checkpoint::parse(note.text()).unwrap().head.size;
        let lacks = self.lacks.load(Ordering::SeqCst);
        if lacks {
            self.gate.shut();
        } else {
            self.gate.open();
        }
        let missing = lacks.then_some(Missing {
            size,
            found: 0,
            wanted: 1,
            published: false,
            refuses: true,
        });
        Box::pin(async move { Cosigned { note, missing } })
    }

    fn is_content(&self, _: &Note) -> bool {
        !self.lacks.load(Ordering::SeqCst)
    }
}

/// Where cosignatures are missing and the ledger must not grow, no node takes anything, whoever seals.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_refuses_all_refuse() {
    let (world, one) = World::new().await;
    let (dir, said) = (tempfile::tempdir().unwrap(), Arc::default());
    let other = world.join(&dir).await;
    let policies = [Policy::new(&one), Policy::new(&other)];
    policies[0].lacks.store(false, Ordering::SeqCst);
    let (ours, theirs) = (policies[0].clone(), policies[1].clone());
    let active = Node::witnessed(&world, &one, world.first.path(), &said, Some(ours));
    let size = length(&one).await;
    let before = active.reaches(size).await;
    let standby = Node::witnessed(&world, &other, dir.path(), &said, Some(theirs));
    standby.reaches(size).await;
    assert!(!one.gate().is_shut() && !other.gate().is_shut());

    policies[0].lacks.store(true, Ordering::SeqCst);
    world.append(&other).await;
    until("both are shut", || {
        one.gate().is_shut() && other.gate().is_shut()
    })
    .await;
    let missing = standby.log.missing().unwrap();
    assert!(missing.refuses && missing.size > size, "{missing:?}");
    assert_eq!(standby.log.published().unwrap().note, before, "held back");
    // Whoever takes over asks for the same checkpoint, and refuses on.
    active.kill().await;
    until("the other seals", || !standby.log.is_standby()).await;
    assert!(other.gate().is_shut());
    let (ours, size) = (policies[0].clone(), size + 1);
    let back = Node::witnessed(&world, &one, world.first.path(), &said, Some(ours));
    until("it hears of it", || back.log.missing() == Some(missing)).await;
    assert!(one.gate().is_shut() && other.gate().is_shut());
    policies[1].lacks.store(false, Ordering::SeqCst);
    let note = standby.reaches(size).await;
    assert_eq!(back.reaches(size).await, note);
    until("both are open", || {
        !one.gate().is_shut() && !other.gate().is_shut()
    })
    .await;
    back.end().await;
    standby.end().await;
    assert!(said.contradictions.lock().is_empty());
}

/// What a node's own events do not lead to, or nobody signed, is never shown; and said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_so_is_not_shown() {
    let (world, one) = World::new().await;
    let (dir, said) = (tempfile::tempdir().unwrap(), Arc::default());
    let other = world.join(&dir).await;
    let sealer = Node::start(&world, &one, world.first.path(), &said);
    let size = length(&one).await;
    let good = sealer.reaches(size).await;
    let origin = sealer.log.origin().to_owned();
    sealer.end().await;
    for _ in 0..2 {
        world.append(&one).await;
    }
    let lock = world.lock();
    let seen = lock.look().await.unwrap();
    assert!(lock.take(&seen).await.unwrap());
    let show = async |size: u64, root: Hash, signer: Signer| {
        let checkpoint = Checkpoint::new(&origin, Head { size, root }).unwrap();
        let text = checkpoint.to_text();
        let note = Note::parse(&format!("{text}\n{}", signer.sign(&text).unwrap())).unwrap();
        let old = lock.load().await.unwrap();
        let new = Locked { checkpoint };
        lock.swap(old.as_ref(), &new).await.unwrap();
        lock.show(Some(&note), None).await.unwrap();
    };
    let follow = |log: &Arc<TransparencyLog>| {
        let stop = watch::Sender::new(false);
        let following = Following::new(Arc::clone(other.store()), Arc::clone(log), None);
        let running = following.run(Arc::new(world.lock()), stop.subscribe());
        (tokio::spawn(running), stop)
    };
    // Another root than the events lead to, by the ledger's own key.
    let log = world.log(dir.path());
    let (running, stop) = follow(&log);
    timeout(LONG, log.wait_for(size)).await.unwrap().unwrap();
    show(size + 1, Hash([7; 32]), world.signer()).await;
    until("it is said", || log.trouble().is_some()).await;
    assert_eq!(log.trouble(), Some(SealError::Fork { size: size + 1 }));
    assert_eq!(log.published().unwrap().note, good);
    stop.send_replace(true);
    timeout(LONG, running).await.unwrap().unwrap();
    // The right root, by somebody else's key; on a node that has shown nothing yet.
    let mut tree = Tree::new();
    for record in other.store().read_all(Position(0), 4_096).await.unwrap() {
        tree.push(Hash::leaf(&entry_of(&record.bytes).unwrap()), &mut |_| {});
    }
    assert_eq!(tree.size(), size + 2);
    let stranger = signer(world.id, SigningKey::from_bytes(&[9; 32])).unwrap();
    show(size + 2, tree.root(), stranger).await;
    let fresh = tempfile::tempdir().unwrap();
    let log = world.log(fresh.path());
    let (running, stop) = follow(&log);
    until("it is said", || log.trouble().is_some()).await;
    let trouble = log.trouble().unwrap();
    assert!(matches!(trouble, SealError::Lock { .. }), "{trouble}");
    assert_eq!(log.published(), None);
    stop.send_replace(true);
    timeout(LONG, running).await.unwrap().unwrap();
}

/// Two servers that both state what the read models came to: one statement each time, one after the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_that_state_the_state_do_not_fight() {
    let (world, one) = World::new().await;
    let dir = tempfile::tempdir().unwrap();
    let other = world.join(&dir).await;
    let pace = Pace {
        after: i64::MAX,
        events: 1,
    };
    let mut views = Vec::new();
    for ledger in [&one, &other] {
        let options = projections::Options {
            follow: true,
            ..projections::Options::default()
        };
        let store = Arc::clone(ledger.store());
        views.push(Views::open_in_memory(store, options).await.unwrap());
    }
    let mut sealers = [
        StateSealer::new(one.clone(), views[0].clone(), pace),
        StateSealer::new(other.clone(), views[1].clone(), pace),
    ];
    let (mut sealed, mut raced) = (0, 0);
    for turn in 0..12 {
        world.append([&one, &other][turn % 2]).await;
        // Until both find that nothing is due.
        let settle = async {
            let mut idle = 0;
            while idle < 3 {
                let [ours, theirs] = &mut sealers;
                let (ours, theirs) = tokio::join!(ours.round(), theirs.round());
                let rounds = [ours.unwrap(), theirs.unwrap()];
                sealed += rounds
                    .iter()
                    .filter(|round| matches!(round, Round::Sealed { .. }))
                    .count();
                raced += rounds
                    .iter()
                    .filter(|round| **round == Round::Raced)
                    .count();
                let lengths = [length(&one).await, length(&other).await];
                let still = rounds == [Round::Idle; 2] && lengths[0] == lengths[1];
                idle = if still { idle + 1 } else { 0 };
            }
        };
        timeout(LONG, settle).await.unwrap();
    }
    let stream = ledger::state_seal::STREAM;
    let records = one.store().read_stream(stream, Revision(0), 1_000);
    let records = records.await.unwrap();
    assert_eq!(records.len(), sealed, "{raced} raced");
    let mut last = 0;
    for record in &records {
        let taken = RecordRef::parse(&record.bytes).unwrap();
        let event = open_event(&taken.open_envelope().unwrap()).unwrap();
        let Event::StateSealed(facts) = event else {
            panic!("{:?}", event.kind());
        };
        // What each states is the cut that the one before it made.
        assert_eq!(facts.position, last, "at {}", record.position.0);
        last = record.position.0 + 1;
    }
    let end = Position(length(&one).await - 1);
    for views in &views {
        views.wait(end, LONG).await.unwrap();
        for status in views.status().await.unwrap() {
            assert_eq!(status.last_error, None, "{}", status.name);
            assert_eq!(status.state, projections::State::Live, "{}", status.name);
        }
    }
    let stated = views[0].stated_state().unwrap();
    assert!(stated.is_some());
    assert_eq!(stated, views[1].stated_state().unwrap());
}
