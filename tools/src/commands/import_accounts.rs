//! `idledger import` of accounts: what exists elsewhere is brought in line by line, signed by an importer
//! of its own, each event at the time it happened.
//!
//! A line is a command whose id follows from the line: importing a file again, whole or after it was cut
//! short, does what is missing and says what was there. Nothing of a line is ever printed but its number
//! and what is wrong with it.

use super::{law, opening};
use crate::cli::Global;
use crate::exit::{Exit, Stop};
use crate::output::{Out, grouped};
use crate::{interrupt, progress};
use anyhow::Context;
use domain::ids::{PrincipalId, PublicKey};
use domain::messages::{Lang, refusal_text};
use domain::vocabulary::Role;
use ed25519_dalek::SigningKey;
use ledger::ledger::Ledger;
use ledger::past::{Format, Rows, Standing};
use ledger::writer::{LedgerError, Outcome};
use serde_json::json;
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::Path;
use tokio::task::JoinSet;

/// Lines on their way at once.
const IN_FLIGHT: usize = 64;
/// Findings that are kept; the rest are only counted.
const FINDINGS_MAX: usize = 1_000_000;
/// Buffer of the file, in bytes.
const READ_BYTES: usize = 1 << 20;

/// What to import.
pub struct Accounts<'a> {
    /// The file; `-` is stdin.
    pub file: &'a Path,
    /// How rows are written.
    pub format: Format,
    /// The importer's secret key.
    pub key: Option<&'a Path>,
    /// Only say what would be refused.
    pub check: bool,
}

/// What came of it.
#[derive(Default)]
struct Report {
    imported: u64,
    already: u64,
    refused: u64,
    findings: Vec<(u64, &'static str)>,
    lines: u64,
    /// The last line taken up: every one before it is done, whichever way.
    last_line: u64,
    interrupted: bool,
}

impl Report {
    fn finding(&mut self, line: u64, reason: &'static str) {
        self.refused += 1;
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push((line, reason));
        }
    }
}

/// Runs it.
pub fn run(global: &Global, accounts: &Accounts<'_>, out: &mut Out) -> anyhow::Result<Exit> {
    let (rows, size): (Box<dyn Read>, _) = if accounts.file.as_os_str() == "-" {
        (Box::new(std::io::stdin().lock()), None)
    } else {
        let shown = accounts.file.display();
        let file = File::open(accounts.file).with_context(|| format!("opening `{shown}`"))?;
        let size = file.metadata().map(|meta| meta.len()).ok();
        (Box::new(BufReader::with_capacity(READ_BYTES, file)), size)
    };
    let what = if accounts.check {
        "checking"
    } else {
        "importing"
    };
    let bar = progress::bar(global.progress, size, what);
    let rows = Rows::open(accounts.format, bar.wrap_read(rows))
        .map_err(|reason| Stop::new(Exit::Failed, format!("line 1: {reason}")))?;
    let mut report = opening::runtime()?.block_on(async {
        let ledger = opening::open(global).await?;
        if accounts.check {
            check(&ledger, rows).await
        } else {
            let path = accounts.key.ok_or_else(|| {
                Stop::new(Exit::Usage, "the importer signs every line: name the key")
                    .hint("`--key FILE`, of a principal enrolled as `importer`")
            })?;
            import(&ledger, rows, &law::secret(path)?).await
        }
    })?;
    bar.finish_and_clear();
    report.findings.sort_unstable();
    show(accounts.check, &report, out)?;
    Ok(if report.interrupted {
        if !global.quiet {
            eprintln!("hint: run it again to go on: what is imported already is passed over");
        }
        Exit::Interrupted
    } else if report.refused > 0 {
        Exit::Findings
    } else {
        Exit::Ok
    })
}

fn show(check: bool, report: &Report, out: &mut Out) -> anyhow::Result<()> {
    let value = json!({
        "checked": check,
        "lines": report.lines,
        "imported": if check { 0 } else { report.imported },
        "importable": if check { report.imported } else { 0 },
        "already_imported": report.already,
        "refused": report.refused,
        "interrupted": report.interrupted,
        "last_line": report.last_line,
        "findings": report.findings.iter().map(|(line, reason)| json!({
            "line": line,
            "reason": reason,
        })).collect::<Vec<_>>(),
    });
    out.report("import_accounts", &value, |w| {
        let done = if check { "importable" } else { "imported  " };
        writeln!(w, "lines       {}", grouped(report.lines))?;
        writeln!(w, "{done}  {}", grouped(report.imported))?;
        writeln!(w, "already in  {}", grouped(report.already))?;
        writeln!(w, "refused     {}", grouped(report.refused))?;
        if report.interrupted {
            writeln!(w, "interrupted after line {}", grouped(report.last_line))?;
        }
        for (line, reason) in &report.findings {
            writeln!(w, "line {line:>7}  {reason}")?;
        }
        Ok(())
    })?;
    Ok(())
}

/// Says of every line whether it would be refused; writes nothing.
async fn check<R: Read>(ledger: &Ledger, rows: Rows<R>) -> anyhow::Result<Report> {
    let mut report = Report::default();
    let mut seen: HashSet<[u8; 16]> = HashSet::new();
    for (line, row) in rows {
        if interrupt::requested() {
            report.interrupted = true;
            break;
        }
        report.lines += 1;
        report.last_line = line;
        let account = match row {
            Ok(account) => account,
            Err(reason) => {
                report.finding(line, reason);
                continue;
            }
        };
        if let Some(reason) = account.fault(ledger) {
            report.finding(line, reason);
            continue;
        }
        let [number, phone] = account.marks(ledger);
        let (new_number, new_phone) = (seen.insert(number), seen.insert(phone));
        if !new_number {
            report.finding(line, "the personal number stands in the file twice");
            continue;
        }
        if !new_phone {
            report.finding(line, "the phone number stands in the file twice");
            continue;
        }
        match account.standing(ledger).await? {
            Standing::New => report.imported += 1,
            Standing::Imported => report.already += 1,
            Standing::NumberTaken => {
                report.finding(line, "there is an account under this personal number");
            }
            Standing::PhoneTaken => report.finding(line, "the phone number is in use"),
        }
    }
    Ok(report)
}

/// What became of a line, and the hashes of its numbers.
type Done = (u64, [[u8; 16]; 2], Result<Outcome, LedgerError>);

/// Lines on their way. Two that name the same number or phone go one after the other, so that it is the
/// first that counts.
#[derive(Default)]
struct UnderWay {
    tasks: JoinSet<Done>,
    marks: HashSet<[u8; 16]>,
}

async fn import<R: Read>(
    ledger: &Ledger,
    rows: Rows<R>,
    key: &SigningKey,
) -> anyhow::Result<Report> {
    let importer = importer(ledger, key)?;
    let mut report = Report::default();
    let mut under_way = UnderWay::default();
    for (line, row) in rows {
        if interrupt::requested() {
            report.interrupted = true;
            break;
        }
        report.lines += 1;
        report.last_line = line;
        let account = match row {
            Ok(account) => account,
            Err(reason) => {
                report.finding(line, reason);
                continue;
            }
        };
        let marks = account.marks(ledger);
        let met = |under_way: &UnderWay| marks.iter().any(|mark| under_way.marks.contains(mark));
        while under_way.tasks.len() >= IN_FLIGHT || met(&under_way) {
            settle(&mut under_way, &mut report).await?;
        }
        under_way.marks.extend(marks);
        let submission = account.submission(ledger, (importer, key))?;
        let ledger = ledger.clone();
        under_way
            .tasks
            .spawn(async move { (line, marks, ledger.submit(submission).await) });
    }
    while !under_way.tasks.is_empty() {
        settle(&mut under_way, &mut report).await?;
    }
    Ok(report)
}

/// Whoever signs: enrolled with this key, as an importer.
fn importer(ledger: &Ledger, key: &SigningKey) -> anyhow::Result<PrincipalId> {
    let public = PublicKey(key.verifying_key().to_bytes());
    let principals = ledger.principals();
    let known = principals
        .by_key(public.id())
        .filter(|principal| principal.role == Role::Importer && principal.active(ledger.now()));
    known.map(|principal| principal.id).ok_or_else(|| {
        Stop::new(Exit::Key, "no importer is enrolled with this key")
            .hint("enrol one with `idledger keys enrol --role importer --public-key KEY`")
            .into()
    })
}

/// Takes in one line that is done. A refusal is a finding; a failure of the machine ends the import.
async fn settle(under_way: &mut UnderWay, report: &mut Report) -> anyhow::Result<()> {
    let Some(done) = under_way.tasks.join_next().await else {
        return Ok(());
    };
    let (line, marks, outcome) = done.context("a line's task ended early")?;
    for mark in &marks {
        under_way.marks.remove(mark);
    }
    let outcome = outcome.with_context(|| format!("line {line}"))?;
    match outcome.refused {
        Some(refused) => report.finding(line, refusal_text(refused.code, Lang::En)),
        None if outcome.repeated => report.already += 1,
        None => report.imported += 1,
    }
    Ok(())
}
