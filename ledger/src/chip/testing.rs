//! Chips made up for tests: an authority, a document signer and a security object, written byte by byte
//! by an encoder of their own, so that the reader is not tested against itself.
//!
//! Keys are fixed bytes; there is no randomness and no clock. Nothing here is ever trusted by anything
//! but the list that a test makes of it.

use super::{ChipRead, GroupData};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use der::asn1::ObjectIdentifier;
use der::{DateTime, Encode as _};
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// 2020-01-01T00:00:00Z, in seconds.
pub const BEGIN: u64 = 1_577_836_800;
/// 2040-01-01T00:00:00Z, in seconds.
pub const END: u64 = 2_208_988_800;

/// A curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// P-256, signed with SHA-256.
    P256,
    /// P-384, signed with SHA-384.
    P384,
}

/// What to make. The default is good.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fault of its own")]
pub struct Recipe {
    /// Which authority: its key and name follow from the number.
    pub authority: u8,
    /// The authority's and the signer's curve.
    pub curve: Curve,
    /// Validity of the authority's certificate, in seconds.
    pub authority_valid: (u64, u64),
    /// Validity of the signer's certificate, in seconds.
    pub signer_valid: (u64, u64),
    /// First byte of the signer's key usage; 0x80 is digital signature.
    pub signer_usage: u8,
    /// Whether the signer's certificate says that it may issue certificates.
    pub signer_is_authority: bool,
    /// A critical extension that nobody knows.
    pub unknown_critical: bool,
    /// Hash of the data groups, by the last arc of its name: 1, 2, 3 for SHA-256, 384, 512; another is
    /// named and not computed.
    pub hash: u8,
    /// The signer is named by key identifier instead of issuer and serial number.
    pub by_key_id: bool,
    /// Another number instead of the digest in the signed attributes.
    pub wrong_digest: bool,
    /// The data groups.
    pub groups: Vec<(u8, Vec<u8>)>,
}

impl Recipe {
    /// A good chip of this person, read with DG1 and DG2.
    pub fn of(personal_number: &str) -> Self {
        Self {
            authority: 1,
            curve: Curve::P256,
            authority_valid: (BEGIN, END),
            signer_valid: (BEGIN, END),
            signer_usage: 0x80,
            signer_is_authority: false,
            unknown_critical: false,
            hash: 1,
            by_key_id: false,
            wrong_digest: false,
            groups: vec![(1, dg1(personal_number)), (2, vec![0x75; 300])],
        }
    }

    /// The authority's certificate as PEM: a trust list.
    pub fn trust_list(&self) -> String {
        let pem = BASE64_STANDARD.encode(self.authority_certificate());
        format!("-----BEGIN CERTIFICATE-----\n{pem}\n-----END CERTIFICATE-----\n")
    }

    /// EF.SOD.
    pub fn sod(&self) -> Vec<u8> {
        let content = self.security_object();
        let signer = self.signer_certificate();
        let digest = self
            .curve
            .digest(if self.wrong_digest { b"" } else { &content });
        let name = oid("2.23.136.1.1.1");
        let mut attributes = [
            sequence(&[
                oid("1.2.840.113549.1.9.3"),
                set(core::slice::from_ref(&name)),
            ]),
            sequence(&[oid("1.2.840.113549.1.9.4"), set(&[tlv(0x04, &digest)])]),
        ];
        attributes.sort();
        let key = self.signer_key();
        let signature = key.sign(&set(&attributes));
        let id = if self.by_key_id {
            tlv(0x80, &key_id(&key))
        } else {
            sequence(&[self.authority_name(), tlv(0x02, &SIGNER_SERIAL)])
        };
        let info = sequence(&[
            tlv(0x02, &[if self.by_key_id { 3 } else { 1 }]),
            id,
            sequence(&[self.curve.hash_name()]),
            tlv(0xa0, &attributes.concat()),
            sequence(&[self.curve.signature_name()]),
            tlv(0x04, &signature),
        ]);
        let data = sequence(&[
            tlv(0x02, &[3]),
            set(&[sequence(&[self.curve.hash_name()])]),
            sequence(&[name, tlv(0xa0, &tlv(0x04, &content))]),
            tlv(0xa0, &signer),
            set(&[info]),
        ]);
        let info = sequence(&[oid("1.2.840.113549.1.7.2"), tlv(0xa0, &data)]);
        tlv(0x77, &info)
    }

    /// The read that a device would send: the object and the contents of every group.
    pub fn read(&self) -> ChipRead {
        let group = |(number, bytes): &(u8, Vec<u8>)| (*number, GroupData::Content(bytes.clone()));
        ChipRead {
            sod: self.sod(),
            groups: self.groups.iter().map(group).collect(),
        }
    }

    fn security_object(&self) -> Vec<u8> {
        let hash = |bytes: &[u8]| match self.hash {
            2 => Sha384::digest(bytes).to_vec(),
            3 => Sha512::digest(bytes).to_vec(),
            _ => Sha256::digest(bytes).to_vec(),
        };
        let group = |(number, bytes): &(u8, Vec<u8>)| {
            sequence(&[tlv(0x02, &[*number]), tlv(0x04, &hash(bytes))])
        };
        let groups: Vec<Vec<u8>> = self.groups.iter().map(group).collect();
        let name = oid(&format!("2.16.840.1.101.3.4.2.{}", self.hash));
        sequence(&[tlv(0x02, &[0]), sequence(&[name]), sequence(&groups)])
    }

    fn authority_key(&self) -> Key {
        self.curve.key(self.authority)
    }

    fn signer_key(&self) -> Key {
        self.curve.key(self.authority.wrapping_add(100))
    }

    fn authority_name(&self) -> Vec<u8> {
        name(&format!("Test CSCA {}", self.authority))
    }

    fn authority_certificate(&self) -> Vec<u8> {
        let key = self.authority_key();
        let constraints = sequence(&[tlv(0x01, &[0xff])]);
        let extensions = [
            extension("2.5.29.19", true, &constraints),
            extension("2.5.29.15", true, &tlv(0x03, &[1, 0x06])),
            extension("2.5.29.14", false, &tlv(0x04, &key_id(&key))),
        ];
        let name = self.authority_name();
        self.certificate(&[1], self.authority_valid, &name, &key, &extensions)
    }

    fn signer_certificate(&self) -> Vec<u8> {
        let (key, issuer) = (self.signer_key(), self.authority_key());
        let unused = self.signer_usage.trailing_zeros().min(7) as u8;
        let mut extensions = vec![
            extension("2.5.29.15", true, &tlv(0x03, &[unused, self.signer_usage])),
            extension("2.5.29.14", false, &tlv(0x04, &key_id(&key))),
            extension(
                "2.5.29.35",
                false,
                &sequence(&[tlv(0x80, &key_id(&issuer))]),
            ),
        ];
        if self.signer_is_authority {
            let constraints = sequence(&[tlv(0x01, &[0xff])]);
            extensions.push(extension("2.5.29.19", true, &constraints));
        }
        if self.unknown_critical {
            extensions.push(extension("1.2.3.4", true, &tlv(0x05, &[])));
        }
        let subject = name("Test Document Signer");
        self.certificate(
            &SIGNER_SERIAL,
            self.signer_valid,
            &subject,
            &key,
            &extensions,
        )
    }

    fn certificate(
        &self,
        serial: &[u8],
        (from, to): (u64, u64),
        subject: &[u8],
        key: &Key,
        extensions: &[Vec<u8>],
    ) -> Vec<u8> {
        let algorithm = sequence(&[self.curve.signature_name()]);
        let curve = oid(match self.curve {
            Curve::P256 => "1.2.840.10045.3.1.7",
            Curve::P384 => "1.3.132.0.34",
        });
        let mut point = vec![0];
        point.extend(key.point());
        let info = sequence(&[
            sequence(&[oid("1.2.840.10045.2.1"), curve]),
            tlv(0x03, &point),
        ]);
        let signed = sequence(&[
            tlv(0xa0, &tlv(0x02, &[2])),
            tlv(0x02, serial),
            algorithm.clone(),
            self.authority_name(),
            sequence(&[time(from), time(to)]),
            subject.to_vec(),
            info,
            tlv(0xa3, &sequence(extensions)),
        ]);
        let mut signature = vec![0];
        signature.extend(self.authority_key().sign(&signed));
        sequence(&[signed, algorithm, tlv(0x03, &signature)])
    }
}

/// With its leading zero: the first bit of a positive number is none.
const SIGNER_SERIAL: [u8; 5] = [0x00, 0xc0, 0xff, 0xee, 0x01];

enum Key {
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
}

impl Curve {
    fn key(self, number: u8) -> Key {
        match self {
            Self::P256 => Key::P256(
                p256::ecdsa::SigningKey::from_slice(&[number; 32]).expect("below the order"),
            ),
            Self::P384 => Key::P384(
                p384::ecdsa::SigningKey::from_slice(&[number; 48]).expect("below the order"),
            ),
        }
    }

    fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::P256 => Sha256::digest(bytes).to_vec(),
            Self::P384 => Sha384::digest(bytes).to_vec(),
        }
    }

    fn hash_name(self) -> Vec<u8> {
        oid(match self {
            Self::P256 => "2.16.840.1.101.3.4.2.1",
            Self::P384 => "2.16.840.1.101.3.4.2.2",
        })
    }

    fn signature_name(self) -> Vec<u8> {
        oid(match self {
            Self::P256 => "1.2.840.10045.4.3.2",
            Self::P384 => "1.2.840.10045.4.3.3",
        })
    }
}

impl Key {
    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::P256(key) => {
                let digest = Sha256::digest(message);
                let signature: p256::ecdsa::Signature =
                    key.sign_prehash(&digest).expect("a digest can be signed");
                signature.to_der().as_bytes().to_vec()
            }
            Self::P384(key) => {
                let digest = Sha384::digest(message);
                let signature: p384::ecdsa::Signature =
                    key.sign_prehash(&digest).expect("a digest can be signed");
                signature.to_der().as_bytes().to_vec()
            }
        }
    }

    fn point(&self) -> Vec<u8> {
        match self {
            Self::P256(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Self::P384(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
        }
    }
}

fn key_id(key: &Key) -> Vec<u8> {
    Sha256::digest(key.point())
        .iter()
        .take(20)
        .copied()
        .collect()
}

/// A DG1 with a TD1 zone of a person with this number, whose card is good until 2039-01-01.
pub fn dg1(personal_number: &str) -> Vec<u8> {
    dg1_until(personal_number, "390101")
}

/// The same with another last day: `YYMMDD`, or six `<`.
pub fn dg1_until(personal_number: &str, last_day: &str) -> Vec<u8> {
    let zone = format!(
        "IDVNM0840000012{personal_number}<<78401016M{last_day}2VNM<<<<<<<<<<<4{:<<30}",
        "NGUYEN<<VAN<A"
    );
    let mut zone = zone.into_bytes();
    zone.resize(90, b'<');
    tlv(0x61, &[&[0x5f, 0x1f, 90], zone.as_slice()].concat())
}

/// One DER element.
pub fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    let length = (content.len() as u32).to_be_bytes();
    if let short @ 0..128 = content.len() {
        bytes.push(short as u8);
    } else {
        let digits: Vec<u8> = length
            .iter()
            .copied()
            .skip_while(|byte| *byte == 0)
            .collect();
        bytes.push(0x80 | digits.len() as u8);
        bytes.extend(digits);
    }
    bytes.extend(content);
    bytes
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

fn set(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x31, &parts.concat())
}

fn oid(text: &str) -> Vec<u8> {
    let oid = ObjectIdentifier::new(text).expect("an object identifier");
    oid.to_der().expect("it has an encoding")
}

fn name(common: &str) -> Vec<u8> {
    let part =
        |id: &str, tag: u8, text: &str| set(&[sequence(&[oid(id), tlv(tag, text.as_bytes())])]);
    sequence(&[part("2.5.4.6", 0x13, "VN"), part("2.5.4.3", 0x0c, common)])
}

fn extension(id: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let flag = if critical {
        tlv(0x01, &[0xff])
    } else {
        Vec::new()
    };
    sequence(&[oid(id), flag, tlv(0x04, value)])
}

fn time(seconds: u64) -> Vec<u8> {
    let at = DateTime::from_unix_duration(core::time::Duration::from_secs(seconds));
    let at = at.expect("a date");
    let text = format!(
        "{:02}{:02}{:02}{:02}{:02}{:02}Z",
        at.year() % 100,
        at.month(),
        at.day(),
        at.hour(),
        at.minutes(),
        at.seconds()
    );
    tlv(0x17, text.as_bytes())
}
