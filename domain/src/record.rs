//! A record: signed envelope, signature, sealed parts. The bytes that are stored, exported and
//! verified, drawn in FORMAT.md:
//!
//! ```text
//! u32 n | envelope: n bytes | signature: 64 | u8 parts | parts × ( u32 m | m bytes )
//! envelope  = "idledger-event/v1\0" ‖ fixed-int encoding of `Envelope`
//! part      = nonce (12) ‖ AES-256-GCM ciphertext and tag, or nothing at all (m = 0): redacted
//! ```
//!
//! The signature covers the envelope and nothing else, so a copy whose sealed parts were taken out
//! still verifies (INV-4). All hashes are over stored bytes (INV-1).

use crate::bytes::{self, BytesError};
use crate::envelope::{ENVELOPE_BYTES_MAX, EVENT_PREFIX, Envelope};
use crate::event::Event;
use crate::ids::{Digest, PublicKey, Signature};
use crate::upcast;
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};

/// Most sealed parts of one event.
pub const PARTS_MAX: usize = 8;
/// Largest sealed part, in bytes, nonce and tag included.
pub const PART_BYTES_MAX: usize = 16 * 1024;
/// Largest record, in bytes.
pub const RECORD_BYTES_MAX: usize =
    4 + ENVELOPE_BYTES_MAX + 64 + 1 + PARTS_MAX * (4 + PART_BYTES_MAX);

const LINK_PREFIX: &[u8] = b"idledger-link/v1\0";
const SEALED_PREFIX: &[u8] = b"idledger-sealed/v1\0";

/// Why bytes are not a record, or a record is not what it claims.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Shorter than its own lengths say, or longer.
    #[error("the record's lengths do not add up at byte {at}")]
    Framing {
        /// Offset in the record.
        at: usize,
    },
    /// Does not start with the event prefix.
    #[error("not an event envelope: wrong prefix")]
    Prefix,
    /// The envelope or the facts are not canonical.
    #[error(transparent)]
    Bytes(#[from] BytesError),
    /// A kind or schema version this program does not know. Never skipped.
    #[error("event kind {kind} version {schema} is unknown to this program")]
    UnknownKind {
        /// Kind.
        kind: u16,
        /// Version.
        schema: u16,
    },
    /// The ledger's signature does not verify.
    #[error("the ledger's signature does not verify")]
    Signature,
    /// The key is malformed or of small order.
    #[error("the public key is weak or malformed")]
    WeakKey,
    /// Not as many sealed parts as commitments.
    #[error("{parts} sealed parts for {commitments} commitments")]
    PartCount {
        /// Parts.
        parts: usize,
        /// Commitments.
        commitments: usize,
    },
    /// A sealed part is not the one committed to.
    #[error("sealed part {part} is not the one the envelope commits to")]
    Commitment {
        /// Which, from 0.
        part: usize,
    },
    /// Over a limit.
    #[error("{what} is over its limit")]
    Limit {
        /// What.
        what: &'static str,
    },
}

/// A record's bytes taken apart, borrowed. Taking apart checks lengths only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordRef<'a> {
    /// The signed bytes.
    pub envelope: &'a [u8],
    /// The signature's 64 bytes.
    pub signature: &'a [u8; 64],
    parts: &'a [u8],
    count: usize,
}

impl<'a> RecordRef<'a> {
    /// Takes a record apart. Every byte must be accounted for.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let (length, rest) = take_length(bytes, 0)?;
        if length > ENVELOPE_BYTES_MAX {
            return Err(RecordError::Limit { what: "envelope" });
        }
        let (envelope, rest) = rest
            .split_at_checked(length)
            .ok_or(RecordError::Framing { at: 4 })?;
        let at = 4 + length;
        let (signature, rest) = rest
            .split_first_chunk::<64>()
            .ok_or(RecordError::Framing { at })?;
        let (&count, parts) = rest
            .split_first()
            .ok_or(RecordError::Framing { at: at + 64 })?;
        let count = usize::from(count);
        if count > PARTS_MAX {
            return Err(RecordError::Limit {
                what: "number of sealed parts",
            });
        }
        let record = Self {
            envelope,
            signature,
            parts,
            count,
        };
        let mut left = parts;
        for _ in 0..count {
            let at = bytes.len() - left.len();
            let (length, rest) = take_length(left, at)?;
            if length > PART_BYTES_MAX {
                return Err(RecordError::Limit {
                    what: "sealed part",
                });
            }
            left = rest.get(length..).ok_or(RecordError::Framing { at })?;
        }
        if left.is_empty() {
            Ok(record)
        } else {
            Err(RecordError::Framing {
                at: bytes.len() - left.len(),
            })
        }
    }

    /// The sealed parts in order; an empty one was redacted.
    pub fn parts(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut left = self.parts;
        (0..self.count).map_while(move |_| {
            let (length, rest) = take_length(left, 0).ok()?;
            let (part, rest) = rest.split_at_checked(length)?;
            left = rest;
            Some(part)
        })
    }

    /// Decodes the envelope, in canonical form only.
    pub fn open_envelope(&self) -> Result<Envelope, RecordError> {
        let body = self
            .envelope
            .strip_prefix(EVENT_PREFIX)
            .ok_or(RecordError::Prefix)?;
        Ok(bytes::decode(body)?)
    }

    /// BLAKE3 link that the next record of the stream carries: over envelope and signature.
    pub fn link(&self) -> Digest {
        link(self.envelope, self.signature)
    }

    /// Strict Ed25519 verification of the stored envelope bytes.
    pub fn verify_signature(&self, key: &VerifyingKey) -> Result<(), RecordError> {
        key.verify_strict(
            self.envelope,
            &ed25519_dalek::Signature::from_bytes(self.signature),
        )
        .map_err(|_| RecordError::Signature)
    }

    /// Checks the sealed parts that are there against the envelope's commitments.
    pub fn verify_parts(&self, envelope: &Envelope) -> Result<(), RecordError> {
        if self.count != envelope.sealed.len() {
            return Err(RecordError::PartCount {
                parts: self.count,
                commitments: envelope.sealed.len(),
            });
        }
        for (part, (bytes, commitment)) in self.parts().zip(&envelope.sealed).enumerate() {
            if !bytes.is_empty() && commit(bytes) != commitment.digest {
                return Err(RecordError::Commitment { part });
            }
        }
        Ok(())
    }

    /// The same record without its sealed parts.
    pub fn redacted(&self) -> Vec<u8> {
        assemble(self.envelope, self.signature, &vec![Vec::new(); self.count])
    }
}

/// Decodes the facts of an envelope, upcasting retired versions.
pub fn open_event(envelope: &Envelope) -> Result<Event, RecordError> {
    upcast::decode(envelope.kind, envelope.schema, &envelope.facts)
}

/// BLAKE3 of a sealed part (nonce and ciphertext), as the envelope commits to it.
pub fn commit(part: &[u8]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(SEALED_PREFIX);
    hasher.update(part);
    Digest(*hasher.finalize().as_bytes())
}

/// BLAKE3 link over an envelope and its signature.
pub fn link(envelope: &[u8], signature: &[u8; 64]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(LINK_PREFIX);
    hasher.update(envelope);
    hasher.update(signature);
    Digest(*hasher.finalize().as_bytes())
}

/// The bytes an envelope is signed as.
pub fn envelope_bytes(envelope: &Envelope) -> Result<Vec<u8>, RecordError> {
    let mut signed = EVENT_PREFIX.to_vec();
    signed.extend(bytes::encode(envelope)?);
    if signed.len() > ENVELOPE_BYTES_MAX {
        return Err(RecordError::Limit { what: "envelope" });
    }
    Ok(signed)
}

/// A signed record, and what the next one of its stream links to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The record's bytes.
    pub record: Vec<u8>,
    /// Its link.
    pub link: Digest,
}

/// Encodes and signs an envelope and puts the record together.
pub fn sign(
    envelope: &Envelope,
    parts: &[Vec<u8>],
    key: &SigningKey,
) -> Result<Signed, RecordError> {
    if parts.len() != envelope.sealed.len() {
        return Err(RecordError::PartCount {
            parts: parts.len(),
            commitments: envelope.sealed.len(),
        });
    }
    if parts.len() > PARTS_MAX || parts.iter().any(|part| part.len() > PART_BYTES_MAX) {
        return Err(RecordError::Limit {
            what: "sealed parts",
        });
    }
    let signed = envelope_bytes(envelope)?;
    let signature = key.sign(&signed).to_bytes();
    Ok(Signed {
        link: link(&signed, &signature),
        record: assemble(&signed, &signature, parts),
    })
}

/// A public key fit to verify with: well formed and not weak.
pub fn verifying_key(key: &PublicKey) -> Result<VerifyingKey, RecordError> {
    let key = VerifyingKey::from_bytes(&key.0).map_err(|_| RecordError::WeakKey)?;
    if key.is_weak() {
        Err(RecordError::WeakKey)
    } else {
        Ok(key)
    }
}

/// Strict verification of any other signature of the format.
pub fn verify(key: &PublicKey, message: &[u8], signature: &Signature) -> Result<(), RecordError> {
    verifying_key(key)?
        .verify_strict(message, &ed25519_dalek::Signature::from_bytes(&signature.0))
        .map_err(|_| RecordError::Signature)
}

fn assemble(envelope: &[u8], signature: &[u8; 64], parts: &[Vec<u8>]) -> Vec<u8> {
    let sealed: usize = parts.iter().map(|part| 4 + part.len()).sum();
    let mut record = Vec::with_capacity(4 + envelope.len() + 64 + 1 + sealed);
    record.extend((envelope.len() as u32).to_le_bytes());
    record.extend(envelope);
    record.extend(signature);
    record.push(parts.len() as u8);
    for part in parts {
        record.extend((part.len() as u32).to_le_bytes());
        record.extend(part);
    }
    record
}

fn take_length(bytes: &[u8], at: usize) -> Result<(usize, &[u8]), RecordError> {
    let (length, rest) = bytes
        .split_first_chunk::<4>()
        .ok_or(RecordError::Framing { at })?;
    Ok((u32::from_le_bytes(*length) as usize, rest))
}
