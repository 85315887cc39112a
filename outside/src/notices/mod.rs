//! Notices that leave: from the outbox read model, over carriers, with what became of them recorded.
//!
//! At least once: a notice is recorded as sent after its carrier took it, so a crash between the two
//! sends it again, under the same id. What is recorded are outcomes, never an address or a text. One
//! that cannot be delivered is given up visibly: `NoticeFailed`, on the last channel with `last`.
//! One-time codes do not pass here; see [`codes`].

pub mod codes;
pub mod mail;
mod patience;
mod sender;
pub mod sms;

pub use patience::Settings;
pub use sender::{Round, Sender};

use domain::ids::EventId;
use domain::vocabulary::Channel;
use ledger::messenger::{Mailbox, Messenger as _, OutgoingMessage};
use ledger::store::BoxFuture;
use ledger::writer::Contact;
use std::sync::Arc;

/// One notice on its way. Held in memory only; prints nothing of its address.
pub struct Letter {
    /// The event it tells of: the same for every try.
    pub id: EventId,
    /// Whose.
    pub account: domain::ids::AccountId,
    /// What it says, by id.
    pub message: domain::vocabulary::Message,
    /// Where to: a number or an address, as the channel has it.
    pub to: zeroize::Zeroizing<String>,
    /// What it says, in Vietnamese.
    pub text: String,
}

impl core::fmt::Debug for Letter {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Letter({:?} {})", self.message, self.id)
    }
}

/// What a carrier said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    /// Taken; whether it arrived is asked later.
    Accepted,
    /// It arrived, or this is as much as will ever be known.
    Delivered,
    /// It will not arrive.
    Failed,
}

/// Why a carrier did not take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CarryError {
    /// It will never take this one.
    #[error("the carrier refused it")]
    Refused,
    /// Later, maybe.
    #[error("the carrier cannot take it now")]
    Temporary,
    /// It failed too often and was left alone: it was not asked.
    #[error("the carrier is left alone for a while")]
    Resting,
}

/// Brings notices to people.
pub trait Carrier: Send + Sync + 'static {
    /// Which channel it is.
    fn channel(&self) -> Channel;

    /// The address it would use; empty: none.
    fn address<'c>(&self, contact: &'c Contact) -> &'c str;

    /// Takes one over.
    fn carry<'a>(&'a self, letter: &'a Letter) -> BoxFuture<'a, Result<Carried, CarryError>>;

    /// What became of one that was accepted.
    fn receipt(&self, id: EventId) -> BoxFuture<'_, Result<Carried, CarryError>>;
}

/// The simulated SMS channel as a carrier: for trials.
pub struct Simulated(pub Arc<Mailbox>);

impl Carrier for Simulated {
    fn channel(&self) -> Channel {
        Channel::Sms
    }

    fn address<'c>(&self, contact: &'c Contact) -> &'c str {
        &contact.phone
    }

    fn carry<'a>(&'a self, letter: &'a Letter) -> BoxFuture<'a, Result<Carried, CarryError>> {
        self.0.send(OutgoingMessage {
            account: letter.account,
            phone: letter.to.to_string(),
            email: String::new(),
            message: letter.message,
            challenge: None,
            code: None,
        });
        Box::pin(core::future::ready(Ok(Carried::Delivered)))
    }

    fn receipt(&self, _: EventId) -> BoxFuture<'_, Result<Carried, CarryError>> {
        Box::pin(core::future::ready(Ok(Carried::Delivered)))
    }
}
