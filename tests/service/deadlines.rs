//! Deadlines that pass, and erasures that a crash cut short: what the ledger does by itself.

use super::procedures::{NUMBER, PHONE, app_account, level_1};
use super::world::{START, World, capture, start};
use core::time::Duration;
use domain::command::Command;
use domain::envelope::{Actor, Envelope};
use domain::event::{Event, kind_name};
use domain::ids::{AccountId, CommandId, Micros, Position, PrincipalId, StreamId};
use domain::record::{RecordRef, open_event};
use domain::vocabulary::{RetentionClass, Role};
use ledger::evidence::Proven;
use ledger::vault::KeyState;
use ledger::writer::{Secrets, Submission, Target};
use outside::clock::{Clock, Round};
use serde_json::json;

const DAY: i64 = 86_400;

/// Everything the clock recorded, in order.
async fn by_the_clock(world: &World) -> Vec<(AccountId, Envelope, Event)> {
    let records = world.ledger.store().read_all(Position(0), 1000).await;
    let records = records.unwrap();
    let opened = records.iter().map(|record| {
        let envelope = RecordRef::parse(&record.bytes)
            .unwrap()
            .open_envelope()
            .unwrap();
        let event = open_event(&envelope).unwrap();
        (
            record.stream.as_account().unwrap_or(AccountId::ZERO),
            envelope,
            event,
        )
    });
    opened
        .filter(|(_, envelope, _)| envelope.actor.role == Role::Clock)
        .collect()
}

fn clock(world: &World) -> Clock {
    Clock::new(world.ledger.clone(), world.views.clone())
}

const fn passed(passed: u64) -> Round {
    Round {
        passed,
        repeated: 0,
        refused: 0,
    }
}

/// An application that nobody decides.
async fn applied(world: &World, number: &str, phone: &str) -> String {
    let (account, session) = app_account(world, number, phone).await;
    let qr = format!("{number}||Nguyễn Thị Đẹp|29021984|Nữ|Hải Dương|01012022");
    let body = json!({ "qr": qr, "portrait": capture() });
    let path = format!("/v1/accounts/{account}/level-1-applications");
    world.post_as(&session, &path, body).await.recorded();
    account
}

#[tokio::test]
async fn what_is_overdue_passes_in_order_and_once() {
    let world = World::new().await;
    assert_eq!(clock(&world).round().await.unwrap(), Round::default());
    // Two windows a day apart, and between them a dossier that is never decided.
    let (first, session) = app_account(&world, NUMBER, PHONE).await;
    level_1(&world, &first, &session).await;
    world.pass(DAY);
    let waiting = applied(&world, "030184000002", "0912345679").await;
    let (last, session) = app_account(&world, "030184000003", "0912345670").await;
    level_1(&world, &last, &session).await;
    world.pass(DAY);
    assert_eq!(
        clock(&world).round().await.unwrap(),
        Round::default(),
        "not before their time"
    );

    // The server was away for a month.
    world.pass(30 * DAY);
    let mut late = clock(&world);
    assert_eq!(late.round().await.unwrap(), passed(3));
    let events = by_the_clock(&world).await;
    let told: Vec<_> = events
        .iter()
        .map(|(account, _, event)| (account.to_string(), kind_name(event.kind()).unwrap()))
        .collect();
    let expected = [
        (waiting, "ProcessingDeadlineMissed"),
        (first.clone(), "ActivationWindowExpired"),
        (last, "ActivationWindowExpired"),
    ];
    assert_eq!(told, expected.map(|(account, kind)| (account, kind)));
    for (_, envelope, event) in &events {
        // It happened when the deadline was, however late it is written down.
        assert_eq!(envelope.recorded_at, world.ledger.now());
        assert!(envelope.occurred_at < Micros(START.0 + 10 * DAY * Micros::SECOND));
        if let Event::ActivationWindowExpired(facts) = event {
            assert_eq!(envelope.occurred_at, facts.deadline);
        }
    }
    assert!(
        events
            .windows(2)
            .all(|pair| pair[0].1.occurred_at <= pair[1].1.occurred_at)
    );

    // Asked again, by the same clock and by one that was started anew: nothing is written.
    let length = world.length().await;
    assert_eq!(late.round().await.unwrap(), Round::default());
    assert_eq!(clock(&world).round().await.unwrap(), Round::default());
    assert_eq!(world.length().await, length);

    // A window that is opened once more runs out once more.
    let path = format!("/v1/accounts/{first}/activation-assistance");
    let proof = json!({ "proof_given": true });
    world
        .post_signed(&world.hotline, &path, proof)
        .await
        .recorded();
    world.pass(30 * DAY);
    assert_eq!(late.round().await.unwrap(), passed(1));
    assert_eq!(by_the_clock(&world).await.len(), 4);
}

#[tokio::test]
async fn two_clocks_record_one_passing() {
    let world = World::new().await;
    for n in 0..4 {
        let number = format!("03018400001{n}");
        applied(&world, &number, &format!("091234561{n}")).await;
    }
    world.pass(30 * DAY);
    let (mut one, mut other) = (clock(&world), clock(&world));
    let (one, other) = tokio::join!(one.round(), other.round());
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one.passed + other.passed, 4, "{one:?} {other:?}");
    assert_eq!(one.refused + other.refused, 0, "{one:?} {other:?}");
    assert_eq!(by_the_clock(&world).await.len(), 4);
}

#[tokio::test]
async fn a_replay_has_the_same_deadlines_behind_it() {
    let world = World::new().await;
    applied(&world, NUMBER, PHONE).await;
    world.pass(30 * DAY);
    clock(&world).round().await.unwrap();
    world.settle().await;
    let replayed = projections::Views::open_in_memory(
        world.ledger.store().clone(),
        projections::Options::default(),
    )
    .await
    .unwrap();
    let last = Position(world.length().await - 1);
    replayed.wait(last, Duration::from_secs(10)).await.unwrap();
    assert_eq!(replayed.digests(), world.views.digests());
    let again = Clock::new(world.ledger.clone(), replayed).round().await;
    assert_eq!(again.unwrap(), Round::default());
}

fn erase(world: &World, account: AccountId) -> Submission {
    Submission {
        command: Command::RequestErasure {
            class: RetentionClass::Short,
        },
        target: Target::Account(account),
        command_id: CommandId(world.ledger.assembler().ids().id()),
        correlation: None,
        actor: Actor {
            role: Role::Citizen,
            principal: PrincipalId(account.0),
            key: None,
        },
        proven: Proven::none(),
        expected: None,
        occurred_at: None,
        secrets: Secrets::default(),
    }
}

/// A vault that was copied before an erasure stands for both ways there: a crash between the event
/// and the destruction, and a copy that is put back.
#[tokio::test]
async fn an_erasure_that_was_cut_short_is_finished() {
    let world = World::new().await;
    let (account, _) = app_account(&world, NUMBER, PHONE).await;
    let account: AccountId = account.parse().unwrap();
    let other = app_account(&world, "030184000002", "0912345679").await.0;
    let other: AccountId = other.parse().unwrap();
    let before = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(world.directory.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), before.path().join(file.file_name())).unwrap();
    }
    let erased = world.ledger.submit(erase(&world, account)).await.unwrap();
    assert_eq!(erased.refused, None);
    world.settle().await;

    let store = world.ledger.store().clone();
    let restarted = start(
        before.path(),
        store,
        world.clock.clone(),
        world.mailbox.clone(),
    )
    .await;
    let vault = restarted.vault();
    let state = async |account: AccountId, class| vault.key(&account.0, class).await.unwrap();
    let short = RetentionClass::Short;
    assert!(matches!(state(account, short).await, KeyState::Live(_)));
    let wait = Duration::from_secs(10);
    let finish = outside::erasure::finish(&restarted, &world.views, wait).await;
    assert_eq!(finish.unwrap(), 1);
    assert!(matches!(state(account, short).await, KeyState::Destroyed));
    let permanent = RetentionClass::Permanent;
    assert!(matches!(state(account, permanent).await, KeyState::Live(_)));
    assert!(matches!(state(other, short).await, KeyState::Live(_)));
    let again = outside::erasure::finish(&restarted, &world.views, wait).await;
    assert_eq!(again.unwrap(), 0);
    let stream = StreamId::account(account);
    assert!(
        restarted
            .store()
            .stream_head(stream)
            .await
            .unwrap()
            .is_some()
    );
}
