//! P4 and P5: level 2 at an officer's desk.

use super::foreigner::{self, own_desk};
use super::judge::{Judge, No, Verdict};
use super::level1::{already, has_chip_card, of_age};
use super::organisation;
use super::registration::{code_of, phone_free};
use super::waiting;
use crate::account::{Case, CaseState, HolderKind};
use crate::command::{Claim, Holder, RegistryAnswer};
use crate::event::{
    BiometricMatchRecorded, ConsentRecorded, FingerprintsCaptured, Level2Applied,
    Level2IntakeOpened, Level2Withdrawn, PortraitCaptured, RegistryCheckFailed,
    RegistryCheckRequested, RegistryCheckSucceeded,
};
use crate::identity::{BirthDate, PersonalId, Phone};
use crate::ids::{CaseId, RequestId};
use crate::personal::{Person, Personal};
use crate::policy::BiometricRule;
use crate::vocabulary::{
    Awaited, Capture, Database, Guard, Level, MatchResult, Modality, RefusalCode, RegistryOutcome,
    RetentionClass, Role, WithdrawReason,
};

/// What the officer says of the visit.
#[derive(Clone, Copy)]
pub(super) struct Intake {
    pub site: u32,
    pub present: bool,
    pub with_card: bool,
}

/// The officer may act here; the site is open; the person is present (spec A.8).
pub(super) fn open_intake(
    judge: &mut Judge<'_, '_>,
    person: Option<&Person>,
    intake: Intake,
) -> Verdict {
    officer_at(judge, Some(intake.site))?;
    let day = judge.context.occurred_at.local_day();
    let open = judge.site_is_open(intake.site, day, intake.with_card);
    judge.guard(Guard::SiteOpen, open, RefusalCode::SiteNotOpen)?;
    judge.guard(
        Guard::PersonPresent,
        intake.present,
        RefusalCode::PersonNotPresent,
    )?;
    own_desk(judge)?;
    judge.unlocked()?;
    let held = judge.account.level() == Some(Level::Two);
    judge.guard(Guard::LevelNotHeld, !held, already(Level::Two))?;
    judge.guard(
        Guard::NoOpenCase,
        judge.account.open_case().is_none(),
        RefusalCode::CaseOpen,
    )?;
    if judge.account.exists() {
        // The data are the account's own; the officer adds none.
        // An account that was brought in without a name gets one here; the writer says when.
        let named = person.filter(|_| judge.account.imported.is_some());
        of_age(judge, named.map(|person| person.birth_date.as_str()))?;
        child_old_enough(judge)?;
        return begin(judge, named, intake);
    }
    let person = judge.require(
        Guard::EvidenceComplete,
        person,
        RefusalCode::EvidenceMissing,
    )?;
    new_person(judge, person)?;
    begin(judge, Some(person), intake)
}

/// A child has level 2 from six years on (Decree 69 art. 7); before, level 1 only.
fn child_old_enough(judge: &mut Judge<'_, '_>) -> Verdict {
    let today = judge.today();
    let child = judge.account.guardian_on(today).is_some();
    let birth = judge
        .context
        .person
        .and_then(|person| BirthDate::try_from(person.birth_date.as_str()).ok());
    let (true, Some(birth)) = (child, birth) else {
        return Ok(());
    };
    let least = i32::from(judge.policy().child_level_2_age_years);
    let old = birth.full_years_on(today) >= least;
    judge.guard(Guard::LevelForAge, old, RefusalCode::UnderAge)
}

/// A person without an account: the officer's data are checked as in P1.
fn new_person(judge: &mut Judge<'_, '_>, person: &Person) -> Verdict {
    let number = PersonalId::try_from(person.personal_id.as_str()).is_ok();
    judge.guard(
        Guard::PersonalIdFormat,
        number,
        RefusalCode::PersonalIdFormat,
    )?;
    let phone = person.phone.is_empty() || Phone::try_from(person.phone.as_str()).is_ok();
    judge.guard(Guard::PhoneFormat, phone, RefusalCode::PhoneFormat)?;
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

fn begin(judge: &mut Judge<'_, '_>, person: Option<&Person>, intake: Intake) -> Verdict {
    if !intake.with_card {
        has_chip_card(judge, true)?;
    }
    let silent = check_registry(judge, intake)?;
    let (case, officer) = (CaseId(judge.new_id()), judge.context.actor.principal);
    let (site, with_card_issue) = (intake.site, intake.with_card);
    let opened = Level2IntakeOpened {
        case,
        officer,
        site,
        with_card_issue,
    };
    match person {
        None => judge.record(opened),
        Some(person) => {
            let sealed = Personal::Person(person.clone());
            judge.record_with(opened, RetentionClass::Permanent, sealed);
        }
    }
    if let Some(request) = silent {
        let database = database(with_card_issue);
        waiting::begin(judge, request, Awaited::Identity(case), database);
    }
    let Some(person) = person else {
        return Ok(());
    };
    let holder = judge.context.personal_id_holder;
    judge.take(Claim::PersonalId, holder);
    if !person.phone.is_empty() {
        take_phone(judge, person);
    }
    Ok(())
}

/// The number goes to the account, and another one of an earlier, unfinished attempt becomes free. The same
/// one declared before, and never proved, is not given up again.
pub(super) fn take_phone(judge: &mut Judge<'_, '_>, person: &Person) {
    let holder = judge.context.phone_holder;
    judge.take(Claim::Phone, holder);
    let known = judge.context.person;
    if known.is_none_or(|known| known.phone != person.phone)
        && let Some(old) = judge.context.phone_hash
    {
        judge.release(Claim::PhoneHash(old));
    }
}

/// The registry's answer about the person, where it was asked: recorded, and refused if it differs.
/// That it did not answer does not hold the desk up: the dossier waits for it (this question), and is
/// not approved before.
fn check_registry(judge: &mut Judge<'_, '_>, intake: Intake) -> Result<Option<RequestId>, No> {
    let database = database(intake.with_card);
    let Some(answer) = judge.context.registry.clone() else {
        return Ok(None);
    };
    let request = RequestId(judge.new_id());
    judge.record(RegistryCheckRequested { request, database });
    match answer {
        RegistryAnswer::Confirmed { area, .. } => {
            judge.record(RegistryCheckSucceeded {
                request,
                database,
                area,
            });
            judge.guard(Guard::RegistryMatch, true, RefusalCode::DataMismatch)?;
            Ok(None)
        }
        RegistryAnswer::Not(outcome) => {
            judge.record(RegistryCheckFailed {
                request,
                database,
                outcome,
            });
            if outcome == RegistryOutcome::Unavailable {
                return Ok(Some(request));
            }
            judge.refuse(Guard::RegistryMatch, code_of(outcome))?;
            Ok(None)
        }
    }
}

/// P4 authenticates against the card database (S000); who has no card yet is not in it.
pub(super) const fn database(with_card_issue: bool) -> Database {
    if with_card_issue {
        Database::Population
    } else {
        Database::CitizenCard
    }
}

/// P4 step 2: portrait and fingerprints, good enough.
pub(super) fn record_biometrics(
    judge: &mut Judge<'_, '_>,
    case: CaseId,
    portrait: Option<Capture>,
    fingerprints: Option<Capture>,
) -> Verdict {
    officer_at(judge, None)?;
    in_draft(judge, case)?;
    let any = portrait.is_some() || fingerprints.is_some();
    judge.guard(Guard::EvidenceComplete, any, RefusalCode::EvidenceMissing)?;
    let least = judge.policy().capture_quality_min;
    let sharp = |capture: Option<Capture>| capture.is_none_or(|capture| capture.quality >= least);
    let good = sharp(portrait) && sharp(fingerprints);
    judge.guard(Guard::CaptureQuality, good, RefusalCode::CaptureQuality)?;
    if let Some(capture) = portrait {
        judge.record(PortraitCaptured { case, capture });
    }
    if let Some(capture) = fingerprints {
        judge.record(FingerprintsCaptured { case, capture });
    }
    Ok(())
}

/// P4 step 2: the citizen agrees, or the dossier ends.
pub(super) fn record_consent(
    judge: &mut Judge<'_, '_>,
    case: CaseId,
    given: bool,
    text_version: u16,
) -> Verdict {
    officer_at(judge, None)?;
    in_draft(judge, case)?;
    if !given {
        judge.record(Level2Withdrawn {
            case,
            reason: WithdrawReason::ConsentRefused,
        });
        waiting::end_of_case(judge, case);
    }
    judge.guard(Guard::Consent, given, RefusalCode::ConsentRefused)?;
    let witness = judge.context.actor.principal;
    judge.record(ConsentRecorded {
        case,
        text_version,
        witness,
    });
    Ok(())
}

/// Consent, biometrics as policy asks, a card or its application (spec A.8).
pub(super) fn submit(judge: &mut Judge<'_, '_>, case: CaseId) -> Verdict {
    officer_at(judge, None)?;
    let dossier = in_draft(judge, case)?;
    judge.guard(
        Guard::Consent,
        dossier.consent,
        RefusalCode::EvidenceMissing,
    )?;
    let complete = match judge.policy().biometric_rule {
        BiometricRule::PortraitAndFingerprints => dossier.portrait && dossier.fingerprints,
        BiometricRule::Any => dossier.portrait || dossier.fingerprints,
    };
    judge.guard(
        Guard::EvidenceComplete,
        complete,
        RefusalCode::EvidenceMissing,
    )?;
    let policy = judge.policy();
    let days = match foreigner::level_2_days(judge) {
        Some(days) => days,
        None if dossier.with_card_issue => policy.decide_level_2_no_card_working_days,
        None => policy.decide_level_2_working_days,
    };
    let decide_by = judge.working_days_after(judge.today(), days);
    judge.record(Level2Applied { case, decide_by });
    compared(judge, case);
    Ok(())
}

/// What the card registry said of the captures, where it compares them itself; what it did not answer
/// is waited for.
fn compared(judge: &mut Judge<'_, '_>, case: CaseId) {
    let database = Database::CitizenCard;
    let results = judge.context.biometrics;
    for (modality, result) in results {
        judge.record(BiometricMatchRecorded {
            case,
            modality: *modality,
            database,
            result: *result,
        });
        if *result == MatchResult::Unavailable {
            let request = RequestId(judge.new_id());
            let what = Awaited::Biometric(case, *modality);
            waiting::begin(judge, request, what, database);
        }
    }
}

/// A registry's answer about a biometric that was taken (spec 0.5: each with its database).
pub(super) fn record_result(
    judge: &mut Judge<'_, '_>,
    case: CaseId,
    modality: Modality,
    database: Database,
    result: MatchResult,
) -> Verdict {
    let account = judge.account;
    let waiting = account.case(case).filter(|dossier| {
        let taken = match modality {
            Modality::Portrait => dossier.portrait,
            Modality::Fingerprints => dossier.fingerprints,
        };
        // A database that gave its answer is not asked again; one that could not, may be.
        let answered = dossier.matches.iter().any(|known| {
            (known.modality, known.database) == (modality, database)
                && known.result != MatchResult::Unavailable
        });
        dossier.state.is_open() && taken && !answered
    });
    judge.guard(
        Guard::RequestOpen,
        waiting.is_some(),
        RefusalCode::RequestNotOpen,
    )?;
    judge.record(BiometricMatchRecorded {
        case,
        modality,
        database,
        result,
    });
    let what = Awaited::Biometric(case, modality);
    waiting::answered_elsewhere(judge, what, database, result);
    Ok(())
}

/// The citizen or the officer ends an application.
pub(super) fn withdraw(judge: &mut Judge<'_, '_>, case: CaseId, reason: WithdrawReason) -> Verdict {
    if judge.account.holder == HolderKind::Organisation {
        return organisation::withdraw(judge, case, reason);
    }
    let own_reason = match judge.role() {
        Role::IntakeOfficer | Role::ImmigrationOfficer => WithdrawReason::ByOfficer,
        _ => WithdrawReason::ByCitizen,
    };
    judge.guard(
        Guard::RoleAllowed,
        reason == own_reason,
        RefusalCode::RoleNotAllowed,
    )?;
    let open = judge
        .account
        .case(case)
        .is_some_and(|dossier| dossier.state.is_open());
    judge.guard(Guard::CaseState, open, RefusalCode::CaseNotOpen)?;
    judge.record(Level2Withdrawn { case, reason });
    waiting::end_of_case(judge, case);
    Ok(())
}

/// Officers and hotline agents act only while they are active; others are not asked.
pub(super) fn staff_active(judge: &mut Judge<'_, '_>) -> Verdict {
    match judge.role() {
        Role::IntakeOfficer | Role::ImmigrationOfficer | Role::HotlineAgent => {
            officer_at(judge, None)
        }
        _ => Ok(()),
    }
}

/// The officer is active and, where a site is named, may act there.
pub(super) fn officer_at(judge: &mut Judge<'_, '_>, site: Option<u32>) -> Verdict {
    let officer = judge.context.officer.as_ref();
    let may = officer.is_some_and(|officer| {
        officer.active && site.is_none_or(|site| officer.sites.contains(&site))
    });
    judge.guard(
        Guard::OfficerAuthorised,
        may,
        RefusalCode::OfficerNotAuthorised,
    )
}

/// A level-2 dossier that is still being put together.
fn in_draft<'d>(judge: &mut Judge<'d, '_>, case: CaseId) -> Result<&'d Case, No> {
    own_desk(judge)?;
    let account = judge.account;
    let dossier = account
        .case(case)
        .filter(|dossier| dossier.state == CaseState::Draft);
    judge.require(Guard::CaseState, dossier, RefusalCode::CaseNotOpen)
}
