//! Statistics.
use domain::ids::{AreaCode, LocalDay};
/// Counts of accounts, each account once (spec 0.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Counts {
    /// App accounts that are not identified; not among [`Counts::accounts`].
    pub app_only: i64,
    /// Level 1, not activated.
    pub level1_inactive: i64,
    /// Level 1, activated.
    pub level1_activated: i64,
    /// Level 2, not activated.
    pub level2_inactive: i64,
    /// Level 2, activated.
    pub level2_activated: i64,
    /// Issued and closed since; not among [`Counts::accounts`].
    pub closed: i64,
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
/// Totals at the end of one day.
pub type DayCounts = Statistics;
