//! Law as data: what the authorities publish, by whom, from when, on which ground (spec A.9, C-01 … C-16).
//!
//! Owns the seven kinds of law and their terms. Every version is a signed event proposed by one
//! principal and approved by another ([`decide_law`]); which version is in force at an instant, as known
//! at another, is [`LawBook`]'s answer. It must never be the only truth: what ships as readable files
//! ([`shipped`]) is recorded when a ledger is made, and from then on the streams are read, not the files.

mod book;
mod content;
mod decide;
mod file;
mod shipped;
#[cfg(test)]
mod tests;

pub use book::{Edition, Known, LawBook, Proposal, Published};
pub use content::{
    Calendar, DocumentKinds, DocumentRule, Holiday, IntakeSites, LawFault, MessageCatalogue,
    Opening, Province, ProvinceCodes, Site, Text,
};
pub use decide::{LawContext, LawDecision, LawOrder, decide_law};
pub use file::{LawFile, LawFileError, parse};
pub use shipped::{FILES, LATER, shipped};

use crate::bytes::{self, BytesError};
use crate::entitlement::Catalogue;
use crate::ids::{Category, Digest, Micros, StreamId};
use crate::policy::Policy;
use crate::vocabulary::LawKind;
use serde::{Deserialize, Serialize};
use wincode::{SchemaRead, SchemaWrite};

/// Largest version of a law, encoded, in bytes: with its envelope it stays under
/// [`crate::envelope::ENVELOPE_BYTES_MAX`].
pub const LAW_BYTES_MAX: usize = 26 * 1024;

/// Starts what a version's digest is taken over.
const DIGEST_PREFIX: &[u8] = b"idledger-law/v1\0";

/// How sure it is that something is law (spec A.9). What is only told grants nothing.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    SchemaRead,
    SchemaWrite,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[wincode(tag_encoding = "u8")]
pub enum Confidence {
    /// A law, decree, decision or circular.
    Law,
    /// An official letter.
    CircularLetter,
    /// Told in a letter's running text, or recalled.
    Narrative,
}

/// Where a version stands in the law (C-16: a number as printed is no key).
#[derive(Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegalBasis {
    /// As printed: title, number, date, paragraph.
    pub text: String,
    /// Normalised: lower-case letters, digits and hyphens; empty where there is none.
    pub id: String,
}

/// What every version says besides its content.
#[derive(Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
pub struct LawTerms {
    /// Its name, as `2024-03`.
    pub name: String,
    /// First instant at which it is in force.
    pub effective_from: Micros,
    /// First instant at which it no longer is; `None`: until a later version begins.
    pub effective_to: Option<Micros>,
    /// Its ground.
    pub basis: LegalBasis,
    /// Where it holds, as `VN` or `VN-30`. Information: a ledger has one line of versions of a kind.
    pub jurisdiction: String,
    /// How sure it is.
    pub confidence: Confidence,
}

impl LawTerms {
    /// Whether it would be in force at an instant.
    pub fn covers(&self, at: Micros) -> bool {
        self.effective_from <= at && self.effective_to.is_none_or(|to| at < to)
    }
}

/// What a version says, by kind.
#[derive(Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[wincode(tag_encoding = "u8")]
pub enum LawContent {
    /// Policy values.
    Policy(Policy),
    /// Services and the level each needs.
    Catalogue(Catalogue),
    /// Province codes of personal numbers.
    Provinces(ProvinceCodes),
    /// Texts.
    Messages(MessageCatalogue),
    /// Documents that can be linked or shown.
    Documents(DocumentKinds),
    /// Public holidays.
    Calendar(Calendar),
    /// Where level-2 dossiers are taken, and since when.
    Sites(IntakeSites),
}

impl LawContent {
    /// Of which kind it is.
    pub const fn kind(&self) -> LawKind {
        match self {
            Self::Policy(_) => LawKind::Policy,
            Self::Catalogue(_) => LawKind::Catalogue,
            Self::Provinces(_) => LawKind::Provinces,
            Self::Messages(_) => LawKind::Messages,
            Self::Documents(_) => LawKind::Documents,
            Self::Calendar(_) => LawKind::Calendar,
            Self::Sites(_) => LawKind::Sites,
        }
    }
}

/// A version as it is proposed.
#[derive(Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
pub struct LawDraft {
    /// Its terms.
    pub terms: LawTerms,
    /// Its content.
    pub content: LawContent,
}

impl LawDraft {
    /// Of which kind it is.
    pub const fn kind(&self) -> LawKind {
        self.content.kind()
    }

    /// BLAKE3 over `"idledger-law/v1\0"` and its encoding: what proposer and approver sign.
    pub fn digest(&self) -> Result<Digest, BytesError> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(DIGEST_PREFIX);
        hasher.update(&bytes::encode(self)?);
        Ok(Digest(*hasher.finalize().as_bytes()))
    }
}

/// Which version of a law a decision read. The policy's stands in every envelope.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    SchemaRead,
    SchemaWrite,
    Serialize,
    Deserialize,
)]
pub struct LawPin {
    /// Which law.
    pub law: LawKind,
    /// Its version; 0: none was in force, and the built-in values held.
    pub version: u32,
}

impl LawKind {
    /// The category of its stream.
    pub const fn category(self) -> Category {
        match self {
            Self::Policy => Category::Policy,
            Self::Catalogue => Category::Catalogue,
            Self::Provinces => Category::Provinces,
            Self::Messages => Category::Messages,
            Self::Documents => Category::DocumentKinds,
            Self::Calendar => Category::Calendar,
            Self::Sites => Category::IntakeSites,
        }
    }

    /// Its stream.
    pub const fn stream(self) -> StreamId {
        StreamId::single(self.category())
    }

    /// Its name in files, on the command line and in paths.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Catalogue => "catalogue",
            Self::Provinces => "provinces",
            Self::Messages => "messages",
            Self::Documents => "documents",
            Self::Calendar => "calendar",
            Self::Sites => "sites",
        }
    }

    /// The kind of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|kind| kind.name() == name).copied()
    }
}
