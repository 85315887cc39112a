//! Children and wards (Decree 59 art. 11, Decree 69 arts. 7, 10, 14): registered under the account of a
//! parent or guardian, whose relation the population registry confirms; where policy lets them, in an
//! account of their own that the guardian opens; on their own from the day they are fourteen.

use super::foreigner;
use super::judge::{Judge, No, Verdict};
use super::needs::home_of;
use super::registration::code_of;
use crate::account::DEPENDANTS_MAX;
use crate::command::{Claim, Holder, RegistryAnswer, RelationAnswer};
use crate::event::{
    AppAccountCreated, DependantAccountOpened, DependantLinked, DependantReachedMajority,
    DependantUnlinked, ForeignerRegistrationSubmitted, GuardianConsentGiven, RegistryCheckFailed,
    RegistryCheckRequested, RegistryCheckSucceeded,
};
use crate::identity::{BirthDate, ForeignerId, PersonalId, TravelDocumentParts};
use crate::ids::{AccountId, LocalDay, LookupHash, Micros, RequestId};
use crate::personal::{Person, Personal, TravelDocument};
use crate::policy::ChildrenAccounts;
use crate::vocabulary::{
    DependantEnd, DependantKind, Guard, Level, RefusalCode, RegistryOutcome, Relation,
    RetentionClass, Role,
};

/// What the guardian says they agreed to.
#[derive(Clone, Copy)]
pub(super) struct Agreed {
    pub consent: bool,
    pub text_version: u16,
}

/// The guardian's own activated level-2 account; the child's data; younger than fourteen or a ward;
/// the relation (spec A.8).
pub(super) fn link(
    judge: &mut Judge<'_, '_>,
    (person, document): (&Person, Option<&TravelDocument>),
    dependant: LookupHash,
    agreed: Agreed,
) -> Verdict {
    guardian_account(judge)?;
    forms(judge, person, document)?;
    judge.guard(Guard::Consent, agreed.consent, RefusalCode::ConsentRefused)?;
    let linked = judge.account.dependant(dependant).is_some();
    judge.guard(
        Guard::DependantNew,
        !linked,
        RefusalCode::DependantAlreadyLinked,
    )?;
    let room = judge.account.dependants.len() < DEPENDANTS_MAX;
    judge.guard(Guard::DependantNew, room, RefusalCode::DependantLimit)?;
    let database = home_of(document);
    let birth = confirmed(judge, document)?;
    let ward = match judge.context.relation {
        Some(RelationAnswer::Confirmed { ward, .. } | RelationAnswer::NotRelated { ward }) => ward,
        Some(RelationAnswer::Unavailable) | None => false,
    };
    let (kind, majority_on) = kind_of(judge, &birth, ward)?;
    let relation = relation(judge)?;
    let event = DependantLinked {
        dependant,
        kind,
        relation,
        database,
        majority_on,
        text_version: agreed.text_version,
    };
    let sealed = Personal::Person(person.clone());
    judge.record_with(event, RetentionClass::Permanent, sealed);
    seal_document(judge, document);
    Ok(())
}

/// A citizen's number; or a foreigner's, with a travel document.
fn forms(judge: &mut Judge<'_, '_>, person: &Person, document: Option<&TravelDocument>) -> Verdict {
    let text = person.personal_id.as_str();
    let number = match document {
        None => PersonalId::try_from(text).is_ok(),
        Some(_) => ForeignerId::try_from(text).is_ok(),
    };
    judge.guard(
        Guard::PersonalIdFormat,
        number,
        RefusalCode::PersonalIdFormat,
    )?;
    let Some(document) = document else {
        return Ok(());
    };
    let good = TravelDocumentParts::check(document).is_ok();
    judge.guard(Guard::DocumentFormat, good, RefusalCode::DocumentFormat)
}

fn seal_document(judge: &mut Judge<'_, '_>, document: Option<&TravelDocument>) {
    if let Some(document) = document {
        let sealed = Personal::TravelDocument(document.clone());
        judge.seal(RetentionClass::Permanent, sealed);
    }
}

/// Only an activated level-2 account carries dependants (S004, service 12; Decree 69 art. 10).
fn guardian_account(judge: &mut Judge<'_, '_>) -> Verdict {
    let account = judge.account;
    judge.guard(
        Guard::Activated,
        account.is_activated(),
        RefusalCode::NotActivated,
    )?;
    judge.unlocked()?;
    let high = account.level() == Some(Level::Two);
    judge.guard(Guard::LevelSufficient, high, RefusalCode::LevelTooLow)
}

/// The registry knows the child under these data; recorded either way. Gives the birth date it knows.
fn confirmed(
    judge: &mut Judge<'_, '_>,
    document: Option<&TravelDocument>,
) -> Result<BirthDate, No> {
    let request = RequestId(judge.new_id());
    let database = home_of(document);
    judge.record(RegistryCheckRequested { request, database });
    let outcome = match judge.context.registry.clone() {
        Some(RegistryAnswer::Confirmed {
            area, birth_date, ..
        }) => {
            judge.record(RegistryCheckSucceeded {
                request,
                database,
                area,
            });
            let birth = BirthDate::try_from(birth_date.as_str()).ok();
            return judge.require(Guard::RegistryMatch, birth, RefusalCode::DataMismatch);
        }
        Some(RegistryAnswer::Not(outcome)) => outcome,
        None => RegistryOutcome::Unavailable,
    };
    judge.record(RegistryCheckFailed {
        request,
        database,
        outcome,
    });
    judge.require(Guard::RegistryMatch, None, code_of(outcome))
}

/// A ward is one at any age; a child until the day of fourteen full years, which is counted here once.
fn kind_of(
    judge: &mut Judge<'_, '_>,
    birth: &BirthDate,
    ward: bool,
) -> Result<(DependantKind, Option<LocalDay>), No> {
    let (years, today) = (judge.policy().minimum_age_years, judge.today());
    let majority = birth.day_of_age(years).filter(|on| *on > today);
    let kind = match (ward, majority) {
        (true, _) => Some((DependantKind::Ward, None)),
        (false, Some(on)) => Some((DependantKind::Child, Some(on))),
        (false, None) => None,
    };
    judge.require(Guard::IsDependant, kind, RefusalCode::NotDependant)
}

fn relation(judge: &mut Judge<'_, '_>) -> Result<Relation, No> {
    match judge.context.relation {
        Some(RelationAnswer::Confirmed { relation, .. }) => {
            judge.require(Guard::IsGuardian, Some(relation), RefusalCode::NotGuardian)
        }
        Some(RelationAnswer::NotRelated { .. }) => {
            judge.require(Guard::IsGuardian, None, RefusalCode::NotGuardian)
        }
        Some(RelationAnswer::Unavailable) | None => {
            judge.require(Guard::IsGuardian, None, RefusalCode::RegistryUnavailable)
        }
    }
}

/// The guardian takes a dependant out.
pub(super) fn unlink(judge: &mut Judge<'_, '_>, dependant: LookupHash) -> Verdict {
    judge.unlocked()?;
    let there = judge.account.dependant(dependant).is_some();
    judge.guard(
        Guard::DependantLinked,
        there,
        RefusalCode::DependantNotLinked,
    )?;
    let reason = DependantEnd::ByGuardian;
    judge.record(DependantUnlinked { dependant, reason });
    Ok(())
}

/// The clock: fourteen full years. The dependant leaves the guardian's account.
pub(super) fn majority(judge: &mut Judge<'_, '_>, dependant: LookupHash) -> Verdict {
    let account = judge.account;
    let known = account.dependant(dependant);
    let known = judge.require(
        Guard::DependantLinked,
        known,
        RefusalCode::DependantNotLinked,
    )?;
    let today = judge.today();
    let on = known.majority_on.filter(|on| today >= *on);
    let on = judge.require(Guard::DeadlinePassed, on, RefusalCode::DeadlineNotPassed)?;
    judge.record(DependantReachedMajority { dependant, on });
    let reason = DependantEnd::Majority;
    judge.record(DependantUnlinked { dependant, reason });
    Ok(())
}

/// A guardian opens the account of a dependant who is linked to theirs. The contact is the guardian's
/// own number, which stays the guardian's: no claim is taken on it.
pub(super) fn open(
    judge: &mut Judge<'_, '_>,
    (person, document): (&Person, Option<&TravelDocument>),
    dependant: LookupHash,
    guardian: AccountId,
) -> Verdict {
    let own = judge.policy().children_accounts == ChildrenAccounts::OwnOnDemand;
    judge.guard(
        Guard::OwnAccountAllowed,
        own,
        RefusalCode::OwnAccountNotAllowed,
    )?;
    let facts = judge.context.guardian;
    let may_act = facts.is_some_and(|facts| facts.may_act);
    judge.guard(Guard::GuardianEntitled, may_act, RefusalCode::LevelTooLow)?;
    let today = judge.today();
    let linked = facts
        .and_then(|facts| facts.dependant)
        .filter(|(_, majority)| majority.is_none_or(|on| today < on));
    let (kind, majority_on) = judge.require(Guard::IsGuardian, linked, RefusalCode::NotGuardian)?;
    let free = !matches!(judge.context.personal_id_holder, Holder::Other(_))
        && !judge.account.exists()
        && judge.account.open_case().is_none();
    judge.guard(
        Guard::PersonalIdFree,
        free,
        RefusalCode::PersonalIdAlreadyRegistered,
    )?;
    judge.contact(person)?;
    if let Some(document) = document {
        forms(judge, person, Some(document))?;
        judge.record(ForeignerRegistrationSubmitted {
            document: document.kind,
        });
        let known = foreigner::confirmed(judge)?;
        foreigner::in_order(judge, known)?;
    } else {
        confirmed(judge, None)?;
    }
    let event = DependantAccountOpened {
        guardian,
        dependant,
        kind,
        majority_on,
    };
    let sealed = Personal::Person(person.clone());
    judge.record_with(event, RetentionClass::Permanent, sealed);
    seal_document(judge, document);
    judge.record(AppAccountCreated {});
    let holder = judge.context.personal_id_holder;
    judge.take(Claim::PersonalId, holder);
    Ok(())
}

/// In a dependant's own account: the guardian lets them act for a while (Decree 69 art. 14).
pub(super) fn consent(judge: &mut Judge<'_, '_>) -> Verdict {
    guardian_acts(judge)?;
    judge.unlocked()?;
    let today = judge.today();
    let guardian = judge.account.guardian_on(today).map(|known| known.account);
    let guardian = judge.require(Guard::IsGuardian, guardian, RefusalCode::NotGuardian)?;
    let seconds = i64::from(judge.policy().guardian_consent_s);
    let until = judge.context.now.plus(seconds * Micros::SECOND);
    judge.record(GuardianConsentGiven { guardian, until });
    Ok(())
}

/// Where a guardian acts for a dependant: it is theirs, still a dependant, and the guardian's own
/// account may act.
pub(super) fn guardian_acts(judge: &mut Judge<'_, '_>) -> Verdict {
    if judge.role() != Role::Guardian {
        return Ok(());
    }
    let today = judge.today();
    let own = judge
        .account
        .guardian_on(today)
        .is_some_and(|known| known.account.0 == judge.context.actor.principal.0);
    // Taken out of the guardian's account, the dependant is no longer theirs to act for.
    let facts = judge.context.guardian;
    let linked = facts.is_some_and(|facts| facts.dependant.is_some());
    judge.guard(Guard::IsGuardian, own && linked, RefusalCode::NotGuardian)?;
    let may_act = facts.is_some_and(|facts| facts.may_act);
    judge.guard(Guard::GuardianEntitled, may_act, RefusalCode::LevelTooLow)
}

/// Where a dependant acts themselves: the guardian has agreed, not long ago. The guardian's own act is
/// consent.
pub(super) fn consented(judge: &mut Judge<'_, '_>) -> Verdict {
    let today = judge.today();
    let Some(guardian) = judge.account.guardian_on(today) else {
        return Ok(());
    };
    if judge.role() != Role::Citizen {
        return Ok(());
    }
    let agreed = guardian
        .consent_until
        .is_some_and(|until| judge.context.now < until);
    judge.guard(
        Guard::GuardianConsent,
        agreed,
        RefusalCode::GuardianConsentMissing,
    )
}
