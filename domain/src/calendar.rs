//! Local days and working days (spec B.3): Monday to Friday less the public holidays handed in.
//!
//! Deadlines are computed when something is decided and stored in the event, so that a later change
//! of holidays moves no history.

use crate::ids::{LocalDay, Micros};
use jiff::civil::Date;

#[cfg(test)]
mod tests;

/// Offset of Asia/Ho_Chi_Minh in microseconds; no daylight saving since 1975.
const OFFSET: i64 = 7 * 3600 * Micros::SECOND;

/// Where a date of the table comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confidence {
    /// Fixed by law: the Labour Code art. 112 names the day.
    Law,
    /// Recalled, not checked in the year's official notice: Tết and substitute days are set by it.
    Recalled,
}

/// A public holiday.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holiday {
    /// Year, month, day.
    pub date: (i16, i8, i8),
    /// Where it comes from.
    pub confidence: Confidence,
}

/// First instant of a local day.
pub const fn start_of(day: LocalDay) -> Micros {
    Micros(
        (day.0 as i64)
            .saturating_mul(Micros::DAY)
            .saturating_sub(OFFSET),
    )
}

/// A day of the calendar, if there is one.
pub fn local_day(year: i16, month: i8, day: i8) -> Option<LocalDay> {
    let date = Date::new(year, month, day).ok()?;
    let days = date.since(Date::constant(1970, 1, 1)).ok()?.get_days();
    Some(LocalDay(days))
}

/// Year, month and day. Days that no calendar reaches are its last one.
pub fn ymd(day: LocalDay) -> (i16, i8, i8) {
    let span = jiff::Span::new().try_days(day.0);
    let date = span
        .and_then(|span| Date::constant(1970, 1, 1).checked_add(span))
        .unwrap_or(if day.0 < 0 { Date::MIN } else { Date::MAX });
    (date.year(), date.month(), date.day())
}

/// ISO 8601, for people.
pub fn day_text(day: LocalDay) -> String {
    let (year, month, day) = ymd(day);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Whether authorities work on a day. `holidays` must be sorted.
pub fn is_working_day(day: LocalDay, holidays: &[LocalDay]) -> bool {
    // 1970-01-01 was a Thursday: Monday is 0.
    day.0.saturating_add(3).rem_euclid(7) < 5 && holidays.binary_search(&day).is_err()
}

/// The `count`-th working day after a day; the day itself does not count. `holidays` must be sorted.
pub fn working_days_after(from: LocalDay, count: u8, holidays: &[LocalDay]) -> LocalDay {
    let (mut day, mut left) = (from, count);
    while left > 0 && day.0 < i32::MAX {
        day = LocalDay(day.0.saturating_add(1));
        if is_working_day(day, holidays) {
            left -= 1;
        }
    }
    day
}

/// The built-in holidays as sorted local days: the default until an operator hands in another list.
pub fn default_holidays() -> Vec<LocalDay> {
    let to_day = |holiday: &Holiday| {
        let (year, month, day) = holiday.date;
        local_day(year, month, day)
    };
    let mut days: Vec<LocalDay> = HOLIDAYS.iter().filter_map(to_day).collect();
    days.sort_unstable();
    days.dedup();
    days
}

/// Fixed by law.
const fn law(year: i16, month: i8, day: i8) -> Holiday {
    Holiday {
        date: (year, month, day),
        confidence: Confidence::Law,
    }
}

/// Recalled.
const fn recalled(year: i16, month: i8, day: i8) -> Holiday {
    Holiday {
        date: (year, month, day),
        confidence: Confidence::Recalled,
    }
}

/// Public holidays of Viet Nam, 2022 to 2026. The day beside 2 September, Tết, the Hùng Kings' day
/// (10th of the third lunar month) and substitute days are recalled.
pub const HOLIDAYS: &[Holiday] = &[
    law(2022, 1, 1),
    recalled(2022, 1, 3),
    recalled(2022, 1, 31),
    recalled(2022, 2, 1),
    recalled(2022, 2, 2),
    recalled(2022, 2, 3),
    recalled(2022, 2, 4),
    recalled(2022, 4, 11),
    law(2022, 4, 30),
    law(2022, 5, 1),
    recalled(2022, 5, 2),
    recalled(2022, 5, 3),
    recalled(2022, 9, 1),
    law(2022, 9, 2),
    law(2023, 1, 1),
    recalled(2023, 1, 2),
    recalled(2023, 1, 20),
    recalled(2023, 1, 21),
    recalled(2023, 1, 22),
    recalled(2023, 1, 23),
    recalled(2023, 1, 24),
    recalled(2023, 1, 25),
    recalled(2023, 1, 26),
    recalled(2023, 4, 29),
    law(2023, 4, 30),
    law(2023, 5, 1),
    recalled(2023, 5, 2),
    recalled(2023, 5, 3),
    recalled(2023, 9, 1),
    law(2023, 9, 2),
    recalled(2023, 9, 4),
    law(2024, 1, 1),
    recalled(2024, 2, 8),
    recalled(2024, 2, 9),
    recalled(2024, 2, 10),
    recalled(2024, 2, 11),
    recalled(2024, 2, 12),
    recalled(2024, 2, 13),
    recalled(2024, 2, 14),
    recalled(2024, 4, 18),
    recalled(2024, 4, 29),
    law(2024, 4, 30),
    law(2024, 5, 1),
    law(2024, 9, 2),
    recalled(2024, 9, 3),
    law(2025, 1, 1),
    recalled(2025, 1, 27),
    recalled(2025, 1, 28),
    recalled(2025, 1, 29),
    recalled(2025, 1, 30),
    recalled(2025, 1, 31),
    recalled(2025, 4, 7),
    law(2025, 4, 30),
    law(2025, 5, 1),
    recalled(2025, 5, 2),
    recalled(2025, 9, 1),
    law(2025, 9, 2),
    law(2026, 1, 1),
    recalled(2026, 1, 2),
    recalled(2026, 2, 16),
    recalled(2026, 2, 17),
    recalled(2026, 2, 18),
    recalled(2026, 2, 19),
    recalled(2026, 2, 20),
    recalled(2026, 4, 27),
    law(2026, 4, 30),
    law(2026, 5, 1),
    recalled(2026, 9, 1),
    law(2026, 9, 2),
];
