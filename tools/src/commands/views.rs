//! The read models as the command line opens them: beside nobody else, caught up once.

use crate::cli::Global;
use crate::output::When;
use crate::progress;
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

/// Folds the log in memory: nothing on disk is read but the log, nothing written.
pub async fn in_memory(global: &Global, store: Arc<dyn EventStore>) -> anyhow::Result<Views> {
    Ok(Views::open_in_memory(store, options(global.progress)).await?)
}
