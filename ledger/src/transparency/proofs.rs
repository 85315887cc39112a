//! Proofs as files: what a reader takes away, and checks with public keys alone.
//!
//! Owns their JSON form and their checking. An event's proof also has a text form,
//! [`tlog::receipt::Receipt`]. It must never ask a server, a clock or a file.

use super::log::{ReadError, TransparencyLog};
use super::state_proof::StateProof;
use super::{ENTRY_BYTES, entry, entry_of};
use crate::store::{EventStore, PAGE_RECORDS_MAX, StoreError, StoredRecord};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::ids::{Digest, Position, Revision, StreamId};
use domain::record::{RecordError, RecordRef};
use serde::{Deserialize, Serialize};
use tlog::hash::Hash;
use tlog::note::Note;
use tlog::policy::{Accepted, Policy};
use tlog::proof::{HASHES_MAX, Head, check_consistency, check_inclusion};
use tlog::receipt::Receipt;

/// Longest stream that is proved in one file, in events.
pub const STREAM_EVENTS_MAX: usize = 20_000;
/// Largest file that is read, in bytes.
pub const PROOF_BYTES_MAX: usize = 64 << 20;

/// A proof, as JSON. `schema` says which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "schema")]
pub enum Proof {
    /// An event is in the log.
    #[serde(rename = "idledger.event-proof/1")]
    Event(EventProof),
    /// A log grew without changing what it had.
    #[serde(rename = "idledger.consistency-proof/1")]
    Consistency(ConsistencyProof),
    /// Events are the whole beginning of a stream, up to one that is in the log.
    #[serde(rename = "idledger.stream-proof/1")]
    Stream(StreamProof),
    /// What the ledger stated of an account: its state, that there is none, that these are all its events.
    #[serde(rename = "idledger.state-proof/1")]
    State(Box<StateProof>),
}

/// An event is in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventProof {
    /// Its position.
    pub index: u64,
    /// SHA-256 of envelope and signature, hexadecimal.
    pub entry: String,
    /// Hashes from its sibling upwards (RFC 6962), base64.
    pub path: Vec<String>,
    /// The signed checkpoint.
    pub checkpoint: String,
    /// The record without its sealed parts, base64, where it is given along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
}

/// A log grew without changing what it had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsistencyProof {
    /// Entries it had.
    pub old_size: u64,
    /// Root it had, base64.
    pub old_root: String,
    /// Hashes (RFC 6962), base64.
    pub path: Vec<String>,
    /// The newer signed checkpoint.
    pub checkpoint: String,
}

/// Events are the whole beginning of a stream: linked one to the next, the newest in the log. That no
/// newer one is left out is for the state map to prove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamProof {
    /// The stream.
    pub stream: String,
    /// Its records without their sealed parts, oldest first, base64.
    pub records: Vec<String>,
    /// The newest is in the log.
    pub newest: EventProof,
}

/// Why a proof is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// Not of the form it should have.
    #[error("malformed proof: {0}")]
    Malformed(String),
    /// Over a limit.
    #[error("{what} is over its limit")]
    Limit {
        /// What.
        what: &'static str,
    },
    /// The tree, the checkpoint or its signatures.
    #[error(transparent)]
    Log(#[from] tlog::Error),
    /// The record given is not the entry proved.
    #[error("the record is not the entry that is proved")]
    OtherRecord,
    /// Neither the proof nor the caller says what is proved to be there.
    #[error("neither a record nor an entry is given: a place in the log is proved of something")]
    NoEntry,
    /// A record of the stream that cannot be read.
    #[error("event {revision} of the stream: {reason}")]
    Record {
        /// Which.
        revision: u64,
        /// Why.
        reason: String,
    },
    /// The stream's events are not linked, or not this stream's.
    #[error("event {revision} of the stream does not follow the one before: {what}")]
    Link {
        /// Which.
        revision: u64,
        /// What differs.
        what: &'static str,
    },
}

/// What a proof proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proved {
    /// The checkpoint it holds against, and who vouches for it.
    pub against: Accepted,
    /// In words for people, one fact a line.
    pub facts: Vec<String>,
}

impl Proof {
    /// From JSON, bounded.
    pub fn parse(text: &str) -> Result<Self, ProofError> {
        if text.len() > PROOF_BYTES_MAX {
            return Err(ProofError::Limit { what: "proof" });
        }
        serde_json::from_str(text).map_err(|error| ProofError::Malformed(error.to_string()))
    }

    /// Checks it against the keys and witnesses the reader believes. `entry`: what the reader holds
    /// in hand and wants to see in the log.
    pub fn check(
        &self,
        policy: &Policy,
        entry: Option<[u8; ENTRY_BYTES]>,
    ) -> Result<Proved, ProofError> {
        match self {
            Self::Event(proof) => proof.check(policy, entry),
            Self::Consistency(proof) => proof.check(policy),
            Self::Stream(proof) => proof.check(policy, entry),
            Self::State(proof) => proof.check(policy),
        }
    }
}

impl EventProof {
    /// From a receipt.
    pub fn new(receipt: &Receipt, entry: [u8; ENTRY_BYTES]) -> Self {
        Self {
            index: receipt.index,
            entry: hex::encode(entry),
            path: receipt.proof.iter().map(Hash::to_base64).collect(),
            checkpoint: receipt.checkpoint.to_text(),
            record: None,
        }
    }

    /// The entry it speaks of.
    fn entry(&self) -> Result<[u8; ENTRY_BYTES], ProofError> {
        let mut entry = [0; ENTRY_BYTES];
        hex::decode_to_slice(&self.entry, &mut entry)
            .map_err(|_| ProofError::Malformed("the entry is not 64 hexadecimal digits".into()))?;
        Ok(entry)
    }

    /// The record that is given along.
    pub(super) fn record_bytes(&self) -> Result<Option<Vec<u8>>, ProofError> {
        self.record.as_deref().map(decode).transpose()
    }

    pub(super) fn check(
        &self,
        policy: &Policy,
        in_hand: Option<[u8; ENTRY_BYTES]>,
    ) -> Result<Proved, ProofError> {
        let entry = self.entry()?;
        let given = match &self.record {
            None => None,
            Some(record) => Some(entry_of(&decode(record)?).map_err(|error| malformed(&error))?),
        };
        if given.is_some_and(|given| given != entry) || in_hand.is_some_and(|hand| hand != entry) {
            return Err(ProofError::OtherRecord);
        }
        let against = policy.check(&Note::parse(&self.checkpoint)?)?;
        let head = against.checkpoint.head;
        check_inclusion(Hash::leaf(&entry), self.index, &hashes(&self.path)?, &head)?;
        let facts = vec![format!(
            "event {}, entry {}, is in the log of {} events",
            self.index, self.entry, head.size
        )];
        Ok(Proved { against, facts })
    }
}

impl ConsistencyProof {
    fn check(&self, policy: &Policy) -> Result<Proved, ProofError> {
        let old = Head {
            size: self.old_size,
            root: Hash::from_base64(&self.old_root)?,
        };
        let against = policy.check(&Note::parse(&self.checkpoint)?)?;
        let head = against.checkpoint.head;
        check_consistency(&old, &head, &hashes(&self.path)?)?;
        let facts = vec![format!(
            "the log of {} events begins with the {} of root {}",
            head.size, old.size, old.root
        )];
        Ok(Proved { against, facts })
    }
}

impl StreamProof {
    /// The entry of one of its events.
    pub(super) fn entry_at(&self, revision: usize) -> Result<[u8; ENTRY_BYTES], ProofError> {
        let record = self.records.get(revision).ok_or(ProofError::OtherRecord)?;
        entry_of(&decode(record)?).map_err(|error| malformed(&error))
    }

    pub(super) fn check(
        &self,
        policy: &Policy,
        in_hand: Option<[u8; ENTRY_BYTES]>,
    ) -> Result<Proved, ProofError> {
        if self.records.len() > STREAM_EVENTS_MAX {
            return Err(ProofError::Limit { what: "stream" });
        }
        let mut link = Digest::ZERO;
        let (mut newest, mut found) = (None, in_hand.is_none());
        for (revision, record) in (0u64..).zip(&self.records) {
            let failed = |error: RecordError| ProofError::Record {
                revision,
                reason: error.to_string(),
            };
            let other = |what| ProofError::Link { revision, what };
            let bytes = decode(record)?;
            let record = RecordRef::parse(&bytes).map_err(failed)?;
            let envelope = record.open_envelope().map_err(failed)?;
            if envelope.stream.to_string() != self.stream {
                return Err(other("another stream"));
            }
            if envelope.revision != Revision(revision) {
                return Err(other("its number"));
            }
            if envelope.link != link {
                return Err(other("its link"));
            }
            link = record.link();
            let entry = entry(&record);
            found |= in_hand == Some(entry);
            newest = Some(entry);
        }
        let newest = newest.ok_or(ProofError::Malformed("a stream without events".into()))?;
        if !found {
            return Err(ProofError::OtherRecord);
        }
        let mut proved = self.newest.check(policy, Some(newest))?;
        let fact = format!(
            "stream {}: events 0 to {}, each linked to the one before",
            self.stream,
            self.records.len() - 1
        );
        proved.facts.insert(0, fact);
        Ok(proved)
    }
}

fn malformed(error: &impl ToString) -> ProofError {
    ProofError::Malformed(error.to_string())
}

fn decode(record: &str) -> Result<Vec<u8>, ProofError> {
    let bytes = STANDARD.decode(record);
    bytes.map_err(|_| ProofError::Malformed("a record is not base64".into()))
}

fn hashes(path: &[String]) -> Result<Vec<Hash>, ProofError> {
    if path.len() > HASHES_MAX {
        return Err(ProofError::Limit { what: "path" });
    }
    let hashes: Result<Vec<_>, _> = path.iter().map(|hash| Hash::from_base64(hash)).collect();
    Ok(hashes?)
}

/// Why a proof cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProveError {
    /// The log.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The events.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record that is not one.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// There is no such event or stream.
    #[error("there is no such event or stream")]
    Missing,
    /// The stream has more than [`STREAM_EVENTS_MAX`] events.
    #[error("the stream has more than {STREAM_EVENTS_MAX} events")]
    TooLong,
}

/// Proves that an event is in the log; with its record, if asked.
pub async fn prove_event(
    log: &TransparencyLog,
    store: &dyn EventStore,
    position: Position,
    with_record: bool,
) -> Result<EventProof, ProveError> {
    let receipt = log.receipt(position.0)?;
    let mut proof = EventProof::new(&receipt, log.entry(position.0)?);
    if with_record {
        let page = store.read_all(position, 1).await?;
        let record = page.first().ok_or(ProveError::Missing)?;
        proof.record = Some(redacted(record)?);
    }
    Ok(proof)
}

/// Proves that the root a reader remembers is the beginning of the published log.
pub fn prove_consistency(
    log: &TransparencyLog,
    old_size: u64,
) -> Result<ConsistencyProof, ProveError> {
    let published = log.published().ok_or(ReadError::Unpublished)?;
    Ok(ConsistencyProof {
        old_size,
        old_root: log.root(old_size)?.to_base64(),
        path: log
            .consistency(old_size, published.head.size)?
            .iter()
            .map(Hash::to_base64)
            .collect(),
        checkpoint: published.note.to_text(),
    })
}

/// Proves a stream, as far as it is in the published log.
pub async fn prove_stream(
    log: &TransparencyLog,
    store: &dyn EventStore,
    stream: StreamId,
) -> Result<StreamProof, ProveError> {
    let size = log.published().ok_or(ReadError::Unpublished)?.head.size;
    let (mut records, mut newest) = (Vec::new(), None);
    'pages: loop {
        let from = Revision(records.len() as u64);
        let page = store.read_stream(stream, from, PAGE_RECORDS_MAX).await?;
        if page.is_empty() {
            break;
        }
        for record in &page {
            if record.position.0 >= size {
                break 'pages;
            }
            if records.len() == STREAM_EVENTS_MAX {
                return Err(ProveError::TooLong);
            }
            records.push(redacted(record)?);
            newest = Some(record.position);
        }
    }
    let newest = newest.ok_or(ProveError::Missing)?;
    Ok(StreamProof {
        stream: stream.to_string(),
        records,
        newest: prove_event(log, store, newest, false).await?,
    })
}

fn redacted(record: &StoredRecord) -> Result<String, RecordError> {
    Ok(STANDARD.encode(RecordRef::parse(&record.bytes)?.redacted()))
}
