//! What each kind of law holds besides policy and services, and when it is well formed.

use super::{Confidence, LAW_BYTES_MAX, LawContent, LawDraft, LegalBasis};
use crate::bytes;
use crate::calendar::{is_weekday, next_day};
use crate::entitlement::{Catalogue, Standing};
use crate::ids::{AreaCode, LocalDay};
use crate::messages::Lang;
use crate::vocabulary::DocumentKind;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use unicode_normalization::is_nfc;
use wincode::{SchemaRead, SchemaWrite};

/// Longest name, id or jurisdiction, in bytes.
const NAME_BYTES_MAX: usize = 120;
/// Longest text, in bytes.
const TEXT_BYTES_MAX: usize = 2000;
/// Most rows of a list.
const ROWS_MAX: usize = 600;

/// Makes the structs of published content.
macro_rules! contents {
    ($( $(#[$doc:meta])* $name:ident { $( $(#[$fdoc:meta])* $field:ident : $ty:ty ),* $(,)? } )*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $( $(#[$fdoc])* pub $field: $ty ),* }
    )* };
}

contents! {
    /// A code of the first three digits of a personal number.
    Province {
        /// The code.
        code: u16,
        /// The province as it was named when the code was given.
        name: String,
        /// The unit of today that it lies in; empty where the version says nothing of units.
        unit: String,
    }
    /// Province codes (spec C.1), by code.
    ProvinceCodes {
        /// By code.
        codes: Vec<Province>,
    }
    /// One text in both languages.
    Text {
        /// Stable id or code.
        id: String,
        /// tiếng Việt
        vi: String,
        /// English
        en: String,
    }
    /// Texts of messages and of refusals (spec A.7).
    MessageCatalogue {
        /// By message id; named places such as `{code}` stay unfilled.
        messages: Vec<Text>,
        /// By refusal code.
        refusals: Vec<Text>,
    }
    /// A kind of document (spec A.3, C-04).
    DocumentRule {
        /// Stable id.
        id: String,
        /// The kind under which it can be linked to an account; `None`: shown or read only.
        links: Option<DocumentKind>,
        /// tiếng Việt
        vi: String,
        /// English
        en: String,
        /// First day; `None`: since the version began.
        effective_from: Option<LocalDay>,
        /// Last day; `None`: open.
        effective_to: Option<LocalDay>,
    }
    /// The open list of document kinds.
    DocumentKinds {
        /// In no particular order.
        kinds: Vec<DocumentRule>,
    }
    /// A public holiday or its substitute day.
    Holiday {
        /// Which day.
        day: LocalDay,
        /// How sure it is: the Labour Code names it, or the year's notice is recalled.
        confidence: Confidence,
        /// What is kept.
        name: String,
    }
    /// Public holidays, by day.
    Calendar {
        /// By day, each once.
        holidays: Vec<Holiday>,
    }
    /// A place where level-2 dossiers are taken (C-12).
    Site {
        /// Its number.
        id: u32,
        /// What it is.
        name: String,
        /// Where.
        area: AreaCode,
        /// First day on which dossiers are taken together with a card (P5).
        opens: LocalDay,
        /// First day for holders of a card (P4), where it is a later one.
        with_card_opens: Option<LocalDay>,
        /// Last day; `None`: still open.
        closes: Option<LocalDay>,
        /// On which days of the week.
        days: Opening,
    }
    /// Intake sites and their days.
    IntakeSites {
        /// First day of sites that are not listed; `None`: they are not open at all.
        unlisted_from: Option<LocalDay>,
        /// By number.
        sites: Vec<Site>,
    }
}

/// On which days a site is open.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, SchemaRead, SchemaWrite, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[wincode(tag_encoding = "u8")]
pub enum Opening {
    /// Every day.
    #[default]
    EveryDay,
    /// Working days of the calendar in force.
    WorkingDays,
}

impl ProvinceCodes {
    /// A code's row; `None`: another code, such as a country's.
    pub fn find(&self, code: u16) -> Option<&Province> {
        self.codes.iter().find(|known| known.code == code)
    }

    /// The province's name.
    pub fn name(&self, code: u16) -> Option<&str> {
        self.find(code).map(|known| known.name.as_str())
    }
}

impl Text {
    /// In one language.
    pub fn pick(&self, lang: Lang) -> &str {
        lang.pick(&self.vi, &self.en)
    }
}

impl MessageCatalogue {
    /// A message's text.
    pub fn message(&self, id: &str, lang: Lang) -> Option<&str> {
        find(&self.messages, id, lang)
    }

    /// A refusal's text.
    pub fn refusal(&self, code: &str, lang: Lang) -> Option<&str> {
        find(&self.refusals, code, lang)
    }
}

fn find<'a>(texts: &'a [Text], id: &str, lang: Lang) -> Option<&'a str> {
    texts
        .iter()
        .find(|text| text.id == id)
        .map(|text| text.pick(lang))
}

impl DocumentKinds {
    /// Whether a kind can be linked on a day.
    pub fn may_link(&self, kind: DocumentKind, day: LocalDay) -> bool {
        self.kinds.iter().any(|rule| {
            rule.links == Some(kind)
                && rule.effective_from.is_none_or(|from| from <= day)
                && rule.effective_to.is_none_or(|to| day <= to)
        })
    }
}

impl Calendar {
    /// Whether authorities work on a day: Monday to Friday less the holidays.
    pub fn is_working_day(&self, day: LocalDay) -> bool {
        is_weekday(day)
            && self
                .holidays
                .binary_search_by_key(&day, |holiday| holiday.day)
                .is_err()
    }

    /// The `count`-th working day after a day; the day itself does not count.
    pub fn working_days_after(&self, from: LocalDay, count: u8) -> LocalDay {
        let (mut day, mut left) = (from, count);
        while left > 0 && day.0 < i32::MAX {
            day = next_day(day);
            if self.is_working_day(day) {
                left -= 1;
            }
        }
        day
    }
}

impl IntakeSites {
    /// A listed site.
    pub fn find(&self, id: u32) -> Option<&Site> {
        self.sites.iter().find(|site| site.id == id)
    }

    /// Whether dossiers are taken at a site on a day. `with_card_issue`: P5, together with the card.
    pub fn is_open(&self, id: u32, day: LocalDay, with_card_issue: bool) -> bool {
        let Some(site) = self.find(id) else {
            return self.unlisted_from.is_some_and(|from| from <= day);
        };
        let from = match site.with_card_opens {
            Some(later) if !with_card_issue => later.max(site.opens),
            _ => site.opens,
        };
        from <= day && site.closes.is_none_or(|last| day <= last)
    }
}

/// Why a version is not well formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LawFault {
    /// Something that must be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// Over a limit.
    #[error("{0} is over its limit")]
    TooLong(&'static str),
    /// Not NFC, or with control characters.
    #[error("{0} is not plain text in Unicode NFC")]
    NotPlain(&'static str),
    /// An id of other characters than lower-case letters, digits, `-`, `_` and `.`.
    #[error("{0} is not an id")]
    NotAnId(&'static str),
    /// The same twice, or not in order.
    #[error("{0} are not in order, each once")]
    Order(&'static str),
    /// It ends before it begins.
    #[error("{0} ends before it begins")]
    Period(&'static str),
    /// A value out of its range.
    #[error("{0} is out of range")]
    Range(&'static str),
    /// What is only told grants nothing (C-01).
    #[error("a narrative version grants no service")]
    NarrativeGrants,
    /// A level that its level-1 services do not precede.
    #[error("`{0}` may not be left out")]
    LeftOut(&'static str),
}

impl LawDraft {
    /// Whether it is well formed.
    pub fn check(&self) -> Result<(), LawFault> {
        let terms = &self.terms;
        id("name", &terms.name)?;
        name("jurisdiction", &terms.jurisdiction)?;
        basis(&terms.basis)?;
        if terms
            .effective_to
            .is_some_and(|to| to <= terms.effective_from)
        {
            return Err(LawFault::Period("the version"));
        }
        match &self.content {
            LawContent::Policy(policy) => policy.check()?,
            LawContent::Catalogue(catalogue) => services(catalogue, terms.confidence)?,
            LawContent::Provinces(table) => provinces(table)?,
            LawContent::Messages(catalogue) => {
                texts("messages", &catalogue.messages)?;
                texts("refusals", &catalogue.refusals)?;
            }
            LawContent::Documents(list) => documents(list)?,
            LawContent::Calendar(calendar) => holidays(calendar)?,
            LawContent::Sites(sites) => intake(sites)?,
        }
        match bytes::encode(self) {
            Ok(encoded) if encoded.len() <= LAW_BYTES_MAX => Ok(()),
            _ => Err(LawFault::TooLong("the version")),
        }
    }
}

fn basis(basis: &LegalBasis) -> Result<(), LawFault> {
    long("the legal basis", &basis.text)?;
    if basis.id.is_empty() {
        Ok(())
    } else {
        id("the id of the legal basis", &basis.id)
    }
}

fn services(catalogue: &Catalogue, confidence: Confidence) -> Result<(), LawFault> {
    rows("services", catalogue.services.len())?;
    let mut ids = HashSet::new();
    for service in &catalogue.services {
        id("a service's id", &service.id)?;
        name_or_text("a service's name", &service.vi, &service.en)?;
        if !ids.insert(service.id.as_str()) {
            return Err(LawFault::Order("services"));
        }
        for feature in &service.features {
            id("a feature's id", &feature.id)?;
            name_or_text("a feature's name", &feature.vi, &feature.en)?;
        }
        let granting = service.standing == Standing::Entitlement;
        if granting && confidence == Confidence::Narrative {
            return Err(LawFault::NarrativeGrants);
        }
    }
    Ok(())
}

fn provinces(table: &ProvinceCodes) -> Result<(), LawFault> {
    rows("codes", table.codes.len())?;
    for row in &table.codes {
        if row.code > 999 {
            return Err(LawFault::Range("a code"));
        }
        name("a province's name", &row.name)?;
        plain("a unit's name", &row.unit, NAME_BYTES_MAX)?;
    }
    rising("codes", table.codes.iter().map(|row| row.code))
}

fn texts(what: &'static str, list: &[Text]) -> Result<(), LawFault> {
    rows(what, list.len())?;
    let mut ids = HashSet::new();
    for text in list {
        name("a text's id", &text.id)?;
        name_or_text("a text", &text.vi, &text.en)?;
        if !ids.insert(text.id.as_str()) {
            return Err(LawFault::Order(what));
        }
    }
    Ok(())
}

fn documents(list: &DocumentKinds) -> Result<(), LawFault> {
    rows("document kinds", list.kinds.len())?;
    let mut ids = HashSet::new();
    for rule in &list.kinds {
        id("a document kind's id", &rule.id)?;
        name_or_text("a document kind's name", &rule.vi, &rule.en)?;
        if !ids.insert(rule.id.as_str()) {
            return Err(LawFault::Order("document kinds"));
        }
        if let (Some(from), Some(to)) = (rule.effective_from, rule.effective_to)
            && to < from
        {
            return Err(LawFault::Period("a document kind"));
        }
    }
    Ok(())
}

fn holidays(calendar: &Calendar) -> Result<(), LawFault> {
    if calendar.holidays.len() > ROWS_MAX {
        return Err(LawFault::TooLong("holidays"));
    }
    for holiday in &calendar.holidays {
        name("a holiday's name", &holiday.name)?;
    }
    rising(
        "holidays",
        calendar.holidays.iter().map(|holiday| holiday.day),
    )
}

fn intake(sites: &IntakeSites) -> Result<(), LawFault> {
    if sites.sites.len() > ROWS_MAX {
        return Err(LawFault::TooLong("sites"));
    }
    for site in &sites.sites {
        name("a site's name", &site.name)?;
        if site.closes.is_some_and(|last| last < site.opens) {
            return Err(LawFault::Period("a site"));
        }
    }
    rising("sites", sites.sites.iter().map(|site| site.id))
}

fn rows(what: &'static str, count: usize) -> Result<(), LawFault> {
    match count {
        0 => Err(LawFault::Missing(what)),
        1..=ROWS_MAX => Ok(()),
        _ => Err(LawFault::TooLong(what)),
    }
}

fn rising<T: Ord>(what: &'static str, values: impl Iterator<Item = T>) -> Result<(), LawFault> {
    if values.is_sorted_by(|a, b| a < b) {
        Ok(())
    } else {
        Err(LawFault::Order(what))
    }
}

fn id(what: &'static str, text: &str) -> Result<(), LawFault> {
    name(what, text)?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    if text.chars().all(plain) {
        Ok(())
    } else {
        Err(LawFault::NotAnId(what))
    }
}

fn name(what: &'static str, text: &str) -> Result<(), LawFault> {
    if text.trim().is_empty() {
        return Err(LawFault::Missing(what));
    }
    plain(what, text, NAME_BYTES_MAX)
}

fn name_or_text(what: &'static str, vi: &str, en: &str) -> Result<(), LawFault> {
    for text in [vi, en] {
        if text.trim().is_empty() {
            return Err(LawFault::Missing(what));
        }
        long(what, text)?;
    }
    Ok(())
}

fn long(what: &'static str, text: &str) -> Result<(), LawFault> {
    plain(what, text, TEXT_BYTES_MAX)
}

fn plain(what: &'static str, text: &str, bytes_max: usize) -> Result<(), LawFault> {
    if text.len() > bytes_max {
        return Err(LawFault::TooLong(what));
    }
    if is_nfc(text) && !text.chars().any(char::is_control) {
        Ok(())
    } else {
        Err(LawFault::NotPlain(what))
    }
}
