//! How many accounts there are: by area, level, activation and day.
//!
//! Days are civil days in Asia/Ho_Chi_Minh on which things **happened**, so that a late record counts
//! on its day. Each account counts once, at its highest level (spec 0.12). Rows hold what changed
//! on a day, for the district, its province and the country; totals as of a day are a sum over at
//! most a few hundred small rows.
//!
//! Beside them one small row per account says what it counts as since when. A new fact takes the
//! account's old line of changes out and puts the new one in, so that the order in which facts are
//! recorded does not matter.
//!
//! What the reports need besides (documents, procedures, deadlines) is in `held`.

mod counts;
mod freshness;
mod held;
mod standing;
mod tally;

pub use counts::{Counts, Statistics};
pub use standing::{Documents, Flows};
pub(crate) use {freshness::stale, held::documents, held::flows};

use crate::changes::Changes;
use crate::error::{ApplyError, ViewError};
use crate::projection::{Decoded, Projection};
use crate::view::{Order, ViewStore, prefix_end};
use counts::Class;
use domain::bytes;
use domain::event::Event;
use domain::ids::{AccountId, AreaCode, LocalDay};
use domain::vocabulary::{Database, Level};
use std::collections::BTreeMap;
use wincode::{SchemaRead, SchemaWrite};

/// Its name.
pub const NAME: &str = "statistics";
/// Version of its rows.
pub const VERSION: u32 = 4;

const ACCOUNT: u8 = b'a';
const DAYS: u8 = b'd';
/// Days of one row.
const CHUNK_DAYS: i32 = 32;
/// Most rows read for one total: over 800 years.
const CHUNKS_MAX: usize = 10_000;
/// The whole country.
pub const COUNTRY: AreaCode = AreaCode(0);

/// Since when, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SchemaRead, SchemaWrite)]
struct Since {
    day: LocalDay,
    area: Option<AreaCode>,
}

/// What is known of one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, SchemaRead, SchemaWrite)]
struct Facts {
    /// Where the population registry last said the holder resides.
    area: Option<AreaCode>,
    app: Option<Since>,
    level1: Option<Since>,
    level2: Option<Since>,
    activated: Option<LocalDay>,
    closed: Option<LocalDay>,
    organisation: Option<Since>,
}

impl Facts {
    fn at(&self, day: LocalDay) -> Option<(Option<AreaCode>, Class)> {
        let by = |since: &Option<Since>| since.filter(|since| since.day <= day);
        let activated = self.activated.is_some_and(|activated| activated <= day);
        let level = |level| move |since: Since| (since.area, Class::Issued(level, activated));
        let counted = by(&self.level2)
            .map(level(Level::Two))
            .or_else(|| by(&self.level1).map(level(Level::One)))
            .or_else(|| by(&self.organisation).map(|since| (since.area, Class::Organisation)))
            .or_else(|| by(&self.app).map(|since| (since.area, Class::AppOnly)));
        let closed = self.closed.is_some_and(|closed| closed <= day);
        counted.map(|(area, class)| (area, if closed { Class::Closed } else { class }))
    }

    /// Adds (or with `sign` −1 takes away) the account's line of changes.
    fn line(&self, sign: i64, into: &mut BTreeMap<(AreaCode, LocalDay), Counts>) {
        let since = |since: Option<Since>| since.map(|since| since.day);
        let mut days: Vec<LocalDay> = [
            since(self.app),
            since(self.level1),
            since(self.level2),
            self.activated,
            self.closed,
            since(self.organisation),
        ]
        .into_iter()
        .flatten()
        .collect();
        days.sort_unstable();
        days.dedup();
        let mut before = None;
        for day in days {
            let now = self.at(day);
            for (counted, change) in [(before, -sign), (now, sign)] {
                let Some((area, class)) = counted else {
                    continue;
                };
                for level in areas_of(area) {
                    *into.entry((level, day)).or_default().of(class) += change;
                }
            }
            before = now;
        }
    }

    fn take(&mut self, event: &Event, day: LocalDay) -> bool {
        let before = *self;
        let earlier = |known: Option<LocalDay>| Some(known.map_or(day, |known| known.min(day)));
        match event {
            Event::RegistryCheckSucceeded(facts)
                if matches!(facts.database, Database::Population | Database::Immigration) =>
            {
                self.area = Some(facts.area);
            }
            Event::AppAccountCreated(_) if self.app.is_none() => {
                self.app = Some(Since {
                    day,
                    area: self.area,
                });
            }
            Event::AccountIssued(facts) => {
                let since = match facts.level {
                    Level::One => &mut self.level1,
                    Level::Two => &mut self.level2,
                };
                *since = since.or(Some(Since {
                    day,
                    area: Some(facts.area),
                }));
            }
            Event::AccountImported(facts) => {
                let since = match facts.level {
                    Level::One => &mut self.level1,
                    Level::Two => &mut self.level2,
                };
                *since = since.or(Some(Since {
                    day,
                    area: Some(facts.area),
                }));
            }
            Event::OrganisationAccountIssued(facts) => {
                self.organisation = self.organisation.or(Some(Since {
                    day,
                    area: Some(facts.area).filter(|area| *area != COUNTRY),
                }));
            }
            Event::AccountActivated(_) | Event::ActivationImported(_) => {
                self.activated = earlier(self.activated);
            }
            Event::AccountClosed(_) => self.closed = earlier(self.closed),
            _ => {}
        }
        *self != before
    }
}

/// The area itself, its province and the country, each once.
fn areas_of(area: Option<AreaCode>) -> impl Iterator<Item = AreaCode> {
    let province = area.map(|area| AreaCode(area.province() * 1000));
    let district = area.filter(|area| Some(*area) != province && *area != COUNTRY);
    [
        district,
        province.filter(|province| *province != COUNTRY),
        Some(COUNTRY),
    ]
    .into_iter()
    .flatten()
}

/// Changes of one area on up to [`CHUNK_DAYS`] days, sorted; a day without changes is not there.
#[derive(Debug, Default, Clone, PartialEq, Eq, SchemaRead, SchemaWrite)]
struct Chunk {
    days: Vec<DayChange>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, SchemaRead, SchemaWrite)]
struct DayChange {
    day: LocalDay,
    change: Counts,
}

impl Chunk {
    fn add(&mut self, day: LocalDay, change: &Counts) {
        match self.days.binary_search_by_key(&day, |known| known.day) {
            Ok(at) => {
                if let Some(known) = self.days.get_mut(at) {
                    known.change.add(change);
                }
            }
            Err(at) => self.days.insert(
                at,
                DayChange {
                    day,
                    change: *change,
                },
            ),
        }
        self.days.retain(|known| known.change != Counts::default());
    }
}

/// Folds what accounts count as.
#[derive(Debug, Default)]
pub struct StatisticsProjection {
    held: held::Held,
}

impl Projection for StatisticsProjection {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn apply(&mut self, changes: &mut Changes, record: &Decoded) -> Result<(), ApplyError> {
        self.count(changes, record)?;
        let added = held::apply(changes, record)?;
        // Last, since it cannot be taken back: a record that fails leaves nothing behind.
        self.held.merge(added);
        Ok(())
    }

    fn held_rows(&self) -> usize {
        self.held.len()
    }

    fn before_commit(&mut self, changes: &mut Changes) -> Result<(), ViewError> {
        self.held.flush(changes).map_err(|error| match error {
            ApplyError::View(error) => error,
            ApplyError::Poison(reason) => ViewError::damaged(NAME, &reason),
        })
    }
}

impl StatisticsProjection {
    /// What the account counts as, in its area, since its day.
    #[allow(clippy::unused_self, reason = "it is the projection's, as `apply` is")]
    fn count(&self, changes: &mut Changes, record: &Decoded) -> Result<(), ApplyError> {
        let Some(account) = record.account().filter(|_| counts(&record.event)) else {
            return Ok(());
        };
        let key = account_key(account);
        let before: Facts = changes.read(NAME, &key)?.unwrap_or_default();
        let mut after = before;
        if !after.take(&record.event, record.envelope.occurred_at.local_day()) {
            return Ok(());
        }
        changes.write(&key, &after)?;
        let mut difference = BTreeMap::new();
        before.line(-1, &mut difference);
        after.line(1, &mut difference);
        for ((area, day), change) in difference {
            if change == Counts::default() {
                continue;
            }
            let key = days_key(area, day);
            let mut chunk: Chunk = changes.read(NAME, &key)?.unwrap_or_default();
            chunk.add(day, &change);
            if chunk.days.is_empty() {
                changes.delete(&key)?;
            } else {
                changes.write(&key, &chunk)?;
            }
        }
        Ok(())
    }
}

/// Whether a kind can change what an account counts as.
fn counts(event: &Event) -> bool {
    matches!(
        event,
        Event::RegistryCheckSucceeded(_)
            | Event::AppAccountCreated(_)
            | Event::AccountIssued(_)
            | Event::AccountActivated(_)
            | Event::AccountClosed(_)
            | Event::AccountImported(_)
            | Event::ActivationImported(_)
            | Event::OrganisationAccountIssued(_)
    )
}

fn account_key(account: AccountId) -> Vec<u8> {
    let mut key = vec![ACCOUNT];
    key.extend(account.0);
    key
}

fn area_prefix(area: AreaCode) -> Vec<u8> {
    let mut key = vec![DAYS];
    key.extend(area.0.to_be_bytes());
    key
}

fn days_key(area: AreaCode, day: LocalDay) -> Vec<u8> {
    let mut key = area_prefix(area);
    // Moved into the unsigned range, so that bytes sort like days.
    let chunk = day.0.div_euclid(CHUNK_DAYS).cast_unsigned() ^ (1 << 31);
    key.extend(chunk.to_be_bytes());
    key
}

/// Totals of an area at the end of a day.
pub(crate) fn as_of(
    view: &dyn ViewStore,
    area: AreaCode,
    day: LocalDay,
) -> Result<Statistics, ViewError> {
    let mut counts = Counts::default();
    for known in days_until(view, area, day)? {
        counts.add(&known.change);
    }
    Ok(Statistics::new(area, day, counts))
}

/// Totals at the end of each day on which they changed, in `from..=to`.
pub(crate) fn by_day(
    view: &dyn ViewStore,
    area: AreaCode,
    from: LocalDay,
    to: LocalDay,
) -> Result<Vec<Statistics>, ViewError> {
    let mut counts = Counts::default();
    let mut days = Vec::new();
    for known in days_until(view, area, to)? {
        counts.add(&known.change);
        if known.day >= from {
            days.push(Statistics::new(area, known.day, counts));
        }
    }
    Ok(days)
}

/// Every area that anybody was ever counted in, provinces and the country included.
pub(crate) fn areas(view: &dyn ViewStore) -> Result<Vec<AreaCode>, ViewError> {
    let end = prefix_end(&[DAYS]);
    let mut start = vec![DAYS];
    let mut areas = Vec::new();
    while let Some((key, _)) = view
        .scan(&start, &end, Order::Ascending, 1)?
        .into_iter()
        .next()
    {
        let area = key
            .get(1..5)
            .and_then(|area| area.try_into().ok())
            .map(u32::from_be_bytes);
        let area = area.ok_or_else(|| ViewError::damaged(NAME, "a key of another length"))?;
        areas.push(AreaCode(area));
        start = prefix_end(&area_prefix(AreaCode(area)));
    }
    Ok(areas)
}

fn days_until(
    view: &dyn ViewStore,
    area: AreaCode,
    day: LocalDay,
) -> Result<Vec<DayChange>, ViewError> {
    let mut end = days_key(area, day);
    end.push(0);
    let mut days = Vec::new();
    for (_, row) in view.scan(&area_prefix(area), &end, Order::Ascending, CHUNKS_MAX)? {
        let chunk: Chunk = bytes::decode(&row).map_err(|error| ViewError::damaged(NAME, &error))?;
        days.extend(chunk.days.into_iter().filter(|known| known.day <= day));
    }
    Ok(days)
}
