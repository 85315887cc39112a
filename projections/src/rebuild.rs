//! Rebuild.
use crate::digest::ProjectionDigest;
/// How far a rebuild is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Events folded.
    pub done: u64,
    /// Events to fold.
    pub total: u64,
}
/// A finished rebuild of one projection.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Rebuilt {
    /// Digest of the rows that serve now, at the position of the swap.
    pub after: ProjectionDigest,
    /// Digest of the rows before, at the same position; `None`: they could not be compared (missing,
    /// damaged, of another version, or halted before).
    pub before: Option<ProjectionDigest>,
    /// Whether both were there and differed: the old rows did not come from this log (exit code 13).
    pub differed: bool,
}
