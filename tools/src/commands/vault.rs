//! `idledger vault`: the keys that make erasure possible, and where they lie.

use super::opening;
use crate::cli::Global;
use crate::exit::{Exit, Stop};
use crate::interrupt;
use crate::output::{Out, grouped};
use crate::progress;
use clap::{Args, Subcommand};
use ledger::open::{Meta, OpenError};
use ledger::secrets::Keys;
use ledger::vault::shared::moving::{MoveError, move_in};
use serde_json::json;
use std::io::Write;

/// `idledger vault`
#[derive(Args)]
pub struct VaultArgs {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Put everything of DIR/vault into the database that `--vault` names, for several servers to share;
    /// the ledger must be closed
    Move,
}

/// Runs it.
pub fn run(global: &Global, args: &VaultArgs, out: &mut Out) -> anyhow::Result<Exit> {
    let Task::Move = args.task;
    let options = opening::options(global)?;
    let Some(place) = &options.vault else {
        let stop = Stop::new(Exit::Usage, "no shared vault is named");
        return Err(stop.hint("name its database with `--vault`").into());
    };
    let meta = Meta::read(&options.dir)?;
    let keys = Keys::derive(&options.kek.load()?);
    if hex::encode(keys.check()) != meta.key_check {
        let what = "key-encryption key";
        return Err(OpenError::WrongKey { what }.into());
    }
    let bar = progress::bar(global.progress, Some(0), "moving");
    let mut watch = |done, of| {
        bar.set_length(of);
        bar.set_position(done);
        !interrupt::requested()
    };
    let moving = move_in(place, &*options.disk, &options.dir, &keys, &mut watch);
    let moved = opening::runtime()?.block_on(moving);
    bar.finish_and_clear();
    let moved = moved.map_err(|error| explain(&error))?;
    let value = json!({ "slots": moved.slots, "found": moved.found });
    out.report("vault_move", &value, |w| {
        writeln!(w, "slots  {}", grouped(moved.slots))?;
        writeln!(
            w,
            "found  {} of them by an earlier run",
            grouped(moved.found)
        )?;
        writeln!(
            w,
            "next   put DIR/vault away, and name the database with `--vault`"
        )
    })?;
    Ok(Exit::Ok)
}

/// The exit code and what to do.
fn explain(error: &MoveError) -> anyhow::Error {
    let (exit, hint) = match error {
        MoveError::Vault(cause) => return cause.clone().into(),
        MoveError::Ledger(cause) => return cause.clone().into(),
        MoveError::None => (
            Exit::NoLedger,
            "name the ledger's directory with `--dir`; it may have been moved already",
        ),
        MoveError::Stopped { .. } => (
            Exit::Interrupted,
            "run the same command again: it goes on from there",
        ),
        _ => (
            Exit::Failed,
            "servers used the shared vault since it was filled: it is the one to go on with",
        ),
    };
    Stop::new(exit, error.to_string()).hint(hint).into()
}
