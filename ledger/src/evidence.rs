//! The actor's own proof (INV-2), checked before it can be used.
//!
//! A [`Proven`] can only be made by verifying, so that nothing unverified is ever recorded as
//! evidence. Signatures are strict Ed25519 (RFC 8032); weak keys do not verify anything.

use crate::writer::LedgerError;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use domain::bytes;
use domain::command::Command;
use domain::envelope::{Envelope, Evidence, WordSource};
use domain::ids::{AccountId, CommandId, Digest, EventId, PublicKey, Signature};
use domain::personal::Personal;
use domain::record::{self, RecordError};
use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest as _, Sha256};
use wincode::{SchemaRead, SchemaWrite};

/// Starts what a caller outside HTTP signs.
pub const COMMAND_PREFIX: &[u8] = b"idledger-command/v1\0";

/// Evidence that verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    evidence: Evidence,
    body: Option<Vec<u8>>,
}

/// What a caller outside HTTP signs, in its canonical encoding.
#[derive(Clone, PartialEq, Eq, SchemaRead, SchemaWrite)]
pub struct SignedCommand {
    /// Random: hides the command behind its digest once the body is erased.
    pub salt: [u8; 16],
    /// The command's id.
    pub command_id: CommandId,
    /// The account it is for, if it exists.
    pub account: Option<AccountId>,
    /// What is asked.
    pub command: Command,
}

impl SignedCommand {
    /// Canonical bytes, their digest, and the message to be signed:
    /// `"idledger-command/v1\0" ‖ command id ‖ BLAKE3(canonical bytes)`.
    fn message(&self) -> Result<(Vec<u8>, Digest, Vec<u8>), LedgerError> {
        let body = bytes::encode(self)
            .map_err(|_| LedgerError::BadSubmission("the command has no canonical encoding"))?;
        let digest = Digest(*blake3::hash(&body).as_bytes());
        let message = command_message(self.command_id, digest);
        Ok((body, digest, message))
    }

    /// Signs it and keeps the proof.
    pub fn sign(&self, key: &SigningKey) -> Result<Proven, LedgerError> {
        let (body, digest, message) = self.message()?;
        let signature = Signature(key.sign(&message).to_bytes());
        let key = PublicKey(key.verifying_key().to_bytes());
        // Signed by ourselves a line above; `Proven::command` is for what comes from elsewhere.
        Ok(Proven {
            evidence: Evidence::Command {
                digest,
                signature,
                key,
            },
            body: Some(body),
        })
    }
}

/// The bytes a caller outside HTTP signs for a command.
pub fn command_message(command_id: CommandId, digest: Digest) -> Vec<u8> {
    let mut message = COMMAND_PREFIX.to_vec();
    message.extend(command_id.0);
    message.extend(digest.0);
    message
}

impl Proven {
    /// Nobody's signature: the ledger itself.
    pub const fn none() -> Self {
        Self {
            evidence: Evidence::None,
            body: None,
        }
    }

    /// Somebody who cannot prove anything yet: a first registration. The body is kept.
    pub const fn unproven(body: Option<Vec<u8>>) -> Self {
        Self {
            evidence: Evidence::None,
            body,
        }
    }

    /// An operator at the machine.
    pub const fn operator() -> Self {
        Self {
            evidence: Evidence::Operator,
            body: None,
        }
    }

    /// A citizen in a session; `verified` is the `OtpVerified` event that opened it. The caller has
    /// checked the session's token. `body`: what was asked, if it is to be kept.
    pub const fn session(verified: EventId, body: Option<Vec<u8>>) -> Self {
        Self {
            evidence: Evidence::Session(verified),
            body,
        }
    }

    /// An RFC 9421 signature over `base`; `body` is the request's body, whose `content-digest` the
    /// caller has checked.
    pub fn http(
        base: Vec<u8>,
        signature: Signature,
        key: PublicKey,
        body: Vec<u8>,
    ) -> Result<Self, LedgerError> {
        record::verify(&key, &base, &signature).map_err(LedgerError::Evidence)?;
        Ok(Self {
            evidence: Evidence::HttpRequest {
                base,
                signature,
                key,
            },
            body: Some(body),
        })
    }

    /// A command signed outside HTTP.
    pub fn command(
        command: &SignedCommand,
        signature: Signature,
        key: PublicKey,
    ) -> Result<Self, LedgerError> {
        let (body, digest, message) = command.message()?;
        record::verify(&key, &message, &signature).map_err(LedgerError::Evidence)?;
        Ok(Self {
            evidence: Evidence::Command {
                digest,
                signature,
                key,
            },
            body: Some(body),
        })
    }

    /// With or without its body: it is not kept where the key that would seal it is destroyed.
    #[must_use]
    pub fn kept(mut self, keep: bool) -> Self {
        if !keep {
            self.body = None;
        }
        self
    }

    /// The evidence as it will stand in the event.
    pub const fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// The signed body, to be sealed beside it.
    pub fn body(&self) -> Option<&[u8]> {
        self.body.as_deref()
    }

    /// The key that signed, if one did.
    pub const fn key(&self) -> Option<&PublicKey> {
        match &self.evidence {
            Evidence::HttpRequest { key, .. } | Evidence::Command { key, .. } => Some(key),
            Evidence::None | Evidence::Carried(_) | Evidence::Session(_) | Evidence::Operator => {
                None
            }
        }
    }
}

/// Longest text a registry may sign for one answer, in bytes.
pub const ANSWER_BASE_BYTES_MAX: usize = 1024;
/// Longest question and answer together, in bytes: both are sealed in one part.
pub const EXCHANGE_BYTES_MAX: usize = 15 * 1024;
/// What a registry's signature covers, in this order.
const ANSWER_COVERED: &str = "(\"@status\" \"content-type\" \"content-digest\" \
                              \"content-digest\";req \"idledger-nonce\")";

/// A registry's signed answer (`docs/peers.md`) that verified, with the question it answers.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedAnswer {
    base: String,
    signature: Signature,
    key: PublicKey,
    question: Vec<u8>,
    answer: Vec<u8>,
}

impl core::fmt::Debug for SignedAnswer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SignedAnswer(…)")
    }
}

impl SignedAnswer {
    /// Verifies the signature, and that it is about exactly this question and this answer.
    pub fn new(
        base: String,
        signature: Signature,
        key: PublicKey,
        question: Vec<u8>,
        answer: Vec<u8>,
    ) -> Result<Self, EvidenceError> {
        if question.len() + answer.len() > EXCHANGE_BYTES_MAX {
            return Err(EvidenceError::AnswerForm);
        }
        verify_answer(&base, &signature, &key, record::verify)?;
        let digests = answer_digests(&base, &key).ok_or(EvidenceError::AnswerForm)?;
        if digests != (sha_256(&question).as_str(), sha_256(&answer).as_str()) {
            return Err(EvidenceError::AnswerForm);
        }
        Ok(Self {
            base,
            signature,
            key,
            question,
            answer,
        })
    }

    /// As it stands in the receipt.
    pub fn source(&self) -> WordSource {
        WordSource::Peer {
            base: self.base.clone(),
            signature: self.signature,
            key: self.key,
        }
    }

    /// As it is sealed.
    pub fn exchange(&self) -> Personal {
        Personal::RegistryExchange {
            question: self.question.clone(),
            answer: self.answer.clone(),
        }
    }
}

/// `content-digest` of a body (RFC 9530).
fn sha_256(body: &[u8]) -> String {
    let digest = BASE64_STANDARD.encode(Sha256::digest(body));
    format!("sha-256=:{digest}:")
}

/// The digests of question and answer in what a registry signed; `None`: it is not what a registry with
/// this key signs for an answer, so no other thing it signed can pass for one.
fn answer_digests<'a>(base: &'a str, key: &PublicKey) -> Option<(&'a str, &'a str)> {
    let mut lines = base.split('\n');
    let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(": ");
    let status = field("\"@status\"")?;
    field("\"content-type\"")?;
    let answer = field("\"content-digest\"")?;
    let question = field("\"content-digest\";req")?;
    field("\"idledger-nonce\"")?;
    let parameters = field("\"@signature-params\"")?;
    let parameters = parameters.strip_prefix(ANSWER_COVERED)?;
    let good = status.len() == 3
        && status.starts_with('2')
        && parameters.contains(&format!(";keyid=\"{}\"", key.id()))
        && lines.next().is_none()
        && base.len() <= ANSWER_BASE_BYTES_MAX;
    good.then_some((question, answer))
}

fn verify_answer(
    base: &str,
    signature: &Signature,
    key: &PublicKey,
    mut verify: impl FnMut(&PublicKey, &[u8], &Signature) -> Result<(), RecordError>,
) -> Result<(), EvidenceError> {
    answer_digests(base, key).ok_or(EvidenceError::AnswerForm)?;
    verify(key, base.as_bytes(), signature).map_err(|_| EvidenceError::Answer)
}

/// Checks the registries' signatures in a stored envelope, offline and without opening anything sealed.
/// Returns how many there were.
pub fn verify_answers_with(
    envelope: &Envelope,
    mut verify: impl FnMut(&PublicKey, &[u8], &Signature) -> Result<(), RecordError>,
) -> Result<u32, EvidenceError> {
    let mut signatures = 0;
    for word in envelope.receipt.iter().flat_map(|receipt| &receipt.answers) {
        if let WordSource::Peer {
            base,
            signature,
            key,
        } = &word.source
        {
            verify_answer(base, signature, key, &mut verify)?;
            signatures += 1;
        }
    }
    Ok(signatures)
}

/// Why stored evidence does not prove what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// The signature does not verify.
    #[error("the actor's signature does not verify")]
    Signature,
    /// Another key signed than the actor's.
    #[error("the evidence was signed by another key than the actor's")]
    OtherKey,
    /// A registry's signature does not verify.
    #[error("the registry's signature on its answer does not verify")]
    Answer,
    /// What a registry signed is not the answer to this question.
    #[error("what the registry signed is not an answer, or not this one")]
    AnswerForm,
}

/// Checks the evidence of a stored envelope, offline and without opening anything sealed. Returns
/// whether there was a signature to check.
pub fn verify_stored(envelope: &domain::envelope::Envelope) -> Result<bool, EvidenceError> {
    verify_stored_with(envelope, record::verify)
}

/// The same with a verification of the caller's, who may keep keys decompressed. It must be strict.
pub fn verify_stored_with(
    envelope: &domain::envelope::Envelope,
    verify: impl FnOnce(&PublicKey, &[u8], &Signature) -> Result<(), RecordError>,
) -> Result<bool, EvidenceError> {
    let (key, signature, message) = match &envelope.evidence {
        Evidence::HttpRequest {
            base,
            signature,
            key,
        } => (key, signature, base.clone()),
        Evidence::Command {
            digest,
            signature,
            key,
        } => (key, signature, command_message(envelope.command, *digest)),
        Evidence::None | Evidence::Carried(_) | Evidence::Session(_) | Evidence::Operator => {
            return Ok(false);
        }
    };
    if envelope.actor.key != Some(key.id()) {
        return Err(EvidenceError::OtherKey);
    }
    verify(key, &message, signature).map_err(|_| EvidenceError::Signature)?;
    Ok(true)
}
