//! The keys that make erasure possible: one random data key for each subject and retention class,
//! wrapped under a key derived from the key-encryption key (INV-4).
//!
//! Owns `vault/keys.slots`. A subject's keys of all classes are made together, in one slot, the
//! first time any of them is needed, and are safe on disk before [`Vault::ensure_keys`] returns, so
//! that no event is ever sealed under a key that a crash takes away. Destroying a key overwrites
//! its wrapped bytes in place and leaves a tombstone; it is never made again. Afterwards the key's
//! bytes, wrapped or not, are nowhere in the directory. (A copy-on-write file system or a disk that
//! moves sectors may keep old blocks below the file; they hold the key wrapped, never plain. Put
//! the key-encryption key elsewhere.) Never knows what the keys are used for.
//!
//! The slots lie in a file of this directory ([`slots`]) or, for several servers, in a database they
//! share ([`shared`]). Keys that somebody else may destroy are not kept in memory.
//!
//! A slot's payload, 220 bytes: 3 × wrapped key (nonce 12, ciphertext 32, tag 16; zero when
//! destroyed), in the order of [`RetentionClass::ALL`], then 3 × state (1 live, 2 destroyed), then
//! zero. Wrapped by AES-256-GCM with the associated data `"idledger-data-key/v1\0"`, subject 16,
//! class u8, slot generation u32.

mod commit;
mod error;
mod layout;
pub(crate) mod port;
pub mod shared;
pub(crate) mod slots;

pub use error::VaultError;

use crate::disk::Disk;
use crate::secrets::Keys;
use crate::wiring::Randomness;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use domain::seal::DataKey;
use domain::vocabulary::RetentionClass;
use futures_util::future::join_all;
pub(crate) use layout::Layout;
use parking_lot::Mutex;
use port::{Found, Inserted, Slots};
use shared::SharedVault;
use slots::SlotFile;
use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Whose keys: the bytes of an account's or a principal's id.
pub type Subject = [u8; 16];

/// Subjects whose keys are kept unwrapped in memory.
const CACHE_SUBJECTS: usize = 4096;

const LAYOUT: Layout = Layout {
    file: "keys.slots",
    kind: 1,
    slot_bytes: 256,
};
const AAD_PREFIX: &[u8] = b"idledger-data-key/v1\0";
const CLASSES: usize = RetentionClass::ALL.len();
/// Nonce, key and tag.
const WRAPPED_BYTES: usize = 60;
const LIVE: u8 = 1;
const DESTROYED: u8 = 2;

/// What the vault knows of a key.
#[derive(Debug, Clone)]
pub enum KeyState {
    /// Here it is.
    Live(DataKey),
    /// It was destroyed: what it sealed can never be read again.
    Destroyed,
    /// There never was one.
    Unknown,
}

/// The keys that were asked for.
#[derive(Debug, Default)]
pub struct DataKeys(Vec<(Subject, RetentionClass, DataKey)>);

impl DataKeys {
    /// The key of a subject and class, if it was asked for.
    pub fn get(&self, subject: &Subject, class: RetentionClass) -> Option<&DataKey> {
        self.0
            .iter()
            .find(|(s, c, _)| s == subject && *c == class)
            .map(|(_, _, key)| key)
    }
}

/// A subject's keys by class; `None`: destroyed.
type Classes = [Option<DataKey>; CLASSES];

/// The vault of data keys.
pub struct Vault {
    slots: Box<dyn Slots>,
    wrapping: Aes256Gcm,
    randomness: Arc<dyn Randomness>,
    cache: Mutex<Cache>,
}

impl Vault {
    /// Opens the vault in a directory, or makes both. The ledger's lock must be held.
    pub fn open(
        disk: &dyn Disk,
        directory: &Path,
        keys: &Keys,
        randomness: Arc<dyn Randomness>,
    ) -> Result<Self, VaultError> {
        create_directory(disk, directory, LAYOUT.file)?;
        let slots = SlotFile::open(disk, directory, LAYOUT, keys.check())?;
        Ok(Self::over(Box::new(slots), keys, randomness))
    }

    /// Opens the vault that several servers share.
    pub async fn open_shared(
        place: &SharedVault,
        keys: &Keys,
        randomness: Arc<dyn Randomness>,
    ) -> Result<Self, VaultError> {
        let slots = place.slots(LAYOUT, keys.check()).await?;
        Ok(Self::over(Box::new(slots), keys, randomness))
    }

    fn over(slots: Box<dyn Slots>, keys: &Keys, randomness: Arc<dyn Randomness>) -> Self {
        Self {
            slots,
            wrapping: Aes256Gcm::new(&keys.wrapping.into()),
            randomness,
            cache: Mutex::new(Cache::default()),
        }
    }

    /// Number of subjects that have, or had, keys.
    pub async fn subjects(&self) -> Result<u64, VaultError> {
        self.slots.count().await
    }

    /// The keys asked for; those of subjects not seen before are made. They are safe when this
    /// returns. A destroyed key is an error: it is not made again.
    pub async fn ensure_keys(
        &self,
        wanted: &[(Subject, RetentionClass)],
    ) -> Result<DataKeys, VaultError> {
        let mut subjects: HashMap<Subject, Option<Classes>> = HashMap::new();
        let mut pending = Vec::new();
        let changes = self.cache.lock().changes;
        for (subject, _) in wanted {
            if subjects.contains_key(subject) {
                continue;
            }
            let known = self.classes(subject).await?;
            if known.is_none() {
                let (classes, payload) = self.new_keys(subject)?;
                let write = self.slots.insert(*subject, payload);
                pending.push(async move { (*subject, classes, write.await) });
            }
            subjects.insert(*subject, known);
        }
        for (subject, classes, written) in join_all(pending).await {
            let classes = match written? {
                Inserted::New => {
                    self.keep(subject, &classes, changes);
                    Some(classes)
                }
                Inserted::Existing => self.classes(&subject).await?,
            };
            subjects.insert(subject, classes);
        }
        let mut keys = DataKeys::default();
        for (subject, class) in wanted {
            let classes = subjects.get(subject).and_then(Option::as_ref);
            let key = classes.and_then(|classes| classes.get(*class as usize)?.clone());
            keys.0
                .push((*subject, *class, key.ok_or(VaultError::Destroyed)?));
        }
        Ok(keys)
    }

    /// A key, if there is one.
    pub async fn key(
        &self,
        subject: &Subject,
        class: RetentionClass,
    ) -> Result<KeyState, VaultError> {
        Ok(match self.classes(subject).await? {
            None => KeyState::Unknown,
            Some(classes) => match classes.get(class as usize).and_then(Option::as_ref) {
                Some(key) => KeyState::Live(key.clone()),
                None => KeyState::Destroyed,
            },
        })
    }

    /// Destroys a key for ever. `false`: there was none to destroy, now or ever. The subject's
    /// other keys stay.
    pub async fn destroy(
        &self,
        subject: &Subject,
        class: RetentionClass,
    ) -> Result<bool, VaultError> {
        loop {
            let Some(found) = self.slots.read(*subject).await? else {
                return Ok(false);
            };
            let mut classes = self.unwrap(subject, &found)?;
            match classes.get_mut(class as usize) {
                Some(key) if key.is_some() => *key = None,
                _ => return Ok(true),
            }
            let payload = self.wrap(subject, found.generation.wrapping_add(1), &classes)?;
            let written = self
                .slots
                .overwrite(*subject, found.generation, payload)
                .await;
            self.cache.lock().forget(subject);
            match written {
                Err(VaultError::Contended) => {}
                Err(error) => return Err(error),
                Ok(()) => return Ok(true),
            }
        }
    }

    async fn classes(&self, subject: &Subject) -> Result<Option<Classes>, VaultError> {
        let changes = {
            let cache = self.cache.lock();
            if let Some(classes) = cache.get(subject) {
                return Ok(Some(classes));
            }
            cache.changes
        };
        let Some(found) = self.slots.read(*subject).await? else {
            return Ok(None);
        };
        let classes = self.unwrap(subject, &found)?;
        self.keep(*subject, &classes, changes);
        Ok(Some(classes))
    }

    /// Remembers keys that nobody but this process can destroy.
    fn keep(&self, subject: Subject, classes: &Classes, read_at: u64) {
        if !self.slots.is_shared() {
            self.cache.lock().put(subject, classes, read_at);
        }
    }

    fn new_keys(&self, subject: &Subject) -> Result<(Classes, Zeroizing<Vec<u8>>), VaultError> {
        let classes = core::array::from_fn(|_| {
            let mut key = DataKey([0; 32]);
            self.randomness.fill(&mut key.0);
            Some(key)
        });
        let payload = self.wrap(subject, 1, &classes)?;
        Ok((classes, payload))
    }

    fn wrap(
        &self,
        subject: &Subject,
        generation: u32,
        classes: &Classes,
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let mut payload = Zeroizing::new(Vec::with_capacity(LAYOUT.payload_bytes()));
        for (class, key) in (0u8..).zip(classes) {
            let Some(key) = key else {
                payload.extend([0; WRAPPED_BYTES]);
                continue;
            };
            let mut nonce = [0; 12];
            self.randomness.fill(&mut nonce);
            let aad = associated_data(subject, class, generation);
            let wrapped = self
                .wrapping
                .encrypt(
                    &Nonce::from(nonce),
                    Payload {
                        msg: &key.0,
                        aad: &aad,
                    },
                )
                .map_err(|_| VaultError::Unusable {
                    file: LAYOUT.file,
                    reason: "a key cannot be wrapped",
                })?;
            payload.extend(nonce);
            payload.extend(wrapped);
        }
        payload.extend(
            classes
                .iter()
                .map(|key| if key.is_some() { LIVE } else { DESTROYED }),
        );
        Ok(payload)
    }

    fn unwrap(&self, subject: &Subject, found: &Found) -> Result<Classes, VaultError> {
        // The slot's checksum was right, so this is not an accident.
        let forged = VaultError::Unusable {
            file: LAYOUT.file,
            reason: "a slot is not authentic: its checksum is right and its keys do not unwrap",
        };
        let mut classes = [const { None }; CLASSES];
        let (wrapped, states) = found
            .payload
            .split_at_checked(CLASSES * WRAPPED_BYTES)
            .ok_or_else(|| forged.clone())?;
        let slots = wrapped.chunks_exact(WRAPPED_BYTES).zip(states);
        for (class, (key, (wrapped, state))) in (0u8..).zip(classes.iter_mut().zip(slots)) {
            match *state {
                DESTROYED => {}
                LIVE => {
                    let aad = associated_data(subject, class, found.generation);
                    *key = Some(
                        self.unwrap_one(wrapped, &aad)
                            .ok_or_else(|| forged.clone())?,
                    );
                }
                _ => return Err(forged),
            }
        }
        Ok(classes)
    }

    fn unwrap_one(&self, wrapped: &[u8], aad: &[u8]) -> Option<DataKey> {
        let (nonce, sealed) = wrapped.split_first_chunk::<12>()?;
        let payload = Payload { msg: sealed, aad };
        let plain = Zeroizing::new(self.wrapping.decrypt(&Nonce::from(*nonce), payload).ok()?);
        Some(DataKey(*plain.first_chunk::<32>()?))
    }
}

fn associated_data(subject: &Subject, class: u8, generation: u32) -> Vec<u8> {
    let mut data = AAD_PREFIX.to_vec();
    data.extend(subject);
    data.push(class);
    data.extend(generation.to_le_bytes());
    data
}

/// Makes the directory if it is not there, and its entry safe.
pub(crate) fn create_directory(
    disk: &dyn Disk,
    directory: &Path,
    file: &'static str,
) -> Result<(), VaultError> {
    disk.create_dir(directory)
        .map_err(VaultError::io(file, "making the directory of"))?;
    let parent = directory.parent().unwrap_or(directory);
    disk.sync_dir(parent)
        .map_err(VaultError::io(file, "syncing the directory of"))
}

/// Unwrapped keys of the subjects last asked for, the oldest dropped (and erased) first.
#[derive(Default)]
struct Cache {
    subjects: HashMap<Subject, Classes>,
    order: VecDeque<Subject>,
    /// Destructions so far: what was read before one may be out of date after it.
    changes: u64,
}

impl Cache {
    fn get(&self, subject: &Subject) -> Option<Classes> {
        self.subjects.get(subject).cloned()
    }

    /// Keeps keys, unless a key was destroyed since they were read.
    fn put(&mut self, subject: Subject, classes: &Classes, read_at: u64) {
        if read_at != self.changes {
            return;
        }
        if self.subjects.insert(subject, classes.clone()).is_none() {
            self.order.push_back(subject);
        }
        while self.order.len() > CACHE_SUBJECTS {
            if let Some(oldest) = self.order.pop_front() {
                self.subjects.remove(&oldest);
            }
        }
    }

    fn forget(&mut self, subject: &Subject) {
        self.changes += 1;
        if self.subjects.remove(subject).is_some() {
            self.order.retain(|kept| kept != subject);
        }
    }
}

#[cfg(test)]
mod tests;
