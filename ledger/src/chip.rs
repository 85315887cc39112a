//! Reads of a card's chip, proved: passive authentication of ICAO 9303 part 11.
//!
//! A citizen's device sends the document security object (EF.SOD) and data groups. Whether they are
//! what the country's authority signed is checked here and nowhere else: signature over the signed
//! attributes, their digest of the security object, the document signer's certificate (key usage,
//! validity at the time of the command, chain to an authority of the loaded trust list), and the hash
//! of every data group. It shows origin and integrity, not that the chip is no copy (that is active
//! authentication, which needs the chip there).
//!
//! Behind a port, since another verifier may stand elsewhere. What was read is personal: it is erased
//! when dropped, printed nowhere and stored nowhere; what is kept are hashes and the verdict. Never
//! panics on any input.

mod loading;
mod mrz;
mod sod;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;

pub use crate::pki::{TRUST_LIST_BYTES_MAX, TRUST_LIST_MAX, TrustList, TrustListError};

pub use loading::{LoadError, Loaded, load, use_loaded};

use crate::pki::certificate::{Issuer, OutOfTime};
use crate::pki::signed::SignedFault;
use domain::ids::{Digest, Micros};
use domain::personal::GroupHash;
use domain::vocabulary::{ChipFault, ChipProof};
use sha2::{Digest as _, Sha256};
use sod::Sod;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Largest security object, in bytes. Real ones have 1 to 6 KB.
pub const SOD_BYTES_MAX: usize = 32 * 1024;
/// Number of data groups that there are.
pub const GROUPS_MAX: usize = 16;
/// Largest data group, in bytes.
pub const GROUP_BYTES_MAX: usize = 512 * 1024;
/// Version of this verifier, kept with every verdict. Raised whenever the same read could get another
/// verdict.
pub const VERIFIER: u32 = 2;

/// The data group that says whose card it is.
const HOLDER_GROUP: u8 = 1;

/// A data group as it was read.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub enum GroupData {
    /// Its bytes.
    Content(Vec<u8>),
    /// Their hash only, in the algorithm of the security object.
    Hash(Vec<u8>),
}

/// What was read from a chip.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct ChipRead {
    /// EF.SOD, whole.
    pub sod: Vec<u8>,
    /// Numbers and contents of data groups.
    pub groups: Vec<(u8, GroupData)>,
}

impl core::fmt::Debug for ChipRead {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ChipRead(…)")
    }
}

/// What came of a read.
pub struct ChipVerdict {
    /// What can be kept.
    pub proof: ChipProof,
    /// The hashes of the groups that were compared, as read.
    pub groups: Vec<GroupHash>,
    /// The personal number of DG1, where its hash is the signed one.
    pub personal_number: Option<Zeroizing<String>>,
}

impl ChipVerdict {
    /// Whose card it is, beside what is wrong with it otherwise.
    pub fn of_holder(&mut self, personal_id: &str) {
        let fault = match &self.personal_number {
            None => ChipFault::HolderUnknown,
            Some(number) if number.as_str() != personal_id => ChipFault::HolderMismatch,
            Some(_) => return,
        };
        self.proof.faults.push(fault);
    }
}

/// Says whether a read is genuine.
pub trait ChipVerifier: Send + Sync + 'static {
    /// As of an instant.
    fn verify(&self, read: &ChipRead, at: Micros) -> ChipVerdict;
}

/// Passive authentication against a trust list; without one, nothing is good.
#[derive(Default)]
pub struct PassiveAuthentication {
    trusted: Option<TrustList>,
}

impl PassiveAuthentication {
    /// Against this list.
    pub const fn new(trusted: TrustList) -> Self {
        Self {
            trusted: Some(trusted),
        }
    }
}

impl ChipVerifier for PassiveAuthentication {
    fn verify(&self, read: &ChipRead, at: Micros) -> ChipVerdict {
        let mut verdict = ChipVerdict {
            proof: ChipProof {
                sod: Digest(Sha256::digest(&read.sod).into()),
                groups: read.groups.iter().map(|(number, _)| *number).collect(),
                serial: String::new(),
                issuer: String::new(),
                certificate: None,
                trust_list: self.trusted.as_ref().map(TrustList::digest),
                faults: Vec::new(),
                verifier: VERIFIER,
            },
            groups: Vec::new(),
            personal_number: None,
        };
        verdict.proof.groups.truncate(GROUPS_MAX);
        match sod::read(&read.sod) {
            Err(fault) => verdict.proof.faults.push(fault),
            Ok(sod) => {
                self.signed(&sod, at, &mut verdict.proof);
                compare(&sod, read, at, &mut verdict);
            }
        }
        verdict
    }
}

impl PassiveAuthentication {
    /// The signature, who made it, and who vouches for them.
    fn signed(&self, sod: &Sod<'_>, at: Micros, proof: &mut ChipProof) {
        if !sod.signed.digest_is_right() {
            proof.faults.push(ChipFault::ContentDigest);
        }
        let Some(signer) = sod.signed.signer() else {
            proof.faults.push(ChipFault::Certificate);
            return;
        };
        proof.certificate = Some(signer.digest());
        proof.serial = signer.serial();
        match sod.signed.is_signed_by(&signer) {
            Some(true) => {}
            Some(false) => proof.faults.push(ChipFault::Signature),
            None => proof.faults.push(ChipFault::SignatureAlgorithm),
        }
        if !signer.may_sign_documents() {
            proof.faults.push(ChipFault::CertificateUsage);
        }
        proof
            .faults
            .extend(signer.out_of_time(at).map(ChipFault::from));
        let Some(trusted) = &self.trusted else {
            proof.faults.push(ChipFault::TrustListMissing);
            return;
        };
        match trusted.issuer_of(&signer) {
            Issuer::Unknown => proof.faults.push(ChipFault::IssuerUnknown),
            Issuer::Known(issuer) => {
                // Only a name from the list is told: any other is whatever a forger wrote.
                proof.issuer = issuer.subject();
                if issuer.out_of_time(at).is_some() {
                    proof.faults.push(ChipFault::IssuerOutOfTime);
                }
            }
        }
    }
}

impl From<OutOfTime> for ChipFault {
    fn from(fault: OutOfTime) -> Self {
        match fault {
            OutOfTime::NotYetValid => Self::CertificateNotYetValid,
            OutOfTime::Expired => Self::CertificateExpired,
        }
    }
}

impl From<SignedFault> for ChipFault {
    fn from(fault: SignedFault) -> Self {
        match fault {
            SignedFault::Malformed => Self::SodMalformed,
            SignedFault::HashAlgorithm => Self::HashAlgorithm,
            SignedFault::SignatureAlgorithm => Self::SignatureAlgorithm,
        }
    }
}

/// Each data group against its signed hash; each fault is said once.
fn compare(sod: &Sod<'_>, read: &ChipRead, at: Micros, verdict: &mut ChipVerdict) {
    let mut faults = Vec::new();
    for (number, data) in read.groups.iter().take(GROUPS_MAX) {
        let signed = sod.groups.iter().find(|(known, _)| known == number);
        let (hash, content) = match data {
            GroupData::Content(bytes) if bytes.len() > GROUP_BYTES_MAX => {
                faults.push(ChipFault::DataGroupAltered);
                continue;
            }
            GroupData::Content(bytes) => (sod.hash.of(bytes), Some(bytes)),
            GroupData::Hash(hash) => (hash.clone(), None),
        };
        match signed {
            None => faults.push(ChipFault::DataGroupUnknown),
            Some((_, signed)) if *signed != hash => faults.push(ChipFault::DataGroupAltered),
            Some(_) => {
                let content = content.filter(|_| *number == HOLDER_GROUP);
                if let Some(zone) = content.and_then(|content| mrz::zone(content)) {
                    // A copy of a read is good for ever but for this: it dies with the card.
                    if zone.last_day.is_some_and(|last| at.local_day() > last) {
                        faults.push(ChipFault::CardExpired);
                    }
                    verdict.personal_number = Some(zone.personal_number);
                }
                verdict.groups.push(GroupHash {
                    number: *number,
                    hash,
                });
            }
        }
    }
    if read.groups.len() > GROUPS_MAX {
        faults.push(ChipFault::DataGroupUnknown);
    }
    faults.sort_unstable();
    faults.dedup();
    verdict.proof.faults.extend(faults);
}
