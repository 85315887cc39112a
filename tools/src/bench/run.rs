//! The measurements, in the order they build on each other.

use super::child::{Found, Running, Task, ask};
use super::sizes::{Sizes, measure};
use super::{Figure, Wanted, appends, http, limits, median, number, tree};
use crate::cli::Global;
use crate::commands::{opening, reading};
use crate::demo::city;
use crate::demo::plan::Plan;
use crate::interrupt;
use anyhow::{Context, bail};
use core::net::SocketAddr;
use domain::ids::{AccountId, AreaCode};
use ledger::open::Options;
use ledger::store::EventStore;
use projections::{Options as ViewOptions, Views};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Events of the ledger that must open in time.
const OPEN_EVENTS: f64 = 2_000_000.0;

/// Entries of the large tree, and of the quick one.
const ENTRIES: u64 = 10_000_000;
const QUICK_ENTRIES: u64 = 200_000;

/// A measurement under way.
pub struct Bench {
    dir: PathBuf,
    cores: usize,
    time: Duration,
    repeats: usize,
    /// Entries of the large tree.
    entries: u64,
    /// What was found so far.
    pub figures: Vec<Figure>,
}

/// One of the measurements; the number is that of people.
pub type Step = fn(&mut Bench, &Global, u64) -> anyhow::Result<()>;

/// A part of the measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// What the machine can do at all
    Limits,
    /// Durable signed appends
    Appends,
    /// Sealing, checkpoints and proofs of a large tree
    Tree,
    /// Commands, and bytes on disk
    City,
    /// Verification and replay
    Verification,
    /// Building the read models
    Views,
    /// Opening a ledger and serving it
    Serving,
}

impl Part {
    /// All of them, in order.
    pub const ALL: [(Self, Step); 7] = [
        (Self::Limits, Bench::limits),
        (Self::Appends, Bench::appends),
        (Self::Tree, Bench::tree),
        (Self::City, Bench::city),
        (Self::Verification, Bench::checks),
        (Self::Views, Bench::rebuild),
        (Self::Serving, Bench::opening),
    ];

    /// What it is called while it runs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Limits => "limits",
            Self::Appends => "appends",
            Self::Tree => "sealing and proofs",
            Self::City => "a city",
            Self::Verification => "verification",
            Self::Views => "read models",
            Self::Serving => "opening and serving",
        }
    }

    /// Whether this part has to run for `other` to be measured.
    pub fn is_for(self, other: Self) -> bool {
        let on_the_city = [Self::Verification, Self::Views, Self::Serving];
        self == other || (self == Self::City && on_the_city.contains(&other))
    }
}

impl Bench {
    /// A measurement in a directory; `quick`: shorter rates.
    pub fn new(dir: &Path, quick: bool, repeats: usize) -> Self {
        Self {
            dir: dir.to_owned(),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            time: Duration::from_millis(if quick { 300 } else { 2_000 }),
            repeats,
            entries: if quick { QUICK_ENTRIES } else { ENTRIES },
            figures: Vec::new(),
        }
    }

    fn repeated(&self, mut once: impl FnMut() -> anyhow::Result<f64>) -> anyhow::Result<f64> {
        let values: anyhow::Result<Vec<f64>> = (0..self.repeats).map(|_| once()).collect();
        values.map(median)
    }

    fn put(&mut self, figure: Figure) {
        self.figures.push(figure);
    }

    fn city_dir(&self) -> PathBuf {
        self.dir.join("city")
    }

    /// What this machine can do at all.
    fn limits(&mut self, _: &Global, _: u64) -> anyhow::Result<()> {
        let (cores, time) = (self.cores, self.time);
        let signing = self.repeated(|| Ok(limits::signing(cores, time)))?;
        let verifying = self.repeated(|| Ok(limits::verifying(cores, time)))?;
        let on = format!("on {cores} cores");
        self.put(Figure::new("raw Ed25519 signing", signing, "1/s").note(on.clone()));
        self.put(Figure::new("raw strict verification", verifying, "1/s").note(on));
        Ok(())
    }

    /// Durable signed appends at 1, 16 and 64 writers, one event an append and 16.
    fn appends(&mut self, _: &Global, _: u64) -> anyhow::Result<()> {
        const RECORD_BYTES: usize = 400;
        let dir = self.dir.join("appends");
        let runtime = opening::runtime()?;
        let options = Options::new(&dir);
        let ledger = runtime.block_on(ledger::open::init(&options))?;
        let mut conflicts = 0;
        for (writers, events) in [(1, 1), (16, 1), (64, 1), (1, 16), (16, 16), (64, 16)] {
            let floor = self.repeated(|| {
                limits::synced_file(&self.dir, RECORD_BYTES, writers * events, self.time)
            })?;
            let mut runs = Vec::new();
            let mut signing = vec![limits::signing(self.cores, self.time)];
            for _ in 0..self.repeats {
                interrupt::check()?;
                let run = appends::run(&ledger, writers, events, self.time);
                runs.push(runtime.block_on(run)?);
                signing.push(limits::signing(self.cores, self.time));
            }
            conflicts += runs.iter().map(|run| run.conflicts).sum::<u64>();
            let of =
                |value: fn(&appends::Appended) -> f64| median(runs.iter().map(value).collect());
            let (p50, p99) = (of(|run| run.p50_us), of(|run| run.p99_us));
            let name = format!("durable signed appends, {writers} writers, {events} events each");
            let note = format!(
                "p50 {} µs, p99 {} µs; floor (one file, no signature) {} events/s",
                number(p50),
                number(p99),
                number(floor)
            );
            let wanted = match (writers, events) {
                (64, 1) => Wanted::ShareOfLimit(0.5),
                (64, 16) => Wanted::ShareOfLimit(0.7),
                _ => Wanted::Nothing,
            };
            let rate = of(|run| run.rate);
            let figure = Figure::new(name, rate, "events/s").beside("raw signing", median(signing));
            self.put(figure.wanted(wanted).note(note));
        }
        let figure = Figure::new(
            "conflicts between writers of different accounts",
            conflicts as f64,
            "",
        );
        self.put(figure.wanted(Wanted::AtMost(0.0)));
        drop(ledger);
        std::fs::remove_dir_all(&dir)?;
        Ok(())
    }

    /// A tree of a country's size.
    fn tree(&mut self, _: &Global, _: u64) -> anyhow::Result<()> {
        let figures = tree::measure(&self.dir, self.entries, self.repeats)?;
        self.figures.extend(figures);
        Ok(())
    }

    /// The real command path, and the ledger everything below is measured on.
    fn city(&mut self, global: &Global, people: u64) -> anyhow::Result<()> {
        let options = Options::new(self.city_dir());
        let plan = Plan::new(people, 1);
        let runtime = opening::runtime()?;
        let city = runtime.block_on(city::build(
            &options,
            &plan,
            1,
            global.progress,
            &Arc::default(),
        ))?;
        interrupt::check()?;
        let seconds = city.took.as_secs_f64();
        let rate = city.commands as f64 / seconds;
        let note = format!(
            "{} commands, {} events on {people} accounts, checked, decided, sealed, signed, durable",
            city.commands, city.events
        );
        self.put(Figure::new("commands through the whole ledger", rate, "1/s").note(note));
        drop(city);
        // Checked against its tree and checkpoint from here on, as every ledger in use is.
        let rate = runtime.block_on(tree::seal(&self.city_dir(), &self.dir.join("city-lock")))?;
        let figure = Figure::new("sealing that ledger, from its log", rate, "events/s");
        self.put(
            figure.note("read, parsed, hashed, written, synced, read back, signed, published"),
        );
        let log = reading::open(&self.city_dir())?;
        let sizes = measure(&log, &self.city_dir())?;
        self.sizes(&sizes);
        Ok(())
    }

    fn sizes(&mut self, sizes: &Sizes) {
        let an_event = |bytes: u64| bytes as f64 / sizes.events.max(1) as f64;
        let parts = [
            ("payload", sizes.payload),
            ("sealed parts", sizes.sealed),
            ("evidence", sizes.evidence),
            ("the ledger's signature", sizes.signatures),
            ("rest of the envelope", sizes.envelope),
            ("framing", sizes.framing),
        ];
        let total = parts.iter().map(|(_, bytes)| bytes).sum();
        let events = sizes.events;
        let note = format!("{events} events; without the tree, which has a row of its own");
        self.put(Figure::new("log, bytes an event", an_event(total), "bytes").note(note));
        for (part, bytes) in parts {
            self.put(Figure::new(
                format!("  of these: {part}"),
                an_event(bytes),
                "bytes",
            ));
        }
        for (part, bytes) in [("stream index", sizes.index), ("vault", sizes.vault)] {
            self.put(Figure::new(
                format!("{part}, bytes an event"),
                an_event(bytes),
                "bytes",
            ));
        }
    }

    /// Verification and replay, each in a process of its own.
    fn checks(&mut self, _: &Global, _: u64) -> anyhow::Result<()> {
        const MEMORY_MAX: f64 = 256.0;
        let dir = self.city_dir();
        // The limit again before and after: a machine does not always run at one speed.
        let before = limits::verifying(self.cores, self.time);
        let full = self.asked(&dir, Task::Verify)?;
        let limit = f64::midpoint(before, limits::verifying(self.cores, self.time));
        let rate = full.signatures as f64 / full.seconds;
        let note = format!(
            "{} records, {} signatures of ledger and actors",
            full.records, full.signatures
        );
        let figure = Figure::new("full verification", rate, "signatures/s")
            .beside("raw strict verification", limit);
        self.put(figure.wanted(Wanted::ShareOfLimit(0.85)).note(note));
        let memory = Figure::new("memory of verify", megabytes(full.peak_bytes), "MB");
        self.put(memory.wanted(Wanted::AtMost(MEMORY_MAX)));
        let replay = self.asked(&dir, Task::Replay)?;
        let rate = replay.records as f64 / replay.seconds;
        let name = "verification against a checkpoint (links and tree, no event's signature)";
        let figure = Figure::new(name, rate, "events/s");
        self.put(figure.wanted(Wanted::AtLeast(600_000.0)));
        let memory = Figure::new("memory of that", megabytes(replay.peak_bytes), "MB");
        self.put(memory.wanted(Wanted::AtMost(MEMORY_MAX)));
        Ok(())
    }

    /// The middle one of several children.
    fn asked(&self, dir: &Path, task: Task) -> anyhow::Result<Found> {
        let mut all = Vec::new();
        for _ in 0..self.repeats {
            interrupt::check()?;
            all.push(ask(dir, task)?);
        }
        all.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        let middle = all.len() / 2;
        all.into_iter().nth(middle).context("no child answered")
    }

    /// All projections from the log.
    fn rebuild(&mut self, _: &Global, people: u64) -> anyhow::Result<()> {
        let runtime = opening::runtime()?;
        let log = reading::open(&self.city_dir())?;
        let events = runtime.block_on(log.length())?;
        let mut rates = Vec::new();
        for repeat in 0..self.repeats {
            interrupt::check()?;
            let dir = self.dir.join(format!("views-{repeat}"));
            let store: Arc<dyn EventStore> = log.clone();
            let options = ViewOptions {
                follow: false,
                ..ViewOptions::default()
            };
            let started = Instant::now();
            runtime.block_on(async {
                let views = Views::open(&dir, store, options).await?;
                views.statistics(AreaCode(0), crate::demo::plan::LAST_DAY)?;
                rates.push(events as f64 / started.elapsed().as_secs_f64());
                views.close().await
            })?;
            std::fs::remove_dir_all(&dir)?;
        }
        let figure = Figure::new("building all projections", median(rates), "events/s");
        let note =
            format!("{events} events, {people} accounts; bound by folding and sled's writes");
        self.put(figure.wanted(Wanted::AtLeast(100_000.0)).note(note));
        Ok(())
    }

    /// Opening, clean and after a kill; reads over HTTP; memory of a server.
    fn opening(&mut self, _: &Global, people: u64) -> anyhow::Result<()> {
        let dir = self.city_dir();
        let clean = self.asked(&dir, Task::Open)?;
        let scale = if (clean.records as f64) < OPEN_EVENTS {
            format!("{} events only", clean.records)
        } else {
            format!("{} events", clean.records)
        };
        let figure = Figure::new("opening, clean", clean.seconds, "s").note(scale.clone());
        self.put(figure.wanted(Wanted::AtMost(1.0)));
        let mut killed = Vec::new();
        for _ in 0..self.repeats {
            interrupt::check()?;
            let mut writer = Running::start(&dir, Task::Append)?;
            for _ in 0..3 {
                writer.line()?;
            }
            writer.kill()?;
            killed.push(ask(&dir, Task::Open)?.seconds);
        }
        let figure =
            Figure::new("opening after kill -9 under load", median(killed), "s").note(scale);
        self.put(figure.wanted(Wanted::AtMost(2.0)));
        self.reads(&dir, people)
    }

    fn reads(&mut self, dir: &Path, people: u64) -> anyhow::Result<()> {
        const ACCOUNTS: usize = 1_000;
        let accounts = some_accounts(dir, ACCOUNTS)?;
        let paths = accounts
            .iter()
            .map(|account| format!("/v1/accounts/{account}"));
        let paths: Arc<Vec<String>> = Arc::new(paths.collect());
        let mut server = Running::start(dir, Task::Serve)?;
        let address: SocketAddr = server
            .line()?
            .address
            .parse()
            .context("the server's address")?;
        let runtime = opening::runtime()?;
        let first = paths.first().cloned().context("no account to read")?;
        let body =
            runtime.block_on(async { http::Client::connect(address).await?.get(&first).await })?;
        // The same bytes from a bare handler in the same process, on the same runtime.
        let bare: SocketAddr = server
            .tell(&first)?
            .address
            .parse()
            .context("the bare handler's address")?;
        // In turn, so that both meet the same machine.
        let (mut limits, mut rates) = (Vec::new(), Vec::new());
        for _ in 0..self.repeats {
            for (address, into) in [(bare, &mut limits), (address, &mut rates)] {
                let load = http::load(address, Arc::clone(&paths), self.time);
                into.push(runtime.block_on(load)?);
            }
        }
        let (limit, rate) = (median(limits), median(rates));
        let found = server.end()?;
        let note = format!(
            "{} accounts in turn, {} bytes; client and server share the cores, for both",
            paths.len(),
            body.len()
        );
        let figure =
            Figure::new("account read over HTTP", rate, "1/s").beside("bare handler", limit);
        self.put(figure.wanted(Wanted::ShareOfLimit(0.7)).note(note));
        let figure = Figure::new("memory of serve", megabytes(found.peak_bytes), "MB");
        let note = format!("{people} accounts");
        self.put(figure.wanted(Wanted::AtMost(1024.0)).note(note));
        Ok(())
    }
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Accounts from all over the log.
fn some_accounts(dir: &Path, wanted: usize) -> anyhow::Result<Vec<AccountId>> {
    const PAGE: usize = 64;
    let log = reading::open(dir)?;
    let runtime = reading::runtime()?;
    let length = runtime.block_on(log.length())?;
    let mut accounts = std::collections::BTreeSet::new();
    for step in 0..wanted as u64 * 4 {
        let at = domain::ids::Position(length.saturating_mul(step) / (wanted as u64 * 4));
        let page = runtime.block_on(log.read_all(at, PAGE))?;
        accounts.extend(page.iter().find_map(|record| record.stream.as_account()));
        if accounts.len() >= wanted {
            break;
        }
    }
    if accounts.is_empty() {
        bail!("there is no account in the log");
    }
    Ok(accounts.into_iter().collect())
}
