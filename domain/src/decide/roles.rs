//! Who may ask for what (spec A.1, A.8). The first guard of every command.

use super::judge::{Judge, Verdict};
use crate::vocabulary::{CommandKind, Guard, RefusalCode, Role};

/// The roles that may give a command. Commands of other streams (principals, law) have none here.
#[allow(
    clippy::match_same_arms,
    clippy::too_many_lines,
    reason = "a table reads best whole"
)]
pub const fn roles(command: CommandKind) -> &'static [Role] {
    use CommandKind as C;
    match command {
        // Passwords, passcodes and answers are the citizen's alone (spec 0.3), and for a child or ward
        // the guardian's (Decree 69 art. 10).
        C::SetPassword | C::ConfirmActivationOtp | C::SetPasscode | C::SetSecurityQuestions => {
            &[Role::Citizen, Role::Guardian]
        }
        C::RegisterAppAccount
        | C::ConfirmRegistrationOtp
        | C::LogIn
        | C::ShareData
        | C::LinkDependant
        | C::UnlinkDependant
        | C::RegisterForeigner => &[Role::Citizen],
        // An officer only for who stands before them (C-09).
        C::RequestActivation => &[Role::Citizen, Role::IntakeOfficer, Role::Guardian],
        C::ApplyLevel1 | C::UnlinkDocument => &[Role::Citizen, Role::Guardian],
        C::OpenDependantAccount | C::GiveConsent => &[Role::Guardian],
        C::ConsumeShare => &[Role::RelyingParty],
        C::OpenLevel2Intake | C::OpenOrganisationIntake => &[Role::IntakeOfficer],
        C::OpenForeignerIntake => &[Role::ImmigrationOfficer],
        // Which of them, the dossier says.
        C::RecordBiometrics | C::RecordConsent | C::SubmitLevel2 => {
            &[Role::IntakeOfficer, Role::ImmigrationOfficer]
        }
        C::RegisterOrganisation | C::AnswerForOrganisation | C::ActForOrganisation => {
            &[Role::Representative]
        }
        C::ChangeRepresentative => &[Role::Representative, Role::EidAuthority],
        C::ImportAccount => &[Role::Importer],
        C::RecordRegistryResult | C::RefreshDocument | C::ReportStatus => &[Role::RegistryAdapter],
        C::DecideApplication | C::DecideLockRequest => &[Role::EidAuthority],
        C::RequestLock => &[Role::CompetentAuthority, Role::RelyingParty],
        C::NotifyResult => &[
            Role::Ledger,
            Role::EidAuthority,
            Role::RegistryAdapter,
            Role::IntakeOfficer,
            Role::ImmigrationOfficer,
        ],
        C::ExpireActivationWindow
        | C::ExpireProcessingDeadline
        | C::ExpireLockDeadline
        | C::ExpireValidity
        | C::ReachMajority => &[Role::Clock, Role::Ledger],
        C::AssistActivation => &[Role::HotlineAgent],
        C::RequestDeviceChange
        | C::ConfirmDeviceChange
        | C::RequestPhoneChange
        | C::ConfirmPhoneChange
        | C::ResendOtp => &[Role::Citizen, Role::IntakeOfficer, Role::HotlineAgent],
        C::UnlinkDevice => &[
            Role::Citizen,
            Role::IntakeOfficer,
            Role::HotlineAgent,
            Role::Ledger,
        ],
        C::LinkDocument => &[Role::Citizen, Role::IntakeOfficer, Role::Guardian],
        C::WithdrawApplication => &[
            Role::Citizen,
            Role::IntakeOfficer,
            Role::ImmigrationOfficer,
            Role::Guardian,
            Role::Representative,
        ],
        // Which ground is whose is the next guard (`GroundLawful`).
        C::LockAccount | C::UnlockAccount => &[
            Role::Citizen,
            Role::IntakeOfficer,
            Role::EidAuthority,
            Role::RegistryAdapter,
            Role::HotlineAgent,
            Role::Clock,
            Role::Ledger,
            Role::Guardian,
            Role::Representative,
        ],
        C::CloseAccount => &[Role::EidAuthority, Role::RegistryAdapter],
        C::RequestErasure => &[Role::Citizen, Role::IntakeOfficer, Role::EidAuthority],
        C::RecordNoticeSent | C::RecordNoticeFailed | C::AskRegistry => &[Role::Ledger],
        C::RecordNoticeDelivered => &[Role::Ledger, Role::Citizen],
        C::EnrolPrincipal
        | C::RevokePrincipal
        | C::PublishPolicy
        | C::PublishCatalogue
        | C::ProposeLaw
        | C::PublishLaw
        | C::RejectLaw
        | C::SettleClaim => &[],
    }
}

pub(super) fn check(judge: &mut Judge<'_, '_>, command: CommandKind) -> Verdict {
    let allowed = roles(command).contains(&judge.role());
    judge.guard(Guard::RoleAllowed, allowed, RefusalCode::RoleNotAllowed)
}
