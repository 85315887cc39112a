//! The one door to the read models, for the API and the command line.

use crate::accounts::AccountView;
use crate::as_of::AsOf;
use crate::audit::{AuditPage, AuditQuery};
use crate::deadlines::Deadline;
use crate::digest::ProjectionDigest;
use crate::error::ViewError;
use crate::lookups::Lookup;
use crate::projection::Admission;
use crate::rebuild::{Progress, Rebuilt};
use crate::statistics::Statistics;
use domain::ids::{AccountId, AreaCode, Category, LocalDay, LookupHash, Micros, Position};
use ledger::store::EventStore;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// How the read models are kept.
#[derive(Clone)]
pub struct Options {
    /// Page cache of all views together, in bytes (resident memory: up to 2.8 times this).
    pub cache_bytes: u64,
    /// A check of every record before it is folded, besides its form and position.
    pub admission: Option<Arc<dyn Admission>>,
    /// Whether to go on following the ledger after opening. `false`: catch up once, for commands
    /// that end.
    pub follow: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { cache_bytes: 192 << 20, admission: None, follow: true }
    }
}

/// How a projection is doing.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// Everything that is safe in the ledger is visible.
    Live,
    /// Behind, and working on it.
    CatchingUp,
    /// Being built aside; the old rows serve until then.
    Rebuilding {
        /// Events folded.
        done: u64,
        /// Events to fold.
        total: u64,
    },
    /// Halted at an event it cannot take (INV-6).
    Halted {
        /// The event's position.
        position: u64,
        /// Why.
        reason: String,
    },
    /// Stopped by an error of the machine or the store.
    Failed {
        /// Which.
        reason: String,
    },
}

/// Status of one projection.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Status {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: u32,
    /// The generation that serves: raised by every rebuild.
    pub generation: u64,
    /// How many events are visible: the position of the next one.
    pub cursor: u64,
    /// How many events the ledger has beyond that.
    pub lag: u64,
    /// How it is doing.
    #[serde(flatten)]
    pub state: State,
    /// The last error, also one that a rebuild cured since.
    pub last_error: Option<String>,
}

/// The read models.
#[derive(Clone)]
pub struct Views;

impl Views {
    /// Names of all projections.
    pub const NAMES: [&'static str; 5] =
        ["accounts", "audit", "lookups", "statistics", "deadlines"];

    /// Opens the read models under `dir`, rebuilds what is missing, damaged or outdated, and follows
    /// the ledger.
    pub async fn open(dir: &Path, store: Arc<dyn EventStore>, options: Options) -> Result<Self, ViewError> { unimplemented!() }

    /// The same in memory, for replays and tests.
    pub async fn open_in_memory(store: Arc<dyn EventStore>, options: Options) -> Result<Self, ViewError> { unimplemented!() }

    /// How each projection is doing.
    pub async fn status(&self) -> Result<Vec<Status>, ViewError> { unimplemented!() }

    /// An account as it is now.
    pub fn account(&self, account: AccountId) -> Result<Option<AccountView>, ViewError> { unimplemented!() }

    /// Up to `limit` accounts in the order of their ids, after one of them.
    pub fn accounts(&self, after: Option<AccountId>, limit: usize) -> Result<Vec<AccountView>, ViewError> { unimplemented!() }

    /// An account at a position or an instant, by folding its own stream.
    pub async fn account_as_of(&self, account: AccountId, at: AsOf) -> Result<Option<AccountView>, ViewError> { unimplemented!() }

    /// Who holds a personal number, a phone number or a device, by its keyed hash. `category`: one of
    /// the three claim categories.
    pub fn account_by_lookup(&self, category: Category, hash: LookupHash) -> Result<Option<Lookup>, ViewError> { unimplemented!() }

    /// Positions of the events that match, a page at a time.
    pub async fn audit(&self, query: &AuditQuery) -> Result<AuditPage, ViewError> { unimplemented!() }

    /// Totals of an area at the end of a day. Area 0 is the whole country, `30000` a province,
    /// `30288` a district.
    pub fn statistics(&self, area: AreaCode, as_of: LocalDay) -> Result<Statistics, ViewError> { unimplemented!() }

    /// Totals of an area at the end of each day on which they changed, in a range of days.
    pub fn statistics_by_day(&self, area: AreaCode, from: LocalDay, to: LocalDay) -> Result<Vec<Statistics>, ViewError> { unimplemented!() }

    /// Every area that anybody was ever counted in.
    pub fn areas(&self) -> Result<Vec<AreaCode>, ViewError> { unimplemented!() }

    /// Open deadlines that are due at or before an instant, the earliest first.
    pub fn deadlines(&self, until: Micros, limit: usize) -> Result<Vec<Deadline>, ViewError> { unimplemented!() }

    /// The digests of what is visible now.
    pub fn digests(&self) -> Vec<ProjectionDigest> { unimplemented!() }

    /// Resolves when the event at `position` is visible in every projection.
    pub async fn wait(&self, position: Position, timeout: Duration) -> Result<(), ViewError> { unimplemented!() }

    /// Builds projections again from the log, aside, and swaps them in. No names: all.
    pub async fn rebuild(&self, names: &[&str], progress: &(dyn Fn(Progress) + Send + Sync), cancel: &AtomicBool) -> Result<Vec<Rebuilt>, ViewError> { unimplemented!() }

    /// Stops following and puts everything on the disk.
    pub async fn close(&self) -> Result<(), ViewError> { unimplemented!() }
}
