//! Time-stamps of an authority (RFC 3161): that something existed no later than it says, whatever the clock
//! and the keys of this ledger are worth.
//!
//! Owns the question to an authority and the judgement of its answer. What is stamped is a checkpoint as it
//! was published, byte for byte, so `openssl ts -verify` judges the same two files. It must never touch a
//! file, a network or a clock. Never panics on any input.
//!
//! ```text
//! question   TimeStampReq   { version 1, { SHA-256, hash }, nonce, certReq TRUE }
//! answer     TimeStampResp  { { status, text?, failure? }, ContentInfo of id-ct-TSTInfo }
//! TSTInfo    { version 1, policy, { SHA-256, hash }, serial number, time, accuracy?, ordering?, nonce?,
//!              [0] authority?, [1] extensions? }
//! ```
//!
//! Taken is what section 2.4.2 of the RFC asks for and no less: one signer, whose certificate stands in the
//! answer, is named in the signed attributes by a hash that still counts (RFC 5816; SHA-1 does not), may
//! stamp time and nothing else, and leads to an authority of the reader's list, all of them valid at that
//! time.

use crate::pki::TrustList;
use crate::pki::algorithms::Hash;
use crate::pki::certificate::Certificate;
use crate::pki::der::{
    Malformed, context, inside, number, oid, only, small, unsigned, value, whole,
};
use crate::pki::signed::{Signed, SignedFault};
use der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use der::{DateTime, Encode as _, Tag, Tagged};
use domain::ids::Micros;
use sha2::{Digest as _, Sha256};

/// Largest answer that is looked at, in bytes. Real ones have 1 to 8 KB.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Length of a nonce, in bytes.
pub const NONCE_BYTES: usize = 8;

const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
const SIGNING_CERTIFICATE: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
/// Longest policy name and serial number that is told.
const TEXT_CHARS_MAX: usize = 128;

/// Why an answer is no time-stamp of this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimestampError {
    /// Longer than [`ANSWER_BYTES_MAX`].
    #[error("longer than a time-stamp may be")]
    TooLong,
    /// Not as RFC 3161 has it.
    #[error("not a time-stamp response as RFC 3161 has it")]
    Malformed,
    /// The authority said no: `PKIStatus`.
    #[error("the authority did not stamp it (status {0})")]
    Refused(u8),
    /// Of something else.
    #[error("it stamps something else")]
    OtherData,
    /// An answer to another question.
    #[error("it answers another question")]
    OtherNonce,
    /// A hash or signature algorithm that is not taken.
    #[error("its algorithms are not taken")]
    Algorithm,
    /// The signer's certificate is not there, or not the one that the signature names.
    #[error("the signer's certificate is not there, or not named by a hash that counts")]
    Certificate,
    /// A critical extension that is not understood, as all are.
    #[error("it has a critical extension that is not understood")]
    Extension,
    /// The signature.
    #[error("its signature is not good")]
    Signature,
    /// The signer may not stamp time, or does other things too.
    #[error("the signer's certificate is not one for time-stamps alone")]
    Usage,
    /// A certificate that was not valid at that time.
    #[error("the signer's certificate was not valid at that time")]
    OutOfTime,
    /// No authority of the list vouches for the signer.
    #[error("no listed authority vouches for the signer")]
    Untrusted,
}

impl From<Malformed> for TimestampError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl From<SignedFault> for TimestampError {
    fn from(fault: SignedFault) -> Self {
        match fault {
            SignedFault::Malformed => Self::Malformed,
            SignedFault::HashAlgorithm | SignedFault::SignatureAlgorithm => Self::Algorithm,
        }
    }
}

/// What an authority said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamped {
    /// When it existed already.
    pub time: Micros,
    /// How far that may be off, either way, in microseconds; `None`: the authority does not say.
    pub accuracy: Option<u64>,
    /// The authority's policy, dotted.
    pub policy: String,
    /// The token's serial number at the authority, hexadecimal.
    pub serial: String,
    /// The listed authority that vouches for it (RFC 4514).
    pub authority: String,
}

/// SHA-256 of some bytes, as an authority gets it.
pub fn imprint(data: &[u8]) -> [u8; 32] {
    Sha256::digest(data).into()
}

/// The question, DER: `Content-Type: application/timestamp-query`.
pub fn query(imprint: &[u8; 32], nonce: [u8; NONCE_BYTES]) -> Result<Vec<u8>, TimestampError> {
    let malformed = |_| TimestampError::Malformed;
    // Positive: a first byte below 0x80 that is not zero, so that it has one length only.
    let mut positive = nonce;
    if let Some(first) = positive.first_mut() {
        *first = (*first & 0x3f) | 0x40;
    }
    let hash = OctetStringRef::new(imprint).map_err(malformed)?;
    let algorithm = element(
        Tag::Sequence,
        &[SHA256.to_der().map_err(malformed)?, vec![5, 0]],
    )?;
    let imprint = element(
        Tag::Sequence,
        &[algorithm, hash.to_der().map_err(malformed)?],
    )?;
    let version = 1_u8.to_der().map_err(malformed)?;
    let nonce = AnyRef::new(Tag::Integer, &positive).map_err(malformed)?;
    let nonce = nonce.to_der().map_err(malformed)?;
    let certificates = true.to_der().map_err(malformed)?;
    element(Tag::Sequence, &[version, imprint, nonce, certificates])
}

fn element(tag: Tag, parts: &[Vec<u8>]) -> Result<Vec<u8>, TimestampError> {
    let bytes = parts.concat();
    let element = AnyRef::new(tag, &bytes).and_then(|element| element.to_der());
    element.map_err(|_| TimestampError::Malformed)
}

/// Judges an answer: `data` is what was stamped, `query` the question if this is its first answer.
pub fn check(
    answer: &[u8],
    data: &[u8],
    query: Option<&[u8]>,
    trust: &TrustList,
) -> Result<Stamped, TimestampError> {
    let token = Signed::read(granted(answer)?, TST_INFO)?;
    let info = Info::read(token.content)?;
    if info.imprint != imprint(data) {
        return Err(TimestampError::OtherData);
    }
    if let Some(query) = query
        && info.nonce != Some(nonce_of(query)?)
    {
        return Err(TimestampError::OtherNonce);
    }
    let signer = token.signer().ok_or(TimestampError::Certificate)?;
    if !token.digest_is_right() {
        return Err(TimestampError::Signature);
    }
    match token.is_signed_by(&signer) {
        Some(true) => {}
        Some(false) => return Err(TimestampError::Signature),
        None => return Err(TimestampError::Algorithm),
    }
    names(&token, &signer)?;
    if !signer.may_stamp_time() {
        return Err(TimestampError::Usage);
    }
    if signer.out_of_time(info.time).is_some() {
        return Err(TimestampError::OutOfTime);
    }
    let anchor = trust.anchor_of(&signer, &token.others(), info.time);
    let authority = anchor.ok_or(TimestampError::Untrusted)?.subject();
    Ok(Stamped {
        time: info.time,
        accuracy: info.accuracy,
        policy: info.policy,
        serial: info.serial,
        authority,
    })
}

/// The imprint that an answer speaks of; nothing about it is proved.
pub fn imprint_of(answer: &[u8]) -> Result<[u8; 32], TimestampError> {
    let token = Signed::read(granted(answer)?, TST_INFO)?;
    Ok(Info::read(token.content)?.imprint)
}

/// The token of a response that grants one.
fn granted(answer: &[u8]) -> Result<AnyRef<'_>, TimestampError> {
    if answer.len() > ANSWER_BYTES_MAX {
        return Err(TimestampError::TooLong);
    }
    let parts = inside(whole(answer)?, Tag::Sequence, 1, 2)?;
    let [status, token @ ..] = parts.as_slice() else {
        return Err(TimestampError::Malformed);
    };
    let status = inside(*status, Tag::Sequence, 1, 3)?;
    let status = small(*status.first().ok_or(TimestampError::Malformed)?)?;
    // 0: granted; 1: granted with modifications.
    if status > 1 {
        return Err(TimestampError::Refused(status));
    }
    token.first().copied().ok_or(TimestampError::Malformed)
}

fn nonce_of(query: &[u8]) -> Result<Vec<u8>, TimestampError> {
    let parts = inside(whole(query)?, Tag::Sequence, 2, 6)?;
    let nonce = parts.iter().skip(2).find(|part| part.tag() == Tag::Integer);
    Ok(unsigned(*nonce.ok_or(TimestampError::Malformed)?)?.to_vec())
}

/// The signed attribute that names the signer's certificate (RFC 5035): without it, another certificate for
/// the same key could be put in its place.
fn names(token: &Signed<'_>, signer: &Certificate) -> Result<(), TimestampError> {
    let named = token.attribute(SIGNING_CERTIFICATE)?;
    let named = only(named.ok_or(TimestampError::Certificate)?, Tag::Set)?;
    let parts = inside(named, Tag::Sequence, 1, 2)?;
    let certificates = inside(
        *parts.first().ok_or(TimestampError::Malformed)?,
        Tag::Sequence,
        1,
        8,
    )?;
    // The first one is the signer's.
    let first = certificates.first().ok_or(TimestampError::Malformed)?;
    let parts = inside(*first, Tag::Sequence, 1, 3)?;
    let (hash, digest) = match parts.as_slice() {
        [algorithm, digest, ..] if algorithm.tag() == Tag::Sequence => {
            let hash = Hash::read(*algorithm)?.ok_or(TimestampError::Algorithm)?;
            (hash, *digest)
        }
        [digest, ..] => (Hash::Sha256, *digest),
        [] => return Err(TimestampError::Malformed),
    };
    if hash.of(signer.der()) == value(digest, Tag::OctetString)? {
        Ok(())
    } else {
        Err(TimestampError::Certificate)
    }
}

/// `TSTInfo`, as far as it matters.
struct Info {
    policy: String,
    imprint: [u8; 32],
    serial: String,
    time: Micros,
    accuracy: Option<u64>,
    nonce: Option<Vec<u8>>,
}

impl Info {
    fn read(content: &[u8]) -> Result<Self, TimestampError> {
        let parts = inside(whole(content)?, Tag::Sequence, 5, 10)?;
        let [version, policy, imprint, serial, time, rest @ ..] = parts.as_slice() else {
            return Err(TimestampError::Malformed);
        };
        if small(*version)? != 1 {
            return Err(TimestampError::Malformed);
        }
        let imprint = inside(*imprint, Tag::Sequence, 2, 2)?;
        let [algorithm, digest] = imprint.as_slice() else {
            return Err(TimestampError::Malformed);
        };
        if Hash::read(*algorithm)? != Some(Hash::Sha256) {
            return Err(TimestampError::OtherData);
        }
        let digest = value(*digest, Tag::OctetString)?;
        let mut info = Self {
            policy: cut(&oid(*policy)?.to_string()),
            imprint: digest.try_into().map_err(|_| TimestampError::OtherData)?,
            serial: cut(&hex::encode(unsigned(*serial)?)),
            time: instant(value(*time, Tag::GeneralizedTime)?)?,
            accuracy: None,
            nonce: None,
        };
        // Each may be left out, and they stand in this order.
        let mut last = 0;
        for part in rest {
            let place = match part.tag() {
                Tag::Sequence => 1,
                Tag::Boolean => 2,
                Tag::Integer => 3,
                tag if tag == context(0) => 4,
                tag if tag == context(1) => 5,
                _ => return Err(TimestampError::Malformed),
            };
            if place <= last {
                return Err(TimestampError::Malformed);
            }
            last = place;
            match place {
                1 => info.accuracy = Some(accuracy(*part)?),
                3 => info.nonce = Some(unsigned(*part)?.to_vec()),
                5 => extensions(*part)?,
                _ => {}
            }
        }
        Ok(info)
    }
}

/// None is understood, so none may be critical.
fn extensions(part: AnyRef<'_>) -> Result<(), TimestampError> {
    for extension in inside(part, context(1), 1, 16)? {
        let parts = inside(extension, Tag::Sequence, 2, 3)?;
        if parts
            .get(1)
            .is_some_and(|second| second.tag() == Tag::Boolean)
        {
            return Err(TimestampError::Extension);
        }
    }
    Ok(())
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}

/// `Accuracy`, in microseconds.
fn accuracy(part: AnyRef<'_>) -> Result<u64, TimestampError> {
    let mut sum = 0_u64;
    for part in inside(part, Tag::Sequence, 0, 3)? {
        let thousandths = |number| Tag::ContextSpecific {
            constructed: false,
            number: der::TagNumber(number),
        };
        let plain = |part: AnyRef<'_>| {
            let integer = AnyRef::new(Tag::Integer, part.value()).map_err(|_| Malformed)?;
            number(integer)
        };
        let micros = match part.tag() {
            Tag::Integer => number(part)?.checked_mul(1_000_000),
            tag if tag == thousandths(0) => plain(part)?.checked_mul(1_000),
            tag if tag == thousandths(1) => Some(plain(part)?),
            _ => None,
        };
        let micros = micros.and_then(|micros| sum.checked_add(micros));
        sum = micros.ok_or(TimestampError::Malformed)?;
    }
    Ok(sum)
}

/// `YYYYMMDDhhmmss[.f…]Z`, as RFC 3161 section 2.4.2 narrows it: no zeros at the end of the fraction.
fn instant(text: &[u8]) -> Result<Micros, TimestampError> {
    let malformed = || TimestampError::Malformed;
    let text = core::str::from_utf8(text).map_err(|_| malformed())?;
    let text = text.strip_suffix('Z').ok_or_else(malformed)?;
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() && !fraction.ends_with('0') => {
            (whole, fraction)
        }
        Some(_) => return Err(malformed()),
        None => (text, ""),
    };
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() != 14 || !plain(whole) || !plain(fraction) || fraction.len() > 12 {
        return Err(malformed());
    }
    let part = |from: usize, to: usize| -> Result<u16, TimestampError> {
        let digits = whole.get(from..to).ok_or_else(malformed)?;
        digits.parse().map_err(|_| malformed())
    };
    let byte = |from: usize| -> Result<u8, TimestampError> {
        u8::try_from(part(from, from + 2)?).map_err(|_| malformed())
    };
    let time = DateTime::new(
        part(0, 4)?,
        byte(4)?,
        byte(6)?,
        byte(8)?,
        byte(10)?,
        byte(12)?,
    );
    let seconds = time.map_err(|_| malformed())?.unix_duration().as_secs();
    let micros: i64 = format!("{fraction:0<6}")
        .get(..6)
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(malformed)?;
    let seconds = i64::try_from(seconds).map_err(|_| malformed())?;
    let whole = seconds.checked_mul(Micros::SECOND).ok_or_else(malformed)?;
    Ok(Micros(whole + micros))
}

#[cfg(test)]
mod tests;
