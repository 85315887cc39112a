//! Opening the read models: what can be used is used, what cannot is built, and the feed starts.

use super::{Inner, Options, Views, projections};
use crate::error::ViewError;
use crate::generations::Home;
use crate::lane::{Lane, Window};
use crate::projection::Projection;
use crate::rebuild::{Build, OnHalt, Progress, build};
use crate::runner::Feed;
use crate::serving::{Server, Slot, Surroundings};
use domain::ids::Position;
use domain::record::RecordRef;
use ledger::store::EventStore;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::runtime::Handle;

/// How long the feed waits before it asks a store again that gave an error.
const RETRY_AFTER: Duration = Duration::from_secs(1);

pub(super) async fn open(
    home: Home,
    store: Arc<dyn EventStore>,
    options: Options,
) -> Result<Views, ViewError> {
    let home = Arc::new(home);
    let mut lanes = Vec::new();
    let mut missing = Vec::new();
    for projection in projections() {
        let name = projection.name();
        home.tidy(name)?;
        match usable(&home, projection, &*store).await {
            Ok(Some(lane)) => lanes.push(lane),
            Ok(None) => missing.push(name),
            Err(error) if error.cured_by_rebuild() => {
                tracing::warn!(projection = name, %error, "the view is built again");
                if let Some(generation) = home.current(name) {
                    home.set_aside(name, generation)?;
                }
                missing.push(name);
            }
            Err(error) => return Err(error),
        }
    }
    lanes.extend(make(&home, &missing, &store, &options).await?);
    let around = Surroundings {
        store,
        admission: options.admission.clone(),
        home,
        runtime: Handle::current(),
        build_bytes: options.build_bytes,
    };
    serve(lanes, around, options.follow).await
}

/// The lane of a view that is there and goes with this ledger; `None`: there is no view.
async fn usable(
    home: &Arc<Home>,
    projection: Box<dyn Projection>,
    store: &dyn EventStore,
) -> Result<Option<(Lane, u64)>, ViewError> {
    let name = projection.name();
    // Off the runtime's threads: it waits for whoever still has the view open, and that may be a task
    // of this runtime that was told to end and needs a thread to do so.
    let there = Arc::clone(home);
    let opened = tokio::task::spawn_blocking(move || there.open_current(name)).await;
    let opened = opened
        .map_err(|error| ViewError::io("open view", &std::io::Error::other(error.to_string())))?;
    let Some((generation, view)) = opened? else {
        return Ok(None);
    };
    let lane = Lane::open(projection, view)?;
    if lane.cursor() > store.length().await? {
        return Err(ViewError::damaged(name, "it is ahead of the ledger"));
    }
    if let Some(last) = lane.cursor().checked_sub(1) {
        let page = store.read_all(Position(last), 1).await?;
        let link = page
            .first()
            .and_then(|record| RecordRef::parse(&record.bytes).ok());
        if link.map(|record| record.link()) != Some(lane.link()) {
            return Err(ViewError::damaged(
                name,
                "it was folded from another history",
            ));
        }
    }
    Ok(Some((lane, generation)))
}

/// Builds views that are not there, in one pass for all.
async fn make(
    home: &Home,
    names: &[&str],
    store: &Arc<dyn EventStore>,
    options: &Options,
) -> Result<Vec<(Lane, u64)>, ViewError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let to = store.length().await?;
    let window = Window::building(options.build_bytes);
    let mut lanes = Vec::new();
    let mut generations = Vec::new();
    for projection in projections() {
        if names.contains(&projection.name()) {
            let (generation, view) = home.create(projection.name())?;
            generations.push(generation);
            lanes.push(Lane::create(projection, view, window)?);
        }
    }
    let note = |progress: Progress| {
        if let Some(told) = &options.progress {
            told(progress);
        }
    };
    let never = AtomicBool::new(false);
    let (store, admission) = (Arc::clone(store), options.admission.clone());
    let on_halt = OnHalt::Keep;
    let build_of = Build {
        store,
        admission,
        to,
        on_halt,
        progress: &note,
        cancel: &never,
    };
    let built = build(lanes, build_of).await?;
    let made: Vec<(Lane, u64)> = built.into_iter().zip(generations).collect();
    for (lane, generation) in &made {
        home.point(lane.name(), *generation)?;
    }
    Ok(made)
}

/// Starts the lanes' threads and the feed.
async fn serve(
    mut lanes: Vec<(Lane, u64)>,
    around: Surroundings,
    follow: bool,
) -> Result<Views, ViewError> {
    lanes.sort_by_key(|(lane, _)| Views::NAMES.iter().position(|name| *name == lane.name()));
    let next = lanes
        .iter()
        .map(|(lane, _)| lane.cursor())
        .min()
        .unwrap_or(0);
    let mut slots = Vec::new();
    let mut threads = Vec::new();
    for (lane, generation) in lanes {
        let slot = Arc::new(Slot::new(&lane, generation));
        let server = Server::new(lane, Arc::clone(&slot), around.clone());
        let thread = std::thread::Builder::new()
            .name(format!("view-{}", slot.name))
            .spawn(move || server.run())
            .map_err(|error| ViewError::io("start a projection", &error))?;
        slots.push(slot);
        threads.push(thread);
    }
    let length = around.store.length().await?;
    let store = Arc::clone(&around.store);
    let feed = Feed {
        store,
        admission: around.admission.clone(),
        next,
        until: None,
    };
    let feed = tokio::spawn(feed_all(feed, slots.clone())).abort_handle();
    let (threads, rebuilding) = (Mutex::new(threads), tokio::sync::Mutex::new(()));
    let views = Views {
        inner: Arc::new(Inner {
            around,
            slots,
            feed,
            threads,
            rebuilding,
        }),
    };
    if !follow {
        if let Some(last) = length.checked_sub(1) {
            views.caught_up(Position(last)).await;
        }
        views.close().await?;
    }
    Ok(views)
}

/// Feeds the lanes for as long as there is anybody. A store that gives an error is asked again; the
/// projections say what it said meanwhile.
async fn feed_all(mut feed: Feed, slots: Vec<Arc<Slot>>) {
    let inboxes: Vec<_> = slots.iter().map(|slot| slot.inbox.clone()).collect();
    loop {
        let clear = |_| {
            for slot in &slots {
                slot.info.lock().failed = None;
            }
            true
        };
        let Err(error) = feed.run(&inboxes, clear).await else {
            return;
        };
        tracing::warn!(%error, next = feed.next, "the ledger cannot be read");
        for slot in &slots {
            let mut info = slot.info.lock();
            info.failed = Some(error.to_string());
            info.last_error = Some(error.to_string());
        }
        tokio::time::sleep(RETRY_AFTER).await;
    }
}
