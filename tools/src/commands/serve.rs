//! `idledger serve`: the HTTP API until Ctrl-C or a termination signal.

use super::{opening, sealing, views};
use crate::cli::Global;
use crate::exit::Exit;
use crate::interrupt;
use anyhow::Context;
use api::telemetry::{PeerFigures, WitnessFigures};
use api::{Config, Server};
use clap::Args;
use core::future::Future;
use core::net::SocketAddr;
use domain::ids::Micros;
use ledger::ledger::Ledger;
use ledger::messenger::Mailbox;
use ledger::transparency::TransparencyLog;
use ledger::wiring::{Ids, ManualClock, SystemRandomness};
use outside::asking::{self, Asker};
use outside::clock::Clock;
use outside::erasure::ErasureError;
use outside::guarded::Guarded;
use outside::notices::codes::{Codes, Ways};
use outside::notices::{Carrier, Sender, Settings};
use outside::retry::Standing;
use outside::state_sealing::{Pace, StateSealer};
use outside::timestamps::Authority;
use outside::witnesses::Witnesses;
use projections::{Options as ViewOptions, Views};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing_subscriber::EnvFilter;

/// How often a server looks whether it should stop.
const POLL: Duration = Duration::from_millis(100);
/// How long the read models may take to show what is recorded.
const SEEN_WITHIN: Duration = Duration::from_mins(1);

/// `idledger serve`
#[derive(Args)]
pub struct ServeArgs {
    /// Where to listen; TLS and the outside belong to a proxy in front
    #[arg(
        long,
        env = "LEDGER_LISTEN",
        hide_env_values = true,
        value_name = "ADDRESS"
    )]
    listen: Option<SocketAddr>,
    /// Let anybody who reaches the address read account states, events and statistics (nothing
    /// personal)
    #[arg(long, env = "LEDGER_OPEN_READS", hide_env_values = true)]
    open_reads: bool,
    /// Keep SMS in memory and show them under `/v1/simulation`: for trials, never for people
    #[arg(long, env = "LEDGER_SIMULATE_SMS", hide_env_values = true)]
    simulate_sms: bool,
    /// Start at this time (seconds since 1970) and move it under `/v1/simulation`: for trials
    #[arg(
        long,
        hide = true,
        value_name = "SECONDS",
        requires = "simulate_sms",
        value_parser = clap::value_parser!(i64).range(0..=4_102_444_800)
    )]
    simulate_clock: Option<i64>,
    /// Settings of mail server, SMS gateway, registries, witnesses and a time-stamping authority (TOML)
    #[arg(
        long,
        env = "LEDGER_OUTSIDE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    outside: Option<PathBuf>,
    /// Logs as JSON
    #[arg(long, env = "LEDGER_LOG_JSON", hide_env_values = true)]
    log_json: bool,
}

/// Runs it.
pub fn run(global: &Global, args: &ServeArgs) -> anyhow::Result<Exit> {
    logs(global, args.log_json);
    let mut config = Config {
        open_reads: args.open_reads,
        ..Config::default()
    };
    if let Some(listen) = args.listen {
        config.listen = listen;
    }
    opening::runtime()?.block_on(async {
        let mut options = opening::options(global)?;
        let simulated = Simulated {
            mailbox: args.simulate_sms.then(Arc::default),
            clock: args
                .simulate_clock
                .map(|seconds| Arc::new(ManualClock::new(Micros(seconds * Micros::SECOND)))),
        };
        if let Some(clock) = &simulated.clock {
            let randomness = Arc::new(SystemRandomness::new());
            options.ids = Arc::new(Ids::new(clock.clone(), randomness));
        }
        let reach = match &args.outside {
            Some(path) => reach_outside(&mut options, path)?,
            None => Reach::default(),
        };
        if let Some(mailbox) = &simulated.mailbox {
            options.messenger = mailbox.clone();
        }
        simulated.warn();
        let (ledger, report) = ledger::open::open(&options).await?;
        if !global.quiet {
            opening::tell(&report);
        }
        serve(global, config, ledger, (simulated, reach)).await
    })
}

/// What of the world is simulated, for trials.
#[derive(Default)]
pub struct Simulated {
    /// SMS.
    pub mailbox: Option<Arc<Mailbox>>,
    /// The time. It must be the ledger's clock.
    pub clock: Option<Arc<ManualClock>>,
}

impl Simulated {
    /// Says so, also to those who want to hear nothing: what is signed then says what never was.
    fn warn(&self) {
        if self.mailbox.is_some() {
            eprintln!("warning: SMS are simulated; whoever reaches the address reads the codes");
        }
        if self.clock.is_some() {
            eprintln!("warning: the time is simulated, and events are signed with it");
        }
    }
}

/// What of the world the server reaches besides what the ledger asks.
#[derive(Default)]
pub struct Reach {
    /// Bring notices, the preferred first.
    pub carriers: Vec<Arc<dyn Carrier>>,
    /// Whoever is asked, by name, for figures.
    pub peers: Vec<(String, Guarded)>,
    /// Who cosigns checkpoints.
    pub witnesses: Option<outside::witnesses::Settings>,
    /// Who stamps checkpoints.
    pub timestamps: Option<outside::timestamps::Authority>,
}

/// Serves an open ledger until somebody asks to stop.
pub async fn serve(
    global: &Global,
    config: Config,
    ledger: Ledger,
    (simulated, reach): (Simulated, Reach),
) -> anyhow::Result<Exit> {
    let store = Arc::clone(ledger.store());
    let options = ViewOptions {
        follow: true,
        ..views::options(global.progress)
    };
    let views = Views::open(&views::dir(global), store, options).await?;
    finish_erasure(&ledger, &views).await?;
    let (stop, _) = watch::channel(false);
    let clock = Clock::new(ledger.clone(), views.clone());
    let mut by_itself = JoinSet::new();
    by_itself.spawn(clock.run(stopped(&stop)));
    if ledger.store().is_shared() {
        by_itself.spawn(follow(ledger.clone(), stopped(&stop)));
    }
    let asker = Asker::new(ledger.clone(), views.clone(), asking::BACKOFF);
    by_itself.spawn(asker.run(stopped(&stop)));
    let sealer = StateSealer::new(ledger.clone(), views.clone(), Pace::default());
    by_itself.spawn(sealer.run(stopped(&stop)));
    if !reach.carriers.is_empty() {
        // Without any, notices wait in the outbox and in the app.
        let patience = Settings::default();
        let sender = Sender::new(ledger.clone(), views.clone(), reach.carriers, patience);
        by_itself.spawn(sender.run(stopped(&stop)));
    }
    let server = Server::bind(config, ledger, views.clone(), simulated.mailbox).await?;
    if let Some(clock) = simulated.clock {
        server.simulate_clock(clock);
    }
    let authority = reach.timestamps.map(Arc::new);
    if global.seals() {
        let log = seal(global, &server, reach.witnesses, (&mut by_itself, &stop))?;
        if let (Some(authority), Some(log)) = (&authority, log) {
            by_itself.spawn(Arc::clone(authority).run(log, stopped(&stop)));
        }
    }
    let peers = reach.peers;
    server.watch_peers(Box::new(move || figures(&peers, authority.as_deref())));
    let address = server.address().context("asking for the address")?;
    if !global.quiet {
        eprintln!("listening on http://{address} (Ctrl-C ends)");
    }
    let ended = server.run(asked_to_stop()).await;
    stop.send_replace(true);
    while let Some(task) = by_itself.join_next().await {
        task.context("what the ledger does by itself broke down")?;
    }
    views.close().await?;
    ended?;
    Ok(Exit::Ok)
}

/// Seals, or shows what others seal, beside the server. What readers see of it.
fn seal(
    global: &Global,
    server: &Server,
    witnesses: Option<outside::witnesses::Settings>,
    (by_itself, stop): (&mut JoinSet<()>, &watch::Sender<bool>),
) -> anyhow::Result<Option<Arc<TransparencyLog>>> {
    let log = if let Some(mut sealing) = sealing::of(global, server.ledger())? {
        if let Some(witnesses) = sealing::witnesses(witnesses, server.ledger())? {
            sealing.cosigner = Some(witnesses.clone());
            server.watch_witnesses(Box::new(move || witness_figures(&witnesses)));
        }
        let log = Arc::clone(&sealing.log);
        by_itself.spawn(sealing.run(stop.subscribe()));
        log
    } else if let Some((following, lock)) = sealing::following(global, server.ledger())? {
        let log = Arc::clone(&following.log);
        by_itself.spawn(following.run(lock, stop.subscribe()));
        log
    } else {
        eprintln!("warning: there is no checkpoint key here; nothing is sealed");
        return Ok(None);
    };
    server.show_log(Arc::clone(&log));
    Ok(Some(log))
}

/// Keeps keys, principals and law in step with what other nodes append, also while nobody asks.
async fn follow(ledger: Ledger, stop: impl Future<Output = ()> + Send) {
    tokio::select! {
        () = stop => {}
        ended = ledger.follow() => if let Err(error) = ended {
            // Commands ask for themselves and are refused from now on.
            tracing::error!(%error, "other nodes' keys, principals and law are not followed any more");
        }
    }
}

/// Sets up what the settings file names: registries and codes for the ledger, carriers for notices.
fn reach_outside(options: &mut ledger::open::Options, path: &Path) -> anyhow::Result<Reach> {
    let outside = outside::settings::read(path, &options.ids)?;
    let mut carriers: Vec<Arc<dyn Carrier>> = Vec::new();
    let mail = outside.mail.map(Arc::new);
    if outside.sms.is_some() || mail.is_some() {
        options.messenger = Arc::new(Codes::start(Ways {
            sms: outside.sms.clone(),
            mail: mail.clone(),
            ids: Arc::clone(&options.ids),
        }));
    }
    carriers.extend(outside.sms.map(|sms| Arc::new(sms) as Arc<dyn Carrier>));
    carriers.extend(mail.map(|mail| mail as Arc<dyn Carrier>));
    if let Some(registry) = outside.population {
        options.people = Some(Arc::new(registry));
    }
    if let Some(cards) = outside.citizen_card {
        options.cards = Some(Arc::new(cards));
    }
    if let Some(registry) = outside.immigration {
        options.immigration = Some(Arc::new(registry));
    }
    if let Some(registry) = outside.organisations {
        options.organisations = Some(Arc::new(registry));
    }
    for (kind, registry) in outside.documents {
        options.documents.push((kind, Arc::new(registry)));
    }
    Ok(Reach {
        carriers,
        peers: outside.peers,
        witnesses: outside.witnesses,
        timestamps: outside.timestamps,
    })
}

/// What witnesses did since the start.
fn witness_figures(witnesses: &Witnesses) -> Vec<WitnessFigures> {
    let figures = witnesses.figures().into_iter();
    figures
        .map(|(witness, (asked, failed, size))| WitnessFigures {
            witness,
            asked,
            failed,
            size,
        })
        .collect()
}

/// What peers did since the start, as the figures of a server say it.
fn figures(peers: &[(String, Guarded)], authority: Option<&Authority>) -> Vec<PeerFigures> {
    let figures = peers.iter().map(|(name, peer)| {
        let figures = peer.figures();
        PeerFigures {
            peer: name.clone(),
            breaker: match figures.standing {
                Standing::Closed => 0,
                Standing::HalfOpen => 1,
                Standing::Open => 2,
            },
            asked: figures.asked,
            failed: figures.failed,
            opened: figures.opened,
        }
    });
    let authority = authority.map(|authority| {
        let (asked, failed) = authority.figures();
        PeerFigures {
            peer: "timestamps".to_owned(),
            breaker: 0,
            asked,
            failed,
            opened: 0,
        }
    });
    figures.chain(authority).collect()
}

/// Resolves when `stop` says so, or is gone.
fn stopped(stop: &watch::Sender<bool>) -> impl Future<Output = ()> + Send + use<> {
    let mut stop = stop.subscribe();
    async move {
        // An error means the sender is gone, which is the end as well.
        let _ = stop.wait_for(|stop| *stop).await;
    }
}

/// What was erased must not be read once more: before anything is served. Where the read models
/// cannot say what was erased, each account is settled when it is next used.
async fn finish_erasure(ledger: &Ledger, views: &Views) -> anyhow::Result<()> {
    match outside::erasure::finish(ledger, views, SEEN_WITHIN).await {
        Err(ErasureError::View(error)) => {
            tracing::error!(%error, "unfinished erasures could not be looked for");
            Ok(())
        }
        Err(error) => Err(error).context("finishing erasures"),
        Ok(_) => Ok(()),
    }
}

/// Ctrl-C or a termination signal.
pub async fn asked_to_stop() {
    while !interrupt::requested() {
        tokio::time::sleep(POLL).await;
    }
}

/// Logs to stderr: warnings, or what `LEDGER_LOG` or `-v` asks for.
pub fn logs(global: &Global, json: bool) {
    let level = match (global.quiet, global.verbose) {
        (true, _) => "error",
        (false, 0) => "warn",
        (false, 1) => "info",
        (false, _) => "debug",
    };
    let filter = EnvFilter::try_from_env("LEDGER_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second initialisation can only be a test's; the first one serves.
    let _ = if json {
        builder.json().try_init()
    } else {
        builder.try_init()
    };
}
