//! Where notices leave the ledger: a port. Nothing sent here is ever written to disk.

use domain::ids::{AccountId, ChallengeId};
use domain::vocabulary::Message;
use parking_lot::Mutex;
use std::collections::VecDeque;

/// One notice to one holder. Holds a number and maybe a code, so it has no `Debug` that prints them.
#[derive(Clone, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// Whose.
    pub account: AccountId,
    /// E.164; empty when the holder has none.
    pub phone: String,
    /// Where there is no number: e-mail; otherwise empty.
    pub email: String,
    /// What to say.
    pub message: Message,
    /// The challenge the code is for.
    pub challenge: Option<ChallengeId>,
    /// The one-time code.
    pub code: Option<String>,
}

impl core::fmt::Debug for OutgoingMessage {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "OutgoingMessage({:?} to {})", self.message, self.account)
    }
}

/// Sends notices. Called after the events are durable; a lost notice is asked for again (`ResendOtp`).
pub trait Messenger: Send + Sync + 'static {
    /// Takes one over. Must not block.
    fn send(&self, message: OutgoingMessage);
}

/// Sends nothing: for tools that only read, and servers whose channel is not configured.
#[derive(Debug, Default, Clone, Copy)]
pub struct Discard;

impl Messenger for Discard {
    fn send(&self, _: OutgoingMessage) {}
}

/// Most messages a [`Mailbox`] holds; the oldest fall out.
pub const MAILBOX_MESSAGES_MAX: usize = 65_536;

/// Keeps messages in memory: the simulated SMS channel of the demo and of tests.
#[derive(Default)]
pub struct Mailbox {
    messages: Mutex<VecDeque<OutgoingMessage>>,
}

impl Mailbox {
    /// Takes out the newest message of an account that carries a code.
    pub fn take_code(&self, account: AccountId) -> Option<OutgoingMessage> {
        let mut messages = self.messages.lock();
        let at = messages
            .iter()
            .rposition(|m| m.account == account && m.code.is_some())?;
        messages.remove(at)
    }

    /// The newest messages, newest first.
    pub fn newest(&self, limit: usize) -> Vec<OutgoingMessage> {
        self.messages
            .lock()
            .iter()
            .rev()
            .take(limit)
            .cloned()
            .collect()
    }
}

impl Messenger for Mailbox {
    fn send(&self, message: OutgoingMessage) {
        let mut messages = self.messages.lock();
        if messages.len() == MAILBOX_MESSAGES_MAX {
            messages.pop_front();
        }
        messages.push_back(message);
    }
}

impl core::fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Mailbox({} messages)", self.messages.lock().len())
    }
}
