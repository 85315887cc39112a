//! `idledger prove` and `idledger check-proof`: proofs to take away, and their checking with public keys alone.

use super::{opening, reading, tree, views};
use crate::cli::Global;
use crate::exit::{Exit, Stop};
use crate::output::Out;
use anyhow::Context;
use clap::{Args, Subcommand};
use domain::ids::{AccountId, Position, StreamId};
use ledger::segments::LogReader;
use ledger::transparency::proofs::{
    PROOF_BYTES_MAX, Proof, ProofError, ProveError, prove_consistency, prove_event, prove_stream,
};
use ledger::transparency::state_proof::{AccountProof, prove_state};
use ledger::transparency::{ENTRY_BYTES, entry_of};
use serde_json::json;
use std::io::{Read as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tlog::note::{Algorithm, VerifierKey};
use tlog::policy::{Accepted, Policy};
use tlog::receipt::Receipt;

/// `idledger prove`
#[derive(Args)]
pub struct ProveArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// An event is in the log
    Event {
        /// Its position
        #[arg(value_name = "POS")]
        position: u64,
        /// As `c2sp.org/tlog-proof` text, which other tools read, instead of JSON
        #[arg(long)]
        text: bool,
    },
    /// These are an account's events, each linked to the one before, the newest in the log
    Account {
        /// The account
        #[arg(value_name = "ID")]
        account: AccountId,
    },
    /// What the ledger last stated of an account: its state, or that there was none, and that these are all of
    /// its events
    State {
        /// The account
        #[arg(value_name = "ID")]
        account: AccountId,
    },
    /// The log of so many events is the beginning of today's
    Consistency {
        /// Events in the older checkpoint
        #[arg(value_name = "SIZE")]
        old: u64,
    },
}

/// Makes a proof from the ledger's directory, on stdout.
pub fn run(global: &Global, args: &ProveArgs, out: &mut Out) -> anyhow::Result<Exit> {
    let store = LogReader::open(&global.dir())?;
    let log = tree::published(global)?;
    let stated = match args.what {
        What::State { account } => Some(stated(global, account)?),
        _ => None,
    };
    let proved = reading::runtime()?.block_on(async {
        Ok::<_, ProveError>(match args.what {
            What::State { .. } => {
                let stated = stated.ok_or(ProveError::Missing)?;
                Proof::State(Box::new(prove_state(&log, &store, stated, true).await?))
            }
            What::Event { position, text } => {
                if text {
                    return Ok(log.receipt(position)?.to_text());
                }
                Proof::Event(prove_event(&log, &store, Position(position), true).await?)
            }
            What::Account { account } => {
                Proof::Stream(prove_stream(&log, &store, StreamId::account(account)).await?)
            }
            What::Consistency { old } => Proof::Consistency(prove_consistency(&log, old)?),
        })
        .map(|proof| serde_json::to_string_pretty(&proof).unwrap_or_default() + "\n")
    });
    let text = proved.map_err(|error| {
        Stop::new(Exit::Failed, error.to_string())
            .hint("`idledger tree seal` takes in what was appended since the last checkpoint")
    })?;
    out.raw(text.as_bytes())?;
    Ok(Exit::Ok)
}

/// What the read models prove of an account. They are brought as far as the log first.
fn stated(global: &Global, account: AccountId) -> anyhow::Result<AccountProof> {
    let store = reading::open(&global.dir())?;
    let proof = opening::runtime()?.block_on(state_proof(global, store, account))?;
    proof.ok_or_else(|| {
        Stop::new(Exit::Failed, "the ledger has not stated its state yet")
            .hint("`idledger projections seal`, then `idledger tree seal`")
            .into()
    })
}

/// The same; `None`: the ledger has not stated its state yet.
pub async fn state_proof(
    global: &Global,
    store: Arc<LogReader>,
    account: AccountId,
) -> anyhow::Result<Option<AccountProof>> {
    let views = views::open(global, store).await?;
    let proof = views.state_proof(account)?;
    views.close().await?;
    Ok(proof)
}

/// `idledger check-proof`
#[derive(Args)]
pub struct CheckArgs {
    /// The proof: JSON, or `c2sp.org/tlog-proof` text (`-`: standard input)
    #[arg(value_name = "FILE")]
    proof: PathBuf,
    /// A verifier key of the log, from a source you trust (repeat for several)
    #[arg(long = "key", value_name = "KEY", required = true)]
    keys: Vec<String>,
    /// A verifier key of a witness (repeat for several)
    #[arg(long = "witness", value_name = "KEY")]
    witnesses: Vec<String>,
    /// How many witnesses must have cosigned (default: all that are named)
    #[arg(long, value_name = "N")]
    quorum: Option<usize>,
    /// What must be in the log: SHA-256 of an event's envelope and signature (64 hex digits)
    #[arg(long, value_name = "SHA256", conflicts_with = "record")]
    entry: Option<String>,
    /// The same, computed from a file with the record
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

/// Checks a proof. Exit code 4: it does not hold.
pub fn check(args: &CheckArgs, out: &mut Out) -> anyhow::Result<Exit> {
    let policy = policy(&args.keys, &args.witnesses, args.quorum)?;
    let entry = in_hand(args)?;
    let text = text_of(&args.proof)?;
    let checked = if text.trim_start().starts_with('{') {
        Proof::parse(&text).and_then(|proof| {
            let proved = proof.check(&policy, entry)?;
            Ok((proved.against, proved.facts))
        })
    } else {
        check_text(&text, &policy, entry)
    };
    match checked {
        Ok((against, facts)) => {
            report(out, &against, &facts)?;
            Ok(Exit::Ok)
        }
        Err(ProofError::NoEntry) => Err(Stop::new(Exit::Usage, ProofError::NoEntry.to_string())
            .hint("name it with `--entry` or `--record`")
            .into()),
        Err(error) => Err(
            Stop::new(Exit::Integrity, format!("the proof does not hold: {error}"))
                .hint("believe nothing it says; ask for it again from another source")
                .into(),
        ),
    }
}

fn check_text(
    text: &str,
    policy: &Policy,
    entry: Option<[u8; ENTRY_BYTES]>,
) -> Result<(Accepted, Vec<String>), ProofError> {
    let receipt = Receipt::parse(text)?;
    let entry = entry.ok_or(ProofError::NoEntry)?;
    let against = receipt.check(&entry, policy)?;
    let size = against.checkpoint.head.size;
    let (index, entry) = (receipt.index, hex::encode(entry));
    let fact = format!("event {index}, entry {entry}, is in the log of {size} events");
    Ok((against, vec![fact]))
}

/// Whom the reader believes, from the command line. All keys of a log have its origin as their name.
pub fn policy(
    keys: &[String],
    witnesses: &[String],
    quorum: Option<usize>,
) -> anyhow::Result<Policy> {
    let parse = |text: &String| {
        let key = VerifierKey::parse(text);
        key.map_err(|error| Stop::new(Exit::Usage, format!("`{text}`: {error}")))
    };
    let log = keys.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    let witnesses = witnesses.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    let origin = log
        .first()
        .map(|key| key.name().to_owned())
        .unwrap_or_default();
    if log.iter().any(|key| key.name() != origin) {
        return Err(Stop::new(Exit::Usage, "keys of different logs are named").into());
    }
    if witnesses
        .iter()
        .any(|key| key.algorithm() != Algorithm::Cosignature)
    {
        return Err(Stop::new(Exit::Usage, "a witness's key is one for cosignatures").into());
    }
    let quorum = quorum.unwrap_or(witnesses.len());
    if quorum > witnesses.len() {
        return Err(Stop::new(Exit::Usage, "more witnesses are wanted than are named").into());
    }
    Ok(Policy {
        origin,
        log,
        witnesses,
        quorum,
    })
}

fn in_hand(args: &CheckArgs) -> anyhow::Result<Option<[u8; ENTRY_BYTES]>> {
    if let Some(text) = &args.entry {
        let mut entry = [0; ENTRY_BYTES];
        hex::decode_to_slice(text, &mut entry)
            .map_err(|_| Stop::new(Exit::Usage, "`--entry` is 64 hexadecimal digits"))?;
        return Ok(Some(entry));
    }
    let Some(path) = &args.record else {
        return Ok(None);
    };
    let bytes = std::fs::read(path).context("reading the record")?;
    let entry = entry_of(&bytes).map_err(|error| {
        Stop::new(
            Exit::Usage,
            format!("`--record` does not name a record: {error}"),
        )
    })?;
    Ok(Some(entry))
}

fn text_of(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let limit = PROOF_BYTES_MAX as u64 + 1;
    let read = if path == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(limit)
            .read_to_string(&mut text)
    } else {
        let file = std::fs::File::open(path).context("reading the proof")?;
        file.take(limit).read_to_string(&mut text)
    };
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            Err(Stop::new(Exit::Integrity, "the proof does not hold: it is not text").into())
        }
        read => {
            read.context("reading the proof")?;
            Ok(text)
        }
    }
}

fn report(out: &mut Out, against: &Accepted, facts: &[String]) -> anyhow::Result<()> {
    let head = against.checkpoint.head;
    let value = json!({
        "facts": facts,
        "log": against.checkpoint.origin,
        "size": head.size,
        "root": head.root.to_string(),
        "cosigned": against.cosigned,
    });
    out.report("proof_check", &value, |w| {
        for fact in facts {
            writeln!(w, "proved      {fact}")?;
        }
        writeln!(
            w,
            "checkpoint  {} of {} events",
            against.checkpoint.origin, head.size
        )?;
        writeln!(w, "root        {}", head.root)?;
        for (witness, time) in &against.cosigned {
            let at = domain::ids::Micros(
                i64::try_from(*time).unwrap_or(i64::MAX / 1_000_000) * 1_000_000,
            );
            writeln!(
                w,
                "cosigned    {witness} at {}",
                crate::times::show(at, crate::times::Zone::Utc)
            )?;
        }
        Ok(())
    })?;
    Ok(())
}
