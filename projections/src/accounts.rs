//! One row per account.
use domain::ids::{AccountId, Digest, Position};
use domain::vocabulary::RetentionClass;
use ledger::store::StreamHead;
/// A sealed part in the log, by reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct SealedRef {
    /// The event it stands beside.
    pub position: Position,
    /// Number of the part, from 0.
    pub part: u8,
    /// Under which of the subject's keys.
    pub class: RetentionClass,
    /// What the envelope commits to.
    pub commitment: Digest,
}
/// An account as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountView {
    /// Which.
    pub id: AccountId,
    /// The last event of its stream.
    pub head: StreamHead,
}
