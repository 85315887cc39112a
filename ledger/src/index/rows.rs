//! The index's rows in sled 0.34.7, and the care it needs.
//!
//! Owns opening, syncing and putting aside. A panic inside sled while opening is caught; whatever
//! cannot be used is a [`Doubt`], never the reason for losing a record.

use crate::disk::wait_until_closed;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

/// sled's page cache, in bytes (its real use is up to three times that).
const CACHE_BYTES: u64 = 48 * 1024 * 1024;
/// How long the threads of an index that was closed may still hold it. The ledger's own lock keeps
/// everybody else out.
const CLOSED_WITHIN: Duration = Duration::from_secs(10);
/// Key of the row that says how many positions are covered.
pub(crate) const COVERED: &[u8] = b"covered";
const VERSION: &[u8] = b"version";
const VERSION_VALUE: &[u8] = b"idledger-index/1";

/// Why an index on disk is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Doubt {
    #[error("there was none")]
    Missing,
    #[error("it was ahead of the log: it knew {0} events")]
    Ahead(u64),
    #[error("{0}")]
    Damaged(String),
}

impl From<String> for Doubt {
    fn from(reason: String) -> Self {
        Self::Damaged(reason)
    }
}

/// The rows on disk.
pub(crate) struct Rows {
    pub db: sled::Db,
    pub path: PathBuf,
}

impl Rows {
    /// sled's flush writes without syncing; this syncs the file it wrote to.
    pub(crate) fn sync(&self) -> Result<(), String> {
        self.db.flush().map_err(|error| error.to_string())?;
        fs::File::open(self.path.join("db"))
            .and_then(|file| file.sync_data())
            .map_err(|error| error.to_string())
    }
}

/// Opens sled and reads how far it covers the log. Any failure is a reason to rebuild.
pub(crate) fn open_rows(path: &Path, length: u64) -> Result<(Rows, u64), Doubt> {
    if let Ok(reason) = fs::read_to_string(condemned(path)) {
        return Err(Doubt::Damaged(format!(
            "it failed when last used: {reason}"
        )));
    }
    // A snapshot that was being written when the process was killed makes sled refuse to open.
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("snap.") && name.ends_with(".generating"))
        {
            fs::remove_file(entry.path()).map_err(|error| error.to_string())?;
        }
    }
    wait_until_closed(&path.join("db"), CLOSED_WITHIN).map_err(|error| error.to_string())?;
    let config = sled::Config::new()
        .path(path)
        .cache_capacity(CACHE_BYTES)
        .flush_every_ms(None);
    let db = catch_unwind(AssertUnwindSafe(|| config.open()))
        .map_err(|_| "sled panicked while opening it".to_owned())?
        .map_err(|error| error.to_string())?;
    let rows = Rows {
        db,
        path: path.to_owned(),
    };
    let get = |key: &[u8]| {
        catch_unwind(AssertUnwindSafe(|| rows.db.get(key)))
            .map_err(|_| "sled panicked while reading it".to_owned())?
            .map_err(|error| error.to_string())
    };
    let put = |key: &[u8], value: &[u8]| {
        rows.db
            .insert(key, value)
            .map(drop)
            .map_err(|error| error.to_string())
    };
    match get(VERSION)? {
        None if rows.db.is_empty() => {
            put(VERSION, VERSION_VALUE)?;
            put(COVERED, &0_u64.to_be_bytes())?;
            rows.sync()?;
            return Ok((rows, 0));
        }
        Some(version) if version == VERSION_VALUE => {}
        _ => return Err("it is of another version".to_owned().into()),
    }
    let covered = get(COVERED)?
        .and_then(|value| value.as_ref().try_into().ok().map(u64::from_be_bytes))
        .ok_or_else(|| "it does not say what it covers".to_owned())?;
    if covered > length {
        return Err(Doubt::Ahead(covered));
    }
    Ok((rows, covered))
}

/// A file beside the index that condemns it.
pub(crate) fn condemned(path: &Path) -> PathBuf {
    path.with_extension("failed")
}

/// Moves the index to `index.damaged`, replacing what an earlier failure left there.
pub(crate) fn move_aside(path: &Path) -> io::Result<()> {
    let aside = path.with_extension("damaged");
    for stale in [&aside, &condemned(path)] {
        let removed = if stale.is_dir() {
            fs::remove_dir_all(stale)
        } else {
            fs::remove_file(stale)
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    match fs::rename(path, &aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
