//! What tests of this crate and of others need: a database of their own.

pub mod postgres;
