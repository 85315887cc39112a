//! Asks registries again that did not answer, until they do.
//!
//! What waits stands in the read model `waiting`, so a server that was started anew goes on where the
//! last one stopped; only how long to wait before the next try is kept in memory. A registry that is
//! still silent is asked about one thing a round: there is no use in asking it about the rest. The
//! answer, and what follows from it, is decided by the rules of the ledger.

use crate::retry::Backoff;
use crate::rounds::{self, RoundError, Task};
use domain::command::Command;
use domain::envelope::Actor;
use domain::ids::{CommandId, Micros, PrincipalId, RequestId};
use domain::vocabulary::{Database, Role};
use ledger::evidence::Proven;
use ledger::ledger::Ledger;
use ledger::writer::{LedgerError, Secrets, Submission, Target};
use projections::Views;
use projections::waiting::{NAME, Owed};
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::time::Duration;

/// Owed answers taken up at a time.
const PAGE: usize = 256;
/// How often a running asker looks.
pub const PERIOD: Duration = Duration::from_secs(2);
/// Waiting between two questions about the same thing.
pub const BACKOFF: Backoff = Backoff {
    first: Duration::from_secs(10),
    most: Duration::from_mins(10),
};

/// What a round came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Round {
    /// Answers that came, and waits that were over.
    pub answered: u64,
    /// Registries that were silent again.
    pub silent: u64,
    /// Questions that the rules no longer let through: somebody was faster.
    pub refused: u64,
}

/// When a question may be put again.
#[derive(Debug, Clone, Copy)]
struct Rest {
    tries: u16,
    until: Micros,
}

/// Asks again.
pub struct Asker {
    ledger: Ledger,
    views: Views,
    backoff: Backoff,
    resting: HashMap<RequestId, Rest>,
}

impl Asker {
    /// An asker for a ledger; `views` must follow it.
    pub fn new(ledger: Ledger, views: Views, backoff: Backoff) -> Self {
        Self {
            ledger,
            views,
            backoff,
            resting: HashMap::new(),
        }
    }

    /// Puts every question once that may be put now, the oldest first.
    pub async fn round(&mut self) -> Result<Round, RoundError> {
        rounds::caught_up(&self.ledger, &self.views, NAME).await?;
        let (mut round, mut after) = (Round::default(), None);
        let (mut silent, mut owed_still) = (HashSet::<Database>::new(), HashSet::new());
        loop {
            let page = self.views.owed_answers(after, PAGE)?;
            let Some(last) = page.last() else {
                // What is no longer owed needs no memory.
                self.resting
                    .retain(|request, _| owed_still.contains(request));
                return Ok(round);
            };
            after = Some(last.position);
            for owed in &page {
                owed_still.insert(owed.request);
                let rest = self.resting.get(&owed.request);
                let rests = rest.is_some_and(|rest| self.ledger.now() < rest.until);
                if !rests && !silent.contains(&owed.database) {
                    self.ask(owed, &mut round, &mut silent).await?;
                }
            }
        }
    }

    /// Looks every [`PERIOD`] until `shutdown` resolves. A question that is under way then is put again
    /// by the next server.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        rounds::run(self, shutdown).await;
    }

    async fn ask(
        &mut self,
        owed: &Owed,
        round: &mut Round,
        silent: &mut HashSet<Database>,
    ) -> Result<(), RoundError> {
        match self.ledger.submit(submission(owed)).await {
            Ok(outcome) if outcome.refused.is_none() => {
                round.answered += 1;
                self.resting.remove(&owed.request);
            }
            Ok(_) | Err(LedgerError::Flood { .. }) => {
                round.refused += 1;
                self.rest(owed.request);
            }
            Err(LedgerError::RegistrySilent) => {
                round.silent += 1;
                silent.insert(owed.database);
                self.rest(owed.request);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn rest(&mut self, request: RequestId) {
        let before = self.resting.get(&request).map_or(0, |rest| rest.tries);
        let tries = before.saturating_add(1);
        let random = u64::from_le_bytes(self.ledger.assembler().ids().array());
        let wait = self.backoff.wait(tries, random);
        let wait = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
        let until = self.ledger.now().plus(wait);
        self.resting.insert(request, Rest { tries, until });
    }
}

impl Task for Asker {
    type Round = Round;
    const PERIOD: Duration = PERIOD;
    const FAILED: &'static str = "registries could not be asked again";

    fn once(&mut self) -> impl Future<Output = Result<Round, RoundError>> + Send {
        self.round()
    }

    fn tell(round: &Round) {
        if round.answered > 0 {
            tracing::info!(answered = round.answered, "registries answered late");
        }
    }
}

fn submission(owed: &Owed) -> Submission {
    Submission {
        command: Command::AskRegistry {
            request: owed.request,
        },
        target: Target::Account(owed.account),
        command_id: command_id(owed),
        correlation: None,
        actor: Actor {
            role: Role::Ledger,
            principal: PrincipalId::ZERO,
            key: None,
        },
        proven: Proven::none(),
        expected: None,
        occurred_at: None,
        secrets: Secrets::default(),
    }
}

/// The id of a question's command: a question has one answer, whoever brings it.
fn command_id(owed: &Owed) -> CommandId {
    let mut hasher =
        blake3::Hasher::new_derive_key("idledger 2026 command id of an owed answer v1");
    hasher.update(&owed.account.0);
    hasher.update(&owed.request.0);
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    CommandId(id)
}
