//! Making a city in a directory: ledger, registry, staff, and everybody's two years.

use super::ask::World;
use super::clock::VisitClock;
use super::drive::{Population, drive};
use super::inbox::Inbox;
use super::lives::Life;
use super::plan::{FIRST_DAY, Plan};
use super::staff::Staff;
use crate::output::When;
use crate::progress;
use crate::times::day_start;
use anyhow::{Context, ensure};
use ledger::credentials::Cost;
use ledger::open::Options;
use ledger::registry;
use ledger::wiring::{Ids, SystemRandomness};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What came of it.
pub struct City {
    /// Everybody's life at the end.
    pub lives: Vec<Life>,
    /// People in the registry.
    pub registered: u64,
    /// Commands given, each on the real path.
    pub commands: u64,
    /// Of these, refused.
    pub refusals: u64,
    /// Events on accounts.
    pub events: u64,
    /// How long everybody's two years took.
    pub took: Duration,
}

/// Makes a ledger where `options` say, with a simulated clock, and lives the plan in it.
/// `acknowledged` counts the records that are known to be safe.
pub async fn build(
    options: &Options,
    plan: &Plan,
    seed: u64,
    bars: When,
    acknowledged: &Arc<AtomicU64>,
) -> anyhow::Result<City> {
    let clock = Arc::new(VisitClock::new(day_start(FIRST_DAY).plus(-1)));
    let inbox = Arc::new(Inbox::default());
    let options = Options {
        ids: Arc::new(Ids::new(clock.clone(), Arc::new(SystemRandomness::new()))),
        messenger: inbox.clone(),
        cost: Cost::minimum_for_simulation(),
        ..options.clone()
    };
    let registered = {
        let _locked = ledger::open::init(&options)
            .await
            .context("making the ledger")?;
        let bar = progress::bar(bars, None, "registering");
        let rows = bar.wrap_read(Population::new(plan, seed));
        let format = registry::Format::JsonLines;
        let report = crate::commands::registry::import(&options, format, rows)?;
        bar.finish_and_clear();
        ensure!(
            report.refused == 0,
            "the registry left out {} people",
            report.refused
        );
        report.added
    };
    let (ledger, _) = ledger::open::open(&options).await?;
    let staff = Staff::enrol(&ledger, seed)
        .await
        .context("enrolling officers")?;
    let world = Arc::new(World {
        ledger,
        seed,
        inbox,
        staff,
        commands: 0.into(),
        refusals: 0.into(),
        events: 0.into(),
        acknowledged: Arc::clone(acknowledged),
    });
    let bar = progress::bar(bars, Some(plan.agenda.len() as u64), "living");
    let started = Instant::now();
    let lives = drive(Arc::clone(&world), plan, &clock, &bar).await;
    bar.finish_and_clear();
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    Ok(City {
        lives: lives?,
        registered,
        commands: count(&world.commands),
        refusals: count(&world.refusals),
        events: count(&world.events),
        took: started.elapsed(),
    })
}
