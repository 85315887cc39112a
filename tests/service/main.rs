//! The HTTP service as a black box: requests in, problems and receipts out, and what the ledger holds
//! afterwards.

mod bad_input;
mod golden;
mod idempotency;
mod live;
mod procedures;
mod reads;
mod signatures;
mod world;
