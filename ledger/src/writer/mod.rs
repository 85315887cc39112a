//! The writer: load → observe → decide → claim → seal and sign → append → receipt.
mod error;
pub use error::LedgerError;
