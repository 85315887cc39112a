//! A CMS `SignedData` with its content inside and one signer (RFC 5652 section 5).
//!
//! ```text
//! ContentInfo  { id-signedData, [0] { SignedData } }
//! SignedData   { version, { digest algorithms }, { content type, [0] { OCTET STRING } },
//!                [0] { certificates }?, [1] { revocations }?, { one SignerInfo } }
//! SignerInfo   { version, signer's id, digest algorithm, [0] { signed attributes },
//!                signature algorithm, OCTET STRING, [1] { unsigned }? }
//! ```
//!
//! Takes it apart; proves nothing by itself. Everything is bounded, trailing bytes are refused.

use super::algorithms::{Hash, Scheme};
use super::certificate::Certificate;
use super::der::{Malformed, bytes, context, inside, oid, only, retagged, value};
use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Tag, Tagged};

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");

/// Most certificates that come along.
const CERTIFICATES_MAX: usize = 8;
/// Most signed attributes.
const ATTRIBUTES_MAX: usize = 16;
/// Most digest algorithms named.
const DIGESTS_MAX: usize = 8;

/// Why one cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignedFault {
    /// Not what it should be.
    Malformed,
    /// A hash that is not taken, or not the one that was signed.
    HashAlgorithm,
    /// A signature algorithm that is not taken.
    SignatureAlgorithm,
}

impl From<Malformed> for SignedFault {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// Who signed.
enum SignerId {
    /// Issuer and serial number: the bytes of both elements.
    Issued { issuer: Vec<u8>, serial: Vec<u8> },
    /// Subject key identifier.
    Key(Vec<u8>),
}

/// One taken apart.
pub(crate) struct Signed<'a> {
    /// What was signed.
    pub content: &'a [u8],
    /// The certificates carried along.
    pub certificates: Vec<AnyRef<'a>>,
    signer: SignerId,
    /// The hash of the content in the signed attributes.
    pub digest: Hash,
    message_digest: &'a [u8],
    /// The signed attributes by name.
    attributes: Vec<(ObjectIdentifier, AnyRef<'a>)>,
    /// The same as they were signed.
    pub covered: Vec<u8>,
    /// How.
    pub scheme: Scheme,
    /// The signature.
    pub signature: &'a [u8],
}

impl<'a> Signed<'a> {
    /// Takes a `ContentInfo` apart whose content is of a kind.
    pub fn read(info: AnyRef<'a>, kind: ObjectIdentifier) -> Result<Self, SignedFault> {
        let info = inside(info, Tag::Sequence, 2, 2)?;
        let [name, data] = info.as_slice() else {
            return Err(SignedFault::Malformed);
        };
        if oid(*name)? != SIGNED_DATA {
            return Err(SignedFault::Malformed);
        }
        let data = inside(only(*data, context(0))?, Tag::Sequence, 4, 6)?;
        let ([_, digests, enveloped, middle @ ..], Some(signers)) = (data.as_slice(), data.last())
        else {
            return Err(SignedFault::Malformed);
        };
        inside(*digests, Tag::Set, 1, DIGESTS_MAX)?;
        let content = content(*enveloped, kind)?;
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
            return Err(SignedFault::Malformed);
        };
        if unsigned
            .first()
            .is_some_and(|more| more.tag() != context(1))
        {
            return Err(SignedFault::Malformed);
        }
        let digest = Hash::read(*digest)?.ok_or(SignedFault::HashAlgorithm)?;
        let scheme = Scheme::read(*algorithm, Some(digest))?;
        let scheme = scheme.ok_or(SignedFault::SignatureAlgorithm)?;
        if scheme.hash() != digest {
            return Err(SignedFault::HashAlgorithm);
        }
        let named = named(*attributes)?;
        Ok(Self {
            content,
            certificates,
            signer: signer_id(*id)?,
            digest,
            message_digest: message_digest(&named, kind)?,
            attributes: named,
            // They stand there under [0]; signed is the same as a SET (RFC 5652 section 5.4).
            covered: retagged(*attributes, Tag::Set)?,
            scheme,
            signature: value(*signature, Tag::OctetString)?,
        })
    }

    /// Whether the signed attributes are of this content.
    pub fn digest_is_right(&self) -> bool {
        self.digest.of(self.content) == self.message_digest
    }

    /// The signer's certificate, of those that came along. Nothing about it is proved.
    pub fn signer(&self) -> Option<Certificate> {
        let mut readable = self.others().into_iter();
        readable.find(|certificate| match &self.signer {
            SignerId::Issued { issuer, serial } => certificate.is(issuer, serial),
            SignerId::Key(id) => certificate.key_id().as_ref() == Some(id),
        })
    }

    /// All that came along and can be read.
    pub fn others(&self) -> Vec<Certificate> {
        let certificates = self.certificates.iter();
        certificates
            .filter_map(|certificate| Certificate::read(&bytes(*certificate).ok()?).ok())
            .collect()
    }

    /// Whether the signature is by a certificate's key; `None`: its key is of a kind that is not taken, or
    /// does not go with the algorithm.
    pub fn is_signed_by(&self, signer: &Certificate) -> Option<bool> {
        let key = signer.key()?;
        key.verify(self.scheme, &self.covered, self.signature)
    }

    /// The values of a signed attribute that may be there once.
    pub fn attribute(&self, name: ObjectIdentifier) -> Result<Option<AnyRef<'a>>, Malformed> {
        let mut found = self.attributes.iter().filter(|(known, _)| *known == name);
        let first = found.next().map(|(_, values)| *values);
        if found.next().is_some() {
            return Err(Malformed);
        }
        Ok(first)
    }
}

/// The octets of the content, which must be of a kind.
fn content(enveloped: AnyRef<'_>, kind: ObjectIdentifier) -> Result<&[u8], Malformed> {
    let parts = inside(enveloped, Tag::Sequence, 2, 2)?;
    let [name, octets] = parts.as_slice() else {
        return Err(Malformed);
    };
    if oid(*name)? != kind {
        return Err(Malformed);
    }
    value(only(*octets, context(0))?, Tag::OctetString)
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

/// Signed attributes: names, and the sets of their values.
fn named(attributes: AnyRef<'_>) -> Result<Vec<(ObjectIdentifier, AnyRef<'_>)>, Malformed> {
    let mut named = Vec::new();
    for attribute in inside(attributes, context(0), 2, ATTRIBUTES_MAX)? {
        let parts = inside(attribute, Tag::Sequence, 2, 2)?;
        let [name, values] = parts.as_slice() else {
            return Err(Malformed);
        };
        named.push((oid(*name)?, *values));
    }
    Ok(named)
}

/// The digest in the signed attributes; it and the content's type must stand there, once each.
fn message_digest<'a>(
    attributes: &[(ObjectIdentifier, AnyRef<'a>)],
    wanted: ObjectIdentifier,
) -> Result<&'a [u8], Malformed> {
    let (mut kind, mut digest) = (None, None);
    for (name, values) in attributes {
        let before = match *name {
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
    if kind != Some(wanted) {
        return Err(Malformed);
    }
    digest.ok_or(Malformed)
}
