//! A file of fixed slots, found by a 16-byte id: what may have to be destroyed lives here, because
//! a slot can be overwritten in place and a log or a tree cannot.
//!
//! Owns the file, the index of ids in memory (20 bytes a slot) and one thread that writes. New
//! slots are appended in batches, one write and one `fdatasync` for however many callers wait, into
//! space that was zero-filled before. An overwrite first goes to a redo record, so that a crash in
//! its middle cannot harm what the slot keeps. Knows nothing of keys or credentials; never repairs
//! a slot that may hold something.

use super::commit::{Answer, Job, Writer};
use super::error::VaultError;
use super::layout::{Head, Layout, Parsed, REDO_AT, SECTOR, SETTLED_AT, SLOTS_AT};
use super::port::{Found, Inserted, Slots};
use crate::disk::{Disk, DiskFile};
use crate::store::BoxFuture;
use core::future::ready;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, mpsc};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

/// Most slots of one batch: what one crash can leave torn.
pub(super) const BATCH_MAX: usize = 1024;
/// Bytes read at a time while opening.
const SCAN_BYTES: usize = 1 << 20;

/// A file of slots.
pub(crate) struct SlotFile {
    shared: Arc<Shared>,
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// What readers and the writing thread share.
pub(super) struct Shared {
    pub file: Arc<dyn DiskFile>,
    pub layout: Layout,
    /// Slot of each id. Held for writing while a slot is overwritten in place, for reading while
    /// one is read, so that nobody reads half of either.
    pub index: RwLock<HashMap<[u8; 16], u32>>,
}

impl SlotFile {
    /// Opens the file in `directory`, which must exist, or makes it. `check` is compared with the
    /// one it was made with.
    pub fn open(
        disk: &dyn Disk,
        directory: &Path,
        layout: Layout,
        check: [u8; 16],
    ) -> Result<Self, VaultError> {
        let path = directory.join(layout.file);
        let io = |operation| VaultError::io(layout.file, operation);
        let file = match disk.open(&path, true) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                create(disk, directory, layout, check)?;
                disk.open(&path, true).map_err(io("opening"))?
            }
            Err(error) => return Err(io("opening")(error)),
        };
        read_header(&*file, layout, check)?;
        redo(&*file, layout)?;
        let scan = Scan::run(&*file, layout)?;
        let settled = scan.settle(&*file)?;
        let length = file.length().map_err(io("measuring"))?;
        let shared = Arc::new(Shared {
            file,
            layout,
            index: RwLock::new(scan.index),
        });
        let (jobs, receiver) = mpsc::channel();
        let writer = Writer::new(shared.clone(), receiver, settled, length);
        let thread = std::thread::Builder::new()
            .name(format!("vault {}", layout.file))
            .spawn(move || writer.run())
            .map_err(io("starting the writer of"))?;
        Ok(Self {
            shared,
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Every id, in order.
    pub fn ids(&self) -> Vec<[u8; 16]> {
        let mut ids: Vec<_> = self.shared.index.read().keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    fn submit(&self, job: impl FnOnce(Answer) -> Job) -> Result<Pending, VaultError> {
        let (answer, receiver) = oneshot::channel();
        let file = self.shared.layout.file;
        let stopped = VaultError::Stopped { file };
        let jobs = self.jobs.as_ref().ok_or_else(|| stopped.clone())?;
        jobs.send(job(answer)).map_err(|_| stopped)?;
        Ok(Pending { receiver, file })
    }
}

impl Slots for SlotFile {
    fn read(&self, id: [u8; 16]) -> BoxFuture<'_, Result<Option<Found>, VaultError>> {
        let index = self.shared.index.read();
        let found = match index.get(&id) {
            Some(&number) => self.shared.read(number, &id).map(Some),
            None => Ok(None),
        };
        Box::pin(ready(found))
    }

    fn insert(
        &self,
        id: [u8; 16],
        payload: Zeroizing<Vec<u8>>,
    ) -> BoxFuture<'_, Result<Inserted, VaultError>> {
        // Asked for at once, so that many can be under way.
        let pending = self.submit(|answer| Job::Insert {
            id,
            payload,
            answer,
        });
        Box::pin(async move { pending?.wait().await })
    }

    fn overwrite(
        &self,
        id: [u8; 16],
        generation: u32,
        payload: Zeroizing<Vec<u8>>,
    ) -> BoxFuture<'_, Result<(), VaultError>> {
        let pending = self.submit(|answer| Job::Overwrite {
            id,
            generation,
            payload,
            answer,
        });
        Box::pin(async move { pending?.wait().await.map(|_| ()) })
    }

    fn count(&self) -> BoxFuture<'_, Result<u64, VaultError>> {
        let count = self.shared.index.read().len() as u64;
        Box::pin(ready(Ok(count)))
    }

    /// The ledger's lock keeps everybody else out.
    fn is_shared(&self) -> bool {
        false
    }
}

impl Drop for SlotFile {
    /// Ends the thread after everything that was asked of it.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by the runtime; there is nothing to add.
            let _ = thread.join();
        }
    }
}

/// A write under way.
pub(crate) struct Pending {
    receiver: oneshot::Receiver<Result<Inserted, VaultError>>,
    file: &'static str,
}

impl Pending {
    /// Waits until it is safe, or has failed.
    pub async fn wait(self) -> Result<Inserted, VaultError> {
        self.receiver
            .await
            .unwrap_or(Err(VaultError::Stopped { file: self.file }))
    }
}

impl Shared {
    /// Reads a slot by number; the index must be held.
    pub fn read(&self, number: u32, id: &[u8; 16]) -> Result<Found, VaultError> {
        let file = self.layout.file;
        let mut slot = Zeroizing::new(vec![0; self.layout.slot_bytes]);
        self.file
            .read_exact_at(&mut slot, self.layout.offset(number))
            .map_err(VaultError::io(file, "reading"))?;
        match self.layout.parse(number, &slot) {
            Parsed::Whole(head, payload) if head.live && head.id == *id => Ok(Found {
                generation: head.generation,
                payload: Zeroizing::new(payload.to_vec()),
            }),
            _ => Err(VaultError::Damaged { file, slot: number }),
        }
    }
}

/// Makes the file aside and moves it into place, so that there is never half a header.
fn create(
    disk: &dyn Disk,
    directory: &Path,
    layout: Layout,
    check: [u8; 16],
) -> Result<(), VaultError> {
    let io = |operation| VaultError::io(layout.file, operation);
    let aside = directory.join(format!("{}.new", layout.file));
    let file = disk.create_private(&aside).map_err(io("creating"))?;
    let mut head = layout.header(check);
    head.extend(layout.settled(0));
    head.resize(SLOTS_AT as usize, 0);
    file.write_at(&head, 0).map_err(io("writing"))?;
    file.sync().map_err(io("syncing"))?;
    let path = directory.join(layout.file);
    disk.rename(&aside, &path).map_err(io("creating"))?;
    disk.sync_dir(directory)
        .map_err(io("syncing the directory of"))
}

fn read_header(file: &dyn DiskFile, layout: Layout, check: [u8; 16]) -> Result<(), VaultError> {
    let name = layout.file;
    let mut sector = [0; SECTOR];
    let read = file.read_exact_at(&mut sector, 0);
    read.map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => VaultError::Unusable {
            file: name,
            reason: "its header is cut off",
        },
        _ => VaultError::io(name, "reading")(error),
    })?;
    match layout.open_header(&sector) {
        Ok(found) if found == check => Ok(()),
        Ok(_) => Err(VaultError::WrongKey { file: name }),
        Err(reason) => Err(VaultError::Unusable { file: name, reason }),
    }
}

/// Finishes the overwrite that a crash interrupted, if there is one.
fn redo(file: &dyn DiskFile, layout: Layout) -> Result<(), VaultError> {
    let io = |operation| VaultError::io(layout.file, operation);
    let mut page = Zeroizing::new(vec![0; SECTOR]);
    if let Err(error) = file.read_exact_at(&mut page, REDO_AT) {
        return match error.kind() {
            std::io::ErrorKind::UnexpectedEof => Err(VaultError::Unusable {
                file: layout.file,
                reason: "it is cut off",
            }),
            _ => Err(io("reading")(error)),
        };
    }
    if page.iter().all(|byte| *byte == 0) {
        return Ok(());
    }
    if let Some((number, slot)) = layout.open_redo(&page) {
        file.write_at(slot, layout.offset(number))
            .map_err(io("writing"))?;
        file.sync().map_err(io("syncing"))?;
        tracing::info!(
            file = layout.file,
            slot = number,
            "finished an interrupted overwrite"
        );
    }
    file.write_at(&[0; SECTOR], REDO_AT)
        .map_err(io("writing"))?;
    file.sync().map_err(io("syncing"))
}

/// What reading all slots found.
struct Scan {
    layout: Layout,
    index: HashMap<[u8; 16], u32>,
    /// Slots below are known to have been safe.
    settled: u32,
    recorded: u32,
    /// Slots that are neither empty nor whole, and empty ones before the last written one.
    suspect: Vec<u32>,
    /// One past the last slot that was ever written to.
    end: u32,
}

impl Scan {
    fn run(file: &dyn DiskFile, layout: Layout) -> Result<Self, VaultError> {
        let io = |operation| VaultError::io(layout.file, operation);
        let mut sector = [0; SECTOR];
        file.read_exact_at(&mut sector, SETTLED_AT)
            .map_err(io("reading"))?;
        let recorded = layout.open_settled(&sector).unwrap_or(0);
        let length = file.length().map_err(io("measuring"))?;
        let slots = length.saturating_sub(SLOTS_AT) / layout.slot_bytes as u64;
        let slots = u32::try_from(slots).map_err(|_| VaultError::Unusable {
            file: layout.file,
            reason: "it is too long",
        })?;
        let mut scan = Self {
            layout,
            index: HashMap::new(),
            settled: recorded,
            recorded,
            suspect: Vec::new(),
            end: 0,
        };
        let mut chunk = Zeroizing::new(vec![0; SCAN_BYTES]);
        let per_chunk = (SCAN_BYTES / layout.slot_bytes) as u32;
        let mut number = 0;
        while number < slots {
            let count = per_chunk.min(slots - number);
            let bytes = chunk
                .get_mut(..count as usize * layout.slot_bytes)
                .unwrap_or_default();
            file.read_exact_at(bytes, layout.offset(number))
                .map_err(io("reading"))?;
            for slot in bytes.chunks_exact(layout.slot_bytes) {
                scan.visit(number, slot)?;
                number += 1;
            }
        }
        match scan.suspect.iter().find(|slot| **slot < scan.settled) {
            Some(&slot) => Err(VaultError::Damaged {
                file: layout.file,
                slot,
            }),
            None if scan.end < scan.settled => Err(VaultError::Damaged {
                file: layout.file,
                slot: scan.end,
            }),
            None => Ok(scan),
        }
    }

    fn visit(&mut self, number: u32, slot: &[u8]) -> Result<(), VaultError> {
        let parsed = self.layout.parse(number, slot);
        if matches!(parsed, Parsed::Empty) {
            return Ok(());
        }
        // Empty slots that others follow: a batch that was written in part.
        for empty in self.end..number {
            self.suspect(empty)?;
        }
        self.end = number + 1;
        match parsed {
            Parsed::Whole(head, _) => {
                self.settled = self.settled.max(head.batch);
                if head.live && self.index.insert(head.id, number).is_some() {
                    return Err(VaultError::Damaged {
                        file: self.layout.file,
                        slot: number,
                    });
                }
                Ok(())
            }
            _ => self.suspect(number),
        }
    }

    /// More than one batch can leave is not a crash but damage.
    fn suspect(&mut self, number: u32) -> Result<(), VaultError> {
        self.suspect.push(number);
        match self.suspect.first() {
            Some(&slot) if self.suspect.len() > BATCH_MAX => Err(VaultError::Damaged {
                file: self.layout.file,
                slot,
            }),
            _ => Ok(()),
        }
    }

    /// Gives up what a crashed batch left torn (nobody was told it is there, so no event needs it)
    /// and records that everything up to here is complete.
    fn settle(&self, file: &dyn DiskFile) -> Result<u32, VaultError> {
        let io = |operation| VaultError::io(self.layout.file, operation);
        if self.recorded == self.end {
            return Ok(self.end);
        }
        let head = Head {
            live: false,
            generation: 1,
            batch: self.settled,
            id: [0; 16],
        };
        for &number in &self.suspect {
            let slot = self.layout.slot(number, &head, &[]);
            file.write_at(&slot, self.layout.offset(number))
                .map_err(io("writing"))?;
        }
        if !self.suspect.is_empty() {
            let slots = self.suspect.len();
            tracing::info!(
                file = self.layout.file,
                slots,
                "gave up slots of an unfinished batch"
            );
        }
        file.sync().map_err(io("syncing"))?;
        file.write_at(&self.layout.settled(self.end), SETTLED_AT)
            .map_err(io("writing"))?;
        file.sync().map_err(io("syncing"))?;
        Ok(self.end)
    }
}

#[cfg(test)]
mod tests;
