//! The state map against a plain model, and what becomes of statements that are not true.

use super::*;
use crate::accounts::Parting;
use crate::lane::{Lane, Window};
use crate::projection::Projection as _;
use crate::runner::{Batch, drive};
use crate::sealed::Replay;
use crate::testing::{Step, World, account, history};
use crate::view::MemoryView;
use crate::{Options, State, Views};
use domain::ids::{Position, PrincipalId};
use domain::vocabulary::{Role, StatedDigest};
use ledger::store::EventStore;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tlog::map::{Proof, path_of, root_of};

static NEVER: AtomicBool = AtomicBool::new(false);

fn sealed(facts: StateSealed) -> Step {
    Step {
        stream: StreamId::single(Category::StateSeals),
        event: facts.into(),
        role: Role::Ledger,
        principal: PrincipalId::ZERO,
        later: 1,
        late: 0,
        sealed: 0,
    }
}

async fn views(store: Arc<dyn EventStore>) -> Views {
    let options = Options {
        follow: false,
        ..Options::default()
    };
    Views::open_in_memory(store, options).await.unwrap()
}

/// What the next statement is, by views that folded everything anew.
async fn to_state(world: &World, last: Option<Position>) -> StateSealed {
    let views = views(world.store.clone()).await;
    views.state_to_seal(last).unwrap().unwrap()
}

/// A ledger with histories between statements; positions of the statements.
async fn sealed_world(chunks: &[Vec<Step>]) -> (World, Vec<Position>) {
    let mut world = World::new();
    let mut seals: Vec<Position> = Vec::new();
    for chunk in chunks {
        world.write_all(chunk).await;
        let facts = to_state(&world, seals.last().copied()).await;
        seals.push(world.write(&sealed(facts)).await);
    }
    (world, seals)
}

/// The map as of so many events, in the plainest way.
async fn model(world: &World, events: u64) -> BTreeMap<Key, StateLeaf> {
    let mut folds: BTreeMap<AccountId, Fold> = BTreeMap::new();
    let mut map = BTreeMap::new();
    let records = world.store.read_all(Position(0), 4096).await.unwrap();
    for record in records.iter().filter(|record| record.position.0 < events) {
        let record = crate::projection::decode(record, None).unwrap();
        let Some(account) = record.account() else {
            continue;
        };
        let fold = folds.entry(account).or_default();
        fold.push(&record).unwrap();
        let row = fold.bytes().unwrap().unwrap();
        let leaf = StateLeaf {
            length: record.envelope.revision.0 + 1,
            position: record.position.0,
            entry: Digest(record.entry),
            state: Digest(Sha256::digest(&row).into()),
        };
        map.insert(key_of(account), leaf);
    }
    map
}

fn model_root(map: &BTreeMap<Key, StateLeaf>) -> Hash {
    let mut buckets: BTreeMap<u16, Vec<Hash>> = BTreeMap::new();
    for (key, leaf) in map {
        let leaf = Leaf::of(*key, &leaf.to_bytes()).hash();
        buckets.entry(key.bucket()).or_default().push(leaf);
    }
    let empty = Bucket::empty().hash();
    let hash = |bucket| {
        buckets
            .get(&bucket)
            .map_or(empty, |leaves| Bucket::of(leaves).hash())
    };
    root_of(&(0..=u16::MAX).map(hash).collect::<Vec<_>>())
}

fn chunks() -> impl Strategy<Value = Vec<Vec<Step>>> {
    // One history cut in pieces: its streams go on across the statements.
    (history(60), proptest::collection::vec(0usize..25, 0..5)).prop_map(|(mut steps, lengths)| {
        let mut chunks = Vec::new();
        for length in lengths {
            let rest = steps.split_off(length.min(steps.len()));
            chunks.push(core::mem::replace(&mut steps, rest));
        }
        chunks.push(steps);
        chunks
    })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn it_states_and_proves_what_the_plain_map_says(chunks in chunks()) {
        runtime().block_on(async {
            let (world, seals) = sealed_world(&chunks).await;
            let views = views(world.store.clone()).await;
            let Some([before, last]) = seals.last_chunk::<2>() else {
                prop_assert_eq!(views.stated_state().unwrap(), None);
                prop_assert_eq!(views.state_proof(account(0)).unwrap(), None);
                return Ok(());
            };
            let map = model(&world, before.0 + 1).await;
            let stated = views.stated_state().unwrap().unwrap();
            prop_assert_eq!(stated.sealed_at, last.0);
            prop_assert_eq!(stated.cut.position, before.0 + 1);
            prop_assert_eq!(stated.cut.accounts, map.len() as u64);
            prop_assert_eq!(stated.cut.root.0, model_root(&map).0);
            for n in 0..8 {
                let proof = views.state_proof(account(n)).unwrap().unwrap();
                let said = proof.check(&stated.cut.root).unwrap();
                prop_assert_eq!(said.as_ref(), map.get(&key_of(account(n))));
                let json = serde_json::to_string(&proof).unwrap();
                let read: AccountProof = serde_json::from_str(&json).unwrap();
                prop_assert_eq!(&read, &proof);
                let elsewhere = AccountProof { account: account(n + 1), ..proof.clone() };
                if let Ok(said) = elsewhere.check(&stated.cut.root) {
                    prop_assert_eq!(said.as_ref(), map.get(&key_of(account(n + 1))));
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn windows_and_sealed_parts_change_nothing(
        chunks in chunks(),
        rows in 1usize..40,
        page in 1usize..30,
    ) {
        runtime().block_on(async {
            let (world, _) = sealed_world(&chunks).await;
            let whole = views(world.store.clone()).await;
            let redacted = views(world.redacted().await).await;
            prop_assert_eq!(whole.digests(), redacted.digests());
            prop_assert_eq!(whole.cut_digests(), redacted.cut_digests());
            prop_assert_eq!(whole.stated_state().unwrap(), redacted.stated_state().unwrap());

            let window = Window { rows, bytes: 40_000, serving: true };
            let view = Arc::new(MemoryView::new());
            let mut lane = Lane::create(Box::new(StateMap), view, window).unwrap();
            let records = world.store.read_all(Position(0), 4096).await.unwrap();
            for (at, page) in (0u64..).step_by(page).zip(records.chunks(page)) {
                let batch = Batch::decode(at, page, false, None);
                drive(&mut lane, &batch, false).unwrap();
            }
            lane.commit().unwrap();
            let digest = whole.digests().into_iter().find(|digest| digest.projection == NAME);
            prop_assert_eq!(Some(lane.digest()), digest);
            let cut = whole.cut_digests().into_iter().find(|digest| digest.projection == NAME);
            prop_assert_eq!(lane.cut(), cut);
            Ok(())
        })?;
    }
}

fn opened(n: u8) -> Step {
    Step {
        stream: StreamId::account(account(n)),
        event: domain::event::AppAccountCreated {}.into(),
        sealed: 1,
        ..sealed(to_be_replaced())
    }
}

fn to_be_replaced() -> StateSealed {
    StateSealed {
        position: 0,
        accounts: 0,
        root: Digest::ZERO,
        digests: Vec::new(),
    }
}

fn login(n: u8) -> Step {
    let event = domain::event::SessionOpened { device: None }.into();
    Step { event, ..opened(n) }
}

/// Three accounts, two statements, an event, and the third statement, which is not yet written.
async fn small() -> (World, StateSealed) {
    let chunks = [vec![opened(0), opened(1)], vec![login(0), opened(2)]];
    let (mut world, seals) = sealed_world(&chunks).await;
    world.write(&login(1)).await;
    let next = to_state(&world, seals.last().copied()).await;
    (world, next)
}

async fn verdicts(store: Arc<dyn EventStore>) -> Vec<crate::sealed::Verdict> {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::default();
    let replay = Replay::fold(dir.path(), store, &options, &NEVER)
        .await
        .unwrap();
    replay.verdicts()
}

#[tokio::test(flavor = "multi_thread")]
async fn true_statements_are_arrived_at_by_a_replay_also_without_sealed_parts() {
    let (mut world, next) = small().await;
    world.write(&sealed(next)).await;
    let whole = verdicts(world.store.clone()).await;
    assert_eq!(whole.len(), Views::NAMES.len());
    for verdict in &whole {
        assert!(verdict.good(), "{verdict:?}");
        assert_eq!(
            (verdict.same, verdict.not_comparable),
            (2, 0),
            "{verdict:?}"
        );
        assert_eq!(verdict.agreed, Some(6));
    }
    assert_eq!(whole, verdicts(world.redacted().await).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_that_was_not_arrived_at_halts_the_map_and_says_both() {
    for change in [
        (|facts: &mut StateSealed| facts.root.0[0] ^= 1) as fn(&mut StateSealed),
        |facts| facts.accounts += 1,
        |facts| facts.position -= 1,
    ] {
        let (mut world, next) = small().await;
        let (here, mut lie) = (next.root.to_string(), next);
        change(&mut lie);
        let at = world.write(&sealed(lie.clone())).await;
        world.write(&login(2)).await;
        let views = views(world.store.clone()).await;
        for status in views.status().await.unwrap() {
            let halted = matches!(status.state, State::Halted { .. });
            assert_eq!(halted, status.name == NAME, "{status:?}");
            if let State::Halted { position, reason } = status.state {
                assert_eq!(position, at.0);
                let both = reason.contains(&here) && reason.contains(&lie.root.to_string());
                assert!(both || reason.contains("position"), "{reason}");
            }
        }
        let verdicts = verdicts(world.store.clone()).await;
        let map = verdicts
            .iter()
            .find(|verdict| verdict.projection == NAME)
            .unwrap();
        assert_eq!(map.halted.as_ref().unwrap().0, at.0);
        assert_eq!(map.interval(), Some((3, at.0)));
        assert!(
            verdicts
                .iter()
                .all(|verdict| verdict.good() || verdict.projection == NAME)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_that_was_not_arrived_at_is_said_and_nothing_stops() {
    let (mut world, mut next) = small().await;
    let lie: &mut StatedDigest = &mut next.digests[0];
    lie.digest.0[5] ^= 1;
    let (name, stated) = (lie.projection.clone(), lie.digest);
    let at = world.write(&sealed(next)).await;
    world.write(&login(2)).await;
    let views = views(world.store.clone()).await;
    for status in views.status().await.unwrap() {
        assert_eq!((status.lag, status.state), (0, State::Live));
        let said = status
            .last_error
            .is_some_and(|error| error.contains(&stated.to_string()));
        assert_eq!(said, status.name == name);
    }
    let verdicts = verdicts(world.store.clone()).await;
    for verdict in verdicts {
        assert_eq!(verdict.good(), verdict.projection != name);
        if let Some(first) = verdict.first {
            assert_eq!((first.sealed_at, first.stated), (at.0, stated));
            assert_eq!((verdict.agreed, first.here.position), (Some(3), 6));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_of_another_version_is_not_compared_and_proves_nothing() {
    let (mut world, mut next) = small().await;
    for digest in &mut next.digests {
        digest.version += 1;
        digest.digest = Digest::ZERO;
    }
    next.root = Digest::ZERO;
    world.write(&sealed(next)).await;
    let views = views(world.store.clone()).await;
    assert_eq!(views.stated_state().unwrap(), None);
    for verdict in verdicts(world.store.clone()).await {
        assert!(verdict.good());
        assert_eq!((verdict.same, verdict.not_comparable), (1, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_served_row_that_misses_an_event_is_named_with_the_first_it_misses() {
    let dir = tempfile::tempdir().unwrap();
    let (mut world, next) = small().await;
    let options = || Options {
        follow: false,
        ..Options::default()
    };
    let store: Arc<dyn EventStore> = world.store.clone();
    let views = Views::open(dir.path(), store, options()).await.unwrap();
    // As it was before the login at position 3; another one gone; one that never was.
    let rows = views.rows(crate::accounts::NAME).unwrap();
    let was = crate::as_of::records(&*world.store, account(0))
        .await
        .unwrap();
    let mut fold = Fold::default();
    fold.push(&was[0]).unwrap();
    let write = |n: u8, value: Option<Vec<u8>>| crate::view::Write {
        key: account_key(account(n)).try_into().unwrap(),
        value: value.map(|value| value.try_into().unwrap()),
    };
    let altered = rows.get(&account_key(account(1))).unwrap().map(|mut row| {
        row[0] ^= 8;
        row
    });
    let mut writes = vec![
        write(0, fold.bytes().unwrap()),
        write(1, altered),
        write(2, None),
    ];
    writes.sort_by(|left, right| left.key.cmp(&right.key));
    rows.apply(writes).unwrap();
    drop(rows);
    let mut lie = next;
    let accounts = |digest: &&mut StatedDigest| digest.projection == crate::accounts::NAME;
    lie.digests.iter_mut().find(accounts).unwrap().digest = Digest::ZERO;
    world.write(&sealed(lie)).await;
    drop(views);
    let store: Arc<dyn EventStore> = world.store.clone();
    let views = Views::open(dir.path(), Arc::clone(&store), options())
        .await
        .unwrap();
    let aside = tempfile::tempdir().unwrap();
    let replay = Replay::fold(aside.path(), store, &options(), &NEVER)
        .await
        .unwrap();
    let verdicts = replay.verdicts();
    let verdict = verdicts.iter().find(|verdict| !verdict.good()).unwrap();
    assert_eq!(verdict.interval(), Some((3, 6)));
    let found = replay.compare(&views, verdict).await.unwrap().unwrap();
    let found: Vec<_> = found.iter().filter_map(|row| row.account).collect();
    let (after, first) = (Some(0), 3);
    assert_eq!(
        found,
        [
            (account(0), Parting::Missed { after, first }),
            (account(1), Parting::Never { first: None }),
            (
                account(2),
                Parting::Missed {
                    after: None,
                    first: 4
                }
            ),
        ]
    );
}

#[test]
fn an_empty_map_has_the_root_of_empty_buckets() {
    assert_eq!(tiles::empty_root(), model_root(&BTreeMap::new()));
    assert_eq!(StateMap.version() & 0xffff, crate::accounts::VERSION);
}

#[test]
fn versions_that_can_be_asked_for_are_kept() {
    let mut versions = Versions::none();
    for cut in [0u64, 2, 3, 3, 5] {
        versions.push(cut, cut.checked_sub(2), cut);
    }
    assert_eq!(
        versions
            .0
            .iter()
            .map(|version| version.is)
            .collect::<Vec<_>>(),
        [5, 3]
    );
    assert_eq!(
        (versions.at(4), versions.at(2), versions.at(9)),
        (Some(&3), None, Some(&5))
    );
}

#[test]
fn a_leaf_of_another_length_is_refused() {
    let leaf = StateLeaf {
        length: 3,
        position: 9,
        entry: Digest([1; 32]),
        state: Digest([2; 32]),
    };
    let bytes = leaf.to_bytes();
    assert_eq!(StateLeaf::from_bytes(&bytes), Some(leaf));
    assert_eq!(StateLeaf::from_bytes(&bytes[..79]), None);
    // Well proved, and still not a leaf of this map.
    let mut cut = bytes.clone();
    cut.pop();
    let key = key_of(account(0));
    let bucket = Bucket::of(&[Leaf::of(key, &cut).hash()]).hash();
    let mut buckets = vec![Bucket::empty().hash(); 1 << 16];
    buckets[usize::from(key.bucket())] = bucket;
    let path = path_of(&buckets, usize::from(key.bucket()));
    let root = Digest(root_of(&buckets).0);
    let proof = AccountProof {
        account: account(0),
        position: 100,
        sealed_at: 101,
        root,
        proof: Proof::of(key, Some(cut.clone()), &[Leaf::of(key, &cut)], path),
    };
    assert!(proof.check(&root).is_err());
}
