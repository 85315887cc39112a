//! `idledger demo`: a synthetic city through the real thing.
//!
//! Makes a ledger, imports a population into its registry, enrols officers, lets everybody live two
//! years on the real command path, verifies the log, prints the statistics and one account's trail.

use super::serve::{Reach, Simulated, serve};
use super::{account, opening, reading, stats, verify, views};
use crate::cli::Global;
use crate::demo::city::{City, build};
use crate::demo::drive::{IN_FLIGHT, Population};
use crate::demo::lives::Life;
use crate::demo::people::PEOPLE_MAX;
use crate::demo::plan::{COUNTED_DAY, Plan, Route, Totals};
use crate::exit::{Exit, Stop};
use crate::interrupt;
use crate::output::{Format, Out, grouped};
use crate::progress;
use crate::times::show_day;
use crate::words::Lang;
use anyhow::{Context, ensure};
use api::Config;
use clap::Args;
use core::net::SocketAddr;
use domain::ids::{AccountId, AreaCode};
use domain::law::LawBook;
use ledger::messenger::Mailbox;
use projections::statistics::Statistics;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// People of the default demo: a hundredth of the city.
const DEFAULT_PEOPLE: u64 = 2_156;
/// Says that a directory was made by the demo and may be replaced by it.
const MARK: &str = "demo.json";

/// `idledger demo`
#[derive(Args)]
// Each is a flag of its own on the command line.
#[allow(clippy::struct_excessive_bools)]
pub struct DemoArgs {
    /// The whole city: 215,606 accounts, a few minutes
    #[arg(long, conflicts_with = "people")]
    city: bool,
    /// End instead of serving the API
    #[arg(long)]
    once: bool,
    /// Where to listen (default: 127.0.0.1:8030)
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// How many accounts there are on the counted day
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=800_000))]
    people: Option<u64>,
    /// Print the population as registry records (JSON lines) and end
    #[arg(long)]
    print_population: bool,
    /// With the population, also what no registry knows (phones, devices)
    #[arg(long, requires = "print_population", hide = true)]
    everything: bool,
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
    if args.print_population {
        return print_population(people, args, out);
    }
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
    let plan = Plan::new(people, args.seed);
    ensure!(
        plan.routes.len() as u64 <= PEOPLE_MAX,
        "so many people have no distinct numbers"
    );
    let runtime = opening::runtime()?;
    let options = opening::options(&global)?;
    let city = runtime.block_on(build(
        &options,
        &plan,
        args.seed,
        global.progress,
        &Arc::default(),
    ))?;
    if interrupt::requested() {
        return Err(Stop::interrupted()
            .hint("start the demo again: it begins anew")
            .into());
    }
    lived(&global, &city);
    verified(&global, out)?;
    let counted = runtime.block_on(statistics(&global))?;
    show(&global, &plan, &counted, out)?;
    let eventful = eventful(&plan, &city.lives);
    if let Some(account) = eventful.filter(|_| global.format == Format::Table) {
        trail(&global, &runtime, account, out)?;
    }
    exact(&plan.totals, &counted.0)?;
    say(
        &global,
        &[&format!("The ledger stands in `{}`.", dir.display())],
    );
    if args.once {
        return Ok(Exit::Ok);
    }
    runtime.block_on(serve_it(&global, args.listen, eventful))
}

/// The API on loopback, with the machine's own clock from here on.
async fn serve_it(
    global: &Global,
    listen: Option<SocketAddr>,
    account: Option<AccountId>,
) -> anyhow::Result<Exit> {
    let mut options = opening::options(global)?;
    let mailbox = Arc::new(Mailbox::default());
    options.messenger = mailbox.clone();
    let (ledger, _) = ledger::open::open(&options).await?;
    let mut config = Config {
        open_reads: true,
        ..Config::default()
    };
    if let Some(listen) = listen {
        config.listen = listen;
    }
    let base = format!("http://{}", config.listen);
    let day = show_day(COUNTED_DAY);
    let area = crate::demo::people::CITY;
    let mut lines = vec![
        format!("Try: curl '{base}/v1/statistics?area={area}&as_of={day}'"),
        format!("     curl '{base}/v1/events?limit=5'"),
    ];
    if let Some(account) = account {
        lines.push(format!("     curl '{base}/v1/accounts/{account}'"));
    }
    say(
        global,
        &lines.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    let simulated = Simulated {
        mailbox: Some(mailbox),
        clock: None,
    };
    serve(global, config, ledger, (simulated, Reach::default())).await
}

/// The people of a seed, as the registry takes them.
fn print_population(people: u64, args: &DemoArgs, out: &mut Out) -> anyhow::Result<Exit> {
    let plan = Plan::new(people, args.seed);
    let population = Population::new(&plan, args.seed);
    let mut population = if args.everything {
        population.with_everything()
    } else {
        population
    };
    std::io::copy(&mut population, out.writer())?;
    std::io::Write::flush(out.writer())?;
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

/// What the driver counted.
#[allow(clippy::cast_sign_loss)] // a rate is not below zero
fn lived(global: &Global, city: &City) {
    let seconds = city.took.as_secs_f64();
    let rate = (city.commands as f64 / seconds.max(0.001)).max(0.0) as u64;
    say(
        global,
        &[&format!(
            "{} people registered. {} signed commands ({} refused, as planned), {} events on \
             accounts in {seconds:.1} s: {} commands/s, up to {IN_FLIGHT} people at once.",
            grouped(city.registered),
            grouped(city.commands),
            grouped(city.refusals),
            grouped(city.events),
            grouped(rate),
        )],
    );
}

fn verified(global: &Global, out: &mut Out) -> anyhow::Result<()> {
    let bar = progress::bar(global.progress, None, "verifying");
    let report = verify::quietly(&global.dir(), verify::Depth::Full, bar)?;
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
async fn statistics(global: &Global) -> anyhow::Result<([Statistics; 2], LawBook)> {
    let log = reading::open(&global.dir())?;
    let law = reading::law_book(log.as_ref()).await?;
    let views = views::open(global, log).await?;
    let city = AreaCode(crate::demo::people::CITY);
    let counted = views.statistics(city, COUNTED_DAY)?;
    let later = views.statistics(city, crate::demo::plan::LAST_DAY)?;
    views.close().await?;
    Ok(([counted, later], law))
}

fn show(
    global: &Global,
    plan: &Plan,
    (statistics, law): &([Statistics; 2], LawBook),
    out: &mut Out,
) -> anyhow::Result<()> {
    let mut rows = out.rows("stats");
    for statistics in statistics {
        rows.push(stats::row(statistics, law))?;
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
    id: AccountId,
    out: &mut Out,
) -> anyhow::Result<()> {
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
