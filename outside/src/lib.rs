//! What the ledger does of its own accord, and how it reaches the world: the clock that lets
//! deadlines pass, notices that leave, registries that are asked, and asked again, witnesses that cosign, and
//! what it states of its own state.
//!
//! Everything here acts through [`ledger::ledger::Ledger::submit`] or behind a port of `ledger`, so
//! it can be stopped at any moment and started again. It takes no requests (that is `api`), holds no
//! rule of the domain and keeps no state of its own: what is to be done next is read from the read
//! models and the log.

pub mod asking;
pub mod clock;
pub mod erasure;
pub mod fetch;
pub mod guarded;
pub mod http;
mod link;
pub mod notices;
pub mod registry;
pub mod retry;
pub mod rounds;
pub mod settings;
pub mod state_sealing;
pub mod timestamps;
pub mod witnesses;
