//! Time, randomness and ids, as parameters.
//!
//! One of the two files that may touch the ambient clock and the operating system's randomness;
//! everything else gets a [`Clock`], a [`Randomness`] or an [`Ids`] handed in. Owns the buffer of
//! operating system randomness and the last event id. Never reads the environment.

use domain::ids::{EventId, Micros};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use zeroize::{Zeroize, Zeroizing};

/// What time it is.
pub trait Clock: Send + Sync + 'static {
    /// The instant, UTC.
    fn now(&self) -> Micros;
}

/// Where unpredictable bytes come from.
pub trait Randomness: Send + Sync + 'static {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // this file is where the ambient clock comes in
    fn now(&self) -> Micros {
        let now = std::time::SystemTime::now();
        // A clock before 1970 is a broken clock: 0 makes every deadline check fail visibly.
        let since = now
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `now`.
    pub const fn new(now: Micros) -> Self {
        Self(AtomicI64::new(now.0))
    }

    /// Shows another instant from now on; backwards is allowed, as it is for real clocks.
    pub fn set(&self, now: Micros) {
        self.0.store(now.0, Ordering::SeqCst);
    }

    /// Moves on by some microseconds.
    pub fn advance(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Micros {
        Micros(self.0.load(Ordering::SeqCst))
    }
}

/// Bytes asked of the operating system at a time: a system call costs as much as 400 bytes of its
/// output, and an event needs about 200.
const OS_BUFFER_BYTES: usize = 4096;

/// The operating system's randomness, fetched some kilobytes at a time. Bytes handed out are
/// erased from the buffer.
pub struct SystemRandomness(Mutex<Buffer>);

struct Buffer {
    bytes: Zeroizing<Vec<u8>>,
    used: usize,
}

impl SystemRandomness {
    /// An empty buffer; the first use fills it.
    pub fn new() -> Self {
        let bytes = Zeroizing::new(vec![0; OS_BUFFER_BYTES]);
        Self(Mutex::new(Buffer {
            bytes,
            used: OS_BUFFER_BYTES,
        }))
    }
}

impl Default for SystemRandomness {
    fn default() -> Self {
        Self::new()
    }
}

impl Randomness for SystemRandomness {
    fn fill(&self, bytes: &mut [u8]) {
        if bytes.len() > OS_BUFFER_BYTES / 4 {
            return from_system(bytes);
        }
        let mut buffer = self.0.lock();
        let Buffer { bytes: stock, used } = &mut *buffer;
        if stock.len() - *used < bytes.len() {
            from_system(stock);
            *used = 0;
        }
        if let Some(fresh) = stock.get_mut(*used..*used + bytes.len()) {
            bytes.copy_from_slice(fresh);
            fresh.zeroize();
        }
        *used += bytes.len();
    }
}

#[allow(clippy::disallowed_methods)] // this file is where the system's randomness comes in
fn from_system(bytes: &mut [u8]) {
    // Going on with predictable keys would be worse than stopping, and there is nothing to retry.
    getrandom::fill(bytes).expect("the operating system gives randomness once it has booted");
}

/// Reproducible bytes from a seed (BLAKE3's extendable output). For tests and for the demo, whose
/// people, keys and ids are the same on every run; never for real accounts.
pub struct SeededRandomness(Mutex<blake3::OutputReader>);

impl SeededRandomness {
    /// The sequence that belongs to `seed`.
    pub fn new(seed: u64) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("idledger 2026 seeded randomness v1");
        hasher.update(&seed.to_le_bytes());
        Self(Mutex::new(hasher.finalize_xof()))
    }
}

impl Randomness for SeededRandomness {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().fill(bytes);
    }
}

/// Makes ids and fresh bytes from a clock and a source of randomness.
///
/// Event ids are UUIDv7 (RFC 9562, section 6.2, method 3): 48 bits of milliseconds, 12 bits of
/// their fraction, 62 random bits. Within one `Ids` they only grow: time that stands still or runs
/// back, and more than 4,096 ids in a millisecond, count the fraction on.
pub struct Ids {
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    /// Milliseconds (48 bits) and fraction (12 bits) of the last event id.
    last: AtomicU64,
}

impl Ids {
    /// Ids from these two.
    pub fn new(clock: Arc<dyn Clock>, randomness: Arc<dyn Randomness>) -> Self {
        Self {
            clock,
            randomness,
            last: AtomicU64::new(0),
        }
    }

    /// Ids from the machine's clock and randomness.
    pub fn system() -> Self {
        Self::new(Arc::new(SystemClock), Arc::new(SystemRandomness::new()))
    }

    /// A new event id, greater than every one before it.
    pub fn event_id(&self) -> EventId {
        let micros = u64::try_from(self.clock.now().0).unwrap_or(0);
        let instant =
            (((micros / 1000) << 12) | (((micros % 1000) << 12) / 1000)) & ((1 << 60) - 1);
        let ticks = self
            .last
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |last| {
                Some(instant.max(last.wrapping_add(1)))
            });
        let ticks = instant.max(ticks.unwrap_or_default().wrapping_add(1));
        let random: [u8; 8] = self.array();
        let high = ((ticks >> 12) << 16) | 0x7000 | (ticks & 0xfff);
        let low = (u64::from_be_bytes(random) & (u64::MAX >> 2)) | (1 << 63);
        EventId(((u128::from(high) << 64) | u128::from(low)).to_be_bytes())
    }

    /// Sixteen random bytes, the form of every id but an event's.
    pub fn id(&self) -> [u8; 16] {
        self.array()
    }

    /// Fresh random bytes: nonces, keys, salts.
    pub fn array<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.randomness.fill(&mut bytes);
        bytes
    }

    /// The clock the ids are made with.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The randomness the ids are made with.
    pub fn randomness(&self) -> &Arc<dyn Randomness> {
        &self.randomness
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seeded(now: i64) -> (Arc<ManualClock>, Ids) {
        let clock = Arc::new(ManualClock::new(Micros(now)));
        (
            clock.clone(),
            Ids::new(clock, Arc::new(SeededRandomness::new(1))),
        )
    }

    #[test]
    fn event_ids_are_uuid_v7_of_their_instant() {
        let (_, ids) = seeded(1_709_600_000_123_456);
        let id = uuid::Uuid::from_bytes(ids.event_id().0);
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
        let (seconds, nanos) = id.get_timestamp().unwrap().to_unix();
        assert_eq!((seconds, nanos / 1_000_000), (1_709_600_000, 123));
    }

    #[test]
    fn event_ids_grow_when_time_stands_runs_back_or_is_out_of_range() {
        let (clock, ids) = seeded(5_000_000_000);
        let mut last = ids.event_id();
        for step in 0..20_000 {
            match step {
                6_000 => clock.set(Micros(1)),
                12_000 => clock.set(Micros(-7)),
                18_000 => clock.advance(6_000_000_000),
                _ => {}
            }
            let id = ids.event_id();
            assert!(id > last);
            assert_eq!((id.0[6] >> 4, id.0[8] >> 6), (7, 2));
            last = id;
        }
    }

    #[test]
    fn event_ids_of_many_threads_are_distinct() {
        let ids = Arc::new(Ids::system());
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let ids = ids.clone();
                std::thread::spawn(move || (0..5_000).map(|_| ids.event_id().0).collect::<Vec<_>>())
            })
            .collect();
        let mut all: Vec<_> = threads
            .into_iter()
            .flat_map(|t| t.join().unwrap())
            .collect();
        all.sort_unstable();
        all.dedup_by_key(|id| *id);
        assert_eq!(all.len(), 20_000);
        // The 60 bits of time alone are already distinct: ids are ordered, not only different.
        all.dedup_by_key(|id| id[..8].to_vec());
        assert_eq!(all.len(), 20_000);
    }

    #[test]
    fn system_randomness_never_hands_out_the_same_bytes() {
        let source = SystemRandomness::new();
        let mut seen = std::collections::HashSet::new();
        for length in [1, 16, 100, 1024, 1025, 5000] {
            for _ in 0..20 {
                let mut bytes = vec![0; length];
                source.fill(&mut bytes);
                assert!(length < 16 || seen.insert(bytes));
            }
        }
    }

    #[test]
    fn seeded_randomness_repeats_by_seed_only() {
        let draw = |seed| {
            let mut bytes = [0; 32];
            SeededRandomness::new(seed).fill(&mut bytes);
            bytes
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }
}
