//! SMS over an HTTP gateway, with receipts.
//!
//! The protocol stands in `docs/peers.md`. Sending one message twice under one id is sending it
//! once, so trying again is safe.

use super::{Carried, Carrier, CarryError, Letter};
use crate::http::{CallError, Peer};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::ids::EventId;
use domain::vocabulary::Channel;
use hyper::Method;
use ledger::store::BoxFuture;
use ledger::writer::Contact;
use serde::Deserialize;

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
    pub(super) async fn post(&self, id: &str, to: &str, text: &str) -> Result<Carried, CarryError> {
        let salt = BASE64_URL_SAFE_NO_PAD.encode(self.peer.ids().array::<16>());
        let body = serde_json::json!({ "id": id, "to": to, "text": text, "salt": salt });
        let body = body.to_string().into_bytes();
        let answer = self.peer.call(&Method::POST, "/v1/messages", body, id);
        self.understood(&answer.await.map_err(error)?.body)
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
            self.understood(&answer.body)
        })
    }
}
