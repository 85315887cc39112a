//! The writer over the model store: procedures end to end, repetitions, races, and a crash between
//! every two writes.

use super::*;
use crate::credentials::{Concurrency, Cost, Credentials};
use crate::evidence::{Proven, SignedCommand};
use crate::ledger::{Ledger, Parts};
use crate::memory::Memory;
use crate::messenger::Mailbox;
use crate::registry::{
    Answered, CitizenCardRegistry, DocumentRegistry, PopulationRegistry, Unreachable,
};
use crate::secrets::{Keys, Secret32};
use crate::store::{BoxFuture, StoredRecord, StreamHead};
use crate::vault::Vault;
use crate::wiring::{Ids, ManualClock, SeededRandomness};
use crate::writer::assemble::Assembler;
use domain::command::{Command, DeviceInfo, DocumentAnswer, RegistryAnswer};
use domain::envelope::Actor;
use domain::event::{Event, LedgerCreated};
use domain::ids::*;
use domain::personal::Person;
use domain::vocabulary::*;
use ed25519_dalek::SigningKey;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Confirms everybody as an adult of Hải Dương city.
struct Agreeable;

impl PopulationRegistry for Agreeable {
    fn confirm<'a>(&'a self, person: &'a Person) -> BoxFuture<'a, Answered<RegistryAnswer>> {
        Box::pin(async move {
            if person.full_name == "Người Lạ" {
                return RegistryAnswer::Not(RegistryOutcome::Mismatch).into();
            }
            RegistryAnswer::Confirmed {
                area: AreaCode(30_288),
                birth_date: person.birth_date.clone(),
                has_chip_card: true,
            }
            .into()
        })
    }
}

impl CitizenCardRegistry for Agreeable {
    fn confirm<'a>(&'a self, person: &'a Person) -> BoxFuture<'a, Answered<RegistryAnswer>> {
        PopulationRegistry::confirm(self, person)
    }
}

impl DocumentRegistry for Agreeable {
    fn check<'a>(
        &'a self,
        _: &'a str,
        _: DocumentKind,
        _: &'a str,
    ) -> BoxFuture<'a, Answered<DocumentAnswer>> {
        Box::pin(async {
            DocumentAnswer::Verified {
                data_as_of: Micros(1),
            }
            .into()
        })
    }
}

/// A store whose process dies after a number of appends: each later one is not written.
struct Mortal {
    store: Arc<Memory>,
    left: AtomicI64,
    /// Whether the append at which it dies is written and only its answer lost.
    written: bool,
}

impl EventStore for Mortal {
    fn append(
        &self,
        stream: StreamId,
        expected: Expected,
        records: Vec<NewRecord>,
    ) -> BoxFuture<'_, Result<Appended, AppendError>> {
        let left = self.left.fetch_sub(1, Ordering::SeqCst);
        let dead = StoreError::Stopped("the process died".into());
        if left > 0 {
            return self.store.append(stream, expected, records);
        }
        Box::pin(async move {
            if left == 0 && self.written {
                self.store.append(stream, expected, records).await?;
            }
            Err(AppendError::Uncertain(dead))
        })
    }

    fn stream_head(
        &self,
        stream: StreamId,
    ) -> BoxFuture<'_, Result<Option<StreamHead>, StoreError>> {
        self.store.stream_head(stream)
    }

    fn read_stream(
        &self,
        stream: StreamId,
        from: Revision,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredRecord>, StoreError>> {
        self.store.read_stream(stream, from, limit)
    }

    fn read_all(
        &self,
        from: Position,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredRecord>, StoreError>> {
        self.store.read_all(from, limit)
    }

    fn length(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.store.length()
    }

    fn wait_beyond(&self, seen: u64) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.store.wait_beyond(seen)
    }
}

const NOW: Micros = Micros(1_700_000_000_000_000);

struct World {
    dir: tempfile::TempDir,
    store: Arc<Memory>,
    mailbox: Arc<Mailbox>,
    clock: Arc<ManualClock>,
    ledger: Ledger,
    runs: u64,
    officer: (PrincipalId, SigningKey),
    authority: (PrincipalId, SigningKey),
    adapter: (PrincipalId, SigningKey),
    commands: u8,
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Memory::new());
        let mailbox = Arc::new(Mailbox::default());
        let clock = Arc::new(ManualClock::new(NOW));
        let ledger = start(&dir, store.clone(), &mailbox, &clock, 0).await;
        let created = LedgerCreated {
            ledger: LedgerId([1; 16]),
            format: 1,
            key: public(&key(99)),
        };
        ledger
            .record_own(Category::Ledger, created.into(), None, Proven::operator())
            .await
            .unwrap();
        let mut enrolled = Vec::new();
        for (role, seed) in [
            (Role::IntakeOfficer, 2),
            (Role::EidAuthority, 3),
            (Role::RegistryAdapter, 4),
        ] {
            let id = ledger
                .enrol(
                    role,
                    Some(public(&key(seed))),
                    None,
                    vec![7],
                    Some("Cán bộ".into()),
                )
                .await
                .unwrap();
            enrolled.push((id, key(seed)));
        }
        let [officer, authority, adapter] = enrolled.try_into().unwrap();
        Self {
            dir,
            store,
            mailbox,
            clock,
            ledger,
            runs: 0,
            officer,
            authority,
            adapter,
            commands: 0,
        }
    }

    /// The process ends and another starts, over `store`.
    async fn restart(&mut self, store: Arc<dyn EventStore>) {
        self.runs += 1;
        // The old vault's files are closed first.
        let spare = tempfile::tempdir().unwrap();
        let idle = start(
            &spare,
            Arc::new(Memory::new()),
            &self.mailbox,
            &self.clock,
            0,
        )
        .await;
        drop(std::mem::replace(&mut self.ledger, idle));
        self.ledger = start(&self.dir, store, &self.mailbox, &self.clock, self.runs).await;
    }

    fn id(&mut self) -> CommandId {
        self.commands += 1;
        CommandId([self.commands; 16])
    }

    fn citizen(&mut self, target: Target, command: Command) -> Submission {
        Submission {
            command,
            target,
            command_id: self.id(),
            correlation: None,
            actor: Actor {
                role: Role::Citizen,
                principal: PrincipalId::ZERO,
                key: None,
            },
            proven: Proven::unproven(Some(vec![self.commands; 40])),
            expected: None,
            occurred_at: None,
            secrets: Secrets::default(),
        }
    }

    fn official(&mut self, role: Role, target: Target, command: Command) -> Submission {
        let (principal, key) = match role {
            Role::IntakeOfficer => &self.officer,
            Role::EidAuthority => &self.authority,
            _ => &self.adapter,
        };
        let (principal, key) = (*principal, key.clone());
        let command_id = self.id();
        let account = match target {
            Target::Account(account) => Some(account),
            _ => None,
        };
        let signed = SignedCommand {
            salt: [9; 16],
            command_id,
            account,
            command: command.clone(),
        };
        Submission {
            command,
            target,
            command_id,
            correlation: None,
            actor: Actor {
                role,
                principal,
                key: Some(public(&key).id()),
            },
            proven: signed.sign(&key).unwrap(),
            expected: None,
            occurred_at: None,
            secrets: Secrets::default(),
        }
    }

    async fn done(&self, submission: Submission) -> Outcome {
        let outcome = self.ledger.submit(submission).await.unwrap();
        assert_eq!(outcome.refused, None);
        outcome
    }

    /// A level-2 account up to the notice, at the desk.
    async fn issue(&mut self, person: Person) -> AccountId {
        let channel = if person.phone.is_empty() {
            Channel::Email
        } else {
            Channel::Sms
        };
        let intake = Command::OpenLevel2Intake {
            person: Some(person),
            site: 7,
            person_present: true,
            with_card_issue: false,
        };
        let submission = self.official(Role::IntakeOfficer, Target::New, intake);
        let opened = self.done(submission).await;
        let (account, case) = (opened.account.unwrap(), opened.case.unwrap());
        let capture = Some(Capture {
            digest: Digest([5; 32]),
            quality: 90,
        });
        let mut steps = vec![
            (
                Role::IntakeOfficer,
                Command::RecordBiometrics {
                    case,
                    portrait: capture,
                    fingerprints: capture,
                },
            ),
            (
                Role::IntakeOfficer,
                Command::RecordConsent {
                    case,
                    given: true,
                    text_version: 1,
                },
            ),
            (Role::IntakeOfficer, Command::SubmitLevel2 { case }),
        ];
        for modality in [Modality::Portrait, Modality::Fingerprints] {
            let (database, result) = (Database::CitizenCard, MatchResult::Match);
            let answer = Command::RecordRegistryResult {
                case,
                modality,
                database,
                result,
            };
            steps.push((Role::RegistryAdapter, answer));
        }
        steps.push((
            Role::EidAuthority,
            Command::DecideApplication { case, refuse: None },
        ));
        let received_at = self.clock_now();
        steps.push((
            Role::EidAuthority,
            Command::NotifyResult {
                case,
                channel,
                received_at,
            },
        ));
        for (role, command) in steps {
            let submission = self.official(role, Target::Account(account), command);
            self.done(submission).await;
        }
        account
    }

    fn clock_now(&self) -> Micros {
        self.ledger.now()
    }

    fn activation(&mut self, person: &Person, device: u8) -> Submission {
        let device = self.device(device);
        let command = Command::RequestActivation {
            matched: false,
            device,
            step_up: None,
        };
        let target = Target::Find {
            personal_id: person.personal_id.clone(),
            phone: Some(person.phone.clone()),
        };
        self.citizen(target, command)
    }

    fn device(&self, seed: u8) -> DeviceInfo {
        let identifier = format!("device-{seed}");
        DeviceInfo {
            device: DeviceRef(self.ledger.lookup(Category::DeviceClaim, &identifier).0),
            key: public(&key(100 + seed)),
            identifier,
            model: "Model".into(),
        }
    }

    /// From the activation's OTP to the last step.
    async fn finish_activation(&mut self, account: AccountId, outcome: &Outcome) -> Outcome {
        let challenge = outcome.challenge.unwrap();
        let code = self.mailbox.take_code(account).unwrap().code.unwrap();
        let target = Target::Account(account);
        let command = Command::ConfirmActivationOtp { challenge };
        let mut confirm = self.citizen(target.clone(), command);
        confirm.secrets.otp = Some(code);
        self.done(confirm).await;
        let verifier = VerifierId(self.ledger.assembler().ids().id());
        let mut password = self.citizen(target.clone(), Command::SetPassword { verifier });
        password.secrets.password = Some("một mật khẩu khá dài 7".into());
        self.done(password).await;
        let verifier = VerifierId(self.ledger.assembler().ids().id());
        let mut passcode = self.citizen(target.clone(), Command::SetPasscode { verifier });
        passcode.secrets.passcode = Some("730518".into());
        self.done(passcode).await;
        self.questions(account).await
    }

    async fn questions(&mut self, account: AccountId) -> Outcome {
        let verifier = VerifierId(self.ledger.assembler().ids().id());
        let questions = vec![QuestionId::FirstSchool, QuestionId::FirstJob];
        let command = Command::SetSecurityQuestions {
            questions,
            verifier,
        };
        let mut submission = self.citizen(Target::Account(account), command);
        submission.secrets.answers = vec!["Trường làng".into(), "Thợ mộc".into()];
        self.ledger.submit(submission).await.unwrap()
    }

    async fn events(&self, stream: StreamId) -> Vec<Event> {
        let decoded = claims::read_decoded(self.store.as_ref(), stream)
            .await
            .unwrap();
        decoded.into_iter().map(|(_, _, event)| event).collect()
    }

    /// What every history must keep, whatever crashed: links and signatures hold, and each number
    /// and device is held by at most one account, which confirms it.
    async fn check(&self) {
        let all = self.store.read_all(Position(0), 4096).await.unwrap();
        let mut links = std::collections::HashMap::new();
        let verifying = key(99).verifying_key();
        for record in &all {
            let parsed = domain::record::RecordRef::parse(&record.bytes).unwrap();
            let envelope = parsed.open_envelope().unwrap();
            parsed.verify_signature(&verifying).unwrap();
            parsed.verify_parts(&envelope).unwrap();
            crate::evidence::verify_stored(&envelope).unwrap();
            let before = links.insert(record.stream, parsed.link());
            assert_eq!(envelope.link, before.unwrap_or(Digest::ZERO));
        }
        let mut phones = std::collections::HashMap::new();
        for stream in links.keys().filter_map(|stream| stream.as_account()) {
            let mut loaded = loaded::Loaded::default();
            loaded
                .catch_up(self.store.as_ref(), self.ledger.vault(), stream)
                .await
                .unwrap();
            if let (true, Some(phone)) = (loaded.account.exists(), loaded.registered_phone()) {
                assert_eq!(
                    phones.insert(phone.to_owned(), stream),
                    None,
                    "a phone held twice"
                );
            }
        }
    }
}

async fn start(
    dir: &tempfile::TempDir,
    store: Arc<dyn EventStore>,
    mailbox: &Arc<Mailbox>,
    clock: &Arc<ManualClock>,
    run: u64,
) -> Ledger {
    let ids = Arc::new(Ids::new(
        clock.clone(),
        Arc::new(SeededRandomness::new(run)),
    ));
    let keys = Keys::derive(&Secret32([3; 32]));
    let vault = Vault::open(
        &crate::disk::RealDisk,
        dir.path(),
        &keys,
        ids.randomness().clone(),
    )
    .unwrap();
    let vault = Arc::new(vault);
    let credentials = Credentials::open(
        &crate::disk::RealDisk,
        dir.path(),
        &keys,
        ids.randomness().clone(),
        Cost::minimum_for_simulation(),
        Concurrency::default(),
    )
    .unwrap();
    Ledger::start(Parts {
        store,
        vault: vault.clone(),
        credentials,
        keys,
        people: Arc::new(Agreeable),
        cards: Arc::new(Agreeable),
        immigration: Arc::new(Unreachable),
        documents: Arc::new(Agreeable),
        organisations: Arc::new(crate::registry::Unreachable),
        messenger: mailbox.clone(),
        assembler: Assembler::new(key(99), vault, ids),
    })
    .await
    .unwrap()
}

fn person(number: u8) -> Person {
    Person {
        personal_id: format!("0300900012{number:02}"),
        full_name: "Nguyễn Văn An".into(),
        birth_date: "1990-05-17".into(),
        sex: "Nam".into(),
        residence: "Phường Bình Hàn".into(),
        phone: format!("+8497000{number:04}"),
        email: String::new(),
        old_id: String::new(),
        card_issued: "2021-06-01".into(),
    }
}

fn register(person: Person) -> Command {
    Command::RegisterAppAccount {
        person,
        method: RegistrationMethod::Manual,
        qr: None,
    }
}

#[tokio::test]
async fn a_level_2_account_is_issued_at_the_desk_and_activated() {
    let mut world = World::new().await;
    let account = world.issue(person(1)).await;
    let submission = world.activation(&person(1), 1);
    let outcome = world.done(submission).await;
    assert_eq!(outcome.account, Some(account));
    let last = world.finish_activation(account, &outcome).await;
    assert_eq!(last.refused, None);
    let events = world.events(StreamId::account(account)).await;
    assert!(matches!(events.last(), Some(Event::AccountActivated(_))));
    world.check().await;
}

#[tokio::test]
async fn an_app_account_is_registered_and_a_repeated_command_answers_the_same() {
    let mut world = World::new().await;
    let submission = world.citizen(Target::New, register(person(1)));
    let first = world.done(submission.clone()).await;
    let again = world.ledger.submit(submission.clone()).await.unwrap();
    assert_eq!(
        again,
        Outcome {
            repeated: true,
            ..first.clone()
        }
    );
    let mut other = submission;
    other.proven = Proven::unproven(Some(b"another body".to_vec()));
    assert_eq!(
        world.ledger.submit(other).await,
        Err(LedgerError::CommandIdReused)
    );
    let account = first.account.unwrap();
    let challenge = first.challenge.unwrap();
    let command = Command::ConfirmRegistrationOtp { challenge };
    let mut wrong = world.citizen(Target::Account(account), command.clone());
    wrong.secrets.otp = Some("not a code".into());
    let refused = world.ledger.submit(wrong).await.unwrap().refused.unwrap();
    assert_eq!(refused.code, RefusalCode::OtpWrong);
    let mut right = world.citizen(Target::Account(account), command);
    right.secrets.otp = world.mailbox.take_code(account).unwrap().code;
    assert!(world.done(right).await.verified.is_some());
    world.check().await;
}

#[tokio::test]
async fn a_mismatch_creates_nothing_and_is_recorded() {
    let mut world = World::new().await;
    let mut stranger = person(1);
    stranger.full_name = "Người Lạ".into();
    let submission = world.citizen(Target::New, register(stranger));
    let outcome = world.ledger.submit(submission.clone()).await.unwrap();
    assert_eq!(
        outcome.refused.unwrap().message,
        Some(Message::DataMismatch)
    );
    assert_eq!(outcome.account, None);
    assert_eq!(outcome.stream.category, Category::PersonalIdClaim);
    let again = world.ledger.submit(submission).await.unwrap();
    assert_eq!(
        again,
        Outcome {
            repeated: true,
            ..outcome
        }
    );
    // The number is still free.
    let submission = world.citizen(Target::New, register(person(1)));
    world.done(submission).await;
    world.check().await;
}

#[tokio::test]
async fn a_wrong_phone_and_an_unknown_number_are_answered_alike() {
    let mut world = World::new().await;
    world.issue(person(1)).await;
    let mut wrong_phone = person(1);
    wrong_phone.phone = "+84979999999".into();
    for stranger in [wrong_phone, person(2)] {
        let submission = world.activation(&stranger, 1);
        let outcome = world.ledger.submit(submission).await.unwrap();
        assert_eq!(
            outcome.refused.unwrap().code,
            RefusalCode::RequestNotAccepted
        );
    }
    world.check().await;
}

#[tokio::test]
async fn nobody_acts_with_anothers_key() {
    let mut world = World::new().await;
    let account = world.issue(person(1)).await;
    let command = Command::LockAccount {
        ground: LockGround::TermsBreached,
    };
    let mut submission = world.official(Role::EidAuthority, Target::Account(account), command);
    submission.actor.principal = world.officer.0;
    assert_eq!(
        world.ledger.submit(submission).await,
        Err(LedgerError::Unauthorised)
    );
    let command = Command::UnlinkDevice {
        reason: UnbindReason::ByHolder,
    };
    let mut submission = world.citizen(Target::Account(account), command);
    submission.actor.principal = PrincipalId([8; 16]);
    assert_eq!(
        world.ledger.submit(submission).await,
        Err(LedgerError::Unauthorised)
    );
}

#[tokio::test]
async fn one_phone_number_belongs_to_one_account() {
    let mut world = World::new().await;
    world.issue(person(1)).await;
    let mut thief = person(2);
    thief.phone = person(1).phone.clone();
    let submission = world.citizen(Target::New, register(thief));
    let outcome = world.ledger.submit(submission).await.unwrap();
    assert_eq!(outcome.refused.unwrap().code, RefusalCode::PhoneInUse);
    world.check().await;
}

#[tokio::test]
async fn many_register_one_number_at_once_and_one_wins() {
    let mut world = World::new().await;
    let submissions: Vec<_> = (0..8)
        .map(|_| world.citizen(Target::New, register(person(1))))
        .collect();
    let mut tasks = tokio::task::JoinSet::new();
    for submission in submissions {
        let ledger = world.ledger.clone();
        tasks.spawn(async move { ledger.submit(submission).await });
    }
    let outcomes = tasks.join_all().await;
    let accepted: std::collections::HashSet<_> = outcomes
        .iter()
        .filter_map(|outcome| outcome.as_ref().ok())
        .filter(|outcome| outcome.refused.is_none())
        .filter_map(|outcome| outcome.account)
        .collect();
    assert_eq!(accepted.len(), 1);
    world.check().await;
}

/// Spec C-10 and design 4: kill the process after every number of appends of a procedure, with the
/// last one written or not, start again, and go on: the procedure completes, and nothing is held
/// twice.
#[tokio::test]
async fn a_crash_between_any_two_writes_is_settled_by_whoever_comes_next() {
    for written in [false, true] {
        for survives in 0..8 {
            let mut world = World::new().await;
            let mortal = Mortal {
                store: world.store.clone(),
                left: AtomicI64::new(survives),
                written,
            };
            world.restart(Arc::new(mortal)).await;
            let intake = Command::OpenLevel2Intake {
                person: Some(person(1)),
                site: 7,
                person_present: true,
                with_card_issue: false,
            };
            let first = world.official(Role::IntakeOfficer, Target::New, intake);
            let crashed = world.ledger.submit(first.clone()).await;
            let store = world.store.clone();
            world.restart(store).await;
            // Somebody else meets the phone number first.
            let mut other = person(2);
            other.phone = person(1).phone.clone();
            let submission = world.citizen(Target::New, register(other));
            let others = world.ledger.submit(submission).await.unwrap();
            // The officer's client repeats the same command.
            let repeated = world.ledger.submit(first).await.unwrap();
            match crashed {
                Ok(outcome) => assert_eq!(outcome.position, repeated.position),
                Err(error) => assert!(matches!(error, LedgerError::Uncertain(_)), "{error:?}"),
            }
            assert_eq!(repeated.refused, None, "{written} {survives}");
            // Whoever came first has the number; a registration holds it only once its code came.
            assert!(
                others.refused.is_none() || repeated.repeated,
                "{written} {survives}"
            );
            world.check().await;
        }
    }
}

#[tokio::test]
async fn a_crash_while_a_device_is_bound_leaves_one_holder() {
    for written in [false, true] {
        for survives in 0..4 {
            let mut world = World::new().await;
            let account = world.issue(person(1)).await;
            let submission = world.activation(&person(1), 1);
            let outcome = world.done(submission).await;
            let mortal = Mortal {
                store: world.store.clone(),
                // Otp, password, passcode, then the claim and the events of the last step.
                left: AtomicI64::new(3 + survives),
                written,
            };
            world.restart(Arc::new(mortal)).await;
            let challenge = outcome.challenge.unwrap();
            let target = Target::Account(account);
            let command = Command::ConfirmActivationOtp { challenge };
            let mut confirm = world.citizen(target.clone(), command);
            confirm.secrets.otp = world.mailbox.take_code(account).unwrap().code;
            world.done(confirm).await;
            for passcode in [false, true] {
                let verifier = VerifierId(world.ledger.assembler().ids().id());
                let command = if passcode {
                    Command::SetPasscode { verifier }
                } else {
                    Command::SetPassword { verifier }
                };
                let mut set = world.citizen(target.clone(), command);
                set.secrets.password = Some("một mật khẩu khá dài 7".into());
                set.secrets.passcode = Some("730518".into());
                world.done(set).await;
            }
            let verifier = VerifierId([77; 16]);
            let questions = vec![QuestionId::FirstSchool, QuestionId::FirstJob];
            let command = Command::SetSecurityQuestions {
                questions,
                verifier,
            };
            let mut last = world.citizen(target, command);
            last.secrets.answers = vec!["Trường làng".into(), "Thợ mộc".into()];
            let crashed = world.ledger.submit(last).await;
            let store = world.store.clone();
            world.restart(store).await;
            // Another account wants the same device.
            let second = world.issue(person(2)).await;
            let submission = world.activation(&person(2), 1);
            let wants = world.ledger.submit(submission).await.unwrap();
            let bound = world.events(StreamId::account(account)).await;
            let bound = bound
                .iter()
                .any(|event| matches!(event, Event::DeviceBound(_)));
            assert_eq!(wants.refused.is_some(), bound, "{written} {survives}");
            if crashed.is_ok() {
                assert!(bound);
            }
            if wants.refused.is_none() {
                let last = world.finish_activation(second, &wants).await;
                assert_eq!(last.refused, None);
                let again = world.questions(account).await;
                assert!(again.refused.is_some(), "two accounts on one device");
            }
            world.check().await;
        }
    }
}

#[tokio::test]
async fn erased_data_are_gone_and_everything_still_verifies() {
    let mut world = World::new().await;
    let account = world.issue(person(1)).await;
    let command = Command::RequestErasure {
        class: RetentionClass::Short,
    };
    let submission = world.official(Role::EidAuthority, Target::Account(account), command);
    let outcome = world.ledger.submit(submission).await.unwrap();
    assert_eq!(outcome.refused, None);
    let state = world
        .ledger
        .vault()
        .key(&account.0, RetentionClass::Short)
        .await
        .unwrap();
    assert!(matches!(state, crate::vault::KeyState::Destroyed));
    world.check().await;
}

// One story from one end to the other.
#[allow(clippy::too_many_lines)]
#[tokio::test]
async fn a_published_policy_changes_what_is_decided_and_e_mail_becomes_a_contact() {
    use crate::law::LawSubmission;
    use domain::law::{FILES, LawContent, LawOrder, parse};
    use domain::policy::ContactRequired;
    use domain::vocabulary::{LawKind, RefusalCode};
    let mut world = World::new().await;
    let other = key(5);
    let enrolled = world
        .ledger
        .enrol(Role::EidAuthority, Some(public(&other)), None, vec![], None);
    let second = enrolled.await.unwrap();
    let mut by_email = person(1);
    by_email.phone.clear();
    by_email.email = "an@example.vn".into();
    let intake = Command::OpenLevel2Intake {
        person: Some(by_email.clone()),
        site: 7,
        person_present: true,
        with_card_issue: false,
    };
    let submission = world.official(Role::IntakeOfficer, Target::New, intake);
    let before = world.ledger.submit(submission).await.unwrap();
    assert_eq!(
        before.refused.map(|refused| refused.code),
        Some(RefusalCode::NoChannel)
    );
    // Proposed by one, approved by the other, in force from the next day on.
    let mut draft = parse(FILES[0].1).unwrap();
    draft.terms.effective_from = NOW.plus(Micros::DAY);
    if let LawContent::Policy(policy) = &mut draft.content {
        policy.contact_required = ContactRequired::PhoneOrEmail;
    }
    let digest = draft.digest().unwrap();
    let law = LawKind::Policy;
    let propose = LawOrder::Propose {
        draft: Arc::new(draft),
        digest,
    };
    let approve = LawOrder::Approve {
        law,
        version: 1,
        digest,
    };
    let (first, first_key) = world.authority.clone();
    let mut given = Vec::new();
    for (order, principal, key) in [(propose, first, &first_key), (approve, second, &other)] {
        let id = world.id();
        let order = LawSubmission::signed(order, principal, key, id, [7; 16]).unwrap();
        let outcome = world.ledger.submit_law(order.clone()).await.unwrap();
        assert_eq!((outcome.refused, outcome.repeated), (None, false));
        given.push((order, outcome));
    }
    // Asked again, it answers and does nothing; another order under its id is another command.
    let length = world.store.length().await.unwrap();
    for (order, outcome) in &given {
        let again = world.ledger.submit_law(order.clone()).await.unwrap();
        assert_eq!((again.event, again.repeated), (outcome.event, true));
    }
    let mut reused = given[0].0.clone();
    reused.order = LawOrder::Reject { law, version: 1 };
    let reused = world.ledger.submit_law(reused).await;
    assert_eq!(reused, Err(LedgerError::CommandIdReused));
    assert_eq!(world.store.length().await.unwrap(), length);
    // Another process reads the same law from the streams.
    let store = world.store.clone();
    world.restart(store).await;
    assert_eq!(world.ledger.law().version(law), 0);
    world.clock.advance(Micros::DAY);
    assert_eq!(world.ledger.law().version(law), 1);
    let account = world.issue(by_email.clone()).await;
    for record in world
        .store
        .read_stream(StreamId::account(account), Revision(0), 100)
        .await
        .unwrap()
    {
        let record = domain::record::RecordRef::parse(&record.bytes).unwrap();
        assert_eq!(record.open_envelope().unwrap().policy, 1);
    }
    let device = world.device(1);
    let command = Command::RequestActivation {
        matched: false,
        device,
        step_up: None,
    };
    let find = |contact: &str| Target::Find {
        personal_id: by_email.personal_id.clone(),
        phone: Some(contact.to_owned()),
    };
    let submission = world.citizen(find("other@example.vn"), command.clone());
    let wrong = world.ledger.submit(submission).await.unwrap();
    assert!(wrong.refused.is_some(), "another address");
    let submission = world.citizen(find(&by_email.email), command);
    world.done(submission).await;
    let message = world.mailbox.take_code(account).unwrap();
    assert_eq!(
        (message.phone.as_str(), message.email.as_str()),
        ("", "an@example.vn")
    );
    world.check().await;
}
