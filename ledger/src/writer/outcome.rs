//! What a command came to, and what it came to the first time: a command given again is answered from
//! the stream and not carried out again.

use super::loaded::{Seen, link_of};
use super::submission::{Outcome, RecordedEvent};
use super::submit::{Attempt, Job};
use super::{LedgerError, append_surely, claims};
use crate::store::AppendError;
use domain::command::{Decision, NewEvent};
use domain::event::Event;
use domain::ids::{AccountId, Digest, EventId, Revision, Signature, StreamId};
use domain::personal::Personal;
use domain::record::{RecordRef, open_event};
use domain::vocabulary::CommandKind;

impl Job<'_> {
    /// A refusal where no account can be told stands in the claim stream of the number used.
    pub(super) async fn refuse_without_account(
        &self,
        decision: Decision,
        exchanges: Vec<Personal>,
    ) -> Result<Attempt, LedgerError> {
        let ledger = self.ledger;
        let store = ledger.store().as_ref();
        let stream = self.fallback.ok_or(LedgerError::AccountNotFound)?;
        let state = claims::read_claim(store, stream).await?;
        let head = store.stream_head(stream).await?;
        if head.map(|head| head.revision) != state.revision {
            return Ok(Attempt::Again);
        }
        let events: Vec<NewEvent> = decision
            .events
            .iter()
            .filter(|event| matches!(event.event, Event::CommandRejected(_)))
            .map(|event| NewEvent {
                event: event.event.clone(),
                sealed: Vec::new(),
                happened: None,
            })
            .collect();
        let mut draft = self.draft(stream, &[], &decision, exchanges);
        draft.actor.principal = self.submission.actor.principal;
        let keys = ledger.assembler().prepare_keys(&draft, &events).await?;
        let signed = ledger.assembler().sign_all(
            &draft,
            state.expected(),
            link_of(head),
            &keys,
            events.clone(),
        )?;
        let records = signed.records.clone();
        let first = state.expected().first_revision();
        match append_surely(store, stream, state.expected(), signed.records).await {
            Ok(appended) => {
                let seen = Seen {
                    kind: Some(decision.receipt.command),
                    refused: decision.refused(),
                    events: records
                        .iter()
                        .enumerate()
                        .map(|(number, record)| RecordedEvent {
                            position: domain::ids::Position(appended.first.0 + number as u64),
                            revision: Revision(first.0 + number as u64),
                            event_id: record.event_id,
                            kind: events.get(number).map_or(0, |event| event.event.kind()),
                        })
                        .collect(),
                };
                Ok(Attempt::Done(Box::new(Outcome {
                    link: signed.link,
                    signature: signed.signature,
                    ..outcome_of(None, stream, &seen, &events)
                })))
            }
            Err(AppendError::Conflict { .. }) => Ok(Attempt::Again),
            Err(error) => Err(error.into()),
        }
    }

    /// A refusal of the same command id in the claim stream.
    pub(super) async fn repeated_on_claim(&self) -> Result<Option<Outcome>, LedgerError> {
        let Some(stream) = self.fallback else {
            return Ok(None);
        };
        let store = self.ledger.store().as_ref();
        let mut seen: Option<Seen> = None;
        for (record, envelope, _) in claims::read_decoded(store, stream).await? {
            if envelope.command == self.submission.command_id
                && let Some(receipt) = &envelope.receipt
            {
                seen = Some(Seen {
                    kind: Some(receipt.command),
                    refused: receipt.refused,
                    events: vec![RecordedEvent {
                        position: record.position,
                        revision: record.revision,
                        event_id: envelope.event_id,
                        kind: envelope.kind,
                    }],
                });
            }
        }
        match seen {
            Some(seen) => self.repeat(stream, seen).await.map(Some),
            None => Ok(None),
        }
    }

    /// What became of this command the first time.
    pub(super) async fn repeat(
        &self,
        stream: StreamId,
        seen: Seen,
    ) -> Result<Outcome, LedgerError> {
        let kind_same = seen
            .kind
            .is_none_or(|kind: CommandKind| kind == self.command.kind());
        if !kind_same {
            return Err(LedgerError::CommandIdReused);
        }
        let store = self.ledger.store().as_ref();
        let from = seen
            .events
            .first()
            .map_or(Revision(0), |event| event.revision);
        let mut page = Vec::with_capacity(seen.events.len());
        while page.len() < seen.events.len() {
            let next = Revision(from.0 + page.len() as u64);
            let more = store
                .read_stream(stream, next, seen.events.len() - page.len())
                .await?;
            if more.is_empty() {
                return Err(LedgerError::Contended);
            }
            page.extend(more);
        }
        let mut events = Vec::new();
        let mut last: Option<(Digest, Signature)> = None;
        for (number, record) in page.iter().enumerate() {
            let parsed = RecordRef::parse(&record.bytes)?;
            let envelope = parsed.open_envelope()?;
            if number == 0 {
                self.same_body(&parsed, &envelope).await?;
            }
            events.push(NewEvent {
                event: open_event(&envelope)?,
                sealed: Vec::new(),
                happened: None,
            });
            last = Some((parsed.link(), Signature(*parsed.signature)));
        }
        let (link, signature) = last.ok_or(LedgerError::Contended)?;
        let account = stream.as_account();
        let outcome = outcome_of(account, stream, &seen, &events);
        Ok(Outcome {
            repeated: true,
            link,
            signature,
            ..outcome
        })
    }

    /// The same command id with another body is another command.
    pub(super) async fn same_body(
        &self,
        record: &RecordRef<'_>,
        envelope: &domain::envelope::Envelope,
    ) -> Result<(), LedgerError> {
        let opened = super::open_parts(record, envelope, self.ledger.vault()).await?;
        for personal in opened.into_iter().flatten() {
            if let domain::personal::Personal::RequestBody(body) = &personal
                && self
                    .submission
                    .proven
                    .body()
                    .is_some_and(|new| new != body.as_slice())
            {
                return Err(LedgerError::CommandIdReused);
            }
        }
        Ok(())
    }
}

pub(super) fn outcome_of(
    account: Option<AccountId>,
    stream: StreamId,
    seen: &Seen,
    events: &[NewEvent],
) -> Outcome {
    let last = seen.events.last().copied();
    let ids = Ids::of(events, &seen.events);
    Outcome {
        account,
        stream,
        refused: seen.refused,
        events: seen.events.clone(),
        position: last.map_or(domain::ids::Position(0), |event| event.position),
        revision: last.map_or(Revision(0), |event| event.revision),
        link: Digest::ZERO,
        signature: Signature::ZERO,
        repeated: false,
        challenge: ids.challenge,
        verified: ids.verified,
        case: ids.case,
        document: ids.document,
        share: ids.share,
        lock_request: ids.lock_request,
        shared: None,
    }
}

/// The ids a caller goes on with.
#[derive(Default)]
struct Ids {
    challenge: Option<domain::ids::ChallengeId>,
    verified: Option<EventId>,
    case: Option<domain::ids::CaseId>,
    document: Option<domain::ids::DocumentId>,
    share: Option<(domain::ids::ShareId, domain::ids::Micros)>,
    lock_request: Option<domain::ids::RequestId>,
}

impl Ids {
    fn of(events: &[NewEvent], recorded: &[RecordedEvent]) -> Self {
        let mut ids = Self::default();
        for (number, event) in events.iter().enumerate() {
            match &event.event {
                Event::OtpChallengeIssued(facts) => ids.challenge = Some(facts.challenge),
                Event::OtpVerified(_) | Event::ActivationOtpVerified(_) => {
                    ids.verified = recorded.get(number).map(|event| event.event_id);
                }
                Event::Level1Applied(facts) => ids.case = Some(facts.case),
                Event::Level2IntakeOpened(facts) => ids.case = Some(facts.case),
                Event::AccountIssued(facts) => ids.case = Some(facts.case),
                Event::ForeignerIntakeOpened(facts) => ids.case = Some(facts.case),
                Event::OrganisationApplied(facts) => ids.case = Some(facts.case),
                Event::OrganisationIntakeRecorded(facts) => ids.case = Some(facts.case),
                Event::DocumentLinkRequested(facts) => ids.document = Some(facts.document),
                Event::ShareGranted(facts) => ids.share = Some((facts.share, facts.expires_at)),
                Event::LockRequested(facts) => ids.lock_request = Some(facts.request),
                _ => {}
            }
        }
        ids
    }
}
