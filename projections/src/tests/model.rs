//! Folds in plain maps, written a second time and naively, against the real views over random
//! histories: live, from disk, rebuilt, and from a redacted copy.

use crate::as_of::AsOf;
use crate::audit::AuditQuery;
use crate::deadlines::{Deadline, Due};
use crate::lookups::Lookup;
use crate::projection::{Decoded, decode};
use crate::testing::{START, World, account, claim_stream, history, officer};
use crate::view::Order;
use crate::{Options, Views};
use domain::account::{Account, Recorded};
use domain::event::Event;
use domain::ids::*;
use domain::vocabulary::{Database, Level, Role};
use ledger::store::EventStore;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

const ACCOUNTS: u8 = 4;

async fn open(store: Arc<dyn EventStore>) -> Views {
    let options = Options {
        follow: false,
        ..Options::default()
    };
    Views::open_in_memory(store, options).await.unwrap()
}

async fn records(world: &World) -> Vec<Decoded> {
    let page = world.store.read_all(Position(0), 4096).await.unwrap();
    page.iter()
        .map(|record| decode(record, None).unwrap())
        .collect()
}

fn of(records: &[Decoded], id: AccountId) -> impl Iterator<Item = &Decoded> {
    records
        .iter()
        .filter(move |record| record.account() == Some(id))
}

fn fold<'a>(records: impl IntoIterator<Item = &'a Decoded>) -> Account {
    Account::replay(records.into_iter().map(|record| Recorded {
        event: &record.event,
        event_id: record.envelope.event_id,
        revision: record.envelope.revision,
        position: Some(record.position),
        recorded_at: record.envelope.recorded_at,
        occurred_at: record.envelope.occurred_at,
        policy: record.envelope.policy,
    }))
}

/// accounts, level 1, level 2, activated, app only
type Totals = (i64, i64, i64, i64, i64);

/// Counts account by account and event by event, on one day and in one area.
fn totals(records: &[Decoded], area: AreaCode, day: LocalDay) -> Totals {
    let mut totals = (0, 0, 0, 0, 0);
    for n in 0..ACCOUNTS {
        let (mut registry, mut app, mut levels) = (None, None, BTreeMap::new());
        let (mut activated, mut closed) = (false, false);
        for record in of(records, account(n)) {
            let on = record.envelope.occurred_at.local_day();
            match &record.event {
                Event::RegistryCheckSucceeded(facts) if facts.database == Database::Population => {
                    registry = Some(facts.area);
                }
                Event::AppAccountCreated(_) => app = app.or(Some((on, registry))),
                Event::AccountIssued(facts) => {
                    levels.entry(facts.level).or_insert((on, facts.area));
                }
                Event::AccountActivated(_) => activated |= on <= day,
                Event::AccountClosed(_) => closed |= on <= day,
                _ => {}
            }
        }
        let inside = |place: Option<AreaCode>| match (area, place) {
            (AreaCode(0), _) => true,
            (_, None) => false,
            (area, Some(place)) if area.0.is_multiple_of(1000) => {
                place.province() == area.province()
            }
            (area, Some(place)) => place == area,
        };
        let issued = levels.iter().rev().find(|(_, (on, _))| *on <= day);
        match (issued, app) {
            _ if closed => {}
            (Some((level, (_, place))), _) if inside(Some(*place)) => {
                totals.0 += 1;
                totals.1 += i64::from(*level == Level::One);
                totals.2 += i64::from(*level == Level::Two);
                totals.3 += i64::from(activated);
            }
            (None, Some((on, place))) if on <= day && inside(place) => totals.4 += 1,
            _ => {}
        }
    }
    totals
}

fn held(records: &[Decoded], stream: StreamId) -> Option<Lookup> {
    let mut held: Option<Lookup> = None;
    for record in records {
        let id = record.envelope.event_id;
        match &record.event {
            Event::Claimed(facts) if record.envelope.stream == stream => {
                held = Some(Lookup {
                    account: facts.account,
                    confirmed_by: facts.confirmed_by,
                    confirmed: false,
                    position: record.position,
                });
            }
            Event::ClaimReleased(facts) if record.envelope.stream == stream => {
                held = held.filter(|held| held.account != facts.account);
            }
            Event::ClaimForfeited(facts) => {
                let gone = |held: &Lookup| {
                    facts.claim == stream
                        && !held.confirmed
                        && held.confirmed_by == facts.confirmed_by
                        && Some(held.account) == record.account()
                };
                held = held.filter(|held| !gone(held));
            }
            Event::Claimed(_) | Event::ClaimReleased(_) => {}
            _ => {
                if let Some(held) = &mut held
                    && held.confirmed_by == id
                    && record.account() == Some(held.account)
                {
                    held.confirmed = true;
                }
            }
        }
    }
    held
}

fn open_deadlines(records: &[Decoded]) -> Vec<Deadline> {
    let mut open: BTreeMap<(AccountId, Option<CaseId>), Deadline> = BTreeMap::new();
    for record in records {
        let Some(account) = record.account() else {
            continue;
        };
        let mut set = |case: Option<CaseId>, due: Micros| {
            let what = case.map_or(Due::Activation, Due::Decision);
            let deadline = Deadline {
                due,
                account,
                what,
                position: record.position,
            };
            open.insert((account, case), deadline);
        };
        let midnight_after =
            |day: LocalDay| Micros((i64::from(day.0) + 1) * 86_400_000_000 - 25_200_000_000);
        match &record.event {
            Event::Level1Applied(facts) => set(Some(facts.case), midnight_after(facts.decide_by)),
            Event::Level2Applied(facts) => set(Some(facts.case), midnight_after(facts.decide_by)),
            Event::ActivationWindowOpened(facts) => set(None, facts.deadline),
            Event::ActivationReopened(facts) => set(None, facts.deadline),
            Event::AccountIssued(facts) => drop(open.remove(&(account, Some(facts.case)))),
            Event::ApplicationRefused(facts) => drop(open.remove(&(account, Some(facts.case)))),
            Event::AccountActivated(_) | Event::ActivationWindowExpired(_) => {
                open.remove(&(account, None));
            }
            Event::AccountClosed(_) => open.retain(|(of, _), _| *of != account),
            _ => {}
        }
    }
    let mut open: Vec<Deadline> = open.into_values().collect();
    let case = |deadline: &Deadline| match deadline.what {
        Due::Decision(case) => case.0,
        // The histories of these tests hold no others.
        Due::Activation | Due::LockRequest(_) | Due::Validity(_) | Due::Majority(_) => [0; 16],
    };
    open.sort_by_key(|deadline| (deadline.due, deadline.account, case(deadline)));
    open
}

fn found(records: &[Decoded], query: &AuditQuery) -> Vec<Position> {
    let mut found: Vec<Position> = records
        .iter()
        .filter(|record| {
            let envelope = &record.envelope;
            query.account.is_none_or(|id| record.account() == Some(id))
                && query
                    .actor
                    .is_none_or(|actor| envelope.actor.principal == actor)
                && (query.kinds.is_empty() || query.kinds.contains(&envelope.kind))
                && query
                    .since
                    .is_none_or(|since| envelope.recorded_at >= since)
                && query.until.is_none_or(|until| envelope.recorded_at < until)
                && query.from.is_none_or(|from| record.position >= from)
                && query.to.is_none_or(|to| record.position < to)
        })
        .map(|record| record.position)
        .collect();
    if query.order == Order::Descending {
        found.reverse();
    }
    found
}

fn queries(length: u64) -> Vec<AuditQuery> {
    let mut queries = vec![AuditQuery::default()];
    let middle = Some(Micros(START + 3_600_000_000 * 8));
    let actors = [
        PrincipalId(account(0).0),
        PrincipalId(account(1).0),
        officer(1),
        officer(4),
        PrincipalId::ZERO,
    ];
    for actor in actors {
        queries.push(AuditQuery {
            actor: Some(actor),
            ..AuditQuery::default()
        });
        let order = Order::Descending;
        queries.push(AuditQuery {
            actor: Some(actor),
            kinds: vec![40, 57, 100],
            since: middle,
            order,
            ..AuditQuery::default()
        });
        let account = Some(account(0));
        queries.push(AuditQuery {
            actor: Some(actor),
            account,
            until: middle,
            order,
            ..AuditQuery::default()
        });
    }
    let (from, to) = (Some(Position(length / 4)), Some(Position(length * 3 / 4)));
    queries.push(AuditQuery {
        from,
        to,
        since: middle,
        ..AuditQuery::default()
    });
    queries.push(AuditQuery {
        kinds: vec![57, 40, 9, 9999],
        ..AuditQuery::default()
    });
    queries
}

/// Asks page by page, three positions each, and puts the pages together.
async fn pages(views: &Views, query: &AuditQuery) -> Vec<Position> {
    let mut query = AuditQuery {
        limit: 3,
        ..query.clone()
    };
    let mut positions = Vec::new();
    loop {
        let page = views.audit(&query).await.unwrap();
        positions.extend(page.positions);
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => return positions,
        }
    }
}

async fn check(views: &Views, world: &World) {
    let records = records(world).await;
    for n in 0..ACCOUNTS {
        let id = account(n);
        let row = views.account(id).unwrap();
        let last = of(&records, id).last();
        assert_eq!(row.is_some(), last.is_some());
        if let (Some(row), Some(last)) = (row, last) {
            assert_eq!(row.account, fold(of(&records, id)));
            assert_eq!(
                (row.head.position, row.head.link),
                (last.position, last.link)
            );
            assert_eq!(
                views
                    .account_as_of(id, AsOf::Position(last.position))
                    .await
                    .unwrap(),
                Some(row)
            );
        }
        check_as_of(views, &records, id).await;
    }
    for n in 0..6 {
        let stream = claim_stream(n);
        let hash = LookupHash(stream.id.0);
        assert_eq!(
            views.account_by_lookup(stream.category, hash).unwrap(),
            held(&records, stream)
        );
    }
    let first = Micros(START).local_day().0 - 4;
    for area in [0, 30_000, 30_288, 30_290, 1_000, 1_005, 77_000] {
        for day in (first..first + 30).step_by(3).map(LocalDay) {
            let real = views.statistics(AreaCode(area), day).unwrap();
            let real = (
                real.accounts,
                real.level1,
                real.level2,
                real.activated,
                real.counts.app_only,
            );
            assert_eq!(
                real,
                totals(&records, AreaCode(area), day),
                "area {area}, day {day:?}"
            );
        }
    }
    let all = open_deadlines(&records);
    assert_eq!(views.deadlines(Micros(i64::MAX - 1), 1000).unwrap(), all);
    if let Some(some) = all.get(all.len() / 2) {
        let due: Vec<_> = all
            .iter()
            .filter(|deadline| deadline.due <= some.due)
            .copied()
            .collect();
        assert_eq!(views.deadlines(some.due, 1000).unwrap(), due);
    }
    for query in queries(records.len() as u64) {
        assert_eq!(
            pages(views, &query).await,
            found(&records, &query),
            "{query:?}"
        );
    }
}

async fn check_as_of(views: &Views, records: &[Decoded], id: AccountId) {
    let Some(middle) = of(records, id).nth(of(records, id).count() / 2) else {
        return;
    };
    let state = |view: Option<crate::accounts::AccountView>| view.map(|view| view.account);
    let at = middle.envelope.recorded_at;
    let known = of(records, id).take_while(|record| record.envelope.recorded_at <= at);
    assert_eq!(
        state(views.account_as_of(id, AsOf::Recorded(at)).await.unwrap()),
        Some(fold(known))
    );
    let mut happened: Vec<&Decoded> = of(records, id)
        .filter(|record| record.envelope.occurred_at <= at)
        .collect();
    happened.sort_by_key(|record| (record.envelope.occurred_at, record.envelope.revision));
    let expected = (!happened.is_empty()).then(|| fold(happened));
    assert_eq!(
        state(views.account_as_of(id, AsOf::Occurred(at)).await.unwrap()),
        expected
    );
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn views_are_what_the_model_says_live_rebuilt_and_redacted(
        steps in history(120),
        cut in 0usize..120,
    ) {
        runtime().block_on(async {
            let mut world = World::new();
            let cut = cut.min(steps.len());
            world.write_all(&steps[..cut]).await;
            // Opened in the middle, so that a part is built and a part is followed.
            let store: Arc<dyn EventStore> = world.store.clone();
            let live = Views::open_in_memory(store, Options::default()).await.unwrap();
            world.write_all(&steps[cut..]).await;
            let last = Position(steps.len() as u64 - 1);
            live.wait(last, std::time::Duration::from_secs(20)).await.unwrap();
            check(&live, &world).await;
            let digests = live.digests();
            let cancel = std::sync::atomic::AtomicBool::new(false);
            for rebuilt in live.rebuild(&[], &|_| {}, &cancel).await.unwrap() {
                assert!(!rebuilt.differed);
                assert_eq!(rebuilt.before.as_ref(), Some(&rebuilt.after));
            }
            assert_eq!(live.digests(), digests);
            check(&live, &world).await;
            assert_eq!(open(world.store.clone()).await.digests(), digests);
            assert_eq!(open(world.redacted().await).await.digests(), digests);
        });
    }
}

#[tokio::test]
async fn digests_of_other_ledgers_differ() {
    let step = |n: u8| crate::testing::Step {
        stream: StreamId::account(account(n)),
        event: domain::event::AppAccountCreated {}.into(),
        role: Role::Ledger,
        principal: PrincipalId::ZERO,
        later: 1,
        late: 0,
        sealed: 1,
    };
    let (mut one, mut other) = (World::new(), World::new());
    one.write_all(&[step(0), step(1)]).await;
    other.write_all(&[step(0), step(2)]).await;
    let (one, other) = (
        open(one.store.clone()).await,
        open(other.store.clone()).await,
    );
    for (one, other) in one.digests().iter().zip(other.digests()) {
        assert_eq!(one.position, other.position);
        if ["accounts", "statistics"].contains(&one.projection) {
            assert_ne!(one.digest, other.digest, "{}", one.projection);
        }
    }
}
