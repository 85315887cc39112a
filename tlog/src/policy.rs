//! Whom a reader believes: the log's own keys, and how many of which witnesses.

use crate::checkpoint::Checkpoint;
use crate::error::Error;
use crate::note::{Algorithm, Note, VerifierKey};
use std::collections::BTreeMap;

/// Whom a reader believes.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The log's origin.
    pub origin: String,
    /// The log's keys; one of them must have signed.
    pub log: Vec<VerifierKey>,
    /// Witnesses.
    pub witnesses: Vec<VerifierKey>,
    /// How many of them must have cosigned.
    pub quorum: usize,
}

/// A checkpoint whose signatures satisfied a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// Witnesses that cosigned, by name, with their times in POSIX seconds.
    pub cosigned: BTreeMap<String, u64>,
}

impl Policy {
    /// Checks a note: origin, the log's signature, and the quorum.
    pub fn check(&self, note: &Note) -> Result<Accepted, Error> {
        let checkpoint = Checkpoint::parse(note.text())?;
        if checkpoint.origin != self.origin {
            return Err(Error::OtherLog);
        }
        let by_log = note.verify(&self.log)?;
        let signs = |algorithm| algorithm == Algorithm::Ed25519;
        if !by_log.iter().any(|signed| signs(signed.key.algorithm())) {
            return Err(Error::Unsigned);
        }
        let cosigned: BTreeMap<String, u64> = note
            .verify(&self.witnesses)?
            .iter()
            .filter_map(|signed| Some((signed.key.name().to_owned(), signed.time?)))
            .collect();
        if cosigned.len() < self.quorum {
            return Err(Error::TooFewCosignatures {
                found: cosigned.len(),
                wanted: self.quorum,
            });
        }
        Ok(Accepted {
            checkpoint,
            cosigned,
        })
    }
}
