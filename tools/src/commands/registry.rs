//! `idledger registry import`: records for the embedded registries, sealed on disk.

use super::opening;
use crate::cli::Global;
use crate::exit::{Exit, Stop};
use crate::output::{Out, grouped};
use anyhow::Context;
use clap::{Args, Subcommand};
use ledger::open::Options;
use ledger::registry::{Format, Immigration, ImportReport, Organisations, Population};
use ledger::secrets::Keys;
use serde_json::json;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

/// `idledger registry`
#[derive(Args)]
pub struct RegistryArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Import records of people, of foreigners or of organisations (exit 3: some rows were left out)
    Import {
        /// CSV with a header, or JSON lines; `-` reads stdin
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// How rows are written (default: by the file's name)
        #[arg(long = "as", value_name = "FORM", value_enum)]
        form: Option<Form>,
        /// Whose records they are
        #[arg(
            long = "of",
            value_name = "REGISTRY",
            value_enum,
            default_value = "population"
        )]
        registry: Registry,
    },
}

/// An embedded registry that has records of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Registry {
    /// People with their cards and documents
    Population,
    /// Foreigners with their passports
    Immigration,
    /// Organisations with their legal representatives
    Organisations,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// Comma-separated
    Csv,
    /// JSON lines
    Jsonl,
}

/// Runs it.
pub fn run(global: &Global, args: &RegistryArgs, out: &mut Out) -> anyhow::Result<Exit> {
    let Command::Import {
        file,
        form,
        registry,
    } = &args.command;
    let named = file.extension().and_then(|extension| extension.to_str());
    let format = match (form, named) {
        (Some(Form::Csv), _) | (None, Some("csv")) => Format::Csv,
        (Some(Form::Jsonl), _) | (None, Some("jsonl" | "ndjson" | "json")) => Format::JsonLines,
        _ => {
            return Err(
                Stop::new(Exit::Usage, "it is not clear how the rows are written")
                    .hint("say `--as csv` or `--as jsonl`")
                    .into(),
            );
        }
    };
    let rows: Box<dyn Read> = if file.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        let opened = File::open(file).with_context(|| format!("opening `{}`", file.display()))?;
        Box::new(BufReader::new(opened))
    };
    let options = opening::options(global)?;
    let report = opening::runtime()?.block_on(async {
        // Holds the lock while the registry's file is written.
        let _ledger = opening::open(global).await?;
        match registry {
            Registry::Population => import(&options, format, rows),
            Registry::Immigration => import_foreigners(&options, format, rows),
            Registry::Organisations => import_organisations(&options, format, rows),
        }
    })?;
    let value = json!({
        "added": report.added,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "refused": report.refused,
        "errors": report.errors.iter().map(|error| json!({
            "line": error.line,
            "reason": error.reason,
        })).collect::<Vec<_>>(),
    });
    out.report("registry_import", &value, |w| {
        writeln!(w, "added      {}", grouped(report.added))?;
        writeln!(w, "changed    {}", grouped(report.changed))?;
        writeln!(w, "unchanged  {}", grouped(report.unchanged))?;
        writeln!(w, "left out   {}", grouped(report.refused))?;
        for error in &report.errors {
            writeln!(w, "line {:>5} {}", error.line, error.reason)?;
        }
        Ok(())
    })?;
    Ok(if report.refused == 0 {
        Exit::Ok
    } else {
        Exit::Findings
    })
}

/// Imports people into the registry of a ledger whose lock is held.
pub fn import(options: &Options, format: Format, rows: impl Read) -> anyhow::Result<ImportReport> {
    let keys = Keys::derive(&options.kek.load()?);
    let randomness = Arc::clone(options.ids.randomness());
    let population = Population::open(&options.dir.join("registry"), &keys, randomness)?;
    Ok(population.import(format, rows, options.ids.clock().now())?)
}

fn import_foreigners(
    options: &Options,
    format: Format,
    rows: impl Read,
) -> anyhow::Result<ImportReport> {
    let keys = Keys::derive(&options.kek.load()?);
    let randomness = Arc::clone(options.ids.randomness());
    let immigration = Immigration::open(&options.dir.join("registry"), &keys, randomness)?;
    Ok(immigration.import(format, rows)?)
}

fn import_organisations(
    options: &Options,
    format: Format,
    rows: impl Read,
) -> anyhow::Result<ImportReport> {
    let keys = Keys::derive(&options.kek.load()?);
    let randomness = Arc::clone(options.ids.randomness());
    let organisations = Organisations::open(&options.dir.join("registry"), &keys, randomness)?;
    Ok(organisations.import(format, rows)?)
}
