//! `idledger report`: how good linked data are, and a month. The same events give the same
//! bytes, wherever and whenever it is run.

use super::replay::Prefix;
use super::{reading, views};
use crate::cli::Global;
use crate::exit::Exit;
use crate::output::{Format, Out, Row};
use crate::times::{parse_day, show_day};
use api::reports;
use clap::{Args, Subcommand};
use domain::ids::{AreaCode, LocalDay};
use ledger::store::EventStore;
use ledger::wiring::{Clock as _, SystemClock};
use projections::Views;
use projections::report::{Month, Monthly, Quality, Source};
use serde_json::Value;
use std::io::Write as _;
use std::sync::Arc;

/// `idledger report`
#[derive(Args)]
pub struct ReportArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Linked documents by kind, registry and area: declared, verified, mismatch, not found,
    /// unavailable, stale, missing
    Quality {
        /// At the end of this day in Asia/Ho_Chi_Minh (default: today)
        #[arg(long, value_name = "DAY", value_parser = parse_day)]
        as_of: Option<LocalDay>,
        #[command(flatten)]
        of: Of,
    },
    /// A month by area: accounts, procedures, deadlines met and missed, documents
    Monthly {
        /// Which
        #[arg(long, value_name = "YYYY-MM", value_parser = parse_month)]
        month: Month,
        /// Up to this day of it (default: its last)
        #[arg(long, value_name = "DAY", value_parser = parse_day)]
        as_of: Option<LocalDay>,
        #[command(flatten)]
        of: Of,
    },
}

#[derive(Args)]
struct Of {
    /// An area: 0 the country, 30000 a province, 30288 a district (default: the country, then every
    /// area anybody was counted in)
    #[arg(long, value_name = "CODE")]
    area: Option<u32>,
    /// Fold the log anew instead of reading the projection
    #[arg(long)]
    from_log: bool,
    /// From the first so many events alone, as a report of then says (`position`)
    #[arg(long, value_name = "N")]
    events: Option<u64>,
}

fn parse_month(text: &str) -> Result<Month, String> {
    Month::parse(text).ok_or_else(|| "a month is YYYY-MM".to_owned())
}

/// Runs it.
pub fn run(global: &Global, args: &ReportArgs, out: &mut Out) -> anyhow::Result<Exit> {
    let (Command::Quality { of, .. } | Command::Monthly { of, .. }) = &args.command;
    let log = reading::open(&global.dir())?;
    super::opening::runtime()?.block_on(async {
        let length = log.length().await?;
        let store: Arc<dyn EventStore> = match of.events {
            Some(events) if events < length => Arc::new(Prefix::new(log, events)),
            Some(events) if events > length => {
                anyhow::bail!("the log has {length} events, not {events}")
            }
            _ => log,
        };
        let book = reading::law_book(store.as_ref()).await?;
        let folded;
        let views = if of.from_log || of.events.is_some_and(|events| events < length) {
            folded = views::FromLog::fold(global, store).await?;
            folded.views.clone()
        } else {
            views::open(global, store).await?
        };
        let area = of.area.map(AreaCode);
        match &args.command {
            Command::Quality { as_of, .. } => {
                let day = as_of.unwrap_or_else(|| SystemClock.now().local_day());
                let report = views.quality(area, day, book).await?;
                print_quality(&report, out)?;
            }
            Command::Monthly { month, as_of, .. } => {
                let report = views.monthly(area, *month, *as_of).await?;
                print_monthly(&report, out)?;
            }
        }
        close(&views).await
    })
}

async fn close(views: &Views) -> anyhow::Result<Exit> {
    views.close().await?;
    Ok(Exit::Ok)
}

/// JSON or CSV as over HTTP; otherwise, it is for people.
fn written(
    out: &mut Out,
    json: impl FnOnce() -> Value,
    csv: impl FnOnce() -> String,
) -> anyhow::Result<bool> {
    match out.format {
        Format::Table => return Ok(false),
        Format::Csv => out.raw(csv().as_bytes())?,
        Format::Json => out.raw(format!("{:#}\n", json()).as_bytes())?,
        Format::Jsonl => out.raw(format!("{}\n", json()).as_bytes())?,
    }
    Ok(true)
}

fn print_quality(report: &Quality, out: &mut Out) -> anyhow::Result<()> {
    let (json, csv) = (
        || reports::quality_json(report),
        || reports::quality_csv(report),
    );
    if written(out, json, csv)? {
        return Ok(());
    }
    let day = show_day(report.as_of);
    writeln!(
        out.writer(),
        "data quality at the end of {day}; stale after {} days",
        report.stale_days
    )?;
    print_source(&report.source, out)?;
    let value = reports::quality_json(report);
    table(out, value.get("rows"))
}

fn print_monthly(report: &Monthly, out: &mut Out) -> anyhow::Result<()> {
    let (json, csv) = (
        || reports::monthly_json(report),
        || reports::monthly_csv(report),
    );
    if written(out, json, csv)? {
        return Ok(());
    }
    let (from, to) = (show_day(report.from), show_day(report.to));
    writeln!(out.writer(), "month {}: {from} to {to}", report.month)?;
    print_source(&report.source, out)?;
    let value = reports::monthly_json(report);
    for area in value
        .get("areas")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let code = area.get("area").map(Value::to_string).unwrap_or_default();
        writeln!(out.writer(), "\narea {code}")?;
        for section in ["accounts", "change", "procedures"] {
            for (name, figure) in area
                .get(section)
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
            {
                let name = name.replace('_', " ");
                writeln!(out.writer(), "  {section:<11} {name:<20} {figure:>10}")?;
            }
        }
        let deadlines = area.get("deadlines").and_then(Value::as_object);
        for (name, of) in deadlines.into_iter().flatten() {
            let figure = |name: &str| of.get(name).map(Value::to_string).unwrap_or_default();
            let (met, missed) = (figure("met"), figure("missed"));
            let name = name.replace('_', " ");
            writeln!(
                out.writer(),
                "  deadlines   {name:<20} {met:>10} met, {missed} missed"
            )?;
        }
        table(out, area.get("documents"))?;
    }
    Ok(())
}

fn print_source(source: &Source, out: &mut Out) -> anyhow::Result<()> {
    let Source {
        position,
        version,
        digest,
    } = source;
    writeln!(
        out.writer(),
        "from {position} events; statistics v{version} {digest}"
    )?;
    Ok(())
}

/// The columns that people are shown.
const COLUMNS: [&str; 11] = [
    "area",
    "kind",
    "declared",
    "verified",
    "mismatch",
    "not_found",
    "unavailable",
    "owner_mismatch",
    "no_longer_valid",
    "stale",
    "missing",
];

/// Objects as a table.
fn table(out: &mut Out, objects: Option<&Value>) -> anyhow::Result<()> {
    let mut rows = out.rows("report");
    for object in objects.and_then(Value::as_array).into_iter().flatten() {
        let row: Row = COLUMNS
            .into_iter()
            .filter_map(|name| Some((name, object.get(name)?.clone())))
            .collect();
        rows.push(row)?;
    }
    rows.finish()
}
