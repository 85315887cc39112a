//! The demo's city: people, their lives, and the driver that takes them through the real ledger.
//!
//! Owns everything synthetic. Knows nothing of read models or HTTP: those come after, unaware.

pub mod ask;
pub mod city;
pub mod clock;
pub mod dice;
pub mod drive;
pub mod inbox;
pub mod lives;
mod names;
pub mod people;
pub mod plan;
pub mod staff;
