//! What was verified before, remembered outside the data directory.
//!
//! A ledger that is cut back or replaced by another history can have every signature right. Only
//! somebody who remembers what they saw can tell. So the head of the last verification is kept per
//! ledger in the user's state directory (`$XDG_STATE_HOME/idledger`, else
//! `~/.local/state/idledger`), which no restore of the data directory touches.

use super::check::Depth;
use crate::commands::state;
use crate::exit::{Exit, Stop};
use domain::ids::{Digest, LedgerId};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The head of a verified prefix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// `idledger.verified/1`.
    pub schema: String,
    /// The ledger.
    pub ledger: LedgerId,
    /// Public key of its first event.
    pub key: String,
    /// Records in the prefix.
    pub records: u64,
    /// Its head.
    pub head: Digest,
    /// How deep the whole prefix was verified: `--resume` goes on after it.
    pub deep: Option<Resume>,
}

/// A prefix verified to a depth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// How deep.
    pub depth: Depth,
    /// Records in it.
    pub records: u64,
    /// Its head: the same bytes are there still.
    pub head: Digest,
}

/// Value of [`Remembered::schema`].
pub const SCHEMA: &str = "idledger.verified/1";

/// The directory of remembered heads.
pub fn state_dir() -> Result<PathBuf, Stop> {
    state::dir("verified").ok_or_else(|| {
        Stop::new(
            Exit::Failed,
            "there is no directory to remember verified heads in",
        )
        .hint("set XDG_STATE_HOME, or pass `--no-memory`")
    })
}

/// What is remembered of a ledger.
pub fn recall(dir: &Path, ledger: LedgerId) -> anyhow::Result<Option<Remembered>> {
    let path = dir.join(format!("{ledger}.json"));
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // A memory that cannot be read must not pass for "never seen".
    let remembered: Remembered = serde_json::from_str(&text).map_err(|error| {
        Stop::new(
            Exit::Integrity,
            format!("the remembered head is damaged: {error}"),
        )
        .hint(format!(
            "look at `{}`; `--forget` starts anew",
            path.display()
        ))
    })?;
    Ok(Some(remembered))
}

/// Remembers a head: written aside, synced, renamed.
pub fn remember(dir: &Path, remembered: &Remembered) -> anyhow::Result<()> {
    let mut text = serde_json::to_vec_pretty(remembered)?;
    text.push(b'\n');
    state::put(&dir.join(format!("{}.json", remembered.ledger)), &text)
}

/// Forgets a ledger.
pub fn forget(dir: &Path, ledger: LedgerId) -> anyhow::Result<()> {
    for name in [format!("{ledger}.json"), format!("{ledger}.checkpoint")] {
        match std::fs::remove_file(dir.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}
