//! EF.SOD: the document security object of ICAO 9303 part 10, a CMS `SignedData` (RFC 5652) over the
//! hashes of the data groups.
//!
//! ```text
//! EF.SOD          [APPLICATION 23] { ContentInfo of id-icao-ldsSecurityObject }
//! security object { version, hash algorithm, { { number, hash } … }, version texts? }
//! ```
//!
//! Takes it apart; proves nothing. Everything is bounded, trailing bytes are refused.

use super::{GROUPS_MAX, SOD_BYTES_MAX};
use crate::pki::algorithms::Hash;
use crate::pki::der::{Malformed, application, inside, only, small, value, whole};
use crate::pki::signed::Signed;
use der::Tag;
use der::asn1::ObjectIdentifier;
use domain::vocabulary::ChipFault;

const SECURITY_OBJECT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.136.1.1.1");

/// A security object taken apart.
pub(super) struct Sod<'a> {
    /// Who signed what.
    pub signed: Signed<'a>,
    /// The hash of the data groups.
    pub hash: Hash,
    /// Number and hash of each data group.
    pub groups: Vec<(u8, &'a [u8])>,
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
    let signed = Signed::read(info, SECURITY_OBJECT)?;
    let (hash, groups) = security_object(signed.content)?;
    Ok(Sod {
        signed,
        hash,
        groups,
    })
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
