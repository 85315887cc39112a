//! One command on the real path: signed by whoever gives it, checked and recorded by the ledger.

use super::clock;
use super::dice::Dice;
use super::inbox::Inbox;
use super::staff::{Member, Staff};
use anyhow::{anyhow, bail};
use domain::bytes;
use domain::command::Command;
use domain::envelope::Actor;
use domain::ids::{AccountId, CommandId, Digest, EventId, PrincipalId, PublicKey, Signature};
use domain::vocabulary::{RefusalCode, Role};
use ed25519_dalek::{Signer, SigningKey};
use ledger::evidence::{Proven, SignedCommand, command_message};
use ledger::ledger::Ledger;
use ledger::writer::{LedgerError, Outcome, Secrets, Submission, Target};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Seconds that one step of a visit takes.
const STEP_S: i64 = 25;
/// How often a command is tried again when too much is going on at once.
const BUSY_ATTEMPTS_MAX: u32 = 50;

/// Who gives a command, and how they prove it.
#[derive(Clone, Copy)]
pub enum Who<'a> {
    /// A principal, with their own key.
    Staff(&'a Member),
    /// A citizen's device, with its key.
    Device(&'a SigningKey),
    /// A citizen in the session a one-time code opened.
    Session(EventId),
    /// A citizen nobody knows yet: the registry's "Đạt" and the code are the proof.
    Unknown,
    /// The ledger itself.
    System,
    /// The clock.
    Clock,
}

/// Everything a visit needs.
pub struct World {
    /// The ledger.
    pub ledger: Ledger,
    /// The seed of everybody.
    pub seed: u64,
    /// Where codes arrive.
    pub inbox: Arc<Inbox>,
    /// Whoever signs as a principal.
    pub staff: Staff,
    /// Commands given.
    pub commands: AtomicU64,
    /// Commands refused.
    pub refusals: AtomicU64,
    /// Events recorded for them.
    pub events: AtomicU64,
    /// One past the highest position that was acknowledged.
    pub acknowledged: Arc<AtomicU64>,
}

/// A command with what goes with it.
pub struct Ask<'a> {
    /// Who.
    pub who: Who<'a>,
    /// For whom.
    pub target: Target,
    /// What.
    pub command: Command,
    /// With which secrets.
    pub secrets: Secrets,
}

impl World {
    /// Gives a command; `dice`: where its id and salt come from.
    pub async fn ask(&self, dice: &mut Dice, ask: Ask<'_>) -> anyhow::Result<Outcome> {
        clock::pass(STEP_S);
        let command_id = CommandId(dice.bytes());
        let account = match ask.target {
            Target::Account(account) => Some(account),
            _ => None,
        };
        let signed = SignedCommand {
            salt: dice.bytes(),
            command_id,
            account,
            command: ask.command,
        };
        let (actor, proven) = prove(ask.who, &signed)?;
        let submission = Submission {
            command: signed.command,
            target: ask.target,
            command_id,
            correlation: None,
            actor,
            proven,
            expected: None,
            occurred_at: None,
            secrets: ask.secrets,
        };
        let mut attempt = 0;
        let outcome = loop {
            match self.ledger.submit(submission.clone()).await {
                Err(LedgerError::Busy | LedgerError::Contended) if attempt < BUSY_ATTEMPTS_MAX => {
                    attempt += 1;
                    tokio::task::yield_now().await;
                }
                outcome => break outcome?,
            }
        };
        let safe = outcome.position.0 + 1;
        self.acknowledged.fetch_max(safe, Ordering::Relaxed);
        self.commands.fetch_add(1, Ordering::Relaxed);
        self.events
            .fetch_add(outcome.events.len() as u64, Ordering::Relaxed);
        if outcome.refused.is_some() {
            self.refusals.fetch_add(1, Ordering::Relaxed);
        }
        Ok(outcome)
    }

    /// The same, and it must be accepted.
    pub async fn done(&self, dice: &mut Dice, ask: Ask<'_>) -> anyhow::Result<Outcome> {
        let kind = ask.command.kind();
        let outcome = self.ask(dice, ask).await?;
        match outcome.refused {
            None => Ok(outcome),
            Some(refused) => bail!(
                "{kind:?} was refused: {:?} ({:?})",
                refused.code,
                refused.guard
            ),
        }
    }

    /// The same, and it must be refused, for this reason.
    pub async fn refused(
        &self,
        dice: &mut Dice,
        ask: Ask<'_>,
        code: RefusalCode,
    ) -> anyhow::Result<Outcome> {
        let kind = ask.command.kind();
        let outcome = self.ask(dice, ask).await?;
        match outcome.refused {
            Some(refused) if refused.code == code => Ok(outcome),
            Some(refused) => bail!("{kind:?} was refused with {:?}, not {code:?}", refused.code),
            None => bail!("{kind:?} was accepted, not refused with {code:?}"),
        }
    }

    /// The code that was sent to an account.
    pub fn code(&self, account: AccountId) -> anyhow::Result<String> {
        self.inbox
            .take(account)
            .ok_or_else(|| anyhow!("no code arrived"))
    }
}

/// Signs as whoever it is, and has the proof checked as the ledger checks everybody's.
fn prove(who: Who<'_>, command: &SignedCommand) -> anyhow::Result<(Actor, Proven)> {
    let actor = |role, principal, key: Option<&SigningKey>| Actor {
        role,
        principal,
        key: key.map(|key| PublicKey(key.verifying_key().to_bytes()).id()),
    };
    let nobody = PrincipalId::ZERO;
    Ok(match who {
        Who::Staff(member) => {
            let actor = actor(member.role, member.principal, Some(&member.key));
            (actor, sign(command, &member.key)?)
        }
        Who::Device(key) => (actor(Role::Citizen, nobody, Some(key)), sign(command, key)?),
        Who::Session(event) => {
            let body = bytes::encode(command)?;
            (
                actor(Role::Citizen, nobody, None),
                Proven::session(event, Some(body)),
            )
        }
        Who::Unknown => (actor(Role::Citizen, nobody, None), Proven::none()),
        Who::System => (actor(Role::Ledger, nobody, None), Proven::none()),
        Who::Clock => (actor(Role::Clock, nobody, None), Proven::none()),
    })
}

/// Signs outside the ledger, as a device or a token does; the ledger verifies it strictly.
fn sign(command: &SignedCommand, key: &SigningKey) -> anyhow::Result<Proven> {
    let digest = Digest(*blake3::hash(&bytes::encode(command)?).as_bytes());
    let message = command_message(command.command_id, digest);
    let signature = Signature(key.sign(&message).to_bytes());
    let public = PublicKey(key.verifying_key().to_bytes());
    Ok(Proven::command(command, signature, public)?)
}
