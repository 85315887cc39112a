//! A version of a law as people write it: TOML on disk, the same fields as JSON over HTTP.
//!
//! Days are civil days of Asia/Ho_Chi_Minh, `2024-03-01`; `effective_to` names the last day. An instant
//! (RFC 3339) may stand instead; as `effective_to` it is the first at which the version no longer holds.

use super::{
    Calendar, Confidence, DocumentKinds, DocumentRule, Holiday, IntakeSites, LawContent, LawDraft,
    LawFault, LawTerms, LegalBasis, MessageCatalogue, Opening, Province, ProvinceCodes, Site,
};
use crate::calendar::{next_day, parse_day, start_of};
use crate::entitlement::{Catalogue, CatalogueService, Feature, Standing};
use crate::ids::{AreaCode, LocalDay, Micros};
use crate::policy::Policy;
use crate::vocabulary::{DocumentKind, LawKind, Level};
use serde::Deserialize;

/// Why a text is not a version of a law.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LawFileError {
    /// Not TOML, or other fields than there are.
    #[error("not a law file: {0}")]
    Syntax(String),
    /// The table of its kind is missing, or another is there.
    #[error("a file of the law `{0}` has the table `{0}` and no other")]
    Content(&'static str),
    /// Not a day or an instant.
    #[error("`{0}` is not a day (2024-03-01) or an RFC 3339 time")]
    Time(&'static str),
    /// Not well formed.
    #[error(transparent)]
    Fault(#[from] LawFault),
}

/// The fields of a file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LawFile {
    /// Which law.
    pub law: LawKind,
    /// The version's name.
    pub name: String,
    /// First day.
    pub effective_from: String,
    /// Last day.
    #[serde(default)]
    pub effective_to: Option<String>,
    /// Where it holds.
    pub jurisdiction: String,
    /// How sure it is.
    pub confidence: Confidence,
    /// Its ground.
    pub basis: LegalBasis,
    #[serde(default)]
    policy: Option<Policy>,
    #[serde(default)]
    catalogue: Option<CatalogueTable>,
    #[serde(default)]
    provinces: Option<ProvincesTable>,
    #[serde(default)]
    messages: Option<MessageCatalogue>,
    #[serde(default)]
    documents: Option<DocumentsTable>,
    #[serde(default)]
    calendar: Option<CalendarTable>,
    #[serde(default)]
    sites: Option<SitesTable>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct CatalogueTable {
    services: Vec<ServiceRow>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceRow {
    id: String,
    level: u8,
    #[serde(default)]
    standing: Standing,
    #[serde(default)]
    effective_to: Option<String>,
    vi: String,
    en: String,
    #[serde(default)]
    features: Vec<Feature>,
    #[serde(default)]
    organisations: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProvincesTable {
    codes: Vec<ProvinceRow>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProvinceRow {
    code: String,
    name: String,
    #[serde(default)]
    unit: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentsTable {
    kinds: Vec<DocumentRow>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentRow {
    id: String,
    #[serde(default)]
    links: Option<DocumentKind>,
    vi: String,
    en: String,
    #[serde(default)]
    effective_from: Option<String>,
    #[serde(default)]
    effective_to: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct CalendarTable {
    holidays: Vec<HolidayRow>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct HolidayRow {
    day: String,
    confidence: Confidence,
    name: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct SitesTable {
    #[serde(default)]
    unlisted_from: Option<String>,
    #[serde(default)]
    sites: Vec<SiteRow>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct SiteRow {
    id: u32,
    name: String,
    area: u32,
    opens: String,
    #[serde(default)]
    with_card_opens: Option<String>,
    #[serde(default)]
    closes: Option<String>,
    #[serde(default)]
    days: Opening,
}

/// Reads a TOML file's text.
pub fn parse(text: &str) -> Result<LawDraft, LawFileError> {
    let file: LawFile = toml::from_str(text).map_err(|error| {
        // The message without the excerpt: one line, and where.
        let at = error.span().map_or(0, |span| span.start);
        let line = text
            .get(..at)
            .map_or(0, |before| before.matches('\n').count())
            + 1;
        LawFileError::Syntax(format!("line {line}: {}", error.message()))
    })?;
    LawDraft::try_from(file)
}

impl TryFrom<LawFile> for LawDraft {
    type Error = LawFileError;

    fn try_from(file: LawFile) -> Result<Self, LawFileError> {
        let terms = LawTerms {
            name: file.name.clone(),
            effective_from: instant("effective_from", &file.effective_from, false)?,
            effective_to: file
                .effective_to
                .as_deref()
                .map(|text| instant("effective_to", text, true))
                .transpose()?,
            basis: file.basis.clone(),
            jurisdiction: file.jurisdiction.clone(),
            confidence: file.confidence,
        };
        let draft = Self {
            terms,
            content: content(file)?,
        };
        draft.check()?;
        Ok(draft)
    }
}

/// The one table that the kind asks for.
fn content(file: LawFile) -> Result<LawContent, LawFileError> {
    let law = file.law;
    let mut tables: Vec<LawContent> = Vec::new();
    tables.extend(file.policy.map(LawContent::Policy));
    if let Some(table) = file.catalogue {
        tables.push(LawContent::Catalogue(services(&file.name, table)?));
    }
    if let Some(table) = file.provinces {
        tables.push(LawContent::Provinces(provinces(table)?));
    }
    tables.extend(file.messages.map(LawContent::Messages));
    if let Some(table) = file.documents {
        tables.push(LawContent::Documents(documents(table)?));
    }
    if let Some(table) = file.calendar {
        tables.push(LawContent::Calendar(holidays(table)?));
    }
    if let Some(table) = file.sites {
        tables.push(LawContent::Sites(sites(table)?));
    }
    match (tables.pop(), tables.is_empty()) {
        (Some(content), true) if content.kind() == law => Ok(content),
        _ => Err(LawFileError::Content(law.name())),
    }
}

fn services(name: &str, table: CatalogueTable) -> Result<Catalogue, LawFileError> {
    let row = |row: ServiceRow| {
        Ok(CatalogueService {
            id: row.id,
            level: match row.level {
                1 => Level::One,
                2 => Level::Two,
                _ => return Err(LawFault::Range("a service's level").into()),
            },
            standing: row.standing,
            effective_to: optional_day("effective_to", row.effective_to.as_deref())?,
            vi: row.vi,
            en: row.en,
            features: row.features,
            organisations: row.organisations,
        })
    };
    Ok(Catalogue {
        name: name.to_owned(),
        services: table
            .services
            .into_iter()
            .map(row)
            .collect::<Result<_, LawFileError>>()?,
    })
}

fn provinces(table: ProvincesTable) -> Result<ProvinceCodes, LawFileError> {
    let row = |row: ProvinceRow| {
        let digits = row.code.len() == 3 && row.code.bytes().all(|byte| byte.is_ascii_digit());
        let code = row.code.parse().ok().filter(|_| digits);
        Ok(Province {
            code: code.ok_or(LawFault::Range("a code"))?,
            name: row.name,
            unit: row.unit,
        })
    };
    let codes = table
        .codes
        .into_iter()
        .map(row)
        .collect::<Result<_, LawFileError>>()?;
    Ok(ProvinceCodes { codes })
}

fn documents(table: DocumentsTable) -> Result<DocumentKinds, LawFileError> {
    let row = |row: DocumentRow| {
        Ok(DocumentRule {
            id: row.id,
            links: row.links,
            vi: row.vi,
            en: row.en,
            effective_from: optional_day("effective_from", row.effective_from.as_deref())?,
            effective_to: optional_day("effective_to", row.effective_to.as_deref())?,
        })
    };
    let kinds = table
        .kinds
        .into_iter()
        .map(row)
        .collect::<Result<_, LawFileError>>()?;
    Ok(DocumentKinds { kinds })
}

fn holidays(table: CalendarTable) -> Result<Calendar, LawFileError> {
    let row = |row: HolidayRow| {
        Ok(Holiday {
            day: day("day", &row.day)?,
            confidence: row.confidence,
            name: row.name,
        })
    };
    let holidays = table
        .holidays
        .into_iter()
        .map(row)
        .collect::<Result<_, LawFileError>>()?;
    Ok(Calendar { holidays })
}

fn sites(table: SitesTable) -> Result<IntakeSites, LawFileError> {
    let row = |row: SiteRow| {
        Ok(Site {
            id: row.id,
            name: row.name,
            area: AreaCode(row.area),
            opens: day("opens", &row.opens)?,
            with_card_opens: optional_day("with_card_opens", row.with_card_opens.as_deref())?,
            closes: optional_day("closes", row.closes.as_deref())?,
            days: row.days,
        })
    };
    Ok(IntakeSites {
        unlisted_from: optional_day("unlisted_from", table.unlisted_from.as_deref())?,
        sites: table
            .sites
            .into_iter()
            .map(row)
            .collect::<Result<_, LawFileError>>()?,
    })
}

fn instant(field: &'static str, text: &str, end: bool) -> Result<Micros, LawFileError> {
    if let Some(day) = parse_day(text) {
        return Ok(start_of(if end { next_day(day) } else { day }));
    }
    let timestamp: jiff::Timestamp = text.parse().map_err(|_| LawFileError::Time(field))?;
    Ok(Micros(timestamp.as_microsecond()))
}

fn day(field: &'static str, text: &str) -> Result<LocalDay, LawFileError> {
    parse_day(text).ok_or(LawFileError::Time(field))
}

fn optional_day(field: &'static str, text: Option<&str>) -> Result<Option<LocalDay>, LawFileError> {
    text.map(|text| day(field, text)).transpose()
}
