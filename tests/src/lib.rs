//! What every black-box test shares.

pub mod fuzz_bodies;
pub mod sample;
