//! Faults on purpose, seeded, for tests (feature `testing`).
//!
//! Owns two layers: [`Faulty`] wraps any store and makes appends fail, be uncertain, come late, come
//! twice, or be the last thing before a crash; [`SimDisk`] is a disk in memory that fails at a
//! chosen step and forgets what was not synced. The same seed makes the same faults. It must never
//! make an error that a real store could not make.

mod disk;

pub use disk::{Fault, Keep, Operation, SimDisk};

use crate::store::{
    AppendError, Appended, BoxFuture, EventStore, Expected, NewRecord, StoreError, StoredRecord,
    StreamHead,
};
use domain::ids::{Position, Revision, StreamId};
use parking_lot::Mutex;
use std::sync::Arc;

/// How often what happens, each in appends of a thousand; what is left goes well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// Fails, and nothing is written.
    pub fails: u16,
    /// Answers *uncertain*, and it is written.
    pub uncertain_written: u16,
    /// Answers *uncertain*, and nothing is written.
    pub uncertain_lost: u16,
    /// Is asked twice, the second answer counts.
    pub twice: u16,
    /// The calling task yields up to this many times before and after (any call).
    pub yields_max: u16,
}

/// Whether the append at which the store crashes is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrashWhen {
    /// Just before it is written.
    Before,
    /// Written, but nobody is told.
    After,
}

/// A store with faults.
pub struct Faulty {
    inner: Arc<dyn EventStore>,
    faults: Faults,
    state: Mutex<State>,
}

struct State {
    random: Random,
    appends: u64,
    crash: Option<(u64, CrashWhen)>,
    crashed: bool,
}

enum Plan {
    Well,
    Fail,
    Uncertain { written: bool },
    Twice,
    Crash(CrashWhen),
    Crashed,
}

impl Faulty {
    /// Wraps a store.
    pub fn new(inner: Arc<dyn EventStore>, seed: u64, faults: Faults) -> Self {
        let random = Random::new(seed);
        let state = State {
            random,
            appends: 0,
            crash: None,
            crashed: false,
        };
        Self {
            inner,
            faults,
            state: Mutex::new(state),
        }
    }

    /// Crashes at the `step`-th append from now (0: the next one): the append answers *uncertain*,
    /// and from then on every call says the store has stopped.
    pub fn crash_at(&self, step: u64, when: CrashWhen) {
        let mut state = self.state.lock();
        state.crash = Some((state.appends.saturating_add(step), when));
    }

    /// How many appends were asked for so far.
    pub fn appends(&self) -> u64 {
        self.state.lock().appends
    }

    /// Whether it has crashed.
    pub fn crashed(&self) -> bool {
        self.state.lock().crashed
    }

    /// The store inside, as a restart would find it.
    pub fn restart(&self) -> Arc<dyn EventStore> {
        Arc::clone(&self.inner)
    }

    fn plan(&self) -> Plan {
        let mut state = self.state.lock();
        let number = state.appends;
        state.appends += 1;
        if state.crashed {
            return Plan::Crashed;
        }
        if let Some((at, when)) = state.crash
            && number >= at
        {
            state.crashed = true;
            return Plan::Crash(when);
        }
        let draw = state.random.below(1000) as u16;
        let faults = &self.faults;
        let mut bound = 0;
        let mut falls = |share: u16| {
            bound += share;
            draw < bound
        };
        if falls(faults.fails) {
            Plan::Fail
        } else if falls(faults.uncertain_written) {
            Plan::Uncertain { written: true }
        } else if falls(faults.uncertain_lost) {
            Plan::Uncertain { written: false }
        } else if falls(faults.twice) {
            Plan::Twice
        } else {
            Plan::Well
        }
    }

    async fn dawdle(&self) {
        let yields = self
            .state
            .lock()
            .random
            .below(u64::from(self.faults.yields_max) + 1);
        for _ in 0..yields {
            tokio::task::yield_now().await;
        }
    }

    async fn alive(&self) -> Result<(), StoreError> {
        self.dawdle().await;
        if self.crashed() { Err(crash()) } else { Ok(()) }
    }

    async fn append_now(
        &self,
        stream: StreamId,
        expected: Expected,
        records: Vec<NewRecord>,
    ) -> Result<Appended, AppendError> {
        self.dawdle().await;
        let injected = StoreError::Io {
            operation: "appending",
            message: "injected fault".to_owned(),
            full: false,
        };
        match self.plan() {
            Plan::Crashed => Err(AppendError::Failed(crash())),
            Plan::Fail => Err(AppendError::Failed(injected)),
            Plan::Uncertain { written: false } => Err(AppendError::Uncertain(injected)),
            Plan::Crash(CrashWhen::Before) => Err(AppendError::Uncertain(crash())),
            Plan::Uncertain { written: true } => {
                self.inner.append(stream, expected, records).await?;
                Err(AppendError::Uncertain(injected))
            }
            Plan::Crash(CrashWhen::After) => {
                let _ = self.inner.append(stream, expected, records).await;
                Err(AppendError::Uncertain(crash()))
            }
            Plan::Twice => {
                self.inner.append(stream, expected, records.clone()).await?;
                self.dawdle().await;
                self.inner.append(stream, expected, records).await
            }
            Plan::Well => {
                let done = self.inner.append(stream, expected, records).await;
                self.dawdle().await;
                done
            }
        }
    }
}

impl EventStore for Faulty {
    fn append(
        &self,
        stream: StreamId,
        expected: Expected,
        records: Vec<NewRecord>,
    ) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(self.append_now(stream, expected, records))
    }

    fn stream_head(
        &self,
        stream: StreamId,
    ) -> BoxFuture<'_, Result<Option<StreamHead>, StoreError>> {
        Box::pin(async move {
            self.alive().await?;
            self.inner.stream_head(stream).await
        })
    }

    fn read_stream(
        &self,
        stream: StreamId,
        from: Revision,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredRecord>, StoreError>> {
        Box::pin(async move {
            self.alive().await?;
            self.inner.read_stream(stream, from, limit).await
        })
    }

    fn read_all(
        &self,
        from: Position,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredRecord>, StoreError>> {
        Box::pin(async move {
            self.alive().await?;
            self.inner.read_all(from, limit).await
        })
    }

    fn length(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            self.alive().await?;
            self.inner.length().await
        })
    }

    fn wait_beyond(&self, seen: u64) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            self.alive().await?;
            self.inner.wait_beyond(seen).await
        })
    }
}

fn crash() -> StoreError {
    StoreError::Stopped("injected crash".to_owned())
}

/// SplitMix64: small, seeded, good enough to choose faults with.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}

#[cfg(test)]
mod tests;
