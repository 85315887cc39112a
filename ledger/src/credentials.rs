//! What citizens prove themselves with: verifiers of passwords, passcodes and answers, one-time
//! codes and session tokens.
//!
//! Owns `vault/credentials.slots`. A verifier is an Argon2id hash, sealed under a key derived from
//! the key-encryption key (so that a copied file cannot be tried against a dictionary), found by a
//! random id that the event holds. It is safe on disk before [`Credentials::set`] returns, so that
//! no event names a verifier that a crash takes away; deleting one overwrites it. Never says whether
//! a verifier was unknown or a secret wrong, not even by the time it takes.
//!
//! A slot's payload, 92 bytes: nonce 12, then AES-256-GCM of `kind u8 | memory KiB u32 | passes u32
//! | lanes u32 | salt 16 | hash 32` with tag 16, then zero; all zero when deleted. Associated data:
//! `"idledger-credential/v1\0"`, id 16, slot generation u32.

mod otp;
mod rules;
mod tokens;

pub use otp::{CODE_DIGITS, OneTimeCodes};
pub use rules::{
    ANSWER_CHARS_MAX, About, NotAllowed, PASSCODE_DIGITS, PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN,
    answer_form, passcode_allowed, password_allowed, password_form,
};
pub use tokens::{Session, SessionTokens, TokenError};

use crate::disk::Disk;
use crate::secrets::Keys;
use crate::vault::port::{Found, Inserted, Slots};
use crate::vault::shared::SharedVault;
use crate::vault::slots::SlotFile;
use crate::vault::{Layout, VaultError, create_directory};
use crate::wiring::Randomness;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use argon2::{Algorithm, Argon2, Params, Version};
use domain::ids::VerifierId;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

pub(crate) const LAYOUT: Layout = Layout {
    file: "credentials.slots",
    kind: 2,
    slot_bytes: 128,
};
const AAD_PREFIX: &[u8] = b"idledger-credential/v1\0";
/// Below this many KiB × passes a hash takes less time than handing it to another thread.
const INLINE_WORK_MAX: u32 = 64;

/// What a verifier is of. A secret of one kind never verifies as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// The account's password.
    Password = 1,
    /// The six-digit passcode.
    Passcode = 2,
    /// The answers to the security questions, in the questions' order.
    Answers = 3,
}

/// How much work a hash is (Argon2id, RFC 9106).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB, at least 8 × lanes.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for Cost {
    /// OWASP's minimum of 2024: 19 MiB, two passes, one lane; 20–30 ms of one core.
    fn default() -> Self {
        Self {
            memory_kib: 19 * 1024,
            passes: 2,
            lanes: 1,
        }
    }
}

impl Cost {
    /// The least Argon2id allows: a simulated city makes 600,000 verifiers. Protects nobody's
    /// password; for synthetic people only.
    pub const fn minimum_for_simulation() -> Self {
        Self {
            memory_kib: 8,
            passes: 1,
            lanes: 1,
        }
    }

    const fn is_cheap(self) -> bool {
        self.memory_kib.saturating_mul(self.passes) <= INLINE_WORK_MAX
    }
}

/// How many hashes may run and wait at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concurrency {
    /// Running: each takes a core and [`Cost::memory_kib`].
    pub running: usize,
    /// Waiting; whoever comes after them is told to come back.
    pub waiting: usize,
}

impl Default for Concurrency {
    /// Two run, 32 wait: under a second at the default cost.
    fn default() -> Self {
        Self {
            running: 2,
            waiting: 32,
        }
    }
}

/// Why a credential cannot be set or checked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// The file.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Too many at once.
    #[error("too many credentials are being checked at once")]
    Busy,
    /// Not of a form that can be hashed; `password_allowed` and its like say so beforehand.
    #[error("the credential's form is wrong")]
    Form,
    /// The id has a verifier; a new verifier needs a new id.
    #[error("there is a verifier of this id already")]
    Exists,
    /// The configured cost is out of Argon2's range.
    #[error("the configured cost of hashing is out of range")]
    Cost,
}

/// The store of verifiers.
pub struct Credentials {
    slots: Box<dyn Slots>,
    sealing: Aes256Gcm,
    randomness: Arc<dyn Randomness>,
    cost: Cost,
    limits: Concurrency,
    running: Arc<Semaphore>,
    /// Hashes that run or wait.
    under_way: AtomicUsize,
}

/// What a slot holds.
struct Verifier {
    kind: u8,
    cost: Cost,
    salt: [u8; 16],
    hash: Zeroizing<[u8; 32]>,
}

impl Credentials {
    /// Opens the store in the vault's directory, or makes it. The ledger's lock must be held.
    pub fn open(
        disk: &dyn Disk,
        directory: &Path,
        keys: &Keys,
        randomness: Arc<dyn Randomness>,
        cost: Cost,
        limits: Concurrency,
    ) -> Result<Self, CredentialError> {
        create_directory(disk, directory, LAYOUT.file)?;
        let slots = SlotFile::open(disk, directory, LAYOUT, keys.check())?;
        Self::over(Box::new(slots), keys, randomness, cost, limits)
    }

    /// Opens the store that several servers share.
    pub async fn open_shared(
        place: &SharedVault,
        keys: &Keys,
        randomness: Arc<dyn Randomness>,
        cost: Cost,
        limits: Concurrency,
    ) -> Result<Self, CredentialError> {
        let slots = place.slots(LAYOUT, keys.check()).await?;
        Self::over(Box::new(slots), keys, randomness, cost, limits)
    }

    fn over(
        slots: Box<dyn Slots>,
        keys: &Keys,
        randomness: Arc<dyn Randomness>,
        cost: Cost,
        limits: Concurrency,
    ) -> Result<Self, CredentialError> {
        argon2(cost)?;
        Ok(Self {
            slots,
            sealing: Aes256Gcm::new(&keys.credentials.into()),
            randomness,
            cost,
            limits,
            running: Arc::new(Semaphore::new(limits.running.max(1))),
            under_way: AtomicUsize::new(0),
        })
    }

    /// Number of verifiers, deleted ones included.
    pub async fn count(&self) -> Result<u64, CredentialError> {
        Ok(self.slots.count().await?)
    }

    /// Keeps a verifier of a password or passcode. Safe when this returns.
    pub async fn set(
        &self,
        id: VerifierId,
        kind: Kind,
        secret: &str,
    ) -> Result<(), CredentialError> {
        self.keep(id, kind, one(kind, secret)?).await
    }

    /// Keeps one verifier of all answers. Safe when this returns.
    pub async fn set_answers<S: AsRef<str> + Sync>(
        &self,
        id: VerifierId,
        answers: &[S],
    ) -> Result<(), CredentialError> {
        self.keep(id, Kind::Answers, many(answers)?).await
    }

    /// Whether a password or passcode is the one that was set.
    pub async fn verify(
        &self,
        id: VerifierId,
        kind: Kind,
        secret: &str,
    ) -> Result<bool, CredentialError> {
        match one(kind, secret) {
            Ok(secret) => self.compare(id, kind, secret).await,
            Err(_) => Ok(false),
        }
    }

    /// Whether all answers are the ones that were set, in their order.
    pub async fn verify_answers<S: AsRef<str> + Sync>(
        &self,
        id: VerifierId,
        answers: &[S],
    ) -> Result<bool, CredentialError> {
        match many(answers) {
            Ok(secret) => self.compare(id, Kind::Answers, secret).await,
            Err(_) => Ok(false),
        }
    }

    /// Deletes a verifier: its bytes are gone from the file when this returns. Deleting what is not
    /// there is no error.
    pub async fn delete(&self, id: VerifierId) -> Result<(), CredentialError> {
        loop {
            let Some(found) = self.slots.read(id.0).await? else {
                return Ok(());
            };
            if found.payload.iter().all(|byte| *byte == 0) {
                return Ok(());
            }
            match self
                .slots
                .overwrite(id.0, found.generation, Zeroizing::default())
                .await
            {
                Err(VaultError::Contended) => {}
                outcome => return Ok(outcome?),
            }
        }
    }

    async fn keep(
        &self,
        id: VerifierId,
        kind: Kind,
        secret: Zeroizing<Vec<u8>>,
    ) -> Result<(), CredentialError> {
        let mut salt = [0; 16];
        self.randomness.fill(&mut salt);
        let hash = self.hash(self.cost, salt, secret).await?;
        let verifier = Verifier {
            kind: kind as u8,
            cost: self.cost,
            salt,
            hash,
        };
        let payload = self.seal(id, &verifier)?;
        match self.slots.insert(id.0, payload).await? {
            Inserted::New => Ok(()),
            Inserted::Existing => Err(CredentialError::Exists),
        }
    }

    async fn compare(
        &self,
        id: VerifierId,
        kind: Kind,
        secret: Zeroizing<Vec<u8>>,
    ) -> Result<bool, CredentialError> {
        let verifier = match self.slots.read(id.0).await? {
            Some(found) => self.open_slot(id, &found)?,
            None => None,
        };
        // An unknown one costs the same: nobody learns by the clock which accounts have one.
        let (cost, salt) = verifier
            .as_ref()
            .map_or((self.cost, [0; 16]), |v| (v.cost, v.salt));
        let hash = self.hash(cost, salt, secret).await?;
        Ok(verifier.is_some_and(|verifier| {
            (verifier.hash.ct_eq(hash.as_slice()) & verifier.kind.ct_eq(&(kind as u8))).into()
        }))
    }

    /// Runs Argon2id off the async threads, at most so many at once.
    async fn hash(
        &self,
        cost: Cost,
        salt: [u8; 16],
        secret: Zeroizing<Vec<u8>>,
    ) -> Result<Zeroizing<[u8; 32]>, CredentialError> {
        if cost.is_cheap() {
            return run(cost, &salt, &secret);
        }
        let _place = Place::take(&self.under_way, self.limits).ok_or(CredentialError::Busy)?;
        let permit = self.running.clone().acquire_owned().await;
        let permit = permit.map_err(|_| CredentialError::Busy)?;
        let work = tokio::task::spawn_blocking(move || {
            // Held by the work itself: a caller who goes away does not make room before it ends.
            let _permit = permit;
            run(cost, &salt, &secret)
        });
        work.await.unwrap_or(Err(CredentialError::Busy))
    }

    fn seal(
        &self,
        id: VerifierId,
        verifier: &Verifier,
    ) -> Result<Zeroizing<Vec<u8>>, CredentialError> {
        let mut plain = Zeroizing::new(vec![verifier.kind]);
        plain.extend(verifier.cost.memory_kib.to_le_bytes());
        plain.extend(verifier.cost.passes.to_le_bytes());
        plain.extend(verifier.cost.lanes.to_le_bytes());
        plain.extend(verifier.salt);
        plain.extend(verifier.hash.as_slice());
        let mut nonce = [0; 12];
        self.randomness.fill(&mut nonce);
        let payload = Payload {
            msg: &plain,
            aad: &associated_data(id, 1),
        };
        let sealed = self.sealing.encrypt(&Nonce::from(nonce), payload);
        let mut slot = Zeroizing::new(nonce.to_vec());
        slot.extend(sealed.map_err(|_| forged())?);
        Ok(slot)
    }

    /// The verifier in a slot; `None`: deleted.
    fn open_slot(&self, id: VerifierId, found: &Found) -> Result<Option<Verifier>, VaultError> {
        if found.payload.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let aad = associated_data(id, found.generation);
        self.open_sealed(&found.payload, &aad)
            .map(Some)
            .ok_or_else(forged)
    }

    fn open_sealed(&self, payload: &[u8], aad: &[u8]) -> Option<Verifier> {
        let (nonce, rest) = payload.split_first_chunk::<12>()?;
        let sealed = rest.get(..77)?;
        let opened = self
            .sealing
            .decrypt(&Nonce::from(*nonce), Payload { msg: sealed, aad });
        let plain = Zeroizing::new(opened.ok()?);
        let (kind, rest) = plain.split_first()?;
        let (memory_kib, rest) = rest.split_first_chunk::<4>()?;
        let (passes, rest) = rest.split_first_chunk::<4>()?;
        let (lanes, rest) = rest.split_first_chunk::<4>()?;
        let (salt, rest) = rest.split_first_chunk::<16>()?;
        Some(Verifier {
            kind: *kind,
            cost: Cost {
                memory_kib: u32::from_le_bytes(*memory_kib),
                passes: u32::from_le_bytes(*passes),
                lanes: u32::from_le_bytes(*lanes),
            },
            salt: *salt,
            hash: Zeroizing::new(*rest.first_chunk::<32>()?),
        })
    }
}

/// One of the places of those who run or wait; given back when dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(under_way: &'a AtomicUsize, limits: Concurrency) -> Option<Self> {
        let before = under_way.fetch_add(1, Ordering::SeqCst);
        let place = Self(under_way);
        (before < limits.running.max(1) + limits.waiting).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn forged() -> VaultError {
    VaultError::Unusable {
        file: LAYOUT.file,
        reason: "a slot is not authentic",
    }
}

fn associated_data(id: VerifierId, generation: u32) -> Vec<u8> {
    let mut data = AAD_PREFIX.to_vec();
    data.extend(id.0);
    data.extend(generation.to_le_bytes());
    data
}

fn argon2(cost: Cost) -> Result<Argon2<'static>, CredentialError> {
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32))
        .map_err(|_| CredentialError::Cost)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn run(cost: Cost, salt: &[u8], secret: &[u8]) -> Result<Zeroizing<[u8; 32]>, CredentialError> {
    let mut hash = Zeroizing::new([0; 32]);
    let hashed = argon2(cost)?.hash_password_into(secret, salt, hash.as_mut_slice());
    hashed.map_err(|_| CredentialError::Cost)?;
    Ok(hash)
}

/// A password or passcode in the form that is hashed.
fn one(kind: Kind, secret: &str) -> Result<Zeroizing<Vec<u8>>, CredentialError> {
    let form = match kind {
        Kind::Password => password_form(secret),
        Kind::Passcode if secret.len() == PASSCODE_DIGITS => Ok(Zeroizing::new(secret.to_owned())),
        Kind::Passcode | Kind::Answers => Err(NotAllowed::Form),
    };
    let form = form.map_err(|_| CredentialError::Form)?;
    Ok(Zeroizing::new(form.as_bytes().to_vec()))
}

/// Answers in the form that is hashed: each with its length, so that no two lists are alike.
fn many<S: AsRef<str>>(answers: &[S]) -> Result<Zeroizing<Vec<u8>>, CredentialError> {
    let mut bytes = Zeroizing::new(Vec::new());
    for answer in answers {
        let form = answer_form(answer.as_ref()).map_err(|_| CredentialError::Form)?;
        bytes.extend((form.len() as u32).to_le_bytes());
        bytes.extend(form.as_bytes());
    }
    if answers.is_empty() {
        Err(CredentialError::Form)
    } else {
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests;
