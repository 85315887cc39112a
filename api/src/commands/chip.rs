//! What was read from a card's chip, in a body: the read itself, to be verified here, or what a device
//! says of one.

use crate::problem::{Code, Problem};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use core::fmt;
use domain::ids::Digest;
use domain::vocabulary::{ChipEvidence, EvidenceStrength};
use ledger::chip::{ChipRead, GROUPS_MAX, GroupData, SOD_BYTES_MAX};
use serde::Deserialize;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserializer, SeqAccess, Visitor};
use utoipa::ToSchema;
use zeroize::Zeroize;

/// What was read from a chip. With `data_groups` as a list it is the read itself and is verified by the
/// ledger (passive authentication, ICAO 9303 part 11); as a text it is what a device says of one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChipBody {
    sod: String,
    data_groups: Groups,
    certificate: Option<Digest>,
    strength: Option<EvidenceStrength>,
    verifier: Option<u32>,
}

/// A data group of a chip: its content, or its hash alone.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupBody {
    /// 1 to 16. DG1 must be there with its content: it says whose card it is.
    #[schema(minimum = 1, maximum = 16)]
    number: u8,
    /// Its bytes, base64.
    content: Option<String>,
    /// Its hash, hexadecimal, in the algorithm of the security object.
    hash: Option<String>,
}

/// The chip in the contract.
#[derive(ToSchema)]
#[serde(untagged)]
#[allow(dead_code)] // describes `ChipBody`, which is read by hand
pub enum ChipSchema {
    /// The read itself, verified by the ledger.
    Read {
        /// EF.SOD, whole, base64.
        sod: String,
        /// Data groups.
        data_groups: Vec<GroupBody>,
    },
    /// What a device says of a read: a claim.
    Claim {
        /// SHA-256 of the document security object, 64 hexadecimal digits.
        sod: String,
        /// SHA-256 over the hashes of the data groups read, 64 hexadecimal digits.
        data_groups: String,
        /// SHA-256 of the document-signer certificate, 64 hexadecimal digits.
        certificate: String,
        /// `chip_passive_auth` or `chip_active_auth`.
        strength: String,
        /// Version of the verifying software.
        verifier: u32,
    },
}

/// A text or a list.
enum Groups {
    Claim(String),
    Read(Vec<GroupBody>),
}

impl<'de> Deserialize<'de> for Groups {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Groups;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a digest or a list of data groups")
            }

            fn visit_str<E>(self, text: &str) -> Result<Groups, E> {
                Ok(Groups::Claim(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Groups, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Groups::Read)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// What a body said of a chip.
pub enum Chip {
    /// To be verified.
    Read(ChipRead),
    /// To be recorded as what somebody says.
    Claim(ChipEvidence),
}

/// The read in a body where nothing else counts: what a device says of one is turned down.
pub fn read_of(body: Option<&ChipBody>) -> Result<Option<ChipRead>, Problem> {
    match body.map(ChipBody::chip).transpose()? {
        None => Ok(None),
        Some(Chip::Read(read)) => Ok(Some(read)),
        Some(Chip::Claim(_)) => {
            let detail = "a list of data groups: the read itself, to be verified";
            Err(Problem::field(Code::WrongType, "/chip/data_groups", detail))
        }
    }
}

impl ChipBody {
    /// As the ledger takes it.
    pub fn chip(&self) -> Result<Chip, Problem> {
        match &self.data_groups {
            Groups::Claim(groups) => self.claim(groups).map(Chip::Claim),
            Groups::Read(groups) => self.read(groups).map(Chip::Read),
        }
    }

    fn claim(&self, groups: &str) -> Result<ChipEvidence, Problem> {
        let digest = |text: &str, pointer: &str| {
            let wrong = "not of the type or the list it must be of";
            let digest = text.parse::<Digest>();
            digest.map_err(|_| Problem::field(Code::WrongType, pointer, wrong))
        };
        let missing = |name: &str| {
            let pointer = format!("/chip/{name}");
            Problem::field(Code::MissingField, pointer, "needed and not there")
        };
        Ok(ChipEvidence {
            sod: digest(&self.sod, "/chip/sod")?,
            data_groups: digest(groups, "/chip/data_groups")?,
            certificate: self.certificate.ok_or_else(|| missing("certificate"))?,
            strength: self.strength.ok_or_else(|| missing("strength"))?,
            verifier: self.verifier.ok_or_else(|| missing("verifier"))?,
        })
    }

    fn read(&self, groups: &[GroupBody]) -> Result<ChipRead, Problem> {
        if self.certificate.is_some() || self.strength.is_some() || self.verifier.is_some() {
            let detail = "what a read proves is found out, not said";
            return Err(Problem::field(Code::UnknownField, "/chip", detail));
        }
        let sod = base64(&self.sod, "/chip/sod")?;
        if sod.len() > SOD_BYTES_MAX || groups.is_empty() || groups.len() > GROUPS_MAX {
            let detail = "at most 32 KiB, and 1 to 16 data groups";
            return Err(Problem::field(Code::InvalidValue, "/chip", detail));
        }
        let mut read = ChipRead {
            sod,
            groups: Vec::with_capacity(groups.len()),
        };
        for (at, group) in groups.iter().enumerate() {
            let pointer = format!("/chip/data_groups/{at}");
            let again = read
                .groups
                .iter()
                .any(|(number, _)| *number == group.number);
            if again || !(1..=GROUPS_MAX).contains(&usize::from(group.number)) {
                let detail = "1 to 16, each once";
                let pointer = format!("{pointer}/number");
                return Err(Problem::field(Code::InvalidValue, pointer, detail));
            }
            let data = match (&group.content, &group.hash) {
                (Some(content), None) => {
                    GroupData::Content(base64(content, &format!("{pointer}/content"))?)
                }
                (None, Some(hash)) => GroupData::Hash(hex_hash(hash, &format!("{pointer}/hash"))?),
                _ => {
                    let detail = "either `content` or `hash`";
                    return Err(Problem::field(Code::InvalidValue, pointer, detail));
                }
            };
            read.groups.push((group.number, data));
        }
        Ok(read)
    }
}

impl Drop for ChipBody {
    /// What was read is personal.
    fn drop(&mut self) {
        self.sod.zeroize();
        if let Groups::Read(groups) = &mut self.data_groups {
            for group in groups {
                group.content.zeroize();
                group.hash.zeroize();
            }
        }
    }
}

fn base64(text: &str, pointer: &str) -> Result<Vec<u8>, Problem> {
    let invalid = |_| Problem::field(Code::InvalidValue, pointer, "base64 with padding");
    BASE64_STANDARD.decode(text).map_err(invalid)
}

fn hex_hash(text: &str, pointer: &str) -> Result<Vec<u8>, Problem> {
    const LENGTHS: [usize; 3] = [32, 48, 64];
    let hash = hex::decode(text).ok();
    let hash = hash.filter(|hash| LENGTHS.contains(&hash.len()));
    let detail = "a SHA-256, SHA-384 or SHA-512 in hexadecimal digits";
    hash.ok_or_else(|| Problem::field(Code::InvalidValue, pointer, detail))
}
