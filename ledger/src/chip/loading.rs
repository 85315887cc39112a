//! Loading a trust list into a ledger, and using the loaded one when it is opened again.
//!
//! The file is kept under its digest, and an event in the ledger's own stream says which digest counts;
//! so what a read was verified against can be looked up for as long as the directory lives, and a file
//! that was changed is not used. Owns `trust/`.

use super::{ChipVerifier, PassiveAuthentication, TrustList, TrustListError};
use crate::evidence::Proven;
use crate::ledger::Ledger;
use crate::writer::LedgerError;
use domain::event::ChipTrustListLoaded;
use domain::ids::{Category, Digest, Position};
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Ledger {
    /// Verifies chip reads. Until a trust list is loaded, none is good.
    pub fn chips(&self) -> Arc<dyn ChipVerifier> {
        Arc::clone(&self.chip_verifier().read())
    }

    /// Chip reads are verified by this from now on.
    pub fn verify_chips_with(&self, verifier: Arc<dyn ChipVerifier>) {
        *self.chip_verifier().write() = verifier;
    }
}

/// Why a trust list was not loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// It cannot be used.
    #[error(transparent)]
    List(#[from] TrustListError),
    /// It could not be kept.
    #[error("keeping the trust list: {0}")]
    Io(#[from] io::Error),
    /// The event was not recorded.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// A list that was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// SHA-256 of the file.
    pub digest: Digest,
    /// Number of authorities.
    pub authorities: usize,
    /// Of these, with a key of a kind that is not taken.
    pub unusable: usize,
    /// The event; `None`: this list was in use already.
    pub position: Option<Position>,
}

/// Loads a list: kept, recorded, used from now on. Loading the one that is in use changes nothing.
pub async fn load(ledger: &Ledger, dir: &Path, file: &[u8]) -> Result<Loaded, LoadError> {
    let list = TrustList::read(file)?;
    let digest = list.digest();
    keep(dir, digest, file)?;
    let mut loaded = Loaded {
        digest,
        authorities: list.len(),
        unusable: list.unusable(),
        position: None,
    };
    if ledger.trust_list() != Some(digest) {
        let event = ChipTrustListLoaded {
            digest,
            authorities: list.len() as u32,
        };
        let proven = Proven::operator();
        let position = ledger.record_own(Category::Ledger, event.into(), None, proven);
        loaded.position = Some(position.await?);
    }
    ledger.verify_chips_with(Arc::new(PassiveAuthentication::new(list)));
    Ok(loaded)
}

/// Uses the list that the ledger's own stream names. Where it is not there or not what it was, no chip
/// read is good until it is loaded again; everything else goes on.
pub fn use_loaded(ledger: &Ledger, dir: &Path) {
    let Some(digest) = ledger.trust_list() else {
        return;
    };
    let read = read(&path(dir, digest)).ok();
    let list = read.and_then(|file| TrustList::read(&file).ok());
    match list.filter(|list| list.digest() == digest) {
        Some(list) => ledger.verify_chips_with(Arc::new(PassiveAuthentication::new(list))),
        None => {
            tracing::error!(%digest, "the trust list of chip reads is not there: load it again");
        }
    }
}

fn path(dir: &Path, digest: Digest) -> PathBuf {
    dir.join("trust").join(format!("{digest}.pem"))
}

/// A file, no further than a trust list may be long.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = super::TRUST_LIST_BYTES_MAX as u64 + 1;
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Durable before the event that names it.
fn keep(dir: &Path, digest: Digest, file: &[u8]) -> io::Result<()> {
    let path = path(dir, digest);
    let folder = dir.join("trust");
    fs::create_dir_all(&folder)?;
    let aside = path.with_extension("tmp");
    let mut written = File::create(&aside)?;
    written.write_all(file)?;
    written.sync_all()?;
    fs::rename(&aside, &path)?;
    File::open(&folder)?.sync_all()?;
    File::open(dir)?.sync_all()
}
