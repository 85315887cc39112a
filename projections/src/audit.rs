//! Audit.
use domain::ids::{AccountId, Micros, Position, PrincipalId};
use crate::view::Order;
/// What to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditQuery {
    /// Events in this account's stream.
    pub account: Option<AccountId>,
    /// Events that this principal (or citizen, by account id) caused.
    pub actor: Option<PrincipalId>,
    /// Events of these kinds; empty: of any.
    pub kinds: Vec<u16>,
    /// Recorded at or after.
    pub since: Option<Micros>,
    /// Recorded before.
    pub until: Option<Micros>,
    /// At or after this position.
    pub from: Option<Position>,
    /// Before this position.
    pub to: Option<Position>,
    /// Most positions of the page.
    pub limit: usize,
    /// Where the page before ended ([`AuditPage::next`]).
    pub cursor: Option<Position>,
    /// Oldest or newest first.
    pub order: Order,
}
/// A page of an audit trail.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct AuditPage {
    /// Positions in the order asked for.
    pub positions: Vec<Position>,
    /// Cursor of the next page; `None`: this was the last.
    pub next: Option<Position>,
    /// Events at or after this position are not in the answer yet.
    pub visible: u64,
}
