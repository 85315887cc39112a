//! The ledger: the port to event stores, its engines, the key vault, and the writer that turns a
//! command into signed, durable events. No HTTP, no projections.

pub mod evidence;
pub mod keyring;
pub mod messenger;
pub mod principals;
pub mod secrets;
pub mod store;
pub mod vault;
pub mod wiring;
pub mod writer;
