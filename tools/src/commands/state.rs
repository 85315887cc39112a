//! Where this user's own memory of ledgers is kept: outside every data directory, so that no restore of
//! one changes it.

use std::io::Write;
use std::path::{Path, PathBuf};

/// A directory for one sort of memory: `$XDG_STATE_HOME/idledger/<of>`, else
/// `~/.local/state/idledger/<of>`; `None`: the environment names neither.
pub fn dir(of: &str) -> Option<PathBuf> {
    let named = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    named("XDG_STATE_HOME")
        .or_else(|| named("HOME").map(|home| home.join(".local/state")))
        .map(|state| state.join("idledger").join(of))
}

/// Writes a file there whole or not at all, durably: aside, synced, renamed, and the name synced.
pub fn put(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let aside = path.with_extension("tmp");
    let mut file = std::fs::File::create(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&aside, path)?;
    if let Some(parent) = path.parent().filter(|parent| parent.is_dir()) {
        std::fs::File::open(parent)?.sync_all()?;
    }
    Ok(())
}
