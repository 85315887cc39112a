//! api
pub mod config;
pub mod json;
pub mod limits;
pub mod problem;
pub mod signature;
pub mod time;
