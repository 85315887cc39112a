//! A disk that loses every un-synced write when the process dies, as a power cut would.
//!
//! Kill -9 alone proves little: the system keeps what was written. Here a write stays in the
//! process's own memory until its file is synced, a new name until its directory is. Only then does
//! the real disk see it, so that whoever kills the process takes all of that away.

use ledger::disk::{Disk, DiskFile, Lock, RealDisk};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::collections::btree_map::{BTreeMap, Entry};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is held back as a whole.
const PAGE: usize = 4096;

/// The disk.
#[derive(Default)]
pub struct VolatileDisk {
    names: Mutex<Names>,
}

#[derive(Default)]
struct Names {
    /// Everybody who opens a file sees the same un-synced writes.
    open: HashMap<PathBuf, Arc<VolatileFile>>,
    /// Renames (from, to) whose directory was not synced yet, in order.
    renamed: Vec<(PathBuf, PathBuf)>,
}

struct VolatileFile {
    real: Arc<dyn DiskFile>,
    state: Mutex<Unsynced>,
}

#[derive(Default)]
struct Unsynced {
    pages: BTreeMap<u64, Box<[u8]>>,
    /// Where the furthest un-synced write ends.
    end: u64,
}

impl Names {
    /// Where a file really is.
    fn real(&self, path: &Path) -> PathBuf {
        let last_first = self.renamed.iter().rev();
        let at = last_first.fold(path, |at, (from, to)| if to == at { from } else { at });
        at.to_owned()
    }

    /// A name that is used again cannot wait: what had it gets its new one now.
    fn vacate(&mut self, path: &Path) -> io::Result<()> {
        if self.renamed.iter().any(|(from, _)| from == path) {
            for (from, to) in self.renamed.drain(..) {
                RealDisk.rename(&from, &to)?;
            }
        }
        Ok(())
    }

    fn opened(&mut self, path: &Path, real: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        let file = Arc::new(VolatileFile {
            real,
            state: Mutex::default(),
        });
        self.open.insert(path.to_owned(), Arc::clone(&file));
        file
    }
}

impl VolatileFile {
    /// A page as the process sees it.
    fn page<'a>(&self, state: &'a mut Unsynced, page: u64) -> io::Result<&'a mut [u8]> {
        match state.pages.entry(page) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(slot) => {
                let mut bytes = vec![0; PAGE].into_boxed_slice();
                self.real.read_at(&mut bytes, page * PAGE as u64)?;
                Ok(slot.insert(bytes))
            }
        }
    }
}

/// The parts of `length` bytes from `offset`: page, place in it, length.
fn parts(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let (mut at, mut left) = (offset, length);
    std::iter::from_fn(move || {
        let inside = (at % PAGE as u64) as usize;
        let part = left.min(PAGE - inside);
        let page = at / PAGE as u64;
        at += part as u64;
        left -= part;
        (part > 0).then_some((page, inside, part))
    })
}

impl DiskFile for VolatileFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.state.lock();
        let length = self.real.length()?.max(state.end).saturating_sub(offset);
        let length = usize::try_from(length).map_or(into.len(), |length| length.min(into.len()));
        let (into, _) = into.split_at_mut(length);
        into.fill(0);
        self.real.read_at(into, offset)?;
        let mut left = into;
        for (page, inside, part) in parts(offset, length) {
            let (now, rest) = left.split_at_mut(part);
            if let Some(held) = state.pages.get(&page) {
                now.copy_from_slice(held.get(inside..inside + part).unwrap_or_default());
            }
            left = rest;
        }
        Ok(length)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        let mut left = bytes;
        for (page, inside, part) in parts(offset, bytes.len()) {
            let (now, rest) = left.split_at(part);
            let held = self.page(&mut state, page)?;
            if let Some(held) = held.get_mut(inside..inside + part) {
                held.copy_from_slice(now);
            }
            left = rest;
        }
        state.end = state.end.max(offset + bytes.len() as u64);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        let end = self.real.length()?.max(state.end);
        for (page, bytes) in std::mem::take(&mut state.pages) {
            let at = page * PAGE as u64;
            let length = usize::try_from(end - at).map_or(PAGE, |length| length.min(PAGE));
            self.real
                .write_at(bytes.get(..length).unwrap_or_default(), at)?;
        }
        self.real.sync()
    }

    fn length(&self) -> io::Result<u64> {
        let state = self.state.lock();
        Ok(self.real.length()?.max(state.end))
    }
}

impl Disk for VolatileDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut listed = RealDisk.list(path)?;
        for (from, to) in &self.names.lock().renamed {
            for name in &mut listed {
                if path.join(&*name) == *from
                    && let Some(new) = to.file_name().and_then(|new| new.to_str())
                {
                    new.clone_into(name);
                }
            }
        }
        Ok(listed)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut names = self.names.lock();
        names.vacate(path)?;
        Ok(names.opened(path, RealDisk.create(path)?))
    }

    fn create_private(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut names = self.names.lock();
        names.vacate(path)?;
        Ok(names.opened(path, RealDisk.create_private(path)?))
    }

    fn open(&self, path: &Path, _: bool) -> io::Result<Arc<dyn DiskFile>> {
        let mut names = self.names.lock();
        if let Some(file) = names.open.get(path) {
            return Ok(Arc::clone(file) as Arc<dyn DiskFile>);
        }
        // For writing in any case: whoever opens it next may want to, and shares this file.
        let real = RealDisk.open(&names.real(path), true)?;
        Ok(names.opened(path, real))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut names = self.names.lock();
        if let Some(file) = names.open.remove(from) {
            names.open.insert(to.to_owned(), file);
        }
        names.renamed.push((from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut names = self.names.lock();
        names.open.remove(path);
        let real = names.real(path);
        RealDisk.remove(&real)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut names = self.names.lock();
        for (from, to) in std::mem::take(&mut names.renamed) {
            if to.parent() == Some(path) {
                RealDisk.rename(&from, &to)?;
            } else {
                names.renamed.push((from, to));
            }
        }
        RealDisk.sync_dir(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        RealDisk.lock(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(file: &dyn DiskFile) -> Vec<u8> {
        let mut bytes = vec![0; file.length().unwrap() as usize];
        file.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    }

    #[test]
    fn what_is_not_synced_is_seen_here_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let (aside, path) = (dir.path().join("aside"), dir.path().join("file"));
        let disk = VolatileDisk::default();
        let file = disk.create(&aside).unwrap();
        let long = [7; 3 * PAGE];
        file.write_at(&long, 10).unwrap();
        file.write_at(b"over a page's end", PAGE as u64 - 5)
            .unwrap();
        let mut wanted = vec![0; 10];
        wanted.extend(long);
        wanted[PAGE - 5..][..17].copy_from_slice(b"over a page's end");
        assert_eq!(text(&*file), wanted);
        assert_eq!(std::fs::read(&aside).unwrap(), b"");

        file.sync().unwrap();
        assert_eq!(std::fs::read(&aside).unwrap(), wanted);
        disk.rename(&aside, &path).unwrap();
        assert_eq!(disk.list(dir.path()).unwrap(), ["file"]);
        let again = disk.open(&path, true).unwrap();
        again.write_at(b"shared", 0).unwrap();
        assert_eq!(&text(&*file)[..6], b"shared");
        assert_eq!(RealDisk.list(dir.path()).unwrap(), ["aside"]);

        disk.sync_dir(dir.path()).unwrap();
        assert_eq!(
            std::fs::read(&path).unwrap(),
            wanted,
            "the write still waits"
        );
        again.sync().unwrap();
        assert_eq!(&std::fs::read(&path).unwrap()[..6], b"shared");
    }
}
