//! An append-only file of sealed blocks (drawn in FORMAT.md): no plaintext on disk, and nothing
//! counts until it was committed.
//!
//! ```text
//! 0      header  512: "idledger-people\0" 16 | version u16 = 1 | zero 6 | file id 16 | key check 16
//!                     | BLAKE3 checksum 8 | zero
//! 512    commit  512: sequence u64 | end u64 | records u64 | checksum 8 | zero    (even sequences)
//! 1024   commit  512: the same                                                     (odd sequences)
//! 4096   blocks:      length u32 | nonce 12 | AES-256-GCM ciphertext and tag, `length` bytes
//! block  plaintext:   n × ( length u32 | record )
//! ```
//!
//! A block is sealed with `"idledger-registry/v1\0"`, the file id and its own offset (u64) as
//! associated data, so that none can be moved, repeated or taken from another file. The newer
//! commit counts; bytes after its `end` are what a crash left of an import and are written over.

use super::RegistryError;
use crate::secrets::Keys;
use crate::wiring::Randomness;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use parking_lot::Mutex;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

const MAGIC: &[u8; 16] = b"idledger-people\0";
const VERSION: u16 = 1;
const AAD_PREFIX: &[u8] = b"idledger-registry/v1\0";
const CHECKSUM_PREFIX: &[u8] = b"idledger-registry-header/v1\0";
const SECTOR: usize = 512;
const BLOCKS_AT: u64 = 4096;
/// A block is closed once it has this many bytes of plaintext: one question opens one block.
const BLOCK_BYTES: usize = 4096;
/// Longest record; offsets within a block fit 16 bits.
const RECORD_BYTES_MAX: usize = 32 * 1024;
const BLOCK_BYTES_MAX: usize = BLOCK_BYTES + RECORD_BYTES_MAX + 64;
/// Length and nonce before a block's ciphertext.
const FRAME_BYTES: usize = 16;
/// Sealed bytes gathered before they are written.
const WRITE_BYTES: usize = 1 << 20;

/// Where a record stands: the block's offset (48 bits) and the record's in the block's plaintext.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(u64);

impl Place {
    fn new(offset: u64, within: usize) -> Self {
        Self((offset << 16) | (within as u64 & 0xffff))
    }

    /// Offset of the block in the file.
    pub const fn offset(self) -> u64 {
        self.0 >> 16
    }

    const fn within(self) -> usize {
        (self.0 & 0xffff) as usize
    }
}

/// What a commit says.
#[derive(Debug, Clone, Copy, Default)]
struct Commit {
    sequence: u64,
    end: u64,
    records: u64,
}

/// A block's plaintext, erased when nobody reads in it any more.
type Block = Arc<Zeroizing<Vec<u8>>>;

/// The file.
pub(super) struct SealedFile {
    file: File,
    id: [u8; 16],
    cipher: Aes256Gcm,
    randomness: Arc<dyn Randomness>,
    commit: Mutex<Commit>,
    /// The block opened last: imports and sorted questions ask for neighbours.
    last: Mutex<Option<(u64, Block)>>,
}

impl SealedFile {
    /// Opens a file in a directory, or makes both.
    pub fn open(
        directory: &Path,
        name: &str,
        keys: &Keys,
        randomness: Arc<dyn Randomness>,
    ) -> Result<Self, RegistryError> {
        let io = RegistryError::io;
        std::fs::create_dir_all(directory).map_err(io("making the directory of"))?;
        let path = directory.join(name);
        if !path.try_exists().map_err(io("opening"))? {
            create(directory, &path, keys, &*randomness)?;
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(io("opening"))?;
        let mut head = [0; 3 * SECTOR];
        file.read_exact_at(&mut head, 0)
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::UnexpectedEof => {
                    RegistryError::Unusable("its header is cut off")
                }
                _ => io("reading")(error),
            })?;
        let (header, commits) = head.split_at(SECTOR);
        let id = open_header(header, keys.check())?;
        let commit = newest_commit(commits)?;
        if file.metadata().map_err(io("measuring"))?.len() < commit.end {
            return Err(RegistryError::Damaged { at: commit.end });
        }
        Ok(Self {
            file,
            id,
            cipher: Aes256Gcm::new(&keys.registry.into()),
            randomness,
            commit: Mutex::new(commit),
            last: Mutex::new(None),
        })
    }

    /// Opens every block in order and shows each record; `None` from `visit` is damage.
    pub fn scan(
        &self,
        mut visit: impl FnMut(Place, &[u8]) -> Option<()>,
    ) -> Result<(), RegistryError> {
        let end = self.commit.lock().end;
        let mut at = BLOCKS_AT;
        while at < end {
            let (plain, next) = self.open_block(at, end)?;
            let damaged = || RegistryError::Damaged { at };
            let mut within = 0;
            while within < plain.len() {
                let record = record_at(&plain, within).ok_or_else(damaged)?;
                visit(Place::new(at, within), record).ok_or_else(damaged)?;
                within += 4 + record.len();
            }
            at = next;
        }
        Ok(())
    }

    /// One record.
    pub fn read(&self, place: Place) -> Result<Zeroizing<Vec<u8>>, RegistryError> {
        let at = place.offset();
        let cached = self
            .last
            .lock()
            .as_ref()
            .filter(|(last, _)| *last == at)
            .cloned();
        let block = if let Some((_, block)) = cached {
            block
        } else {
            let end = self.commit.lock().end;
            let block = Arc::new(self.open_block(at, end)?.0);
            *self.last.lock() = Some((at, block.clone()));
            block
        };
        let record = record_at(&block, place.within());
        Ok(Zeroizing::new(
            record.ok_or(RegistryError::Damaged { at })?.to_vec(),
        ))
    }

    /// Starts to append after the last commit.
    pub fn appender(&self) -> Appender<'_> {
        let commit = *self.commit.lock();
        Appender {
            file: self,
            commit,
            at: commit.end,
            plain: Zeroizing::new(Vec::with_capacity(BLOCK_BYTES_MAX)),
            sealed: Vec::new(),
        }
    }

    /// The plaintext of the block at an offset, and where the next one starts.
    fn open_block(&self, at: u64, end: u64) -> Result<(Zeroizing<Vec<u8>>, u64), RegistryError> {
        let damaged = || RegistryError::Damaged { at };
        let mut frame = [0; FRAME_BYTES];
        self.file
            .read_exact_at(&mut frame, at)
            .map_err(RegistryError::io("reading"))?;
        let (length, nonce) = frame.split_first_chunk::<4>().ok_or_else(damaged)?;
        let nonce = nonce.first_chunk::<12>().ok_or_else(damaged)?;
        let length = u32::from_le_bytes(*length) as usize;
        let next = at + (FRAME_BYTES + length) as u64;
        if length > BLOCK_BYTES_MAX || next > end {
            return Err(damaged());
        }
        let mut sealed = vec![0; length];
        let body = at + FRAME_BYTES as u64;
        self.file
            .read_exact_at(&mut sealed, body)
            .map_err(RegistryError::io("reading"))?;
        let payload = Payload {
            msg: &sealed,
            aad: &self.associated_data(at),
        };
        let plain = self
            .cipher
            .decrypt(&Nonce::from(*nonce), payload)
            .map_err(|_| damaged())?;
        Ok((Zeroizing::new(plain), next))
    }

    fn associated_data(&self, at: u64) -> Vec<u8> {
        let mut data = AAD_PREFIX.to_vec();
        data.extend(self.id);
        data.extend(at.to_le_bytes());
        data
    }
}

/// Appends records; nothing counts before [`Appender::commit`].
pub(super) struct Appender<'a> {
    file: &'a SealedFile,
    commit: Commit,
    /// Where the block that is being filled will stand.
    at: u64,
    plain: Zeroizing<Vec<u8>>,
    /// Sealed blocks not written yet; they end at `at`.
    sealed: Vec<u8>,
}

impl Appender<'_> {
    /// Takes a record and says where it will stand.
    pub fn push(&mut self, record: &[u8]) -> Result<Place, RegistryError> {
        if record.len() > RECORD_BYTES_MAX {
            return Err(RegistryError::Unusable("a record is too long"));
        }
        if self.plain.len() >= BLOCK_BYTES {
            self.close_block()?;
        }
        let place = Place::new(self.at, self.plain.len());
        self.plain.extend((record.len() as u32).to_le_bytes());
        self.plain.extend(record);
        Ok(place)
    }

    /// Makes everything pushed safe and lets it count.
    pub fn commit(mut self, new_records: u64) -> Result<(), RegistryError> {
        let io = RegistryError::io;
        if !self.plain.is_empty() {
            self.close_block()?;
        }
        if self.at == self.commit.end {
            return Ok(());
        }
        self.write()?;
        self.file.file.sync_all().map_err(io("syncing"))?;
        let next = Commit {
            sequence: self.commit.sequence + 1,
            end: self.at,
            records: self.commit.records + new_records,
        };
        let at = SECTOR as u64 * (1 + next.sequence % 2);
        self.file
            .file
            .write_all_at(&commit_bytes(next), at)
            .map_err(io("writing"))?;
        self.file.file.sync_data().map_err(io("syncing"))?;
        *self.file.commit.lock() = next;
        Ok(())
    }

    fn close_block(&mut self) -> Result<(), RegistryError> {
        let mut nonce = [0; 12];
        self.file.randomness.fill(&mut nonce);
        let payload = Payload {
            msg: &self.plain,
            aad: &self.file.associated_data(self.at),
        };
        let sealed = self
            .file
            .cipher
            .encrypt(&Nonce::from(nonce), payload)
            .map_err(|_| RegistryError::Unusable("a block cannot be sealed"))?;
        self.sealed.extend((sealed.len() as u32).to_le_bytes());
        self.sealed.extend(nonce);
        self.sealed.extend(&sealed);
        self.at += (FRAME_BYTES + sealed.len()) as u64;
        self.plain.clear();
        if self.sealed.len() >= WRITE_BYTES {
            self.write()
        } else {
            Ok(())
        }
    }

    fn write(&mut self) -> Result<(), RegistryError> {
        let start = self.at - self.sealed.len() as u64;
        let written = self.file.file.write_all_at(&self.sealed, start);
        written.map_err(RegistryError::io("writing"))?;
        self.sealed.clear();
        Ok(())
    }
}

fn record_at(plain: &[u8], within: usize) -> Option<&[u8]> {
    let (length, rest) = plain.get(within..)?.split_first_chunk::<4>()?;
    rest.get(..u32::from_le_bytes(*length) as usize)
}

fn create(
    directory: &Path,
    path: &Path,
    keys: &Keys,
    randomness: &dyn Randomness,
) -> Result<(), RegistryError> {
    let io = RegistryError::io;
    let mut id = [0; 16];
    randomness.fill(&mut id);
    let mut header = MAGIC.to_vec();
    header.extend(VERSION.to_le_bytes());
    header.extend([0; 6]);
    header.extend(id);
    header.extend(keys.check());
    let header = closed(header);
    let aside = path.with_extension("sealed.new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&aside).map_err(io("creating"))?;
    file.set_len(BLOCKS_AT).map_err(io("extending"))?;
    file.write_all_at(&header, 0).map_err(io("writing"))?;
    let empty = Commit {
        sequence: 0,
        end: BLOCKS_AT,
        records: 0,
    };
    file.write_all_at(&commit_bytes(empty), SECTOR as u64)
        .map_err(io("writing"))?;
    file.sync_all().map_err(io("syncing"))?;
    std::fs::rename(&aside, path).map_err(io("creating"))?;
    File::open(directory)
        .and_then(|d| d.sync_all())
        .map_err(io("syncing the directory of"))
}

fn open_header(sector: &[u8], check: [u8; 16]) -> Result<[u8; 16], RegistryError> {
    let cut = RegistryError::Unusable("its header is cut off");
    let rest = sector
        .strip_prefix(MAGIC)
        .ok_or(RegistryError::Unusable("it is not a registry file"))?;
    let (version, rest) = rest.split_first_chunk::<2>().ok_or_else(|| cut.clone())?;
    if u16::from_le_bytes(*version) > VERSION {
        return Err(RegistryError::Unusable("a newer program made it"));
    }
    opened(sector, 56).ok_or(RegistryError::Damaged { at: 0 })?;
    let (_, rest) = rest.split_first_chunk::<6>().ok_or_else(|| cut.clone())?;
    let (id, rest) = rest.split_first_chunk::<16>().ok_or_else(|| cut.clone())?;
    let found = rest.first_chunk::<16>().ok_or(cut)?;
    if *found == check {
        Ok(*id)
    } else {
        Err(RegistryError::WrongKey)
    }
}

/// The newer of the two. One that was never written is zero; one that is neither zero nor valid is
/// damage, for a commit is shorter than what a disk writes at once: to fall back on the older one
/// would drop people without a word.
fn newest_commit(sectors: &[u8]) -> Result<Commit, RegistryError> {
    let mut newest: Option<Commit> = None;
    for (at, sector) in (SECTOR as u64..)
        .step_by(SECTOR)
        .zip(sectors.chunks_exact(SECTOR))
    {
        match open_commit(sector) {
            Some(commit) if newest.is_none_or(|newest| newest.sequence < commit.sequence) => {
                newest = Some(commit);
            }
            Some(_) => {}
            None if sector.iter().all(|byte| *byte == 0) => {}
            None => return Err(RegistryError::Damaged { at }),
        }
    }
    newest.ok_or(RegistryError::Damaged { at: SECTOR as u64 })
}

fn commit_bytes(commit: Commit) -> Vec<u8> {
    let mut bytes = commit.sequence.to_le_bytes().to_vec();
    bytes.extend(commit.end.to_le_bytes());
    bytes.extend(commit.records.to_le_bytes());
    closed(bytes)
}

fn open_commit(sector: &[u8]) -> Option<Commit> {
    let (sequence, rest) = opened(sector, 24)?.split_first_chunk::<8>()?;
    let (end, rest) = rest.split_first_chunk::<8>()?;
    Some(Commit {
        sequence: u64::from_le_bytes(*sequence),
        end: u64::from_le_bytes(*end),
        records: u64::from_le_bytes(*rest.first_chunk()?),
    })
}

fn closed(mut bytes: Vec<u8>) -> Vec<u8> {
    let checksum = checksum(&bytes);
    bytes.extend(checksum);
    bytes.resize(SECTOR, 0);
    bytes
}

/// The first `length` bytes of a sector, if the checksum after them is right.
fn opened(sector: &[u8], length: usize) -> Option<&[u8]> {
    let (bytes, rest) = sector.split_at_checked(length)?;
    (checksum(bytes) == *rest.first_chunk::<8>()?).then_some(bytes)
}

fn checksum(bytes: &[u8]) -> [u8; 8] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(CHECKSUM_PREFIX);
    hasher.update(bytes);
    let mut checksum = [0; 8];
    hasher.finalize_xof().fill(&mut checksum);
    checksum
}
