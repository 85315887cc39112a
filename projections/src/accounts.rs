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
use ledger::store::StreamHead;
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
        let mut fold = Fold(changes.read(NAME, &key)?);
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
