//! Checks what the ledger stated of its own state: folds it anew, aside, and compares with every
//! `StateSealed` event.
//!
//! Never reads a serving view to come to its verdict. Where one is there, it says which of its rows part
//! from the replay's, and after which event.

use crate::accounts::{self, Parting};
use crate::error::ViewError;
use crate::generations::Home;
use crate::lane::cuts::Disagreement;
use crate::lane::{Lane, Window};
use crate::rebuild::{Build, OnHalt, Progress, build};
use crate::view::{Row, ViewStore};
use crate::views::projections;
use crate::{Options, Views};
use domain::ids::AccountId;
use ledger::store::EventStore;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Most rows of one projection that are named.
pub const ROWS_MAX: usize = 20;

/// How one projection compares with what was stated of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Its name.
    pub projection: &'static str,
    /// Its version.
    pub version: u32,
    /// Statements that were arrived at here too.
    pub same: u64,
    /// Statements of other versions of the projection.
    pub not_comparable: u64,
    /// How many events the last statement takes in that was arrived at before any that was not.
    pub agreed: Option<u64>,
    /// The first statement that was not arrived at.
    pub first: Option<Disagreement>,
    /// Where and why it halted, if it did.
    pub halted: Option<(u64, String)>,
}

impl Verdict {
    /// Whether everything that was stated was arrived at.
    pub const fn good(&self) -> bool {
        self.first.is_none() && self.halted.is_none()
    }

    /// The events among which the first difference came about, as far as is known: from the first, up to
    /// before the last.
    pub fn interval(&self) -> Option<(u64, u64)> {
        let until = match (&self.first, &self.halted) {
            (Some(first), _) => first.here.position,
            (None, Some((position, _))) => *position,
            (None, None) => return None,
        };
        Some((self.agreed.unwrap_or(0), until))
    }
}

/// A row of a serving view that is not the replay's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowDifference {
    /// Its key.
    pub key: Vec<u8>,
    /// Whether the replay has it.
    pub replayed: bool,
    /// Whether the serving view has it.
    pub serving: bool,
    /// The account whose row it is, and where both part.
    pub account: Option<(AccountId, Parting)>,
}

/// Read models folded anew.
pub struct Replay {
    lanes: Vec<Lane>,
    store: Arc<dyn EventStore>,
    /// How many events were folded.
    pub events: u64,
}

impl Replay {
    /// Folds the ledger in a directory of its own, which nothing else uses.
    pub async fn fold(
        dir: &Path,
        store: Arc<dyn EventStore>,
        options: &Options,
        cancel: &AtomicBool,
    ) -> Result<Self, ViewError> {
        let home = Home::open(dir, options.cache_bytes)?;
        let window = Window::building(options.build_bytes);
        let mut lanes = Vec::new();
        for projection in projections() {
            let (_, view) = home.create(projection.name())?;
            lanes.push(Lane::create(projection, view, window)?);
        }
        let events = store.length().await?;
        let progress = |progress: Progress| {
            if let Some(told) = &options.progress {
                told(progress);
            }
        };
        let build_of = Build {
            store: Arc::clone(&store),
            admission: options.admission.clone(),
            to: events,
            on_halt: OnHalt::Keep,
            progress: &progress,
            cancel,
        };
        let lanes = build(lanes, build_of).await?;
        Ok(Self {
            lanes,
            store,
            events,
        })
    }

    /// How each projection compares with what was stated of it.
    pub fn verdicts(&self) -> Vec<Verdict> {
        let verdict = |lane: &Lane| {
            let compared = lane.compared();
            let halt = lane.last_halt();
            Verdict {
                projection: lane.name(),
                version: lane.version(),
                same: compared.same,
                not_comparable: compared.not_comparable,
                agreed: compared.agreed,
                first: compared.first.clone(),
                halted: halt.map(|halt| (halt.position, halt.reason.clone())),
            }
        };
        self.lanes.iter().map(verdict).collect()
    }

    /// The first rows of a projection in which serving views, as far as this replay, differ from it. `None`:
    /// they are elsewhere in the ledger, or of another version, and cannot be compared.
    pub async fn compare(
        &self,
        serving: &Views,
        verdict: &Verdict,
    ) -> Result<Option<Vec<RowDifference>>, ViewError> {
        let name = verdict.projection;
        let lane = self.lanes.iter().find(|lane| lane.name() == name);
        let theirs = serving.digests();
        let theirs = theirs.iter().find(|digest| digest.projection == name);
        let (Some(lane), Some(theirs)) = (lane, theirs) else {
            return Ok(None);
        };
        let ours = lane.digest();
        if (ours.version, ours.position) != (theirs.version, theirs.position) {
            return Ok(None);
        }
        let view = serving.rows(name)?;
        let mut found = Vec::new();
        for (key, replayed, served) in differences(&**lane.view(), &*view)? {
            let account = match accounts::account_of(name, &key) {
                Some(account) => {
                    let interval = verdict.interval().unwrap_or((0, self.events));
                    let parting =
                        accounts::parting(&*self.store, account, served.as_deref(), interval)
                            .await?;
                    Some((account, parting))
                }
                None => None,
            };
            found.push(RowDifference {
                key,
                replayed: replayed.is_some(),
                serving: served.is_some(),
                account,
            });
        }
        Ok(Some(found))
    }
}

/// A key and its values here and there.
type Difference = (Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>);

/// The first rows in which two views differ, without those of the lanes' own.
fn differences(ours: &dyn ViewStore, theirs: &dyn ViewStore) -> Result<Vec<Difference>, ViewError> {
    let mut found = Vec::new();
    let (mut left, mut right) = (Pages::of(ours), Pages::of(theirs));
    let (mut ours, mut theirs) = (left.next()?, right.next()?);
    while found.len() < ROWS_MAX {
        let order = match (&ours, &theirs) {
            (None, None) => break,
            (Some(_), None) => core::cmp::Ordering::Less,
            (None, Some(_)) => core::cmp::Ordering::Greater,
            (Some((left, _)), Some((right, _))) => left.cmp(right),
        };
        let one = if order.is_le() { ours.take() } else { None };
        let other = if order.is_ge() { theirs.take() } else { None };
        if order.is_le() {
            ours = left.next()?;
        }
        if order.is_ge() {
            theirs = right.next()?;
        }
        if one != other {
            let key = one.as_ref().or(other.as_ref()).map(|(key, _)| key.clone());
            let value = |row: Option<Row>| row.map(|(_, value)| value);
            found.push((key.unwrap_or_default(), value(one), value(other)));
        }
    }
    Ok(found)
}

/// All rows of a view in order, a page at a time.
struct Pages<'a> {
    view: &'a dyn ViewStore,
    start: Vec<u8>,
    page: std::vec::IntoIter<Row>,
    last: bool,
}

impl<'a> Pages<'a> {
    fn of(view: &'a dyn ViewStore) -> Self {
        Self {
            view,
            start: vec![1],
            page: Vec::new().into_iter(),
            last: false,
        }
    }

    fn next(&mut self) -> Result<Option<Row>, ViewError> {
        const PAGE: usize = 1_000;
        if self.page.len() == 0 && !self.last {
            let order = crate::view::Order::Ascending;
            let rows = self.view.scan(&self.start, &[0xff], order, PAGE)?;
            self.last = rows.len() < PAGE;
            if let Some((key, _)) = rows.last() {
                self.start.clone_from(key);
                self.start.push(0);
            }
            self.page = rows.into_iter();
        }
        Ok(self.page.next())
    }
}
