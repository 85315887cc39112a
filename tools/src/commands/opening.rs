//! Opening a ledger for writing, with its keys. Only for commands that append or serve.

use super::stores::{StorePlace, credentials};
use crate::cli::Global;
use crate::interrupt;
use anyhow::Context;
use clap::Args;
use domain::ids::Micros;
use ledger::ledger::Ledger;
use ledger::open::{OpenReport, Options, StorePlace as Store, open as open_ledger};
use ledger::secrets::{KeySource, secret_text};
use ledger::vault::shared::SharedVault;
use ledger::wiring::{Ids, ManualClock, SystemRandomness};
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Value of the signing key itself; wins over any file.
const SIGNING_KEY: &str = "LEDGER_SIGNING_KEY";
/// Value of the checkpoint key itself.
const CHECKPOINT_KEY: &str = "LEDGER_CHECKPOINT_KEY";
/// Value of the key-encryption key itself.
const KEK: &str = "LEDGER_KEK";

/// Where the ledger is and where its keys come from.
pub fn options(global: &Global) -> anyhow::Result<Options> {
    let mut options = Options::new(global.dir());
    let default = |source: &KeySource| match source {
        KeySource::File(path) => path.clone(),
        KeySource::Value(_) | KeySource::Bytes(_) => std::path::PathBuf::new(),
    };
    let value = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (signing, kek) = (default(&options.signing_key), default(&options.kek));
    let checkpoint = default(&options.checkpoint_key);
    options.signing_key =
        KeySource::choose(value(SIGNING_KEY), global.signing_key_file.clone(), signing);
    options.kek = KeySource::choose(value(KEK), global.kek_file.clone(), kek);
    let named = global.checkpoint_key_file.clone();
    options.checkpoint_key = KeySource::choose(value(CHECKPOINT_KEY), named, checkpoint);
    options.vault = shared_vault(global)?;
    match &global.store {
        None => {}
        Some(StorePlace::Segments(dir)) => options.dir.clone_from(dir),
        Some(StorePlace::Memory(dir)) => {
            options.dir.clone_from(dir);
            options.store = Store::Memory;
        }
        Some(StorePlace::Kurrent(address)) => {
            options.store = Store::Server {
                address: address.clone(),
                credentials: credentials(global.store_credentials_file.as_deref())?,
            };
        }
    }
    Ok(options)
}

/// The vault that servers share, if one is named.
fn shared_vault(global: &Global) -> anyhow::Result<Option<SharedVault>> {
    let Some(address) = &global.vault else {
        return Ok(None);
    };
    let password = password(global.vault_password_file.as_deref())?;
    let authority = authority(global.vault_ca_file.as_deref(), "the vault's")?;
    let place = SharedVault::new(
        address,
        password.as_ref().map(|text| text.trim_end()),
        authority.as_deref(),
    )?;
    Ok(Some(place))
}

/// The password of a database's user.
pub fn password(file: Option<&Path>) -> anyhow::Result<Option<Zeroizing<String>>> {
    Ok(file.map(secret_text).transpose()?)
}

/// Who signed the certificates of a database's hosts. `whose`: for the error.
pub fn authority(file: Option<&Path>, whose: &str) -> anyhow::Result<Option<Vec<u8>>> {
    let read = file.map(std::fs::read).transpose();
    read.with_context(|| format!("reading {whose} authority file"))
}

/// The time at which a ledger is made and its staff enrolled, for trials: a server whose time is simulated
/// knows nobody who was enrolled later than its own time.
#[derive(Args)]
pub struct Trial {
    /// Work at this time (seconds since 1970): for trials
    #[arg(
        long,
        hide = true,
        value_name = "SECONDS",
        value_parser = clap::value_parser!(i64).range(0..=4_102_444_800)
    )]
    simulate_clock: Option<i64>,
}

impl Trial {
    /// [`options`] with that time, if one is given; and says so, as a server does.
    pub fn options(&self, global: &Global) -> anyhow::Result<Options> {
        let mut options = options(global)?;
        if let Some(seconds) = self.simulate_clock {
            let clock = Arc::new(ManualClock::new(Micros(seconds * Micros::SECOND)));
            options.ids = Arc::new(Ids::new(clock, Arc::new(SystemRandomness::new())));
            eprintln!("warning: the time is simulated, and events are signed with it");
        }
        Ok(options)
    }
}

/// A runtime for servers and the demo: as many threads as cores.
pub fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the runtime")
}

/// Opens it and says on stderr what was found, where that is worth saying.
pub async fn open(global: &Global) -> anyhow::Result<Ledger> {
    open_with(global, &options(global)?).await
}

/// The same with other options than the usual.
pub async fn open_with(global: &Global, options: &Options) -> anyhow::Result<Ledger> {
    interrupt::check()?;
    let (ledger, report) = open_ledger(options).await?;
    if !global.quiet {
        tell(&report);
    }
    Ok(ledger)
}

/// What the last process left behind.
pub fn tell(report: &OpenReport) {
    let report = match report {
        OpenReport::Directory(report) => report,
        OpenReport::Memory(records) => {
            eprintln!(
                "warning: {records} events in memory; what is recorded is forgotten at the end"
            );
            return;
        }
        OpenReport::Server(report) => {
            eprintln!(
                "note: event server version {}, {} events, {} read on opening",
                report.server, report.events, report.read
            );
            return;
        }
    };
    if let Some(torn) = &report.cut {
        eprintln!(
            "note: cut {} bytes of an append that was never acknowledged, at position {} ({}:{})",
            torn.bytes, torn.position, torn.file, torn.offset
        );
    }
    if let ledger::segments::IndexState::Rebuilt { reason } = &report.index {
        eprintln!("note: the stream index was rebuilt: {reason}");
    }
}
