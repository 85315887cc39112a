//! P10: sharing. The holder lets one enrolled relying party see named fields, once and for a short
//! time. Events hold the names of fields; values are opened for the relying party when it looks, and
//! are stored nowhere.

use super::dependant::consented;
use super::judge::{Judge, Verdict};
use crate::account::Share;
use crate::entitlement::{EntitlementReason, entitlements};
use crate::event::{ShareConsumed, ShareExpired, ShareGranted};
use crate::ids::{Micros, PrincipalId, ShareId};
use crate::personal::Person;
use crate::vocabulary::{DocumentKind, Guard, RefusalCode, ShareField, ShareMode};

/// The service that carries sharing itself (letter S004, service 7).
pub const SHARING: &str = "citizen_data_sharing";

/// The fields on a card's QR, in its order.
pub const CARD_QR_FIELDS: [ShareField; 7] = [
    ShareField::PersonalId,
    ShareField::OldId,
    ShareField::FullName,
    ShareField::BirthDate,
    ShareField::Sex,
    ShareField::Residence,
    ShareField::CardIssued,
];

/// The service an account must be entitled to before it may share a field. `None`: not in this mode.
pub fn service_of(mode: ShareMode, field: ShareField) -> Option<&'static str> {
    use ShareField as F;
    if mode == ShareMode::CardQr {
        // What the card shows to everybody who scans it, its holder may show at level 1.
        return CARD_QR_FIELDS.contains(&field).then_some(SHARING);
    }
    Some(match field {
        F::PersonalId | F::FullName | F::BirthDate | F::Sex | F::Phone | F::Email => {
            "population_data_integration"
        }
        F::Residence => "residence_information",
        F::OldId | F::CardIssued => "id_card_current_and_history",
        F::DrivingLicence | F::VehicleRegistration => "driving_licence_and_vehicle",
        F::HealthInsuranceCard => "health_insurance_card",
        F::SocialInsuranceCode => "social_insurance_history",
        F::HealthRecord => "electronic_health_record",
    })
}

/// The kind of document a field is the number of.
pub const fn document_of(field: ShareField) -> Option<DocumentKind> {
    match field {
        ShareField::DrivingLicence => Some(DocumentKind::DrivingLicence),
        ShareField::VehicleRegistration => Some(DocumentKind::VehicleRegistration),
        ShareField::HealthInsuranceCard => Some(DocumentKind::HealthInsuranceCard),
        ShareField::SocialInsuranceCode => Some(DocumentKind::SocialInsuranceCode),
        ShareField::HealthRecord => Some(DocumentKind::HealthRecord),
        _ => None,
    }
}

/// A person's own datum under a field, as it was declared. The phone number may have changed since.
pub fn value_of(person: &Person, field: ShareField) -> Option<&str> {
    let text = match field {
        ShareField::PersonalId => &person.personal_id,
        ShareField::FullName => &person.full_name,
        ShareField::BirthDate => &person.birth_date,
        ShareField::Sex => &person.sex,
        ShareField::Residence => &person.residence,
        ShareField::OldId => &person.old_id,
        ShareField::CardIssued => &person.card_issued,
        ShareField::Phone => &person.phone,
        ShareField::Email => &person.email,
        _ => return None,
    };
    Some(text.as_str()).filter(|text| !text.is_empty())
}

/// Activated; unlocked; entitled to share; the passcode; fields within the entitlement (spec A.8).
/// Then: something is there under each, and the relying party is known.
pub(super) fn grant(
    judge: &mut Judge<'_, '_>,
    mode: ShareMode,
    fields: &[ShareField],
    relying_party: PrincipalId,
) -> Verdict {
    let account = judge.account;
    judge.guard(
        Guard::Activated,
        account.is_activated(),
        RefusalCode::NotActivated,
    )?;
    judge.unlocked()?;
    let services = granted(judge);
    let may_share = services.iter().any(|service| service == SHARING);
    judge.guard(Guard::LevelSufficient, may_share, RefusalCode::LevelTooLow)?;
    passcode(judge)?;
    consented(judge)?;
    let entitled = |field: &ShareField| {
        service_of(mode, *field).is_some_and(|of| services.iter().any(|service| service == of))
    };
    let once = |(at, field): (usize, &ShareField)| !fields.iter().take(at).any(|f| f == field);
    let good =
        !fields.is_empty() && fields.iter().all(entitled) && fields.iter().enumerate().all(once);
    judge.guard(Guard::FieldsEntitled, good, RefusalCode::FieldNotEntitled)?;
    let there = fields.iter().all(|field| is_there(judge, *field));
    judge.guard(Guard::FieldsPresent, there, RefusalCode::FieldNotAvailable)?;
    let known = judge.context.relying_party_active;
    judge.guard(
        Guard::RelyingPartyKnown,
        known,
        RefusalCode::RelyingPartyUnknown,
    )?;
    let seconds = match mode {
        ShareMode::IdentificationQr => judge.policy().share_identification_qr_s,
        ShareMode::InApp | ShareMode::CardQr => judge.policy().share_other_s,
    };
    let share = ShareId(judge.new_id());
    let expires_at = judge.context.now.plus(i64::from(seconds) * Micros::SECOND);
    judge.record(ShareGranted {
        share,
        mode,
        fields: fields.to_vec(),
        relying_party,
        expires_at,
    });
    Ok(())
}

/// Ids of the services the account may use now, by the catalogue in force.
pub(super) fn granted(judge: &mut Judge<'_, '_>) -> Vec<String> {
    let (account, now) = (judge.account, judge.context.now);
    let Some(catalogue) = judge.catalogue() else {
        return Vec::new();
    };
    entitlements(account, catalogue, now)
        .into_iter()
        .filter(|answer| answer.reason == EntitlementReason::Granted)
        .map(|answer| answer.service)
        .collect()
}

/// The right passcode, which is always asked for here, and not after too many wrong ones.
fn passcode(judge: &mut Judge<'_, '_>) -> Verdict {
    let left = judge.account.credentials.wrong_passcodes < judge.policy().passcode_attempts_max;
    judge.guard(Guard::NotThrottled, left, RefusalCode::Throttled)?;
    let right = judge.context.credential_right == Some(true);
    judge.guard(Guard::CredentialRight, right, RefusalCode::PasscodeWrong)
}

fn is_there(judge: &Judge<'_, '_>, field: ShareField) -> bool {
    if let Some(kind) = document_of(field) {
        return judge.account.documents.iter().any(|d| d.kind == kind);
    }
    judge
        .context
        .person
        .is_some_and(|person| value_of(person, field).is_some())
}

/// Open, the caller's own, not expired, not used (spec A.8); and the account is still one that
/// shares: a lock set in between holds.
pub(super) fn consume(judge: &mut Judge<'_, '_>, share: ShareId) -> Verdict {
    let account = judge.account;
    let open: Option<&Share> = account.share(share);
    let open = judge.require(Guard::ShareOpen, open, RefusalCode::ShareNotFound)?;
    let caller = judge.context.actor.principal;
    judge.guard(
        Guard::ShareAddressed,
        open.relying_party == caller,
        RefusalCode::ShareOfAnother,
    )?;
    let in_time = judge.context.now < open.expires_at;
    if !in_time && !open.expired && open.used.is_none() {
        judge.record(ShareExpired { share });
    }
    judge.guard(Guard::ShareInTime, in_time, RefusalCode::ShareExpired)?;
    judge.guard(
        Guard::ShareUnused,
        open.used.is_none(),
        RefusalCode::ShareAlreadyUsed,
    )?;
    judge.unlocked()?;
    judge.record(ShareConsumed {
        share,
        relying_party: caller,
    });
    Ok(())
}
