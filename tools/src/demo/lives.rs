//! What people do on each occasion, command by command.
//!
//! Every step must come out as planned, or the demo stops: so the totals are exact because the
//! rules made them so, not because they were written down.

use super::ask::{Ask, Who, World};
use super::clock;
use super::dice::Dice;
use super::people::Citizen;
use super::plan::{Appointment, Route, Visit};
use anyhow::{Context, anyhow};
use domain::command::{Command, DeviceInfo};
use domain::ids::{AccountId, CaseId, Category, DeviceRef, Digest, EventId, PublicKey, VerifierId};
use domain::vocabulary::{
    Capture, Channel, ChipEvidence, Database, DocumentKind, EvidenceStrength, LockGround,
    MatchResult, Modality, QuestionId, RefusalCode, RefusalReason, RegistrationMethod,
    StepUpMethod,
};
use ed25519_dalek::SigningKey;
use ledger::credentials::{About, passcode_allowed};
use ledger::writer::{Outcome, Secrets, Target};

/// What a person carries from one occasion to the next.
#[derive(Debug, Clone, Copy, Default)]
pub struct Life {
    account: Option<AccountId>,
    case: Option<CaseId>,
    session: Option<EventId>,
    password: bool,
    /// How often the device was changed.
    devices: u8,
    second_phone: bool,
    visits: u8,
}

impl Life {
    /// The account, once there is one.
    pub const fn account(&self) -> Option<AccountId> {
        self.account
    }
}

/// Something a person's device is.
pub struct Device {
    /// As it presents itself.
    pub info: DeviceInfo,
    key: SigningKey,
}

impl World {
    /// A person's device, the first or a later one.
    pub fn device(&self, person: u32, number: u8) -> Device {
        let (mut dice, key, identifier) = device_of(self.seed, person, number);
        let model = dice.one(super::names::MODELS, "Galaxy A14").to_owned();
        let device = DeviceRef(self.ledger.lookup(Category::DeviceClaim, &identifier).0);
        let public = PublicKey(key.verifying_key().to_bytes());
        Device {
            info: DeviceInfo {
                device,
                key: public,
                identifier,
                model,
            },
            key,
        }
    }
}

/// A device's key and identifier.
fn device_of(seed: u64, person: u32, number: u8) -> (Dice, SigningKey, String) {
    let mut dice = Dice::new(seed, "device", u64::from(person) * 256 + u64::from(number));
    let key = SigningKey::from_bytes(&dice.bytes());
    let identifier = format!("35{:013}", dice.below(10_000_000_000_000));
    (dice, key, identifier)
}

/// A device's identifier, as it is sealed.
pub fn device_identifier(seed: u64, person: u32, number: u8) -> String {
    device_of(seed, person, number).2
}

/// One occasion under way.
pub struct Occasion<'a> {
    /// Where it happens.
    pub world: &'a World,
    /// Whose.
    pub person: u32,
    /// How they come to an account.
    pub route: Route,
    /// A device that is bound to somebody else's account.
    pub elsewhere: Option<u32>,
    /// What they carry.
    pub life: Life,
    dice: Dice,
    citizen: Citizen,
}

impl<'a> Occasion<'a> {
    /// Gets ready.
    pub fn new(world: &'a World, person: u32, route: Route, life: Life) -> Self {
        let index = u64::from(person);
        let number = index * 256 + u64::from(life.visits);
        Self {
            world,
            person,
            route,
            elsewhere: None,
            life: Life {
                visits: life.visits.wrapping_add(1),
                ..life
            },
            dice: Dice::new(world.seed, "visit", number),
            citizen: Citizen::new(world.seed, index, route.has_card()),
        }
    }

    /// Does what the appointment is for.
    pub async fn keep(&mut self, appointment: Appointment) -> anyhow::Result<()> {
        match appointment.visit {
            Visit::Register => self.register().await,
            Visit::Apply => self.apply().await,
            Visit::Desk => self.desk().await,
            Visit::Decide => self.decide().await,
            Visit::ActivateElsewhere => self.activate_elsewhere().await,
            Visit::Activate if self.route == Route::AppOnly => self.not_identified().await,
            Visit::Activate => self.activate().await,
            Visit::ActivateAgain => self.activate_again().await,
            Visit::Expire => self.expire().await,
            Visit::AssistAndActivate => self.assist_and_activate().await,
            Visit::LogIn => self.log_in().await,
            Visit::ChangeDevice => self.change_device().await,
            Visit::ChangePhone => self.change_phone().await,
            Visit::Link => self.link().await,
            Visit::Lock => self.lock(true).await,
            Visit::Unlock => self.lock(false).await,
        }
        .with_context(|| format!("{:?} of person {}", appointment.visit, self.person))
    }

    fn account(&self) -> anyhow::Result<AccountId> {
        self.life
            .account
            .ok_or_else(|| anyhow!("there is no account yet"))
    }

    fn case(&self) -> anyhow::Result<CaseId> {
        self.life
            .case
            .ok_or_else(|| anyhow!("there is no dossier yet"))
    }

    fn session(&self) -> anyhow::Result<Who<'static>> {
        self.life
            .session
            .map(Who::Session)
            .ok_or_else(|| anyhow!("there is no session yet"))
    }

    fn phone(&self) -> String {
        if self.life.second_phone {
            self.citizen.second_phone.clone()
        } else {
            self.citizen.person.phone.clone()
        }
    }

    fn password(&self) -> String {
        let mut dice = Dice::new(self.world.seed, "password", u64::from(self.person));
        format!(
            "Sen-{}-{}",
            dice.one(super::names::STREETS, "sen"),
            dice.below(100_000_000)
        )
    }

    /// Six digits that may be chosen.
    fn passcode(&mut self) -> String {
        let phone = self.phone();
        let person = &self.citizen.person;
        let about = About {
            personal_id: &person.personal_id,
            phone: &phone,
            birth_date: &person.birth_date,
        };
        loop {
            let passcode = format!("{:06}", self.dice.below(1_000_000));
            if passcode_allowed(&passcode, about).is_ok() {
                return passcode;
            }
        }
    }

    fn capture(&mut self) -> Capture {
        let quality = self.dice.between(62, 99) as u8;
        Capture {
            digest: Digest(self.dice.bytes()),
            quality,
        }
    }

    /// A command to the person's own account.
    async fn own(&mut self, who: Who<'_>, command: Command) -> anyhow::Result<Outcome> {
        self.with(who, command, Secrets::default()).await
    }

    async fn with(
        &mut self,
        who: Who<'_>,
        command: Command,
        secrets: Secrets,
    ) -> anyhow::Result<Outcome> {
        let target = Target::Account(self.account()?);
        self.world
            .done(
                &mut self.dice,
                Ask {
                    who,
                    target,
                    command,
                    secrets,
                },
            )
            .await
    }

    // ---- P1, P3 ----------------------------------------------------------------------------------

    async fn register(&mut self) -> anyhow::Result<()> {
        let scanned = self.dice.per_mille(800);
        if self.dice.per_mille(15) {
            // A slip in the birth date: "Không đạt", then corrected.
            let mut person = self.citizen.person.clone();
            "1900-01-01".clone_into(&mut person.birth_date);
            let command = Command::RegisterAppAccount {
                person,
                method: RegistrationMethod::Manual,
                qr: None,
            };
            let ask = Ask {
                who: Who::Unknown,
                target: Target::New,
                command,
                secrets: Secrets::default(),
            };
            self.world
                .refused(&mut self.dice, ask, RefusalCode::DataMismatch)
                .await?;
        }
        let (method, qr) = if scanned {
            (RegistrationMethod::CardQr, Some(self.citizen.qr()))
        } else {
            (RegistrationMethod::Manual, None)
        };
        let person = self.citizen.person.clone();
        let command = Command::RegisterAppAccount { person, method, qr };
        let ask = Ask {
            who: Who::Unknown,
            target: Target::New,
            command,
            secrets: Secrets::default(),
        };
        let outcome = self.world.done(&mut self.dice, ask).await?;
        self.life.account = outcome.account;
        let challenge = outcome.challenge.context("no challenge was opened")?;
        let command = Command::ConfirmRegistrationOtp { challenge };
        let confirmed = self.confirm(Who::Unknown, command).await?;
        self.life.session = confirmed.verified;
        self.set_password().await
    }

    /// Answers a challenge; four in a hundred type it wrong first.
    async fn confirm(&mut self, who: Who<'_>, command: Command) -> anyhow::Result<Outcome> {
        let account = self.account()?;
        let code = self.world.code(account)?;
        if self.dice.per_mille(40) {
            let wrong = if code == "000000" { "000001" } else { "000000" };
            let secrets = otp(wrong.to_owned());
            let target = Target::Account(account);
            let ask = Ask {
                who,
                target,
                command: command.clone(),
                secrets,
            };
            self.world
                .refused(&mut self.dice, ask, RefusalCode::OtpWrong)
                .await?;
        }
        let secrets = otp(code);
        self.with(who, command, secrets).await
    }

    async fn set_password(&mut self) -> anyhow::Result<()> {
        let command = Command::SetPassword {
            verifier: VerifierId(self.dice.bytes()),
        };
        let secrets = password(self.password());
        self.with(self.session()?, command, secrets).await?;
        self.life.password = true;
        Ok(())
    }

    async fn apply(&mut self) -> anyhow::Result<()> {
        let nfc = self.dice.per_mille(600);
        let chip = nfc.then(|| ChipEvidence {
            sod: Digest(self.dice.bytes()),
            data_groups: Digest(self.dice.bytes()),
            certificate: Digest(self.dice.bytes()),
            strength: EvidenceStrength::ChipPassiveAuth,
            verifier: 1,
        });
        let qr = (!nfc).then(|| self.citizen.qr());
        let portrait = Some(self.capture());
        let command = Command::ApplyLevel1 { chip, qr, portrait };
        let outcome = self.own(self.session()?, command).await?;
        self.life.case = outcome.case;
        Ok(())
    }

    // ---- P4, P5, P6 ------------------------------------------------------------------------------

    async fn desk(&mut self) -> anyhow::Result<()> {
        let world = self.world;
        let desk = world.staff.desk(u64::from(self.person));
        let (officer, site) = desk.context("there is no desk")?;
        let who = Who::Staff(officer);
        let with_card_issue = self.route == Route::Level2WithCard;
        let command = Command::OpenLevel2Intake {
            person: Some(self.citizen.person.clone()),
            site,
            person_present: true,
            with_card_issue,
        };
        let ask = Ask {
            who,
            target: Target::New,
            command,
            secrets: Secrets::default(),
        };
        let opened = world.done(&mut self.dice, ask).await?;
        self.life.account = opened.account;
        self.life.case = opened.case;
        let case = self.case()?;
        let (portrait, fingerprints) = (Some(self.capture()), Some(self.capture()));
        self.own(
            who,
            Command::RecordBiometrics {
                case,
                portrait,
                fingerprints,
            },
        )
        .await?;
        let given = self.route != Route::NoConsent;
        let command = Command::RecordConsent {
            case,
            given,
            text_version: 1,
        };
        if !given {
            let target = Target::Account(self.account()?);
            let ask = Ask {
                who,
                target,
                command,
                secrets: Secrets::default(),
            };
            world
                .refused(&mut self.dice, ask, RefusalCode::ConsentRefused)
                .await?;
            return Ok(());
        }
        self.own(who, command).await?;
        self.own(who, Command::SubmitLevel2 { case }).await?;
        clock::pass(20 * 60);
        let (adapter, database) = if with_card_issue {
            (&world.staff.population_adapter, Database::Population)
        } else {
            (&world.staff.card_adapter, Database::CitizenCard)
        };
        for modality in [Modality::Portrait, Modality::Fingerprints] {
            let other = self.route == Route::Refused && modality == Modality::Fingerprints;
            let result = if other {
                MatchResult::NoMatch
            } else {
                MatchResult::Match
            };
            let command = Command::RecordRegistryResult {
                case,
                modality,
                database,
                result,
            };
            self.own(Who::Staff(adapter), command).await?;
        }
        Ok(())
    }

    async fn decide(&mut self) -> anyhow::Result<()> {
        let case = self.case()?;
        let refuse = (self.route == Route::Refused).then_some(RefusalReason::BiometricMismatch);
        let authority = Who::Staff(&self.world.staff.authority);
        self.own(authority, Command::DecideApplication { case, refuse })
            .await?;
        clock::pass(30 * 60);
        let channel = if self.life.password {
            Channel::App
        } else {
            Channel::Sms
        };
        let received_at = clock::now();
        self.own(
            Who::System,
            Command::NotifyResult {
                case,
                channel,
                received_at,
            },
        )
        .await?;
        Ok(())
    }

    // ---- P7 --------------------------------------------------------------------------------------

    /// Asks for activation by number and phone, as the app does.
    fn ask_activation(&self, device: &Device) -> (Target, Command) {
        let personal_id = self.citizen.person.personal_id.clone();
        let target = Target::Find {
            personal_id,
            phone: Some(self.phone()),
        };
        let device = device.info.clone();
        (
            target,
            Command::RequestActivation {
                matched: true,
                device,
                step_up: None,
            },
        )
    }

    async fn turned_down(&mut self, device: &Device, code: RefusalCode) -> anyhow::Result<()> {
        let (target, command) = self.ask_activation(device);
        let who = Who::Device(&device.key);
        let ask = Ask {
            who,
            target,
            command,
            secrets: Secrets::default(),
        };
        self.world.refused(&mut self.dice, ask, code).await?;
        Ok(())
    }

    async fn activate(&mut self) -> anyhow::Result<()> {
        let device = self.world.device(self.person, self.life.devices);
        let (target, command) = self.ask_activation(&device);
        let who = Who::Device(&device.key);
        let ask = Ask {
            who,
            target,
            command,
            secrets: Secrets::default(),
        };
        let asked = self.world.done(&mut self.dice, ask).await?;
        let challenge = asked.challenge.context("no challenge was opened")?;
        let command = Command::ConfirmActivationOtp { challenge };
        let confirmed = self.confirm(who, command).await?;
        self.life.session = confirmed.verified;
        if !self.life.password {
            self.set_password().await?;
        }
        let command = Command::SetPasscode {
            verifier: VerifierId(self.dice.bytes()),
        };
        let passcode = self.passcode();
        let mut secrets = Secrets::default();
        secrets.passcode = Some(passcode);
        self.with(self.session()?, command, secrets).await?;
        let questions = vec![QuestionId::FirstSchool, QuestionId::FavouriteDish];
        let verifier = VerifierId(self.dice.bytes());
        let answers = vec!["trường làng".to_owned(), "bánh đậu xanh".to_owned()];
        let mut secrets = Secrets::default();
        secrets.answers = answers;
        let command = Command::SetSecurityQuestions {
            questions,
            verifier,
        };
        self.with(self.session()?, command, secrets).await?;
        Ok(())
    }

    async fn activate_elsewhere(&mut self) -> anyhow::Result<()> {
        match self.elsewhere {
            Some(other) => {
                let device = self.world.device(other, 0);
                self.turned_down(&device, RefusalCode::UseOtherDevice).await
            }
            None => Ok(()),
        }
    }

    async fn activate_again(&mut self) -> anyhow::Result<()> {
        let device = self.world.device(self.person, self.life.devices);
        self.turned_down(&device, RefusalCode::AlreadyActivated)
            .await
    }

    async fn not_identified(&mut self) -> anyhow::Result<()> {
        let device = self.world.device(self.person, 0);
        self.turned_down(&device, RefusalCode::NotIdentified).await
    }

    async fn expire(&mut self) -> anyhow::Result<()> {
        self.own(Who::Clock, Command::ExpireActivationWindow)
            .await?;
        Ok(())
    }

    async fn assist_and_activate(&mut self) -> anyhow::Result<()> {
        let hotline = Who::Staff(&self.world.staff.hotline);
        self.own(hotline, Command::AssistActivation { proof_given: true })
            .await?;
        clock::pass(10 * 60);
        self.activate().await
    }

    // ---- P2, P8, P9, documents, locks ------------------------------------------------------------

    async fn log_in(&mut self) -> anyhow::Result<()> {
        let device = self.world.device(self.person, self.life.devices);
        let who = Who::Device(&device.key);
        let command = Command::LogIn {
            device: Some(device.info.device),
        };
        if self.dice.per_mille(150) {
            let secrets = password("Sai-mat-khau-1".to_owned());
            let target = Target::Account(self.account()?);
            let ask = Ask {
                who,
                target,
                command: command.clone(),
                secrets,
            };
            self.world
                .refused(&mut self.dice, ask, RefusalCode::CredentialWrong)
                .await?;
        }
        let secrets = password(self.password());
        self.with(who, command, secrets).await?;
        Ok(())
    }

    async fn change_device(&mut self) -> anyhow::Result<()> {
        let old = self.world.device(self.person, self.life.devices);
        let new = self.world.device(self.person, self.life.devices + 1);
        let who = Who::Device(&old.key);
        let asked = self
            .own(who, Command::RequestDeviceChange { device: new.info })
            .await?;
        let challenge = asked.challenge.context("no challenge was opened")?;
        let method = StepUpMethod::CodeOnOldDevice;
        let command = Command::ConfirmDeviceChange {
            method,
            challenge: Some(challenge),
        };
        self.confirm(who, command).await?;
        self.life.devices += 1;
        Ok(())
    }

    async fn change_phone(&mut self) -> anyhow::Result<()> {
        let device = self.world.device(self.person, self.life.devices);
        let who = Who::Device(&device.key);
        let phone = self.citizen.second_phone.clone();
        let hash = self.world.ledger.lookup(Category::PhoneClaim, &phone);
        let method = StepUpMethod::BoundDevice;
        let asked = self
            .own(
                who,
                Command::RequestPhoneChange {
                    phone,
                    hash,
                    method,
                },
            )
            .await?;
        let challenge = asked.challenge.context("no challenge was opened")?;
        self.confirm(who, Command::ConfirmPhoneChange { challenge })
            .await?;
        self.life.second_phone = true;
        Ok(())
    }

    /// A document; half of the numbers are ones the registry knows.
    async fn link(&mut self) -> anyhow::Result<()> {
        let index = u64::from(self.person);
        let device = self.world.device(self.person, self.life.devices);
        let who = Who::Device(&device.key);
        let known = index.is_multiple_of(2);
        let (kind, number) = if index % 4 < 2 {
            (
                DocumentKind::HealthInsuranceCard,
                self.citizen.insurance(self.world.seed, index),
            )
        } else {
            (
                DocumentKind::DrivingLicence,
                self.citizen.driving_licence(self.world.seed, index),
            )
        };
        let target = Target::Account(self.account()?);
        let command = Command::LinkDocument { kind, number };
        let ask = Ask {
            who,
            target,
            command,
            secrets: Secrets::default(),
        };
        if !matches!(
            self.route,
            Route::Level2 | Route::Level2WithCard | Route::Upgrade
        ) {
            self.world
                .refused(&mut self.dice, ask, RefusalCode::LevelTooLow)
                .await?;
        } else if known {
            self.world.done(&mut self.dice, ask).await?;
        } else {
            self.world
                .refused(&mut self.dice, ask, RefusalCode::RegistryNotFound)
                .await?;
        }
        Ok(())
    }

    async fn lock(&mut self, lock: bool) -> anyhow::Result<()> {
        let device = self.world.device(self.person, self.life.devices);
        let ground = LockGround::OwnRequest;
        let command = if lock {
            Command::LockAccount { ground }
        } else {
            Command::UnlockAccount { ground }
        };
        self.own(Who::Device(&device.key), command).await?;
        Ok(())
    }
}

/// A one-time code goes along.
fn otp(code: String) -> Secrets {
    let mut secrets = Secrets::default();
    secrets.otp = Some(code);
    secrets
}

/// A password goes along.
fn password(password: String) -> Secrets {
    let mut secrets = Secrets::default();
    secrets.password = Some(password);
    secrets
}
