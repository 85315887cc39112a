//! `idledger verify`: the whole log against nothing but public keys.
//!
//! Reads the log itself, never a projection, an index or a server, and never writes to it; so it
//! runs beside a server and on a copy. Memory is bounded whatever the length ([`links`]). Keys come
//! from the ledger's own events, each good for its range of positions; the first one is trusted on
//! first use and remembered, or named with `--ledger-key`. With `--projections` ([`state`]) it folds the
//! events anew and compares with what `StateSealed` events say of it.

mod check;
mod links;
mod memory;
mod mirror;
mod pipeline;
mod report;
mod state;
#[cfg(test)]
mod tests;
mod tree;
mod walk;
mod words;

use crate::cli::Global;
use crate::exit::{Exit, Stop};
use crate::output::Out;
use crate::{interrupt, progress};
pub use check::Depth;
use check::Known;
use clap::Args;
use domain::ids::{Digest, LedgerId, Position, PublicKey};
use indicatif::ProgressBar;
use ledger::segments::LogReader;
use ledger::store::StoreError;
use links::{Class, LinkPass, STREAMS_MAX};
use memory::{Remembered, Resume};
use parking_lot::RwLock;
use pipeline::{Ended, Plan};
use report::{Finding, Report};
use std::path::PathBuf;
use std::time::Instant;
use tree::{TreeCheck, Witnesses};
use walk::Walk;

/// The bar moves every so many records.
const BAR_STEP: u64 = 1024;

/// `idledger verify`
#[derive(Args)]
// Each is a flag of its own on the command line.
#[allow(clippy::struct_excessive_bools)]
pub struct VerifyArgs {
    /// Framing, order and links only: millions of records a second
    #[arg(long, group = "depth")]
    structure: bool,
    /// And the ledger's signature on every record
    #[arg(long, group = "depth")]
    signatures: bool,
    /// And facts, commitments of sealed parts, and the actors' own signatures (the default)
    #[arg(long, group = "depth")]
    full: bool,
    /// Signatures of a part only: `1/7` (every seventh, the first) or `5%`; structure of all
    #[arg(long, value_name = "PART", value_parser = parse_subset)]
    subset: Option<(u64, u64)>,
    /// Signatures from this position on; structure of all
    #[arg(long, value_name = "POS", default_value_t = 0)]
    from: u64,
    /// Worker threads (default: all cores)
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Go on after the prefix whose signatures were verified before
    #[arg(long, conflicts_with_all = ["from", "subset"])]
    resume: bool,
    /// The public key of the ledger's first event, from a source you trust (64 hex digits)
    #[arg(long, value_name = "KEY")]
    ledger_key: Option<PublicKey>,
    /// Neither compare with the remembered head nor remember this one (for old copies)
    #[arg(long)]
    no_memory: bool,
    /// Instead of a ledger's directory: the transparency log at this place, a directory or `http://…`
    /// with `checkpoint` and `tile/`, as `https://ledger.example/log`
    #[arg(long, value_name = "PLACE", requires = "keys", conflicts_with_all = ["depth", "subset", "from", "resume", "ledger_key"])]
    tiles: Option<String>,
    /// A verifier key of that log, from a source you trust (repeat for several)
    #[arg(long = "key", value_name = "KEY", requires = "tiles")]
    keys: Vec<String>,
    /// A signed checkpoint from elsewhere that the history must agree with (repeat for several)
    #[arg(long = "checkpoint", value_name = "FILE")]
    checkpoints: Vec<PathBuf>,
    /// The key of a witness that must have cosigned the published checkpoint (repeat for several)
    #[arg(long = "witness", value_name = "KEY")]
    witnesses: Vec<String>,
    /// How many of the witnesses (default: all that are named)
    #[arg(long, value_name = "N")]
    quorum: Option<usize>,
    /// Forget the remembered head first
    #[arg(long)]
    forget: bool,
    /// Instead: fold everything anew, aside, and compare with what the ledger stated of its own state
    #[arg(long, conflicts_with_all = ["depth", "subset", "from", "jobs", "resume", "ledger_key", "forget"])]
    projections: bool,
}

/// Runs it.
pub fn run(global: &Global, args: &VerifyArgs, out: &mut Out) -> anyhow::Result<Exit> {
    }
    if let Some(place) = &args.tiles {
        return mirror::run(global, args, place, out);
