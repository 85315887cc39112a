//! The program as people run it: real processes, real files, real exit codes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets what it does not expect must fail"
)]

mod archive;
mod cluster;
mod commands;
mod crash;
mod damage;
mod demo;
mod errors;
mod evidence;
mod import;
mod law;
mod outside;
mod privacy;
mod reports;
mod run;
mod scenarios;
mod state;
mod timestamps;
mod transparency;
mod witness;
