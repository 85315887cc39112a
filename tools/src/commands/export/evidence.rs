//! `idledger export evidence`: a bundle that anybody checks with public keys alone.

use super::write_whole;
use crate::cli::Global;
use crate::commands::signing::SignArgs;
use crate::commands::{opening, prove, reading, tree};
use crate::exit::{Exit, Stop};
use crate::output::Out;
use clap::Args;
use domain::ids::AccountId;
use ledger::bundle::{About, MakeError, Want, make};
use ledger::segments::LogReader;
use ledger::transparency::ReadError;
use ledger::transparency::proofs::ProveError;
use ledger::transparency::state_proof::AccountProof;
use serde_json::json;
use std::io::Write as _;
use std::path::PathBuf;
use tlog::note::Signer;

/// `idledger export evidence`
#[derive(Args)]
#[group(id = "about", args = ["account", "range"], required = true, multiple = false)]
pub struct EvidenceArgs {
    /// All events of this account, with what the ledger last stated of it
    #[arg(long, value_name = "ID")]
    account: Option<AccountId>,
    /// The events from one position to another, both included, as `100..120`
    #[arg(long, value_name = "FROM..TO", value_parser = parse_range)]
    range: Option<(u64, u64)>,
    /// Where to: one file, an uncompressed tar
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    sign: SignArgs,
}

fn parse_range(text: &str) -> Result<(u64, u64), String> {
    let error = || "write two positions, as `100..120`".to_owned();
    let (from, to) = text.split_once("..").ok_or_else(error)?;
    let position = |text: &str| text.parse().map_err(|_| error());
    let (from, to) = (position(from)?, position(to)?);
    if from > to {
        return Err("the range runs backwards".to_owned());
    }
    Ok((from, to))
}

/// Runs it.
pub fn run(global: &Global, args: &EvidenceArgs, out: &mut Out) -> anyhow::Result<Exit> {
    let signer = args.sign.signer()?;
    let log = tree::published(global)?;
    let (about, state) = match (args.account, args.range) {
        (Some(account), _) => (About::Account(account), stated(global, account)?),
        (None, Some((from, to))) => (About::Range { from, to }, None),
        (None, None) => return Err(Stop::new(Exit::Usage, "of what is not said").into()),
    };
    let store = LogReader::open(&global.dir())?;
    let unstated = args.account.is_some() && state.is_none();
    let want = Want {
        about,
        state,
        signer: signer.as_ref(),
    };
    let bytes = reading::runtime()?
        .block_on(make(&log, &store, want))
        .map_err(|error| stop(&error))?;
    write_whole(&args.out, |writer| Ok(writer.write_all(&bytes)?))?;
    if unstated && !global.quiet {
        eprintln!(
            "hint: the ledger has stated nothing of this account yet, so nothing shows that these are all of its \
             events; `idledger projections seal`, then `idledger tree seal`"
        );
    }
    let key = signer.as_ref().map(|signer| signer.verifier().to_text());
    let size = log.published().map(|published| published.head.size);
    let value = json!({
        "file": args.out.display().to_string(),
        "bytes": bytes.len(),
        "size": size,
        "log": log.origin(),
        "manifest_key": key,
    });
    out.report("evidence", &value, |w| {
        writeln!(w, "evidence    {}", args.out.display())?;
        writeln!(w, "log         {}", log.origin())?;
        match signer.as_ref().map(Signer::verifier) {
            Some(key) => writeln!(w, "signed by   {}", key.to_text()),
            None => writeln!(w, "signed by   nobody (`--sign-with`)"),
        }
    })?;
    Ok(Exit::Ok)
}

/// What the read models prove of the account; `None`: the ledger has stated nothing yet.
fn stated(global: &Global, account: AccountId) -> anyhow::Result<Option<AccountProof>> {
    let store = reading::open(&global.dir())?;
    opening::runtime()?.block_on(prove::state_proof(global, store, account))
}

fn stop(error: &MakeError) -> Stop {
    let exit = match error {
        MakeError::Backwards => Exit::Usage,
        _ => Exit::Failed,
    };
    let stop = Stop::new(exit, error.to_string());
    match error {
        MakeError::Prove(ProveError::Read(ReadError::Beyond { .. })) => {
            stop.hint("`idledger tree seal` takes in what was appended since the last checkpoint")
        }
        _ => stop,
    }
}
