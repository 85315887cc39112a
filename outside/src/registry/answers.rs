//! What registries answer, taken apart. Whatever is not exactly an answer of the protocol is none.

use domain::command::{DocumentAnswer, ImmigrationAnswer, RegistryAnswer, RelationAnswer};
use domain::identity::{BirthDate, CivilDate, ForeignerId};
use domain::ids::{AreaCode, LocalDay, Micros};
use domain::vocabulary::{LinkOutcome, MatchResult, RegistryOutcome, Relation, ResidenceStatus};
use ledger::registry::{OrganisationReply, REPRESENTATIVES_MAX};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

/// Largest area code: province and district.
const AREA_MAX: u32 = 999_999;
/// Longest birth date an answer may carry, in bytes.
const BIRTH_DATE_BYTES_MAX: usize = 10;

/// What it says of a person.
#[derive(Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case", deny_unknown_fields)]
enum OfPerson {
    Confirmed {
        area: u32,
        birth_date: String,
        has_chip_card: bool,
    },
    Mismatch {},
    NotFound {},
}

/// What it says of somebody's guardian.
#[derive(Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case", deny_unknown_fields)]
enum OfRelation {
    Confirmed { relation: Relation, ward: bool },
    NotRelated { ward: bool },
}

/// What it says of a foreigner.
#[derive(Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case", deny_unknown_fields)]
enum OfForeigner {
    Confirmed {
        area: u32,
        birth_date: String,
        document_until: Option<String>,
        residence: ResidenceStatus,
        residence_until: Option<String>,
        biometrics_held: bool,
    },
    Mismatch {},
    NotFound {},
}

/// What they say of an organisation.
#[derive(Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case", deny_unknown_fields)]
enum OfOrganisation {
    Confirmed {
        area: u32,
        representatives: Vec<String>,
    },
    Mismatch {},
    NotFound {},
}

/// What it says of a capture.
#[derive(Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case", deny_unknown_fields)]
enum OfCapture {
    Match {},
    NoMatch {},
    NoReference {},
}

/// What it says of a document.
#[derive(Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case", deny_unknown_fields)]
enum OfDocument {
    Verified {
        /// Microseconds since 1970.
        data_as_of: i64,
    },
    NotFound {},
    Mismatch {},
    OwnerMismatch {},
    NoLongerValid {},
}

/// An object in which each field stands once.
struct Fields(Map<String, Value>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;
        impl<'de> Visitor<'de> for Once {
            type Value = Fields;

            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Map::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if fields.insert(name, value).is_some() {
                        return Err(A::Error::custom("a field stands there twice"));
                    }
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Once)
    }
}

/// An answer without the question's salt, which it must say back: its digest is kept in the open, and
/// what it says is soon guessed.
pub(super) fn without_salt(answer: &[u8], salt: &str) -> Option<Value> {
    let Fields(mut fields) = serde_json::from_slice(answer).ok()?;
    let said = fields.remove("salt")?;
    (said.as_str()? == salt).then_some(Value::Object(fields))
}

pub(super) fn of_person(answer: Value) -> Option<RegistryAnswer> {
    Some(match serde_json::from_value(answer).ok()? {
        OfPerson::Confirmed {
            area,
            birth_date,
            has_chip_card,
        } => {
            if area > AREA_MAX || birth_date.len() > BIRTH_DATE_BYTES_MAX {
                return None;
            }
            BirthDate::try_from(birth_date.as_str()).ok()?;
            RegistryAnswer::Confirmed {
                area: AreaCode(area),
                birth_date,
                has_chip_card,
            }
        }
        OfPerson::Mismatch {} => RegistryAnswer::Not(RegistryOutcome::Mismatch),
        OfPerson::NotFound {} => RegistryAnswer::Not(RegistryOutcome::NotFound),
    })
}

pub(super) fn of_relation(answer: Value) -> Option<RelationAnswer> {
    Some(match serde_json::from_value(answer).ok()? {
        OfRelation::Confirmed { relation, ward } => RelationAnswer::Confirmed { relation, ward },
        OfRelation::NotRelated { ward } => RelationAnswer::NotRelated { ward },
    })
}

/// What was said where a last day is expected, and is no day.
struct NoDay;

/// A last day, or that there is none.
fn last_day(text: Option<&str>) -> Result<Option<LocalDay>, NoDay> {
    let day = text.map(CivilDate::try_from).transpose();
    Ok(day.map_err(|_| NoDay)?.map(|day| day.local_day()))
}

pub(super) fn of_foreigner(answer: Value) -> Option<ImmigrationAnswer> {
    Some(match serde_json::from_value(answer).ok()? {
        OfForeigner::Confirmed {
            area,
            birth_date,
            document_until,
            residence,
            residence_until,
            biometrics_held,
        } => {
            if area > AREA_MAX || birth_date.len() > BIRTH_DATE_BYTES_MAX {
                return None;
            }
            BirthDate::try_from(birth_date.as_str()).ok()?;
            ImmigrationAnswer::Confirmed {
                area: AreaCode(area),
                birth_date,
                document_until: last_day(document_until.as_deref()).ok()?,
                residence,
                residence_until: last_day(residence_until.as_deref()).ok()?,
                biometrics_held,
            }
        }
        OfForeigner::Mismatch {} => ImmigrationAnswer::Not(RegistryOutcome::Mismatch),
        OfForeigner::NotFound {} => ImmigrationAnswer::Not(RegistryOutcome::NotFound),
    })
}

pub(super) fn of_organisation(answer: Value) -> Option<OrganisationReply> {
    Some(match serde_json::from_value(answer).ok()? {
        OfOrganisation::Confirmed {
            area,
            representatives,
        } => {
            let good = |number: &String| ForeignerId::try_from(number.as_str()).is_ok();
            let several = representatives.len() <= REPRESENTATIVES_MAX;
            if area > AREA_MAX || !several || !representatives.iter().all(good) {
                return None;
            }
            OrganisationReply::Confirmed {
                area: AreaCode(area),
                representatives,
            }
        }
        OfOrganisation::Mismatch {} => OrganisationReply::Not(RegistryOutcome::Mismatch),
        OfOrganisation::NotFound {} => OrganisationReply::Not(RegistryOutcome::NotFound),
    })
}

pub(super) fn of_capture(answer: Value) -> Option<MatchResult> {
    Some(match serde_json::from_value(answer).ok()? {
        OfCapture::Match {} => MatchResult::Match,
        OfCapture::NoMatch {} => MatchResult::NoMatch,
        OfCapture::NoReference {} => MatchResult::NoReference,
    })
}

pub(super) fn of_document(answer: Value, now: Micros) -> Option<DocumentAnswer> {
    Some(match serde_json::from_value(answer).ok()? {
        // Data of tomorrow are no data.
        OfDocument::Verified { data_as_of } if data_as_of > now.0 => return None,
        OfDocument::Verified { data_as_of } => DocumentAnswer::Verified {
            data_as_of: Micros(data_as_of),
        },
        OfDocument::NotFound {} => DocumentAnswer::Not(LinkOutcome::NotFound),
        OfDocument::Mismatch {} => DocumentAnswer::Not(LinkOutcome::Mismatch),
        OfDocument::OwnerMismatch {} => DocumentAnswer::Not(LinkOutcome::OwnerMismatch),
        OfDocument::NoLongerValid {} => DocumentAnswer::Not(LinkOutcome::NoLongerValid),
    })
}
