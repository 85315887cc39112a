//! Registries of other authorities, asked over HTTP, beside the embedded one.
//!
//! Answers the ports of [`ledger::registry`]. The protocol stands in `docs/peers.md`. A registry that
//! does not answer in time, breaks, answers garbage or answers unsigned is asked again a little
//! later, and after that the answer is "unavailable": recorded like any other, so that the case waits
//! and goes on when it is asked again. One that keeps failing is left alone for a while
//! ([`Guarded`]). Never guesses: what it does not understand is not an answer.

mod answers;

use crate::guarded::{FAILURES_MAX, Figures, Guarded, NoAnswer, REST};
use crate::http::{Peer, Reply};
use crate::retry::Backoff;
use answers::{
    of_capture, of_document, of_foreigner, of_organisation, of_person, of_relation, without_salt,
};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::command::{DocumentAnswer, ImmigrationAnswer, RegistryAnswer, RelationAnswer};
use domain::personal::{Organisation, Person};
use domain::vocabulary::{
    Capture, DocumentKind, LinkOutcome, MatchResult, Modality, RegistryOutcome,
};
use hyper::Method;
use ledger::evidence::SignedAnswer;
use ledger::registry::{
    Answered, CitizenCardRegistry, DocumentRegistry, Foreigner, ImmigrationRegistry,
    OrganisationRegistry, OrganisationReply, PopulationRegistry,
};
use ledger::store::BoxFuture;
use serde_json::{Value, json};
use std::time::Duration;

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
            failures_max: FAILURES_MAX,
            rest: REST,
        }
    }
}

/// A registry behind a peer. Cheap to clone: the clones share the breaker.
#[derive(Clone)]
pub struct HttpRegistry {
    peer: Guarded,
    settings: Settings,
}

impl HttpRegistry {
    /// An adapter for the registry behind a peer.
    pub fn new(peer: Peer, settings: Settings) -> Self {
        Self {
            peer: Guarded::new(peer, settings.failures_max, settings.rest),
            settings,
        }
    }

    /// What it did since the start, and how its breaker stands now.
    pub fn figures(&self) -> Figures {
        self.peer.figures()
    }

    /// The registry behind its breaker, for figures.
    pub fn peer(&self) -> Guarded {
        self.peer.clone()
    }

    /// Asks until there is an answer, or not any more. `None`: unavailable.
    async fn ask<T>(
        &self,
        path: &str,
        question: Value,
        read: impl Fn(Value) -> Option<T>,
    ) -> Option<Answered<T>> {
        let Self { peer, settings } = self;
        let ids = peer.ids();
        let operation = hex::encode(ids.id());
        let salt = BASE64_URL_SAFE_NO_PAD.encode(ids.array::<16>());
        let body = with_salt(question, &salt);
        for tries in 1..=settings.tries_max {
            let request = (&Method::POST, path);
            let taken = |reply: Reply| {
                let answer = read(without_salt(&reply.body, &salt)?)?;
                let signed = Some(Box::new(proof(reply, &body)?));
                Some(Answered { answer, signed })
            };
            // A registry answers every question, if only with "not found".
            let answer = peer.call(request, body.clone(), &operation, taken, |_| false);
            match answer.await {
                Ok(answer) => return Some(answer),
                Err(NoAnswer::Failed(error)) if error.is_temporary() => {}
                Err(_) => return None,
            }
            if tries < settings.tries_max {
                let random = u64::from_le_bytes(ids.array());
                tokio::time::sleep(settings.backoff.wait(tries, random)).await;
            }
        }
        None
    }

    /// Whose parent or guardian somebody is, asked at a path.
    async fn relation_at(
        &self,
        path: &str,
        dependant: &str,
        guardian: &str,
    ) -> Answered<RelationAnswer> {
        let question = json!({ "dependant": dependant, "guardian": guardian });
        let answer = self.ask(path, question, of_relation).await;
        answer.unwrap_or_else(|| RelationAnswer::Unavailable.into())
    }

    /// A person's declared data, asked at a path.
    async fn confirm_at(&self, path: &str, person: &Person) -> Answered<RegistryAnswer> {
        let question = json!({
            "personal_id": person.personal_id,
            "full_name": person.full_name,
            "birth_date": person.birth_date,
            "sex": person.sex,
        });
        let answer = self.ask(path, question, of_person).await;
        answer.unwrap_or_else(|| RegistryAnswer::Not(RegistryOutcome::Unavailable).into())
    }
}

/// The peer's signature on an answer to this question, as it is kept.
fn proof(reply: Reply, question: &[u8]) -> Option<SignedAnswer> {
    let Reply {
        body,
        base,
        signature,
        key,
    } = reply;
    SignedAnswer::new(base, signature, key, question.to_vec(), body.to_vec()).ok()
}

/// The question with its salt: the digest of a signed body is kept by whoever receives it.
fn with_salt(mut question: Value, salt: &str) -> Vec<u8> {
    if let Value::Object(fields) = &mut question {
        fields.insert("salt".to_owned(), Value::String(salt.to_owned()));
    }
    question.to_string().into_bytes()
}

impl PopulationRegistry for HttpRegistry {
    fn confirm<'a>(&'a self, person: &'a Person) -> BoxFuture<'a, Answered<RegistryAnswer>> {
        Box::pin(self.confirm_at("/v1/people/confirm", person))
    }

    fn relation<'a>(
        &'a self,
        dependant: &'a str,
        guardian: &'a str,
    ) -> BoxFuture<'a, Answered<RelationAnswer>> {
        Box::pin(self.relation_at("/v1/people/relation", dependant, guardian))
    }
}

/// The card registry behind a peer.
pub struct HttpCards {
    /// Whom it asks.
    pub registry: HttpRegistry,
    /// Whether captures are compared there. If not, whoever compares gives signed commands.
    pub compares: bool,
}

impl CitizenCardRegistry for HttpCards {
    fn confirm<'a>(&'a self, person: &'a Person) -> BoxFuture<'a, Answered<RegistryAnswer>> {
        Box::pin(self.registry.confirm_at("/v1/cards/confirm", person))
    }

    fn compare<'a>(
        &'a self,
        personal_id: &'a str,
        modality: Modality,
        capture: Capture,
    ) -> Option<BoxFuture<'a, Answered<MatchResult>>> {
        if !self.compares {
            return None;
        }
        Some(Box::pin(async move {
            let question = json!({
                "personal_id": personal_id,
                "modality": modality,
                "capture": capture.digest,
            });
            let registry = &self.registry;
            let answer = registry
                .ask("/v1/cards/compare", question, of_capture)
                .await;
            answer.unwrap_or_else(|| MatchResult::Unavailable.into())
        }))
    }
}

impl ImmigrationRegistry for HttpRegistry {
    fn confirm<'a>(
        &'a self,
        foreigner: Foreigner<'a>,
    ) -> BoxFuture<'a, Answered<ImmigrationAnswer>> {
        Box::pin(async move {
            let person = foreigner.person;
            let question = json!({
                "nationality": foreigner.nationality,
                "document_number": foreigner.document_number,
                "personal_id": person.personal_id,
                "full_name": person.full_name,
                "birth_date": person.birth_date,
                "sex": person.sex,
            });
            let path = "/v1/foreigners/confirm";
            let answer = self.ask(path, question, of_foreigner).await;
            answer.unwrap_or_else(|| ImmigrationAnswer::Not(RegistryOutcome::Unavailable).into())
        })
    }

    fn relation<'a>(
        &'a self,
        dependant: &'a str,
        guardian: &'a str,
    ) -> BoxFuture<'a, Answered<RelationAnswer>> {
        Box::pin(self.relation_at("/v1/foreigners/relation", dependant, guardian))
    }
}

impl OrganisationRegistry for HttpRegistry {
    fn confirm_organisation<'a>(
        &'a self,
        organisation: &'a Organisation,
    ) -> BoxFuture<'a, Answered<OrganisationReply>> {
        Box::pin(async move {
            let question = json!({ "number": organisation.number, "name": organisation.name });
            let path = "/v1/organisations/confirm";
            let answer = self.ask(path, question, of_organisation).await;
            answer.unwrap_or_else(|| OrganisationReply::Not(RegistryOutcome::Unavailable).into())
        })
    }
}

impl DocumentRegistry for HttpRegistry {
    fn check<'a>(
        &'a self,
        personal_id: &'a str,
        kind: DocumentKind,
        number: &'a str,
    ) -> BoxFuture<'a, Answered<DocumentAnswer>> {
        Box::pin(async move {
            let question = json!({ "personal_id": personal_id, "kind": kind, "number": number });
            let now = self.peer.ids().clock().now();
            let read = |answer| of_document(answer, now);
            let answer = self.ask("/v1/documents/check", question, read).await;
            answer.unwrap_or_else(|| DocumentAnswer::Not(LinkOutcome::RegistryUnavailable).into())
        })
    }
}
