//! Mobile numbers of Viet Nam (spec C.4).

use super::{IdentityError, is_digits, personal_texts};
use zeroize::{Zeroize, ZeroizeOnDrop};

personal_texts! {
    /// A mobile number in E.164, `+84` and nine digits. Eleven-digit numbers of before 15/09/2018
    /// are converted by the table of that year.
    Phone;
}

/// Longest input looked at, in bytes: twelve digits with a separator after each.
const INPUT_BYTES_MAX: usize = 32;

/// Old prefix → new prefix, both without the leading zero (2018).
const CONVERTED: &[(&str, &str)] = &[
    ("162", "32"),
    ("163", "33"),
    ("164", "34"),
    ("165", "35"),
    ("166", "36"),
    ("167", "37"),
    ("168", "38"),
    ("169", "39"),
    ("120", "70"),
    ("121", "79"),
    ("122", "77"),
    ("126", "76"),
    ("128", "78"),
    ("123", "83"),
    ("124", "84"),
    ("125", "85"),
    ("127", "81"),
    ("129", "82"),
    ("186", "56"),
    ("188", "58"),
    ("199", "59"),
];

impl TryFrom<&str> for Phone {
    type Error = IdentityError;

    fn try_from(text: &str) -> Result<Self, IdentityError> {
        let error = IdentityError::PhoneFormat;
        let text = text.trim();
        if text.len() > INPUT_BYTES_MAX {
            return Err(error);
        }
        let mut plain: String = text
            .chars()
            .filter(|c| !matches!(c, '.' | ' ' | '-'))
            .collect();
        let national = plain
            .strip_prefix("+84")
            .or_else(|| plain.strip_prefix('0'))
            // `84` is also an old VinaPhone prefix; with eleven digits it is the country code.
            .or_else(|| plain.strip_prefix("84").filter(|rest| rest.len() >= 9));
        let canonical = national.and_then(canonical);
        plain.zeroize();
        canonical.map(Self).ok_or(error)
    }
}

/// `+84` and nine digits, from nine, or from ten old ones.
fn canonical(national: &str) -> Option<String> {
    if is_digits(national, 9) && is_mobile(national) {
        return Some(format!("+84{national}"));
    }
    if !is_digits(national, 10) {
        return None;
    }
    CONVERTED.iter().find_map(|(old, new)| {
        national
            .strip_prefix(old)
            .map(|subscriber| format!("+84{new}{subscriber}"))
    })
}

/// `3[2-9] | 5[25689] | 7[06-9] | 8[1-9] | 9\d`. Whose prefix it is means nothing: numbers are
/// portable.
fn is_mobile(national: &str) -> bool {
    let mut digits = national.bytes();
    match (digits.next(), digits.next()) {
        (Some(b'3'), Some(second)) => matches!(second, b'2'..=b'9'),
        (Some(b'5'), Some(second)) => matches!(second, b'2' | b'5' | b'6' | b'8' | b'9'),
        (Some(b'7'), Some(second)) => matches!(second, b'0' | b'6'..=b'9'),
        (Some(b'8'), Some(second)) => matches!(second, b'1'..=b'9'),
        (Some(b'9'), Some(_)) => true,
        _ => false,
    }
}
