//! Sealing personal data: AES-256-GCM under a key per subject and retention class (INV-4).
//!
//! A sealed part is `nonce (12) ‖ ciphertext ‖ tag (16)`. Associated data bind it to its event and
//! place: `"idledger-part/v1\0" ‖ event id (16) ‖ part index (1) ‖ subject (16) ‖ class (1)`.

use crate::bytes::{self, BytesError};
use crate::envelope::Commitment;
use crate::ids::EventId;
use crate::personal::Personal;
use crate::record::commit;
use crate::vocabulary::RetentionClass;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const AAD_PREFIX: &[u8] = b"idledger-part/v1\0";

/// A data key. Zeroed when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct DataKey(pub [u8; 32]);

impl core::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("DataKey(…)")
    }
}

/// Why a part cannot be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// Wrong key, wrong place or changed bytes.
    #[error("the sealed part does not open under this key")]
    Unreadable,
    /// The plaintext has no canonical form.
    #[error(transparent)]
    Bytes(#[from] BytesError),
}

/// Where a part stands: what its associated data say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartPlace {
    /// The event.
    pub event: EventId,
    /// Number of the part, from 0.
    pub index: u8,
    /// Whose key.
    pub subject: [u8; 16],
    /// Which of the subject's keys.
    pub class: RetentionClass,
}

impl PartPlace {
    fn associated_data(&self) -> Vec<u8> {
        let mut data = AAD_PREFIX.to_vec();
        data.extend(self.event.0);
        data.push(self.index);
        data.extend(self.subject);
        data.push(self.class as u8);
        data
    }
}

/// Seals one part; `nonce` must be fresh random bytes.
pub fn seal(
    personal: &Personal,
    place: PartPlace,
    key: &DataKey,
    nonce: [u8; 12],
) -> Result<(Vec<u8>, Commitment), SealError> {
    let plain = Zeroizing::new(bytes::encode(personal)?);
    let cipher = Aes256Gcm::new(&key.0.into());
    let payload = Payload {
        msg: &plain,
        aad: &place.associated_data(),
    };
    let sealed = cipher
        .encrypt(&Nonce::from(nonce), payload)
        .map_err(|_| SealError::Unreadable)?;
    let mut part = nonce.to_vec();
    part.extend(sealed);
    let commitment = Commitment {
        subject: place.subject,
        class: place.class,
        digest: commit(&part),
    };
    Ok((part, commitment))
}

/// Opens one part.
pub fn open(part: &[u8], place: PartPlace, key: &DataKey) -> Result<Personal, SealError> {
    let (nonce, sealed) = part
        .split_first_chunk::<12>()
        .ok_or(SealError::Unreadable)?;
    let cipher = Aes256Gcm::new(&key.0.into());
    let payload = Payload {
        msg: sealed,
        aad: &place.associated_data(),
    };
    let plain = Zeroizing::new(
        cipher
            .decrypt(&Nonce::from(*nonce), payload)
            .map_err(|_| SealError::Unreadable)?,
    );
    Ok(bytes::decode(&plain)?)
}
