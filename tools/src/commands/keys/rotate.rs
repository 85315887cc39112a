//! `idledger keys rotate`: another key in the place of one of the ledger's own.
//!
//! ```text
//! 1  the new key's seed is safe in FILE.next
//! 2  LedgerKeyAdded(new)      signed by the old key: whoever trusts the old one trusts the new one
//! 3  LedgerKeyRetired(old)    signed by the new key (of events): it is there, and takes over
//! 4  FILE.next becomes FILE; the old seed is gone
//! ```
//!
//! Cut short anywhere, the same command goes on: each step is done once.

use crate::cli::Global;
use crate::commands::opening;
use crate::exit::{Exit, Stop};
use crate::output::Out;
use crate::words;
use anyhow::Context;
use clap::Args;
use domain::ids::PublicKey;
use domain::vocabulary::{KeyEnd, KeyPurpose};
use ed25519_dalek::SigningKey;
use ledger::open::{OpenError, Options};
use ledger::secrets::{KeySource, generate_file};
use ledger::wiring::SystemRandomness;
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};

/// `idledger keys rotate`
#[derive(Args)]
pub struct RotateArgs {
    /// Which key: `events` or `checkpoints`
    #[arg(long, value_parser = parse_purpose)]
    purpose: KeyPurpose,
    /// Why the old one ends: superseded, key_compromise, lost, cessation_of_operation
    #[arg(long, value_parser = parse_reason, default_value = "superseded")]
    reason: KeyEnd,
}

/// Runs it.
pub fn run(global: &Global, args: &RotateArgs, out: &mut Out) -> anyhow::Result<Exit> {
    let options = opening::options(global)?;
    let source = match args.purpose {
        KeyPurpose::Events => &options.signing_key,
        KeyPurpose::Checkpoints => &options.checkpoint_key,
    };
    let KeySource::File(path) = source else {
        let stop = Stop::new(Exit::Usage, "the key is not in a file");
        return Err(stop
            .hint("name its file; what is in the environment cannot be replaced from here")
            .into());
    };
    // Appended, not put in the place of an extension: two keys of one stem must not share it.
    let mut next = path.clone().into_os_string();
    next.push(".next");
    let next = PathBuf::from(next);
    let seed = if next.exists() {
        KeySource::File(next.clone()).load()?
    } else {
        generate_file(&next, &SystemRandomness::new())?
    };
    let new = public(&SigningKey::from_bytes(&seed.0));
    // A ledger that never had a checkpoint key gets its first one.
    let old = match source.load() {
        Err(_) if args.purpose == KeyPurpose::Checkpoints && !path.exists() => None,
        old => Some(public(&SigningKey::from_bytes(&old?.0))),
    };
    opening::runtime()?.block_on(record(&options, args, &next, (old, new)))?;
    std::fs::rename(&next, path).context("putting the new key in its place")?;
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::File::open(directory)
        .and_then(|directory| directory.sync_all())
        .context("putting the new key in its place")?;
    let value = json!({
        "purpose": args.purpose,
        "retired": old,
        "public_key": new,
        "reason": args.reason,
        "file": path.display().to_string(),
    });
    out.report("key_rotated", &value, |w| {
        if let Some(old) = old {
            writeln!(w, "retired     {old}")?;
        }
        writeln!(w, "public key  {new}")?;
        writeln!(w, "secret key  {}", path.display())
    })?;
    Ok(Exit::Ok)
}

async fn record(
    options: &Options,
    args: &RotateArgs,
    next: &Path,
    (old, new): (Option<PublicKey>, PublicKey),
) -> anyhow::Result<()> {
    let open = |options: Options| async move { ledger::open::open(&options).await };
    if args.purpose == KeyPurpose::Checkpoints {
        let (ledger, _) = open(options.clone()).await?;
        ledger.add_key(new, args.purpose).await?;
        if let Some(old) = old {
            ledger.retire_key(old, args.reason).await?;
        }
        return Ok(());
    }
    match open(options.clone()).await {
        Ok((ledger, _)) => ledger.add_key(new, args.purpose).await?,
        // Cut short between the last two steps: the old key has ended.
        Err(OpenError::WrongKey {
            what: "signing key",
        }) => {}
        Err(error) => return Err(error.into()),
    }
    let mut with_new = options.clone();
    with_new.signing_key = KeySource::File(next.to_owned());
    let (ledger, _) = open(with_new).await?;
    if let Some(old) = old {
        ledger.retire_key(old, args.reason).await?;
    }
    Ok(())
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

fn parse_purpose(text: &str) -> Result<KeyPurpose, String> {
    parse(text, KeyPurpose::ALL)
}

/// Why a key ends, as it is written on the command line.
pub fn parse_reason(text: &str) -> Result<KeyEnd, String> {
    parse(text, KeyEnd::ALL)
}

fn parse<T: serde::Serialize + Copy>(text: &str, all: &[T]) -> Result<T, String> {
    let wanted = text.replace('-', "_").to_lowercase();
    let found = all.iter().find(|value| words::code(*value) == wanted);
    found.copied().ok_or_else(|| {
        let names: Vec<String> = all.iter().map(words::code).collect();
        format!("one of {}", names.join(", "))
    })
}
