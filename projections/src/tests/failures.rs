//! What can go wrong: poison, crashes between batches, damaged directories, other histories.

use crate::accounts::Accounts;
use crate::as_of::AsOf;
use crate::lane::{Lane, Window};
use crate::projection::{Admission, Decoded, Projection, Unreadable};
use crate::runner::{Batch, drive};
use crate::testing::{START, Step, World, account};
use crate::view::{MemoryView, Order, SledOptions, SledView, ViewStore, Write};
use crate::{
    Options, State, ViewError, Views, accounts, audit, deadlines, lookups, state_map, statistics,
};
use domain::envelope::Envelope;
use domain::event::*;
use domain::ids::*;
use domain::record::RecordRef;
use domain::vocabulary::*;
use ledger::store::EventStore;
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(20);
static NEVER: AtomicBool = AtomicBool::new(false);

fn step(n: u8, event: impl Into<Event>) -> Step {
    Step {
        stream: StreamId::account(account(n)),
        event: event.into(),
        role: Role::Ledger,
        principal: PrincipalId::ZERO,
        later: 1,
        late: 0,
        sealed: 1,
    }
}

fn opened(n: u8) -> Step {
    step(n, AppAccountCreated {})
}

fn login(n: u8) -> Step {
    step(n, SessionOpened { device: None })
}

async fn once(dir: &Path, store: Arc<dyn EventStore>) -> Views {
    let options = Options {
        follow: false,
        ..Options::default()
    };
    Views::open(dir, store, options).await.unwrap()
}

async fn in_memory(store: Arc<dyn EventStore>) -> Views {
    let options = Options {
        follow: false,
        ..Options::default()
    };
    Views::open_in_memory(store, options).await.unwrap()
}

async fn small_world() -> World {
    let mut world = World::new();
    world
        .write_all(&[opened(0), opened(1), login(0), opened(2), login(1)])
        .await;
    world
}

fn generation_dir(dir: &Path, name: &str) -> PathBuf {
    let current = fs::read_to_string(dir.join("CURRENT")).unwrap();
    let line = current.lines().find(|line| line.starts_with(name)).unwrap();
    dir.join(line.replace(' ', "."))
}

#[tokio::test]
async fn an_unknown_kind_halts_every_projection_and_is_never_skipped() {
    let mut world = small_world().await;
    let (mut envelope, parts) = world.envelope(&login(2));
    envelope.kind = 9_999;
    world.append(&envelope, &parts).await;
    world.write(&login(0)).await;
    for follow in [false, true] {
        let store: Arc<dyn EventStore> = world.store.clone();
        let options = Options {
            follow,
            ..Options::default()
        };
        let views = Views::open_in_memory(store, options).await.unwrap();
        for name in Views::NAMES {
            let waited = views.wait_for(&[name], Position(6), LONG).await;
            assert!(
                matches!(waited, Err(ViewError::Halted { position: 5, .. })),
                "{waited:?}"
            );
        }
        for status in views.status().await.unwrap() {
            assert_eq!((status.cursor, status.lag), (5, 2), "{}", status.name);
            assert!(
                matches!(&status.state, State::Halted { position: 5, reason }
                if reason.contains("9999")),
                "{status:?}"
            );
            assert!(status.last_error.is_some());
        }
        // What was folded before is there, nothing after is.
        assert_eq!(
            views.account(account(0)).unwrap().unwrap().head.position,
            Position(2)
        );
        let rebuilt = views.rebuild(&[], &|_| {}, &NEVER).await;
        assert!(rebuilt.is_err());
    }
}

#[tokio::test]
async fn a_halt_is_remembered_and_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = small_world().await;
    let (mut envelope, parts) = world.envelope(&login(2));
    envelope.link = Digest([9; 32]);
    world.append(&envelope, &parts).await;
    let check = async |views: &Views| {
        for status in views.status().await.unwrap() {
            let halted = matches!(status.state, State::Halted { position: 5, .. });
            let checks = [accounts::NAME, state_map::NAME].contains(&status.name);
            assert_eq!(halted, checks, "{status:?}");
            assert_eq!(status.last_error.is_some(), halted);
        }
    };
    check(&once(dir.path(), world.store.clone()).await).await;
    check(&once(dir.path(), world.store.clone()).await).await;
}

struct Refuses(u64);

impl Admission for Refuses {
    fn admit(&self, at: Position, _: &RecordRef<'_>, _: &Envelope) -> Result<(), String> {
        if at.0 == self.0 {
            Err("not signed by a key of the ledger".to_owned())
        } else {
            Ok(())
        }
    }
}

#[tokio::test]
async fn what_the_admission_refuses_halts() {
    let world = small_world().await;
    let admission: Option<Arc<dyn Admission>> = Some(Arc::new(Refuses(3)));
    let options = Options {
        admission,
        ..Options::default()
    };
    let views = Views::open_in_memory(world.store.clone(), options)
        .await
        .unwrap();
    assert_eq!(views.wait(Position(2), LONG).await, Ok(()));
    let waited = views.wait(Position(3), LONG).await;
    assert!(
        matches!(waited, Err(ViewError::Halted { position: 3, .. })),
        "{waited:?}"
    );
}

#[tokio::test]
async fn a_gap_or_a_record_in_anothers_place_halts() {
    let world = small_world().await;
    let mut page = world.store.read_all(Position(0), 10).await.unwrap();
    page.remove(2);
    let batch = Batch::decode(0, &page, true, None);
    let view = Arc::new(MemoryView::new());
    let mut lane = Lane::create(Box::new(Accounts), view, Window::SERVING).unwrap();
    let halt = drive(&mut lane, &batch, true).unwrap_err();
    assert_eq!((halt.position, lane.committed(), halt.poison), (2, 2, true));
    let missing = Batch::decode(4, &page[3..], true, None);
    let halt = drive(&mut lane, &missing, true).unwrap_err();
    assert_eq!((halt.position, lane.committed()), (4, 2));
    page[1].stream = StreamId::account(account(9));
    let elsewhere = Batch::decode(0, &page, true, None);
    let expected = Position(1);
    assert!(
        matches!(&elsewhere.records[1], Err(Unreadable { position, .. }) if *position == expected)
    );
}

/// A projection that writes a row and then fails.
struct Half;

impl Projection for Half {
    fn name(&self) -> &'static str {
        "half"
    }
    fn version(&self) -> u32 {
        1
    }
    fn apply(
        &mut self,
        changes: &mut crate::Changes,
        record: &Decoded,
    ) -> Result<(), crate::ApplyError> {
        changes.put(b"row", record.position.0.to_be_bytes().to_vec())?;
        if record.position == Position(3) {
            changes.delete(b"row")?;
            changes.put(b"other", Vec::new())?;
            // Over the limit: refused, where the event that asks for it is known.
            changes.put(b"large", vec![0; crate::view::VALUE_BYTES_MAX + 1])?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn nothing_of_a_failed_event_stays() {
    let world = small_world().await;
    let page = world.store.read_all(Position(0), 10).await.unwrap();
    let view: Arc<dyn ViewStore> = Arc::new(MemoryView::new());
    let mut lane = Lane::create(Box::new(Half), view.clone(), Window::SERVING).unwrap();
    let halt = drive(&mut lane, &Batch::decode(0, &page, true, None), true).unwrap_err();
    assert_eq!((halt.position, lane.committed()), (3, 3));
    let rows = view.scan(b"a", b"z", Order::Ascending, 10).unwrap();
    assert_eq!(rows, [(b"row".to_vec(), 2u64.to_be_bytes().to_vec())]);
}

/// A view whose writes stop being kept after a while, as if the machine had stopped there.
struct Dying {
    below: Arc<dyn ViewStore>,
    left: AtomicUsize,
}

impl ViewStore for Dying {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        self.below.get(key)
    }
    fn scan(
        &self,
        start: &[u8],
        end: &[u8],
        order: Order,
        limit: usize,
    ) -> Result<Vec<crate::view::Row>, ViewError> {
        self.below.scan(start, end, order, limit)
    }
    fn apply(&self, writes: Vec<Write>) -> Result<(), ViewError> {
        match self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            }) {
            Ok(_) => self.below.apply(writes),
            Err(_) => Err(ViewError::Io {
                operation: "write view",
                message: "switched off".to_owned(),
            }),
        }
    }
    fn load(&self, writes: Vec<Write>) -> Result<(), ViewError> {
        self.apply(writes)
    }
    fn sync(&self) -> Result<(), ViewError> {
        Ok(())
    }
}

fn lanes() -> Vec<Box<dyn Projection>> {
    vec![
        Box::new(Accounts),
        Box::new(audit::Audit::default()),
        Box::new(lookups::Lookups::default()),
        Box::new(statistics::StatisticsProjection::default()),
        Box::new(deadlines::Deadlines),
    ]
}

fn projection(n: usize) -> Box<dyn Projection> {
    lanes().swap_remove(n)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Exactly once: however often it is switched off between two batches, and wherever the feed
    /// begins again, the rows are those of one undisturbed pass.
    #[test]
    fn switched_off_between_batches(
        steps in crate::testing::history(60),
        stops in proptest::collection::vec((0usize..4, 1usize..9, 0u64..5), 1..8),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let page = runtime.block_on(async {
            let mut world = World::new();
            world.write_all(&steps).await;
            world.store.read_all(Position(0), 4096).await.unwrap()
        });
        let whole = Batch::decode(0, &page, true, None);
        for n in 0..lanes().len() {
            let straight: Arc<dyn ViewStore> = Arc::new(MemoryView::new());
            let mut lane = Lane::create(projection(n), straight.clone(), Window::building(480 << 20)).unwrap();
            drive(&mut lane, &whole, false).unwrap();
            lane.finish().unwrap();
            let digest = lane.digest();

            let below: Arc<dyn ViewStore> = Arc::new(MemoryView::new());
            drop(Lane::create(projection(n), below.clone(), Window::SERVING).unwrap());
            for (commits, size, again) in &stops {
                let left = AtomicUsize::new(*commits);
                let dying: Arc<dyn ViewStore> = Arc::new(Dying { below: below.clone(), left });
                let mut lane = Lane::open(projection(n), dying).unwrap();
                let mut first = lane.cursor().saturating_sub(*again);
                while first < page.len() as u64 {
                    let end = page.len().min(first as usize + size);
                    let batch = Batch::decode(first, &page[first as usize..end], true, None);
                    first = batch.end();
                    if drive(&mut lane, &batch, true).is_err() {
                        break;
                    }
                }
            }
            let mut lane = Lane::open(projection(n), below.clone()).unwrap();
            drive(&mut lane, &whole, true).unwrap();
            prop_assert_eq!(lane.digest(), digest);
            let rows = |view: &Arc<dyn ViewStore>| view.scan(&[1], &[255], Order::Ascending, 10_000);
            prop_assert_eq!(rows(&below).unwrap(), rows(&straight).unwrap());
        }
    }
}

#[tokio::test]
async fn a_directory_is_found_again_as_it_was_left() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = small_world().await;
    let digests = once(dir.path(), world.store.clone()).await.digests();
    let status = once(dir.path(), world.store.clone())
        .await
        .status()
        .await
        .unwrap();
    assert!(
        status
            .iter()
            .all(|status| status.generation == 1 && status.state == State::Live)
    );
    world.write(&login(2)).await;
    let again = once(dir.path(), world.store.clone()).await;
    assert_ne!(again.digests(), digests);
    assert_eq!(
        again.digests(),
        in_memory(world.store.clone()).await.digests()
    );
}

#[tokio::test]
async fn damaged_missing_and_leftover_views_are_made_anew() {
    let world = small_world().await;
    let digests = in_memory(world.store.clone()).await.digests();
    let damages: [fn(&Path); 6] = [
        |dir| fs::remove_dir_all(generation_dir(dir, "accounts")).unwrap(),
        |dir| fs::write(generation_dir(dir, "audit").join("db"), [0x5a; 4096]).unwrap(),
        |dir| fs::write(generation_dir(dir, "lookups").join("conf"), "nonsense").unwrap(),
        |dir| fs::write(dir.join("CURRENT"), [0xff; 100]).unwrap(),
        |dir| fs::write(dir.join("CURRENT"), "accounts 77\n").unwrap(),
        |dir| {
            let dir = generation_dir(dir, "statistics");
            fs::write(dir.join("snap.FFFFFFFFFFFFFFFF.generating"), [0xab; 64]).unwrap();
        },
    ];
    for damage in damages {
        let dir = tempfile::tempdir().unwrap();
        once(dir.path(), world.store.clone()).await;
        fs::create_dir(dir.path().join("deadlines.9")).unwrap();
        damage(dir.path());
        let views = once(dir.path(), world.store.clone()).await;
        assert_eq!(views.digests(), digests);
        assert!(
            views
                .status()
                .await
                .unwrap()
                .iter()
                .all(|status| status.state == State::Live)
        );
        assert!(!dir.path().join("deadlines.9").exists());
    }
}

#[tokio::test]
async fn a_view_of_another_history_or_ahead_of_the_ledger_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = small_world().await;
    world.write(&login(2)).await;
    once(dir.path(), world.store.clone()).await;
    for other in [small_world().await, World::new()] {
        let views = once(dir.path(), other.store.clone()).await;
        assert_eq!(
            views.digests(),
            in_memory(other.store.clone()).await.digests()
        );
    }
    let mut fork = World::new();
    fork.write_all(&[opened(3), opened(4), login(3)]).await;
    let views = once(dir.path(), fork.store.clone()).await;
    assert_eq!(
        views.digests(),
        in_memory(fork.store.clone()).await.digests()
    );
    assert_eq!(views.account(account(0)).unwrap(), None);
}

#[tokio::test]
async fn another_version_of_a_projection_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let options = SledOptions::default();
    let view = Arc::new(SledView::open(dir.path(), options).unwrap());
    drop(Lane::create(Box::new(Accounts), view.clone(), Window::SERVING).unwrap());
    let error = Lane::open(Box::new(Newer), view).err().unwrap();
    let known = Accounts.version();
    assert!(matches!(
        error,
        ViewError::Outdated { found, wanted, .. } if found == known && wanted == known + 1
    ));
    assert!(error.cured_by_rebuild());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_swaps_while_events_go_on_and_the_old_rows_serve_until_then() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = small_world().await;
    let views = Views::open(dir.path(), world.store.clone(), Options::default())
        .await
        .unwrap();
    for round in 2..5 {
        let writing = async {
            for _ in 0..40 {
                world.write(&login(1)).await;
            }
        };
        let reads = |_| assert!(views.account(account(0)).unwrap().is_some());
        let (rebuilt, ()) = tokio::join!(views.rebuild(&[], &reads, &NEVER), writing);
        assert!(rebuilt.unwrap().iter().all(|rebuilt| !rebuilt.differed));
        let last = Position(world.store.length().await.unwrap() - 1);
        views.wait(last, LONG).await.unwrap();
        assert_eq!(
            views.digests(),
            in_memory(world.store.clone()).await.digests()
        );
        for status in views.status().await.unwrap() {
            assert_eq!((status.generation, status.state), (round, State::Live));
        }
    }
    views.close().await.unwrap();
    drop(views);
    let again = once(dir.path(), world.store.clone()).await;
    assert_eq!(
        again.digests(),
        in_memory(world.store.clone()).await.digests()
    );
    let left = fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(left, Views::NAMES.len() + 1, "the views and CURRENT");
}

#[tokio::test]
async fn rows_that_did_not_come_from_the_log_are_found_by_a_rebuild_and_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let world = small_world().await;
    drop(once(dir.path(), world.store.clone()).await);
    let mut world = world;
    world.write(&login(0)).await;
    {
        let path = generation_dir(dir.path(), statistics::NAME);
        let view = Arc::new(SledView::open(&path, SledOptions::default()).unwrap());
        let mut lane = Lane::open(Box::new(Forged), view).unwrap();
        let page = world.store.read_all(Position(5), 1).await.unwrap();
        drive(&mut lane, &Batch::decode(5, &page, true, None), true).unwrap();
        lane.finish().unwrap();
    }
    let views = Views::open(dir.path(), world.store.clone(), Options::default())
        .await
        .unwrap();
    views.wait(Position(5), LONG).await.unwrap();
    let rebuilt = views
        .rebuild(&[statistics::NAME], &|_| {}, &NEVER)
        .await
        .unwrap();
    assert!(rebuilt[0].differed);
    assert!(dir.path().join("statistics.aside").exists());
    assert_eq!(
        views.digests(),
        in_memory(world.store.clone()).await.digests()
    );
    let again = views
        .rebuild(&[statistics::NAME], &|_| {}, &NEVER)
        .await
        .unwrap();
    assert!(!again[0].differed);
}

#[tokio::test]
async fn a_cancelled_rebuild_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let world = small_world().await;
    let views = Views::open(dir.path(), world.store.clone(), Options::default())
        .await
        .unwrap();
    views.wait(Position(4), LONG).await.unwrap();
    let digests = views.digests();
    let cancelled = views.rebuild(&[], &|_| {}, &AtomicBool::new(true)).await;
    assert_eq!(cancelled, Err(ViewError::Cancelled));
    let unknown = views.rebuild(&["nothing"], &|_| {}, &NEVER).await;
    assert!(matches!(unknown, Err(ViewError::UnknownProjection { .. })));
    assert_eq!(views.digests(), digests);
    for status in views.status().await.unwrap() {
        assert_eq!((status.generation, status.state), (1, State::Live));
    }
}

#[tokio::test]
async fn the_totals_of_an_area_and_day_in_one_look() {
    let mut world = World::new();
    let area = AreaCode(30_288);
    let issued = |n: u8, level| {
        step(
            n,
            AccountIssued {
                case: CaseId([n; 16]),
                level,
                area,
            },
        )
    };
    for n in 0..5 {
        world.write(&issued(n, Level::One)).await;
    }
    for n in 3..5 {
        // Recorded today, happened a day before: counts on that day.
        let late = 24 * 60;
        world
            .write(&Step {
                late,
                ..issued(n, Level::Two)
            })
            .await;
        world
            .write(&step(n, AccountActivated { level: Level::Two }))
            .await;
    }
    let views = in_memory(world.store.clone()).await;
    let today = Micros(START).local_day();
    let totals = views.statistics(area, today).unwrap();
    assert_eq!(
        (
            totals.accounts,
            totals.level1,
            totals.level2,
            totals.activated
        ),
        (5, 3, 2, 2)
    );
    let before = views.statistics(area, LocalDay(today.0 - 1)).unwrap();
    assert_eq!(
        (before.accounts, before.level2, before.activated),
        (2, 2, 0)
    );
    let days = views
        .statistics_by_day(area, LocalDay(i32::MIN), today)
        .unwrap();
    assert_eq!(days, [before, totals]);
    assert_eq!(
        views.areas().unwrap(),
        [AreaCode(0), AreaCode(30_000), area]
    );
    let nothing = views.statistics(AreaCode(1), today).unwrap();
    assert_eq!(nothing.accounts, 0);
}

#[tokio::test]
async fn sealed_parts_are_referred_to_and_nothing_else_of_them_is_kept() {
    let mut world = World::new();
    let (one, two) = (DeviceRef([1; 16]), DeviceRef([2; 16]));
    let key = PublicKey([3; 32]);
    let document = DocumentId([4; 16]);
    world
        .write_all(&[
            step(
                0,
                AppRegistrationSubmitted {
                    method: RegistrationMethod::Manual,
                },
            ),
            step(0, ActivationRequested { device: one, key }),
            Step {
                sealed: 0,
                ..step(0, DeviceBound { device: one, key })
            },
            step(
                0,
                DocumentLinkRequested {
                    document,
                    kind: DocumentKind::TaxCode,
                },
            ),
            step(0, DeviceChangeRequested { device: two, key }),
            step(
                0,
                PhoneChanged {
                    old: LookupHash([5; 16]),
                    new: LookupHash([6; 16]),
                },
            ),
        ])
        .await;
    let at = |seen: &Option<accounts::SealedAt>| seen.as_ref().map(|at| at.position);
    let views = in_memory(world.store.clone()).await;
    let sealed = views.account(account(0)).unwrap().unwrap().sealed;
    assert_eq!((at(&sealed.person), at(&sealed.phone)), (Some(0), Some(5)));
    let devices: Vec<_> = sealed
        .devices
        .iter()
        .map(|d| (d.device, d.at.position))
        .collect();
    assert_eq!(devices, [(one, 1), (two, 4)]);
    let documents: Vec<_> = sealed
        .documents
        .iter()
        .map(|d| (d.document, d.at.position))
        .collect();
    assert_eq!(documents, [(document, 3)]);
    // The reference is the commitment of that very part.
    let page = world.store.read_all(Position(0), 1).await.unwrap();
    let record = RecordRef::parse(&page[0].bytes).unwrap();
    let part = record.parts().next().unwrap();
    let committed = sealed.person.unwrap().parts[0].commitment;
    assert_eq!(domain::record::commit(part), committed);
    world
        .write(&step(
            0,
            DeviceUnbound {
                device: one,
                reason: UnbindReason::Changed,
            },
        ))
        .await;
    let moved = views
        .account_as_of(account(0), AsOf::Position(Position(6)))
        .await
        .unwrap();
    assert_eq!(moved.unwrap().sealed.devices.len(), 1);
}

/// The next version of a projection.
struct Newer;
impl Projection for Newer {
    fn name(&self) -> &'static str {
        Accounts.name()
    }
    fn version(&self) -> u32 {
        Accounts.version() + 1
    }
    fn apply(&mut self, _: &mut crate::Changes, _: &Decoded) -> Result<(), crate::ApplyError> {
        Ok(())
    }
}

/// Changes a row through the lane itself, so that the rows' own digest is consistent.
struct Forged;
impl Projection for Forged {
    fn name(&self) -> &'static str {
        statistics::NAME
    }
    fn version(&self) -> u32 {
        statistics::VERSION
    }
    fn apply(
        &mut self,
        changes: &mut crate::Changes,
        _: &Decoded,
    ) -> Result<(), crate::ApplyError> {
        Ok(changes.put(b"d-forged", vec![1])?)
    }
}
