//! `idledger projections`: how the read models are doing, building them anew, and their digests.

use super::{reading, views};
use crate::cli::Global;
use crate::exit::{Exit, Stop};
use crate::output::{Out, Row};
use crate::{interrupt, progress};
use clap::{Args, Subcommand};
use outside::state_sealing::{Pace, StateSealer};
use projections::Views;
use projections::digest::ProjectionDigest;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often a rebuild looks whether it should stop.
const POLL: Duration = Duration::from_millis(100);

/// `idledger projections`
#[derive(Args)]
pub struct ProjectionsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// How each is doing
    Status,
    /// Build again from the log, aside, compare, and swap (exit 13: the old rows differed)
    Rebuild {
        /// Which (default: all)
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
    /// One hash per projection: equal on every machine that folded the same events
    Digest {
        /// Fold the log anew, aside, instead of reading what is on disk
        #[arg(long)]
        from_log: bool,
    },
    /// Have the ledger state what the present state is, so that it can be proved (needs the ledger's key)
    Seal,
}

/// Runs it.
pub fn run(global: &Global, args: &ProjectionsArgs, out: &mut Out) -> anyhow::Result<Exit> {
    if matches!(args.command, Command::Seal) {
        return super::opening::runtime()?.block_on(seal(global, out));
    }
    let log = reading::open(&global.dir())?;
    super::opening::runtime()?.block_on(async {
        let from_log = matches!(args.command, Command::Digest { from_log: true });
        let folded;
        let views = if from_log {
            folded = views::FromLog::fold(global, log).await?;
            folded.views.clone()
        } else {
            // A rebuild is followed into: what is appended meanwhile belongs in it too.
            let follow = matches!(args.command, Command::Rebuild { .. });
            let options = projections::Options {
                follow,
                ..views::options(global.progress)
            };
            Views::open(&views::dir(global), log, options).await?
        };
        let exit = match &args.command {
            Command::Status => status(&views, out).await?,
            Command::Rebuild { names } => rebuild(global, &views, names, out).await?,
            Command::Digest { .. } => {
                let mut rows = out.rows("digest");
                for digest in views.digests() {
                    rows.push(digest_row(&digest))?;
                }
                rows.finish()?;
                Exit::Ok
            }
            // Done before any view was opened.
            Command::Seal => Exit::Ok,
        };
        views.close().await?;
        Ok(exit)
    })
}

/// Makes the present state a stated one.
async fn seal(global: &Global, out: &mut Out) -> anyhow::Result<Exit> {
    let options = super::opening::options(global)?;
    let (ledger, _) = ledger::open::open(&options).await?;
    let follow = projections::Options {
        follow: true,
        ..views::options(global.progress)
    };
    let views = Views::open(&views::dir(global), Arc::clone(ledger.store()), follow).await?;
    let mut sealer = StateSealer::new(ledger, views.clone(), Pace::default());
    let stated = sealer.seal_present().await?;
    views.close().await?;
    let Some(stated) = stated else {
        return Err(
            Stop::new(Exit::Failed, "the read models do not know what to state")
                .hint("`idledger projections rebuild` makes them know it")
                .into(),
        );
    };
    let mut rows = out.rows("stated");
    rows.push(vec![
        ("position", stated.cut.position.into()),
        ("sealed_at", stated.sealed_at.into()),
        ("accounts", stated.cut.accounts.into()),
        ("root", stated.cut.root.to_string().into()),
    ])?;
    rows.finish()?;
    Ok(Exit::Ok)
}

async fn status(views: &Views, out: &mut Out) -> anyhow::Result<Exit> {
    let mut rows = out.rows("projections");
    let mut good = true;
    for status in views.status().await? {
        let state = serde_json::to_value(&status.state)?;
        let text = |field: &str| state.get(field).cloned().unwrap_or_default();
        good &= !matches!(text("state").as_str(), Some("halted" | "failed"));
        rows.push(vec![
            ("name", status.name.into()),
            ("version", status.version.into()),
            ("generation", status.generation.into()),
            ("position", status.cursor.into()),
            ("lag", status.lag.into()),
            ("state", text("state")),
            ("reason", text("reason")),
            ("last_error", status.last_error.into()),
        ])?;
    }
    rows.finish()?;
    Ok(if good { Exit::Ok } else { Exit::Findings })
}

async fn rebuild(
    global: &Global,
    views: &Views,
    names: &[String],
    out: &mut Out,
) -> anyhow::Result<Exit> {
    let mut wanted = Vec::new();
    for name in names {
        let known = Views::NAMES
            .into_iter()
            .find(|known| known == name)
            .ok_or_else(|| {
                Stop::new(Exit::Usage, format!("there is no projection `{name}`"))
                    .hint(format!("there are {}", Views::NAMES.join(", ")))
            })?;
        wanted.push(known);
    }
    let bar = progress::bar(global.progress, Some(0), "rebuilding");
    let report = |progress: projections::rebuild::Progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    };
    let cancel = Arc::new(AtomicBool::new(false));
    let watched = Arc::clone(&cancel);
    let watch = tokio::spawn(async move {
        while !interrupt::requested() {
            tokio::time::sleep(POLL).await;
        }
        watched.store(true, Ordering::SeqCst);
    });
    let rebuilt = views.rebuild(&wanted, &report, &cancel).await;
    watch.abort();
    bar.finish_and_clear();
    if interrupt::requested() {
        return Err(Stop::interrupted().hint("what serves is as it was").into());
    }
    let mut rows = out.rows("rebuilt");
    let mut differed = false;
    for one in rebuilt? {
        differed |= one.differed;
        let mut row = digest_row(&one.after);
        row.push((
            "before",
            one.before.map(|before| before.digest.to_string()).into(),
        ));
        row.push(("differed", if one.differed { "yes" } else { "no" }.into()));
        rows.push(row)?;
    }
    rows.finish()?;
    Ok(if differed { Exit::Differ } else { Exit::Ok })
}

/// One line of digests.
pub fn digest_row(digest: &ProjectionDigest) -> Row {
    vec![
        ("projection", digest.projection.into()),
        ("version", digest.version.into()),
        ("position", digest.position.into()),
        ("digest", digest.digest.to_string().into()),
    ]
}
