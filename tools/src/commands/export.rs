//! `idledger export`: events as JSON lines, CSV, or an archive that verifies on its own.

use super::log::Filter;
use super::reading::{self, Decoded};
use crate::cli::Global;
use crate::exit::{Exit, Stop};
use crate::output::{Out, When, grouped};
use crate::{interrupt, progress, words};
use anyhow::Context;
use clap::{Args, Subcommand};
use domain::ids::Position;
use domain::record::RecordRef;
use ledger::archive::{ArchiveWriter, ArchivedRecord, Sealed};
use ledger::segments::{LogReader, ScannedRecord};
use ledger::store::EventStore;
use serde_json::Value;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

mod evidence;

/// `idledger export`
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ExportArgs {
    #[command(subcommand)]
    what: Option<What>,
    /// Which events (an archive always begins at position 0 and holds every event)
    #[command(flatten)]
    filter: Filter,
    /// What to write
    #[arg(long = "as", value_name = "FORM", value_enum, default_value = "jsonl")]
    form: Form,
    /// Where to (default: stdout)
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Leave out every sealed part: nothing personal goes along, every signature still verifies
    #[arg(long)]
    redact: bool,
}

#[derive(Subcommand)]
enum What {
    /// Evidence: events, their proofs, keys, law and what was stated, for `idledger verify --bundle`
    Evidence(evidence::EvidenceArgs),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// One event a line: decoded, and the record's bytes in hexadecimal
    Jsonl,
    /// Open facts as a table
    Csv,
    /// Records as stored, in order
    Archive,
}

/// Runs it.
pub fn run(global: &Global, args: &ExportArgs, out: &mut Out) -> anyhow::Result<Exit> {
    if let Some(What::Evidence(args)) = &args.what {
        return evidence::run(global, args, out);
    }
    let log = reading::open(&global.dir())?;
    let length = reading::runtime()?.block_on(log.length())?;
    let selected = !Filter {
        to: None,
        ..args.filter.clone()
    }
    .is_empty();
    if args.form == Form::Archive && selected {
        return Err(Stop::new(
            Exit::Usage,
            "an archive holds every event; only `--to` cuts it",
        )
        .hint("use `--as jsonl` for a selection")
        .into());
    }
    let bar = progress::bar(global.progress, Some(length), "exporting");
    let written = match &args.out {
        Some(path) => write_whole(path, |writer| export(&log, args, &bar, writer))?,
        None => export(&log, args, &bar, &mut out.writer())?,
    };
    bar.finish_and_clear();
    if !global.quiet && global.progress != When::Never && args.out.is_some() {
        eprintln!("{} events exported", grouped(written));
    }
    Ok(Exit::Ok)
}

/// Writes a file that is there whole, and safe on disk, or not at all.
fn write_whole<T>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let aside = aside(path);
    let file = File::create_new(&aside).with_context(|| format!("making `{}`", aside.display()))?;
    let mut writer = BufWriter::new(file);
    let written = write(&mut writer).and_then(|written| {
        writer
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)?
            .sync_all()?;
        std::fs::rename(&aside, path)?;
        Ok(written)
    });
    if written.is_err() {
        // Half an export is none.
        let _ = std::fs::remove_file(&aside);
    }
    written
}

fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

fn export(
    log: &LogReader,
    args: &ExportArgs,
    bar: &indicatif::ProgressBar,
    writer: &mut impl Write,
) -> anyhow::Result<u64> {
    let first = args.filter.from.unwrap_or(0);
    let last = args.filter.to.unwrap_or(u64::MAX);
    let mut sink = Sink::new(args, writer)?;
    let mut scanner = log.scan(Position(first))?;
    let mut written = 0;
    while let Some(scanned) = scanner.next_record()? {
        interrupt::check()?;
        let position = scanned.record.position.0;
        if position > last {
            break;
        }
        bar.set_position(position);
        if !args.filter.stream_matches(scanned.record.stream) {
            continue;
        }
        if sink.push(scanned, args)? {
            written += 1;
        }
    }
    sink.finish()?;
    Ok(written)
}

enum Sink<W: Write> {
    Archive(Box<ArchiveWriter<W>>),
    Jsonl(W),
    Csv(Box<csv::Writer<W>>, bool),
}

impl<W: Write> Sink<W> {
    fn new(args: &ExportArgs, writer: W) -> anyhow::Result<Self> {
        Ok(match args.form {
            Form::Archive => {
                let sealed = if args.redact {
                    Sealed::Redacted
                } else {
                    Sealed::Kept
                };
                let first = Position(0);
                Self::Archive(Box::new(ArchiveWriter::new(writer, first, sealed)?))
            }
            Form::Jsonl => Self::Jsonl(writer),
            Form::Csv => Self::Csv(Box::new(csv::Writer::from_writer(writer)), false),
        })
    }

    fn push(&mut self, scanned: ScannedRecord, args: &ExportArgs) -> anyhow::Result<bool> {
        if let Self::Archive(archive) = self {
            let ScannedRecord {
                record,
                event_id,
                link,
                ..
            } = scanned;
            archive.push(&ArchivedRecord {
                record,
                event_id,
                link,
            })?;
            return Ok(true);
        }
        let record = scanned.record;
        let bytes = if args.redact {
            RecordRef::parse(&record.bytes)?.redacted().into()
        } else {
            record.bytes.clone()
        };
        let decoded = Decoded::new(record)?;
        if !args.filter.matches(&decoded) {
            return Ok(false);
        }
        match self {
            Self::Archive(_) => {}
            Self::Jsonl(writer) => {
                let mut value = decoded.json();
                if let Value::Object(fields) = &mut value {
                    fields.insert("schema".into(), "idledger.event/1".into());
                    fields.insert("record".into(), hex::encode(&bytes).into());
                }
                writeln!(writer, "{value}")?;
            }
            Self::Csv(csv, started) => {
                if !*started {
                    csv.write_record(COLUMNS)?;
                    *started = true;
                }
                csv.write_record(cells(&decoded))?;
            }
        }
        Ok(true)
    }

    fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::Archive(archive) => drop(archive.finish()?),
            Self::Jsonl(mut writer) => writer.flush()?,
            Self::Csv(mut csv, _) => csv.flush()?,
        }
        Ok(())
    }
}

const COLUMNS: [&str; 10] = [
    "position",
    "event_id",
    "stream",
    "revision",
    "kind",
    "recorded_at",
    "occurred_at",
    "role",
    "principal",
    "facts",
];

fn cells(decoded: &Decoded) -> [String; 10] {
    let envelope = &decoded.envelope;
    let instant = |at| crate::output::text(&reading::instant(at));
    [
        decoded.stored.position.0.to_string(),
        envelope.event_id.to_string(),
        envelope.stream.to_string(),
        envelope.revision.0.to_string(),
        decoded.event.name().to_owned(),
        instant(envelope.recorded_at),
        instant(envelope.occurred_at),
        words::code(&envelope.actor.role),
        envelope.actor.principal.to_string(),
        serde_json::to_string(&decoded.event).unwrap_or_default(),
    ]
}
