//! What a verification found, as one block: range, records, rate, head, keys, verdict.

use super::check::Depth;
use super::memory::Remembered;
use super::tree::LogReport;
use crate::output::{Out, grouped};
use domain::ids::Digest;
use ledger::keyring::KeyRing;
use ledger::segments::{ScanEnd, TornTail, segment_name};
use ledger::store::StoreError;
use serde::Serialize;
use std::io::{self, Write};
use std::time::Duration;

/// The first thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where in the ledger.
    pub position: u64,
    /// Where on the disk: segment file and offset.
    pub place: String,
    /// What was compared.
    pub check: String,
    /// What it should be.
    pub expected: String,
    /// What it is.
    pub found: String,
    /// Likely reason, where one can be told.
    pub reason: Option<String>,
}

impl Finding {
    /// Bytes on the disk that are not a record.
    pub fn of_store(error: &StoreError) -> Option<Self> {
        let StoreError::Corrupt {
            position,
            place,
            reason,
        } = error
        else {
            return None;
        };
        Some(Self {
            position: *position,
            place: place.clone(),
            check: "framing".to_owned(),
            expected: "a whole record with a good checksum".to_owned(),
            found: reason.clone(),
            reason: None,
        })
    }

    /// Another history than the one that was seen.
    // As the pipeline's sinks take it.
    #[allow(clippy::unnecessary_box_returns)]
    pub fn rewritten(position: u64, remembered: Digest, now: Digest) -> Box<Self> {
        Box::new(Self {
            position,
            place: String::new(),
            check: "history".to_owned(),
            expected: format!("head {remembered}, as verified before"),
            found: format!("head {now}"),
            reason: Some("history was rewritten: a fork, under the same keys".to_owned()),
        })
    }

    /// A shorter one.
    pub fn cut(remembered: &Remembered, records: u64) -> Self {
        Self {
            position: records,
            place: String::new(),
            check: "history".to_owned(),
            expected: format!("{} records or more, as verified before", remembered.records),
            found: format!("{records} records"),
            reason: Some(
                "history was cut: restored from an old copy? (for a copy: `--no-memory`)".into(),
            ),
        }
    }

    /// As people read it.
    pub fn human(&self, w: &mut impl Write) -> io::Result<()> {
        writeln!(w, "position  {} ({})", self.position, self.place)?;
        writeln!(w, "check     {}", self.check)?;
        writeln!(w, "expected  {}", self.expected)?;
        writeln!(w, "found     {}", self.found)?;
        writeln!(w, "likely    {}", self.likely())
    }

    /// What probably happened.
    fn likely(&self) -> &str {
        if let Some(reason) = &self.reason {
            return reason;
        }
        match self.check.as_str() {
            "framing" => {
                "damaged on the disk (a flipped bit, a lost block), or edited without care"
            }
            "form of the record" => "damaged before it was framed, or written by another program",
            "sealed parts" => "a sealed part was replaced; the signed envelope is as it was",
            "ledger key" | "ledger signature" => {
                "altered by somebody who could recompute checksums but does not hold the ledger's key"
            }
            "actor's signature" | "actor's key" | "actor's evidence" => {
                "recorded by a ledger that did not check its actor, or altered by the holder of its key"
            }
            "checkpoint" => "the checkpoint was altered, or is not this ledger's",
            "timestamp" => {
                "it was altered or is of something else, or its authority is not in the auditor's list"
            }
            "history" => "the log was restored from an old copy, or replaced",
            _ => "records were removed, reordered or inserted",
        }
    }
}

/// The whole result.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The ledger's id.
    pub ledger: Option<String>,
    /// How deep.
    pub depth: Depth,
    /// First position checked.
    pub from: u64,
    /// Position after the last one checked.
    pub to: u64,
    /// Records checked.
    pub records: u64,
    /// Signatures verified.
    pub signatures: u64,
    /// Passes over the log (more than one only with very many streams).
    pub passes: u32,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Records a second.
    pub rate: f64,
    /// `BLAKE3("idledger-head/v1\0" ‖ link ‖ link …)` over every record in order: the whole history in
    /// one value.
    pub head: String,
    /// The ledger's keys and where they count.
    pub keys: Vec<Key>,
    /// The transparency log over the records; `None`: not looked at.
    pub log: Option<LogReport>,
    /// What a crash, or a writer at work, left behind the last whole append, in bytes.
    pub torn_bytes: u64,
    /// Whether the head is compared with what is remembered, and remembered.
    pub remembers: bool,
    /// What was remembered of this ledger from the last verification, in records.
    pub remembered: Option<u64>,
    /// `good` or `bad`.
    pub verdict: &'static str,
    /// The first thing that is wrong.
    pub finding: Option<Finding>,
    /// What to do next, after a finding.
    pub next: Option<String>,
}

/// One of the ledger's keys.
#[derive(Debug, Serialize)]
pub struct Key {
    /// Its id.
    pub id: String,
    /// The public key.
    pub public: String,
    /// First position it may sign.
    pub from: u64,
    /// First position it may no longer sign.
    pub until: Option<u64>,
}

impl Report {
    /// Before anything was checked.
    pub fn empty(depth: Depth) -> Self {
        Self {
            ledger: None,
            depth,
            from: 0,
            to: 0,
            records: 0,
            signatures: 0,
            passes: 1,
            seconds: 0.0,
            rate: 0.0,
            head: domain::ids::Digest::ZERO.to_string(),
            keys: Vec::new(),
            log: None,
            torn_bytes: 0,
            remembers: false,
            remembered: None,
            verdict: "good",
            finding: None,
            next: None,
        }
    }

    /// The keys of a ring.
    pub fn keys_of(ring: &KeyRing) -> Vec<Key> {
        let key = |key: &ledger::keyring::RingKey| Key {
            id: key.id.to_string(),
            public: key.public.to_string(),
            from: key.from.0,
            until: key.until.map(|until| until.0),
        };
        ring.keys().iter().map(key).collect()
    }

    /// How long it took.
    pub fn took(&mut self, elapsed: Duration) {
        self.seconds = elapsed.as_secs_f64();
        self.rate = if self.seconds > 0.0 {
            self.records as f64 / self.seconds
        } else {
            0.0
        };
    }

    /// What stands after the last whole append.
    pub fn ended(&mut self, end: &ScanEnd) {
        self.torn_bytes = end.torn.as_ref().map_or(0, |torn: &TornTail| torn.bytes);
    }

    /// What was remembered.
    pub fn remembers(&mut self, remembered: Option<&Remembered>) {
        self.remembers = true;
        self.remembered = remembered.map(|remembered| remembered.records);
    }

    /// Records what is wrong.
    pub fn fail(&mut self, finding: Finding) {
        self.verdict = "bad";
        let said = ["checkpoint", "tile", "timestamp"].contains(&finding.check.as_str());
        self.next = Some(if said {
            "idledger tree checkpoint  # compare with what others have of this ledger".to_owned()
        } else if finding.check == "history" {
            "idledger verify --full --forget  # only if you know why history changed".to_owned()
        } else {
            format!(
                "idledger show {} --hex  # then restore the segment from a copy",
                finding.position
            )
        });
        self.finding = Some(finding);
    }

    /// Names the archive where a log's files would be named.
    pub fn of_archive(&mut self) {
        let Some(finding) = &mut self.finding else {
            return;
        };
        if finding.place.starts_with(&segment_name(0)) {
            "the archive".clone_into(&mut finding.place);
        }
        if finding.place == "the archive" {
            self.next = Some("take the archive anew and compare the two".to_owned());
        }
    }

    /// Prints it.
    pub fn print(&self, out: &mut Out) -> anyhow::Result<()> {
        out.report("verify", self, |writer| self.human(writer))
    }

    #[allow(clippy::cast_sign_loss)] // a rate is not below zero
    fn human(&self, w: &mut impl Write) -> io::Result<()> {
        let depth = match self.depth {
            Depth::Structure => "structure: framing, order, links",
            Depth::Signatures => "signatures: structure and the ledger's signatures",
            Depth::Full => "full: signatures, facts, commitments, actors' evidence",
        };
        writeln!(
            w,
            "ledger    {}",
            self.ledger.as_deref().unwrap_or("unknown")
        )?;
        writeln!(w, "depth     {depth}")?;
        writeln!(w, "range     {} to {}", self.from, self.to)?;
        writeln!(
            w,
            "records   {} ({} signatures)",
            grouped(self.records),
            grouped(self.signatures)
        )?;
        let rate = grouped(self.rate.max(0.0).round() as u64);
        write!(w, "rate      {rate} records/s ({:.1} s)", self.seconds)?;
        if self.passes > 1 {
            write!(w, ", {} passes", self.passes)?;
        }
        writeln!(w)?;
        writeln!(w, "head      {}", self.head)?;
        for key in &self.keys {
            let until = key
                .until
                .map_or_else(|| "now".to_owned(), |until| until.to_string());
            writeln!(w, "key       {} from {} to {until}", key.public, key.from)?;
        }
        if let Some(log) = &self.log {
            log.human(w)?;
        }
        match self.remembered {
            Some(records) => {
                writeln!(
                    w,
                    "history   continues what was verified before ({records} records)"
                )?;
            }
            None if self.remembers => {
                writeln!(
                    w,
                    "history   first verification here; the head is remembered now"
                )?;
            }
            None => {}
        }
        if self.torn_bytes > 0 {
            let bytes = self.torn_bytes;
            writeln!(
                w,
                "tail      {bytes} bytes of an append that was never acknowledged"
            )?;
        }
        writeln!(w, "verdict   {}", self.verdict)?;
        if let Some(finding) = &self.finding {
            finding.human(w)?;
        }
        if let Some(next) = &self.next {
            writeln!(w, "next      {next}")?;
        }
        Ok(())
    }
}
