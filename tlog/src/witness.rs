//! What is said to a witness, and how it judges
//! ([tlog-witness](https://c2sp.org/tlog-witness), `add-checkpoint`).
//!
//! ```text
//! old <decimal>
//! <hash, base64>            (consistency proof, at most 63)
//! (empty line)
//! <checkpoint, a signed note>
//! ```

use crate::checkpoint::Checkpoint;
use crate::error::Error;
use crate::hash::Hash;
use crate::note::{NOTE_BYTES_MAX, Note, VerifierKey};
use crate::proof::{Head, check_consistency};
use crate::text::{hashes, line, size};

/// Asks a witness to cosign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Size of the checkpoint the witness cosigned last.
    pub old: u64,
    /// From there to the new one.
    pub proof: Vec<Hash>,
    /// The new one.
    pub checkpoint: Note,
}

impl AddCheckpoint {
    /// The origin that the checkpoint names, unchecked: its first line.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.checkpoint.text().lines().next().unwrap_or_default()
    }

    /// As text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("old {}\n", self.old);
        for hash in &self.proof {
            text.extend([hash.to_base64().as_str(), "\n"]);
        }
        text.push('\n');
        text.push_str(&self.checkpoint.to_text());
        text
    }

    /// From text.
    pub fn parse(text: &str) -> Result<Self, Error> {
        const WHAT: &str = "request to a witness";
        if text.len() > NOTE_BYTES_MAX {
            return Err(Error::TooLarge {
                what: WHAT,
                found: text.len() as u64,
                limit: NOTE_BYTES_MAX as u64,
            });
        }
        let (old, rest) = line(text, WHAT)?;
        let old = old
            .strip_prefix("old ")
            .ok_or(Error::malformed(WHAT, "no old size"))?;
        let old = size(old, "old size")?;
        let (proof, rest) = hashes(rest, WHAT)?;
        Ok(Self {
            old,
            proof,
            checkpoint: Note::parse(rest)?,
        })
    }
}

/// A witness's answer to a checkpoint it does not cosign, with the HTTP status that says so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 404: not one of the witness's logs.
    #[error("unknown log")]
    UnknownLog,
    /// 403: no right signature by a key of the log.
    #[error("not signed by the log: {0}")]
    NotSigned(Error),
    /// 400: signed by the log, but not a checkpoint.
    #[error("not a checkpoint: {0}")]
    NotACheckpoint(Error),
    /// 400: the old size is beyond the checkpoint's.
    #[error("the old size is larger than the checkpoint's")]
    OldBeyondNew,
    /// 409: the witness last cosigned another size.
    #[error("the last checkpoint cosigned has {latest} entries")]
    OtherOld {
        /// Which.
        latest: u64,
    },
    /// 422: the checkpoint does not continue the last one.
    #[error("not a continuation of the last checkpoint: {0}")]
    NotConsistent(Error),
}

impl Refusal {
    /// Its HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::UnknownLog => 404,
            Self::NotSigned(_) => 403,
            Self::NotACheckpoint(_) | Self::OldBeyondNew => 400,
            Self::OtherOld { .. } => 409,
            Self::NotConsistent(_) => 422,
        }
    }
}

/// Judges a request. `keys`: of the log with this origin, if the witness knows it; `latest`: what it
/// cosigned last for it. The checkpoint that must be kept, durably and only if `latest` is still
/// the last, before it is cosigned.
pub fn judge(
    request: &AddCheckpoint,
    keys: Option<&[VerifierKey]>,
    latest: Option<&Head>,
) -> Result<Checkpoint, Refusal> {
    let keys = keys.ok_or(Refusal::UnknownLog)?;
    let signed = request.checkpoint.verify(keys);
    if signed.map_err(Refusal::NotSigned)?.is_empty() {
        return Err(Refusal::NotSigned(Error::Unsigned));
    }
    let parsed = Checkpoint::parse(request.checkpoint.text());
    let size = match &parsed {
        Ok(checkpoint) => checkpoint.head.size,
        // No entries, and a root nevertheless: a statement on a tree, and not a true one.
        Err(Error::WrongRoot { .. }) => 0,
        Err(error) => return Err(Refusal::NotACheckpoint(error.clone())),
    };
    if request.old > size {
        return Err(Refusal::OldBeyondNew);
    }
    let empty = Head {
        size: 0,
        root: Hash::empty(),
    };
    let latest = latest.unwrap_or(&empty);
    if request.old != latest.size {
        return Err(Refusal::OtherOld {
            latest: latest.size,
        });
    }
    let checkpoint = parsed.map_err(Refusal::NotConsistent)?;
    check_consistency(latest, &checkpoint.head, &request.proof).map_err(Refusal::NotConsistent)?;
    Ok(checkpoint)
}
