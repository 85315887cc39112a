//! PostgreSQL databases: how they are reached, what they must promise, and when they are asked again.
//!
//! Owns connections, no table: those are the shared vault's and the shared checkpoint lock's, each in a
//! database of its own. Must never repeat an address or a password in an error or a log line.

mod connect;
mod tries;

pub(crate) use connect::same_database;
pub(crate) use connect::{Reach, pool};
pub(crate) use tries::{Failure, Tries};

/// An address or its settings that cannot be used, and why: never the address itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadAddress(pub &'static str);

/// A database that cannot be reached or used; a later call may succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Away {
    /// What was being done.
    pub operation: &'static str,
    /// The database's message, without its details.
    pub message: String,
}
