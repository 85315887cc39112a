//! SMS over an HTTP gateway: notices with receipts, and one-time codes directly.
//!
//! The protocol stands in `docs/peers.md`. Sending one message twice under one id is sending it
//! once, so trying again is safe. Codes are never written anywhere: they go from the command that
//! made them through a short queue in memory to the gateway, and if they do not leave in their time
//! they are gone; the citizen asks for another.

use super::{Carried, Carrier, CarryError, Letter};
use crate::http::{CallError, Peer};
use crate::retry::Backoff;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::ids::EventId;
use domain::messages::{Lang, render};
use domain::vocabulary::Channel;
use hyper::Method;
use ledger::messenger::{Messenger, OutgoingMessage};
use ledger::store::BoxFuture;
use ledger::writer::Contact;
use serde::Deserialize;
use std::time::Duration;
use tokio::sync::mpsc;

/// Codes that wait for the gateway; more are dropped, and asked for again by who waits for them.
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

/// What the gateway says of a message.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Accepted,
    Delivered,
    Failed,
}

#[derive(Deserialize)]
struct Answer {
    status: Status,
}

/// An SMS gateway.
#[derive(Clone)]
pub struct Gateway {
    peer: Peer,
    /// Whether a message that the gateway took counts as received (spec E.4: SMS has no reliable
    /// receipt; the owner decides).
    accepted_counts: bool,
}

impl Gateway {
    /// A gateway behind a peer.
    pub const fn new(peer: Peer, accepted_counts: bool) -> Self {
        Self {
            peer,
            accepted_counts,
        }
    }

    /// Hands a message over.
    async fn post(&self, id: &str, to: &str, text: &str) -> Result<Carried, CarryError> {
        let salt = BASE64_URL_SAFE_NO_PAD.encode(self.peer.ids().array::<16>());
        let body = serde_json::json!({ "id": id, "to": to, "text": text, "salt": salt });
        let body = body.to_string().into_bytes();
        let answer = self.peer.call(&Method::POST, "/v1/messages", body, id);
        self.understood(&answer.await.map_err(error)?)
    }

    fn understood(&self, answer: &[u8]) -> Result<Carried, CarryError> {
        let answer: Answer = serde_json::from_slice(answer).map_err(|_| CarryError::Temporary)?;
        Ok(match answer.status {
            Status::Accepted if self.accepted_counts => Carried::Delivered,
            Status::Accepted => Carried::Accepted,
            Status::Delivered => Carried::Delivered,
            Status::Failed => Carried::Failed,
        })
    }
}

fn error(error: CallError) -> CarryError {
    if error.is_temporary() {
        CarryError::Temporary
    } else {
        CarryError::Refused
    }
}

impl Carrier for Gateway {
    fn channel(&self) -> Channel {
        Channel::Sms
    }

    fn address<'c>(&self, contact: &'c Contact) -> &'c str {
        &contact.phone
    }

    fn carry<'a>(&'a self, letter: &'a Letter) -> BoxFuture<'a, Result<Carried, CarryError>> {
        Box::pin(async move {
            let id = letter.id.to_string();
            self.post(&id, &letter.to, &letter.text).await
        })
    }

    fn receipt(&self, id: EventId) -> BoxFuture<'_, Result<Carried, CarryError>> {
        Box::pin(async move {
            let (path, id) = (format!("/v1/messages/{id}"), id.to_string());
            let answer = self.peer.call(&Method::GET, &path, Vec::new(), &id);
            // A gateway that does not know it yet, or no more, has no receipt.
            let answer = answer.await.map_err(|_| CarryError::Temporary)?;
            self.understood(&answer)
        })
    }
}

/// Sends one-time codes at once, and never writes them down.
pub struct Codes {
    queue: mpsc::Sender<OutgoingMessage>,
}

impl Codes {
    /// Starts sending over a gateway. Ends when the messenger is dropped. Must be called within a
    /// runtime.
    pub fn start(gateway: Gateway) -> Self {
        let (queue, mut waiting) = mpsc::channel::<OutgoingMessage>(CODES_WAITING_MAX);
        tokio::spawn(async move {
            let places = std::sync::Arc::new(tokio::sync::Semaphore::new(CODES_AT_ONCE));
            while let Some(message) = waiting.recv().await {
                let Ok(place) = places.clone().acquire_owned().await else {
                    return;
                };
                let gateway = gateway.clone();
                tokio::spawn(async move {
                    send_code(&gateway, message).await;
                    drop(place);
                });
            }
        });
        Self { queue }
    }
}

impl Messenger for Codes {
    fn send(&self, message: OutgoingMessage) {
        if message.code.is_none() || message.phone.is_empty() {
            return;
        }
        if self.queue.try_send(message).is_err() {
            tracing::warn!("a one-time code was dropped: too many are waiting for the gateway");
        }
    }
}

async fn send_code(gateway: &Gateway, message: OutgoingMessage) {
    let code = message.code.as_deref().unwrap_or_default();
    let text = zeroize::Zeroizing::new(render(message.message, Lang::Vi, &[("code", code)]));
    // A code that is sent again is a message of its own, so the id is the try's, not the challenge's.
    let id = hex::encode(gateway.peer.ids().id());
    for tries in 1..=CODE_TRIES_MAX {
        match gateway.post(&id, &message.phone, &text).await {
            Ok(Carried::Accepted | Carried::Delivered) => return,
            Ok(Carried::Failed) | Err(CarryError::Refused) => break,
            Err(CarryError::Temporary) if tries < CODE_TRIES_MAX => {
                let random = u64::from_le_bytes(gateway.peer.ids().array());
                tokio::time::sleep(CODE_BACKOFF.wait(tries, random)).await;
            }
            Err(CarryError::Temporary) => break,
        }
    }
    tracing::warn!(account = %message.account, "a one-time code did not leave");
}
