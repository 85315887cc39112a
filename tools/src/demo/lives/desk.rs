//! P4, P5 and P6: the officer's desk, the registries' answers, the decision and its notice.

use super::Occasion;
use crate::demo::ask::{Ask, Who};
use crate::demo::clock;
use crate::demo::plan::Route;
use anyhow::Context;
use domain::command::Command;
use domain::vocabulary::{Channel, Database, MatchResult, Modality, RefusalCode, RefusalReason};
use ledger::writer::{Secrets, Target};

impl Occasion<'_> {
    pub(super) async fn desk(&mut self) -> anyhow::Result<()> {
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
        self.registries_answer().await
    }

    /// The database that has a reference compares both biometrics.
    async fn registries_answer(&mut self) -> anyhow::Result<()> {
        let (world, case) = (self.world, self.case()?);
        let with_card_issue = self.route == Route::Level2WithCard;
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

    pub(super) async fn decide(&mut self) -> anyhow::Result<()> {
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
}
