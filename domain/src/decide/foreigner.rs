//! Foreigners (Decree 59 arts. 11, 12, 15, 19; Decree 69 art. 7): level 1 through the app with a travel
//! document, level 2 at the immigration authority. The immigration database answers where the
//! population database does for citizens; what it says of last days goes into the record, and the
//! clock locks when they pass.

use super::judge::{Judge, No, Verdict};
use super::level1::{already, of_age};
use super::level2::{officer_at, take_phone};
use super::registration::{by_email, code_of, phone_free};
use super::waiting;
use crate::account::{HolderKind, Stage};
use crate::command::{Claim, Holder, ImmigrationAnswer};
use crate::event::{
    ForeignerChecked, ForeignerIntakeOpened, ForeignerRegistrationSubmitted, Level1Applied,
    PortraitCaptured, RegistryCheckFailed, RegistryCheckRequested, RegistryCheckSucceeded,
    ValidityRecorded,
};
use crate::identity::{ForeignerId, Phone, TravelDocumentParts};
use crate::ids::{AreaCode, CaseId, LocalDay, RequestId};
use crate::personal::{Person, Personal, TravelDocument};
use crate::vocabulary::{
    Awaited, Capture, ChipEvidence, Database, EvidenceStrength, Guard, Level, Message, OtpPurpose,
    RefusalCode, RegistryOutcome, ResidenceStatus, RetentionClass, Role, Validity, WaitEnd,
};

const DATABASE: Database = Database::Immigration;

/// Its answer, or the question that is put again.
enum Checked {
    Confirmed(Confirmed),
    Silent(RequestId),
}

/// What the immigration database confirmed.
#[derive(Clone, Copy)]
pub(super) struct Confirmed {
    area: AreaCode,
    document_until: Option<LocalDay>,
    resident: bool,
    residence_until: Option<LocalDay>,
    biometrics_held: bool,
}

/// P1 for foreigners: number, phone, the immigration database's answer, a code. The password is set as
/// by anybody.
pub(super) fn register(
    judge: &mut Judge<'_, '_>,
    person: &Person,
    document: &TravelDocument,
) -> Verdict {
    forms(judge, person, document)?;
    let held = matches!(judge.context.personal_id_holder, Holder::Other(_));
    let free = !held && !judge.account.exists() && judge.account.open_case().is_none();
    judge.guard(
        Guard::PersonalIdFree,
        free,
        RefusalCode::PersonalIdAlreadyRegistered,
    )?;
    phone_free(judge)?;
    judge.may_resend(judge.account.challenge_for(OtpPurpose::Registration))?;
    let submitted = ForeignerRegistrationSubmitted {
        document: document.kind,
    };
    judge.record(submitted);
    if matches!(
        judge.context.immigration,
        Some(ImmigrationAnswer::Confirmed { .. })
    ) {
        seal(judge, person, document);
    }
    let confirmed = confirmed(judge)?;
    in_order(judge, confirmed)?;
    let holder = judge.context.personal_id_holder;
    judge.take(Claim::PersonalId, holder);
    judge.send_code(OtpPurpose::Registration, Message::OtpSent, true);
    Ok(())
}

/// Number, document and phone have a valid form.
fn forms(judge: &mut Judge<'_, '_>, person: &Person, document: &TravelDocument) -> Verdict {
    let number = ForeignerId::try_from(person.personal_id.as_str()).is_ok();
    judge.guard(
        Guard::PersonalIdFormat,
        number,
        RefusalCode::PersonalIdFormat,
    )?;
    let good = TravelDocumentParts::check(document).is_ok();
    judge.guard(Guard::DocumentFormat, good, RefusalCode::DocumentFormat)?;
    let phone = Phone::try_from(person.phone.as_str()).is_ok() || by_email(judge, person);
    judge.guard(Guard::PhoneFormat, phone, RefusalCode::PhoneFormat)
}

fn seal(judge: &mut Judge<'_, '_>, person: &Person, document: &TravelDocument) {
    let class = RetentionClass::Permanent;
    judge.seal(class, Personal::Person(person.clone()));
    judge.seal(class, Personal::TravelDocument(document.clone()));
}

/// What the immigration database said just now.
fn answer(judge: &Judge<'_, '_>) -> Result<Confirmed, RegistryOutcome> {
    match judge.context.immigration {
        Some(ImmigrationAnswer::Confirmed {
            area,
            document_until,
            residence,
            residence_until,
            biometrics_held,
            ..
        }) => Ok(Confirmed {
            area,
            document_until,
            resident: residence != ResidenceStatus::None,
            residence_until,
            biometrics_held,
        }),
        Some(ImmigrationAnswer::Not(outcome)) => Err(outcome),
        None => Err(RegistryOutcome::Unavailable),
    }
}

/// The immigration database's answer, recorded either way. Whoever has no account yet is told at once
/// that it is silent: nothing of theirs is kept to ask about later.
pub(super) fn confirmed(judge: &mut Judge<'_, '_>) -> Result<Confirmed, No> {
    let checked = check(judge)?;
    let confirmed = match checked {
        Checked::Confirmed(confirmed) => Some(confirmed),
        Checked::Silent(_) => None,
    };
    judge.require(
        Guard::RegistryMatch,
        confirmed,
        RefusalCode::RegistryUnavailable,
    )
}

/// The same of somebody whose application goes on while the database is silent.
fn check(judge: &mut Judge<'_, '_>) -> Result<Checked, No> {
    let request = RequestId(judge.new_id());
    let database = DATABASE;
    judge.record(RegistryCheckRequested { request, database });
    let outcome = match answer(judge) {
        Ok(confirmed) => {
            judge.record(RegistryCheckSucceeded {
                request,
                database,
                area: confirmed.area,
            });
            return Ok(Checked::Confirmed(confirmed));
        }
        Err(outcome) => outcome,
    };
    judge.record(RegistryCheckFailed {
        request,
        database,
        outcome,
    });
    if outcome == RegistryOutcome::Unavailable {
        return Ok(Checked::Silent(request));
    }
    judge.require(Guard::RegistryMatch, None, code_of(outcome))
}

/// The answer that a dossier waited for. A document that expired or a residence that is missing keeps
/// it from being approved, like data that differ.
pub(super) fn answered(judge: &mut Judge<'_, '_>, request: RequestId, case: CaseId) -> Verdict {
    let database = DATABASE;
    let failed = match answer(judge) {
        Ok(confirmed) if fault(judge, confirmed).is_some() => RegistryOutcome::Mismatch,
        Ok(confirmed) => {
            judge.record(RegistryCheckSucceeded {
                request,
                database,
                area: confirmed.area,
            });
            last_days(judge, confirmed);
            let biometrics_held = confirmed.biometrics_held;
            let known = judge.account.foreigner.as_ref();
            if known.is_some_and(|known| known.biometrics_held != biometrics_held) {
                judge.record(ForeignerChecked {
                    case,
                    biometrics_held,
                });
            }
            waiting::end(judge, request, WaitEnd::Answered);
            return Ok(());
        }
        Err(RegistryOutcome::Unavailable) => return waiting::silent(judge),
        Err(outcome) => outcome,
    };
    judge.record(RegistryCheckFailed {
        request,
        database,
        outcome: failed,
    });
    waiting::end(judge, request, WaitEnd::Answered);
    Ok(())
}

/// Where the authority asks for itself before it approves: the same that would have been looked at when
/// the dossier was opened.
pub(super) fn owed_in_order(judge: &mut Judge<'_, '_>) -> Verdict {
    match answer(judge) {
        Ok(confirmed) => in_order(judge, confirmed),
        Err(_) => Ok(()),
    }
}

/// The document is valid and, where policy asks for it, there is a residence card. Their last days are
/// recorded, where they are other than those known.
pub(super) fn in_order(judge: &mut Judge<'_, '_>, confirmed: Confirmed) -> Verdict {
    let fault = fault(judge, confirmed);
    judge.guard(
        Guard::TravelDocumentValid,
        fault != Some(Guard::TravelDocumentValid),
        RefusalCode::TravelDocumentExpired,
    )?;
    judge.guard(
        Guard::ResidencePermit,
        fault != Some(Guard::ResidencePermit),
        RefusalCode::ResidenceMissing,
    )?;
    last_days(judge, confirmed);
    Ok(())
}

/// The guard that what was confirmed does not pass.
fn fault(judge: &Judge<'_, '_>, confirmed: Confirmed) -> Option<Guard> {
    let today = judge.today();
    if confirmed.document_until.is_some_and(|until| until < today) {
        return Some(Guard::TravelDocumentValid);
    }
    let enough = resides(judge, confirmed) || !judge.policy().foreigner_needs_residence;
    (!enough).then_some(Guard::ResidencePermit)
}

fn resides(judge: &Judge<'_, '_>, confirmed: Confirmed) -> bool {
    let today = judge.today();
    confirmed.resident && confirmed.residence_until.is_none_or(|until| until >= today)
}

fn last_days(judge: &mut Judge<'_, '_>, confirmed: Confirmed) {
    let residence = confirmed.residence_until;
    let residence = residence.filter(|_| resides(judge, confirmed));
    let days = [
        (Validity::TravelDocument, confirmed.document_until),
        (Validity::Residence, residence),
    ];
    for (of, until) in days {
        if let Some(until) = until.filter(|until| judge.account.valid_until(of) != Some(*until)) {
            judge.record(ValidityRecorded { of, until });
        }
    }
}

/// P3 for foreigners, after the guards that everybody's level 1 has: the database confirms once more,
/// and the passport's chip, where it was read, is the stronger evidence.
pub(super) fn apply_level1(
    judge: &mut Judge<'_, '_>,
    chip: Option<&ChipEvidence>,
    portrait: Option<Capture>,
) -> Verdict {
    of_age(judge, None)?;
    let strength = match chip.map(|chip| chip.strength) {
        None => Some(EvidenceStrength::TravelDocument),
        Some(strength @ (EvidenceStrength::ChipPassiveAuth | EvidenceStrength::ChipActiveAuth)) => {
            Some(strength)
        }
        Some(_) => None,
    };
    let strength = judge.require(Guard::Evidence, strength, RefusalCode::EvidenceInvalid)?;
    let portrait = judge.require(Guard::Portrait, portrait, RefusalCode::EvidenceMissing)?;
    let sharp = portrait.quality >= judge.policy().capture_quality_min;
    judge.guard(Guard::CaptureQuality, sharp, RefusalCode::CaptureQuality)?;
    if let Some(person) = judge.context.person {
        judge.contact(person)?;
    }
    let checked = check(judge)?;
    if let Checked::Confirmed(confirmed) = checked {
        judge.guard(Guard::RegistryMatch, true, RefusalCode::DataMismatch)?;
        in_order(judge, confirmed)?;
    }
    let case = CaseId(judge.new_id());
    let days = judge.policy().decide_foreigner_level_1_working_days;
    let decide_by = judge.working_days_after(judge.today(), days);
    judge.record(Level1Applied {
        case,
        strength,
        decide_by,
    });
    if let Some(evidence) = chip {
        let evidence = evidence.clone();
        judge.record(crate::event::ChipEvidenceRecorded { case, evidence });
    }
    judge.record(PortraitCaptured {
        case,
        capture: portrait,
    });
    if let Checked::Silent(request) = checked {
        waiting::begin(judge, request, Awaited::Identity(case), DATABASE);
    }
    Ok(())
}

/// Level 2 at the immigration authority: the officer is active and their area covers where the
/// foreigner stays; 0 among their areas is the ministry's, the whole country.
pub(super) fn open_intake(
    judge: &mut Judge<'_, '_>,
    entered: Option<(&Person, &TravelDocument)>,
    present: bool,
) -> Verdict {
    officer_at(judge, None)?;
    judge.guard(Guard::PersonPresent, present, RefusalCode::PersonNotPresent)?;
    judge.unlocked()?;
    let held = judge.account.level() == Some(Level::Two);
    judge.guard(Guard::LevelNotHeld, !held, already(Level::Two))?;
    judge.guard(
        Guard::NoOpenCase,
        judge.account.open_case().is_none(),
        RefusalCode::CaseOpen,
    )?;
    let new = !judge.account.exists();
    if new {
        let entered = judge.require(
            Guard::EvidenceComplete,
            entered,
            RefusalCode::EvidenceMissing,
        )?;
        new_person(judge, entered)?;
    } else {
        sort(judge)?;
        of_age(judge, None)?;
    }
    let checked = check(judge)?;
    let (area, biometrics_held) = match checked {
        Checked::Confirmed(confirmed) => {
            judge.guard(Guard::RegistryMatch, true, RefusalCode::DataMismatch)?;
            (Some(confirmed.area), confirmed.biometrics_held)
        }
        Checked::Silent(_) => {
            let known = judge.account.foreigner.as_ref();
            let held = known.is_some_and(|known| known.biometrics_held);
            (judge.account.identification.area, held)
        }
    };
    // Where nobody knows yet, the area is looked at with the officer's next step.
    if let Some(area) = area {
        within(judge, area)?;
    }
    if let Checked::Confirmed(confirmed) = checked {
        in_order(judge, confirmed)?;
    }
    let case = CaseId(judge.new_id());
    let opened = ForeignerIntakeOpened {
        case,
        officer: judge.context.actor.principal,
        area: area.unwrap_or(AreaCode(0)),
        biometrics_held,
    };
    judge.record(opened);
    if let (true, Some((person, document))) = (new, entered) {
        seal(judge, person, document);
        let number = judge.context.personal_id_holder;
        judge.take(Claim::PersonalId, number);
        if !person.phone.is_empty() {
            take_phone(judge, person);
        }
    }
    if let Checked::Silent(request) = checked {
        waiting::begin(judge, request, Awaited::Identity(case), DATABASE);
    }
    Ok(())
}

fn new_person(
    judge: &mut Judge<'_, '_>,
    (person, document): (&Person, &TravelDocument),
) -> Verdict {
    forms(judge, person, document)?;
    judge.contact(person)?;
    let free = !matches!(judge.context.personal_id_holder, Holder::Other(_));
    judge.guard(
        Guard::PersonalIdFree,
        free,
        RefusalCode::PersonalIdAlreadyRegistered,
    )?;
    phone_free(judge)?;
    of_age(judge, Some(&person.birth_date))
}

/// A foreigner's account.
fn sort(judge: &mut Judge<'_, '_>) -> Verdict {
    let foreign = judge.account.holder == HolderKind::Foreigner;
    judge.guard(Guard::HolderSort, foreign, RefusalCode::WrongHolderSort)
}

/// The officer's areas cover this one: itself, its province, or the whole country.
fn within(judge: &mut Judge<'_, '_>, area: AreaCode) -> Verdict {
    let officer = judge.context.officer.as_ref();
    let covers = officer.is_some_and(|officer| {
        let province = area.province().saturating_mul(1000);
        officer
            .sites
            .iter()
            .any(|own| *own == 0 || *own == province || *own == area.0)
    });
    judge.guard(
        Guard::OfficerAuthorised,
        covers,
        RefusalCode::OfficerNotAuthorised,
    )
}

/// The desk that a level-2 dossier belongs to: foreigners' is the immigration authority's. Passing says
/// nothing, so it leaves no guard.
pub(super) fn own_desk(judge: &mut Judge<'_, '_>) -> Verdict {
    let foreign = judge.account.holder == HolderKind::Foreigner;
    let own = match judge.role() {
        Role::ImmigrationOfficer => foreign,
        Role::IntakeOfficer => !foreign,
        _ => true,
    };
    if !own {
        return judge.refuse(Guard::HolderSort, RefusalCode::WrongHolderSort);
    }
    match (judge.role(), judge.account.identification.area) {
        (Role::ImmigrationOfficer, Some(area)) => within(judge, area),
        _ => Ok(()),
    }
}

/// Working days to decide a foreigner's level 2.
pub(super) fn level_2_days(judge: &Judge<'_, '_>) -> Option<u8> {
    if judge.account.holder != HolderKind::Foreigner {
        return None;
    }
    let policy = judge.policy();
    let held = judge
        .account
        .foreigner
        .as_ref()
        .is_some_and(|known| known.biometrics_held);
    Some(if held {
        policy.decide_foreigner_level_2_working_days
    } else {
        policy.decide_foreigner_level_2_no_biometrics_working_days
    })
}

/// Whether P3 is a foreigner's.
pub(super) fn is_foreign_app_account(judge: &Judge<'_, '_>) -> bool {
    judge.account.holder == HolderKind::Foreigner
        && judge.account.identification.stage == Stage::AppOnly
}
