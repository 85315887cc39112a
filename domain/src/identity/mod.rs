//! Personal data that are valid because they exist: private fields, `TryFrom<&str>`, no other way in
//! (spec section C).
//!
//! Owns forms and normalisation. It must never print what it holds: no `Display`, a `Debug` that
//! says only the type, errors without data, and memory that is cleared on drop. What the data *mean*
//! for a command is decided elsewhere.

mod card;
mod date;
mod document;
mod error;
mod foreigner;
mod organisation;
mod person;
mod phone;
#[cfg(test)]
mod tests;

pub use card::{CARD_QR_BYTES_MAX, CardQr};
pub use date::{BirthDate, CivilDate};
pub use document::DocumentNumber;
pub use error::IdentityError;
pub use foreigner::{ForeignerId, LoginName, TravelDocumentParts};
pub use organisation::OrganisationParts;
pub use person::PersonParts;
pub use phone::Phone;

use crate::law::ProvinceCodes;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark, is_nfc};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Longest name, in characters.
pub const NAME_CHARS_MAX: usize = 100;
/// Longest address, in characters.
pub const RESIDENCE_CHARS_MAX: usize = 300;
/// Longest e-mail address, in bytes (RFC 5321 section 4.5.3.1.3 less the angle brackets).
pub const EMAIL_BYTES_MAX: usize = 254;

/// Makes a text that is cleared on drop and never printed.
macro_rules! personal_texts {
    ($( $(#[$doc:meta])* $name:ident; )*) => { $(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
        pub struct $name(String);

        impl $name {
            /// The text. Not for logs, errors, keys or names.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(concat!(stringify!($name), "(personal)"))
            }
        }
    )* };
}
use personal_texts;

personal_texts! {
    /// A personal identification number: twelve digits, no check digit (spec C.1).
    PersonalId;
    /// A legal name: NFC, diacritics and case as given, possibly one word (spec C.7).
    FullName;
    /// An address as text; may be empty.
    Residence;
    /// An e-mail address.
    Email;
    /// An old identity-card number: nine digits, or twelve for re-numbered people (spec C.2).
    OldId;
}

/// Male or female, as the card says it.
#[derive(Clone, Copy, PartialEq, Eq, Zeroize)]
pub enum Sex {
    /// Nam
    Male,
    /// Nữ
    Female,
}

/// What is unusual about a personal number. Never a reason to refuse: numbers are corrected,
/// cancelled and issued abroad (spec C.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PersonalIdWarning {
    /// The first three digits are none of the published province codes.
    UnknownProvince,
    /// The fourth digit says the other sex.
    SexDiffers,
    /// Century and year say another year of birth.
    BirthYearDiffers,
}

impl TryFrom<&str> for PersonalId {
    type Error = IdentityError;

    fn try_from(text: &str) -> Result<Self, IdentityError> {
        if is_digits(text, 12) {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdentityError::PersonalIdFormat)
        }
    }
}

impl PersonalId {
    /// The code of the province or country where the birth was registered.
    pub fn birth_code(&self) -> u16 {
        number(&self.0, 0, 3)
    }

    /// What is unusual about the number beside what else is known: the province codes in force, a birth
    /// date, a sex. Soft (spec C.1).
    pub fn warnings(
        &self,
        provinces: &ProvinceCodes,
        birth: Option<&BirthDate>,
        sex: Option<Sex>,
    ) -> Vec<PersonalIdWarning> {
        let mut warnings = Vec::new();
        if provinces.find(self.birth_code()).is_none() {
            warnings.push(PersonalIdWarning::UnknownProvince);
        }
        let group = number(&self.0, 3, 4);
        let said = if group.is_multiple_of(2) {
            Sex::Male
        } else {
            Sex::Female
        };
        if sex.is_some_and(|sex| sex != said) {
            warnings.push(PersonalIdWarning::SexDiffers);
        }
        let year = 1900 + (group / 2) * 100 + number(&self.0, 4, 6);
        if birth.is_some_and(|birth| birth.year() != i32::from(year)) {
            warnings.push(PersonalIdWarning::BirthYearDiffers);
        }
        warnings
    }
}

impl TryFrom<&str> for FullName {
    type Error = IdentityError;

    fn try_from(text: &str) -> Result<Self, IdentityError> {
        if !is_nfc(text) {
            return Err(IdentityError::NameNotNfc);
        }
        if text.chars().any(is_hidden) {
            return Err(IdentityError::NameControlCharacter);
        }
        if text.chars().nth(NAME_CHARS_MAX).is_some() {
            return Err(IdentityError::NameTooLong);
        }
        if text.trim() != text || !text.chars().any(char::is_alphabetic) {
            return Err(IdentityError::NameFormat);
        }
        Ok(Self(text.to_owned()))
    }
}

impl FullName {
    /// The key for searching: lower case, without diacritics, đ as d, single spaces (spec C.7). As
    /// personal as the name itself.
    pub fn folded(&self) -> Zeroizing<String> {
        fold(&self.0)
    }
}

/// Folds a name, or what somebody types to find one.
pub fn fold(text: &str) -> Zeroizing<String> {
    let bare = text
        .nfd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(char::to_lowercase);
    let bare: Zeroizing<String> =
        Zeroizing::new(bare.map(|c| if c == 'đ' { 'd' } else { c }).collect());
    let mut folded = Zeroizing::new(String::with_capacity(bare.len()));
    for word in bare.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.push_str(word);
    }
    folded
}

impl TryFrom<&str> for Residence {
    type Error = IdentityError;

    fn try_from(text: &str) -> Result<Self, IdentityError> {
        let good = is_nfc(text)
            && !text.chars().any(is_hidden)
            && text.chars().nth(RESIDENCE_CHARS_MAX).is_none();
        if good {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdentityError::ResidenceFormat)
        }
    }
}

impl TryFrom<&str> for Email {
    type Error = IdentityError;

    /// One `@`, something before it, a domain with a dot after it. Whether it works shows when
    /// something is sent.
    fn try_from(text: &str) -> Result<Self, IdentityError> {
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        let good = text.split_once('@').is_some_and(|(local, domain)| {
            let label = |label: &str| {
                !label.is_empty()
                    && label
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            };
            (1..=64).contains(&local.len()) && domain.contains('.') && domain.split('.').all(label)
        });
        if printable && good && text.len() <= EMAIL_BYTES_MAX {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdentityError::EmailFormat)
        }
    }
}

impl TryFrom<&str> for OldId {
    type Error = IdentityError;

    fn try_from(text: &str) -> Result<Self, IdentityError> {
        if is_digits(text, 9) || is_digits(text, 12) {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdentityError::OldIdFormat)
        }
    }
}

impl TryFrom<&str> for Sex {
    type Error = IdentityError;

    fn try_from(text: &str) -> Result<Self, IdentityError> {
        match text {
            "Nam" => Ok(Self::Male),
            "Nữ" => Ok(Self::Female),
            _ => Err(IdentityError::SexUnknown),
        }
    }
}

impl Sex {
    /// As the card says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Male => "Nam",
            Self::Female => "Nữ",
        }
    }
}

impl core::fmt::Debug for Sex {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Sex(personal)")
    }
}

/// Exactly so many ASCII digits.
fn is_digits(text: &str, count: usize) -> bool {
    text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A few decimal digits of a text that is known to be digits.
fn number(digits: &str, from: usize, to: usize) -> u16 {
    digits
        .get(from..to)
        .and_then(|part| part.parse().ok())
        .unwrap_or(0)
}

/// Control and invisible formatting characters: they make two names look alike.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{ad}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}
