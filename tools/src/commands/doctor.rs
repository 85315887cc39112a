//! `idledger doctor`: what could go wrong, looked for before it does. Reads only.

use super::stores::{self, StorePlace};
use super::{opening, reading};
use crate::cli::Global;
use crate::exit::Exit;
use crate::output::{Out, grouped};
use crate::times;
use clap::Args;
use domain::ids::{Micros, Position};
use domain::record::RecordRef;
use ledger::kurrentdb::Address;
use ledger::open::Meta;
use ledger::secrets::Keys;
use ledger::segments::{LogReader, SEGMENT_BYTES};
use ledger::store::EventStore;
use ledger::transparency::CHECKPOINT_FILE;
use ledger::wiring::{Clock, SystemClock};
use std::path::Path;
use tlog::{Checkpoint, Note};

/// Below this a disk is about to be full: room for the segment in use, the next, and the views.
const FREE_BYTES_MIN: u64 = 8 * SEGMENT_BYTES;
/// A clock this far behind the last event is wrong.
const CLOCK_SLACK: i64 = 5 * Micros::SECOND;
/// 2022-02-25, the first issuance: no honest clock shows less.
const CLOCK_MIN: Micros = Micros(1_645_747_200_000_000);

/// `idledger doctor`
#[derive(Args)]
pub struct DoctorArgs {}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Good,
    Warning,
    Bad,
}

struct Check {
    name: &'static str,
    state: State,
    says: String,
}

/// Runs it.
pub fn run(global: &Global, _: &DoctorArgs, out: &mut Out) -> anyhow::Result<Exit> {
    let dir = global.dir();
    let mut checks = vec![disk(&dir), meta(&dir), secrets(global)];
    let log = match &global.store {
        Some(StorePlace::Kurrent(address)) => {
            checks.push(server(global, address));
            None
        }
        _ => Some(reading::open(&dir)),
    };
    match &log {
        None => {}
        Some(Ok(log)) => {
            checks.extend(self::log(log)?);
            checks.extend(checkpoint(&dir));
            checks.push(index(&dir));
            checks.push(lock(&dir));
        }
        Some(Err(error)) => checks.push(Check {
            name: "log",
            state: State::Bad,
            says: error.to_string(),
        }),
    }
    let bad = checks.iter().any(|check| check.state != State::Good);
    let mut rows = out.rows("doctor");
    for check in checks {
        let state = match check.state {
            State::Good => "good",
            State::Warning => "warning",
            State::Bad => "bad",
        };
        rows.push(vec![
            ("check", check.name.into()),
            ("state", state.into()),
            ("says", check.says.into()),
        ])?;
    }
    rows.finish()?;
    Ok(if bad { Exit::Findings } else { Exit::Ok })
}

/// The event server: whether it can be reached and used, and every event of ours is there and safe.
fn server(global: &Global, address: &Address) -> Check {
    let opened = || -> anyhow::Result<String> {
        let who = stores::credentials(global.store_credentials_file.as_deref())?;
        let node = global.node_dir();
        let opening = stores::server(address, &node, who);
        let store = opening::runtime()?.block_on(opening)?;
        let events = store.health().events;
        Ok(format!(
            "reached; {} events, none out of place",
            grouped(events)
        ))
    };
    match opened() {
        Ok(says) => good("event server", says),
        Err(error) => {
            let (_, hint) = crate::exit::classify(&error);
            let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
            bad("event server", format!("{error:#}{hint}"))
        }
    }
}

fn good(name: &'static str, says: impl Into<String>) -> Check {
    Check {
        name,
        state: State::Good,
        says: says.into(),
    }
}

fn warn(name: &'static str, says: impl Into<String>) -> Check {
    Check {
        name,
        state: State::Warning,
        says: says.into(),
    }
}

fn bad(name: &'static str, says: impl Into<String>) -> Check {
    Check {
        name,
        state: State::Bad,
        says: says.into(),
    }
}

fn disk(dir: &Path) -> Check {
    match fs4::available_space(dir) {
        Ok(free) if free < FREE_BYTES_MIN => warn(
            "disk",
            format!("{} MB free: soon full", grouped(free / 1_000_000)),
        ),
        Ok(free) => good("disk", format!("{} MB free", grouped(free / 1_000_000))),
        Err(error) => bad("disk", error.to_string()),
    }
}

fn meta(dir: &Path) -> Check {
    match Meta::read(dir) {
        Ok(meta) => good("ledger", format!("{}, format {}", meta.ledger, meta.format)),
        Err(error) => bad("ledger", error.to_string()),
    }
}

fn secrets(global: &Global) -> Check {
    let check = || -> Result<bool, String> {
        let options = opening::options(global).map_err(|error| error.to_string())?;
        let kek = options.kek.load().map_err(|error| error.to_string())?;
        options
            .signing_key
            .load()
            .map_err(|error| error.to_string())?;
        let meta = Meta::read(&options.dir).map_err(|error| error.to_string())?;
        Ok(hex::encode(Keys::derive(&kek).check()) == meta.key_check)
    };
    match check() {
        Ok(true) => good("keys", "both there, readable by their owner only"),
        Ok(false) => bad("keys", "the key-encryption key is not this ledger's"),
        Err(error) => bad("keys", error),
    }
}

fn log(log: &LogReader) -> anyhow::Result<Vec<Check>> {
    let (length, last) = reading::runtime()?.block_on(async {
        let length = log.length().await?;
        let last = match length.checked_sub(1) {
            Some(last) => log.read_all(Position(last), 1).await?.pop(),
            None => None,
        };
        anyhow::Ok((length, last))
    })?;
    let mut checks = vec![match log.torn() {
        Some(torn) => warn(
            "log",
            format!(
                "{} events, then {} bytes of an append that was not finished (a crash, or a \
                 writer at work)",
                grouped(length),
                torn.bytes
            ),
        ),
        None => good("log", format!("{} events", grouped(length))),
    }];
    let now = SystemClock.now();
    let recorded = last.and_then(|record| {
        let envelope = RecordRef::parse(&record.bytes).and_then(|record| record.open_envelope());
        envelope.ok().map(|envelope| envelope.recorded_at)
    });
    let shown = times::show(now, times::Zone::Utc);
    checks.push(match recorded {
        _ if now < CLOCK_MIN => bad("clock", format!("it shows {shown}")),
        Some(last) if now.plus(CLOCK_SLACK) < last => {
            let last = times::show(last, times::Zone::Utc);
            bad(
                "clock",
                format!("it shows {shown}, the last event was recorded at {last}"),
            )
        }
        _ => good("clock", shown),
    });
    Ok(checks)
}

/// What is published, as it stands there: `check-proof` is what believes nothing. `None`: nothing is.
fn checkpoint(dir: &Path) -> Option<Check> {
    let text = std::fs::read_to_string(dir.join("tree").join(CHECKPOINT_FILE)).ok()?;
    let parsed = Note::parse(&text).and_then(|note| {
        let size = Checkpoint::parse(note.text())?.head.size;
        Ok((size, note.signatures().len()))
    });
    Some(match parsed {
        Ok((size, signatures)) => good(
            "checkpoint",
            format!(
                "of {} events, {} signatures beside the log's own",
                grouped(size),
                signatures.saturating_sub(1)
            ),
        ),
        Err(error) => bad("checkpoint", error.to_string()),
    })
}

fn index(dir: &Path) -> Check {
    if dir.join("index").exists() {
        good(
            "index",
            "there; it is brought up to date when the ledger is opened",
        )
    } else {
        warn(
            "index",
            "missing; it will be built from the log when the ledger is opened",
        )
    }
}

fn lock(dir: &Path) -> Check {
    let file = std::fs::File::open(dir.join("lock"));
    match file {
        Ok(file) => match file.try_lock() {
            Ok(()) => good("lock", "free"),
            Err(_) => good(
                "lock",
                "held: a server or another command has the ledger open",
            ),
        },
        Err(_) => good("lock", "free"),
    }
}
