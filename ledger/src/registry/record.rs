//! What the population registry knows of a person, and when a declaration agrees with it.

use domain::ids::Micros;
use domain::personal::Person;
use domain::vocabulary::{DocumentKind, Relation};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use wincode::{SchemaRead, SchemaWrite};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Most documents of one person.
pub const DOCUMENTS_MAX: usize = 32;
/// Most parents and guardians of one person.
pub const GUARDIANS_MAX: usize = 8;
/// Most bytes of one text.
pub const TEXT_BYTES_MAX: usize = 512;

/// A document that the registry knows to be a person's.
#[derive(Clone, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisteredDocument {
    /// Its kind.
    pub kind: DocumentKind,
    /// Its number.
    pub number: String,
}

impl Zeroize for RegisteredDocument {
    fn zeroize(&mut self) {
        self.number.zeroize();
    }
}

/// Who the registry knows to be a person's parent or guardian.
#[derive(Clone, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisteredGuardian {
    /// What they are to the person.
    pub relation: Relation,
    /// Their personal number.
    pub personal_id: String,
}

impl Zeroize for RegisteredGuardian {
    fn zeroize(&mut self) {
        self.personal_id.zeroize();
    }
}

impl core::fmt::Debug for RegisteredGuardian {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "RegisteredGuardian({:?})", self.relation)
    }
}

/// One person. Texts are NFC.
#[derive(
    Clone, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize, Zeroize, ZeroizeOnDrop,
)]
#[serde(deny_unknown_fields)]
pub struct PopulationRecord {
    /// Twelve digits.
    pub personal_id: String,
    /// Legal name.
    pub full_name: String,
    /// `YYYY-MM-DD`, `YYYY-MM` or `YYYY`.
    pub birth_date: String,
    /// `Nam`, `Nữ` or empty.
    #[serde(default)]
    pub sex: String,
    /// Province code × 1000 + district code of the residence.
    pub area: u32,
    /// Permanent residence as text.
    #[serde(default)]
    pub residence: String,
    /// Issue date of the card, or empty.
    #[serde(default)]
    pub card_issued: String,
    /// Old nine-digit number, or empty.
    #[serde(default)]
    pub old_id: String,
    /// Whether the card has a chip.
    #[serde(default)]
    pub has_chip_card: bool,
    /// Documents of other registries.
    #[serde(default)]
    pub documents: Vec<RegisteredDocument>,
    /// Parents and guardians.
    #[serde(default)]
    pub guardians: Vec<RegisteredGuardian>,
    /// Under guardianship, whatever their age.
    #[serde(default)]
    pub ward: bool,
    /// The instant these data are of: when they were imported.
    #[serde(skip, default = "never")]
    #[zeroize(skip)]
    pub as_of: Micros,
}

const fn never() -> Micros {
    Micros(0)
}

impl core::fmt::Debug for RegisteredDocument {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "RegisteredDocument({:?})", self.kind)
    }
}

impl core::fmt::Debug for PopulationRecord {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("PopulationRecord(…)")
    }
}

impl PopulationRecord {
    /// Whether a declaration agrees: name (NFC, any case, any spacing), birth date, and sex where
    /// it was declared.
    pub fn confirms(&self, person: &Person) -> bool {
        folded(&self.full_name) == folded(&person.full_name)
            && self.birth_date == person.birth_date.trim()
            && (person.sex.trim().is_empty() || folded(&self.sex) == folded(&person.sex))
    }

    /// Whether a document is this person's.
    pub fn has_document(&self, kind: DocumentKind, number: &str) -> bool {
        let number = document_form(number);
        self.documents
            .iter()
            .any(|d| d.kind == kind && document_form(&d.number) == number)
    }

    /// Equal but for when the data are of.
    pub fn same_data(&self, other: &Self) -> bool {
        let mut other = other.clone();
        other.as_of = self.as_of;
        *self == other
    }

    /// The record with its texts in their stored form, or what is wrong with it.
    pub fn checked(mut self) -> Result<Self, &'static str> {
        for text in [
            &mut self.personal_id,
            &mut self.full_name,
            &mut self.birth_date,
            &mut self.sex,
            &mut self.residence,
            &mut self.card_issued,
            &mut self.old_id,
        ] {
            *text = text.trim().nfc().collect();
            if text.len() > TEXT_BYTES_MAX || text.chars().any(char::is_control) {
                return Err("a text is too long or has control characters");
            }
        }
        if self.personal_id.len() != 12 || !is_digits(&self.personal_id) {
            return Err("the personal number is not twelve digits");
        }
        if self.full_name.is_empty() {
            return Err("the name is empty");
        }
        if !is_date(&self.birth_date) {
            return Err("the birth date is not `YYYY-MM-DD`, `YYYY-MM` or `YYYY`");
        }
        if !self.card_issued.is_empty() && !is_date(&self.card_issued) {
            return Err("the card's issue date is not a date");
        }
        if !self.old_id.is_empty() && (self.old_id.len() != 9 || !is_digits(&self.old_id)) {
            return Err("the old number is not nine digits");
        }
        if !matches!(self.sex.as_str(), "" | "Nam" | "Nữ") {
            return Err("the sex is neither `Nam` nor `Nữ`");
        }
        if self.area == 0 || self.area >= 1_000_000 {
            return Err("the area is not province × 1000 + district");
        }
        if self.documents.len() > DOCUMENTS_MAX {
            return Err("there are too many documents");
        }
        if self.guardians.len() > GUARDIANS_MAX {
            return Err("there are too many guardians");
        }
        for guardian in &self.guardians {
            if guardian.personal_id.len() != 12 || !is_digits(&guardian.personal_id) {
                return Err("a guardian's personal number is not twelve digits");
            }
        }
        for document in &mut self.documents {
            document.number = document.number.trim().nfc().collect();
            if document.number.is_empty() || document.number.len() > 64 {
                return Err("a document's number is empty or too long");
            }
        }
        Ok(self)
    }
}

/// A document's number as it is compared: upper case, letters and digits only.
pub fn document_form(number: &str) -> String {
    number
        .nfc()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_uppercase)
        .collect()
}

pub(super) fn folded(text: &str) -> String {
    let folded: String = text.nfc().collect::<String>().to_lowercase();
    // Lower case can leave composed form (there are letters whose lower case is two characters).
    let words: Vec<&str> = folded.split_whitespace().collect();
    words.join(" ").nfc().collect()
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

pub(super) fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths = [4, 2, 2];
    if parts.len() > 3
        || !parts
            .iter()
            .zip(lengths)
            .all(|(part, length)| part.len() == length && is_digits(part))
    {
        return false;
    }
    let mut numbers = parts.iter().map(|part| part.parse::<u32>().unwrap_or(0));
    let year = numbers.next().unwrap_or(0);
    let (month, day) = (numbers.next().unwrap_or(1), numbers.next().unwrap_or(1));
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    year >= 1800 && (1..=days).contains(&day)
}
