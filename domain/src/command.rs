//! What can be asked, and what `decide` is told besides: the contract between the rules (here) and
//! whoever carries them out (`ledger::writer`).
//!
//! A command holds no secret: one-time codes, passwords, passcodes and answers are checked outside
//! and only the verdict comes in through [`Context`]. Personal data stand in commands, so they have
//! no `Debug` that prints them.

use crate::envelope::{Actor, Receipt, Refused};
use crate::event::Event;
use crate::ids::{
    AccountId, AreaCode, CaseId, ChallengeId, DeviceRef, Digest, DocumentId, EventId, LocalDay,
    LookupHash, Micros, PrincipalId, PublicKey, RequestId, ShareId, VerifierId,
};
use crate::law::Edition;
use crate::personal::{GroupHash, Organisation, Person, Personal, TravelDocument};
use crate::vocabulary::{
    Capture, Channel, ChipEvidence, ChipProof, CloseReason, CommandKind, Database, DependantKind,
    DocumentKind, LawKind, Level, LinkOutcome, LockAction, LockGround, LockRefusal, MatchResult,
    Message, Modality, NoticeFault, OtpPurpose, QuestionId, RefusalReason, RegistrationMethod,
    RegistryOutcome, Relation, ResidenceStatus, RetentionClass, ShareField, ShareMode, Status,
    StepUpMethod, UnbindReason, Validity, WithdrawReason,
};
use wincode::{SchemaRead, SchemaWrite};

/// A device as it presents itself.
#[derive(Clone, PartialEq, Eq, SchemaRead, SchemaWrite)]
pub struct DeviceInfo {
    /// Keyed hash of the identifier.
    pub device: DeviceRef,
    /// The key it will sign with. Weak keys are refused before this exists.
    pub key: PublicKey,
    /// As the device reports it (sealed).
    pub identifier: String,
    /// Model name (sealed).
    pub model: String,
}

/// One command to one account. Field texts are valid already (`identity` newtypes); what they mean
/// is checked here.
///
/// Its canonical encoding is what callers outside HTTP sign (INV-2), so its order is format.
#[derive(Clone, PartialEq, Eq, SchemaRead, SchemaWrite)]
#[non_exhaustive]
#[wincode(tag_encoding = "u8")]
#[allow(missing_docs, reason = "a variant's text says what its fields are")]
pub enum Command {
    /// P1 steps 1–4. `qr`: the raw QR text where the card was scanned.
    RegisterAppAccount {
        person: Person,
        method: RegistrationMethod,
        qr: Option<String>,
    },
    /// P1 step 5.
    ConfirmRegistrationOtp { challenge: ChallengeId },
    /// A new code for the challenge of a purpose.
    ResendOtp { purpose: OtpPurpose },
    /// P1 step 6, and P7 step 6 where none was set before.
    SetPassword { verifier: VerifierId },
    /// P2. `device`: what it is tried on.
    LogIn { device: Option<DeviceRef> },
    /// P3. Chip evidence or QR text, and the portrait.
    ApplyLevel1 {
        chip: Option<ChipEvidence>,
        qr: Option<String>,
        portrait: Option<Capture>,
    },
    /// P4, P5. `person`: entered by the officer, where there is no account yet.
    OpenLevel2Intake {
        person: Option<Person>,
        site: u32,
        person_present: bool,
        with_card_issue: bool,
    },
    /// P4: one or both captures.
    RecordBiometrics {
        case: CaseId,
        portrait: Option<Capture>,
        fingerprints: Option<Capture>,
    },
    /// P4: what the citizen said.
    RecordConsent {
        case: CaseId,
        given: bool,
        text_version: u16,
    },
    /// P4: the officer hands the dossier in.
    SubmitLevel2 { case: CaseId },
    /// An adapter's answer about one biometric.
    RecordRegistryResult {
        case: CaseId,
        modality: Modality,
        database: Database,
        result: MatchResult,
    },
    /// P6: the authority's decision. `refuse`: with this reason.
    DecideApplication {
        case: CaseId,
        refuse: Option<RefusalReason>,
    },
    /// P6: the notice, and when it was received.
    NotifyResult {
        case: CaseId,
        channel: Channel,
        received_at: Micros,
    },
    /// P7 steps 2–5. The account was found by number and phone; `matched` says both are right.
    /// `step_up`: the second proof offered, needed only where the device is another account's and
    /// policy lets it be taken over (C-09): a read of the chip (`Context::chip`), or an officer's word
    /// (`Context::step_up`).
    RequestActivation {
        matched: bool,
        device: DeviceInfo,
        step_up: Option<StepUpMethod>,
    },
    /// P7 step 5.
    ConfirmActivationOtp { challenge: ChallengeId },
    /// P7 step 7.
    SetPasscode { verifier: VerifierId },
    /// P7 step 8. Completes the activation when all is there.
    SetSecurityQuestions {
        questions: Vec<QuestionId>,
        verifier: VerifierId,
    },
    /// The clock: day 7 passed.
    ExpireActivationWindow,
    /// The clock: the last day to decide passed.
    ExpireProcessingDeadline { case: CaseId },
    /// The hotline reopens an overdue window.
    AssistActivation { proof_given: bool },
    /// P9: ask to move to another device.
    RequestDeviceChange { device: DeviceInfo },
    /// P9: with a second proof: the code, signed by the old device; the code and a read of the chip
    /// (`Context::chip`); or an officer's word (`Context::step_up`).
    ConfirmDeviceChange {
        method: StepUpMethod,
        challenge: Option<ChallengeId>,
    },
    /// Take the device off the account.
    UnlinkDevice { reason: UnbindReason },
    /// P8: ask for another number; a code goes to it.
    RequestPhoneChange {
        phone: String,
        hash: LookupHash,
        method: StepUpMethod,
    },
    /// P8: the code came back.
    ConfirmPhoneChange { challenge: ChallengeId },
    /// A document is declared; the registry's answer is in the context.
    LinkDocument { kind: DocumentKind, number: String },
    /// An adapter's newer data; `None`: still good.
    RefreshDocument {
        document: DocumentId,
        data_as_of: Micros,
        outcome: Option<LinkOutcome>,
    },
    /// The citizen takes it out.
    UnlinkDocument { document: DocumentId },
    /// One ground.
    LockAccount { ground: LockGround },
    /// One ground ended.
    UnlockAccount { ground: LockGround },
    /// The end.
    CloseAccount { reason: CloseReason },
    /// The citizen or the officer ends an application.
    WithdrawApplication {
        case: CaseId,
        reason: WithdrawReason,
    },
    /// Erase one class.
    RequestErasure { class: RetentionClass },
    /// A version of a law, named by the digest of its draft. Carried out on the law's own stream, never on
    /// an account ([`crate::law::decide_law`]).
    ProposeLaw { law: LawKind, digest: Digest },
    /// A proposal shall be law.
    ApproveLaw {
        law: LawKind,
        version: u32,
        digest: Digest,
    },
    /// A proposal shall not.
    RejectLaw { law: LawKind, version: u32 },
    /// P10: let a relying party see these fields once; with the passcode.
    ShareData {
        mode: ShareMode,
        fields: Vec<ShareField>,
        relying_party: PrincipalId,
    },
    /// P10: the relying party takes a look.
    ConsumeShare { share: ShareId },
    /// B.4: an authority or a relying party asks; `reasons` in words.
    RequestLock {
        ground: LockGround,
        action: LockAction,
        reasons: String,
    },
    /// B.4: the eID authority answers. `refuse`: why, and the reasons in writing.
    DecideLockRequest {
        request: RequestId,
        refuse: Option<LockRefusal>,
        reasons: String,
    },
    /// The clock: the last day to answer passed.
    ExpireLockDeadline { request: RequestId },
    /// B.4: a registry reports; `until`: the last day of what was issued.
    ReportStatus {
        status: Status,
        until: Option<LocalDay>,
    },
    /// The clock: the last day of a card, passport or residence passed.
    ExpireValidity { of: Validity },
    /// A guardian has a child or ward registered under their account; `hash`: keyed, of the
    /// dependant's number; `consent`: whether they agreed to the text of that version; `document`: of a
    /// foreign child or ward.
    LinkDependant {
        person: Person,
        hash: LookupHash,
        consent: bool,
        text_version: u16,
        document: Option<TravelDocument>,
    },
    /// The guardian takes a dependant out.
    UnlinkDependant { dependant: LookupHash },
    /// The clock: the day of fourteen full years; in the guardian's account.
    ReachMajority { dependant: LookupHash },
    /// A guardian opens the account of a dependant who is linked to `guardian`'s.
    OpenDependantAccount {
        person: Person,
        hash: LookupHash,
        guardian: AccountId,
        document: Option<TravelDocument>,
    },
    /// In a dependant's own account: the guardian lets them act for a while.
    GiveConsent,
    /// A notice left. `notice`: the event it tells of.
    RecordNoticeSent {
        notice: EventId,
        message: Message,
        channel: Channel,
        attempts: u16,
    },
    /// A notice was received; `case`: it tells this dossier's result.
    RecordNoticeDelivered {
        notice: EventId,
        case: Option<CaseId>,
        channel: Channel,
        received_at: Micros,
    },
    /// A notice was given up on a channel; `last`: there is no other.
    RecordNoticeFailed {
        notice: EventId,
        channel: Channel,
        fault: NoticeFault,
        attempts: u16,
        last: bool,
    },
    /// A registry that did not answer is asked again.
    AskRegistry { request: RequestId },
    /// A foreigner registers in the app; the immigration database confirms.
    RegisterForeigner {
        person: Person,
        document: TravelDocument,
    },
    /// Level 2 at the immigration authority. `person`: entered by the officer, with their document,
    /// where there is no account yet.
    OpenForeignerIntake {
        person: Option<Person>,
        document: Option<TravelDocument>,
        person_present: bool,
    },
    /// A legal representative applies for an organisation. `others`: keyed hashes of the other
    /// representatives' personal numbers, as declared; what the registry knows goes before.
    RegisterOrganisation {
        organisation: Organisation,
        representative: AccountId,
        others: Vec<LookupHash>,
    },
    /// Another legal representative agrees, or does not, with their own account.
    AnswerForOrganisation {
        case: CaseId,
        representative: AccountId,
        agree: bool,
    },
    /// Form TK02, in person. `agreements`: how many other representatives agreed on paper; `None`: not
    /// all of them did.
    OpenOrganisationIntake {
        organisation: Organisation,
        representative: AccountId,
        site: u32,
        person_present: bool,
        agreements: Option<u8>,
    },
    /// Somebody else represents the organisation: they say so themselves and the registry confirms
    /// it, or the eID authority does from documents.
    ChangeRepresentative { representative: AccountId },
    /// The representative acts for the organisation; `matter` in words.
    ActForOrganisation {
        relying_party: PrincipalId,
        matter: String,
    },
    /// An account that exists elsewhere is brought in, with its source.
    ImportAccount {
        person: Person,
        level: Level,
        issued_at: Micros,
        activated_at: Option<Micros>,
        area: AreaCode,
        site: u32,
        source: String,
    },
}

/// The answer of the databases of organisations.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "a variant's text says what its fields are")]
pub enum OrganisationAnswer {
    /// Confirmed. Where its seat is, and keyed hashes of its legal representatives' personal numbers.
    Confirmed {
        area: AreaCode,
        representatives: Vec<LookupHash>,
    },
    /// Not confirmed.
    Not(RegistryOutcome),
}

/// A legal representative's own account, as far as their acts for an organisation depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RepresentativeFacts {
    /// The account.
    pub account: AccountId,
    /// Keyed hash of their personal number.
    pub person: Option<LookupHash>,
    /// Activated at level 2, open and unlocked, and a person's.
    pub may_act: bool,
}

/// A registry's answer to declared data, asked before deciding.
#[derive(Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "a variant's text says what its fields are")]
pub enum RegistryAnswer {
    /// Confirmed. Where the registry says the person resides, and the birth date it knows.
    Confirmed {
        area: AreaCode,
        birth_date: String,
        has_chip_card: bool,
    },
    /// Not confirmed.
    Not(RegistryOutcome),
}

/// The immigration database's answer to what a foreigner declares.
#[derive(Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "a variant's text says what its fields are")]
pub enum ImmigrationAnswer {
    /// Confirmed. Where the person stays, the birth date it knows, the last day of the passport or
    /// travel document, whether the stay is a residence and until when (`None`: no last day), and
    /// whether face and fingerprints are in the database (three working days instead of seven).
    Confirmed {
        area: AreaCode,
        birth_date: String,
        document_until: Option<LocalDay>,
        residence: ResidenceStatus,
        residence_until: Option<LocalDay>,
        biometrics_held: bool,
    },
    /// Not confirmed.
    Not(RegistryOutcome),
}

/// A sector registry's answer to a declared document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "a variant's text says what its fields are")]
pub enum DocumentAnswer {
    /// Verified; the instant its data are of.
    Verified { data_as_of: Micros },
    /// Not.
    Not(LinkOutcome),
}

/// What the verifier says of the chip read that came with a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChipAnswer {
    /// What was read and what it proves.
    pub proof: ChipProof,
    /// Hashes of the data groups, to be sealed.
    pub groups: Vec<GroupHash>,
}

/// The population registry's answer to "is this person's guardian that person?".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "a variant's text says what its fields are")]
pub enum RelationAnswer {
    /// It is. `ward`: whether the person is a ward, whatever their age.
    Confirmed { relation: Relation, ward: bool },
    /// It is not. `ward`: as above, if the registry knows the person.
    NotRelated { ward: bool },
    /// No answer.
    Unavailable,
}

/// A guardian's own account, as far as their acts for a dependant depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardianFacts {
    /// Activated at level 2, open and unlocked.
    pub may_act: bool,
    /// The dependant of the command, if linked: kind, and the day of fourteen full years.
    pub dependant: Option<(DependantKind, Option<LocalDay>)>,
    /// The device bound to it, and the key it signs with.
    pub device: Option<(DeviceRef, PublicKey)>,
}

/// Who holds a number or a device now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Holder {
    /// Not asked for this command.
    #[default]
    NotAsked,
    /// Nobody.
    Free,
    /// This account.
    Own,
    /// Another account.
    Other(AccountId),
}

/// What was found out about a password or passcode somebody chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialForm {
    /// Good.
    Good,
    /// Too short, too long, or (a passcode) not exactly six digits.
    WrongForm,
    /// On the list of common ones.
    OnBlockList,
}

/// The officer as enrolled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfficerFacts {
    /// Enrolled, not revoked at this instant.
    pub active: bool,
    /// Sites where they may act.
    pub sites: Vec<u32>,
}

/// Everything a decision may depend on besides the account's own history.
pub struct Context<'a> {
    /// When it is recorded.
    pub now: Micros,
    /// When it happened; not after `now`.
    pub occurred_at: Micros,
    /// The law in force when it happened, pinned in the event. What is read of it besides the policy is
    /// pinned by the judge's own readers.
    pub law: &'a Edition,
    /// Who asks.
    pub actor: Actor,
    /// Fresh random ids, as many as are asked for.
    pub new_id: &'a mut dyn FnMut() -> [u8; 16],
    /// The holder's data, opened, where the account exists and they can be read.
    pub person: Option<&'a Person>,
    /// The population registry's answer, where the command needs one.
    pub registry: Option<RegistryAnswer>,
    /// The sector registry's answer, where the command needs one.
    pub document: Option<DocumentAnswer>,
    /// The number of the document that is asked about again, opened. `None`: it cannot be read.
    pub declared: Option<&'a str>,
    /// What the card registry said of captures, where the command needs it and that registry compares.
    pub biometrics: &'a [(Modality, MatchResult)],
    /// Who holds the personal number.
    pub personal_id_holder: Holder,
    /// Who holds the phone number.
    pub phone_holder: Holder,
    /// Who holds the device.
    pub device_holder: Holder,
    /// Keyed hash of the account's registered phone number.
    pub phone_hash: Option<LookupHash>,
    /// The number of the pending `PhoneChangeRequested`, opened, where the command confirms it.
    pub new_phone: Option<&'a str>,
    /// Whether the one-time code was the right one (constant-time, checked outside).
    pub otp_right: Option<bool>,
    /// Whether password or passcode was right. `None`: none was given.
    pub credential_right: Option<bool>,
    /// What was found out about a new password or passcode. `None` counts as a wrong form.
    pub credential_form: Option<CredentialForm>,
    /// Whether the second proof succeeded, where it is not a challenge.
    pub step_up: Option<bool>,
    /// The acting officer or agent.
    pub officer: Option<OfficerFacts>,
    /// Whether the relying party that the command names is enrolled and active.
    pub relying_party_active: bool,
    /// The registry's answer about a dependant's relation to the holder.
    pub relation: Option<RelationAnswer>,
    /// The guardian who acts, where one does.
    pub guardian: Option<GuardianFacts>,
    /// The immigration database's answer, where the command needs one. Its area and birth date stand in
    /// `registry` besides.
    pub immigration: Option<ImmigrationAnswer>,
    /// The answer of the databases of organisations, where the command needs one.
    pub organisation: Option<OrganisationAnswer>,
    /// The legal representative whom the command names, or who acts.
    pub representative: Option<RepresentativeFacts>,
    /// What the verifier says of a chip read, where one came with the command.
    pub chip: Option<ChipAnswer>,
}

/// Whose phone number's holder is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhoneNeed {
    /// The number of the person in the command.
    Commanded,
    /// The number registered for the account.
    Registered,
    /// The number with this hash.
    Hash(LookupHash),
}

/// What a command's decision will read of its [`Context`]; the rest may be left empty.
/// `decide::needs` says it, so that nobody looks up or opens more than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a question of its own"
)]
pub struct Needs {
    /// `person`, and `phone_hash`.
    pub person: bool,
    /// `personal_id_holder`, of the person in the command.
    pub personal_id_holder: bool,
    /// `phone_holder`.
    pub phone_holder: Option<PhoneNeed>,
    /// `device_holder`, of this device.
    pub device_holder: Option<DeviceRef>,
    /// `registry`: this database is asked about the person in the command, or else the holder.
    pub registry: Option<Database>,
    /// `document`: the sector registry of the command's document is asked, or of the one that waits.
    pub document: bool,
    /// `declared`: the number that this document was declared with.
    pub declared: Option<(DocumentId, DocumentKind)>,
    /// `biometrics`: of this dossier, all captures or one.
    pub biometrics: Option<(CaseId, Option<Modality>)>,
    /// `new_phone`.
    pub new_phone: bool,
    /// `otp_right`: the code given is compared with this challenge's.
    pub otp: Option<ChallengeId>,
    /// `officer`.
    pub officer: bool,
    /// `relation`: of the person in the command to the holder.
    pub relation: bool,
    /// `guardian`: this account, and the dependant with this hash.
    pub guardian: Option<(AccountId, LookupHash)>,
    /// `organisation`: of the organisation in the command, or else the holder.
    pub organisation: bool,
    /// `representative`: this account.
    pub representative: Option<AccountId>,
}

/// One event to be recorded, and what is sealed beside it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewEvent {
    /// Open facts.
    pub event: Event,
    /// Sealed parts in order, each under the account's key of its class.
    pub sealed: Vec<(RetentionClass, Personal)>,
    /// When it happened, where that is another time than the command's: what is imported.
    pub happened: Option<Micros>,
}

/// A number or device that the events make the account's, or no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimChange {
    /// Which claim stream.
    pub claim: Claim,
    /// Taken (before the events are appended) or released (after them).
    pub take: bool,
}

/// What a claim is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// The personal number of the person in the command, or the number of the organisation; of the
    /// account's holder, where the command carries none.
    PersonalId,
    /// The phone number of the person in the command; of the account's holder (as registered before
    /// the command), where the command carries none.
    Phone,
    /// This phone number.
    PhoneHash(LookupHash),
    /// This device.
    Device(DeviceRef),
}

/// What came out of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Guards passed and, if any, the one that refused.
    pub receipt: Receipt,
    /// The account's events, in order. Of a refusal: `CommandRejected`, and whatever else the
    /// procedure leaves behind (a failed registry check). Empty only on a refusal that is one of a
    /// flood: it is counted outside and not recorded (spec 0.10).
    pub events: Vec<NewEvent>,
    /// Commands the ledger itself carries out on other accounts **first**, before the claims are
    /// taken: a device that is taken over is unbound there by that account's own signed event (C-09).
    pub first: Vec<(AccountId, Command)>,
    /// Claims to take before, and release after.
    pub claims: Vec<ClaimChange>,
    /// Codes to send: challenge, purpose and to which number.
    pub send: Vec<Notice>,
}

/// Something the holder is to be sent; rendered outside from the message catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice {
    /// What.
    pub message: crate::vocabulary::Message,
    /// The code of this challenge goes with it.
    pub challenge: Option<ChallengeId>,
    /// To the number being introduced (in this command's person or phone, or in the pending
    /// `PhoneChangeRequested`) instead of the one registered before this command.
    pub to_new_phone: bool,
}

impl Decision {
    /// Why it was refused, if it was.
    pub fn refused(&self) -> Option<Refused> {
        self.receipt.refused
    }
}

impl Command {
    /// Which of the list it is.
    pub fn kind(&self) -> CommandKind {
        match self {
            Self::RegisterAppAccount { .. } => CommandKind::RegisterAppAccount,
            Self::ConfirmRegistrationOtp { .. } => CommandKind::ConfirmRegistrationOtp,
            Self::ResendOtp { .. } => CommandKind::ResendOtp,
            Self::SetPassword { .. } => CommandKind::SetPassword,
            Self::LogIn { .. } => CommandKind::LogIn,
            Self::ApplyLevel1 { .. } => CommandKind::ApplyLevel1,
            Self::OpenLevel2Intake { .. } => CommandKind::OpenLevel2Intake,
            Self::RecordBiometrics { .. } => CommandKind::RecordBiometrics,
            Self::RecordConsent { .. } => CommandKind::RecordConsent,
            Self::SubmitLevel2 { .. } => CommandKind::SubmitLevel2,
            Self::RecordRegistryResult { .. } => CommandKind::RecordRegistryResult,
            Self::DecideApplication { .. } => CommandKind::DecideApplication,
            Self::NotifyResult { .. } => CommandKind::NotifyResult,
            Self::RequestActivation { .. } => CommandKind::RequestActivation,
            Self::ConfirmActivationOtp { .. } => CommandKind::ConfirmActivationOtp,
            Self::SetPasscode { .. } => CommandKind::SetPasscode,
            Self::SetSecurityQuestions { .. } => CommandKind::SetSecurityQuestions,
            Self::ExpireActivationWindow => CommandKind::ExpireActivationWindow,
            Self::ExpireProcessingDeadline { .. } => CommandKind::ExpireProcessingDeadline,
            Self::AssistActivation { .. } => CommandKind::AssistActivation,
            Self::RequestDeviceChange { .. } => CommandKind::RequestDeviceChange,
            Self::ConfirmDeviceChange { .. } => CommandKind::ConfirmDeviceChange,
            Self::UnlinkDevice { .. } => CommandKind::UnlinkDevice,
            Self::RequestPhoneChange { .. } => CommandKind::RequestPhoneChange,
            Self::ConfirmPhoneChange { .. } => CommandKind::ConfirmPhoneChange,
            Self::LinkDocument { .. } => CommandKind::LinkDocument,
            Self::RefreshDocument { .. } => CommandKind::RefreshDocument,
            Self::UnlinkDocument { .. } => CommandKind::UnlinkDocument,
            Self::LockAccount { .. } => CommandKind::LockAccount,
            Self::UnlockAccount { .. } => CommandKind::UnlockAccount,
            Self::CloseAccount { .. } => CommandKind::CloseAccount,
            Self::WithdrawApplication { .. } => CommandKind::WithdrawApplication,
            Self::RequestErasure { .. } => CommandKind::RequestErasure,
            Self::ProposeLaw { .. } => CommandKind::ProposeLaw,
            Self::ApproveLaw { law, .. } => match law {
                LawKind::Policy => CommandKind::PublishPolicy,
                LawKind::Catalogue => CommandKind::PublishCatalogue,
                _ => CommandKind::PublishLaw,
            },
            Self::RejectLaw { .. } => CommandKind::RejectLaw,
            Self::ShareData { .. } => CommandKind::ShareData,
            Self::ConsumeShare { .. } => CommandKind::ConsumeShare,
            Self::RequestLock { .. } => CommandKind::RequestLock,
            Self::DecideLockRequest { .. } => CommandKind::DecideLockRequest,
            Self::ExpireLockDeadline { .. } => CommandKind::ExpireLockDeadline,
            Self::ReportStatus { .. } => CommandKind::ReportStatus,
            Self::ExpireValidity { .. } => CommandKind::ExpireValidity,
            Self::LinkDependant { .. } => CommandKind::LinkDependant,
            Self::UnlinkDependant { .. } => CommandKind::UnlinkDependant,
            Self::ReachMajority { .. } => CommandKind::ReachMajority,
            Self::OpenDependantAccount { .. } => CommandKind::OpenDependantAccount,
            Self::GiveConsent => CommandKind::GiveConsent,
            Self::RecordNoticeSent { .. } => CommandKind::RecordNoticeSent,
            Self::RecordNoticeDelivered { .. } => CommandKind::RecordNoticeDelivered,
            Self::RecordNoticeFailed { .. } => CommandKind::RecordNoticeFailed,
            Self::AskRegistry { .. } => CommandKind::AskRegistry,
            Self::RegisterForeigner { .. } => CommandKind::RegisterForeigner,
            Self::OpenForeignerIntake { .. } => CommandKind::OpenForeignerIntake,
            Self::RegisterOrganisation { .. } => CommandKind::RegisterOrganisation,
            Self::AnswerForOrganisation { .. } => CommandKind::AnswerForOrganisation,
            Self::OpenOrganisationIntake { .. } => CommandKind::OpenOrganisationIntake,
            Self::ChangeRepresentative { .. } => CommandKind::ChangeRepresentative,
            Self::ActForOrganisation { .. } => CommandKind::ActForOrganisation,
            Self::ImportAccount { .. } => CommandKind::ImportAccount,
        }
    }
}

impl core::fmt::Debug for Command {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:?}", self.kind())
    }
}
