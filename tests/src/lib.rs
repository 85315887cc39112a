//! What every black-box test shares.

pub mod sample;
