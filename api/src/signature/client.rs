//! The sender's side: what officers' tools, devices, the demo and tests use to sign a request.

use super::base::{Target, signature_base};
use super::{SignatureError, content_digest};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use domain::ids::PublicKey;
use ed25519_dalek::{Signer as _, SigningKey};
use sfv::{BareItem, FieldType as _, InnerList, Item, Key, ListEntry};

/// A request about to be sent.
#[derive(Debug, Clone)]
pub struct Unsigned<'a> {
    /// The method.
    pub method: &'a Method,
    /// Path and query as they will be sent.
    pub path_and_query: &'a str,
    /// Headers that are to be covered besides (`idempotency-key`, `if-match`).
    pub headers: &'a HeaderMap,
    /// The JSON body; empty for none. It must carry a `salt` (see [`super`]).
    pub body: &'a [u8],
}

/// Signs a request and returns the headers to add: `content-type` and `content-digest` where there
/// is a body, `signature-input` and `signature`. `created_s`: seconds since 1970; `nonce`: fresh
/// random bytes.
pub fn sign_request(
    request: &Unsigned<'_>,
    key: &SigningKey,
    created_s: i64,
    nonce: [u8; 16],
) -> Result<Vec<(HeaderName, HeaderValue)>, SignatureError> {
    let (path, query) = match request.path_and_query.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (request.path_and_query, None),
    };
    let mut headers = request.headers.clone();
    let mut added = Vec::with_capacity(4);
    if !request.body.is_empty() {
        let json = HeaderValue::from_static("application/json");
        let digest = value(&content_digest(request.body))?;
        added.push((CONTENT_TYPE, json));
        added.push((HeaderName::from_static("content-digest"), digest));
    }
    for (name, value) in &added {
        headers.insert(name.clone(), value.clone());
    }
    let covered = covered(query.is_some(), &headers, key, created_s, nonce)?;
    let target = Target {
        method: request.method,
        path,
        query,
        authority: None,
    };
    let base = signature_base(&target, &headers, &covered)?;
    let signature = key.sign(base.as_bytes()).to_bytes();
    let input = dictionary(ListEntry::InnerList(covered))?;
    let signed = format!("sig1=:{}:", BASE64_STANDARD.encode(signature));
    added.push((HeaderName::from_static("signature-input"), value(&input)?));
    added.push((HeaderName::from_static("signature"), value(&signed)?));
    Ok(added)
}

fn covered(
    query: bool,
    headers: &HeaderMap,
    key: &SigningKey,
    created_s: i64,
    nonce: [u8; 16],
) -> Result<InnerList, SignatureError> {
    let fields = [
        "content-type",
        "content-digest",
        "idempotency-key",
        "if-match",
    ];
    let names = ["@method", "@path"]
        .into_iter()
        .chain(query.then_some("@query"))
        .chain(
            fields
                .into_iter()
                .filter(|name| headers.contains_key(*name)),
        );
    let mut covered = InnerList::default();
    for name in names {
        covered.items.push(Item::new(string(name)?));
    }
    let keyid = PublicKey(key.verifying_key().to_bytes()).id().to_string();
    let created = sfv::Integer::try_from(created_s)
        .map_err(|_| SignatureError::Malformed("created is out of range"))?;
    covered
        .params
        .insert(parameter("created")?, BareItem::Integer(created));
    let nonce = BASE64_URL_SAFE_NO_PAD.encode(nonce);
    covered.params.insert(parameter("nonce")?, string(&nonce)?);
    covered.params.insert(parameter("keyid")?, string(&keyid)?);
    covered.params.insert(parameter("alg")?, string("ed25519")?);
    Ok(covered)
}

fn dictionary(entry: ListEntry) -> Result<String, SignatureError> {
    let mut dictionary = sfv::Dictionary::new();
    dictionary.insert(parameter("sig1")?, entry);
    dictionary
        .serialize()
        .ok_or(SignatureError::Malformed("nothing to serialise"))
}

fn parameter(name: &str) -> Result<Key, SignatureError> {
    Key::from_string(name.to_owned()).map_err(|_| SignatureError::Malformed("parameter name"))
}

fn string(text: &str) -> Result<BareItem, SignatureError> {
    sfv::String::from_string(text.to_owned())
        .map(BareItem::String)
        .map_err(|_| SignatureError::Malformed("not an ASCII string"))
}

fn value(text: &str) -> Result<HeaderValue, SignatureError> {
    HeaderValue::from_str(text).map_err(|_| SignatureError::Malformed("header value"))
}
