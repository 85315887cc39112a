//! Asking another service over HTTP: signed requests, signed answers, limits on time and size.
//!
//! Requests are signed as this service's own callers sign theirs (RFC 9421, [`api::signature`]). An
//! answer is signed by the peer over its status, its body's digest and the request's nonce, so that
//! neither a machine between nor a recorded answer can speak for the peer. Both protocols stand in
//! `docs/peers.md`. Never follows a redirection, never logs a body, and speaks plain HTTP to this
//! machine only: an unsealed personal datum does not leave it in the clear.

use crate::link::Link;
use api::signature::{Unsigned, content_digest, sign_request};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use domain::ids::{Micros, PublicKey, Signature};
use ed25519_dalek::SigningKey;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request};
use ledger::wiring::Ids;
use sfv::{BareItem, Dictionary, FieldType as _, ListEntry, Parser};
use std::sync::Arc;
use std::time::Duration;

/// Longest answer taken, in bytes.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How far an answer's `created` may be from the clock here, in seconds, either way.
pub const ANSWER_SKEW_S: i64 = 300;
/// The request's nonce, said back in the answer.
pub const NONCE_HEADER: &str = "idledger-nonce";
/// What an answer's signature covers, in this order.
const COVERED: &str = "(\"@status\" \"content-type\" \"content-digest\" \"idledger-nonce\")";
/// The same where the request had a body.
const COVERED_WITH_QUESTION: &str = "(\"@status\" \"content-type\" \"content-digest\" \
                                     \"content-digest\";req \"idledger-nonce\")";

/// Why a question got no good answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// No connection, or it broke.
    #[error("the peer cannot be reached")]
    Unreachable,
    /// No answer in time.
    #[error("the peer did not answer in time")]
    TimedOut,
    /// An answer that is not the peer's, or not to this request.
    #[error("the answer's signature is not good: {0}")]
    Signature(&'static str),
    /// The peer said no; HTTP status.
    #[error("the peer answered with status {0}")]
    Status(u16),
    /// Too long, or not what the protocol says.
    #[error("the answer is not what the protocol says")]
    Malformed,
    /// The request could not be made.
    #[error("the request cannot be made")]
    Request,
}

impl CallError {
    /// Whether asking again may help.
    pub const fn is_temporary(self) -> bool {
        match self {
            Self::Unreachable | Self::TimedOut | Self::Signature(_) | Self::Malformed => true,
            Self::Status(status) => status >= 500 || matches!(status, 408 | 425 | 429),
            Self::Request => false,
        }
    }
}

/// Where a peer is and how the two know each other.
#[derive(Clone)]
pub struct PeerSettings {
    /// `https://host[:port][/path]`; `http` for this machine only.
    pub base: String,
    /// Signs requests.
    pub key: SigningKey,
    /// The peer's key.
    pub peer_key: PublicKey,
    /// Longest time for one try, connecting included.
    pub time_max: Duration,
}

/// Why a peer cannot be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// Not a URL.
    #[error("not an http or https URL with a host")]
    Url,
    /// Plain HTTP to another machine.
    #[error("plain http is for this machine only; use https")]
    Plain,
    /// The peer's key is malformed or weak.
    #[error("the peer's key is not a good Ed25519 key")]
    Key,
}

/// A good answer, and the peer's signature on it.
pub struct Reply {
    /// The body of the answer.
    pub body: Bytes,
    /// What the peer signed.
    pub base: String,
    /// Ed25519 over it, which verified.
    pub signature: Signature,
    /// The peer's key.
    pub key: PublicKey,
}

/// A peer that is asked.
#[derive(Clone)]
pub struct Peer {
    link: Link,
    settings: PeerSettings,
    ids: Arc<Ids>,
}

impl Peer {
    /// Checks the settings. `ids`: the clock and the nonces.
    pub fn new(settings: PeerSettings, ids: Arc<Ids>) -> Result<Self, PeerError> {
        let link = Link::new(&settings.base)?;
        domain::record::verifying_key(&settings.peer_key).map_err(|_| PeerError::Key)?;
        Ok(Self {
            link,
            settings,
            ids,
        })
    }

    /// The clock and the nonces.
    pub fn ids(&self) -> &Arc<Ids> {
        &self.ids
    }

    /// Asks once; a 2xx answer. `path`: below the peer's own. `operation`: the same for
    /// every try of one thing, so that the peer can do it once.
    pub async fn call(
        &self,
        method: &Method,
        path: &str,
        body: Vec<u8>,
        operation: &str,
    ) -> Result<Reply, CallError> {
        let limit = self.settings.time_max;
        let call = self.one_call(method, path, body, operation);
        let answered = tokio::time::timeout(limit, call).await;
        answered.unwrap_or(Err(CallError::TimedOut))
    }

    async fn one_call(
        &self,
        method: &Method,
        path: &str,
        body: Vec<u8>,
        operation: &str,
    ) -> Result<Reply, CallError> {
        let nonce: [u8; 16] = self.ids.array();
        let question = (!body.is_empty()).then(|| content_digest(&body));
        let request = self.request(method, path, body, (operation, nonce))?;
        let (parts, body) = self.link.send(request, ANSWER_BYTES_MAX).await?;
        let status = parts.status.as_u16();
        // What is not 2xx says nothing about anybody, so a proxy between may say it unsigned.
        if !parts.status.is_success() {
            return Err(CallError::Status(status));
        }
        let expected = Expected {
            status,
            nonce: &BASE64_URL_SAFE_NO_PAD.encode(nonce),
            question: question.as_deref(),
            now_s: self.now_s(),
            key: &self.settings.peer_key,
        };
        let (base, signature) = expected.check(&parts.headers, &body)?;
        Ok(Reply {
            body,
            base,
            signature,
            key: self.settings.peer_key,
        })
    }

    fn request(
        &self,
        method: &Method,
        path: &str,
        body: Vec<u8>,
        (operation, nonce): (&str, [u8; 16]),
    ) -> Result<Request<Full<Bytes>>, CallError> {
        let bad = |_| CallError::Request;
        let target = self.link.target(path);
        let mut headers = HeaderMap::new();
        let operation = HeaderValue::from_str(operation).map_err(|_| CallError::Request)?;
        headers.insert(HeaderName::from_static("idempotency-key"), operation);
        let unsigned = Unsigned {
            method,
            path_and_query: &target,
            headers: &headers,
            body: &body,
        };
        let key = &self.settings.key;
        let added = sign_request(&unsigned, key, self.now_s(), nonce).map_err(bad)?;
        headers.extend(added.into_iter().map(|(name, value)| (Some(name), value)));
        let mut request = Request::builder()
            .method(method)
            .uri(self.link.uri(&target))
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| CallError::Request)?;
        request.headers_mut().extend(headers);
        Ok(request)
    }

    fn now_s(&self) -> i64 {
        self.ids.clock().now().0 / Micros::SECOND
    }
}

/// What an answer must be signed over.
struct Expected<'a> {
    status: u16,
    nonce: &'a str,
    /// Digest of the request's body, if it had one.
    question: Option<&'a str>,
    now_s: i64,
    key: &'a PublicKey,
}

impl Expected<'_> {
    fn check(&self, headers: &HeaderMap, body: &[u8]) -> Result<(String, Signature), CallError> {
        let field = |name: &'static str| {
            let mut values = headers.get_all(name).iter();
            let only = values.next().filter(|_| values.next().is_none());
            let text = only.and_then(|value| value.to_str().ok());
            text.ok_or(CallError::Signature("a field is missing or there twice"))
        };
        let (content_type, digest) = (field("content-type")?, field("content-digest")?);
        let nonce = field(NONCE_HEADER)?;
        if digest != content_digest(body) {
            return Err(CallError::Signature("the body is not the one digested"));
        }
        if nonce != self.nonce {
            return Err(CallError::Signature("it answers another request"));
        }
        let input = field("signature-input")?;
        let params = input.strip_prefix("sig1=");
        let params = params.filter(|params| params.starts_with(covered(self.question)));
        let params = params.ok_or(CallError::Signature("it covers something else"))?;
        self.check_parameters(input)?;
        let digests = (digest, self.question);
        let base = answer_base(self.status, content_type, digests, nonce, params);
        let signature = signature_of(field("signature")?)?;
        domain::record::verify(self.key, base.as_bytes(), &signature)
            .map_err(|_| CallError::Signature("it does not verify"))?;
        Ok((base, signature))
    }

    fn check_parameters(&self, input: &str) -> Result<(), CallError> {
        let malformed = CallError::Signature("its parameters are malformed");
        let parsed: Dictionary = Parser::new(input).parse().map_err(|_| malformed)?;
        let Some(ListEntry::InnerList(list)) = parsed.get("sig1") else {
            return Err(malformed);
        };
        if parsed.len() != 1 || parsed.serialize().as_deref() != Some(input) {
            return Err(malformed);
        }
        let text = |name: &str| list.params.get(name).and_then(BareItem::as_string);
        let key_id = self.key.id().to_string();
        if text("keyid").is_none_or(|id| id.as_str() != key_id) {
            return Err(CallError::Signature("another key signed it"));
        }
        if text("alg").is_none_or(|alg| alg.as_str() != "ed25519") {
            return Err(malformed);
        }
        let created = list.params.get("created").and_then(BareItem::as_integer);
        let created = created.map(i64::from).ok_or(malformed)?;
        if self.now_s.abs_diff(created) > ANSWER_SKEW_S.unsigned_abs() {
            return Err(CallError::Signature("its time is not near"));
        }
        Ok(())
    }
}

fn signature_of(text: &str) -> Result<Signature, CallError> {
    let bytes = text
        .strip_prefix("sig1=:")
        .and_then(|rest| rest.strip_suffix(':'))
        .and_then(|text| BASE64_STANDARD.decode(text).ok());
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
    let malformed = CallError::Signature("it is not 64 bytes");
    bytes.map(Signature).ok_or(malformed)
}

const fn covered(question: Option<&str>) -> &'static str {
    match question {
        Some(_) => COVERED_WITH_QUESTION,
        None => COVERED,
    }
}

fn answer_base(
    status: u16,
    content_type: &str,
    (digest, question): (&str, Option<&str>),
    nonce: &str,
    params: &str,
) -> String {
    let question = question.map_or_else(String::new, |question| {
        format!("\"content-digest\";req: {question}\n")
    });
    format!(
        "\"@status\": {status}\n\"content-type\": {content_type}\n\"content-digest\": {digest}\n\
         {question}\"idledger-nonce\": {nonce}\n\"@signature-params\": {params}"
    )
}

/// The peer's side: signs a JSON answer to the request with this body and nonce. What a gateway or registry
/// written in Rust, the tests and a trial peer use.
pub fn sign_answer(
    status: u16,
    body: &[u8],
    (question, nonce): (&[u8], &str),
    key: &SigningKey,
    created_s: i64,
) -> Vec<(HeaderName, String)> {
    use ed25519_dalek::Signer as _;
    let id = PublicKey(key.verifying_key().to_bytes()).id();
    let question = (!question.is_empty()).then(|| content_digest(question));
    let question = question.as_deref();
    let covered = covered(question);
    let params = format!("{covered};created={created_s};keyid=\"{id}\";alg=\"ed25519\"");
    let (json, digest) = ("application/json", content_digest(body));
    let base = answer_base(status, json, (&digest, question), nonce, &params);
    let signature = BASE64_STANDARD.encode(key.sign(base.as_bytes()).to_bytes());
    vec![
        (CONTENT_TYPE, json.to_owned()),
        (HeaderName::from_static("content-digest"), digest),
        (HeaderName::from_static(NONCE_HEADER), nonce.to_owned()),
        (
            HeaderName::from_static("signature-input"),
            format!("sig1={params}"),
        ),
        (
            HeaderName::from_static("signature"),
            format!("sig1=:{signature}:"),
        ),
    ]
}
