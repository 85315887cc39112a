//! An evidence bundle, checked with public keys alone: no ledger, no server.
//!
//! Files, proofs and how events belong together are checked by [`ledger::bundle`]; here each record is checked
//! as in a ledger: the key that counts at its position, facts, and the actor's own signature.

use super::check::{Depth, Keys, Known, check};
use super::stamps::{self, StampReport};
use super::{VerifyArgs, audit};
use crate::cli::Global;
use crate::commands::prove;
use crate::exit::{Exit, Stop};
use crate::interrupt;
use crate::output::{Out, grouped};
use anyhow::Context;
use domain::ids::Position;
use domain::record::RecordRef;
use ledger::bundle::{About, BUNDLE_BYTES_MAX, Flaw, Opened, Trust, open};
use ledger::segments::ScannedRecord;
use ledger::store::StoredRecord;
use serde::Serialize;
use std::io::{self, Read as _, Write};
use std::path::Path;
use tlog::note::VerifierKey;

/// What was found.
#[derive(Debug, Serialize)]
struct BundleReport {
    log: String,
    /// Events in the checkpoint.
    size: u64,
    root: String,
    /// Witnesses that cosigned.
    cosigned: Vec<String>,
    about: Option<About>,
    /// Records checked, those that prove keys and law included.
    records: usize,
    /// Signatures of the ledger and of actors.
    signatures: u64,
    /// Who signed the manifest.
    manifest_key: Option<String>,
    /// Whether that is whom the reader named.
    manifest_known: bool,
    /// What an authority said of a checkpoint that has all of it.
    stamped: Option<StampReport>,
    proved: Vec<String>,
    verdict: &'static str,
    finding: Option<Finding>,
}

/// The first thing that is wrong.
#[derive(Debug, Serialize)]
struct Finding {
    /// In which file of the bundle.
    file: String,
    reason: String,
}

impl From<Flaw> for Finding {
    fn from(Flaw { file, reason, .. }: Flaw) -> Self {
        Self { file, reason }
    }
}

/// Runs it.
pub fn run(_: &Global, args: &VerifyArgs, file: &Path, out: &mut Out) -> anyhow::Result<Exit> {
    let policy = prove::policy(&args.keys, &args.witnesses, args.quorum)?;
    let key = args.manifest_key.as_deref().map(VerifierKey::parse);
    let manifest_key = key
        .transpose()
        .map_err(|error| Stop::new(Exit::Usage, format!("`--manifest-key`: {error}")))?;
    let mut report = BundleReport {
        log: policy.origin.clone(),
        size: 0,
        root: String::new(),
        cosigned: Vec::new(),
        about: None,
        records: 0,
        signatures: 0,
        manifest_key: None,
        manifest_known: manifest_key.is_some(),
        stamped: None,
        proved: Vec::new(),
        verdict: "good",
        finding: None,
    };
    let trust = Trust {
        policy,
        ledger_key: args.ledger_key,
        manifest_key,
        authorities: args.timestamp_ca.as_deref().map(stamps::list).transpose()?,
    };
    let checked = match open(&read(file)?, &trust) {
        Ok(opened) => report.take(opened)?,
        Err(flaw) => Err(flaw.into()),
    };
    if let Err(finding) = checked {
        report.verdict = "bad";
        report.finding = Some(finding);
    }
    out.report("verify_bundle", &report, |w| report.human(w))?;
    audit::write(&args.audit, "verify_bundle", &report)?;
    Ok(if report.finding.is_some() {
        Exit::Integrity
    } else {
        Exit::Ok
    })
}

/// The file, as far as one may be long: what is longer is refused by whoever reads it.
fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file =
        std::fs::File::open(path).with_context(|| format!("reading `{}`", path.display()))?;
    file.take(BUNDLE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("reading `{}`", path.display()))?;
    Ok(bytes)
}

impl BundleReport {
    /// Takes in what the proofs show, and checks each record.
    fn take(&mut self, opened: Opened) -> anyhow::Result<Result<(), Finding>> {
        let head = opened.against.checkpoint.head;
        self.size = head.size;
        self.root = head.root.to_string();
        self.cosigned = opened.against.cosigned.keys().cloned().collect();
        self.about = Some(opened.contents.about);
        self.manifest_key = opened.signed_by.map(|key| key.to_text());
        let mut known = Known::default();
        let mut keys = Keys::default();
        for (position, bytes) in opened.records {
            interrupt::check()?;
            let name = format!("events/{position:020}.record");
            let Some(scanned) = scanned(position, bytes) else {
                let reason = "not a record".to_owned();
                return Ok(Err(Finding { file: name, reason }));
            };
            if Known::concerns(&scanned) {
                known.learn(&scanned);
            }
            match check(&scanned, &known, Depth::Full, &mut keys) {
                Ok(checked) => self.signatures += u64::from(checked.signatures),
                Err(found) => {
                    let reason = format!(
                        "{}: expected {}, found {}",
                        found.check, found.expected, found.found
                    );
                    return Ok(Err(Finding { file: name, reason }));
                }
            }
            self.records += 1;
        }
        self.proved = opened.facts;
        let stamped = opened.stamped;
        self.stamped = stamped.map(|(size, stamped)| StampReport::new(size, stamped));
        Ok(Ok(()))
    }

    fn human(&self, w: &mut impl Write) -> io::Result<()> {
        writeln!(w, "log         {}", self.log)?;
        if self.size > 0 {
            writeln!(w, "checkpoint  {} events", grouped(self.size))?;
            writeln!(w, "root        {}", self.root)?;
        }
        for witness in &self.cosigned {
            writeln!(w, "cosigned    {witness}")?;
        }
        match (&self.manifest_key, self.manifest_known, &self.finding) {
            (Some(key), true, _) => writeln!(w, "manifest    signed by {key}")?,
            (Some(key), false, _) => {
                writeln!(w, "manifest    signed by {key}, whom nobody named here")?;
            }
            (None, _, None) => writeln!(w, "manifest    unsigned")?,
            (None, _, Some(_)) => {}
        }
        if let Some(stamped) = &self.stamped {
            let (size, time) = (grouped(stamped.size), &stamped.time);
            writeln!(
                w,
                "stamped     {size} existed at {time} ({})",
                stamped.authority
            )?;
        }
        writeln!(
            w,
            "records     {} ({} signatures)",
            self.records,
            grouped(self.signatures)
        )?;
        for fact in &self.proved {
            writeln!(w, "proved      {fact}")?;
        }
        writeln!(w, "verdict     {}", self.verdict)?;
        if let Some(finding) = &self.finding {
            writeln!(w, "file        {}", finding.file)?;
            writeln!(w, "reason      {}", finding.reason)?;
        }
        Ok(())
    }
}

/// A record as if it had been read from a log: what frames would say is taken from the signed envelope, since
/// a bundle has no frames.
fn scanned(position: u64, bytes: Vec<u8>) -> Option<ScannedRecord> {
    let record = RecordRef::parse(&bytes).ok()?;
    let envelope = record.open_envelope().ok()?;
    let link = record.link();
    Some(ScannedRecord {
        record: StoredRecord {
            position: Position(position),
            stream: envelope.stream,
            revision: envelope.revision,
            bytes: bytes.into(),
        },
        event_id: envelope.event_id,
        link,
        previous: None,
        segment: 0,
        offset: 0,
    })
}
