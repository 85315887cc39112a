//! The one thread that writes a slot file: group commit of new slots, careful overwrites.
//!
//! After a failed write or sync of slots the state on disk is unknown (a sync that failed once may
//! succeed the second time without having written), so the thread stops for good and every later
//! call says so. Running out of space shows while extending, before any slot is touched, and is no
//! reason to stop.

use super::error::VaultError;
use super::layout::{Head, REDO_AT, SECTOR, SETTLED_AT};
use super::port::Inserted;
use super::slots::{BATCH_MAX, Shared};
use std::collections::HashSet;
use std::sync::{Arc, mpsc};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

/// Bytes the file is extended by, filled with zeros and synced: later syncs of slots in there need
/// no journal entry of the file system.
const EXTEND_BYTES: usize = 1 << 20;

/// Where an answer goes. Nobody may be waiting any more; the slot is made all the same.
pub(super) type Answer = oneshot::Sender<Result<Inserted, VaultError>>;

/// One thing to write.
pub(super) enum Job {
    /// A new slot.
    Insert {
        id: [u8; 16],
        payload: Zeroizing<Vec<u8>>,
        answer: Answer,
    },
    /// New content for a slot.
    Overwrite {
        id: [u8; 16],
        generation: u32,
        payload: Zeroizing<Vec<u8>>,
        answer: Answer,
    },
}

/// The thread's state.
pub(super) struct Writer {
    shared: Arc<Shared>,
    jobs: mpsc::Receiver<Job>,
    /// Number of the next new slot.
    next: u32,
    /// Length of the file; everything from the next slot to here is zero.
    length: u64,
    /// What the settled record says.
    settled: u32,
    stopped: bool,
}

type NewSlot = ([u8; 16], Zeroizing<Vec<u8>>, Answer);

impl Writer {
    pub fn new(shared: Arc<Shared>, jobs: mpsc::Receiver<Job>, next: u32, length: u64) -> Self {
        Self {
            shared,
            jobs,
            next,
            length,
            settled: next,
            stopped: false,
        }
    }

    /// Works until nobody can ask any more.
    pub fn run(mut self) {
        while let Ok(first) = self.jobs.recv() {
            let mut inserts = Vec::new();
            let mut job = Some(first);
            while let Some(next) = job {
                match next {
                    Job::Insert {
                        id,
                        payload,
                        answer,
                    } => inserts.push((id, payload, answer)),
                    Job::Overwrite {
                        id,
                        generation,
                        payload,
                        answer,
                    } => {
                        let _ = answer.send(self.overwrite(id, generation, &payload));
                    }
                }
                job = if inserts.len() < BATCH_MAX {
                    self.jobs.try_recv().ok()
                } else {
                    None
                };
            }
            if !inserts.is_empty() {
                self.insert(inserts);
            }
        }
        if !self.stopped && self.settled != self.next {
            // Best effort: without it, the next start finds the end of the last batch by itself.
            let record = self.shared.layout.settled(self.next);
            let _ = self.shared.file.write_at(&record, SETTLED_AT);
            let _ = self.shared.file.sync();
        }
    }

    /// Writes new slots as one batch and answers everybody.
    fn insert(&mut self, inserts: Vec<NewSlot>) {
        let mut fresh: Vec<NewSlot> = Vec::with_capacity(inserts.len());
        let mut existing = Vec::new();
        let mut ids = HashSet::new();
        {
            let index = self.shared.index.read();
            for insert in inserts {
                if index.contains_key(&insert.0) || !ids.insert(insert.0) {
                    existing.push(insert.2);
                } else {
                    fresh.push(insert);
                }
            }
        }
        let outcome = self.append(&fresh);
        for answer in existing {
            // It may exist only in this very batch, so it is answered after the batch.
            let _ = answer.send(outcome.clone().map(|()| Inserted::Existing));
        }
        for (_, _, answer) in fresh {
            let _ = answer.send(outcome.clone().map(|()| Inserted::New));
        }
    }

    fn append(&mut self, fresh: &[NewSlot]) -> Result<(), VaultError> {
        if fresh.is_empty() {
            return Ok(());
        }
        let layout = self.shared.layout;
        self.check_running()?;
        let first = self.next;
        let after = u32::try_from(fresh.len())
            .ok()
            .and_then(|count| first.checked_add(count));
        let after = after
            .filter(|after| *after < u32::MAX)
            .ok_or(VaultError::Unusable {
                file: layout.file,
                reason: "all slot numbers are used up",
            })?;
        self.extend_to(layout.offset(after))?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(fresh.len() * layout.slot_bytes));
        for (number, (id, payload, _)) in (first..).zip(fresh) {
            let head = Head {
                live: true,
                generation: 1,
                batch: first,
                id: *id,
            };
            bytes.extend(layout.slot(number, &head, payload));
        }
        self.write(&bytes, layout.offset(first))?;
        self.sync()?;
        let mut index = self.shared.index.write();
        index.extend(fresh.iter().map(|(id, _, _)| *id).zip(first..));
        self.next = after;
        Ok(())
    }

    fn overwrite(
        &mut self,
        id: [u8; 16],
        generation: u32,
        payload: &[u8],
    ) -> Result<Inserted, VaultError> {
        self.check_running()?;
        let shared = self.shared.clone();
        let layout = shared.layout;
        let number = shared
            .index
            .read()
            .get(&id)
            .copied()
            .ok_or(VaultError::Contended)?;
        let mut slot = Zeroizing::new(vec![0; layout.slot_bytes]);
        let read = shared.file.read_exact_at(&mut slot, layout.offset(number));
        read.map_err(VaultError::io(layout.file, "reading"))?;
        let damaged = VaultError::Damaged {
            file: layout.file,
            slot: number,
        };
        let super::layout::Parsed::Whole(old, _) = layout.parse(number, &slot) else {
            return Err(damaged);
        };
        if !old.live || old.id != id {
            return Err(damaged);
        }
        if old.generation != generation {
            return Err(VaultError::Contended);
        }
        let head = Head {
            generation: generation.wrapping_add(1),
            ..old
        };
        let slot = Zeroizing::new(layout.slot(number, &head, payload));
        self.write(&Zeroizing::new(layout.redo(number, &slot)), REDO_AT)?;
        self.sync()?;
        {
            let _nobody_reads = shared.index.write();
            self.write(&slot, layout.offset(number))?;
        }
        self.sync()?;
        self.write(&[0; SECTOR], REDO_AT)?;
        self.sync()?;
        Ok(Inserted::Existing)
    }

    /// Makes the file long enough, with zeros.
    fn extend_to(&mut self, end: u64) -> Result<(), VaultError> {
        let file = self.shared.layout.file;
        while self.length < end {
            let zeros = vec![0; EXTEND_BYTES];
            let written = self.shared.file.write_at(&zeros, self.length);
            written.map_err(VaultError::io(file, "extending"))?;
            self.shared
                .file
                .sync()
                .map_err(VaultError::io(file, "extending"))?;
            self.length += EXTEND_BYTES as u64;
        }
        Ok(())
    }

    fn check_running(&self) -> Result<(), VaultError> {
        if self.stopped {
            return Err(VaultError::Stopped {
                file: self.shared.layout.file,
            });
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8], at: u64) -> Result<(), VaultError> {
        let outcome = self.shared.file.write_at(bytes, at);
        self.stop_on_error(outcome, "writing")
    }

    fn sync(&mut self) -> Result<(), VaultError> {
        let outcome = self.shared.file.sync();
        self.stop_on_error(outcome, "syncing")
    }

    fn stop_on_error(
        &mut self,
        outcome: std::io::Result<()>,
        operation: &'static str,
    ) -> Result<(), VaultError> {
        outcome.map_err(|error| {
            self.stopped = true;
            VaultError::io(self.shared.layout.file, operation)(error)
        })
    }
}
