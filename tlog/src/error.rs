//! Why something that was read, or is asked for, is not accepted.

/// An error. It names what is wrong and never repeats what was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not of the form its specification gives.
    #[error("malformed {what}: {why}")]
    Malformed {
        /// Of what.
        what: &'static str,
        /// Why.
        why: &'static str,
    },
    /// Larger than the limit for it.
    #[error("{what} too large: {found}, at most {limit}")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// How large.
        found: u64,
        /// The most.
        limit: u64,
    },
    /// A key id is not the hash of the key it stands with.
    #[error("the key id does not belong to the key")]
    KeyId,
    /// A signature by a known key does not verify.
    #[error("a signature by the known key {name} is wrong")]
    WrongSignature {
        /// The key's name.
        name: String,
    },
    /// Two signatures by one key.
    #[error("two signatures by the key {name}")]
    SignedTwice {
        /// The key's name.
        name: String,
    },
    /// No signature by a known key.
    #[error("no signature by a known key")]
    Unsigned,
    /// Fewer cosignatures than the policy wants.
    #[error("{found} of {wanted} cosignatures")]
    TooFewCosignatures {
        /// How many were good.
        found: usize,
        /// How many are wanted.
        wanted: usize,
    },
    /// A checkpoint of another log.
    #[error("a checkpoint of another log")]
    OtherLog,
    /// A question about a tree that cannot be asked: an entry beyond its size, a range that runs
    /// backwards.
    #[error("out of range: {what}")]
    OutOfRange {
        /// What.
        what: &'static str,
    },
    /// Hashes do not lead to the root they should lead to.
    #[error("{what} does not lead to the root")]
    WrongRoot {
        /// What.
        what: &'static str,
    },
    /// A tile that is needed is not there.
    #[error("tile {0} is missing")]
    MissingTile(String),
    /// A tile or bundle whose hashes are not those of the tree.
    #[error("tile {0} does not belong to the tree")]
    WrongTile(String),
}

impl Error {
    pub(crate) const fn malformed(what: &'static str, why: &'static str) -> Self {
        Self::Malformed { what, why }
    }
}
