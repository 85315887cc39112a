//! Lookups.
use domain::ids::{AccountId, EventId, Position};
/// Who holds what was looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Lookup {
    /// The account.
    pub account: AccountId,
    /// The account's event that makes the claim good.
    pub confirmed_by: EventId,
    /// Whether that event is in the account's stream: a claim that is not confirmed holds nothing
    /// but keeps others out until it is settled.
    pub confirmed: bool,
    /// The claim's position.
    pub position: Position,
}
