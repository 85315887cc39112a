//! Documents: declared by the citizen or the officer, confirmed by the registry that owns them.

use super::dependant::{consented, guardian_acts};
use super::judge::{Judge, Verdict};
use super::level2::staff_active;
use super::waiting;
use crate::account::DOCUMENTS_MAX;
use crate::command::DocumentAnswer;
use crate::event::{
    DocumentLinkBroken, DocumentLinkFailed, DocumentLinkRequested, DocumentLinked,
    DocumentRefreshed, DocumentUnlinked,
};
use crate::identity::DocumentNumber;
use crate::ids::{DocumentId, Micros, RequestId};
use crate::personal::Personal;
use crate::vocabulary::{
    Awaited, Database, DocumentKind, Guard, LinkOutcome, RefusalCode, RetentionClass, WaitEnd,
};

/// The registry that owns a kind of document.
pub const fn database_of(kind: DocumentKind) -> Database {
    match kind {
        DocumentKind::DrivingLicence => Database::DrivingLicence,
        DocumentKind::VehicleRegistration => Database::VehicleRegistration,
        DocumentKind::HealthInsuranceCard => Database::HealthInsurance,
        DocumentKind::TaxCode => Database::Tax,
        DocumentKind::SocialInsuranceCode => Database::SocialInsurance,
        DocumentKind::HealthRecord => Database::HealthRecord,
    }
}

/// Level 2 (policy); verified by the registry; owned by the holder (spec A.8).
pub(super) fn link(judge: &mut Judge<'_, '_>, kind: DocumentKind, number: &str) -> Verdict {
    staff_active(judge)?;
    guardian_acts(judge)?;
    judge.unlocked()?;
    let high = judge.account.level() >= Some(judge.policy().document_link_level);
    judge.guard(Guard::LevelSufficient, high, RefusalCode::LevelTooLow)?;
    consented(judge)?;
    let number = DocumentNumber::parse(kind, number).ok();
    let may = judge.may_link(kind);
    let number = number.filter(|_| may);
    let number = judge.require(Guard::DocumentFormat, number, RefusalCode::DocumentFormat)?;
    new_link(judge, kind)?;
    let document = DocumentId(judge.new_id());
    let answer = judge.context.document;
    let declared = Personal::Document(number.as_str().to_owned());
    let class = match answer {
        Some(DocumentAnswer::Verified { .. }) => RetentionClass::Permanent,
        _ => RetentionClass::Short,
    };
    judge.record_with(DocumentLinkRequested { document, kind }, class, declared);
    let outcome = match answer {
        Some(DocumentAnswer::Verified { data_as_of }) => {
            judge.guard(Guard::RegistryVerified, true, RefusalCode::RegistryMismatch)?;
            judge.guard(Guard::OwnerMatch, true, RefusalCode::OwnerMismatch)?;
            let database = database_of(kind);
            judge.record(DocumentLinked {
                document,
                kind,
                database,
                data_as_of,
            });
            return Ok(());
        }
        Some(DocumentAnswer::Not(outcome)) => outcome,
        None => LinkOutcome::RegistryUnavailable,
    };
    judge.record(DocumentLinkFailed {
        document,
        kind,
        outcome,
    });
    if outcome == LinkOutcome::RegistryUnavailable {
        // Nobody said no: it waits, and is linked when the registry says so.
        let request = RequestId(judge.new_id());
        let what = Awaited::Document(document, kind);
        waiting::begin(judge, request, what, database_of(kind));
        return Ok(());
    }
    if outcome == LinkOutcome::OwnerMismatch {
        judge.guard(Guard::RegistryVerified, true, RefusalCode::RegistryMismatch)?;
        return judge.refuse(Guard::OwnerMatch, RefusalCode::OwnerMismatch);
    }
    judge.refuse(Guard::RegistryVerified, code_of(outcome))
}

const fn code_of(outcome: LinkOutcome) -> RefusalCode {
    match outcome {
        LinkOutcome::NotFound => RefusalCode::RegistryNotFound,
        LinkOutcome::RegistryUnavailable => RefusalCode::RegistryUnavailable,
        LinkOutcome::Mismatch | LinkOutcome::NoLongerValid => RefusalCode::RegistryMismatch,
        LinkOutcome::OwnerMismatch => RefusalCode::OwnerMismatch,
    }
}

/// One of each kind; of vehicles, several.
fn new_link(judge: &mut Judge<'_, '_>, kind: DocumentKind) -> Verdict {
    let documents = &judge.account.documents;
    let one = kind != DocumentKind::VehicleRegistration;
    let linked = documents.iter().any(|document| document.kind == kind);
    let there = one && (linked || judge.account.waits_for_document(kind));
    let waiting = judge.account.waiting.iter();
    let waiting = waiting.filter(|known| matches!(known.what, Awaited::Document(..)));
    let room = documents.len() + waiting.count() < DOCUMENTS_MAX;
    judge.guard(
        Guard::DocumentNew,
        !there,
        RefusalCode::DocumentAlreadyLinked,
    )?;
    judge.guard(Guard::DocumentNew, room, RefusalCode::DocumentLimit)
}

/// Newer data, or that it is no longer good.
pub(super) fn refresh(
    judge: &mut Judge<'_, '_>,
    document: DocumentId,
    data_as_of: Micros,
    outcome: Option<LinkOutcome>,
) -> Verdict {
    linked(judge, document)?;
    match outcome {
        None => judge.record(DocumentRefreshed {
            document,
            data_as_of,
        }),
        Some(outcome) => judge.record(DocumentLinkBroken { document, outcome }),
    }
    Ok(())
}

/// The citizen takes it out, or no longer waits for it.
pub(super) fn unlink(judge: &mut Judge<'_, '_>, document: DocumentId) -> Verdict {
    guardian_acts(judge)?;
    judge.unlocked()?;
    let account = judge.account;
    let waiting = account
        .waiting
        .iter()
        .find(|known| matches!(known.what, Awaited::Document(declared, _) if declared == document));
    if let Some(known) = waiting {
        waiting::end(judge, known.request, WaitEnd::NotNeeded);
        return judge.guard(Guard::DocumentLinked, true, RefusalCode::DocumentNotLinked);
    }
    linked(judge, document)?;
    judge.record(DocumentUnlinked { document });
    Ok(())
}

fn linked(judge: &mut Judge<'_, '_>, document: DocumentId) -> Verdict {
    let there = judge.account.document(document).is_some();
    judge.guard(Guard::DocumentLinked, there, RefusalCode::DocumentNotLinked)
}
