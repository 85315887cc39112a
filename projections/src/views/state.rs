//! What the ledger states of its own state: cuts, proofs, and what is to be stated next.

use super::Views;
use crate::digest::ProjectionDigest;
use crate::error::ViewError;
use crate::state_map::{self, AccountProof, Stated};
use domain::event::StateSealed;
use domain::ids::{AccountId, Position};
use domain::vocabulary::StatedDigest;

impl Views {
    /// The newest state map that was stated, and by which event; `None`: none yet by this version.
    pub fn stated_state(&self) -> Result<Option<Stated>, ViewError> {
        state_map::stated(&*self.view(state_map::NAME)?)
    }

    /// Proves what [`Views::stated_state`] says of an account, or that it has no such account; `None`:
    /// nothing was stated yet.
    pub fn state_proof(&self, account: AccountId) -> Result<Option<AccountProof>, ViewError> {
        state_map::prove(&*self.view(state_map::NAME)?, account)
    }

    /// Each projection's digest just after the last `StateSealed` event that it folded.
    pub fn cut_digests(&self) -> Vec<ProjectionDigest> {
        let slots = self.inner.slots.iter();
        slots
            .filter_map(|slot| slot.info.lock().cut.clone())
            .collect()
    }

    /// What the next `StateSealed` event has to state, after the one at `last`; `None`: this is not known
    /// here (yet). A projection that is halted or behind is left out, but for the state map.
    pub fn state_to_seal(&self, last: Option<Position>) -> Result<Option<StateSealed>, ViewError> {
        let Some(last) = last else {
            return Ok(Some(StateSealed {
                position: 0,
                accounts: 0,
                root: state_map::empty_root(),
                digests: Vec::new(),
            }));
        };
        let Some(cut) = state_map::latest(&*self.view(state_map::NAME)?)? else {
            return Ok(None);
        };
        let mut digests = self.cut_digests();
        digests.retain(|digest| digest.position == cut.position);
        let map = digests
            .iter()
            .any(|digest| digest.projection == state_map::NAME);
        if cut.position != last.0 + 1 || !map {
            return Ok(None);
        }
        let stated = digests.into_iter().map(|digest| StatedDigest {
            projection: digest.projection.to_owned(),
            version: digest.version,
            digest: digest.digest,
        });
        Ok(Some(StateSealed {
            position: cut.position,
            accounts: cut.accounts,
            root: cut.root,
            digests: stated.collect(),
        }))
    }
}
