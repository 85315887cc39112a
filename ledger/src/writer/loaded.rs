//! One account as the writer knows it: its folded state, and what of its personal data rules need.
//!
//! Kept in a bounded cache under the account's lock; every use checks the stream's head, so a cached
//! copy is never trusted over the store. Plaintext here lives in memory only and is zeroed.

use super::LedgerError;
use super::submission::RecordedEvent;
use crate::ledger::Ledger;
use crate::store::{EventStore, PAGE_RECORDS_MAX, StoredRecord, StreamHead};
use crate::vault::{KeyState, Vault};
use domain::account::{Account, Recorded};
use domain::envelope::{Envelope, Refused};
use domain::event::Event;
use domain::ids::{AccountId, CaseId, CommandId, Digest, EventId, Revision, StreamId, VerifierId};
use domain::personal::{Organisation, Person, Personal, TravelDocument};
use domain::record::{RecordRef, open_event};
use domain::seal::{self, PartPlace};
use domain::vocabulary::{Capture, CommandKind, Modality};
use std::collections::HashMap;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// What became of an earlier command of this account.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What was asked; `None` when the ledger acted of its own accord.
    pub kind: Option<CommandKind>,
    /// Why it was refused.
    pub refused: Option<Refused>,
    /// Its events.
    pub events: Vec<RecordedEvent>,
}

/// An account's stream, folded.
#[derive(Clone, Default)]
pub struct Loaded {
    /// The rules' state.
    pub account: Account,
    /// The stream's head.
    pub head: Option<StreamHead>,
    /// Earlier commands.
    pub seen: HashMap<CommandId, Seen>,
    /// Who it is, if it can be read.
    pub person: Option<Person>,
    /// Of a foreigner: the travel document.
    pub document: Option<TravelDocument>,
    /// Of an organisation: which it is.
    pub organisation: Option<Organisation>,
    /// The registered phone, where it is not the person's first.
    pub phone: Option<String>,
    /// The phone being introduced.
    pub new_phone: Option<String>,
    /// Where the password's verifier is.
    pub password: Option<VerifierId>,
    /// Where the passcode's verifier is.
    pub passcode: Option<VerifierId>,
    /// The last capture of each biometric, of the open dossier.
    pub captures: Vec<(CaseId, Modality, Capture)>,
}

impl Loaded {
    /// The registered number, E.164.
    pub fn registered_phone(&self) -> Option<&str> {
        self.phone
            .as_deref()
            .or_else(|| self.person.as_ref().map(|person| person.phone.as_str()))
            .filter(|phone| !phone.is_empty())
    }

    /// The e-mail address.
    pub fn email(&self) -> Option<&str> {
        let email = self.person.as_ref().map(|person| person.email.as_str());
        email.filter(|email| !email.is_empty())
    }

    /// Whether an event is in the stream.
    pub fn has_event(&self, event: EventId) -> bool {
        self.seen
            .values()
            .any(|seen| seen.events.iter().any(|known| known.event_id == event))
    }

    /// Reads the stream from where this copy ends.
    pub async fn catch_up(
        &mut self,
        store: &dyn EventStore,
        vault: &Vault,
        account: AccountId,
    ) -> Result<(), LedgerError> {
        let stream = StreamId::account(account);
        let now = store.stream_head(stream).await?;
        while self.head.map(|head| head.revision) < now.map(|head| head.revision) {
            let from = self
                .head
                .map_or(Revision(0), |head| Revision(head.revision.0 + 1));
            let page = store.read_stream(stream, from, PAGE_RECORDS_MAX).await?;
            if page.is_empty() {
                return Err(LedgerError::Contended);
            }
            for record in &page {
                self.learn(record, vault).await?;
            }
        }
        Ok(())
    }

    /// Takes in the next record of the stream.
    pub async fn learn(&mut self, record: &StoredRecord, vault: &Vault) -> Result<(), LedgerError> {
        let parsed = RecordRef::parse(&record.bytes)?;
        let envelope = parsed.open_envelope()?;
        let event = open_event(&envelope)?;
        self.account.evolve(&Recorded {
            event: &event,
            event_id: envelope.event_id,
            position: Some(record.position),
            revision: record.revision,
            recorded_at: envelope.recorded_at,
            occurred_at: envelope.occurred_at,
            policy: envelope.policy,
        });
        self.learn_personal(&event, &envelope, &parsed, vault)
            .await?;
        self.learn_command(record, &envelope);
        match &event {
            Event::PasswordSet(facts) => self.password = Some(facts.verifier),
            Event::PasscodeSet(facts) => self.passcode = Some(facts.verifier),
            Event::PortraitCaptured(facts) => {
                self.captured(facts.case, Modality::Portrait, facts.capture);
            }
            Event::FingerprintsCaptured(facts) => {
                self.captured(facts.case, Modality::Fingerprints, facts.capture);
            }
            _ => {}
        }
        let (revision, position, link) = (record.revision, record.position, parsed.link());
        self.head = Some(StreamHead {
            revision,
            position,
            link,
        });
        Ok(())
    }

    /// Keeps the captures of one dossier: there is at most one open.
    fn captured(&mut self, case: CaseId, modality: Modality, capture: Capture) {
        self.captures
            .retain(|(of, known, _)| *of == case && *known != modality);
        self.captures.push((case, modality, capture));
    }

    fn learn_command(&mut self, record: &StoredRecord, envelope: &Envelope) {
        let seen = self.seen.entry(envelope.command).or_insert_with(|| Seen {
            kind: envelope.receipt.as_ref().map(|receipt| receipt.command),
            refused: envelope
                .receipt
                .as_ref()
                .and_then(|receipt| receipt.refused),
            events: Vec::new(),
        });
        seen.events.push(RecordedEvent {
            position: record.position,
            revision: record.revision,
            event_id: envelope.event_id,
            kind: envelope.kind,
        });
    }

    async fn learn_personal(
        &mut self,
        event: &Event,
        envelope: &Envelope,
        record: &RecordRef<'_>,
        vault: &Vault,
    ) -> Result<(), LedgerError> {
        let wanted = matches!(
            event,
            Event::AppRegistrationSubmitted(_)
                | Event::Level2IntakeOpened(_)
                | Event::DependantAccountOpened(_)
                | Event::PhoneChangeRequested(_)
                | Event::PhoneChanged(_)
                | Event::ForeignerRegistrationSubmitted(_)
                | Event::ForeignerIntakeOpened(_)
                | Event::OrganisationApplied(_)
                | Event::OrganisationIntakeRecorded(_)
                | Event::AccountImported(_)
        );
        if !wanted {
            return Ok(());
        }
        let opened = open_parts(record, envelope, vault).await?;
        for personal in opened.into_iter().flatten() {
            match (personal, event) {
                (Personal::Person(ref person), _) => self.person = Some(person.clone()),
                (Personal::TravelDocument(ref document), _) => {
                    self.document = Some(document.clone());
                }
                (Personal::Organisation(ref organisation), _) => {
                    self.organisation = Some(organisation.clone());
                }
                (Personal::Phone(ref phone), Event::PhoneChangeRequested(_)) => {
                    self.new_phone = Some(phone.clone());
                }
                (Personal::Phone(ref phone), Event::PhoneChanged(_)) => {
                    self.phone = Some(phone.clone());
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Where a holder can be reached. Held in memory while one notice is sent.
#[derive(Clone, Default, Zeroize, ZeroizeOnDrop)]
pub struct Contact {
    /// E.164, or empty.
    pub phone: String,
    /// E-mail address, or empty.
    pub email: String,
}

impl core::fmt::Debug for Contact {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Contact(sealed)")
    }
}

/// Reads where a holder can be reached.
pub(crate) async fn contact(
    ledger: &Ledger,
    account: AccountId,
    before: Option<Revision>,
) -> Result<Contact, LedgerError> {
    let (store, stream) = (ledger.store().as_ref(), StreamId::account(account));
    let mut loaded = Loaded::default();
    let mut next = Revision(0);
    loop {
        let page = store.read_stream(stream, next, PAGE_RECORDS_MAX).await?;
        let wanted = |record: &&StoredRecord| before.is_none_or(|end| record.revision < end);
        for record in page.iter().filter(wanted) {
            loaded.learn(record, ledger.vault()).await?;
        }
        let Some(last) = page
            .last()
            .filter(|last| before.is_none_or(|end| last.revision < end))
        else {
            break;
        };
        next = Revision(last.revision.0 + 1);
    }
    let email = loaded.person.as_ref().map(|person| person.email.clone());
    Ok(Contact {
        phone: loaded.registered_phone().unwrap_or_default().to_owned(),
        email: email.unwrap_or_default(),
    })
}

/// Opens the sealed parts of a record, in order. `None`: redacted, or its key is destroyed.
pub async fn open_parts(
    record: &RecordRef<'_>,
    envelope: &Envelope,
    vault: &Vault,
) -> Result<Vec<Option<Personal>>, LedgerError> {
    let mut opened = Vec::with_capacity(envelope.sealed.len());
    for (index, (part, commitment)) in record.parts().zip(&envelope.sealed).enumerate() {
        if part.is_empty() {
            opened.push(None);
            continue;
        }
        let (subject, class) = (commitment.subject, commitment.class);
        let place = PartPlace {
            event: envelope.event_id,
            index: index as u8,
            subject,
            class,
        };
        opened.push(match vault.key(&subject, class).await? {
            KeyState::Live(key) => Some(seal::open(part, place, &key)?),
            KeyState::Destroyed | KeyState::Unknown => None,
        });
    }
    Ok(opened)
}

/// Most accounts kept in memory.
const CACHED_ACCOUNTS_MAX: usize = 8192;

/// Accounts used lately. A miss costs a stream read, nothing else.
#[derive(Default)]
pub struct Cache {
    accounts: parking_lot::Mutex<HashMap<AccountId, Loaded>>,
}

impl Cache {
    /// Takes the account out; whoever holds its lock puts it back.
    pub fn take(&self, account: AccountId) -> Loaded {
        self.accounts.lock().remove(&account).unwrap_or_default()
    }

    /// Puts it back.
    pub fn put(&self, account: AccountId, loaded: Loaded) {
        let mut accounts = self.accounts.lock();
        if accounts.len() >= CACHED_ACCOUNTS_MAX {
            // Half at random (the map's order): no bookkeeping on the hot path.
            let drop: Vec<_> = accounts
                .keys()
                .copied()
                .take(CACHED_ACCOUNTS_MAX / 2)
                .collect();
            for account in drop {
                accounts.remove(&account);
            }
        }
        accounts.insert(account, loaded);
    }
}

/// The link of a record that has none before it.
pub const fn link_of(head: Option<StreamHead>) -> Digest {
    match head {
        Some(head) => head.link,
        None => Digest::ZERO,
    }
}
