//! The databases of organisations: business registration and those of agencies and associations.
//!
//! Owns the port and the embedded adapter, which answers from imported records, sealed on disk as the
//! population's are. Must never list anybody: it answers questions about one organisation.

use super::import::{self, Cells, Change, Row};
use super::record::{TEXT_BYTES_MAX, document_form};
use super::sealed_file::{Place, SealedFile};
use super::{Answered, Format, ImportReport, RegistryError, Unreachable};
use crate::secrets::Keys;
use crate::store::BoxFuture;
use crate::wiring::Randomness;
use domain::bytes;
use domain::identity::{ForeignerId, OrganisationParts};
use domain::ids::AreaCode;
use domain::personal::Organisation;
use domain::vocabulary::RegistryOutcome;
use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use unicode_normalization::UnicodeNormalization;
use wincode::{SchemaRead, SchemaWrite};

/// Where the records are.
const FILE: &str = "organisations.sealed";
/// Most legal representatives of one organisation.
pub const REPRESENTATIVES_MAX: usize = 16;

/// What the databases say of an organisation.
#[derive(Clone, PartialEq, Eq)]
pub enum OrganisationReply {
    /// Confirmed.
    Confirmed {
        /// Where its seat is.
        area: AreaCode,
        /// Personal numbers of its legal representatives.
        representatives: Vec<String>,
    },
    /// Not.
    Not(RegistryOutcome),
}

impl core::fmt::Debug for OrganisationReply {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Confirmed { .. } => f.write_str("Confirmed(…)"),
            Self::Not(outcome) => write!(f, "Not({outcome:?})"),
        }
    }
}

/// Says whether an organisation is what it declares to be, and who represents it.
pub trait OrganisationRegistry: Send + Sync + 'static {
    /// Compares number and name with the databases'.
    fn confirm_organisation<'a>(
        &'a self,
        organisation: &'a Organisation,
    ) -> BoxFuture<'a, Answered<OrganisationReply>>;
}

impl OrganisationRegistry for Unreachable {
    fn confirm_organisation<'a>(
        &'a self,
        _: &'a Organisation,
    ) -> BoxFuture<'a, Answered<OrganisationReply>> {
        Box::pin(async { OrganisationReply::Not(RegistryOutcome::Unavailable).into() })
    }
}

/// One organisation as imported.
#[derive(Clone, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrganisationRecord {
    /// Its identification number.
    pub number: String,
    /// Its name.
    pub name: String,
    /// Province code × 1000 + district code of the seat.
    pub area: u32,
    /// Personal numbers of its legal representatives.
    #[serde(default)]
    pub representatives: Vec<String>,
}

impl core::fmt::Debug for OrganisationRecord {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("OrganisationRecord(…)")
    }
}

impl Row for OrganisationRecord {
    const COLUMNS: &'static [&'static str] = &["number", "name", "area", "representatives"];
    const REQUIRED: &'static [&'static str] = &["number", "name", "area"];
    const MISSING: &'static str = "a column is missing: number, name and area are needed";

    fn of_cells(text: Cells<'_>) -> Result<Self, &'static str> {
        let representatives = text("representatives")?.split(';').map(str::trim);
        Ok(Self {
            number: text("number")?.into(),
            name: text("name")?.into(),
            area: text("area")?
                .parse()
                .map_err(|_| "the area is not a number")?,
            representatives: representatives
                .filter(|number| !number.is_empty())
                .map(str::to_owned)
                .collect(),
        })
    }

    fn checked(mut self) -> Result<Self, &'static str> {
        for text in [&mut self.number, &mut self.name] {
            *text = text.trim().nfc().collect();
            if text.len() > TEXT_BYTES_MAX {
                return Err("a text is too long");
            }
        }
        let declared = Organisation {
            number: self.number.clone(),
            name: self.name.clone(),
            address: String::new(),
            phone: String::new(),
            email: String::new(),
        };
        if OrganisationParts::check(&declared).is_err() {
            return Err("the number or the name is not valid");
        }
        if self.area == 0 || self.area >= 1_000_000 {
            return Err("the area is not province × 1000 + district");
        }
        if self.representatives.len() > REPRESENTATIVES_MAX {
            return Err("there are too many representatives");
        }
        for number in &self.representatives {
            if ForeignerId::try_from(number.as_str()).is_err() {
                return Err("a representative's personal number is not valid");
            }
        }
        Ok(self)
    }
}

/// The embedded databases of organisations.
pub struct Organisations {
    file: SealedFile,
    index: RwLock<HashMap<[u8; 16], Place>>,
    /// Held by an import: one at a time.
    importing: Mutex<()>,
    hashing: [u8; 32],
}

impl Organisations {
    /// Opens the records in the registry's directory, or makes them. The ledger's lock must be held.
    pub fn open(
        registry: &Path,
        keys: &Keys,
        randomness: Arc<dyn Randomness>,
    ) -> Result<Self, RegistryError> {
        let file = SealedFile::open(registry, FILE, keys, randomness)?;
        let hashing = blake3::derive_key(
            "idledger 2026 organisation registry index v1",
            &keys.registry,
        );
        let organisations = Self {
            file,
            index: RwLock::default(),
            importing: Mutex::new(()),
            hashing,
        };
        let mut index = HashMap::new();
        organisations.file.scan(|place, plain| {
            let record: OrganisationRecord = bytes::decode(plain).ok()?;
            index.insert(organisations.hash(&record.number), place);
            Some(())
        })?;
        *organisations.index.write() = index;
        Ok(organisations)
    }

    /// Imports rows; representatives of a CSV cell are separated by `;`. As for people: an organisation that is there already is left alone if nothing
    /// changed and replaced if something did; rows that cannot be read are reported by line.
    pub fn import(&self, format: Format, rows: impl Read) -> Result<ImportReport, RegistryError> {
        let _only_one = self.importing.lock();
        let mut report = ImportReport::default();
        let mut fresh: HashMap<[u8; 16], Place> = HashMap::new();
        let mut appender = self.file.appender();
        let take = |record: OrganisationRecord| {
            let key = self.hash(&record.number);
            if fresh.contains_key(&key) {
                return Ok(Err("this organisation stands in the file twice"));
            }
            let before = self.find(key)?;
            if before.as_ref() == Some(&record) {
                return Ok(Ok(Change::None));
            }
            let plain = bytes::encode(&record)
                .map_err(|_| RegistryError::Unusable("a record is too long"))?;
            fresh.insert(key, appender.push(&plain)?);
            Ok(Ok(if before.is_some() {
                Change::Changed
            } else {
                Change::Added
            }))
        };
        import::read_rows(format, rows, &mut report, take)?;
        appender.commit(report.added)?;
        self.index.write().extend(fresh);
        Ok(report)
    }

    fn hash(&self, number: &str) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new_keyed(&self.hashing);
        hasher.update(document_form(number).as_bytes());
        let mut hash = [0; 16];
        hasher.finalize_xof().fill(&mut hash);
        hash
    }

    fn find(&self, key: [u8; 16]) -> Result<Option<OrganisationRecord>, RegistryError> {
        let place = self.index.read().get(&key).copied();
        let Some(place) = place else { return Ok(None) };
        let plain = self.file.read(place)?;
        bytes::decode(&plain)
            .map(Some)
            .map_err(|_| RegistryError::Damaged { at: place.offset() })
    }

    fn answer(&self, organisation: &Organisation) -> Result<OrganisationReply, RegistryError> {
        let Some(record) = self.find(self.hash(&organisation.number))? else {
            return Ok(OrganisationReply::Not(RegistryOutcome::NotFound));
        };
        let folded = |name: &str| domain::identity::fold(name);
        if folded(&record.name) != folded(&organisation.name) {
            return Ok(OrganisationReply::Not(RegistryOutcome::Mismatch));
        }
        Ok(OrganisationReply::Confirmed {
            area: AreaCode(record.area),
            representatives: record.representatives,
        })
    }
}

impl OrganisationRegistry for Organisations {
    fn confirm_organisation<'a>(
        &'a self,
        organisation: &'a Organisation,
    ) -> BoxFuture<'a, Answered<OrganisationReply>> {
        let reply = self.answer(organisation).unwrap_or_else(|error| {
            tracing::error!(%error, "the databases of organisations cannot answer");
            OrganisationReply::Not(RegistryOutcome::Unavailable)
        });
        Box::pin(core::future::ready(reply.into()))
    }
}
