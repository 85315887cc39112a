//! The past: accounts that were issued before this ledger, or by another system. Brought in by an
//! importer with a signature of their own; each event happened when it happened and is recorded now, and
//! names the document it was taken from.

use super::activation;
use super::judge::{Judge, Verdict};
use super::registration::{by_email, phone_free};
use crate::command::{Claim, Holder};
use crate::event::{AccountImported, ActivationImported};
use crate::identity::{PersonalId, Phone};
use crate::ids::{AreaCode, Micros};
use crate::personal::{Person, Personal};
use crate::vocabulary::{Guard, LawKind, Level, RefusalCode, RetentionClass};

/// Longest reference to a source document, in characters.
pub const SOURCE_CHARS_MAX: usize = 120;
/// A run of so many digits could be somebody's number, and open facts name nobody (INV-3).
const DIGITS_RUN_MAX: usize = 8;

/// What is known of the account.
pub(super) struct Known<'a> {
    pub level: Level,
    pub issued_at: Micros,
    pub activated_at: Option<Micros>,
    pub area: AreaCode,
    pub site: u32,
    pub source: &'a str,
}

/// Number and phone; free; the times; the law of that time; the source.
pub(super) fn account(judge: &mut Judge<'_, '_>, person: &Person, known: &Known<'_>) -> Verdict {
    let number = PersonalId::try_from(person.personal_id.as_str()).is_ok();
    judge.guard(
        Guard::PersonalIdFormat,
        number,
        RefusalCode::PersonalIdFormat,
    )?;
    let phone = Phone::try_from(person.phone.as_str()).is_ok() || by_email(judge, person);
    judge.guard(Guard::PhoneFormat, phone, RefusalCode::PhoneFormat)?;
    times(judge, known)?;
    let source = is_source(known.source);
    judge.guard(Guard::SourceNamed, source, RefusalCode::SourceMissing)?;
    let free = !matches!(judge.context.personal_id_holder, Holder::Other(_))
        && !judge.account.exists()
        && judge.account.open_case().is_none();
    judge.guard(
        Guard::PersonalIdFree,
        free,
        RefusalCode::PersonalIdAlreadyRegistered,
    )?;
    phone_free(judge)?;
    let days = judge.policy().activation_window_days;
    let activate_by = match known.activated_at {
        // When it was received is not known: the day it was issued is the earliest it can have been.
        None => Some(activation::deadline(known.issued_at, days)),
        Some(_) => None,
    };
    let source = known.source.to_owned();
    let imported = AccountImported {
        level: known.level,
        area: known.area,
        site: known.site,
        activate_by,
        source: source.clone(),
    };
    judge.record_at(known.issued_at, imported);
    judge.seal(RetentionClass::Permanent, Personal::Person(person.clone()));
    if let Some(at) = known.activated_at {
        let level = known.level;
        judge.record_at(at, ActivationImported { level, source });
    }
    let (number, phone) = (judge.context.personal_id_holder, judge.context.phone_holder);
    judge.take(Claim::PersonalId, number);
    if !person.phone.is_empty() {
        judge.take(Claim::Phone, phone);
    }
    Ok(())
}

/// Issued, then activated, then now; and under some policy: the first account was issued on 25/02/2022
///
fn times(judge: &mut Judge<'_, '_>, known: &Known<'_>) -> Verdict {
    let now = judge.context.now;
    let last = known.activated_at.unwrap_or(known.issued_at);
    let in_order = known.issued_at <= last && last <= now;
    judge.guard(Guard::TimesInOrder, in_order, RefusalCode::TimesOutOfOrder)?;
    let in_force = judge.context.law.version(LawKind::Policy) > 0;
    judge.guard(Guard::LawInForce, in_force, RefusalCode::NoLawInForce)
}

/// A reference in plain characters that gives nobody away.
pub fn is_source(text: &str) -> bool {
    let longest = text
        .split(|c: char| !c.is_ascii_digit())
        .map(str::len)
        .max()
        .unwrap_or(0);
    !text.trim().is_empty()
        && text.trim() == text
        && text.chars().count() <= SOURCE_CHARS_MAX
        && !text.chars().any(char::is_control)
        && longest <= DIGITS_RUN_MAX
}
