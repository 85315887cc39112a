//! Read models: folds of the ledger's events that can be thrown away, rebuilt, and proved equal.
//!
//! Never appends, knows nothing of HTTP. Rows hold states, commitments and positions; personal data
//! stay sealed in the log and are opened where they are read (INV-7).

pub mod accounts;
pub mod as_of;
pub mod audit;
mod changes;
mod generations;
mod inbox;
mod lane;
mod runner;
mod serving;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod watermark;
pub mod deadlines;
pub mod entitlements;
pub mod digest;
mod error;
pub mod lookups;
pub mod projection;
pub mod rebuild;
pub mod statistics;
pub mod view;
mod views;

pub use changes::Changes;
pub use error::{ApplyError, ViewError};
pub use views::{Options, State, Status, Views};
