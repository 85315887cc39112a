//! One hash per projection, equal on every machine that folded the same events.
//!
//! A *set* digest: the rows may be written in any order, in any batches, by live following, by a
//! rebuild or by an import, and the digest comes out the same; and one changed row costs two hashes,
//! not a walk over all of them. The construction is LtHash (M. Bellare, D. Micciancio, "A New
//! Paradigm for Collision-Free Hashing: Incrementality at Reduced Cost", Eurocrypt 1997; K. Lewi et
//! al., "Securing Update Propagation with Homomorphic Hashing", IACR ePrint 2019/227) with 1,024
//! lanes of 16 bits, the parameters of the latter, over BLAKE3's extendable output:
//!
//! ```text
//! element(key, value) = BLAKE3-XOF("idledger-view/v1\0" ‖ u32 LE |key| ‖ key ‖ value), 2,048 bytes
//! state               = Σ element, lane by lane, mod 2^16, lanes little-endian
//! digest              = BLAKE3("idledger-view-digest/v1\0" ‖ state)
//! ```
//!
//! Rows hold commitments and positions, never ciphertext or plaintext, so a redacted or erased copy
//! of the ledger has the same digests (INV-4).

use domain::ids::Digest;

const ELEMENT_PREFIX: &[u8] = b"idledger-view/v1\0";
const DIGEST_PREFIX: &[u8] = b"idledger-view-digest/v1\0";
const LANES: usize = 1024;
/// Length of the digest's state in bytes.
pub const STATE_BYTES: usize = LANES * 2;

/// The set digest of a view's rows.
#[derive(Clone, PartialEq, Eq)]
pub struct SetDigest {
    lanes: Box<[u16; LANES]>,
}

impl Default for SetDigest {
    /// Of no rows.
    fn default() -> Self {
        Self {
            lanes: Box::new([0; LANES]),
        }
    }
}

impl core::fmt::Debug for SetDigest {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SetDigest({})", self.finish())
    }
}

impl SetDigest {
    /// A row is there.
    pub fn add(&mut self, key: &[u8], value: &[u8]) {
        for (lane, element) in self.lanes.iter_mut().zip(element(key, value)) {
            *lane = lane.wrapping_add(element);
        }
    }

    /// A row that was there no longer is.
    pub fn remove(&mut self, key: &[u8], value: &[u8]) {
        for (lane, element) in self.lanes.iter_mut().zip(element(key, value)) {
            *lane = lane.wrapping_sub(element);
        }
    }

    /// The digest as it is compared and printed.
    pub fn finish(&self) -> Digest {
        let mut hasher = blake3::Hasher::new();
        hasher.update(DIGEST_PREFIX);
        hasher.update(&self.to_bytes());
        Digest(*hasher.finalize().as_bytes())
    }

    /// The state, to be stored beside the cursor.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.lanes
            .iter()
            .flat_map(|lane| lane.to_le_bytes())
            .collect()
    }

    /// The state as stored; `None` if it is not [`STATE_BYTES`] long.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != STATE_BYTES {
            return None;
        }
        let mut digest = Self::default();
        for (lane, pair) in digest.lanes.iter_mut().zip(bytes.as_chunks::<2>().0) {
            *lane = u16::from_le_bytes(*pair);
        }
        Some(digest)
    }
}

fn element(key: &[u8], value: &[u8]) -> impl Iterator<Item = u16> + use<> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(ELEMENT_PREFIX);
    hasher.update(&(key.len() as u32).to_le_bytes());
    hasher.update(key);
    hasher.update(value);
    let mut bytes = [0; STATE_BYTES];
    hasher.finalize_xof().fill(&mut bytes);
    (0..LANES).map(move |lane| {
        let at = lane * 2;
        u16::from_le_bytes([
            bytes.get(at).copied().unwrap_or_default(),
            bytes.get(at + 1).copied().unwrap_or_default(),
        ])
    })
}

/// One projection's digest at a position, as it is printed and compared.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ProjectionDigest {
    /// Which projection.
    pub projection: &'static str,
    /// Its version: digests of different versions cannot be compared.
    pub version: u32,
    /// How many events it has folded: the position of the next one.
    pub position: u64,
    /// The digest.
    pub digest: Digest,
}

impl core::fmt::Display for ProjectionDigest {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self {
            projection,
            version,
            position,
            digest,
        } = self;
        write!(f, "{projection} v{version} @{position} {digest}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_digest_of_nothing_and_of_one_row_are_frozen() {
        let mut digest = SetDigest::default();
        let empty = digest.finish().to_string();
        digest.add(b"key", b"value");
        let one = digest.finish().to_string();
        assert_eq!(
            (empty.as_str(), one.as_str()),
            (
                "2d98028f21c760f2f48f3604d52c0413979bf7cb39f8f1155894cd84ef8190c7",
                "58aa8db098041a04b022e754c6a01799e3c33328a36907bc1c82c3ad40ddb861"
            )
        );
    }

    #[test]
    fn the_state_survives_its_bytes_and_nothing_else_is_taken() {
        let mut digest = SetDigest::default();
        digest.add(b"a", b"b");
        assert_eq!(SetDigest::from_bytes(&digest.to_bytes()), Some(digest));
        assert_eq!(SetDigest::from_bytes(&[0; STATE_BYTES - 1]), None);
    }

    #[test]
    fn a_boundary_between_key_and_value_counts() {
        let (mut left, mut right) = (SetDigest::default(), SetDigest::default());
        left.add(b"ab", b"c");
        right.add(b"a", b"bc");
        assert_ne!(left.finish(), right.finish());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn order_and_detours_do_not_matter(
            rows in proptest::collection::btree_map(any::<[u8; 4]>(), any::<[u8; 6]>(), 0..12),
            detours in proptest::collection::vec((any::<[u8; 4]>(), any::<[u8; 6]>()), 0..6),
        ) {
            let mut forward = SetDigest::default();
            for (key, value) in &rows {
                forward.add(key, value);
            }
            let mut backward = SetDigest::default();
            for (key, value) in &detours {
                backward.add(key, value);
            }
            for (key, value) in rows.iter().rev() {
                backward.add(key, value);
            }
            for (key, value) in &detours {
                backward.remove(key, value);
            }
            prop_assert_eq!(forward.finish(), backward.finish());
        }
    }
}
