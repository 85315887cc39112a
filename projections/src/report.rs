//! Reports, read from the statistics at one position of the log: the data-quality report ("đúng, đủ,
//! sạch, sống", A-15) and the monthly report (A-16).
//!
//! A report holds nothing but what follows from the events: no clock, no host. So the same prefix of a log
//! gives the same report on every machine, and it says which prefix: number of events, and the digest of
//! the rows that it was read from.

use crate::digest::ProjectionDigest;
use crate::error::ViewError;
use crate::statistics::{
    self, Documents, Flows, Statistics, documents as documents_of, flows as flows_of, stale,
};
use crate::view::ViewStore;
use domain::calendar::{local_day, start_of};
use domain::decide::database_of;
use domain::ids::{AreaCode, Digest, LocalDay, Position};
use domain::law::{Known, LawBook};
use domain::vocabulary::{Database, DocumentKind};

/// What a report was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Number of events: the position of the first that does not count.
    pub position: u64,
    /// Version of the statistics.
    pub version: u32,
    /// Digest of the statistics' rows at that position.
    pub digest: Digest,
}

/// A month of the civil calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    year: i16,
    month: i8,
}

impl Month {
    /// `2024-02`; nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-')?;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if year.len() != 4 || month.len() != 2 || !digits(year) || !digits(month) {
            return None;
        }
        let (year, month) = (year.parse().ok()?, month.parse().ok()?);
        let this = Self { year, month };
        (1..=12)
            .contains(&month)
            .then_some(this)
            .filter(|this| this.first().is_some())
    }

    /// Of a day.
    pub fn of(day: LocalDay) -> Self {
        let (year, month, _) = domain::calendar::ymd(day);
        Self { year, month }
    }

    /// Its first day; `None` beyond what a calendar holds.
    pub fn first(self) -> Option<LocalDay> {
        local_day(self.year, self.month, 1)
    }

    /// Its last day.
    pub fn last(self) -> Option<LocalDay> {
        let next = if self.month == 12 {
            local_day(self.year.checked_add(1)?, 1, 1)
        } else {
            local_day(self.year, self.month + 1, 1)
        };
        next.map(|day| LocalDay(day.0 - 1))
    }
}

impl core::fmt::Display for Month {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// Documents of one kind in one area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QualityRow {
    /// Where.
    pub area: AreaCode,
    /// Which kind.
    pub kind: DocumentKind,
    /// The registry that owns it.
    pub registry: Database,
    /// How they stand.
    pub documents: Documents,
    /// Of the verified: their data are older than policy lets them be.
    pub stale: i64,
}

/// How good the linked data are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quality {
    /// At the end of this day.
    pub as_of: LocalDay,
    /// Days after which data count as stale: the policy's of that day.
    pub stale_days: u16,
    /// What it was read from.
    pub source: Source,
    /// By area and kind.
    pub rows: Vec<QualityRow>,
}

/// Documents of one kind over a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonthDocuments {
    /// Which kind.
    pub kind: DocumentKind,
    /// At the end.
    pub end: Documents,
    /// What came to it in the month.
    pub change: Documents,
}

/// One area over a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AreaMonth {
    /// Where.
    pub area: AreaCode,
    /// Accounts at the end.
    pub end: Statistics,
    /// Accounts at the end of the month before.
    pub before: Statistics,
    /// Procedures and deadlines of the month.
    pub flows: Flows,
    /// Documents by kind.
    pub documents: Vec<MonthDocuments>,
}

/// A month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Monthly {
    /// Which.
    pub month: Month,
    /// Its first day.
    pub from: LocalDay,
    /// The last day that counts: the month's, or the day asked for.
    pub to: LocalDay,
    /// What it was read from.
    pub source: Source,
    /// By area: the country first.
    pub areas: Vec<AreaMonth>,
}

fn source(digest: &ProjectionDigest) -> Source {
    Source {
        position: digest.position,
        version: digest.version,
        digest: digest.digest,
    }
}

/// The area asked for, or every area that anybody was counted in, the country first.
fn areas(view: &dyn ViewStore, area: Option<AreaCode>) -> Result<Vec<AreaCode>, ViewError> {
    if let Some(area) = area {
        return Ok(vec![area]);
    }
    let mut areas = statistics::areas(view)?;
    areas.retain(|area| *area != statistics::COUNTRY);
    areas.insert(0, statistics::COUNTRY);
    Ok(areas)
}

pub(crate) fn quality(
    view: &dyn ViewStore,
    digest: &ProjectionDigest,
    area: Option<AreaCode>,
    as_of: LocalDay,
    book: &LawBook,
) -> Result<Quality, ViewError> {
    let known = Known::Position(Position(digest.position.saturating_sub(1)));
    let stale_days = book
        .edition(start_of(as_of), known)
        .policy()
        .document_stale_days;
    let mut rows = Vec::new();
    for area in areas(view, area)? {
        for kind in DocumentKind::ALL {
            rows.push(QualityRow {
                area,
                kind: *kind,
                registry: database_of(*kind),
                documents: documents_of(view, area, *kind, as_of)?,
                stale: stale(view, area, *kind, as_of, stale_days)?,
            });
        }
    }
    Ok(Quality {
        as_of,
        stale_days,
        source: source(digest),
        rows,
    })
}

pub(crate) fn monthly(
    view: &dyn ViewStore,
    digest: &ProjectionDigest,
    area: Option<AreaCode>,
    month: Month,
    as_of: Option<LocalDay>,
) -> Result<Monthly, ViewError> {
    let beyond = ViewError::BadQuery("there is no such month");
    let from = month.first().ok_or_else(|| beyond.clone())?;
    let last = month.last().ok_or(beyond)?;
    let to = as_of.unwrap_or(last);
    if !(from..=last).contains(&to) {
        return Err(ViewError::BadQuery("the day is not in the month"));
    }
    let before = LocalDay(from.0 - 1);
    let mut found = Vec::new();
    for area in areas(view, area)? {
        let mut documents = Vec::new();
        for kind in DocumentKind::ALL {
            let end = documents_of(view, area, *kind, to)?;
            documents.push(MonthDocuments {
                kind: *kind,
                end,
                change: end.since(&documents_of(view, area, *kind, before)?),
            });
        }
        found.push(AreaMonth {
            area,
            end: statistics::as_of(view, area, to)?,
            before: statistics::as_of(view, area, before)?,
            flows: flows_of(view, area, to)?.since(&flows_of(view, area, before)?),
            documents,
        });
    }
    Ok(Monthly {
        month,
        from,
        to,
        source: source(digest),
        areas: found,
    })
}

impl AreaMonth {
    /// The counts at the end and their change, each under its name.
    pub fn accounts(&self) -> [(&'static str, i64, i64); 11] {
        let figure = |name, get: fn(&Statistics) -> i64| {
            let (now, before) = (get(&self.end), get(&self.before));
            (name, now, now - before)
        };
        [
            figure("accounts", |s| s.accounts),
            figure("level_1", |s| s.level1),
            figure("level_2", |s| s.level2),
            figure("activated", |s| s.activated),
            figure("level_1_inactive", |s| s.counts.level1_inactive),
            figure("level_1_activated", |s| s.counts.level1_activated),
            figure("level_2_inactive", |s| s.counts.level2_inactive),
            figure("level_2_activated", |s| s.counts.level2_activated),
            figure("app_only", |s| s.counts.app_only),
            figure("closed", |s| s.counts.closed),
            figure("organisations", |s| s.counts.organisations),
        ]
    }
}
