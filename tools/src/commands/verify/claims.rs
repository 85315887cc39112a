//! Checkpoints that records are held against: whose word each is, and whether it was signed.
//!
//! Owns reading and judging them; whether records lead to them is for [`super::tree`].

use super::report::Finding;
use crate::exit::{Exit, Stop};
use ledger::keyring::KeyRing;
use ledger::transparency::{Stamp, origin, verifier_keys};
use std::path::{Path, PathBuf};
use tlog::Checkpoint;
use tlog::hash::Hash;
use tlog::note::{NOTE_BYTES_MAX, Note, VerifierKey};
use tlog::policy::{Accepted, Policy};

/// Whose word a checkpoint is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The one in the ledger's directory.
    Published,
    /// From the last verification on this machine.
    Remembered,
    /// One that an authority stamped.
    Stamped(u64),
    /// From a file that was named.
    Given(PathBuf),
}

impl core::fmt::Display for Source {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Published => f.write_str("the published checkpoint"),
            Self::Remembered => f.write_str("the checkpoint verified here before"),
            Self::Stamped(size) => write!(f, "the time-stamped checkpoint of {size}"),
            Self::Given(path) => write!(f, "the checkpoint in `{}`", path.display()),
        }
    }
}

/// A checkpoint that the records are held against.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Whose word it is.
    pub source: Source,
    /// As it was signed.
    pub note: Note,
    /// What it says.
    pub checkpoint: Checkpoint,
}

impl Claim {
    /// Reads one. A finding: it is there, and is no checkpoint.
    pub fn read(path: &Path, source: Source) -> Result<Option<Self>, Box<Finding>> {
        let bad = |why: &dyn core::fmt::Display| unsound(0, &source, "a signed checkpoint", why);
        let bytes = match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Ok(data) if data.len() > NOTE_BYTES_MAX as u64 => return Err(bad(&"too long")),
            _ => std::fs::read(path).map_err(|error| bad(&error))?,
        };
        Self::parse(&bytes, source).map(Some)
    }

    /// The checkpoint that was stamped.
    pub fn stamped(stamp: &Stamp) -> Result<Self, Box<Finding>> {
        let source = Source::Stamped(stamp.size);
        let claim = Self::parse(&stamp.checkpoint, source)?;
        let size = claim.checkpoint.head.size;
        if size == stamp.size {
            return Ok(claim);
        }
        Err(unsound(0, &claim.source, "one of this size", &size))
    }

    fn parse(bytes: &[u8], source: Source) -> Result<Self, Box<Finding>> {
        let bad = |why: &dyn core::fmt::Display| unsound(0, &source, "a signed checkpoint", why);
        let text = core::str::from_utf8(bytes).map_err(|error| bad(&error))?;
        let note = Note::parse(text).map_err(|error| bad(&error))?;
        let checkpoint = Checkpoint::parse(note.text()).map_err(|error| bad(&error))?;
        Ok(Self {
            source,
            note,
            checkpoint,
        })
    }

    /// The log's key that may sign this size must have, and as many witnesses as are wanted.
    pub fn signed(
        &self,
        ring: &KeyRing,
        wanted: &Witnesses,
        records: u64,
    ) -> Result<(), Box<Finding>> {
        let size = self.checkpoint.head.size;
        let keys = verifier_keys(ring);
        let keys = keys.map_err(|error| unsound(size, &self.source, "keys", &error))?;
        // Of what lies beyond the last record it is not known which key counted there.
        let beyond = size > records;
        let log: Vec<_> = ring
            .checkpoint_keys()
            .iter()
            .zip(keys)
            .filter(|(key, _)| beyond || ring.signs_checkpoint(&key.public, size))
            .map(|(_, key)| key)
            .collect();
        if beyond && log.is_empty() {
            return Ok(());
        }
        // Only what is published now must have the cosignatures that are wanted now.
        let nobody = Witnesses::default();
        let published = self.source == Source::Published;
        self.by(log, if published { wanted } else { &nobody })?;
        let of = ring.ledger().map(origin).unwrap_or_default();
        if self.checkpoint.origin != of {
            return Err(unsound(size, &self.source, &of, &self.checkpoint.origin));
        }
        Ok(())
    }

    pub fn by(&self, log: Vec<VerifierKey>, wanted: &Witnesses) -> Result<Accepted, Box<Finding>> {
        let policy = Policy {
            origin: self.checkpoint.origin.clone(),
            log,
            witnesses: wanted.keys.clone(),
            quorum: wanted.quorum,
        };
        policy.check(&self.note).map_err(|error| {
            let expected = "signed by a key of the log for checkpoints of this size, and cosigned";
            unsound(self.checkpoint.head.size, &self.source, expected, &error)
        })
    }
}

/// The checkpoint of a mirror, whose signatures are good.
pub struct Mirrored {
    /// It.
    pub claim: Claim,
    /// Witnesses that cosigned.
    pub cosigned: Vec<String>,
}

impl Mirrored {
    /// Checks a mirror's checkpoint.
    pub fn read(
        note: &[u8],
        keys: &[VerifierKey],
        wanted: &Witnesses,
    ) -> Result<Self, Box<Finding>> {
        let claim = Claim::parse(note, Source::Published)?;
        let accepted = claim.by(keys.to_vec(), wanted)?;
        let named = |key: &VerifierKey| key.name() == accepted.checkpoint.origin;
        if !keys.iter().any(named) {
            let found = &accepted.checkpoint.origin;
            return Err(finding(0, &claim.source, "the log of the key", found));
        }
        Ok(Self {
            claim,
            cosigned: accepted.cosigned.into_keys().collect(),
        })
    }

    /// Entries.
    pub const fn size(&self) -> u64 {
        self.claim.checkpoint.head.size
    }

    /// Root.
    pub const fn root(&self) -> Hash {
        self.claim.checkpoint.head.root
    }
}

/// Witnesses that must have cosigned what is published.
#[derive(Debug, Clone, Default)]
pub struct Witnesses {
    /// Their keys.
    pub keys: Vec<VerifierKey>,
    /// How many of them.
    pub quorum: usize,
}

/// A finding about a checkpoint.
#[allow(clippy::unnecessary_box_returns)] // as the pipeline's sinks take it
pub fn finding(
    position: u64,
    source: &Source,
    expected: &(impl core::fmt::Display + ?Sized),
    found: &(impl core::fmt::Display + ?Sized),
) -> Box<Finding> {
    Box::new(Finding {
        position,
        place: source.to_string(),
        check: "checkpoint".to_owned(),
        expected: expected.to_string(),
        found: found.to_string(),
        reason: None,
    })
}

/// Something that was claimed is not fit to compare with.
#[allow(clippy::unnecessary_box_returns)] // as the pipeline's sinks take it
fn unsound(
    position: u64,
    source: &Source,
    expected: &(impl core::fmt::Display + ?Sized),
    found: &(impl core::fmt::Display + ?Sized),
) -> Box<Finding> {
    let mut finding = finding(position, source, expected, found);
    if *source == Source::Remembered {
        let reason = "what this machine remembers of the log is damaged; that says nothing of the \
                      log. `--forget` starts anew";
        finding.reason = Some(reason.to_owned());
    }
    finding
}

/// Keys on the command line.
pub fn witnesses(keys: &[String], quorum: Option<usize>) -> Result<Witnesses, Stop> {
    let parse = |text: &String| {
        VerifierKey::parse(text)
            .map_err(|error| Stop::new(Exit::Usage, format!("`{text}`: {error}")))
    };
    let keys = keys.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    let quorum = quorum.unwrap_or(keys.len());
    if quorum > keys.len() {
        return Err(Stop::new(
            Exit::Usage,
            "more witnesses are wanted than are named",
        ));
    }
    Ok(Witnesses { keys, quorum })
}
