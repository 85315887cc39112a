//! Evidence bundles: events, their proofs and everything else that a stranger with public keys needs to
//! check them, in one file.
//!
//! Owns which files are in a bundle, how they are put together and what is checked of each. The same
//! events under the same checkpoint give the same bytes. It must never hold a sealed part, ask a clock, a
//! network or a server, and it believes nothing that the caller's keys do not prove.
//!
//! ```text
//! MANIFEST          what this is, SHA-256 of SHA256SUMS; a signed note if somebody signed it
//! README            for people: what it is, how to check it
//! SHA256SUMS        of every file but these two, as `sha256sum -c` reads it
//! checkpoint        the signed checkpoint that all proofs lead to
//! contents.json     which event is here for what
//! events/<position>.proof     the event is in the log (c2sp.org/tlog-proof)
//! events/<position>.record    the event without its sealed parts
//! keys              the keys of the log's checkpoints
//! redactions.json   what was left out: each sealed part's class and commitment
//! state.json        what the ledger stated of the account, if it did
//! timestamp/checkpoint    the first checkpoint with all of what it is about that an authority stamped, if
//! timestamp/answer.tsr    one was; what the authority answered (RFC 3161)
//! timestamp/consistency   that the one above continues it: hashes, base64, one a line
//! ```

mod belonging;
mod check;
mod make;
mod manifest;
mod readme;
mod stamp;
mod tar;
#[cfg(test)]
mod tests;

pub use check::{Opened, Trust, open};
pub use make::{MakeError, Want, make};

use domain::envelope::Commitment;
use domain::ids::{AccountId, EventId, LedgerId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most events in a bundle, with those that prove keys and law.
pub const EVENTS_MAX: usize = 20_000;
/// Largest bundle, in bytes.
pub const BUNDLE_BYTES_MAX: usize = 256 << 20;
const SCHEMA: &str = "idledger.evidence/1";
const REDACTIONS: &str = "idledger.redactions/1";

const MANIFEST: &str = "MANIFEST";
const README: &str = "README";
const SUMS: &str = "SHA256SUMS";
const CHECKPOINT: &str = "checkpoint";
const CONTENTS: &str = "contents.json";
const KEYS: &str = "keys";
const REDACTED: &str = "redactions.json";
const STATE: &str = "state.json";
const STAMPED: &str = "timestamp/checkpoint";
const STAMP: &str = "timestamp/answer.tsr";
const CONTINUED: &str = "timestamp/consistency";

/// Files by name.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// What a bundle is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum About {
    /// All events of an account, as far as they are in the log.
    Account(AccountId),
    /// The events from one position to another, both of them included.
    Range {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
}

/// Which event is in the bundle for what, by positions in ascending order. One may be there for more than
/// one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contents {
    /// `idledger.evidence/1`
    pub schema: String,
    /// The ledger.
    pub ledger: LedgerId,
    /// Events in the log that the proofs are of.
    pub size: u64,
    /// What it is about.
    pub about: About,
    /// The events it is about.
    pub selected: Vec<u64>,
    /// The ledger's own stream: its creation, and every key with where it counts.
    pub keys: Vec<u64>,
    /// Proposals and publications of the law that the decisions used.
    pub law: Vec<u64>,
    /// Enrolments and revocations of those who acted.
    pub principals: Vec<u64>,
    /// The newest statement of the ledger's state, for a range.
    pub stated: Option<u64>,
}

/// What is left out of one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Redaction {
    position: u64,
    event_id: EventId,
    sealed: Vec<Commitment>,
}

#[derive(Serialize)]
struct Redactions<'a> {
    schema: &'a str,
    events: Vec<Redaction>,
}

/// What is wrong with a bundle, and in which of its files. It repeats nothing that was sent but names of
/// files, which are of plain characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {reason}")]
pub struct Flaw {
    /// The file; `bundle`: the bundle itself.
    pub file: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Flaw {
    #[allow(
        clippy::needless_pass_by_value,
        reason = "mostly a text that is made where it is called"
    )]
    fn new(file: impl Into<String>, reason: impl ToString) -> Self {
        Self {
            file: file.into(),
            reason: reason.to_string(),
        }
    }
}

fn record_name(position: u64) -> String {
    format!("events/{position:020}.record")
}

fn proof_name(position: u64) -> String {
    format!("events/{position:020}.proof")
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // Structures of strings and numbers: there is nothing that cannot be written.
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}
