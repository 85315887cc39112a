//! EF.SOD: the document security object of ICAO 9303 part 10, a CMS `SignedData` (RFC 5652) over the
//! hashes of the data groups.
//!
//! ```text
//! EF.SOD       [APPLICATION 23] { ContentInfo }
//! ContentInfo  { id-signedData, [0] { SignedData } }
//! SignedData   { version, { digest algorithms }, { id-icao-ldsSecurityObject, [0] { OCTET STRING } },
//!                [0] { certificates }?, [1] { revocations }?, { one SignerInfo } }
//! SignerInfo   { version, signer's id, digest algorithm, [0] { signed attributes },
//!                signature algorithm, OCTET STRING, [1] { unsigned }? }
//! security object { version, hash algorithm, { { number, hash } … }, version texts? }
//! ```
//!
//! Takes it apart; proves nothing. Everything is bounded, trailing bytes are refused.

use super::algorithms::{Hash, Scheme};
use super::der::{
    Malformed, application, bytes, context, inside, oid, only, retagged, small, value, whole,
};
use super::{GROUPS_MAX, SOD_BYTES_MAX};
use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Tag, Tagged};
use domain::vocabulary::ChipFault;

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const SECURITY_OBJECT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.136.1.1.1");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");

/// Most certificates in a security object.
const CERTIFICATES_MAX: usize = 8;
/// Most signed attributes.
const ATTRIBUTES_MAX: usize = 16;
/// Most digest algorithms named.
const DIGESTS_MAX: usize = 8;

/// Who signed.
pub(super) enum SignerId {
    /// Issuer and serial number: the bytes of both elements.
    Issued { issuer: Vec<u8>, serial: Vec<u8> },
    /// Subject key identifier.
    Key(Vec<u8>),
}

/// A security object taken apart.
pub(super) struct Sod<'a> {
    /// What was signed.
    pub content: &'a [u8],
    /// The hash of the data groups.
    pub hash: Hash,
    /// Number and hash of each data group.
    pub groups: Vec<(u8, &'a [u8])>,
    /// The certificates carried along.
    pub certificates: Vec<AnyRef<'a>>,
    /// Who signed.
    pub signer: SignerId,
    /// The hash of the content in the signed attributes.
    pub digest: Hash,
    /// That digest.
    pub message_digest: &'a [u8],
    /// The signed attributes as they were signed.
    pub attributes: Vec<u8>,
    /// How.
    pub scheme: Scheme,
    /// The signature.
    pub signature: &'a [u8],
}

impl From<Malformed> for ChipFault {
    fn from(_: Malformed) -> Self {
        Self::SodMalformed
    }
}

/// Takes an EF.SOD apart.
pub(super) fn read(file: &[u8]) -> Result<Sod<'_>, ChipFault> {
    if file.len() > SOD_BYTES_MAX {
        return Err(ChipFault::SodMalformed);
    }
    let info = only(whole(file)?, application(23, true))?;
    let info = inside(info, Tag::Sequence, 2, 2)?;
    let [kind, data] = info.as_slice() else {
        return Err(ChipFault::SodMalformed);
    };
    if oid(*kind)? != SIGNED_DATA {
        return Err(ChipFault::SodMalformed);
    }
    let data = inside(only(*data, context(0))?, Tag::Sequence, 4, 6)?;
    let ([_, digests, enveloped, middle @ ..], Some(signers)) = (data.as_slice(), data.last())
    else {
        return Err(ChipFault::SodMalformed);
    };
    inside(*digests, Tag::Set, 1, DIGESTS_MAX)?;
    let content = content(*enveloped)?;
    let (hash, groups) = security_object(content)?;
    let certificates = certificates(middle.split_last().map_or(&[][..], |(_, rest)| rest))?;
    let signer = only(*signers, Tag::Set)?;
    let signer = inside(signer, Tag::Sequence, 6, 7)?;
    let [
        _,
        id,
        digest,
        attributes,
        algorithm,
        signature,
        unsigned @ ..,
    ] = signer.as_slice()
    else {
        return Err(ChipFault::SodMalformed);
    };
    if unsigned
        .first()
        .is_some_and(|more| more.tag() != context(1))
    {
        return Err(ChipFault::SodMalformed);
    }
    let digest = Hash::read(*digest)?.ok_or(ChipFault::HashAlgorithm)?;
    let scheme = Scheme::read(*algorithm, Some(digest))?.ok_or(ChipFault::SignatureAlgorithm)?;
    if scheme.hash() != digest {
        return Err(ChipFault::HashAlgorithm);
    }
    Ok(Sod {
        content,
        hash,
        groups,
        certificates,
        signer: signer_id(*id)?,
        digest,
        message_digest: message_digest(*attributes)?,
        // They stand there under [0]; signed is the same as a SET (RFC 5652 section 5.4).
        attributes: retagged(*attributes, Tag::Set)?,
        scheme,
        signature: value(*signature, Tag::OctetString)?,
    })
}

/// The octets of the security object.
fn content(enveloped: AnyRef<'_>) -> Result<&[u8], Malformed> {
    let parts = inside(enveloped, Tag::Sequence, 2, 2)?;
    let [kind, octets] = parts.as_slice() else {
        return Err(Malformed);
    };
    if oid(*kind)? != SECURITY_OBJECT {
        return Err(Malformed);
    }
    value(only(*octets, context(0))?, Tag::OctetString)
}

/// Number and hash of each data group.
type GroupHashes<'a> = Vec<(u8, &'a [u8])>;

/// Hash algorithm, and number and hash of each data group; each number once.
fn security_object(content: &[u8]) -> Result<(Hash, GroupHashes<'_>), ChipFault> {
    let parts = inside(whole(content)?, Tag::Sequence, 3, 4)?;
    let [version, algorithm, list, ..] = parts.as_slice() else {
        return Err(ChipFault::SodMalformed);
    };
    if small(*version)? > 1 {
        return Err(ChipFault::SodMalformed);
    }
    let hash = Hash::read(*algorithm)?.ok_or(ChipFault::HashAlgorithm)?;
    let mut groups: Vec<(u8, &[u8])> = Vec::new();
    for group in inside(*list, Tag::Sequence, 1, GROUPS_MAX)? {
        let pair = inside(group, Tag::Sequence, 2, 2)?;
        let [number, digest] = pair.as_slice() else {
            return Err(ChipFault::SodMalformed);
        };
        let (number, digest) = (small(*number)?, value(*digest, Tag::OctetString)?);
        let again = groups.iter().any(|(known, _)| *known == number);
        let possible = (1..=GROUPS_MAX).contains(&usize::from(number));
        if again || !possible || digest.len() != hash.length() {
            return Err(ChipFault::SodMalformed);
        }
        groups.push((number, digest));
    }
    Ok((hash, groups))
}

/// The plain certificates among what is carried along.
fn certificates<'a>(optional: &[AnyRef<'a>]) -> Result<Vec<AnyRef<'a>>, Malformed> {
    let mut certificates = Vec::new();
    for (at, part) in optional.iter().enumerate() {
        if at == 0 && part.tag() == context(0) {
            certificates = inside(*part, context(0), 0, CERTIFICATES_MAX)?;
        } else if part.tag() != context(1) {
            return Err(Malformed);
        }
    }
    certificates.retain(|certificate| certificate.tag() == Tag::Sequence);
    Ok(certificates)
}

fn signer_id(id: AnyRef<'_>) -> Result<SignerId, Malformed> {
    if id.tag() == Tag::Sequence {
        let parts = inside(id, Tag::Sequence, 2, 2)?;
        let [issuer, serial] = parts.as_slice() else {
            return Err(Malformed);
        };
        return Ok(SignerId::Issued {
            issuer: bytes(*issuer)?,
            serial: value(*serial, Tag::Integer)?.to_vec(),
        });
    }
    let key = Tag::ContextSpecific {
        constructed: false,
        number: der::TagNumber(0),
    };
    Ok(SignerId::Key(value(id, key)?.to_vec()))
}

/// The digest in the signed attributes; it and the content's type must stand there, once each.
fn message_digest(attributes: AnyRef<'_>) -> Result<&[u8], Malformed> {
    let (mut kind, mut digest) = (None, None);
    for attribute in inside(attributes, context(0), 2, ATTRIBUTES_MAX)? {
        let parts = inside(attribute, Tag::Sequence, 2, 2)?;
        let [name, values] = parts.as_slice() else {
            return Err(Malformed);
        };
        let before = match oid(*name)? {
            CONTENT_TYPE => kind.replace(oid(only(*values, Tag::Set)?)?).is_some(),
            MESSAGE_DIGEST => {
                let octets = value(only(*values, Tag::Set)?, Tag::OctetString)?;
                digest.replace(octets).is_some()
            }
            _ => false,
        };
        if before {
            return Err(Malformed);
        }
    }
    if kind != Some(SECURITY_OBJECT) {
        return Err(Malformed);
    }
    digest.ok_or(Malformed)
}
