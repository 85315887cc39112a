//! The file operations that the segment engine and the vault need, as a trait.
//!
//! Owns how a file is created, written and made durable on a real disk; the simulated disk of the
//! tests implements the same trait and can fail at each step. It must never decide what to do
//! about a failure: it reports, whoever asked decides.

use crate::store::StoreError;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What keeps a directory locked until it is dropped.
pub type Lock = Box<dyn Send + Sync>;

/// An open file.
pub trait DiskFile: Send + Sync {
    /// Reads up to `into.len()` bytes; fewer only at the end of the file.
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all bytes.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// `fdatasync`: contents and size are durable when it returns.
    fn sync(&self) -> io::Result<()>;
    /// Length in bytes.
    fn length(&self) -> io::Result<u64>;

    /// Reads exactly `into.len()` bytes; [`io::ErrorKind::UnexpectedEof`] if the file ends before.
    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        if self.read_at(into, offset)? == into.len() {
            Ok(())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}

/// A disk.
pub trait Disk: Send + Sync + 'static {
    /// Makes a directory and what is missing above it, durably. It may exist.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// Names in a directory.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
    /// Makes a file, or empties it.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// The same for a file that nobody but its owner may read.
    fn create_private(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens a file for reading, and for writing if asked.
    fn open(&self, path: &Path, write: bool) -> io::Result<Arc<dyn DiskFile>>;
    /// Renames within a directory; the target is replaced.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Takes the exclusive lock at `path`; `None`: somebody else has it, and keeps it for a moment.
    fn lock(&self, path: &Path) -> io::Result<Option<Lock>>;
}

/// The operating system's files.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl DiskFile for File {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while let Some(left) = into.get_mut(done..).filter(|left| !left.is_empty()) {
            match FileExt::read_at(self, left, offset + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

impl Disk for RealDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        let above = match path.parent() {
            Some(above) if above.as_os_str().is_empty() => Path::new("."),
            Some(above) => above,
            None => Path::new("/"),
        };
        self.create_dir(above)?;
        match fs::create_dir(path) {
            // Somebody else made it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
            made => made?,
        }
        // A directory whose name is not durable is gone after a power cut, with everything in it.
        self.sync_dir(above)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(path)? {
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        create_with(path, 0o666)
    }

    fn create_private(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        create_with(path, 0o600)
    }

    fn open(&self, path: &Path, write: bool) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(
            OpenOptions::new().read(true).write(write).open(path)?,
        ))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let locked = lock_within(&file, LOCKED_FOR)?;
        Ok(locked.then(|| Box::new(file) as Lock))
    }
}

/// So long a lock may outlive whoever let go of it: a program that this process starts has a copy of every
/// open file until it is another program.
const LOCKED_FOR: Duration = Duration::from_millis(250);

/// Whether a file's lock could be had in time.
fn lock_within(file: &File, longest: Duration) -> io::Result<bool> {
    const ASK_EVERY: Duration = Duration::from_millis(10);
    let mut waited = Duration::ZERO;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if waited >= longest => return Ok(false),
            Err(TryLockError::WouldBlock) => {
                std::thread::sleep(ASK_EVERY);
                waited += ASK_EVERY;
            }
        }
    }
}

/// Makes or empties a file; a new one gets this mode, less the process's mask.
fn create_with(path: &Path, mode: u32) -> io::Result<Arc<dyn DiskFile>> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(path)?;
    Ok(Arc::new(file))
}

/// An operating system error as a store error.
pub(crate) fn io_error(operation: &'static str, error: &io::Error) -> StoreError {
    let full = matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    );
    StoreError::Io {
        operation,
        message: error.to_string(),
        full,
    }
}

/// Waits until nobody has a sled database open, by the file it locks. sled's pool of threads may hold
/// a database, and its lock, for a moment after it was dropped; sled does not wait, and says "locked"
/// in an error that cannot be told from damage. No file: nothing to wait for.
pub fn wait_until_closed(path: &Path, longest: Duration) -> io::Result<()> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    // Closing the file unlocks it.
    if lock_within(&file, longest)? {
        Ok(())
    } else {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_outlives_its_holder_for_a_moment_is_had_and_one_that_is_kept_is_not() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("lock");
        let kept = RealDisk.lock(&path).unwrap();
        assert!(kept.is_some());
        assert!(RealDisk.lock(&path).unwrap().is_none());
        drop(kept);
        let holder = File::open(&path).unwrap();
        holder.lock().unwrap();
        let copy = holder.try_clone().unwrap();
        drop(holder);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                std::thread::sleep(Duration::from_millis(40));
                drop(copy);
            });
            assert!(RealDisk.lock(&path).unwrap().is_some());
        });
        let held = File::open(&path).unwrap();
        held.lock().unwrap();
        let longest = Duration::from_millis(30);
        let error = wait_until_closed(&path, longest).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        drop(held);
        wait_until_closed(&path, longest).unwrap();
        wait_until_closed(&place.path().join("none"), longest).unwrap();
    }
}
