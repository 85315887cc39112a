//! Work in a process of its own: where memory, a cold open or a kill is what is measured.
//!
//! A child prints one line of JSON. Its memory is the kernel's high-water mark of its own process.

use super::volatile::VolatileDisk;
use super::{appends, http};
use crate::cli::Global;
use crate::commands::verify::{self, Depth};
use crate::commands::{opening, reading, views};
use crate::demo::city;
use crate::demo::plan::Plan;
use crate::output::When;
use anyhow::{Context, bail};
use api::{Config, Server};
use axum::body::Bytes;
use core::net::SocketAddr;
use ledger::open::Options;
use projections::{Options as ViewOptions, Views};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// What a child can be asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Task {
    /// Open the ledger.
    Open,
    /// Append until killed, a line after every burst.
    Append,
    /// Live a small city's years in a new ledger, with lines in between.
    City,
    /// Verify in full.
    Verify,
    /// Read everything with links, without signatures.
    Replay,
    /// Serve until stdin closes.
    Serve,
}

/// What a child found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// How long the work took, in seconds.
    pub seconds: f64,
    /// Records it went over.
    pub records: u64,
    /// Signatures it verified.
    pub signatures: u64,
    /// Most memory it ever held, in bytes.
    pub peak_bytes: u64,
    /// Where it listens.
    pub address: String,
}

impl Task {
    const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Append => "append",
            Self::City => "city",
            Self::Verify => "verify",
            Self::Replay => "replay",
            Self::Serve => "serve",
        }
    }
}

/// Does it, in the child.
pub fn run(global: &Global, task: Task, drop_unsynced: bool) -> anyhow::Result<()> {
    let started = Instant::now();
    let dir = global.dir();
    let mut found = Found::default();
    match task {
        Task::Open => {
            let (ledger, _) =
                opening::runtime()?.block_on(ledger::open::open(&opening::options(global)?))?;
            found.seconds = started.elapsed().as_secs_f64();
            found.records = reading::runtime()?.block_on(ledger.store().length())?;
        }
        Task::Append => return append(&options(global, drop_unsynced)?),
        Task::City => return live(&options(global, drop_unsynced)?),
        Task::Verify | Task::Replay => {
            let depth = if task == Task::Verify {
                Depth::Full
            } else {
                Depth::Structure
            };
            let report = verify::quietly(&dir, depth, indicatif::ProgressBar::hidden())?;
            if report.verdict != "good" {
                bail!("the log does not verify");
            }
            found.seconds = report.seconds;
            found.records = report.records;
            found.signatures = report.signatures;
        }
        Task::Serve => serve(global)?,
    }
    found.peak_bytes = peak_bytes()?;
    say(&found)
}

fn say(found: &Found) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}", serde_json::to_string(found)?)?;
    stdout.flush()?;
    Ok(())
}

/// As asked for on the command line; if told so, on a disk that loses what was not synced.
fn options(global: &Global, drop_unsynced: bool) -> anyhow::Result<Options> {
    let mut options = opening::options(global)?;
    if drop_unsynced {
        options.disk = Arc::new(VolatileDisk::default());
    }
    Ok(options)
}

/// The whole command path: keys, verifiers, claims, events.
fn live(options: &Options) -> anyhow::Result<()> {
    const PEOPLE: u64 = 300;
    const EVERY: Duration = Duration::from_millis(5);
    opening::runtime()?.block_on(async {
        let (plan, acknowledged) = (Plan::new(PEOPLE, 1), Arc::default());
        let lives = city::build(options, &plan, 1, When::Never, &acknowledged);
        let telling = async {
            loop {
                tokio::time::sleep(EVERY).await;
                let told = say(&Found {
                    records: acknowledged.load(Ordering::Relaxed),
                    ..Found::default()
                });
                told?;
            }
        };
        tokio::select! {
            city = lives => city.map(drop),
            told = telling => told,
        }
    })
}

fn append(options: &Options) -> anyhow::Result<()> {
    const BURST: Duration = Duration::from_millis(20);
    opening::runtime()?.block_on(async {
        let (ledger, _) = ledger::open::open(options).await?;
        loop {
            appends::run(&ledger, 16, 4, BURST).await?;
            let records = ledger.store().length().await?;
            say(&Found {
                records,
                ..Found::default()
            })?;
        }
    })
}

fn serve(global: &Global) -> anyhow::Result<()> {
    opening::runtime()?.block_on(async {
        let (ledger, _) = ledger::open::open(&opening::options(global)?).await?;
        let store = Arc::clone(ledger.store());
        let options = ViewOptions {
            follow: true,
            ..views::options(global.progress)
        };
        let views = Views::open(&views::dir(global), store, options).await?;
        let config = Config {
            listen: ([127, 0, 0, 1], 0).into(),
            open_reads: true,
            peer_rate: None,
            caller_rate: None,
            ..Config::default()
        };
        let server = Server::bind(config, ledger, views.clone(), None).await?;
        let server_address = server.address()?;
        say(&Found {
            address: server_address.to_string(),
            ..Found::default()
        })?;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let (send, mut lines) = tokio::sync::mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in std::io::stdin().lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        // Every line asks for a bare handler that returns what the service returns there; the end
        // of them ends the service.
        let bares = async move {
            while let Some(path) = lines.recv().await {
                let address = bare(server_address, &path).await?;
                say(&Found {
                    address,
                    ..Found::default()
                })?;
            }
            drop(stop);
            anyhow::Ok(())
        };
        let serving = server.run(async { drop(stopped.await) });
        let (ended, told) = tokio::join!(serving, bares);
        told?;
        ended?;
        views.close().await?;
        anyhow::Ok(())
    })
}

/// A bare handler with the service's own answer; where it listens.
async fn bare(service: SocketAddr, path: &str) -> anyhow::Result<String> {
    let body = http::Client::connect(service).await?.get(path).await?;
    let address = http::bare(Bytes::from(body), "application/json").await?;
    Ok(address.to_string())
}

/// The kernel's high-water mark of this process.
fn peak_bytes() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("reading own status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok());
    let kilobytes: u64 = kilobytes.context("no high-water mark in own status")?;
    Ok(kilobytes * 1024)
}

/// A child at work.
pub struct Running {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Running {
    /// Starts one.
    pub fn start(dir: &Path, task: Task) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("finding this program")?;
        let mut child = Command::new(program)
            .args([
                "bench",
                "--progress",
                "never",
                "--child",
                task.name(),
                "--dir",
            ])
            .arg(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting a child")?;
        let stdout = child.stdout.take().context("a child without stdout")?;
        Ok(Self {
            child,
            lines: BufReader::new(stdout),
        })
    }

    /// The next line it prints.
    pub fn line(&mut self) -> anyhow::Result<Found> {
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        serde_json::from_str(&line).context("a child ended without an answer")
    }

    /// Gives it a line; what it answers.
    pub fn tell(&mut self, line: &str) -> anyhow::Result<Found> {
        let stdin = self.child.stdin.as_mut().context("a child without stdin")?;
        writeln!(stdin, "{line}")?;
        self.line()
    }

    /// Kills it (signal 9).
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Lets it end; its last line.
    pub fn end(mut self) -> anyhow::Result<Found> {
        drop(self.child.stdin.take());
        let found = self.line()?;
        if !self.child.wait()?.success() {
            bail!("a child failed");
        }
        Ok(found)
    }
}

/// Starts a child and waits for its answer.
pub fn ask(dir: &Path, task: Task) -> anyhow::Result<Found> {
    Running::start(dir, task)?.end()
}
