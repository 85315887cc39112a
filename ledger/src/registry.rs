//! The registries that the ledger asks before it believes what somebody declares: the ports
//! ([`port`]) and the embedded adapters that answer from imported records.
//!
//! The records are the most personal thing in the directory, so they lie there sealed
//! ([`sealed_file`]); in memory there is an index of keyed hashes (25 bytes a person and a document)
//! and never more than one opened block. Owns `registry/`. Never appends an event, never lists
//! anybody: it answers questions about one person who is already named.

mod immigration;
mod import;
mod organisations;
mod port;
mod record;
mod sealed_file;

pub use immigration::{Immigration, ImmigrationRecord};
pub use import::{Format, ImportReport, ROW_BYTES_MAX, RowError};
pub use organisations::{
    OrganisationRecord, OrganisationRegistry, OrganisationReply, Organisations, REPRESENTATIVES_MAX,
};
pub use port::{
    Answered, BySector, CitizenCardRegistry, DocumentRegistry, Foreigner, ImmigrationRegistry,
    PopulationRegistry, Unreachable,
};
pub use record::{PopulationRecord, RegisteredDocument, RegisteredGuardian};

use crate::secrets::Keys;
use crate::store::BoxFuture;
use crate::wiring::Randomness;
use domain::bytes;
use domain::command::{DocumentAnswer, RegistryAnswer, RelationAnswer};
use domain::ids::{AreaCode, Micros};
use domain::personal::Person;
use domain::vocabulary::{DocumentKind, LinkOutcome, RegistryOutcome};
use parking_lot::{Mutex, RwLock};
use sealed_file::{Place, SealedFile};
use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// Where the records are.
const FILE: &str = "population.sealed";

/// Why the embedded registry cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Operating system error.
    #[error("{operation} the registry: {message}")]
    Io {
        /// What was being done.
        operation: &'static str,
        /// The system's message.
        message: String,
        /// Whether the disk is full.
        full: bool,
    },
    /// It belongs to another key-encryption key. Exit code 12.
    #[error("the registry does not belong to this key-encryption key")]
    WrongKey,
    /// Its bytes are not what was written. Exit code 4.
    #[error("the registry is damaged at byte {at}")]
    Damaged {
        /// Offset in the file.
        at: u64,
    },
    /// Not a registry file, or one of a newer program.
    #[error("the registry cannot be used: {0}")]
    Unusable(&'static str),
    /// The rows to import cannot be read any further.
    #[error("line {line}: {reason}")]
    Input {
        /// Line, from 1.
        line: u64,
        /// Why, without any of its data.
        reason: &'static str,
    },
}

impl RegistryError {
    fn io(operation: &'static str) -> impl Fn(std::io::Error) -> Self {
        move |error| Self::Io {
            operation,
            full: error.kind() == std::io::ErrorKind::StorageFull,
            message: error.to_string(),
        }
    }
}

/// The embedded registry.
pub struct Population {
    file: SealedFile,
    index: RwLock<Index>,
    /// Held by an import: one at a time.
    importing: Mutex<()>,
    hashing: [u8; 32],
}

/// Where the newest record of each person and document stands.
#[derive(Default)]
struct Index {
    people: HashMap<[u8; 16], Place>,
    documents: HashMap<[u8; 16], Place>,
}

impl Population {
    /// Opens the registry in a directory, or makes both. The ledger's lock must be held.
    pub fn open(
        directory: &Path,
        keys: &Keys,
        randomness: Arc<dyn Randomness>,
    ) -> Result<Self, RegistryError> {
        let file = SealedFile::open(directory, FILE, keys, randomness)?;
        let hashing = blake3::derive_key("idledger 2026 registry index v1", &keys.registry);
        let population = Self {
            file,
            index: RwLock::default(),
            importing: Mutex::new(()),
            hashing,
        };
        let mut index = Index::default();
        population.file.scan(|place, plain| {
            let record: PopulationRecord = bytes::decode(plain).ok()?;
            population.enter(&mut index, &record, place);
            Some(())
        })?;
        *population.index.write() = index;
        Ok(population)
    }

    /// Number of people.
    pub fn len(&self) -> usize {
        self.index.read().people.len()
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Imports rows. A person who is there already is left alone if nothing changed and replaced if
    /// something did, so importing a file twice is importing it once. Rows that cannot be read are
    /// reported by line and left out. All or nothing reaches the registry when the reader or the
    /// disk fails.
    pub fn import(
        &self,
        format: Format,
        rows: impl Read,
        as_of: Micros,
    ) -> Result<ImportReport, RegistryError> {
        let _only_one = self.importing.lock();
        let mut report = ImportReport::default();
        let mut fresh = Index::default();
        let mut appender = self.file.appender();
        import::read_rows(format, rows, &mut report, |mut record: PopulationRecord| {
            record.as_of = as_of;
            let key = self.person_hash(&record.personal_id);
            if fresh.people.contains_key(&key) {
                return Ok(Err("this person stands in the file twice"));
            }
            let before = self.index.read().people.get(&key).copied();
            let before = before.map(|place| self.read(place)).transpose()?;
            match &before {
                Some(before) if before.same_data(&record) => {
                    return Ok(Ok(import::Change::None));
                }
                _ => {}
            }
            let plain = bytes::encode(&record)
                .map_err(|_| RegistryError::Unusable("a record is too long"))?;
            let place = appender.push(&plain)?;
            self.enter(&mut fresh, &record, place);
            Ok(Ok(if before.is_some() {
                import::Change::Changed
            } else {
                import::Change::Added
            }))
        })?;
        appender.commit(report.added)?;
        let mut index = self.index.write();
        index.people.extend(fresh.people);
        index.documents.extend(fresh.documents);
        Ok(report)
    }

    fn enter(&self, index: &mut Index, record: &PopulationRecord, place: Place) {
        for document in &record.documents {
            index
                .documents
                .insert(self.document_hash(document.kind, &document.number), place);
        }
        index
            .people
            .insert(self.person_hash(&record.personal_id), place);
    }

    fn person(&self, personal_id: &str) -> Result<Option<PopulationRecord>, RegistryError> {
        let place = self
            .index
            .read()
            .people
            .get(&self.person_hash(personal_id))
            .copied();
        place.map(|place| self.read(place)).transpose()
    }

    fn read(&self, place: Place) -> Result<PopulationRecord, RegistryError> {
        let plain = self.file.read(place)?;
        bytes::decode(&plain).map_err(|_| RegistryError::Damaged { at: place.offset() })
    }

    fn answer(&self, person: &Person) -> Result<RegistryAnswer, RegistryError> {
        Ok(match self.person(person.personal_id.trim())? {
            None => RegistryAnswer::Not(RegistryOutcome::NotFound),
            Some(record) if record.confirms(person) => RegistryAnswer::Confirmed {
                area: AreaCode(record.area),
                birth_date: record.birth_date.clone(),
                has_chip_card: record.has_chip_card,
            },
            Some(_) => RegistryAnswer::Not(RegistryOutcome::Mismatch),
        })
    }

    fn answer_relation(
        &self,
        dependant: &str,
        guardian: &str,
    ) -> Result<RelationAnswer, RegistryError> {
        let Some(record) = self.person(dependant.trim())? else {
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

    fn answer_document(
        &self,
        personal_id: &str,
        kind: DocumentKind,
        number: &str,
    ) -> Result<DocumentAnswer, RegistryError> {
        let Some(record) = self.person(personal_id.trim())? else {
            return Ok(DocumentAnswer::Not(LinkOutcome::NotFound));
        };
        if record.has_document(kind, number) {
            return Ok(DocumentAnswer::Verified {
                data_as_of: record.as_of,
            });
        }
        let hash = self.document_hash(kind, number);
        let place = self.index.read().documents.get(&hash).copied();
        // The index may point at a person who no longer has it: ask the newest record of theirs.
        let other = match place.map(|place| self.read(place)).transpose()? {
            Some(owner) => self.person(&owner.personal_id)?,
            None => None,
        };
        Ok(DocumentAnswer::Not(match other {
            Some(owner) if owner.has_document(kind, number) => LinkOutcome::OwnerMismatch,
            _ if record.documents.iter().any(|d| d.kind == kind) => LinkOutcome::Mismatch,
            _ => LinkOutcome::NotFound,
        }))
    }

    fn person_hash(&self, personal_id: &str) -> [u8; 16] {
        self.hash(&[0xff], personal_id)
    }

    fn document_hash(&self, kind: DocumentKind, number: &str) -> [u8; 16] {
        self.hash(&[kind as u8], &record::document_form(number))
    }

    fn hash(&self, domain: &[u8], text: &str) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new_keyed(&self.hashing);
        hasher.update(domain);
        hasher.update(text.as_bytes());
        let mut hash = [0; 16];
        hasher.finalize_xof().fill(&mut hash);
        hash
    }
}

impl PopulationRegistry for Population {
    fn confirm<'a>(&'a self, person: &'a Person) -> BoxFuture<'a, Answered<RegistryAnswer>> {
        let answer = self.answer(person).unwrap_or_else(|error| {
            tracing::error!(%error, "the population registry cannot answer");
            RegistryAnswer::Not(RegistryOutcome::Unavailable)
        });
        Box::pin(core::future::ready(answer.into()))
    }

    fn relation<'a>(
        &'a self,
        dependant: &'a str,
        guardian: &'a str,
    ) -> BoxFuture<'a, Answered<RelationAnswer>> {
        let answer = self
            .answer_relation(dependant, guardian)
            .unwrap_or_else(|error| {
                tracing::error!(%error, "the population registry cannot answer");
                RelationAnswer::Unavailable
            });
        Box::pin(core::future::ready(answer.into()))
    }
}

/// Who has a card stands in the same records.
impl CitizenCardRegistry for Population {
    fn confirm<'a>(&'a self, person: &'a Person) -> BoxFuture<'a, Answered<RegistryAnswer>> {
        PopulationRegistry::confirm(self, person)
    }
}

impl DocumentRegistry for Population {
    fn check<'a>(
        &'a self,
        personal_id: &'a str,
        kind: DocumentKind,
        number: &'a str,
    ) -> BoxFuture<'a, Answered<DocumentAnswer>> {
        let answer = self
            .answer_document(personal_id, kind, number)
            .unwrap_or_else(|error| {
                tracing::error!(%error, "the document registry cannot answer");
                DocumentAnswer::Not(LinkOutcome::RegistryUnavailable)
            });
        Box::pin(core::future::ready(answer.into()))
    }
}

#[cfg(test)]
mod tests;
