//! The port: what an event store is.
//!
//! Owns nothing but the contract. Every engine passes the same `conformance` suite. An append has
//! four outcomes: done (`Ok`), [`AppendError::Conflict`], [`AppendError::Failed`] (certainly not
//! written) and [`AppendError::Uncertain`] (may have been written; asking again with the same event
//! ids is safe and answers). Atomicity is promised within **one** stream only.

use crate::remote::{ServerFault, StreamHazard};
use bytes::Bytes;
use core::future::Future;
use core::pin::Pin;
use domain::envelope::Envelope;
use domain::ids::{CorrelationId, Digest, EventId, Position, Revision, StreamId};
use domain::record::RecordRef;

/// Most events of one append.
pub const APPEND_EVENTS_MAX: usize = 64;
/// Most records of one page of a read.
pub const PAGE_RECORDS_MAX: usize = 4096;

/// A boxed future; the port is used as `dyn EventStore`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The revision a stream must have for an append to be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// The stream must not exist.
    NoStream,
    /// The last event must be this one.
    Revision(Revision),
}

impl Expected {
    /// The revision that the first appended event gets.
    pub const fn first_revision(self) -> Revision {
        match self {
            Self::NoStream => Revision(0),
            Self::Revision(Revision(last)) => Revision(last.saturating_add(1)),
        }
    }

    /// Whether a stream whose last event is `current` is where it is expected to be.
    pub fn is_met_by(self, current: Option<Revision>) -> bool {
        match self {
            Self::NoStream => current.is_none(),
            Self::Revision(last) => current == Some(last),
        }
    }
}

/// One signed record to append. The engine does not look inside `bytes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecord {
    /// Its id: an append is idempotent by it.
    pub event_id: EventId,
    /// The link the next record of the stream will carry.
    pub link: Digest,
    /// The record (see `domain::record`).
    pub bytes: Bytes,
    /// What an engine with tools of its own may show beside it. Not part of what is signed.
    pub labels: Labels,
}

/// What of an envelope other people's tools can show. Nothing is ever read back from it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Labels {
    /// The kind's name.
    pub kind: Option<&'static str>,
    /// What belongs together.
    pub correlation: Option<CorrelationId>,
    /// The event that caused it.
    pub causation: Option<EventId>,
}

impl Labels {
    /// Those of an envelope.
    pub fn of(envelope: &Envelope) -> Self {
        Self {
            kind: domain::event::kind_name(envelope.kind),
            correlation: Some(envelope.correlation),
            causation: envelope.causation,
        }
    }

    /// Those of a record, where there is nothing but its bytes; none, if it cannot be read.
    pub fn of_record(bytes: &[u8]) -> Self {
        RecordRef::parse(bytes)
            .and_then(|record| record.open_envelope())
            .map_or_else(|_| Self::default(), |envelope| Self::of(&envelope))
    }
}

/// One stored record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// Where it stands in the ledger.
    pub position: Position,
    /// Its stream.
    pub stream: StreamId,
    /// Its number in the stream.
    pub revision: Revision,
    /// The record's bytes as appended.
    pub bytes: Bytes,
}

/// The last event of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamHead {
    /// Its revision.
    pub revision: Revision,
    /// Its position.
    pub position: Position,
    /// Its link, for the next record to carry.
    pub link: Digest,
}

/// A finished append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Position of the first event. The events of one append are contiguous in the embedded engines,
    /// not promised by the port: only `last` and the order are.
    pub first: Position,
    /// Position of the last event.
    pub last: Position,
    /// Revision of the last event.
    pub revision: Revision,
}

/// Why an append did not simply succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The stream is elsewhere. Nothing was written.
    #[error("stream {stream} is at {current:?}, not at {expected:?}")]
    Conflict {
        /// The stream.
        stream: StreamId,
        /// What was expected.
        expected: Expected,
        /// Where it is; `None`: there is no such stream.
        current: Option<Revision>,
    },
    /// Certainly not written.
    #[error("the append failed and nothing was written: {0}")]
    Failed(StoreError),
    /// May have been written. Ask again with the same event ids.
    #[error("the append may or may not have been written: {0}")]
    Uncertain(StoreError),
}

/// What can go wrong in a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Operating system error.
    #[error("{operation}: {message}")]
    Io {
        /// What was being done, in a few words.
        operation: &'static str,
        /// The system's message.
        message: String,
        /// Whether the disk is full.
        full: bool,
    },
    /// Stored bytes do not verify. Never repaired silently; exit code 4.
    #[error("corrupt at position {position} ({place}): {reason}")]
    Corrupt {
        /// First position that does not verify.
        position: u64,
        /// File and offset, or stream.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// Another process writes here. Exit code 11.
    #[error("the ledger is locked by another process")]
    Locked,
    /// There is no ledger here. Exit code 10.
    #[error("there is no ledger here")]
    NotInitialised,
    /// Made by a newer program, or not finished being made.
    #[error("the data directory cannot be used: {0}")]
    Unusable(String),
    /// The event server of a remote engine cannot be used. `ServerFault::hint` says what to do.
    #[error("the event server: {fault}: {message}")]
    Server {
        /// What is wrong.
        fault: ServerFault,
        /// What was being done, or the server's words. Never a credential.
        message: String,
    },
    /// Somebody set a stream of the event server so that it loses events. Nothing is read beyond.
    #[error("stream {stream} on the event server {hazard}")]
    Unsafe {
        /// The stream.
        stream: StreamId,
        /// How.
        hazard: StreamHazard,
    },
    /// An event stands in our streams that this program did not write.
    #[error("an event that idledger did not write stands among its own at {place}")]
    Foreign {
        /// Where on the server.
        place: String,
    },
    /// The store stopped after a failed sync; only a restart goes on.
    #[error("the store has stopped: {0}")]
    Stopped(String),
    /// Over a limit.
    #[error("{what} is over its limit")]
    Limit {
        /// What.
        what: &'static str,
    },
}

/// An event store.
pub trait EventStore: Send + Sync + 'static {
    /// Appends `records` (1 to [`APPEND_EVENTS_MAX`]) to a stream, all or none. Returns only when
    /// they are safe. If the stream has moved on but the events at the expected place carry exactly
    /// these ids, they are the same append and the answer is its receipt.
    fn append(
        &self,
        stream: StreamId,
        expected: Expected,
        records: Vec<NewRecord>,
    ) -> BoxFuture<'_, Result<Appended, AppendError>>;

    /// The last event of a stream.
    fn stream_head(
        &self,
        stream: StreamId,
    ) -> BoxFuture<'_, Result<Option<StreamHead>, StoreError>>;

    /// Up to `limit` events of a stream from a revision on, oldest first. A page may end early
    /// (its bytes are bounded too), but is empty only when nothing is there.
    fn read_stream(
        &self,
        stream: StreamId,
        from: Revision,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredRecord>, StoreError>>;

    /// Up to `limit` events (at most [`PAGE_RECORDS_MAX`]) of the whole ledger from a position on.
    /// Only what is safe is shown. Positions are contiguous (INV-6). A page may end early (its
    /// bytes are bounded too), but is empty only at the end.
    fn read_all(
        &self,
        from: Position,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredRecord>, StoreError>>;

    /// The number of safe events: the next event gets at least this position. 0 when empty.
    fn length(&self) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// Whether other processes write here too: what was read may be out of date at once, and
    /// appends under way at the same time may be stored in another order than they were asked for.
    fn is_shared(&self) -> bool {
        false
    }

    /// Why this process may not know of everything that is stored, or cannot append: a server that is
    /// away, a store that stopped. `None`: all is well.
    fn trouble(&self) -> Option<StoreError> {
        None
    }

    /// Resolves when [`EventStore::length`] is over `seen`, or the store stops. For followers:
    /// `read_all` until empty, then wait.
    fn wait_beyond(&self, seen: u64) -> BoxFuture<'_, Result<u64, StoreError>>;
}
