//! The closed lists of the domain. Order is format: a value is added at the end, never moved.

use crate::ids::{CaseId, Digest, DocumentId};
use serde::{Deserialize, Serialize};
use wincode::{SchemaRead, SchemaWrite};

/// Makes an enum that is one byte on disk and `snake_case` in JSON.
macro_rules! list {
    ($( $(#[$doc:meta])* $name:ident { $( $(#[$vdoc:meta])* $variant:ident ),* $(,)? } )*) => { $(
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, SchemaRead, SchemaWrite,
            Serialize, Deserialize,
        )]
        #[serde(rename_all = "snake_case")]
        #[wincode(tag_encoding = "u8")]
        pub enum $name { $( $(#[$vdoc])* $variant ),* }

        impl $name {
            /// Every value in order.
            pub const ALL: &'static [Self] = &[ $( Self::$variant ),* ];
        }
    )* };
}

list! {
    /// Who acts (spec A.1).
    Role {
        /// The ledger itself (automatic events).
        Ledger,
        /// công dân
        Citizen,
        /// cán bộ tiếp nhận
        IntakeOfficer,
        /// cơ quan quản lý định danh và xác thực điện tử
        EidAuthority,
        /// A registry's adapter.
        RegistryAdapter,
        /// The clock: deadlines passing.
        Clock,
        /// An agent of the authority's hotline.
        HotlineAgent,
        /// A procedural or other competent authority (locks, spec B.4).
        CompetentAuthority,
        /// A service that relies on presented data.
        RelyingParty,
        /// Whoever runs the ledger.
        Operator,
        /// A reader of projections with a token.
        Reader,
        /// cha, mẹ, người giám hộ
        Guardian,
        /// cán bộ quản lý xuất nhập cảnh: level 2 of foreigners (Decree 59 art. 15).
        ImmigrationOfficer,
        /// người đại diện theo pháp luật: acts for an organisation with their own account.
        Representative,
        /// Whoever brings existing accounts in.
        Importer,
    }
    /// How an app account was filled in (P1 step 2).
    RegistrationMethod {
        /// The card's QR, seven fields.
        CardQr,
        /// "Không quét được QR code?": typed in.
        Manual,
    }
    /// A registry that answers (spec C-08: always named, never inferred).
    Database {
        /// CSDL quốc gia về dân cư
        Population,
        /// CSDL căn cước công dân
        CitizenCard,
        /// CSDL xuất nhập cảnh
        Immigration,
        /// Giấy phép lái xe
        DrivingLicence,
        /// Đăng ký xe
        VehicleRegistration,
        /// Bảo hiểm y tế
        HealthInsurance,
        /// Bảo hiểm xã hội
        SocialInsurance,
        /// Thuế
        Tax,
        /// Sổ sức khỏe điện tử
        HealthRecord,
        /// CSDL đăng ký doanh nghiệp và các CSDL khác về tổ chức
        Organisations,
    }
    /// A registry's answer that was not "Đạt".
    RegistryOutcome {
        /// Data differ.
        Mismatch,
        /// Nobody with that number.
        NotFound,
        /// No answer.
        Unavailable,
    }
    /// What a one-time password allows.
    OtpPurpose {
        /// P1: to go on with registration.
        Registration,
        /// P7: to go on with activation.
        Activation,
        /// P8: the new number is one's own.
        PhoneChange,
        /// P9: the code shown on the old device, or sent after a chip read.
        DeviceChange,
    }
    /// Why a login was turned down.
    LoginOutcome {
        /// Wrong password.
        WrongPassword,
        /// Locked.
        Locked,
        /// Too many wrong passwords.
        Throttled,
        /// Not the bound device and no step-up.
        DeviceNotBound,
    }
    /// How strong card evidence is (spec C.2).
    EvidenceStrength {
        /// Read from the QR.
        QrUnsigned,
        /// Chip read, passive authentication good.
        ChipPassiveAuth,
        /// Chip read, active authentication good too.
        ChipActiveAuth,
        /// In person, biometric.
        InPersonBiometric,
        /// A travel document as declared, confirmed by the immigration database.
        TravelDocument,
    }
    /// What is wrong with a chip read (ICAO 9303 part 11, passive authentication). None of them: it is
    /// good.
    ChipFault {
        /// Not a document security object, or longer than one may be.
        SodMalformed,
        /// A hash that is not taken, or not the same where it must be.
        HashAlgorithm,
        /// A signature or key of a kind that is not taken.
        SignatureAlgorithm,
        /// The signed digest is not that of the security object.
        ContentDigest,
        /// The signature does not verify.
        Signature,
        /// The signer's certificate is not there or cannot be read.
        Certificate,
        /// The certificate is not for signing documents.
        CertificateUsage,
        /// The certificate is not valid yet.
        CertificateNotYetValid,
        /// The certificate is no longer valid.
        CertificateExpired,
        /// No trust list is loaded.
        TrustListMissing,
        /// No authority of the trust list issued the certificate.
        IssuerUnknown,
        /// The authority's own certificate is not valid at that time.
        IssuerOutOfTime,
        /// A data group that is not under the signature.
        DataGroupUnknown,
        /// A data group that is not as it was signed.
        DataGroupAltered,
        /// DG1 was not read, or holds no personal number: whose card it is cannot be told.
        HolderUnknown,
        /// The card is somebody else's.
        HolderMismatch,
        /// The card's own last day, in DG1, passed.
        CardExpired,
    }
    /// A biometric.
    Modality {
        /// ảnh chân dung
        Portrait,
        /// vân tay
        Fingerprints,
    }
    /// What a database said of a biometric.
    MatchResult {
        /// Same person.
        Match,
        /// Not the same person.
        NoMatch,
        /// Nothing to compare with.
        NoReference,
        /// No answer.
        Unavailable,
    }
    /// An issued level (spec A-07).
    Level {
        /// mức độ 1
        One,
        /// mức độ 2
        Two,
    }
    /// Why an application was refused.
    RefusalReason {
        /// Declared data differ from the registry's.
        DataMismatch,
        /// Biometrics do not match.
        BiometricMismatch,
        /// Evidence is not good.
        EvidenceInvalid,
        /// Not entitled to the level.
        NotEligible,
        /// The authority's other ground, told to the citizen in writing.
        Other,
    }
    /// Why an application ended before a decision.
    WithdrawReason {
        /// Consent was refused.
        ConsentRefused,
        /// The citizen withdrew it.
        ByCitizen,
        /// The officer ended the intake.
        ByOfficer,
        /// Another legal representative does not agree.
        RepresentativeDisagrees,
        /// The legal representative withdrew it.
        ByRepresentative,
    }
    /// A channel of notices.
    Channel {
        /// In the app.
        App,
        /// SMS
        Sms,
        /// e-mail
        Email,
        /// Told in person at the desk.
        InPerson,
    }
    /// How somebody proved themselves a second time (spec B.6).
    StepUpMethod {
        /// The code shown on the old device.
        CodeOnOldDevice,
        /// The chip card read by NFC.
        ChipRead,
        /// In person at the police.
        InPerson,
        /// The device's own signature (phone change on the bound device).
        BoundDevice,
        /// Proof of identity to the hotline.
        Hotline,
    }
    /// Why a device was unbound.
    UnbindReason {
        /// Another device took its place.
        Changed,
        /// The holder unlinked it.
        ByHolder,
        /// An officer unlinked it.
        ByOfficer,
        /// The hotline unlinked it.
        ByHotline,
        /// The device went to another account (policy `transfer_with_step_up`, C-09).
        Transferred,
        /// The account was closed.
        AccountClosed,
    }
    /// A kind of document that can be linked (spec A.3).
    DocumentKind {
        /// Giấy phép lái xe
        DrivingLicence,
        /// Đăng ký xe
        VehicleRegistration,
        /// Thẻ bảo hiểm y tế
        HealthInsuranceCard,
        /// Mã số thuế
        TaxCode,
        /// Mã số BHXH
        SocialInsuranceCode,
        /// Sổ sức khỏe điện tử
        HealthRecord,
    }
    /// A registry's answer to a declared document that was not `verified` (spec A.3).
    LinkOutcome {
        /// không tìm thấy dữ liệu
        NotFound,
        /// không đạt
        Mismatch,
        /// No answer.
        RegistryUnavailable,
        /// It exists and belongs to somebody else.
        OwnerMismatch,
        /// Expired or revoked since.
        NoLongerValid,
    }
    /// A ground for a lock (spec B.4). An account is locked while any is there.
    LockGround {
        /// The holder asked.
        OwnRequest,
        /// Breach of the app's terms.
        TermsBreached,
        /// The card was revoked or is held.
        CardRevoked,
        /// The holder died. Never unlocked.
        Death,
        /// A procedural authority asked.
        ProceduralAuthority,
        /// Another competent authority asked.
        CompetentAuthority,
        /// The card expired (Decree 69 art. 15).
        CardExpired,
        /// Passport or travel document expired (foreigner).
        TravelDocumentExpired,
        /// Residence ended (foreigner).
        ResidenceEnded,
        /// Dissolved or stopped (organisation).
        OrganisationDissolved,
        /// A relying party asked (Decree 59 only).
        RelyingParty,
    }
    /// Why an account was closed.
    CloseReason {
        /// The holder died.
        Death,
        /// Revoked.
        Revoked,
        /// Dissolved.
        OrganisationDissolved,
    }
    /// Why a claim ended.
    ClaimEnd {
        /// The number or device was changed.
        Changed,
        /// It was never confirmed and another needed it.
        Forfeited,
        /// The account was closed.
        AccountClosed,
        /// The command that made it was turned down.
        CommandRejected,
    }
    /// Which data live how long (spec B.5).
    RetentionClass {
        /// Class P: for ever.
        Permanent,
        /// Class U: usage, five years.
        Usage,
        /// Class S: short-lived.
        Short,
    }
    /// Why a notice was given up.
    NoticeFault {
        /// The holder has no address for any channel there is.
        NoAddress,
        /// The carrier refused it for good.
        Refused,
        /// The carrier could not be reached, or had no time, too often.
        Unreachable,
        /// It left, and no receipt came in time.
        Unconfirmed,
    }
    /// What a ledger key signs.
    KeyPurpose {
        /// Events.
        Events,
        /// Checkpoints.
        Checkpoints,
    }
    /// Why a key no longer counts (terms of RFC 5280, 5.3.1).
    KeyEnd {
        /// Another key took its place.
        Superseded,
        /// Somebody else has it, or may have.
        KeyCompromise,
        /// Nobody has it any more.
        Lost,
        /// Whoever used it no longer does what it was for.
        CessationOfOperation,
    }
    /// A security question of the current list.
    QuestionId {
        /// Name of your first school?
        FirstSchool,
        /// Name of your first teacher?
        FirstTeacher,
        /// Name of your childhood friend?
        ChildhoodFriend,
        /// Your favourite dish?
        FavouriteDish,
        /// Your mother's home village?
        MothersVillage,
        /// Your first job?
        FirstJob,
    }
    /// What can be asked (spec A.8).
    CommandKind {
        /// P1.
        RegisterAppAccount,
        /// P1 steps 5.
        ConfirmRegistrationOtp,
        /// A new code.
        ResendOtp,
        /// P1 step 6.
        SetPassword,
        /// P2.
        LogIn,
        /// P3.
        ApplyLevel1,
        /// P4, P5.
        OpenLevel2Intake,
        /// P4.
        RecordBiometrics,
        /// P4.
        RecordConsent,
        /// P4.
        SubmitLevel2,
        /// P4.
        RecordRegistryResult,
        /// P6.
        DecideApplication,
        /// P6.
        NotifyResult,
        /// P7.
        RequestActivation,
        /// P7.
        ConfirmActivationOtp,
        /// P7.
        SetPasscode,
        /// P7.
        SetSecurityQuestions,
        /// The clock.
        ExpireActivationWindow,
        /// The hotline.
        AssistActivation,
        /// P9.
        RequestDeviceChange,
        /// P9.
        ConfirmDeviceChange,
        /// P9.
        UnlinkDevice,
        /// P8.
        RequestPhoneChange,
        /// P8.
        ConfirmPhoneChange,
        /// Documents.
        LinkDocument,
        /// Documents.
        RefreshDocument,
        /// Documents.
        UnlinkDocument,
        /// Locks.
        LockAccount,
        /// Locks.
        UnlockAccount,
        /// The end.
        CloseAccount,
        /// Erasure.
        RequestErasure,
        /// Principals.
        EnrolPrincipal,
        /// Principals.
        RevokePrincipal,
        /// Withdraw an application.
        WithdrawApplication,
        /// Policy.
        PublishPolicy,
        /// Catalogue.
        PublishCatalogue,
        /// Settling a dangling claim.
        SettleClaim,
        /// The clock: nobody decided in time.
        ExpireProcessingDeadline,
        /// A version of a law is proposed.
        ProposeLaw,
        /// A law other than policy and catalogue is published.
        PublishLaw,
        /// A proposal is turned down.
        RejectLaw,
        /// P10.
        ShareData,
        /// P10.
        ConsumeShare,
        /// Locks: an authority or a relying party asks (spec B.4).
        RequestLock,
        /// Locks: the eID authority answers.
        DecideLockRequest,
        /// The clock: nobody answered in time.
        ExpireLockDeadline,
        /// A registry reports what became of a card, a permit or a holder.
        ReportStatus,
        /// The clock: a card, passport or residence ran out.
        ExpireValidity,
        /// A guardian has a child or ward registered under their account.
        LinkDependant,
        /// The guardian ends it.
        UnlinkDependant,
        /// The clock: fourteen full years.
        ReachMajority,
        /// A guardian opens the dependant's own account (Decree 69 art. 7, 10).
        OpenDependantAccount,
        /// A guardian lets the dependant act (Decree 69 art. 14).
        GiveConsent,
        /// Notices: it left.
        RecordNoticeSent,
        /// Notices: it was received.
        RecordNoticeDelivered,
        /// Notices: given up.
        RecordNoticeFailed,
        /// A registry that did not answer is asked again.
        AskRegistry,
        /// A foreigner registers in the app.
        RegisterForeigner,
        /// Level 2 at the immigration authority.
        OpenForeignerIntake,
        /// A legal representative applies for an organisation (Decree 69 art. 12).
        RegisterOrganisation,
        /// Another legal representative agrees or does not.
        AnswerForOrganisation,
        /// The same application in person (form TK02).
        OpenOrganisationIntake,
        /// Somebody else represents the organisation.
        ChangeRepresentative,
        /// The representative acts for the organisation towards a relying party.
        ActForOrganisation,
        /// An account that exists elsewhere is brought in.
        ImportAccount,
    }
    /// A kind of published law (spec A.9). Its order is that of the streams' fold.
    LawKind {
        /// Policy values.
        Policy,
        /// The service catalogue.
        Catalogue,
        /// Province codes.
        Provinces,
        /// Texts of messages.
        Messages,
        /// Document kinds.
        Documents,
        /// Public holidays.
        Calendar,
        /// Intake sites.
        Sites,
    }
    /// A guard of a command, in the order the specification A.8 gives them per command.
    Guard {
        /// The number is twelve digits.
        PersonalIdFormat,
        /// The phone number has a valid form.
        PhoneFormat,
        /// Nobody has an account under this number.
        PersonalIdFree,
        /// No other account has this phone number.
        PhoneFree,
        /// The registry confirms the data.
        RegistryMatch,
        /// A challenge of this purpose is open.
        OtpOpen,
        /// It has not expired.
        OtpInTime,
        /// Attempts are left.
        OtpAttempts,
        /// The code is right.
        OtpCode,
        /// Not sent again too soon.
        OtpResend,
        /// The OTP was verified in this procedure.
        OtpVerified,
        /// Not on the list of common passwords.
        PasswordAllowed,
        /// No password before.
        PasswordNotSet,
        /// The account is there and open.
        AccountOpen,
        /// No lock ground.
        Unlocked,
        /// Password, passcode or other credential is right.
        CredentialRight,
        /// Not too many wrong ones.
        NotThrottled,
        /// The device is the bound one, or a step-up was done.
        DeviceKnown,
        /// An app account.
        AppOnly,
        /// Fourteen full years.
        Age,
        /// A chip card is there.
        ChipCard,
        /// The evidence is good.
        Evidence,
        /// A portrait is there.
        Portrait,
        /// No application under way.
        NoOpenCase,
        /// The dossier exists in that state.
        CaseState,
        /// The level is not held already.
        LevelNotHeld,
        /// The officer is active and mapped to this site.
        OfficerAuthorised,
        /// The site is open on this day.
        SiteOpen,
        /// The person is present.
        PersonPresent,
        /// The capture is of sufficient quality.
        CaptureQuality,
        /// Consent was given.
        Consent,
        /// All evidence is there.
        EvidenceComplete,
        /// The question is open.
        RequestOpen,
        /// All checks are present.
        ChecksComplete,
        /// A decision was taken.
        Decided,
        /// There is a channel to tell by.
        ChannelKnown,
        /// Number and phone belong to one account.
        AccountMatch,
        /// P7 check a: identified.
        LevelCheck,
        /// P7 check b: not activated yet.
        NotActivated,
        /// P7 check c: the device.
        DeviceCheck,
        /// The window is open.
        WindowOpen,
        /// The window is overdue.
        WindowOverdue,
        /// The deadline passed.
        DeadlinePassed,
        /// Exactly six digits.
        PasscodeFormat,
        /// Not on the list of common passcodes.
        PasscodeAllowed,
        /// Exactly two distinct questions.
        QuestionCount,
        /// Of the current list.
        QuestionKnown,
        /// The activation is at this step.
        ActivationStep,
        /// A second proof.
        StepUp,
        /// The account is activated.
        Activated,
        /// The level suffices.
        LevelSufficient,
        /// The registry verified the document.
        RegistryVerified,
        /// The document's owner is the account's holder.
        OwnerMatch,
        /// The link is there.
        DocumentLinked,
        /// The ground is lawful for whoever asks.
        GroundLawful,
        /// The ground is there.
        GroundPresent,
        /// No other ground remains.
        NoOtherGround,
        /// The retention class allows it.
        RetentionAllows,
        /// The role may do this.
        RoleAllowed,
        /// The device is bound to this account.
        DeviceBound,
        /// The document's number has its kind's form.
        DocumentFormat,
        /// Not linked already.
        DocumentNew,
        /// The version is well formed, and it is what was signed.
        LawForm,
        /// It is not backdated, or its ground is named.
        LegalBasis,
        /// It lies over no other version.
        NoOverlap,
        /// The proposal is there and open.
        ProposalOpen,
        /// The proposal is what was signed.
        ProposalSame,
        /// Proposer and approver are two.
        FourEyes,
        /// Every field is the caller's to share: known, once, and entitled.
        FieldsEntitled,
        /// Every field has something to share.
        FieldsPresent,
        /// The relying party is enrolled and active.
        RelyingPartyKnown,
        /// The share is there.
        ShareOpen,
        /// It was granted to whoever asks.
        ShareAddressed,
        /// It has not expired.
        ShareInTime,
        /// It was not used.
        ShareUnused,
        /// The request is there and not answered.
        LockRequestOpen,
        /// A refusal says why.
        ReasonGiven,
        /// No other request of this ground is open.
        NoOpenRequest,
        /// A last day of validity is known.
        ValidityKnown,
        /// Younger than fourteen, or a ward.
        IsDependant,
        /// The registry confirms the relation.
        IsGuardian,
        /// Not linked already, and room for one more.
        DependantNew,
        /// The dependant is linked.
        DependantLinked,
        /// The guardian may act: an activated level-2 account, unlocked.
        GuardianEntitled,
        /// Policy lets dependants have accounts of their own.
        OwnAccountAllowed,
        /// The guardian has agreed, not long ago.
        GuardianConsent,
        /// Old enough for level 2 at all (Decree 69 art. 7).
        LevelForAge,
        /// The account is of the sort that the procedure is for.
        HolderSort,
        /// The travel document is valid.
        TravelDocumentValid,
        /// A residence card is there, where policy asks for one.
        ResidencePermit,
        /// The organisation's number and name have a valid form.
        OrganisationForm,
        /// The representative may act: an activated level-2 account, unlocked.
        RepresentativeEntitled,
        /// A legal representative of this organisation.
        IsRepresentative,
        /// All other legal representatives agree.
        Agreement,
        /// Issued before activated, and both before now.
        TimesInOrder,
        /// Some policy was in force then.
        LawInForce,
        /// A source document is named.
        SourceNamed,
    }
    /// A stable code of a refusal; its text form is the API's `code`.
    RefusalCode {
        /// The number is not twelve digits.
        PersonalIdFormat,
        /// The phone number has no valid form.
        PhoneFormat,
        /// Somebody has an account under this number.
        PersonalIdAlreadyRegistered,
        /// Another account has this phone number.
        PhoneInUse,
        /// Declared data differ from the registry's.
        DataMismatch,
        /// The registry did not answer.
        RegistryUnavailable,
        /// No challenge is open.
        OtpNotOpen,
        /// Wrong code.
        OtpWrong,
        /// Too late.
        OtpExpired,
        /// Too often.
        OtpAttemptsExhausted,
        /// Too soon.
        OtpResendTooSoon,
        /// No OTP was verified.
        OtpNotVerified,
        /// A common password.
        PasswordBlocklisted,
        /// There is a password already.
        PasswordAlreadySet,
        /// The account is closed.
        AccountClosed,
        /// The account is locked.
        Locked,
        /// Wrong credential.
        CredentialWrong,
        /// Too many wrong ones.
        Throttled,
        /// Not the bound device.
        DeviceNotBound,
        /// Not an app account.
        NotAppAccount,
        /// Younger than fourteen.
        UnderAge,
        /// No chip card.
        NoChipCard,
        /// Evidence is not good.
        EvidenceInvalid,
        /// Level 1 is held.
        AlreadyLevel1,
        /// Level 2 is held.
        AlreadyLevel2,
        /// An application is under way.
        CaseOpen,
        /// No such dossier in that state.
        CaseNotOpen,
        /// The officer may not act here.
        OfficerNotAuthorised,
        /// The site is not open.
        SiteNotOpen,
        /// The person is not present.
        PersonNotPresent,
        /// The capture is not good enough.
        CaptureQuality,
        /// Consent was refused.
        ConsentRefused,
        /// Evidence is missing.
        EvidenceMissing,
        /// The question is not open.
        RequestNotOpen,
        /// Checks are missing.
        ChecksIncomplete,
        /// Not decided.
        NotDecided,
        /// No channel.
        NoChannel,
        /// Number and phone do not belong to one account, or there is none.
        RequestNotAccepted,
        /// P7 a.
        NotIdentified,
        /// P7 b.
        AlreadyActivated,
        /// P7 c.
        UseOtherDevice,
        /// The window ended.
        ActivationWindowEnded,
        /// The window is not overdue.
        WindowNotOverdue,
        /// The deadline has not passed.
        DeadlineNotPassed,
        /// Not six digits.
        PasscodeFormat,
        /// A common passcode.
        PasscodeBlocklisted,
        /// Not two distinct questions.
        QuestionCount,
        /// Not of the list.
        QuestionUnknown,
        /// Another step comes first.
        StepOutOfOrder,
        /// The second proof failed.
        StepUpFailed,
        /// The proof failed.
        ProofFailed,
        /// Not activated.
        NotActivated,
        /// The level does not suffice.
        LevelTooLow,
        /// The registry does not know it.
        RegistryNotFound,
        /// The registry's data differ.
        RegistryMismatch,
        /// It belongs to somebody else.
        OwnerMismatch,
        /// Not linked.
        DocumentNotLinked,
        /// The ground is not lawful for whoever asks.
        GroundNotLawful,
        /// The ground is not there.
        GroundNotPresent,
        /// Another ground remains.
        OtherGroundRemains,
        /// The law forbids erasure.
        RetentionForbids,
        /// The role may not do this.
        RoleNotAllowed,
        /// The document's number is malformed.
        DocumentFormat,
        /// Linked already.
        DocumentAlreadyLinked,
        /// No such account.
        AccountNotFound,
        /// The password is too short or too long.
        PasswordFormat,
        /// The result was not notified yet, so the activation window is not open.
        ResultNotNotified,
        /// As many documents are linked as can be.
        DocumentLimit,
        /// A version of a law that is not well formed, or not what was signed.
        LawMalformed,
        /// It reaches into the past and names no ground.
        BackdatedWithoutBasis,
        /// It lies over another version.
        LawOverlaps,
        /// There is no such open proposal.
        LawNotProposed,
        /// The proposal is another than was signed.
        LawDiffers,
        /// Whoever proposed it may not approve it.
        SamePersonApproves,
        /// The passcode is wrong (P10).
        PasscodeWrong,
        /// A field is not the account's to share.
        FieldNotEntitled,
        /// There is nothing to share under a field.
        FieldNotAvailable,
        /// No such relying party.
        RelyingPartyUnknown,
        /// No such share.
        ShareNotFound,
        /// The share was granted to another relying party.
        ShareOfAnother,
        /// The share expired.
        ShareExpired,
        /// The share was used.
        ShareAlreadyUsed,
        /// No such open request for a lock.
        LockRequestNotOpen,
        /// A request on this ground is open already.
        LockRequestPending,
        /// A refusal without its reasons.
        ReasonMissing,
        /// No last day of validity is known.
        ValidityUnknown,
        /// The registry does not know the relation.
        NotGuardian,
        /// Fourteen or older, and not a ward.
        NotDependant,
        /// Linked already.
        DependantAlreadyLinked,
        /// As many dependants are linked as can be.
        DependantLimit,
        /// No such dependant.
        DependantNotLinked,
        /// Dependants have no accounts of their own under this policy.
        OwnAccountNotAllowed,
        /// The guardian has not agreed.
        GuardianConsentMissing,
        /// The procedure is for another sort of holder.
        WrongHolderSort,
        /// The travel document expired.
        TravelDocumentExpired,
        /// No residence card.
        ResidenceMissing,
        /// The organisation's number or name is malformed.
        OrganisationFormat,
        /// Not a legal representative of this organisation.
        NotRepresentative,
        /// Another legal representative has not agreed.
        AgreementMissing,
        /// As many legal representatives as can be.
        RepresentativeLimit,
        /// Represents the organisation already.
        RepresentativeUnchanged,
        /// Activated before issued, or in the future.
        TimesOutOfOrder,
        /// No policy was in force then.
        NoLawInForce,
        /// No source document, or one that gives a person away.
        SourceMissing,
        /// The card's evidence is good and weaker than policy asks for.
        EvidenceTooWeak,
    }
    /// A message of the catalogue (spec A.7). Events hold the id, never the text.
    Message {
        /// đề nghị công dân điều chỉnh lại thông tin
        DataMismatch,
        /// "Không quét được QR code?"
        QrFallback,
        /// The code was sent.
        OtpSent,
        /// "tài khoản của bạn chưa được định danh điện tử"
        NotIdentified,
        /// "Tài khoản của bạn đã thực hiện kích hoạt"
        AlreadyActivated,
        /// Go on with activation.
        ConfirmActivation,
        /// Activate on another device.
        UseOtherDevice,
        /// The activation code.
        ActivationCode,
        /// The result.
        IssuanceResult,
        /// The window ended: call the hotline.
        ActivationWindowEnded,
        /// Neutral: not accepted.
        RequestNotAccepted,
        /// Account data are kept for ever by law (spec B.5).
        KeptByLaw,
        /// The phone number was changed; goes to the old number.
        PhoneChanged,
        /// A device was bound or unbound; goes to the holder.
        DeviceChanged,
        /// The account was locked or unlocked.
        LockChanged,
        /// One ground ended and another remains.
        LockRemains,
        /// A request to lock or unlock was refused.
        LockRequestRefused,
        /// cảnh báo hết hạn thẻ CCCD gắn chip (service 5)
        CardExpiry,
        /// Thông báo sinh nhật (service 5)
        Birthday,
        /// thông báo giải quyết thủ tục liên thông (service 5)
        LinkedProcedure,
    }
    /// How data are shared (P10, letter S004 service 7).
    ShareMode {
        /// xuất trình thông tin được tích hợp trên ứng dụng
        InApp,
        /// mã QR căn cước: the card's seven fields
        CardQr,
        /// mã QR định danh: one minute, once
        IdentificationQr,
    }
    /// A field that can be shared. Names only: values never stand in an event. A tax code is none:
    /// no service of the list 2024-03 carries it (C-04).
    ShareField {
        /// số định danh cá nhân
        PersonalId,
        /// họ, chữ đệm và tên khai sinh
        FullName,
        /// ngày sinh
        BirthDate,
        /// giới tính
        Sex,
        /// nơi thường trú
        Residence,
        /// số CMND 9 số
        OldId,
        /// ngày cấp thẻ
        CardIssued,
        /// số điện thoại
        Phone,
        /// thư điện tử
        Email,
        /// giấy phép lái xe
        DrivingLicence,
        /// đăng ký xe
        VehicleRegistration,
        /// thẻ bảo hiểm y tế
        HealthInsuranceCard,
        /// mã số BHXH
        SocialInsuranceCode,
        /// sổ sức khỏe điện tử
        HealthRecord,
    }
    /// What has a last day.
    Validity {
        /// The identity card (Decree 69 art. 15).
        Card,
        /// Passport or travel document (foreigner).
        TravelDocument,
        /// Permission to reside (foreigner).
        Residence,
    }
    /// What a request of an authority or a relying party asks for.
    LockAction {
        /// One more ground.
        Lock,
        /// That ground's end.
        Unlock,
    }
    /// Why a request to lock or unlock was refused; the reasons in words are sealed beside it.
    LockRefusal {
        /// The law does not let this requester ask on this ground.
        GroundNotLawful,
        /// What was said does not bear it.
        NotFounded,
        /// It is about somebody else.
        WrongAccount,
        /// The ground has not ended (of an unlock).
        GroundRemains,
        /// Another reason.
        Other,
    }
    /// What a registry reports of a holder, automatically (spec B.4).
    Status {
        /// The card was revoked.
        CardRevoked,
        /// The card is held by an authority.
        CardHeld,
        /// The card was returned.
        CardReturned,
        /// A new card was issued; it has a last day of its own.
        CardIssued,
        /// The holder died.
        Died,
        /// A travel document was issued or prolonged.
        TravelDocumentIssued,
        /// Residence was granted or prolonged.
        ResidenceGranted,
        /// Residence in Viet Nam ended.
        ResidenceEnded,
        /// The organisation was dissolved or stopped.
        OrganisationDissolved,
        /// The organisation works again.
        OrganisationRestored,
        /// The card will expire soon: the holder is warned.
        CardExpiresSoon,
        /// It is the holder's birthday.
        Birthday,
        /// A linked administrative procedure of the holder was settled.
        ProcedureSettled,
    }
    /// What a guardian is to a dependant, as the registry says.
    Relation {
        /// cha, mẹ
        Parent,
        /// người giám hộ
        Guardian,
    }
    /// Why somebody is a dependant (C-14: "người được giám hộ").
    DependantKind {
        /// Younger than fourteen.
        Child,
        /// A ward of any age.
        Ward,
    }
    /// How a foreigner stays in Viet Nam (Decree 69 art. 7: who resides may have an account).
    ResidenceStatus {
        /// A visitor.
        None,
        /// thẻ tạm trú
        Temporary,
        /// thẻ thường trú
        Permanent,
    }
    /// Why a registry's answer is no longer waited for.
    WaitEnd {
        /// It came.
        Answered,
        /// What it was for is over.
        NotNeeded,
    }
    /// A foreigner's paper (spec B.2).
    TravelDocumentKind {
        /// hộ chiếu
        Passport,
        /// giấy tờ có giá trị đi lại quốc tế
        LaissezPasser,
        /// Another that the immigration authority accepts.
        Other,
    }
    /// Why a dependant is no longer under a guardian's account.
    DependantEnd {
        /// The guardian took them out.
        ByGuardian,
        /// Fourteen full years.
        Majority,
    }
}

/// What a registry has not answered yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[wincode(tag_encoding = "u8")]
pub enum Awaited {
    /// Whether the person of this dossier is who they say.
    Identity(CaseId),
    /// Whether what was captured for this dossier is theirs.
    Biometric(CaseId, Modality),
    /// Whether this document is the holder's.
    Document(DocumentId, DocumentKind),
}

impl Awaited {
    /// The dossier it holds up.
    pub const fn case(self) -> Option<CaseId> {
        match self {
            Self::Identity(case) | Self::Biometric(case, _) => Some(case),
            Self::Document(..) => None,
        }
    }
}

/// A captured image, kept outside the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
pub struct Capture {
    /// BLAKE3 of a 32-byte salt and the image; the salt stays with the image.
    pub digest: Digest,
    /// Quality score 0–100 of the capturing software.
    pub quality: u8,
}

/// What was read from a chip (spec C.3): hashes and verdicts, never contents.
#[derive(Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
pub struct ChipEvidence {
    /// SHA-256 of the document security object.
    pub sod: Digest,
    /// SHA-256 over the hashes of the data groups read, each preceded by its number.
    pub data_groups: Digest,
    /// SHA-256 of the document-signer certificate.
    pub certificate: Digest,
    /// What it proves.
    pub strength: EvidenceStrength,
    /// Version of the verifying software.
    pub verifier: u32,
}

/// The digest of one projection, as the ledger states it.
#[derive(Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
pub struct StatedDigest {
    /// Name of the projection.
    pub projection: String,
    /// Version of its rows: digests of different versions cannot be compared.
    pub version: u32,
    /// Set digest of its rows.
    pub digest: Digest,
}

/// What a verified chip read came to (spec C.3): hashes and a verdict, never contents.
#[derive(Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite, Serialize, Deserialize)]
pub struct ChipProof {
    /// SHA-256 of EF.SOD as it was read.
    pub sod: Digest,
    /// Numbers of the data groups read. Their hashes are sealed: DG1 holds so little that is not known
    /// of somebody that its hash could be tried.
    pub groups: Vec<u8>,
    /// Serial number of the document signer's certificate, hexadecimal; empty: it could not be read.
    pub serial: String,
    /// Name of the authority that issued it, as the trust list says; empty: none did.
    pub issuer: String,
    /// SHA-256 of the document signer's certificate.
    pub certificate: Option<Digest>,
    /// SHA-256 of the trust list's file.
    pub trust_list: Option<Digest>,
    /// What is wrong with it. None: passive authentication is good.
    pub faults: Vec<ChipFault>,
    /// Version of the verifier.
    pub verifier: u32,
}

impl ChipProof {
    /// Passive authentication is good.
    pub const fn is_good(&self) -> bool {
        self.faults.is_empty()
    }
}
