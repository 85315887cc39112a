//! Asking the database again: what passes, how long one waits, and in what words one gives up.

use super::Away;
use core::time::Duration;
use deadpool_postgres::HookError;
use std::time::Instant;
use tokio_postgres::error::SqlState;

/// How long one call goes on trying when the database is away: a failover takes some seconds.
pub(super) const GIVE_UP_AFTER: Duration = Duration::from_secs(10);
/// First pause between two tries; doubled up to [`PAUSE_MAX`].
const PAUSE_FIRST: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// What one try can end with.
pub(crate) enum Failure {
    /// No connection could be had; nothing was sent.
    Connection(deadpool_postgres::PoolError),
    /// The database, or the connection on the way.
    Database(tokio_postgres::Error),
    /// No answer in time.
    Silent,
}

impl From<deadpool_postgres::PoolError> for Failure {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        Self::Connection(error)
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

impl Failure {
    /// Whether what was asked may have been done all the same.
    pub const fn is_uncertain(&self) -> bool {
        matches!(self, Self::Database(_) | Self::Silent)
    }

    /// Whether asking again may help.
    fn passes(&self) -> bool {
        use deadpool_postgres::PoolError;
        match self {
            Self::Connection(
                PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)),
            )
            | Self::Database(error) => passes(error),
            Self::Connection(PoolError::Timeout(_)) | Self::Silent => true,
            Self::Connection(_) => false,
        }
    }

    /// What happened, without details that the database adds about rows.
    fn words(&self) -> String {
        use deadpool_postgres::PoolError;
        match self {
            Self::Connection(
                PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)),
            )
            | Self::Database(error) => words(error),
            Self::Connection(PoolError::Timeout(_)) => "no connection became free".into(),
            Self::Connection(PoolError::PostCreateHook(HookError::Message(text))) => {
                text.to_string()
            }
            Self::Connection(_) => "no connection can be had".into(),
            Self::Silent => "no answer in time".into(),
        }
    }
}

fn passes(error: &tokio_postgres::Error) -> bool {
    let Some(code) = error.code() else {
        // Never answered by the database: the connection. Wrong addresses end with the deadline.
        return !error.to_string().contains("TLS");
    };
    // Class 08: connections; 57: shut down or starting; 40: serialisation; 53: too much at once;
    // 25006: a node that does not take writes any more.
    code.code().starts_with("08")
        || code.code().starts_with("57P")
        || code.code().starts_with("40")
        || code.code().starts_with("53")
        || *code == SqlState::READ_ONLY_SQL_TRANSACTION
}

fn words(error: &tokio_postgres::Error) -> String {
    use std::error::Error as _;
    match (error.as_db_error(), error.source()) {
        (Some(said), _) => format!("{} ({})", said.message(), said.code().code()),
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}

/// Tries of one call.
pub(crate) struct Tries {
    /// Whose database it is, for the log.
    whose: &'static str,
    operation: &'static str,
    since: Instant,
    pause: Duration,
}

impl Tries {
    #[allow(clippy::disallowed_methods)] // measures how long one waits, decides nothing
    pub fn new(whose: &'static str, operation: &'static str) -> Self {
        Self {
            whose,
            operation,
            since: Instant::now(),
            pause: PAUSE_FIRST,
        }
    }

    /// Waits before the next try, or gives up.
    pub async fn again(&mut self, failure: Failure) -> Result<(), Away> {
        if !failure.passes() || self.since.elapsed() >= GIVE_UP_AFTER {
            return Err(Away {
                operation: self.operation,
                message: failure.words(),
            });
        }
        tracing::warn!(
            database = self.whose,
            operation = self.operation,
            "a database does not answer; asking again"
        );
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        Ok(())
    }
}
