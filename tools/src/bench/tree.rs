//! The transparency log at the size of a country's year: sealing in bulk, checkpoints of a large tree,
//! proofs from disk.
//!
//! The entries are those of a real signed record, over and over: what a record says changes nothing about
//! the work, and ten million different ones would measure the disk they are read from.

use super::{Figure, Wanted, limits, median, number, percentile};
use crate::commands::opening;
use crate::interrupt;
use anyhow::{Context, ensure};
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use domain::ids::{Category, Position, Revision, StreamId};
use domain::record::RecordRef;
use ed25519_dalek::SigningKey;
use ledger::disk::{Disk, RealDisk};
use ledger::ledger::Ledger;
use ledger::open::Options;
use ledger::store::{
    AppendError, Appended, BoxFuture, EventStore, Expected, NewRecord, PAGE_RECORDS_MAX,
    StoreError, StoredRecord, StreamHead,
};
use ledger::transparency::{
    FileLock, Levels, Sealer, Sealing, Settings, TransparencyLog, entry_of, signer,
};
use rustix::fs::{Advice, fadvise};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use tlog::Hash;
use tlog::proof::{Head, check_inclusion};
use tlog::tree::Stored;

/// Checkpoints that are measured, and events that each of them takes in.
const CHECKPOINTS: u64 = 200;
const NEWS: u64 = 100;
/// Proofs that are measured.
const PROOFS: u64 = 2_000;
/// Steps through the tree from proof to proof: a large odd number, so that all parts of it are met.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Some records, and the last of them for ever after.
struct Repeating {
    first: Vec<StoredRecord>,
    length: AtomicU64,
}

impl Repeating {
    /// The ledger's own beginning, which names its keys, and one event of an account.
    async fn of(ledger: &Ledger) -> anyhow::Result<Self> {
        let first = ledger.store().read_all(Position(0), 64).await?;
        let account = |record: &StoredRecord| record.stream.category == Category::Account;
        let until = first
            .iter()
            .position(account)
            .context("no event of an account")?;
        Ok(Self {
            first: first.into_iter().take(until + 1).collect(),
            length: AtomicU64::new(0),
        })
    }

    fn record(&self, position: u64) -> Option<StoredRecord> {
        let last = self.first.last()?;
        let at = usize::try_from(position).unwrap_or(usize::MAX);
        let mut record = self.first.get(at).unwrap_or(last).clone();
        record.position = Position(position);
        Some(record)
    }
}

impl EventStore for Repeating {
    fn append(
        &self,
        _: StreamId,
        _: Expected,
        _: Vec<NewRecord>,
    ) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(async {
            let stopped = StoreError::Stopped("for reading only".to_owned());
            Err(AppendError::Failed(stopped))
        })
    }

    fn stream_head(&self, _: StreamId) -> BoxFuture<'_, Result<Option<StreamHead>, StoreError>> {
        Box::pin(async { Ok(None) })
    }

    fn read_stream(
        &self,
        stream: StreamId,
        from: Revision,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredRecord>, StoreError>> {
        let found = self
            .first
            .iter()
            .filter(move |record| record.stream == stream);
        let found = found.filter(|record| record.revision >= from).take(limit);
        let found = found.cloned().collect();
        Box::pin(async { Ok(found) })
    }

    fn read_all(
        &self,
        from: Position,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredRecord>, StoreError>> {
        let length = self.length.load(Ordering::Relaxed);
        let to = length.min(from.0.saturating_add(limit.min(PAGE_RECORDS_MAX) as u64));
        let page = (from.0..to)
            .filter_map(|position| self.record(position))
            .collect();
        Box::pin(async { Ok(page) })
    }

    fn length(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        let length = self.length.load(Ordering::Relaxed);
        Box::pin(async move { Ok(length) })
    }

    fn wait_beyond(&self, _: u64) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(core::future::pending())
    }
}

/// Seals what a ledger in a directory has and publishes the checkpoint; entries a second, from the log to
/// the published checkpoint.
pub async fn seal(dir: &Path, lock: &Path) -> anyhow::Result<f64> {
    let options = Options::new(dir);
    let (ledger, _) = ledger::open::open(&options).await?;
    let key = SigningKey::from_bytes(&options.checkpoint_key.load()?.0);
    let id = ledger.ring().ledger().context("no first event")?;
    let verifier = signer(id, key.clone())?.verifier().clone();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let log = TransparencyLog::open(Arc::clone(&disk), &dir.join("tree"), verifier)?;
    let lock = lock.to_owned();
    let sealing = Sealing {
        store: Arc::clone(ledger.store()),
        log: Arc::new(log),
        lock: Box::new(move || Ok(Arc::new(FileLock::open(Arc::clone(&disk), &lock)?))),
        key,
        every: Duration::ZERO,
        cosigner: None,
        progress: None,
        gate: None,
    };
    let started = Instant::now();
    let size = sealing.once().await?.context("nothing was published")?;
    Ok(size as f64 / started.elapsed().as_secs_f64())
}

/// All rows of a tree of so many entries, made in `dir`.
pub fn measure(dir: &Path, entries: u64, repeats: usize) -> anyhow::Result<Vec<Figure>> {
    let runtime = opening::runtime()?;
    let place = dir.join("tree");
    let options = Options::new(place.join("ledger"));
    let figures = runtime.block_on(async {
        let ledger = ledger::open::init(&options).await?;
        super::appends::run(&ledger, 1, 1, Duration::ZERO).await?;
        let key = SigningKey::from_bytes(&options.checkpoint_key.load()?.0);
        let mut rates = Vec::new();
        let mut figures = Vec::new();
        for repeat in 0..repeats {
            let big = Big {
                store: Arc::new(Repeating::of(&ledger).await?),
                levels: place.join(format!("levels-{repeat}")),
                lock: place.join(format!("lock-{repeat}")),
            };
            let mut sealer = big.sealer(&ledger, &key).await?;
            big.store.length.store(entries, Ordering::Relaxed);
            let started = Instant::now();
            sealer.seal().await?.context("nothing was sealed")?;
            rates.push(entries as f64 / started.elapsed().as_secs_f64());
            interrupt::check()?;
            if repeat + 1 == repeats {
                figures.push(big.checkpoints(&mut sealer).await?);
                drop(sealer);
                figures.extend(big.proofs()?);
                figures.push(big.size()?);
            }
            std::fs::remove_dir_all(&big.levels)?;
        }
        // What of it cannot be saved: the record, its leaf, and a node for each.
        let length = big_record(&ledger).await?;
        let hashing = limits::hashing(&[length, 33, 65], Duration::from_millis(500));
        let figure = Figure::new("sealing in bulk, on one core", median(rates), "entries/s");
        let figure = figure.beside("its hashes alone", hashing);
        let note = format!(
            "{} entries: records parsed and hashed, tree grown, written, synced, read back, signed; the \
             records come from memory",
            crate::output::grouped(entries)
        );
        figures.insert(0, figure.wanted(Wanted::AtLeast(1_000_000.0)).note(note));
        anyhow::Ok(figures)
    })?;
    std::fs::remove_dir_all(&place)?;
    Ok(figures)
}

/// Bytes of a record that its entry is made of.
async fn big_record(ledger: &Ledger) -> anyhow::Result<usize> {
    let records = Repeating::of(ledger).await?;
    let last = records.first.last().context("no record")?;
    let record = RecordRef::parse(&last.bytes)?;
    Ok(record.envelope.len() + record.signature.len())
}

/// A large tree and where it is.
struct Big {
    store: Arc<Repeating>,
    levels: std::path::PathBuf,
    lock: std::path::PathBuf,
}

impl Big {
    async fn sealer(&self, ledger: &Ledger, key: &SigningKey) -> anyhow::Result<Sealer> {
        let id = ledger.ring().ledger().context("no first event")?;
        let signer = signer(id, key.clone())?;
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let settings = Settings {
            origin: ledger::transparency::origin(id),
            progress: None,
            near: None,
        };
        let levels = Arc::new(Levels::open(Arc::clone(&disk), &self.levels)?);
        let lock = Arc::new(FileLock::open(disk, &self.lock)?);
        let store: Arc<dyn EventStore> = self.store.clone();
        Ok(Sealer::open(store, levels, lock, signer, settings).await?)
    }

    /// Checkpoints of the large tree, each with some news.
    async fn checkpoints(&self, sealer: &mut Sealer) -> anyhow::Result<Figure> {
        let mut times = Vec::new();
        for _ in 0..CHECKPOINTS {
            interrupt::check()?;
            self.store.length.fetch_add(NEWS, Ordering::Relaxed);
            let started = Instant::now();
            sealer.seal().await?.context("nothing was sealed")?;
            times.push(u32::try_from(started.elapsed().as_micros()).unwrap_or(u32::MAX));
        }
        times.sort_unstable();
        let (p50, p99) = (percentile(&times, 0.5), percentile(&times, 0.99));
        // One write and one sync of a page: what the disk makes of each of the steps that must be safe.
        let dir = self.levels.parent().context("no directory")?;
        let sync = 1e3 / limits::synced_file(dir, 4096, 1, Duration::from_millis(300))?;
        let signing = 1e3 / limits::signing(1, Duration::from_millis(100));
        let note = format!(
            "with {NEWS} new events; p99 {} ms; of it a signature of {} ms and up to eight syncs, one takes \
             {} ms here",
            number(p99 / 1e3),
            number(signing),
            number(sync),
        );
        let figure = Figure::new("a checkpoint of the large tree, median", p50 / 1e3, "ms");
        Ok(figure.wanted(Wanted::AtMost(5.0)).note(note))
    }

    /// Proofs of entries all over the tree, with its files in the kernel's memory and without.
    fn proofs(&self) -> anyhow::Result<Vec<Figure>> {
        let size = self.store.length.load(Ordering::Relaxed);
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let levels = Levels::reading(disk, &self.levels);
        let root = Stored::new(size, &levels)?.root()?;
        let head = Head { size, root };
        let mut figures = Vec::new();
        for (cold, wanted) in [(true, Wanted::AtMost(1.0)), (false, Wanted::Nothing)] {
            let mut times = Vec::new();
            for number in 0..PROOFS {
                let index = number.wrapping_mul(STEP) % size;
                if cold {
                    forget(&self.levels)?;
                }
                let started = Instant::now();
                let proof = Stored::new(size, &levels)?.inclusion(index)?;
                times.push(u32::try_from(started.elapsed().as_micros()).unwrap_or(u32::MAX));
                let record = self.store.record(index).context("no record")?;
                check_inclusion(Hash::leaf(&entry_of(&record.bytes)?), index, &proof, &head)?;
            }
            times.sort_unstable();
            let (p50, p99) = (percentile(&times, 0.5), percentile(&times, 0.99));
            let how = if cold { "from disk" } else { "from memory" };
            let name = format!("a proof of inclusion {how}, median");
            let note = format!("each checked; p99 {} ms", number(p99 / 1e3));
            figures.push(Figure::new(name, p50 / 1e3, "ms").wanted(wanted).note(note));
        }
        Ok(figures)
    }

    fn size(&self) -> anyhow::Result<Figure> {
        let entries = self.store.length.load(Ordering::Relaxed);
        let mut bytes = 0;
        for file in std::fs::read_dir(&self.levels)? {
            bytes += file?.metadata()?.len();
        }
        ensure!(bytes > 0, "the tree has no files");
        let figure = Figure::new(
            "tree, bytes an event",
            bytes as f64 / entries as f64,
            "bytes",
        );
        Ok(figure.wanted(Wanted::AtMost(70.0)))
    }
}

/// Has the kernel forget what it holds of the files in a directory.
fn forget(dir: &Path) -> anyhow::Result<()> {
    for file in std::fs::read_dir(dir)? {
        fadvise(File::open(file?.path())?, 0, None, Advice::DontNeed)?;
    }
    Ok(())
}
