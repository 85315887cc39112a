//! The regions of an account's state (spec A.8). They are orthogonal: the law locks an account
//! whatever its activation is, and a device changes at any time.
//!
//! Nothing here is personal; a region names the event that made it so. Every list is bounded.

use crate::ids::{
    AccountId, AreaCode, CaseId, ChallengeId, DeviceRef, DocumentId, EventId, LocalDay, LookupHash,
    Micros, Position, PrincipalId, PublicKey, RequestId, Revision, ShareId, StreamId,
};
use crate::vocabulary::{
    Awaited, CloseReason, Database, DependantKind, DocumentKind, Level, LockAction, LockGround,
    LockRefusal, MatchResult, Modality, OtpPurpose, RefusalReason, RegistryOutcome, Relation, Role,
    ShareField, ShareMode, StepUpMethod, Validity, WithdrawReason,
};
use serde::{Deserialize, Serialize};
use wincode::{SchemaRead, SchemaWrite};

/// Makes a region: compact on disk, readable in JSON, comparable.
macro_rules! regions {
    ($( $(#[$doc:meta])* $name:ident { $( $(#[$fdoc:meta])* $field:ident : $ty:ty ),* $(,)? } )*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
        pub struct $name { $( $(#[$fdoc])* pub $field: $ty ),* }
    )* };
}

/// Names one event of the account: "the event that granted it".
#[derive(Debug, Clone, Copy, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
pub struct EventRef {
    /// The event.
    pub event: EventId,
    /// Its number in the account's stream.
    pub revision: Revision,
    /// Its position in the ledger, where whoever folded knew it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
}

/// What sort of holder an account has (spec A.1, A.2).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, SchemaRead, SchemaWrite, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[wincode(tag_encoding = "u8")]
pub enum HolderKind {
    /// công dân
    #[default]
    Citizen,
    /// người nước ngoài
    Foreigner,
    /// cơ quan, tổ chức
    Organisation,
}

/// What the account is (spec A.8, identification).
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Default,
    SchemaRead,
    SchemaWrite,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[wincode(tag_encoding = "u8")]
pub enum Stage {
    /// Nothing, or something under way.
    #[default]
    None,
    /// An app account, not identified.
    AppOnly,
    /// Issued at level 1.
    Level1,
    /// Issued at level 2.
    Level2,
}

impl Stage {
    /// The issued level, if one is.
    pub const fn level(self) -> Option<Level> {
        match self {
            Self::None | Self::AppOnly => None,
            Self::Level1 => Some(Level::One),
            Self::Level2 => Some(Level::Two),
        }
    }
}

impl From<Level> for Stage {
    fn from(level: Level) -> Self {
        match level {
            Level::One => Self::Level1,
            Level::Two => Self::Level2,
        }
    }
}

/// Where a dossier stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[wincode(tag_encoding = "u8")]
pub enum CaseState {
    /// Being put together at the desk.
    Draft,
    /// Handed in; biometrics still to be answered by a registry.
    AwaitingBiometric,
    /// Handed in, answers are there; the authority decides.
    AwaitingDecision,
    /// Issued.
    Approved,
    /// Refused.
    Refused(RefusalReason),
    /// Ended before a decision.
    Withdrawn(WithdrawReason),
}

impl CaseState {
    /// Whether it still waits for something.
    pub const fn is_open(self) -> bool {
        matches!(
            self,
            Self::Draft | Self::AwaitingBiometric | Self::AwaitingDecision
        )
    }

    /// Whether the authority decided it.
    pub const fn is_decided(self) -> bool {
        matches!(self, Self::Approved | Self::Refused(_))
    }
}

/// Where activation stands (spec A.8).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, SchemaRead, SchemaWrite, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[wincode(tag_encoding = "u8")]
pub enum ActivationPhase {
    /// The result was not notified yet.
    #[default]
    NotNotified,
    /// Seven days run.
    WindowOpen {
        /// First instant at which it is overdue.
        deadline: Micros,
    },
    /// They ran out: the hotline helps (spec 0.6).
    Overdue {
        /// The deadline that passed.
        deadline: Micros,
    },
    /// Active.
    Activated {
        /// When.
        at: Micros,
    },
}

/// Whether the account is still there.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, SchemaRead, SchemaWrite, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[wincode(tag_encoding = "u8")]
pub enum Lifecycle {
    /// Open.
    #[default]
    Open,
    /// Closed for good.
    Closed {
        /// Why.
        reason: CloseReason,
        /// By which event.
        by: EventRef,
    },
}

/// Where a request to lock or unlock stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[wincode(tag_encoding = "u8")]
pub enum LockRequestState {
    /// Waiting for the eID authority.
    Open,
    /// Granted.
    Granted {
        /// By which event.
        by: EventRef,
    },
    /// Refused.
    Refused {
        /// Why, in short.
        reason: LockRefusal,
        /// By which event; the reasons in writing are sealed beside it.
        by: EventRef,
    },
}

/// How the registry answered a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[wincode(tag_encoding = "u8")]
pub enum RegistrationStep {
    /// Asked for.
    Submitted,
    /// The registry said "Đạt"; a code is on its way.
    Confirmed,
    /// The registry did not confirm.
    Failed(RegistryOutcome),
    /// The code came back; a password is to be chosen.
    OtpVerified,
}

regions! {
    /// Level and where the account is counted.
    #[derive(Default)]
    Identification {
        /// What it is.
        stage: Stage,
        /// The event that made it an app account.
        app: Option<EventRef>,
        /// The event that issued level 1.
        level_1: Option<EventRef>,
        /// The event that issued level 2.
        level_2: Option<EventRef>,
        /// Where it is counted: as issued, before that as the registry said.
        area: Option<AreaCode>,
    }
    /// P1 under way.
    Registration {
        /// How far.
        step: RegistrationStep,
        /// The event it began with.
        by: EventRef,
    }
    /// An answer about one biometric of a dossier.
    Match {
        /// Face or fingerprint.
        modality: Modality,
        /// Who answered.
        database: Database,
        /// What.
        result: MatchResult,
    }
    /// Under which law something was decided.
    Ruled {
        /// The decision.
        by: EventRef,
        /// Its policy version.
        policy: u32,
    }
    /// A dossier.
    Case {
        /// Which.
        id: CaseId,
        /// The level applied for.
        level: Level,
        /// Where it stands.
        state: CaseState,
        /// The event it began with.
        by: EventRef,
        /// P5: together with the chip card.
        with_card_issue: bool,
        /// A portrait is there.
        portrait: bool,
        /// Fingerprints are there.
        fingerprints: bool,
        /// Consent is there.
        consent: bool,
        /// The last day to decide, once handed in.
        decide_by: Option<LocalDay>,
        /// That day passed without a decision, and it was recorded.
        deadline_missed: bool,
        /// The result was notified.
        notified: bool,
        /// The answers, one per biometric and database.
        matches: Vec<Match>,
        /// The decision, and the policy version it was taken under.
        ruled: Option<Ruled>,
        /// What a registry said of the person after it had not answered at first, if not "Đạt".
        not_confirmed: Option<RegistryOutcome>,
    }
    /// An answer that a registry owes.
    Waiting {
        /// The question.
        request: RequestId,
        /// What waits.
        what: Awaited,
        /// Who is asked.
        database: Database,
        /// The event since which it waits.
        by: EventRef,
    }
    /// An activation somebody has begun (P7).
    Attempt {
        /// On which device.
        device: DeviceRef,
        /// The key it will sign with.
        key: PublicKey,
        /// A second proof was given, so that the device may be taken over (C-09).
        step_up: bool,
        /// The code came back.
        otp_verified: bool,
        /// The event it began with.
        by: EventRef,
        /// The guardian whose device it is, where it is not to be bound.
        guardian: Option<AccountId>,
    }
    /// Activation.
    #[derive(Default)]
    Activation {
        /// Where it stands.
        phase: ActivationPhase,
        /// The event that brought it there.
        by: Option<EventRef>,
        /// What is under way.
        attempt: Option<Attempt>,
    }
    /// Which credentials are set, and how often wrong ones were tried.
    #[derive(Default)]
    Credentials {
        /// A password.
        password: Option<EventRef>,
        /// A passcode.
        passcode: Option<EventRef>,
        /// Two questions.
        questions: Option<EventRef>,
        /// Wrong passwords since the last right one.
        wrong_passwords: u8,
        /// The last of them.
        last_wrong_password: Option<Micros>,
        /// Wrong passcodes since it was set or was last right.
        wrong_passcodes: u8,
    }
    /// A one-time password that was sent.
    Challenge {
        /// Which.
        id: ChallengeId,
        /// What it allows.
        purpose: OtpPurpose,
        /// No longer good from this instant.
        expires_at: Micros,
        /// Not sent again before this instant.
        resend_after: Micros,
        /// Wrong codes allowed.
        attempts_max: u8,
        /// Wrong codes so far.
        wrong: u8,
        /// The right code came back.
        verified: bool,
    }
    /// The bound device.
    BoundDevice {
        /// Which.
        device: DeviceRef,
        /// The key it signs with.
        key: PublicKey,
        /// The event that bound it.
        by: EventRef,
    }
    /// A device that is to take the place of the bound one (P9).
    PendingDevice {
        /// Which.
        device: DeviceRef,
        /// Its key.
        key: PublicKey,
        /// The event it was asked for with.
        by: EventRef,
    }
    /// A number that is to take the place of the registered one (P8).
    PendingPhone {
        /// Its keyed hash.
        phone: LookupHash,
        /// How the holder proved themselves.
        method: Option<StepUpMethod>,
        /// The event it was asked for with.
        by: EventRef,
    }
    /// A linked document.
    Document {
        /// Which.
        id: DocumentId,
        /// Its kind.
        kind: DocumentKind,
        /// Who confirmed it.
        database: Database,
        /// The instant its data are of.
        data_as_of: Micros,
        /// The event that linked it.
        by: EventRef,
    }
    /// A ground for a lock.
    Lock {
        /// Which.
        ground: LockGround,
        /// The event that set it.
        by: EventRef,
    }
    /// A last day.
    ValidUntil {
        /// Of what.
        of: Validity,
        /// The day.
        until: LocalDay,
        /// The event that said so.
        by: EventRef,
    }
    /// A request of an authority or a relying party to lock or unlock.
    LockRequest {
        /// Which.
        id: RequestId,
        /// Who asks.
        requester: PrincipalId,
        /// In which role.
        role: Role,
        /// On which ground.
        ground: LockGround,
        /// To set it or to end it.
        action: LockAction,
        /// The last day to decide.
        decide_by: LocalDay,
        /// That day passed without an answer, and it was recorded.
        deadline_missed: bool,
        /// Where it stands.
        state: LockRequestState,
        /// The event it was made with.
        by: EventRef,
    }
    /// Fields shown to a relying party (P10).
    Share {
        /// Which.
        id: ShareId,
        /// How.
        mode: ShareMode,
        /// Names of the fields.
        fields: Vec<ShareField>,
        /// To whom.
        relying_party: PrincipalId,
        /// No longer good from this instant.
        expires_at: Micros,
        /// It was presented too late, and that was recorded.
        expired: bool,
        /// The event with which it was used.
        used: Option<EventRef>,
        /// The event that granted it.
        by: EventRef,
    }
    /// A child or ward under this account.
    Dependant {
        /// Keyed hash of their personal number.
        id: LookupHash,
        /// Child or ward.
        kind: DependantKind,
        /// What the holder is to them.
        relation: Relation,
        /// The day of fourteen full years.
        majority_on: Option<LocalDay>,
        /// The event that linked them.
        by: EventRef,
    }
    /// The guardian of a dependant's own account.
    Guardian {
        /// The guardian's account.
        account: AccountId,
        /// Keyed hash of this holder's personal number.
        dependant: LookupHash,
        /// Child or ward.
        kind: DependantKind,
        /// The day of fourteen full years.
        majority_on: Option<LocalDay>,
        /// The dependant may act until then.
        consent_until: Option<Micros>,
        /// The event that opened the account.
        by: EventRef,
    }
    /// What only a foreigner's account has.
    Foreigner {
        /// Portrait and fingerprints are in the immigration database already.
        biometrics_held: bool,
        /// The event that said so last.
        by: EventRef,
    }
    /// Another legal representative's agreement.
    Agreement {
        /// Keyed hash of their personal number.
        person: LookupHash,
        /// The account they agreed with, once they did.
        account: Option<AccountId>,
    }
    /// An organisation's application.
    OrganisationDossier {
        /// Which.
        id: CaseId,
        /// Where it stands.
        state: CaseState,
        /// All other legal representatives.
        others: Vec<Agreement>,
        /// The organisation's data are in the databases.
        known: bool,
        /// The last day to decide, once complete.
        decide_by: Option<LocalDay>,
        /// That day passed without a decision, and it was recorded.
        deadline_missed: bool,
        /// The result was notified.
        notified: bool,
        /// The event it began with.
        by: EventRef,
        /// Everybody's agreement was brought to a desk on paper.
        on_paper: bool,
        /// What the databases said after they had not answered at first, if not "Đạt".
        not_confirmed: Option<RegistryOutcome>,
    }
    /// What only an organisation's account has.
    OrganisationState {
        /// Who acts for it, or applies.
        representative: AccountId,
        /// The last application.
        dossier: OrganisationDossier,
        /// The event that issued the account.
        issued: Option<EventRef>,
    }
    /// A claim that can no longer be confirmed.
    Forfeited {
        /// The claim's stream.
        claim: StreamId,
        /// The event that can no longer come.
        confirmed_by: EventId,
    }
}

/// Refusals recorded in the running hour, so that a flood is not (spec 0.10).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, SchemaRead, SchemaWrite, Serialize, Deserialize,
)]
pub struct Refusals {
    /// The hour, counted from 1970.
    pub hour: i64,
    /// How many.
    pub count: u16,
}

impl Credentials {
    /// Whether all three are there (spec A.8: required before `activated`).
    pub const fn complete(&self) -> bool {
        self.password.is_some() && self.passcode.is_some() && self.questions.is_some()
    }
}
