//! Foreigners' numbers and travel documents (spec B.2, C.6). The form of the foreigner's identification
//! number is not published, so only its characters are checked.

use super::{CivilDate, IdentityError, is_digits, is_hidden, personal_texts};
use crate::personal::TravelDocument;
use unicode_normalization::is_nfc;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Longest place of issue, in characters.
pub const PLACE_CHARS_MAX: usize = 100;

personal_texts! {
    /// The identification number of a foreigner: twelve digits, or six to twenty capital letters and
    /// digits with a letter among them (its form is not published).
    ForeignerId;
    /// What an account is found by: a personal identification number, or a foreigner's.
    LoginName;
}

impl TryFrom<&str> for ForeignerId {
    type Error = IdentityError;

    fn try_from(text: &str) -> Result<Self, IdentityError> {
        let letter = text.bytes().any(|byte| byte.is_ascii_uppercase());
        if is_digits(text, 12) || (letter && is_code(text, 6, 20)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdentityError::ForeignerIdFormat)
        }
    }
}

impl TryFrom<&str> for LoginName {
    type Error = IdentityError;

    fn try_from(text: &str) -> Result<Self, IdentityError> {
        match ForeignerId::try_from(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(_) => Err(IdentityError::PersonalIdFormat),
        }
    }
}

/// Checks the parts of a travel document; each field's error by its name.
#[derive(Debug, Clone, Copy)]
pub struct TravelDocumentParts;

impl TravelDocumentParts {
    /// Every field that is not valid.
    pub fn faults(document: &TravelDocument) -> Vec<(&'static str, IdentityError)> {
        let nationality = document.nationality.len() == 3
            && document
                .nationality
                .bytes()
                .all(|byte| byte.is_ascii_uppercase());
        let place = is_nfc(&document.place)
            && !document.place.trim().is_empty()
            && document.place.chars().count() <= PLACE_CHARS_MAX
            && !document.place.chars().any(is_hidden);
        let checks = [
            ("nationality", nationality, IdentityError::NationalityFormat),
            (
                "number",
                is_code(&document.number, 5, 12),
                IdentityError::TravelDocumentFormat,
            ),
            (
                "issued",
                CivilDate::try_from(document.issued.as_str()).is_ok(),
                IdentityError::DateFormat,
            ),
            ("place", place, IdentityError::PlaceFormat),
        ];
        checks
            .into_iter()
            .filter(|(_, good, _)| !good)
            .map(|(field, _, error)| (field, error))
            .collect()
    }

    /// The first of them.
    pub fn check(document: &TravelDocument) -> Result<(), IdentityError> {
        match Self::faults(document).first() {
            None => Ok(()),
            Some((_, error)) => Err(*error),
        }
    }
}

/// Capital letters and digits, so many of them.
pub(super) fn is_code(text: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}
