//! DG1: the machine-readable zone, of which two things are wanted: whose card it is, and until when it is
//! one.
//!
//! ```text
//! DG1  [APPLICATION 1] { [APPLICATION 31] 90 characters }            (TD1, ICAO 9303 part 5)
//!      1–5 kind and state · 6–14 document number · 15 check · 16–30 optional: the personal number,
//!      twelve digits, and its check digit … · 39–44 last day, YYMMDD, of this century; all `<`: none
//! ```

use crate::pki::der::{application, only, value, whole};
use domain::calendar::local_day;
use domain::ids::LocalDay;
use zeroize::Zeroizing;

/// Characters of a TD1 zone.
const TD1_CHARS: usize = 90;
/// Where the optional data begin.
const OPTIONAL: usize = 15;
/// Digits of a personal number.
const NUMBER_DIGITS: usize = 12;
/// Where the last day begins.
const LAST_DAY: usize = 38;
/// Characters of a day.
const DAY_CHARS: usize = 6;

/// What a zone says.
pub(super) struct Zone {
    /// Of the holder.
    pub personal_number: Zeroizing<String>,
    /// The last day on which the card is good; `None`: there is none.
    pub last_day: Option<LocalDay>,
}

/// The zone in a DG1; `None`: this is not a TD1 zone, or it holds no personal number or no day where one
/// must be.
pub(super) fn zone(group: &[u8]) -> Option<Zone> {
    let zone = only(whole(group).ok()?, application(1, true)).ok()?;
    let zone = value(zone, application(31, false)).ok()?;
    if zone.len() != TD1_CHARS {
        return None;
    }
    let number = zone.get(OPTIONAL..OPTIONAL + NUMBER_DIGITS)?;
    let digits = number.iter().all(u8::is_ascii_digit);
    let text = core::str::from_utf8(number).ok().filter(|_| digits)?;
    let day = zone.get(LAST_DAY..LAST_DAY + DAY_CHARS)?;
    let last_day = match day {
        b"<<<<<<" => None,
        day => Some(day_of(day)?),
    };
    Some(Zone {
        personal_number: Zeroizing::new(text.to_owned()),
        last_day,
    })
}

/// `YYMMDD` of this century: there were no chips in cards in the one before.
fn day_of(text: &[u8]) -> Option<LocalDay> {
    let number = |at: usize| {
        let digits = text.get(at..at + 2)?;
        let digits = core::str::from_utf8(digits).ok()?;
        let good = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<i8>().ok().filter(|_| good)
    };
    local_day(2000 + i16::from(number(0)?), number(2)?, number(4)?)
}
