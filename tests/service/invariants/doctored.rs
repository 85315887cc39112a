//! The judge judged: for each thing that must always hold, a history in which it does not, one change away from
//! one that is good, and the name the judge must give it.

use super::model::{Model, redacted_until};
use super::{compare_digests, runtime, way};
use crate::procedures::{NUMBER, PHONE, app_account};
use crate::world::World;
use domain::envelope::{Actor, Envelope, Evidence};
use domain::event::*;
use domain::ids::{
    AccountId, Category, CommandId, CorrelationId, DeviceRef, Digest, EventId, KeyId, LookupHash,
    Micros, Position, PrincipalId, PublicKey, Revision, StreamId,
};
use domain::record::{self, RecordRef};
use domain::vocabulary::{ClaimEnd, Level, LockGround, Role};
use ed25519_dalek::SigningKey;
use ledger::store::StoredRecord;
use projections::{Options, Views};
use serde_json::{Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind};

const ONE: AccountId = AccountId([1; 16]);
const OTHER: AccountId = AccountId([2; 16]);
const NOW: Micros = Micros(50);

/// What the judge calls it; `None`: all is well.
fn verdict(judge: impl FnOnce()) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(judge)).err()?;
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    Some(text.expect("a panic says why"))
}

#[track_caller]
fn good(judge: impl FnOnce()) {
    assert_eq!(verdict(judge), None);
}

#[track_caller]
fn named(name: &str, judge: impl FnOnce()) {
    let verdict = verdict(judge);
    let said = verdict.as_deref().unwrap_or("nothing");
    assert!(said.contains(name), "`{name}` was called: {said}");
}

/// A history of two accounts, event by event.
fn happened(events: &[(AccountId, Event)]) -> Model {
    let mut model = Model::default();
    for (account, event) in events {
        model.happened(*account, event, NOW);
    }
    model
}

fn of(account: AccountId, events: Vec<Event>) -> Vec<(AccountId, Event)> {
    let with = |event| (account, event);
    events.into_iter().map(with).collect()
}

/// An event in a stream, under an id by number.
fn told(model: &mut Model, stream: StreamId, number: u8, event: impl Into<Event>) {
    let event = event.into();
    let envelope = Envelope {
        event_id: EventId([number; 16]),
        stream,
        revision: Revision(0),
        link: Digest::ZERO,
        kind: event.kind(),
        schema: 1,
        recorded_at: NOW,
        occurred_at: NOW,
        command: CommandId([number; 16]),
        causation: None,
        correlation: CorrelationId([number; 16]),
        actor: Actor {
            role: Role::Ledger,
            principal: PrincipalId::ZERO,
            key: None,
        },
        evidence: Evidence::None,
        policy: 0,
        catalogue: 0,
        receipt: None,
        facts: Vec::new(),
        sealed: Vec::new(),
        ledger_key: KeyId::ZERO,
    };
    model.take(&envelope, &event);
}

fn phone(number: u8) -> StreamId {
    StreamId::claim(Category::PhoneClaim, LookupHash([number; 16]))
}

/// Two accounts, each with a phone of its own, claimed and made good.
fn two_with_phones() -> Model {
    let mut model = Model::default();
    for (number, account) in [(1, ONE), (2, OTHER)] {
        let claimed = Claimed {
            account,
            confirmed_by: EventId([number; 16]),
        };
        told(&mut model, phone(number), 100 + number, claimed);
        let stream = StreamId::account(account);
        told(&mut model, stream, number, AppAccountCreated {});
    }
    model
}

#[test]
fn a_phone_of_two_accounts_is_named() {
    let own = [(ONE, phone(1)), (OTHER, phone(2))];
    good(|| two_with_phones().compare_phones(own.into_iter()));
    named("a phone of two accounts", || {
        let both = [(ONE, phone(1)), (OTHER, phone(1))];
        two_with_phones().compare_phones(both.into_iter());
    });
    named("a phone nobody claimed", || {
        let swapped = [(ONE, phone(2)), (OTHER, phone(1))];
        two_with_phones().compare_phones(swapped.into_iter());
    });
    let by_other = Claimed {
        account: OTHER,
        confirmed_by: EventId([9; 16]),
    };
    named("PhoneClaim claimed twice", || {
        told(&mut two_with_phones(), phone(1), 9, by_other.clone());
    });
    good(|| {
        let mut model = two_with_phones();
        let released = ClaimReleased {
            account: ONE,
            reason: ClaimEnd::Changed,
        };
        told(&mut model, phone(1), 8, released);
        told(&mut model, phone(1), 9, by_other.clone());
    });
}

#[test]
fn a_device_of_two_accounts_is_named() {
    let (device, key) = (DeviceRef([1; 16]), PublicKey([1; 32]));
    let bound = Event::from(DeviceBound { device, key });
    let mut events = of(ONE, way(Level::Two, 1));
    good(|| drop(happened(&events)));
    events.push((OTHER, bound));
    named("a device of two accounts", || drop(happened(&events)));
    events.pop();
    let device = DeviceRef([3; 16]);
    events.push((ONE, DeviceBound { device, key }.into()));
    named("two devices of one account", || drop(happened(&events)));
}

#[test]
fn an_activation_without_an_issue_is_named() {
    let without = |kind: &str| {
        let mut events = way(Level::Two, 1);
        events.retain(|event| event.name() != kind);
        of(ONE, events)
    };
    named("before anything was issued", || {
        drop(happened(&without("AccountIssued")));
    });
    named("issued what nobody applied for", || {
        drop(happened(&without("Level2Applied")));
    });
    let activated = AccountActivated { level: Level::One };
    named("at a level that was not issued", || {
        drop(happened(&of(ONE, vec![activated.into()])));
    });
}

#[test]
fn a_level_above_what_was_issued_is_named() {
    let mut events = of(ONE, way(Level::One, 1));
    let last = events.len() - 1;
    events[last].1 = AccountActivated { level: Level::Two }.into();
    named("at a level that was not issued", || drop(happened(&events)));
    let model = happened(&of(ONE, way(Level::One, 1)));
    good(|| compare(&model, &state(1, false), 9));
    named("the level is what was issued", || {
        compare(&model, &state(2, false), 9);
    });
}

fn state(level: u64, locked: bool) -> Value {
    json!({ "level": level, "activated": true, "locked": locked, "closed": false })
}

fn compare(model: &Model, state: &Value, services: u64) {
    let mut state = state.clone();
    let rights = json!({ "granted": services });
    state["entitlements"] = rights.clone();
    model.compare_answer(ONE, &state, &rights);
}

#[test]
fn an_entitlement_while_locked_is_named() {
    let mut events = of(ONE, way(Level::Two, 1));
    let open = happened(&events);
    good(|| compare(&open, &state(2, false), 16));
    let ground = LockGround::OwnRequest;
    events.push((ONE, AccountLocked { ground }.into()));
    let locked = happened(&events);
    good(|| compare(&locked, &state(2, true), 0));
    named("services of", || compare(&locked, &state(2, true), 16));
    named("services of", || compare(&locked, &state(2, true), 1));
    events.push((ONE, SessionOpened { device: None }.into()));
    named("SessionOpened while locked", || drop(happened(&events)));
}

/// Every record of a world in which somebody registered.
async fn log_of(world: &World) -> Vec<StoredRecord> {
    app_account(world, NUMBER, PHONE).await;
    let store = world.ledger.store();
    let mut log: Vec<StoredRecord> = Vec::new();
    loop {
        let from = Position(log.len() as u64);
        let page = store.read_all(from, 256).await.unwrap();
        if page.is_empty() {
            return log;
        }
        log.extend(page);
    }
}

fn read(log: &[StoredRecord]) {
    let mut model = Model::default();
    for (position, stored) in log.iter().enumerate() {
        let position = Position(position as u64);
        let stored = StoredRecord {
            position,
            ..stored.clone()
        };
        model.record(&stored);
    }
    model.check();
}

/// The same record with another envelope.
fn altered(stored: &StoredRecord, alter: impl FnOnce(&mut Envelope)) -> StoredRecord {
    let record = RecordRef::parse(&stored.bytes).unwrap();
    let mut envelope = record.open_envelope().unwrap();
    alter(&mut envelope);
    envelope.sealed.clear();
    let signed = record::sign(&envelope, &[], &SigningKey::from_bytes(&[1; 32])).unwrap();
    StoredRecord {
        bytes: signed.record.into(),
        ..stored.clone()
    }
}

#[test]
fn a_gap_in_the_revisions_is_named() {
    let log = runtime().block_on(async { log_of(&World::new().await).await });
    good(|| read(&log));
    let account = log.iter().rposition(|stored| stored.revision.0 > 1);
    let last = account.expect("a stream of three events");
    let mut without = log.clone();
    let stream = log[last].stream;
    let middle = log
        .iter()
        .position(|stored| stored.stream == stream && stored.revision.0 == 1);
    without.remove(middle.unwrap());
    named("revisions have no gaps", || read(&without));
    let mut skipped = log.clone();
    skipped[last] = altered(&log[last], |envelope| envelope.revision.0 += 1);
    named("revisions have no gaps", || read(&skipped));
    let mut unlinked = log.clone();
    unlinked[last] = altered(&log[last], |envelope| envelope.link = Digest([7; 32]));
    named("each event names the one before it", || read(&unlinked));
    named("positions have no gaps", || {
        let mut model = Model::default();
        for stored in log.iter().skip(1) {
            model.record(stored);
        }
    });
}

#[test]
fn a_digest_that_differs_is_named() {
    runtime().block_on(async {
        let world = World::new().await;
        let length = log_of(&world).await.len() as u64;
        world.settle().await;
        let followed = world.views.digests();
        let options = || Options {
            follow: false,
            ..Options::default()
        };
        let whole = redacted_until(&world, length).await;
        let whole = Views::open_in_memory(whole, options()).await.unwrap();
        good(|| compare_digests(&whole, &followed));
        // One event less.
        let cut = redacted_until(&world, length - 1).await;
        let cut = Views::open_in_memory(cut, options()).await.unwrap();
        named("the digests differ", || compare_digests(&cut, &followed));
    });
}
