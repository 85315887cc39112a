//! Sealing as the command line sets it up: where the tree, the lock and the checkpoint key are.

use super::{opening, state};
use crate::cli::Global;
use crate::exit::{Exit, Stop};
use crate::interrupt;
use crate::progress;
use domain::ids::LedgerId;
use ed25519_dalek::SigningKey;
use ledger::disk::{Disk, RealDisk};
use ledger::ledger::Ledger;
use ledger::secrets::SecretError;
use ledger::transparency::{FileLock, Progress, Sealing, TransparencyLog, signer};
use outside::witnesses::{Settings, Witnesses};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// At most one checkpoint in so long.
const EVERY: Duration = Duration::from_millis(500);

/// The tree's directory.
pub fn tree_dir(global: &Global) -> PathBuf {
    global.dir().join("tree")
}

/// Where the lock is: named, or in the user's state directory.
fn lock_dir(global: &Global, ledger: LedgerId) -> Result<PathBuf, Stop> {
    let state = || state::dir("checkpoints").map(|dir| dir.join(ledger.to_string()));
    global
        .checkpoint_lock
        .clone()
        .or_else(state)
        .ok_or_else(|| {
            Stop::new(Exit::Usage, "there is no directory for the checkpoint lock")
                .hint("name one with `--checkpoint-lock`, apart from the data and their backups")
        })
}

/// What seals an open ledger; `None`: there is no checkpoint key here, so nothing can be sealed.
pub fn of(global: &Global, ledger: &Ledger) -> anyhow::Result<Option<Sealing>> {
    let key = match opening::options(global)?.checkpoint_key.load() {
        Err(SecretError::Missing { .. }) => return Ok(None),
        key => SigningKey::from_bytes(&key?.0),
    };
    let Some(id) = ledger.ring().ledger() else {
        return Ok(None);
    };
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let verifier = signer(id, key.clone())?.verifier().clone();
    let log = TransparencyLog::open(Arc::clone(&disk), &tree_dir(global), verifier)?;
    let lock = lock_dir(global, id)?;
    let bar = progress::bar(global.progress, None, "sealing");
    let told = move |Progress { done, total }| {
        bar.set_length(total);
        bar.set_position(done);
        if done == total || interrupt::requested() {
            bar.finish_and_clear();
        }
    };
    Ok(Some(Sealing {
        store: Arc::clone(ledger.store()),
        log: Arc::new(log),
        lock: Box::new(move || Ok(Arc::new(FileLock::open(Arc::clone(&disk), &lock)?))),
        key,
        every: EVERY,
        cosigner: None,
        progress: Some(Arc::new(told)),
    }))
}

/// The witnesses that the settings name.
pub fn witnesses(
    settings: Option<Settings>,
    ledger: &Ledger,
) -> Result<Option<Arc<Witnesses>>, Stop> {
    let made = settings.map(|settings| {
        let clock = Arc::clone(ledger.assembler().ids().clock());
        Witnesses::new(settings, Arc::clone(ledger.gate()), clock)
    });
    let made = made.transpose().map_err(|error| {
        Stop::new(Exit::Usage, format!("witnesses: {error}"))
            .hint("look at `[witnesses]` in the settings of `--outside`")
    })?;
    Ok(made.map(Arc::new))
}
