//! Time-stamps of checkpoints: since when, as an authority says, the history up to a checkpoint existed.
//!
//! Owns which authority is believed and which stamp is of which checkpoint; whether a stamp is good is for
//! [`ledger::timestamp`]. That records lead to a stamped checkpoint is compared with all others.

use super::VerifyArgs;
use super::claims::{Source, finding};
use super::report::Finding;
use super::tree::TreeCheck;
use crate::exit::{Exit, Stop};
use crate::times::{Zone, show};
use anyhow::Context;
use ledger::pki::{TRUST_LIST_BYTES_MAX, TrustList};
use ledger::timestamp::{ANSWER_BYTES_MAX, check, imprint, imprint_of};
use ledger::transparency::Stamp;
use serde::Serialize;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

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
    /// As people read it.
    pub fn human(&self, w: &mut impl Write) -> io::Result<()> {
        let (size, time) = (crate::output::grouped(self.size), &self.time);
        writeln!(w, "stamped   {size} existed at {time} ({})", self.authority)
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

    /// All stamps, good; or the first that is not. Nothing is judged where nobody is believed.
    pub fn judge(&self, tree: &TreeCheck) -> Result<Vec<StampReport>, Box<Finding>> {
        let Some(trust) = &self.trust else {
            return Ok(Vec::new());
        };
        let mut reports = Vec::new();
        for stamp in tree.stamps() {
            let source = Source::Stamped(stamp.size);
            let data = &stamp.checkpoint;
            reports.push(one(trust, &stamp.answer, data, (stamp.size, &source))?);
        }
        for (path, answer) in &self.given {
            let source = Source::Given(path.clone());
            let bad = |found: &str| {
                let mut finding = finding(
                    0,
                    &source,
                    "a time-stamp of one of these checkpoints",
                    found,
                );
                "timestamp".clone_into(&mut finding.check);
                finding
            };
            let hash = imprint_of(answer).map_err(|error| bad(&error.to_string()))?;
            let mut notes = tree.checkpoints();
            let stamped = notes.find(|(note, _)| imprint(note.as_bytes()) == hash);
            let (note, size) = stamped.ok_or_else(|| bad("it is of another checkpoint"))?;
            reports.push(one(trust, answer, note.as_bytes(), (size, &source))?);
        }
        reports.sort_by_key(|report| report.size);
        Ok(reports)
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
        let mut finding = finding(size.saturating_sub(1), source, expected, &error);
        "timestamp".clone_into(&mut finding.check);
        finding
    })?;
    Ok(StampReport {
        size,
        time: show(stamped.time, Zone::Utc),
        accuracy_us: stamped.accuracy,
        authority: stamped.authority,
    })
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

/// The stamps that a mirror has: what `index` lists.
pub fn of_mirror(
    get: impl Fn(&str) -> anyhow::Result<Option<Vec<u8>>>,
) -> anyhow::Result<Vec<Stamp>> {
    use ledger::transparency::{STAMPS_DIR, stamp_names};
    let Some(index) = get(&format!("{STAMPS_DIR}/index"))? else {
        return Ok(Vec::new());
    };
    let index = String::from_utf8_lossy(&index);
    let mut stamps = Vec::new();
    for size in index.lines().filter_map(|line| line.parse().ok()) {
        let [checkpoint, answer] = stamp_names(size).map(|name| format!("{STAMPS_DIR}/{name}"));
        if let (Some(checkpoint), Some(answer)) = (get(&checkpoint)?, get(&answer)?) {
            stamps.push(Stamp {
                size,
                checkpoint,
                answer,
            });
        }
    }
    Ok(stamps)
}
