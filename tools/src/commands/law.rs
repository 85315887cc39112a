//! `idledger law`: what is law, since when, on which ground, proposed and approved by whom; and making it.
//!
//! A version takes two: one proposes it, another approves it, each with a key of their own. Only the first
//! law of a new ledger is laid down by whoever makes it. Listing reads the log alone.

use super::{opening, reading};
use crate::cli::Global;
use crate::exit::{Exit, Stop};
use crate::output::{Out, Row};
use crate::times::{self, parse_until};
use crate::words;
use anyhow::Context;
use clap::{Args, Subcommand};
use domain::ids::{CommandId, Micros};
use domain::law::{Known, LawBook, LawDraft, LawOrder, Published, parse};
use domain::messages::refusal_code;
use domain::vocabulary::LawKind;
use ed25519_dalek::SigningKey;
use ledger::law::{LawOutcome, LawSubmission};
use ledger::ledger::Ledger;
use ledger::wiring::{Clock, SystemClock};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Largest law file read, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// `idledger law`
#[derive(Args)]
pub struct LawArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Every version and proposal, and which one is in force
    List {
        /// One kind only: policy, catalogue, provinces, messages, documents, calendar, sites
        #[arg(long, value_parser = parse_kind)]
        kind: Option<LawKind>,
        /// In force at this day or time (default: now)
        #[arg(long, value_name = "T", value_parser = parse_until)]
        valid_at: Option<Micros>,
        /// As known at this day or time (default: now)
        #[arg(long, value_name = "T", value_parser = parse_until)]
        as_of: Option<Micros>,
    },
    /// One version with its content
    Show {
        /// The kind
        #[arg(value_parser = parse_kind)]
        kind: LawKind,
        /// The version (default: the one in force)
        version: Option<u32>,
        /// In force at this day or time (default: now)
        #[arg(long, value_name = "T", value_parser = parse_until, conflicts_with = "version")]
        valid_at: Option<Micros>,
        /// As known at this day or time (default: now)
        #[arg(long, value_name = "T", value_parser = parse_until, conflicts_with = "version")]
        as_of: Option<Micros>,
    },
    /// Propose a version
    Propose {
        /// A law file (TOML)
        file: PathBuf,
        /// Secret key of the proposer, an enrolled eID authority
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Approve a proposal: it is law from its effective date on
    Approve {
        /// The kind
        #[arg(value_parser = parse_kind)]
        kind: LawKind,
        /// The version
        version: u32,
        /// Secret key of the approver: another than the proposer
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Turn a proposal down, or take one's own back
    Reject {
        /// The kind
        #[arg(value_parser = parse_kind)]
        kind: LawKind,
        /// The version
        version: u32,
        /// Secret key of an enrolled eID authority
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Check files, propose and approve them in one go, with both keys
    Load {
        /// Law files (TOML), in this order
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Secret key of the proposer
        #[arg(long, value_name = "FILE", requires = "approver_key")]
        proposer_key: Option<PathBuf>,
        /// Secret key of the approver
        #[arg(long, value_name = "FILE", requires = "proposer_key")]
        approver_key: Option<PathBuf>,
        /// Only check the files
        #[arg(long)]
        check: bool,
    },
}

fn parse_kind(text: &str) -> Result<LawKind, String> {
    LawKind::named(text).ok_or_else(|| {
        let names: Vec<&str> = LawKind::ALL.iter().map(|kind| kind.name()).collect();
        format!("one of {}", names.join(", "))
    })
}

/// Runs it.
pub fn run(global: &Global, args: &LawArgs, out: &mut Out) -> anyhow::Result<Exit> {
    match &args.command {
        Command::List {
            kind,
            valid_at,
            as_of,
        } => list(global, *kind, (*valid_at, *as_of), out),
        Command::Show {
            kind,
            version,
            valid_at,
            as_of,
        } => show(global, *kind, *version, (*valid_at, *as_of), out),
        Command::Propose { file, key } => {
            let draft = Arc::new(read(file)?);
            write(global, key, out, |_| propose(&draft))
        }
        Command::Approve { kind, version, key } => write(global, key, out, |book| {
            let digest = book.open(*kind, *version).map(|known| known.digest);
            let digest = digest.unwrap_or(domain::ids::Digest::ZERO);
            let (law, version) = (*kind, *version);
            Ok(LawOrder::Approve {
                law,
                version,
                digest,
            })
        }),
        Command::Reject { kind, version, key } => write(global, key, out, |_| {
            let (law, version) = (*kind, *version);
            Ok(LawOrder::Reject { law, version })
        }),
        Command::Load {
            files,
            proposer_key,
            approver_key,
            check,
        } => {
            let drafts = files
                .iter()
                .map(|file| read(file))
                .collect::<anyhow::Result<Vec<_>>>()?;
            let keys = proposer_key.as_deref().zip(approver_key.as_deref());
            load(global, (files, drafts), keys, *check, out)
        }
    }
}

/// A law file.
fn read(path: &Path) -> anyhow::Result<LawDraft> {
    let shown = path.display();
    let length = std::fs::metadata(path)
        .with_context(|| format!("reading `{shown}`"))?
        .len();
    if length > FILE_BYTES_MAX {
        return Err(Stop::new(Exit::Failed, format!("`{shown}` is too long")).into());
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("reading `{shown}`"))?;
    parse(&text)
        .map_err(|error| Stop::new(Exit::Failed, format!("`{shown}`: {error}")))
        .map_err(Into::into)
}

/// A secret key as `keys generate` writes it.
pub fn secret(path: &Path) -> anyhow::Result<SigningKey> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("reading `{shown}`"))?;
    let mut seed = [0; 32];
    hex::decode_to_slice(text.trim(), &mut seed)
        .map_err(|_| Stop::new(Exit::Key, format!("`{shown}` holds no secret key")))?;
    Ok(SigningKey::from_bytes(&seed))
}

fn propose(draft: &Arc<LawDraft>) -> anyhow::Result<LawOrder> {
    let digest = draft.digest().context("encoding the version")?;
    let draft = Arc::clone(draft);
    Ok(LawOrder::Propose { draft, digest })
}

/// Opens the ledger and gives one order with a key.
fn write(
    global: &Global,
    key: &Path,
    out: &mut Out,
    order: impl FnOnce(&LawBook) -> anyhow::Result<LawOrder>,
) -> anyhow::Result<Exit> {
    let key = secret(key)?;
    opening::runtime()?.block_on(async {
        let ledger = opening::open(global).await?;
        let order = order(&ledger.law_book())?;
        let outcome = give(&ledger, order, &key).await?;
        let refused = outcome.refused.map(|refused| refusal_code(refused.code));
        let value = json!({
            "law": outcome.law.name(),
            "version": outcome.version,
            "refused": refused,
            "event": outcome.event.event_id,
            "position": outcome.event.position,
        });
        out.report("law", &value, |w| {
            writeln!(w, "law       {}", outcome.law.name())?;
            writeln!(w, "version   {}", outcome.version)?;
            if let Some(code) = refused {
                writeln!(w, "refused   {code}")?;
            }
            writeln!(w, "position  {}", outcome.event.position.0)
        })?;
        accepted(&outcome).map(|()| Exit::Ok)
    })
}

/// One order by whoever has this key.
async fn give(ledger: &Ledger, order: LawOrder, key: &SigningKey) -> anyhow::Result<LawOutcome> {
    let public = domain::ids::PublicKey(key.verifying_key().to_bytes());
    let principals = ledger.principals();
    let principal = principals.by_key(public.id()).ok_or_else(|| {
        Stop::new(Exit::Key, "nobody is enrolled with this key")
            .hint("enrol an `eid_authority` with `idledger keys enrol`")
    })?;
    let ids = ledger.assembler().ids();
    let id = CommandId(ids.id());
    let submission = LawSubmission::signed(order, principal.id, key, id, ids.id())?;
    Ok(ledger.submit_law(submission).await?)
}

fn accepted(outcome: &LawOutcome) -> anyhow::Result<()> {
    match outcome.refused {
        None => Ok(()),
        Some(refused) => {
            let says = refusal_code(refused.code);
            Err(Stop::new(Exit::Failed, format!("refused, and recorded: {says}")).into())
        }
    }
}

fn load(
    global: &Global,
    (files, drafts): (&[PathBuf], Vec<LawDraft>),
    keys: Option<(&Path, &Path)>,
    check: bool,
    out: &mut Out,
) -> anyhow::Result<Exit> {
    let mut rows = out.rows("law");
    let row = |file: &Path, draft: &LawDraft, version: Option<u32>| -> Row {
        vec![
            ("file", file.display().to_string().into()),
            ("law", draft.kind().name().into()),
            ("name", draft.terms.name.clone().into()),
            ("version", version.map_or(Value::Null, Into::into)),
        ]
    };
    if check {
        for (file, draft) in files.iter().zip(&drafts) {
            rows.push(row(file, draft, None))?;
        }
        rows.finish()?;
        return Ok(Exit::Ok);
    }
    opening::runtime()?.block_on(async {
        let ledger = opening::open(global).await?;
        if let Some((proposer, approver)) = keys {
            let (proposer, approver) = (secret(proposer)?, secret(approver)?);
            for (file, draft) in files.iter().zip(drafts) {
                let draft = Arc::new(draft);
                let proposal = give(&ledger, propose(&draft)?, &proposer).await?;
                accepted(&proposal).with_context(|| file.display().to_string())?;
                let order = LawOrder::Approve {
                    law: proposal.law,
                    version: proposal.version,
                    digest: draft.digest().context("encoding the version")?,
                };
                let outcome = give(&ledger, order, &approver).await?;
                accepted(&outcome).with_context(|| file.display().to_string())?;
                rows.push(row(file, &draft, Some(outcome.version)))?;
            }
        } else if ledger.principals().all().next().is_some() {
            let stop = Stop::new(Exit::Usage, "a version takes two: give both keys");
            return Err(stop
                .hint("`--proposer-key FILE --approver-key FILE`")
                .into());
        } else {
            ledger.found_law(drafts.clone()).await?;
            for (file, draft) in files.iter().zip(&drafts) {
                rows.push(row(file, draft, None))?;
            }
        }
        anyhow::Ok(())
    })?;
    rows.finish()?;
    Ok(Exit::Ok)
}

type Times = (Option<Micros>, Option<Micros>);

fn moment((valid_at, as_of): Times) -> (Micros, Known) {
    let at = valid_at.unwrap_or_else(|| SystemClock.now());
    (at, as_of.map_or(Known::Now, Known::Recorded))
}

fn list(
    global: &Global,
    kind: Option<LawKind>,
    times: Times,
    out: &mut Out,
) -> anyhow::Result<Exit> {
    let log = reading::open(&global.dir())?;
    let book = reading::runtime()?.block_on(reading::law_book(log.as_ref()))?;
    let (at, known) = moment(times);
    let day = |at: Micros| Value::from(times::show(at, global.zone()));
    let mut rows = out.rows("law");
    for law in LawKind::ALL {
        if kind.is_some_and(|kind| kind != *law) {
            continue;
        }
        let in_force = book.in_force(*law, at, known).map(|known| known.version);
        for proposal in book.proposals().iter().filter(|known| known.law == *law) {
            let published = book.version(*law, proposal.version);
            let state = match published {
                Some(version) if !version.known(known) => continue,
                Some(_) if in_force == Some(proposal.version) => "in force",
                Some(_) => "published",
                None if proposal.settled => "rejected",
                None => "proposed",
            };
            let terms = &proposal.draft.terms;
            rows.push(vec![
                ("law", law.name().into()),
                ("version", proposal.version.into()),
                ("name", terms.name.clone().into()),
                ("state", state.into()),
                ("effective_from", day(terms.effective_from)),
                ("effective_to", terms.effective_to.map_or(Value::Null, day)),
                ("confidence", words::code(&terms.confidence).into()),
                ("jurisdiction", terms.jurisdiction.clone().into()),
                ("basis", terms.basis.id.clone().into()),
                ("proposer", proposal.proposer.to_string().into()),
                (
                    "approver",
                    published.map_or(Value::Null, |version| version.approver.to_string().into()),
                ),
                (
                    "position",
                    published
                        .and_then(|version| version.by.position)
                        .map_or(Value::Null, |position| position.0.into()),
                ),
            ])?;
        }
    }
    rows.finish()?;
    Ok(Exit::Ok)
}

fn show(
    global: &Global,
    kind: LawKind,
    version: Option<u32>,
    times: Times,
    out: &mut Out,
) -> anyhow::Result<Exit> {
    let log = reading::open(&global.dir())?;
    let book = reading::runtime()?.block_on(reading::law_book(log.as_ref()))?;
    let found = if let Some(version) = version {
        book.version(kind, version)
    } else {
        let (at, known) = moment(times);
        book.in_force(kind, at, known)
    };
    let Some(version) = found else {
        let stop = Stop::new(Exit::Failed, "there is no such version");
        return Err(stop.hint("`idledger law list` shows all of them").into());
    };
    let mut value = rule(version);
    if let Some(object) = value.as_object_mut() {
        object.insert("terms".to_owned(), json!(version.draft.terms));
        object.insert("content".to_owned(), json!(version.draft.content));
        object.insert("digest".to_owned(), json!(version.digest));
        object.insert("proposer".to_owned(), json!(version.proposer));
        object.insert("approver".to_owned(), json!(version.approver));
        object.insert("proposal".to_owned(), json!(version.proposal.event));
    }
    out.report("law", &value, |w| {
        let terms = &version.draft.terms;
        writeln!(w, "{}", named(version))?;
        writeln!(
            w,
            "from          {}",
            times::show(terms.effective_from, global.zone())
        )?;
        if let Some(to) = terms.effective_to {
            writeln!(w, "until         {}", times::show(to, global.zone()))?;
        }
        writeln!(w, "basis         {} ({})", terms.basis.text, terms.basis.id)?;
        writeln!(w, "jurisdiction  {}", terms.jurisdiction)?;
        writeln!(w, "confidence    {}", words::code(&terms.confidence))?;
        writeln!(w, "proposed by   {}", version.proposer)?;
        writeln!(w, "approved by   {}", version.approver)?;
        writeln!(w)?;
        let content = serde_json::to_string_pretty(&version.draft.content).unwrap_or_default();
        writeln!(w, "{content}")
    })?;
    Ok(Exit::Ok)
}

/// A version as the rule that answered: which, and by which event.
pub fn rule(version: &Published) -> Value {
    json!({
        "law": version.law.name(),
        "version": version.version,
        "name": version.draft.terms.name,
        "effective_from": reading::instant(version.draft.terms.effective_from),
        "effective_to": version.draft.terms.effective_to.map(reading::instant),
        "basis": version.draft.terms.basis.id,
        "confidence": version.draft.terms.confidence,
        "event": version.by.event,
        "position": version.by.position,
    })
}

/// The same in one line.
pub fn named(version: &Published) -> String {
    let position = version.by.position.map_or(0, |position| position.0);
    format!(
        "{} version {} ({}), published at position {position}",
        version.law.name(),
        version.version,
        version.draft.terms.name
    )
}
