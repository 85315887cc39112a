//! Read models: folds of the ledger's events that can be thrown away, rebuilt, and proved equal.
//!
//! Never appends, knows nothing of HTTP. Rows hold states, commitments and positions; personal data
//! stay sealed in the log and are opened where they are read (INV-7).

pub mod accounts;
pub mod as_of;
pub mod audit;
mod changes;
pub mod deadlines;
pub mod digest;
pub mod entitlements;
mod error;
mod generations;
mod inbox;
mod lane;
pub mod lookups;
pub mod outbox;
pub mod projection;
pub mod rebuild;
pub mod report;
mod runner;
pub mod sealed;
mod serving;
pub mod state_map;
pub mod statistics;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod view;
mod views;
pub mod waiting;
mod watermark;

pub use changes::Changes;
pub use error::{ApplyError, ViewError};
pub use lane::cuts::Disagreement;
pub use views::{Options, State, Status, Views};
