//! The embedded immigration database: foreigners as imported, one record for each passport or travel
//! document.
//!
//! A row of CSV or a JSON line has `nationality` (ISO 3166-1 alpha-3), `document_number`,
//! `full_name`, `birth_date`, `area` and, if wanted, `personal_id` (the number given in Viet Nam),
//! `sex`, `document_until`, `residence` (`none`, `temporary` or `permanent`), `residence_until`,
//! `biometrics_held`, `guardians` and `ward` (as the population's rows have them). Owns `registry/immigration.sealed`.

use super::import::{self, Cells, Row, guardians, yes};
use super::record::{
    GUARDIANS_MAX, RegisteredGuardian, TEXT_BYTES_MAX, document_form, folded, is_date,
};
use super::sealed_file::{Place, SealedFile};
use super::{Answered, Foreigner, Format, ImmigrationRegistry, ImportReport, RegistryError};
use crate::secrets::Keys;
use crate::store::BoxFuture;
use crate::wiring::Randomness;
use domain::bytes;
use domain::command::{ImmigrationAnswer, RelationAnswer};
use domain::identity::{CivilDate, ForeignerId};
use domain::ids::{AreaCode, LocalDay};
use domain::vocabulary::{RegistryOutcome, ResidenceStatus};
use parking_lot::{Mutex, RwLock};
use serde::de::IntoDeserializer;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use unicode_normalization::UnicodeNormalization;
use wincode::{SchemaRead, SchemaWrite};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Where the records are.
const FILE: &str = "immigration.sealed";

/// One foreigner, by passport or travel document. Texts are NFC.
#[derive(
    Clone, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize, Zeroize, ZeroizeOnDrop,
)]
#[serde(deny_unknown_fields)]
pub struct ImmigrationRecord {
    /// ISO 3166-1 alpha-3.
    pub nationality: String,
    /// Number of the passport or travel document.
    pub document_number: String,
    /// Name as in the document.
    pub full_name: String,
    /// `YYYY-MM-DD`, `YYYY-MM` or `YYYY`.
    pub birth_date: String,
    /// Province code × 1000 + district code of where they stay.
    pub area: u32,
    /// The number given in Viet Nam, or empty.
    #[serde(default)]
    pub personal_id: String,
    /// `Nam`, `Nữ` or empty.
    #[serde(default)]
    pub sex: String,
    /// Last day of the document, `YYYY-MM-DD`, or empty.
    #[serde(default)]
    pub document_until: String,
    /// How they stay.
    #[serde(default = "visitor")]
    #[zeroize(skip)]
    pub residence: ResidenceStatus,
    /// Last day of the residence, `YYYY-MM-DD`; empty: none.
    #[serde(default)]
    pub residence_until: String,
    /// Whether face and fingerprints are in the database.
    #[serde(default)]
    pub biometrics_held: bool,
    /// Parents and guardians; whoever is asked about needs a `personal_id`.
    #[serde(default)]
    pub guardians: Vec<RegisteredGuardian>,
    /// Under guardianship, whatever their age.
    #[serde(default)]
    pub ward: bool,
}

const fn visitor() -> ResidenceStatus {
    ResidenceStatus::None
}

impl core::fmt::Debug for ImmigrationRecord {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ImmigrationRecord(…)")
    }
}

impl Row for ImmigrationRecord {
    const COLUMNS: &'static [&'static str] = &[
        "nationality",
        "document_number",
        "full_name",
        "birth_date",
        "area",
        "personal_id",
        "sex",
        "document_until",
        "residence",
        "residence_until",
        "biometrics_held",
        "guardians",
        "ward",
    ];
    const REQUIRED: &'static [&'static str] = &[
        "nationality",
        "document_number",
        "full_name",
        "birth_date",
        "area",
    ];
    const MISSING: &'static str = "a column is missing: nationality, document_number, full_name, \
                                   birth_date and area are needed";

    fn of_cells(text: Cells<'_>) -> Result<Self, &'static str> {
        let residence: Result<ResidenceStatus, serde::de::value::Error> = match text("residence")? {
            "" => Ok(visitor()),
            residence => ResidenceStatus::deserialize(residence.into_deserializer()),
        };
        Ok(Self {
            nationality: text("nationality")?.into(),
            document_number: text("document_number")?.into(),
            full_name: text("full_name")?.into(),
            birth_date: text("birth_date")?.into(),
            area: text("area")?
                .parse()
                .map_err(|_| "the area is not a number")?,
            personal_id: text("personal_id")?.into(),
            sex: text("sex")?.into(),
            document_until: text("document_until")?.into(),
            residence: residence
                .map_err(|_| "the residence is not none, temporary or permanent")?,
            residence_until: text("residence_until")?.into(),
            biometrics_held: yes(text("biometrics_held")?)
                .ok_or("biometrics_held is neither true nor false")?,
            guardians: guardians(text("guardians")?)?,
            ward: yes(text("ward")?).ok_or("ward is neither true nor false")?,
        })
    }

    fn checked(mut self) -> Result<Self, &'static str> {
        for text in [
            &mut self.nationality,
            &mut self.document_number,
            &mut self.full_name,
            &mut self.birth_date,
            &mut self.personal_id,
            &mut self.sex,
            &mut self.document_until,
            &mut self.residence_until,
        ] {
            *text = text.trim().nfc().collect();
            if text.len() > TEXT_BYTES_MAX || text.chars().any(char::is_control) {
                return Err("a text is too long or has control characters");
            }
        }
        let letters = self.nationality.bytes().all(|b| b.is_ascii_uppercase());
        if self.nationality.len() != 3 || !letters {
            return Err("the nationality is not three capital letters");
        }
        if document_form(&self.document_number).is_empty() {
            return Err("the document's number is empty");
        }
        if self.full_name.is_empty() {
            return Err("the name is empty");
        }
        if !is_date(&self.birth_date) {
            return Err("the birth date is not `YYYY-MM-DD`, `YYYY-MM` or `YYYY`");
        }
        if !matches!(self.sex.as_str(), "" | "Nam" | "Nữ") {
            return Err("the sex is neither `Nam` nor `Nữ`");
        }
        if self.area == 0 || self.area >= 1_000_000 {
            return Err("the area is not province × 1000 + district");
        }
        for last in [&self.document_until, &self.residence_until] {
            if !last.is_empty() && day(last).is_none() {
                return Err("a last day is not `YYYY-MM-DD`");
            }
        }
        if self.guardians.len() > GUARDIANS_MAX {
            return Err("there are too many guardians");
        }
        for guardian in &mut self.guardians {
            guardian.personal_id = guardian.personal_id.trim().to_owned();
            if ForeignerId::try_from(guardian.personal_id.as_str()).is_err() {
                return Err("a guardian's personal number is not valid");
            }
        }
        Ok(self)
    }
}

/// A day of the calendar.
fn day(text: &str) -> Option<LocalDay> {
    CivilDate::try_from(text).ok().map(|date| date.local_day())
}

impl ImmigrationRecord {
    /// Whether a declaration agrees: name (any case, any spacing), birth date, and number and sex
    /// where both have them.
    fn confirms(&self, foreigner: &Foreigner<'_>) -> bool {
        let person = foreigner.person;
        let same = |own: &str, declared: &str| {
            let declared = declared.trim();
            own.is_empty() || declared.is_empty() || folded(own) == folded(declared)
        };
        folded(&self.full_name) == folded(&person.full_name)
            && self.birth_date == person.birth_date.trim()
            && same(&self.sex, &person.sex)
            && same(&self.personal_id, &person.personal_id)
    }
}

/// Keyed hashes, and where the newest record stands.
#[derive(Default)]
struct Index {
    /// By document.
    documents: HashMap<[u8; 16], Place>,
    /// By the number given in Viet Nam.
    people: HashMap<[u8; 16], Place>,
}

/// The embedded immigration database.
pub struct Immigration {
    file: SealedFile,
    /// Where the newest records stand.
    index: RwLock<Index>,
    /// Held by an import: one at a time.
    importing: Mutex<()>,
    hashing: [u8; 32],
}

impl Immigration {
    /// Opens the database in a directory, or makes both. The ledger's lock must be held.
    pub fn open(
        directory: &Path,
        keys: &Keys,
        randomness: Arc<dyn Randomness>,
    ) -> Result<Self, RegistryError> {
        let immigration = Self {
            file: SealedFile::open(directory, FILE, keys, randomness)?,
            index: RwLock::default(),
            importing: Mutex::new(()),
            hashing: blake3::derive_key("idledger 2026 immigration index v1", &keys.registry),
        };
        let mut index = Index::default();
        immigration.file.scan(|place, plain| {
            let record: ImmigrationRecord = bytes::decode(plain).ok()?;
            immigration.enter(&mut index, &record, place);
            Some(())
        })?;
        *immigration.index.write() = index;
        Ok(immigration)
    }

    /// Number of foreigners.
    pub fn len(&self) -> usize {
        self.index.read().documents.len()
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Imports rows as [`super::Population::import`] does: twice is once, and all or nothing reaches
    /// the database when the reader or the disk fails.
    pub fn import(&self, format: Format, rows: impl Read) -> Result<ImportReport, RegistryError> {
        let _only_one = self.importing.lock();
        let mut report = ImportReport::default();
        let mut fresh = Index::default();
        let mut appender = self.file.appender();
        import::read_rows(format, rows, &mut report, |record: ImmigrationRecord| {
            let key = self.hash(&record.nationality, &record.document_number);
            if fresh.documents.contains_key(&key) {
                return Ok(Err("this document stands in the file twice"));
            }
            let before = self.index.read().documents.get(&key).copied();
            let before = before.map(|place| self.read(place)).transpose()?;
            if before.as_ref() == Some(&record) {
                return Ok(Ok(import::Change::None));
            }
            let plain = bytes::encode(&record)
                .map_err(|_| RegistryError::Unusable("a record is too long"))?;
            self.enter(&mut fresh, &record, appender.push(&plain)?);
            Ok(Ok(if before.is_some() {
                import::Change::Changed
            } else {
                import::Change::Added
            }))
        })?;
        appender.commit(report.added)?;
        let mut index = self.index.write();
        index.documents.extend(fresh.documents);
        index.people.extend(fresh.people);
        Ok(report)
    }

    fn enter(&self, index: &mut Index, record: &ImmigrationRecord, place: Place) {
        let key = self.hash(&record.nationality, &record.document_number);
        index.documents.insert(key, place);
        if !record.personal_id.is_empty() {
            index.people.insert(self.person(&record.personal_id), place);
        }
    }

    /// Of a number given in Viet Nam; no nationality is empty, so that it is no document's.
    fn person(&self, personal_id: &str) -> [u8; 16] {
        self.hash("", personal_id)
    }

    fn read(&self, place: Place) -> Result<ImmigrationRecord, RegistryError> {
        let plain = self.file.read(place)?;
        bytes::decode(&plain).map_err(|_| RegistryError::Damaged { at: place.offset() })
    }

    fn answer(&self, foreigner: &Foreigner<'_>) -> Result<ImmigrationAnswer, RegistryError> {
        let key = self.hash(foreigner.nationality.trim(), foreigner.document_number);
        let place = self.index.read().documents.get(&key).copied();
        let record = place.map(|place| self.read(place)).transpose()?;
        Ok(match record {
            None => ImmigrationAnswer::Not(RegistryOutcome::NotFound),
            Some(record) if record.confirms(foreigner) => ImmigrationAnswer::Confirmed {
                area: AreaCode(record.area),
                birth_date: record.birth_date.clone(),
                document_until: day(&record.document_until),
                residence: record.residence,
                residence_until: day(&record.residence_until),
                biometrics_held: record.biometrics_held,
            },
            Some(_) => ImmigrationAnswer::Not(RegistryOutcome::Mismatch),
        })
    }

    fn answer_relation(
        &self,
        dependant: &str,
        guardian: &str,
    ) -> Result<RelationAnswer, RegistryError> {
        let key = self.person(dependant.trim());
        let place = self.index.read().people.get(&key).copied();
        let Some(record) = place.map(|place| self.read(place)).transpose()? else {
            return Ok(RelationAnswer::NotRelated { ward: false });
        };
        let ward = record.ward;
        let known = record
            .guardians
            .iter()
            .find(|known| known.personal_id == guardian.trim());
        Ok(match known {
            Some(known) => RelationAnswer::Confirmed {
                relation: known.relation,
                ward,
            },
            None => RelationAnswer::NotRelated { ward },
        })
    }

    fn hash(&self, nationality: &str, number: &str) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new_keyed(&self.hashing);
        hasher.update(nationality.as_bytes());
        hasher.update(b":");
        hasher.update(document_form(number).as_bytes());
        let mut hash = [0; 16];
        hasher.finalize_xof().fill(&mut hash);
        hash
    }
}

impl ImmigrationRegistry for Immigration {
    fn confirm<'a>(
        &'a self,
        foreigner: Foreigner<'a>,
    ) -> BoxFuture<'a, Answered<ImmigrationAnswer>> {
        let answer = self.answer(&foreigner).unwrap_or_else(|error| {
            tracing::error!(%error, "the immigration database cannot answer");
            ImmigrationAnswer::Not(RegistryOutcome::Unavailable)
        });
        Box::pin(core::future::ready(answer.into()))
    }

    fn relation<'a>(
        &'a self,
        dependant: &'a str,
        guardian: &'a str,
    ) -> BoxFuture<'a, Answered<RelationAnswer>> {
        let answer = self.answer_relation(dependant, guardian);
        let answer = answer.unwrap_or_else(|error| {
            tracing::error!(%error, "the immigration database cannot answer");
            RelationAnswer::Unavailable
        });
        Box::pin(core::future::ready(answer.into()))
    }
}

#[cfg(test)]
mod tests;
