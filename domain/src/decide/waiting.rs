//! Registries that did not answer: what was asked for waits, the ledger asks again by itself, and what
//! waited goes on with the answer. No answer again is no event: whoever carries the question out says
//! so instead of deciding.

use super::judge::{Judge, Verdict};
use super::{foreigner, organisation};
use crate::account::Waiting;
use crate::command::{DocumentAnswer, RegistryAnswer};
use crate::event::{
    BiometricMatchRecorded, DocumentLinkFailed, DocumentLinked, RegistryAnswerAwaited,
    RegistryCheckFailed, RegistryCheckSucceeded, RegistryWaitEnded,
};
use crate::ids::{CaseId, RequestId};
use crate::personal::Personal;
use crate::vocabulary::{
    Awaited, Database, Guard, LinkOutcome, MatchResult, Modality, RefusalCode, RegistryOutcome,
    RetentionClass, WaitEnd,
};

/// Something waits for a registry from now on.
pub(super) fn begin(
    judge: &mut Judge<'_, '_>,
    request: RequestId,
    what: Awaited,
    database: Database,
) {
    judge.record(RegistryAnswerAwaited {
        request,
        what,
        database,
    });
}

/// A dossier waits for nothing any more.
pub(super) fn end_of_case(judge: &mut Judge<'_, '_>, case: CaseId) {
    let account = judge.account;
    for known in account.waits_of(case) {
        end(judge, known.request, WaitEnd::NotNeeded);
    }
}

/// Somebody else brought the answer about a capture.
pub(super) fn answered_elsewhere(
    judge: &mut Judge<'_, '_>,
    what: Awaited,
    database: Database,
    result: MatchResult,
) {
    let account = judge.account;
    let known = account
        .waiting
        .iter()
        .find(|known| known.what == what && known.database == database);
    if let Some(known) = known.filter(|_| result != MatchResult::Unavailable) {
        end(judge, known.request, WaitEnd::Answered);
    }
}

pub(super) fn end(judge: &mut Judge<'_, '_>, request: RequestId, end: WaitEnd) {
    judge.record(RegistryWaitEnded { request, end });
}

/// The ledger asks again; what the registry said is in the context.
pub(super) fn ask(judge: &mut Judge<'_, '_>, request: RequestId) -> Verdict {
    let account = judge.account;
    let known = account.awaited(request);
    let known = judge.require(Guard::RequestOpen, known, RefusalCode::RequestNotOpen)?;
    let over = known
        .what
        .case()
        .is_some_and(|case| !account.is_case_open(case));
    if over {
        end(judge, request, WaitEnd::NotNeeded);
        return Ok(());
    }
    match known.what {
        Awaited::Identity(case) => match known.database {
            Database::Immigration => foreigner::answered(judge, known.request, case),
            Database::Organisations => organisation::answered(judge, known.request, case),
            _ => identity(judge, known, case),
        },
        Awaited::Biometric(case, modality) => biometric(judge, known, case, modality),
        Awaited::Document(..) => document(judge, known),
    }
}

/// Whoever is not in the card database, or has no card with a chip there, is not confirmed by it.
fn identity(judge: &mut Judge<'_, '_>, known: &Waiting, case: CaseId) -> Verdict {
    let (request, database) = (known.request, known.database);
    let with_card = judge
        .account
        .case(case)
        .is_some_and(|dossier| dossier.with_card_issue);
    let answer = judge.context.registry.clone();
    let outcome = match answer {
        Some(RegistryAnswer::Confirmed {
            area,
            has_chip_card,
            ..
        }) if has_chip_card || with_card => {
            judge.record(RegistryCheckSucceeded {
                request,
                database,
                area,
            });
            end(judge, request, WaitEnd::Answered);
            return Ok(());
        }
        Some(RegistryAnswer::Confirmed { .. }) => RegistryOutcome::NotFound,
        Some(RegistryAnswer::Not(RegistryOutcome::Unavailable)) | None => return silent(judge),
        Some(RegistryAnswer::Not(outcome)) => outcome,
    };
    judge.record(RegistryCheckFailed {
        request,
        database,
        outcome,
    });
    end(judge, request, WaitEnd::Answered);
    Ok(())
}

fn biometric(
    judge: &mut Judge<'_, '_>,
    known: &Waiting,
    case: CaseId,
    modality: Modality,
) -> Verdict {
    let results = judge.context.biometrics;
    let result = results.iter().find(|(of, _)| *of == modality);
    let Some((_, result)) = result.filter(|(_, result)| *result != MatchResult::Unavailable) else {
        return silent(judge);
    };
    judge.record(BiometricMatchRecorded {
        case,
        modality,
        database: known.database,
        result: *result,
    });
    end(judge, known.request, WaitEnd::Answered);
    Ok(())
}

/// The number was sealed for a short time only; a linked document keeps it.
fn document(judge: &mut Judge<'_, '_>, known: &Waiting) -> Verdict {
    let Awaited::Document(document, kind) = known.what else {
        return Ok(());
    };
    let Some(number) = judge.context.declared.map(str::to_owned) else {
        // It was erased meanwhile: nobody can be asked about it.
        end(judge, known.request, WaitEnd::NotNeeded);
        return Ok(());
    };
    match judge.context.document {
        Some(DocumentAnswer::Verified { data_as_of }) => {
            let event = DocumentLinked {
                document,
                kind,
                database: known.database,
                data_as_of,
            };
            let class = RetentionClass::Permanent;
            judge.record_with(event, class, Personal::Document(number));
        }
        Some(DocumentAnswer::Not(LinkOutcome::RegistryUnavailable)) | None => return silent(judge),
        Some(DocumentAnswer::Not(outcome)) => {
            judge.record(DocumentLinkFailed {
                document,
                kind,
                outcome,
            });
        }
    }
    end(judge, known.request, WaitEnd::Answered);
    Ok(())
}

/// Still no answer: for whoever carries the question out to say, without a trace.
pub(super) fn silent(judge: &Judge<'_, '_>) -> Verdict {
    judge.refuse(Guard::RegistryVerified, RefusalCode::RegistryUnavailable)
}
