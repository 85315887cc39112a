//! `idledger replay`: the read models as they were at a position or a time, built from the log alone.

use super::projections::digest_row;
use super::{reading, views};
use crate::cli::Global;
use crate::exit::{Exit, Stop};
use crate::interrupt;
use crate::output::Out;
use crate::times::{Moment, parse_moment};
use anyhow::Context;
use clap::Args;
use domain::ids::{Micros, Position, Revision, StreamId};
use domain::record::RecordRef;
use ledger::segments::LogReader;
use ledger::store::{
    AppendError, Appended, BoxFuture, EventStore, Expected, NewRecord, StoreError, StoredRecord,
    StreamHead,
};
use projections::Views;
use projections::digest::ProjectionDigest;
use std::path::PathBuf;
use std::sync::Arc;

/// `idledger replay`
#[derive(Args)]
pub struct ReplayArgs {
    /// Up to this position, or up to the first event recorded after this day or time
    #[arg(long, value_name = "T|POS", value_parser = parse_moment)]
    to: Option<Moment>,
    /// Keep the read models in this new directory (default: digests only)
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
    /// Compare with the live read models, or with a file of `projections digest --format jsonl`
    /// (exit 13: they differ)
    #[arg(long, value_name = "live|FILE")]
    compare: Option<String>,
}

/// Runs it.
pub fn run(global: &Global, args: &ReplayArgs, out: &mut Out) -> anyhow::Result<Exit> {
    let log = reading::open(&global.dir())?;
    super::opening::runtime()?.block_on(async {
        let end = end(&log, args.to).await?;
        let store: Arc<dyn EventStore> = Arc::new(Prefix {
            log: Arc::clone(&log),
            end,
        });
        let folded;
        let views = if let Some(dir) = &args.into {
            refuse_non_empty(dir)?;
            Views::open(&dir.join("views"), store, views::options(global.progress)).await?
        } else {
            folded = views::FromLog::fold(global, store).await?;
            folded.views.clone()
        };
        let digests = views.digests();
        let mut rows = out.rows("digest");
        for digest in &digests {
            rows.push(digest_row(digest))?;
        }
        rows.finish()?;
        views.close().await?;
        drop(views);
        match args.compare.as_deref() {
            None => Ok(Exit::Ok),
            Some("live") => {
                let live = views::open(global, log).await?;
                let theirs = live.digests();
                live.close().await?;
                compare(
                    &digests,
                    &theirs.iter().map(Known::from).collect::<Vec<_>>(),
                )
            }
            Some(file) => compare(&digests, &read_digests(file)?),
        }
    })
}

/// The position after the last event that counts.
async fn end(log: &LogReader, to: Option<Moment>) -> anyhow::Result<u64> {
    let length = log.length().await?;
    match to {
        None => Ok(length),
        Some(Moment::At(position)) if position.0 < length => Ok(position.0 + 1),
        Some(Moment::At(position)) => Err(Stop::new(
            Exit::Failed,
            format!(
                "there is no position {}: the ledger ends before {length}",
                position.0
            ),
        )
        .into()),
        Some(Moment::Until(at)) => first_after(log, at).map(|found| found.unwrap_or(length)),
    }
}

fn first_after(log: &LogReader, at: Micros) -> anyhow::Result<Option<u64>> {
    let mut scanner = log.scan(Position(0))?;
    while let Some(scanned) = scanner.next_record()? {
        interrupt::check()?;
        let envelope = RecordRef::parse(&scanned.record.bytes)
            .and_then(|record| record.open_envelope())
            .with_context(|| format!("position {}", scanned.record.position.0))?;
        if envelope.recorded_at > at {
            return Ok(Some(scanned.record.position.0));
        }
    }
    Ok(None)
}

fn refuse_non_empty(dir: &std::path::Path) -> anyhow::Result<()> {
    match std::fs::read_dir(dir) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(Stop::new(Exit::Failed, "the target directory is not empty")
                .hint("name a new one")
                .into()),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).context("looking at the target directory"),
    }
}

/// A digest to compare with.
#[derive(serde::Deserialize)]
struct Known {
    projection: String,
    version: u32,
    position: u64,
    digest: String,
}

impl From<&ProjectionDigest> for Known {
    fn from(digest: &ProjectionDigest) -> Self {
        Self {
            projection: digest.projection.to_owned(),
            version: digest.version,
            position: digest.position,
            digest: digest.digest.to_string(),
        }
    }
}

fn read_digests(file: &str) -> anyhow::Result<Vec<Known>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("reading `{file}`"))?;
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| serde_json::from_str(line).with_context(|| format!("`{file}` is not digests")))
        .collect()
}

fn compare(ours: &[ProjectionDigest], theirs: &[Known]) -> anyhow::Result<Exit> {
    for our in ours {
        let their = theirs
            .iter()
            .find(|their| their.projection == our.projection);
        let Some(their) = their else {
            let message = format!("nothing to compare `{}` with", our.projection);
            return Err(Stop::new(Exit::Failed, message).into());
        };
        if (their.version, their.position) != (our.version, our.position) {
            let message = format!(
                "`{}` cannot be compared: version {} at {} here, version {} at {} there",
                our.projection, our.version, our.position, their.version, their.position
            );
            let hint = format!("replay `--to {}`", their.position.saturating_sub(1));
            return Err(Stop::new(Exit::Failed, message).hint(hint).into());
        }
        if their.digest != our.digest.to_string() {
            let message = format!(
                "`{}` differs: {} replayed, {} compared with",
                our.projection, our.digest, their.digest
            );
            let hint = "`idledger projections rebuild` makes the read models again from the log";
            return Err(Stop::new(Exit::Differ, message).hint(hint).into());
        }
    }
    Ok(Exit::Ok)
}

/// The beginning of a log, as if nothing had come after.
pub struct Prefix {
    log: Arc<LogReader>,
    end: u64,
}

impl Prefix {
    /// The first `end` events.
    pub const fn new(log: Arc<LogReader>, end: u64) -> Self {
        Self { log, end }
    }
}

impl EventStore for Prefix {
    fn append(
        &self,
        _: StreamId,
        _: Expected,
        _: Vec<NewRecord>,
    ) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(async {
            let reason = "a replay is read only".to_owned();
            Err(AppendError::Failed(StoreError::Unusable(reason)))
        })
    }

    fn stream_head(
        &self,
        stream: StreamId,
    ) -> BoxFuture<'_, Result<Option<StreamHead>, StoreError>> {
        Box::pin(async move {
            let mut last = None;
            let mut from = Revision(0);
            loop {
                let page = self.read_stream(stream, from, 256).await?;
                let Some(end) = page.last() else {
                    return Ok(last);
                };
                let link = RecordRef::parse(&end.bytes).map(|record| record.link());
                last = link.ok().map(|link| StreamHead {
                    revision: end.revision,
                    position: end.position,
                    link,
                });
                from = Revision(end.revision.0 + 1);
            }
        })
    }

    fn read_stream(
        &self,
        stream: StreamId,
        from: Revision,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredRecord>, StoreError>> {
        Box::pin(async move {
            let mut page = self.log.read_stream(stream, from, limit).await?;
            page.retain(|record| record.position.0 < self.end);
            Ok(page)
        })
    }

    fn read_all(
        &self,
        from: Position,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredRecord>, StoreError>> {
        Box::pin(async move {
            let mut page = self.log.read_all(from, limit).await?;
            page.retain(|record| record.position.0 < self.end);
            Ok(page)
        })
    }

    fn length(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move { Ok(self.end) })
    }

    fn wait_beyond(&self, seen: u64) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            if seen < self.end {
                return Ok(self.end);
            }
            // Nothing ever comes after the end.
            core::future::pending().await
        })
    }
}
