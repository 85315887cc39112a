//! Where this user's own memory of ledgers is kept: outside every data directory, so that no restore of
//! one changes it.

use std::path::PathBuf;

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
