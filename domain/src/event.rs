//! What can have happened. One enum; each variant has its own frozen struct of **open facts**.
//!
//! Open facts hold nothing personal: who somebody is stands in the sealed parts beside them
//! ([`crate::personal`]). A struct is never changed once released: a new version gets a new struct
//! and the old bytes are upcast on read ([`crate::upcast`]). Codes are never used again.
//!
//! Names follow the specification A.8; the procedure each belongs to stands in its text.

use crate::ids::{
    AccountId, AreaCode, CaseId, ChallengeId, DeviceRef, Digest, DocumentId, EventId, LedgerId,
    LocalDay, Micros, PrincipalId, PublicKey, RequestId, ShareId, StreamId, VerifierId,
};
use crate::vocabulary::{
    Awaited, Capture, Channel, ChipEvidence, ChipProof, ClaimEnd, CloseReason, CommandKind,
    Database, DependantEnd, DependantKind, DocumentKind, EvidenceStrength, Guard, KeyEnd,
    KeyPurpose, LawKind, Level, LinkOutcome, LockAction, LockGround, LockRefusal, LoginOutcome,
    MatchResult, Message, Modality, NoticeFault, OtpPurpose, QuestionId, RefusalCode,
    RefusalReason, RegistrationMethod, RegistryOutcome, Relation, RetentionClass, Role, ShareField,
    ShareMode, StatedDigest, StepUpMethod, TravelDocumentKind, UnbindReason, Validity, WaitEnd,
    WithdrawReason,
};
use serde::{Deserialize, Serialize};
use wincode::{SchemaRead, SchemaWrite};

/// An event kind's code as it stands in the envelope.
pub type KindCode = u16;

/// Makes the structs, the enum over them, and the two tables (code and name).
macro_rules! events {
    ($(
        $(#[$doc:meta])*
        $code:literal $name:ident {
            $( $(#[$fdoc:meta])* $field:ident : $ty:ty ),* $(,)?
        }
    )*) => {
        $(
            $(#[$doc])*
            #[derive(
                Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize,
            )]
            pub struct $name {
                $( $(#[$fdoc])* pub $field: $ty, )*
            }

            impl From<$name> for Event {
                fn from(facts: $name) -> Self {
                    Self::$name(facts)
                }
            }
        )*

        /// Everything that can have happened.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        #[serde(untagged)]
        pub enum Event {
            $( $(#[$doc])* $name($name), )*
        }

        impl Event {
            /// Code, name and current schema version of every kind.
            pub const KINDS: &'static [(KindCode, &'static str, u16)] = &[
                $( ($code, stringify!($name), 1), )*
            ];

            /// The open facts of every kind: field names and types in the order of their bytes.
            /// FORMAT.md's table is this.
            pub const FACTS: &'static [(KindCode, &'static [(&'static str, &'static str)])] = &[
                $( ($code, &[ $( (stringify!($field), stringify!($ty)), )* ]), )*
            ];

            /// The facts of a kind from any form that names them, such as JSON. `None`: a kind
            /// this program does not know.
            pub fn deserialize<'de, D: serde::Deserializer<'de>>(
                kind: KindCode,
                facts: D,
            ) -> Option<Result<Self, D::Error>> {
                match kind {
                    $( $code => Some($name::deserialize(facts).map(Self::$name)), )*
                    _ => None,
                }
            }

            /// The kind's code.
            pub const fn kind(&self) -> KindCode {
                match self { $( Self::$name(_) => $code, )* }
            }

            /// The kind's name.
            pub const fn name(&self) -> &'static str {
                match self { $( Self::$name(_) => stringify!($name), )* }
            }

            /// The open facts as bytes, in the current schema version.
            pub fn encode(&self) -> Result<Vec<u8>, crate::bytes::BytesError> {
                match self { $( Self::$name(facts) => crate::bytes::encode(facts), )* }
            }

            /// The current schema version read from bytes; older ones go through
            /// [`crate::upcast`]. `None`: a kind this program does not know.
            pub(crate) fn decode_current(
                kind: KindCode,
                bytes: &[u8],
            ) -> Option<Result<Self, crate::bytes::BytesError>> {
                match kind {
                    $( $code => Some(crate::bytes::decode::<$name>(bytes).map(Self::$name)), )*
                    _ => None,
                }
            }
        }
    };
}

/// The name of a kind's code.
pub fn kind_name(code: KindCode) -> Option<&'static str> {
    Event::KINDS
        .iter()
        .find(|(known, _, _)| *known == code)
        .map(|(_, name, _)| *name)
}

/// The code of a kind's name.
pub fn kind_code(name: &str) -> Option<KindCode> {
    Event::KINDS
        .iter()
        .find(|(_, known, _)| *known == name)
        .map(|(code, _, _)| *code)
}

events! {
    // ---- P1: app account -----------------------------------------------------------------------
    /// Somebody asked for an app account (P1 steps 1–3). Sealed: `Person` as declared.
    1 AppRegistrationSubmitted {
        /// Card QR or typed in.
        method: RegistrationMethod,
    }
    /// A registry was asked (P1 step 3, P4 step 2).
    2 RegistryCheckRequested {
        /// The question.
        request: RequestId,
        /// Which registry.
        database: Database,
    }
    /// The registry confirmed the declared data ("Đạt", P1 step 4).
    3 RegistryCheckSucceeded {
        /// The question.
        request: RequestId,
        /// Which registry.
        database: Database,
        /// Where the registry says the person resides; statistics count by it.
        area: AreaCode,
    }
    /// The registry did not confirm ("Không đạt"), or could not answer.
    4 RegistryCheckFailed {
        /// The question.
        request: RequestId,
        /// Which registry.
        database: Database,
        /// What it answered.
        outcome: RegistryOutcome,
    }
    /// A one-time password was sent. The code is never stored.
    5 OtpChallengeIssued {
        /// The challenge.
        challenge: ChallengeId,
        /// What it will allow.
        purpose: OtpPurpose,
        /// No longer good from this instant.
        expires_at: Micros,
        /// Not sent again before this instant.
        resend_after: Micros,
        /// Wrong codes allowed.
        attempts_max: u8,
    }
    /// The right code came back in time.
    6 OtpVerified {
        /// The challenge.
        challenge: ChallengeId,
        /// What it allows.
        purpose: OtpPurpose,
    }
    /// The phone number is under the citizen's control. Sealed: `Phone`, only where it is not the
    /// registered one.
    7 PhoneVerified {
        /// By which challenge.
        challenge: ChallengeId,
    }
    /// The citizen chose a password; the event says only that.
    8 PasswordSet {
        /// Where the credential store keeps the verifier.
        verifier: VerifierId,
    }
    /// The app account exists ("tài khoản ứng dụng VNeID", A-08): not identified yet.
    9 AppAccountCreated {}

    // ---- P2: login -----------------------------------------------------------------------------
    /// A login with password (P2).
    10 SessionOpened {
        /// On the bound device, or on another after step-up.
        device: Option<DeviceRef>,
    }
    /// A login that was turned down.
    11 LoginFailed {
        /// Why.
        outcome: LoginOutcome,
    }

    // ---- P3: level 1 ---------------------------------------------------------------------------
    /// A level-1 application (P3).
    20 Level1Applied {
        /// The dossier.
        case: CaseId,
        /// How strong the card evidence is.
        strength: EvidenceStrength,
        /// The last day on which the authority may decide.
        decide_by: LocalDay,
    }
    /// What was read from the card by chip. Hashes only (spec C.3).
    21 ChipEvidenceRecorded {
        /// The dossier.
        case: CaseId,
        /// What was read and what it proves.
        evidence: ChipEvidence,
    }
    /// The card's QR was read: a claim, not a proof (spec C.2). Sealed: `CardQr`.
    22 QrEvidenceRecorded {
        /// The dossier.
        case: CaseId,
    }
    /// A portrait was taken, by the citizen's phone or by the officer.
    23 PortraitCaptured {
        /// The dossier.
        case: CaseId,
        /// Where the image is kept, and its salted digest.
        capture: Capture,
    }

    // ---- P4, P5: level 2 at an officer's desk ----------------------------------------------------
    /// An officer opened an intake with the person present. On an account's first event: sealed
    /// `Person` as entered by the officer.
    30 Level2IntakeOpened {
        /// The dossier.
        case: CaseId,
        /// The officer.
        officer: PrincipalId,
        /// Where.
        site: u32,
        /// P5: the account is issued together with the chip card.
        with_card_issue: bool,
    }
    /// Fingerprints were taken.
    31 FingerprintsCaptured {
        /// The dossier.
        case: CaseId,
        /// Where the images are kept, and their salted digest.
        capture: Capture,
    }
    /// The citizen agreed to the account being made (P4 step 2).
    32 ConsentRecorded {
        /// The dossier.
        case: CaseId,
        /// Version of the text that was shown.
        text_version: u16,
        /// The officer who witnessed it.
        witness: PrincipalId,
    }
    /// The dossier is complete and handed in.
    33 Level2Applied {
        /// The dossier.
        case: CaseId,
        /// The last day on which the authority may decide.
        decide_by: LocalDay,
    }
    /// The application ended before a decision.
    34 Level2Withdrawn {
        /// The dossier.
        case: CaseId,
        /// Why.
        reason: WithdrawReason,
    }
    /// A registry compared a biometric (policy rule in spec 0.5): each modality on its own.
    35 BiometricMatchRecorded {
        /// The dossier.
        case: CaseId,
        /// Face or fingerprint.
        modality: Modality,
        /// Which database answered.
        database: Database,
        /// What it answered.
        result: MatchResult,
    }

    // ---- P6: decision and notice -----------------------------------------------------------------
    /// The authority issued a level.
    40 AccountIssued {
        /// The dossier.
        case: CaseId,
        /// The level.
        level: Level,
        /// Where the account is counted.
        area: AreaCode,
    }
    /// The authority refused.
    41 ApplicationRefused {
        /// The dossier.
        case: CaseId,
        /// Why.
        reason: RefusalReason,
    }
    /// The decision came after its last day.
    42 ProcessingDeadlineMissed {
        /// The dossier.
        case: CaseId,
        /// The day it was due.
        due: LocalDay,
    }
    /// The citizen was told the result (P6).
    43 ResultNotified {
        /// The dossier.
        case: CaseId,
        /// App, SMS or e-mail.
        channel: Channel,
        /// When it was received; the 7 days count from here.
        received_at: Micros,
    }
    /// The activation window opened (P7.1).
    44 ActivationWindowOpened {
        /// First instant at which it is overdue.
        deadline: Micros,
    }

    // ---- P7: activation --------------------------------------------------------------------------
    /// Activation was asked for and its level check and already-activated check passed.
    50 ActivationRequested {
        /// The device it is asked on. Sealed: `Device`.
        device: DeviceRef,
        /// The key it will sign with once bound.
        key: PublicKey,
    }
    /// The device belongs to no other account.
    51 DeviceCheckPassed {
        /// The device.
        device: DeviceRef,
    }
    /// The activation code went to the registered phone.
    52 ActivationCodeSent {
        /// The challenge.
        challenge: ChallengeId,
    }
    /// The activation code was right.
    53 ActivationOtpVerified {
        /// The challenge.
        challenge: ChallengeId,
    }
    /// The 6-digit passcode is set.
    54 PasscodeSet {
        /// Where the credential store keeps the verifier.
        verifier: VerifierId,
    }
    /// Two security questions are answered.
    55 SecurityQuestionsSet {
        /// First question.
        first: QuestionId,
        /// Second question.
        second: QuestionId,
        /// Where the credential store keeps the verifier of both answers.
        verifier: VerifierId,
    }
    /// The account acts with this device from now on. Sealed, where not said before: `Device`.
    56 DeviceBound {
        /// The device.
        device: DeviceRef,
        /// The key with which the device signs requests.
        key: PublicKey,
    }
    /// The account is active.
    57 AccountActivated {
        /// At this level.
        level: Level,
    }
    /// Seven days passed without activation: overdue, not lost (spec 0.6).
    58 ActivationWindowExpired {
        /// The deadline that passed.
        deadline: Micros,
    }
    /// The hotline reopened an overdue window after proof of identity.
    59 ActivationReopened {
        /// The agent.
        agent: PrincipalId,
        /// The new deadline.
        deadline: Micros,
    }

    // ---- P9: device, P8: phone --------------------------------------------------------------------
    /// A change of device was asked for. Sealed: `Device` (the new one).
    60 DeviceChangeRequested {
        /// The new device.
        device: DeviceRef,
        /// Its key.
        key: PublicKey,
    }
    /// The holder proved themselves by a second way.
    61 StepUpSatisfied {
        /// How.
        method: StepUpMethod,
    }
    /// The device no longer belongs to the account.
    62 DeviceUnbound {
        /// The device.
        device: DeviceRef,
        /// Why.
        reason: UnbindReason,
    }
    /// A change of phone number was asked for. Sealed: `Phone` (the new one).
    63 PhoneChangeRequested {
        /// Keyed hash of the new number.
        phone: crate::ids::LookupHash,
    }
    /// The number was changed; a notice goes to the old one. Sealed: `Phone` (the new one).
    64 PhoneChanged {
        /// Keyed hash of the old number.
        old: crate::ids::LookupHash,
        /// Keyed hash of the new number.
        new: crate::ids::LookupHash,
    }

    // ---- Documents ---------------------------------------------------------------------------------
    /// A document was declared. Sealed: `Document`.
    70 DocumentLinkRequested {
        /// The link.
        document: DocumentId,
        /// Its kind.
        kind: DocumentKind,
    }
    /// The owning registry confirmed it.
    71 DocumentLinked {
        /// The link.
        document: DocumentId,
        /// Its kind.
        kind: DocumentKind,
        /// Which registry.
        database: Database,
        /// The instant its data are of.
        data_as_of: Micros,
    }
    /// The registry did not confirm it; the account is as before.
    72 DocumentLinkFailed {
        /// The link.
        document: DocumentId,
        /// Its kind.
        kind: DocumentKind,
        /// What the registry answered.
        outcome: LinkOutcome,
    }
    /// The registry sent newer data.
    73 DocumentRefreshed {
        /// The link.
        document: DocumentId,
        /// The instant its data are of.
        data_as_of: Micros,
    }
    /// The registry says it is no longer good.
    74 DocumentLinkBroken {
        /// The link.
        document: DocumentId,
        /// What the registry answered.
        outcome: LinkOutcome,
    }
    /// The citizen took it out.
    75 DocumentUnlinked {
        /// The link.
        document: DocumentId,
    }

    // ---- Locks and the end (spec B.4) --------------------------------------------------------------
    /// One ground for a lock.
    80 AccountLocked {
        /// The ground.
        ground: LockGround,
    }
    /// One ground ended.
    81 LockGroundRemoved {
        /// The ground.
        ground: LockGround,
    }
    /// No ground is left.
    82 AccountUnlocked {}
    /// The account is closed for good.
    83 AccountClosed {
        /// Why.
        reason: CloseReason,
    }

    /// Until when a card, passport or permission to reside is good, as its registry said. The clock
    /// locks when it is over.
    84 ValidityRecorded {
        /// Of what.
        of: Validity,
        /// Its last day.
        until: LocalDay,
    }
    /// An authority or a relying party asked to lock or unlock (Decree 59 art. 19, Decree 69 art. 15).
    /// Sealed: `Note`, the reasons given.
    85 LockRequested {
        /// The request.
        request: RequestId,
        /// Who asks.
        requester: PrincipalId,
        /// In which role.
        role: Role,
        /// On which ground.
        ground: LockGround,
        /// To set it or to end it.
        action: LockAction,
        /// The last day for the local police to forward it, where it takes that way.
        forward_by: Option<LocalDay>,
        /// The last day to decide.
        decide_by: LocalDay,
    }
    /// The eID authority granted a request; the lock's own event stands beside it.
    86 LockRequestGranted {
        /// The request.
        request: RequestId,
    }
    /// It refused one. Sealed: `Note`, the reasons in writing.
    87 LockRequestRefused {
        /// The request.
        request: RequestId,
        /// Why, in short.
        reason: LockRefusal,
    }
    /// Nobody answered a request in time.
    88 LockDeadlineMissed {
        /// The request.
        request: RequestId,
        /// The day it was due.
        due: LocalDay,
    }

    // ---- Refusals and erasure ------------------------------------------------------------------------
    /// A command was turned down (spec 0.10).
    90 CommandRejected {
        /// What was asked.
        command: CommandKind,
        /// The guard that said no.
        guard: Guard,
        /// Stable code.
        code: RefusalCode,
        /// Message shown, where the catalogue has one.
        message: Option<Message>,
        /// The challenge whose attempt this used up, if any.
        challenge: Option<ChallengeId>,
    }
    /// Personal data of one class may be erased.
    91 ErasureApproved {
        /// Which.
        class: RetentionClass,
    }
    /// The key of one class is destroyed: its sealed parts can never be read again.
    92 SubjectKeyDestroyed {
        /// Which.
        class: RetentionClass,
    }
    /// Erasure was refused.
    93 ErasureRefused {
        /// Which.
        class: RetentionClass,
        /// The legal basis, as an id of the message catalogue.
        basis: Message,
    }

    // ---- Claim streams: "only one" by optimistic concurrency (INV: design 4) ---------------------------
    /// An account claims a number or a device; good only if `confirmed_by` is in its stream.
    100 Claimed {
        /// The claimant.
        account: AccountId,
        /// The account's event that makes the claim good.
        confirmed_by: EventId,
    }
    /// The claim ended.
    101 ClaimReleased {
        /// Who held it.
        account: AccountId,
        /// Why.
        reason: ClaimEnd,
    }
    /// In an *account's* stream: a claim it made and never confirmed was settled by another; fences
    /// off the account's own late confirmation.
    102 ClaimForfeited {
        /// The claim's stream.
        claim: StreamId,
        /// The event that can no longer come.
        confirmed_by: EventId,
    }

    // ---- Principals -------------------------------------------------------------------------------
    /// A principal may act. Sealed: `Note` (the name).
    110 PrincipalEnrolled {
        /// Who.
        principal: PrincipalId,
        /// As what.
        role: Role,
        /// The key with which they sign; `None` for readers with a token.
        key: Option<PublicKey>,
        /// BLAKE3 of a reader's bearer token.
        token: Option<Digest>,
        /// Intake sites where an officer may act.
        sites: Vec<u32>,
        /// First instant.
        from: Micros,
    }
    /// A principal may no longer act.
    111 PrincipalRevoked {
        /// Who.
        principal: PrincipalId,
        /// First instant at which nothing of theirs counts.
        from: Micros,
        /// Why.
        reason: KeyEnd,
    }

    // ---- The ledger ----------------------------------------------------------------------------------
    /// The first event of every ledger.
    120 LedgerCreated {
        /// Random id.
        ledger: LedgerId,
        /// Format version.
        format: u16,
        /// The key that signs this and later events.
        key: PublicKey,
    }
    /// A signing key is good from the position after this event on.
    121 LedgerKeyAdded {
        /// The key.
        key: PublicKey,
        /// What it signs.
        purpose: KeyPurpose,
    }
    /// A signing key is no longer good from the position after this event on.
    122 LedgerKeyRetired {
        /// The key.
        key: PublicKey,
        /// Why.
        reason: KeyEnd,
    }
    /// In a stream of its own: what everybody arrives at who folds the first events of this ledger. It speaks
    /// of the state just after the `StateSealed` before it, so that every read model has a place to stop at.
    123 StateSealed {
        /// How many events are folded: the position after the `StateSealed` before this one; 0 in the first.
        position: u64,
        /// Number of accounts in the state map.
        accounts: u64,
        /// Root of the state map (SHA-256).
        root: Digest,
        /// Digest of each projection, by name; none in the first.
        digests: Vec<StatedDigest>,
    }

    // ---- Law: each kind in its own stream, proposed by one and approved by another (spec A.8, A.9) --------
    /// Policy values are law from their effective date on.
    130 PolicyPublished {
        /// 1, 2, 3 …, counted over the proposals of its kind.
        version: u32,
        /// The `LawProposed` event that holds terms and content.
        proposal: EventId,
        /// Its digest.
        digest: Digest,
        /// Who proposed it; zero: whoever made the ledger.
        proposer: PrincipalId,
        /// Who approved it; zero: whoever made the ledger.
        approver: PrincipalId,
    }
    /// A service catalogue is law from its effective date on.
    131 ServiceCataloguePublished {
        /// 1, 2, 3 …, counted over the proposals of its kind.
        version: u32,
        /// The `LawProposed` event that holds terms and content.
        proposal: EventId,
        /// Its digest.
        digest: Digest,
        /// Who proposed it; zero: whoever made the ledger.
        proposer: PrincipalId,
        /// Who approved it; zero: whoever made the ledger.
        approver: PrincipalId,
    }
    /// Province codes are law from their effective date on.
    132 ProvinceCodesPublished {
        /// 1, 2, 3 …, counted over the proposals of its kind.
        version: u32,
        /// The `LawProposed` event that holds terms and content.
        proposal: EventId,
        /// Its digest.
        digest: Digest,
        /// Who proposed it; zero: whoever made the ledger.
        proposer: PrincipalId,
        /// Who approved it; zero: whoever made the ledger.
        approver: PrincipalId,
    }
    /// Message texts hold from their effective date on.
    133 MessageCataloguePublished {
        /// 1, 2, 3 …, counted over the proposals of its kind.
        version: u32,
        /// The `LawProposed` event that holds terms and content.
        proposal: EventId,
        /// Its digest.
        digest: Digest,
        /// Who proposed it; zero: whoever made the ledger.
        proposer: PrincipalId,
        /// Who approved it; zero: whoever made the ledger.
        approver: PrincipalId,
    }
    /// Document kinds are law from their effective date on.
    134 DocumentKindsPublished {
        /// 1, 2, 3 …, counted over the proposals of its kind.
        version: u32,
        /// The `LawProposed` event that holds terms and content.
        proposal: EventId,
        /// Its digest.
        digest: Digest,
        /// Who proposed it; zero: whoever made the ledger.
        proposer: PrincipalId,
        /// Who approved it; zero: whoever made the ledger.
        approver: PrincipalId,
    }
    /// Public holidays are law from their effective date on.
    135 CalendarPublished {
        /// 1, 2, 3 …, counted over the proposals of its kind.
        version: u32,
        /// The `LawProposed` event that holds terms and content.
        proposal: EventId,
        /// Its digest.
        digest: Digest,
        /// Who proposed it; zero: whoever made the ledger.
        proposer: PrincipalId,
        /// Who approved it; zero: whoever made the ledger.
        approver: PrincipalId,
    }
    /// Intake sites are law from their effective date on.
    136 IntakeSitesPublished {
        /// 1, 2, 3 …, counted over the proposals of its kind.
        version: u32,
        /// The `LawProposed` event that holds terms and content.
        proposal: EventId,
        /// Its digest.
        digest: Digest,
        /// Who proposed it; zero: whoever made the ledger.
        proposer: PrincipalId,
        /// Who approved it; zero: whoever made the ledger.
        approver: PrincipalId,
    }
    /// A version of a law is proposed. It says nothing until another principal approves it.
    140 LawProposed {
        /// Which law.
        law: LawKind,
        /// 1, 2, 3 …
        version: u32,
        /// BLAKE3 over `"idledger-law/v1\0"` and the encoding of `draft`.
        digest: Digest,
        /// Who; zero: whoever made the ledger.
        proposer: PrincipalId,
        /// Terms and content.
        draft: crate::law::LawDraft,
    }
    /// A proposal was turned down, or taken back.
    141 LawRejected {
        /// Which law.
        law: LawKind,
        /// Which version; its number is not used again.
        version: u32,
        /// By whom.
        by: PrincipalId,
    }

    // ---- P10: sharing ----------------------------------------------------------------------------
    /// The holder lets one relying party see fields, once. Names of fields only.
    150 ShareGranted {
        /// The share.
        share: ShareId,
        /// How.
        mode: ShareMode,
        /// Which fields.
        fields: Vec<ShareField>,
        /// To whom.
        relying_party: PrincipalId,
        /// No longer good from this instant.
        expires_at: Micros,
    }
    /// The relying party saw them.
    151 ShareConsumed {
        /// The share.
        share: ShareId,
        /// Who.
        relying_party: PrincipalId,
    }
    /// It was presented too late.
    152 ShareExpired {
        /// The share.
        share: ShareId,
    }

    // ---- Dependants and wards --------------------------------------------------------------------
    /// A child or ward is registered under this guardian's account, with the guardian's consent. Sealed:
    /// `Person`, as the registry confirmed it.
    160 DependantLinked {
        /// Keyed hash of the dependant's personal number.
        dependant: crate::ids::LookupHash,
        /// Child or ward.
        kind: DependantKind,
        /// What the guardian is to them.
        relation: Relation,
        /// Who confirmed it.
        database: Database,
        /// The day of fourteen full years: counted once, here. None of a ward.
        majority_on: Option<LocalDay>,
        /// Version of the text that the guardian agreed to.
        text_version: u16,
    }
    /// No longer under this account.
    161 DependantUnlinked {
        /// Keyed hash of the dependant's personal number.
        dependant: crate::ids::LookupHash,
        /// Why.
        reason: DependantEnd,
    }
    /// A dependant turned fourteen; an account of their own is theirs alone from now on.
    162 DependantReachedMajority {
        /// Keyed hash of the dependant's personal number.
        dependant: crate::ids::LookupHash,
        /// The day.
        on: LocalDay,
    }
    /// In the dependant's *own* account: opened by a guardian, with the guardian's number as contact.
    /// Sealed: `Person`.
    163 DependantAccountOpened {
        /// The guardian's account.
        guardian: AccountId,
        /// Keyed hash of the dependant's personal number.
        dependant: crate::ids::LookupHash,
        /// Child or ward.
        kind: DependantKind,
        /// The day of fourteen full years.
        majority_on: Option<LocalDay>,
    }
    /// In the dependant's own account: the guardian lets them act for a while.
    164 GuardianConsentGiven {
        /// The guardian's account.
        guardian: AccountId,
        /// No longer good from this instant.
        until: Micros,
    }

    // ---- Foreigners -------------------------------------------------------------------------------
    /// A foreigner asked for an account in the app (Decree 59 art. 15). Sealed: `Person` and
    /// `TravelDocument`, as the immigration database confirmed them.
    170 ForeignerRegistrationSubmitted {
        /// What was shown.
        document: TravelDocumentKind,
    }
    /// The immigration authority opened a level-2 intake with the person present. Sealed, on an account's
    /// first event: `Person` and `TravelDocument`.
    171 ForeignerIntakeOpened {
        /// The dossier.
        case: CaseId,
        /// The officer.
        officer: PrincipalId,
        /// Where the immigration database says the foreigner stays: the officer's area covers it. 0: it did
        /// not answer, and is asked again.
        area: AreaCode,
        /// Whether portrait and fingerprints are in the immigration database already.
        biometrics_held: bool,
    }

    // ---- Organisations (Decree 69 art. 12) ----------------------------------------------------------
    /// A legal representative applied for an organisation's account. Sealed: `Organisation`.
    172 OrganisationApplied {
        /// The dossier.
        case: CaseId,
        /// The representative's own account.
        representative: AccountId,
        /// Keyed hashes of the personal numbers of all other legal representatives, who must agree.
        others: Vec<crate::ids::LookupHash>,
        /// Whether the organisation's data are in the databases.
        known: bool,
    }
    /// Another legal representative answered, with their own account.
    173 RepresentativeAnswered {
        /// The dossier.
        case: CaseId,
        /// Their own account.
        representative: AccountId,
        /// Keyed hash of their personal number.
        person: crate::ids::LookupHash,
        /// Whether they agree.
        agreed: bool,
    }
    /// The same application was taken in person, with form TK02. Sealed: `Organisation`.
    174 OrganisationIntakeRecorded {
        /// The dossier.
        case: CaseId,
        /// The officer.
        officer: PrincipalId,
        /// Where.
        site: u32,
        /// The account of the representative who came.
        representative: AccountId,
        /// How many other legal representatives agreed on paper.
        agreements: u8,
        /// Whether the organisation's data are in the databases.
        known: bool,
    }
    /// The dossier is complete: everybody agreed. The days to decide are counted once, here.
    175 OrganisationDossierCompleted {
        /// The dossier.
        case: CaseId,
        /// The last day on which the authority may decide.
        decide_by: LocalDay,
    }
    /// The organisation has an account, without levels.
    176 OrganisationAccountIssued {
        /// The dossier.
        case: CaseId,
        /// Who acts for it.
        representative: AccountId,
        /// Where it is counted; 0: not known.
        area: AreaCode,
    }
    /// Somebody else acts for it from now on.
    177 RepresentativeChanged {
        /// Who did.
        old: AccountId,
        /// Who does.
        new: AccountId,
        /// Who confirmed it; `None`: the eID authority, from documents.
        database: Option<Database>,
    }
    /// The representative acted for the organisation towards a relying party. Sealed: `Note`, in what
    /// matter.
    178 RepresentativeActed {
        /// The representative's own account.
        representative: AccountId,
        /// Towards whom.
        relying_party: PrincipalId,
    }
    /// The application ended before a decision.
    179 OrganisationApplicationEnded {
        /// The dossier.
        case: CaseId,
        /// Why.
        reason: WithdrawReason,
    }

    // ---- Notices (P6) --------------------------------------------------------------------------------
    /// A notice left.
    180 NoticeSent {
        /// The event it tells of.
        notice: EventId,
        /// What it says.
        message: Message,
        /// By which channel.
        channel: Channel,
        /// How often it was tried, this time included.
        attempts: u16,
    }
    /// A notice was received: the carrier says so, or the citizen in the app.
    181 NoticeDelivered {
        /// The event it tells of.
        notice: EventId,
        /// By which channel.
        channel: Channel,
        /// When.
        received_at: Micros,
    }
    /// A notice was given up on one channel.
    182 NoticeFailed {
        /// The event it tells of.
        notice: EventId,
        /// Which channel.
        channel: Channel,
        /// Why.
        fault: NoticeFault,
        /// How often it was tried.
        attempts: u16,
        /// No other channel is left to try.
        last: bool,
    }

    // ---- Registries that did not answer ----------------------------------------------------------------
    /// A registry did not answer; what it was asked for waits, and it is asked again.
    183 RegistryAnswerAwaited {
        /// The question.
        request: RequestId,
        /// What waits.
        what: Awaited,
        /// Who is asked.
        database: Database,
    }
    /// The answer is no longer waited for. If it came, it stands beside this in its own event.
    184 RegistryWaitEnded {
        /// The question.
        request: RequestId,
        /// Why.
        end: WaitEnd,
    }

    // ---- Import of the past ------------------------------------------------------------------------
    /// An account that was issued elsewhere is brought in; it happened when it was issued. Sealed:
    /// `Person`.
    190 AccountImported {
        /// At this level.
        level: Level,
        /// Where it is counted.
        area: AreaCode,
        /// The intake site; 0: none.
        site: u32,
        /// First instant at which its activation is overdue, where it is not activated.
        activate_by: Option<Micros>,
        /// The document it was taken from (C-16: free text, never a key).
        source: String,
    }
    /// It was activated elsewhere; it happened when it was activated. Password, passcode, questions and
    /// device are still to be set here.
    191 ActivationImported {
        /// At this level.
        level: Level,
        /// The document it was taken from.
        source: String,
    }

    // ---- Chip reads and their trust list ------------------------------------------------------------
    /// A chip read was verified: passive authentication (ICAO 9303 part 11). Recorded whatever came of
    /// it. Sealed: `ChipHashes`.
    195 ChipVerified {
        /// The dossier; none where the read was not good enough for one.
        case: Option<CaseId>,
        /// What was read and what it proves.
        proof: ChipProof,
    }
    /// In the ledger's own stream: chip reads are verified against this list of authorities from now on.
    196 ChipTrustListLoaded {
        /// SHA-256 of the list's file.
        digest: Digest,
        /// Number of authorities in it.
        authorities: u32,
    }

    // ---- Service 5 of level 1 (letter S004) ------------------------------------------------------------
    /// A registry had something to tell the holder that this service carries: a card that expires, a
    /// birthday, a procedure that was settled.
    200 ServiceNoticeGiven {
        /// What.
        message: Message,
    }

    // ---- Late answers about foreigners and organisations ----------------------------------------------
    /// The databases know an organisation whose application had waited for them. Who represents it
    /// besides those who were asked already must agree too, and then the days are counted anew.
    215 OrganisationChecked {
        /// The dossier.
        case: CaseId,
        /// Keyed hashes of the personal numbers of those other representatives.
        others: Vec<crate::ids::LookupHash>,
    }
    /// The immigration database answered about a dossier that had waited for it.
    216 ForeignerChecked {
        /// The dossier.
        case: CaseId,
        /// Whether portrait and fingerprints are in that database already.
        biometrics_held: bool,
    }
    /// The device on which a dependant's account is being activated is the one bound to the guardian's
    /// account. It stays theirs: nothing is bound to the dependant's.
    217 GuardianDeviceUsed {
        /// The guardian's account.
        guardian: AccountId,
        /// The device.
        device: DeviceRef,
    }
}
