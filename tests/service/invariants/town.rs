//! A handful of people, phones and devices, and whoever acts for them: procedures begun, carried on, broken off.
//!
//! It steers and judges nothing: what it remembers (the last code, the last dossier) only makes commands meet.

use crate::law::{file, publish, second};
use crate::world::{World, key, public};
use domain::command::{Command, DeviceInfo};
use domain::envelope::Actor;
use domain::event::{AccountIssued, AppAccountCreated, Event};
use domain::ids::{
    AccountId, AreaCode, CaseId, Category, ChallengeId, CommandId, DeviceRef, Digest, DocumentId,
    Micros, PrincipalId, RequestId, ShareId, StreamId, VerifierId,
};
use domain::personal::Person;
use domain::vocabulary::{
    Capture, Channel, ChipEvidence, CloseReason, Database, DocumentKind, EvidenceStrength, Level,
    LockAction, LockGround, MatchResult, Modality, OtpPurpose, QuestionId, RefusalReason,
    RegistrationMethod, RetentionClass, Role, ShareField, ShareMode, Status, StepUpMethod,
    UnbindReason, WithdrawReason,
};
use ed25519_dalek::SigningKey;
use ledger::chip::testing::Recipe;
use ledger::chip::{ChipRead, PassiveAuthentication, TrustList};
use ledger::evidence::{Proven, SignedCommand};
use ledger::writer::{LedgerError, Outcome, Secrets, Submission, Target};
use outside::clock::Clock;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

const PEOPLE: usize = 5;
const PHONES: usize = 4;
const DEVICES: usize = 4;
const PASSWORD: &str = "một mật khẩu khá dài 7";
const PASSCODE: &str = "730518";

/// Bytes that decide one thing after another; when they run out, zero.
pub struct Dice<'a>(&'a [u8]);

impl<'a> Dice<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    fn roll(&mut self, sides: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        usize::from(*first) % sides
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len())]
    }

    /// Fifteen times of sixteen.
    fn mostly(&mut self) -> bool {
        self.roll(16) != 15
    }
}

/// What an account was last told.
#[derive(Default, Clone)]
struct Told {
    challenge: Option<ChallengeId>,
    case: Option<CaseId>,
    document: Option<DocumentId>,
    share: Option<ShareId>,
    request: Option<RequestId>,
    device: usize,
}

/// Who asks.
#[derive(Clone, Copy)]
enum By {
    /// In a session, or with nothing but a code.
    Citizen,
    /// The holder, with a device's key.
    Device(usize),
    /// The holder of another account, with a device's key.
    Guardian(AccountId, usize),
    Staff(Role),
}

pub struct Town {
    pub world: World,
    /// Whose number each account was let through with.
    pub people: BTreeMap<AccountId, usize>,
    /// The phone each account was let through with last.
    phones: BTreeMap<AccountId, usize>,
    /// Accounts that are more than begun: no officer's entry replaces their phone.
    made: BTreeSet<AccountId>,
    told: BTreeMap<AccountId, Told>,
    /// A phone that is being proved or changed to.
    pending: BTreeMap<AccountId, usize>,
    clock: Clock,
    commands: u64,
}

/// Reads of everybody's chip, made once.
static CHIPS: LazyLock<Vec<ChipRead>> = LazyLock::new(|| {
    let read = |person| Recipe::of(&who(person, 0).personal_id).read();
    (0..PEOPLE).map(read).collect()
});

fn who(person: usize, phone: usize) -> Person {
    Person {
        // The last is a ward, by the registry of these tests.
        personal_id: if person + 1 == PEOPLE {
            "030150000777".to_owned()
        } else {
            format!("03018400000{person}")
        },
        full_name: "Nguyễn Thị Đẹp".to_owned(),
        birth_date: "1984-02-29".to_owned(),
        sex: "Nữ".to_owned(),
        residence: "Hải Dương".to_owned(),
        phone: phone_number(phone),
        email: String::new(),
        old_id: String::new(),
        card_issued: "2021-06-20".to_owned(),
    }
}

fn phone_number(phone: usize) -> String {
    format!("+8491234567{phone}")
}

fn device_key(device: usize) -> SigningKey {
    key(60 + u8::try_from(device).unwrap())
}

/// Any event of the issue of a level: its kind is what matters.
fn issued() -> Event {
    let (case, level, area) = (CaseId([0; 16]), Level::One, AreaCode(0));
    AccountIssued { case, level, area }.into()
}

fn secret(fill: impl FnOnce(&mut Secrets)) -> Secrets {
    let mut all = Secrets::default();
    fill(&mut all);
    all
}

#[allow(clippy::unnecessary_wraps, reason = "as commands have it")]
fn capture() -> Option<Capture> {
    let digest = Digest([5; 32]);
    let quality = 90;
    Some(Capture { digest, quality })
}

impl Town {
    /// `transfer`: whether a device may be taken over (C-09). Children's own accounts are allowed.
    pub async fn new(transfer: bool) -> Self {
        let world = World::new().await;
        let other = second(&world).await;
        let mut changes = vec![
            ("= \"under_guardian\"", "= \"own_on_demand\""),
            ("name = \"2022-02\"", "name = \"2024-03\""),
        ];
        if transfer {
            changes.push(("= \"reject\"", "= \"transfer_with_step_up\""));
        }
        let text = file("policy-2022-02.toml", "2024-03-07", &changes);
        publish(&world, &other, "policy", &text).await;
        world.pass(3 * 86_400);
        let list = TrustList::read(Recipe::of("").trust_list().as_bytes()).unwrap();
        let verifier = Arc::new(PassiveAuthentication::new(list));
        world.ledger.verify_chips_with(verifier);
        let clock = Clock::new(world.ledger.clone(), world.views.clone());
        Self {
            world,
            people: BTreeMap::new(),
            phones: BTreeMap::new(),
            made: BTreeSet::new(),
            told: BTreeMap::new(),
            pending: BTreeMap::new(),
            clock,
            commands: 0,
        }
    }

    fn staff(&self, role: Role) -> &SigningKey {
        match role {
            Role::IntakeOfficer => &self.world.officer,
            Role::EidAuthority => &self.world.authority,
            Role::RegistryAdapter => &self.world.adapter,
            Role::HotlineAgent => &self.world.hotline,
            Role::CompetentAuthority => &self.world.competent,
            _ => &self.world.relying,
        }
    }

    fn principal(&self, role: Role) -> PrincipalId {
        let key = public(self.staff(role)).id();
        self.world.ledger.principals().by_key(key).unwrap().id
    }

    fn device(&self, device: usize) -> DeviceInfo {
        let identifier = format!("device-{device}");
        let hash = self.world.ledger.lookup(Category::DeviceClaim, &identifier);
        DeviceInfo {
            device: DeviceRef(hash.0),
            key: public(&device_key(device)),
            identifier,
            model: "Model".to_owned(),
        }
    }

    fn verifier(&self) -> VerifierId {
        VerifierId(self.world.ledger.assembler().ids().id())
    }

    /// Submits; `None`: turned down, by a rule or at the door. Anything else that goes wrong fails the test.
    async fn submit(
        &mut self,
        by: By,
        target: Target,
        command: Command,
        secrets: Secrets,
    ) -> Option<Outcome> {
        self.commands += 1;
        let mut id = [0xc0; 16];
        id[..8].copy_from_slice(&self.commands.to_be_bytes());
        let command_id = CommandId(id);
        let account = match &target {
            Target::Account(account) => Some(*account),
            _ => None,
        };
        let (role, principal, key) = match by {
            By::Citizen => (Role::Citizen, PrincipalId::ZERO, None),
            By::Device(device) => (Role::Citizen, PrincipalId::ZERO, Some(device_key(device))),
            By::Guardian(guardian, device) => (
                Role::Guardian,
                PrincipalId(guardian.0),
                Some(device_key(device)),
            ),
            By::Staff(role) => (role, self.principal(role), Some(self.staff(role).clone())),
        };
        let signed = SignedCommand {
            salt: [9; 16],
            command_id,
            account,
            command: command.clone(),
        };
        let proven = match &key {
            Some(key) => signed.sign(key).unwrap(),
            None => Proven::unproven(Some(vec![1; 40])),
        };
        let submission = Submission {
            command,
            target,
            command_id,
            correlation: None,
            actor: Actor {
                role,
                principal,
                key: key.map(|key| public(&key).id()),
            },
            proven,
            expected: None,
            occurred_at: None,
            secrets,
        };
        match self.world.ledger.submit(submission).await {
            Ok(outcome) if outcome.refused.is_none() => {
                self.learn(&outcome);
                Some(outcome)
            }
            Ok(_)
            | Err(
                LedgerError::Flood { .. }
                | LedgerError::Unauthorised
                | LedgerError::AccountNotFound,
            ) => None,
            Err(error) => panic!("{error}"),
        }
    }

    fn learn(&mut self, outcome: &Outcome) {
        let Some(account) = outcome.account else {
            return;
        };
        let made = [AppAccountCreated {}.into(), issued()].map(|event: Event| event.kind());
        if outcome.events.iter().any(|of| made.contains(&of.kind)) {
            self.made.insert(account);
        }
        let told = self.told.entry(account).or_default();
        told.challenge = outcome.challenge.or(told.challenge);
        told.case = outcome.case.or(told.case);
        told.document = outcome.document.or(told.document);
        told.share = outcome.share.map(|(share, _)| share).or(told.share);
        told.request = outcome.lock_request.or(told.request);
    }

    async fn on(&mut self, by: By, account: AccountId, command: Command) -> Option<Outcome> {
        let target = Target::Account(account);
        self.submit(by, target, command, Secrets::default()).await
    }

    async fn with(
        &mut self,
        by: By,
        account: AccountId,
        command: Command,
        secrets: Secrets,
    ) -> Option<Outcome> {
        let target = Target::Account(account);
        self.submit(by, target, command, secrets).await
    }

    /// Some account, if there is one.
    fn some(&self, dice: &mut Dice<'_>) -> Option<AccountId> {
        let all: Vec<AccountId> = self.told.keys().copied().collect();
        (!all.is_empty()).then(|| dice.pick(&all))
    }

    fn told(&self, account: AccountId) -> Told {
        self.told.get(&account).cloned().unwrap_or_default()
    }

    /// The code that was sent, mostly.
    fn code(&self, account: AccountId, dice: &mut Dice<'_>) -> Secrets {
        let sent = self.world.mailbox.take_code(account);
        let code = sent.and_then(|message| message.code);
        let wrong = Some("000000".to_owned());
        secret(|all| all.otp = if dice.mostly() { code } else { wrong })
    }

    /// The claim of each account's phone.
    pub fn phones(&self) -> impl Iterator<Item = (AccountId, StreamId)> + '_ {
        let claim = |phone: usize| {
            let number = phone_number(phone);
            self.world.ledger.claim(Category::PhoneClaim, &number)
        };
        let all = self.phones.iter();
        all.map(move |(account, phone)| (*account, claim(*phone)))
    }

    /// One procedure, or a part of one.
    pub async fn step(&mut self, dice: &mut Dice<'_>) {
        match dice.roll(24) {
            0..=3 => self.register(dice).await,
            4..=6 => self.desk(dice).await,
            7 | 8 => self.level_1(dice).await,
            9..=12 => self.activate(None, dice).await,
            13 | 14 => self.change_device(dice).await,
            15 | 16 => self.change_phone(dice).await,
            17 | 18 => self.lock(dice).await,
            19 => self.share(dice).await,
            20 => self.document(dice).await,
            21 => self.dependant(dice).await,
            22 => self.end(dice).await,
            _ => self.wait(dice).await,
        }
    }

    async fn register(&mut self, dice: &mut Dice<'_>) {
        let (person, phone) = (dice.roll(PEOPLE), dice.roll(PHONES));
        let command = Command::RegisterAppAccount {
            person: who(person, phone),
            method: RegistrationMethod::Manual,
            qr: None,
        };
        let asked = self.submit(By::Citizen, Target::New, command, Secrets::default());
        let Some(asked) = asked.await else { return };
        let account = asked.account.unwrap();
        self.people.insert(account, person);
        self.pending.insert(account, phone);
        if dice.mostly() && self.confirm_registration(account, dice).await && dice.mostly() {
            self.password(By::Citizen, account, dice).await;
        }
        if dice.mostly() {
            self.apply(By::Citizen, account, dice).await;
        }
    }

    async fn confirm_registration(&mut self, account: AccountId, dice: &mut Dice<'_>) -> bool {
        let Some(challenge) = self.told(account).challenge else {
            return false;
        };
        let secrets = self.code(account, dice);
        let command = Command::ConfirmRegistrationOtp { challenge };
        let done = self.with(By::Citizen, account, command, secrets).await;
        if let (true, Some(phone)) = (done.is_some(), self.pending.get(&account)) {
            self.phones.insert(account, *phone);
        }
        done.is_some()
    }

    async fn password(&mut self, by: By, account: AccountId, dice: &mut Dice<'_>) {
        let verifier = self.verifier();
        let password = if dice.mostly() { PASSWORD } else { "password" };
        let secrets = secret(|all| all.password = Some(password.to_owned()));
        self.with(by, account, Command::SetPassword { verifier }, secrets)
            .await;
    }

    async fn level_1(&mut self, dice: &mut Dice<'_>) {
        let Some(account) = self.some(dice) else {
            return;
        };
        match dice.roll(3) {
            0 => {
                self.confirm_registration(account, dice).await;
                self.password(By::Citizen, account, dice).await;
            }
            1 => {
                let case = self.told(account).case.unwrap_or(CaseId([1; 16]));
                let reason = WithdrawReason::ByCitizen;
                let command = Command::WithdrawApplication { case, reason };
                self.on(By::Citizen, account, command).await;
            }
            _ => self.apply(By::Citizen, account, dice).await,
        }
    }

    async fn apply(&mut self, by: By, account: AccountId, dice: &mut Dice<'_>) {
        let command = Command::ApplyLevel1 {
            chip: Some(ChipEvidence {
                sod: Digest([1; 32]),
                data_groups: Digest([2; 32]),
                certificate: Digest([3; 32]),
                strength: EvidenceStrength::ChipActiveAuth,
                verifier: 1,
            }),
            qr: None,
            portrait: capture(),
        };
        self.on(by, account, command).await;
        self.decide(account, dice).await;
    }

    async fn desk(&mut self, dice: &mut Dice<'_>) {
        let (person, phone) = (dice.roll(PEOPLE), dice.roll(PHONES));
        let command = Command::OpenLevel2Intake {
            person: Some(who(person, phone)),
            site: 1,
            person_present: dice.mostly(),
            with_card_issue: dice.roll(2) == 0,
        };
        let officer = By::Staff(Role::IntakeOfficer);
        let opened = self.submit(officer, Target::New, command, Secrets::default());
        let Some(opened) = opened.await else { return };
        let (account, case) = (opened.account.unwrap(), opened.case.unwrap());
        self.people.insert(account, person);
        if !self.made.contains(&account) {
            self.phones.insert(account, phone);
        }
        let fingerprints = if dice.mostly() { capture() } else { None };
        let biometrics = Command::RecordBiometrics {
            case,
            portrait: capture(),
            fingerprints,
        };
        self.on(officer, account, biometrics).await;
        let (given, text_version) = (dice.mostly(), 1);
        let consent = Command::RecordConsent {
            case,
            given,
            text_version,
        };
        self.on(officer, account, consent).await;
        self.on(officer, account, Command::SubmitLevel2 { case })
            .await;
        self.decide(account, dice).await;
        if dice.mostly() {
            self.activate(Some(account), dice).await;
        }
    }

    /// The registries' answers, the decision, the notice; each mostly.
    async fn decide(&mut self, account: AccountId, dice: &mut Dice<'_>) {
        let Some(case) = self.told(account).case else {
            return;
        };
        for modality in [Modality::Portrait, Modality::Fingerprints] {
            let result = if dice.mostly() {
                MatchResult::Match
            } else {
                MatchResult::NoMatch
            };
            let database = Database::CitizenCard;
            let answer = Command::RecordRegistryResult {
                case,
                modality,
                database,
                result,
            };
            self.on(By::Staff(Role::RegistryAdapter), account, answer)
                .await;
        }
        let refuse = (!dice.mostly()).then_some(RefusalReason::Other);
        let authority = By::Staff(Role::EidAuthority);
        self.on(
            authority,
            account,
            Command::DecideApplication { case, refuse },
        )
        .await;
        if dice.mostly() {
            let notice = Command::NotifyResult {
                case,
                channel: Channel::InPerson,
                received_at: self.world.ledger.now(),
            };
            self.on(authority, account, notice).await;
        }
    }

    async fn activate(&mut self, account: Option<AccountId>, dice: &mut Dice<'_>) {
        let (person, phone, device) = (dice.roll(PEOPLE), dice.roll(PHONES), dice.roll(DEVICES));
        // Mostly somebody who has an account, with their own phone: more than the first check is reached.
        let known = account.or_else(|| self.some(dice));
        let known = known.filter(|_| dice.mostly());
        let person = known.and_then(|account| self.people.get(&account).copied().or(Some(person)));
        let own = known.and_then(|account| self.phones.get(&account).copied());
        let of = person.unwrap_or(0);
        let person = who(of, own.unwrap_or(phone));
        let command = Command::RequestActivation {
            matched: false,
            device: self.device(device),
            step_up: (dice.roll(2) == 0).then_some(StepUpMethod::ChipRead),
        };
        let target = Target::Find {
            personal_id: person.personal_id.clone(),
            phone: Some(person.phone.clone()),
        };
        let chip = if dice.mostly() { of } else { (of + 1) % PEOPLE };
        let secrets = secret(|all| all.chip = Some(CHIPS[chip].clone()));
        let by = By::Device(device);
        let Some(asked) = self.submit(by, target, command, secrets).await else {
            return;
        };
        let account = asked.account.unwrap();
        if !dice.mostly() {
            return;
        }
        let secrets = self.code(account, dice);
        let challenge = asked.challenge.unwrap();
        let command = Command::ConfirmActivationOtp { challenge };
        self.with(by, account, command, secrets).await;
        self.password(by, account, dice).await;
        // Somebody else may come in between.
        if !dice.mostly() {
            return;
        }
        let verifier = self.verifier();
        let secrets = secret(|all| all.passcode = Some(PASSCODE.to_owned()));
        self.with(by, account, Command::SetPasscode { verifier }, secrets)
            .await;
        self.questions(account, device).await;
    }

    async fn questions(&mut self, account: AccountId, device: usize) {
        let verifier = self.verifier();
        let questions = vec![QuestionId::FirstSchool, QuestionId::FirstJob];
        let command = Command::SetSecurityQuestions {
            questions,
            verifier,
        };
        let secrets =
            secret(|all| all.answers = vec!["Trường làng".to_owned(), "Thợ mộc".to_owned()]);
        let done = self
            .with(By::Device(device), account, command, secrets)
            .await;
        if done.is_some() {
            self.told.entry(account).or_default().device = device;
        }
    }

    async fn change_device(&mut self, dice: &mut Dice<'_>) {
        let Some(account) = self.some(dice) else {
            return;
        };
        let (device, officer) = (dice.roll(DEVICES), By::Staff(Role::IntakeOfficer));
        match dice.roll(4) {
            0 => {
                let reason = UnbindReason::ByHolder;
                self.on(By::Citizen, account, Command::UnlinkDevice { reason })
                    .await;
            }
            // The last step of an activation that was broken off.
            1 => self.questions(account, device).await,
            kind => {
                let by = if kind == 2 {
                    By::Device(device)
                } else {
                    officer
                };
                let command = Command::RequestDeviceChange {
                    device: self.device(device),
                };
                let asked = self.on(by, account, command).await;
                let challenge = asked.and_then(|asked| asked.challenge);
                let (method, challenge) = match (kind, dice.roll(2)) {
                    (2, 0) => (StepUpMethod::CodeOnOldDevice, challenge),
                    (2, _) => (StepUpMethod::ChipRead, challenge),
                    _ => (StepUpMethod::InPerson, None),
                };
                let mut secrets = self.code(account, dice);
                let by = match method {
                    StepUpMethod::CodeOnOldDevice => By::Device(self.told(account).device),
                    StepUpMethod::ChipRead => {
                        let of = self.people.get(&account).copied().unwrap_or(0);
                        secrets.chip = Some(CHIPS[of].clone());
                        by
                    }
                    _ => by,
                };
                let command = Command::ConfirmDeviceChange { method, challenge };
                let done = self.with(by, account, command, secrets).await;
                if done.is_some() {
                    self.told.entry(account).or_default().device = device;
                }
            }
        }
    }

    async fn change_phone(&mut self, dice: &mut Dice<'_>) {
        let Some(account) = self.some(dice) else {
            return;
        };
        let phone = dice.roll(PHONES);
        let by = match dice.roll(3) {
            0 => By::Device(self.told(account).device),
            1 => By::Staff(Role::HotlineAgent),
            _ => By::Staff(Role::IntakeOfficer),
        };
        let method = match by {
            By::Device(_) => StepUpMethod::BoundDevice,
            By::Staff(Role::HotlineAgent) => StepUpMethod::Hotline,
            _ => StepUpMethod::InPerson,
        };
        let number = phone_number(phone);
        let hash = self.world.ledger.lookup(Category::PhoneClaim, &number);
        let command = Command::RequestPhoneChange {
            phone: number,
            hash,
            method,
        };
        let secrets = secret(|all| all.step_up = Some(dice.mostly()));
        let asked = self.with(by, account, command, secrets).await;
        let Some(challenge) = asked.and_then(|asked| asked.challenge) else {
            return;
        };
        // The number may go to somebody else before its code comes back.
        if !dice.mostly() {
            self.register(dice).await;
        }
        let secrets = self.code(account, dice);
        let command = Command::ConfirmPhoneChange { challenge };
        if self.with(by, account, command, secrets).await.is_some() {
            self.phones.insert(account, phone);
        }
    }

    async fn lock(&mut self, dice: &mut Dice<'_>) {
        let Some(account) = self.some(dice) else {
            return;
        };
        let ground = dice.pick(&[
            LockGround::OwnRequest,
            LockGround::OwnRequest,
            LockGround::TermsBreached,
            LockGround::CardRevoked,
            LockGround::CardExpired,
        ]);
        let by = match ground {
            LockGround::OwnRequest => By::Citizen,
            LockGround::TermsBreached => By::Staff(Role::EidAuthority),
            _ => By::Staff(Role::RegistryAdapter),
        };
        match dice.roll(8) {
            0..=2 => drop(self.on(by, account, Command::LockAccount { ground }).await),
            3..=5 => drop(
                self.on(by, account, Command::UnlockAccount { ground })
                    .await,
            ),
            6 => {
                let status = dice.pick(&[
                    Status::CardHeld,
                    Status::CardReturned,
                    Status::Died,
                    Status::CardRevoked,
                ]);
                let report = Command::ReportStatus {
                    status,
                    until: None,
                };
                self.on(By::Staff(Role::RegistryAdapter), account, report)
                    .await;
            }
            _ => self.ask_for_a_lock(account, dice).await,
        }
    }

    async fn ask_for_a_lock(&mut self, account: AccountId, dice: &mut Dice<'_>) {
        let command = Command::RequestLock {
            ground: LockGround::ProceduralAuthority,
            action: dice.pick(&[LockAction::Lock, LockAction::Unlock]),
            reasons: "quyết định số 12".to_owned(),
        };
        self.on(By::Staff(Role::CompetentAuthority), account, command)
            .await;
        if let Some(request) = self.told(account).request {
            let command = Command::DecideLockRequest {
                request,
                refuse: None,
                reasons: String::new(),
            };
            self.on(By::Staff(Role::EidAuthority), account, command)
                .await;
        }
    }

    async fn share(&mut self, dice: &mut Dice<'_>) {
        let Some(account) = self.some(dice) else {
            return;
        };
        let passcode = if dice.mostly() { PASSCODE } else { "111222" };
        let secrets = secret(|all| all.passcode = Some(passcode.to_owned()));
        let command = Command::ShareData {
            mode: dice.pick(ShareMode::ALL),
            fields: vec![dice.pick(&[ShareField::FullName, ShareField::Residence])],
            relying_party: self.principal(Role::RelyingParty),
        };
        let by = By::Device(self.told(account).device);
        self.with(by, account, command, secrets).await;
        if !dice.mostly() {
            self.lock(dice).await;
        }
        if let Some(share) = self.told(account).share {
            let relying = By::Staff(Role::RelyingParty);
            self.on(relying, account, Command::ConsumeShare { share })
                .await;
        }
        let secrets = secret(|all| all.password = Some(PASSWORD.to_owned()));
        self.with(by, account, Command::LogIn { device: None }, secrets)
            .await;
    }

    async fn document(&mut self, dice: &mut Dice<'_>) {
        let Some(account) = self.some(dice) else {
            return;
        };
        let kind = dice.pick(&[DocumentKind::DrivingLicence, DocumentKind::HealthRecord]);
        let number = match kind {
            DocumentKind::DrivingLicence => "300123456789",
            _ => "3012345678",
        };
        let number = number.to_owned();
        let officer = By::Staff(Role::IntakeOfficer);
        self.on(officer, account, Command::LinkDocument { kind, number })
            .await;
        if let (Some(document), 0) = (self.told(account).document, dice.roll(3)) {
            self.on(By::Citizen, account, Command::UnlinkDocument { document })
                .await;
        }
        let class = dice.pick(RetentionClass::ALL);
        if dice.roll(4) == 0 {
            self.on(officer, account, Command::RequestErasure { class })
                .await;
        }
    }

    async fn dependant(&mut self, dice: &mut Dice<'_>) {
        let Some(guardian) = self.some(dice) else {
            return;
        };
        let device = self.told(guardian).device;
        let phone = self.phones.get(&guardian).copied().unwrap_or(0);
        let ward = PEOPLE - 1;
        let person = who(ward, phone);
        let hash = self
            .world
            .ledger
            .lookup(Category::PersonalIdClaim, &person.personal_id);
        let link = Command::LinkDependant {
            person: person.clone(),
            hash,
            document: None,
            consent: true,
            text_version: 1,
        };
        self.on(By::Device(device), guardian, link).await;
        let open = Command::OpenDependantAccount {
            person,
            hash,
            document: None,
            guardian,
        };
        let by = By::Guardian(guardian, device);
        let opened = self.submit(by, Target::New, open, Secrets::default());
        if let Some(account) = opened.await.and_then(|opened| opened.account) {
            self.people.insert(account, ward);
            self.apply(by, account, dice).await;
        }
        if dice.roll(3) == 0 {
            let command = Command::UnlinkDependant { dependant: hash };
            self.on(By::Device(device), guardian, command).await;
        }
        let wards = self.people.iter().filter(|(_, of)| **of == ward);
        let wards: Vec<AccountId> = wards.map(|(account, _)| *account).collect();
        for account in wards {
            self.on(by, account, Command::GiveConsent).await;
        }
    }

    /// The end of an account: rarely, or nobody lives.
    async fn end(&mut self, dice: &mut Dice<'_>) {
        let Some(account) = self.some(dice) else {
            return;
        };
        match dice.roll(4) {
            0 => {
                let reason = dice.pick(&[CloseReason::Revoked, CloseReason::Death]);
                let command = Command::CloseAccount { reason };
                self.on(By::Staff(Role::EidAuthority), account, command)
                    .await;
            }
            1 => {
                let command = Command::AssistActivation {
                    proof_given: dice.mostly(),
                };
                self.on(By::Staff(Role::HotlineAgent), account, command)
                    .await;
            }
            _ => {
                let purpose = dice.pick(OtpPurpose::ALL);
                self.on(By::Citizen, account, Command::ResendOtp { purpose })
                    .await;
            }
        }
    }

    async fn wait(&mut self, dice: &mut Dice<'_>) {
        let seconds = dice.pick(&[30, 60, 300, 3600, 86_400, 5 * 86_400, 9 * 86_400]);
        self.world.clock.advance(seconds * Micros::SECOND);
        self.world.settle().await;
        self.clock.round().await.unwrap();
    }
}
