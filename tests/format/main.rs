//! The format, from outside: FORMAT.md against the code, golden vectors, another codec, a reader in
//! another language, and bytes that nobody signed.

// Helpers of tests are test code too: where they cannot go on, the test fails.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc
)]

mod architecture;
mod document;
mod fuzz;
mod hostile;
mod log;
mod oracle;
mod python;
mod requirements;
mod vectors;
