//! Registries of other authorities, asked over HTTP, beside the embedded one.
//!
//! Answers the ports of [`ledger::registry`]. The protocol stands in `docs/peers.md`. A registry that
//! does not answer in time, breaks, answers garbage or answers unsigned is asked again a little
//! later, and after that the answer is "unavailable": recorded like any other, so that the case waits
//! and goes on when it is asked again. One that keeps failing is left alone for a while
//! ([`Breaker`]). Never guesses: what it does not understand is not an answer.

use crate::http::{CallError, Peer};
use crate::retry::{Backoff, Breaker};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::command::{DocumentAnswer, RegistryAnswer};
use domain::ids::{AreaCode, Micros};
use domain::personal::Person;
use domain::vocabulary::{DocumentKind, LinkOutcome, RegistryOutcome};
use hyper::Method;
use ledger::registry::{DocumentRegistry, PopulationRegistry};
use ledger::store::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// Largest area code: province and district.
const AREA_MAX: u32 = 999_999;
/// Longest birth date an answer may carry, in bytes.
const BIRTH_DATE_BYTES_MAX: usize = 10;

/// How patient an adapter is. The whole of a question takes at most
/// `tries_max × (the peer's time + the longest wait)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Tries for one question.
    pub tries_max: u16,
    /// Waiting between them.
    pub backoff: Backoff,
    /// Failures in a row that open the breaker.
    pub failures_max: u16,
    /// How long it stays open.
    pub rest: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tries_max: 3,
            backoff: Backoff {
                first: Duration::from_millis(100),
                most: Duration::from_secs(1),
            },
            failures_max: 5,
            rest: Duration::from_secs(30),
        }
    }
}

/// A registry behind a peer.
pub struct HttpRegistry {
    peer: Peer,
    settings: Settings,
    breaker: Breaker,
}

/// What it says of a person.
#[derive(Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case", deny_unknown_fields)]
enum OfPerson {
    Confirmed {
        area: u32,
        birth_date: String,
        has_chip_card: bool,
    },
    Mismatch {},
    NotFound {},
}

/// What it says of a document.
#[derive(Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case", deny_unknown_fields)]
enum OfDocument {
    Verified {
        /// Microseconds since 1970.
        data_as_of: i64,
    },
    NotFound {},
    Mismatch {},
    OwnerMismatch {},
    NoLongerValid {},
}

impl HttpRegistry {
    /// An adapter for the registry behind a peer.
    pub const fn new(peer: Peer, settings: Settings) -> Self {
        Self {
            peer,
            breaker: Breaker::new(settings.failures_max, settings.rest),
            settings,
        }
    }

    /// Asks until there is an answer, or not any more. `None`: unavailable.
    async fn ask<T>(
        &self,
        path: &str,
        question: Value,
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> Option<T> {
        let ids = self.peer.ids();
        let operation = hex::encode(ids.id());
        let body = with_salt(question, ids.array());
        for tries in 1..=self.settings.tries_max {
            if !self.breaker.allows(ids.clock().now()) {
                return None;
            }
            let body = body.clone();
            let answer = self.peer.call(&Method::POST, path, body, &operation).await;
            let answer = answer.and_then(|bytes| read(&bytes).ok_or(CallError::Malformed));
            match answer {
                Ok(answer) => {
                    self.breaker.succeeded();
                    return Some(answer);
                }
                Err(error) => {
                    let opened = self.breaker.failed(ids.clock().now());
                    tracing::warn!(%error, tries, opened, "a registry did not answer");
                    if !error.is_temporary() {
                        return None;
                    }
                }
            }
            if tries < self.settings.tries_max {
                let random = u64::from_le_bytes(ids.array());
                tokio::time::sleep(self.settings.backoff.wait(tries, random)).await;
            }
        }
        None
    }
}

/// The question with its salt: the digest of a signed body is kept by whoever receives it.
fn with_salt(mut question: Value, salt: [u8; 16]) -> Vec<u8> {
    if let Value::Object(fields) = &mut question {
        let salt = BASE64_URL_SAFE_NO_PAD.encode(salt);
        fields.insert("salt".to_owned(), Value::String(salt));
    }
    question.to_string().into_bytes()
}

fn of_person(answer: &[u8]) -> Option<RegistryAnswer> {
    Some(match serde_json::from_slice(answer).ok()? {
        OfPerson::Confirmed {
            area,
            birth_date,
            has_chip_card,
        } => {
            if area > AREA_MAX || birth_date.len() > BIRTH_DATE_BYTES_MAX {
                return None;
            }
            domain::identity::BirthDate::try_from(birth_date.as_str()).ok()?;
            RegistryAnswer::Confirmed {
                area: AreaCode(area),
                birth_date,
                has_chip_card,
            }
        }
        OfPerson::Mismatch {} => RegistryAnswer::Not(RegistryOutcome::Mismatch),
        OfPerson::NotFound {} => RegistryAnswer::Not(RegistryOutcome::NotFound),
    })
}

fn of_document(answer: &[u8], now: Micros) -> Option<DocumentAnswer> {
    Some(match serde_json::from_slice(answer).ok()? {
        // Data of tomorrow are no data.
        OfDocument::Verified { data_as_of } if data_as_of > now.0 => return None,
        OfDocument::Verified { data_as_of } => DocumentAnswer::Verified {
            data_as_of: Micros(data_as_of),
        },
        OfDocument::NotFound {} => DocumentAnswer::Not(LinkOutcome::NotFound),
        OfDocument::Mismatch {} => DocumentAnswer::Not(LinkOutcome::Mismatch),
        OfDocument::OwnerMismatch {} => DocumentAnswer::Not(LinkOutcome::OwnerMismatch),
        OfDocument::NoLongerValid {} => DocumentAnswer::Not(LinkOutcome::NoLongerValid),
    })
}

impl PopulationRegistry for HttpRegistry {
    fn confirm<'a>(&'a self, person: &'a Person) -> BoxFuture<'a, RegistryAnswer> {
        Box::pin(async move {
            let question = json!({
                "personal_id": person.personal_id,
                "full_name": person.full_name,
                "birth_date": person.birth_date,
                "sex": person.sex,
            });
            let answer = self.ask("/v1/people/confirm", question, of_person).await;
            answer.unwrap_or(RegistryAnswer::Not(RegistryOutcome::Unavailable))
        })
    }
}

impl DocumentRegistry for HttpRegistry {
    fn check<'a>(
        &'a self,
        personal_id: &'a str,
        kind: DocumentKind,
        number: &'a str,
    ) -> BoxFuture<'a, DocumentAnswer> {
        Box::pin(async move {
            let question = json!({ "personal_id": personal_id, "kind": kind, "number": number });
            let now = self.peer.ids().clock().now();
            let read = |answer: &[u8]| of_document(answer, now);
            let answer = self.ask("/v1/documents/check", question, read).await;
            answer.unwrap_or(DocumentAnswer::Not(LinkOutcome::RegistryUnavailable))
        })
    }
}
