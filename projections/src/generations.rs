//! Where views lie: `views/<name>.<generation>`, and `views/CURRENT`, which says which generation
//! of each serves.
//!
//! A rebuild makes the next generation beside the serving one; one atomic, synced rename of CURRENT
//! swaps them. What CURRENT does not name is left over and is removed. A damaged view is moved aside
//! once for whoever wants to look at it, and never read again.

use crate::error::ViewError;
use crate::view::{MemoryView, SledOptions, SledView, ViewStore};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const POINTER: &str = "CURRENT";
const POINTER_NEW: &str = "CURRENT.new";
/// Largest pointer file read, in bytes.
const POINTER_BYTES_MAX: u64 = 64 * 1024;

/// A view and the number of its generation.
pub(crate) type Generation = (u64, Arc<dyn ViewStore>);

/// The place of all views.
pub(crate) struct Home {
    /// `None`: in memory.
    dir: Option<PathBuf>,
    cache_bytes: u64,
    current: Mutex<BTreeMap<String, u64>>,
}

impl Home {
    /// In memory: every view is new.
    pub(crate) fn memory() -> Self {
        Self {
            dir: None,
            cache_bytes: 0,
            current: Mutex::default(),
        }
    }

    /// In a directory, created if it is not there.
    pub(crate) fn open(dir: &Path, cache_bytes: u64) -> Result<Self, ViewError> {
        fs::create_dir_all(dir).map_err(|error| ViewError::io("create views", &error))?;
        let current = Mutex::new(read_pointer(dir)?);
        Ok(Self {
            dir: Some(dir.to_owned()),
            cache_bytes,
            current,
        })
    }

    /// The generation that serves.
    pub(crate) fn current(&self, name: &str) -> Option<u64> {
        self.current.lock().get(name).copied()
    }

    /// Removes what is left over of a view: interrupted builds, and generations swapped out.
    pub(crate) fn tidy(&self, name: &str) -> Result<(), ViewError> {
        let Some(dir) = &self.dir else { return Ok(()) };
        let failed = |error: &std::io::Error| ViewError::io("tidy views", error);
        for entry in fs::read_dir(dir).map_err(|error| failed(&error))? {
            let entry = entry.map_err(|error| failed(&error))?;
            let file = entry.file_name();
            let generation = file.to_str().and_then(|file| generation_of(file, name));
            if generation.is_some_and(|generation| Some(generation) != self.current(name)) {
                fs::remove_dir_all(entry.path()).map_err(|error| failed(&error))?;
            }
        }
        Ok(())
    }

    /// Opens the generation that serves; `None`: there is none.
    pub(crate) fn open_current(&self, name: &str) -> Result<Option<Generation>, ViewError> {
        let (Some(generation), Some(dir)) = (self.current(name), &self.dir) else {
            return Ok(None);
        };
        let path = dir.join(file_name(name, generation));
        if !path.join("db").exists() {
            return Err(ViewError::damaged(
                name,
                "its directory is missing or empty",
            ));
        }
        let view = SledView::open(&path, self.sled_options(name))?;
        Ok(Some((generation, Arc::new(view))))
    }

    /// Makes an empty view beside the serving one; its generation is new.
    pub(crate) fn create(&self, name: &str) -> Result<Generation, ViewError> {
        let generation = self.current(name).unwrap_or(0) + 1;
        let Some(dir) = &self.dir else {
            return Ok((generation, Arc::new(MemoryView::new())));
        };
        let path = dir.join(file_name(name, generation));
        if path.exists() {
            fs::remove_dir_all(&path).map_err(|error| ViewError::io("clear view", &error))?;
        }
        let view = SledView::open(&path, self.sled_options(name))?;
        Ok((generation, Arc::new(view)))
    }

    /// Makes a generation the one that serves: durable before it returns.
    pub(crate) fn point(&self, name: &str, generation: u64) -> Result<(), ViewError> {
        let mut current = self.current.lock();
        let mut next = current.clone();
        next.insert(name.to_owned(), generation);
        if let Some(dir) = &self.dir {
            write_pointer(dir, &next).map_err(|error| ViewError::io("swap view", &error))?;
        }
        *current = next;
        Ok(())
    }

    /// Removes a generation that no longer serves.
    pub(crate) fn remove(&self, name: &str, generation: u64) -> Result<(), ViewError> {
        let Some(dir) = &self.dir else { return Ok(()) };
        match fs::remove_dir_all(dir.join(file_name(name, generation))) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(ViewError::io("remove view", &error))
            }
            _ => Ok(()),
        }
    }

    /// Moves a generation out of the way, to be looked at; the one moved aside before goes.
    pub(crate) fn set_aside(&self, name: &str, generation: u64) -> Result<(), ViewError> {
        let Some(dir) = &self.dir else { return Ok(()) };
        let failed = |error: &std::io::Error| ViewError::io("set view aside", error);
        let aside = dir.join(format!("{name}.aside"));
        if aside.exists() {
            fs::remove_dir_all(&aside).map_err(|error| failed(&error))?;
        }
        let path = dir.join(file_name(name, generation));
        if path.exists() {
            fs::rename(path, aside).map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    /// The accounts' rows are read most, so they get half of the cache.
    fn sled_options(&self, name: &str) -> SledOptions {
        let share = match name {
            crate::accounts::NAME => 2,
            crate::lookups::NAME => 4,
            crate::audit::NAME => 8,
            _ => 16,
        };
        // Below this sled thrashes on its own index pages.
        let cache_bytes = (self.cache_bytes / share).max(4 << 20);
        SledOptions {
            cache_bytes,
            ..SledOptions::default()
        }
    }
}

fn file_name(name: &str, generation: u64) -> String {
    format!("{name}.{generation}")
}

fn generation_of(file: &str, name: &str) -> Option<u64> {
    file.strip_prefix(name)?.strip_prefix('.')?.parse().ok()
}

/// Lines of name and generation. What does not read is as if it were not there: the views it named
/// are built again.
fn read_pointer(dir: &Path) -> Result<BTreeMap<String, u64>, ViewError> {
    let path = dir.join(POINTER);
    let failed = |error: &std::io::Error| ViewError::io("read CURRENT", error);
    match fs::metadata(&path) {
        Ok(metadata) if metadata.len() <= POINTER_BYTES_MAX => {}
        Ok(_) => return Ok(BTreeMap::new()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(failed(&error)),
    }
    let bytes = fs::read(&path).map_err(|error| failed(&error))?;
    let text = String::from_utf8_lossy(&bytes);
    let line = |line: &str| {
        let (name, generation) = line.split_once(' ')?;
        Some((name.to_owned(), generation.parse().ok()?))
    };
    Ok(text.lines().filter_map(line).collect())
}

fn write_pointer(dir: &Path, current: &BTreeMap<String, u64>) -> std::io::Result<()> {
    let mut text = String::new();
    for (name, generation) in current {
        text.push_str(name);
        text.push(' ');
        text.push_str(&generation.to_string());
        text.push('\n');
    }
    let new = dir.join(POINTER_NEW);
    let mut file = File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, dir.join(POINTER))?;
    // The rename itself must survive a power cut, and so must the new view's directory entry.
    File::open(dir)?.sync_all()
}
