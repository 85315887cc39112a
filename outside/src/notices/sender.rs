//! The sender: takes notices from the outbox, brings each to a carrier, and records the outcome.

use super::patience::{Settings, Tried};
use super::{Carried, Carrier, CarryError, Letter};
use crate::rounds::{self, RoundError, Task};
use domain::command::Command;
use domain::envelope::Actor;
use domain::ids::{AccountId, CommandId, EventId, Micros, PrincipalId};
use domain::messages::{Lang, message_text};
use domain::vocabulary::{Channel, NoticeFault, Role};
use futures_util::StreamExt as _;
use ledger::evidence::Proven;
use ledger::ledger::Ledger;
use ledger::writer::{Contact, LedgerError, Secrets, Submission, Target};
use projections::Views;
use projections::outbox::{NAME, Notice, NoticeState, Open};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// Notices taken from the outbox at a time.
const PAGE: usize = 256;
/// Notices on their way at once.
const AT_ONCE: usize = 16;
/// How often a running sender looks.
pub const PERIOD: Duration = Duration::from_secs(2);

/// What a round came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Round {
    /// Notices that left.
    pub sent: u64,
    /// Notices that were received.
    pub received: u64,
    /// Tries that failed and will be made again.
    pub put_off: u64,
    /// Channels given up.
    pub given_up: u64,
}

impl Round {
    const fn and(self, other: Self) -> Self {
        Self {
            sent: self.sent + other.sent,
            received: self.received + other.received,
            put_off: self.put_off + other.put_off,
            given_up: self.given_up + other.given_up,
        }
    }
}

/// Sends notices.
pub struct Sender {
    ledger: Ledger,
    views: Views,
    carriers: Vec<Arc<dyn Carrier>>,
    settings: Settings,
    tries: Tried,
}

impl Sender {
    /// A sender over carriers, the preferred first. `views` must follow the ledger.
    pub fn new(
        ledger: Ledger,
        views: Views,
        carriers: Vec<Arc<dyn Carrier>>,
        settings: Settings,
    ) -> Self {
        Self {
            ledger,
            views,
            carriers,
            settings,
            tries: Tried::default(),
        }
    }

    /// Sends all that is to be sent now, and asks for the receipts that are due.
    pub async fn round(&self) -> Result<Round, RoundError> {
        let pending = self.queue(false).await?;
        let sent = self.queue(true).await?;
        Ok(pending.and(sent))
    }

    /// Looks every [`PERIOD`] until `shutdown` resolves. Whatever is on its way then is sent again, under
    /// the same id.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        rounds::run(self, shutdown).await;
    }

    async fn queue(&self, sent: bool) -> Result<Round, RoundError> {
        rounds::caught_up(&self.ledger, &self.views, NAME).await?;
        let (mut round, mut after) = (Round::default(), None);
        loop {
            let page = self.views.open_notices(sent, after, PAGE)?;
            let Some(last) = page.last() else {
                return Ok(round);
            };
            after = Some(last.notice.position);
            let outcomes: Vec<_> = futures_util::stream::iter(page)
                .map(|open| self.attend(open))
                .buffer_unordered(AT_ONCE)
                .collect()
                .await;
            for outcome in outcomes {
                round = round.and(outcome?);
            }
        }
    }

    async fn attend(&self, open: Open) -> Result<Round, RoundError> {
        match open.notice.state {
            NoticeState::Pending => self.send(open.account, &open.notice).await,
            NoticeState::Sent { channel, at } => {
                self.ask(open.account, &open.notice, channel, at).await
            }
            _ => Ok(Round::default()),
        }
    }

    /// The carriers that can still be tried, the preferred first.
    fn carriers(&self, notice: &Notice, contact: &Contact) -> Vec<&Arc<dyn Carrier>> {
        let given_up = |channel| notice.failures.iter().any(|f| f.channel == channel);
        let usable = self
            .carriers
            .iter()
            .filter(|carrier| !given_up(carrier.channel()) && !carrier.address(contact).is_empty());
        usable.collect()
    }

    async fn send(&self, account: AccountId, notice: &Notice) -> Result<Round, RoundError> {
        let before = notice.to_former.then_some(notice.revision);
        let contact = self.ledger.contact(account, before).await?;
        let carriers = self.carriers(notice, &contact);
        let Some(carrier) = carriers.first() else {
            let channel = self.carriers.first().map_or(Channel::Sms, |c| c.channel());
            let fault = NoticeFault::NoAddress;
            let given_up = self.give_up(account, notice, channel, (fault, 0, true));
            return given_up.await;
        };
        let channel = carrier.channel();
        if self.rests(notice, channel) {
            return Ok(Round::default());
        }
        let letter = Letter {
            id: notice.notice,
            account,
            message: notice.message,
            to: Zeroizing::new(carrier.address(&contact).to_owned()),
            text: message_text(notice.message, Lang::Vi).to_owned(),
        };
        let last = carriers.len() == 1;
        match carrier.carry(&letter).await {
            Ok(Carried::Accepted) => self.left(account, notice, channel).await,
            Ok(Carried::Delivered) => {
                let left = self.left(account, notice, channel).await?;
                Ok(left.and(self.received(account, notice, channel).await?))
            }
            Ok(Carried::Failed) | Err(CarryError::Refused) => {
                let failed = self.tries.failed_again(notice.notice, channel);
                let why = (NoticeFault::Refused, failed, last);
                self.give_up(account, notice, channel, why).await
            }
            Err(CarryError::Resting) => {
                // Nobody was asked, so it was no try: not one of those after which it is given up.
                let failed = self.tries.failures(notice.notice, channel);
                self.put_off(notice, channel, failed);
                Ok(Round {
                    put_off: 1,
                    ..Round::default()
                })
            }
            Err(CarryError::Temporary) => {
                let failed = self.tries.failed_again(notice.notice, channel);
                if failed < self.settings.attempts_max {
                    self.put_off(notice, channel, failed);
                    return Ok(Round {
                        put_off: 1,
                        ..Round::default()
                    });
                }
                let why = (NoticeFault::Unreachable, failed, last);
                self.give_up(account, notice, channel, why).await
            }
        }
    }

    /// Asks what became of a notice that left.
    async fn ask(
        &self,
        account: AccountId,
        notice: &Notice,
        channel: Channel,
        left_at: Micros,
    ) -> Result<Round, RoundError> {
        if self.rests(notice, channel) {
            return Ok(Round::default());
        }
        let carrier = self.carriers.iter().find(|c| c.channel() == channel);
        let answer = match carrier {
            Some(carrier) => carrier.receipt(notice.notice).await,
            None => Err(CarryError::Temporary),
        };
        let last = self.is_last(account, notice, channel).await?;
        let overdue = self.ledger.now() >= after(left_at, self.settings.receipt_within);
        match answer {
            Ok(Carried::Delivered) => self.received(account, notice, channel).await,
            Ok(Carried::Failed) => {
                let why = (NoticeFault::Refused, 1, last);
                self.give_up(account, notice, channel, why).await
            }
            _ if overdue => {
                let why = (NoticeFault::Unconfirmed, 1, last);
                self.give_up(account, notice, channel, why).await
            }
            _ => {
                let until = after(self.ledger.now(), self.settings.receipt_every);
                self.tries.rest(notice.notice, channel, until);
                Ok(Round::default())
            }
        }
    }

    /// Whether no other channel is left once this one is given up.
    async fn is_last(
        &self,
        account: AccountId,
        notice: &Notice,
        channel: Channel,
    ) -> Result<bool, RoundError> {
        let before = notice.to_former.then_some(notice.revision);
        let contact = self.ledger.contact(account, before).await?;
        let mut others = self.carriers(notice, &contact).into_iter();
        Ok(!others.any(|carrier| carrier.channel() != channel))
    }

    fn rests(&self, notice: &Notice, channel: Channel) -> bool {
        self.tries.rests(notice.notice, channel, self.ledger.now())
    }

    /// Not before a while, which grows with the failures.
    fn put_off(&self, notice: &Notice, channel: Channel, failed: u16) {
        let random = u64::from_le_bytes(self.ledger.assembler().ids().array());
        let wait = self.settings.backoff.wait(failed, random);
        let until = after(self.ledger.now(), wait);
        self.tries.rest(notice.notice, channel, until);
    }

    // ---- what is recorded --------------------------------------------------------------------------

    async fn left(
        &self,
        account: AccountId,
        notice: &Notice,
        channel: Channel,
    ) -> Result<Round, RoundError> {
        let command = Command::RecordNoticeSent {
            notice: notice.notice,
            message: notice.message,
            channel,
            attempts: self
                .tries
                .failures(notice.notice, channel)
                .saturating_add(1),
        };
        self.tries.forget(notice.notice, channel);
        self.record(account, notice, channel, command).await?;
        Ok(Round {
            sent: 1,
            ..Round::default()
        })
    }

    async fn received(
        &self,
        account: AccountId,
        notice: &Notice,
        channel: Channel,
    ) -> Result<Round, RoundError> {
        self.tries.forget(notice.notice, channel);
        let command = Command::RecordNoticeDelivered {
            notice: notice.notice,
            case: notice.case,
            channel,
            received_at: self.ledger.now(),
        };
        self.record(account, notice, channel, command).await?;
        Ok(Round {
            received: 1,
            ..Round::default()
        })
    }

    async fn give_up(
        &self,
        account: AccountId,
        notice: &Notice,
        channel: Channel,
        (fault, attempts, last): (NoticeFault, u16, bool),
    ) -> Result<Round, RoundError> {
        self.tries.forget(notice.notice, channel);
        let command = Command::RecordNoticeFailed {
            notice: notice.notice,
            channel,
            fault,
            attempts,
            last,
        };
        self.record(account, notice, channel, command).await?;
        Ok(Round {
            given_up: 1,
            ..Round::default()
        })
    }

    /// A refusal (a closed account) is recorded like any other, and takes the notice off the outbox
    /// by the event that closed the account.
    async fn record(
        &self,
        account: AccountId,
        notice: &Notice,
        channel: Channel,
        command: Command,
    ) -> Result<(), RoundError> {
        let command_id = command_id(notice.notice, channel, &command);
        let submission = Submission {
            command,
            target: Target::Account(account),
            command_id,
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
        };
        match self.ledger.submit(submission).await {
            Ok(_) | Err(LedgerError::Flood { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Task for Sender {
    type Round = Round;
    const PERIOD: Duration = PERIOD;
    const FAILED: &'static str = "notices could not be taken up";

    fn once(&mut self) -> impl Future<Output = Result<Round, RoundError>> + Send {
        self.round()
    }

    fn tell(round: &Round) {
        if round.given_up > 0 {
            tracing::warn!(given_up = round.given_up, "notices were given up");
        }
    }
}

fn after(instant: Micros, wait: Duration) -> Micros {
    instant.plus(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX))
}

/// The id of an outcome's command: each notice has at most one outcome of a kind on a channel.
fn command_id(notice: EventId, channel: Channel, command: &Command) -> CommandId {
    let mut hasher = blake3::Hasher::new_derive_key("idledger 2026 command id of a notice v1");
    hasher.update(&notice.0);
    hasher.update(&[channel as u8, command.kind() as u8]);
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    CommandId(id)
}
