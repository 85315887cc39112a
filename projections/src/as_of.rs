//! As-of answers.
use domain::ids::{Micros, Position};

/// The instant a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// After the event at this position of the ledger.
    Position(Position),
    /// What the ledger had recorded by this instant.
    Recorded(Micros),
    /// What had happened by this instant, as known today.
    Occurred(Micros),
}
