//! P3: level 1, applied for in the app.

use super::dependant::guardian_acts;
use super::foreigner;
use super::judge::{Judge, No, Verdict};
use super::registration::is_card_of;
use crate::account::Stage;
use crate::command::{ChipAnswer, RegistryAnswer};
use crate::event::{
    ChipEvidenceRecorded, ChipVerified, Level1Applied, PortraitCaptured, QrEvidenceRecorded,
};
use crate::identity::BirthDate;
use crate::ids::CaseId;
use crate::personal::Personal;
use crate::vocabulary::{
    Capture, ChipEvidence, EvidenceStrength, Guard, Level, RefusalCode, RegistryOutcome,
    RetentionClass,
};

/// An app account; fourteen years; a chip card; read by NFC or QR; a portrait; a phone (spec A.8).
pub(super) fn apply(
    judge: &mut Judge<'_, '_>,
    chip: Option<&ChipEvidence>,
    qr: Option<&str>,
    portrait: Option<Capture>,
) -> Verdict {
    guardian_acts(judge)?;
    judge.unlocked()?;
    let code = match judge.account.identification.stage {
        Stage::Level1 => RefusalCode::AlreadyLevel1,
        Stage::Level2 => RefusalCode::AlreadyLevel2,
        Stage::None | Stage::AppOnly => RefusalCode::NotAppAccount,
    };
    let app_only = judge.account.identification.stage == Stage::AppOnly;
    judge.guard(Guard::AppOnly, app_only, code)?;
    judge.guard(
        Guard::NoOpenCase,
        judge.account.open_case().is_none(),
        RefusalCode::CaseOpen,
    )?;
    if foreigner::is_foreign_app_account(judge) {
        return foreigner::apply_level1(judge, chip, portrait);
    }
    of_age(judge, None)?;
    let verified = judge.context.chip.take();
    let shown = chip.is_some() || qr.is_some() || verified.is_some();
    has_chip_card(judge, shown)?;
    let strength = match &verified {
        Some(answer) => verified_evidence(judge, answer, qr)?,
        None => evidence(judge, chip, qr)?,
    };
    let portrait = judge.require(Guard::Portrait, portrait, RefusalCode::EvidenceMissing)?;
    let sharp = portrait.quality >= judge.policy().capture_quality_min;
    judge.guard(Guard::CaptureQuality, sharp, RefusalCode::CaptureQuality)?;
    if let Some(person) = judge.context.person {
        judge.contact(person)?;
    }
    let case = CaseId(judge.new_id());
    let days = judge.policy().decide_level_1_working_days;
    let decide_by = judge.working_days_after(judge.today(), days);
    judge.record(Level1Applied {
        case,
        strength,
        decide_by,
    });
    if let Some(evidence) = chip {
        judge.record(ChipEvidenceRecorded {
            case,
            evidence: evidence.clone(),
        });
    }
    if let Some(answer) = verified {
        record_chip(judge, Some(case), RetentionClass::Permanent, answer);
    }
    if let Some(text) = qr {
        let raw = Personal::CardQr(text.to_owned());
        judge.record_with(QrEvidenceRecorded { case }, RetentionClass::Permanent, raw);
    }
    judge.record(PortraitCaptured {
        case,
        capture: portrait,
    });
    Ok(())
}

/// The read itself came along and was verified here, so nothing is believed. What came of it is
/// recorded also where it is not good.
fn verified_evidence(
    judge: &mut Judge<'_, '_>,
    answer: &ChipAnswer,
    qr: Option<&str>,
) -> Result<EvidenceStrength, No> {
    let qr_good = qr.is_none_or(|text| is_holders(judge, text));
    if answer.proof.is_good() && qr_good {
        let strength = EvidenceStrength::ChipPassiveAuth;
        return judge.require(
            Guard::Evidence,
            Some(strength),
            RefusalCode::EvidenceInvalid,
        );
    }
    record_chip(judge, None, RetentionClass::Short, answer.clone());
    judge.require(Guard::Evidence, None, RefusalCode::EvidenceInvalid)
}

/// The verdict, and the hashes for as long as what they prove is needed.
pub(super) fn record_chip(
    judge: &mut Judge<'_, '_>,
    case: Option<CaseId>,
    class: RetentionClass,
    answer: ChipAnswer,
) {
    let ChipAnswer { proof, groups } = answer;
    let hashes = Personal::ChipHashes(groups);
    judge.record_with(ChipVerified { case, proof }, class, hashes);
}

fn is_holders(judge: &Judge<'_, '_>, qr: &str) -> bool {
    let person = judge.context.person;
    person.is_some_and(|person| is_card_of(qr, person))
}

/// How strong the card evidence is that somebody claims. A chip whose authenticity was not shown is none, and a QR of
/// somebody else's card neither.
fn evidence(
    judge: &mut Judge<'_, '_>,
    chip: Option<&ChipEvidence>,
    qr: Option<&str>,
) -> Result<EvidenceStrength, No> {
    let qr_good = qr.map(|text| is_holders(judge, text));
    let chip_good = chip.map(|chip| {
        matches!(
            chip.strength,
            EvidenceStrength::ChipPassiveAuth | EvidenceStrength::ChipActiveAuth
        )
    });
    let strength = match (chip, chip_good, qr_good) {
        (Some(chip), Some(true), None | Some(true)) => Some(chip.strength),
        (None, None, Some(true)) => Some(EvidenceStrength::QrUnsigned),
        _ => None,
    };
    // Said by a device, it is a claim and no proof, whatever it claims.
    let enough = judge.policy().level_1_evidence_min <= EvidenceStrength::QrUnsigned;
    if strength.is_some() && !enough {
        return judge.require(Guard::Evidence, None, RefusalCode::EvidenceTooWeak);
    }
    judge.require(Guard::Evidence, strength, RefusalCode::EvidenceInvalid)
}

/// Old enough for an own account, by the registry's birth date where it answered (spec E.4),
/// else by the one it confirmed before, or the one the officer entered.
pub(super) fn of_age(judge: &mut Judge<'_, '_>, entered: Option<&str>) -> Verdict {
    let known = match &judge.context.registry {
        Some(RegistryAnswer::Confirmed { birth_date, .. }) => Some(birth_date.as_str()),
        _ => entered.or(judge
            .context
            .person
            .map(|person| person.birth_date.as_str())),
    };
    let birth = known.and_then(|text| BirthDate::try_from(text).ok());
    let Some(birth) = birth else {
        return judge.refuse(Guard::Age, RefusalCode::RegistryUnavailable);
    };
    let years = birth.full_years_on(judge.today());
    let today = judge.today();
    if judge.account.guardian_on(today).is_some() {
        // A dependant's own account: its guardian may, at any age (Decree 69 art. 7).
        return judge.guard(Guard::Age, true, RefusalCode::UnderAge);
    }
    let minimum = i32::from(judge.policy().minimum_age_years);
    judge.guard(Guard::Age, years >= minimum, RefusalCode::UnderAge)
}

/// A chip card is there: the registry says so, or it was shown.
pub(super) fn has_chip_card(judge: &mut Judge<'_, '_>, shown: bool) -> Verdict {
    let there = match &judge.context.registry {
        Some(RegistryAnswer::Confirmed { has_chip_card, .. }) => *has_chip_card,
        Some(RegistryAnswer::Not(RegistryOutcome::Unavailable)) | None => shown,
        Some(RegistryAnswer::Not(_)) => false,
    };
    judge.guard(Guard::ChipCard, there, RefusalCode::NoChipCard)
}

/// The level's own code for "held already".
pub(super) const fn already(level: Level) -> RefusalCode {
    match level {
        Level::One => RefusalCode::AlreadyLevel1,
        Level::Two => RefusalCode::AlreadyLevel2,
    }
}
