//! P7: activation, with everything that can stand in its way.

use super::Device;
use super::Occasion;
use crate::demo::ask::{Ask, Who};
use crate::demo::clock;
use anyhow::Context;
use domain::command::Command;
use domain::ids::VerifierId;
use domain::vocabulary::{QuestionId, RefusalCode};
use ledger::writer::{Secrets, Target};

impl Occasion<'_> {
    /// Asks for activation by number and phone, as the app does.
    pub(super) fn ask_activation(&self, device: &Device) -> (Target, Command) {
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

    pub(super) async fn turned_down(
        &mut self,
        device: &Device,
        code: RefusalCode,
    ) -> anyhow::Result<()> {
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

    pub(super) async fn activate(&mut self) -> anyhow::Result<()> {
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

    pub(super) async fn activate_elsewhere(&mut self) -> anyhow::Result<()> {
        match self.elsewhere {
            Some(other) => {
                let device = self.world.device(other, 0);
                self.turned_down(&device, RefusalCode::UseOtherDevice).await
            }
            None => Ok(()),
        }
    }

    pub(super) async fn activate_again(&mut self) -> anyhow::Result<()> {
        let device = self.world.device(self.person, self.life.devices);
        self.turned_down(&device, RefusalCode::AlreadyActivated)
            .await
    }

    pub(super) async fn not_identified(&mut self) -> anyhow::Result<()> {
        let device = self.world.device(self.person, 0);
        self.turned_down(&device, RefusalCode::NotIdentified).await
    }

    pub(super) async fn expire(&mut self) -> anyhow::Result<()> {
        self.own(Who::Clock, Command::ExpireActivationWindow)
            .await?;
        Ok(())
    }

    pub(super) async fn assist_and_activate(&mut self) -> anyhow::Result<()> {
        let hotline = Who::Staff(&self.world.staff.hotline);
        self.own(hotline, Command::AssistActivation { proof_given: true })
            .await?;
        clock::pass(10 * 60);
        Box::pin(self.activate()).await
    }
}
