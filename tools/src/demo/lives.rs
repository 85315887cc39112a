//! What people do on each occasion, command by command.
//!
//! Every step must come out as planned, or the demo stops: so the totals are exact because the
//! rules made them so, not because they were written down.

mod activation;
mod desk;
mod registration;
mod usage;

use super::ask::{Ask, Who, World};
use super::dice::Dice;
use super::people::Citizen;
use super::plan::{Appointment, Route, Visit};
use anyhow::{Context, anyhow};
use domain::command::{Command, DeviceInfo};
use domain::ids::{AccountId, CaseId, Category, DeviceRef, Digest, EventId, PublicKey};
use domain::vocabulary::Capture;
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
            Visit::ActivateElsewhere => Box::pin(self.activate_elsewhere()).await,
            Visit::Activate if self.route == Route::AppOnly => self.not_identified().await,
            Visit::Activate => Box::pin(self.activate()).await,
            Visit::ActivateAgain => Box::pin(self.activate_again()).await,
            Visit::Expire => Box::pin(self.expire()).await,
            Visit::AssistAndActivate => Box::pin(self.assist_and_activate()).await,
            Visit::LogIn => self.log_in().await,
            Visit::ChangeDevice => Box::pin(self.change_device()).await,
            Visit::ChangePhone => Box::pin(self.change_phone()).await,
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
        let quality = 62 + self.dice.below(38) as u8;
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
