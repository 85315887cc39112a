//! Many cores over one log: one thread reads, some check, one sees everything in order.
//!
//! Owns the threads. Batches go to the workers in turn and come back in the same turn, so nothing
//! has to be put in order again, and memory is bounded by the batches in flight.

use super::check::{Checked, Depth, Keys, Known, check};
use super::report::Finding;
use super::source::Records;
use crate::interrupt;
use ledger::segments::{ScanEnd, ScannedRecord};
use ledger::store::StoreError;
use parking_lot::RwLock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Records of one batch.
const BATCH_RECORDS: usize = 256;
/// Batches waiting at each worker.
const WAITING_BATCHES: usize = 4;

/// What to check where.
pub struct Plan {
    /// How deep.
    pub depth: Depth,
    /// Signatures are checked from this position on; before it, structure.
    pub from: u64,
    /// Signatures are checked where `position % of == part`; elsewhere, structure.
    pub part: u64,
    /// See `part`; 1: everywhere.
    pub of: u64,
    /// Worker threads.
    pub jobs: usize,
}

impl Plan {
    fn depth_at(&self, position: u64) -> Depth {
        if position >= self.from && position % self.of.max(1) == self.part {
            self.depth
        } else {
            Depth::Structure
        }
    }
}

/// How a run over the log ended.
pub enum Ended {
    /// At the end of the log.
    Whole(ScanEnd),
    /// At a record that does not pass.
    Bad(Box<Finding>),
    /// At bytes that are not records.
    Store(StoreError),
    /// Somebody pressed Ctrl-C.
    Interrupted,
}

type Batch = Vec<ScannedRecord>;
type Results = Vec<Result<Checked, Box<Finding>>>;

/// Runs over the log; `sink` sees every record that passed, in order, and may find more.
pub fn run(
    records: Records,
    plan: &Plan,
    known: &RwLock<Known>,
    mut sink: impl FnMut(u64, &Checked) -> Result<(), Box<Finding>>,
    first: u64,
) -> Ended {
    let jobs = plan.jobs.max(1);
    std::thread::scope(|scope| {
        let mut inputs = Vec::new();
        let mut outputs = Vec::new();
        for _ in 0..jobs {
            let (send_batch, batches) = sync_channel::<Batch>(WAITING_BATCHES);
            let (send_results, results) = sync_channel::<Results>(WAITING_BATCHES);
            scope.spawn(move || worker(plan, known, &batches, &send_results));
            inputs.push(send_batch);
            outputs.push(results);
        }
        let reader = scope.spawn(move || read(records, known, &inputs));
        let mut position = first;
        let mut bad = None;
        // Each worker's turn, until a worker whose turn it is has ended: then so has the log.
        'turns: for results in outputs.iter().cycle() {
            let Ok(results) = results.recv() else { break };
            for result in results {
                let outcome = result.and_then(|checked| sink(position, &checked));
                if let Err(finding) = outcome {
                    bad = Some(finding);
                    break 'turns;
                }
                position += 1;
            }
            if interrupt::requested() {
                break;
            }
        }
        drop(outputs);
        let read = reader.join();
        match (bad, read) {
            (Some(finding), _) => Ended::Bad(finding),
            _ if interrupt::requested() => Ended::Interrupted,
            (None, Ok(Ok(Some(end)))) => Ended::Whole(end),
            (None, Ok(Err(error))) => Ended::Store(error),
            (None, Ok(Ok(None)) | Err(_)) => Ended::Store(StoreError::Stopped(
                "the log was not read to its end".into(),
            )),
        }
    })
}

/// Reads, learns keys, hands out. `None`: nobody takes any more.
fn read(
    mut records: Records,
    known: &RwLock<Known>,
    inputs: &[SyncSender<Batch>],
) -> Result<Option<ScanEnd>, StoreError> {
    for input in inputs.iter().cycle() {
        let mut batch = Vec::with_capacity(BATCH_RECORDS);
        let mut failed = None;
        while batch.len() < BATCH_RECORDS {
            match records.next_record() {
                Ok(Some(record)) => {
                    if Known::concerns(&record) {
                        known.write().learn(&record);
                    }
                    batch.push(record);
                }
                Ok(None) => break,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        if batch.is_empty() && failed.is_none() {
            break;
        }
        let taken = batch.is_empty() || input.send(batch).is_ok();
        if let Some(error) = failed {
            return Err(error);
        }
        if !taken {
            return Ok(None);
        }
    }
    Ok(records.end())
}

fn worker(
    plan: &Plan,
    known: &RwLock<Known>,
    batches: &Receiver<Batch>,
    results: &SyncSender<Results>,
) {
    let mut keys = Keys::default();
    for batch in batches {
        let known = known.read();
        let checked = batch
            .iter()
            .map(|record| {
                check(
                    record,
                    &known,
                    plan.depth_at(record.record.position.0),
                    &mut keys,
                )
            })
            .collect();
        drop(known);
        if results.send(checked).is_err() {
            break;
        }
    }
}
