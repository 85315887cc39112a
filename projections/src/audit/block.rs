//! A set of positions within one block, and the times of a block, as rows.
//!
//! A set of up to 2,047 positions is written as a sorted list, a larger one as a bitmap of 4 KB: one
//! form per set, so that digests are equal however it came about, and never near the row limit.
//!
//! ```text
//! list   = 0x00 ‖ u16 LE × n, rising, n ≤ 2,047
//! bitmap = 0x01 ‖ 512 × u64 LE; position b of the block is bit b % 64 of word b / 64
//! times  = (i64 LE least, i64 LE greatest) × up to 128: one pair per 256 positions
//! ```

use super::NAME;
use crate::error::ViewError;
use domain::ids::{Micros, Position};

/// Positions of one block.
pub(crate) const BLOCK_POSITIONS: u64 = 1 << 15;
/// 64-bit words of one block.
pub(crate) const WORDS: usize = 512;
/// Positions that share one pair of times.
pub(crate) const SPAN_POSITIONS: usize = 256;
/// Words of one span.
pub(crate) const SPAN_WORDS: usize = SPAN_POSITIONS / 64;

const LIST: u8 = 0;
const BITMAP: u8 = 1;
const LIST_MAX: usize = 2_047;
const PAIR_BYTES: usize = 16;

/// Block and offset of a position; `None`: beyond 2^47 events.
pub(crate) fn place(position: Position) -> Option<(u32, u16)> {
    let block = u32::try_from(position.0 / BLOCK_POSITIONS).ok()?;
    Some((block, (position.0 % BLOCK_POSITIONS) as u16))
}

/// A bitmap of one block.
pub(crate) type Bits = Box<[u64; WORDS]>;

/// A set of positions within a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Block {
    List(Vec<u16>),
    Bitmap(Bits),
}

impl Block {
    pub(crate) fn decode(row: &[u8]) -> Result<Self, ViewError> {
        let damaged = || ViewError::damaged(NAME, "a block of another form");
        let Some((form, body)) = row.split_first() else {
            return Ok(Self::List(Vec::new()));
        };
        match *form {
            LIST => {
                let (pairs, rest) = body.as_chunks::<2>();
                let list: Vec<u16> = pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
                let rising = list.is_sorted_by(|left, right| left < right);
                let inside = list
                    .last()
                    .is_none_or(|last| u64::from(*last) < BLOCK_POSITIONS);
                let form = rest.is_empty() && rising && inside && list.len() <= LIST_MAX;
                form.then_some(Self::List(list)).ok_or_else(damaged)
            }
            BITMAP => {
                let (words, rest) = body.as_chunks::<8>();
                if !rest.is_empty() || words.len() != WORDS {
                    return Err(damaged());
                }
                let mut bits: Bits = Box::new([0; WORDS]);
                for (bit, word) in bits.iter_mut().zip(words) {
                    *bit = u64::from_le_bytes(*word);
                }
                Ok(Self::Bitmap(bits))
            }
            _ => Err(damaged()),
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::List(list) => {
                let mut row = Vec::with_capacity(1 + 2 * list.len());
                row.push(LIST);
                row.extend(list.iter().flat_map(|offset| offset.to_le_bytes()));
                row
            }
            Self::Bitmap(bits) => {
                let mut row = Vec::with_capacity(1 + 8 * WORDS);
                row.push(BITMAP);
                row.extend(bits.iter().flat_map(|word| word.to_le_bytes()));
                row
            }
        }
    }

    /// `offset` must be below [`BLOCK_POSITIONS`].
    pub(crate) fn insert(&mut self, offset: u16) {
        match self {
            Self::List(list) => {
                if let Err(at) = list.binary_search(&offset) {
                    list.insert(at, offset);
                }
                if list.len() > LIST_MAX {
                    let bits = self.bits();
                    *self = Self::Bitmap(bits);
                }
            }
            Self::Bitmap(bits) => set(bits, offset),
        }
    }

    pub(crate) fn bits(&self) -> Bits {
        match self {
            Self::List(list) => {
                let mut bits: Bits = Box::new([0; WORDS]);
                for offset in list {
                    set(&mut bits, *offset);
                }
                bits
            }
            Self::Bitmap(bits) => bits.clone(),
        }
    }
}

pub(crate) fn set(bits: &mut Bits, offset: u16) {
    if let Some(word) = bits.get_mut(usize::from(offset / 64)) {
        *word |= 1 << (offset % 64);
    }
}

/// When the events of a block were recorded: least and greatest instant per span of
/// [`SPAN_POSITIONS`]. Clocks may step back, so nothing is assumed to rise.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Times {
    spans: Vec<(i64, i64)>,
}

impl Times {
    pub(crate) fn decode(row: &[u8]) -> Result<Self, ViewError> {
        let damaged = || ViewError::damaged(NAME, "times of another form");
        let (pairs, rest) = row.as_chunks::<PAIR_BYTES>();
        if !rest.is_empty() || pairs.len() > WORDS / SPAN_WORDS {
            return Err(damaged());
        }
        let mut spans = Vec::with_capacity(pairs.len());
        for pair in pairs {
            let (least, greatest) = pair.split_first_chunk::<8>().ok_or_else(damaged)?;
            let greatest = greatest.first_chunk::<8>().ok_or_else(damaged)?;
            spans.push((i64::from_le_bytes(*least), i64::from_le_bytes(*greatest)));
        }
        Ok(Self { spans })
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let both = |(least, greatest): &(i64, i64)| [least.to_le_bytes(), greatest.to_le_bytes()];
        self.spans.iter().flat_map(both).flatten().collect()
    }

    pub(crate) fn note(&mut self, offset: u16, at: Micros) {
        let span = usize::from(offset) / SPAN_POSITIONS;
        // Positions come without gaps, so spans do too; a gap would show as an empty span.
        while self.spans.len() <= span {
            self.spans.push((i64::MAX, i64::MIN));
        }
        if let Some((least, greatest)) = self.spans.get_mut(span) {
            *least = at.0.min(*least);
            *greatest = at.0.max(*greatest);
        }
    }

    /// How a span lies to `since..until`.
    pub(crate) fn span(&self, span: usize, since: i64, until: i64) -> Overlap {
        match self.spans.get(span) {
            Some((least, greatest)) if *greatest < since || *least >= until => Overlap::None,
            Some((least, greatest)) if *least >= since && *greatest < until => Overlap::All,
            Some(_) => Overlap::Some,
            None => Overlap::None,
        }
    }
}

/// How much of a span lies in a range of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overlap {
    None,
    Some,
    All,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn a_set_has_one_form_whatever_the_order(
            dense in any::<bool>(),
            seed in proptest::collection::vec(0u16..32_768, 0..200),
        ) {
            // Dense sets cross the border between the two forms.
            let mut offsets = seed.clone();
            if dense {
                offsets.extend((0..LIST_MAX as u16).map(|n| n * 16));
            }
            let model: BTreeSet<u16> = offsets.iter().copied().collect();
            let (mut forward, mut backward) = (Block::decode(&[]).unwrap(), Block::decode(&[]).unwrap());
            for offset in &offsets {
                forward.insert(*offset);
            }
            for offset in offsets.iter().rev() {
                backward.insert(*offset);
            }
            prop_assert_eq!(forward.encode(), backward.encode());
            prop_assert!(forward.encode().len() <= crate::view::VALUE_BYTES_MAX);
            prop_assert_eq!(Block::decode(&forward.encode()).unwrap(), forward.clone());
            let bits = forward.bits();
            let found: BTreeSet<u16> = (0..32_768u16)
                .filter(|offset| bits[usize::from(offset / 64)] >> (offset % 64) & 1 == 1)
                .collect();
            prop_assert_eq!(found, model);
        }

        #[test]
        fn damaged_rows_are_errors(row in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Block::decode(&row);
            let _ = Times::decode(&row);
        }
    }

    #[test]
    fn other_forms_are_refused() {
        assert!(Block::decode(&[2]).is_err());
        assert!(Block::decode(&[0, 1]).is_err());
        assert!(Block::decode(&[0, 2, 0, 1, 0]).is_err());
        assert!(Block::decode(&[0, 0, 0x80]).is_err());
        assert!(Block::decode(&[1, 0]).is_err());
        assert!(Times::decode(&[0; 15]).is_err());
    }

    #[test]
    fn a_clock_that_steps_back_is_noted() {
        let mut times = Times::default();
        times.note(0, Micros(100));
        times.note(1, Micros(50));
        assert_eq!(times.span(0, 60, 90), Overlap::Some);
        assert_eq!(times.span(0, 50, 101), Overlap::All);
        assert_eq!(times.span(0, 101, 200), Overlap::None);
        assert_eq!(times.span(1, 0, 200), Overlap::None);
        assert_eq!(Times::decode(&times.encode()).unwrap(), times);
    }
}
