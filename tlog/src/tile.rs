//! Tiles: how a tree is cut into files that never change.
//!
//! Tile *n* of level *l* holds, for i = 0 … 255, `MTH(D[(n·256 + i)·256^l : (n·256 + i + 1)·256^l])`:
//! 32 bytes each, one after the other. A level above 0 only ever holds hashes of full tiles below.
//! Entry bundle *n* holds the entries of tile *n* of level 0 (see [`crate::bundle`]).

use crate::error::Error;
use crate::hash::Hash;

/// Hashes in a full tile.
pub const WIDTH: u16 = 256;
/// Highest level a path may name.
pub const LEVEL_MAX: u8 = 63;
/// Levels of the tree in one tile.
pub const HEIGHT: u8 = 8;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Hashes of the level.
    Hashes(u8),
    /// Entries.
    Entries,
}

/// One tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// What it holds.
    pub kind: Kind,
    /// Which one of its level.
    pub index: u64,
    /// How much it holds: 256, or 1 to 255 of a partial one.
    pub width: u16,
}

impl TileId {
    /// The tile of a level, as it is in a tree of this size; `None`: the tree does not reach it.
    #[must_use]
    pub fn at(kind: Kind, index: u64, size: u64) -> Option<Self> {
        let level = match kind {
            Kind::Hashes(level) => level,
            Kind::Entries => 0,
        };
        let in_level = hashes_in_level(level, size);
        let before = index.checked_mul(u64::from(WIDTH))?;
        let left = in_level.checked_sub(before).filter(|left| *left > 0)?;
        let width = u16::try_from(left).unwrap_or(WIDTH).min(WIDTH);
        Some(Self { kind, index, width })
    }

    /// Whether it will never grow.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.width == WIDTH
    }
}

/// How many hashes a level of tiles has in a tree of this size.
#[must_use]
pub const fn hashes_in_level(level: u8, size: u64) -> u64 {
    match (level as u32).checked_mul(HEIGHT as u32) {
        Some(shift) if shift < u64::BITS => size >> shift,
        _ => 0,
    }
}

/// The tiles of hashes in a tree of this size, lowest level first. The partial ones are the last of
/// their level.
pub fn of_tree(size: u64) -> impl Iterator<Item = TileId> {
    (0..=LEVEL_MAX)
        .map(move |level| (level, hashes_in_level(level, size)))
        .take_while(|(_, hashes)| *hashes > 0)
        .flat_map(move |(level, hashes)| {
            (0..hashes.div_ceil(u64::from(WIDTH)))
                .filter_map(move |index| TileId::at(Kind::Hashes(level), index, size))
        })
}

/// The hashes in a tile's bytes. Their number is the tile's width, or more: a reader may be handed
/// the full tile in place of a partial one, and takes the hashes it asked for.
pub fn hashes(tile: &TileId, bytes: &[u8]) -> Result<Vec<Hash>, Error> {
    let (all, rest) = bytes.as_chunks::<{ Hash::BYTES }>();
    if !rest.is_empty() || all.len() < usize::from(tile.width) || all.len() > usize::from(WIDTH) {
        return Err(Error::malformed("tile", "its length"));
    }
    let wanted = all.iter().take(usize::from(tile.width));
    Ok(wanted.map(|hash| Hash(*hash)).collect())
}

/// A tile's bytes.
#[must_use]
pub fn bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}
