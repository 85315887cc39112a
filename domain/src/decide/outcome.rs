//! P6: the authority decides, the citizen is told, the seven days begin.

use super::activation;
use super::foreigner;
use super::judge::{Judge, No, Verdict};
use super::organisation;
use super::registration::code_of;
use super::waiting;
use crate::account::{Case, CaseState, HolderKind};
use crate::command::{Claim, RegistryAnswer};
use crate::event::{
    AccountIssued, ActivationWindowOpened, ApplicationRefused, ProcessingDeadlineMissed,
    ResultNotified,
};
use crate::ids::{AreaCode, CaseId, Micros};
use crate::policy::BiometricRule;
use crate::vocabulary::{
    Awaited, Channel, Guard, Level, Message, Modality, RefusalCode, RefusalReason, RegistryOutcome,
};

/// Handed in; all checks there, where it is approved (spec A.8). A late decision counts, and that it
/// was late is recorded.
pub(super) fn decide(
    judge: &mut Judge<'_, '_>,
    case: CaseId,
    refuse: Option<RefusalReason>,
) -> Verdict {
    if judge.account.holder == HolderKind::Organisation {
        return organisation::decide(judge, case, refuse);
    }
    let account = judge.account;
    let handed_in = account.case(case).filter(|dossier| {
        matches!(
            dossier.state,
            CaseState::AwaitingBiometric | CaseState::AwaitingDecision
        )
    });
    let dossier = judge.require(Guard::CaseState, handed_in, RefusalCode::CaseNotOpen)?;
    if let Some(reason) = refuse {
        late(judge, dossier);
        judge.record(ApplicationRefused { case, reason });
        waiting::end_of_case(judge, case);
        if !account.exists() && account.registration.is_none() {
            // Nobody has an account here: the number is free for whoever has it.
            judge.release(Claim::Phone);
        }
    } else {
        let complete = checks_complete(judge, dossier);
        judge.guard(
            Guard::ChecksComplete,
            complete,
            RefusalCode::ChecksIncomplete,
        )?;
        let area = confirmed(judge, dossier)?;
        late(judge, dossier);
        waiting::end_of_case(judge, case);
        judge.record(AccountIssued {
            case,
            level: dossier.level,
            area,
        });
    }
    judge.notify(Message::IssuanceResult);
    Ok(())
}

/// Level 2: the policy's rule over the registries' answers (C-07). Level 1: none says the portrait
/// is somebody else's.
fn checks_complete(judge: &Judge<'_, '_>, dossier: &Case) -> bool {
    let portrait = dossier.is_matched(Modality::Portrait);
    let fingerprints = dossier.is_matched(Modality::Fingerprints);
    match (dossier.level, judge.policy().biometric_rule) {
        (Level::One, _) => portrait || !dossier.is_mismatched(Modality::Portrait),
        (Level::Two, BiometricRule::PortraitAndFingerprints) => portrait && fingerprints,
        (Level::Two, BiometricRule::Any) => portrait || fingerprints,
    }
}

/// The person is who they say: no registry said otherwise when it answered late, and none still owes
/// its answer. Gives where the registry says the person resides, now or when it was first asked.
fn confirmed(judge: &mut Judge<'_, '_>, dossier: &Case) -> Result<AreaCode, No> {
    if let Some(outcome) = dossier.not_confirmed {
        judge.guard(Guard::RegistryMatch, false, code_of(outcome))?;
    }
    let owed = judge
        .account
        .waits_of(dossier.id)
        .any(|known| known.what == Awaited::Identity(dossier.id));
    if owed && judge.account.holder == HolderKind::Foreigner {
        foreigner::owed_in_order(judge)?;
    }
    let known = judge.account.identification.area.filter(|_| !owed);
    let area = match (known, &judge.context.registry) {
        (_, Some(RegistryAnswer::Confirmed { area, .. })) => Some(*area),
        (None, Some(RegistryAnswer::Not(outcome))) if *outcome != RegistryOutcome::Unavailable => {
            let code = code_of(*outcome);
            return judge.require(Guard::RegistryMatch, None, code);
        }
        (known, _) => known,
    };
    judge.require(Guard::RegistryMatch, area, RefusalCode::ChecksIncomplete)
}

/// Records that the last day passed, once.
fn late(judge: &mut Judge<'_, '_>, dossier: &Case) {
    let today = judge.today();
    if let Some(due) = dossier
        .decide_by
        .filter(|due| today > *due && !dossier.deadline_missed)
    {
        judge.record(ProcessingDeadlineMissed {
            case: dossier.id,
            due,
        });
    }
}

/// P6. The first notice of an approval starts the seven days; an account that is active already
/// stays active (spec 0.7), so none start.
pub(super) fn notify(
    judge: &mut Judge<'_, '_>,
    case: CaseId,
    channel: Channel,
    received_at: Micros,
) -> Verdict {
    if judge.account.holder == HolderKind::Organisation {
        return organisation::notify(judge, case, channel, received_at);
    }
    let account = judge.account;
    let decided = account
        .case(case)
        .filter(|dossier| dossier.state.is_decided());
    let dossier = judge.require(Guard::Decided, decided, RefusalCode::NotDecided)?;
    let known = match (channel, judge.context.person) {
        (Channel::App, _) => account.credentials.password.is_some(),
        (Channel::InPerson, _) | (_, None) => true,
        (Channel::Sms, Some(person)) => !person.phone.is_empty(),
        (Channel::Email, Some(person)) => !person.email.is_empty(),
    };
    judge.guard(Guard::ChannelKnown, known, RefusalCode::NoChannel)?;
    // Received neither after it is recorded nor before there was anything to say.
    let opened = account.opened_at.unwrap_or(received_at);
    let received_at = received_at.max(opened).min(judge.context.now);
    notified(judge, dossier, channel, received_at);
    Ok(())
}

/// The citizen was told; the first time that an approval is told, the window opens.
pub(super) fn notified(
    judge: &mut Judge<'_, '_>,
    dossier: &Case,
    channel: Channel,
    received_at: Micros,
) {
    judge.record(ResultNotified {
        case: dossier.id,
        channel,
        received_at,
    });
    let first = dossier.state == CaseState::Approved && !dossier.notified;
    if first && !judge.account.is_activated() {
        let days = judge.policy().activation_window_days;
        let deadline = activation::deadline(received_at, days);
        judge.record(ActivationWindowOpened { deadline });
    }
}

/// The clock: the last day to decide passed.
pub(super) fn expire_deadline(judge: &mut Judge<'_, '_>, case: CaseId) -> Verdict {
    if judge.account.holder == HolderKind::Organisation {
        return organisation::expire_deadline(judge, case);
    }
    let account = judge.account;
    let open = account
        .case(case)
        .filter(|dossier| dossier.state.is_open() && !dossier.deadline_missed);
    let due = open.and_then(|dossier| dossier.decide_by);
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
