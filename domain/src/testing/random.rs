//! Random events, commands and surroundings. Ids come from a handful, so that they meet.

use super::{CARD_QR, NOON, Surroundings, device, foreigner, organisation, passport, person};
use crate::command::{
    ChipAnswer, Command, CredentialForm, DocumentAnswer, Holder, OfficerFacts, RegistryAnswer,
};
use crate::event::{self as e, Event};
use crate::ids::{
    AccountId, AreaCode, CaseId, ChallengeId, DeviceRef, Digest, DocumentId, EventId, LocalDay,
    LookupHash, Micros, PrincipalId, PublicKey, RequestId, ShareId, StreamId, VerifierId,
};
use crate::policy::{BiometricRule, BoundDeviceActivation, ContactRequired, Policy};
use crate::vocabulary as v;
use crate::vocabulary::{
    Capture, Channel, ChipEvidence, CloseReason, Database, DocumentKind, Level, LinkOutcome,
    LockGround, MatchResult, Message, Modality, OtpPurpose, QuestionId, RetentionClass, Role,
};
use proptest::prelude::*;

/// Bytes that decide one thing after another; when they run out, zero.
struct Dice<'a>(&'a [u8]);

impl Dice<'_> {
    fn roll(&mut self, sides: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        usize::from(*first) % sides.max(1)
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len())]
    }

    fn yes(&mut self) -> bool {
        self.roll(2) == 1
    }

    fn id(&mut self) -> [u8; 16] {
        [self.roll(3) as u8; 16]
    }

    fn maybe<T>(&mut self, some: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.yes().then(|| some(self))
    }

    /// Around [`NOON`], up to some weeks off.
    fn instant(&mut self) -> Micros {
        let days = self.roll(64) as i64 - 16;
        NOON.plus(days * Micros::DAY / 2)
    }

    fn capture(&mut self) -> Capture {
        Capture {
            digest: Digest([self.roll(2) as u8; 32]),
            quality: self.pick(&[0, 59, 60, 100]),
        }
    }

    fn chip(&mut self) -> ChipEvidence {
        ChipEvidence {
            sod: Digest([1; 32]),
            data_groups: Digest([2; 32]),
            certificate: Digest([3; 32]),
            strength: self.pick(v::EvidenceStrength::ALL),
            verifier: 1,
        }
    }

    fn proof(&mut self) -> v::ChipProof {
        v::ChipProof {
            sod: Digest([1; 32]),
            groups: vec![1, 2],
            serial: "01".into(),
            issuer: String::new(),
            certificate: self.maybe(|_| Digest([3; 32])),
            trust_list: self.maybe(|_| Digest([4; 32])),
            faults: self
                .maybe(|d| d.pick(v::ChipFault::ALL))
                .into_iter()
                .collect(),
            verifier: 1,
        }
    }

    fn holder(&mut self) -> Holder {
        match self.roll(4) {
            0 => Holder::Free,
            1 => Holder::Own,
            2 => Holder::Other(AccountId([9; 16])),
            _ => Holder::NotAsked,
        }
    }
}

/// Any event that can stand in an account's stream, and some that cannot.
pub fn any_event() -> impl Strategy<Value = Event> {
    proptest::collection::vec(any::<u8>(), 12).prop_map(|bytes| {
        let mut dice = Dice(&bytes);
        let kind = dice.roll(96);
        application(kind, &mut dice)
            .or_else(|| usage(kind, &mut dice))
            .unwrap_or_else(|| standing(kind, &mut dice))
    })
}

fn application(kind: usize, d: &mut Dice<'_>) -> Option<Event> {
    let (case, challenge, request) = (CaseId(d.id()), ChallengeId(d.id()), RequestId(d.id()));
    let database = d.pick(Database::ALL);
    Some(match kind {
        0 => e::AppRegistrationSubmitted {
            method: d.pick(v::RegistrationMethod::ALL),
        }
        .into(),
        1 => e::RegistryCheckRequested { request, database }.into(),
        2 => e::RegistryCheckSucceeded {
            request,
            database,
            area: AreaCode(30_288),
        }
        .into(),
        3 => {
            let outcome = d.pick(v::RegistryOutcome::ALL);
            e::RegistryCheckFailed {
                request,
                database,
                outcome,
            }
            .into()
        }
        4 => e::OtpChallengeIssued {
            challenge,
            purpose: d.pick(OtpPurpose::ALL),
            expires_at: d.instant(),
            resend_after: d.instant(),
            attempts_max: d.roll(6) as u8,
        }
        .into(),
        5 => e::OtpVerified {
            challenge,
            purpose: d.pick(OtpPurpose::ALL),
        }
        .into(),
        6 => e::PhoneVerified { challenge }.into(),
        7 => e::PasswordSet {
            verifier: VerifierId(d.id()),
        }
        .into(),
        8 => e::AppAccountCreated {}.into(),
        9 => e::SessionOpened { device: None }.into(),
        10 => e::LoginFailed {
            outcome: d.pick(v::LoginOutcome::ALL),
        }
        .into(),
        11 => {
            let strength = d.pick(v::EvidenceStrength::ALL);
            e::Level1Applied {
                case,
                strength,
                decide_by: d.instant().local_day(),
            }
            .into()
        }
        12 => e::ChipEvidenceRecorded {
            case,
            evidence: d.chip(),
        }
        .into(),
        13 => e::QrEvidenceRecorded { case }.into(),
        14 => e::PortraitCaptured {
            case,
            capture: d.capture(),
        }
        .into(),
        15 => e::Level2IntakeOpened {
            case,
            officer: PrincipalId(d.id()),
            site: 7,
            with_card_issue: d.yes(),
        }
        .into(),
        16 => e::FingerprintsCaptured {
            case,
            capture: d.capture(),
        }
        .into(),
        17 => e::ConsentRecorded {
            case,
            text_version: 1,
            witness: PrincipalId(d.id()),
        }
        .into(),
        18 => e::Level2Applied {
            case,
            decide_by: LocalDay(19_790),
        }
        .into(),
        19 => e::Level2Withdrawn {
            case,
            reason: d.pick(v::WithdrawReason::ALL),
        }
        .into(),
        20 => {
            let (modality, result) = (d.pick(Modality::ALL), d.pick(MatchResult::ALL));
            e::BiometricMatchRecorded {
                case,
                modality,
                database,
                result,
            }
            .into()
        }
        21 => e::AccountIssued {
            case,
            level: d.pick(Level::ALL),
            area: AreaCode(30_288),
        }
        .into(),
        22 => e::ApplicationRefused {
            case,
            reason: d.pick(v::RefusalReason::ALL),
        }
        .into(),
        23 => e::ProcessingDeadlineMissed {
            case,
            due: LocalDay(19_790),
        }
        .into(),
        24 => {
            let (channel, received_at) = (d.pick(Channel::ALL), d.instant());
            e::ResultNotified {
                case,
                channel,
                received_at,
            }
            .into()
        }
        _ => return None,
    })
}

fn usage(kind: usize, d: &mut Dice<'_>) -> Option<Event> {
    let challenge = ChallengeId(d.id());
    let device = DeviceRef(d.id());
    let key = PublicKey([device.0[0]; 32]);
    let document = DocumentId(d.id());
    let (doc_kind, verifier) = (d.pick(DocumentKind::ALL), VerifierId(d.id()));
    Some(match kind {
        25 => e::ActivationWindowOpened {
            deadline: d.instant(),
        }
        .into(),
        26 => e::ActivationRequested { device, key }.into(),
        27 => e::DeviceCheckPassed { device }.into(),
        28 => e::ActivationCodeSent { challenge }.into(),
        29 => e::ActivationOtpVerified { challenge }.into(),
        30 => e::PasscodeSet { verifier }.into(),
        31 => {
            let (first, second) = (d.pick(QuestionId::ALL), d.pick(QuestionId::ALL));
            e::SecurityQuestionsSet {
                first,
                second,
                verifier,
            }
            .into()
        }
        32 => e::DeviceBound { device, key }.into(),
        33 => e::AccountActivated {
            level: d.pick(Level::ALL),
        }
        .into(),
        34 => e::ActivationWindowExpired {
            deadline: d.instant(),
        }
        .into(),
        35 => e::ActivationReopened {
            agent: PrincipalId(d.id()),
            deadline: d.instant(),
        }
        .into(),
        36 => e::DeviceChangeRequested { device, key }.into(),
        37 => e::StepUpSatisfied {
            method: d.pick(v::StepUpMethod::ALL),
        }
        .into(),
        38 => e::DeviceUnbound {
            device,
            reason: d.pick(v::UnbindReason::ALL),
        }
        .into(),
        39 => e::PhoneChangeRequested {
            phone: LookupHash(d.id()),
        }
        .into(),
        40 => e::PhoneChanged {
            old: LookupHash(d.id()),
            new: LookupHash(d.id()),
        }
        .into(),
        41 => e::DocumentLinkRequested {
            document,
            kind: doc_kind,
        }
        .into(),
        42 => {
            // More of them than an account keeps.
            let document = DocumentId([d.roll(16) as u8; 16]);
            let (database, data_as_of) = (d.pick(Database::ALL), d.instant());
            e::DocumentLinked {
                document,
                kind: doc_kind,
                database,
                data_as_of,
            }
            .into()
        }
        43 => {
            let outcome = d.pick(LinkOutcome::ALL);
            e::DocumentLinkFailed {
                document,
                kind: doc_kind,
                outcome,
            }
            .into()
        }
        44 => e::DocumentRefreshed {
            document,
            data_as_of: d.instant(),
        }
        .into(),
        45 => e::DocumentLinkBroken {
            document,
            outcome: d.pick(LinkOutcome::ALL),
        }
        .into(),
        46 => e::DocumentUnlinked { document }.into(),
        _ => return None,
    })
}

fn standing(kind: usize, d: &mut Dice<'_>) -> Event {
    let class = d.pick(RetentionClass::ALL);
    match kind {
        47 | 48 => e::AccountLocked {
            ground: d.pick(LockGround::ALL),
        }
        .into(),
        49 | 50 => e::LockGroundRemoved {
            ground: d.pick(LockGround::ALL),
        }
        .into(),
        51 => e::AccountUnlocked {}.into(),
        52 => e::AccountClosed {
            reason: d.pick(CloseReason::ALL),
        }
        .into(),
        53 => e::ErasureApproved { class }.into(),
        54 => e::SubjectKeyDestroyed { class }.into(),
        55 => e::ErasureRefused {
            class,
            basis: v::Message::KeptByLaw,
        }
        .into(),
        56 => {
            let claim = StreamId::claim(crate::ids::Category::PhoneClaim, LookupHash(d.id()));
            e::ClaimForfeited {
                claim,
                confirmed_by: EventId(d.id()),
            }
            .into()
        }
        // Of other streams: they change nothing here.
        57 => e::Claimed {
            account: AccountId(d.id()),
            confirmed_by: EventId(d.id()),
        }
        .into(),
        58 => e::PrincipalRevoked {
            principal: PrincipalId(d.id()),
            from: NOON,
            reason: v::KeyEnd::Lost,
        }
        .into(),
        64..=78 => people(kind, d),
        79..=90 => holders(kind - 2, d),
        91 => e::ChipVerified {
            case: d.maybe(|d| CaseId(d.id())),
            proof: d.proof(),
        }
        .into(),
        92 => e::ChipTrustListLoaded {
            digest: Digest([4; 32]),
            authorities: 3,
        }
        .into(),
        93 => e::OrganisationChecked {
            case: CaseId(d.id()),
            others: vec![LookupHash(d.id())],
        }
        .into(),
        95 => e::GuardianDeviceUsed {
            guardian: AccountId(d.id()),
            device: DeviceRef(d.id()),
        }
        .into(),
        94 => e::ForeignerChecked {
            case: CaseId(d.id()),
            biometrics_held: d.yes(),
        }
        .into(),
        _ => e::CommandRejected {
            command: d.pick(v::CommandKind::ALL),
            guard: d.pick(v::Guard::ALL),
            code: d.pick(v::RefusalCode::ALL),
            message: None,
            challenge: d.maybe(|d| ChallengeId(d.id())),
        }
        .into(),
    }
}

/// Sharing, and locks that others ask for.
fn people(kind: usize, d: &mut Dice<'_>) -> Event {
    let (share, request) = (ShareId(d.id()), RequestId(d.id()));
    let relying_party = PrincipalId(d.id());
    match kind {
        64 => e::ValidityRecorded {
            of: d.pick(v::Validity::ALL),
            until: d.instant().local_day(),
        }
        .into(),
        65 => e::LockRequested {
            request: RequestId([d.roll(16) as u8; 16]),
            requester: relying_party,
            role: d.pick(Role::ALL),
            ground: d.pick(LockGround::ALL),
            action: d.pick(v::LockAction::ALL),
            forward_by: None,
            decide_by: d.instant().local_day(),
        }
        .into(),
        66 => e::LockRequestGranted { request }.into(),
        67 => e::LockRequestRefused {
            request,
            reason: d.pick(v::LockRefusal::ALL),
        }
        .into(),
        68 => e::LockDeadlineMissed {
            request,
            due: LocalDay(19_790),
        }
        .into(),
        69 => e::ShareGranted {
            share: ShareId([d.roll(16) as u8; 16]),
            mode: d.pick(v::ShareMode::ALL),
            fields: v::ShareField::ALL.repeat(1 + d.roll(3)),
            relying_party,
            expires_at: d.instant(),
        }
        .into(),
        70 => e::ShareConsumed {
            share,
            relying_party,
        }
        .into(),
        71 => e::ShareExpired { share }.into(),
        72 => e::DependantLinked {
            dependant: LookupHash([d.roll(16) as u8; 16]),
            kind: d.pick(v::DependantKind::ALL),
            relation: d.pick(v::Relation::ALL),
            database: d.pick(Database::ALL),
            majority_on: d.maybe(|d| d.instant().local_day()),
            text_version: 1,
        }
        .into(),
        73 => e::DependantUnlinked {
            dependant: LookupHash(d.id()),
            reason: d.pick(v::DependantEnd::ALL),
        }
        .into(),
        74 => e::DependantReachedMajority {
            dependant: LookupHash(d.id()),
            on: LocalDay(19_790),
        }
        .into(),
        77 => e::RegistryAnswerAwaited {
            request: RequestId([d.roll(24) as u8; 16]),
            what: match d.roll(3) {
                0 => v::Awaited::Identity(CaseId(d.id())),
                1 => v::Awaited::Biometric(CaseId(d.id()), d.pick(Modality::ALL)),
                _ => v::Awaited::Document(
                    DocumentId([d.roll(24) as u8; 16]),
                    d.pick(DocumentKind::ALL),
                ),
            },
            database: d.pick(Database::ALL),
        }
        .into(),
        78 => e::RegistryWaitEnded {
            request: RequestId(d.id()),
            end: d.pick(v::WaitEnd::ALL),
        }
        .into(),
        75 => e::DependantAccountOpened {
            guardian: AccountId(d.id()),
            dependant: LookupHash(d.id()),
            kind: d.pick(v::DependantKind::ALL),
            majority_on: d.maybe(|d| d.instant().local_day()),
        }
        .into(),
        _ => e::GuardianConsentGiven {
            guardian: AccountId(d.id()),
            until: d.instant(),
        }
        .into(),
    }
}

/// Foreigners, organisations, the past.
fn holders(kind: usize, d: &mut Dice<'_>) -> Event {
    let (case, representative) = (CaseId(d.id()), AccountId(d.id()));
    match kind {
        77 => e::ForeignerRegistrationSubmitted {
            document: d.pick(v::TravelDocumentKind::ALL),
        }
        .into(),
        78 => e::ForeignerIntakeOpened {
            case,
            officer: PrincipalId(d.id()),
            area: AreaCode(30_288),
            biometrics_held: d.yes(),
        }
        .into(),
        79 => e::OrganisationApplied {
            case,
            representative,
            others: (0..d.roll(12))
                .map(|other| LookupHash([other as u8; 16]))
                .collect(),
            known: d.yes(),
        }
        .into(),
        80 => e::RepresentativeAnswered {
            case,
            representative,
            person: LookupHash(d.id()),
            agreed: d.yes(),
        }
        .into(),
        81 => e::OrganisationIntakeRecorded {
            case,
            officer: PrincipalId(d.id()),
            site: 7,
            representative,
            agreements: 1,
            known: d.yes(),
        }
        .into(),
        82 => e::OrganisationDossierCompleted {
            case,
            decide_by: LocalDay(19_790),
        }
        .into(),
        83 => e::OrganisationAccountIssued {
            case,
            representative,
            area: AreaCode(30_288),
        }
        .into(),
        84 => e::RepresentativeChanged {
            old: representative,
            new: AccountId(d.id()),
            database: d.maybe(|d| d.pick(Database::ALL)),
        }
        .into(),
        85 => e::RepresentativeActed {
            representative,
            relying_party: PrincipalId(d.id()),
        }
        .into(),
        86 => e::OrganisationApplicationEnded {
            case,
            reason: d.pick(v::WithdrawReason::ALL),
        }
        .into(),
        87 => e::AccountImported {
            level: d.pick(Level::ALL),
            area: AreaCode(30_288),
            site: 7,
            activate_by: d.maybe(Dice::instant),
            source: "sổ 1".into(),
        }
        .into(),
        _ => e::ActivationImported {
            level: d.pick(Level::ALL),
            source: "sổ 1".into(),
        }
        .into(),
    }
}

/// Any command, with the role that asks. Ids are those of the account where it has some
/// (`dossiers`, `codes`, `links`), so that commands reach their later guards.
pub fn any_command() -> impl Strategy<Value = (u8, Vec<u8>)> {
    (any::<u8>(), proptest::collection::vec(any::<u8>(), 16))
}

/// Builds the command drawn by [`any_command`] for an account as it is now.
pub fn build_command(drawn: &(u8, Vec<u8>), account: &crate::account::Account) -> (Role, Command) {
    let mut dice = Dice(&drawn.1);
    let d = &mut dice;
    let case = match account.cases.last() {
        Some(case) if d.roll(8) != 0 => case.id,
        _ => CaseId(d.id()),
    };
    let challenge = match account.challenges.last() {
        Some(last) if d.roll(8) != 0 => last.id,
        _ => ChallengeId(d.id()),
    };
    let document = match account.documents.last() {
        Some(last) if d.roll(8) != 0 => last.id,
        _ => DocumentId(d.id()),
    };
    let command = match usize::from(drawn.0) % 57 {
        kind @ 49.. => build_holders(kind - 4, d, account),
        kind @ 33..=44 => build_people(kind, d, account),
        48 => Command::AskRegistry {
            request: match account.waiting.last() {
                Some(last) if d.roll(8) != 0 => last.request,
                _ => RequestId(d.id()),
            },
        },
        kind => build(kind, d, case, challenge, document),
    };
    let roles = crate::decide::roles(command.kind());
    let role = if d.roll(16) == 0 {
        d.pick(Role::ALL)
    } else {
        d.pick(roles)
    };
    (role, command)
}

fn build(
    kind: usize,
    d: &mut Dice<'_>,
    case: CaseId,
    challenge: ChallengeId,
    document: DocumentId,
) -> Command {
    let number = d.roll(3) as u8;
    match kind {
        0 => Command::RegisterAppAccount {
            person: person(),
            method: d.pick(v::RegistrationMethod::ALL),
            qr: d.maybe(|_| CARD_QR.into()),
        },
        1 => Command::ConfirmRegistrationOtp { challenge },
        2 => Command::ResendOtp {
            purpose: d.pick(OtpPurpose::ALL),
        },
        3 => Command::SetPassword {
            verifier: VerifierId(d.id()),
        },
        4 => Command::LogIn {
            device: d.maybe(|d| DeviceRef(d.id())),
        },
        5 => Command::ApplyLevel1 {
            chip: d.maybe(Dice::chip),
            qr: d.maybe(|_| CARD_QR.into()),
            portrait: d.maybe(Dice::capture),
        },
        6 => Command::OpenLevel2Intake {
            person: d.maybe(|_| person()),
            site: 7,
            person_present: d.roll(8) != 0,
            with_card_issue: d.yes(),
        },
        7 => Command::RecordBiometrics {
            case,
            portrait: d.maybe(Dice::capture),
            fingerprints: d.maybe(Dice::capture),
        },
        8 => Command::RecordConsent {
            case,
            given: d.roll(4) != 0,
            text_version: 1,
        },
        9 => Command::SubmitLevel2 { case },
        10 => Command::RecordRegistryResult {
            case,
            modality: d.pick(Modality::ALL),
            database: d.pick(Database::ALL),
            result: d.pick(&[MatchResult::Match, MatchResult::Match, MatchResult::NoMatch]),
        },
        11 => Command::DecideApplication {
            case,
            refuse: (d.roll(4) == 0).then_some(v::RefusalReason::Other),
        },
        12 => Command::NotifyResult {
            case,
            channel: Channel::Sms,
            received_at: d.instant(),
        },
        13 => Command::RequestActivation {
            matched: d.roll(8) != 0,
            device: device(number),
            step_up: d.maybe(|d| d.pick(v::StepUpMethod::ALL)),
        },
        14 => Command::ConfirmActivationOtp { challenge },
        15 => Command::SetPasscode {
            verifier: VerifierId(d.id()),
        },
        16 => Command::SetSecurityQuestions {
            questions: vec![QuestionId::FirstJob, d.pick(QuestionId::ALL)],
            verifier: VerifierId(d.id()),
        },
        17 => Command::ExpireActivationWindow,
        18 => Command::ExpireProcessingDeadline { case },
        19 => Command::AssistActivation {
            proof_given: d.yes(),
        },
        20 => Command::RequestDeviceChange {
            device: device(number),
        },
        21 => Command::ConfirmDeviceChange {
            method: d.pick(v::StepUpMethod::ALL),
            challenge: d.maybe(|_| challenge),
        },
        22 => Command::UnlinkDevice {
            reason: d.pick(v::UnbindReason::ALL),
        },
        23 => Command::RequestPhoneChange {
            phone: "+84987654321".into(),
            hash: LookupHash([number; 16]),
            method: d.pick(v::StepUpMethod::ALL),
        },
        24 => Command::ConfirmPhoneChange { challenge },
        25 => Command::LinkDocument {
            kind: d.pick(DocumentKind::ALL),
            number: d.pick(&["030012345678", "29A12345", "x"]).into(),
        },
        26 => Command::RefreshDocument {
            document,
            data_as_of: d.instant(),
            outcome: d.maybe(|d| d.pick(LinkOutcome::ALL)),
        },
        27 => Command::UnlinkDocument { document },
        28 => Command::LockAccount {
            ground: d.pick(LockGround::ALL),
        },
        29 => Command::UnlockAccount {
            ground: d.pick(LockGround::ALL),
        },
        30 if d.roll(8) == 0 => Command::CloseAccount {
            reason: d.pick(CloseReason::ALL),
        },
        31 => Command::WithdrawApplication {
            case,
            reason: d.pick(v::WithdrawReason::ALL),
        },
        45 => Command::RecordNoticeDelivered {
            notice: EventId(d.id()),
            case: d.maybe(|_| case),
            channel: d.pick(Channel::ALL),
            received_at: d.instant(),
        },
        46 => Command::RecordNoticeFailed {
            notice: EventId(d.id()),
            channel: d.pick(Channel::ALL),
            fault: d.pick(v::NoticeFault::ALL),
            attempts: 3,
            last: d.yes(),
        },
        47 => Command::RecordNoticeSent {
            notice: EventId(d.id()),
            message: Message::LockChanged,
            channel: d.pick(Channel::ALL),
            attempts: 1,
        },
        _ => Command::RequestErasure {
            class: d.pick(RetentionClass::ALL),
        },
    }
}

fn build_people(kind: usize, d: &mut Dice<'_>, account: &crate::account::Account) -> Command {
    let request = match account.lock_requests.last() {
        Some(last) if d.roll(8) != 0 => last.id,
        _ => RequestId(d.id()),
    };
    let share = match account.shares.last() {
        Some(last) if d.roll(8) != 0 => last.id,
        _ => ShareId(d.id()),
    };
    match kind {
        33 => Command::ShareData {
            mode: d.pick(v::ShareMode::ALL),
            fields: vec![d.pick(v::ShareField::ALL), d.pick(v::ShareField::ALL)],
            // The relying party of `decide_under`.
            relying_party: PrincipalId([Role::RelyingParty as u8 + 1; 16]),
        },
        34 => Command::ConsumeShare { share },
        35 => Command::RequestLock {
            ground: d.pick(&[
                LockGround::ProceduralAuthority,
                LockGround::CompetentAuthority,
                LockGround::RelyingParty,
                LockGround::Death,
            ]),
            action: d.pick(v::LockAction::ALL),
            reasons: d.pick(&["", "vụ án số 1"]).into(),
        },
        36 => Command::DecideLockRequest {
            request,
            refuse: d.maybe(|d| d.pick(v::LockRefusal::ALL)),
            reasons: d.pick(&["", "không có căn cứ"]).into(),
        },
        37 => Command::ExpireLockDeadline { request },
        38 => Command::ReportStatus {
            status: d.pick(v::Status::ALL),
            until: d.maybe(|d| d.instant().local_day()),
        },
        39 => Command::ExpireValidity {
            of: d.pick(v::Validity::ALL),
        },
        40 => Command::LinkDependant {
            person: person(),
            hash: LookupHash(d.id()),
            consent: d.roll(4) != 0,
            text_version: 1,
            document: None,
        },
        41 => Command::UnlinkDependant {
            dependant: LookupHash(d.id()),
        },
        42 => Command::ReachMajority {
            dependant: LookupHash(d.id()),
        },
        43 => Command::OpenDependantAccount {
            person: person(),
            hash: LookupHash(d.id()),
            guardian: AccountId([Role::Guardian as u8 + 1; 16]),
            document: d.maybe(|_| passport()),
        },
        _ => Command::GiveConsent,
    }
}

fn build_holders(kind: usize, d: &mut Dice<'_>, account: &crate::account::Account) -> Command {
    let case = match &account.organisation {
        Some(known) if d.roll(8) != 0 => known.dossier.id,
        _ => CaseId(d.id()),
    };
    // The representative of `decide_under`.
    let representative = AccountId([Role::Representative as u8 + 1; 16]);
    match kind {
        45 => Command::RegisterForeigner {
            person: foreigner(),
            document: passport(),
        },
        46 => Command::OpenForeignerIntake {
            person: d.maybe(|_| foreigner()),
            document: d.maybe(|_| passport()),
            person_present: d.roll(8) != 0,
        },
        47 => Command::RegisterOrganisation {
            organisation: organisation(),
            representative,
            others: vec![LookupHash(d.id())],
        },
        48 => Command::AnswerForOrganisation {
            case,
            representative,
            agree: d.roll(4) != 0,
        },
        49 => Command::OpenOrganisationIntake {
            organisation: organisation(),
            representative,
            site: 7,
            person_present: d.roll(8) != 0,
            agreements: d.maybe(|_| 1),
        },
        50 => Command::ChangeRepresentative { representative },
        51 => Command::ActForOrganisation {
            relying_party: PrincipalId(d.id()),
            matter: d.pick(&["", "hồ sơ thuế"]).into(),
        },
        _ => Command::ImportAccount {
            person: person(),
            level: d.pick(Level::ALL),
            issued_at: d.instant(),
            activated_at: d.maybe(Dice::instant),
            area: AreaCode(30_288),
            site: 7,
            source: d.pick(&["", "sổ 1", "030099000001"]).into(),
        },
    }
}

/// Any surroundings; most let most commands pass.
pub fn any_surroundings() -> impl Strategy<Value = Surroundings> {
    proptest::collection::vec(any::<u8>(), 20).prop_map(|bytes| surroundings(&mut Dice(&bytes)))
}

fn surroundings(d: &mut Dice<'_>) -> Surroundings {
    let policy = Policy {
        bound_device_activation: if d.yes() {
            BoundDeviceActivation::TransferWithStepUp
        } else {
            BoundDeviceActivation::Reject
        },
        contact_required: if d.yes() {
            ContactRequired::PhoneOrEmail
        } else {
            ContactRequired::OwnMobile
        },
        biometric_rule: if d.yes() {
            BiometricRule::Any
        } else {
            BiometricRule::PortraitAndFingerprints
        },
        level_1_evidence_min: if d.roll(8) == 0 {
            v::EvidenceStrength::ChipPassiveAuth
        } else {
            v::EvidenceStrength::QrUnsigned
        },
        ..Policy::default()
    };
    let base = Surroundings {
        policy,
        ..Surroundings::default()
    };
    // One in four is out of the ordinary; the ordinary get through a whole procedure now and then.
    if d.roll(4) != 0 {
        return Surroundings {
            credential_right: Some(true),
            step_up: Some(true),
            ..base
        };
    }
    Surroundings {
        person: d.maybe(|_| person()),
        registry: d.maybe(|d| match d.roll(4) {
            0 => RegistryAnswer::Not(d.pick(v::RegistryOutcome::ALL)),
            _ => RegistryAnswer::Confirmed {
                area: AreaCode(30_288),
                birth_date: d.pick(&["1990-02-01", "2015-01-01", "2010", "x"]).into(),
                has_chip_card: d.yes(),
            },
        }),
        document: d.maybe(|d| match d.roll(2) {
            0 => DocumentAnswer::Not(d.pick(LinkOutcome::ALL)),
            _ => DocumentAnswer::Verified { data_as_of: NOON },
        }),
        declared: d.maybe(|_| "030012345678".into()),
        biometrics: if d.yes() {
            vec![(d.pick(Modality::ALL), d.pick(MatchResult::ALL))]
        } else {
            Vec::new()
        },
        personal_id_holder: d.holder(),
        phone_holder: d.holder(),
        device_holder: d.holder(),
        new_phone: d.maybe(|_| "+84987654321".into()),
        otp_right: d.maybe(Dice::yes),
        credential_right: d.maybe(Dice::yes),
        chip: d.maybe(|d| ChipAnswer {
            proof: d.proof(),
            groups: Vec::new(),
        }),
        credential_form: d.maybe(|d| {
            d.pick(&[
                CredentialForm::Good,
                CredentialForm::WrongForm,
                CredentialForm::OnBlockList,
            ])
        }),
        step_up: d.maybe(Dice::yes),
        officer: d.maybe(|d| OfficerFacts {
            active: d.yes(),
            sites: vec![7],
        }),
        ..base
    }
}
