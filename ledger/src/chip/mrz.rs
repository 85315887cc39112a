//! DG1: the machine-readable zone, of which one thing is wanted: whose card it is.
//!
//! ```text
//! DG1  [APPLICATION 1] { [APPLICATION 31] 90 characters }            (TD1, ICAO 9303 part 5)
//!      1–5 kind and state · 6–14 document number · 15 check · 16–30 optional: the personal number,
//!      twelve digits, and its check digit …
//! ```

use super::der::{application, only, value, whole};
use zeroize::Zeroizing;

/// Characters of a TD1 zone.
const TD1_CHARS: usize = 90;
/// Where the optional data begin.
const OPTIONAL: usize = 15;
/// Digits of a personal number.
const NUMBER_DIGITS: usize = 12;

/// The personal number in a DG1; `None`: it is not there, or this is not a TD1 zone.
pub(super) fn personal_number(group: &[u8]) -> Option<Zeroizing<String>> {
    let zone = only(whole(group).ok()?, application(1, true)).ok()?;
    let zone = value(zone, application(31, false)).ok()?;
    if zone.len() != TD1_CHARS {
        return None;
    }
    let number = zone.get(OPTIONAL..OPTIONAL + NUMBER_DIGITS)?;
    let digits = number.iter().all(u8::is_ascii_digit);
    let text = core::str::from_utf8(number).ok().filter(|_| digits)?;
    Some(Zeroizing::new(text.to_owned()))
}
