//! The tree over the buckets, in rows of sixteen hashes: one row a level on the way to the root, so that a
//! touched bucket costs four rows and a proof reads four.

use super::{NAME, Versions, decode};
use crate::changes::Changes;
use crate::error::{ApplyError, ViewError};
use crate::view::ViewStore;
use domain::ids::Digest;
use std::collections::BTreeMap;
use std::sync::OnceLock;
use tlog::Hash;
use tlog::map::{Bucket, path_of, root_of};

const TILE: u8 = b't';
/// Levels of rows: 16^4 buckets.
const LEVELS: u8 = 4;
/// Hashes of a row.
const WIDTH: usize = 16;

type Row = Vec<Digest>;

/// Takes in the hashes of buckets as of a cut, which is newer than all there are, and returns the root.
pub(super) fn update(
    changes: &mut Changes,
    cut: u64,
    buckets: Vec<(u16, Hash)>,
) -> Result<Hash, ApplyError> {
    let mut below: BTreeMap<u16, Hash> = buckets.into_iter().collect();
    for level in 0..LEVELS {
        let mut above = BTreeMap::new();
        let mut todo = below.into_iter().peekable();
        while let Some((first, _)) = todo.peek() {
            let index = first / 16;
            let key = key(level, index);
            let mut versions: Versions<Row> = changes.read(NAME, &key)?.unwrap_or(Versions::none());
            let mut row = newest(&versions, level)?;
            while let Some((place, hash)) = todo.next_if(|(place, _)| place / 16 == index) {
                if let Some(slot) = row.get_mut(usize::from(place % 16)) {
                    *slot = hash;
                }
            }
            above.insert(index, root_of(&row));
            let row = row.iter().map(|hash| Digest(hash.0)).collect();
            // The cut before is being stated and may be asked for from now on.
            versions.push(cut, cut.checked_sub(1), row);
            changes.write(&key, &versions)?;
        }
        below = above;
    }
    if let Some(root) = below.remove(&0) {
        return Ok(root);
    }
    // Nothing was touched.
    let top: Option<Versions<Row>> = changes.read(NAME, &key(LEVELS - 1, 0))?;
    let top = top.unwrap_or(Versions::none());
    Ok(root_of(&newest(&top, LEVELS - 1)?))
}

/// From a bucket to the root, as of a cut.
pub(super) fn path(view: &dyn ViewStore, cut: u64, bucket: u16) -> Result<Vec<Hash>, ViewError> {
    let mut path = Vec::new();
    let mut place = bucket;
    for level in 0..LEVELS {
        let versions = match view.get(&key(level, place / 16))? {
            Some(row) => decode(&row)?,
            None => Versions::none(),
        };
        let row = hashes(versions.at(cut), level)?;
        path.extend(path_of(&row, usize::from(place % 16)));
        place /= 16;
    }
    Ok(path)
}

/// Root of the map without leaves.
pub(super) fn empty_root() -> Hash {
    empty(LEVELS)
}

/// What stands in a row of a level where no bucket below was ever touched.
fn empty(level: u8) -> Hash {
    static EMPTY: OnceLock<Vec<Hash>> = OnceLock::new();
    let all = EMPTY.get_or_init(|| {
        let mut all = vec![Bucket::empty().hash()];
        for _ in 0..LEVELS {
            let below = all.last().copied().unwrap_or_else(Hash::empty);
            all.push(root_of(&[below; WIDTH]));
        }
        all
    });
    let empty = all.get(usize::from(level));
    empty.copied().unwrap_or_else(Hash::empty)
}

fn newest(versions: &Versions<Row>, level: u8) -> Result<Vec<Hash>, ViewError> {
    hashes(versions.at(u64::MAX), level)
}

fn hashes(row: Option<&Row>, level: u8) -> Result<Vec<Hash>, ViewError> {
    match row {
        None => Ok(vec![empty(level); WIDTH]),
        Some(row) if row.len() == WIDTH => Ok(row.iter().map(|digest| Hash(digest.0)).collect()),
        Some(_) => Err(ViewError::damaged(NAME, "a row of the tree is cut")),
    }
}

fn key(level: u8, index: u16) -> [u8; 4] {
    let [first, second] = index.to_be_bytes();
    [TILE, level, first, second]
}
