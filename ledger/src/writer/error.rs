//! What can go wrong on the way from a command to its events. A refusal is not among it: that is an
//! outcome.

use crate::credentials::CredentialError;
use crate::store::{AppendError, StoreError};
use crate::vault::VaultError;
use domain::envelope::Refused;
use domain::ids::Revision;
use domain::record::RecordError;
use domain::seal::SealError;

/// A machine's failure, never a rule's answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The store failed; nothing of this command was acknowledged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store cannot say whether it was written. Submitting again with the same command id is
    /// safe and answers.
    #[error("the outcome is uncertain: {0}")]
    Uncertain(StoreError),
    /// Others kept changing the same account; try again.
    #[error("the account kept changing under this command")]
    Contended,
    /// The caller's expected revision is not the account's.
    #[error("the account is at {current:?}, not at the expected revision")]
    ExpectedRevision {
        /// Where it is.
        current: Option<Revision>,
    },
    /// No such account.
    #[error("there is no such account")]
    AccountNotFound,
    /// The actor may not speak for whom they say: unknown, revoked, another key or another account.
    #[error("the actor is not who they say they are")]
    Unauthorised,
    /// The actor's signature does not verify.
    #[error("the actor's proof: {0}")]
    Evidence(RecordError),
    /// A record on the way in or out is not what it should be.
    #[error("record: {0}")]
    Record(#[from] RecordError),
    /// The key vault failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The credential store failed.
    #[error(transparent)]
    Credentials(CredentialError),
    /// A sealed part does not open, or cannot be sealed.
    #[error("sealed part: {0}")]
    Seal(#[from] SealError),
    /// Too much is going on; try again later.
    #[error("too many requests of this kind at once")]
    Busy,
    /// The caller put together something that cannot be meant.
    #[error("the submission is not well formed: {0}")]
    BadSubmission(&'static str),
    /// Refused, and one of so many that it is counted instead of recorded (spec 0.10).
    #[error("refused as one of a flood; not recorded")]
    Flood {
        /// Why.
        refused: Refused,
    },
    /// The first law of a new ledger was refused.
    #[error("the first law was refused: {:?}", .0.code)]
    Founding(Refused),
    /// A registry that was asked again did not answer again; nothing was recorded.
    #[error("the registry still does not answer")]
    RegistrySilent,
    /// Too few witnesses have cosigned the log, and by its policy it takes nothing new until they
    /// have. Nothing was recorded.
    #[error("too few witnesses have cosigned; no new events are taken")]
    WitnessesMissing,
    /// The same command id was used for something else.
    #[error("this command id was used for another command")]
    CommandIdReused,
}

impl From<CredentialError> for LedgerError {
    fn from(error: CredentialError) -> Self {
        match error {
            CredentialError::Busy => Self::Busy,
            error => Self::Credentials(error),
        }
    }
}

impl From<AppendError> for LedgerError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Conflict { .. } => Self::Contended,
            AppendError::Failed(error) => Self::Store(error),
            AppendError::Uncertain(error) => Self::Uncertain(error),
        }
    }
}
