//! What the state map says of one account, with its proof: checked with the root alone, by whoever has the
//! `StateSealed` event that states it.

use super::{NAME, StateLeaf, Stated, key_of, tiles};
use crate::error::ViewError;
use crate::view::ViewStore;
use domain::ids::{AccountId, Digest};
use serde::{Deserialize, Serialize};
use tlog::map::{Leaf, Proof};
use tlog::{Error, Hash};

/// The form of [`AccountProof`].
pub const FORMAT: &str = "idledger-state-proof/v1";
/// How often a proof is tried that a new cut came into the way of.
const ATTEMPTS_MAX: usize = 8;

/// An account's leaf in the state map, or that it has none, with the proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountProof {
    /// [`FORMAT`].
    pub format: String,
    /// Which account.
    pub account: AccountId,
    /// How many events of the ledger the map takes in: it speaks of just after position `position - 1`.
    pub position: u64,
    /// Position of the `StateSealed` event that states the root.
    pub sealed_at: u64,
    /// The root, as that event states it.
    pub root: Digest,
    /// The proof.
    pub proof: Proof,
}

impl AccountProof {
    /// Checks it against a root from a `StateSealed` event that the reader trusts. What the map says of
    /// the account; `None`: there was none.
    pub fn check(&self, root: &Digest) -> Result<Option<StateLeaf>, Error> {
        let malformed = |why| Error::Malformed {
            what: "state proof",
            why,
        };
        if self.format != FORMAT {
            return Err(malformed("of another form"));
        }
        if self.root != *root {
            return Err(malformed("of another root"));
        }
        let value = self.proof.check(key_of(self.account), &Hash(root.0))?;
        let Some(value) = value else { return Ok(None) };
        let leaf = StateLeaf::from_bytes(value).ok_or(malformed("a leaf of another length"))?;
        if leaf.length == 0 || leaf.position >= self.position {
            return Err(malformed("a leaf that cannot be"));
        }
        Ok(Some(leaf))
    }
}

/// Proves what the newest stated cut says of an account; `None`: none was stated yet. The proof is checked
/// before it is handed out.
pub(crate) fn prove(
    view: &dyn ViewStore,
    account: AccountId,
) -> Result<Option<AccountProof>, ViewError> {
    for _ in 0..ATTEMPTS_MAX {
        let Some(stated) = super::stated(view)? else {
            return Ok(None);
        };
        let proof = prove_at(view, account, &stated)?;
        if proof.check(&stated.cut.root).is_ok() {
            return Ok(Some(proof));
        }
        // Rows are read one by one, and a cut may have come between: then there is a newer one.
        if super::stated(view)? == Some(stated) {
            break;
        }
    }
    Err(ViewError::damaged(
        NAME,
        "its leaves do not lead to its root",
    ))
}

fn prove_at(
    view: &dyn ViewStore,
    account: AccountId,
    stated: &Stated,
) -> Result<AccountProof, ViewError> {
    let key = key_of(account);
    let cut = stated.cut.number;
    let mut leaves = Vec::new();
    let mut value = None;
    super::for_each_leaf(view, key.bucket(), |at, versions| {
        if let Some(leaf) = versions.at(cut) {
            let bytes = leaf.to_bytes();
            leaves.push(Leaf::of(at, &bytes));
            if at == key {
                value = Some(bytes);
            }
        }
    })?;
    let path = tiles::path(view, cut, key.bucket())?;
    Ok(AccountProof {
        format: FORMAT.to_owned(),
        account,
        position: stated.cut.position,
        sealed_at: stated.sealed_at,
        root: stated.cut.root,
        proof: Proof::of(key, value, &leaves, path),
    })
}
