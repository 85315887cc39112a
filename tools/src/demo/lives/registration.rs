//! P1 and P3: the app account, and level 1 applied for in the app.

use super::Occasion;
use super::otp;
use super::password;
use crate::demo::ask::{Ask, Who};
use anyhow::Context;
use domain::command::Command;
use domain::ids::{Digest, VerifierId};
use domain::vocabulary::{ChipEvidence, EvidenceStrength, RefusalCode, RegistrationMethod};
use ledger::writer::{Outcome, Secrets, Target};

impl Occasion<'_> {
    pub(super) async fn register(&mut self) -> anyhow::Result<()> {
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
    pub(super) async fn confirm(
        &mut self,
        who: Who<'_>,
        command: Command,
    ) -> anyhow::Result<Outcome> {
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

    pub(super) async fn set_password(&mut self) -> anyhow::Result<()> {
        let command = Command::SetPassword {
            verifier: VerifierId(self.dice.bytes()),
        };
        let secrets = password(self.password());
        self.with(self.session()?, command, secrets).await?;
        self.life.password = true;
        Ok(())
    }

    pub(super) async fn apply(&mut self) -> anyhow::Result<()> {
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
}
