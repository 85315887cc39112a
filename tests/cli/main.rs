//! The program as people run it: real processes, real files, real exit codes.

mod archive;
mod commands;
mod crash;
mod damage;
mod demo;
mod errors;
mod privacy;
mod run;
