//! The writer: load → observe → decide → claim → seal and sign → append → receipt.
//!
//! Owns the order in which a command touches the disk, so that a crash between any two steps leaves
//! something the next command settles (see [`claims`]):
//!
//! 1. keys of the subject, and the credential's verifier, durable in the vault;
//! 2. claims taken (they name the account event to come);
//! 3. the account's events, one append: **this is the moment the command is done**;
//! 4. claims given up are released; notices leave.
//!
//! A command that was refused is an event too (spec 0.10). Where no account can be told, it stands
//! in the claim stream of the personal number that was used.

mod actors;
pub mod assemble;
mod carry_out;
pub mod claims;
mod error;
mod heard;
mod loaded;
mod locks;
mod observe;
mod outcome;
mod shared;
mod submission;
mod submit;
#[cfg(test)]
mod tests;

pub use error::LedgerError;
pub(crate) use loaded::Cache;
pub(crate) use loaded::contact;
pub use loaded::{Contact, open_parts};
pub(crate) use locks::Stripes;
pub use shared::SharedValues;
pub use submission::{Outcome, RecordedEvent, Secrets, Submission, Target};

use crate::store::{AppendError, Appended, EventStore, Expected, NewRecord, StoreError};
use domain::ids::StreamId;

/// How often a command is tried again when others change the same streams.
pub const ATTEMPTS_MAX: usize = 16;
/// How often an append is asked again whose outcome is uncertain.
const UNCERTAIN_ATTEMPTS_MAX: usize = 3;

/// Appends, and asks again with the same event ids while the outcome is uncertain.
pub async fn append_surely(
    store: &dyn EventStore,
    stream: StreamId,
    expected: Expected,
    records: Vec<NewRecord>,
) -> Result<Appended, AppendError> {
    let mut outcome = store.append(stream, expected, records.clone()).await;
    for _ in 0..UNCERTAIN_ATTEMPTS_MAX {
        match outcome {
            Err(AppendError::Uncertain(StoreError::Stopped(_))) => return outcome,
            Err(AppendError::Uncertain(_)) => {
                outcome = store.append(stream, expected, records.clone()).await;
            }
            _ => return outcome,
        }
    }
    outcome
}
