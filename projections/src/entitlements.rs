//! Which services an account may use: computed when asked, kept nowhere.
//!
//! There is no table of entitlements, because there is nothing to fold: an answer depends on the
//! account's state (which is a row already), on the catalogue (which changes for everybody at once)
//! and on the instant (a window becomes overdue without any event). A table would have to be
//! rewritten whole with each catalogue and would still be wrong between events. Computing it takes
//! under a microsecond per account, and every answer names its reason and the granting event.

use crate::accounts::AccountView;
use domain::entitlement::{Catalogue, Entitlement};
use domain::ids::Micros;

/// Every service of the catalogue with its answer for this account, at an instant.
pub fn of(view: &AccountView, catalogue: &Catalogue, now: Micros) -> Vec<Entitlement> {
    domain::entitlement::entitlements(&view.account, catalogue, now)
}
