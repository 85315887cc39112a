//! One open ledger: the store, the vault, the keys and the law in force, put together.

use crate::chip::{ChipVerifier, PassiveAuthentication};
use crate::credentials::{Credentials, OneTimeCodes, SessionTokens};
use crate::gate::Gate;
use crate::keyring::KeyRing;
use crate::law::Statutes;
use crate::messenger::{Messenger, OutgoingMessage};
use crate::principals::Principals;
use crate::registry::{
    CitizenCardRegistry, DocumentRegistry, ImmigrationRegistry, OrganisationRegistry,
    PopulationRegistry,
};
use crate::secrets::Keys;
use crate::store::{EventStore, StoredRecord};
use crate::vault::Vault;
use crate::writer::assemble::{Assembler, Draft};
use crate::writer::{self, LedgerError, open_parts};
use domain::command::NewEvent;
use domain::event::Event;
use domain::ids::Category;
use domain::ids::{
    AccountId, ChallengeId, Digest, LookupHash, Micros, PrincipalId, PublicKey, StreamId,
};
use domain::personal::Personal;
use domain::record::RecordRef;
use domain::vocabulary::{KeyEnd, KeyPurpose, LawKind, Message, RetentionClass, Role};
use parking_lot::RwLock;
use std::sync::Arc;

/// What the ledger's own streams say of keys and principals, folded.
pub(crate) struct Law {
    pub ring: KeyRing,
    /// SHA-256 of the trust list that chip reads are verified against.
    pub trust_list: Option<Digest>,
    pub principals: Arc<Principals>,
    /// Revision of the next event of the ledger's and of the principals' stream.
    next: [u64; 2],
}

/// Streams of which there is one, besides the law's.
const OWN: [Category; 2] = [Category::Ledger, Category::Principal];

/// What an open ledger is made of.
pub struct Parts {
    /// Where events are.
    pub store: Arc<dyn EventStore>,
    /// Data keys.
    pub vault: Arc<Vault>,
    /// Passwords, passcodes, answers.
    pub credentials: Credentials,
    /// Lookup and other derived keys.
    pub keys: Keys,
    /// Confirms people.
    pub people: Arc<dyn PopulationRegistry>,
    /// Confirms people at an officer's desk.
    pub cards: Arc<dyn CitizenCardRegistry>,
    /// Confirms foreigners.
    pub immigration: Arc<dyn ImmigrationRegistry>,
    /// Confirms documents.
    pub documents: Arc<dyn DocumentRegistry>,
    /// Confirms organisations.
    pub organisations: Arc<dyn OrganisationRegistry>,
    /// Where notices go.
    pub messenger: Arc<dyn Messenger>,
    /// Signs.
    pub assembler: Assembler,
}

struct Inner {
    parts: Parts,
    gate: Arc<Gate>,
    law: RwLock<Law>,
    /// Below this position nothing of the ledger's own streams is unknown here.
    in_step: tokio::sync::Mutex<u64>,
    statutes: RwLock<Statutes>,
    chips: RwLock<Arc<dyn ChipVerifier>>,
    codes: OneTimeCodes,
    sessions: SessionTokens,
    account_locks: writer::Stripes,
    claim_locks: writer::Stripes,
    cache: writer::Cache,
}

/// An open ledger. Cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    inner: Arc<Inner>,
}

impl Ledger {
    /// Puts a ledger together and reads its own streams: keys, principals, law.
    pub async fn start(parts: Parts) -> Result<Self, LedgerError> {
        let ledger = Self {
            inner: Arc::new(Inner {
                codes: OneTimeCodes::new(&parts.keys),
                sessions: SessionTokens::new(&parts.keys),
                parts,
                gate: Arc::default(),
                law: RwLock::new(Law {
                    ring: KeyRing::default(),
                    trust_list: None,
                    principals: Arc::default(),
                    next: [0; 2],
                }),
                in_step: tokio::sync::Mutex::new(0),
                statutes: RwLock::default(),
                chips: RwLock::new(Arc::new(PassiveAuthentication::default())),
                account_locks: writer::Stripes::default(),
                claim_locks: writer::Stripes::default(),
                cache: writer::Cache::default(),
            }),
        };
        // Asked first: what comes while the streams are read is taken in (again) later.
        *ledger.inner.in_step.lock().await = ledger.store().length().await?;
        for category in OWN {
            let stream = StreamId::single(category);
            for (record, _, event) in
                writer::claims::read_decoded(ledger.store().as_ref(), stream).await?
            {
                ledger.learn(&record, &event)?;
            }
        }
        for law in LawKind::ALL {
            for (record, envelope, event) in
                writer::claims::read_decoded(ledger.store().as_ref(), law.stream()).await?
            {
                let mut statutes = ledger.inner.statutes.write();
                statutes.learn(&record, &envelope, &event);
            }
        }
        Ok(ledger)
    }

    /// Takes in the next event of the ledger's or the principals' stream; one that was taken in
    /// before changes nothing.
    fn learn(&self, record: &StoredRecord, event: &Event) -> Result<(), LedgerError> {
        let mut law = self.inner.law.write();
        let mut next = OWN.iter().zip(&mut law.next);
        match next.find(|(category, _)| **category == record.stream.category) {
            Some((_, next)) if *next <= record.revision.0 => *next = record.revision.0 + 1,
            _ => return Ok(()),
        }
        match event {
            Event::LedgerCreated(_) | Event::LedgerKeyAdded(_) | Event::LedgerKeyRetired(_) => {
                law.ring.learn(record.position, event)?;
            }
            Event::PrincipalEnrolled(_) | Event::PrincipalRevoked(_) => {
                Arc::make_mut(&mut law.principals).learn(event);
            }
            Event::ChipTrustListLoaded(facts) => law.trust_list = Some(facts.digest),
            _ => {}
        }
        Ok(())
    }

    /// Takes in what other nodes appended to the ledger's own streams (keys, principals, law) up to
    /// now. Nothing to do where nobody else can append.
    pub async fn keep_in_step(&self) -> Result<(), LedgerError> {
        let store = self.store();
        if !store.is_shared() {
            return Ok(());
        }
        let length = store.length().await?;
        let mut known = self.inner.in_step.lock().await;
        while *known < length {
            let from = domain::ids::Position(*known);
            let page = store.read_all(from, crate::store::PAGE_RECORDS_MAX).await?;
            for record in &page {
                self.take_in(record)?;
                *known = record.position.0 + 1;
            }
            if page.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// [`Ledger::keep_in_step`] whenever there is something new, for as long as the store lasts.
    pub async fn follow(&self) -> Result<(), LedgerError> {
        loop {
            let known = *self.inner.in_step.lock().await;
            self.store().wait_beyond(known).await?;
            self.keep_in_step().await?;
        }
    }

    fn take_in(&self, record: &StoredRecord) -> Result<(), LedgerError> {
        let own = OWN.contains(&record.stream.category);
        let law = LawKind::ALL.iter().any(|law| law.stream() == record.stream);
        if !own && !law {
            return Ok(());
        }
        let envelope = RecordRef::parse(&record.bytes)?.open_envelope()?;
        let event = domain::record::open_event(&envelope)?;
        if law {
            self.statutes().write().learn(record, &envelope, &event);
            return Ok(());
        }
        self.learn(record, &event)
    }

    /// Appends one event to one of the ledger's own streams, at whatever revision it is. The event that
    /// makes the ledger is its first or none: two may make one on the same server.
    pub async fn record_own(
        &self,
        category: Category,
        event: Event,
        note: Option<String>,
        proven: crate::evidence::Proven,
    ) -> Result<domain::ids::Position, LedgerError> {
        self.gate().pass()?;
        let stream = StreamId::single(category);
        let subject = domain::ids::Digest16::ZERO.0;
        for _ in 0..writer::ATTEMPTS_MAX {
            let head = self.store().stream_head(stream).await?;
            if head.is_some() && matches!(event, Event::LedgerCreated(_)) {
                return Err(LedgerError::Contended);
            }
            let mut draft = Draft::of_ledger(self.assembler(), stream);
            draft.subject = subject;
            draft.actor.role = Role::Operator;
            draft.proven = proven.clone();
            let sealed = note
                .iter()
                .map(|note| (RetentionClass::Permanent, Personal::Note(note.clone())))
                .collect();
            let events = vec![NewEvent {
                event: event.clone(),
                sealed,
                happened: None,
            }];
            let keys = self.assembler().prepare_keys(&draft, &events).await?;
            let expected = head.map_or(crate::store::Expected::NoStream, |head| {
                crate::store::Expected::Revision(head.revision)
            });
            let link = head.map_or(Digest::ZERO, |head| head.link);
            let signed = self
                .assembler()
                .sign_all(&draft, expected, link, &keys, events)?;
            let bytes = signed.records.first().map(|record| record.bytes.clone());
            match writer::append_surely(self.store().as_ref(), stream, expected, signed.records)
                .await
            {
                Ok(appended) => {
                    let record = StoredRecord {
                        position: appended.last,
                        stream,
                        revision: appended.revision,
                        bytes: bytes.unwrap_or_default(),
                    };
                    if self.store().is_shared() {
                        // Another node's event may stand before it.
                        self.keep_in_step().await?;
                    } else {
                        self.learn(&record, &event)?;
                    }
                    return Ok(appended.last);
                }
                Err(crate::store::AppendError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(LedgerError::Contended)
    }

    /// Enrols a principal. `name` is sealed.
    pub async fn enrol(
        &self,
        role: Role,
        key: Option<PublicKey>,
        token: Option<Digest>,
        sites: Vec<u32>,
        name: Option<String>,
    ) -> Result<PrincipalId, LedgerError> {
        if let Some(key) = &key {
            domain::record::verifying_key(key)?;
        }
        let principal = PrincipalId(self.assembler().ids().id());
        let from = self.now();
        let event = domain::event::PrincipalEnrolled {
            principal,
            role,
            key,
            token,
            sites,
            from,
        };
        let proven = crate::evidence::Proven::operator();
        self.record_own(Category::Principal, event.into(), name, proven)
            .await?;
        Ok(principal)
    }

    /// Ends a principal's right to act, from now on.
    pub async fn revoke(&self, principal: PrincipalId, reason: KeyEnd) -> Result<(), LedgerError> {
        if self.principals().get(principal).is_none() {
            return Err(LedgerError::AccountNotFound);
        }
        let event = domain::event::PrincipalRevoked {
            principal,
            from: self.now(),
            reason,
        };
        let proven = crate::evidence::Proven::operator();
        self.record_own(Category::Principal, event.into(), None, proven)
            .await?;
        Ok(())
    }

    /// Makes a key one of the ledger's, from the next position on; one that is already stays as it is.
    pub async fn add_key(&self, key: PublicKey, purpose: KeyPurpose) -> Result<(), LedgerError> {
        domain::record::verifying_key(&key)?;
        if !self
            .ring()
            .of(purpose)
            .iter()
            .any(|known| known.public == key)
        {
            let event = domain::event::LedgerKeyAdded { key, purpose };
            let proven = crate::evidence::Proven::operator();
            self.record_own(Category::Ledger, event.into(), None, proven)
                .await?;
        }
        Ok(())
    }

    /// Ends a key of the ledger, from the next position on; one that has ended stays as it is. The key
    /// that signs this must be another.
    pub async fn retire_key(&self, key: PublicKey, reason: KeyEnd) -> Result<(), LedgerError> {
        let ring = self.ring();
        let mut all = ring.keys().iter().chain(ring.checkpoint_keys());
        if all.any(|known| known.public == key && known.until.is_none()) {
            let event = domain::event::LedgerKeyRetired { key, reason };
            let proven = crate::evidence::Proven::operator();
            self.record_own(Category::Ledger, event.into(), None, proven)
                .await?;
        }
        Ok(())
    }

    /// The account of a personal number.
    pub async fn find_by_personal_id(
        &self,
        personal_id: &str,
    ) -> Result<Option<AccountId>, LedgerError> {
        let claim = self.claim(Category::PersonalIdClaim, personal_id);
        let state = writer::claims::read_claim(self.store().as_ref(), claim).await?;
        let Some((account, _)) = state.open else {
            return Ok(None);
        };
        let head = self.store().stream_head(StreamId::account(account)).await?;
        Ok(head.map(|_| account))
    }

    /// Where a holder can be reached, opened from the sealed parts; `before`: as it was when their
    /// stream ended before this revision. Empty where it is unknown or erased.
    pub async fn contact(
        &self,
        account: AccountId,
        before: Option<domain::ids::Revision>,
    ) -> Result<writer::Contact, LedgerError> {
        writer::contact(self, account, before).await
    }

    /// Opens the sealed parts of a stored record. `None`: redacted, or its key is destroyed.
    pub async fn open_personal(
        &self,
        record: &StoredRecord,
    ) -> Result<Vec<Option<Personal>>, LedgerError> {
        let parsed = RecordRef::parse(&record.bytes)?;
        let envelope = parsed.open_envelope()?;
        open_parts(&parsed, &envelope, self.vault()).await
    }

    /// The name a principal was enrolled with; `None`: without one, or it was erased.
    pub async fn principal_name(
        &self,
        principal: PrincipalId,
    ) -> Result<Option<String>, LedgerError> {
        let stream = StreamId::single(Category::Principal);
        let mut from = domain::ids::Revision(0);
        loop {
            let store = self.store();
            let page = store
                .read_stream(stream, from, crate::store::PAGE_RECORDS_MAX)
                .await?;
            let Some(last) = page.last() else {
                return Ok(None);
            };
            from = domain::ids::Revision(last.revision.0 + 1);
            for record in &page {
                let parsed = RecordRef::parse(&record.bytes)?;
                let envelope = parsed.open_envelope()?;
                let event = domain::record::open_event(&envelope)?;
                if !matches!(event, Event::PrincipalEnrolled(facts) if facts.principal == principal)
                {
                    continue;
                }
                let parts = open_parts(&parsed, &envelope, self.vault()).await?;
                return Ok(parts.into_iter().flatten().find_map(|part| match &part {
                    Personal::Note(name) => Some(name.clone()),
                    _ => None,
                }));
            }
        }
    }

    /// Events.
    pub fn store(&self) -> &Arc<dyn EventStore> {
        &self.inner.parts.store
    }

    /// The gate before new events.
    pub fn gate(&self) -> &Arc<Gate> {
        &self.inner.gate
    }

    /// Data keys.
    pub fn vault(&self) -> &Vault {
        &self.inner.parts.vault
    }

    /// Passwords, passcodes, answers.
    pub fn credentials(&self) -> &Credentials {
        &self.inner.parts.credentials
    }

    /// One-time codes.
    pub fn codes(&self) -> &OneTimeCodes {
        &self.inner.codes
    }

    /// Session tokens.
    pub fn sessions(&self) -> &SessionTokens {
        &self.inner.sessions
    }

    /// Confirms people.
    pub fn people(&self) -> &Arc<dyn PopulationRegistry> {
        &self.inner.parts.people
    }

    /// Confirms people at an officer's desk.
    pub fn cards(&self) -> &Arc<dyn CitizenCardRegistry> {
        &self.inner.parts.cards
    }

    /// Confirms foreigners.
    pub fn immigration(&self) -> &Arc<dyn ImmigrationRegistry> {
        &self.inner.parts.immigration
    }

    /// Confirms documents.
    pub fn documents(&self) -> &Arc<dyn DocumentRegistry> {
        &self.inner.parts.documents
    }

    /// Confirms organisations.
    pub fn organisations(&self) -> &Arc<dyn OrganisationRegistry> {
        &self.inner.parts.organisations
    }

    /// The signer.
    pub fn assembler(&self) -> &Assembler {
        &self.inner.parts.assembler
    }

    /// The ledger's public keys.
    pub fn ring(&self) -> KeyRing {
        self.inner.law.read().ring.clone()
    }

    /// Who may act besides holders, as of now.
    pub fn principals(&self) -> Arc<Principals> {
        self.inner.law.read().principals.clone()
    }

    /// Now.
    pub fn now(&self) -> Micros {
        self.assembler().ids().clock().now()
    }

    /// The keyed hash of a personal datum.
    pub fn lookup(&self, category: Category, text: &str) -> LookupHash {
        self.inner.parts.keys.lookup(category, text)
    }

    /// The claim stream of a personal datum.
    pub fn claim(&self, category: Category, text: &str) -> StreamId {
        StreamId::claim(category, self.lookup(category, text))
    }

    /// The claim stream of an organisation's number: apart from people's, whatever both look like.
    pub fn organisation_claim(&self, number: &str) -> StreamId {
        self.claim(Category::PersonalIdClaim, &format!("organisation:{number}"))
    }

    /// The id of the command that brings an account in: the same for the same line, and unlinkable to it
    /// without the key. Beside it the salt of what is signed, so that the same line is the same body.
    pub fn import_ids(&self, line: &[u8]) -> (domain::ids::CommandId, [u8; 16]) {
        (
            domain::ids::CommandId(self.derive_id("import", line)),
            self.derive_id("import salt", line),
        )
    }

    /// An id that follows from another, unlinkable without the key.
    pub(crate) fn derive_id(&self, context: &str, seed: &[u8]) -> [u8; 16] {
        self.lookup(
            Category::Ledger,
            &format!("{context}:{}", hex::encode(seed)),
        )
        .0
    }

    pub(crate) fn statutes(&self) -> &RwLock<Statutes> {
        &self.inner.statutes
    }

    pub(crate) fn chip_verifier(&self) -> &RwLock<Arc<dyn ChipVerifier>> {
        &self.inner.chips
    }

    pub(crate) fn trust_list(&self) -> Option<Digest> {
        self.inner.law.read().trust_list
    }

    pub(crate) fn account_locks(&self) -> &writer::Stripes {
        &self.inner.account_locks
    }

    pub(crate) fn claim_locks(&self) -> &writer::Stripes {
        &self.inner.claim_locks
    }

    pub(crate) fn cache(&self) -> &writer::Cache {
        &self.inner.cache
    }

    /// Sends a notice; `code`: with the one-time code of this challenge.
    pub(crate) fn notify(
        &self,
        account: AccountId,
        (phone, email): (Option<&str>, Option<&str>),
        message: Message,
        code: Option<(AccountId, ChallengeId)>,
    ) {
        self.inner.parts.messenger.send(OutgoingMessage {
            account,
            phone: phone.unwrap_or_default().to_owned(),
            email: email.unwrap_or_default().to_owned(),
            message,
            challenge: code.map(|(_, challenge)| challenge),
            code: code
                .map(|(account, challenge)| self.codes().otp_code(challenge, account).to_string()),
        });
    }
}
