//! Instants as people write and read them.
//!
//! Owns the text forms: RFC 3339 instants, and civil days of Asia/Ho_Chi_Minh (UTC+7 without
//! daylight saving since 1975), which is what the law's clocks and the statistics count in.

use domain::ids::{LocalDay, Micros, Position};

pub use api::time::{Zone, show};

/// A moment named by a position or by a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// After this event.
    At(Position),
    /// At this instant, inclusive. A bare day means its last microsecond.
    Until(Micros),
}

/// Offset of Asia/Ho_Chi_Minh from UTC, in hours.
const LOCAL_OFFSET_H: i8 = 7;

/// An RFC 3339 instant, or the first microsecond of a local day.
pub fn parse_since(text: &str) -> Result<Micros, String> {
    match parse_day(text) {
        Ok(day) => Ok(day_start(day)),
        Err(_) => parse_instant(text),
    }
}

/// An RFC 3339 instant, or the last microsecond of a local day.
pub fn parse_until(text: &str) -> Result<Micros, String> {
    match parse_day(text) {
        Ok(day) => Ok(day_start(LocalDay(day.0.saturating_add(1))).plus(-1)),
        Err(_) => parse_instant(text),
    }
}

/// A position, an instant or a day.
pub fn parse_moment(text: &str) -> Result<Moment, String> {
    if let Ok(position) = text.parse::<u64>() {
        return Ok(Moment::At(Position(position)));
    }
    parse_until(text)
        .map(Moment::Until)
        .map_err(|_| "not a position, a day (2024-03-05) or an RFC 3339 time".to_owned())
}

/// A civil day, `2024-03-05`.
pub fn parse_day(text: &str) -> Result<LocalDay, String> {
    let date: jiff::civil::Date = text
        .parse()
        .map_err(|_| "not a day: write 2024-03-05".to_owned())?;
    if text.len() != "2024-03-05".len() {
        return Err("not a day: write 2024-03-05".to_owned());
    }
    let days = date
        .since(jiff::civil::date(1970, 1, 1))
        .map_err(|error| error.to_string())?;
    Ok(LocalDay(days.get_days()))
}

/// The first microsecond of a local day.
pub fn day_start(day: LocalDay) -> Micros {
    Micros(i64::from(day.0) * Micros::DAY - i64::from(LOCAL_OFFSET_H) * 3600 * Micros::SECOND)
}

/// A day as text.
pub fn show_day(day: LocalDay) -> String {
    show(day_start(day), Zone::Local)
        .chars()
        .take("2024-03-05".len())
        .collect()
}

fn parse_instant(text: &str) -> Result<Micros, String> {
    let timestamp: jiff::Timestamp = text
        .parse()
        .map_err(|_| "not a day (2024-03-05) or an RFC 3339 time".to_owned())?;
    Ok(Micros(timestamp.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_a_day_in_ho_chi_minh() {
        let day = parse_day("2024-03-05").unwrap();
        assert_eq!(show_day(day), "2024-03-05");
        let (start, end) = (
            parse_since("2024-03-05").unwrap(),
            parse_until("2024-03-05").unwrap(),
        );
        assert_eq!(show(start, Zone::Utc), "2024-03-04T17:00:00.000Z");
        assert_eq!(show(end, Zone::Local), "2024-03-05T23:59:59.999+07:00");
        assert_eq!((start.local_day(), end.local_day()), (day, day));
        assert_eq!(end.plus(1).local_day(), LocalDay(day.0 + 1));
        assert_eq!(parse_moment("12"), Ok(Moment::At(Position(12))));
        assert_eq!(parse_moment("2024-03-05"), Ok(Moment::Until(end)));
        assert!(parse_moment("yesterday").is_err() && parse_day("2024-02-30").is_err());
    }
}
