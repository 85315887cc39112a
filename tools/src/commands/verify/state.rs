//! `idledger verify --projections`: folds the ledger anew, aside, and compares with every `StateSealed`.
//!
//! The verdict comes from the events alone. Read models that are there are only asked which of their rows
//! part from the replay, once something differs.

use super::super::{opening, reading, views};
use super::{VerifyArgs, audit};
use crate::cli::Global;
use crate::exit::{Exit, Stop};
use crate::interrupt;
use crate::output::{Out, grouped};
use anyhow::Context;
use ledger::store::EventStore;
use projections::accounts::Parting;
use projections::sealed::{ROWS_MAX, Replay, RowDifference, Verdict};
use projections::{Options, ViewError, Views};
use serde::Serialize;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Page cache and memory for changed rows while folding, in bytes: bounded, however long the log is.
const CACHE_BYTES: u64 = 10 << 20;
const BUILD_BYTES: usize = 12 << 20;
/// How often it looks whether it should stop.
const POLL: Duration = Duration::from_millis(100);

/// What was found.
#[derive(Serialize)]
struct Report {
    /// `good`, `bad`, or `nothing stated`: no statement of these versions was there to compare with.
    verdict: &'static str,
    events: u64,
    projections: Vec<Line>,
}

/// One projection.
#[derive(Serialize)]
struct Line {
    projection: &'static str,
    version: u32,
    /// Statements arrived at.
    same: u64,
    /// Statements of other versions.
    not_comparable: u64,
    #[serde(flatten)]
    parting: Option<Difference>,
}

/// The first difference of a projection.
#[derive(Serialize)]
struct Difference {
    /// Position of the first `StateSealed` that differs, or of the event at which the replay stops.
    at: u64,
    /// What differs, in words.
    what: String,
    /// The events among which it came about: from this one …
    from: u64,
    /// … up to before this one.
    until: u64,
    /// Rows of the read models that are there; none: they cannot be compared.
    rows: Option<Vec<Named>>,
}

/// A row that differs.
#[derive(Serialize)]
struct Named {
    key: String,
    account: Option<String>,
    /// Position of the first event after which both part, where it is known.
    first: Option<u64>,
    what: String,
}

/// Runs it.
pub fn run(global: &Global, args: &VerifyArgs, out: &mut Out) -> anyhow::Result<Exit> {
    let log = reading::open(&global.dir())?;
    let report = opening::runtime()?.block_on(async { verify(global, log).await })?;
    out.report("verify-projections", &report, |writer| {
        human(writer, &report)
    })?;
    audit::write(&args.audit, "verify-projections", &report)?;
    let good = report.projections.iter().all(|line| line.parting.is_none());
    Ok(if good { Exit::Ok } else { Exit::Integrity })
}

async fn verify(global: &Global, log: Arc<ledger::segments::LogReader>) -> anyhow::Result<Report> {
    let aside = tempfile::Builder::new()
        .prefix("idledger-verify-")
        .tempdir()
        .context("making a directory to fold the log in")?;
    let options = Options {
        cache_bytes: CACHE_BYTES,
        build_bytes: BUILD_BYTES,
        ..views::options(global.progress)
    };
    let cancel = Arc::new(AtomicBool::new(false));
    let watched = Arc::clone(&cancel);
    let watch = tokio::spawn(async move {
        while !interrupt::requested() {
            tokio::time::sleep(POLL).await;
        }
        watched.store(true, Ordering::SeqCst);
    });
    let store: Arc<dyn EventStore> = log;
    let replay = Replay::fold(aside.path(), Arc::clone(&store), &options, &cancel).await;
    watch.abort();
    let replay = match replay {
        Err(ViewError::Cancelled) => return Err(Stop::interrupted().into()),
        replay => replay?,
    };
    let verdicts = replay.verdicts();
    let bad = verdicts.iter().any(|verdict| !verdict.good());
    let serving = if bad {
        serving(global, store).await
    } else {
        None
    };
    let mut lines = Vec::new();
    for verdict in &verdicts {
        lines.push(line(&replay, serving.as_ref(), verdict).await?);
    }
    if let Some(serving) = serving {
        serving.close().await?;
    }
    Ok(Report {
        // What compared nothing found nothing, good or bad.
        verdict: match (bad, verdicts.iter().any(|verdict| verdict.same > 0)) {
            (true, _) => "bad",
            (false, true) => "good",
            (false, false) => "nothing stated",
        },
        events: replay.events,
        projections: lines,
    })
}

/// The read models that are there, brought as far as the log. `None`: there are none, or somebody else
/// has them open.
async fn serving(global: &Global, store: Arc<dyn EventStore>) -> Option<Views> {
    let dir = views::dir(global);
    if !dir.join("CURRENT").exists() {
        return None;
    }
    match Views::open(&dir, store, views::options(global.progress)).await {
        Ok(views) => Some(views),
        Err(error) => {
            tracing::warn!(%error, "the read models that are there cannot be compared");
            None
        }
    }
}

async fn line(replay: &Replay, serving: Option<&Views>, verdict: &Verdict) -> anyhow::Result<Line> {
    let mut parting = None;
    if let Some((from, until)) = verdict.interval() {
        let (at, what) = match (&verdict.first, &verdict.halted) {
            (Some(first), _) => (first.sealed_at, first.to_string()),
            (None, Some((at, reason))) => (*at, reason.clone()),
            (None, None) => (until, String::new()),
        };
        let rows = match serving {
            Some(serving) => replay.compare(serving, verdict).await?,
            None => None,
        };
        parting = Some(Difference {
            at,
            what,
            from,
            until,
            rows: rows.map(|rows| rows.iter().map(named).collect()),
        });
    }
    Ok(Line {
        projection: verdict.projection,
        version: verdict.version,
        same: verdict.same,
        not_comparable: verdict.not_comparable,
        parting,
    })
}

fn named(row: &RowDifference) -> Named {
    let (first, what) = match row.account {
        Some((_, Parting::Missed { after, first })) => {
            let what = after.map_or_else(
                || format!("the row is not there, as before the event at {first}"),
                |after| {
                    format!(
                        "the row is as after the event at {after}; the one at {first} is not in it"
                    )
                },
            );
            (Some(first), what)
        }
        Some((_, Parting::Never { first })) => (
            first,
            match first {
                Some(first) => format!(
                    "the row is what it never was; it parted at the event at {first} or was altered later"
                ),
                None => "the row is what it never was, and no event of these changed it: it was altered \
                         where it lies"
                    .to_owned(),
            },
        ),
        Some((_, Parting::Same)) => (None, "the row of another read model is right".to_owned()),
        None => {
            let what = match (row.replayed, row.serving) {
                (true, true) => "the row differs",
                (true, false) => "the row is missing",
                _ => "there is no such row",
            };
            (None, what.to_owned())
        }
    };
    Named {
        key: hex::encode(&row.key),
        account: row.account.map(|(account, _)| account.to_string()),
        first,
        what,
    }
}

fn human(w: &mut impl Write, report: &Report) -> io::Result<()> {
    writeln!(w, "events    {}", grouped(report.events))?;
    for line in &report.projections {
        write!(
            w,
            "{:<13} v{}: {} statements arrived at",
            line.projection, line.version, line.same
        )?;
        if line.not_comparable > 0 {
            write!(w, ", {} not comparable", line.not_comparable)?;
        }
        writeln!(w)?;
        let Some(parting) = &line.parting else {
            continue;
        };
        writeln!(
            w,
            "  differs first at the event at {}: {}",
            parting.at, parting.what
        )?;
        let last = parting.until.saturating_sub(1);
        writeln!(
            w,
            "  it came about among the events {} to {last}",
            parting.from
        )?;
        match &parting.rows {
            None => writeln!(w, "  no read models are there to compare rows with")?,
            Some(rows) if rows.is_empty() => writeln!(
                w,
                "  the read models that are there are the replay's: what was stated is not what they were, \
                 or they were made anew since"
            )?,
            Some(rows) => {
                for row in rows {
                    let who = row.account.as_deref().unwrap_or(&row.key);
                    writeln!(w, "  {who}: {}", row.what)?;
                }
                if rows.len() == ROWS_MAX {
                    writeln!(w, "  and maybe more")?;
                }
            }
        }
    }
    writeln!(w, "verdict   {}", report.verdict)?;
    if report.verdict == "nothing stated" {
        writeln!(
            w,
            "next      idledger projections seal  # a running server states by itself"
        )?;
    }
    Ok(())
}
