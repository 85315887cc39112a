//! The read models as the command line opens them: beside nobody else, caught up once.

use crate::cli::Global;
use crate::output::When;
use crate::progress;
use anyhow::Context;
use ledger::store::EventStore;
use projections::{Options, Views};
use std::path::PathBuf;
use std::sync::Arc;

/// Where a ledger's read models are.
pub fn dir(global: &Global) -> PathBuf {
    global.dir().join("views")
}

/// Settings for a command that ends, with a bar.
pub fn options(when: When) -> Options {
    let bar = progress::bar(when, None, "folding");
    Options {
        follow: false,
        progress: Some(Arc::new(move |progress: projections::rebuild::Progress| {
            bar.set_length(progress.total);
            bar.set_position(progress.done);
            if progress.done == progress.total {
                bar.finish_and_clear();
            }
        })),
        ..Options::default()
    }
}

/// Opens them on disk, caught up with the log.
pub async fn open(global: &Global, store: Arc<dyn EventStore>) -> anyhow::Result<Views> {
    Ok(Views::open(&dir(global), store, options(global.progress)).await?)
}

/// Read models folded from the log alone, in a directory of their own that goes with them. Memory
/// is bounded, however long the log is.
pub struct FromLog {
    /// The read models.
    pub views: Views,
    _dir: tempfile::TempDir,
}

impl FromLog {
    /// Folds the log.
    pub async fn fold(global: &Global, store: Arc<dyn EventStore>) -> anyhow::Result<Self> {
        const CACHE_BYTES: u64 = 10 << 20;
        const BUILD_BYTES: usize = 12 << 20;
        let dir = tempfile::Builder::new()
            .prefix("idledger-replay-")
            .tempdir()
            .context("making a directory to fold the log in")?;
        let options = Options {
            cache_bytes: CACHE_BYTES,
            build_bytes: BUILD_BYTES,
            ..options(global.progress)
        };
        let views = Views::open(dir.path(), store, options).await?;
        Ok(Self { views, _dir: dir })
    }
}
