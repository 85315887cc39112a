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
use ledger::transparency::{
    CheckpointLock, FileLock, Following, LockDatabase, Progress, SealError, Sealing, SharedLock,
    TransparencyLog, TurnPace, signer, verifier_keys,
};
use outside::witnesses::{Settings, Witnesses};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// At most one checkpoint in so long.
const EVERY: Duration = Duration::from_millis(500);

/// The tree's directory.
pub fn tree_dir(global: &Global) -> PathBuf {
    global.dir().join("tree")
}

/// Where the lock is.
enum Place {
    /// In a directory of this machine.
    Directory(PathBuf),
    /// In a database that nodes share.
    Shared(Arc<SharedLock>),
}

/// Named, or in the user's state directory.
fn place(global: &Global, ledger: &Ledger, id: LedgerId) -> anyhow::Result<Place> {
    let named = global.checkpoint_lock.as_deref();
    if let Some(address) = named.and_then(Path::to_str)
        && LockDatabase::is_address(address)
    {
        return Ok(Place::Shared(Arc::new(shared(
            global, ledger, address, id,
        )?)));
    }
    let state = || state::dir("checkpoints").map(|dir| dir.join(id.to_string()));
    let dir = named.map(Path::to_owned).or_else(state).ok_or_else(|| {
        Stop::new(Exit::Usage, "there is no directory for the checkpoint lock")
            .hint("name one with `--checkpoint-lock`, apart from the data and their backups")
    })?;
    Ok(Place::Directory(dir))
}

fn shared(
    global: &Global,
    ledger: &Ledger,
    address: &str,
    id: LedgerId,
) -> anyhow::Result<SharedLock> {
    let vault = global.vault.as_deref();
    if vault.is_some_and(|vault| LockDatabase::is_same(address, vault)) {
        return Err(SealError::VaultDatabase.into());
    }
    let password = opening::password(global.checkpoint_lock_password_file.as_deref())?;
    let file = global.checkpoint_lock_ca_file.as_deref();
    let authority = opening::authority(file, "the checkpoint lock's")?;
    let database = LockDatabase::new(
        address,
        password.as_ref().map(|text| text.trim_end()),
        authority.as_deref(),
    )?;
    let holder = ledger.assembler().ids().id();
    Ok(database.lock(id, holder, TurnPace::default()))
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
    let place = place(global, ledger, id)?;
    if ledger.store().is_shared() && matches!(place, Place::Directory(_)) {
        tracing::warn!(
            "the checkpoint lock is a directory of this machine: only one server of this ledger may seal"
        );
    }
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
        lock: Box::new(move || {
            Ok(match &place {
                Place::Directory(dir) => Arc::new(FileLock::open(Arc::clone(&disk), dir)?),
                Place::Shared(lock) => Arc::<SharedLock>::clone(lock),
            })
        }),
        key,
        every: EVERY,
        cosigner: None,
        progress: Some(Arc::new(told)),
        gate: Some(Arc::clone(ledger.gate())),
    }))
}

/// Shows what other nodes publish, where this one has no checkpoint key; `None`: there is no lock that
/// they share.
pub fn following(
    global: &Global,
    ledger: &Ledger,
) -> anyhow::Result<Option<(Following, Arc<dyn CheckpointLock>)>> {
    let ring = ledger.ring();
    let (Some(id), Some(key)) = (ring.ledger(), verifier_keys(&ring)?.pop()) else {
        return Ok(None);
    };
    let Place::Shared(lock) = place(global, ledger, id)? else {
        return Ok(None);
    };
    let log = TransparencyLog::open(Arc::new(RealDisk), &tree_dir(global), key)?;
    let (store, gate) = (Arc::clone(ledger.store()), Arc::clone(ledger.gate()));
    Ok(Some((
        Following::new(store, Arc::new(log), Some(gate)),
        lock,
    )))
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
