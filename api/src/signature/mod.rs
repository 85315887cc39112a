//! Requests that their sender signed (RFC 9421, Ed25519), and what is kept of them.
//!
//! Owns the rules of admission: which components a signature must cover, how old it may be, that its
//! nonce is used once, that the body is the one digested (RFC 9530). The exact signature base becomes
//! the event's evidence (INV-2), so an auditor checks it years later without this server. Must never
//! decide *who* a key belongs to (that is [`crate::auth`]) nor read a body's meaning.
//!
//! # Why a signed body carries a `salt`
//!
//! The base stands in the clear in the event for ever, and with it `content-digest`, the SHA-256 of
//! the body. A body holds a personal number, a phone, a name: few enough values to be tried one by
//! one against the digest, long after the sealed body was erased. Sixteen random bytes in the body
//! close that: without them, which are erased with it, the digest says nothing.
//!
//! # Why only some fields may be covered
//!
//! For the same reason: what is covered is kept in the clear. A header with anything personal in it
//! must not get in, so the list of fields is closed. Secrets of a signed request travel in the
//! `Idledger-Secret` header, which can not be covered (no code or password is ever kept, hashed or
//! not).

mod base;
mod client;
mod nonces;
#[cfg(test)]
mod tests;

pub use base::{BASE_BYTES_MAX, Target, signature_base};
pub use client::{Unsigned, sign_request};
pub use nonces::{NONCES_MAX, NonceUse, Nonces};

use axum::http::HeaderMap;
use base::{component_names, single_field};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use domain::ids::{KeyId, PublicKey, Signature};
use sfv::{BareItem, Dictionary, FieldType as _, InnerList, ListEntry, Parser};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// How far `created` may be from the server's clock, in seconds, either way.
pub const SIGNATURE_SKEW_S: i64 = 300;
/// Characters of a nonce: 22 of base64url (or 32 of hexadecimal) hold 16 bytes.
pub const NONCE_CHARS: core::ops::RangeInclusive<usize> = 22..=86;
/// Components that a signature may cover.
const COVERABLE: [&str; 7] = [
    "@method",
    "@path",
    "@query",
    "content-type",
    "content-digest",
    "idempotency-key",
    "if-match",
];
/// Headers that change what is asked, so that they must be covered where they are present.
const COVERED_IF_PRESENT: [&str; 2] = ["idempotency-key", "if-match"];

/// Why a signed request is not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The signature's headers are not what RFC 9421 and this program's rules say.
    #[error("the request's signature is malformed: {0}")]
    Malformed(&'static str),
    /// A component that must be covered is not.
    #[error("the signature does not cover `{0}`")]
    Incomplete(&'static str),
    /// `created` or `expires` is not near enough to the server's clock.
    #[error("the signature's time is not within {SIGNATURE_SKEW_S} seconds of the server's")]
    Skewed,
    /// The body is not the one that was digested.
    #[error("the body is not the one in `content-digest`")]
    Digest,
    /// The signature does not verify under the key.
    #[error("the signature does not verify")]
    Invalid,
    /// The key is malformed or of small order.
    #[error("the key is weak")]
    WeakKey,
    /// The nonce was used before.
    #[error("the nonce was used before")]
    Replayed,
    /// No room to remember another nonce.
    #[error("too many signed requests at once")]
    Busy,
}

/// A signature that is complete and in time, not yet checked against a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// Who it says signed.
    pub key_id: KeyId,
    /// Its nonce.
    pub nonce: String,
    /// The signature base, exactly as signed.
    pub base: Vec<u8>,
    /// Ed25519 over it.
    pub signature: Signature,
}

/// Whether a request claims to be signed.
pub fn is_signed(headers: &HeaderMap) -> bool {
    headers.contains_key("signature") || headers.contains_key("signature-input")
}

/// Reads and checks everything of a signature that needs no key. `now_s`: seconds since 1970.
pub fn present(
    target: &Target<'_>,
    headers: &HeaderMap,
    body: &[u8],
    now_s: i64,
) -> Result<Presented, SignatureError> {
    let (label, covered) = signature_input(headers)?;
    let signature = signature_value(headers, &label)?;
    check_coverage(target, headers, body, &covered)?;
    let parameters = Parameters::read(&covered)?;
    parameters.check_time(now_s)?;
    if !body.is_empty() || headers.contains_key("content-digest") {
        check_digest(headers, body)?;
    }
    let base = signature_base(target, headers, &covered)?.into_bytes();
    Ok(Presented {
        key_id: parameters.key_id,
        nonce: parameters.nonce,
        base,
        signature,
    })
}

impl Presented {
    /// Strict Ed25519 verification under the key that the caller has found for [`Self::key_id`].
    pub fn verify(&self, key: &PublicKey) -> Result<(), SignatureError> {
        if key.id() != self.key_id {
            return Err(SignatureError::Invalid);
        }
        domain::record::verify(key, &self.base, &self.signature).map_err(|error| match error {
            domain::record::RecordError::WeakKey => SignatureError::WeakKey,
            _ => SignatureError::Invalid,
        })
    }

    /// Uses up the nonce. Only after [`Self::verify`]: a stranger must not be able to burn nonces.
    pub fn consume(&self, nonces: &Nonces, now_s: i64) -> Result<(), SignatureError> {
        match nonces.consume(self.key_id, &self.nonce, now_s) {
            NonceUse::Fresh => Ok(()),
            NonceUse::Replayed => Err(SignatureError::Replayed),
            NonceUse::Full => Err(SignatureError::Busy),
        }
    }
}

/// The `content-digest` field for a body (RFC 9530).
pub fn content_digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", BASE64_STANDARD.encode(Sha256::digest(body)))
}

/// Key and nonce of a stored base, for reading used nonces back from the ledger.
pub fn nonce_of_base(base: &[u8]) -> Option<(KeyId, String)> {
    let text = core::str::from_utf8(base).ok()?;
    let (_, params) = text.rsplit_once("\"@signature-params\": ")?;
    let list: sfv::List = Parser::new(params).parse().ok()?;
    let [ListEntry::InnerList(covered)] = list.as_slice() else {
        return None;
    };
    let parameters = Parameters::read(covered).ok()?;
    Some((parameters.key_id, parameters.nonce))
}

/// The one member of `Signature-Input`. The field must be in its strict serialisation: what is
/// parsed and what was meant can then not differ (repeated parameters, odd blanks).
fn signature_input(headers: &HeaderMap) -> Result<(String, InnerList), SignatureError> {
    let (label, entry) = only_member(headers, "signature-input")?;
    match entry {
        ListEntry::InnerList(covered) => Ok((label, covered)),
        ListEntry::Item(_) => Err(SignatureError::Malformed("signature-input is not a list")),
    }
}

fn signature_value(headers: &HeaderMap, label: &str) -> Result<Signature, SignatureError> {
    let malformed = SignatureError::Malformed("signature is not 64 bytes under the same label");
    let (own, entry) = only_member(headers, "signature")?;
    let ListEntry::Item(item) = entry else {
        return Err(malformed);
    };
    let BareItem::ByteSequence(bytes) = item.bare_item else {
        return Err(malformed);
    };
    if own != label || !item.params.is_empty() {
        return Err(malformed);
    }
    Ok(Signature(bytes.try_into().map_err(|_| malformed)?))
}

fn only_member(
    headers: &HeaderMap,
    name: &'static str,
) -> Result<(String, ListEntry), SignatureError> {
    let malformed = SignatureError::Malformed("not exactly one signature in canonical form");
    let text = single_field(headers, name)?;
    let dictionary: Dictionary = Parser::new(text).parse().map_err(|_| malformed)?;
    if dictionary.len() != 1 || dictionary.serialize().as_deref() != Some(text) {
        return Err(malformed);
    }
    let (label, entry) = dictionary.into_iter().next().ok_or(malformed)?;
    Ok((label.as_str().to_owned(), entry))
}

fn check_coverage(
    target: &Target<'_>,
    headers: &HeaderMap,
    body: &[u8],
    covered: &InnerList,
) -> Result<(), SignatureError> {
    let names = component_names(covered)?;
    if names.iter().any(|name| !COVERABLE.contains(name)) {
        return Err(SignatureError::Malformed("a component may not be covered"));
    }
    let needed = ["@method", "@path"]
        .into_iter()
        .chain(target.query.map(|_| "@query"))
        .chain(
            (!body.is_empty())
                .then_some(["content-digest", "content-type"])
                .into_iter()
                .flatten(),
        )
        .chain(
            COVERED_IF_PRESENT
                .into_iter()
                .filter(|name| headers.contains_key(*name)),
        );
    for name in needed {
        if !names.contains(&name) {
            return Err(SignatureError::Incomplete(name));
        }
    }
    Ok(())
}

/// The parameters of a signature that matter.
struct Parameters {
    created: i64,
    expires: Option<i64>,
    nonce: String,
    key_id: KeyId,
}

impl Parameters {
    fn read(covered: &InnerList) -> Result<Self, SignatureError> {
        let (mut created, mut expires, mut nonce, mut key_id) = (None, None, None, None);
        let mut algorithm = false;
        for (name, value) in &covered.params {
            match (name.as_str(), value) {
                ("created", BareItem::Integer(seconds)) => created = Some(i64::from(*seconds)),
                ("expires", BareItem::Integer(seconds)) => expires = Some(i64::from(*seconds)),
                ("nonce", BareItem::String(text)) => nonce = Some(checked_nonce(text.as_str())?),
                ("keyid", BareItem::String(text)) => key_id = text.as_str().parse().ok(),
                ("alg", BareItem::String(text)) => algorithm = text.as_str() == "ed25519",
                _ => {
                    return Err(SignatureError::Malformed(
                        "a signature parameter is not taken",
                    ));
                }
            }
        }
        if !algorithm {
            return Err(SignatureError::Malformed("alg is not ed25519"));
        }
        Ok(Self {
            created: created.ok_or(SignatureError::Incomplete("created"))?,
            expires,
            nonce: nonce.ok_or(SignatureError::Incomplete("nonce"))?,
            key_id: key_id.ok_or(SignatureError::Incomplete("keyid"))?,
        })
    }

    fn check_time(&self, now_s: i64) -> Result<(), SignatureError> {
        let near = now_s.abs_diff(self.created) <= SIGNATURE_SKEW_S.unsigned_abs();
        let live = self.expires.is_none_or(|expires| now_s <= expires);
        if near && live {
            Ok(())
        } else {
            Err(SignatureError::Skewed)
        }
    }
}

fn checked_nonce(text: &str) -> Result<String, SignatureError> {
    let base64url = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    if NONCE_CHARS.contains(&text.len()) && text.bytes().all(base64url) {
        Ok(text.to_owned())
    } else {
        Err(SignatureError::Malformed(
            "the nonce is not at least 16 bytes as base64url",
        ))
    }
}

fn check_digest(headers: &HeaderMap, body: &[u8]) -> Result<(), SignatureError> {
    let malformed = SignatureError::Malformed("content-digest is not a dictionary with sha-256");
    let text = single_field(headers, "content-digest")?;
    let dictionary: Dictionary = Parser::new(text).parse().map_err(|_| malformed)?;
    // One digest and no other: a second, unchecked one would stand in the clear for ever.
    if dictionary.len() != 1 || dictionary.serialize().as_deref() != Some(text) {
        return Err(malformed);
    }
    let Some(ListEntry::Item(item)) = dictionary.get("sha-256") else {
        return Err(malformed);
    };
    let BareItem::ByteSequence(stated) = &item.bare_item else {
        return Err(malformed);
    };
    // A parameter would stand in the clear in the event, unread.
    if !item.params.is_empty() {
        return Err(malformed);
    }
    let digest = Sha256::digest(body);
    if stated.as_slice().ct_eq(digest.as_slice()).into() {
        Ok(())
    } else {
        Err(SignatureError::Digest)
    }
}
