//! What can go wrong in a read model. Never says who: no row, key or personal datum stands here.

use domain::bytes::BytesError;
use ledger::store::StoreError;

/// Why a read model could not be read, written, built or waited for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// Operating system error, or the embedded database's.
    #[error("{operation}: {message}")]
    Io {
        /// What was being done, in a few words.
        operation: &'static str,
        /// The system's message.
        message: String,
    },
    /// Rows that no version of this program writes. A rebuild cures it.
    #[error("the view {view} is damaged: {reason}")]
    Damaged {
        /// Which view.
        view: String,
        /// What is wrong.
        reason: String,
    },
    /// The rows are of another version of the projection. A rebuild cures it.
    #[error("the view {view} is of version {found}, this program makes {wanted}")]
    Outdated {
        /// Which view.
        view: String,
        /// Version found.
        found: u32,
        /// Version of this program.
        wanted: u32,
    },
    /// A value over the limit that keeps the embedded database safe.
    #[error("a row of {bytes} bytes is over the limit of {limit}")]
    RowTooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The event store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The projection stopped at an event it cannot take (INV-6). Never skipped.
    #[error("the projection {view} is halted at position {position}: {reason}")]
    Halted {
        /// Which projection.
        view: String,
        /// The event's position.
        position: u64,
        /// Why.
        reason: String,
    },
    /// Not visible in time.
    #[error("position {position} was not visible in time")]
    Timeout {
        /// What was waited for.
        position: u64,
    },
    /// There is no projection of this name.
    #[error("there is no projection named {name}")]
    UnknownProjection {
        /// The name.
        name: String,
    },
    /// Somebody asked for it to stop.
    #[error("cancelled")]
    Cancelled,
    /// The views were closed.
    #[error("the views are closed")]
    Closed,
    /// The query cannot be answered as asked.
    #[error("bad query: {0}")]
    BadQuery(&'static str),
}

impl ViewError {
    /// An operating system error.
    pub(crate) fn io(operation: &'static str, error: &std::io::Error) -> Self {
        Self::Io {
            operation,
            message: error.to_string(),
        }
    }

    /// Rows of a view that do not decode.
    pub(crate) fn damaged(view: &str, reason: &(impl ToString + ?Sized)) -> Self {
        Self::Damaged {
            view: view.to_owned(),
            reason: reason.to_string(),
        }
    }

    /// Whether building the view again from the log is the cure.
    pub fn cured_by_rebuild(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Outdated { .. })
    }
}

/// Why a projection cannot take an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The event itself: halts the projection at its position.
    #[error("{0}")]
    Poison(String),
    /// The view: halts it too, but a restart or a rebuild may cure it.
    #[error(transparent)]
    View(#[from] ViewError),
}

impl ApplyError {
    /// A row that does not have the form this projection writes.
    pub(crate) fn row(view: &str, error: &BytesError) -> Self {
        Self::View(ViewError::damaged(view, error))
    }
}
