//! The one door to the read models, for the API and the command line.
//!
//! Owns the serving lanes and the feed that brings them records. Reads are plain calls into the
//! rows (a few microseconds warm) and belong into the handler, not into another thread.

mod open;
mod queues;
mod reports;
mod state;
mod status;

pub use status::{State, Status};

use crate::accounts::AccountView;
use crate::as_of::AsOf;
use crate::audit::{AuditPage, AuditQuery};
use crate::deadlines::Deadline;
use crate::digest::ProjectionDigest;
use crate::error::ViewError;
use crate::generations::Home;
use crate::inbox::End;
use crate::lane::{Lane, Window};
use crate::lookups::Lookup;
use crate::projection::{Admission, Projection};
use crate::rebuild::{Build, OnHalt, Progress, Rebuilt, build};
use crate::serving::{Order, Slot, Surroundings, Swap};
use crate::statistics::Statistics;
use crate::view::ViewStore;
use crate::{accounts, as_of, audit, deadlines, lookups, outbox, state_map, statistics, waiting};
use domain::ids::{AccountId, AreaCode, Category, LocalDay, LookupHash, Micros, Position};
use ledger::store::EventStore;
use parking_lot::Mutex;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// How the read models are kept.
#[derive(Clone)]
pub struct Options {
    /// Page cache of all views together, in bytes (resident memory: up to 2.8 times this).
    pub cache_bytes: u64,
    /// Memory for changed rows while views are built, of all views together, in bytes. Less is
    /// slower.
    pub build_bytes: usize,
    /// A check of every record before it is folded, besides its form, position and, in an account's
    /// stream, its link.
    pub admission: Option<Arc<dyn Admission>>,
    /// Whether to go on following the ledger after opening. `false`: catch up once and return when
    /// everything is visible, for commands that end.
    pub follow: bool,
    /// Told how far building missing, damaged or outdated views is, while opening.
    pub progress: Option<Arc<dyn Fn(Progress) + Send + Sync>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: 192 << 20,
            build_bytes: 480 << 20,
            admission: None,
            follow: true,
            progress: None,
        }
    }
}

/// The read models. Cheap to clone; the last one dropped stops them.
#[derive(Clone)]
pub struct Views {
    inner: Arc<Inner>,
}

struct Inner {
    around: Surroundings,
    slots: Vec<Arc<Slot>>,
    feed: AbortHandle,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// One rebuild at a time: each doubles the memory of what it builds.
    rebuilding: tokio::sync::Mutex<()>,
}

/// All projections, in the order of [`Views::NAMES`].
pub(crate) fn projections() -> Vec<Box<dyn Projection>> {
    vec![
        Box::new(accounts::Accounts),
        Box::new(audit::Audit::default()),
        Box::new(lookups::Lookups::default()),
        Box::new(statistics::StatisticsProjection::default()),
        Box::new(deadlines::Deadlines),
        Box::new(outbox::Outbox),
        Box::new(waiting::WaitingProjection),
        Box::new(state_map::StateMap),
    ]
}

impl Views {
    /// Names of all projections.
    pub const NAMES: [&'static str; 8] = [
        accounts::NAME,
        audit::NAME,
        lookups::NAME,
        statistics::NAME,
        deadlines::NAME,
        outbox::NAME,
        waiting::NAME,
        state_map::NAME,
    ];

    /// Opens the read models under `dir`, builds what is missing, damaged, outdated or of another
    /// history, and follows the ledger.
    pub async fn open(
        dir: &Path,
        store: Arc<dyn EventStore>,
        options: Options,
    ) -> Result<Self, ViewError> {
        let home = Home::open(dir, options.cache_bytes)?;
        open::open(home, store, options).await
    }

    /// The same in memory: for replays, which compare digests, and for tests.
    pub async fn open_in_memory(
        store: Arc<dyn EventStore>,
        options: Options,
    ) -> Result<Self, ViewError> {
        open::open(Home::memory(), store, options).await
    }

    /// Events of a projection that are visible: the position of the next one. Cheap enough to ask
    /// with every read.
    pub fn visible(&self, name: &str) -> Result<u64, ViewError> {
        let slot = self.inner.slots.iter().find(|slot| slot.name == name);
        let slot = slot.ok_or_else(|| ViewError::UnknownProjection {
            name: name.to_owned(),
        })?;
        Ok(slot.watermark.visible())
    }

    /// How each projection is doing.
    pub async fn status(&self) -> Result<Vec<Status>, ViewError> {
        let length = self.inner.around.store.length().await?;
        Ok(self
            .inner
            .slots
            .iter()
            .map(|slot| status::of(slot, length))
            .collect())
    }

    /// An account as it is now.
    pub fn account(&self, account: AccountId) -> Result<Option<AccountView>, ViewError> {
        accounts::find(&*self.view(accounts::NAME)?, account)
    }

    /// Up to `limit` accounts in the order of their ids, after one of them.
    pub fn accounts(
        &self,
        after: Option<AccountId>,
        limit: usize,
    ) -> Result<Vec<AccountView>, ViewError> {
        accounts::page(&*self.view(accounts::NAME)?, after, limit)
    }

    /// An account at a position or an instant, by folding its own stream.
    pub async fn account_as_of(
        &self,
        account: AccountId,
        at: AsOf,
    ) -> Result<Option<AccountView>, ViewError> {
        as_of::account(&*self.inner.around.store, account, at).await
    }

    /// Who holds a personal number, a phone number or a device, by its keyed hash. `category`: one
    /// of the three claim categories.
    pub fn account_by_lookup(
        &self,
        category: Category,
        hash: LookupHash,
    ) -> Result<Option<Lookup>, ViewError> {
        lookups::find(&*self.view(lookups::NAME)?, category, hash)
    }

    /// Positions of the events that match, a page at a time.
    pub async fn audit(&self, query: &AuditQuery) -> Result<AuditPage, ViewError> {
        let slot = self.slot(audit::NAME)?;
        let visible = slot.watermark.visible();
        audit::query::run(&*slot.view(), &*self.inner.around.store, visible, query).await
    }

    /// Totals of an area at the end of a day. Area 0 is the whole country, 30000 a province, 30288
    /// a district.
    pub fn statistics(&self, area: AreaCode, as_of: LocalDay) -> Result<Statistics, ViewError> {
        statistics::as_of(&*self.view(statistics::NAME)?, area, as_of)
    }

    /// Totals of an area at the end of each day on which they changed, in `from..=to`.
    pub fn statistics_by_day(
        &self,
        area: AreaCode,
        from: LocalDay,
        to: LocalDay,
    ) -> Result<Vec<Statistics>, ViewError> {
        statistics::by_day(&*self.view(statistics::NAME)?, area, from, to)
    }

    /// Every area that anybody was ever counted in, provinces and the country included.
    pub fn areas(&self) -> Result<Vec<AreaCode>, ViewError> {
        statistics::areas(&*self.view(statistics::NAME)?)
    }

    /// Last days of cards that have passed at an instant, the earliest first. Whether that locks is
    /// for the law in force.
    pub fn card_deadlines(&self, until: Micros, limit: usize) -> Result<Vec<Deadline>, ViewError> {
        deadlines::cards_until(&*self.view(deadlines::NAME)?, until, limit)
    }

    /// Open deadlines that are overdue at an instant, the earliest first; without those of cards
    /// ([`Views::card_deadlines`]).
    pub fn deadlines(&self, until: Micros, limit: usize) -> Result<Vec<Deadline>, ViewError> {
        deadlines::until(&*self.view(deadlines::NAME)?, until, limit)
    }

    /// The digests of what is visible now.
    pub fn digests(&self) -> Vec<ProjectionDigest> {
        self.inner
            .slots
            .iter()
            .map(|slot| slot.info.lock().digest.clone())
            .collect()
    }

    /// Resolves when the event at `position` is visible in every projection.
    pub async fn wait(&self, position: Position, timeout: Duration) -> Result<(), ViewError> {
        self.wait_for(&Self::NAMES, position, timeout).await
    }

    /// Resolves when the event at `position` is visible in the projections named.
    pub async fn wait_for(
        &self,
        names: &[&str],
        position: Position,
        timeout: Duration,
    ) -> Result<(), ViewError> {
        let all = async {
            for name in names {
                self.slot(name)?.watermark.wait(position, timeout).await?;
            }
            Ok(())
        };
        let late = ViewError::Timeout {
            position: position.0,
        };
        tokio::time::timeout(timeout, all)
            .await
            .unwrap_or(Err(late))
    }

    /// Builds projections again from the log, aside, and swaps them in; the old rows serve until
    /// then. No names: all. On an error or when cancelled, everything is as before.
    pub async fn rebuild(
        &self,
        names: &[&str],
        progress: &(dyn Fn(Progress) + Send + Sync),
        cancel: &AtomicBool,
    ) -> Result<Vec<Rebuilt>, ViewError> {
        let names = if names.is_empty() {
            &Self::NAMES
        } else {
            names
        };
        let _one_at_a_time = self.inner.rebuilding.lock().await;
        let mut slots = Vec::with_capacity(names.len());
        for name in names {
            let slot = self.slot(name)?;
            if !slots
                .iter()
                .any(|known: &Arc<Slot>| Arc::ptr_eq(known, &slot))
            {
                slots.push(slot);
            }
        }
        let result = self.rebuild_slots(&slots, progress, cancel).await;
        for slot in &slots {
            slot.info.lock().rebuilding = None;
        }
        result
    }

    async fn rebuild_slots(
        &self,
        slots: &[Arc<Slot>],
        progress: &(dyn Fn(Progress) + Send + Sync),
        cancel: &AtomicBool,
    ) -> Result<Vec<Rebuilt>, ViewError> {
        let around = &self.inner.around;
        // Not beyond what the old rows have folded, so that both can be compared at one position.
        // A halted projection has nothing to compare: it is built as far as there is anything.
        let mut to = around.store.length().await?;
        for slot in slots.iter().filter(|slot| slot.info.lock().halt.is_none()) {
            to = to.min(slot.watermark.visible());
        }
        let window = Window::building(around.build_bytes);
        let mut lanes = Vec::with_capacity(slots.len());
        let mut generations = Vec::with_capacity(slots.len());
        for projection in projections() {
            if slots.iter().any(|slot| slot.name == projection.name()) {
                let (generation, view) = around.home.create(projection.name())?;
                generations.push(generation);
                lanes.push(Lane::create(projection, view, window)?);
            }
        }
        let note = |reached: Progress| {
            for slot in slots {
                slot.info.lock().rebuilding = Some(reached);
            }
            progress(reached);
        };
        let store = Arc::clone(&around.store);
        let admission = around.admission.clone();
        let on_halt = OnHalt::Fail;
        let build_of = Build {
            store,
            admission,
            to,
            on_halt,
            progress: &note,
            cancel,
        };
        let built = build(lanes, build_of).await?;
        let mut rebuilt = Vec::with_capacity(built.len());
        for (lane, generation) in built.into_iter().zip(generations) {
            let slot = self.slot(lane.name())?;
            let (reply, answer) = oneshot::channel();
            if !slot.inbox.order(Order::Swap(Swap {
                lane,
                generation,
                reply,
            })) {
                return Err(ViewError::Closed);
            }
            rebuilt.push(answer.await.map_err(|_| ViewError::Closed)??);
        }
        Ok(rebuilt)
    }

    /// Stops following and puts everything on the disk. Reads go on working.
    pub async fn close(&self) -> Result<(), ViewError> {
        let inner = Arc::clone(&self.inner);
        let joined = tokio::task::spawn_blocking(move || inner.stop()).await;
        joined.map_err(|_| ViewError::Closed)
    }

    /// Resolves when the event at `position` is visible wherever it ever will be.
    async fn caught_up(&self, position: Position) {
        for slot in &self.inner.slots {
            // A halt or a closed view is in the status; here it only means not to wait.
            let _ = slot.watermark.wait(position, Duration::MAX).await;
        }
    }

    fn slot(&self, name: &str) -> Result<Arc<Slot>, ViewError> {
        let slot = self.inner.slots.iter().find(|slot| slot.name == name);
        slot.cloned().ok_or_else(|| ViewError::UnknownProjection {
            name: name.to_owned(),
        })
    }

    /// A projection's rows.
    pub(crate) fn rows(&self, name: &str) -> Result<Arc<dyn ViewStore>, ViewError> {
        self.view(name)
    }

    fn view(&self, name: &str) -> Result<Arc<dyn ViewStore>, ViewError> {
        Ok(self.slot(name)?.view())
    }
}

impl Inner {
    fn stop(&self) {
        self.feed.abort();
        for slot in &self.slots {
            slot.inbox.end(End::Stopped);
        }
        for thread in self.threads.lock().drain(..) {
            // A thread that panicked has said so already, and its view is found out of step at the
            // next start.
            let _ = thread.join();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop();
    }
}
