//! `idledger import`: a new directory from an archive: a copy that can be read, verified and
//! replayed, without any key. It is not a ledger to write to: keys and vault are not in an archive. Rows of
//! accounts that exist elsewhere go into the ledger itself ([`super::import_accounts`]).

use super::verify;
use crate::cli::Global;
use crate::exit::{Exit, Stop};
use crate::output::{Out, grouped};
use crate::progress;
use anyhow::Context;
use clap::Args;
use ledger::archive::{self as archives, ArchiveReader, Sealed};
use ledger::past::Format;
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
    /// The archive (`idledger export --as archive`), or accounts as CSV with a header or JSON lines
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What the file is (default: by its name; without an ending an archive)
    #[arg(long = "as", value_name = "FORM", value_enum)]
    form: Option<Form>,
    /// Of an archive: do not verify the new directory afterwards
    #[arg(long)]
    no_verify: bool,
    /// Of accounts: secret key of the importer, an enrolled `importer`
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Of accounts: only say what would be refused, line by line
    #[arg(long)]
    check: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// An archive
    Archive,
    /// Accounts, comma-separated
    Csv,
    /// Accounts, JSON lines
    Jsonl,
}

/// Runs it.
pub fn run(global: &Global, args: &ImportArgs, out: &mut Out) -> anyhow::Result<Exit> {
    let named = args.file.extension().and_then(|ending| ending.to_str());
    let format = match (args.form, named) {
        (Some(Form::Csv), _) | (None, Some("csv")) => Format::Csv,
        (Some(Form::Jsonl), _) | (None, Some("jsonl" | "ndjson")) => Format::JsonLines,
        _ => return archive(global, args, out),
    };
    let accounts = super::import_accounts::Accounts {
        file: &args.file,
        format,
        key: args.key.as_deref(),
        check: args.check,
    };
    super::import_accounts::run(global, &accounts, out)
}

/// From an archive. The new directory is `--dir`.
fn archive(global: &Global, args: &ImportArgs, out: &mut Out) -> anyhow::Result<Exit> {
    if args.key.is_some() || args.check {
        let stop = Stop::new(Exit::Usage, "`--key` and `--check` are for accounts");
        return Err(stop.hint("say `--as csv` or `--as jsonl`").into());
    }
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
    let imported = super::opening::runtime()?.block_on(archives::import(&mut reader, &store));
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
