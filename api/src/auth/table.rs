//! Who may ask for what: the whole table, in one place.
//!
//! Only the coarse question is answered here, whether a caller of this sort may use the route at all;
//! whoever may not is told 403. Nothing is recorded of it, unless somebody enrolled asks of an account what
//! the rules give to other roles (spec, decision 10). Whether *this* caller may, now, for this
//! account (sites, grounds, step-up, levels) is a rule of the domain, and its refusal is an event.

use domain::vocabulary::{CommandKind, Role};

/// A sort of caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// Nobody in particular: a number, a code or a password in the request is the proof.
    Anyone,
    /// A citizen in a session that a one-time code or a login opened.
    Session,
    /// The account's bound device, by its signature.
    Device,
    /// A device that is being introduced, by the signature of the very key it introduces.
    NewDevice,
    /// The guardian of a dependant's own account, by the signature of the device bound to theirs.
    Guardian,
    /// The legal representative of an organisation, by the signature of the device bound to their own
    /// account.
    Representative,
    /// An enrolled principal of this role, by its signature.
    Signed(Role),
}

use Sort::{Anyone, Device, Guardian, NewDevice, Representative, Session, Signed};

const OFFICER: Sort = Signed(Role::IntakeOfficer);
const AUTHORITY: Sort = Signed(Role::EidAuthority);
const HOTLINE: Sort = Signed(Role::HotlineAgent);
const ADAPTER: Sort = Signed(Role::RegistryAdapter);
const COMPETENT: Sort = Signed(Role::CompetentAuthority);
const RELYING: Sort = Signed(Role::RelyingParty);
const IMMIGRATION: Sort = Signed(Role::ImmigrationOfficer);

/// Who may ask for a command. Empty: nobody over HTTP (the clock, the operator at the machine).
#[allow(
    clippy::match_same_arms,
    clippy::too_many_lines,
    reason = "one arm a procedure: a table is read line by line"
)]
pub const fn callers(command: CommandKind) -> &'static [Sort] {
    use CommandKind as C;
    match command {
        C::RegisterAppAccount | C::RegisterForeigner | C::ConfirmRegistrationOtp | C::ResendOtp => {
            &[Anyone, Session, Device, NewDevice]
        }
        C::SetPassword => &[Session, NewDevice, Guardian],
        C::LogIn => &[Anyone, Device, NewDevice],
        C::ApplyLevel1 => &[Session, Device, Guardian],
        C::OpenLevel2Intake | C::OpenOrganisationIntake => &[OFFICER],
        C::OpenForeignerIntake => &[IMMIGRATION],
        C::RecordBiometrics | C::RecordConsent | C::SubmitLevel2 => &[OFFICER, IMMIGRATION],
        C::RegisterOrganisation | C::AnswerForOrganisation | C::ActForOrganisation => {
            &[Representative]
        }
        C::ChangeRepresentative => &[Representative, AUTHORITY],
        C::RecordRegistryResult => &[ADAPTER],
        C::DecideApplication => &[AUTHORITY],
        C::NotifyResult => &[AUTHORITY, ADAPTER, OFFICER, IMMIGRATION],
        C::RequestActivation => &[NewDevice, OFFICER],
        // A guardian's device is not known by the account but by its own: the writer finds out.
        C::ConfirmActivationOtp | C::SetPasscode | C::SetSecurityQuestions => {
            &[Session, NewDevice, Guardian]
        }
        C::AssistActivation => &[HOTLINE],
        C::RequestDeviceChange => &[NewDevice, OFFICER, HOTLINE],
        C::ConfirmDeviceChange => &[NewDevice, Device, OFFICER, HOTLINE],
        C::UnlinkDevice => &[Session, Device, OFFICER, HOTLINE],
        C::RequestPhoneChange | C::ConfirmPhoneChange => &[Device, OFFICER, HOTLINE],
        C::LinkDependant | C::UnlinkDependant => &[Device],
        C::OpenDependantAccount | C::GiveConsent => &[Guardian],
        C::LinkDocument => &[Device, Guardian, OFFICER],
        C::RefreshDocument => &[ADAPTER],
        C::UnlinkDocument => &[Device, Guardian],
        C::LockAccount | C::UnlockAccount => &[
            Session,
            Device,
            Guardian,
            Representative,
            OFFICER,
            HOTLINE,
            ADAPTER,
            AUTHORITY,
        ],
        C::RequestLock => &[COMPETENT, RELYING],
        C::DecideLockRequest => &[AUTHORITY],
        C::ReportStatus => &[ADAPTER],
        C::ShareData => &[Device],
        C::ConsumeShare => &[RELYING],
        C::CloseAccount => &[AUTHORITY, ADAPTER],
        C::WithdrawApplication => &[
            Session,
            Device,
            Guardian,
            Representative,
            OFFICER,
            IMMIGRATION,
        ],
        C::RequestErasure => &[Device, OFFICER, AUTHORITY],
        C::RecordNoticeDelivered => &[Session, Device],
        C::RecordNoticeSent
        | C::RecordNoticeFailed
        | C::AskRegistry
        | C::ExpireActivationWindow
        | C::ExpireProcessingDeadline
        | C::ExpireLockDeadline
        | C::ExpireValidity
        | C::ReachMajority
        | C::ImportAccount
        | C::EnrolPrincipal
        | C::RevokePrincipal
        | C::SettleClaim => &[],
        C::ProposeLaw | C::PublishPolicy | C::PublishCatalogue | C::PublishLaw | C::RejectLaw => {
            &[AUTHORITY]
        }
    }
}

/// A sort of read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// State, entitlements and events of one account: open facts, nothing personal.
    Account,
    /// Events, statistics and projections of the whole ledger: open facts.
    Ledger,
    /// Opened personal data.
    Personal,
    /// The account of a personal number.
    Lookup,
    /// Requests to lock or unlock, with their reasons; a requester sees their own.
    LockRequests,
}

/// Roles that may read a sort of thing. The account's own session or device may read
/// [`Read::Account`], [`Read::Personal`] and [`Read::LockRequests`] of that account besides.
pub const fn readers(read: Read) -> &'static [Role] {
    match read {
        Read::Account | Read::Ledger => &[
            Role::Reader,
            Role::Operator,
            Role::IntakeOfficer,
            Role::EidAuthority,
            Role::HotlineAgent,
            Role::CompetentAuthority,
            Role::ImmigrationOfficer,
        ],
        Read::Personal => &[
            Role::IntakeOfficer,
            Role::ImmigrationOfficer,
            Role::EidAuthority,
            Role::HotlineAgent,
        ],
        Read::Lookup => &[
            Role::IntakeOfficer,
            Role::ImmigrationOfficer,
            Role::EidAuthority,
            Role::HotlineAgent,
            Role::RegistryAdapter,
        ],
        Read::LockRequests => &[
            Role::EidAuthority,
            Role::CompetentAuthority,
            Role::RelyingParty,
        ],
    }
}

/// Whether a bearer token is enough. Whoever opens personal data signs for it.
pub const fn token_suffices(read: Read) -> bool {
    matches!(read, Read::Account | Read::Ledger)
}
