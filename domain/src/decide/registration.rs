//! P1: the app account. Number, phone, the registry's "Đạt", a code, a password.
//!
//! Until the password is set nobody has an account: whoever begins again under the same number does
//! so in the same stream, so that a registration left half-way blocks nobody. The phone number is
//! claimed only when its code came back.

use super::activation;
use super::dependant::guardian_acts;
use super::judge::{Judge, Verdict};
use crate::account::RegistrationStep;
use crate::command::{Claim, CredentialForm, Holder, RegistryAnswer};
use crate::event::{
    AppAccountCreated, AppRegistrationSubmitted, OtpVerified, PasswordSet, PhoneVerified,
    RegistryCheckFailed, RegistryCheckRequested, RegistryCheckSucceeded,
};
use crate::identity::{CardQr, PersonalId, Phone};
use crate::ids::{ChallengeId, RequestId, VerifierId};
use crate::personal::{Person, Personal};
use crate::policy::ContactRequired;
use crate::vocabulary::{
    Database, Guard, Message, OtpPurpose, RefusalCode, RegistrationMethod, RegistryOutcome,
    RetentionClass,
};

/// P1 steps 1–4.
pub(super) fn register(
    judge: &mut Judge<'_, '_>,
    person: &Person,
    method: RegistrationMethod,
    qr: Option<&str>,
) -> Verdict {
    let number = PersonalId::try_from(person.personal_id.as_str()).is_ok();
    judge.guard(
        Guard::PersonalIdFormat,
        number,
        RefusalCode::PersonalIdFormat,
    )?;
    let phone = Phone::try_from(person.phone.as_str()).is_ok() || by_email(judge, person);
    judge.guard(Guard::PhoneFormat, phone, RefusalCode::PhoneFormat)?;
    let held = matches!(judge.context.personal_id_holder, Holder::Other(_));
    // What an officer has entered is not replaced by somebody at home.
    let free = !held && !judge.account.exists() && judge.account.open_case().is_none();
    judge.guard(
        Guard::PersonalIdFree,
        free,
        RefusalCode::PersonalIdAlreadyRegistered,
    )?;
    phone_free(judge)?;
    if method == RegistrationMethod::CardQr {
        let good = qr.is_some_and(|text| is_card_of(text, person));
        judge.guard(Guard::Evidence, good, RefusalCode::EvidenceInvalid)?;
    }
    judge.may_resend(judge.account.challenge_for(OtpPurpose::Registration))?;
    ask_registry(judge, person, method, qr)?;
    let holder = judge.context.personal_id_holder;
    judge.take(Claim::PersonalId, holder);
    judge.send_code(OtpPurpose::Registration, Message::OtpSent, true);
    Ok(())
}

/// P1 step 3. What was declared and not confirmed is not kept: nothing was created, and it must never
/// pass for the holder's data.
fn ask_registry(
    judge: &mut Judge<'_, '_>,
    person: &Person,
    method: RegistrationMethod,
    qr: Option<&str>,
) -> Verdict {
    let request = RequestId(judge.new_id());
    let database = Database::Population;
    let answer = judge.context.registry.clone();
    judge.record(AppRegistrationSubmitted { method });
    if let Some(RegistryAnswer::Confirmed { .. }) = answer {
        judge.seal(RetentionClass::Permanent, Personal::Person(person.clone()));
        if let Some(text) = qr {
            judge.seal(RetentionClass::Permanent, Personal::CardQr(text.to_owned()));
        }
    }
    judge.record(RegistryCheckRequested { request, database });
    let outcome = match answer {
        Some(RegistryAnswer::Confirmed { area, .. }) => {
            judge.record(RegistryCheckSucceeded {
                request,
                database,
                area,
            });
            return judge.guard(Guard::RegistryMatch, true, RefusalCode::DataMismatch);
        }
        Some(RegistryAnswer::Not(outcome)) => outcome,
        None => RegistryOutcome::Unavailable,
    };
    judge.record(RegistryCheckFailed {
        request,
        database,
        outcome,
    });
    judge.refuse(Guard::RegistryMatch, code_of(outcome))
}

/// The code of a registry's answer that was not "Đạt". That a number is unknown is not told: the
/// data did not match.
pub(super) const fn code_of(outcome: RegistryOutcome) -> RefusalCode {
    match outcome {
        RegistryOutcome::Mismatch | RegistryOutcome::NotFound => RefusalCode::DataMismatch,
        RegistryOutcome::Unavailable => RefusalCode::RegistryUnavailable,
    }
}

/// Whether a QR text is a valid card of this person. It proves nothing (no signature); a card of
/// somebody else is refused all the same.
pub(super) fn is_card_of(text: &str, person: &Person) -> bool {
    CardQr::try_from(text).is_ok_and(|card| {
        let birth = crate::identity::BirthDate::try_from(person.birth_date.as_str());
        card.personal_id().as_str() == person.personal_id
            && birth.is_ok_and(|birth| birth.agrees_with(&card.birth_date()))
    })
}

/// One phone number, one account (spec 0.4).
pub(super) fn phone_free(judge: &mut Judge<'_, '_>) -> Verdict {
    let free = !matches!(judge.context.phone_holder, Holder::Other(_));
    judge.guard(Guard::PhoneFree, free, RefusalCode::PhoneInUse)
}

/// P1 step 5.
pub(super) fn confirm(judge: &mut Judge<'_, '_>, challenge: ChallengeId) -> Verdict {
    judge.otp(challenge, OtpPurpose::Registration)?;
    // Somebody may have proved the number theirs since the code was sent.
    phone_free(judge)?;
    judge.record(OtpVerified {
        challenge,
        purpose: OtpPurpose::Registration,
    });
    let by_phone = judge
        .context
        .person
        .is_none_or(|person| !person.phone.is_empty());
    if by_phone {
        judge.record(PhoneVerified { challenge });
        let holder = judge.context.phone_holder;
        judge.take(Claim::Phone, holder);
    }
    Ok(())
}

/// Reached by e-mail alone, where policy lets that do (C-06, S000: "phone or email").
pub(super) fn by_email(judge: &Judge<'_, '_>, person: &Person) -> bool {
    judge.policy().contact_required == ContactRequired::PhoneOrEmail
        && person.phone.is_empty()
        && !person.email.is_empty()
}

/// A new code for the last challenge of a purpose.
pub(super) fn resend(judge: &mut Judge<'_, '_>, purpose: OtpPurpose) -> Verdict {
    let account = judge.account;
    let last = account.challenge_for(purpose).filter(|last| !last.verified);
    let last = judge.require(Guard::OtpOpen, last, RefusalCode::OtpNotOpen)?;
    judge.may_resend(Some(last))?;
    match purpose {
        OtpPurpose::Activation => activation::send_activation_code(judge),
        OtpPurpose::PhoneChange => {
            judge.send_code(purpose, Message::OtpSent, true);
        }
        OtpPurpose::Registration | OtpPurpose::DeviceChange => {
            judge.send_code(purpose, Message::OtpSent, false);
        }
    }
    Ok(())
}

/// P1 step 6, and P7 step 6 for those who had no account before approval.
pub(super) fn set_password(judge: &mut Judge<'_, '_>, verifier: VerifierId) -> Verdict {
    guardian_acts(judge)?;
    let account = judge.account;
    let registering = account
        .registration
        .as_ref()
        .is_some_and(|registration| registration.step == RegistrationStep::OtpVerified);
    let activating = account
        .activation
        .attempt
        .as_ref()
        .is_some_and(|attempt| attempt.otp_verified);
    judge.guard(
        Guard::OtpVerified,
        registering || activating,
        RefusalCode::OtpNotVerified,
    )?;
    let none = account.credentials.password.is_none();
    judge.guard(Guard::PasswordNotSet, none, RefusalCode::PasswordAlreadySet)?;
    if !registering {
        activation::in_window(judge)?;
        judge.unlocked()?;
    }
    let code = match judge.context.credential_form {
        Some(CredentialForm::OnBlockList) => RefusalCode::PasswordBlocklisted,
        _ => RefusalCode::PasswordFormat,
    };
    let good = judge.context.credential_form == Some(CredentialForm::Good);
    judge.guard(Guard::PasswordAllowed, good, code)?;
    if !registering {
        activation::device_still_free(judge, activation::Just::Password)?;
    }
    judge.record(PasswordSet { verifier });
    if registering {
        judge.record(AppAccountCreated {});
        return Ok(());
    }
    activation::complete(judge, activation::Just::Password);
    Ok(())
}
