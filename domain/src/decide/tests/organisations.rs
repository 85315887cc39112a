//! Organisations: agreement of all, or form TK02; the authority's days; locks; who represents it.

use super::*;
use crate::account::HolderKind;
use crate::calendar::local_day;
use crate::command::{OrganisationAnswer, RepresentativeFacts};
use crate::entitlement::{EntitlementReason, entitlements};
use crate::event::Event;
use crate::ids::{AccountId, AreaCode, LocalDay, LookupHash, Micros, PrincipalId};
use crate::testing::{REPRESENTATIVE, organisation};
use crate::vocabulary::{
    Guard as G, LockGround, RefusalCode as C, RegistryOutcome, Status, WithdrawReason,
};

const SECOND_ONE: LookupHash = LookupHash([8; 16]);
const THIRD_ONE: LookupHash = LookupHash([9; 16]);
/// Who acts as a representative in `decide_under`.
const OWN: AccountId = AccountId([Role::Representative as u8 + 1; 16]);
const CHECKED: [&str; 2] = ["RegistryCheckRequested", "RegistryCheckSucceeded"];
const UNKNOWN: [&str; 2] = ["RegistryCheckRequested", "RegistryCheckFailed"];

fn register(others: &[LookupHash]) -> Command {
    Command::RegisterOrganisation {
        organisation: organisation(),
        representative: OWN,
        others: others.to_vec(),
    }
}

/// Represented by these, as the databases know.
fn represented(s: &mut Scenario, by: &[LookupHash]) {
    s.world.organisation = Some(OrganisationAnswer::Confirmed {
        area: AreaCode(30_288),
        representatives: by.to_vec(),
    });
}

fn acting(s: &mut Scenario, person: LookupHash) {
    s.world.representative = Some(RepresentativeFacts {
        account: OWN,
        person: Some(person),
        may_act: true,
    });
}

fn dossier(s: &Scenario) -> CaseId {
    s.account
        .organisation
        .as_ref()
        .expect("a dossier")
        .dossier
        .id
}

fn answer(s: &Scenario, agree: bool) -> Command {
    Command::AnswerForOrganisation {
        case: dossier(s),
        representative: OWN,
        agree,
    }
}

fn approve(s: &Scenario) -> Command {
    Command::DecideApplication {
        case: dossier(s),
        refuse: None,
    }
}

/// Issued; one representative.
fn issued() -> Scenario {
    let mut s = Scenario::new();
    s.world.person = None;
    s.when(Role::Representative, &register(&[]));
    let approve = approve(&s);
    s.when(Role::EidAuthority, &approve)
        .accepted(&["OrganisationAccountIssued"]);
    s.world.personal_id_holder = Holder::Own;
    s
}

fn decide_by(s: &Scenario) -> Option<LocalDay> {
    s.account.organisation.as_ref()?.dossier.decide_by
}

#[test]
fn everybody_else_agrees_before_the_days_begin() {
    let mut s = Scenario::new();
    s.world.policy = decree_69();
    represented(&mut s, &[REPRESENTATIVE, SECOND_ONE, THIRD_ONE]);
    // What is declared is nothing beside what the databases know.
    s.when(Role::Representative, &register(&[]))
        .accepted(&[CHECKED[0], CHECKED[1], "OrganisationApplied"])
        .passed(&[
            G::RoleAllowed,
            G::AccountOpen,
            G::OrganisationForm,
            G::PersonalIdFree,
            G::NoOpenCase,
            G::RepresentativeEntitled,
            G::RegistryMatch,
            G::IsRepresentative,
            G::Agreement,
        ]);
    assert_eq!(s.account.holder, HolderKind::Organisation);
    assert_eq!(decide_by(&s), None);
    let early = approve(&s);
    s.when(Role::EidAuthority, &early)
        .refused(G::Agreement, C::AgreementMissing, &[]);
    let agree = answer(&s, true);
    // The one who applied is none of the others.
    s.when(Role::Representative, &agree)
        .refused(G::IsRepresentative, C::NotRepresentative, &[]);
    acting(&mut s, SECOND_ONE);
    s.when(Role::Representative, &agree)
        .accepted(&["RepresentativeAnswered"]);
    s.when(Role::Representative, &agree)
        .refused(G::IsRepresentative, C::NotRepresentative, &[]);
    acting(&mut s, THIRD_ONE);
    s.when(Role::Representative, &agree)
        .accepted(&["RepresentativeAnswered", "OrganisationDossierCompleted"]);
    // Tuesday 05/03/2024 and three working days.
    assert_eq!(decide_by(&s), local_day(2024, 3, 8));
    let then = s.when(Role::EidAuthority, &early);
    let Event::OrganisationAccountIssued(facts) = &then.decision.events[0].event else {
        panic!("not issued");
    };
    assert_eq!((facts.representative, facts.area), (OWN, AreaCode(30_288)));
    assert!(s.account.exists() && s.account.level().is_none());
}

#[test]
fn one_who_does_not_agree_ends_it_and_it_may_begin_again() {
    let mut s = Scenario::new();
    represented(&mut s, &[REPRESENTATIVE, SECOND_ONE]);
    s.when(Role::Representative, &register(&[]));
    s.when(Role::Representative, &register(&[]))
        .refused(G::NoOpenCase, C::CaseOpen, &[]);
    acting(&mut s, SECOND_ONE);
    let disagree = answer(&s, false);
    s.when(Role::Representative, &disagree)
        .accepted(&["RepresentativeAnswered", "OrganisationApplicationEnded"]);
    let late = approve(&s);
    s.when(Role::EidAuthority, &late)
        .refused(G::CaseState, C::CaseNotOpen, &[]);
    acting(&mut s, REPRESENTATIVE);
    s.when(Role::Representative, &register(&[])).accepted(&[
        CHECKED[0],
        CHECKED[1],
        "OrganisationApplied",
    ]);
    let withdraw = Command::WithdrawApplication {
        case: dossier(&s),
        reason: WithdrawReason::ByRepresentative,
    };
    s.when(Role::Representative, &withdraw)
        .accepted(&["OrganisationApplicationEnded"]);
}

#[test]
fn who_may_apply() {
    let mut s = Scenario::new();
    represented(&mut s, &[SECOND_ONE]);
    s.when(Role::Representative, &register(&[])).refused(
        G::IsRepresentative,
        C::NotRepresentative,
        &CHECKED,
    );
    s.world.organisation = Some(OrganisationAnswer::Not(RegistryOutcome::Mismatch));
    s.when(Role::Representative, &register(&[])).refused(
        G::RegistryMatch,
        C::DataMismatch,
        &UNKNOWN,
    );
    let mut low = Scenario::new();
    low.world.representative = low.world.representative.map(|facts| RepresentativeFacts {
        may_act: false,
        ..facts
    });
    low.when(Role::Representative, &register(&[])).refused(
        G::RepresentativeEntitled,
        C::LevelTooLow,
        &[],
    );
    let mut bad = organisation();
    bad.number = "0100109107".into();
    let malformed = Command::RegisterOrganisation {
        organisation: bad,
        representative: OWN,
        others: Vec::new(),
    };
    Scenario::new()
        .when(Role::Representative, &malformed)
        .refused(G::OrganisationForm, C::OrganisationFormat, &[]);
    let mut s = issued();
    s.when(Role::Representative, &register(&[])).refused(
        G::PersonalIdFree,
        C::PersonalIdAlreadyRegistered,
        &[],
    );
}

/// Decree 69 art. 13: three working days where the data are in the databases, fifteen calendar days where
/// they are not. Of Decree 59 one working day is recalled.
#[test]
fn the_days_to_decide_under_both_decrees() {
    let days = |policy: Policy, answer| {
        let mut s = Scenario::new();
        s.world.policy = policy;
        if let Some(outcome) = answer {
            s.world.organisation = Some(OrganisationAnswer::Not(outcome));
        }
        s.when(Role::Representative, &register(&[]));
        decide_by(&s)
    };
    for outcome in [RegistryOutcome::NotFound, RegistryOutcome::Unavailable] {
        // What is not known yet is taken for not known.
        assert_eq!(days(decree_69(), Some(outcome)), local_day(2024, 3, 20));
        assert_eq!(
            days(Policy::default(), Some(outcome)),
            local_day(2024, 3, 20)
        );
    }
    assert_eq!(days(decree_69(), None), local_day(2024, 3, 8));
    assert_eq!(days(Policy::default(), None), local_day(2024, 3, 6));
    // A missed day is recorded once, by the clock or by the late decision.
    let mut s = Scenario::new();
    s.when(Role::Representative, &register(&[]));
    let case = dossier(&s);
    let expire = Command::ExpireProcessingDeadline { case };
    s.when(Role::Clock, &expire)
        .refused(G::DeadlinePassed, C::DeadlineNotPassed, &[]);
    s.later(2 * Micros::DAY);
    s.when(Role::Clock, &expire)
        .accepted(&["ProcessingDeadlineMissed"]);
    let approve = approve(&s);
    s.when(Role::EidAuthority, &approve)
        .accepted(&["OrganisationAccountIssued"]);
}

#[test]
fn those_the_databases_do_not_know_are_declared() {
    let mut s = Scenario::new();
    s.world.organisation = Some(OrganisationAnswer::Not(RegistryOutcome::NotFound));
    let others = [SECOND_ONE, REPRESENTATIVE, SECOND_ONE];
    s.when(Role::Representative, &register(&others)).accepted(&[
        UNKNOWN[0],
        UNKNOWN[1],
        "OrganisationApplied",
    ]);
    let known = &s.account.organisation.as_ref().unwrap().dossier;
    assert_eq!(known.others.len(), 1);
    assert_eq!(known.others[0].person, SECOND_ONE);
}

#[test]
fn form_tk02_in_person() {
    let intake = |agreements| Command::OpenOrganisationIntake {
        organisation: organisation(),
        representative: OWN,
        site: 7,
        person_present: true,
        agreements,
    };
    let mut s = Scenario::new();
    s.when(Role::IntakeOfficer, &intake(None))
        .refused(G::Agreement, C::AgreementMissing, &[]);
    s.when(Role::IntakeOfficer, &intake(Some(2))).accepted(&[
        CHECKED[0],
        CHECKED[1],
        "OrganisationIntakeRecorded",
        "OrganisationDossierCompleted",
    ]);
    let approve = approve(&s);
    s.when(Role::EidAuthority, &approve)
        .accepted(&["OrganisationAccountIssued"]);
    let mut s = Scenario::new();
    s.world.officer = None;
    s.when(Role::IntakeOfficer, &intake(Some(2))).refused(
        G::OfficerAuthorised,
        C::OfficerNotAuthorised,
        &[],
    );
}

#[test]
fn locks_are_of_its_own_list() {
    let lock = |ground| Command::LockAccount { ground };
    let unlock = |ground| Command::UnlockAccount { ground };
    let report = |status| Command::ReportStatus {
        status,
        until: None,
    };
    let mut s = issued();
    s.when(Role::Representative, &lock(LockGround::OwnRequest))
        .accepted(&["AccountLocked"]);
    s.when(Role::EidAuthority, &lock(LockGround::TermsBreached))
        .accepted(&["AccountLocked"]);
    s.when(
        Role::RegistryAdapter,
        &report(Status::OrganisationDissolved),
    )
    .accepted(&["AccountLocked"]);
    for ground in [LockGround::CardRevoked, LockGround::Death] {
        s.when(Role::EidAuthority, &lock(ground))
            .refused(G::GroundLawful, C::GroundNotLawful, &[]);
    }
    s.when(Role::RegistryAdapter, &report(Status::OrganisationRestored))
        .accepted(&["LockGroundRemoved"]);
    s.when(Role::Representative, &unlock(LockGround::OwnRequest))
        .accepted(&["LockGroundRemoved"]);
    s.when(Role::EidAuthority, &unlock(LockGround::TermsBreached))
        .accepted(&["LockGroundRemoved", "AccountUnlocked"]);
    // Somebody else's representative asks for nothing here.
    let mut s = issued();
    if let Some(known) = &mut s.account.organisation {
        known.representative = AccountId([3; 16]);
    }
    s.when(Role::Representative, &lock(LockGround::OwnRequest))
        .refused(G::IsRepresentative, C::NotRepresentative, &[]);
}

#[test]
fn the_representative_changes_and_whoever_acts_is_named() {
    let mut s = issued();
    let relying_party = PrincipalId([Role::RelyingParty as u8 + 1; 16]);
    let act = Command::ActForOrganisation {
        relying_party,
        matter: "kê khai thuế".into(),
    };
    let then = s
        .when(Role::Representative, &act)
        .accepted(&["RepresentativeActed"]);
    let acted = &then.decision.events[0];
    assert!(matches!(
        &acted.event,
        Event::RepresentativeActed(facts) if facts.representative == OWN
    ));
    assert_eq!(acted.sealed.len(), 1);
    let change = Command::ChangeRepresentative {
        representative: OWN,
    };
    s.when(Role::Representative, &change).refused(
        G::IsRepresentative,
        C::RepresentativeUnchanged,
        &[],
    );
    if let Some(known) = &mut s.account.organisation {
        known.representative = AccountId([3; 16]);
    }
    s.when(Role::Representative, &act)
        .refused(G::IsRepresentative, C::NotRepresentative, &[]);
    // The databases must know the new one.
    represented(&mut s, &[SECOND_ONE]);
    s.when(Role::Representative, &change).refused(
        G::IsRepresentative,
        C::NotRepresentative,
        &CHECKED,
    );
    s.world.organisation = Some(OrganisationAnswer::Not(RegistryOutcome::NotFound));
    s.when(Role::Representative, &change).refused(
        G::IsRepresentative,
        C::NotRepresentative,
        &UNKNOWN,
    );
    s.world.organisation = None;
    s.when(Role::Representative, &change).refused(
        G::RegistryMatch,
        C::RegistryUnavailable,
        &UNKNOWN,
    );
    represented(&mut s, &[REPRESENTATIVE, SECOND_ONE]);
    s.when(Role::Representative, &change).accepted(&[
        CHECKED[0],
        CHECKED[1],
        "RepresentativeChanged",
    ]);
    s.when(Role::Representative, &act)
        .accepted(&["RepresentativeActed"]);
    // The authority has seen the documents and asks nobody.
    if let Some(known) = &mut s.account.organisation {
        known.representative = AccountId([3; 16]);
    }
    s.when(Role::EidAuthority, &change)
        .accepted(&["RepresentativeChanged"]);
    activate(level2())
        .when(Role::EidAuthority, &change)
        .refused(G::HolderSort, C::WrongHolderSort, &[]);
}

#[test]
fn it_has_no_levels_and_no_service_unless_the_catalogue_says_so() {
    let s = issued();
    let edition = s.world.edition();
    let mut catalogue = edition.catalogue().expect("a catalogue").clone();
    let none = entitlements(&s.account, &catalogue, s.world.now);
    assert_eq!(none.len(), 16);
    assert!(
        none.iter()
            .all(|answer| answer.reason == EntitlementReason::NotForOrganisations)
    );
    catalogue.services[1].organisations = true;
    let some = entitlements(&s.account, &catalogue, s.world.now);
    assert!(some[1].granted && some[1].granted_by == s.account.organisation_issued());
    assert_eq!(some.iter().filter(|answer| answer.granted).count(), 1);
}

fn silent(s: &mut Scenario) {
    s.world.organisation = Some(OrganisationAnswer::Not(RegistryOutcome::Unavailable));
}

fn ask(s: &Scenario) -> Command {
    let request = s.account.waiting[0].request;
    Command::AskRegistry { request }
}

/// Handed in while the databases were silent.
fn unanswered(others: &[LookupHash]) -> Scenario {
    let mut s = Scenario::new();
    s.world.person = None;
    s.world.policy = decree_69();
    silent(&mut s);
    s.when(Role::Representative, &register(others));
    assert_eq!(s.account.waiting.len(), 1);
    s
}

#[test]
fn an_application_waits_for_silent_databases_and_goes_on() {
    let mut s = unanswered(&[]);
    // The longer time runs, and nobody approves before they answered.
    assert_eq!(decide_by(&s), local_day(2024, 3, 20));
    let approval = approve(&s);
    s.when(Role::EidAuthority, &approval)
        .refused(G::RegistryMatch, C::ChecksIncomplete, &[]);
    let again = ask(&s);
    s.when(Role::Ledger, &again)
        .refused(G::RegistryVerified, C::RegistryUnavailable, &[]);
    let mut unknown = s.clone();
    unknown.world.organisation = Some(OrganisationAnswer::Not(RegistryOutcome::NotFound));
    unknown
        .when(Role::Ledger, &again)
        .accepted(&["RegistryWaitEnded"]);
    represented(&mut s, &[REPRESENTATIVE]);
    s.when(Role::Ledger, &again).accepted(&[
        "RegistryCheckSucceeded",
        "OrganisationChecked",
        "RegistryWaitEnded",
    ]);
    for mut s in [s, unknown] {
        assert_eq!(decide_by(&s), local_day(2024, 3, 20), "computed once");
        s.when(Role::EidAuthority, &approval)
            .accepted(&["OrganisationAccountIssued"]);
    }
}

#[test]
fn whoever_the_databases_know_besides_must_agree_before_it_is_decided() {
    let mut s = unanswered(&[]);
    represented(&mut s, &[REPRESENTATIVE, SECOND_ONE]);
    let again = ask(&s);
    s.when(Role::Ledger, &again);
    let approval = approve(&s);
    s.when(Role::EidAuthority, &approval)
        .refused(G::Agreement, C::AgreementMissing, &[]);
    assert_eq!(decide_by(&s), None, "the days do not run");
    acting(&mut s, SECOND_ONE);
    let agree = answer(&s, true);
    s.when(Role::Representative, &agree)
        .accepted(&["RepresentativeAnswered", "OrganisationDossierCompleted"]);
    assert_eq!(decide_by(&s), local_day(2024, 3, 8), "known: three days");
    s.when(Role::EidAuthority, &approval)
        .accepted(&["OrganisationAccountIssued"]);
}

#[test]
fn a_late_no_about_an_organisation_is_a_no_and_what_is_over_waits_for_nothing() {
    // Other data; and represented by somebody else.
    for known in [false, true] {
        let mut s = unanswered(&[]);
        if known {
            represented(&mut s, &[SECOND_ONE]);
        } else {
            s.world.organisation = Some(OrganisationAnswer::Not(RegistryOutcome::Mismatch));
        }
        let again = ask(&s);
        s.when(Role::Ledger, &again)
            .accepted(&["RegistryCheckFailed", "RegistryWaitEnded"]);
        let approval = approve(&s);
        s.when(Role::EidAuthority, &approval)
            .refused(G::RegistryMatch, C::DataMismatch, &[]);
    }
    let s = unanswered(&[SECOND_ONE]);
    let case = dossier(&s);
    let ends = |role, command: Command, person| {
        let mut s = s.clone();
        acting(&mut s, person);
        s.when(role, &command);
        assert!(s.account.waiting.is_empty(), "{role:?}");
    };
    let reason = WithdrawReason::ByRepresentative;
    let withdraw = Command::WithdrawApplication { case, reason };
    ends(Role::Representative, withdraw, REPRESENTATIVE);
    ends(Role::Representative, answer(&s, false), SECOND_ONE);
    let refuse = Some(crate::vocabulary::RefusalReason::ALL[0]);
    let refuse = Command::DecideApplication { case, refuse };
    ends(Role::EidAuthority, refuse, REPRESENTATIVE);
}

#[test]
fn on_paper_everybody_agreed_already() {
    let mut s = Scenario::new();
    silent(&mut s);
    let intake = Command::OpenOrganisationIntake {
        organisation: organisation(),
        representative: OWN,
        site: 7,
        person_present: true,
        agreements: Some(2),
    };
    s.when(Role::IntakeOfficer, &intake).accepted(&[
        UNKNOWN[0],
        UNKNOWN[1],
        "OrganisationIntakeRecorded",
        "OrganisationDossierCompleted",
        "RegistryAnswerAwaited",
    ]);
    represented(&mut s, &[REPRESENTATIVE, SECOND_ONE]);
    let again = ask(&s);
    s.when(Role::Ledger, &again);
    let approval = approve(&s);
    s.when(Role::EidAuthority, &approval)
        .accepted(&["OrganisationAccountIssued"]);
}
