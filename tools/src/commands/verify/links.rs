//! Links over interleaved streams with bounded memory.
//!
//! Every record carries the BLAKE3 link to the previous record of its stream, so a checker has to
//! remember one link a stream. A city has about a million streams (an account and up to three
//! claims each), a country a hundred million: the table must not grow with them. So it holds at
//! most [`STREAMS_MAX`] streams. When it is full it drops the half of them whose stream hash has
//! the next bit set and goes on with the other half; the dropped half is a class of its own and
//! gets another pass over the log (links only, over a million records a second). Every class is
//! checked from position 0, so nothing is ever taken on trust.
//!
//! Of a link 16 of 32 bytes are kept: to pass off another record an attacker would need a second
//! preimage of 128 bits, under the ledger's own signature. Eight bytes would halve the entry's
//! share of links but leave 64 bits, which is within reach.

use super::report::Finding;
use domain::ids::{Digest, Revision, StreamId};
use std::collections::HashMap;

/// Most streams remembered at once: 41 bytes an entry, so under 130 MB while the table grows.
pub const STREAMS_MAX: usize = 1_700_000;

/// The streams whose hash ends in these bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Class {
    bits: u32,
    value: u64,
}

impl Class {
    /// Every stream.
    pub const ALL: Self = Self { bits: 0, value: 0 };

    fn holds(self, hash: impl FnOnce() -> u64) -> bool {
        self.bits == 0 || hash() & ((1 << self.bits) - 1) == self.value
    }
}

/// What a record says about its place in its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The stream.
    pub stream: StreamId,
    /// Its number there.
    pub revision: Revision,
    /// The link it carries to the record before.
    pub previous: Digest,
    /// The link of this record, computed from its bytes.
    pub link: Digest,
}

/// A record that does not continue its stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// What was compared.
    pub check: &'static str,
    /// What the stream so far demands.
    pub expected: String,
    /// What the record says.
    pub found: String,
}

impl Broken {
    /// As a finding.
    pub fn at(self, position: u64) -> Finding {
        Finding {
            position,
            place: String::new(),
            check: self.check.to_owned(),
            expected: self.expected,
            found: self.found,
            reason: None,
        }
    }
}

#[derive(Clone, Copy)]
struct Last {
    revision: [u8; 6],
    link: [u8; 16],
}

/// One pass over the log for one class of streams.
pub struct LinkPass {
    class: Class,
    pending: Vec<Class>,
    streams_max: usize,
    last: HashMap<[u8; 17], Last>,
}

impl LinkPass {
    /// A pass for a class.
    pub fn new(class: Class, streams_max: usize) -> Self {
        Self {
            class,
            pending: Vec::new(),
            streams_max,
            last: HashMap::new(),
        }
    }

    /// Checks that a record continues its stream. Records of other classes pass.
    pub fn push(&mut self, place: &Place) -> Result<(), Broken> {
        let key = place.stream.key();
        if !self.class.holds(|| hash(&key)) {
            return Ok(());
        }
        let now = Last {
            revision: revision_bytes(place.revision),
            link: half(place.link),
        };
        let Some(last) = self.last.get_mut(&key) else {
            first_of_stream(place)?;
            self.last.insert(key, now);
            if self.last.len() > self.streams_max {
                self.narrow();
            }
            return Ok(());
        };
        let next = revision_number(last.revision).saturating_add(1);
        if place.revision.0 != next {
            return Err(Broken {
                check: "revision in its stream",
                expected: next.to_string(),
                found: place.revision.0.to_string(),
            });
        }
        if last.link != half(place.previous) {
            return Err(Broken {
                check: "link to the previous record of its stream",
                expected: hex::encode(last.link) + "…",
                found: place.previous.to_string(),
            });
        }
        *last = now;
        Ok(())
    }

    /// Streams remembered now.
    #[cfg(test)]
    pub fn streams(&self) -> usize {
        self.last.len()
    }

    /// Classes that need a pass of their own.
    pub fn pending(self) -> Vec<Class> {
        self.pending
    }

    fn narrow(&mut self) {
        let bit = 1_u64 << self.class.bits;
        let bits = self.class.bits + 1;
        self.pending.push(Class {
            bits,
            value: self.class.value | bit,
        });
        self.class = Class {
            bits,
            value: self.class.value,
        };
        let class = self.class;
        self.last.retain(|key, _| class.holds(|| hash(key)));
    }
}

fn first_of_stream(place: &Place) -> Result<(), Broken> {
    if place.revision != Revision(0) {
        return Err(Broken {
            check: "revision in its stream",
            expected: "0 (the stream starts here)".into(),
            found: place.revision.0.to_string(),
        });
    }
    if place.previous != Digest::ZERO {
        return Err(Broken {
            check: "link of a stream's first record",
            expected: Digest::ZERO.to_string(),
            found: place.previous.to_string(),
        });
    }
    Ok(())
}

fn half(link: Digest) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(link.0.split_at(16).0);
    half
}

/// 48 bits: a stream with more events than that does not fit any disk.
fn revision_bytes(revision: Revision) -> [u8; 6] {
    let mut bytes = [0; 6];
    bytes.copy_from_slice(revision.0.to_le_bytes().split_at(6).0);
    bytes
}

fn revision_number(bytes: [u8; 6]) -> u64 {
    let mut whole = [0; 8];
    whole.split_at_mut(6).0.copy_from_slice(&bytes);
    u64::from_le_bytes(whole)
}

/// Ids are random or keyed hashes, but a forged log may choose them: a real hash keeps the classes
/// even.
fn hash(key: &[u8; 17]) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(blake3::hash(key).as_bytes().split_at(8).0);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::ids::{AccountId, Category};

    fn stream(number: u16) -> StreamId {
        let mut id = [7; 16];
        id[..2].copy_from_slice(&number.to_le_bytes());
        StreamId::account(AccountId(id))
    }

    fn record(number: u16, revision: u64) -> Place {
        let link = |revision: u64| {
            Digest(
                *blake3::hash(&[&number.to_le_bytes()[..], &revision.to_le_bytes()].concat())
                    .as_bytes(),
            )
        };
        Place {
            stream: stream(number),
            revision: Revision(revision),
            previous: if revision == 0 {
                Digest::ZERO
            } else {
                link(revision - 1)
            },
            link: link(revision),
        }
    }

    /// 300 streams of 4 records each, interleaved.
    fn log() -> Vec<Place> {
        (0..4)
            .flat_map(|revision| (0..300).map(move |number| record(number, revision)))
            .collect()
    }

    /// All passes, with room for this many streams; passes needed, or the first broken position.
    fn check(log: &[Place], streams_max: usize) -> Result<usize, usize> {
        let mut classes = vec![Class::ALL];
        let mut passes = 0;
        while let Some(class) = classes.pop() {
            let mut pass = LinkPass::new(class, streams_max);
            for (position, place) in log.iter().enumerate() {
                pass.push(place).map_err(|_| position)?;
                assert!(pass.streams() <= streams_max, "memory is bounded");
            }
            passes += 1;
            classes.extend(pass.pending());
        }
        Ok(passes)
    }

    #[test]
    fn a_small_table_takes_more_passes_and_finds_the_same() {
        assert_eq!(check(&log(), 1000), Ok(1));
        assert!(check(&log(), 40).unwrap() >= 8);
        for broken in [0, 299, 300, 777, 1199] {
            let mut forged = log();
            forged[broken].previous = Digest([9; 32]);
            assert_eq!(check(&forged, 1000), Err(broken));
            assert_eq!(check(&forged, 40), Err(broken));
            let mut skipped = log();
            skipped[broken].revision.0 += 1;
            assert_eq!(check(&skipped, 40), Err(broken));
        }
    }

    #[test]
    fn a_missing_record_is_found_at_its_successor() {
        let mut log = log();
        log.remove(450);
        assert_eq!(check(&log, 1000), Err(749));
        // Another category with the same id is another stream.
        let claim = StreamId {
            category: Category::PhoneClaim,
            ..stream(1)
        };
        let mut pass = LinkPass::new(Class::ALL, 10);
        pass.push(&record(1, 0)).unwrap();
        assert!(
            pass.push(&Place {
                stream: claim,
                ..record(1, 1)
            })
            .is_err()
        );
    }
}
