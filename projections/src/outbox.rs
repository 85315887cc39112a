//! Notices: what is to be told to whom, what has left, what was received, what was given up.
//!
//! Which event tells what is the domain's list ([`domain::notice`]); here is what became of it.
//! Rows: one per account with its newest notices, which is also its inbox in the app, and one per
//! notice that still has something to be done, in the order of the ledger. No address and no text:
//! the first is opened where the notice is sent, the second made there.

use crate::changes::Changes;
use crate::error::{ApplyError, ViewError};
use crate::projection::{Decoded, Projection};
use crate::view::{Order, ViewStore};
use domain::bytes;
use domain::event::Event;
use domain::ids::{AccountId, CaseId, EventId, Micros, Position, Revision};
use domain::notice::{Told, told};
use domain::vocabulary::{Channel, Message, NoticeFault};
use wincode::{SchemaRead, SchemaWrite};

/// Its name.
pub const NAME: &str = "outbox";
/// Version of its rows.
pub const VERSION: u32 = 1;

/// Notices kept per account; older ones are in the events.
pub const NOTICES_MAX: usize = 32;
/// Channels given up that are kept per notice: there are four channels.
const FAILURES_MAX: usize = 4;

const ACCOUNT: u8 = b'a';
const PENDING: u8 = b'p';
const SENT: u8 = b's';

/// Where a notice stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SchemaRead, SchemaWrite, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[wincode(tag_encoding = "u8")]
pub enum NoticeState {
    /// To be sent.
    Pending,
    /// It left; a receipt is awaited.
    Sent {
        /// By which channel.
        channel: Channel,
        /// When.
        at: Micros,
    },
    /// Received.
    Received {
        /// By which channel.
        channel: Channel,
        /// When.
        at: Micros,
    },
    /// Given up on every channel.
    Failed,
    /// No longer worth telling.
    Withdrawn,
}

impl NoticeState {
    /// Whether something is still to be done.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Sent { .. })
    }
}

/// A channel that was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SchemaRead, SchemaWrite, serde::Serialize)]
pub struct Failure {
    /// Which.
    pub channel: Channel,
    /// Why.
    pub fault: NoticeFault,
    /// How often it was tried.
    pub attempts: u16,
}

/// One notice.
#[derive(Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite, serde::Serialize)]
pub struct Notice {
    /// The event it tells of, which is its id.
    pub notice: EventId,
    /// What it says.
    pub message: Message,
    /// The dossier whose result it tells.
    pub case: Option<CaseId>,
    /// To the address before the event.
    pub to_former: bool,
    /// The event's number in the account's stream.
    pub revision: Revision,
    /// The event's position.
    pub position: Position,
    /// When the event was recorded.
    pub at: Micros,
    /// Where it stands.
    pub state: NoticeState,
    /// How often it was tried, on all channels; tries that have no outcome yet are not counted.
    pub attempts: u16,
    /// Channels given up.
    pub failures: Vec<Failure>,
}

/// A notice that has something to be done, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// Whose.
    pub account: AccountId,
    /// What.
    pub notice: Notice,
}

/// An account's notices, oldest first.
#[derive(Debug, Default, Clone, PartialEq, Eq, SchemaRead, SchemaWrite)]
struct Inbox {
    notices: Vec<Notice>,
}

/// Folds notices.
#[derive(Debug, Default)]
pub struct Outbox;

impl Projection for Outbox {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn apply(&mut self, changes: &mut Changes, record: &Decoded) -> Result<(), ApplyError> {
        let Some(account) = record.account() else {
            return Ok(());
        };
        let new = told(&record.event);
        if new.is_none() && !concerns(&record.event) {
            return Ok(());
        }
        let key = account_key(account);
        let mut inbox: Inbox = changes.read(NAME, &key)?.unwrap_or_default();
        let before: Vec<_> = inbox.notices.iter().map(queue_of).collect();
        for notice in &mut inbox.notices {
            follow(notice, record);
        }
        for (notice, before) in inbox.notices.iter().zip(before) {
            move_queue(changes, account, notice, before)?;
        }
        if let Some(told) = new {
            let notice = notice_of(told, record);
            move_queue(changes, account, &notice, None)?;
            inbox.notices.push(notice);
        }
        while inbox.notices.len() > NOTICES_MAX {
            let closed = inbox.notices.iter().position(|n| !n.state.is_open());
            let dropped = inbox.notices.remove(closed.unwrap_or(0));
            if let Some(queue) = queue_of(&dropped) {
                changes.delete(&queue_key(queue, dropped.position))?;
            }
        }
        if inbox.notices.is_empty() {
            return Ok(());
        }
        changes.write(&key, &inbox)
    }
}

/// Events that change where a notice stands.
const fn concerns(event: &Event) -> bool {
    matches!(
        event,
        Event::NoticeSent(_)
            | Event::NoticeDelivered(_)
            | Event::NoticeFailed(_)
            | Event::ResultNotified(_)
            | Event::ActivationReopened(_)
            | Event::AccountActivated(_)
            | Event::AccountClosed(_)
    )
}

fn notice_of(told: Told, record: &Decoded) -> Notice {
    Notice {
        notice: record.envelope.event_id,
        message: told.message,
        case: told.case,
        to_former: told.to_former,
        revision: record.envelope.revision,
        position: record.position,
        at: record.envelope.recorded_at,
        state: NoticeState::Pending,
        attempts: 0,
        failures: Vec::new(),
    }
}

/// What an event makes of a notice.
fn follow(notice: &mut Notice, record: &Decoded) {
    let open = notice.state.is_open();
    match &record.event {
        Event::NoticeSent(facts) if facts.notice == notice.notice && open => {
            notice.attempts = notice.attempts.saturating_add(facts.attempts);
            notice.state = NoticeState::Sent {
                channel: facts.channel,
                at: record.envelope.recorded_at,
            };
        }
        Event::NoticeDelivered(facts) if facts.notice == notice.notice => {
            notice.state = NoticeState::Received {
                channel: facts.channel,
                at: facts.received_at,
            };
        }
        Event::NoticeFailed(facts) if facts.notice == notice.notice && open => {
            notice.attempts = notice.attempts.saturating_add(facts.attempts);
            if notice.failures.len() < FAILURES_MAX {
                notice.failures.push(Failure {
                    channel: facts.channel,
                    fault: facts.fault,
                    attempts: facts.attempts,
                });
            }
            notice.state = if facts.last {
                NoticeState::Failed
            } else {
                NoticeState::Pending
            };
        }
        Event::ResultNotified(facts) if notice.case == Some(facts.case) && open => {
            notice.state = NoticeState::Received {
                channel: facts.channel,
                at: facts.received_at,
            };
        }
        Event::ActivationReopened(_) | Event::AccountActivated(_)
            if notice.message == Message::ActivationWindowEnded && open =>
        {
            notice.state = NoticeState::Withdrawn;
        }
        Event::AccountClosed(_) if open => notice.state = NoticeState::Withdrawn,
        _ => {}
    }
}

/// The queue a notice waits in, if in any.
const fn queue_of(notice: &Notice) -> Option<u8> {
    match notice.state {
        NoticeState::Pending => Some(PENDING),
        NoticeState::Sent { .. } => Some(SENT),
        _ => None,
    }
}

fn move_queue(
    changes: &mut Changes,
    account: AccountId,
    notice: &Notice,
    before: Option<u8>,
) -> Result<(), ApplyError> {
    let now = queue_of(notice);
    if now == before {
        return Ok(());
    }
    if let Some(before) = before {
        changes.delete(&queue_key(before, notice.position))?;
    }
    if let Some(now) = now {
        changes.write(&queue_key(now, notice.position), &(account, notice.notice))?;
    }
    Ok(())
}

fn account_key(account: AccountId) -> Vec<u8> {
    let mut key = vec![ACCOUNT];
    key.extend(account.0);
    key
}

fn queue_key(queue: u8, position: Position) -> Vec<u8> {
    let mut key = vec![queue];
    key.extend(position.0.to_be_bytes());
    key
}

/// An account's newest notices, oldest first.
pub(crate) fn of_account(
    view: &dyn ViewStore,
    account: AccountId,
) -> Result<Vec<Notice>, ViewError> {
    let Some(row) = view.get(&account_key(account))? else {
        return Ok(Vec::new());
    };
    let inbox: Inbox = decode(&row)?;
    Ok(inbox.notices)
}

/// Accounts with notices after an account, in the order of their ids, each with its newest notices,
/// oldest first.
pub(crate) fn accounts(
    view: &dyn ViewStore,
    after: Option<AccountId>,
    limit: usize,
) -> Result<Vec<(AccountId, Vec<Notice>)>, ViewError> {
    let start = after.map_or(vec![ACCOUNT], |after| {
        let mut key = account_key(after);
        key.push(0);
        key
    });
    let rows = view.scan(&start, &[ACCOUNT + 1], Order::Ascending, limit)?;
    let mut found = Vec::with_capacity(rows.len());
    for (key, row) in rows {
        let id = key.get(1..).and_then(|id| id.try_into().ok());
        let inbox: Inbox = decode(&row)?;
        found.extend(id.map(|id| (AccountId(id), inbox.notices)));
    }
    Ok(found)
}

/// Notices to be sent (or, `sent`, whose receipt is awaited) after a position, in order.
pub(crate) fn open(
    view: &dyn ViewStore,
    sent: bool,
    after: Option<Position>,
    limit: usize,
) -> Result<Vec<Open>, ViewError> {
    let queue = if sent { SENT } else { PENDING };
    let start = after.map_or(vec![queue], |after| {
        queue_key(queue, Position(after.0.saturating_add(1)))
    });
    let rows = view.scan(&start, &[queue + 1], Order::Ascending, limit)?;
    let mut found = Vec::with_capacity(rows.len());
    for (_, row) in rows {
        let (account, wanted): (AccountId, EventId) = decode(&row)?;
        let notices = of_account(view, account)?;
        // Between two reads it may have been dealt with.
        let notice = notices.into_iter().find(|notice| notice.notice == wanted);
        found.extend(notice.map(|notice| Open { account, notice }));
    }
    Ok(found)
}

fn decode<T: crate::changes::RowValue>(row: &[u8]) -> Result<T, ViewError> {
    bytes::decode(row).map_err(|error| ViewError::damaged(NAME, &error))
}
