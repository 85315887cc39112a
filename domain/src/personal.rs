//! Personal data: what stands in the sealed parts of an event, never in its open facts.
//!
//! A part is encoded by [`crate::bytes`] and encrypted under the key of its subject and retention
//! class; the envelope commits to the ciphertext (design, INV-4).

use crate::vocabulary::TravelDocumentKind;
use serde::{Deserialize, Serialize};
use wincode::{SchemaRead, SchemaWrite};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A person as declared or as entered by an officer. Texts are valid by construction upstream
/// (`identity` newtypes) and NFC.
#[derive(
    Clone, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize, Zeroize, ZeroizeOnDrop,
)]
pub struct Person {
    /// Twelve digits.
    pub personal_id: String,
    /// Legal name.
    pub full_name: String,
    /// ISO 8601, `YYYY-MM-DD`, `YYYY-MM` or `YYYY` (spec C.7).
    pub birth_date: String,
    /// `Nam`, `Nữ` or empty.
    pub sex: String,
    /// Permanent residence as text.
    pub residence: String,
    /// E.164, `+84…`, or empty.
    pub phone: String,
    /// E-mail or empty.
    pub email: String,
    /// Old nine-digit number or empty.
    pub old_id: String,
    /// Card issue date, ISO 8601, or empty.
    pub card_issued: String,
}

/// A foreigner's passport or other travel document (spec B.2).
#[derive(
    Clone, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize, Zeroize, ZeroizeOnDrop,
)]
pub struct TravelDocument {
    /// Three capital letters (ISO 3166-1 alpha-3, ICAO 9303 part 3).
    pub nationality: String,
    /// What it is.
    #[zeroize(skip)]
    pub kind: TravelDocumentKind,
    /// Its number: capital letters and digits.
    pub number: String,
    /// Issue date, ISO 8601.
    pub issued: String,
    /// Place of issue.
    pub place: String,
}

/// An organisation as declared or entered.
#[derive(
    Clone, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize, Zeroize, ZeroizeOnDrop,
)]
pub struct Organisation {
    /// Its identification number; of an enterprise, its tax code.
    pub number: String,
    /// Its name.
    pub name: String,
    /// Its seat as text.
    pub address: String,
    /// E.164, or empty.
    pub phone: String,
    /// E-mail, or empty.
    pub email: String,
}

/// The hash of one data group of a chip (ICAO 9303 part 10), as it was read and found signed.
#[derive(
    Clone, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize, Zeroize, ZeroizeOnDrop,
)]
pub struct GroupHash {
    /// 1 to 16.
    pub number: u8,
    /// SHA-256, SHA-384 or SHA-512, by its length.
    pub hash: Vec<u8>,
}

/// One sealed part. Order is format.
#[derive(
    Clone, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize, Zeroize, ZeroizeOnDrop,
)]
#[serde(rename_all = "snake_case")]
#[wincode(tag_encoding = "u8")]
pub enum Personal {
    /// Who it is.
    Person(Person),
    /// A phone number, E.164.
    Phone(String),
    /// A device's identifier and model.
    Device {
        /// As the device reports it.
        identifier: String,
        /// Model name.
        model: String,
    },
    /// A document's number.
    Document(String),
    /// The raw text of a card's QR.
    CardQr(String),
    /// The signed request's body, salted by its sender (INV-2).
    RequestBody(Vec<u8>),
    /// A name or remark.
    Note(String),
    /// A foreigner's travel document.
    TravelDocument(TravelDocument),
    /// An organisation.
    Organisation(Organisation),
    /// Hashes of the data groups read from a chip.
    ChipHashes(Vec<GroupHash>),
    /// What a registry was asked and what it answered, as both were signed (INV-2).
    RegistryExchange {
        /// The body of the question.
        question: Vec<u8>,
        /// The body of the answer.
        answer: Vec<u8>,
    },
}

impl core::fmt::Debug for Person {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Person(sealed)")
    }
}

impl core::fmt::Debug for TravelDocument {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("TravelDocument(sealed)")
    }
}

impl core::fmt::Debug for Organisation {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Organisation(sealed)")
    }
}

impl core::fmt::Debug for GroupHash {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("GroupHash(sealed)")
    }
}

impl core::fmt::Debug for Personal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Personal(sealed)")
    }
}
