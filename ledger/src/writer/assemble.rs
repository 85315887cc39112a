//! From decided events to signed records: ids, sealed parts, links, signatures.

use super::LedgerError;
use crate::evidence::Proven;
use crate::store::{Expected, Labels, NewRecord};
use crate::vault::{DataKeys, Subject, Vault, VaultError};
use crate::wiring::Ids;
use bytes::Bytes;
use domain::command::NewEvent;
use domain::envelope::{Actor, Envelope, Evidence, Receipt};
use domain::ids::{
    CommandId, CorrelationId, Digest, EventId, KeyId, Micros, PrincipalId, PublicKey, Revision,
    Signature, StreamId,
};
use domain::personal::Personal;
use domain::record::{self, RecordRef};
use domain::seal::{self, PartPlace};
use domain::vocabulary::{RetentionClass, Role};
use ed25519_dalek::SigningKey;
use std::sync::Arc;

/// What all events of one command share.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Their stream.
    pub stream: StreamId,
    /// Whose keys seal their personal parts.
    pub subject: [u8; 16],
    /// The first event's id, chosen before claims that point at it are made.
    pub first_event: EventId,
    /// The command.
    pub command: CommandId,
    /// What caused it.
    pub causation: Option<EventId>,
    /// What belongs together.
    pub correlation: CorrelationId,
    /// Who.
    pub actor: Actor,
    /// Their proof.
    pub proven: Proven,
    /// What registries were asked and answered under their signatures, kept as the body is.
    pub heard: Vec<Personal>,
    /// The class under which the signed body is kept.
    pub body_class: RetentionClass,
    /// What was decided.
    pub receipt: Option<Receipt>,
    /// When it is recorded.
    pub recorded_at: Micros,
    /// When it happened.
    pub occurred_at: Micros,
    /// Policy version of the decision.
    pub policy: u32,
    /// Catalogue version.
    pub catalogue: u32,
}

impl Draft {
    /// An event of the ledger's own accord.
    pub fn of_ledger(assembler: &Assembler, stream: StreamId) -> Self {
        let now = assembler.ids.clock().now();
        let first_event = assembler.ids.event_id();
        Self {
            stream,
            subject: stream.id.0,
            first_event,
            command: CommandId(first_event.0),
            causation: None,
            correlation: CorrelationId(first_event.0),
            actor: Actor {
                role: Role::Ledger,
                principal: PrincipalId::ZERO,
                key: None,
            },
            proven: Proven::none(),
            heard: Vec::new(),
            body_class: RetentionClass::Permanent,
            receipt: None,
            recorded_at: now,
            occurred_at: now,
            policy: 0,
            catalogue: 0,
        }
    }
}

/// Signed records, ready to append, and what the caller wants to know of them.
#[derive(Debug, Clone)]
pub struct SignedEvents {
    /// The records.
    pub records: Vec<NewRecord>,
    /// Link of the last one.
    pub link: Digest,
    /// The ledger's signature on the last one.
    pub signature: Signature,
}

/// Signs for the ledger.
pub struct Assembler {
    key: SigningKey,
    key_id: KeyId,
    vault: Arc<Vault>,
    ids: Arc<Ids>,
}

impl Assembler {
    /// Signs with `key`, seals under the vault's keys.
    pub fn new(key: SigningKey, vault: Arc<Vault>, ids: Arc<Ids>) -> Self {
        let key_id = PublicKey(key.verifying_key().to_bytes()).id();
        Self {
            key,
            key_id,
            vault,
            ids,
        }
    }

    /// Where ids, nonces and the time come from.
    pub fn ids(&self) -> &Ids {
        &self.ids
    }

    /// Makes the subject's keys durable if the events need them. Before [`Assembler::sign_all`], and
    /// before any event is.
    pub async fn prepare_keys(
        &self,
        draft: &Draft,
        events: &[NewEvent],
    ) -> Result<DataKeys, LedgerError> {
        let mut wanted: Vec<(Subject, RetentionClass)> = events
            .iter()
            .flat_map(|event| &event.sealed)
            .map(|(class, _)| (draft.subject, *class))
            .collect();
        if draft.proven.body().is_some() || !draft.heard.is_empty() {
            wanted.push((draft.subject, draft.body_class));
        }
        wanted.sort_unstable();
        wanted.dedup();
        Ok(self.vault.ensure_keys(&wanted).await?)
    }

    /// Seals, links and signs the events of one command.
    pub fn sign_all(
        &self,
        draft: &Draft,
        expected: Expected,
        mut link: Digest,
        keys: &DataKeys,
        events: Vec<NewEvent>,
    ) -> Result<SignedEvents, LedgerError> {
        let mut records = Vec::with_capacity(events.len());
        let mut revision = expected.first_revision();
        let mut signature = Signature::ZERO;
        for (number, event) in events.into_iter().enumerate() {
            let first = number == 0;
            let event_id = if first {
                draft.first_event
            } else {
                self.ids.event_id()
            };
            let (signed, labels) =
                self.sign_one(draft, (event_id, revision, link), keys, event, first)?;
            link = signed.link;
            signature = Signature(*RecordRef::parse(&signed.record)?.signature);
            records.push(NewRecord {
                event_id,
                link,
                bytes: Bytes::from(signed.record),
                labels,
            });
            revision = Revision(revision.0 + 1);
        }
        Ok(SignedEvents {
            records,
            link,
            signature,
        })
    }

    fn sign_one(
        &self,
        draft: &Draft,
        (event_id, revision, link): (EventId, Revision, Digest),
        keys: &DataKeys,
        event: NewEvent,
        first: bool,
    ) -> Result<(record::Signed, Labels), LedgerError> {
        let mut sealed = event.sealed;
        if first && let Some(body) = draft.proven.body() {
            sealed.push((draft.body_class, Personal::RequestBody(body.to_vec())));
        }
        if first {
            let heard = draft.heard.iter().cloned();
            sealed.extend(heard.map(|exchange| (draft.body_class, exchange)));
        }
        let (parts, commitments) = self.seal_parts(draft.subject, event_id, keys, &sealed)?;
        let evidence = match draft.proven.evidence() {
            Evidence::None => Evidence::None,
            evidence if first => evidence.clone(),
            _ => Evidence::Carried(draft.first_event),
        };
        let envelope = Envelope {
            event_id,
            stream: draft.stream,
            revision,
            link,
            kind: event.event.kind(),
            schema: 1,
            recorded_at: draft.recorded_at,
            occurred_at: event.happened.unwrap_or(draft.occurred_at),
            command: draft.command,
            causation: draft.causation,
            correlation: draft.correlation,
            actor: draft.actor,
            evidence,
            policy: draft.policy,
            catalogue: draft.catalogue,
            receipt: if first { draft.receipt.clone() } else { None },
            facts: event.event.encode().map_err(record::RecordError::Bytes)?,
            sealed: commitments,
            ledger_key: self.key_id,
        };
        Ok((
            record::sign(&envelope, &parts, &self.key)?,
            Labels::of(&envelope),
        ))
    }

    fn seal_parts(
        &self,
        subject: [u8; 16],
        event: EventId,
        keys: &DataKeys,
        sealed: &[(RetentionClass, Personal)],
    ) -> Result<(Vec<Vec<u8>>, Vec<domain::envelope::Commitment>), LedgerError> {
        let mut parts = Vec::with_capacity(sealed.len());
        let mut commitments = Vec::with_capacity(sealed.len());
        for (index, (class, personal)) in sealed.iter().enumerate() {
            let key = keys.get(&subject, *class).ok_or(VaultError::Destroyed)?;
            let nonce = self.ids.array();
            let place = PartPlace {
                event,
                index: index as u8,
                subject,
                class: *class,
            };
            let (part, commitment) = seal::seal(personal, place, key, nonce)?;
            parts.push(part);
            commitments.push(commitment);
        }
        Ok((parts, commitments))
    }
}
