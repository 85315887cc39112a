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
    /// First position (of checkpoint keys: smallest size) it may sign.
    pub from: Position,
    /// First position (smallest size) it may no longer sign.
    pub until: Option<Position>,
    verifying: VerifyingKey,
}

/// All keys of a ledger: those that sign events, and those that sign checkpoints.
#[derive(Debug, Clone, Default)]
pub struct KeyRing {
    ledger: Option<LedgerId>,
    keys: Vec<RingKey>,
    checkpoint_keys: Vec<RingKey>,
}

impl RingKey {
    /// The key, ready to verify with.
    pub const fn verifying(&self) -> &VerifyingKey {
        &self.verifying
    }
}

impl KeyRing {
    /// Takes in an event of the `ledger` stream. The first event of a ledger is signed by the key it
    /// names: a verifier must have that key (or the ledger's id) from elsewhere to trust it.
    pub fn learn(&mut self, position: Position, event: &Event) -> Result<(), RecordError> {
        match event {
            Event::LedgerCreated(facts) if self.ledger.is_none() => {
                self.ledger = Some(facts.ledger);
                self.add(KeyPurpose::Events, facts.key, position)
            }
            // A key counts from the event *after* the one that adds it: this one is signed by an
            // older key, which is what makes it trustworthy. For checkpoints the same number says the
            // first size, which is the first that holds the event.
            Event::LedgerKeyAdded(facts) => {
                self.add(facts.purpose, facts.key, Position(position.0 + 1))
            }
            Event::LedgerKeyRetired(facts) => {
                let all = self.keys.iter_mut().chain(&mut self.checkpoint_keys);
                for key in all.filter(|key| key.public == facts.key) {
                    key.until.get_or_insert(Position(position.0 + 1));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn add(
        &mut self,
        purpose: KeyPurpose,
        public: PublicKey,
        from: Position,
    ) -> Result<(), RecordError> {
        let verifying = record::verifying_key(&public)?;
        let keys = match purpose {
            KeyPurpose::Events => &mut self.keys,
            KeyPurpose::Checkpoints => &mut self.checkpoint_keys,
        };
        keys.push(RingKey {
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

    /// The keys that sign events, oldest first.
    pub fn keys(&self) -> &[RingKey] {
        &self.keys
    }

    /// The keys that sign checkpoints, oldest first. Their `from` and `until` count events in the
    /// tree: a key signs checkpoints of at least `from` and fewer than `until` of them.
    pub fn checkpoint_keys(&self) -> &[RingKey] {
        &self.checkpoint_keys
    }

    /// The keys for a purpose, oldest first.
    pub fn of(&self, purpose: KeyPurpose) -> &[RingKey] {
        match purpose {
            KeyPurpose::Events => &self.keys,
            KeyPurpose::Checkpoints => &self.checkpoint_keys,
        }
    }

    /// Whether this key may sign a checkpoint of so many events.
    pub fn signs_checkpoint(&self, public: &PublicKey, size: u64) -> bool {
        let size = Position(size);
        self.checkpoint_keys.iter().any(|key| {
            key.public == *public && key.from <= size && key.until.is_none_or(|until| size < until)
        })
    }
}
