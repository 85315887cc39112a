//! Foreigners (Decree 59 arts. 11, 12, 15, 19; Decree 69 art. 7): level 1 through the app with a travel
//! document, level 2 at the immigration authority. The immigration database answers where the
//! population database does for citizens; what it says of last days goes into the record, and the
//! clock locks when they pass.

use super::judge::{Judge, No, Verdict};
use super::level1::{already, of_age};
use super::level2::{officer_at, take_phone};
use super::registration::{by_email, code_of, phone_free};
use crate::account::{HolderKind, Stage};
use crate::command::{Claim, Holder, ImmigrationAnswer};
use crate::event::{
    ForeignerIntakeOpened, ForeignerRegistrationSubmitted, Level1Applied, PortraitCaptured,
    RegistryCheckFailed, RegistryCheckRequested, RegistryCheckSucceeded, ValidityRecorded,
};
use crate::identity::{ForeignerId, Phone, TravelDocumentParts};
use crate::ids::{AreaCode, CaseId, LocalDay, RequestId};
use crate::personal::{Person, Personal, TravelDocument};
use crate::vocabulary::{
    Capture, ChipEvidence, Database, EvidenceStrength, Guard, Level, Message, OtpPurpose,
    RefusalCode, RegistryOutcome, ResidenceStatus, RetentionClass, Role, Validity,
};

const DATABASE: Database = Database::Immigration;

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

/// The immigration database's answer, recorded either way.
pub(super) fn confirmed(judge: &mut Judge<'_, '_>) -> Result<Confirmed, No> {
    let request = RequestId(judge.new_id());
    let database = DATABASE;
    judge.record(RegistryCheckRequested { request, database });
    let outcome = match judge.context.immigration.clone() {
        Some(ImmigrationAnswer::Confirmed {
            area,
            document_until,
            residence,
            residence_until,
            biometrics_held,
            ..
        }) => {
            judge.record(RegistryCheckSucceeded {
                request,
                database,
                area,
            });
            let confirmed = Confirmed {
                area,
                document_until,
                resident: residence != ResidenceStatus::None,
                residence_until,
                biometrics_held,
            };
            return judge.require(
                Guard::RegistryMatch,
                Some(confirmed),
                RefusalCode::DataMismatch,
            );
        }
        Some(ImmigrationAnswer::Not(outcome)) => outcome,
        None => RegistryOutcome::Unavailable,
    };
    judge.record(RegistryCheckFailed {
        request,
        database,
        outcome,
    });
    judge.require(Guard::RegistryMatch, None, code_of(outcome))
}

/// The document is valid and, where policy asks for it, there is a residence card. Their last days are
/// recorded, where they are other than those known.
pub(super) fn in_order(judge: &mut Judge<'_, '_>, confirmed: Confirmed) -> Verdict {
    let today = judge.today();
    judge.guard(
        Guard::TravelDocumentValid,
        confirmed.document_until.is_none_or(|until| until >= today),
        RefusalCode::TravelDocumentExpired,
    )?;
    let residence = confirmed.residence_until;
    let resides = confirmed.resident && residence.is_none_or(|until| until >= today);
    let enough = resides || !judge.policy().foreigner_needs_residence;
    judge.guard(
        Guard::ResidencePermit,
        enough,
        RefusalCode::ResidenceMissing,
    )?;
    let days = [
        (Validity::TravelDocument, confirmed.document_until),
        (Validity::Residence, residence.filter(|_| resides)),
    ];
    for (of, until) in days {
        if let Some(until) = until.filter(|until| judge.account.valid_until(of) != Some(*until)) {
            judge.record(ValidityRecorded { of, until });
        }
    }
    Ok(())
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
    let confirmed = confirmed(judge)?;
    in_order(judge, confirmed)?;
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
    let confirmed = confirmed(judge)?;
    within(judge, confirmed.area)?;
    in_order(judge, confirmed)?;
    let opened = ForeignerIntakeOpened {
        case: CaseId(judge.new_id()),
        officer: judge.context.actor.principal,
        area: confirmed.area,
        biometrics_held: confirmed.biometrics_held,
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
