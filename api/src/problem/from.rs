//! The one place where errors of the layers below become problems.

use super::{Code, Problem};
use crate::signature::SignatureError;
use ledger::store::StoreError;
use ledger::writer::LedgerError;
use projections::ViewError;

/// Seconds after which a failed store or vault may be tried again.
const RETRY_AFTER_S: u32 = 2;

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        let internal = error.to_string();
        match error {
            LedgerError::Store(error) => Self::from(error),
            LedgerError::Uncertain(_) => Self::new(Code::OutcomeUncertain)
                .retry_after(RETRY_AFTER_S)
                .because(internal),
            LedgerError::Contended => Self::new(Code::Contended).retry_after(1).because(internal),
            LedgerError::ExpectedRevision { current } => {
                let mut problem = Self::new(Code::ExpectedRevision);
                problem.current_revision = current.map(|revision| revision.0);
                problem
            }
            LedgerError::AccountNotFound => Self::new(Code::Refused(
                domain::vocabulary::RefusalCode::AccountNotFound,
            )),
            LedgerError::Unauthorised => Self::new(Code::AccessDenied).because(internal),
            LedgerError::Evidence(_) => Self::new(Code::SignatureInvalid).because(internal),
            LedgerError::Record(_) => Self::new(Code::LedgerCorrupt).because(internal),
            LedgerError::Vault { .. } => Self::new(Code::VaultFailed)
                .retry_after(RETRY_AFTER_S)
                .because(internal),
            LedgerError::Busy => Self::new(Code::Overloaded).retry_after(1),
            LedgerError::WitnessesMissing => {
                Self::new(Code::WitnessesMissing).retry_after(RETRY_AFTER_S)
            }
            LedgerError::RegistrySilent => Self::new(Code::Refused(
                domain::vocabulary::RefusalCode::RegistryUnavailable,
            )),
            LedgerError::CommandIdReused => Self::new(Code::IdempotencyKeyReused),
            // A submission that the writer cannot take apart is this crate's bug.
            _ => Self::new(Code::Internal).because(internal),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::Io { full: true, .. } => Code::StorageFull,
            StoreError::Corrupt { .. } | StoreError::Unsafe { .. } | StoreError::Foreign { .. } => {
                Code::LedgerCorrupt
            }
            _ => Code::StoreFailed,
        };
        Self::new(code).retry_after(RETRY_AFTER_S).because(error)
    }
}

impl From<ViewError> for Problem {
    fn from(error: ViewError) -> Self {
        let code = match &error {
            ViewError::Store(error) => return Self::from(error.clone()),
            ViewError::Timeout { .. } => Code::ProjectionBehind,
            ViewError::BadQuery(_) => Code::QueryInvalid,
            _ => Code::ProjectionFailed,
        };
        Self::new(code).retry_after(RETRY_AFTER_S).because(error)
    }
}

impl From<SignatureError> for Problem {
    fn from(error: SignatureError) -> Self {
        let code = match error {
            SignatureError::Malformed(_) => Code::SignatureMalformed,
            SignatureError::Incomplete(_) => Code::SignatureIncomplete,
            SignatureError::Skewed => Code::SignatureSkewed,
            SignatureError::Digest => Code::DigestMismatch,
            SignatureError::Invalid => Code::SignatureInvalid,
            SignatureError::WeakKey => Code::KeyWeak,
            SignatureError::Replayed => Code::NonceReplayed,
            SignatureError::Busy => Code::Overloaded,
        };
        match error {
            // What is wrong with headers is for whoever writes the client; nothing in it is theirs.
            SignatureError::Malformed(what) => Self::field(code, "/", what),
            SignatureError::Incomplete(what) => {
                Self::field(code, "/", format!("`{what}` is not covered or not stated"))
            }
            _ => Self::new(code),
        }
    }
}
