//! Checking proofs of the tree: RFC 9162 sections 2.1.3.2 and 2.1.4.2, whose proofs are those of
//! RFC 6962.

use crate::SIZE_MAX;
use crate::error::Error;
use crate::hash::Hash;

/// Most hashes in a proof: no tree of [`SIZE_MAX`] entries needs more.
pub const HASHES_MAX: usize = 63;

/// A size and the root of all entries up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Entries.
    pub size: u64,
    /// Root.
    pub root: Hash,
}

impl Head {
    fn check(&self) -> Result<(), Error> {
        if self.size > SIZE_MAX {
            return Err(Error::TooLarge {
                what: "tree",
                found: self.size,
                limit: SIZE_MAX,
            });
        }
        if self.size == 0 && self.root != Hash::empty() {
            return Err(Error::WrongRoot { what: "no entry" });
        }
        Ok(())
    }
}

/// Checks that the leaf stands at `index` of the tree.
pub fn check_inclusion(leaf: Hash, index: u64, proof: &[Hash], head: &Head) -> Result<(), Error> {
    head.check()?;
    if index >= head.size {
        return Err(Error::OutOfRange { what: "entry" });
    }
    let wrong = Error::WrongRoot {
        what: "the inclusion proof",
    };
    let (mut place, mut last, mut root) = (index, head.size - 1, leaf);
    for hash in proof {
        if last == 0 {
            return Err(wrong);
        }
        if place & 1 == 1 || place == last {
            root = Hash::node(hash, &root);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            root = Hash::node(&root, hash);
        }
        place >>= 1;
        last >>= 1;
    }
    if last == 0 && root == head.root {
        Ok(())
    } else {
        Err(wrong)
    }
}

/// Checks that the old tree is a beginning of the new one.
pub fn check_consistency(old: &Head, new: &Head, proof: &[Hash]) -> Result<(), Error> {
    old.check()?;
    new.check()?;
    let wrong = Error::WrongRoot {
        what: "the consistency proof",
    };
    if old.size > new.size {
        return Err(Error::OutOfRange { what: "old size" });
    }
    if old.size == new.size || old.size == 0 {
        let same = old.size == 0 || old.root == new.root;
        return if same && proof.is_empty() {
            Ok(())
        } else {
            Err(wrong)
        };
    }
    let (first, rest) = if old.size.is_power_of_two() {
        (old.root, proof)
    } else {
        let (first, rest) = proof.split_first().ok_or(wrong.clone())?;
        (*first, rest)
    };
    let (mut place, mut last) = (old.size - 1, new.size - 1);
    while place & 1 == 1 {
        place >>= 1;
        last >>= 1;
    }
    let (mut old_root, mut new_root) = (first, first);
    for hash in rest {
        if last == 0 {
            return Err(wrong);
        }
        if place & 1 == 1 || place == last {
            old_root = Hash::node(hash, &old_root);
            new_root = Hash::node(hash, &new_root);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            new_root = Hash::node(&new_root, hash);
        }
        place >>= 1;
        last >>= 1;
    }
    if last == 0 && old_root == old.root && new_root == new.root {
        Ok(())
    } else {
        Err(wrong)
    }
}
