//! One module a command. Those that read the log use `ledger` and `domain` alone.

pub mod account;
pub mod bench;
pub mod demo;
pub mod doctor;
pub mod evidence;
pub mod export;
pub mod import;
pub mod import_accounts;
pub mod init;
pub mod keys;
pub mod law;
pub mod log;
pub mod notices;
pub mod opening;
pub mod projections;
pub mod reading;
pub mod registry;
pub mod replay;
pub mod report;
pub mod serve;
pub mod show;
pub mod stats;
pub mod verify;
pub mod views;
