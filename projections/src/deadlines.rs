//! Deadlines.
use domain::ids::{AccountId, CaseId, Micros, Position};
/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Due {
    /// The authority must have decided this dossier.
    Decision(CaseId),
    /// The account must have been activated.
    Activation,
}
/// An open deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Deadline {
    /// First instant at which it is overdue.
    pub due: Micros,
    /// Whose.
    pub account: AccountId,
    /// What.
    pub what: Due,
    /// The event that set it.
    pub position: Position,
}
