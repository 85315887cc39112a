//! Agencies and organisations (A-06; Decree 69 arts. 7, 12, 13, 15): an account without levels. A legal
//! representative applies with their own activated level-2 account, all others agree with theirs, or
//! everything is brought to a desk on paper (form TK02); the authority decides. Whoever acts for the
//! organisation afterwards is named in every event.

use super::judge::{Judge, No, Verdict};
use super::level2::officer_at;
use super::lock::exists;
use super::registration::code_of;
use super::waiting;
use crate::account::{CaseState, HolderKind, OrganisationDossier, REPRESENTATIVES_MAX};
use crate::command::{Claim, Holder, OrganisationAnswer, RepresentativeFacts};
use crate::event::{
    ApplicationRefused, OrganisationAccountIssued, OrganisationApplicationEnded,
    OrganisationApplied, OrganisationChecked, OrganisationDossierCompleted,
    OrganisationIntakeRecorded, ProcessingDeadlineMissed, RegistryCheckFailed,
    RegistryCheckRequested, RegistryCheckSucceeded, RepresentativeActed, RepresentativeAnswered,
    RepresentativeChanged, ResultNotified,
};
use crate::identity::OrganisationParts;
use crate::ids::{AreaCode, CaseId, LocalDay, LookupHash, Micros, PrincipalId, RequestId};
use crate::personal::{Organisation, Personal};
use crate::vocabulary::{
    Awaited, Channel, Database, Guard, Message, RefusalCode, RefusalReason, RegistryOutcome,
    RetentionClass, Role, WaitEnd, WithdrawReason,
};

const DATABASE: Database = Database::Organisations;
/// Longest words on a matter, in characters.
const MATTER_CHARS_MAX: usize = 300;

/// What the officer says of the visit.
#[derive(Clone, Copy)]
pub(super) struct Intake {
    pub site: u32,
    pub present: bool,
    pub agreements: Option<u8>,
}

/// What the databases of organisations know.
enum Known {
    Yes(Vec<LookupHash>),
    No,
    /// They did not answer, and are asked again.
    Silent(RequestId),
}

impl Known {
    /// The question that is still open.
    const fn open(&self) -> Option<RequestId> {
        match self {
            Self::Silent(request) => Some(*request),
            Self::Yes(_) | Self::No => None,
        }
    }
}

/// The representative's own account; the organisation; the databases; everybody else who represents it.
pub(super) fn register(
    judge: &mut Judge<'_, '_>,
    organisation: &Organisation,
    declared: &[LookupHash],
) -> Verdict {
    new_account(judge, organisation)?;
    let (representative, person) = entitled(judge)?;
    let known = ask(judge)?;
    let mut others = match known {
        Known::Yes(ref all) => {
            legal(judge, all, person)?;
            all.clone()
        }
        Known::No | Known::Silent(_) => declared.to_vec(),
    };
    others.retain(|other| *other != person);
    others.sort_unstable();
    others.dedup();
    let few = others.len() <= REPRESENTATIVES_MAX;
    judge.guard(Guard::Agreement, few, RefusalCode::RepresentativeLimit)?;
    let case = CaseId(judge.new_id());
    let alone = others.is_empty();
    let open = known.open();
    let known = matches!(known, Known::Yes(_));
    let applied = OrganisationApplied {
        case,
        representative: representative.account,
        others,
        known,
    };
    let sealed = Personal::Organisation(organisation.clone());
    judge.record_with(applied, RetentionClass::Permanent, sealed);
    if alone {
        complete(judge, case, known);
    }
    await_answer(judge, case, open);
    let holder = judge.context.personal_id_holder;
    judge.take(Claim::PersonalId, holder);
    Ok(())
}

/// Form TK02 at a desk: the representative is there, the others' agreement on paper.
pub(super) fn open_intake(
    judge: &mut Judge<'_, '_>,
    organisation: &Organisation,
    intake: Intake,
) -> Verdict {
    officer_at(judge, Some(intake.site))?;
    let day = judge.context.occurred_at.local_day();
    let open = judge.site_is_open(intake.site, day, false);
    judge.guard(Guard::SiteOpen, open, RefusalCode::SiteNotOpen)?;
    judge.guard(
        Guard::PersonPresent,
        intake.present,
        RefusalCode::PersonNotPresent,
    )?;
    new_account(judge, organisation)?;
    let (representative, person) = entitled(judge)?;
    let agreements = judge.require(
        Guard::Agreement,
        intake.agreements,
        RefusalCode::AgreementMissing,
    )?;
    let known = ask(judge)?;
    if let Known::Yes(all) = &known {
        legal(judge, all, person)?;
    }
    let open = known.open();
    let known = matches!(known, Known::Yes(_));
    let case = CaseId(judge.new_id());
    let recorded = OrganisationIntakeRecorded {
        case,
        officer: judge.context.actor.principal,
        site: intake.site,
        representative: representative.account,
        agreements,
        known,
    };
    let sealed = Personal::Organisation(organisation.clone());
    judge.record_with(recorded, RetentionClass::Permanent, sealed);
    complete(judge, case, known);
    await_answer(judge, case, open);
    let holder = judge.context.personal_id_holder;
    judge.take(Claim::PersonalId, holder);
    Ok(())
}

/// The organisation is well formed, has no account, and no application is under way.
fn new_account(judge: &mut Judge<'_, '_>, organisation: &Organisation) -> Verdict {
    let good = OrganisationParts::check(organisation).is_ok();
    judge.guard(
        Guard::OrganisationForm,
        good,
        RefusalCode::OrganisationFormat,
    )?;
    let free =
        !matches!(judge.context.personal_id_holder, Holder::Other(_)) && !judge.account.exists();
    judge.guard(
        Guard::PersonalIdFree,
        free,
        RefusalCode::PersonalIdAlreadyRegistered,
    )?;
    let under_way = dossier(judge).is_some_and(|dossier| dossier.state.is_open());
    judge.guard(Guard::NoOpenCase, !under_way, RefusalCode::CaseOpen)
}

/// The representative's own account: activated, level 2, unlocked (Decree 69 art. 12).
fn entitled(judge: &mut Judge<'_, '_>) -> Result<(RepresentativeFacts, LookupHash), No> {
    let facts = judge.context.representative;
    let person = |facts: RepresentativeFacts| Some((facts, facts.person?));
    let may_act = facts.filter(|facts| facts.may_act).and_then(person);
    judge.require(
        Guard::RepresentativeEntitled,
        may_act,
        RefusalCode::LevelTooLow,
    )
}

/// Whoever applies is a legal representative, as the databases know them.
fn legal(judge: &mut Judge<'_, '_>, all: &[LookupHash], person: LookupHash) -> Verdict {
    judge.guard(
        Guard::IsRepresentative,
        all.contains(&person),
        RefusalCode::NotRepresentative,
    )
}

fn await_answer(judge: &mut Judge<'_, '_>, case: CaseId, open: Option<RequestId>) {
    if let Some(request) = open {
        waiting::begin(judge, request, Awaited::Identity(case), DATABASE);
    }
}

/// The databases' answer, recorded either way. That they do not know the organisation only means the
/// longer time; that they do not answer means it too, and nobody approves before they did; that the
/// data differ is a refusal.
fn ask(judge: &mut Judge<'_, '_>) -> Result<Known, No> {
    let request = RequestId(judge.new_id());
    let database = DATABASE;
    judge.record(RegistryCheckRequested { request, database });
    let outcome = match judge.context.organisation.clone() {
        Some(OrganisationAnswer::Confirmed {
            area,
            representatives,
        }) => {
            judge.record(RegistryCheckSucceeded {
                request,
                database,
                area,
            });
            let known = Some(Known::Yes(representatives));
            return judge.require(Guard::RegistryMatch, known, RefusalCode::DataMismatch);
        }
        Some(OrganisationAnswer::Not(outcome)) => outcome,
        None => RegistryOutcome::Unavailable,
    };
    judge.record(RegistryCheckFailed {
        request,
        database,
        outcome,
    });
    if outcome == RegistryOutcome::Mismatch {
        return judge.require(Guard::RegistryMatch, None, code_of(outcome));
    }
    if outcome == RegistryOutcome::Unavailable {
        return Ok(Known::Silent(request));
    }
    Ok(Known::No)
}

/// The answer that an application waited for. Whoever applied must be among the representatives, and
/// whoever else is must agree, unless all of that was brought on paper.
pub(super) fn answered(judge: &mut Judge<'_, '_>, request: RequestId, case: CaseId) -> Verdict {
    let database = DATABASE;
    let person = judge.context.representative.and_then(|facts| facts.person);
    let outcome = match judge.context.organisation.clone() {
        Some(OrganisationAnswer::Confirmed {
            area,
            representatives,
        }) if person.is_some_and(|person| representatives.contains(&person)) => {
            judge.record(RegistryCheckSucceeded {
                request,
                database,
                area,
            });
            let others = unasked(judge, representatives, person);
            judge.record(OrganisationChecked { case, others });
            waiting::end(judge, request, WaitEnd::Answered);
            return Ok(());
        }
        Some(OrganisationAnswer::Confirmed { .. }) => RegistryOutcome::Mismatch,
        Some(OrganisationAnswer::Not(RegistryOutcome::Unavailable)) | None => {
            return waiting::silent(judge);
        }
        Some(OrganisationAnswer::Not(RegistryOutcome::NotFound)) => {
            // Not in the databases: the longer time was right, and nothing else is owed.
            waiting::end(judge, request, WaitEnd::Answered);
            return Ok(());
        }
        Some(OrganisationAnswer::Not(outcome)) => outcome,
    };
    judge.record(RegistryCheckFailed {
        request,
        database,
        outcome,
    });
    waiting::end(judge, request, WaitEnd::Answered);
    Ok(())
}

/// Representatives whom nobody has asked.
fn unasked(
    judge: &Judge<'_, '_>,
    mut all: Vec<LookupHash>,
    own: Option<LookupHash>,
) -> Vec<LookupHash> {
    let Some(dossier) = dossier(judge).filter(|dossier| !dossier.on_paper) else {
        return Vec::new();
    };
    all.retain(|person| {
        Some(*person) != own && !dossier.others.iter().any(|known| known.person == *person)
    });
    all.sort_unstable();
    all.dedup();
    all.truncate(REPRESENTATIVES_MAX.saturating_sub(dossier.others.len()));
    all
}

/// Everybody agreed: the days to decide are counted, working days where the data are in the databases
/// and calendar days where they are not (Decree 69 art. 13).
fn complete(judge: &mut Judge<'_, '_>, case: CaseId, known: bool) {
    let (policy, today) = (judge.policy(), judge.today());
    let decide_by = if known {
        judge.working_days_after(today, policy.decide_organisation_working_days)
    } else {
        let days = i32::from(policy.decide_organisation_unknown_days);
        LocalDay(today.0.saturating_add(days))
    };
    judge.record(OrganisationDossierCompleted { case, decide_by });
}

/// Another legal representative agrees, or ends the application.
pub(super) fn answer(judge: &mut Judge<'_, '_>, case: CaseId, agree: bool) -> Verdict {
    let (representative, person) = entitled(judge)?;
    let waiting =
        dossier(judge).filter(|known| known.id == case && known.state == CaseState::Draft);
    let waiting = judge.require(Guard::CaseState, waiting, RefusalCode::CaseNotOpen)?;
    let asked = waiting
        .others
        .iter()
        .any(|other| other.person == person && other.account.is_none());
    judge.guard(
        Guard::IsRepresentative,
        asked,
        RefusalCode::NotRepresentative,
    )?;
    judge.record(RepresentativeAnswered {
        case,
        representative: representative.account,
        person,
        agreed: agree,
    });
    if !agree {
        let reason = WithdrawReason::RepresentativeDisagrees;
        judge.record(OrganisationApplicationEnded { case, reason });
        waiting::end_of_case(judge, case);
        return Ok(());
    }
    let last = waiting
        .others
        .iter()
        .all(|other| other.account.is_some() || other.person == person);
    if last {
        complete(judge, case, waiting.known);
    }
    Ok(())
}

fn dossier<'d>(judge: &Judge<'d, '_>) -> Option<&'d OrganisationDossier> {
    let account = judge.account;
    account.organisation.as_ref().map(|known| &known.dossier)
}

/// The authority decides; agreement of all is a guard, whichever way it came.
pub(super) fn decide(
    judge: &mut Judge<'_, '_>,
    case: CaseId,
    refuse: Option<RefusalReason>,
) -> Verdict {
    let account = judge.account;
    let organisation = account
        .organisation
        .as_ref()
        .filter(|known| known.dossier.id == case && known.dossier.state.is_open());
    let organisation = judge.require(Guard::CaseState, organisation, RefusalCode::CaseNotOpen)?;
    let waiting = &organisation.dossier;
    if let Some(reason) = refuse {
        late(judge, waiting);
        judge.record(ApplicationRefused { case, reason });
        waiting::end_of_case(judge, case);
    } else {
        let agreed = waiting.is_agreed() && waiting.state == CaseState::AwaitingDecision;
        judge.guard(Guard::Agreement, agreed, RefusalCode::AgreementMissing)?;
        answer_there(judge, waiting)?;
        late(judge, waiting);
        judge.record(OrganisationAccountIssued {
            case,
            representative: organisation.representative,
            area: account.identification.area.unwrap_or(AreaCode(0)),
        });
    }
    judge.notify(Message::IssuanceResult);
    Ok(())
}

/// The databases said nothing against it when they answered late, and no longer owe their answer.
fn answer_there(judge: &mut Judge<'_, '_>, dossier: &OrganisationDossier) -> Verdict {
    if let Some(outcome) = dossier.not_confirmed {
        judge.guard(Guard::RegistryMatch, false, code_of(outcome))?;
    }
    if judge.account.waits_of(dossier.id).next().is_some() {
        judge.refuse(Guard::RegistryMatch, RefusalCode::ChecksIncomplete)?;
    }
    Ok(())
}

/// P6. There is nothing to activate: who represents the organisation acts with their own account.
pub(super) fn notify(
    judge: &mut Judge<'_, '_>,
    case: CaseId,
    channel: Channel,
    received_at: Micros,
) -> Verdict {
    let decided = dossier(judge).is_some_and(|known| known.id == case && known.state.is_decided());
    judge.guard(Guard::Decided, decided, RefusalCode::NotDecided)?;
    let opened = judge.account.opened_at.unwrap_or(received_at);
    let received_at = received_at.max(opened).min(judge.context.now);
    judge.record(ResultNotified {
        case,
        channel,
        received_at,
    });
    Ok(())
}

/// Records that the last day passed, once.
fn late(judge: &mut Judge<'_, '_>, dossier: &OrganisationDossier) {
    let today = judge.today();
    let passed = dossier
        .decide_by
        .filter(|due| today > *due && !dossier.deadline_missed);
    if let Some(due) = passed {
        let case = dossier.id;
        judge.record(ProcessingDeadlineMissed { case, due });
    }
}

/// The clock: the last day to decide passed.
pub(super) fn expire_deadline(judge: &mut Judge<'_, '_>, case: CaseId) -> Verdict {
    let open = dossier(judge)
        .filter(|known| known.id == case && known.state.is_open() && !known.deadline_missed);
    let due = open.and_then(|known| known.decide_by);
    let due = judge.require(Guard::CaseState, due, RefusalCode::CaseNotOpen)?;
    let passed = judge.today() > due;
    judge.guard(
        Guard::DeadlinePassed,
        passed,
        RefusalCode::DeadlineNotPassed,
    )?;
    judge.record(ProcessingDeadlineMissed { case, due });
    Ok(())
}

/// The representative, or the officer, ends the application.
pub(super) fn withdraw(judge: &mut Judge<'_, '_>, case: CaseId, reason: WithdrawReason) -> Verdict {
    let own_reason = match judge.role() {
        Role::IntakeOfficer => WithdrawReason::ByOfficer,
        Role::Representative => WithdrawReason::ByRepresentative,
        _ => return judge.refuse(Guard::RoleAllowed, RefusalCode::RoleNotAllowed),
    };
    judge.guard(
        Guard::RoleAllowed,
        reason == own_reason,
        RefusalCode::RoleNotAllowed,
    )?;
    representative_acts(judge)?;
    let open = dossier(judge).is_some_and(|known| known.id == case && known.state.is_open());
    judge.guard(Guard::CaseState, open, RefusalCode::CaseNotOpen)?;
    judge.record(OrganisationApplicationEnded { case, reason });
    waiting::end_of_case(judge, case);
    Ok(())
}

/// Somebody else represents the organisation. Who says so of themselves is confirmed by the databases;
/// the eID authority has seen the documents.
pub(super) fn change(judge: &mut Judge<'_, '_>) -> Verdict {
    issued(judge)?;
    let account = judge.account;
    let (representative, person) = entitled(judge)?;
    let old = account
        .organisation
        .as_ref()
        .map(|known| known.representative)
        .filter(|old| *old != representative.account);
    let old = judge.require(
        Guard::IsRepresentative,
        old,
        RefusalCode::RepresentativeUnchanged,
    )?;
    let database = if judge.role() == Role::Representative {
        let own = representative.account.0 == judge.context.actor.principal.0;
        judge.guard(Guard::RoleAllowed, own, RefusalCode::RoleNotAllowed)?;
        match ask(judge)? {
            Known::Yes(all) => legal(judge, &all, person)?,
            Known::Silent(_) => {
                return judge.refuse(Guard::RegistryMatch, RefusalCode::RegistryUnavailable);
            }
            Known::No => {
                return judge.refuse(Guard::IsRepresentative, RefusalCode::NotRepresentative);
            }
        }
        Some(DATABASE)
    } else {
        None
    };
    judge.record(RepresentativeChanged {
        old,
        new: representative.account,
        database,
    });
    Ok(())
}

/// The representative acts for the organisation towards a relying party.
pub(super) fn act(judge: &mut Judge<'_, '_>, relying_party: PrincipalId, matter: &str) -> Verdict {
    issued(judge)?;
    representative_acts(judge)?;
    judge.unlocked()?;
    let known = judge.context.relying_party_active;
    judge.guard(
        Guard::RelyingPartyKnown,
        known,
        RefusalCode::RelyingPartyUnknown,
    )?;
    let matter = matter.trim();
    let good = !matter.is_empty() && matter.chars().count() <= MATTER_CHARS_MAX;
    judge.guard(Guard::ReasonGiven, good, RefusalCode::ReasonMissing)?;
    let representative = judge.context.representative.map(|facts| facts.account);
    let representative = judge.require(
        Guard::IsRepresentative,
        representative,
        RefusalCode::NotRepresentative,
    )?;
    let acted = RepresentativeActed {
        representative,
        relying_party,
    };
    let note = Personal::Note(matter.to_owned());
    judge.record_with(acted, RetentionClass::Usage, note);
    Ok(())
}

/// An organisation's account that was issued.
fn issued(judge: &mut Judge<'_, '_>) -> Verdict {
    let organisation = judge.account.holder == HolderKind::Organisation;
    judge.guard(
        Guard::HolderSort,
        organisation,
        RefusalCode::WrongHolderSort,
    )?;
    exists(judge)
}

/// Where a representative acts: it is theirs to, and their own account may act.
pub(super) fn representative_acts(judge: &mut Judge<'_, '_>) -> Verdict {
    if judge.role() != Role::Representative {
        return Ok(());
    }
    let own = judge
        .account
        .organisation
        .as_ref()
        .is_some_and(|known| known.representative.0 == judge.context.actor.principal.0);
    judge.guard(Guard::IsRepresentative, own, RefusalCode::NotRepresentative)?;
    entitled(judge).map(|_| ())
}
