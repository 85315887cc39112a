//! What the ledger states of its own state: when, once, and proved.

use super::procedures::{NUMBER, PHONE, app_account};
use super::world::World;
use core::time::Duration;
use domain::ids::{AccountId, Digest, Position};
use domain::vocabulary::RetentionClass;
use outside::state_sealing::{Pace, Round, StateSealer};
use projections::sealed::Replay;
use projections::state_map::NAME;
use projections::{Options, State, Views};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

const LONG: Duration = Duration::from_secs(20);
const MINUTE: i64 = 60;

fn sealer(world: &World) -> StateSealer {
    StateSealer::new(world.ledger.clone(), world.views.clone(), Pace::default())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_stated_when_something_happened_and_then_once_more_and_no_more() {
    let world = World::new().await;
    let mut sealer = sealer(&world);
    assert_eq!(sealer.round().await.unwrap(), Round::Idle, "not at once");
    world.pass(MINUTE);
    let length = world.length().await;
    let (at, position) = (Position(length), 0);
    assert_eq!(
        sealer.round().await.unwrap(),
        Round::Sealed { at, position }
    );
    assert_eq!(sealer.round().await.unwrap(), Round::Idle, "not so soon");
    world.pass(MINUTE);
    let (at, position) = (Position(length + 1), length + 1);
    assert_eq!(
        sealer.round().await.unwrap(),
        Round::Sealed { at, position }
    );
    for _ in 0..3 {
        world.pass(MINUTE);
        assert_eq!(
            sealer.round().await.unwrap(),
            Round::Idle,
            "nothing happened"
        );
    }
    app_account(&world, NUMBER, PHONE).await;
    world.pass(MINUTE);
    let length = world.length().await;
    let sealed = sealer.round().await.unwrap();
    assert!(
        matches!(sealed, Round::Sealed { at, .. } if at.0 == length),
        "{sealed:?}"
    );
    let hasty = Pace {
        events: 1,
        ..Pace::default()
    };
    let mut hasty = StateSealer::new(world.ledger.clone(), world.views.clone(), hasty);
    assert_eq!(hasty.round().await.unwrap(), Round::Idle, "no event since");
    app_account(&world, "030184000002", "0912345679").await;
    let sealed = hasty.round().await.unwrap();
    assert!(matches!(sealed, Round::Sealed { .. }), "{sealed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_sealers_one_states_and_what_is_stated_follows_on() {
    let world = World::new().await;
    app_account(&world, NUMBER, PHONE).await;
    // Another server of the same ledger, with read models of its own.
    let store = Arc::clone(world.ledger.store());
    let options = Options::default();
    let other = Views::open_in_memory(Arc::clone(&store), options)
        .await
        .unwrap();
    let mut ours = sealer(&world);
    let mut theirs = StateSealer::new(world.ledger.clone(), other.clone(), Pace::default());
    let mut sealed = 0;
    for _ in 0..6 {
        world.pass(MINUTE);
        let (one, two) = tokio::join!(ours.round(), theirs.round());
        for round in [one.unwrap(), two.unwrap()] {
            sealed += u64::from(matches!(round, Round::Sealed { .. }));
        }
        app_account(
            &world,
            &format!("0301840001{sealed:02}"),
            &format!("09123460{sealed:02}"),
        )
        .await;
    }
    let records = store
        .read_stream(ledger::state_seal::STREAM, domain::ids::Revision(0), 100)
        .await;
    let records = records.unwrap();
    assert_eq!(records.len() as u64, sealed);
    assert_eq!(sealed, 6, "one each minute, whoever made it");
    world.settle().await;
    let last = Position(world.length().await - 1);
    other.wait(last, LONG).await.unwrap();
    for views in [&world.views, &other] {
        for status in views.status().await.unwrap() {
            assert_eq!(
                (status.state, status.last_error),
                (State::Live, None),
                "{}",
                status.name
            );
        }
    }
    assert_eq!(
        world.views.stated_state().unwrap(),
        other.stated_state().unwrap()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_and_its_absence_are_proved_from_what_was_stated() {
    let world = World::new().await;
    let (account, _) = app_account(&world, NUMBER, PHONE).await;
    let account: AccountId = account.parse().unwrap();
    assert_eq!(
        world.views.state_proof(account).unwrap(),
        None,
        "nothing is stated yet"
    );
    let stated = sealer(&world).seal_present().await.unwrap().unwrap();
    let again = sealer(&world).seal_present().await.unwrap();
    assert_eq!(again, Some(stated), "nothing happened since");
    // Later events change the account, not what was stated of it.
    let head = world.views.account(account).unwrap().unwrap().head;
    app_account(&world, "030184000002", "0912345679").await;
    let root = last_stated_root(&world).await;
    let proof = world.views.state_proof(account).unwrap().unwrap();
    let leaf = proof.check(&root).unwrap().unwrap();
    assert_eq!(
        (leaf.length, leaf.position),
        (head.revision.0 + 1, head.position.0)
    );
    let newest = world
        .ledger
        .store()
        .read_all(head.position, 1)
        .await
        .unwrap();
    let entry = ledger::transparency::entry_of(&newest[0].bytes).unwrap();
    assert_eq!(leaf.entry, Digest(entry));
    let nobody = world
        .views
        .state_proof(AccountId([0x5a; 16]))
        .unwrap()
        .unwrap();
    assert_eq!(nobody.check(&root).unwrap(), None);
    assert!(proof.check(&Digest([1; 32])).is_err());
    // The world has no transparency log of its own: what cannot be proved to strangers is not sealed yet.
    let path = format!("/v1/accounts/{account}/proof/state");
    world.get(&path).await.problem("NOT_SEALED");
}

async fn last_stated_root(world: &World) -> Digest {
    world
        .ledger
        .last_state_seal()
        .await
        .unwrap()
        .unwrap()
        .facts
        .root
}

#[tokio::test(flavor = "multi_thread")]
async fn erasing_a_key_changes_no_statement() {
    static NEVER: AtomicBool = AtomicBool::new(false);
    let world = World::new().await;
    let (account, _) = app_account(&world, NUMBER, PHONE).await;
    sealer(&world).seal_present().await.unwrap().unwrap();
    let replayed = async || {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::clone(world.ledger.store());
        let options = Options::default();
        let replay = Replay::fold(dir.path(), store, &options, &NEVER)
            .await
            .unwrap();
        replay.verdicts()
    };
    let before = replayed().await;
    assert!(
        before
            .iter()
            .all(|verdict| verdict.good() && verdict.same == 1),
        "{before:?}"
    );
    let account: AccountId = account.parse().unwrap();
    let class = RetentionClass::Permanent;
    world
        .ledger
        .vault()
        .destroy(&account.0, class)
        .await
        .unwrap();
    assert_eq!(replayed().await, before);
    // What is stated afterwards is arrived at as well, by views that never saw the key.
    sealer(&world).seal_present().await.unwrap().unwrap();
    app_account(&world, "030184000002", "0912345679").await;
    sealer(&world).seal_present().await.unwrap().unwrap();
    let after = replayed().await;
    assert!(
        after.iter().all(projections::sealed::Verdict::good),
        "{after:?}"
    );
    let map = after
        .iter()
        .find(|verdict| verdict.projection == NAME)
        .unwrap();
    assert!(map.same >= 3, "{map:?}");
}
