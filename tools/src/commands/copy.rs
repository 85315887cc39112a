//! `idledger copy`: a whole ledger's events from one store into another, verified on the way.

use super::stores::{self, StorePlace};
use crate::cli::Global;
use crate::exit::{Exit, Stop};
use crate::interrupt;
use crate::output::{Out, grouped};
use crate::progress;
use anyhow::Context;
use clap::Args;
use ledger::copy::{CopyError, Step, copy};
use ledger::store::StoreError;
use serde_json::json;
use std::io::Write;

/// `idledger copy`
#[derive(Args)]
pub struct CopyArgs {
    /// Where the events are: `segments:DIR` or `esdb://HOST:PORT`
    #[arg(long, value_name = "STORE")]
    from: StorePlace,
    /// Where they go: an empty store, or one that an earlier copy did not finish
    #[arg(long, value_name = "STORE")]
    to: StorePlace,
}

/// Runs it.
pub fn run(global: &Global, args: &CopyArgs, out: &mut Out) -> anyhow::Result<Exit> {
    if args.from == args.to {
        return Err(Stop::new(Exit::Usage, "source and target are one store").into());
    }
    let who = stores::credentials(global.store_credentials_file.as_deref())?;
    let node = global.node_dir();
    let bar = progress::bar(global.progress, Some(0), "copying");
    let copied = super::opening::runtime()?.block_on(async {
        let from = stores::source(&args.from, &node.join("source"), who.clone()).await;
        let from = from.context("the source")?;
        let to = stores::target(&args.to, &node, who).await;
        let to = to.context("the target")?;
        let mut watch = |step| {
            let (done, of, what) = match step {
                Step::Copied(done, of) => (done, of, "copying"),
                Step::ReadBack(done, of) => (done, of, "reading back"),
            };
            bar.set_message(what);
            bar.set_length(of);
            bar.set_position(done);
            !interrupt::requested()
        };
        let copied = copy(&*from, &*to, &mut watch).await;
        // Dropped here, so that what waits is written before anything is said.
        drop((from, to));
        anyhow::Ok(copied)
    })?;
    bar.finish_and_clear();
    let copied = copied.map_err(|error| explain(&error))?;
    let value = json!({
        "records": copied.records,
        "found": copied.found,
        "digest": copied.digest,
        "equal": true,
    });
    out.report("copy", &value, |w| {
        writeln!(w, "events  {}", grouped(copied.records))?;
        writeln!(
            w,
            "found   {} of them by an earlier run",
            grouped(copied.found)
        )?;
        writeln!(w, "digest  {}, of both sides", copied.digest)
    })?;
    Ok(Exit::Ok)
}

/// The exit code and what to do.
fn explain(error: &CopyError) -> anyhow::Error {
    let (exit, hint) = match error {
        CopyError::Source(cause)
        | CopyError::Target(cause)
        | CopyError::Append {
            error:
                ledger::store::AppendError::Failed(cause) | ledger::store::AppendError::Uncertain(cause),
            ..
        } => return of_store(cause.clone(), error),
        CopyError::Invalid { .. } => (
            Exit::Integrity,
            "nothing from there on was copied; run `idledger verify --full` on the source",
        ),
        CopyError::Differ { .. } => (
            Exit::Integrity,
            "the target holds another ledger, or was changed: name an empty store",
        ),
        CopyError::Longer { .. } | CopyError::Moved { .. } | CopyError::Append { .. } => {
            (Exit::Failed, "copy into a store that nobody else writes to")
        }
        CopyError::Stopped { .. } => (
            Exit::Interrupted,
            "run the same command again: it goes on from there",
        ),
        _ => (
            Exit::Failed,
            "run the same command again: it goes on from there",
        ),
    };
    Stop::new(exit, error.to_string()).hint(hint).into()
}

/// As a store's own errors are told, with where it happened in front.
fn of_store(cause: StoreError, error: &CopyError) -> anyhow::Error {
    anyhow::Error::new(cause).context(match error {
        CopyError::Source(_) => "the source",
        _ => "the target",
    })
}
