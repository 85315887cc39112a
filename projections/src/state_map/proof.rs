//! Proving what the newest stated map says of one account.

use super::{AccountProof, NAME, Stated, key_of, tiles};
use crate::error::ViewError;
use crate::view::ViewStore;
use domain::ids::AccountId;
use tlog::map::{Leaf, Proof};

/// How often a proof is tried that a new cut came into the way of.
const ATTEMPTS_MAX: usize = 8;

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
            leaves.push(Leaf::of(at, leaf));
            if at == key {
                value = Some(leaf.clone());
            }
        }
    })?;
    let path = tiles::path(view, cut, key.bucket())?;
    Ok(AccountProof {
        account,
        position: stated.cut.position,
        sealed_at: stated.sealed_at,
        root: stated.cut.root,
        proof: Proof::of(key, value, &leaves, path),
    })
}
