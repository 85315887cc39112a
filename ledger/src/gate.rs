//! The gate before new events: shut while the ledger must not grow.
//!
//! Owns one flag. Whoever shuts it opens it again; it is recorded nowhere, so a restart opens it.
//! What is under way when it shuts is carried out.

use crate::writer::LedgerError;
use core::sync::atomic::{AtomicBool, Ordering};

/// Whether new events are taken. Open to begin with.
#[derive(Debug, Default)]
pub struct Gate {
    shut: AtomicBool,
}

impl Gate {
    /// Takes nothing more: too few witnesses have cosigned what there is.
    pub fn shut(&self) {
        self.shut.store(true, Ordering::SeqCst);
    }

    /// Takes new events again.
    pub fn open(&self) {
        self.shut.store(false, Ordering::SeqCst);
    }

    /// Whether nothing is taken.
    pub fn is_shut(&self) -> bool {
        self.shut.load(Ordering::SeqCst)
    }

    /// [`LedgerError::WitnessesMissing`] while it is shut.
    pub(crate) fn pass(&self) -> Result<(), LedgerError> {
        if self.is_shut() {
            return Err(LedgerError::WitnessesMissing);
        }
        Ok(())
    }
}
