//! Durable signed appends through the ledger: sealed, linked, signed, group-committed, indexed.

use super::percentile;
use anyhow::{Context, ensure};
use domain::command::NewEvent;
use domain::event::DocumentRefreshed;
use domain::ids::{AccountId, Digest, DocumentId, Micros, Revision, StreamId};
use ledger::ledger::Ledger;
use ledger::store::{AppendError, Expected};
use ledger::writer::append_surely;
use ledger::writer::assemble::Draft;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// What so many writers did.
pub struct Appended {
    /// Events a second.
    pub rate: f64,
    /// Median time of one append, in microseconds.
    pub p50_us: f64,
    /// 99th percentile, in microseconds.
    pub p99_us: f64,
    /// Appends that met somebody else's. Writers of different accounts never should.
    pub conflicts: u64,
}

/// `writers` accounts at once, each appending `events` events at a time until the time is over.
pub async fn run(
    ledger: &Ledger,
    writers: usize,
    events: usize,
    time: Duration,
) -> anyhow::Result<Appended> {
    let conflicts = std::sync::Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    let started = Instant::now();
    for _ in 0..writers {
        let (ledger, conflicts) = (ledger.clone(), std::sync::Arc::clone(&conflicts));
        tasks.spawn(async move { write(&ledger, events, started, time, &conflicts).await });
    }
    let mut times = Vec::new();
    while let Some(result) = tasks.join_next().await {
        times.extend(result.context("a writer ended")??);
    }
    let seconds = started.elapsed().as_secs_f64();
    ensure!(!times.is_empty(), "no append was finished");
    times.sort_unstable();
    Ok(Appended {
        rate: (times.len() * events) as f64 / seconds,
        p50_us: percentile(&times, 0.5),
        p99_us: percentile(&times, 0.99),
        conflicts: conflicts.load(Ordering::Relaxed),
    })
}

/// One writer with an account of its own; times of its appends in microseconds.
async fn write(
    ledger: &Ledger,
    events: usize,
    started: Instant,
    time: Duration,
    conflicts: &AtomicU64,
) -> anyhow::Result<Vec<u32>> {
    let account = AccountId(ledger.assembler().ids().id());
    let stream = StreamId::account(account);
    let (mut expected, mut link, mut next) = (Expected::NoStream, Digest::ZERO, 0_u64);
    let mut times = Vec::new();
    // At least one, however late this writer gets its turn.
    loop {
        let begun = Instant::now();
        let assembler = ledger.assembler();
        let draft = Draft::of_ledger(assembler, stream);
        let facts = DocumentRefreshed {
            document: DocumentId([1; 16]),
            data_as_of: Micros(draft.recorded_at.0),
        };
        let event = NewEvent {
            event: facts.into(),
            sealed: Vec::new(),
            happened: None,
        };
        let batch = vec![event; events];
        let keys = assembler.prepare_keys(&draft, &batch).await?;
        let signed = assembler.sign_all(&draft, expected, link, &keys, batch)?;
        match append_surely(ledger.store().as_ref(), stream, expected, signed.records).await {
            Ok(_) => {
                next += events as u64;
                expected = Expected::Revision(Revision(next - 1));
                link = signed.link;
            }
            Err(AppendError::Conflict { .. }) => {
                conflicts.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => return Err(error.into()),
        }
        times.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
        if started.elapsed() >= time {
            return Ok(times);
        }
    }
}
