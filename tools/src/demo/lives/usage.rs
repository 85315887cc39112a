//! P2, P8, P9, documents and locks: what people do with an account that is active.

use super::Occasion;
use super::password;
use crate::demo::ask::{Ask, Who};
use crate::demo::people::Citizen;
use crate::demo::plan::Route;
use anyhow::Context;
use domain::command::Command;
use domain::ids::Category;
use domain::vocabulary::{DocumentKind, LockGround, RefusalCode, StepUpMethod};
use ledger::writer::{Secrets, Target};

impl Occasion<'_> {
    pub(super) async fn log_in(&mut self) -> anyhow::Result<()> {
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

    pub(super) async fn change_device(&mut self) -> anyhow::Result<()> {
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

    pub(super) async fn change_phone(&mut self) -> anyhow::Result<()> {
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
    pub(super) async fn link(&mut self) -> anyhow::Result<()> {
        let index = u64::from(self.person);
        let device = self.world.device(self.person, self.life.devices);
        let who = Who::Device(&device.key);
        let known = index.is_multiple_of(2);
        let (kind, number) = if index % 4 < 2 {
            (
                DocumentKind::HealthInsuranceCard,
                Citizen::insurance(self.world.seed, index),
            )
        } else {
            (
                DocumentKind::DrivingLicence,
                Citizen::driving_licence(self.world.seed, index),
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

    pub(super) async fn lock(&mut self, lock: bool) -> anyhow::Result<()> {
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
