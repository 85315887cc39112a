//! A disk in memory that knows what would survive.
//!
//! Every change is a numbered step. A step can be made to fail, and the power can be cut at any
//! time: [`SimDisk::restart`] then makes the disk a new process would find, from what was synced
//! and a seeded choice of what was not.
#![allow(
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "it is test code"
)]

use super::Random;
use crate::disk::{Disk, DiskFile, Lock};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a disk keeps or loses as a whole.
const SECTOR: usize = 512;

/// A change of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A file is made or emptied.
    Create,
    /// Bytes are written.
    Write,
    /// A file is synced.
    Sync,
    /// A file gets another name.
    Rename,
    /// A file is removed.
    Remove,
    /// A directory is synced.
    SyncDir,
}

/// What goes wrong at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An error, and nothing was done.
    NotDone,
    /// An error, although it was done.
    Done,
    /// An error; a write was done up to here, in thousandths. Anything else was not done.
    Partly(u16),
    /// No space is left, now and later, for anything that needs more.
    Full,
    /// The process dies before the step: this and everything later fails.
    Dies,
}

/// What is left of changes that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Everything: the process died, the system goes on.
    All,
    /// Nothing: the worst power cut.
    Synced,
    /// Some sectors and some names, by this seed: the usual power cut.
    Some(u64),
}

/// The disk. Clones are the same disk.
#[derive(Clone, Default)]
pub struct SimDisk {
    world: Arc<Mutex<World>>,
}

#[derive(Default)]
struct World {
    files: BTreeMap<u64, Contents>,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    locks: BTreeSet<PathBuf>,
    next_file: u64,
    steps: Vec<Operation>,
    fault: Option<(usize, Fault)>,
    dead: bool,
    full: bool,
}

#[derive(Default, Clone)]
struct Contents {
    now: Vec<u8>,
    durable: Vec<u8>,
}

struct SimFile {
    world: Arc<Mutex<World>>,
    file: u64,
}

struct SimLock {
    world: Arc<Mutex<World>>,
    path: PathBuf,
}

impl SimDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// The steps taken so far.
    pub fn steps(&self) -> Vec<Operation> {
        self.world.lock().steps.clone()
    }

    /// Makes the `step`-th change from the beginning go wrong.
    pub fn fail_at(&self, step: usize, fault: Fault) {
        self.world.lock().fault = Some((step, fault));
    }

    /// There is space again.
    pub fn make_space(&self) {
        self.world.lock().full = false;
    }

    /// The disk that the next process finds. This one is dead from now on.
    #[must_use]
    pub fn restart(&self, keep: Keep) -> Self {
        let mut old = self.world.lock();
        old.dead = true;
        let mut random = match keep {
            Keep::Some(seed) => Some(Random::new(seed)),
            Keep::All | Keep::Synced => None,
        };
        let mut choose = |kept: bool| match &mut random {
            Some(random) => random.below(2) == 0,
            None => kept,
        };
        let all = keep == Keep::All;
        let names = if choose(all) {
            old.names.clone()
        } else {
            old.durable_names.clone()
        };
        let mut files = BTreeMap::new();
        for (file, contents) in &old.files {
            let now = survivors(contents, || choose(all));
            files.insert(
                *file,
                Contents {
                    durable: now.clone(),
                    now,
                },
            );
        }
        let world = World {
            files,
            durable_names: names.clone(),
            names,
            next_file: old.next_file,
            ..World::default()
        };
        Self {
            world: Arc::new(Mutex::new(world)),
        }
    }

    /// Another disk with the same contents.
    #[must_use]
    pub fn copy(&self) -> Self {
        let dead = self.world.lock().dead;
        let copy = self.restart(Keep::All);
        self.world.lock().dead = dead;
        copy
    }

    /// A file's bytes, for tests that look or tamper.
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let world = self.world.lock();
        Some(world.files.get(world.names.get(path)?)?.now.clone())
    }

    /// Replaces a file's bytes, durably, or makes the file.
    pub fn set_bytes(&self, path: &Path, bytes: &[u8]) {
        let mut world = self.world.lock();
        let file = world.names.get(path).copied().unwrap_or(world.next_file);
        world.next_file = world.next_file.max(file + 1);
        world.names.insert(path.to_owned(), file);
        world.durable_names.insert(path.to_owned(), file);
        world.files.insert(
            file,
            Contents {
                now: bytes.to_vec(),
                durable: bytes.to_vec(),
            },
        );
    }

    /// Removes a file, durably.
    pub fn lose(&self, path: &Path) {
        let mut world = self.world.lock();
        world.names.remove(path);
        world.durable_names.remove(path);
    }

    fn file(&self, file: u64) -> Arc<dyn DiskFile> {
        Arc::new(SimFile {
            world: Arc::clone(&self.world),
            file,
        })
    }
}

/// Contents after a power cut: of every sector that differs, the new or the old state.
fn survivors(contents: &Contents, mut keep: impl FnMut() -> bool) -> Vec<u8> {
    let mut left = contents.durable.clone();
    if contents.now.len() != left.len() && keep() {
        left.resize(contents.now.len(), 0);
    }
    for (sector, new) in left.chunks_mut(SECTOR).zip(contents.now.chunks(SECTOR)) {
        let length = sector.len().min(new.len());
        let (sector, new) = (&mut sector[..length], &new[..length]);
        if sector != new && keep() {
            sector.copy_from_slice(new);
        }
    }
    left
}

impl World {
    /// Counts a step. `Ok(share)`: do this share of it, in thousandths; then, if told so, fail.
    fn step(&mut self, operation: Operation) -> Result<(u16, io::Result<()>), io::Error> {
        if self.dead {
            return Err(io::Error::other("the process is dead"));
        }
        let number = self.steps.len();
        self.steps.push(operation);
        let injected = || io::Error::other("injected fault");
        match self.fault {
            Some((at, fault)) if at == number => match fault {
                Fault::Done => Ok((1000, Err(injected()))),
                Fault::Partly(share) if operation == Operation::Write => {
                    Ok((share, Err(injected())))
                }
                Fault::NotDone | Fault::Partly(_) => Err(injected()),
                Fault::Full => {
                    self.full = true;
                    Ok((1000, Ok(())))
                }
                Fault::Dies => {
                    self.dead = true;
                    Err(io::Error::other("the process is dead"))
                }
            },
            _ => Ok((1000, Ok(()))),
        }
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let world = self.world.lock();
        let now = world
            .files
            .get(&self.file)
            .map_or(&[][..], |contents| &contents.now);
        let from = now.get(offset as usize..).unwrap_or_default();
        let length = from.len().min(into.len());
        into[..length].copy_from_slice(&from[..length]);
        Ok(length)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut world = self.world.lock();
        let (share, outcome) = world.step(Operation::Write)?;
        let full = world.full;
        let length = bytes.len() * usize::from(share) / 1000;
        let contents = world.files.entry(self.file).or_default();
        let end = offset as usize + length;
        if end > contents.now.len() {
            if full {
                return Err(io::ErrorKind::StorageFull.into());
            }
            contents.now.resize(end, 0);
        }
        contents.now[offset as usize..end].copy_from_slice(&bytes[..length]);
        outcome
    }

    fn sync(&self) -> io::Result<()> {
        let mut world = self.world.lock();
        let (_, outcome) = world.step(Operation::Sync)?;
        let contents = world.files.entry(self.file).or_default();
        contents.durable = contents.now.clone();
        outcome
    }

    fn length(&self) -> io::Result<u64> {
        let world = self.world.lock();
        Ok(world
            .files
            .get(&self.file)
            .map_or(0, |contents| contents.now.len() as u64))
    }
}

impl Disk for SimDisk {
    fn create_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let world = self.world.lock();
        let inside = world
            .names
            .keys()
            .filter(|name| name.parent() == Some(path));
        let names: Vec<String> = inside
            .filter_map(|name| Some(name.file_name()?.to_str()?.to_owned()))
            .collect();
        if names.is_empty() {
            Err(io::ErrorKind::NotFound.into())
        } else {
            Ok(names)
        }
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut world = self.world.lock();
        let (_, outcome) = world.step(Operation::Create)?;
        let file = world.next_file;
        world.next_file += 1;
        world.files.insert(file, Contents::default());
        world.names.insert(path.to_owned(), file);
        drop(world);
        outcome.map(|()| self.file(file))
    }

    fn create_private(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.create(path)
    }

    fn open(&self, path: &Path, _: bool) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.world.lock().names.get(path).copied();
        file.map(|file| self.file(file))
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.world.lock();
        let (_, outcome) = world.step(Operation::Rename)?;
        let file = world.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        world.names.insert(to.to_owned(), file);
        outcome
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world.lock();
        let (_, outcome) = world.step(Operation::Remove)?;
        world.names.remove(path).ok_or(io::ErrorKind::NotFound)?;
        outcome
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world.lock();
        let (_, outcome) = world.step(Operation::SyncDir)?;
        let inside = |name: &Path| name.parent() == Some(path);
        let now: Vec<_> = world
            .names
            .iter()
            .map(|(name, file)| (name.clone(), *file))
            .collect();
        world.durable_names.retain(|name, _| !inside(name));
        world
            .durable_names
            .extend(now.into_iter().filter(|(name, _)| inside(name)));
        outcome
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        let free = self.world.lock().locks.insert(path.to_owned());
        let world = Arc::clone(&self.world);
        Ok(free.then(|| {
            Box::new(SimLock {
                world,
                path: path.to_owned(),
            }) as Lock
        }))
    }
}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.world.lock().locks.remove(&self.path);
    }
}
