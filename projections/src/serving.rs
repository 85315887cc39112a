//! A lane that serves: a thread that folds what the feed brings, publishes how far it is, halts
//! where it must, and swaps in what was built aside.

use crate::digest::ProjectionDigest;
use crate::error::ViewError;
use crate::generations::Home;
use crate::inbox::{End, Message};
use crate::lane::{Halt, Lane};
use crate::projection::Admission;
use crate::rebuild::{Progress, Rebuilt};
use crate::runner::{Batch, LaneInbox, drive};
use crate::view::ViewStore;
use crate::watermark::Watermark;
use domain::ids::Position;
use ledger::store::{EventStore, PAGE_RECORDS_MAX};
use parking_lot::{Mutex, RwLock};
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// What is known of a serving projection: written by its thread, read by everybody.
pub(crate) struct Slot {
    pub(crate) name: &'static str,
    pub(crate) version: u32,
    pub(crate) inbox: Arc<LaneInbox<Order>>,
    pub(crate) watermark: Watermark,
    pub(crate) info: Mutex<Info>,
    view: RwLock<Arc<dyn ViewStore>>,
}

/// The part of a slot that changes together.
pub(crate) struct Info {
    pub(crate) generation: u64,
    pub(crate) digest: ProjectionDigest,
    /// Just after the last `StateSealed` event.
    pub(crate) cut: Option<ProjectionDigest>,
    pub(crate) halt: Option<Halt>,
    /// The feed's trouble, while it lasts.
    pub(crate) failed: Option<String>,
    pub(crate) rebuilding: Option<Progress>,
    pub(crate) last_error: Option<String>,
}

/// A view that was built aside, to be swapped in.
pub(crate) struct Swap {
    pub(crate) lane: Lane,
    pub(crate) generation: u64,
    pub(crate) reply: oneshot::Sender<Result<Rebuilt, ViewError>>,
}

/// What a serving thread is asked to do between two batches.
#[allow(clippy::large_enum_variant, reason = "few, and gone at once")]
pub(crate) enum Order {
    /// Swap a view in.
    Swap(Swap),
    /// Read the rows as of the digest that goes with them: nothing changes meanwhile.
    Read(Reading),
}

/// Reads rows and their digest.
pub(crate) type Reading = Box<dyn FnOnce(&dyn ViewStore, &ProjectionDigest) + Send>;

/// What a serving thread needs besides its lane.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) admission: Option<Arc<dyn Admission>>,
    pub(crate) home: Arc<Home>,
    pub(crate) runtime: Handle,
    /// Memory for changed rows while views are built, in bytes.
    pub(crate) build_bytes: usize,
}

impl Slot {
    pub(crate) fn new(lane: &Lane, generation: u64) -> Self {
        let last_error = lane
            .last_halt()
            .map(|halt| format!("halted at position {}: {}", halt.position, halt.reason));
        let info = Info {
            generation,
            digest: lane.digest(),
            cut: lane.cut(),
            halt: None,
            failed: None,
            rebuilding: None,
            last_error,
        };
        Self {
            name: lane.name(),
            version: lane.version(),
            inbox: Arc::new(LaneInbox::new()),
            watermark: Watermark::new(lane.name(), lane.committed()),
            info: Mutex::new(info),
            view: RwLock::new(Arc::clone(lane.view())),
        }
    }

    /// The rows that serve now.
    pub(crate) fn view(&self) -> Arc<dyn ViewStore> {
        Arc::clone(&self.view.read())
    }

    /// Only where nobody writes: in the lane's thread, or after its end.
    pub(crate) fn read(&self, read: Reading) {
        let digest = self.info.lock().digest.clone();
        read(&*self.view(), &digest);
    }

    fn publish(&self, lane: &Lane) {
        let mut info = self.info.lock();
        info.digest = lane.digest();
        info.cut = lane.cut();
        if let Some(difference) = &lane.compared().last {
            info.last_error = Some(difference.to_string());
        }
        drop(info);
        self.watermark.set(|mark| mark.visible = lane.committed());
    }

    fn halted(&self, halt: &Halt) {
        let Halt {
            position, reason, ..
        } = halt;
        tracing::error!(
            projection = self.name,
            position,
            reason,
            "the projection is halted"
        );
        let mut info = self.info.lock();
        info.halt = Some(halt.clone());
        info.last_error = Some(format!("halted at position {position}: {reason}"));
        drop(info);
        self.watermark
            .set(|mark| mark.halted = Some((*position, reason.clone())));
    }
}

/// A serving thread.
pub(crate) struct Server {
    lane: Lane,
    slot: Arc<Slot>,
    around: Surroundings,
    /// Position after the last batch taken from the inbox.
    taken: u64,
    halted: bool,
}

impl Server {
    pub(crate) fn new(lane: Lane, slot: Arc<Slot>, around: Surroundings) -> Self {
        let taken = lane.cursor();
        Self {
            lane,
            slot,
            around,
            taken,
            halted: false,
        }
    }

    /// Serves until the inbox is ended.
    pub(crate) fn run(mut self) {
        while let Some(message) = self.slot.inbox.pop() {
            match message {
                Message::Batch(batch) => self.take(&batch),
                Message::Order(Order::Read(read)) => self.read(read),
                Message::Order(Order::Swap(swap)) => {
                    let Swap {
                        lane,
                        generation,
                        reply,
                    } = swap;
                    let result = self.swap(lane, generation);
                    // Whoever asked may have gone; the swap stands all the same.
                    let _ = reply.send(result);
                }
            }
        }
        let ended = if self.halted {
            Ok(())
        } else {
            self.lane.commit()
        };
        if let Err(error) = ended.and_then(|()| self.lane.view().sync()) {
            tracing::error!(projection = self.slot.name, %error, "closing the view failed");
        }
        if !self.halted {
            self.slot.publish(&self.lane);
        }
        self.slot.watermark.set(|mark| mark.closed = true);
    }

    fn take(&mut self, batch: &Batch) {
        self.taken = self.taken.max(batch.end());
        if self.halted {
            return;
        }
        let result = drive(&mut self.lane, batch, self.slot.inbox.is_empty());
        // A commit that failed leaves the lane's digest ahead of its rows: that is not published.
        if result.as_ref().err().is_none_or(|halt| halt.poison) {
            self.slot.publish(&self.lane);
        }
        if let Err(halt) = result {
            self.halted = true;
            if let Err(error) = self.lane.remember_halt(&halt) {
                tracing::error!(projection = self.slot.name, %error, "the halt was not kept");
            }
            self.slot.halted(&halt);
        }
    }

    /// Whoever asked is not answered where the rows cannot be brought to one position.
    fn read(&mut self, read: Reading) {
        if !self.halted {
            if let Err(error) = self.lane.commit() {
                tracing::error!(projection = self.slot.name, %error, "a report was not read");
                return;
            }
            self.slot.publish(&self.lane);
        }
        self.slot.read(read);
    }

    /// Swaps in what was built aside, once it has folded exactly what this lane has.
    fn swap(&mut self, mut new: Lane, generation: u64) -> Result<Rebuilt, ViewError> {
        let name = self.slot.name;
        if !self.halted {
            self.lane.commit()?;
            self.slot.publish(&self.lane);
        }
        self.catch_up(&mut new)?;
        let comparable = !self.halted && self.lane.committed() == new.committed();
        let before = comparable.then(|| self.lane.digest());
        let after = new.digest();
        let differed = before.as_ref().is_some_and(|before| *before != after);
        self.around.home.point(name, generation)?;
        let old = std::mem::replace(&mut self.slot.info.lock().generation, generation);
        *self.slot.view.write() = Arc::clone(new.view());
        self.lane = new;
        self.halted = false;
        {
            let mut info = self.slot.info.lock();
            info.halt = None;
            info.rebuilding = None;
        }
        self.slot.watermark.set(|mark| mark.halted = None);
        self.slot.publish(&self.lane);
        if differed {
            tracing::error!(
                projection = name,
                "the rows before did not come from this ledger"
            );
            self.slot.info.lock().last_error =
                Some("a rebuild gave other rows; the old ones were set aside".to_owned());
            self.around.home.set_aside(name, old)?;
        } else {
            self.around.home.remove(name, old)?;
        }
        Ok(Rebuilt {
            after,
            before,
            differed,
        })
    }

    fn catch_up(&self, new: &mut Lane) -> Result<(), ViewError> {
        let Surroundings {
            store,
            admission,
            runtime,
            ..
        } = &self.around;
        while new.cursor() < self.taken {
            let from = new.cursor();
            let limit = usize::try_from(self.taken - from).unwrap_or(usize::MAX);
            let page = store.read_all(Position(from), limit.min(PAGE_RECORDS_MAX));
            let page = runtime.block_on(page)?;
            if page.is_empty() {
                return Err(ViewError::damaged(
                    new.name(),
                    "the ledger has become shorter",
                ));
            }
            let batch = Batch::decode(from, &page, true, admission.as_deref());
            drive(new, &batch, true).map_err(|halt| ViewError::Halted {
                view: new.name().to_owned(),
                position: halt.position,
                reason: halt.reason,
            })?;
        }
        Ok(())
    }
}

impl Drop for Server {
    /// Also when the thread panics: the feed must not wait for it, nor anybody else.
    fn drop(&mut self) {
        self.slot.inbox.end(End::Stopped);
        self.slot.watermark.set(|mark| mark.closed = true);
    }
}
