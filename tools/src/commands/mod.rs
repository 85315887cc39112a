//! One module a command. Those that read the log use `ledger` and `domain` alone.

pub mod account;
pub mod log;
pub mod reading;
pub mod show;
pub mod verify;
