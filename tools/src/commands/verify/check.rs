//! The checks of one record, with nothing but public keys.
//!
//! Owns what is compared with what. Runs on any thread; order and links are checked by whoever sees
//! the records in order ([`super::links`]).

use super::links::Place;
use super::report::Finding;
use super::words::{Databases, told};
use domain::envelope::{Envelope, Evidence};
use domain::event::Event;
use domain::ids::{
    Category, CommandId, EventId, KeyId, Position, PrincipalId, PublicKey, Signature,
};
use domain::record::{self, RecordError, RecordRef, open_event};
use domain::vocabulary::{CommandKind, Database, Role};
use ed25519_dalek::VerifyingKey;
use ledger::evidence;
use ledger::keyring::KeyRing;
use ledger::segments::{ScannedRecord, segment_name};
use ledger::transparency::{ENTRY_BYTES, entry};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use tlog::Hash;

/// How deep a verification goes; each depth includes the ones before.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// Framing, order, canonical envelopes, links.
    Structure,
    /// And the ledger's signatures, under the key that counts at each position.
    Signatures,
    /// And facts, sealed parts against their commitments, and the actors' own signatures.
    Full,
}

/// What the ledger's own events have said so far: who may sign, from which position to which.
#[derive(Default)]
pub struct Known {
    /// The ledger's keys.
    pub ring: KeyRing,
    principals: HashMap<PrincipalId, Enrolled>,
}

struct Enrolled {
    key: Option<KeyId>,
    from: Position,
}

impl Known {
    /// Whether there is anything to learn from a record.
    pub fn concerns(scanned: &ScannedRecord) -> bool {
        matches!(
            scanned.record.stream.category,
            Category::Ledger | Category::Principal
        )
    }

    /// Takes in a record of the ledger's and the principals' streams, before anything after it is
    /// checked. Whether it verifies itself is checked with all the others.
    pub fn learn(&mut self, scanned: &ScannedRecord) {
        let position = scanned.record.position;
        // What does not decode is a finding of its own when its turn comes.
        let Ok(envelope) =
            RecordRef::parse(&scanned.record.bytes).and_then(|record| record.open_envelope())
        else {
            return;
        };
        match open_event(&envelope) {
            Ok(Event::PrincipalEnrolled(facts)) => {
                let key = facts.key.map(|key| key.id());
                self.principals.insert(
                    facts.principal,
                    Enrolled {
                        key,
                        from: position,
                    },
                );
            }
            Ok(event) => drop(self.ring.learn(position, &event)),
            Err(_) => {}
        }
    }
}

/// Whose proof a record leans on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follows {
    /// Nobody's: it has its own, or was not asked.
    Nobody,
    /// That of the first event of its command.
    First,
    /// That of the first event of its command, which is this one.
    Named(EventId),
}

/// Public keys of those who sign often, decompressed once. One for each worker.
#[derive(Default)]
pub struct Keys(HashMap<PublicKey, VerifyingKey>);

/// Most keys kept: whoever forges a log with more only makes us decompress them again.
const KEYS_MAX: usize = 4096;

impl Keys {
    /// Strict verification. A citizen's device signs a few times in years and is not kept.
    fn verify(
        &mut self,
        citizen: bool,
        key: &PublicKey,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), RecordError> {
        if citizen {
            return record::verify(key, message, signature);
        }
        if self.0.len() >= KEYS_MAX {
            self.0.clear();
        }
        let known = match self.0.entry(*key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(slot) => slot.insert(record::verifying_key(key)?),
        };
        known
            .verify_strict(message, &ed25519_dalek::Signature::from_bytes(&signature.0))
            .map_err(|_| RecordError::Signature)
    }
}

/// A record that passed.
pub struct Checked {
    /// Its place in its stream.
    pub place: Place,
    /// Signatures verified for it.
    pub signatures: u32,
    /// What the log has of it.
    pub entry: [u8; ENTRY_BYTES],
    /// The hash of that in the tree.
    pub leaf: Hash,
    /// Its id.
    pub event: EventId,
    /// The command it came from.
    pub command: CommandId,
    /// Whether it is the first of its command: the one that carries receipt and proof.
    pub first: bool,
    /// Whose proof is also its own.
    pub follows: Follows,
    /// The registries whose word its receipt says it has; `None`: no registry need have been asked for this
    /// command, since whoever gave it brought the answer under their own signature.
    pub words: Option<Databases>,
    /// The registry whose answer it records.
    pub tells: Option<Database>,
}

/// Checks one record.
pub fn check(
    scanned: &ScannedRecord,
    known: &Known,
    depth: Depth,
    keys: &mut Keys,
) -> Result<Checked, Box<Finding>> {
    let at = At { scanned };
    let stored = &scanned.record;
    let record = RecordRef::parse(&stored.bytes).map_err(|error| at.malformed(&error))?;
    let envelope = record
        .open_envelope()
        .map_err(|error| at.malformed(&error))?;
    let link = record.link();
    at.same("stream", &stored.stream, &envelope.stream)?;
    at.same(
        "revision in its stream",
        &stored.revision.0,
        &envelope.revision.0,
    )?;
    at.same("event id", &scanned.event_id, &envelope.event_id)?;
    at.same("link of the record", &scanned.link, &link)?;
    let (mut signatures, mut follows, mut tells) = (0, Follows::Nobody, None);
    if depth >= Depth::Signatures {
        at.ledger_signature(&record, &envelope, known)?;
        signatures += 1;
    }
    if depth >= Depth::Full {
        let event = open_event(&envelope).map_err(|error| at.malformed(&error))?;
        tells = told(&event);
        signatures += at.registries(&envelope, keys)?;
        record
            .verify_parts(&envelope)
            .map_err(|error| at.finding("sealed parts", &"as committed to", &error))?;
        match at.actor(&envelope, known, keys)? {
            Proof::Signed => signatures += 1,
            Proof::Other => {}
            Proof::Follows(of) => follows = of,
        }
    }
    let entry = entry(&record);
    let place = Place {
        stream: envelope.stream,
        revision: envelope.revision,
        previous: envelope.link,
        link,
    };
    Ok(Checked {
        place,
        entry,
        leaf: Hash::leaf(&entry),
        signatures,
        event: envelope.event_id,
        command: envelope.command,
        first: envelope.receipt.is_some(),
        follows,
        words: envelope
            .receipt
            .as_ref()
            .filter(|receipt| receipt.command != CommandKind::RecordRegistryResult)
            .map(Databases::of),
        tells,
    })
}

struct At<'a> {
    scanned: &'a ScannedRecord,
}

// A finding is large and rare: boxed, so that the good results stay small.
#[allow(clippy::unnecessary_box_returns)]
impl At<'_> {
    fn finding(
        &self,
        check: &'static str,
        expected: &impl ToString,
        found: &impl ToString,
    ) -> Box<Finding> {
        Box::new(Finding {
            position: self.scanned.record.position.0,
            place: format!(
                "{}:{}",
                segment_name(self.scanned.segment),
                self.scanned.offset
            ),
            check: check.to_owned(),
            expected: expected.to_string(),
            found: found.to_string(),
            reason: None,
        })
    }

    fn malformed(&self, error: &impl ToString) -> Box<Finding> {
        self.finding(
            "form of the record",
            &"a canonical record of this format",
            error,
        )
    }

    /// The frame, which finds records, must say what the signed envelope says.
    fn same<T: PartialEq + ToString>(
        &self,
        check: &'static str,
        frame: &T,
        envelope: &T,
    ) -> Result<(), Box<Finding>> {
        if frame == envelope {
            return Ok(());
        }
        Err(self.finding(check, envelope, frame))
    }

    fn ledger_signature(
        &self,
        record: &RecordRef<'_>,
        envelope: &Envelope,
        known: &Known,
    ) -> Result<(), Box<Finding>> {
        let position = self.scanned.record.position;
        let Some(key) = known.ring.key_at(envelope.ledger_key, position) else {
            return Err(self.finding(
                "ledger key",
                &"a key the ledger's own events make valid at this position",
                &envelope.ledger_key,
            ));
        };
        record.verify_signature(key).map_err(|error| {
            self.finding(
                "ledger signature",
                &format!("good under {}", envelope.ledger_key),
                &error,
            )
        })
    }

    /// The actor's own signature, and that the key is the one they were enrolled with.
    fn actor(
        &self,
        envelope: &Envelope,
        known: &Known,
        keys: &mut Keys,
    ) -> Result<Proof, Box<Finding>> {
        let citizen = matches!(
            envelope.actor.role,
            Role::Citizen | Role::Guardian | Role::Representative
        );
        let signed = evidence::verify_stored_with(envelope, |key, message, signature| {
            keys.verify(citizen, key, message, signature)
        })
        .map_err(|error| self.finding("actor's signature", &"good", &error))?;
        if !signed {
            return self.unsigned(envelope);
        }
        // A citizen's device key is bound by their own stream; everybody else's by enrolment.
        if !citizen {
            let enrolled = known.principals.get(&envelope.actor.principal);
            let position = self.scanned.record.position;
            let good = enrolled.is_some_and(|enrolled| {
                enrolled.from < position && enrolled.key == envelope.actor.key
            });
            if !good {
                return Err(self.finding(
                    "actor's key",
                    &"the key this principal was enrolled with before",
                    &envelope.actor.key.unwrap_or(KeyId::ZERO),
                ));
            }
        }
        Ok(Proof::Signed)
    }

    /// The registries' own signatures on what they answered.
    fn registries(&self, envelope: &Envelope, keys: &mut Keys) -> Result<u32, Box<Finding>> {
        evidence::verify_answers_with(envelope, |key, message, signature| {
            keys.verify(false, key, message, signature)
        })
        .map_err(|error| self.finding("registry's signature", &"good", &error))
    }

    /// Without a signature: only where the format allows it.
    fn unsigned(&self, envelope: &Envelope) -> Result<Proof, Box<Finding>> {
        let role = envelope.actor.role;
        let first = envelope.receipt.is_some();
        let proof = match envelope.evidence {
            Evidence::None if matches!(role, Role::Ledger | Role::Clock) => Some(Proof::Other),
            Evidence::None if role == Role::Citizen && first => {
                opens_session(envelope).then_some(Proof::Other)
            }
            Evidence::None if role == Role::Citizen => Some(Proof::Follows(Follows::First)),
            Evidence::Session(_) => {
                matches!(role, Role::Citizen | Role::Guardian | Role::Representative)
                    .then_some(Proof::Other)
            }
            Evidence::Operator => (role == Role::Operator).then_some(Proof::Other),
            Evidence::Carried(event) => Some(Proof::Follows(Follows::Named(event))),
            Evidence::None | Evidence::HttpRequest { .. } | Evidence::Command { .. } => None,
        };
        proof.ok_or_else(|| {
            self.finding(
                "actor's evidence",
                &"a signature",
                &format!("none, of a {role:?}"),
            )
        })
    }
}

/// How a record's actor proved themselves.
enum Proof {
    /// By a signature that verified.
    Signed,
    /// As the format allows without one.
    Other,
    /// By the first event of the same command, which may be named.
    Follows(Follows),
}

/// A citizen whom nothing binds yet proves themselves by what these commands ask for: a code, a
/// password, the registry's answer. Everything after needs the session they open, or a key.
fn opens_session(envelope: &Envelope) -> bool {
    envelope.receipt.as_ref().is_some_and(|receipt| {
        matches!(
            receipt.command,
            CommandKind::RegisterAppAccount
                | CommandKind::ConfirmRegistrationOtp
                | CommandKind::ResendOtp
                | CommandKind::LogIn
                | CommandKind::RequestActivation
                | CommandKind::ConfirmActivationOtp
        )
    })
}
