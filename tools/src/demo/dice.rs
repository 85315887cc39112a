//! Reproducible chance: the same seed makes the same people, keys and lives on every machine.
//!
//! Each draw is named, so that adding one changes no other.

/// Bytes drawn for one purpose of one person.
pub struct Dice(blake3::OutputReader);

impl Dice {
    /// The dice of `purpose` for number `index`.
    pub fn new(seed: u64, purpose: &'static str, index: u64) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("idledger 2026 demo dice v1");
        hasher.update(&seed.to_le_bytes());
        hasher.update(purpose.as_bytes());
        hasher.update(&[0]);
        hasher.update(&index.to_le_bytes());
        Self(hasher.finalize_xof())
    }

    /// Fresh bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill(&mut bytes);
        bytes
    }

    /// `0..end`, evenly (the bias of the remainder is below one in a billion here).
    pub fn below(&mut self, end: u64) -> u64 {
        u64::from_le_bytes(self.bytes()) % end.max(1)
    }

    /// Between two numbers, both included.
    pub fn between(&mut self, from: i64, to: i64) -> i64 {
        let span = u64::try_from(to.saturating_sub(from))
            .unwrap_or(0)
            .saturating_add(1);
        from.saturating_add(i64::try_from(self.below(span)).unwrap_or(0))
    }

    /// True `parts` times in a thousand.
    pub fn per_mille(&mut self, parts: u64) -> bool {
        self.below(1000) < parts
    }

    /// One of a list.
    pub fn one<T: Copy>(&mut self, list: &[T], otherwise: T) -> T {
        let at = self.below(list.len() as u64);
        usize::try_from(at)
            .ok()
            .and_then(|at| list.get(at))
            .copied()
            .unwrap_or(otherwise)
    }

    /// One of a weighted list.
    pub fn weighted(&mut self, list: &[(&'static str, u32)]) -> &'static str {
        let total: u64 = list.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let mut left = self.below(total);
        for (value, weight) in list {
            match left.checked_sub(u64::from(*weight)) {
                Some(rest) => left = rest,
                None => return value,
            }
        }
        ""
    }
}
