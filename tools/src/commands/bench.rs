//! `idledger bench`: every figure that is promised, with its limit measured beside it.

use crate::bench::child::{self, Task};
use crate::bench::number;
use crate::bench::run::{Bench, Part};
use crate::cli::Global;
use crate::exit::Exit;
use crate::interrupt;
use crate::output::{Format, Out};
use anyhow::Context;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

/// People of the standing measurement: about two million events.
const PEOPLE: u64 = 78_000;
/// People of the quick one.
const QUICK_PEOPLE: u64 = 1_500;

/// `idledger bench`
#[derive(Args)]
pub struct BenchArgs {
    /// A small scale and no repeats: seconds instead of minutes
    #[arg(long)]
    quick: bool,
    /// People in the measured ledger (about 26 events each)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=800_000))]
    people: Option<u64>,
    /// Repeats of every rate; the median counts
    #[arg(long, value_name = "N")]
    repeats: Option<usize>,
    /// Only these parts, and what they stand on
    #[arg(long, value_name = "PART", value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Work for a measurement, in a process of its own
    #[arg(long, hide = true, value_name = "TASK", value_enum)]
    child: Option<Task>,
    /// In that process, whatever was not synced is lost when it is killed
    #[arg(long, hide = true, requires = "child")]
    drop_unsynced: bool,
}

/// Runs it. `--dir` names where the measured ledgers are made (and removed again).
pub fn run(global: &Global, args: &BenchArgs, out: &mut Out) -> anyhow::Result<Exit> {
    if let Some(task) = args.child {
        child::run(global, task, args.drop_unsynced)?;
        return Ok(Exit::Ok);
    }
    let place = global
        .dir_named
        .clone()
        .unwrap_or_else(|| PathBuf::from("."));
    std::fs::create_dir_all(&place).context("making the directory to measure in")?;
    // On the disk the ledger would be on, never in memory.
    let home = tempfile::Builder::new()
        .prefix("idledger-bench-")
        .tempdir_in(&place)?;
    let (people, repeats) = if args.quick {
        (QUICK_PEOPLE, 1)
    } else {
        (PEOPLE, 3)
    };
    let repeats = args.repeats.unwrap_or(repeats).max(1);
    let mut bench = Bench::new(home.path(), args.quick, repeats);
    let people = args.people.unwrap_or(people);
    for (part, step) in Part::ALL {
        if !args.only.is_empty() && !args.only.iter().any(|only| part.is_for(*only)) {
            continue;
        }
        interrupt::check()?;
        let name = part.name();
        if !global.quiet {
            eprintln!("measuring: {name}");
        }
        step(&mut bench, global, people).with_context(|| format!("measuring {name}"))?;
    }
    print(&bench, out)?;
    let missed = bench
        .figures
        .iter()
        .any(|figure| figure.met() == Some(false));
    Ok(if missed { Exit::Findings } else { Exit::Ok })
}

fn print(bench: &Bench, out: &mut Out) -> anyhow::Result<()> {
    let json = out.format != Format::Table;
    let mut rows = out.rows("bench");
    for figure in &bench.figures {
        let met = match figure.met() {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "",
        };
        let show = |value: f64| {
            if json {
                json!(value)
            } else {
                number(value).into()
            }
        };
        let share = figure.share().map(|share| {
            if json {
                json!(share)
            } else {
                format!("{:.0} %", share * 100.0).into()
            }
        });
        rows.push(vec![
            ("figure", figure.name.clone().into()),
            ("value", show(figure.value)),
            ("unit", figure.unit.into()),
            ("limit", figure.limit.map(show).unwrap_or_default()),
            ("limit_is", figure.limit_is.into()),
            ("share", share.unwrap_or_default()),
            ("wanted", figure.wanted_text().into()),
            ("verdict", met.into()),
            ("note", figure.note.clone().into()),
        ])?;
    }
    rows.finish()
}
