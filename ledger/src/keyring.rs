//! The ledger's own public keys, each good for a **range of positions** (never of times).
//!
//! Keys are events of the `ledger` stream; whoever has those events and trusts the first one can
//! check every signature.

use domain::event::Event;
use domain::ids::{KeyId, LedgerId, Position, PublicKey};
use domain::record::{self, RecordError};
use domain::vocabulary::KeyPurpose;
use ed25519_dalek::VerifyingKey;

/// One key and where it counts.
#[derive(Debug, Clone)]
pub struct RingKey {
    /// Its id.
    pub id: KeyId,
    /// The key.
    pub public: PublicKey,
    /// First position it may sign.
    pub from: Position,
    /// First position it may no longer sign.
    pub until: Option<Position>,
    verifying: VerifyingKey,
}

/// All event-signing keys of a ledger.
#[derive(Debug, Clone, Default)]
pub struct KeyRing {
    ledger: Option<LedgerId>,
    keys: Vec<RingKey>,
}

impl KeyRing {
    /// Takes in an event of the `ledger` stream. The first event of a ledger is signed by the key it
    /// names: a verifier must have that key (or the ledger's id) from elsewhere to trust it.
    pub fn learn(&mut self, position: Position, event: &Event) -> Result<(), RecordError> {
        match event {
            Event::LedgerCreated(facts) if self.ledger.is_none() => {
                self.ledger = Some(facts.ledger);
                self.add(facts.key, position)
            }
            // A key counts from the event *after* the one that adds it: this one is signed by an
            // older key, which is what makes it trustworthy.
            Event::LedgerKeyAdded(facts) if facts.purpose == KeyPurpose::Events => {
                self.add(facts.key, Position(position.0 + 1))
            }
            Event::LedgerKeyRetired(facts) => {
                for key in self.keys.iter_mut().filter(|key| key.public == facts.key) {
                    key.until.get_or_insert(Position(position.0 + 1));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn add(&mut self, public: PublicKey, from: Position) -> Result<(), RecordError> {
        let verifying = record::verifying_key(&public)?;
        self.keys.push(RingKey {
            id: public.id(),
            public,
            from,
            until: None,
            verifying,
        });
        Ok(())
    }

    /// The key of this id at this position.
    pub fn key_at(&self, id: KeyId, position: Position) -> Option<&VerifyingKey> {
        self.keys
            .iter()
            .find(|key| {
                key.id == id
                    && key.from <= position
                    && key.until.is_none_or(|until| position < until)
            })
            .map(|key| &key.verifying)
    }

    /// The ledger's id, once its first event was learnt.
    pub const fn ledger(&self) -> Option<LedgerId> {
        self.ledger
    }

    /// All keys, oldest first.
    pub fn keys(&self) -> &[RingKey] {
        &self.keys
    }
}
