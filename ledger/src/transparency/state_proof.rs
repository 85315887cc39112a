//! What the ledger stated of an account, proved: the state map's leaf, the `StateSealed` event that states
//! its root, that event in the log, and, if wanted, all of the account's events.
//!
//! Owns the leaf's bytes and the checking, which needs public keys alone. Leaves are made by the read
//! models.
//!
//! ```text
//! key    SHA-256 of the account's id
//! value  u64 LE     number of events in the account's stream
//!        u64 LE     position of the newest
//!        [u8; 32]   its entry in the transparency log
//!        [u8; 32]   SHA-256 of the account's row: its state, by commitments
//! ```

use super::log::TransparencyLog;
use super::proofs::{EventProof, ProofError, ProveError, Proved, StreamProof};
use super::proofs::{prove_event, prove_stream};
use crate::state_seal::STREAM;
use crate::store::EventStore;
use domain::event::{Event, StateSealed};
use domain::ids::{AccountId, Digest, Position, StreamId};
use domain::record::{RecordRef, open_event};
use serde::{Deserialize, Serialize};
use tlog::map::{Key, Proof as MapProof};
use tlog::policy::Policy;
use tlog::{Error, Hash};

/// What the state map says of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StateLeaf {
    /// Number of events in its stream.
    pub length: u64,
    /// Position of the newest.
    pub position: u64,
    /// Entry of the newest in the transparency log.
    pub entry: Digest,
    /// SHA-256 of the account's row: its state, by commitments.
    pub state: Digest,
}

impl StateLeaf {
    /// Its bytes, the value in the map.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(80);
        bytes.extend(self.length.to_le_bytes());
        bytes.extend(self.position.to_le_bytes());
        bytes.extend(self.entry.0);
        bytes.extend(self.state.0);
        bytes
    }

    /// From its bytes; `None` if they are not 80.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk::<8>()?;
        let (position, rest) = rest.split_first_chunk::<8>()?;
        let (entry, state) = rest.split_first_chunk::<32>()?;
        Some(Self {
            length: u64::from_le_bytes(*length),
            position: u64::from_le_bytes(*position),
            entry: Digest(*entry),
            state: Digest(state.try_into().ok()?),
        })
    }
}

/// An account's key in the map.
pub fn key_of(account: AccountId) -> Key {
    Key::of(&account.0)
}

/// An account's leaf in the state map, or that it has none, with the proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountProof {
    /// Which account.
    pub account: AccountId,
    /// How many events of the ledger the map takes in: it speaks of just after position `position - 1`.
    pub position: u64,
    /// Position of the `StateSealed` event that states the root.
    pub sealed_at: u64,
    /// The root, as that event states it.
    pub root: Digest,
    /// The proof.
    pub proof: MapProof,
}

impl AccountProof {
    /// Checks it against a root from a `StateSealed` event that the reader trusts. What the map says of
    /// the account; `None`: there was none.
    pub fn check(&self, root: &Digest) -> Result<Option<StateLeaf>, Error> {
        let malformed = |why| Error::Malformed {
            what: "state proof",
            why,
        };
        if self.root != *root {
            return Err(malformed("of another root"));
        }
        let value = self.proof.check(key_of(self.account), &Hash(root.0))?;
        let Some(value) = value else { return Ok(None) };
        let leaf = StateLeaf::from_bytes(value).ok_or(malformed("a leaf of another length"))?;
        if leaf.length == 0 || leaf.position >= self.position {
            return Err(malformed("a leaf that cannot be"));
        }
        Ok(Some(leaf))
    }
}

/// What was stated of an account, with everything that a reader with public keys needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateProof {
    /// What the map says.
    pub state: AccountProof,
    /// The `StateSealed` event, its record given along, in the log.
    pub sealed: EventProof,
    /// The account's events: all that the leaf counts, and maybe later ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<StreamProof>,
}

impl StateProof {
    pub(super) fn check(&self, policy: &Policy) -> Result<Proved, ProofError> {
        let mut proved = self.sealed.check(policy, None)?;
        let facts = self.stated()?;
        let AccountProof {
            account, position, ..
        } = self.state;
        if (facts.position, self.sealed.index) != (position, self.state.sealed_at) {
            return Err(ProofError::Malformed(
                "the event states another position".into(),
            ));
        }
        let leaf = self.state.check(&facts.root)?;
        proved.facts.push(format!(
            "event {} states the map of {} accounts as of the first {position} events",
            self.sealed.index, facts.accounts
        ));
        let Some(leaf) = leaf else {
            if self.events.is_some() {
                return Err(ProofError::Malformed("events of no account".into()));
            }
            let fact = format!("there was no account {account} among the first {position} events");
            proved.facts.push(fact);
            return Ok(proved);
        };
        proved.facts.push(format!(
            "account {account} had {} events then, the newest at position {}",
            leaf.length, leaf.position
        ));
        if let Some(events) = &self.events {
            let stream = events.check(policy, Some(leaf.entry.0))?;
            if events.stream != StreamId::account(account).to_string() {
                return Err(ProofError::Malformed("events of another stream".into()));
            }
            let last = usize::try_from(leaf.length - 1).unwrap_or(usize::MAX);
            if events.entry_at(last)? != leaf.entry.0 {
                return Err(ProofError::OtherRecord);
            }
            proved.facts.extend(stream.facts);
            proved.facts.push(format!(
                "none is left out: the first {} of these are all of the account's as of position {position}",
                leaf.length
            ));
        }
        Ok(proved)
    }

    /// What the event states.
    fn stated(&self) -> Result<StateSealed, ProofError> {
        let bytes = self.sealed.record_bytes()?.ok_or(ProofError::NoEntry)?;
        let malformed =
            |error: domain::record::RecordError| ProofError::Malformed(error.to_string());
        let envelope = RecordRef::parse(&bytes)
            .and_then(|record| record.open_envelope())
            .map_err(malformed)?;
        match open_event(&envelope).map_err(malformed)? {
            Event::StateSealed(facts) if envelope.stream == STREAM => Ok(facts),
            _ => Err(ProofError::Malformed("the event states no state".into())),
        }
    }
}

/// Puts together what a read model proved and what the log does. `with_events`: the account's too.
pub async fn prove_state(
    log: &TransparencyLog,
    store: &dyn EventStore,
    state: AccountProof,
    with_events: bool,
) -> Result<StateProof, ProveError> {
    let present = matches!(state.proof.answer, tlog::map::Answer::Present { .. });
    let events = if with_events && present {
        Some(prove_stream(log, store, StreamId::account(state.account)).await?)
    } else {
        None
    };
    Ok(StateProof {
        sealed: prove_event(log, store, Position(state.sealed_at), true).await?,
        state,
        events,
    })
}
