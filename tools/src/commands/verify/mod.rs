//! `idledger verify`: the whole log against nothing but public keys.
//!
//! Reads the log itself or an archive of it, never a projection, an index or a server, and never writes to it; so it
//! runs beside a server and on a copy. Memory is bounded whatever the length ([`links`]). Keys come
//! from the ledger's own events, each good for its range of positions; the first one is trusted on
//! first use and remembered, or named with `--ledger-key`. With `--projections` ([`state`]) it folds the
//! events anew and compares with what `StateSealed` events say of it.

mod audit;
mod bundle;
mod check;
mod claims;
mod links;
mod memory;
mod mirror;
mod pipeline;
mod report;
mod source;
mod stamps;
mod state;
#[cfg(test)]
mod tests;
mod tree;
mod walk;
mod words;

use crate::cli::Global;
use crate::exit::{Exit, Stop};
use crate::output::Out;
use crate::{interrupt, progress};
pub use check::Depth;
use check::Known;
use claims::Witnesses;
use clap::Args;
use domain::ids::{Digest, LedgerId, PublicKey};
use indicatif::ProgressBar;
use ledger::store::StoreError;
use links::{Class, LinkPass, STREAMS_MAX};
use memory::{Remembered, Resume};
use parking_lot::RwLock;
use pipeline::{Ended, Plan};
use report::{Finding, Report};
use source::Origin;
use stamps::Authorities;
use std::path::PathBuf;
use std::time::Instant;
use tree::TreeCheck;
use walk::Walk;

/// The bar moves every so many records.
const BAR_STEP: u64 = 1024;

/// `idledger verify`
#[derive(Args)]
// Each is a flag of its own on the command line.
#[allow(clippy::struct_excessive_bools)]
pub struct VerifyArgs {
    /// Framing, order and links only: millions of records a second
    #[arg(long, group = "depth")]
    structure: bool,
    /// And the ledger's signature on every record
    #[arg(long, group = "depth")]
    signatures: bool,
    /// And facts, commitments of sealed parts, and the actors' own signatures (the default)
    #[arg(long, group = "depth")]
    full: bool,
    /// Signatures of a part only: `1/7` (every seventh, the first) or `5%`; structure of all
    #[arg(long, value_name = "PART", value_parser = parse_subset)]
    subset: Option<(u64, u64)>,
    /// Signatures from this position on; structure of all
    #[arg(long, value_name = "POS", default_value_t = 0)]
    from: u64,
    /// Worker threads (default: all cores)
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Go on after the prefix whose signatures were verified before
    #[arg(long, conflicts_with_all = ["from", "subset"])]
    resume: bool,
    /// The public key of the ledger's first event, from a source you trust (64 hex digits)
    #[arg(long, value_name = "KEY")]
    ledger_key: Option<PublicKey>,
    /// Neither compare with the remembered head nor remember this one (for old copies)
    #[arg(long)]
    no_memory: bool,
    /// Instead of a ledger's directory: the transparency log at this place, a directory or `http://…`
    /// with `checkpoint` and `tile/`, as `https://ledger.example/log`
    #[arg(long, value_name = "PLACE", group = "elsewhere", requires = "keys", conflicts_with_all = ["depth", "subset", "from", "resume", "ledger_key"])]
    tiles: Option<String>,
    /// Instead of a ledger's directory: this archive of it (`export --as archive`)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["elsewhere", "witnesses", "projections"])]
    archive: Option<PathBuf>,
    /// Instead of a ledger's directory: this evidence bundle (`export evidence`), offline
    #[arg(long, value_name = "FILE", group = "elsewhere", requires = "keys", conflicts_with_all = ["depth", "subset", "from", "jobs", "resume", "no_memory", "checkpoints", "forget", "projections"])]
    bundle: Option<PathBuf>,
    /// Who must have signed the bundle's manifest (a verifier key)
    #[arg(long, value_name = "KEY", requires = "bundle")]
    manifest_key: Option<String>,
    /// A verifier key of that log, from a source you trust (repeat for several)
    #[arg(long = "key", value_name = "KEY", requires = "elsewhere")]
    keys: Vec<String>,
    /// A signed checkpoint from elsewhere that the history must agree with (repeat for several)
    #[arg(long = "checkpoint", value_name = "FILE")]
    checkpoints: Vec<PathBuf>,
    /// Authorities whose time-stamps are believed (PEM certificates); all stamps of the log are checked then
    #[arg(long, value_name = "FILE")]
    timestamp_ca: Option<PathBuf>,
    /// A time-stamp from elsewhere (RFC 3161 response) of a checkpoint that is compared (repeat for several)
    #[arg(
        long = "timestamp",
        value_name = "FILE",
        requires = "timestamp_ca",
        conflicts_with = "bundle"
    )]
    timestamps: Vec<PathBuf>,
    /// The key of a witness that must have cosigned the published checkpoint (repeat for several)
    #[arg(long = "witness", value_name = "KEY")]
    witnesses: Vec<String>,
    /// How many of the witnesses (default: all that are named)
    #[arg(long, value_name = "N")]
    quorum: Option<usize>,
    /// Forget the remembered head first
    #[arg(long)]
    forget: bool,
    /// Instead: fold everything anew, aside, and compare with what the ledger stated of its own state
    #[arg(long, conflicts_with_all = ["depth", "subset", "from", "jobs", "resume", "ledger_key", "forget"])]
    projections: bool,
    #[command(flatten)]
    audit: audit::AuditArgs,
}

/// Runs it.
pub fn run(global: &Global, args: &VerifyArgs, out: &mut Out) -> anyhow::Result<Exit> {
    args.audit.ready()?;
    if let Some(file) = &args.bundle {
        return bundle::run(global, args, file, out);
    }
    if let Some(place) = &args.tiles {
        return mirror::run(global, args, place, out);
    }
    if args.projections {
        return state::run(global, args, out);
    }
    let started = Instant::now();
    let mut verification = Verification::new(args);
    let exit = verification.run(global, args)?;
    if args.archive.is_some() {
        verification.report.of_archive();
    }
    verification.report.took(started.elapsed());
    verification.report.print(out)?;
    audit::write(&args.audit, "verify", &verification.report)?;
    if exit == Exit::Interrupted {
        return Err(Stop::interrupted()
            .hint("`idledger verify --resume` goes on from here")
            .into());
    }
    Ok(exit)
}

/// Verifies a log, with its tree and the checkpoint that is published beside it, without memory of earlier
/// runs. For commands that verify on the way.
pub fn quietly(dir: &std::path::Path, depth: Depth, bar: ProgressBar) -> anyhow::Result<Report> {
    let mut verification = Verification {
        depth,
        report: Report::empty(depth),
        known: RwLock::default(),
        memory: None,
        bar: Some(bar),
        tree: TreeCheck::alone(),
        witnesses: Witnesses::default(),
        authorities: Authorities::default(),
    };
    let started = Instant::now();
    match TreeCheck::of(dir, None, &[], &Authorities::default()) {
        Ok(check) => verification.tree = check,
        Err(finding) => {
            verification.report.fail(*finding);
            return Ok(verification.report);
        }
    }
    let log = Origin::open(dir, None)?;
    let plan = Plan {
        depth,
        from: 0,
        part: 0,
        of: 1,
        jobs: cores(),
    };
    verification.passes(&log, &plan, None)?;
    verification.report.took(started.elapsed());
    Ok(verification.report)
}

struct Verification {
    depth: Depth,
    report: Report,
    known: RwLock<Known>,
    memory: Option<PathBuf>,
    bar: Option<ProgressBar>,
    tree: TreeCheck,
    witnesses: Witnesses,
    authorities: Authorities,
}

impl Verification {
    fn new(args: &VerifyArgs) -> Self {
        let depth = match (args.structure, args.signatures) {
            (true, _) => Depth::Structure,
            (_, true) => Depth::Signatures,
            _ => Depth::Full,
        };
        let report = Report::empty(depth);
        Self {
            depth,
            report,
            known: RwLock::default(),
            memory: None,
            bar: None,
            tree: TreeCheck::alone(),
            witnesses: Witnesses::default(),
            authorities: Authorities::default(),
        }
    }

    fn run(&mut self, global: &Global, args: &VerifyArgs) -> anyhow::Result<Exit> {
        let opened = Origin::open(&global.dir(), args.archive.as_deref());
        let first = opened.and_then(|log| Ok((log.length()?, first_ledger(&log)?, log)));
        let (length, ledger, log) = match first {
            Ok(first) => first,
            Err(error) => return self.unreadable(error),
        };
        if !args.no_memory {
            let dir = memory::state_dir()?;
            if let (true, Some(ledger)) = (args.forget, ledger) {
                memory::forget(&dir, ledger)?;
            }
            self.memory = Some(dir);
        }
        let remembered = match (&self.memory, ledger) {
            (Some(dir), Some(ledger)) => memory::recall(dir, ledger)?,
            _ => None,
        };
        if self.memory.is_some() {
            self.report.remembers(remembered.as_ref());
        }
        self.witnesses = claims::witnesses(&args.witnesses, args.quorum)?;
        self.authorities = Authorities::read(args)?;
        let checkpoint = match (&self.memory, ledger) {
            (Some(_), Some(ledger)) => Some(tree::memory(ledger)?),
            _ => None,
        };
        let remembered_at = checkpoint.as_deref();
        let check = match args.archive {
            Some(_) => TreeCheck::of_archive(remembered_at, &args.checkpoints),
            None => TreeCheck::of(
                &global.dir(),
                remembered_at,
                &args.checkpoints,
                &self.authorities,
            ),
        };
        match check {
            Ok(check) => self.tree = check,
            Err(finding) => {
                self.report.fail(*finding);
                return Ok(Exit::Integrity);
            }
        }
        self.bar = Some(progress::bar(global.progress, length, "verifying"));
        let plan = self.plan(args, remembered.as_ref());
        self.report.from = plan.from;
        let exit = self.passes(&log, &plan, remembered.as_ref())?;
        if exit == Exit::Ok
            && let Some(pinned) = args.ledger_key
        {
            self.check_pinned(pinned);
        }
        let good = self.report.finding.is_none();
        let whole = args.from == 0 && args.subset.is_none();
        if good && let Some(dir) = &self.memory {
            self.remember(dir, remembered, whole)?;
            if let (Some(path), Some(longest)) = (&checkpoint, self.tree.longest()) {
                tree::remember(path, &longest.note)?;
            }
        }
        Ok(if good { exit } else { Exit::Integrity })
    }

    fn plan(&self, args: &VerifyArgs, remembered: Option<&Remembered>) -> Plan {
        let (part, of) = args.subset.unwrap_or((0, 1));
        let resume = remembered
            .and_then(|remembered| remembered.deep)
            .filter(|deep| args.resume && deep.depth >= self.depth);
        Plan {
            depth: self.depth,
            from: resume.map_or(args.from, |deep| deep.records),
            part,
            of,
            jobs: args.jobs.unwrap_or_else(cores),
        }
    }

    /// The first pass checks everything; more passes check the links of streams that did not fit.
    fn passes(
        &mut self,
        log: &Origin,
        plan: &Plan,
        remembered: Option<&Remembered>,
    ) -> anyhow::Result<Exit> {
        let mut walk = Walk::new();
        let bar = self.bar.clone().unwrap_or_else(ProgressBar::hidden);
        let deep = remembered.and_then(|remembered| remembered.deep);
        let marks = [
            remembered.map(|remembered| (remembered.records, remembered.head)),
            deep.filter(|deep| plan.from == deep.records)
                .map(|deep| (deep.records, deep.head)),
        ];
        let records = log.scan()?;
        let tree = &mut self.tree;
        let sink = |position: u64, checked: &check::Checked| {
            walk.push(position, checked)?;
            tree.push(checked.entry, checked.leaf)?;
            for (records, head) in marks.iter().flatten() {
                if *records == walk.records && *head != walk.head() {
                    return Err(Finding::rewritten(position, *head, walk.head()));
                }
            }
            if position.is_multiple_of(BAR_STEP) {
                bar.set_position(position);
            }
            Ok(())
        };
        let ended = pipeline::run(records, plan, &self.known, sink, 0);
        self.report.records = walk.records;
        self.report.signatures = walk.signatures;
        self.report.to = walk.records;
        self.report.head = walk.head().to_string();
        let exit = self.settle(ended)?;
        if exit == Exit::Ok {
            if let Some(remembered) = remembered.filter(|known| known.records > walk.records) {
                self.report.fail(Finding::cut(remembered, walk.records));
            } else {
                self.more_passes(log, walk.links.pending())?;
            }
            if self.report.finding.is_none() {
                let log = self.tree.finish(&self.known.read().ring, &self.witnesses);
                let stamped = log.and_then(|mut log| {
                    log.stamped = self.tree.judged(&self.authorities)?;
                    Ok(log)
                });
                match stamped {
                    Ok(log) => self.report.log = Some(log),
                    Err(finding) => self.report.fail(*finding),
                }
            }
        }
        bar.finish_and_clear();
        let known = self.known.read();
        self.report.ledger = known.ring.ledger().map(|ledger| ledger.to_string());
        self.report.keys = Report::keys_of(&known.ring);
        Ok(if self.report.finding.is_some() {
            Exit::Integrity
        } else {
            exit
        })
    }

    fn more_passes(&mut self, log: &Origin, mut classes: Vec<Class>) -> anyhow::Result<()> {
        while let Some(class) = classes.pop() {
            self.report.passes += 1;
            let mut links = LinkPass::new(class, STREAMS_MAX);
            let records = log.scan()?;
            let plan = Plan {
                depth: Depth::Structure,
                from: 0,
                part: 0,
                of: 1,
                jobs: cores(),
            };
            let sink = |position: u64, checked: &check::Checked| {
                links
                    .push(&checked.place)
                    .map_err(|broken| Box::new(broken.at(position)))
            };
            let ended = pipeline::run(records, &plan, &RwLock::default(), sink, 0);
            if self.settle(ended)? != Exit::Ok {
                return Ok(());
            }
            classes.extend(links.pending());
        }
        Ok(())
    }

    fn settle(&mut self, ended: Ended) -> anyhow::Result<Exit> {
        match ended {
            Ended::Whole(end) => {
                self.report.ended(&end);
                Ok(Exit::Ok)
            }
            Ended::Bad(finding) => {
                self.report.fail(*finding);
                Ok(Exit::Integrity)
            }
            Ended::Store(error) => self.unreadable(error),
            Ended::Interrupted => {
                self.report.verdict = "interrupted";
                Ok(Exit::Interrupted)
            }
        }
    }

    fn unreadable(&mut self, error: StoreError) -> anyhow::Result<Exit> {
        match Finding::of_store(&error) {
            Some(finding) => {
                self.report.fail(finding);
                Ok(Exit::Integrity)
            }
            None => Err(error.into()),
        }
    }

    fn check_pinned(&mut self, pinned: PublicKey) {
        let first = self.known.read().ring.keys().first().map(|key| key.public);
        if first != Some(pinned) {
            self.report.fail(Finding {
                position: 0,
                place: String::new(),
                check: "ledger key".to_owned(),
                expected: pinned.to_string(),
                found: first.map_or_else(|| "none".to_owned(), |key| key.to_string()),
                reason: Some("another ledger, or a forged one".to_owned()),
            });
        }
    }

    /// Remembers the head. Never a shorter one: an interrupted run keeps what was known.
    fn remember(
        &self,
        dir: &std::path::Path,
        before: Option<Remembered>,
        whole: bool,
    ) -> anyhow::Result<()> {
        let known = self.known.read();
        let (Some(ledger), Some(key)) = (known.ring.ledger(), known.ring.keys().first()) else {
            return Ok(());
        };
        let records = self.report.to;
        let Ok(head) = self.report.head.parse::<Digest>() else {
            return Ok(());
        };
        let reached = Resume {
            depth: self.depth,
            records,
            head,
        };
        let earlier = before.as_ref().and_then(|before| before.deep);
        let deep = match earlier {
            Some(earlier) if !whole || earlier.depth > self.depth => Some(earlier),
            Some(earlier) if earlier.depth == self.depth && earlier.records > records => {
                Some(earlier)
            }
            None if !whole => None,
            _ => Some(reached),
        };
        let longest = before.filter(|before| before.records > records);
        let (records, head) =
            longest.map_or((records, head), |longest| (longest.records, longest.head));
        let remembered = Remembered {
            schema: memory::SCHEMA.to_owned(),
            ledger,
            key: key.public.to_string(),
            records,
            head,
            deep,
        };
        memory::remember(dir, &remembered)
    }
}

/// The ledger's id as its first record says, or none where there is no first record.
fn first_ledger(log: &Origin) -> Result<Option<LedgerId>, StoreError> {
    let mut known = Known::default();
    let mut records = log.scan()?;
    // A first record that cannot be read is found again, and reported, by the run itself.
    if let Ok(Some(record)) = records.next_record() {
        known.learn(&record);
    }
    Ok(known.ring.ledger())
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn parse_subset(text: &str) -> Result<(u64, u64), String> {
    let error = || "write `1/7` or `5%`".to_owned();
    if let Some(percent) = text.strip_suffix('%') {
        let percent: u64 = percent.parse().map_err(|_| error())?;
        return if (1..=100).contains(&percent) {
            Ok((0, 100 / percent))
        } else {
            Err(error())
        };
    }
    let (part, of) = text.split_once('/').ok_or_else(error)?;
    let (part, of): (u64, u64) = (
        part.parse().map_err(|_| error())?,
        of.parse().map_err(|_| error())?,
    );
    if (1..=of).contains(&part) {
        Ok((part - 1, of))
    } else {
        Err(error())
    }
}

/// Whether somebody asked to stop; for callers that verify on the way.
pub fn interrupted(report: &Report) -> bool {
    report.verdict == "interrupted" || interrupt::requested()
}
