//! One command, from its submission to what its attempts come to: which account it is about, what is observed,
//! and the rules' answer. What is done with that answer stands in `carry_out`.

use super::loaded::Loaded;
use super::observe::{Observed, claims_of};
use super::submission::{Outcome, Submission, Target};
use super::{ATTEMPTS_MAX, LedgerError, claims};
use crate::ledger::Ledger;
use domain::command::{Command, Needs};
use domain::decide::{needs, roles};
use domain::ids::Category;
use domain::ids::{AccountId, EventId, StreamId};
use domain::law::Edition;
use domain::vocabulary::Role;
use std::sync::Arc;

/// What one attempt came to.
pub(super) enum Attempt {
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
}
