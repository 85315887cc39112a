//! Every rule: `decide(account, command, context) → events | refusal` (spec A.8).
//!
//! One module per procedure; guards run in the specification's order and are kept in the receipt.
//! Pure: what is not in the account's own history comes in through [`Context`]. It writes nothing,
//! and never lets personal data into open facts: they go beside the event, to be sealed.
//!
//! A refusal is an event too (`CommandRejected`), so it is a [`Decision`], not an error.

mod activation;
mod dependant;
mod device;
mod document;
mod erasure;
mod foreigner;
mod import;
mod judge;
mod level1;
mod level2;
mod lock;
mod lock_request;
mod login;
mod needs;
mod notice;
mod organisation;
mod outcome;
mod phone;
mod registration;
mod roles;
mod share;
mod status;
#[cfg(test)]
mod tests;
mod waiting;

pub use document::database_of;
pub use import::{SOURCE_CHARS_MAX, is_source};
pub use lock::{may_lock, may_unlock};
pub use lock_request::{REASONS_CHARS_MAX, may_request};
pub use needs::needs;
pub use roles::roles;
pub use share::{document_of, service_of, value_of};

use crate::account::Account;
use crate::command::{Command, Context, Decision};
use crate::vocabulary::{Guard, Message, RefusalCode};
use judge::{Judge, Verdict};

/// Refusals recorded per account and hour; further ones are a flood, counted outside (spec 0.10).
/// Wrong codes and credentials are always recorded: they count attempts and have limits of their own.
pub const REFUSALS_RECORDED_PER_HOUR: u16 = 30;

/// Decides one command for one account, whose state is that before the command.
pub fn decide(account: &Account, command: &Command, context: &mut Context<'_>) -> Decision {
    let mut judge = Judge::new(account, command.kind(), context);
    let verdict = roles::check(&mut judge, command.kind())
        .and_then(|()| open(&mut judge, command))
        .and_then(|()| route(&mut judge, command));
    judge.finish(verdict)
}

/// The message the catalogue has for a code (spec A.7).
pub const fn message_of(code: RefusalCode) -> Option<Message> {
    match code {
        RefusalCode::DataMismatch => Some(Message::DataMismatch),
        RefusalCode::NotIdentified => Some(Message::NotIdentified),
        RefusalCode::AlreadyActivated => Some(Message::AlreadyActivated),
        RefusalCode::UseOtherDevice => Some(Message::UseOtherDevice),
        RefusalCode::ActivationWindowEnded => Some(Message::ActivationWindowEnded),
        RefusalCode::RequestNotAccepted => Some(Message::RequestNotAccepted),
        RefusalCode::RetentionForbids => Some(Message::KeptByLaw),
        _ => None,
    }
}

/// A closed account refuses everything. Number and phone are matched first where the letter says so
/// (P7): whoever does not know both is told nothing about the account.
fn open(judge: &mut Judge<'_, '_>, command: &Command) -> Verdict {
    if let Command::RequestActivation { matched, .. } = command {
        judge.guard(
            Guard::AccountMatch,
            *matched,
            RefusalCode::RequestNotAccepted,
        )?;
    }
    judge.guard(
        Guard::AccountOpen,
        !judge.account.is_closed(),
        RefusalCode::AccountClosed,
    )
}

fn route(judge: &mut Judge<'_, '_>, command: &Command) -> Verdict {
    match command {
        Command::RegisterAppAccount { person, method, qr } => {
            registration::register(judge, person, *method, qr.as_deref())
        }
        Command::ConfirmRegistrationOtp { challenge } => registration::confirm(judge, *challenge),
        Command::ResendOtp { purpose } => registration::resend(judge, *purpose),
        Command::SetPassword { verifier } => registration::set_password(judge, *verifier),
        Command::LogIn { device } => login::log_in(judge, *device),
        Command::ApplyLevel1 { chip, qr, portrait } => {
            level1::apply(judge, chip.as_ref(), qr.as_deref(), *portrait)
        }
        Command::OpenLevel2Intake {
            person,
            site,
            person_present,
            with_card_issue,
        } => {
            let intake = level2::Intake {
                site: *site,
                present: *person_present,
                with_card: *with_card_issue,
            };
            level2::open_intake(judge, person.as_ref(), intake)
        }
        Command::RecordBiometrics {
            case,
            portrait,
            fingerprints,
        } => level2::record_biometrics(judge, *case, *portrait, *fingerprints),
        Command::RecordConsent {
            case,
            given,
            text_version,
        } => level2::record_consent(judge, *case, *given, *text_version),
        Command::SubmitLevel2 { case } => level2::submit(judge, *case),
        Command::RecordRegistryResult {
            case,
            modality,
            database,
            result,
        } => level2::record_result(judge, *case, *modality, *database, *result),
        Command::WithdrawApplication { case, reason } => level2::withdraw(judge, *case, *reason),
        Command::DecideApplication { case, refuse } => outcome::decide(judge, *case, *refuse),
        Command::NotifyResult {
            case,
            channel,
            received_at,
        } => outcome::notify(judge, *case, *channel, *received_at),
        Command::ExpireProcessingDeadline { case } => outcome::expire_deadline(judge, *case),
        other => route_more(judge, other),
    }
}

/// From activation on.
fn route_more(judge: &mut Judge<'_, '_>, command: &Command) -> Verdict {
    match command {
        Command::RequestActivation {
            device, step_up, ..
        } => activation::request(judge, device, *step_up),
        Command::ConfirmActivationOtp { challenge } => activation::confirm(judge, *challenge),
        Command::SetPasscode { verifier } => activation::set_passcode(judge, *verifier),
        Command::SetSecurityQuestions {
            questions,
            verifier,
        } => activation::set_questions(judge, questions, *verifier),
        Command::ExpireActivationWindow => activation::expire(judge),
        Command::AssistActivation { proof_given } => activation::assist(judge, *proof_given),
        Command::RequestDeviceChange { device } => device::request(judge, device),
        Command::ConfirmDeviceChange { method, challenge } => {
            device::confirm(judge, *method, *challenge)
        }
        Command::UnlinkDevice { reason } => device::unlink(judge, *reason),
        Command::RequestPhoneChange {
            phone,
            hash,
            method,
        } => phone::request(judge, phone, *hash, *method),
        Command::ConfirmPhoneChange { challenge } => phone::confirm(judge, *challenge),
        Command::LinkDocument { kind, number } => document::link(judge, *kind, number),
        Command::RefreshDocument {
            document,
            data_as_of,
            outcome,
        } => document::refresh(judge, *document, *data_as_of, *outcome),
        Command::UnlinkDocument { document } => document::unlink(judge, *document),
        Command::LockAccount { ground } => lock::lock(judge, *ground),
        Command::UnlockAccount { ground } => lock::unlock(judge, *ground),
        Command::CloseAccount { reason } => lock::close(judge, *reason),
        Command::RequestErasure { class } => erasure::request(judge, *class),
        other => route_requests(judge, other),
    }
}

/// Sharing, requests of others, what happens by itself.
fn route_requests(judge: &mut Judge<'_, '_>, command: &Command) -> Verdict {
    match command {
        Command::ShareData {
            mode,
            fields,
            relying_party,
        } => share::grant(judge, *mode, fields, *relying_party),
        Command::ConsumeShare { share } => share::consume(judge, *share),
        Command::RequestLock {
            ground,
            action,
            reasons,
        } => lock_request::request(judge, *ground, *action, reasons),
        Command::DecideLockRequest {
            request,
            refuse,
            reasons,
        } => lock_request::decide(judge, *request, *refuse, reasons),
        Command::ExpireLockDeadline { request } => lock_request::expire(judge, *request),
        Command::ReportStatus { status, until } => status::report(judge, *status, *until),
        Command::ExpireValidity { of } => status::expire(judge, *of),
        Command::LinkDependant {
            person,
            hash,
            consent,
            text_version,
            document,
        } => {
            let agreed = dependant::Agreed {
                consent: *consent,
                text_version: *text_version,
            };
            dependant::link(judge, (person, document.as_ref()), *hash, agreed)
        }
        Command::UnlinkDependant { dependant } => dependant::unlink(judge, *dependant),
        Command::ReachMajority { dependant } => dependant::majority(judge, *dependant),
        Command::OpenDependantAccount {
            person,
            hash,
            guardian,
            document,
        } => dependant::open(judge, (person, document.as_ref()), *hash, *guardian),
        Command::GiveConsent => dependant::consent(judge),
        Command::RecordNoticeSent {
            notice,
            message,
            channel,
            attempts,
        } => notice::sent(judge, *notice, *message, (*channel, *attempts)),
        Command::RecordNoticeDelivered {
            notice,
            case,
            channel,
            received_at,
        } => notice::delivered(judge, *notice, *case, *channel, *received_at),
        Command::RecordNoticeFailed {
            notice,
            channel,
            fault,
            attempts,
            last,
        } => notice::failed(judge, *notice, *channel, *fault, (*attempts, *last)),
        Command::AskRegistry { request } => waiting::ask(judge, *request),
        other => route_holders(judge, other),
    }
}

/// Foreigners, organisations, the past.
fn route_holders(judge: &mut Judge<'_, '_>, command: &Command) -> Verdict {
    match command {
        Command::RegisterForeigner { person, document } => {
            foreigner::register(judge, person, document)
        }
        Command::OpenForeignerIntake {
            person,
            document,
            person_present,
        } => {
            let entered = person.as_ref().zip(document.as_ref());
            foreigner::open_intake(judge, entered, *person_present)
        }
        Command::RegisterOrganisation {
            organisation,
            others,
            ..
        } => organisation::register(judge, organisation, others),
        Command::AnswerForOrganisation { case, agree, .. } => {
            organisation::answer(judge, *case, *agree)
        }
        Command::OpenOrganisationIntake {
            organisation,
            site,
            person_present,
            agreements,
            ..
        } => {
            let intake = organisation::Intake {
                site: *site,
                present: *person_present,
                agreements: *agreements,
            };
            organisation::open_intake(judge, organisation, intake)
        }
        Command::ChangeRepresentative { .. } => organisation::change(judge),
        Command::ActForOrganisation {
            relying_party,
            matter,
        } => organisation::act(judge, *relying_party, matter),
        Command::ImportAccount {
            person,
            level,
            issued_at,
            activated_at,
            area,
            site,
            source,
        } => {
            let known = import::Known {
                level: *level,
                issued_at: *issued_at,
                activated_at: *activated_at,
                area: *area,
                site: *site,
                source,
            };
            import::account(judge, person, &known)
        }
        // Every other command was routed above; a new one without a rule is refused, not let in.
        _ => judge.refuse(Guard::RoleAllowed, RefusalCode::RoleNotAllowed),
    }
}
