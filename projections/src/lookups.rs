//! Who holds a personal number, a phone number or a device: keyed hash → account.
//!
//! Follows the claim streams (design, section 4). A claim holds only once the account's event that
//! it names (`confirmed_by`) stands in the account's stream; until then it keeps others out and is
//! shown as not confirmed. Keys are keyed hashes (INV-3): nothing can be looked up without the
//! ledger's lookup key, which never comes here.

use crate::changes::Changes;
use crate::error::{ApplyError, ViewError};
use crate::projection::{Decoded, Projection};
use crate::view::ViewStore;
use domain::bytes;
use domain::event::{ClaimForfeited, ClaimReleased, Claimed, Event};
use domain::ids::{AccountId, Category, EventId, LookupHash, Position, StreamId};
use std::collections::HashSet;
use wincode::{SchemaRead, SchemaWrite};

/// Its name.
pub const NAME: &str = "lookups";
/// Version of its rows.
pub const VERSION: u32 = 1;

const CLAIM: u8 = b'c';
const PENDING: u8 = b'p';

/// Who holds what was looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SchemaRead, SchemaWrite, serde::Serialize)]
pub struct Lookup {
    /// The account.
    pub account: AccountId,
    /// The account's event that makes the claim good.
    pub confirmed_by: EventId,
    /// Whether that event is in the account's stream: a claim that is not confirmed holds nothing
    /// but keeps others out until it is settled.
    pub confirmed: bool,
    /// The claim's position.
    pub position: Position,
}

/// The claims that one event will confirm: a registration confirms number and phone at once.
#[derive(Debug, Default, Clone, PartialEq, Eq, SchemaRead, SchemaWrite)]
struct Pending {
    claims: Vec<StreamId>,
}

/// Folds claims.
#[derive(Debug, Default)]
pub struct Lookups {
    /// Ids of the `PENDING` rows, so that an account's event costs no read. Short: only claims
    /// between their two events, and dangling ones.
    awaited: HashSet<EventId>,
}

impl Projection for Lookups {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn start(&mut self, changes: &mut Changes) -> Result<(), ViewError> {
        self.awaited.clear();
        for (key, _) in changes.committed(&[PENDING])? {
            let id = key.get(1..).and_then(|id| id.try_into().ok());
            let id = id.ok_or_else(|| ViewError::damaged(NAME, "a key of another length"))?;
            self.awaited.insert(EventId(id));
        }
        Ok(())
    }

    fn apply(&mut self, changes: &mut Changes, record: &Decoded) -> Result<(), ApplyError> {
        let stream = record.envelope.stream;
        match &record.event {
            Event::Claimed(claimed) => self.claimed(changes, record, claimed),
            Event::ClaimReleased(released) => self.released(changes, stream, released),
            Event::ClaimForfeited(forfeited) => self.forfeited(changes, record, forfeited),
            _ if self.awaited.contains(&record.envelope.event_id) => {
                self.confirmed(changes, record)
            }
            _ => Ok(()),
        }
    }
}

impl Lookups {
    fn claimed(
        &mut self,
        changes: &mut Changes,
        record: &Decoded,
        claimed: &Claimed,
    ) -> Result<(), ApplyError> {
        let stream = record.envelope.stream;
        if !is_claim(stream.category) {
            return Err(ApplyError::Poison(
                "a claim outside a claim stream".to_owned(),
            ));
        }
        if let Some(before) = read_claim(changes, stream)? {
            self.no_longer_awaited(changes, before.confirmed_by, stream)?;
        }
        let lookup = Lookup {
            account: claimed.account,
            confirmed_by: claimed.confirmed_by,
            confirmed: false,
            position: record.position,
        };
        changes.write(&claim_key(stream), &lookup)?;
        let key = pending_key(claimed.confirmed_by);
        if !self.awaited.contains(&claimed.confirmed_by) {
            changes.assume_absent(&key)?;
        }
        let mut pending: Pending = changes.read(NAME, &key)?.unwrap_or_default();
        if !pending.claims.contains(&stream) {
            pending.claims.push(stream);
        }
        self.awaited.insert(claimed.confirmed_by);
        changes.write(&key, &pending)
    }

    fn released(
        &mut self,
        changes: &mut Changes,
        stream: StreamId,
        released: &ClaimReleased,
    ) -> Result<(), ApplyError> {
        let Some(held) = read_claim(changes, stream)? else {
            return Ok(());
        };
        if held.account != released.account {
            return Ok(());
        }
        self.no_longer_awaited(changes, held.confirmed_by, stream)?;
        Ok(changes.delete(&claim_key(stream))?)
    }

    /// The account can no longer make the claim good, so it holds nothing even before its release.
    fn forfeited(
        &mut self,
        changes: &mut Changes,
        record: &Decoded,
        forfeited: &ClaimForfeited,
    ) -> Result<(), ApplyError> {
        self.no_longer_awaited(changes, forfeited.confirmed_by, forfeited.claim)?;
        let held = read_claim(changes, forfeited.claim)?;
        let theirs = |held: &Lookup| {
            !held.confirmed
                && held.confirmed_by == forfeited.confirmed_by
                && Some(held.account) == record.account()
        };
        if held.as_ref().is_some_and(theirs) {
            changes.delete(&claim_key(forfeited.claim))?;
        }
        Ok(())
    }

    fn confirmed(&mut self, changes: &mut Changes, record: &Decoded) -> Result<(), ApplyError> {
        let id = record.envelope.event_id;
        let key = pending_key(id);
        let pending: Pending = changes.read(NAME, &key)?.unwrap_or_default();
        for stream in pending.claims {
            let Some(mut held) = read_claim(changes, stream)? else {
                continue;
            };
            // An event of that id in another stream confirms nothing.
            if held.confirmed_by == id && Some(held.account) == record.account() {
                held.confirmed = true;
                changes.write(&claim_key(stream), &held)?;
            }
        }
        self.awaited.remove(&id);
        Ok(changes.delete(&key)?)
    }

    fn no_longer_awaited(
        &mut self,
        changes: &mut Changes,
        id: EventId,
        stream: StreamId,
    ) -> Result<(), ApplyError> {
        if !self.awaited.contains(&id) {
            return Ok(());
        }
        let key = pending_key(id);
        let mut pending: Pending = changes.read(NAME, &key)?.unwrap_or_default();
        pending.claims.retain(|claim| *claim != stream);
        if pending.claims.is_empty() {
            self.awaited.remove(&id);
            Ok(changes.delete(&key)?)
        } else {
            changes.write(&key, &pending)
        }
    }
}

/// Who holds what, as committed.
pub(crate) fn find(
    view: &dyn ViewStore,
    category: Category,
    hash: LookupHash,
) -> Result<Option<Lookup>, ViewError> {
    if !is_claim(category) {
        return Err(ViewError::BadQuery(
            "only personal numbers, phones and devices are looked up",
        ));
    }
    let row = view.get(&claim_key(StreamId::claim(category, hash)))?;
    row.map(|row| bytes::decode(&row).map_err(|error| ViewError::damaged(NAME, &error)))
        .transpose()
}

fn is_claim(category: Category) -> bool {
    matches!(
        category,
        Category::PersonalIdClaim | Category::PhoneClaim | Category::DeviceClaim
    )
}

fn claim_key(stream: StreamId) -> Vec<u8> {
    let mut key = vec![CLAIM];
    key.extend(stream.key());
    key
}

fn pending_key(id: EventId) -> Vec<u8> {
    let mut key = vec![PENDING];
    key.extend(id.0);
    key
}

fn read_claim(changes: &mut Changes, stream: StreamId) -> Result<Option<Lookup>, ApplyError> {
    changes.read(NAME, &claim_key(stream))
}
