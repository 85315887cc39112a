//! Hashes, keys and signatures that signed objects may use, and nothing weaker.
//!
//! ECDSA on P-256 and P-384 (named, or with explicit parameters that are exactly the named curve's, as
//! ICAO 9303 part 12 asks for), RSA PKCS #1 v1.5 and PSS from 2048 to 4096 bits; SHA-256, SHA-384,
//! SHA-512. Everything else has its own verdict and is never "skipped".

use super::der::{Malformed, bits, context, inside, oid, only, small, unsigned, value, whole};
use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Tag, Tagged};
use rsa::signature::hazmat::PrehashVerifier;
use rsa::{BoxedUint, RsaPublicKey};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

const ID_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const ID_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const ID_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const ECDSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const RSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const RSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const RSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
const EC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const PRIME_FIELD: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.1.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

/// Sizes of an RSA modulus that are taken, in bits.
const RSA_BITS: core::ops::RangeInclusive<usize> = 2048..=4096;

/// A hash algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    /// Of an `AlgorithmIdentifier`. `Ok(None)`: one that is not taken.
    pub fn read(algorithm: AnyRef<'_>) -> Result<Option<Self>, Malformed> {
        let (name, parameters) = identifier(algorithm)?;
        let plain = parameters.is_none_or(AnyRef::is_null);
        Ok(Self::named(name).filter(|_| plain))
    }

    fn named(name: ObjectIdentifier) -> Option<Self> {
        match name {
            ID_SHA256 => Some(Self::Sha256),
            ID_SHA384 => Some(Self::Sha384),
            ID_SHA512 => Some(Self::Sha512),
            _ => None,
        }
    }

    /// The digest of some bytes.
    pub fn of(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }

    /// Length of a digest in bytes.
    pub const fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// How something was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Ecdsa(Hash),
    Pkcs1(Hash),
    Pss { hash: Hash, salt: u8 },
}

impl Scheme {
    /// Of an `AlgorithmIdentifier`; `digest`: the hash named beside it, for the plain RSA identifier
    /// that CMS allows. `Ok(None)`: one that is not taken.
    pub fn read(algorithm: AnyRef<'_>, digest: Option<Hash>) -> Result<Option<Self>, Malformed> {
        let (name, parameters) = identifier(algorithm)?;
        if name == RSA_PSS {
            return parameters.map_or(Ok(None), Self::pss);
        }
        if !parameters.is_none_or(AnyRef::is_null) {
            return Ok(None);
        }
        Ok(match name {
            ECDSA_SHA256 => Some(Self::Ecdsa(Hash::Sha256)),
            ECDSA_SHA384 => Some(Self::Ecdsa(Hash::Sha384)),
            ECDSA_SHA512 => Some(Self::Ecdsa(Hash::Sha512)),
            RSA_SHA256 => Some(Self::Pkcs1(Hash::Sha256)),
            RSA_SHA384 => Some(Self::Pkcs1(Hash::Sha384)),
            RSA_SHA512 => Some(Self::Pkcs1(Hash::Sha512)),
            RSA => digest.map(Self::Pkcs1),
            _ => None,
        })
    }

    /// `RSASSA-PSS-params` (RFC 4055). What is left out means SHA-1, which is not taken.
    fn pss(parameters: AnyRef<'_>) -> Result<Option<Self>, Malformed> {
        let (mut hash, mut mask, mut salt) = (None, None, 20);
        for part in inside(parameters, Tag::Sequence, 0, 4)? {
            if part.tag() == context(0) {
                hash = Hash::read(only(part, context(0))?)?;
            } else if part.tag() == context(1) {
                let (name, of) = identifier(only(part, context(1))?)?;
                let of = of.ok_or(Malformed)?;
                mask = Hash::read(of)?.filter(|_| name == MGF1);
            } else if part.tag() == context(2) {
                salt = small(only(part, context(2))?)?;
            } else if small(only(part, context(3))?)? != 1 {
                return Ok(None);
            }
        }
        Ok(hash
            .filter(|_| hash == mask)
            .map(|hash| Self::Pss { hash, salt }))
    }

    /// The hash that is signed.
    pub const fn hash(self) -> Hash {
        match self {
            Self::Ecdsa(hash) | Self::Pkcs1(hash) | Self::Pss { hash, .. } => hash,
        }
    }
}

/// A public key.
#[derive(Debug, Clone)]
pub(crate) enum Key {
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    /// `pss_only`: its certificate says so.
    Rsa {
        key: Box<RsaPublicKey>,
        pss_only: bool,
    },
}

impl Key {
    /// Of a `SubjectPublicKeyInfo`. `Ok(None)`: one that is not taken.
    pub fn read(info: AnyRef<'_>) -> Result<Option<Self>, Malformed> {
        let parts = inside(info, Tag::Sequence, 2, 2)?;
        let [algorithm, key] = parts.as_slice() else {
            return Err(Malformed);
        };
        let (name, parameters) = identifier(*algorithm)?;
        let key = bits(*key)?;
        match name {
            EC_KEY => {
                let curve = Curve::read(parameters.ok_or(Malformed)?)?;
                Ok(match curve {
                    Some(Curve::P256) => p256::ecdsa::VerifyingKey::from_sec1_bytes(key)
                        .ok()
                        .map(Self::P256),
                    Some(Curve::P384) => p384::ecdsa::VerifyingKey::from_sec1_bytes(key)
                        .ok()
                        .map(Self::P384),
                    None => None,
                })
            }
            RSA | RSA_PSS => {
                let numbers = inside(whole(key)?, Tag::Sequence, 2, 2)?;
                let [modulus, exponent] = numbers.as_slice() else {
                    return Err(Malformed);
                };
                let modulus = BoxedUint::from_be_slice_vartime(unsigned(*modulus)?);
                let exponent = BoxedUint::from_be_slice_vartime(unsigned(*exponent)?);
                let key = RsaPublicKey::new_with_size_limits(modulus, exponent, RSA_BITS).ok();
                let pss_only = name == RSA_PSS;
                Ok(key.map(Box::new).map(|key| Self::Rsa { key, pss_only }))
            }
            _ => Ok(None),
        }
    }

    /// Whether this key signed that message so. `None`: it is no key for this kind of signature.
    pub fn verify(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> Option<bool> {
        let digest = scheme.hash().of(message);
        match (self, scheme) {
            (Self::P256(key), Scheme::Ecdsa(_)) => {
                let signature = p256::ecdsa::Signature::from_der(signature);
                Some(
                    signature
                        .is_ok_and(|signature| key.verify_prehash(&digest, &signature).is_ok()),
                )
            }
            (Self::P384(key), Scheme::Ecdsa(_)) => {
                let signature = p384::ecdsa::Signature::from_der(signature);
                Some(
                    signature
                        .is_ok_and(|signature| key.verify_prehash(&digest, &signature).is_ok()),
                )
            }
            (
                Self::Rsa {
                    key,
                    pss_only: false,
                },
                Scheme::Pkcs1(hash),
            ) => {
                let padding = match hash {
                    Hash::Sha256 => rsa::Pkcs1v15Sign::new::<Sha256>(),
                    Hash::Sha384 => rsa::Pkcs1v15Sign::new::<Sha384>(),
                    Hash::Sha512 => rsa::Pkcs1v15Sign::new::<Sha512>(),
                };
                Some(key.verify(padding, &digest, signature).is_ok())
            }
            (Self::Rsa { key, .. }, Scheme::Pss { hash, salt }) => {
                let salt = usize::from(salt);
                let result = match hash {
                    Hash::Sha256 => {
                        key.verify(rsa::Pss::<Sha256>::new_with_salt(salt), &digest, signature)
                    }
                    Hash::Sha384 => {
                        key.verify(rsa::Pss::<Sha384>::new_with_salt(salt), &digest, signature)
                    }
                    Hash::Sha512 => {
                        key.verify(rsa::Pss::<Sha512>::new_with_salt(salt), &digest, signature)
                    }
                };
                Some(result.is_ok())
            }
            _ => None,
        }
    }
}

/// A curve that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Curve {
    P256,
    P384,
}

/// A curve's parameters (SEC 2), hexadecimal.
struct Parameters {
    curve: Curve,
    p: &'static str,
    a: &'static str,
    b: &'static str,
    x: &'static str,
    y: &'static str,
    n: &'static str,
}

const CURVES: [Parameters; 2] = [
    Parameters {
        curve: Curve::P256,
        p: "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
        a: "ffffffff00000001000000000000000000000000fffffffffffffffffffffffc",
        b: "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b",
        x: "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
        y: "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
        n: "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
    },
    Parameters {
        curve: Curve::P384,
        p: "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff",
        a: "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000fffffffc",
        b: "b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef",
        x: "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7",
        y: "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f",
        n: "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    },
];

impl Curve {
    /// Named, or spelled out. A curve that is spelled out must be one of the named ones in every
    /// parameter, the generator included: anything less lets a forger choose it (CVE-2020-0601).
    fn read(parameters: AnyRef<'_>) -> Result<Option<Self>, Malformed> {
        if parameters.tag() == Tag::ObjectIdentifier {
            return Ok(match oid(parameters)? {
                P256 => Some(Self::P256),
                P384 => Some(Self::P384),
                _ => None,
            });
        }
        let parts = inside(parameters, Tag::Sequence, 5, 6)?;
        let [_, field, curve, base, order, rest @ ..] = parts.as_slice() else {
            return Err(Malformed);
        };
        let field = inside(*field, Tag::Sequence, 2, 2)?;
        let curve = inside(*curve, Tag::Sequence, 2, 3)?;
        let ([kind, p], [a, b, ..]) = (field.as_slice(), curve.as_slice()) else {
            return Err(Malformed);
        };
        if oid(*kind)? != PRIME_FIELD {
            return Ok(None);
        }
        if let Some(cofactor) = rest.first()
            && small(*cofactor)? != 1
        {
            return Ok(None);
        }
        let (p, n) = (hex::encode(unsigned(*p)?), hex::encode(unsigned(*order)?));
        let a = hex::encode(value(*a, Tag::OctetString)?);
        let b = hex::encode(value(*b, Tag::OctetString)?);
        let base = hex::encode(value(*base, Tag::OctetString)?);
        let known = CURVES.iter().find(|known| {
            let even = known.y.ends_with(['0', '2', '4', '6', '8', 'a', 'c', 'e']);
            let short = format!("{}{}", if even { "02" } else { "03" }, known.x);
            let long = format!("04{}{}", known.x, known.y);
            (p.as_str(), a.as_str(), b.as_str(), n.as_str()) == (known.p, known.a, known.b, known.n)
                && (base == short || base == long)
        });
        Ok(known.map(|known| known.curve))
    }
}

/// An algorithm's name and parameters.
fn identifier(algorithm: AnyRef<'_>) -> Result<(ObjectIdentifier, Option<AnyRef<'_>>), Malformed> {
    let parts = inside(algorithm, Tag::Sequence, 1, 2)?;
    let mut parts = parts.into_iter();
    let name = oid(parts.next().ok_or(Malformed)?)?;
    Ok((name, parts.next()))
}
