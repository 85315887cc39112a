//! What can go wrong in the files under `vault/`. Names files and slots, never subjects.

/// Why a key or a credential cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// Operating system error.
    #[error("{operation} `vault/{file}`: {message}")]
    Io {
        /// Which file.
        file: &'static str,
        /// What was being done.
        operation: &'static str,
        /// The system's message.
        message: String,
        /// Whether the disk is full; nothing was written then, and later calls may succeed.
        full: bool,
    },
    /// The file belongs to another key-encryption key. Exit code 12.
    #[error("`vault/{file}` does not belong to this key-encryption key")]
    WrongKey {
        /// Which file.
        file: &'static str,
    },
    /// A slot's bytes are not what was written. Exit code 4; never repaired silently.
    #[error("`vault/{file}`: slot {slot} is damaged")]
    Damaged {
        /// Which file.
        file: &'static str,
        /// The slot's number; it starts at byte 8192 + number × slot size.
        slot: u32,
    },
    /// Not such a file at all, or one of a newer program.
    #[error("`vault/{file}` cannot be used: {reason}")]
    Unusable {
        /// Which file.
        file: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// A write failed earlier in a way that leaves the file's state unknown; only a restart helps.
    #[error("`vault/{file}` has stopped after a failed write")]
    Stopped {
        /// Which file.
        file: &'static str,
    },
    /// The shared vault cannot be reached or used; a later call may succeed.
    #[error("the shared vault failed at {operation} `{file}`: {message}")]
    Remote {
        /// Which slots.
        file: &'static str,
        /// What was being done.
        operation: &'static str,
        /// The database's message, without its details.
        message: String,
    },
    /// The address or the settings of the shared vault are wrong.
    #[error("the shared vault cannot be used: {reason}")]
    Address {
        /// Why. Never repeats the address, which may hold a password.
        reason: &'static str,
    },
    /// The key was destroyed and is never made again.
    #[error("the key was destroyed")]
    Destroyed,
    /// Changed by somebody else at the same time; ask again.
    #[error("the slot changed at the same time")]
    Contended,
}

impl VaultError {
    /// An operating system error, as a closure for `map_err`.
    pub(super) fn io(
        file: &'static str,
        operation: &'static str,
    ) -> impl Fn(std::io::Error) -> Self {
        move |error| Self::Io {
            file,
            operation,
            full: matches!(
                error.kind(),
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
            ),
            message: error.to_string(),
        }
    }
}
