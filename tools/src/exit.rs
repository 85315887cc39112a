//! The exit codes, documented once: scripts and operators rely on these numbers.
//!
//! Owns the table and the way from an error to its number, its message and its hint. Never prints.

use ledger::archive::ArchiveError;
use ledger::credentials::CredentialError;
use ledger::open::OpenError;
use ledger::secrets::SecretError;
use ledger::store::{AppendError, StoreError};
use ledger::transparency::SealError;
use ledger::transparency::witness::WitnessError;
use ledger::vault::VaultError;
use ledger::writer::LedgerError;
use projections::ViewError;
use std::process::ExitCode;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, nothing to report. Also when the reader of our output went away (a closed pipe).
    Ok = 0,
    /// The operation failed.
    Failed = 1,
    /// The command line was wrong (clap prints this one itself).
    Usage = 2,
    /// Finished, with findings that somebody should look at.
    Findings = 3,
    /// Stored bytes do not verify, or history is shorter than or different from what was seen.
    Integrity = 4,
    /// There is no ledger at that place.
    NoLedger = 10,
    /// Another process has it open for writing.
    Locked = 11,
    /// A key is missing or is not this ledger's.
    Key = 12,
    /// Two sets of projections differ.
    Differ = 13,
    /// Stopped by the operator; progress was saved where there is any.
    Interrupted = 130,
}

/// The table as `--help` shows it.
pub const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    the operation failed
  2    wrong usage
  3    finished with findings
  4    integrity violation: stored bytes do not verify, or history was cut or rewritten
  10   there is no ledger here
  11   another process has it open for writing
  12   a key is missing or wrong
  13   projections differ
  130  interrupted (progress is saved)";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A failure that knows its exit code and what to do next. It never carries a personal datum.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Stop {
    /// Exit code.
    pub exit: Exit,
    /// What is wrong, lower case, no full stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Stop {
    /// Without a hint.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            hint: None,
        }
    }

    /// With a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Ctrl-C.
    pub fn interrupted() -> Self {
        Self::new(Exit::Interrupted, "interrupted")
    }
}

/// The exit code of any error, and a hint where there is one.
pub fn classify(error: &anyhow::Error) -> (Exit, Option<String>) {
    for cause in error.chain() {
        if let Some(stop) = cause.downcast_ref::<Stop>() {
            return (stop.exit, stop.hint.clone());
        }
        if let Some(error) = cause.downcast_ref::<std::io::Error>()
            && error.kind() == std::io::ErrorKind::BrokenPipe
        {
            return (Exit::Ok, None);
        }
        if let Some(error) = cause.downcast_ref::<StoreError>() {
            return of_store(error);
        }
        if let Some(error) = cause.downcast_ref::<OpenError>() {
            return of_open(error);
        }
        if let Some(ViewError::Store(error)) = cause.downcast_ref::<ViewError>() {
            return of_store(error);
        }
        match cause.downcast_ref::<ArchiveError>() {
            Some(ArchiveError::Store(error)) => return of_store(error),
            Some(ArchiveError::Damaged { .. }) => {
                let hint = "take another copy of the archive; throw away what was imported";
                return (Exit::Integrity, Some(hint.to_owned()));
            }
            _ => {}
        }
        if let Some(error) = cause.downcast_ref::<VaultError>() {
            return of_vault(error);
        }
        if let Some(error) = cause.downcast_ref::<SecretError>() {
            return (Exit::Key, Some(error.hint()));
        }
        if let Some(error) = cause.downcast_ref::<WitnessError>() {
            return of_witness(error);
        }
        if let Some(error) = cause.downcast_ref::<SealError>() {
            return of_sealing(error);
        }
        match cause.downcast_ref::<AppendError>() {
            Some(AppendError::Failed(error) | AppendError::Uncertain(error)) => {
                return of_store(error);
            }
            Some(_) => return (Exit::Failed, None),
            None => {}
        }
        match cause.downcast_ref::<LedgerError>() {
            Some(LedgerError::Store(error) | LedgerError::Uncertain(error)) => {
                return of_store(error);
            }
            Some(LedgerError::Vault(error)) => return of_vault(error),
            Some(_) => return (Exit::Failed, None),
            None => {}
        }
    }
    (Exit::Failed, None)
}

fn of_open(error: &OpenError) -> (Exit, Option<String>) {
    let (exit, hint) = match error {
        OpenError::Store(error) | OpenError::Ledger(LedgerError::Store(error)) => {
            return of_store(error);
        }
        OpenError::Secret(error) => return (Exit::Key, Some(error.hint())),
        OpenError::NotInitialised => return of_store(&StoreError::NotInitialised),
        OpenError::WrongKey { .. } => (
            Exit::Key,
            "name the right file with `--kek-file` or `--signing-key-file`; nothing was changed",
        ),
        OpenError::Exists => (Exit::Failed, "name another place with `--dir`"),
        OpenError::HalfMade => (
            Exit::Failed,
            "`idledger init` on the same directory finishes it",
        ),
        OpenError::NewerFormat { .. } => (Exit::Failed, "use the program version that made it"),
        OpenError::Vault(error)
        | OpenError::Credentials(CredentialError::Vault(error))
        | OpenError::Ledger(LedgerError::Vault(error)) => return of_vault(error),
        OpenError::NoSharedVault => (
            Exit::Failed,
            "name the vault with `--vault`, and the ledger's keys with `--kek-file` and `--signing-key-file`",
        ),
        OpenError::OtherLedger => (
            Exit::Failed,
            "name the directory that belongs to it with `--dir`, or an empty one to join it",
        ),
        OpenError::TwoVaults => (
            Exit::Failed,
            "a ledger has one vault: open it without `--vault`, or, if everything is in the shared one, move \
             DIR/vault away",
        ),
        _ => return (Exit::Failed, None),
    };
    (exit, Some(hint.to_owned()))
}

fn of_sealing(error: &SealError) -> (Exit, Option<String>) {
    let (exit, hint) = match error {
        SealError::Store(error) => return of_store(error),
        SealError::Behind { .. } => (
            Exit::Integrity,
            "the events were restored from an older copy: bring back a newer one; signing again from here \
             would be a second history",
        ),
        SealError::Fork { .. } => (
            Exit::Integrity,
            "these are not the events that were signed before: find out which copy is the true one; \
             nothing was signed",
        ),
        SealError::Damaged { .. } => (
            Exit::Integrity,
            "remove DIR/tree: it is made again from the events, and checked against the lock",
        ),
        SealError::Lock { .. } => (
            Exit::Integrity,
            "look at the directory that `--checkpoint-lock` names: it holds the last checkpoint of one \
             ledger, as text; in a database, at the ledger's row of `idledger_checkpoint_lock`",
        ),
        SealError::Address { .. } => (
            Exit::Usage,
            "write `--checkpoint-lock postgres://USER@HOST/DATABASE`; the authority is a PEM file",
        ),
        SealError::VaultDatabase => (
            Exit::Usage,
            "name another database with `--checkpoint-lock`, best on another server: restoring a backup of \
             the vault must not take the lock back",
        ),
        SealError::Remote { .. } => (
            Exit::Failed,
            "look whether the database runs, takes writes and lets this user in \
             (`--checkpoint-lock-password-file`, `--checkpoint-lock-ca-file`); nothing was signed that is \
             not locked",
        ),
        SealError::Taken => (Exit::Locked, "it does so by itself: there is nothing to do"),
        SealError::LockMoved => (Exit::Failed, "run it again"),
        SealError::Cosignatures { .. } => (
            Exit::Failed,
            "look whether the witnesses that `--outside` names answer; the checkpoint is signed and is \
             published as soon as enough have cosigned",
        ),
        SealError::Key { .. } => (
            Exit::Key,
            "name the right file with `--checkpoint-key-file`; `idledger keys list` shows which keys sign",
        ),
        _ => return (Exit::Failed, None),
    };
    (exit, Some(hint.to_owned()))
}

fn of_witness(error: &WitnessError) -> (Exit, Option<String>) {
    let (exit, hint) = match error {
        WitnessError::Store(error) => return of_store(error),
        WitnessError::Damaged { .. } => (
            Exit::Integrity,
            "nothing was cosigned. From an older copy it could cosign a second history: if the file is lost, \
             go on with a new witness under a new name",
        ),
        WitnessError::LogKey { .. } => (
            Exit::Usage,
            "`--log` takes the verifier key of a log, not that of a witness",
        ),
        WitnessError::OwnKey => (Exit::Key, "`--init --name NAME` makes one"),
        _ => return (Exit::Failed, None),
    };
    (exit, Some(hint.to_owned()))
}

fn of_vault(error: &VaultError) -> (Exit, Option<String>) {
    let (exit, hint) = match error {
        VaultError::WrongKey { .. } => (
            Exit::Key,
            "name the right file with `--kek-file`; nothing was changed",
        ),
        VaultError::Damaged { .. } => (
            Exit::Integrity,
            "nothing was changed; restore DIR/vault from a copy",
        ),
        VaultError::Remote { .. } => (
            Exit::Failed,
            "look whether the database runs, takes writes and lets this user in (`--vault-password-file`, \
             `--vault-ca-file`); nothing that was acknowledged is lost",
        ),
        VaultError::Address { .. } => (
            Exit::Usage,
            "write `--vault postgres://USER@HOST/DATABASE`; the authority is a PEM file",
        ),
        _ => return (Exit::Failed, None),
    };
    (exit, Some(hint.to_owned()))
}

fn of_store(error: &StoreError) -> (Exit, Option<String>) {
    let (exit, hint) = match error {
        StoreError::Corrupt { .. } => (
            Exit::Integrity,
            "nothing was changed; run `idledger verify --full` for the whole picture and restore from a copy",
        ),
        StoreError::Locked => (
            Exit::Locked,
            "a server or another command has it open; stop it, or use a command that only reads the log",
        ),
        StoreError::NotInitialised => (
            Exit::NoLedger,
            "make one with `idledger init`, or name another place with `--dir`",
        ),
        StoreError::Io { full: true, .. } => (
            Exit::Failed,
            "the disk is full: free space; nothing that was acknowledged is lost",
        ),
        StoreError::Unsafe { hazard, .. } => (Exit::Integrity, hazard.hint()),
        StoreError::Foreign { .. } => (
            Exit::Integrity,
            "somebody else writes to this ledger's streams: find out who, and restore the cluster from a copy",
        ),
        StoreError::Server { fault, .. } => (Exit::Failed, fault.hint()),
        StoreError::Unusable(_) => (
            Exit::Failed,
            "use the program version that made it, or name another place with `--dir`",
        ),
        _ => return (Exit::Failed, None),
    };
    (exit, Some(hint.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_its_code() {
        let corrupt = StoreError::Corrupt {
            position: 7,
            place: "x".into(),
            reason: "y".into(),
        };
        let cases: [(anyhow::Error, Exit); 7] = [
            (corrupt.clone().into(), Exit::Integrity),
            (
                anyhow::Error::from(LedgerError::Store(corrupt)).context("opening"),
                Exit::Integrity,
            ),
            (StoreError::Locked.into(), Exit::Locked),
            (StoreError::NotInitialised.into(), Exit::NoLedger),
            (
                std::io::Error::from(std::io::ErrorKind::BrokenPipe).into(),
                Exit::Ok,
            ),
            (Stop::new(Exit::Key, "no key").into(), Exit::Key),
            (anyhow::anyhow!("something else"), Exit::Failed),
        ];
        for (error, expected) in cases {
            assert_eq!(classify(&error).0, expected, "{error:#}");
        }
    }
}
