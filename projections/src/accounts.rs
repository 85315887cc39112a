//! One row per account: its state, the head of its stream, and where its sealed parts are.
//!
//! Holds nothing personal (INV-7): who somebody is stays sealed in the log. The row says at which
//! position and under which commitments; a reader fetches that record and opens the part with the
//! account's key, so that a destroyed key leaves nothing to read here either.
//!
//! Every event must continue its account's stream: its number and its link are checked against
//! the row, and a break halts the projection.

use crate::changes::Changes;
use crate::error::{ApplyError, ViewError};
use crate::projection::{Decoded, Projection};
use crate::view::{Order, ViewStore};
use domain::account::{Account, Recorded};
use domain::bytes;
use domain::event::Event;
use domain::ids::{AccountId, DeviceRef, Digest, DocumentId, Position, Revision};
use domain::vocabulary::RetentionClass;
use ledger::store::{EventStore, StreamHead};
use wincode::{SchemaRead, SchemaWrite};

/// Its name.
pub const NAME: &str = "accounts";
/// Version of its rows.
pub const VERSION: u32 = 4;

const ACCOUNT: u8 = b'a';

/// The sealed parts beside one event, by reference. Which part holds what is inside the seal: a
/// reader opens them and takes the kind it came for.
#[derive(Debug, Clone, PartialEq, Eq, Default, SchemaRead, SchemaWrite, serde::Serialize)]
pub struct SealedAt {
    /// The event they stand beside.
    pub position: u64,
    /// What the envelope commits to, in the order of the parts.
    pub parts: Vec<SealedPart>,
}

/// One sealed part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SchemaRead, SchemaWrite, serde::Serialize)]
pub struct SealedPart {
    /// Under which of the account's keys.
    pub class: RetentionClass,
    /// BLAKE3 commitment to the ciphertext.
    pub commitment: Digest,
}

/// Where a document's number is sealed.
#[derive(Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite, serde::Serialize)]
pub struct SealedDocument {
    /// Which document.
    pub document: DocumentId,
    /// Where.
    pub at: SealedAt,
}

/// Where a device's identifier is sealed.
#[derive(Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite, serde::Serialize)]
pub struct SealedDevice {
    /// Which device.
    pub device: DeviceRef,
    /// Where.
    pub at: SealedAt,
}

/// Where an account's personal data are sealed.
#[derive(Debug, Clone, PartialEq, Eq, Default, SchemaRead, SchemaWrite, serde::Serialize)]
pub struct Sealed {
    /// The holder as first declared or entered: `Person`, of a foreigner with `TravelDocument`; of an
    /// organisation `Organisation`.
    pub person: Option<SealedAt>,
    /// The phone number, where it was changed since: `Phone`.
    pub phone: Option<SealedAt>,
    /// The bound device and one that is being bound: `Device`.
    pub devices: Vec<SealedDevice>,
    /// Linked and declared documents: `Document`.
    pub documents: Vec<SealedDocument>,
}

/// An account as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountView {
    /// Which.
    pub id: AccountId,
    /// The last event of its stream that is visible here.
    pub head: StreamHead,
    /// Its state.
    pub account: Account,
    /// Where its personal data are sealed.
    pub sealed: Sealed,
}

#[derive(Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite)]
struct AccountRow {
    revision: Revision,
    position: Position,
    link: Digest,
    account: Account,
    sealed: Sealed,
}

/// Folds one account's events, in the order of its stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Fold(Option<AccountRow>);

impl Fold {
    /// As it is in a row.
    pub(crate) fn read(changes: &mut Changes, view: &str, key: &[u8]) -> Result<Self, ApplyError> {
        Ok(Self(changes.read(view, key)?))
    }

    /// The row, if any event was folded.
    pub(crate) fn bytes(&self) -> Result<Option<Vec<u8>>, ApplyError> {
        let row = self.0.as_ref().map(bytes::encode).transpose();
        row.map_err(|error| ApplyError::Poison(error.to_string()))
    }

    /// Folds one record. `Err`: it does not continue the stream.
    pub(crate) fn push(&mut self, record: &Decoded) -> Result<(), ApplyError> {
        let envelope = &record.envelope;
        let (next, link) = match &self.0 {
            Some(row) => (Revision(row.revision.0 + 1), row.link),
            None => (Revision(0), Digest::ZERO),
        };
        if envelope.revision != next {
            return Err(ApplyError::Poison(
                "the event skips a revision of its stream".to_owned(),
            ));
        }
        if envelope.link != link {
            return Err(ApplyError::Poison(
                "the event does not link to the one before".to_owned(),
            ));
        }
        self.push_unchecked(record);
        Ok(())
    }

    /// Folds one record wherever it stands: for valid time, where some are left out.
    pub(crate) fn push_unchecked(&mut self, record: &Decoded) {
        let envelope = &record.envelope;
        let row = self.0.get_or_insert_with(|| AccountRow {
            revision: envelope.revision,
            position: record.position,
            link: record.link,
            account: Account::default(),
            sealed: Sealed::default(),
        });
        row.revision = envelope.revision;
        row.position = record.position;
        row.link = record.link;
        row.account.evolve(&Recorded {
            event: &record.event,
            event_id: envelope.event_id,
            revision: envelope.revision,
            position: Some(record.position),
            recorded_at: envelope.recorded_at,
            occurred_at: envelope.occurred_at,
            policy: envelope.policy,
        });
        row.sealed.follow(record);
    }

    /// The account, if any event was folded.
    pub(crate) fn view(self, id: AccountId) -> Option<AccountView> {
        self.0.map(|row| row.view(id))
    }
}

impl AccountRow {
    fn view(self, id: AccountId) -> AccountView {
        let head = StreamHead {
            revision: self.revision,
            position: self.position,
            link: self.link,
        };
        AccountView {
            id,
            head,
            account: self.account,
            sealed: self.sealed,
        }
    }
}

impl Sealed {
    /// Notes where the event's sealed parts are, by what the event's kind is said to seal.
    fn follow(&mut self, record: &Decoded) {
        let here = || {
            let parts = record.envelope.sealed.iter().map(|commitment| SealedPart {
                class: commitment.class,
                commitment: commitment.digest,
            });
            SealedAt {
                position: record.position.0,
                parts: parts.collect(),
            }
        };
        let sealed = !record.envelope.sealed.is_empty();
        match &record.event {
            Event::AppRegistrationSubmitted(_)
            | Event::DependantAccountOpened(_)
            | Event::ForeignerRegistrationSubmitted(_)
            | Event::OrganisationApplied(_)
            | Event::OrganisationIntakeRecorded(_)
            | Event::AccountImported(_)
                if sealed =>
            {
                self.person = Some(here());
            }
            // A command's first event carries its signed body: that alone says nothing of the person.
            Event::Level2IntakeOpened(_) | Event::ForeignerIntakeOpened(_)
                if sealed && (self.person.is_none() || record.envelope.receipt.is_none()) =>
            {
                self.person = Some(here());
            }
            Event::PhoneChanged(_) if sealed => self.phone = Some(here()),
            Event::ActivationRequested(facts) if sealed => self.said(facts.device, here()),
            Event::DeviceChangeRequested(facts) if sealed => self.said(facts.device, here()),
            Event::DeviceBound(facts) => {
                let device = facts.device;
                if sealed && !self.devices.iter().any(|known| known.device == device) {
                    self.said(device, here());
                }
                self.devices.retain(|known| known.device == device);
            }
            Event::DeviceUnbound(facts) => {
                self.devices.retain(|known| known.device != facts.device);
            }
            Event::DocumentLinkRequested(facts) if sealed => {
                self.documents.push(SealedDocument {
                    document: facts.document,
                    at: here(),
                });
            }
            Event::DocumentLinkFailed(facts) => self.no_document(facts.document),
            Event::DocumentLinkBroken(facts) => self.no_document(facts.document),
            Event::DocumentUnlinked(facts) => self.no_document(facts.document),
            _ => {}
        }
    }

    /// A device was said; at most the bound one and the last one asked for are kept.
    fn said(&mut self, device: DeviceRef, at: SealedAt) {
        const DEVICES_MAX: usize = 2;
        self.devices.retain(|known| known.device != device);
        if self.devices.len() >= DEVICES_MAX {
            self.devices.truncate(1);
        }
        self.devices.push(SealedDevice { device, at });
    }

    fn no_document(&mut self, document: DocumentId) {
        self.documents.retain(|known| known.document != document);
    }
}

/// Folds accounts.
#[derive(Debug, Default)]
pub struct Accounts;

impl Projection for Accounts {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn apply(&mut self, changes: &mut Changes, record: &Decoded) -> Result<(), ApplyError> {
        let Some(account) = record.account() else {
            return Ok(());
        };
        let key = key(account);
        let mut fold = Fold::read(changes, NAME, &key)?;
        fold.push(record)?;
        match fold.0 {
            Some(row) => changes.write(&key, &row),
            None => Ok(()),
        }
    }
}

fn key(account: AccountId) -> Vec<u8> {
    let mut key = vec![ACCOUNT];
    key.extend(account.0);
    key
}

/// Where an account's row that a view serves parts from the one that its events lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parting {
    /// The row is what it was after an event; the account's next one is the first that is not in it.
    Missed {
        /// Position of the last event that is in the row; `None`: there is no row at all.
        after: Option<u64>,
        /// Position of the first that is not.
        first: u64,
    },
    /// The row is what it never was. If it was right before, the account's first event from then on is
    /// where it went wrong at the latest known.
    Never {
        /// Position of the first of the account's events among those that were folded in question.
        first: Option<u64>,
    },
    /// The row is right: it is somewhere else that it was stated wrongly.
    Same,
}

/// The account whose row this is, in a view that keeps one of each.
pub(crate) fn account_of(view: &str, row: &[u8]) -> Option<AccountId> {
    let (first, id) = row.split_first()?;
    let keeps = [NAME, crate::state_map::NAME].contains(&view) && *first == ACCOUNT;
    id.try_into().ok().filter(|_| keeps).map(AccountId)
}

/// Where a served row of an account parts from what its stream leads to. `from`, `until`: the events among
/// which something went wrong, the last not included.
pub(crate) async fn parting(
    store: &dyn EventStore,
    account: AccountId,
    served: Option<&[u8]>,
    (from, until): (u64, u64),
) -> Result<Parting, ViewError> {
    let mut fold = Fold::default();
    let mut after = None;
    let mut matches = served.is_none();
    let mut missed = None;
    let mut among = None;
    for record in crate::as_of::records(store, account).await? {
        let position = record.position.0;
        if matches {
            missed = Some((after, position));
        }
        if among.is_none() && (from..until).contains(&position) {
            among = Some(position);
        }
        fold.push_unchecked(&record);
        let row = fold
            .bytes()
            .map_err(|error| ViewError::damaged(NAME, &error))?;
        matches = served.is_some() && row.as_deref() == served;
        after = Some(position);
    }
    Ok(match missed {
        _ if matches => Parting::Same,
        Some((after, first)) => Parting::Missed { after, first },
        None => Parting::Never { first: among },
    })
}

/// An account as committed.
pub(crate) fn find(
    view: &dyn ViewStore,
    account: AccountId,
) -> Result<Option<AccountView>, ViewError> {
    let row = view.get(&key(account))?;
    row.map(|row| Ok(decode(&row)?.view(account))).transpose()
}

/// A page of accounts in the order of their ids, after one of them.
pub(crate) fn page(
    view: &dyn ViewStore,
    after: Option<AccountId>,
    limit: usize,
) -> Result<Vec<AccountView>, ViewError> {
    let start = after.map_or(vec![ACCOUNT], |after| {
        let mut start = key(after);
        start.push(0);
        start
    });
    let rows = view.scan(&start, &[ACCOUNT + 1], Order::Ascending, limit)?;
    let decoded = rows.into_iter().map(|(key, row)| {
        let id = key.get(1..).and_then(|id| id.try_into().ok());
        let id = id.ok_or_else(|| ViewError::damaged(NAME, "a key of another length"))?;
        Ok(decode(&row)?.view(AccountId(id)))
    });
    decoded.collect()
}

fn decode(row: &[u8]) -> Result<AccountRow, ViewError> {
    bytes::decode(row).map_err(|error| ViewError::damaged(NAME, &error))
}
