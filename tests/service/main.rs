//! The HTTP service as a black box: requests in, problems and receipts out, and what the ledger holds
//! afterwards.

// A test that finds something else than it expects must fail there and then, and tables are long.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    clippy::type_complexity,
    clippy::similar_names
)]

mod bad_input;
mod chip;
mod deadlines;
mod golden;
mod holders;
mod idempotency;
mod invariants;
mod law;
mod live;
mod notices;
mod peers;
mod people;
mod procedures;
mod reads;
mod registries;
mod reports;
mod signatures;
mod state;
mod waiting;
mod witnesses;
mod world;
