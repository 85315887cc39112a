//! `idledger init`: an empty ledger with fresh keys, the default policy and the service catalogue.

use super::opening;
use crate::cli::Global;
use crate::exit::Exit;
use crate::output::Out;
use clap::Args;
use ledger::secrets::KeySource;
use serde_json::json;
use std::io::Write;

/// `idledger init`
#[derive(Args)]
pub struct InitArgs {
    #[command(flatten)]
    trial: opening::Trial,
}

/// Runs it.
pub fn run(global: &Global, args: &InitArgs, out: &mut Out) -> anyhow::Result<Exit> {
    let options = args.trial.options(global)?;
    let ledger = super::reading::runtime()?.block_on(ledger::open::init(&options))?;
    let ring = ledger.ring();
    let id = ring.ledger().map(|id| id.to_string()).unwrap_or_default();
    let key = ring
        .keys()
        .first()
        .map(|key| key.public.to_string())
        .unwrap_or_default();
    let log_key = ledger::transparency::verifier_keys(&ring)?
        .first()
        .map(tlog::VerifierKey::to_text)
        .unwrap_or_default();
    let place = |source: &KeySource| match source {
        KeySource::File(path) => path.display().to_string(),
        KeySource::Value(_) | KeySource::Bytes(_) => "the environment".to_owned(),
    };
    let (signing, kek) = (place(&options.signing_key), place(&options.kek));
    let checkpoint = place(&options.checkpoint_key);
    let dir = options.dir.display().to_string();
    let value = json!({
        "ledger": id,
        "dir": dir,
        "public_key": key,
        "log_key": log_key,
        "signing_key": signing,
        "checkpoint_key": checkpoint,
        "key_encryption_key": kek,
    });
    out.report("init", &value, |w| {
        writeln!(w, "ledger      {id}")?;
        writeln!(w, "directory   {dir}")?;
        writeln!(w, "public key  {key}")?;
        writeln!(w, "log key     {log_key}")?;
        writeln!(w, "signing key {signing}")?;
        writeln!(w, "checkpoints {checkpoint}")?;
        writeln!(w, "vault key   {kek}")
    })?;
    if !global.quiet {
        eprintln!(
            "hint: give public key and log key to whoever verifies, and keep copies of the key"
        );
        eprintln!("      files apart from backups of the data: without the vault key nothing");
        eprintln!("      personal can ever be read again");
    }
    Ok(Exit::Ok)
}
