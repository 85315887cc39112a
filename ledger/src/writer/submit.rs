//! Carrying out one command.

use super::assemble::Draft;
use super::loaded::{Loaded, Seen, link_of};
use super::observe::{Observed, claims_of};
use super::submission::{Outcome, RecordedEvent, Submission, Target};
use super::{ATTEMPTS_MAX, LedgerError, append_surely, claims, shared};
use crate::ledger::Ledger;
use crate::store::{AppendError, Expected, StoredRecord};
use crate::vault::KeyState;
use domain::command::{Command, Decision, Needs, NewEvent};
use domain::decide::{needs, roles};
use domain::event::Event;
use domain::ids::Category;
use domain::ids::{AccountId, CorrelationId, Digest, EventId, Revision, Signature, StreamId};
use domain::law::Edition;
use domain::personal::Personal;
use domain::record::{RecordRef, open_event};
use domain::vocabulary::{ClaimEnd, CommandKind, LawKind, RetentionClass, Role};
use std::sync::Arc;

/// What one attempt came to.
enum Attempt {
    Done(Box<Outcome>),
    Again,
}

/// A command on its way.
pub(super) struct Job<'a> {
    pub ledger: &'a Ledger,
    pub submission: &'a Submission,
    /// The command as it is decided; the caller's, but for what the target resolves.
    pub command: Command,
    pub account: AccountId,
    /// The guardian whose device signed, where that was found out here.
    pub guardian: Option<AccountId>,
    /// The claim stream that takes a refusal when there is no account.
    pub fallback: Option<StreamId>,
    /// The account event that will make this command's claims good.
    pub first_event: EventId,
    /// Attempts so far, this one included.
    pub attempts: usize,
    /// The law in force when it happened, as known now.
    pub law: Arc<Edition>,
}

impl Ledger {
    /// Carries out a command. Whatever is returned as `Ok` is durable.
    pub async fn submit(&self, submission: Submission) -> Result<Outcome, LedgerError> {
        self.gate().pass()?;
        self.keep_in_step().await?;
        self.check_actor(&submission)?;
        let mut job = self.resolve(&submission).await?;
        let _account = self
            .account_locks()
            .lock(&[StreamId::account(job.account)])
            .await;
        for _ in 0..ATTEMPTS_MAX {
            let mut loaded = self.cache().take(job.account);
            job.attempts += 1;
            // Boxed: whoever waits for a command should not carry all of its states about.
            let attempt = Box::pin(job.attempt(&mut loaded)).await;
            if attempt.is_ok() {
                self.cache().put(job.account, loaded);
            }
            match attempt? {
                Attempt::Done(outcome) => return Ok(*outcome),
                Attempt::Again => {}
            }
        }
        Err(LedgerError::Contended)
    }

    /// Who asks must be enrolled, active, and have signed with their own key.
    fn check_actor(&self, submission: &Submission) -> Result<(), LedgerError> {
        self.check_principal(submission.actor, &submission.proven)
    }

    /// The law in force when a command happened.
    fn law_of(&self, submission: &Submission) -> Arc<Edition> {
        let now = self.now();
        self.law_at(submission.occurred_at.unwrap_or(now).min(now))
    }

    /// The same for whoever acts on any stream.
    pub(crate) fn check_principal(
        &self,
        actor: domain::envelope::Actor,
        proven: &crate::evidence::Proven,
    ) -> Result<(), LedgerError> {
        if actor.key != proven.key().map(domain::ids::PublicKey::id) {
            return Err(LedgerError::Unauthorised);
        }
        match actor.role {
            Role::Citizen
            | Role::Guardian
            | Role::Representative
            | Role::Ledger
            | Role::Clock
            | Role::Operator => Ok(()),
            _ => {
                let principals = self.principals();
                let known = principals.get(actor.principal).filter(|principal| {
                    principal.role == actor.role
                        && principal.key.map(|key| key.id()) == actor.key
                        && principal.active(self.now())
                });
                known.map(|_| ()).ok_or(LedgerError::Unauthorised)
            }
        }
    }

    /// Which account a command is for.
    async fn resolve<'a>(&'a self, submission: &'a Submission) -> Result<Job<'a>, LedgerError> {
        let mut command = submission.command.clone();
        let mut fallback = None;
        let fresh = AccountId(self.derive_id("account", &submission.command_id.0));
        let account = match &submission.target {
            Target::Account(account) => *account,
            Target::New => {
                let stream = self.claim_of(&command)?;
                let holder = self.holder_of(stream, &mut fallback).await?;
                match (&mut command, holder) {
                    (
                        Command::OpenLevel2Intake { person, .. }
                        | Command::OpenForeignerIntake { person, .. },
                        Some(holder),
                    ) => {
                        if holder != fresh {
                            self.entered_for(holder, person).await?;
                        }
                        holder
                    }
                    // Begun and not finished: begun again in the same stream.
                    (
                        Command::RegisterAppAccount { .. }
                        | Command::RegisterForeigner { .. }
                        | Command::RegisterOrganisation { .. }
                        | Command::OpenOrganisationIntake { .. }
                        | Command::ImportAccount { .. }
                        | Command::OpenDependantAccount { .. },
                        Some(holder),
                    ) if !self.has_account(holder).await? => holder,
                    _ => fresh,
                }
            }
            Target::Find { personal_id, .. } => {
                let stream = self.claim(Category::PersonalIdClaim, personal_id);
                let holder = self.holder_of(stream, &mut fallback).await?;
                holder.unwrap_or(fresh)
            }
        };
        let first_event = self.assembler().ids().event_id();
        Ok(Job {
            ledger: self,
            submission,
            command,
            account,
            guardian: None,
            fallback,
            first_event,
            attempts: 0,
            law: self.law_of(submission),
        })
    }

    /// What an officer enters of somebody who has an account is not taken: what is known of them is. Only an
    /// account that was brought in without a name takes the name, and keeps its phone number.
    async fn entered_for(
        &self,
        holder: AccountId,
        person: &mut Option<domain::personal::Person>,
    ) -> Result<(), LedgerError> {
        let mut loaded = Loaded::default();
        loaded
            .catch_up(self.store().as_ref(), self.vault(), holder)
            .await?;
        if !loaded.account.exists() && !loaded.account.is_closed() {
            return Ok(());
        }
        let nameless = loaded.account.imported.is_some()
            && loaded
                .person
                .as_ref()
                .is_some_and(|known| known.full_name.is_empty());
        match person {
            Some(entered) if nameless => {
                loaded
                    .registered_phone()
                    .unwrap_or_default()
                    .clone_into(&mut entered.phone);
            }
            _ => *person = None,
        }
        Ok(())
    }

    /// Whether somebody has an account there, or only began one.
    async fn has_account(&self, account: AccountId) -> Result<bool, LedgerError> {
        let mut loaded = Loaded::default();
        loaded
            .catch_up(self.store().as_ref(), self.vault(), account)
            .await?;
        Ok(loaded.account.exists() || loaded.account.is_closed())
    }

    /// The claim stream of the number in a command that may make an account.
    fn claim_of(&self, command: &Command) -> Result<StreamId, LedgerError> {
        match command {
            Command::RegisterAppAccount { person, .. }
            | Command::RegisterForeigner { person, .. }
            | Command::ImportAccount { person, .. }
            | Command::OpenDependantAccount { person, .. }
            | Command::OpenLevel2Intake {
                person: Some(person),
                ..
            }
            | Command::OpenForeignerIntake {
                person: Some(person),
                ..
            } => Ok(self.claim(Category::PersonalIdClaim, &person.personal_id)),
            Command::RegisterOrganisation { organisation, .. }
            | Command::OpenOrganisationIntake { organisation, .. } => {
                Ok(self.organisation_claim(&organisation.number))
            }
            _ => Err(LedgerError::BadSubmission("this command needs an account")),
        }
    }

    /// The account that holds a number, by its claim stream.
    async fn holder_of(
        &self,
        stream: StreamId,
        claim: &mut Option<StreamId>,
    ) -> Result<Option<AccountId>, LedgerError> {
        *claim = Some(stream);
        let state = claims::read_claim(self.store().as_ref(), stream).await?;
        let Some((account, _)) = state.open else {
            return Ok(None);
        };
        let head = self.store().stream_head(StreamId::account(account)).await?;
        Ok(head.map(|_| account))
    }
}

impl Job<'_> {
    async fn attempt(&mut self, loaded: &mut Loaded) -> Result<Attempt, LedgerError> {
        let ledger = self.ledger;
        let store = ledger.store().as_ref();
        loaded.catch_up(store, ledger.vault(), self.account).await?;
        self.finish_erasure(loaded).await?;
        if let Some(seen) = loaded.seen.get(&self.submission.command_id) {
            let stream = StreamId::account(self.account);
            return Ok(Attempt::Done(Box::new(
                self.repeat(stream, seen.clone()).await?,
            )));
        }
        if loaded.head.is_none() {
            if let Some(outcome) = self.repeated_on_claim().await? {
                return Ok(Attempt::Done(Box::new(outcome)));
            }
            if matches!(self.submission.target, Target::Account(_)) {
                return Err(LedgerError::AccountNotFound);
            }
        }
        if let Some(expected) = self.submission.expected {
            let current = loaded.head.map(|head| head.revision);
            if current != Some(expected) {
                return Err(LedgerError::ExpectedRevision { current });
            }
        }
        self.check_holder(loaded)?;
        self.check_guardian(loaded).await?;
        self.check_representative(loaded).await?;
        if loaded
            .account
            .forfeited
            .iter()
            .any(|gone| gone.confirmed_by == self.first_event)
        {
            self.first_event = ledger.assembler().ids().event_id();
        }
        self.match_phone(loaded);
        self.recognise_guardian(loaded).await?;
        // For whoever may not ask nothing is looked up.
        let may_ask = roles(self.command.kind()).contains(&self.submission.actor.role);
        let needs = if may_ask {
            needs(&loaded.account, &self.command)
        } else {
            Needs::default()
        };
        let streams = claims_of(ledger, &needs, &self.command, loaded);
        let all: Vec<_> = streams.iter().map(|(_, stream)| *stream).collect();
        let _claims = ledger.claim_locks().lock(&all).await;
        let observed = Observed::gather(self, loaded, &needs, &streams).await?;
        if observed.is_silent(self, &needs) {
            return Err(LedgerError::RegistrySilent);
        }
        let decision = observed.decide(self, loaded);
        if let (Some(refused), true) = (decision.refused(), decision.events.is_empty()) {
            return Err(LedgerError::Flood { refused });
        }
        if loaded.head.is_none() && decision.refused().is_some() {
            return self
                .refuse_without_account(decision, observed.exchanges())
                .await;
        }
        self.carry_out(loaded, &observed, decision).await
    }

    /// P7 step 2: number **and** phone must be the account's; of an account without a phone, its e-mail.
    /// Compared as keyed hashes, so that how much of it is right does not show in the time it takes.
    fn match_phone(&mut self, loaded: &Loaded) {
        let Target::Find { phone, .. } = &self.submission.target else {
            return;
        };
        let ledger = self.ledger;
        let hash = |contact: &str| ledger.lookup(Category::PhoneClaim, contact);
        let contact = loaded.registered_phone().or(loaded.email());
        if let Command::RequestActivation { matched, .. } = &mut self.command {
            *matched = phone.as_deref().map(hash) == contact.map(hash) && phone.is_some();
        }
    }

    /// Destroys what the events say is destroyed: a crash may have come in between.
    async fn finish_erasure(&self, loaded: &Loaded) -> Result<(), LedgerError> {
        let vault = self.ledger.vault();
        for class in &loaded.account.erased {
            if let KeyState::Live(_) = vault.key(&self.account.0, *class).await? {
                vault.destroy(&self.account.0, *class).await?;
            }
        }
        Ok(())
    }

    /// A citizen acts for their own account only, with its own device's key if with one.
    fn check_holder(&self, loaded: &Loaded) -> Result<(), LedgerError> {
        let actor = self.submission.actor;
        if actor.role != Role::Citizen {
            return Ok(());
        }
        let own = actor.principal.0 == self.account.0 || actor.principal.0 == [0; 16];
        let device = loaded.account.device.as_ref().map(|device| device.key.id());
        // A device that is being introduced signs its own introduction; the rules decide on it.
        let introduced = match &self.command {
            Command::RequestActivation { device, .. } | Command::RequestDeviceChange { device } => {
                Some(device.key.id())
            }
            _ => pending_key(&loaded.account).map(|key| key.id()),
        };
        let key_good = actor.key.is_none() || actor.key == device || actor.key == introduced;
        if own && key_good {
            Ok(())
        } else {
            Err(LedgerError::Unauthorised)
        }
    }

    /// A guardian acts with the key of the device bound to their own account, and for nobody but
    /// their dependants; whether they still may is for the rules.
    async fn check_guardian(&self, loaded: &Loaded) -> Result<(), LedgerError> {
        let actor = self.submission.actor;
        if actor.role != Role::Guardian {
            return Ok(());
        }
        let guardian = match &self.command {
            Command::OpenDependantAccount { guardian, .. } => Some(*guardian),
            _ => loaded.account.guardian.as_ref().map(|known| known.account),
        };
        let guardian = guardian
            .filter(|guardian| guardian.0 == actor.principal.0)
            .ok_or(LedgerError::Unauthorised)?;
        self.check_device_of(guardian).await
    }

    /// P7 knows a device by its own signature. Where that is the one bound to the account of a
    /// dependant's guardian, it is the guardian who asks, in their own name.
    async fn recognise_guardian(&mut self, loaded: &Loaded) -> Result<(), LedgerError> {
        let of_activation = matches!(
            self.command,
            Command::RequestActivation { .. }
                | Command::ConfirmActivationOtp { .. }
                | Command::SetPassword { .. }
                | Command::SetPasscode { .. }
                | Command::SetSecurityQuestions { .. }
        );
        let actor = self.submission.actor;
        let Some(guardian) = loaded.account.guardian.as_ref() else {
            return Ok(());
        };
        if !of_activation || actor.role != Role::Citizen || actor.key.is_none() {
            return Ok(());
        }
        match Box::pin(self.check_device_of(guardian.account)).await {
            Ok(()) => self.guardian = Some(guardian.account),
            Err(LedgerError::Unauthorised) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// A legal representative acts with the key of the device bound to their own account. Who is not
    /// (yet) this organisation's names themselves in the command; whether they may is for the rules.
    async fn check_representative(&self, loaded: &Loaded) -> Result<(), LedgerError> {
        let actor = self.submission.actor;
        if actor.role != Role::Representative {
            return Ok(());
        }
        let named = match &self.command {
            Command::RegisterOrganisation { representative, .. }
            | Command::AnswerForOrganisation { representative, .. }
            | Command::ChangeRepresentative { representative } => Some(*representative),
            _ => loaded
                .account
                .organisation
                .as_ref()
                .map(|known| known.representative),
        };
        let own = named
            .filter(|named| named.0 == actor.principal.0)
            .ok_or(LedgerError::Unauthorised)?;
        self.check_device_of(own).await
    }

    /// The actor signed with the key of the device bound to this account.
    async fn check_device_of(&self, account: AccountId) -> Result<(), LedgerError> {
        let (store, vault) = (self.ledger.store().as_ref(), self.ledger.vault());
        let mut own = Loaded::default();
        own.catch_up(store, vault, account).await?;
        let device = own.account.device.as_ref().map(|device| device.key.id());
        if device.is_some() && device == self.submission.actor.key {
            Ok(())
        } else {
            Err(LedgerError::Unauthorised)
        }
    }

    async fn carry_out(
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
    fn draft(
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

    /// Who asked; a citizen who has just become an account holder is named by it.
    pub(super) fn actor(&self) -> domain::envelope::Actor {
        let mut actor = self.submission.actor;
        if let Some(guardian) = self.guardian {
            actor.role = Role::Guardian;
            actor.principal = domain::ids::PrincipalId(guardian.0);
        } else if actor.role == Role::Citizen {
            actor.principal = domain::ids::PrincipalId(self.account.0);
        }
        actor
    }

    /// `false`: somebody else was faster, look again.
    async fn take_claims(
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
    async fn carry_out_for(
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
    async fn after(&self, loaded: &Loaded, decision: &Decision) -> Result<(), LedgerError> {
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

    /// A refusal where no account can be told stands in the claim stream of the number used.
    async fn refuse_without_account(
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
    async fn repeated_on_claim(&self) -> Result<Option<Outcome>, LedgerError> {
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
    async fn repeat(&self, stream: StreamId, seen: Seen) -> Result<Outcome, LedgerError> {
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
    async fn same_body(
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

fn outcome_of(
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

/// The key of a device that is being introduced.
fn pending_key(account: &domain::account::Account) -> Option<domain::ids::PublicKey> {
    let attempt = account
        .activation
        .attempt
        .as_ref()
        .map(|attempt| attempt.key);
    attempt.or(account.device_change.as_ref().map(|change| change.key))
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
