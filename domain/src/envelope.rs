//! What surrounds an event's facts, and is signed with them.

use crate::ids::{
    CommandId, CorrelationId, Digest, EventId, KeyId, Micros, PrincipalId, PublicKey, Revision,
    Signature, StreamId,
};
use crate::law::LawPin;
use crate::vocabulary::{CommandKind, Database, Guard, Message, RefusalCode, RetentionClass, Role};
use serde::{Deserialize, Serialize};
use wincode::{SchemaRead, SchemaWrite};

/// Starts every signed envelope, so that no event can ever pass for another signed thing.
pub const EVENT_PREFIX: &[u8] = b"idledger-event/v1\0";

/// Largest envelope, in bytes, prefix included.
pub const ENVELOPE_BYTES_MAX: usize = 32 * 1024;

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
pub struct Actor {
    /// As what.
    pub role: Role,
    /// The principal, or the account's id for a citizen; zero for the ledger and the clock.
    pub principal: PrincipalId,
    /// The key they signed with, if they did.
    pub key: Option<KeyId>,
}

/// The actor's own proof (INV-2).
#[derive(Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[wincode(tag_encoding = "u8")]
pub enum Evidence {
    /// None: the ledger itself.
    None,
    /// It stands in this event of the same stream, the first of the same command.
    Carried(EventId),
    /// A citizen in a session that an OTP opened (before activation): the challenge's `OtpVerified`.
    Session(EventId),
    /// An HTTP request signed after RFC 9421. The body is a sealed part (`RequestBody`); it carries
    /// a random salt, so that its digest gives nothing away.
    HttpRequest {
        /// The signature base, exactly as signed.
        base: Vec<u8>,
        /// Ed25519 over it.
        signature: Signature,
        /// The signer's key.
        key: PublicKey,
    },
    /// A command signed outside HTTP: Ed25519 over `"idledger-command/v1\0"`, the command id and the
    /// BLAKE3 digest of the canonical command bytes (salted, sealed as `RequestBody`).
    Command {
        /// BLAKE3 of the canonical bytes.
        digest: Digest,
        /// Ed25519.
        signature: Signature,
        /// The signer's key.
        key: PublicKey,
    },
    /// An operator at the machine, without a key of their own.
    Operator,
}

/// What was decided, on the first event of a command.
#[derive(Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
pub struct Receipt {
    /// What was asked.
    pub command: CommandKind,
    /// Guards that passed, in order.
    pub passed: Vec<Guard>,
    /// The guard that refused.
    pub refused: Option<Refused>,
    /// Versions of law that were read besides the policy, in the order of their kinds.
    pub law: Vec<LawPin>,
    /// Whose word each registry's answer was, where the ledger itself asked for this command, in the
    /// order of asking. No answer is nobody's word.
    pub answers: Vec<RegistryWord>,
}

/// A registry's answer that the ledger asked for.
#[derive(Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
pub struct RegistryWord {
    /// What was asked.
    pub database: Database,
    /// Who answered.
    pub source: WordSource,
}

/// Whose word a registry's answer is (INV-2).
#[derive(Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[wincode(tag_encoding = "u8")]
pub enum WordSource {
    /// The ledger's own, from records that were brought in, or because there was nothing to ask with:
    /// its signature on this event answers for it.
    Own,
    /// The registry's: its signature on the answer. Question and answer are a sealed part
    /// (`RegistryExchange`); both carry the question's random salt, so that their digests, which stand in
    /// `base`, give nothing away.
    Peer {
        /// What it signed, exactly: status, digests of question and answer, the question's nonce.
        base: String,
        /// Ed25519 over it.
        signature: Signature,
        /// The registry's key.
        key: PublicKey,
    },
}

/// The guard that refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
pub struct Refused {
    /// Which.
    pub guard: Guard,
    /// Stable code.
    pub code: RefusalCode,
    /// Message shown, where the catalogue has one.
    pub message: Option<Message>,
}

/// A commitment to one sealed part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
pub struct Commitment {
    /// Whose key: an account's or principal's id.
    pub subject: [u8; 16],
    /// Which of the subject's keys.
    pub class: RetentionClass,
    /// BLAKE3 of `"idledger-sealed/v1\0"`, the nonce and the ciphertext.
    pub digest: Digest,
}

/// The signed part of an event. Field order is format (see FORMAT.md).
#[derive(Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite)]
pub struct Envelope {
    /// UUIDv7.
    pub event_id: EventId,
    /// The stream.
    pub stream: StreamId,
    /// Number in the stream, from 0.
    pub revision: Revision,
    /// BLAKE3 link to the previous record of the stream; zero for the first.
    pub link: Digest,
    /// Kind of event.
    pub kind: u16,
    /// Schema version of the facts.
    pub schema: u16,
    /// When the ledger recorded it.
    pub recorded_at: Micros,
    /// When it happened.
    pub occurred_at: Micros,
    /// The command.
    pub command: CommandId,
    /// The event that caused it.
    pub causation: Option<EventId>,
    /// What belongs together.
    pub correlation: CorrelationId,
    /// Who.
    pub actor: Actor,
    /// Their proof.
    pub evidence: Evidence,
    /// Policy version of the decision, 0 before the first.
    pub policy: u32,
    /// Service catalogue version, 0 before the first.
    pub catalogue: u32,
    /// Guards, on the first event of a command.
    pub receipt: Option<Receipt>,
    /// Open facts, encoded per kind and schema.
    pub facts: Vec<u8>,
    /// Commitments to the sealed parts, in their order.
    pub sealed: Vec<Commitment>,
    /// The ledger's key.
    pub ledger_key: KeyId,
}
