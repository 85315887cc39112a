//! Carrying out what was decided: keys, claims, the account's events, and what comes after. The order of
//! these writes is the module's ([`super`]).

use super::assemble::Draft;
use super::loaded::{Loaded, link_of};
use super::observe::Observed;
use super::outcome::outcome_of;
use super::submission::{Outcome, Submission, Target};
use super::submit::{Attempt, Job};
use super::{LedgerError, append_surely, claims, shared};
use crate::store::{AppendError, Expected, StoredRecord};
use crate::vault::KeyState;
use domain::command::{Command, Decision, NewEvent};
use domain::ids::{AccountId, Category, CorrelationId, Revision, StreamId};
use domain::personal::Personal;
use domain::vocabulary::{ClaimEnd, LawKind, RetentionClass, Role};
use std::sync::Arc;

impl Job<'_> {
    /// Destroys what the events say is destroyed: a crash may have come in between.
    pub(super) async fn finish_erasure(&self, loaded: &Loaded) -> Result<(), LedgerError> {
        let vault = self.ledger.vault();
        for class in &loaded.account.erased {
            if let KeyState::Live(_) = vault.key(&self.account.0, *class).await? {
                vault.destroy(&self.account.0, *class).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn carry_out(
        &self,
        loaded: &mut Loaded,
        observed: &Observed,
        decision: Decision,
    ) -> Result<Attempt, LedgerError> {
        let ledger = self.ledger;
        let store = ledger.store().as_ref();
        let refused = decision.refused().is_some();
        let stream = StreamId::account(self.account);
        let expected = loaded
            .head
            .map_or(Expected::NoStream, |head| Expected::Revision(head.revision));
        let heard = observed.exchanges();
        let draft = self.draft(stream, &loaded.account.erased, &decision, heard);
        if !refused {
            Observed::keep_credential(self).await?;
        }
        let events = sealable(loaded, &decision);
        let keys = ledger.assembler().prepare_keys(&draft, &events).await?;
        if !refused && !self.take_claims(observed, &decision).await? {
            return Ok(Attempt::Again);
        }
        let link = link_of(loaded.head);
        let signed = ledger
            .assembler()
            .sign_all(&draft, expected, link, &keys, events)?;
        let records = signed.records.clone();
        let appended = match append_surely(store, stream, expected, signed.records).await {
            Ok(appended) => appended,
            Err(AppendError::Conflict { .. }) => return Ok(Attempt::Again),
            Err(error) => return Err(error.into()),
        };
        let contiguous = appended.last.0 + 1 == appended.first.0 + records.len() as u64;
        for (number, record) in records.into_iter().enumerate() {
            let stored = StoredRecord {
                position: domain::ids::Position(appended.first.0 + number as u64),
                stream,
                revision: Revision(expected.first_revision().0 + number as u64),
                bytes: record.bytes,
            };
            if contiguous {
                loaded.learn(&stored, ledger.vault()).await?;
            }
        }
        if !contiguous {
            loaded.catch_up(store, ledger.vault(), self.account).await?;
        }
        self.after(loaded, &decision).await?;
        let seen = loaded
            .seen
            .get(&self.submission.command_id)
            .cloned()
            .ok_or(LedgerError::BadSubmission("the command left no event"))?;
        let shared = match &self.command {
            Command::ConsumeShare { share } if !refused => {
                Some(shared::open(ledger, loaded, self.account, *share).await?)
            }
            _ => None,
        };
        Ok(Attempt::Done(Box::new(Outcome {
            link: signed.link,
            signature: signed.signature,
            shared,
            ..outcome_of(Some(self.account), stream, &seen, &decision.events)
        })))
    }

    /// Everything shared by the events of this command.
    pub(super) fn draft(
        &self,
        stream: StreamId,
        erased: &[RetentionClass],
        decision: &Decision,
        mut heard: Vec<Personal>,
    ) -> Draft {
        let submission = self.submission;
        let class = body_class(&self.command, stream);
        if erased.contains(&class) {
            heard.clear();
        }
        let now = self.ledger.now();
        Draft {
            stream,
            subject: stream.id.0,
            first_event: self.first_event,
            command: submission.command_id,
            causation: None,
            correlation: submission
                .correlation
                .unwrap_or(CorrelationId(submission.command_id.0)),
            actor: self.actor(),
            proven: submission.proven.clone().kept(!erased.contains(&class)),
            heard,
            body_class: class,
            receipt: Some(decision.receipt.clone()),
            recorded_at: now,
            occurred_at: submission.occurred_at.unwrap_or(now).min(now),
            policy: self.law.version(LawKind::Policy),
            catalogue: self.law.version(LawKind::Catalogue),
        }
    }

    /// `false`: somebody else was faster, look again.
    pub(super) async fn take_claims(
        &self,
        observed: &Observed,
        decision: &Decision,
    ) -> Result<bool, LedgerError> {
        let ledger = self.ledger;
        let store = ledger.store().as_ref();
        for (other, command) in &decision.first {
            if !self.carry_out_for(*other, command).await? {
                return Ok(false);
            }
        }
        for change in decision.claims.iter().filter(|change| change.take) {
            let Some((stream, mut state, own)) = observed.claim(change.claim) else {
                return Err(LedgerError::BadSubmission(
                    "a claim was decided but not observed",
                ));
            };
            if own {
                continue;
            }
            if state.open.is_some() {
                state = claims::read_claim(store, stream).await?;
            }
            let taken = state.open.is_none()
                && claims::take(ledger, stream, state, self.account, self.first_event).await?;
            if !taken {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Carries out a command of the ledger's own on another account: a device that is taken over is
    /// unbound there (C-09). Under that account's own rules and in its own stream; its lock is not
    /// taken, since this command holds one already, so a conflict only means to look again.
    pub(super) async fn carry_out_for(
        &self,
        other: AccountId,
        command: &Command,
    ) -> Result<bool, LedgerError> {
        let ledger = self.ledger;
        let ids = ledger.assembler().ids();
        let submission = Submission {
            command: command.clone(),
            target: Target::Account(other),
            command_id: domain::ids::CommandId(ids.id()),
            correlation: Some(CorrelationId(self.submission.command_id.0)),
            actor: domain::envelope::Actor {
                role: Role::Ledger,
                principal: domain::ids::PrincipalId::ZERO,
                key: None,
            },
            proven: crate::evidence::Proven::none(),
            expected: None,
            occurred_at: self.submission.occurred_at,
            secrets: super::Secrets::default(),
        };
        let job = Job {
            ledger,
            submission: &submission,
            command: command.clone(),
            account: other,
            guardian: None,
            fallback: None,
            first_event: ids.event_id(),
            attempts: 1,
            law: Arc::clone(&self.law),
        };
        let mut loaded = Loaded::default();
        loaded
            .catch_up(ledger.store().as_ref(), ledger.vault(), other)
            .await?;
        let observed = Observed::default();
        let decision = observed.decide(&job, &loaded);
        if decision.refused().is_some() || !decision.first.is_empty() {
            return Err(LedgerError::Contended);
        }
        // Boxed: the writer calls itself, one level deep (checked above).
        let attempt = Box::pin(job.carry_out(&mut loaded, &observed, decision)).await?;
        Ok(matches!(attempt, Attempt::Done(_)))
    }

    /// Releases claims given up and sends notices. The command is done already: what fails here is
    /// settled by whoever meets the claim, or asked for again.
    pub(super) async fn after(
        &self,
        loaded: &Loaded,
        decision: &Decision,
    ) -> Result<(), LedgerError> {
        let ledger = self.ledger;
        if decision.refused().is_none() {
            let reason = match self.command {
                Command::CloseAccount { .. } => ClaimEnd::AccountClosed,
                _ => ClaimEnd::Changed,
            };
            for change in decision.claims.iter().filter(|change| !change.take) {
                if let Some(stream) =
                    super::observe::stream_of(ledger, change.claim, &self.command, loaded)
                {
                    claims::release(ledger, stream, self.account, reason).await?;
                }
            }
            self.finish_erasure(loaded).await?;
        }
        // Codes only: they are never stored. Everything else is told from the events (`outbox`).
        for notice in decision
            .send
            .iter()
            .filter(|notice| notice.challenge.is_some())
        {
            let phone = if notice.to_new_phone {
                super::observe::new_phone(&self.command, loaded)
            } else {
                loaded.registered_phone()
            };
            let phone = phone.filter(|phone| !phone.is_empty());
            let email = match phone {
                Some(_) => None,
                None => super::observe::email(&self.command, loaded),
            };
            let code = notice.challenge.map(|challenge| (self.account, challenge));
            ledger.notify(self.account, (phone, email), notice.message, code);
        }
        Ok(())
    }
}

/// Under which class a command's signed body is kept: what it proves lives as long as its events.
fn body_class(command: &Command, stream: StreamId) -> RetentionClass {
    match (stream.category, command) {
        (
            Category::Account,
            Command::LogIn { .. }
            | Command::ShareData { .. }
            | Command::ConsumeShare { .. }
            | Command::ActForOrganisation { .. },
        ) => RetentionClass::Usage,
        (Category::Account, Command::ResendOtp { .. }) => RetentionClass::Short,
        (Category::Account, _) => RetentionClass::Permanent,
        _ => RetentionClass::Short,
    }
}

/// The events without what can no longer be sealed, because the key of its class was destroyed:
/// what is erased stays erased, and the account goes on.
fn sealable(loaded: &Loaded, decision: &Decision) -> Vec<NewEvent> {
    let mut events = decision.events.clone();
    for event in &mut events {
        event
            .sealed
            .retain(|(class, _)| !loaded.account.erased.contains(class));
    }
    events
}
