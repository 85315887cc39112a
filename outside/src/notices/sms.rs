//! SMS over an HTTP gateway, with receipts.
//!
//! The protocol stands in `docs/peers.md`. Sending one message twice under one id is sending it
//! once, so trying again is safe. A gateway that keeps failing is left alone for a while, as registries
//! are; that it does not take one message is no failure.

use super::{Carried, Carrier, CarryError, Letter};
use crate::guarded::{FAILURES_MAX, Guarded, NoAnswer, REST};
use crate::http::{CallError, Peer, Reply};
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
    peer: Guarded,
    /// Whether a message that the gateway took counts as received (spec E.4: SMS has no reliable
    /// receipt; the owner decides).
    accepted_counts: bool,
}

impl Gateway {
    /// A gateway behind a peer.
    pub fn new(peer: Peer, accepted_counts: bool) -> Self {
        Self {
            peer: Guarded::new(peer, FAILURES_MAX, REST),
            accepted_counts,
        }
    }

    /// The gateway behind its breaker, for figures.
    pub fn peer(&self) -> Guarded {
        self.peer.clone()
    }

    /// Hands a message over.
    pub(super) async fn post(&self, id: &str, to: &str, text: &str) -> Result<Carried, CarryError> {
        let salt = BASE64_URL_SAFE_NO_PAD.encode(self.peer.ids().array::<16>());
        let body = serde_json::json!({ "id": id, "to": to, "text": text, "salt": salt });
        let body = body.to_string().into_bytes();
        let answer = self.call((&Method::POST, "/v1/messages"), body, id);
        answer.await.map_err(error)
    }

    async fn call(
        &self,
        request: (&Method, &str),
        body: Vec<u8>,
        id: &str,
    ) -> Result<Carried, NoAnswer> {
        let read = |reply: Reply| self.understood(&reply.body);
        let answers = |error: &CallError| !error.is_temporary();
        self.peer.call(request, body, id, read, answers).await
    }

    fn understood(&self, answer: &[u8]) -> Option<Carried> {
        let answer: Answer = serde_json::from_slice(answer).ok()?;
        Some(match answer.status {
            Status::Accepted if self.accepted_counts => Carried::Delivered,
            Status::Accepted => Carried::Accepted,
            Status::Delivered => Carried::Delivered,
            Status::Failed => Carried::Failed,
        })
    }
}

const fn error(error: NoAnswer) -> CarryError {
    match error {
        NoAnswer::LeftAlone => CarryError::Resting,
        NoAnswer::Failed(error) if error.is_temporary() => CarryError::Temporary,
        NoAnswer::Failed(_) => CarryError::Refused,
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
            let answer = self.call((&Method::GET, &path), Vec::new(), &id);
            // A gateway that does not know it yet, or no more, has no receipt.
            answer.await.map_err(|_| CarryError::Temporary)
        })
    }
}
