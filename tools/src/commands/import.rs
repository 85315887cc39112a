//! `idledger import`: a new directory from an archive: a copy that can be read, verified and
//! replayed, without any key. It is not a ledger to write to: keys and vault are not in an archive.

use super::verify;
use crate::cli::Global;
use crate::exit::{Exit, Stop};
use crate::output::{Out, grouped};
use crate::progress;
use anyhow::Context;
use clap::Args;
use ledger::archive::{self, ArchiveReader, Sealed};
use ledger::segments::{Options, Segments};
use serde_json::json;
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::PathBuf;

/// Buffer of the archive file, in bytes.
const READ_BYTES: usize = 1 << 20;

/// `idledger import`
#[derive(Args)]
pub struct ImportArgs {
    /// The archive (`idledger export --as archive`)
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Do not verify the new directory afterwards
    #[arg(long)]
    no_verify: bool,
}

/// Runs it. The new directory is `--dir`.
pub fn run(global: &Global, args: &ImportArgs, out: &mut Out) -> anyhow::Result<Exit> {
    let dir = global.dir();
    let file =
        File::open(&args.file).with_context(|| format!("opening `{}`", args.file.display()))?;
    let size = file.metadata().map(|meta| meta.len()).ok();
    if dir.join("log").exists() {
        return Err(Stop::new(
            Exit::Failed,
            "there is a ledger in the target directory already",
        )
        .hint("name a new one with `--dir`")
        .into());
    }
    let bar = progress::bar(global.progress, size, "importing");
    let file = bar.wrap_read(BufReader::with_capacity(READ_BYTES, file));
    let mut reader = ArchiveReader::new(file)?;
    let redacted = reader.sealed() == Sealed::Redacted;
    Segments::create(&dir, Options::default())?;
    let (store, _) = Segments::open(&dir, Options::default())?;
    let imported = super::opening::runtime()?.block_on(archive::import(&mut reader, &store));
    bar.finish_and_clear();
    store.close();
    drop(store);
    let summary = imported?;
    let records = summary.records;
    let bar = progress::bar(global.progress, Some(records), "verifying");
    let verified = !args.no_verify;
    let mut head = None;
    if verified {
        let report = verify::quietly(&dir, verify::Depth::Full, bar)?;
        if report.verdict != "good" {
            report.print(out)?;
            return Ok(Exit::Integrity);
        }
        head = Some(report.head);
    }
    let value = json!({
        "dir": dir.display().to_string(),
        "records": records,
        "redacted": redacted,
        "archive_digest": summary.digest,
        "head": head,
        "verified": verified,
    });
    out.report("import", &value, |w| {
        writeln!(w, "directory {}", dir.display())?;
        writeln!(w, "records   {}", grouped(records))?;
        writeln!(w, "redacted  {}", if redacted { "yes" } else { "no" })?;
        writeln!(w, "archive   {}", summary.digest)?;
        if let Some(head) = &head {
            writeln!(w, "head      {head}")?;
        }
        writeln!(w, "verified  {}", if verified { "in full" } else { "no" })
    })?;
    Ok(Exit::Ok)
}
