//! Civil dates: whole ones, and birth dates of which only the year or the month is known (C.7).

use super::{IdentityError, is_digits, number};
use crate::calendar::{local_day, ymd};
use crate::ids::LocalDay;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Earliest year a date may have.
const YEAR_MIN: i16 = 1850;
/// Latest year a date may have.
const YEAR_MAX: i16 = 2200;

/// A day of the calendar.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Zeroize, ZeroizeOnDrop)]
pub struct CivilDate {
    year: i16,
    month: i8,
    day: i8,
}

/// A birth date to the day, the month or the year.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct BirthDate {
    year: i16,
    month: Option<i8>,
    day: Option<i8>,
}

impl CivilDate {
    /// A real day in range.
    pub(super) fn new(year: i16, month: i8, day: i8) -> Result<Self, IdentityError> {
        let in_range = (YEAR_MIN..=YEAR_MAX).contains(&year);
        if in_range && jiff::civil::Date::new(year, month, day).is_ok() {
            Ok(Self { year, month, day })
        } else {
            Err(IdentityError::DateImpossible)
        }
    }

    /// `ddMMyyyy`, as on the card's QR.
    pub(super) fn from_card(text: &str) -> Result<Self, IdentityError> {
        if !is_digits(text, 8) {
            return Err(IdentityError::DateFormat);
        }
        Self::new(small(text, 4, 8), small(text, 2, 4), small(text, 0, 2))
    }

    /// ISO 8601.
    pub fn to_text(&self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }

    /// As days since 1970-01-01.
    pub fn local_day(&self) -> LocalDay {
        local_day(self.year, self.month, self.day).unwrap_or(LocalDay(0))
    }
}

impl TryFrom<&str> for CivilDate {
    type Error = IdentityError;

    fn try_from(text: &str) -> Result<Self, IdentityError> {
        match split(text).ok_or(IdentityError::DateFormat)? {
            (year, Some(month), Some(day)) => Self::new(year, month, day),
            _ => Err(IdentityError::DateFormat),
        }
    }
}

impl TryFrom<&str> for BirthDate {
    type Error = IdentityError;

    fn try_from(text: &str) -> Result<Self, IdentityError> {
        let (year, month, day) = split(text).ok_or(IdentityError::BirthDateFormat)?;
        CivilDate::new(year, month.unwrap_or(1), day.unwrap_or(1))?;
        Ok(Self { year, month, day })
    }
}

impl From<&CivilDate> for BirthDate {
    fn from(date: &CivilDate) -> Self {
        Self {
            year: date.year,
            month: Some(date.month),
            day: Some(date.day),
        }
    }
}

impl BirthDate {
    /// The year.
    pub fn year(&self) -> i32 {
        i32::from(self.year)
    }

    /// ISO 8601, as precise as it is known.
    pub fn to_text(&self) -> String {
        match (self.month, self.day) {
            (Some(month), Some(day)) => format!("{:04}-{month:02}-{day:02}", self.year),
            (Some(month), None) => format!("{:04}-{month:02}", self.year),
            _ => format!("{:04}", self.year),
        }
    }

    /// Full years of age on a day. Where the day is not known, the latest possible one counts: an
    /// age limit is then never taken as reached too early.
    pub fn full_years_on(&self, today: LocalDay) -> i32 {
        let (year, month, day) = ymd(today);
        let birthday = (self.month.unwrap_or(12), self.day.unwrap_or(31));
        let reached = (month, day) >= birthday
            // A month known without its day is over on its last day, whichever that is.
            || (self.day.is_none() && ymd(LocalDay(today.0.saturating_add(1))) > (year, birthday.0, 31));
        i32::from(year) - i32::from(self.year) - i32::from(!reached)
    }

    /// The first day on which this many full years are reached, by the same rule.
    pub fn day_of_age(&self, years: u8) -> Option<LocalDay> {
        let year = self.year.checked_add(i16::from(years))?;
        let start = crate::calendar::local_day(year, self.month.unwrap_or(12), 1)?;
        // A month, and for 29 February the day after it.
        (0..=31)
            .map(|days| LocalDay(start.0.saturating_add(days)))
            .find(|day| self.full_years_on(*day) >= i32::from(years))
    }

    /// Whether two dates can be the same day, as far as both are known.
    pub fn agrees_with(&self, other: &Self) -> bool {
        let same = |a: Option<i8>, b: Option<i8>| a.zip(b).is_none_or(|(a, b)| a == b);
        self.year == other.year && same(self.month, other.month) && same(self.day, other.day)
    }
}

/// A few digits as a number, which then is small enough.
fn small<T: TryFrom<u16> + Default>(digits: &str, from: usize, to: usize) -> T {
    T::try_from(number(digits, from, to)).unwrap_or_default()
}

/// Year, and month and day where given. `None`: none of the three forms.
fn split(text: &str) -> Option<(i16, Option<i8>, Option<i8>)> {
    let mut parts = text.split('-');
    let mut part = |digits: usize| match parts.next() {
        Some(part) if is_digits(part, digits) => Some(Some(number(part, 0, digits))),
        Some(_) => None,
        None => Some(None),
    };
    let (year, month, day) = (part(4)??, part(2)?, part(2)?);
    if parts.next().is_some() {
        return None;
    }
    Some((
        i16::try_from(year).ok()?,
        month.and_then(|month| i8::try_from(month).ok()),
        day.and_then(|day| i8::try_from(day).ok()),
    ))
}

impl core::fmt::Debug for CivilDate {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("CivilDate(personal)")
    }
}

impl core::fmt::Debug for BirthDate {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("BirthDate(personal)")
    }
}
