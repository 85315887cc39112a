//! Certificates: those that came along with what was signed, and the authorities in the trust list that an
//! operator loaded.
//!
//! A certificate that came along proves nothing by itself: a chain must end at an authority that is *in the
//! list*. A document signer is issued by one directly; others may have a few between them (RFC 5280 section 6,
//! without policies and name constraints, which are refused where they are critical). Time is a parameter.

use super::algorithms::{Key, Scheme};
use super::der::{Malformed, bits, bytes, inside, whole};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Decode, Encode, Tag};
use domain::ids::{Digest, Micros};
use sha2::{Digest as _, Sha256};
use x509_cert::certificate::Certificate as Parsed;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectKeyIdentifier,
};

/// Largest certificate, in bytes.
const CERTIFICATE_BYTES_MAX: usize = 16 * 1024;
/// Largest trust list, in bytes.
pub const TRUST_LIST_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most certificates in a trust list.
pub const TRUST_LIST_MAX: usize = 2000;
/// Longest name that is told, in characters.
const NAME_CHARS_MAX: usize = 256;

/// Extensions that are understood; another that is critical makes a certificate useless
/// (RFC 5280 section 4.2): key usage, basic constraints, private key usage period, certificate
/// policies, document types, key identifiers.
const UNDERSTOOD: [ObjectIdentifier; 7] = [
    ObjectIdentifier::new_unwrap("2.5.29.15"),
    ObjectIdentifier::new_unwrap("2.5.29.19"),
    ObjectIdentifier::new_unwrap("2.5.29.16"),
    ObjectIdentifier::new_unwrap("2.5.29.32"),
    ObjectIdentifier::new_unwrap("2.23.136.1.1.6.2"),
    ObjectIdentifier::new_unwrap("2.5.29.14"),
    ObjectIdentifier::new_unwrap("2.5.29.35"),
];

/// Extended key usage, and the one that may stamp time (RFC 3161 section 2.3).
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
const TIME_STAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");

/// Most certificates between a signer and an authority of the list.
const BETWEEN_MAX: usize = 4;

/// Outside its validity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutOfTime {
    /// It begins later.
    NotYetValid,
    /// It has ended.
    Expired,
}

/// A certificate that can be read. Nothing about it is proved.
pub(crate) struct Certificate {
    parsed: Parsed,
    signed: Vec<u8>,
    scheme: Option<Scheme>,
    signature: Vec<u8>,
    key: Option<Key>,
    digest: Digest,
    der: Vec<u8>,
    issuer: Vec<u8>,
    subject: Vec<u8>,
}

impl Certificate {
    /// Reads DER, all of it.
    pub fn read(der: &[u8]) -> Result<Self, Malformed> {
        if der.len() > CERTIFICATE_BYTES_MAX {
            return Err(Malformed);
        }
        let parts = inside(whole(der)?, Tag::Sequence, 3, 3)?;
        let [signed, algorithm, signature] = parts.as_slice() else {
            return Err(Malformed);
        };
        let parsed = Parsed::from_der(der)?;
        let tbs = parsed.tbs_certificate();
        if tbs.signature() != parsed.signature_algorithm() {
            return Err(Malformed);
        }
        let info = tbs.subject_public_key_info().to_der()?;
        Ok(Self {
            signed: bytes(*signed)?,
            scheme: Scheme::read(*algorithm, None)?,
            signature: bits(*signature)?.to_vec(),
            key: Key::read(AnyRef::from_der(&info)?)?,
            digest: Digest(Sha256::digest(der).into()),
            der: der.to_vec(),
            issuer: tbs.issuer().to_der()?,
            subject: tbs.subject().to_der()?,
            parsed,
        })
    }

    /// SHA-256 of the whole.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The whole, as it came.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Its key. `None`: of a kind that is not taken.
    pub const fn key(&self) -> Option<&Key> {
        self.key.as_ref()
    }

    /// Serial number, hexadecimal.
    pub fn serial(&self) -> String {
        hex::encode(self.parsed.tbs_certificate().serial_number().as_bytes())
    }

    /// Whether issuer and serial number are these, as the bytes of their elements.
    pub fn is(&self, issuer: &[u8], serial: &[u8]) -> bool {
        self.issuer == issuer && self.parsed.tbs_certificate().serial_number().as_bytes() == serial
    }

    /// The subject as text (RFC 4514), cut to a length that can be told, without control characters.
    pub fn subject(&self) -> String {
        let text = self.parsed.tbs_certificate().subject().to_string();
        let plain = text.chars().filter(|c| !c.is_control());
        plain.take(NAME_CHARS_MAX).collect()
    }

    /// The subject's key identifier, if it has one that can be read.
    pub fn key_id(&self) -> Option<Vec<u8>> {
        let tbs = self.parsed.tbs_certificate();
        let (_, id) = tbs.get_extension::<SubjectKeyIdentifier>().ok()??;
        Some(id.0.as_bytes().to_vec())
    }

    /// May sign documents: digital signatures, not certificates; and nothing critical is left that is
    /// not understood.
    pub fn may_sign_documents(&self) -> bool {
        let tbs = self.parsed.tbs_certificate();
        let usage = tbs.get_extension::<KeyUsage>();
        let signs = matches!(usage, Ok(Some((_, usage))) if usage.digital_signature());
        let constraints = tbs.get_extension::<BasicConstraints>();
        let issues = !matches!(
            constraints,
            Ok(None | Some((_, BasicConstraints { ca: false, .. })))
        );
        signs && !issues && self.is_understood(None)
    }

    /// May stamp time: that and nothing else, said in a critical extension (RFC 3161 section 2.3).
    pub fn may_stamp_time(&self) -> bool {
        let tbs = self.parsed.tbs_certificate();
        let stamps = matches!(
            tbs.get_extension::<ExtendedKeyUsage>(),
            Ok(Some((true, ExtendedKeyUsage(purposes)))) if purposes == [TIME_STAMPING]
        );
        let signs = match tbs.get_extension::<KeyUsage>() {
            Ok(usage) => {
                usage.is_none_or(|(_, usage)| usage.digital_signature() || usage.non_repudiation())
            }
            Err(_) => false,
        };
        let constraints = tbs.get_extension::<BasicConstraints>();
        let issues = !matches!(
            constraints,
            Ok(None | Some((_, BasicConstraints { ca: false, .. })))
        );
        stamps && signs && !issues && self.is_understood(Some(EXTENDED_KEY_USAGE))
    }

    /// May issue certificates.
    pub fn may_issue(&self) -> bool {
        let tbs = self.parsed.tbs_certificate();
        let usage = tbs.get_extension::<KeyUsage>();
        let signs = matches!(usage, Ok(Some((_, usage))) if usage.key_cert_sign());
        let constraints = tbs.get_extension::<BasicConstraints>();
        let issues = matches!(
            constraints,
            Ok(Some((_, BasicConstraints { ca: true, .. })))
        );
        signs && issues && self.is_understood(None)
    }

    /// How many authorities may follow below it; `None`: as many as there are.
    fn path_length(&self) -> Option<usize> {
        let tbs = self.parsed.tbs_certificate();
        let (_, constraints) = tbs.get_extension::<BasicConstraints>().ok()??;
        constraints.path_len_constraint.map(usize::from)
    }

    fn is_understood(&self, also: Option<ObjectIdentifier>) -> bool {
        let extensions = self.parsed.tbs_certificate().extensions();
        let mut critical = extensions.into_iter().flatten().filter(|one| one.critical);
        critical.all(|one| UNDERSTOOD.contains(&one.extn_id) || Some(one.extn_id) == also)
    }

    /// What is wrong with its validity at an instant, both ends included.
    pub fn out_of_time(&self, at: Micros) -> Option<OutOfTime> {
        let validity = self.parsed.tbs_certificate().validity();
        let seconds = |time: x509_cert::time::Time| {
            i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX)
        };
        let now = at.0.div_euclid(Micros::SECOND);
        if now < seconds(validity.not_before) {
            Some(OutOfTime::NotYetValid)
        } else if now > seconds(validity.not_after) {
            Some(OutOfTime::Expired)
        } else {
            None
        }
    }

    /// Whether its issuer can be that one, by name and, where both say one, by key identifier.
    fn names_issuer(&self, issuer: &Self) -> bool {
        let tbs = self.parsed.tbs_certificate();
        let wanted = match tbs.get_extension::<AuthorityKeyIdentifier>() {
            Ok(found) => found.and_then(|(_, id)| id.key_identifier),
            Err(_) => return false,
        };
        let same_key = match (wanted, issuer.key_id()) {
            (Some(wanted), Some(id)) => wanted.as_bytes() == id,
            _ => true,
        };
        self.issuer == issuer.subject && same_key
    }

    fn is_signed_by(&self, issuer: &Self) -> bool {
        let (Some(scheme), Some(key)) = (self.scheme, issuer.key()) else {
            return false;
        };
        key.verify(scheme, &self.signed, &self.signature) == Some(true)
    }
}

/// Why a trust list cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustListError {
    /// Longer than one may be.
    #[error("the trust list is longer than {TRUST_LIST_BYTES_MAX} bytes")]
    TooLong,
    /// No certificate in it.
    #[error("there is no certificate in the trust list")]
    Empty,
    /// More than there may be.
    #[error("the trust list has more than {TRUST_LIST_MAX} certificates")]
    TooMany,
    /// One that is not a certificate.
    #[error("certificate {number} of the trust list cannot be read")]
    Unreadable {
        /// Which, from 1.
        number: usize,
    },
    /// One that is no authority's.
    #[error("certificate {number} of the trust list may not issue certificates")]
    NotAnAuthority {
        /// Which, from 1.
        number: usize,
    },
}

/// The countries' signing authorities that are trusted, from one file.
pub struct TrustList {
    authorities: Vec<Certificate>,
    digest: Digest,
}

/// Who vouches for a document signer.
pub(crate) enum Issuer<'t> {
    /// This authority.
    Known(&'t Certificate),
    /// None that is in the list.
    Unknown,
}

impl TrustList {
    /// Reads a file: PEM certificates (RFC 7468), or one certificate in DER. What stands between the
    /// PEM blocks is not read.
    pub fn read(file: &[u8]) -> Result<Self, TrustListError> {
        if file.len() > TRUST_LIST_BYTES_MAX {
            return Err(TrustListError::TooLong);
        }
        let mut authorities = Vec::new();
        for (at, der) in blocks(file)?.into_iter().enumerate() {
            let number = at + 1;
            let unreadable = TrustListError::Unreadable { number };
            let der = der.ok_or_else(|| unreadable.clone())?;
            let certificate = Certificate::read(&der).map_err(|_| unreadable)?;
            if !certificate.may_issue() {
                return Err(TrustListError::NotAnAuthority { number });
            }
            authorities.push(certificate);
        }
        if authorities.is_empty() {
            return Err(TrustListError::Empty);
        }
        let digest = Digest(Sha256::digest(file).into());
        Ok(Self {
            authorities,
            digest,
        })
    }

    /// SHA-256 of the file.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Number of authorities.
    pub fn len(&self) -> usize {
        self.authorities.len()
    }

    /// Whether there is none; never, since an empty list is not read.
    pub fn is_empty(&self) -> bool {
        self.authorities.is_empty()
    }

    /// Subjects of the authorities, in the file's order.
    pub fn subjects(&self) -> Vec<String> {
        self.authorities.iter().map(Certificate::subject).collect()
    }

    /// Number of authorities whose key is of a kind that is not taken.
    pub fn unusable(&self) -> usize {
        let keys = self.authorities.iter().map(Certificate::key);
        keys.filter(Option::is_none).count()
    }

    /// The authority of the list that a chain from a certificate ends at, over `others` that came along: every
    /// one of them may issue, is valid at the instant, and is signed by the next.
    pub(crate) fn anchor_of(
        &self,
        certificate: &Certificate,
        others: &[Certificate],
        at: Micros,
    ) -> Option<&Certificate> {
        let mut below = certificate;
        for between in 0..=BETWEEN_MAX {
            let may = |issuer: &Certificate| {
                issuer.out_of_time(at).is_none()
                    && issuer.path_length().is_none_or(|most| between <= most)
            };
            if let Issuer::Known(anchor) = self.issuer_of(below) {
                return may(anchor).then_some(anchor);
            }
            below = others.iter().find(|other| {
                other.may_issue()
                    && may(other)
                    && below.names_issuer(other)
                    && below.is_signed_by(other)
            })?;
        }
        None
    }

    /// Who issued a certificate, by its signature.
    pub(crate) fn issuer_of(&self, certificate: &Certificate) -> Issuer<'_> {
        let mut named = self
            .authorities
            .iter()
            .filter(|authority| certificate.names_issuer(authority));
        named
            .find(|authority| certificate.is_signed_by(authority))
            .map_or(Issuer::Unknown, Issuer::Known)
    }
}

/// The certificates of a file as DER; `None` for a block that is not base64.
fn blocks(file: &[u8]) -> Result<Vec<Option<Vec<u8>>>, TrustListError> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let text = match core::str::from_utf8(file) {
        Ok(text) if text.contains(BEGIN) => text,
        _ if file.is_empty() => return Ok(Vec::new()),
        _ => return Ok(vec![Some(file.to_vec())]),
    };
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(BEGIN) {
        if found.len() == TRUST_LIST_MAX {
            return Err(TrustListError::TooMany);
        }
        let Some((block, next)) = after.split_once(END) else {
            found.push(None);
            break;
        };
        let plain: String = block.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        found.push(BASE64_STANDARD.decode(plain).ok());
        rest = next;
    }
    Ok(found)
}
