//! The tree: growing it, its root, and proofs out of its tiles.
//!
//! A growing tree keeps only what is unfinished, one partial tile a level; full tiles are handed out
//! and never needed again. Proofs read hashes from tiles through [`Tiles`].

use crate::SIZE_MAX;
use crate::error::Error;
use crate::hash::Hash;
use crate::tile::{self, HEIGHT, Kind, TileId, WIDTH};

/// A tree that grows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    /// The partial tile of each level, lowest first. Never full between calls.
    rows: Vec<Vec<Hash>>,
}

/// A tile that has become full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullTile {
    /// Its level.
    pub level: u8,
    /// Which one of its level.
    pub index: u64,
    /// Its hashes.
    pub hashes: Vec<Hash>,
    /// Its hash in the level above.
    pub root: Hash,
}

impl Tree {
    /// Without entries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// As it was at a size, from the partial tiles that a tree of this size has.
    pub fn restore(size: u64, tiles: &impl Tiles) -> Result<Self, Error> {
        check_size(size)?;
        let mut rows = Vec::new();
        for level in 0..=tile::LEVEL_MAX {
            let hashes = tile::hashes_in_level(level, size);
            if hashes == 0 {
                break;
            }
            let (index, width) = (hashes / u64::from(WIDTH), hashes % u64::from(WIDTH));
            let row = match u16::try_from(width).unwrap_or(0) {
                0 => Vec::new(),
                width => {
                    let kind = Kind::Hashes(level);
                    let id = TileId { kind, index, width };
                    tile::hashes(&id, &tiles.tile(&id)?)?
                }
            };
            rows.push(row);
        }
        Ok(Self { size, rows })
    }

    /// Entries.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Takes in the hash of an entry. Tiles that became full are handed out, lowest level first.
    pub fn push(&mut self, leaf: Hash, full: &mut impl FnMut(FullTile)) {
        let mut hash = leaf;
        let mut level = 0;
        self.size += 1;
        loop {
            let at = usize::from(level);
            if self.rows.len() <= at {
                self.rows.push(Vec::with_capacity(usize::from(WIDTH)));
            }
            let Some(row) = self.rows.get_mut(at) else {
                return;
            };
            row.push(hash);
            if row.len() < usize::from(WIDTH) {
                return;
            }
            let hashes = core::mem::replace(row, Vec::with_capacity(usize::from(WIDTH)));
            hash = perfect(&hashes);
            let above = tile::hashes_in_level(level, self.size) / u64::from(WIDTH);
            let index = above.saturating_sub(1);
            full(FullTile {
                level,
                index,
                hashes,
                root: hash,
            });
            level += 1;
        }
    }

    /// The partial tiles, lowest level first.
    pub fn partial(&self) -> impl Iterator<Item = (TileId, &[Hash])> {
        (0u8..).zip(&self.rows).filter_map(|(level, row)| {
            let width = u16::try_from(row.len()).ok().filter(|width| *width > 0)?;
            let index = tile::hashes_in_level(level, self.size) / u64::from(WIDTH);
            let kind = Kind::Hashes(level);
            Some((TileId { kind, index, width }, row.as_slice()))
        })
    }

    /// Root of all entries: RFC 6962 `MTH`.
    #[must_use]
    pub fn root(&self) -> Hash {
        // The perfect subtrees that the size is the sum of, the rightmost and smallest first.
        let mut root = None;
        for row in &self.rows {
            let mut right = row.as_slice();
            while !right.is_empty() {
                let width = 1 << right.len().trailing_zeros();
                let (left, subtree) = right.split_at(right.len() - width);
                let hash = perfect(subtree);
                root = Some(root.map_or(hash, |root| Hash::node(&hash, &root)));
                right = left;
            }
        }
        root.unwrap_or_else(Hash::empty)
    }
}

/// Where hashes are read.
pub trait Tiles {
    /// The bytes of a tile: of the width asked for, or of the full tile.
    fn tile(&self, tile: &TileId) -> Result<Vec<u8>, Error>;
}

/// Root of a perfect subtree: the number of hashes is a power of two.
fn perfect(hashes: &[Hash]) -> Hash {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        let (pairs, _) = row.as_chunks::<2>();
        row = pairs
            .iter()
            .map(|[left, right]| Hash::node(left, right))
            .collect();
    }
    row.first().copied().unwrap_or_else(Hash::empty)
}

fn check_size(size: u64) -> Result<(), Error> {
    if size > SIZE_MAX {
        return Err(Error::TooLarge {
            what: "tree",
            found: size,
            limit: SIZE_MAX,
        });
    }
    Ok(())
}

/// Largest power of two below `n`, which is at least 2.
const fn split(n: u64) -> u64 {
    1 << (u64::BITS - 1 - (n - 1).leading_zeros())
}

/// A tree of a size, read from its tiles.
pub struct Stored<'a, T: Tiles> {
    size: u64,
    tiles: &'a T,
}

impl<'a, T: Tiles> Stored<'a, T> {
    /// A tree of so many entries. The tiles are believed: who has them from somebody else checks
    /// what comes out against a root ([`crate::path`] reads names only).
    pub fn new(size: u64, tiles: &'a T) -> Result<Self, Error> {
        check_size(size)?;
        Ok(Self { size, tiles })
    }

    /// Its root.
    pub fn root(&self) -> Result<Hash, Error> {
        self.range(0, self.size)
    }

    /// Hash of an entry.
    pub fn leaf(&self, index: u64) -> Result<Hash, Error> {
        if index >= self.size {
            return Err(Error::OutOfRange { what: "entry" });
        }
        self.range(index, index + 1)
    }

    /// Proves that the entry is in the tree: RFC 6962 section 2.1.1, from its sibling upwards.
    pub fn inclusion(&self, index: u64) -> Result<Vec<Hash>, Error> {
        if index >= self.size {
            return Err(Error::OutOfRange { what: "entry" });
        }
        let mut proof = Vec::new();
        let (mut from, mut to) = (0, self.size);
        while to - from > 1 {
            let middle = from + split(to - from);
            if index < middle {
                proof.push(self.range(middle, to)?);
                to = middle;
            } else {
                proof.push(self.range(from, middle)?);
                from = middle;
            }
        }
        proof.reverse();
        Ok(proof)
    }

    /// Proves that the tree of `old` entries is a beginning of this one: RFC 6962 section 2.1.2.
    /// Empty for `old` 0 and for the whole tree.
    pub fn consistency(&self, old: u64) -> Result<Vec<Hash>, Error> {
        if old > self.size {
            return Err(Error::OutOfRange { what: "old size" });
        }
        let mut proof = Vec::new();
        if old == 0 {
            return Ok(proof);
        }
        let (mut from, mut to) = (0, self.size);
        while old < to {
            let middle = from + split(to - from);
            if old <= middle {
                proof.push(self.range(middle, to)?);
                to = middle;
            } else {
                proof.push(self.range(from, middle)?);
                from = middle;
            }
        }
        // The old tree's own last subtree is known to whoever knows its root, if it is all of it.
        if from > 0 {
            proof.push(self.range(from, to)?);
        }
        proof.reverse();
        Ok(proof)
    }

    /// `MTH` of a range that starts where the tree splits.
    fn range(&self, from: u64, to: u64) -> Result<Hash, Error> {
        let length = to - from;
        if length == 0 {
            return Ok(Hash::empty());
        }
        if length.is_power_of_two() {
            return self.subtree(from, length);
        }
        let middle = from + split(length);
        Ok(Hash::node(
            &self.subtree(from, middle - from)?,
            &self.range(middle, to)?,
        ))
    }

    /// Hash of a perfect subtree at its place.
    fn subtree(&self, from: u64, length: u64) -> Result<Hash, Error> {
        let height = length.trailing_zeros();
        let level = u8::try_from(height / u32::from(HEIGHT)).unwrap_or(tile::LEVEL_MAX);
        let in_tile = 1u64 << (height % u32::from(HEIGHT));
        let first = from >> (u32::from(level) * u32::from(HEIGHT));
        let index = first / u64::from(WIDTH);
        let id = TileId::at(Kind::Hashes(level), index, self.size)
            .ok_or(Error::OutOfRange { what: "subtree" })?;
        let hashes = tile::hashes(&id, &self.tiles.tile(&id)?)?;
        let start = usize::try_from(first % u64::from(WIDTH)).unwrap_or(usize::MAX);
        let end = start.saturating_add(usize::try_from(in_tile).unwrap_or(usize::MAX));
        let wanted = hashes
            .get(start..end)
            .ok_or(Error::OutOfRange { what: "subtree" })?;
        Ok(perfect(wanted))
    }
}
