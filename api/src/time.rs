//! Instants and days as the API writes them: RFC 3339 in UTC, and `YYYY-MM-DD` in Asia/Ho_Chi_Minh.

use domain::ids::{LocalDay, Micros};
use jiff::Timestamp;
use jiff::civil::Date;

/// The instant in UTC, microseconds kept; empty for one that no calendar has.
pub fn rfc3339(at: Micros) -> String {
    Timestamp::from_microsecond(at.0)
        .map(|at| at.to_string())
        .unwrap_or_default()
}

/// An RFC 3339 instant with its offset. Finer than a microsecond is cut off.
pub fn parse_instant(text: &str) -> Option<Micros> {
    text.parse::<Timestamp>()
        .ok()
        .map(|at| Micros(at.as_microsecond()))
}

/// `YYYY-MM-DD`.
pub fn parse_day(text: &str) -> Option<LocalDay> {
    // `Date` takes more than this one form; the contract has only this one.
    if text.len() != 10 {
        return None;
    }
    let date: Date = text.parse().ok()?;
    let since = Date::constant(1970, 1, 1).until(date).ok()?;
    Some(LocalDay(since.get_days()))
}

/// Which zone an instant is shown in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// UTC, with `Z`.
    Utc,
    /// Asia/Ho_Chi_Minh, with `+07:00`.
    Local,
}

/// Offset of Asia/Ho_Chi_Minh from UTC, in hours; without daylight saving since 1975.
const LOCAL_OFFSET_H: i8 = 7;

/// An instant for people, to the millisecond.
pub fn show(at: Micros, zone: Zone) -> String {
    let Ok(timestamp) = Timestamp::from_microsecond(at.0) else {
        return format!("{} µs", at.0);
    };
    match zone {
        Zone::Utc => format!("{timestamp:.3}"),
        Zone::Local => {
            let civil = jiff::tz::offset(LOCAL_OFFSET_H).to_datetime(timestamp);
            format!("{civil:.3}+07:00")
        }
    }
}

/// `YYYY-MM-DD`; empty for a day that no calendar has.
pub fn day(day: LocalDay) -> String {
    let days = jiff::Span::new().try_days(day.0);
    days.and_then(|days| Date::constant(1970, 1, 1).checked_add(days))
        .map(|date| date.to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_and_days_go_both_ways() {
        let at = Micros(1_709_600_000_123_456);
        assert_eq!(rfc3339(at), "2024-03-05T00:53:20.123456Z");
        assert_eq!(parse_instant(&rfc3339(at)), Some(at));
        assert_eq!(parse_instant("2024-03-05T07:53:20.123456+07:00"), Some(at));
        assert_eq!(day(at.local_day()), "2024-03-05");
        assert_eq!(parse_day("2024-03-05"), Some(at.local_day()));
        assert_eq!(parse_day("1969-12-31"), Some(LocalDay(-1)));
    }

    #[test]
    fn what_is_not_one_is_none() {
        for text in [
            "",
            "2024-03-05",
            "2024-03-05T00:00:00",
            "05/03/2024",
            "2024-13-01T00:00:00Z",
        ] {
            assert_eq!(parse_instant(text), None, "{text}");
        }
        for text in [
            "",
            "2024-02-30",
            "20240305",
            "2024-3-5",
            "+02024-03-05",
            "2024-03-05T00",
        ] {
            assert_eq!(parse_day(text), None, "{text}");
        }
        assert_eq!(rfc3339(Micros(i64::MAX)), "");
        assert_eq!(day(LocalDay(i32::MAX)), "");
    }
}
