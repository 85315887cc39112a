//! Ctrl-C: the first one asks every loop to stop at a clean place, the second one leaves at once.
//!
//! Owns the process-wide flag. Loops ask [`requested`]; nothing is ever torn down under them.

use crate::exit::{Exit, Stop};
use std::sync::atomic::{AtomicBool, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Installs the handler. Without one (no signals here) the program just cannot be asked nicely.
pub fn install() {
    let _ = ctrlc::set_handler(|| {
        if REQUESTED.swap(true, Ordering::SeqCst) {
            std::process::exit(Exit::Interrupted as i32);
        }
    });
}

/// Whether to stop.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// An error once a stop was asked for, for loops with nothing to save.
pub fn check() -> Result<(), Stop> {
    if requested() {
        Err(Stop::interrupted())
    } else {
        Ok(())
    }
}
