//! The engine for a KurrentDB cluster, against the protocol peer; and the peer, against clients
//! written elsewhere. With `IDLEDGER_TEST_ESDB` set to a connection string, the conformance suite
//! runs unchanged against that server too.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "it is test code"
)]

mod clients;
mod engine;
mod faults;
mod hazards;
mod sealers;
mod secured;
