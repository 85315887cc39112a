//! One-time codes: by SMS, or by e-mail to those who have no number.
//!
//! Never written anywhere: a code goes from the command that made it through a short queue in memory
//! to its carrier, and if it does not leave in its time it is gone; the citizen asks for another.

use super::mail::Mail;
use super::sms::Gateway;
use super::{Carried, CarryError};
use crate::retry::Backoff;
use domain::messages::{Lang, render};
use ledger::messenger::{Messenger, OutgoingMessage};
use ledger::wiring::Ids;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};

/// Codes that wait for a carrier; more are dropped, and asked for again by who waits for them.
const CODES_WAITING_MAX: usize = 1024;
/// Codes on their way at once.
const CODES_AT_ONCE: usize = 16;
/// Tries for one code, within seconds: later it would come too late.
const CODE_TRIES_MAX: u16 = 3;
/// Waiting between them.
const CODE_BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(500),
    most: Duration::from_secs(2),
};

/// The ways a code may go.
#[derive(Clone)]
pub struct Ways {
    /// To a number.
    pub sms: Option<Gateway>,
    /// To an address, where there is no number.
    pub mail: Option<Arc<Mail>>,
    /// Ids of tries, and randomness of waiting.
    pub ids: Arc<Ids>,
}

/// Sends one-time codes at once, and never writes them down.
pub struct Codes {
    queue: mpsc::Sender<OutgoingMessage>,
}

impl Codes {
    /// Starts sending. Ends when the messenger is dropped. Must be called within a runtime.
    pub fn start(ways: Ways) -> Self {
        let (queue, mut waiting) = mpsc::channel::<OutgoingMessage>(CODES_WAITING_MAX);
        tokio::spawn(async move {
            let places = Arc::new(Semaphore::new(CODES_AT_ONCE));
            while let Some(message) = waiting.recv().await {
                let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                    return;
                };
                let ways = ways.clone();
                tokio::spawn(async move {
                    ways.send(message).await;
                    drop(place);
                });
            }
        });
        Self { queue }
    }
}

impl Messenger for Codes {
    fn send(&self, message: OutgoingMessage) {
        if message.code.is_none() {
            // A notice: it goes through the outbox.
            return;
        }
        if self.queue.try_send(message).is_err() {
            tracing::warn!("a one-time code was dropped: too many are waiting");
        }
    }
}

impl Ways {
    async fn send(&self, message: OutgoingMessage) {
        let code = message.code.as_deref().unwrap_or_default();
        let text = zeroize::Zeroizing::new(render(message.message, Lang::Vi, &[("code", code)]));
        // A code that is sent again is a message of its own: the id is the try's, not the challenge's.
        let id = hex::encode(self.ids.id());
        for tries in 1..=CODE_TRIES_MAX {
            match self.carry(&message, &id, &text).await {
                Ok(Carried::Accepted | Carried::Delivered) => return,
                Err(CarryError::Temporary) if tries < CODE_TRIES_MAX => {
                    let random = u64::from_le_bytes(self.ids.array());
                    tokio::time::sleep(CODE_BACKOFF.wait(tries, random)).await;
                }
                Ok(Carried::Failed) | Err(_) => break,
            }
        }
        tracing::warn!(account = %message.account, "a one-time code did not leave");
    }

    async fn carry(
        &self,
        message: &OutgoingMessage,
        id: &str,
        text: &str,
    ) -> Result<Carried, CarryError> {
        match (&self.sms, &self.mail) {
            (Some(sms), _) if !message.phone.is_empty() => sms.post(id, &message.phone, text).await,
            (_, Some(mail)) if !message.email.is_empty() => {
                mail.post(id, &message.email, text).await
            }
            _ => Err(CarryError::Refused),
        }
    }
}
