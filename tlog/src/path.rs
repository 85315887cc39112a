//! Where a tile lies: `tile/<L>/<N>[.p/<W>]` and `tile/entries/<N>[.p/<W>]`
//! ([tlog-tiles](https://c2sp.org/tlog-tiles)).

use crate::error::Error;
use crate::text::decimal;
use crate::tile::{Kind, LEVEL_MAX, TileId, WIDTH};
use core::fmt;
use core::str::FromStr;

/// Longest path that is read, in bytes: far beyond the largest tree.
const PATH_BYTES_MAX: usize = 100;

impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Hashes(level) => write!(f, "tile/{level}/")?,
            Kind::Entries => f.write_str("tile/entries/")?,
        }
        let mut groups = vec![self.index % 1000];
        let mut left = self.index / 1000;
        while left > 0 {
            groups.push(left % 1000);
            left /= 1000;
        }
        let last = groups.len() - 1;
        for (place, group) in groups.iter().rev().enumerate() {
            if place == last {
                write!(f, "{group:03}")?;
            } else {
                write!(f, "x{group:03}/")?;
            }
        }
        if self.width < WIDTH {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

impl FromStr for TileId {
    type Err = Error;

    /// Reads what [`TileId`] writes, and no other spelling of it.
    fn from_str(path: &str) -> Result<Self, Error> {
        let malformed = |why| Error::malformed("tile path", why);
        if path.len() > PATH_BYTES_MAX {
            return Err(malformed("too long"));
        }
        let rest = path
            .strip_prefix("tile/")
            .ok_or(malformed("not under tile/"))?;
        let (level, rest) = rest.split_once('/').ok_or(malformed("no index"))?;
        let kind = if level == "entries" {
            Kind::Entries
        } else {
            let level = decimal(level).ok_or(malformed("level"))?;
            let level = u8::try_from(level).map_err(|_| malformed("level"))?;
            if level > LEVEL_MAX {
                return Err(malformed("level"));
            }
            Kind::Hashes(level)
        };
        let (index, width) = match rest.split_once(".p/") {
            None => (rest, WIDTH),
            Some((index, width)) => {
                let width = decimal(width).and_then(|width| u16::try_from(width).ok());
                let width = width.filter(|width| (1..WIDTH).contains(width));
                (index, width.ok_or(malformed("width"))?)
            }
        };
        let index = parse_index(index).ok_or(malformed("index"))?;
        let tile = Self { kind, index, width };
        // One spelling: no leading groups of zeros.
        if tile.to_string() != path {
            return Err(malformed("not in canonical form"));
        }
        Ok(tile)
    }
}

fn parse_index(text: &str) -> Option<u64> {
    let mut index = 0u64;
    let mut groups = text.split('/').peekable();
    while let Some(group) = groups.next() {
        let digits = if groups.peek().is_some() {
            group.strip_prefix('x')?
        } else {
            group
        };
        if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
    }
    Some(index)
}
