//! The state map: for every account how long its stream is, its newest event, and its state, under one
//! root that the ledger states in `StateSealed` events.
//!
//! Owns the map ([`tlog::map`]) over accounts and its proofs: what an account's state is, that there is no
//! such account, and, since a stream's length stands in its leaf, that none of its events is left out. It
//! folds commitments only, so erasing or redacting sealed parts changes no leaf (INV-4).
//!
//! A `StateSealed` event is a *cut*: leaves and roots are kept as they were just after it until the next
//! one has stated them and for as long as that is the newest statement. What it states must be what this
//! map came to at the cut before; a difference halts the projection and says both roots.
//!
//! What stands in a leaf: [`ledger::transparency::state_proof`].
//!
//! Rows:
//!
//! ```text
//! 'a' ‖ account             the account, folded: the row of `accounts`
//! 'l' ‖ key                 its leaf, in up to three versions, the newest first
//! 'q' ‖ bucket u16 BE       touched since the last cut
//! 't' ‖ level ‖ u16 BE      16 hashes of the tree over the buckets, in up to two versions
//! 'm'                       the cuts
//! ```

mod proof;
mod tiles;

#[cfg(test)]
mod tests;

use crate::accounts::{self, Fold};
use crate::changes::Changes;
use crate::error::{ApplyError, ViewError};
use crate::projection::{Decoded, Projection};
use crate::view::ViewStore;
use domain::bytes;
use domain::event::{Event, StateSealed};
use domain::ids::{AccountId, Category, Digest, StreamId};
pub use ledger::transparency::state_proof::{AccountProof, StateLeaf, key_of};
pub(crate) use proof::prove;
use sha2::{Digest as _, Sha256};
use tlog::Hash;
use tlog::map::{Bucket, Key, Leaf};
use wincode::{SchemaRead, SchemaWrite};

/// Its name.
pub const NAME: &str = "state_map";
/// Version of its rows and of what is hashed: another form of the accounts' rows gives other leaves, so it
/// is another version of the map.
pub const VERSION: u32 = (1 << 16) + accounts::VERSION;

const ACCOUNT: u8 = b'a';
const LEAF: u8 = b'l';
const TOUCHED: u8 = b'q';
const META: &[u8] = b"m";

/// A state of the whole map, just after a `StateSealed` event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SchemaRead, SchemaWrite, serde::Serialize)]
pub struct Cut {
    /// Which: the first `StateSealed` of the ledger makes cut 0.
    pub number: u64,
    /// How many events are folded.
    pub position: u64,
    /// Number of accounts.
    pub accounts: u64,
    /// Root of the map.
    pub root: Digest,
}

/// A cut that a later `StateSealed` event has stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SchemaRead, SchemaWrite, serde::Serialize)]
pub struct Stated {
    /// The cut.
    pub cut: Cut,
    /// Position of the event that states it.
    pub sealed_at: u64,
}

/// The cuts there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, SchemaRead, SchemaWrite)]
struct Cuts {
    /// How many; the number of the next.
    made: u64,
    /// The last, not stated yet.
    latest: Option<Cut>,
    /// The one before, where it was stated by a program of this version.
    stated: Option<Stated>,
}

/// Something as of a cut: it counts in this one and every later one until there is a newer.
#[derive(Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite)]
struct Version<T> {
    cut: u64,
    is: T,
}

/// Versions of something, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite)]
struct Versions<T>(Vec<Version<T>>);

impl<T> Versions<T> {
    const fn none() -> Self {
        Self(Vec::new())
    }

    /// As of a cut.
    fn at(&self, cut: u64) -> Option<&T> {
        let version = self.0.iter().find(|version| version.cut <= cut)?;
        Some(&version.is)
    }

    /// Adds what it is as of `cut`, and forgets what nobody can ask for: everything before the version
    /// that `oldest` sees.
    fn push(&mut self, cut: u64, oldest: Option<u64>, is: T) {
        self.0.retain(|version| version.cut != cut);
        self.0.insert(0, Version { cut, is });
        if let Some(oldest) = oldest
            && let Some(last) = self.0.iter().position(|version| version.cut <= oldest)
        {
            self.0.truncate(last + 1);
        }
    }
}

/// Folds the state map.
#[derive(Debug, Default)]
pub struct StateMap;

impl Projection for StateMap {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn apply(&mut self, changes: &mut Changes, record: &Decoded) -> Result<(), ApplyError> {
        if let Some(account) = record.account() {
            return touch(changes, account, record);
        }
        match &record.event {
            Event::StateSealed(facts) => seal(changes, record, facts),
            _ => Ok(()),
        }
    }
}

/// An account's event.
fn touch(changes: &mut Changes, account: AccountId, record: &Decoded) -> Result<(), ApplyError> {
    let row_key = account_key(account);
    let mut fold = Fold::read(changes, NAME, &row_key)?;
    fold.push(record)?;
    let Some(row) = fold.bytes()? else {
        return Ok(());
    };
    let leaf = StateLeaf {
        length: record.envelope.revision.0 + 1,
        position: record.position.0,
        entry: Digest(record.entry),
        state: Digest(Sha256::digest(&row).into()),
    };
    changes.put(&row_key, row)?;
    let now = cuts(changes)?.made;
    let key = key_of(account);
    let leaf_key = leaf_key(&key);
    let mut versions: Versions<Vec<u8>> =
        changes.read(NAME, &leaf_key)?.unwrap_or(Versions::none());
    // Until the cut that is to come, the one before the last is asked for.
    versions.push(now, now.checked_sub(2), leaf.to_bytes());
    changes.write(&leaf_key, &versions)?;
    changes.put(&touched_key(key.bucket()), Vec::new())?;
    Ok(())
}

/// Checks what was stated, and makes the next cut. Everything before is committed.
fn seal(changes: &mut Changes, record: &Decoded, facts: &StateSealed) -> Result<(), ApplyError> {
    let mut cuts = cuts(changes)?;
    check(&cuts, record, facts).map_err(ApplyError::Poison)?;
    let comparable = speaks_of_this_version(facts);
    cuts.stated = cuts.latest.filter(|_| comparable).map(|cut| Stated {
        cut,
        sealed_at: record.position.0,
    });
    let number = cuts.made;
    let mut accounts = cuts.latest.map_or(0, |cut| cut.accounts);
    let mut hashes = Vec::new();
    for bucket in touched(&**changes.view())? {
        let (hash, new) = bucket_at(&**changes.view(), bucket, number)?;
        accounts += new;
        hashes.push((bucket, hash));
        changes.delete(&touched_key(bucket))?;
    }
    let root = tiles::update(changes, number, hashes)?;
    cuts.made += 1;
    cuts.latest = Some(Cut {
        number,
        position: record.position.0 + 1,
        accounts,
        root: Digest(root.0),
    });
    changes.write(META, &cuts)
}

/// Whether the event states what this map came to. The reason why not.
fn check(cuts: &Cuts, record: &Decoded, facts: &StateSealed) -> Result<(), String> {
    if record.envelope.stream != StreamId::single(Category::StateSeals) {
        return Err("StateSealed stands in a stream of something else".to_owned());
    }
    let (position, accounts, root) = cuts.latest.map_or_else(
        || (0, 0, Digest(tiles::empty_root().0)),
        |cut| (cut.position, cut.accounts, cut.root),
    );
    if facts.position != position {
        return Err(format!(
            "StateSealed speaks of position {}; the one before it is followed by position {position}",
            facts.position
        ));
    }
    if (cuts.latest.is_none() || speaks_of_this_version(facts))
        && (facts.root, facts.accounts) != (root, accounts)
    {
        return Err(format!(
            "the state map at position {position} has root {root} and {accounts} accounts here; \
             root {} and {} accounts were stated",
            facts.root, facts.accounts
        ));
    }
    Ok(())
}

fn speaks_of_this_version(facts: &StateSealed) -> bool {
    let mut digests = facts.digests.iter();
    digests.any(|digest| digest.projection == NAME && digest.version == VERSION)
}

/// A bucket's hash as of a cut, the newest there is, and how many of its accounts were not there in the
/// cut before.
fn bucket_at(view: &dyn ViewStore, bucket: u16, cut: u64) -> Result<(Hash, u64), ViewError> {
    let mut leaves = Vec::new();
    let mut new = 0;
    for_each_leaf(view, bucket, |key, versions| {
        if let Some(leaf) = versions.at(cut) {
            leaves.push(Leaf::of(key, leaf).hash());
            let before = cut.checked_sub(1).and_then(|before| versions.at(before));
            new += u64::from(before.is_none());
        }
    })?;
    Ok((Bucket::of(&leaves).hash(), new))
}

/// Every leaf of a bucket, by key.
fn for_each_leaf(
    view: &dyn ViewStore,
    bucket: u16,
    mut each: impl FnMut(Key, Versions<Vec<u8>>),
) -> Result<(), ViewError> {
    let mut prefix = vec![LEAF];
    prefix.extend(bucket.to_be_bytes());
    crate::view::for_each(view, &prefix, |key, row| {
        let key = key.get(1..).and_then(|key| key.try_into().ok());
        let key = key.ok_or_else(|| ViewError::damaged(NAME, "a key of another length"))?;
        each(Key(key), decode(row)?);
        Ok(true)
    })
}

/// Buckets touched since the last cut, as committed.
fn touched(view: &dyn ViewStore) -> Result<Vec<u16>, ViewError> {
    let mut buckets = Vec::new();
    crate::view::for_each(view, &[TOUCHED], |key, _| {
        let bucket = key.get(1..).and_then(|bucket| bucket.try_into().ok());
        let bucket = bucket.ok_or_else(|| ViewError::damaged(NAME, "a key of another length"))?;
        buckets.push(u16::from_be_bytes(bucket));
        Ok(true)
    })?;
    Ok(buckets)
}

fn cuts(changes: &mut Changes) -> Result<Cuts, ApplyError> {
    Ok(changes.read(NAME, META)?.unwrap_or_default())
}

/// The last cut, which the next `StateSealed` is to state.
pub(crate) fn latest(view: &dyn ViewStore) -> Result<Option<Cut>, ViewError> {
    Ok(committed_cuts(view)?.latest)
}

/// The newest cut that was stated, and where.
pub(crate) fn stated(view: &dyn ViewStore) -> Result<Option<Stated>, ViewError> {
    Ok(committed_cuts(view)?.stated)
}

fn committed_cuts(view: &dyn ViewStore) -> Result<Cuts, ViewError> {
    let row = view.get(META)?;
    row.map_or_else(|| Ok(Cuts::default()), |row| decode(&row))
}

/// Root of the map without accounts, which the first `StateSealed` states.
pub fn empty_root() -> Digest {
    Digest(tiles::empty_root().0)
}

fn account_key(account: AccountId) -> Vec<u8> {
    let mut key = vec![ACCOUNT];
    key.extend(account.0);
    key
}

fn leaf_key(key: &Key) -> Vec<u8> {
    let mut row = vec![LEAF];
    row.extend(key.0);
    row
}

fn touched_key(bucket: u16) -> [u8; 3] {
    let [first, second] = bucket.to_be_bytes();
    [TOUCHED, first, second]
}

fn decode<T: crate::changes::RowValue>(row: &[u8]) -> Result<T, ViewError> {
    bytes::decode(row).map_err(|error| ViewError::damaged(NAME, &error))
}
