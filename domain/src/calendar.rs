//! Civil days of Asia/Ho_Chi_Minh (spec B.3). Which of them are working days is published:
//! [`crate::law::Calendar`].
//!
//! Deadlines are computed when something is decided and stored in the event, so that a later change
//! of holidays moves no history.

use crate::ids::{LocalDay, Micros};
use jiff::civil::Date;

#[cfg(test)]
mod tests;

/// Offset of Asia/Ho_Chi_Minh in microseconds; no daylight saving since 1975.
const OFFSET: i64 = 7 * 3600 * Micros::SECOND;

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

/// The day after; the last day that can be named has none.
#[must_use]
pub const fn next_day(day: LocalDay) -> LocalDay {
    LocalDay(day.0.saturating_add(1))
}

/// Monday to Friday.
pub const fn is_weekday(day: LocalDay) -> bool {
    // 1970-01-01 was a Thursday: Monday is 0.
    day.0.saturating_add(3).rem_euclid(7) < 5
}

/// A civil day as ISO 8601 writes it, and only so.
pub fn parse_day(text: &str) -> Option<LocalDay> {
    if text.len() != "2024-03-05".len() {
        return None;
    }
    let date: Date = text.parse().ok()?;
    local_day(date.year(), date.month(), date.day())
}

/// An instant as people write it: a civil day (its first instant in Viet Nam), or RFC 3339.
pub fn parse_instant(text: &str) -> Option<Micros> {
    let text = text.trim();
    if let Some(day) = parse_day(text) {
        return Some(start_of(day));
    }
    let timestamp: jiff::Timestamp = text.parse().ok()?;
    Some(Micros(timestamp.as_microsecond()))
}
