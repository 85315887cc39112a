//! What is counted: each account once, at its highest level (spec 0.12).

use domain::ids::{AreaCode, LocalDay};
use domain::vocabulary::Level;
use wincode::{SchemaRead, SchemaWrite};

/// Counts of accounts, each account once (spec 0.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, SchemaRead, SchemaWrite, serde::Serialize)]
pub struct Counts {
    /// App accounts that are not identified; not among the issued ones.
    pub app_only: i64,
    /// Level 1, not activated.
    pub level1_inactive: i64,
    /// Level 1, activated.
    pub level1_activated: i64,
    /// Level 2, not activated.
    pub level2_inactive: i64,
    /// Level 2, activated.
    pub level2_activated: i64,
    /// Closed; not among the issued ones.
    pub closed: i64,
    /// Of agencies and organisations: without levels, and so not among the issued ones.
    pub organisations: i64,
}

impl Counts {
    pub(super) fn of(&mut self, class: Class) -> &mut i64 {
        match class {
            Class::AppOnly => &mut self.app_only,
            Class::Issued(Level::One, false) => &mut self.level1_inactive,
            Class::Issued(Level::One, true) => &mut self.level1_activated,
            Class::Issued(Level::Two, false) => &mut self.level2_inactive,
            Class::Issued(Level::Two, true) => &mut self.level2_activated,
            Class::Closed => &mut self.closed,
            Class::Organisation => &mut self.organisations,
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.app_only += other.app_only;
        self.level1_inactive += other.level1_inactive;
        self.level1_activated += other.level1_activated;
        self.level2_inactive += other.level2_inactive;
        self.level2_activated += other.level2_activated;
        self.closed += other.closed;
        self.organisations += other.organisations;
    }
}

/// Totals of an area at the end of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Statistics {
    /// The area.
    pub area: AreaCode,
    /// The day, Asia/Ho_Chi_Minh.
    pub as_of: LocalDay,
    /// Accounts issued: level 1 and level 2.
    pub accounts: i64,
    /// Of these, at level 1.
    pub level1: i64,
    /// Of these, at level 2.
    pub level2: i64,
    /// Of these, activated.
    pub activated: i64,
    /// The counts behind the totals.
    pub counts: Counts,
}

impl Statistics {
    pub(super) fn new(area: AreaCode, as_of: LocalDay, counts: Counts) -> Self {
        let level1 = counts.level1_inactive + counts.level1_activated;
        let level2 = counts.level2_inactive + counts.level2_activated;
        let activated = counts.level1_activated + counts.level2_activated;
        Self {
            area,
            as_of,
            accounts: level1 + level2,
            level1,
            level2,
            activated,
            counts,
        }
    }
}

/// What an account counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    AppOnly,
    Issued(Level, bool),
    Closed,
    Organisation,
}
