//! `idledger demo`: a synthetic city through the real thing.
//!
//! Makes a ledger, imports a population into its registry, enrols officers, lets everybody live two
//! years on the real command path, verifies the log, prints the statistics and one account's trail.

use super::{account, opening, reading, stats, verify, views};
use crate::cli::Global;
use crate::demo::ask::World;
use crate::demo::clock::VisitClock;
use crate::demo::drive::{IN_FLIGHT, Population, drive};
use crate::demo::inbox::Inbox;
use crate::demo::lives::Life;
use crate::demo::people::PEOPLE_MAX;
use crate::demo::plan::{COUNTED_DAY, FIRST_DAY, Plan, Route, Totals};
use crate::demo::staff::Staff;
use crate::exit::{Exit, Stop};
use crate::interrupt;
use crate::output::{Format, Out, grouped};
use crate::progress;
use crate::times::day_start;
use crate::words::Lang;
use anyhow::{Context, ensure};
use clap::Args;
use domain::ids::{AccountId, AreaCode};
use ledger::credentials::Cost;
use ledger::open::Options;
use ledger::registry;
use ledger::wiring::{Ids, SystemRandomness};
use projections::statistics::Statistics;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// People of the default demo: a hundredth of the city.
const DEFAULT_PEOPLE: u64 = 2_156;
/// Says that a directory was made by the demo and may be replaced by it.
const MARK: &str = "demo.json";

/// `idledger demo`
#[derive(Args)]
pub struct DemoArgs {
    /// The whole city: 215,606 accounts, a few minutes
    #[arg(long, conflicts_with = "people")]
    city: bool,
    /// End instead of serving the API
    #[arg(long)]
    once: bool,
    /// How many accounts there are on the counted day
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=800_000))]
    people: Option<u64>,
    /// The people, keys and dates that belong to this number
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
}

/// Runs it.
pub fn run(global: &Global, args: &DemoArgs, out: &mut Out) -> anyhow::Result<Exit> {
    let people = match args.people {
        Some(people) => people,
        None if args.city => Totals::CITY.accounts(),
        None => DEFAULT_PEOPLE,
    };
    let dir = global
        .dir_named
        .clone()
        .unwrap_or_else(|| PathBuf::from("demo-ledger"));
    let global = Global {
        dir_named: Some(dir.clone()),
        ..global.clone()
    };
    prepare(&dir)?;
    say(&global, &[INTRODUCTION]);
    let started = Instant::now();
    let plan = Plan::new(people, args.seed);
    ensure!(
        plan.routes.len() as u64 <= PEOPLE_MAX,
        "so many people have no distinct numbers"
    );
    let runtime = opening::runtime()?;
    let lives = runtime.block_on(live(&global, &plan, args.seed))?;
    if interrupt::requested() {
        return Err(Stop::interrupted()
            .hint("start the demo again: it begins anew")
            .into());
    }
    let lived = started.elapsed();
    verified(&global, out)?;
    let counted = runtime.block_on(statistics(&global))?;
    show(&global, &plan, &counted, out)?;
    if global.format == Format::Table {
        trail(&global, &runtime, &plan, &lives, out)?;
    }
    exact(&plan.totals, &counted)?;
    say(
        &global,
        &[&format!(
            "The ledger stands in `{}`; it was lived through in {:.1} s.",
            dir.display(),
            lived.as_secs_f64()
        )],
    );
    Ok(Exit::Ok)
}

const INTRODUCTION: &str = "\
The people, numbers, names, keys and dates of this demo are synthetic. Only four totals are
published: 215,606 accounts in Hải Dương city as of 05/03/2024, 18,307 at level 1 and 197,299 at
level 2, 199,610 activated (letter 520/CV-CQTT of 06/03/2024). How activation divides between the
levels is not published; here it is in proportion. The clock is simulated, from 15/03/2022 on, and
passwords are hashed at the least cost Argon2id allows: nobody's password is protected by that.";

fn say(global: &Global, lines: &[&str]) {
    if !global.quiet {
        for line in lines {
            eprintln!("{line}");
        }
        eprintln!();
    }
}

/// An empty directory, or one that an earlier demo made.
fn prepare(dir: &Path) -> anyhow::Result<()> {
    let mark = dir.join(MARK);
    let used = std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
    if used && !mark.exists() {
        return Err(Stop::new(
            Exit::Failed,
            "the directory is not empty, and no demo made it",
        )
        .hint("name another one with `--dir`")
        .into());
    }
    if used {
        std::fs::remove_dir_all(dir).context("removing the earlier demo")?;
    }
    std::fs::create_dir_all(dir).context("making the directory")?;
    std::fs::write(
        &mark,
        "{\"schema\":\"idledger.demo/1\",\"synthetic\":true}\n",
    )
    .context("marking the directory")
}

/// Makes the ledger and lives the plan.
async fn live(global: &Global, plan: &Plan, seed: u64) -> anyhow::Result<Vec<Life>> {
    let clock = Arc::new(VisitClock::new(day_start(FIRST_DAY).plus(-1)));
    let inbox = Arc::new(Inbox::default());
    let options = Options {
        ids: Arc::new(Ids::new(clock.clone(), Arc::new(SystemRandomness::new()))),
        messenger: inbox.clone(),
        cost: Cost::minimum_for_simulation(),
        ..opening::options(global)
    };
    {
        let _locked = ledger::open::init(&options)
            .await
            .context("making the ledger")?;
        let bar = progress::bar(global.progress, None, "registering");
        let rows = bar.wrap_read(Population::new(plan, seed));
        let report = super::registry::import(&options, registry::Format::JsonLines, rows)?;
        bar.finish_and_clear();
        ensure!(
            report.refused == 0,
            "the registry left out {} people",
            report.refused
        );
        say(
            global,
            &[&format!("{} people registered.", grouped(report.added))],
        );
    }
    let (ledger, _) = ledger::open::open(&options).await?;
    let staff = Staff::enrol(&ledger, seed)
        .await
        .context("enrolling officers")?;
    let world = Arc::new(World {
        ledger: ledger.clone(),
        seed,
        inbox,
        staff,
        commands: 0.into(),
        refusals: 0.into(),
        events: 0.into(),
    });
    let bar = progress::bar(global.progress, Some(plan.agenda.len() as u64), "living");
    let started = Instant::now();
    let lives = drive(Arc::clone(&world), plan, &clock, &bar).await;
    bar.finish_and_clear();
    let lives = lives?;
    let seconds = started.elapsed().as_secs_f64();
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let (commands, events) = (count(&world.commands), count(&world.events));
    say(
        global,
        &[&format!(
            "{} signed commands ({} refused, as planned), {} events on accounts in {seconds:.1} s: \
             {} commands/s, up to {IN_FLIGHT} people at once.",
            grouped(commands),
            grouped(count(&world.refusals)),
            grouped(events),
            grouped((commands as f64 / seconds.max(0.001)) as u64),
        )],
    );
    Ok(lives)
}

fn verified(global: &Global, out: &mut Out) -> anyhow::Result<()> {
    let bar = progress::bar(global.progress, None, "verifying");
    let report = verify::quietly(&global.dir(), bar)?;
    if verify::interrupted(&report) {
        return Err(Stop::interrupted().into());
    }
    if global.format == Format::Table {
        report.print(out)?;
        out.raw(b"\n")?;
    }
    if report.verdict == "good" {
        return Ok(());
    }
    Err(Stop::new(Exit::Integrity, "the demo's own ledger does not verify").into())
}

/// The city on the counted day and a month later, from the statistics projection.
async fn statistics(global: &Global) -> anyhow::Result<[Statistics; 2]> {
    let log = reading::open(&global.dir())?;
    let views = views::open(global, log).await?;
    let city = AreaCode(crate::demo::people::CITY);
    let counted = views.statistics(city, COUNTED_DAY)?;
    let later = views.statistics(city, crate::demo::plan::LAST_DAY)?;
    views.close().await?;
    Ok([counted, later])
}

fn show(
    global: &Global,
    plan: &Plan,
    statistics: &[Statistics; 2],
    out: &mut Out,
) -> anyhow::Result<()> {
    let mut rows = out.rows("stats");
    for statistics in statistics {
        rows.push(stats::row(statistics))?;
    }
    rows.finish()?;
    if global.format == Format::Table {
        let published = plan.totals == Totals::CITY;
        let says = if published {
            "The first line is what letter 520/CV-CQTT publishes; the second shows that as-of matters."
        } else {
            "The first line is the published totals in proportion; the second shows that as-of matters."
        };
        out.raw(format!("{says}\n\n").as_bytes())?;
    }
    Ok(())
}

/// The statistics must be what was planned: the demo is a test.
fn exact(totals: &Totals, [counted, _]: &[Statistics; 2]) -> anyhow::Result<()> {
    let found = [
        counted.accounts,
        counted.level1,
        counted.level2,
        counted.activated,
    ];
    let planned = [
        totals.accounts(),
        totals.level1(),
        totals.level2(),
        totals.activated(),
    ]
    .map(|count| i64::try_from(count).unwrap_or(i64::MAX));
    if found == planned {
        return Ok(());
    }
    let message = format!("the statistics say {found:?}, planned were {planned:?}");
    Err(Stop::new(Exit::Failed, message).into())
}

/// One eventful account in words, in both languages.
fn trail(
    global: &Global,
    runtime: &tokio::runtime::Runtime,
    plan: &Plan,
    lives: &[Life],
    out: &mut Out,
) -> anyhow::Result<()> {
    let Some(id) = eventful(plan, lives) else {
        return Ok(());
    };
    let log = reading::open(&global.dir())?;
    let (_, events) = runtime.block_on(reading::account(&*log, id, reading::AsOf::Now))?;
    for (lang, title) in [
        (Lang::Vi, "Nhật ký tài khoản"),
        (Lang::En, "The same account in English"),
    ] {
        let writer = out.writer();
        std::io::Write::write_all(writer, format!("{title} {id}\n").as_bytes())?;
        account::trail(writer, &events, global, lang)?;
        std::io::Write::write_all(writer, b"\n")?;
        std::io::Write::flush(writer)?;
    }
    Ok(())
}

/// The upgraded account with most visits.
fn eventful(plan: &Plan, lives: &[Life]) -> Option<AccountId> {
    let mut visits = vec![0_u32; lives.len()];
    for appointment in &plan.agenda {
        if let Some(count) = visits.get_mut(appointment.person as usize) {
            *count += 1;
        }
    }
    let rank = |index: usize| {
        let upgraded = plan.routes.get(index) == Some(&Route::Upgrade);
        (upgraded, visits.get(index).copied().unwrap_or_default())
    };
    let best = (0..lives.len()).max_by_key(|index| rank(*index))?;
    lives.get(best).and_then(Life::account)
}
