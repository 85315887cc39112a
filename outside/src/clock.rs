//! The clock: tells the ledger that a stored deadline has passed.
//!
//! Reads the `deadlines` projection and gives each overdue deadline its command, the earliest first,
//! as [`Role::Clock`]. Owns no deadline: they were computed when they were set and stand in events,
//! so a calendar changed later moves nothing. A command's id follows from the deadline, so that a
//! deadline given twice (a restart, a read model that lags, two servers) is one command. What time it
//! is, is the ledger's clock; when it happened, is the deadline itself, however late it is noticed. Only
//! a card's last day waits for a law under which it is a ground (Decree 69 art. 15).

use crate::rounds::{self, RoundError, Task};
use domain::bytes;
use domain::envelope::Actor;
use domain::ids::{CommandId, Micros, PrincipalId};
use domain::law::Known;
use domain::vocabulary::{LawKind, Role};
use ledger::evidence::Proven;
use ledger::ledger::Ledger;
use ledger::writer::{LedgerError, Secrets, Submission, Target};
use projections::Views;
use projections::deadlines::{Deadline, NAME};
use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

/// Deadlines taken up at a time.
const PAGE: usize = 256;
/// How long a deadline rests whose command was refused, or a flood, in microseconds.
const REST: i64 = 3600 * Micros::SECOND;
/// How often a running clock looks.
pub const PERIOD: Duration = Duration::from_secs(1);

/// What a round came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Round {
    /// Deadlines whose passing was recorded.
    pub passed: u64,
    /// Deadlines whose passing had been recorded already.
    pub repeated: u64,
    /// Deadlines that the rules say have not passed, or no longer run: somebody was faster.
    pub refused: u64,
}

/// Lets deadlines pass.
pub struct Clock {
    ledger: Ledger,
    views: Views,
    /// Deadlines that rest until an instant.
    resting: HashMap<CommandId, Micros>,
}

impl Clock {
    /// A clock for a ledger; `views` must follow it.
    pub fn new(ledger: Ledger, views: Views) -> Self {
        Self {
            ledger,
            views,
            resting: HashMap::new(),
        }
    }

    /// Lets everything pass that is overdue now, in order.
    pub async fn round(&mut self) -> Result<Round, RoundError> {
        let mut round = Round::default();
        let now = self.ledger.now();
        self.resting.retain(|_, until| *until > now);
        loop {
            // A deadline that was met a moment ago must not be taken for one that passed.
            rounds::caught_up(&self.ledger, &self.views, NAME).await?;
            let limit = PAGE + self.resting.len();
            let due = self.views.deadlines(now, limit)?;
            let mut due: Vec<_> = due.into_iter().map(|due| (due, due.due)).collect();
            let cards = Cards::of(&self.ledger, now);
            if cards.lock_at(now) {
                let over = self.views.card_deadlines(now, limit)?;
                due.extend(over.into_iter().map(|due| (due, cards.since(due.due, now))));
                due.sort_by_key(|(_, at)| *at);
            }
            let due: Vec<_> = due
                .into_iter()
                .map(|(deadline, at)| (command_id(&deadline), deadline, at))
                .filter(|(id, ..)| !self.resting.contains_key(id))
                .collect();
            if due.is_empty() {
                return Ok(round);
            }
            for (id, deadline, at) in due {
                self.pass((id, at), &deadline, now, &mut round).await?;
            }
        }
    }

    /// Looks every [`PERIOD`] until `shutdown` resolves.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        rounds::run(self, shutdown).await;
    }

    async fn pass(
        &mut self,
        (id, at): (CommandId, Micros),
        deadline: &Deadline,
        now: Micros,
        round: &mut Round,
    ) -> Result<(), RoundError> {
        let outcome = match self.ledger.submit(submission(id, deadline, at)).await {
            Ok(outcome) => outcome,
            Err(LedgerError::Flood { .. }) => {
                self.resting.insert(id, now.plus(REST));
                round.refused += 1;
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        if outcome.refused.is_none() && !outcome.repeated {
            round.passed += 1;
            return Ok(());
        }
        // Answered before, or not to be answered: while it is still in the read model, it rests, or
        // this round would never end.
        self.resting.insert(id, now.plus(REST));
        if outcome.refused.is_some() {
            round.refused += 1;
        } else {
            round.repeated += 1;
        }
        Ok(())
    }
}

impl Task for Clock {
    type Round = Round;
    const PERIOD: Duration = PERIOD;
    const FAILED: &'static str = "deadlines could not all be taken up";

    fn once(&mut self) -> impl Future<Output = Result<Round, RoundError>> + Send {
        self.round()
    }

    fn tell(round: &Round) {
        if *round != Round::default() {
            let (passed, repeated, refused) = (round.passed, round.repeated, round.refused);
            tracing::info!(passed, repeated, refused, "deadlines passed");
        }
    }
}

/// Since when a card's last day means something: by the policies published so far. A card that had
/// expired before an expired card became a ground is locked from the day it became one.
struct Cards(Vec<(Micros, bool)>);

impl Cards {
    /// The instants at which a policy began, and whether expired cards lock from there on.
    fn of(ledger: &Ledger, now: Micros) -> Self {
        let book = ledger.law_book();
        let policies = book
            .published()
            .filter(|version| version.law == LawKind::Policy);
        let mut begins: Vec<Micros> = policies
            .flat_map(|version| {
                let terms = &version.draft.terms;
                core::iter::once(terms.effective_from).chain(terms.effective_to)
            })
            .filter(|at| *at <= now)
            .collect();
        begins.sort_unstable();
        let locks = |at| {
            let edition = book.edition(at, Known::Now);
            edition.policy().expired_card_locks
        };
        Self(begins.into_iter().map(|at| (at, locks(at))).collect())
    }

    fn lock_at(&self, at: Micros) -> bool {
        let last = self.0.iter().rev().find(|(from, _)| *from <= at);
        last.is_some_and(|(_, locks)| *locks)
    }

    /// The first instant from `due` on at which they lock.
    fn since(&self, due: Micros, now: Micros) -> Micros {
        if self.lock_at(due) {
            return due;
        }
        let later = self.0.iter().find(|(from, locks)| *from > due && *locks);
        later.map_or(now, |(from, _)| *from)
    }
}

fn submission(id: CommandId, deadline: &Deadline, at: Micros) -> Submission {
    Submission {
        command: deadline.what.command(),
        target: Target::Account(deadline.account),
        command_id: id,
        correlation: None,
        actor: Actor {
            role: Role::Clock,
            principal: PrincipalId::ZERO,
            key: None,
        },
        proven: Proven::none(),
        expected: None,
        occurred_at: Some(at),
        secrets: Secrets::default(),
    }
}

/// The id of a deadline's command: the same wherever and whenever it is given.
fn command_id(deadline: &Deadline) -> CommandId {
    let mut hasher = blake3::Hasher::new_derive_key("idledger 2026 command id of a deadline v1");
    // A deadline is a few fixed-size numbers, so it always has an encoding.
    hasher.update(&bytes::encode(deadline).unwrap_or_default());
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    CommandId(id)
}
