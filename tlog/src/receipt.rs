//! Proofs that stand alone: an entry's place in a log, and the checkpoint it is proved against
//! ([tlog-proof](https://c2sp.org/tlog-proof)).
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! extra <base64>            (may be absent; proves nothing)
//! index <decimal>
//! <hash, base64>            (from the entry's sibling upwards)
//! (empty line)
//! <checkpoint, a signed note>
//! ```

use crate::error::Error;
use crate::hash::Hash;
use crate::note::{NOTE_BYTES_MAX, Note};
use crate::policy::{Accepted, Policy};
use crate::proof::check_inclusion;
use crate::text::{hashes, line, size};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// Largest extra data, in bytes.
const EXTRA_BYTES_MAX: usize = 64 * 1024;

/// An entry's place, proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Data for the reader, proved by nothing.
    pub extra: Option<Vec<u8>>,
    /// The entry's index.
    pub index: u64,
    /// From its sibling upwards.
    pub proof: Vec<Hash>,
    /// The signed checkpoint.
    pub checkpoint: Note,
}

impl Receipt {
    /// As text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEADER}\n");
        if let Some(extra) = &self.extra {
            text.extend(["extra ", &STANDARD.encode(extra), "\n"]);
        }
        text.extend(["index ", &self.index.to_string(), "\n"]);
        for hash in &self.proof {
            text.extend([hash.to_base64().as_str(), "\n"]);
        }
        text.push('\n');
        text.push_str(&self.checkpoint.to_text());
        text
    }

    /// From text.
    pub fn parse(text: &str) -> Result<Self, Error> {
        const WHAT: &str = "proof";
        if text.len() > NOTE_BYTES_MAX {
            return Err(Error::TooLarge {
                what: WHAT,
                found: text.len() as u64,
                limit: NOTE_BYTES_MAX as u64,
            });
        }
        let (header, mut rest) = line(text, WHAT)?;
        if header != HEADER {
            return Err(Error::malformed(WHAT, "its first line"));
        }
        let mut extra = None;
        if let Some(after) = rest.strip_prefix("extra ") {
            let (data, after) = line(after, WHAT)?;
            let data = STANDARD.decode(data);
            let data = data.map_err(|_| Error::malformed(WHAT, "extra is not base64"))?;
            if data.len() > EXTRA_BYTES_MAX {
                return Err(Error::malformed(WHAT, "extra is too long"));
            }
            (extra, rest) = (Some(data), after);
        }
        let (index, rest) = line(rest, WHAT)?;
        let index = index
            .strip_prefix("index ")
            .ok_or(Error::malformed(WHAT, "no index"))?;
        let index = size(index, "index")?;
        let (proof, rest) = hashes(rest, WHAT)?;
        Ok(Self {
            extra,
            index,
            proof,
            checkpoint: Note::parse(rest)?,
        })
    }

    /// Checks that the entry is in the log, as far as the policy believes its checkpoint.
    pub fn check(&self, entry: &[u8], policy: &Policy) -> Result<Accepted, Error> {
        let accepted = policy.check(&self.checkpoint)?;
        let leaf = Hash::leaf(entry);
        check_inclusion(leaf, self.index, &self.proof, &accepted.checkpoint.head)?;
        Ok(accepted)
    }
}
