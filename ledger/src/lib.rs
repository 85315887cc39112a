//! The ledger: the port to event stores, its engines, the key vault, and the writer that turns a
//! command into signed, durable events. No HTTP, no projections.

pub mod archive;
pub mod bundle;
pub mod chip;
#[cfg(any(test, feature = "testing"))]
pub mod conformance;
pub mod copy;
pub mod credentials;
pub mod disk;
pub mod evidence;
#[cfg(any(test, feature = "testing"))]
pub mod faulty;
pub mod gate;
mod index;
pub mod keyring;
pub mod kurrentdb;
pub mod law;
pub mod ledger;
pub mod memory;
pub mod messenger;
pub mod open;
pub mod past;
pub mod pki;
mod postgres;
pub mod principals;
pub mod registry;
pub mod remote;
pub mod secrets;
pub mod segments;
pub mod state_seal;
pub mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod timestamp;
pub mod transparency;
pub mod vault;
pub mod wiring;
pub mod writer;
