//! `idledger evidence`: reads of a card's chip. `verify` proves one against a trust list, offline and
//! without a ledger; `trust` loads the list that a ledger verifies against.

use super::opening;
use crate::cli::Global;
use crate::exit::Exit;
use crate::output::Out;
use crate::times::parse_until;
use crate::words;
use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use domain::ids::Micros;
use domain::vocabulary::EvidenceStrength;
use ledger::chip::{
    self, ChipRead, ChipVerdict, ChipVerifier as _, GROUP_BYTES_MAX, GROUPS_MAX, GroupData,
    PassiveAuthentication, SOD_BYTES_MAX, TRUST_LIST_BYTES_MAX, TrustList,
};
use ledger::wiring::{Clock as _, SystemClock};
use serde_json::json;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

/// `idledger evidence`
#[derive(Args)]
pub struct EvidenceArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Verify a chip read: passive authentication, ICAO 9303 part 11 (exit 3: it is not good)
    Verify(VerifyArgs),
    /// Load the list of authorities that a ledger verifies chip reads against
    Trust {
        /// Certificates of country signing authorities, PEM
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

#[derive(Args)]
struct VerifyArgs {
    /// The document security object, EF.SOD
    #[arg(long, value_name = "FILE")]
    sod: PathBuf,
    /// Certificates of country signing authorities, PEM
    #[arg(long, value_name = "FILE")]
    csca: PathBuf,
    /// A data group: its number and the file that holds it
    #[arg(long = "dg", value_name = "N=FILE", value_parser = group)]
    groups: Vec<(u8, PathBuf)>,
    /// As of this time or day (default: now)
    #[arg(long, value_name = "T", value_parser = parse_until)]
    at: Option<Micros>,
}

/// `1=FILE`
fn group(text: &str) -> Result<(u8, PathBuf), String> {
    let wrong = || "a number from 1 to 16, `=`, and a file".to_owned();
    let (number, file) = text.split_once('=').ok_or_else(wrong)?;
    let number: u8 = number.parse().map_err(|_| wrong())?;
    if !(1..=GROUPS_MAX).contains(&usize::from(number)) || file.is_empty() {
        return Err(wrong());
    }
    Ok((number, PathBuf::from(file)))
}

/// Runs it.
pub fn run(global: &Global, args: &EvidenceArgs, out: &mut Out) -> anyhow::Result<Exit> {
    match &args.command {
        Command::Verify(args) => verify(args, out),
        Command::Trust { file } => trust(global, file, out),
    }
}

fn verify(args: &VerifyArgs, out: &mut Out) -> anyhow::Result<Exit> {
    let list = TrustList::read(&bytes(&args.csca, TRUST_LIST_BYTES_MAX)?)?;
    let mut read = ChipRead {
        sod: bytes(&args.sod, SOD_BYTES_MAX)?,
        groups: Vec::new(),
    };
    for (number, file) in &args.groups {
        if read.groups.iter().any(|(known, _)| known == number) {
            bail!("data group {number} is named twice");
        }
        let content = bytes(file, GROUP_BYTES_MAX)?;
        read.groups.push((*number, GroupData::Content(content)));
    }
    let at = args.at.unwrap_or_else(|| SystemClock.now());
    let verdict = PassiveAuthentication::new(list).verify(&read, at);
    report(&verdict, at, out)?;
    Ok(if verdict.proof.is_good() {
        Exit::Ok
    } else {
        Exit::Findings
    })
}

fn report(verdict: &ChipVerdict, at: Micros, out: &mut Out) -> anyhow::Result<()> {
    let proof = &verdict.proof;
    let said = if proof.is_good() { "good" } else { "not_good" };
    let faults: Vec<String> = proof.faults.iter().map(words::code).collect();
    let strength = proof.is_good().then_some(EvidenceStrength::ChipPassiveAuth);
    let hashes = verdict.groups.iter();
    let value = json!({
        "verdict": said,
        "faults": faults,
        "strength": strength,
        "at": super::reading::instant(at),
        "sod": proof.sod,
        "data_groups": hashes.map(|group| json!({
            "number": group.number, "hash": hex::encode(&group.hash),
        })).collect::<Vec<_>>(),
        "certificate": proof.certificate,
        "serial": proof.serial,
        "issuer": proof.issuer,
        "trust_list": proof.trust_list,
        "holder_number": verdict.personal_number.is_some(),
        "verifier": proof.verifier,
    });
    out.report("chip_evidence", &value, |w| {
        writeln!(w, "verdict      {}", said.replace('_', " "))?;
        for fault in &faults {
            writeln!(w, "fault        {fault}")?;
        }
        writeln!(w, "sod          {}", proof.sod)?;
        for group in &verdict.groups {
            writeln!(w, "dg{:<10} {}", group.number, hex::encode(&group.hash))?;
        }
        let or_none = |text: &str| if text.is_empty() { "none" } else { text }.to_owned();
        writeln!(w, "serial       {}", or_none(&proof.serial))?;
        if let Some(certificate) = proof.certificate {
            writeln!(w, "certificate  {certificate}")?;
        }
        writeln!(w, "issuer       {}", or_none(&proof.issuer))?;
        if let Some(list) = proof.trust_list {
            writeln!(w, "trust list   {list}")?;
        }
        writeln!(w, "verifier     {}", proof.verifier)
    })
}

fn trust(global: &Global, file: &Path, out: &mut Out) -> anyhow::Result<Exit> {
    let list = bytes(file, TRUST_LIST_BYTES_MAX)?;
    let loaded = opening::runtime()?.block_on(async {
        let ledger = opening::open(global).await?;
        anyhow::Ok(chip::load(&ledger, &global.dir(), &list).await?)
    })?;
    let value = json!({
        "digest": loaded.digest,
        "authorities": loaded.authorities,
        "unusable": loaded.unusable,
        "position": loaded.position,
    });
    out.report("chip_trust_list", &value, |w| {
        writeln!(w, "trust list   {}", loaded.digest)?;
        writeln!(w, "authorities  {}", loaded.authorities)?;
        if loaded.unusable > 0 {
            writeln!(
                w,
                "unusable     {} (a key of a kind that is not taken)",
                loaded.unusable
            )?;
        }
        match loaded.position {
            Some(position) => writeln!(w, "recorded at  {}", position.0),
            None => writeln!(w, "in use already"),
        }
    })?;
    Ok(Exit::Ok)
}

/// A file, no longer than it may be.
fn bytes(file: &Path, most: usize) -> anyhow::Result<Vec<u8>> {
    let doing = || format!("reading `{}`", file.display());
    let mut bytes = Vec::new();
    let opened = File::open(file).with_context(doing)?;
    opened
        .take(most as u64 + 1)
        .read_to_end(&mut bytes)
        .with_context(doing)?;
    if bytes.len() > most {
        bail!("`{}` is longer than {most} bytes", file.display());
    }
    Ok(bytes)
}
