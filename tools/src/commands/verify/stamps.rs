//! Time-stamps of checkpoints: since when, as an authority says, the history up to a checkpoint existed.
//!
//! Owns which authority is believed and which stamp is of which checkpoint; whether a stamp is good is for
//! [`ledger::timestamp`]. That records lead to a stamped checkpoint is compared with all others. A log that
//! was stamped every hour for years has many: each is judged as it is read, and none is held.

use super::VerifyArgs;
use super::claims::{Claim, Source, finding};
use super::report::Finding;
use crate::exit::{Exit, Stop};
use crate::times::{Zone, show};
use anyhow::Context;
use ledger::pki::{TRUST_LIST_BYTES_MAX, TrustList};
use ledger::timestamp::{ANSWER_BYTES_MAX, Stamped, check, imprint, imprint_of};
use ledger::transparency::{STAMPS_DIR, Stamp, stamp_names};
use serde::Serialize;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

/// Most stamps of a mirror: every hour for more than ten years.
const STAMPS_MAX: usize = 100_000;

/// What an authority said of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StampReport {
    /// Events that existed.
    pub size: u64,
    /// At the latest when (RFC 3339).
    pub time: String,
    /// How far that may be off, in microseconds.
    pub accuracy_us: Option<u64>,
    /// The listed authority that vouches for it.
    pub authority: String,
}

impl StampReport {
    /// Of so many events.
    pub fn new(size: u64, stamped: Stamped) -> Self {
        Self {
            size,
            time: show(stamped.time, Zone::Utc),
            accuracy_us: stamped.accuracy,
            authority: stamped.authority,
        }
    }

    /// As people read it.
    pub fn human(&self, w: &mut impl Write) -> io::Result<()> {
        let (size, time) = (crate::output::grouped(self.size), &self.time);
        writeln!(w, "stamped   {size} existed at {time} ({})", self.authority)
    }
}

/// All of them as people read it; `None`: nobody is believed about time.
pub fn human(stamped: Option<&[StampReport]>, w: &mut impl Write) -> io::Result<()> {
    match stamped {
        None => Ok(()),
        Some([]) => writeln!(w, "stamped   none: no time-stamp is here"),
        Some(stamped) => stamped.iter().try_for_each(|stamped| stamped.human(w)),
    }
}

/// Whom the auditor believes about time, and stamps from elsewhere.
#[derive(Default)]
pub struct Authorities {
    trust: Option<TrustList>,
    given: Vec<(PathBuf, Vec<u8>)>,
}

impl Authorities {
    /// As named on the command line.
    pub fn read(args: &VerifyArgs) -> anyhow::Result<Self> {
        let trust = args.timestamp_ca.as_deref().map(list).transpose()?;
        let given = args.timestamps.iter();
        let given = given.map(|path| Ok((path.clone(), bytes(path, ANSWER_BYTES_MAX)?)));
        Ok(Self {
            trust,
            given: given.collect::<anyhow::Result<_>>()?,
        })
    }

    /// Whether anybody is believed.
    pub const fn is_some(&self) -> bool {
        self.trust.is_some()
    }

    /// What a stamp that is kept with the log says; `None`: nobody is believed.
    pub fn judge(&self, stamp: &Stamp) -> Result<Option<StampReport>, Box<Finding>> {
        let (size, source) = (stamp.size, Source::Stamped(stamp.size));
        let judged = |trust| one(trust, &stamp.answer, &stamp.checkpoint, (size, &source));
        self.trust.as_ref().map(judged).transpose()
    }

    /// What the stamps from elsewhere say, each of one of these checkpoints.
    pub fn judge_given(&self, claims: &[Claim]) -> Result<Vec<StampReport>, Box<Finding>> {
        let Some(trust) = &self.trust else {
            return Ok(Vec::new());
        };
        let judged = self.given.iter().map(|(path, answer)| {
            let source = Source::Given(path.clone());
            let bad = |found: &str| {
                let expected = "a time-stamp of one of these checkpoints";
                stamp_finding(0, &source, expected, found)
            };
            let hash = imprint_of(answer).map_err(|error| bad(&error.to_string()))?;
            let mut notes = claims.iter().map(|claim| (claim, claim.note.to_text()));
            let stamped = notes.find(|(_, note)| imprint(note.as_bytes()) == hash);
            let (claim, note) = stamped.ok_or_else(|| bad("it is of another checkpoint"))?;
            let size = claim.checkpoint.head.size;
            one(trust, answer, note.as_bytes(), (size, &source))
        });
        judged.collect()
    }
}

fn one(
    trust: &TrustList,
    answer: &[u8],
    data: &[u8],
    (size, source): (u64, &Source),
) -> Result<StampReport, Box<Finding>> {
    let stamped = check(answer, data, None, trust).map_err(|error| {
        let expected = "stamped by a listed authority";
        stamp_finding(size.saturating_sub(1), source, expected, &error.to_string())
    })?;
    Ok(StampReport::new(size, stamped))
}

#[allow(clippy::unnecessary_box_returns)] // as the pipeline's sinks take it
fn stamp_finding(position: u64, source: &Source, expected: &str, found: &str) -> Box<Finding> {
    let mut finding = finding(position, source, expected, found);
    "timestamp".clone_into(&mut finding.check);
    finding
}

/// The authorities in a file.
pub fn list(path: &Path) -> anyhow::Result<TrustList> {
    let file = bytes(path, TRUST_LIST_BYTES_MAX)?;
    TrustList::read(&file).map_err(|error| {
        Stop::new(Exit::Usage, format!("`{}`: {error}", path.display()))
            .hint("it holds the certificates of authorities that you trust, as PEM")
            .into()
    })
}

/// A file, as far as one may be long: what is longer is refused by whoever reads it.
fn bytes(path: &Path, limit: usize) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let named = || format!("reading `{}`", path.display());
    let file = std::fs::File::open(path).with_context(named)?;
    file.take(limit as u64 + 1)
        .read_to_end(&mut bytes)
        .with_context(named)?;
    Ok(bytes)
}

/// Sizes of the checkpoints that a mirror has stamps of: what its `index` lists, ascending, as it is written.
pub fn sizes_of_mirror(
    get: impl Fn(&str) -> anyhow::Result<Option<Vec<u8>>>,
) -> anyhow::Result<Result<Vec<u64>, Box<Finding>>> {
    let Some(index) = get(&format!("{STAMPS_DIR}/index"))? else {
        return Ok(Ok(Vec::new()));
    };
    let text = String::from_utf8_lossy(&index);
    let lines = text.lines().take(STAMPS_MAX + 1);
    let sizes: Option<Vec<u64>> = lines.map(|line| line.parse().ok()).collect();
    let ascending = |sizes: &Vec<u64>| sizes.is_sorted_by(|before, after| before < after);
    let sizes = sizes.filter(|sizes| sizes.len() <= STAMPS_MAX && ascending(sizes));
    Ok(sizes.ok_or_else(|| {
        let expected = "sizes in ascending order, a line each";
        stamp_finding(0, &Source::Stamped(0), expected, "something else")
    }))
}

/// One of them; `None`: the mirror does not have it.
pub fn of_mirror(
    get: impl Fn(&str) -> anyhow::Result<Option<Vec<u8>>>,
    size: u64,
) -> anyhow::Result<Option<Stamp>> {
    let [checkpoint, answer] = stamp_names(size).map(|name| format!("{STAMPS_DIR}/{name}"));
    let files = get(&checkpoint)?.zip(get(&answer)?);
    Ok(files.map(|(checkpoint, answer)| Stamp {
        size,
        checkpoint,
        answer,
    }))
}
