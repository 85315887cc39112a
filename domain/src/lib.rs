//! The identity domain: its vocabulary, its rules and its bytes. Pure: no I/O, no async, no clock,
//! no randomness; time, ids and keys are parameters.

pub mod account;
pub mod bytes;
pub mod calendar;
pub mod command;
pub mod decide;
pub mod entitlement;
pub mod envelope;
pub mod event;
pub mod identity;
pub mod ids;
pub mod law;
pub mod messages;
pub mod notice;
pub mod personal;
pub mod policy;
pub mod record;
pub mod seal;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod upcast;
pub mod vocabulary;
