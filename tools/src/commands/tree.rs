//! `idledger tree`: the transparency log of a ledger: what strangers check its history with.

use super::{opening, reading, sealing, state};
use crate::cli::Global;
use crate::exit::{Exit, Stop};
use crate::output::{Out, grouped};
use crate::times::{Zone, show};
use crate::{interrupt, progress};
use anyhow::Context;
use clap::{Args, Subcommand};
use domain::ids::{Category, Position, StreamId};
use ledger::disk::RealDisk;
use ledger::keyring::KeyRing;
use ledger::transparency::{
    CHECKPOINT_FILE, Cosigner, Published, STAMPS_DIR, TransparencyLog, stamp_names, verifier_keys,
};
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tlog::tile::{self, Kind, TileId};

/// `idledger tree`
#[derive(Args)]
pub struct TreeArgs {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Take in what was appended and sign a checkpoint of it; a running server does so by itself
    Seal {
        /// Settings that name the witnesses who are to cosign it (TOML, as for `serve`)
        #[arg(
            long,
            env = "LEDGER_OUTSIDE",
            hide_env_values = true,
            value_name = "FILE"
        )]
        outside: Option<PathBuf>,
    },
    /// Have the published checkpoint stamped by an authority for time (RFC 3161); a server that is told of one
    /// does so by itself
    Timestamp {
        /// Settings that name the authority under `[timestamps]` (TOML, as for `serve`)
        #[arg(
            long,
            env = "LEDGER_OUTSIDE",
            hide_env_values = true,
            value_name = "FILE"
        )]
        outside: PathBuf,
    },
    /// The checkpoint published last, as signed
    Checkpoint,
    /// The keys that checkpoints are checked with, for any tool that reads signed notes
    Keys,
    /// Write checkpoint, tiles and entries as files that any web server can serve
    Export {
        /// The directory; what is there already is not written again
        #[arg(long, short, value_name = "DIR")]
        out: PathBuf,
    },
}

/// Runs it.
pub fn run(global: &Global, args: &TreeArgs, out: &mut Out) -> anyhow::Result<Exit> {
    match &args.task {
        Task::Seal { outside } => seal(global, outside.as_deref(), out),
        Task::Timestamp { outside } => timestamp(global, outside, out),
        Task::Checkpoint => {
            let log = published(global)?;
            let note = current(&log)?.note.to_text();
            out.raw(note.as_bytes())?;
            Ok(Exit::Ok)
        }
        Task::Keys => keys(global, out),
        Task::Export { out: dir } => export(global, dir, out),
    }
}

fn seal(global: &Global, outside: Option<&Path>, out: &mut Out) -> anyhow::Result<Exit> {
    opening::runtime()?.block_on(async {
        let ledger = opening::open(global).await?;
        let Some(mut sealing) = sealing::of(global, &ledger)? else {
            let stop = Stop::new(Exit::Key, "there is no checkpoint key here");
            return Err(stop
                .hint("name its file with `--checkpoint-key-file`")
                .into());
        };
        if let Some(path) = outside {
            let ids = opening::options(global)?.ids;
            let settings = outside::settings::read(path, &ids)?.witnesses;
            let witnesses = sealing::witnesses(settings, &ledger)?;
            sealing.cosigner = witnesses.map(|witnesses| witnesses as Arc<dyn Cosigner>);
        }
        sealing.once().await.context("sealing")?;
        let published = current(&sealing.log)?;
        let (size, root) = (published.head.size, published.head.root);
        let value = json!({
            "origin": sealing.log.origin(),
            "size": size,
            "root": root.to_string(),
        });
        out.report("tree_seal", &value, |w| {
            writeln!(w, "log   {}", sealing.log.origin())?;
            writeln!(w, "size  {}", grouped(size))?;
            writeln!(w, "root  {root}")
        })?;
        Ok(Exit::Ok)
    })
}

fn timestamp(global: &Global, outside: &Path, out: &mut Out) -> anyhow::Result<Exit> {
    let ids = opening::options(global)?.ids;
    let authority = outside::settings::read(outside, &ids)?.timestamps;
    let authority = authority.ok_or_else(|| {
        Stop::new(Exit::Usage, "the settings name no time-stamping authority")
            .hint("write `[timestamps]` with `url` and `authorities_file` into them")
    })?;
    let log = published(global)?;
    let (stamp, stamped) = opening::runtime()?.block_on(authority.stamp(&log))?;
    let [checkpoint, answer] = stamp_names(stamp.size);
    let dir = global.dir().join(STAMPS_DIR);
    let (time, files) = (show(stamped.time, Zone::Utc), [checkpoint, answer]);
    let files = files.map(|name| dir.join(name).display().to_string());
    let value = json!({
        "size": stamp.size,
        "time": time,
        "accuracy_us": stamped.accuracy,
        "authority": stamped.authority,
        "policy": stamped.policy,
        "serial": stamped.serial,
        "files": files,
    });
    out.report("tree_timestamp", &value, |w| {
        writeln!(w, "size       {}", grouped(stamp.size))?;
        writeln!(w, "time       {time}")?;
        writeln!(w, "authority  {}", stamped.authority)?;
        writeln!(
            w,
            "policy     {}, serial number {}",
            stamped.policy, stamped.serial
        )?;
        files
            .iter()
            .try_for_each(|file| writeln!(w, "file       {file}"))
    })?;
    Ok(Exit::Ok)
}

/// The ledger's keys as its own events have them.
pub fn ring(global: &Global) -> anyhow::Result<KeyRing> {
    let log = reading::open(&global.dir())?;
    let mut ring = KeyRing::default();
    reading::runtime()?.block_on(async {
        for event in reading::stream(log.as_ref(), StreamId::single(Category::Ledger)).await? {
            ring.learn(event.stored.position, &event.event)?;
        }
        anyhow::Ok(())
    })?;
    Ok(ring)
}

fn keys(global: &Global, out: &mut Out) -> anyhow::Result<Exit> {
    let ring = ring(global)?;
    let texts = verifier_keys(&ring)?;
    let mut rows = out.rows("tree_keys");
    for (key, verifier) in ring.checkpoint_keys().iter().zip(texts) {
        let last = |until: Position| (until.0.saturating_sub(1)).to_string();
        let shown = key.until.map_or_else(|| "any".to_owned(), last);
        rows.push(vec![
            ("verifier_key", verifier.to_text().into()),
            ("sizes", format!("{} to {shown}", key.from.0).into()),
        ])?;
    }
    rows.finish()?;
    Ok(Exit::Ok)
}

/// What is published in the ledger's directory.
pub fn published(global: &Global) -> anyhow::Result<TransparencyLog> {
    let unpublished = || {
        Stop::new(Exit::Failed, "no checkpoint has been published here")
            .hint("`idledger tree seal` signs one; a running server does so by itself")
    };
    let keys = verifier_keys(&ring(global)?)?;
    let key = keys.last().cloned().ok_or_else(unpublished)?;
    let log = TransparencyLog::read(Arc::new(RealDisk), &sealing::tree_dir(global), key);
    Ok(log.ok_or_else(unpublished)?)
}

fn current(log: &TransparencyLog) -> anyhow::Result<Arc<Published>> {
    log.published()
        .ok_or_else(|| Stop::new(Exit::Failed, "no checkpoint has been published").into())
}

fn export(global: &Global, dir: &Path, out: &mut Out) -> anyhow::Result<Exit> {
    let log = published(global)?;
    let checkpoint = current(&log)?;
    let size = checkpoint.head.size;
    let bundles = (0..size.div_ceil(u64::from(tile::WIDTH)))
        .filter_map(|index| TileId::at(Kind::Entries, index, size));
    let bar = progress::bar(global.progress, None, "writing");
    let (mut written, mut there) = (0u64, 0u64);
    for id in tile::of_tree(size).chain(bundles) {
        if interrupt::requested() {
            bar.finish_and_clear();
            return Err(Stop::interrupted()
                .hint("the same command goes on from here")
                .into());
        }
        bar.inc(1);
        let path = dir.join(id.to_string());
        // A tile never changes, and stands under its name only when it is whole.
        if path.exists() {
            there += 1;
            continue;
        }
        put(&path, &log.tile(&id)?)?;
        written += 1;
    }
    bar.finish_and_clear();
    // Last: whoever sees the checkpoint finds everything it speaks of.
    put(
        &dir.join(CHECKPOINT_FILE),
        checkpoint.note.to_text().as_bytes(),
    )?;
    let mut keys = String::new();
    for key in verifier_keys(&ring(global)?)? {
        keys.extend([key.to_text().as_str(), "\n"]);
    }
    put(&dir.join("keys"), keys.as_bytes())?;
    stamps(&log, &dir.join(STAMPS_DIR))?;
    let value = json!({ "size": size, "written": written, "there": there });
    out.report("tree_export", &value, |w| {
        writeln!(w, "entries        {}", grouped(size))?;
        writeln!(w, "files written  {}", grouped(written))?;
        writeln!(w, "there already  {}", grouped(there))
    })?;
    Ok(Exit::Ok)
}

/// The time-stamps, each beside the checkpoint that it is of.
fn stamps(log: &TransparencyLog, dir: &Path) -> anyhow::Result<()> {
    let stamps = log.stamps();
    let sizes = stamps.sizes()?;
    let mut index = String::new();
    for size in sizes {
        if let Some(stamp) = stamps.get(size)? {
            for (name, bytes) in stamp_names(size)
                .iter()
                .zip([&stamp.checkpoint, &stamp.answer])
            {
                let path = dir.join(name);
                if !path.exists() {
                    put(&path, bytes)?;
                }
            }
            index.extend([size.to_string().as_str(), "\n"]);
        }
    }
    if !index.is_empty() {
        put(&dir.join("index"), index.as_bytes())?;
    }
    Ok(())
}

fn put(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    state::put(path, bytes).context("writing a file of the mirror")
}
