//! Making law: propose, approve, reject, each one signed event in the stream of its kind.
//!
//! Owns the way from an order to its event and the answer to "what is in force". The rules are
//! [`domain::law::decide_law`]'s; a refusal is recorded in the same stream.

use crate::evidence::{Proven, SignedCommand};
use crate::ledger::Ledger;
use crate::store::{AppendError, Expected, StoredRecord};
use crate::writer::assemble::Draft;
use crate::writer::{self, ATTEMPTS_MAX, LedgerError, RecordedEvent, claims};
use domain::account::Recorded;
use domain::command::{Command, NewEvent};
use domain::envelope::{Actor, Envelope, Refused};
use domain::event::Event;
use domain::ids::{
    CommandId, CorrelationId, Digest, Micros, PrincipalId, Revision, Signature, StreamId,
};
use domain::law::{
    Edition, Known, LawBook, LawContext, LawDecision, LawDraft, LawOrder, decide_law,
};
use domain::record::RecordRef;
use domain::vocabulary::{LawKind, Role};
use ed25519_dalek::SigningKey;
use std::sync::Arc;

/// One order to carry out.
#[derive(Clone)]
pub struct LawSubmission {
    /// What.
    pub order: LawOrder,
    /// Its id: submitting it again answers instead of doing it again.
    pub command_id: CommandId,
    /// What it belongs to; the command itself if nothing.
    pub correlation: Option<CorrelationId>,
    /// Who asks.
    pub actor: Actor,
    /// Their proof.
    pub proven: Proven,
}

/// What became of it. Durable when it is returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LawOutcome {
    /// Which law.
    pub law: LawKind,
    /// Which version; 0: refused.
    pub version: u32,
    /// Why it was refused, if it was.
    pub refused: Option<Refused>,
    /// The event.
    pub event: RecordedEvent,
    /// Link of the event.
    pub link: Digest,
    /// The ledger's signature on it.
    pub signature: Signature,
    /// This command id was carried out before; this is what became of it then.
    pub repeated: bool,
}

/// The command that stands for an order in what its actor signs: content is named by its digest.
pub fn command_of(order: &LawOrder) -> Command {
    match order {
        LawOrder::Propose { draft, digest } => Command::ProposeLaw {
            law: draft.kind(),
            digest: *digest,
        },
        LawOrder::Approve {
            law,
            version,
            digest,
        } => Command::ApproveLaw {
            law: *law,
            version: *version,
            digest: *digest,
        },
        LawOrder::Reject { law, version } => Command::RejectLaw {
            law: *law,
            version: *version,
        },
    }
}

impl LawSubmission {
    /// An order signed by a principal of the authority outside HTTP.
    pub fn signed(
        order: LawOrder,
        principal: PrincipalId,
        key: &SigningKey,
        command_id: CommandId,
        salt: [u8; 16],
    ) -> Result<Self, LedgerError> {
        let command = SignedCommand {
            salt,
            command_id,
            account: None,
            command: command_of(&order),
        };
        let proven = command.sign(key)?;
        let actor = Actor {
            role: Role::EidAuthority,
            principal,
            key: proven.key().map(domain::ids::PublicKey::id),
        };
        Ok(Self {
            order,
            command_id,
            correlation: None,
            actor,
            proven,
        })
    }
}

/// The law as folded so far, and what is in force at the moment.
#[derive(Default)]
pub(crate) struct Statutes {
    pub book: LawBook,
    /// Revision of the next event of each kind's stream.
    next: [u64; LawKind::ALL.len()],
    edition: Option<Arc<Edition>>,
}

impl Statutes {
    /// Takes in the next event of a law's stream; one that was taken in before changes nothing.
    pub fn learn(&mut self, record: &StoredRecord, envelope: &Envelope, event: &Event) {
        let kind = LawKind::ALL
            .iter()
            .find(|kind| kind.stream() == record.stream);
        let Some(next) = kind.and_then(|kind| self.next.get_mut(*kind as usize)) else {
            return;
        };
        if record.revision.0 < *next {
            return;
        }
        *next = record.revision.0 + 1;
        self.book.learn(&Recorded {
            event,
            event_id: envelope.event_id,
            revision: record.revision,
            position: Some(record.position),
            recorded_at: envelope.recorded_at,
            occurred_at: envelope.occurred_at,
            policy: envelope.policy,
        });
        self.edition = None;
    }
}

impl Ledger {
    /// What is in force at an instant, as known now.
    pub fn law_at(&self, at: Micros) -> Arc<Edition> {
        let cached = self.statutes().read().edition.clone();
        if let Some(edition) = cached.filter(|edition| edition.holds(at)) {
            return edition;
        }
        let mut statutes = self.statutes().write();
        let edition = Arc::new(statutes.book.edition(at, Known::Now));
        statutes.edition = Some(Arc::clone(&edition));
        edition
    }

    /// What is in force now.
    pub fn law(&self) -> Arc<Edition> {
        self.law_at(self.now())
    }

    /// Every version of every law.
    pub fn law_book(&self) -> LawBook {
        self.statutes().read().book.clone()
    }

    /// What was in force at an instant, as known at another.
    pub fn law_known(&self, at: Micros, known: Known) -> Edition {
        self.statutes().read().book.edition(at, known)
    }

    /// Carries out an order. Whatever is returned as `Ok` is durable; a refusal is recorded too.
    pub async fn submit_law(&self, submission: LawSubmission) -> Result<LawOutcome, LedgerError> {
        self.gate().pass()?;
        self.check_principal(submission.actor, &submission.proven)?;
        self.keep_in_step().await?;
        let stream = submission.order.law().stream();
        let _law = self.account_locks().lock(&[stream]).await;
        for _ in 0..ATTEMPTS_MAX {
            if let Some(outcome) = self.attempt_law(&submission, stream).await? {
                return Ok(outcome);
            }
        }
        Err(LedgerError::Contended)
    }

    async fn attempt_law(
        &self,
        submission: &LawSubmission,
        stream: StreamId,
    ) -> Result<Option<LawOutcome>, LedgerError> {
        let store = self.store().as_ref();
        let mut head = None;
        for (record, envelope, event) in claims::read_decoded(store, stream).await? {
            self.statutes().write().learn(&record, &envelope, &event);
            if envelope.command == submission.command_id {
                return repeated(submission, &record, &envelope, &event).map(Some);
            }
            head = Some((record.revision, RecordRef::parse(&record.bytes)?.link()));
        }
        let decision = self.decide_law(submission);
        let now = self.now();
        let law = self.law_at(now);
        let draft = Draft {
            command: submission.command_id,
            correlation: submission
                .correlation
                .unwrap_or(CorrelationId(submission.command_id.0)),
            actor: submission.actor,
            proven: submission.proven.clone(),
            receipt: Some(decision.receipt.clone()),
            recorded_at: now,
            occurred_at: now,
            policy: law.version(LawKind::Policy),
            catalogue: law.version(LawKind::Catalogue),
            ..Draft::of_ledger(self.assembler(), stream)
        };
        let events = vec![NewEvent {
            event: decision.event.clone(),
            sealed: Vec::new(),
            happened: None,
        }];
        let keys = self.assembler().prepare_keys(&draft, &events).await?;
        let expected = head.map_or(Expected::NoStream, |(revision, _)| {
            Expected::Revision(revision)
        });
        let link = head.map_or(Digest::ZERO, |(_, link)| link);
        let signed = self
            .assembler()
            .sign_all(&draft, expected, link, &keys, events)?;
        let bytes = signed.records.first().map(|record| record.bytes.clone());
        let appended = match writer::append_surely(store, stream, expected, signed.records).await {
            Ok(appended) => appended,
            Err(AppendError::Conflict { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let record = StoredRecord {
            position: appended.last,
            stream,
            revision: appended.revision,
            bytes: bytes.unwrap_or_default(),
        };
        let envelope = RecordRef::parse(&record.bytes)?.open_envelope()?;
        self.statutes()
            .write()
            .learn(&record, &envelope, &decision.event);
        Ok(Some(LawOutcome {
            law: submission.order.law(),
            version: decision.version,
            refused: decision.receipt.refused,
            event: recorded(&record, &envelope),
            link: signed.link,
            signature: signed.signature,
            repeated: false,
        }))
    }

    fn decide_law(&self, submission: &LawSubmission) -> LawDecision {
        let principals = self.principals();
        let key = submission.actor.key;
        let same_key_as = |other: PrincipalId| {
            let known = principals.get(other).and_then(|principal| principal.key);
            key.is_some() && known.map(|known| known.id()) == key
        };
        let statutes = self.statutes().read();
        let context = LawContext {
            now: self.now(),
            actor: submission.actor,
            book: &statutes.book,
            founding: principals.all().next().is_none(),
            same_key_as: &same_key_as,
        };
        decide_law(&submission.order, &context)
    }

    /// Lays down the first law of a new ledger: whoever makes it, before anybody is enrolled. What is there
    /// already is left as it is, so that a making that was cut short can be finished.
    pub async fn found_law(&self, drafts: Vec<LawDraft>) -> Result<(), LedgerError> {
        for draft in drafts {
            let law = draft.kind();
            let digest = draft
                .digest()
                .map_err(|_| LedgerError::BadSubmission("a law has no canonical encoding"))?;
            let book = self.law_book();
            let same = |known: LawKind, of: Digest| known == law && of == digest;
            if book.published().any(|known| same(known.law, known.digest)) {
                continue;
            }
            let open = book
                .proposals()
                .iter()
                .find(|known| same(known.law, known.digest) && !known.settled);
            let version = if let Some(open) = open {
                open.version
            } else {
                let draft = Arc::new(draft);
                let order = LawOrder::Propose { draft, digest };
                self.found(order).await?
            };
            let order = LawOrder::Approve {
                law,
                version,
                digest,
            };
            self.found(order).await?;
        }
        Ok(())
    }

    async fn found(&self, order: LawOrder) -> Result<u32, LedgerError> {
        let outcome = self
            .submit_law(LawSubmission {
                order,
                command_id: CommandId(self.assembler().ids().id()),
                correlation: None,
                actor: Actor {
                    role: Role::Operator,
                    principal: PrincipalId::ZERO,
                    key: None,
                },
                proven: Proven::operator(),
            })
            .await?;
        match outcome.refused {
            None => Ok(outcome.version),
            Some(refused) => Err(LedgerError::Founding(refused)),
        }
    }
}

/// What became of the same command before. The same id with another order is another command.
fn repeated(
    submission: &LawSubmission,
    record: &StoredRecord,
    envelope: &Envelope,
    event: &Event,
) -> Result<LawOutcome, LedgerError> {
    let receipt = envelope.receipt.as_ref();
    let same_kind = receipt.is_some_and(|receipt| receipt.command == submission.order.kind());
    let same = match (event, &submission.order) {
        (Event::LawProposed(facts), LawOrder::Propose { digest, .. }) => facts.digest == *digest,
        (Event::LawRejected(facts), LawOrder::Reject { version, .. }) => facts.version == *version,
        (Event::CommandRejected(_), _) => true,
        (event, LawOrder::Approve { version, .. }) => event
            .published_law()
            .is_some_and(|(_, known, _)| known == *version),
        _ => false,
    };
    if !(same && same_kind) {
        return Err(LedgerError::CommandIdReused);
    }
    let version = match event {
        Event::LawProposed(facts) => facts.version,
        Event::LawRejected(facts) => facts.version,
        event => event.published_law().map_or(0, |(_, version, _)| version),
    };
    let parsed = RecordRef::parse(&record.bytes)?;
    Ok(LawOutcome {
        law: submission.order.law(),
        version,
        refused: receipt.and_then(|receipt| receipt.refused),
        event: recorded(record, envelope),
        link: parsed.link(),
        signature: Signature(*parsed.signature),
        repeated: true,
    })
}

fn recorded(record: &StoredRecord, envelope: &Envelope) -> RecordedEvent {
    RecordedEvent {
        position: record.position,
        revision: Revision(record.revision.0),
        event_id: envelope.event_id,
        kind: envelope.kind,
    }
}
