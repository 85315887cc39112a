//! What every black-box test shares.

pub mod fuzz_bodies;
#[path = "../peer/mod.rs"]
pub mod peer;
pub mod sample;
pub mod system;
