//! The tree's hashes on disk: one file a level, and one of entries, each only ever appended to.
//!
//! ```text
//! level-<l>   hash (32) × floor(size / 256^l)             tile n of level l = bytes n·8192 …
//! entries     { 0x0020 ‖ entry (32) } × size              bundle n          = bytes n·8704 …
//! ```
//!
//! Every tile, full or partial, of every size is a slice of them, so none is ever written twice and
//! a sync is two files, not one a tile. 66.1 bytes an event. What lies beyond the size that is
//! locked is unsettled and is written again.

use super::{ENTRY_BYTES, SealError};
use crate::disk::{Disk, DiskFile, io_error};
use parking_lot::Mutex;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tlog::hash::Hash;
use tlog::tile::{Kind, TileId, WIDTH};
use tlog::tree::Tiles;

/// Bytes of an entry in a bundle: its length and itself.
const STRIDE: usize = 2 + ENTRY_BYTES;

/// The files.
pub struct Levels {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    writable: bool,
    /// By kind; opened when first needed.
    files: Mutex<Vec<(Kind, Arc<dyn DiskFile>)>>,
}

impl Levels {
    /// In a directory, made if it is not there.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path) -> Result<Self, SealError> {
        disk.create_dir(dir)
            .map_err(|error| io_error("make the tree's directory", &error))?;
        Ok(Self {
            disk,
            dir: dir.to_owned(),
            writable: true,
            files: Mutex::default(),
        })
    }

    /// For reading only: nothing is made, and what is missing is missing.
    pub fn reading(disk: Arc<dyn Disk>, dir: &Path) -> Self {
        Self {
            disk,
            dir: dir.to_owned(),
            writable: false,
            files: Mutex::default(),
        }
    }

    fn file(&self, kind: Kind) -> Result<Arc<dyn DiskFile>, SealError> {
        let mut files = self.files.lock();
        if let Some((_, file)) = files.iter().find(|(of, _)| *of == kind) {
            return Ok(Arc::clone(file));
        }
        let path = self.dir.join(match kind {
            Kind::Hashes(level) => format!("level-{level}"),
            Kind::Entries => "entries".to_owned(),
        });
        let file = match self.disk.open(&path, self.writable) {
            Err(error) if self.writable && error.kind() == std::io::ErrorKind::NotFound => {
                let file = self.disk.create(&path);
                let file = file.map_err(|error| io_error("make a level of the tree", &error))?;
                self.disk
                    .sync_dir(&self.dir)
                    .map_err(|error| io_error("sync the tree's directory", &error))?;
                file
            }
            file => file.map_err(|error| io_error("open a level of the tree", &error))?,
        };
        files.push((kind, Arc::clone(&file)));
        Ok(file)
    }

    /// Writes hashes of a level from one on. Durable after [`Levels::sync`].
    pub fn write_hashes(&self, level: u8, first: u64, hashes: &[Hash]) -> Result<(), SealError> {
        if hashes.is_empty() {
            return Ok(());
        }
        let bytes = tlog::tile::bytes(hashes);
        self.file(Kind::Hashes(level))?
            .write_at(&bytes, first * Hash::BYTES as u64)
            .map_err(|error| io_error("write a level of the tree", &error).into())
    }

    /// Writes entries from one on.
    pub fn write_entries(
        &self,
        first: u64,
        entries: &[[u8; ENTRY_BYTES]],
    ) -> Result<(), SealError> {
        let mut bytes = Vec::with_capacity(entries.len() * STRIDE);
        for entry in entries {
            tlog::bundle::push(&mut bytes, entry)?;
        }
        self.file(Kind::Entries)?
            .write_at(&bytes, first * STRIDE as u64)
            .map_err(|error| io_error("write entries of the tree", &error).into())
    }

    /// Makes everything written durable.
    pub fn sync(&self) -> Result<(), SealError> {
        let files: Vec<_> = self
            .files
            .lock()
            .iter()
            .map(|(_, file)| Arc::clone(file))
            .collect();
        for file in files {
            file.sync()
                .map_err(|error| io_error("sync the tree", &error))?;
        }
        Ok(())
    }

    /// The bytes of a tile or an entry bundle. Whoever asks knows that the tree reaches so far.
    pub fn read(&self, tile: &TileId) -> Result<Vec<u8>, SealError> {
        let stride = match tile.kind {
            Kind::Hashes(_) => Hash::BYTES,
            Kind::Entries => STRIDE,
        };
        let mut bytes = vec![0; usize::from(tile.width) * stride];
        let start = tile.index * u64::from(WIDTH) * stride as u64;
        let missing = || SealError::from(tlog::Error::MissingTile(tile.to_string()));
        let file = match self.file(tile.kind) {
            Err(_) if !self.writable => return Err(missing()),
            file => file?,
        };
        match file.read_exact_at(&mut bytes, start) {
            Ok(()) => Ok(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(missing()),
            Err(error) => Err(io_error("read the tree", &error).into()),
        }
    }
}

impl Tiles for Levels {
    fn tile(&self, tile: &TileId) -> Result<Vec<u8>, tlog::Error> {
        self.read(tile).map_err(|error| match error {
            SealError::Log(error) => error,
            _ => tlog::Error::MissingTile(tile.to_string()),
        })
    }
}
