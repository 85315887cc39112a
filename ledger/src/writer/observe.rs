//! What a decision needs to know besides the account's own history: who holds a number, what a
//! registry says, whether a code or password is right. Observed before deciding, told as facts.

use super::claims::{self, ClaimState};
use super::heard::Heard;
use super::loaded::Loaded;
use super::submit::Job;
use super::{LedgerError, shared};
use crate::credentials::{
    About, CredentialError, Kind, NotAllowed, answer_form, passcode_allowed, password_allowed,
};
use crate::ledger::Ledger;
use crate::registry::{Answered, Foreigner, OrganisationReply};
use domain::command::{
    ChipAnswer, Claim, Command, Context, CredentialForm, Decision, DocumentAnswer, GuardianFacts,
    Holder, ImmigrationAnswer, Needs, OfficerFacts, OrganisationAnswer, PhoneNeed, RegistryAnswer,
    RelationAnswer, RepresentativeFacts,
};
use domain::decide::database_of;
use domain::ids::Category;
use domain::ids::{AccountId, CaseId, ChallengeId, LookupHash, PrincipalId, StreamId, VerifierId};
use domain::personal::{Organisation, Person, Personal, TravelDocument};
use domain::vocabulary::{
    Database, Level, LinkOutcome, MatchResult, Modality, RegistryOutcome, Role,
};
use zeroize::Zeroizing;

/// Everything observed for one attempt.
#[derive(Default)]
pub(super) struct Observed {
    claims: Vec<(Claim, StreamId, Holder, ClaimState)>,
    registry: Option<RegistryAnswer>,
    document: Option<DocumentAnswer>,
    declared: Option<Zeroizing<String>>,
    biometrics: Vec<(Modality, MatchResult)>,
    relation: Option<RelationAnswer>,
    chip: Option<ChipAnswer>,
    guardian: Option<GuardianFacts>,
    immigration: Option<ImmigrationAnswer>,
    organisation: Option<OrganisationAnswer>,
    representative: Option<RepresentativeFacts>,
    otp_right: Option<bool>,
    credential_right: Option<bool>,
    credential_form: Option<CredentialForm>,
    heard: Heard,
}

/// The claims a command may have to take, with their streams.
pub(super) fn claims_of(
    ledger: &Ledger,
    needs: &Needs,
    command: &Command,
    loaded: &Loaded,
) -> Vec<(Claim, StreamId)> {
    let mut claims = Vec::new();
    if needs.personal_id_holder {
        claims.push(Claim::PersonalId);
    }
    claims.extend(needs.phone_holder.map(|need| match need {
        PhoneNeed::Commanded | PhoneNeed::Registered => Claim::Phone,
        PhoneNeed::Hash(hash) => Claim::PhoneHash(hash),
    }));
    claims.extend(needs.device_holder.map(Claim::Device));
    claims
        .into_iter()
        .filter_map(|claim| Some((claim, stream_of(ledger, claim, command, loaded)?)))
        .collect()
}

/// The stream of a claim that a decision names.
pub(super) fn stream_of(
    ledger: &Ledger,
    claim: Claim,
    command: &Command,
    loaded: &Loaded,
) -> Option<StreamId> {
    let person = person_of(command).or(loaded.person.as_ref());
    match claim {
        Claim::PersonalId => match organisation_of(command).or(loaded.organisation.as_ref()) {
            Some(organisation) => Some(ledger.organisation_claim(&organisation.number)),
            None => {
                person.map(|person| ledger.claim(Category::PersonalIdClaim, &person.personal_id))
            }
        },
        Claim::Phone => person_of(command)
            .map(|person| person.phone.as_str())
            .or_else(|| loaded.registered_phone())
            .filter(|phone| !phone.is_empty())
            .map(|phone| ledger.claim(Category::PhoneClaim, phone)),
        Claim::PhoneHash(hash) => Some(StreamId::claim(Category::PhoneClaim, hash)),
        Claim::Device(device) => Some(StreamId::claim(Category::DeviceClaim, LookupHash(device.0))),
    }
}

/// The person a command carries.
fn person_of(command: &Command) -> Option<&Person> {
    match command {
        Command::RegisterAppAccount { person, .. }
        | Command::RegisterForeigner { person, .. }
        | Command::ImportAccount { person, .. } => Some(person),
        Command::OpenLevel2Intake { person, .. } | Command::OpenForeignerIntake { person, .. } => {
            person.as_ref()
        }
        Command::LinkDependant { person, .. } | Command::OpenDependantAccount { person, .. } => {
            Some(person)
        }
        _ => None,
    }
}

/// The organisation a command carries.
const fn organisation_of(command: &Command) -> Option<&Organisation> {
    match command {
        Command::RegisterOrganisation { organisation, .. }
        | Command::OpenOrganisationIntake { organisation, .. } => Some(organisation),
        _ => None,
    }
}

/// The travel document a command carries.
const fn document_of(command: &Command) -> Option<&TravelDocument> {
    match command {
        Command::RegisterForeigner { document, .. } => Some(document),
        Command::OpenForeignerIntake { document, .. }
        | Command::LinkDependant { document, .. }
        | Command::OpenDependantAccount { document, .. } => document.as_ref(),
        _ => None,
    }
}

/// The e-mail address of the person in the command, or of the holder.
pub(super) fn email<'a>(command: &'a Command, loaded: &'a Loaded) -> Option<&'a str> {
    let commanded = person_of(command).map(|person| person.email.as_str());
    commanded
        .or(loaded.email())
        .filter(|email| !email.is_empty())
}

/// The number a command introduces.
pub(super) fn new_phone<'a>(command: &'a Command, loaded: &'a Loaded) -> Option<&'a str> {
    match command {
        Command::RequestPhoneChange { phone, .. } => Some(phone),
        _ => person_of(command)
            .map(|person| person.phone.as_str())
            .or(loaded.new_phone.as_deref())
            .or_else(|| loaded.registered_phone()),
    }
}

impl Observed {
    /// Looks at everything the command needs. The claims' locks are held.
    pub async fn gather(
        job: &Job<'_>,
        loaded: &Loaded,
        needs: &Needs,
        streams: &[(Claim, StreamId)],
    ) -> Result<Self, LedgerError> {
        let ledger = job.ledger;
        let mut observed = Self::default();
        for (claim, stream) in streams {
            let (holder, state) = claims::holder(ledger, *stream, job.account).await?;
            observed.claims.push((*claim, *stream, holder, state));
        }
        let person = person_of(&job.command).or(loaded.person.as_ref());
        match (needs.registry, person) {
            (Some(Database::Immigration), Some(person)) => {
                let document = document_of(&job.command).or(loaded.document.as_ref());
                observed.ask_immigration(ledger, person, document).await;
            }
            (Some(Database::CitizenCard), Some(person)) => {
                let answer = ledger.cards().confirm(person).await;
                observed.registry = Some(observed.heard.take(Database::CitizenCard, answer));
            }
            (Some(database), Some(person)) => {
                let answer = ledger.people().confirm(person).await;
                observed.registry = Some(observed.heard.take(database, answer));
            }
            (_, None) | (None, _) => {}
        }
        let organisation = organisation_of(&job.command).or(loaded.organisation.as_ref());
        if let (true, Some(organisation)) = (needs.organisation, organisation) {
            observed.ask_organisations(ledger, organisation).await;
        }
        if let Some((document, _)) = needs.declared {
            let numbers = shared::numbers(ledger, job.account, &[document]).await?;
            let number = numbers.into_iter().next();
            observed.declared = number.map(|(_, number)| Zeroizing::new(number));
        }
        let asked = match (&job.command, needs.declared, &observed.declared) {
            (Command::LinkDocument { kind, number }, ..) => Some((*kind, number.as_str())),
            (_, Some((_, kind)), Some(number)) => Some((kind, number.as_str())),
            _ => None,
        };
        if let (true, Some((kind, number)), Some(person)) = (needs.document, asked, person) {
            let documents = ledger.documents();
            let answer = documents.check(&person.personal_id, kind, number).await;
            observed.document = Some(observed.heard.take(database_of(kind), answer));
        }
        if let (Some((case, only)), Some(person)) = (needs.biometrics, person) {
            for (modality, result) in compare(ledger, loaded, person, (case, only)).await {
                let result = observed.heard.take(Database::CitizenCard, result);
                observed.biometrics.push((modality, result));
            }
        }
        if let (true, Some(dependant), Some(holder)) =
            (needs.relation, person_of(&job.command), &loaded.person)
        {
            let (dependant, guardian) = (&dependant.personal_id, &holder.personal_id);
            observed.ask_relation(job, dependant, guardian).await;
        }
        if let Some(representative) = needs.representative {
            observed.representative = Some(representative_facts(ledger, representative).await?);
        }
        if let Some((guardian, dependant)) = needs.guardian {
            observed.guardian = Some(guardian_facts(ledger, guardian, dependant).await?);
        }
        observed.chip = chip_answer(job, loaded);
        observed.secrets(job, loaded, needs.otp).await?;
        Ok(observed)
    }

    /// What was asked and answered under a registry's signature, to be sealed.
    pub fn exchanges(&self) -> Vec<Personal> {
        self.heard.exchanges()
    }

    /// Whether a registry that was asked again said nothing again.
    pub fn is_silent(&self, job: &Job<'_>, needs: &Needs) -> bool {
        let asked_again = matches!(job.command, Command::AskRegistry { .. });
        let registry = match &self.registry {
            Some(RegistryAnswer::Not(outcome)) => *outcome == RegistryOutcome::Unavailable,
            Some(_) => false,
            None => needs.registry.is_some(),
        };
        let organisation = match &self.organisation {
            Some(OrganisationAnswer::Not(outcome)) => *outcome == RegistryOutcome::Unavailable,
            Some(_) => false,
            None => needs.organisation,
        };
        let document = match self.document {
            Some(DocumentAnswer::Not(outcome)) => outcome == LinkOutcome::RegistryUnavailable,
            _ => false,
        };
        let answered = |(_, result): &(Modality, MatchResult)| *result != MatchResult::Unavailable;
        let biometric = needs.biometrics.is_some() && !self.biometrics.iter().any(answered);
        asked_again && (registry || organisation || document || biometric)
    }

    /// Asks the immigration database. Without a travel document there is nothing to compare.
    async fn ask_immigration(
        &mut self,
        ledger: &Ledger,
        person: &Person,
        document: Option<&TravelDocument>,
    ) {
        let answer = match document {
            Some(document) => {
                let foreigner = Foreigner {
                    person,
                    nationality: &document.nationality,
                    document_number: &document.number,
                };
                ledger.immigration().confirm(foreigner).await
            }
            None => ImmigrationAnswer::Not(RegistryOutcome::NotFound).into(),
        };
        let answer = self.heard.take(Database::Immigration, answer);
        self.registry = Some(match &answer {
            ImmigrationAnswer::Confirmed {
                area, birth_date, ..
            } => RegistryAnswer::Confirmed {
                area: *area,
                birth_date: birth_date.clone(),
                has_chip_card: false,
            },
            ImmigrationAnswer::Not(outcome) => RegistryAnswer::Not(*outcome),
        });
        self.immigration = Some(answer);
    }

    /// Asks whose parent or guardian somebody is. Whoever comes with a travel document is known to the
    /// immigration database.
    async fn ask_relation(&mut self, job: &Job<'_>, dependant: &str, guardian: &str) {
        let ledger = job.ledger;
        let (database, relation) = match document_of(&job.command) {
            Some(_) => (
                Database::Immigration,
                ledger.immigration().relation(dependant, guardian),
            ),
            None => (
                Database::Population,
                ledger.people().relation(dependant, guardian),
            ),
        };
        self.relation = Some(self.heard.take(database, relation.await));
    }

    /// Asks the databases of organisations. Numbers of people become keyed hashes here.
    async fn ask_organisations(&mut self, ledger: &Ledger, organisation: &Organisation) {
        let reply = ledger
            .organisations()
            .confirm_organisation(organisation)
            .await;
        let reply = self.heard.take(Database::Organisations, reply);
        self.organisation = Some(match reply {
            OrganisationReply::Confirmed {
                area,
                representatives,
            } => OrganisationAnswer::Confirmed {
                area,
                representatives: representatives
                    .iter()
                    .map(|number| ledger.lookup(Category::PersonalIdClaim, number))
                    .collect(),
            },
            OrganisationReply::Not(outcome) => OrganisationAnswer::Not(outcome),
        });
    }

    /// Codes, passwords, passcodes: only verdicts go on from here.
    async fn secrets(
        &mut self,
        job: &Job<'_>,
        loaded: &Loaded,
        challenge: Option<ChallengeId>,
    ) -> Result<(), LedgerError> {
        let ledger = job.ledger;
        let secrets = &job.submission.secrets;
        if let (Some(challenge), Some(code)) = (challenge, &secrets.otp) {
            self.otp_right = Some(ledger.codes().otp_matches(challenge, job.account, code));
        }
        let about = about(loaded);
        match &job.command {
            Command::LogIn { .. } => {
                // An account without a password costs the same time as a wrong one.
                let verifier = loaded.password.unwrap_or(VerifierId::ZERO);
                let typed = secrets.password.as_deref().unwrap_or_default();
                self.credential_right = Some(
                    ledger
                        .credentials()
                        .verify(verifier, Kind::Password, typed)
                        .await?,
                );
            }
            Command::SetPassword { .. } => {
                let typed = secrets.password.as_deref().unwrap_or_default();
                self.credential_form = Some(form(password_allowed(typed, about)));
            }
            Command::SetPasscode { .. } => {
                let typed = secrets.passcode.as_deref().unwrap_or_default();
                self.credential_form = Some(form(passcode_allowed(typed, about)));
            }
            Command::SetSecurityQuestions { .. } => {
                let good = !secrets.answers.is_empty()
                    && secrets
                        .answers
                        .iter()
                        .all(|answer| answer_form(answer).is_ok());
                self.credential_form = Some(if good {
                    CredentialForm::Good
                } else {
                    CredentialForm::WrongForm
                });
            }
            _ => {
                if let (Some(typed), Some(verifier)) = (&secrets.passcode, loaded.passcode) {
                    let right = ledger
                        .credentials()
                        .verify(verifier, Kind::Passcode, typed)
                        .await?;
                    self.credential_right = Some(right);
                }
            }
        }
        Ok(())
    }

    /// Decides, with everything observed told as facts.
    pub fn decide(&self, job: &Job<'_>, loaded: &Loaded) -> Decision {
        let ledger = job.ledger;
        let now = ledger.now();
        let holder = |wanted: fn(&Claim) -> bool| {
            self.claims
                .iter()
                .find(|(claim, ..)| wanted(claim))
                .map_or(Holder::NotAsked, |(_, _, holder, _)| *holder)
        };
        let ids = ledger.assembler().ids();
        let mut new_id = || ids.id();
        let actor = job.actor();
        let mut context = Context {
            now,
            occurred_at: job.submission.occurred_at.unwrap_or(now).min(now),
            law: &job.law,
            actor,
            new_id: &mut new_id,
            person: loaded.person.as_ref(),
            registry: self.registry.clone(),
            document: self.document,
            declared: self.declared.as_deref().map(String::as_str),
            biometrics: &self.biometrics,
            personal_id_holder: holder(|claim| matches!(claim, Claim::PersonalId)),
            phone_holder: holder(|claim| matches!(claim, Claim::Phone | Claim::PhoneHash(_))),
            device_holder: holder(|claim| matches!(claim, Claim::Device(_))),
            phone_hash: loaded
                .registered_phone()
                .map(|phone| ledger.lookup(Category::PhoneClaim, phone)),
            new_phone: loaded.new_phone.as_deref(),
            otp_right: self.otp_right,
            credential_right: self.credential_right,
            credential_form: self.credential_form,
            step_up: job.submission.secrets.step_up,
            officer: ledger
                .principals()
                .get(actor.principal)
                .map(|principal| OfficerFacts {
                    active: principal.active(now),
                    sites: principal.sites.clone(),
                }),
            relation: self.relation,
            guardian: self.guardian,
            immigration: self.immigration.clone(),
            organisation: self.organisation.clone(),
            representative: self.representative,
            chip: self.chip.clone(),
            relying_party_active: relying_party(&job.command).is_some_and(|named| {
                let principals = ledger.principals();
                let known = principals.get(named);
                known.is_some_and(|p| p.role == Role::RelyingParty && p.active(now))
            }),
        };
        let mut decision = domain::decide::decide(&loaded.account, &job.command, &mut context);
        decision.receipt.answers = self.heard.words();
        decision
    }

    /// The claim as observed: stream, state, and whether it is this account's already.
    pub fn claim(&self, wanted: Claim) -> Option<(StreamId, ClaimState, bool)> {
        self.claims
            .iter()
            .find(|(claim, ..)| *claim == wanted)
            .map(|(_, stream, holder, state)| (*stream, *state, *holder == Holder::Own))
    }

    /// Makes the verifier of a new credential durable, before the event that names it.
    pub async fn keep_credential(job: &Job<'_>) -> Result<(), LedgerError> {
        let secrets = &job.submission.secrets;
        let store = job.ledger.credentials();
        let kept = match &job.command {
            Command::SetPassword { verifier } => {
                let typed = secrets.password.as_deref().unwrap_or_default();
                store.set(*verifier, Kind::Password, typed).await
            }
            Command::SetPasscode { verifier } => {
                let typed = secrets.passcode.as_deref().unwrap_or_default();
                store.set(*verifier, Kind::Passcode, typed).await
            }
            Command::SetSecurityQuestions { verifier, .. } => {
                store.set_answers(*verifier, &secrets.answers).await
            }
            _ => Ok(()),
        };
        match kept {
            // An attempt before this one kept it, and then met a conflict.
            Err(CredentialError::Exists) if job.attempts > 1 => Ok(()),
            kept => Ok(kept?),
        }
    }
}

/// What the card registry says of a dossier's captures, if it compares any.
async fn compare(
    ledger: &Ledger,
    loaded: &Loaded,
    person: &Person,
    (case, only): (CaseId, Option<Modality>),
) -> Vec<(Modality, Answered<MatchResult>)> {
    let mut results: Vec<(Modality, Answered<MatchResult>)> = Vec::new();
    for (of, modality, capture) in &loaded.captures {
        if *of != case || only.is_some_and(|only| only != *modality) {
            continue;
        }
        let cards = ledger.cards();
        let Some(answer) = cards.compare(&person.personal_id, *modality, *capture) else {
            continue;
        };
        results.push((*modality, answer.await));
    }
    results
}

/// What the verifier says of the chip read that came along: as of when the command happened, and of
/// the holder.
fn chip_answer(job: &Job<'_>, loaded: &Loaded) -> Option<ChipAnswer> {
    let read = job.submission.secrets.chip.as_ref()?;
    let now = job.ledger.now();
    let at = job.submission.occurred_at.unwrap_or(now).min(now);
    let mut verdict = job.ledger.chips().verify(read, at);
    let holder = loaded.person.as_ref();
    verdict.of_holder(holder.map_or("", |person| &person.personal_id));
    Some(ChipAnswer {
        proof: verdict.proof,
        groups: verdict.groups,
    })
}

/// What a guardian's own account lets them do for a dependant.
async fn guardian_facts(
    ledger: &Ledger,
    guardian: AccountId,
    dependant: LookupHash,
) -> Result<GuardianFacts, LedgerError> {
    let mut loaded = Loaded::default();
    loaded
        .catch_up(ledger.store().as_ref(), ledger.vault(), guardian)
        .await?;
    let account = &loaded.account;
    let open = !account.is_closed() && !account.is_locked();
    Ok(GuardianFacts {
        may_act: open && account.is_activated() && account.level() == Some(Level::Two),
        device: account
            .device
            .as_ref()
            .map(|bound| (bound.device, bound.key)),
        dependant: account
            .dependant(dependant)
            .map(|known| (known.kind, known.majority_on)),
    })
}

/// What a legal representative's own account lets them do for an organisation.
async fn representative_facts(
    ledger: &Ledger,
    representative: AccountId,
) -> Result<RepresentativeFacts, LedgerError> {
    let mut loaded = Loaded::default();
    loaded
        .catch_up(ledger.store().as_ref(), ledger.vault(), representative)
        .await?;
    let account = &loaded.account;
    let open = !account.is_closed() && !account.is_locked();
    let person = loaded.person.as_ref();
    Ok(RepresentativeFacts {
        account: representative,
        person: person.map(|person| ledger.lookup(Category::PersonalIdClaim, &person.personal_id)),
        may_act: open && account.is_activated() && account.level() == Some(Level::Two),
    })
}

/// The relying party a command names.
const fn relying_party(command: &Command) -> Option<PrincipalId> {
    match command {
        Command::ShareData { relying_party, .. }
        | Command::ActForOrganisation { relying_party, .. } => Some(*relying_party),
        _ => None,
    }
}

/// What is known of the holder and must not be their secret.
fn about(loaded: &Loaded) -> About<'_> {
    let person = loaded.person.as_ref();
    About {
        personal_id: person.map_or("", |person| &person.personal_id),
        phone: loaded.registered_phone().unwrap_or_default(),
        birth_date: person.map_or("", |person| &person.birth_date),
    }
}

fn form(allowed: Result<(), NotAllowed>) -> CredentialForm {
    match allowed {
        Ok(()) => CredentialForm::Good,
        Err(NotAllowed::Form) => CredentialForm::WrongForm,
        Err(_) => CredentialForm::OnBlockList,
    }
}
