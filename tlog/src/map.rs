//! A map in a tree: what a key's value is, and that a key is not there, can be proved.
//!
//! Owns the hashing of a map into 65,536 buckets, the proofs out of it and their checking. Knows
//! nothing of what keys and values mean, nor where they are kept.
//!
//! ```text
//! key         32 bytes, evenly spread (a hash)
//! bucket      of a key: its first two bytes, big-endian
//! leaf        key ‖ SHA-256(value)                                              64 bytes
//! bucket root RFC 6962 root of the bucket's leaves, sorted by key
//! entry       of a bucket: u64 LE number of leaves ‖ bucket root                40 bytes
//! map root    RFC 6962 root of the 65,536 entries, in the order of the buckets
//! ```
//!
//! A value stands in its leaf by its hash, so a proof that a key is absent names the two leaves between
//! which it would stand without telling their values. That leaves stand in order is checked by whoever
//! computes the map anew; to hide a leaf from absence proofs, one has to sign a root that nobody else
//! arrives at.

use crate::error::Error;
use crate::hash::Hash;
use crate::proof::{Head, check_inclusion};
use core::fmt;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// Number of buckets.
pub const BUCKETS: u64 = 1 << 16;
/// Length of the path from a bucket to the root.
pub const DEPTH: usize = 16;
/// Longest value in bytes.
pub const VALUE_BYTES_MAX: usize = 4096;

/// A key: 32 evenly spread bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub [u8; 32]);

impl Key {
    /// Of something: SHA-256 of its bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Its bucket.
    #[must_use]
    pub const fn bucket(&self) -> u16 {
        let [first, second, ..] = self.0;
        u16::from_be_bytes([first, second])
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = from_hex(deserializer, 32)?;
        <[u8; 32]>::try_from(bytes)
            .map(Self)
            .map_err(|_| serde::de::Error::custom("a key is 64 hexadecimal digits"))
    }
}

/// A leaf of a bucket, before it is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    /// Which key.
    pub key: Key,
    /// SHA-256 of its value.
    pub value: Hash,
}

impl Leaf {
    /// Of a key and its value.
    #[must_use]
    pub fn of(key: Key, value: &[u8]) -> Self {
        let value = Hash(Sha256::digest(value).into());
        Self { key, value }
    }

    /// Its hash in the tree.
    #[must_use]
    pub fn hash(&self) -> Hash {
        let mut entry = [0; 64];
        let (key, value) = entry.split_at_mut(32);
        key.copy_from_slice(&self.key.0);
        value.copy_from_slice(&self.value.0);
        Hash::leaf(&entry)
    }
}

/// A bucket as it stands in the tree over all buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// Number of its leaves.
    pub leaves: u64,
    /// Root of its leaves.
    pub root: Hash,
}

impl Bucket {
    /// Without leaves.
    #[must_use]
    pub fn empty() -> Self {
        let root = Hash::empty();
        Self { leaves: 0, root }
    }

    /// Of the hashes of its leaves, in the order of their keys.
    #[must_use]
    pub fn of(leaves: &[Hash]) -> Self {
        Self {
            leaves: leaves.len() as u64,
            root: root_of(leaves),
        }
    }

    /// Its hash in the tree over all buckets.
    #[must_use]
    pub fn hash(&self) -> Hash {
        let mut entry = [0; 40];
        let (leaves, root) = entry.split_at_mut(8);
        leaves.copy_from_slice(&self.leaves.to_le_bytes());
        root.copy_from_slice(&self.root.0);
        Hash::leaf(&entry)
    }
}

/// RFC 6962 root of a list of hashes.
#[must_use]
pub fn root_of(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => Hash::empty(),
        [one] => *one,
        _ => {
            let (left, right) = hashes.split_at(middle(hashes.len()));
            Hash::node(&root_of(left), &root_of(right))
        }
    }
}

/// RFC 6962 inclusion proof of one of a list of hashes, from its sibling upwards; empty beyond the end.
#[must_use]
pub fn path_of(hashes: &[Hash], index: usize) -> Vec<Hash> {
    let mut path = Vec::new();
    let (mut range, mut index) = (hashes, index);
    while range.len() > 1 && index < range.len() {
        let (left, right) = range.split_at(middle(range.len()));
        if index < left.len() {
            path.push(root_of(right));
            range = left;
        } else {
            path.push(root_of(left));
            index -= left.len();
            range = right;
        }
    }
    path.reverse();
    path
}

/// Largest power of two below `n`, which is at least 2.
const fn middle(n: usize) -> usize {
    1 << (usize::BITS - 1 - (n - 1).leading_zeros())
}

/// What a map says of one key, and the proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// Number of leaves in the key's bucket.
    pub leaves: u64,
    /// Root of the bucket.
    pub bucket: Hash,
    /// From the bucket to the root: [`DEPTH`] hashes.
    pub path: Vec<Hash>,
    /// How many leaves of the bucket have a smaller key.
    pub place: u64,
    /// What is there.
    pub answer: Answer,
}

/// What a map says of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// It has this value.
    Present {
        /// The value, at most [`VALUE_BYTES_MAX`] bytes.
        #[serde(with = "value_hex")]
        value: Vec<u8>,
        /// From the leaf to the bucket's root.
        path: Vec<Hash>,
    },
    /// It is not there: these two stand beside each other where it would stand.
    Absent {
        /// The leaf before; none where it would be the first.
        before: Option<Neighbour>,
        /// The leaf after; none where it would be the last.
        after: Option<Neighbour>,
    },
}

/// A leaf and the proof that it stands at its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neighbour {
    /// The leaf.
    pub leaf: Leaf,
    /// From the leaf to the bucket's root.
    pub path: Vec<Hash>,
}

impl Proof {
    /// Proves what a bucket says of a key. `leaves`: all of the bucket, sorted by key. `value`: the
    /// key's, where it is there. `path`: from the bucket to the root.
    #[must_use]
    pub fn of(key: Key, value: Option<Vec<u8>>, leaves: &[Leaf], path: Vec<Hash>) -> Self {
        let hashes: Vec<Hash> = leaves.iter().map(Leaf::hash).collect();
        let place = leaves.partition_point(|leaf| leaf.key < key);
        let neighbour = |at: usize| {
            let leaf = *leaves.get(at)?;
            let path = path_of(&hashes, at);
            Some(Neighbour { leaf, path })
        };
        let answer = match value {
            Some(value) => Answer::Present {
                value,
                path: path_of(&hashes, place),
            },
            None => Answer::Absent {
                before: place.checked_sub(1).and_then(neighbour),
                after: neighbour(place),
            },
        };
        let Bucket { leaves, root } = Bucket::of(&hashes);
        Self {
            leaves,
            bucket: root,
            path,
            place: place as u64,
            answer,
        }
    }

    /// Checks it against a map's root. The key's value, or `None`: it is not in the map.
    pub fn check(&self, key: Key, root: &Hash) -> Result<Option<&[u8]>, Error> {
        let bucket = Bucket {
            leaves: self.leaves,
            root: self.bucket,
        };
        let map = Head {
            size: BUCKETS,
            root: *root,
        };
        check_inclusion(bucket.hash(), key.bucket().into(), &self.path, &map)?;
        let head = Head {
            size: self.leaves,
            root: self.bucket,
        };
        match &self.answer {
            Answer::Present { value, path } => {
                if value.len() > VALUE_BYTES_MAX {
                    return Err(Error::TooLarge {
                        what: "value",
                        found: value.len() as u64,
                        limit: VALUE_BYTES_MAX as u64,
                    });
                }
                check_inclusion(Leaf::of(key, value).hash(), self.place, path, &head)?;
                Ok(Some(value))
            }
            Answer::Absent { before, after } => {
                self.check_gap(key, &head, before.as_ref(), after.as_ref())?;
                Ok(None)
            }
        }
    }

    fn check_gap(
        &self,
        key: Key,
        head: &Head,
        before: Option<&Neighbour>,
        after: Option<&Neighbour>,
    ) -> Result<(), Error> {
        let malformed = |why| Err(Error::malformed("proof of absence", why));
        if self.place > self.leaves {
            return Err(Error::OutOfRange { what: "place" });
        }
        if self.leaves == 0 && self.bucket != Hash::empty() {
            return Err(Error::WrongRoot { what: "no leaf" });
        }
        if before.is_some() != (self.place > 0) || after.is_some() != (self.place < self.leaves) {
            return malformed("a neighbour too few or too many");
        }
        if let Some(Neighbour { leaf, path }) = before {
            if leaf.key >= key || leaf.key.bucket() != key.bucket() {
                return malformed("the leaf before does not stand before");
            }
            check_inclusion(leaf.hash(), self.place - 1, path, head)?;
        }
        if let Some(Neighbour { leaf, path }) = after {
            if leaf.key <= key || leaf.key.bucket() != key.bucket() {
                return malformed("the leaf after does not stand after");
            }
            check_inclusion(leaf.hash(), self.place, path, head)?;
        }
        Ok(())
    }
}

/// Hexadecimal in lower case, at most so many bytes: one spelling.
fn from_hex<'de, D: Deserializer<'de>>(deserializer: D, limit: usize) -> Result<Vec<u8>, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    let wrong = || serde::de::Error::custom("not hexadecimal in lower case, or too long");
    if text.len() > 2 * limit || text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(wrong());
    }
    hex::decode(text.as_ref()).map_err(|_| wrong())
}

/// A value in hexadecimal.
mod value_hex {
    use super::{Deserializer, Serializer, VALUE_BYTES_MAX, from_hex};

    pub(super) fn serialize<S: Serializer>(value: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(value))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        from_hex(deserializer, VALUE_BYTES_MAX)
    }
}

#[cfg(test)]
mod tests;
