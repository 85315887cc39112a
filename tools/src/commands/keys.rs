//! `idledger keys`: the ledger's keys and everybody who may act besides account holders.

mod rotate;

use super::{opening, reading};
use crate::cli::Global;
use crate::exit::Exit;
use crate::output::{Out, Row};
use crate::{times, words};
use anyhow::Context;
use clap::{Args, Subcommand};
use domain::ids::{Category, Digest, Position, PrincipalId, PublicKey, StreamId};
use domain::vocabulary::{KeyEnd, Role};
use ed25519_dalek::SigningKey;
use ledger::keyring::KeyRing;
use ledger::open::Options;
use ledger::principals::Principals;
use ledger::wiring::{Randomness, SystemRandomness};
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

/// `idledger keys`
#[derive(Args)]
pub struct KeysArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The ledger's own keys and every principal
    List,
    /// Make a key pair for an officer, an adapter or another principal; it is not enrolled yet
    Generate {
        /// Where the secret key goes (mode 0600, never overwritten)
        #[arg(long, short, value_name = "FILE")]
        out: PathBuf,
    },
    /// Let somebody act, with a public key
    Enrol {
        /// As what, as `intake_officer`
        #[arg(long, value_parser = parse_role)]
        role: Role,
        /// Their public key (64 hex digits)
        #[arg(long, value_name = "KEY")]
        public_key: PublicKey,
        /// Sites where an officer may act; of an immigration officer areas, 0 for the whole country
        /// (repeat for more)
        #[arg(long = "site", value_name = "SITE")]
        sites: Vec<u32>,
        /// A name, sealed
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        trial: opening::Trial,
    },
    /// End somebody's right to act, from now on
    Revoke {
        /// The principal's id
        #[arg(value_name = "ID")]
        principal: PrincipalId,
        /// Why: superseded, key_compromise, lost, cessation_of_operation
        #[arg(long, value_parser = rotate::parse_reason, default_value = "cessation_of_operation")]
        reason: KeyEnd,
    },
    /// Put a fresh key in the place of one of the ledger's own; servers must be stopped and started anew
    Rotate(rotate::RotateArgs),
    /// Let somebody read with a bearer token, printed once and kept nowhere
    Token {
        /// A name, sealed
        #[arg(long)]
        name: Option<String>,
    },
}

/// Runs it.
pub fn run(global: &Global, args: &KeysArgs, out: &mut Out) -> anyhow::Result<Exit> {
    match &args.command {
        Command::List => list(global, out),
        Command::Generate { out: path } => generate(path, out),
        Command::Enrol {
            role,
            public_key,
            sites,
            name,
            trial,
        } => {
            let who = Enrolment {
                role: *role,
                key: Some(*public_key),
                token: None,
                sites: sites.clone(),
                name: name.clone(),
            };
            enrol(global, out, &who, &trial.options(global)?)
        }
        Command::Rotate(args) => rotate::run(global, args, out),
        Command::Revoke { principal, reason } => opening::runtime()?.block_on(async {
            let ledger = opening::open(global).await?;
            ledger
                .revoke(*principal, *reason)
                .await
                .context("revoking")?;
            let value = json!({ "principal": principal });
            out.report("revoked", &value, |w| writeln!(w, "revoked {principal}"))?;
            Ok(Exit::Ok)
        }),
        Command::Token { name } => {
            let mut bytes = [0; 32];
            SystemRandomness::new().fill(&mut bytes);
            let token = hex::encode(bytes);
            let digest = Digest(*blake3::hash(token.as_bytes()).as_bytes());
            let who = Enrolment {
                role: Role::Reader,
                key: None,
                token: Some((token, digest)),
                sites: Vec::new(),
                name: name.clone(),
            };
            enrol(global, out, &who, &opening::options(global)?)
        }
    }
}

fn list(global: &Global, out: &mut Out) -> anyhow::Result<Exit> {
    let log = reading::open(&global.dir())?;
    let (mut ring, mut principals) = (KeyRing::default(), Principals::default());
    reading::runtime()?.block_on(async {
        for event in reading::stream(log.as_ref(), StreamId::single(Category::Ledger)).await? {
            ring.learn(event.stored.position, &event.event)?;
        }
        for event in reading::stream(log.as_ref(), StreamId::single(Category::Principal)).await? {
            principals.learn(&event.event);
        }
        anyhow::Ok(())
    })?;
    let mut rows = out.rows("keys");
    for key in ring.keys() {
        let until = key
            .until
            .map_or_else(|| "now".to_owned(), |until| until.0.to_string());
        rows.push(row(
            "ledger",
            &ring.ledger().map(|id| id.to_string()).unwrap_or_default(),
            Some(key.public),
            &format!("positions {} to {until}", key.from.0),
        ))?;
    }
    for key in ring.checkpoint_keys() {
        let last = |until: Position| until.0.saturating_sub(1).to_string();
        let until = key.until.map_or_else(|| "any".to_owned(), last);
        rows.push(row(
            "checkpoints",
            &ring.ledger().map(|id| id.to_string()).unwrap_or_default(),
            Some(key.public),
            &format!("sizes {} to {until}", key.from.0),
        ))?;
    }
    let mut all: Vec<_> = principals.all().collect();
    all.sort_by_key(|principal| (principal.role, principal.from, principal.id));
    for principal in all {
        let from = times::show(principal.from, global.zone());
        let until = principal.until.map_or_else(
            || "now".to_owned(),
            |until| format!("{}, revoked", times::show(until, global.zone())),
        );
        let id = principal.id.to_string();
        let role = words::code(&principal.role);
        let mut row = row(&role, &id, principal.key, &format!("{from} to {until}"));
        let sites: Vec<String> = principal.sites.iter().map(u32::to_string).collect();
        if let Some((_, cell)) = row.iter_mut().find(|(name, _)| *name == "sites") {
            *cell = sites.join(" ").into();
        }
        rows.push(row)?;
    }
    rows.finish()?;
    Ok(Exit::Ok)
}

fn row(role: &str, id: &str, key: Option<PublicKey>, valid: &str) -> Row {
    vec![
        ("role", role.into()),
        ("id", id.into()),
        (
            "public_key",
            key.map_or(Value::Null, |key| key.to_string().into()),
        ),
        ("valid", valid.into()),
        ("sites", Value::Null),
    ]
}

fn generate(path: &Path, out: &mut Out) -> anyhow::Result<Exit> {
    let mut seed = [0; 32];
    SystemRandomness::new().fill(&mut seed);
    let key = SigningKey::from_bytes(&seed);
    let mut open = OpenOptions::new();
    open.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
    let mut file = open
        .open(path)
        .with_context(|| format!("making `{}`", path.display()))?;
    writeln!(file, "{}", hex::encode(key.as_bytes()))?;
    file.sync_all()?;
    let public = PublicKey(key.verifying_key().to_bytes());
    let value = json!({
        "public_key": public,
        "key_id": public.id(),
        "file": path.display().to_string(),
    });
    out.report("key", &value, |w| {
        writeln!(w, "public key  {public}")?;
        writeln!(w, "key id      {}", public.id())?;
        writeln!(w, "secret key  {}", path.display())
    })?;
    Ok(Exit::Ok)
}

struct Enrolment {
    role: Role,
    key: Option<PublicKey>,
    token: Option<(String, Digest)>,
    sites: Vec<u32>,
    name: Option<String>,
}

fn enrol(
    global: &Global,
    out: &mut Out,
    who: &Enrolment,
    options: &Options,
) -> anyhow::Result<Exit> {
    opening::runtime()?.block_on(async {
        let ledger = opening::open_with(global, options).await?;
        let digest = who.token.as_ref().map(|(_, digest)| *digest);
        let (sites, name) = (who.sites.clone(), who.name.clone());
        let principal = ledger
            .enrol(who.role, who.key, digest, sites, name)
            .await
            .context("enrolling")?;
        let token = who.token.as_ref().map(|(token, _)| token.as_str());
        let role = words::code(&who.role);
        let value = json!({ "principal": principal, "role": role, "token": token });
        out.report("enrolled", &value, |w| {
            writeln!(w, "principal  {principal}")?;
            writeln!(w, "role       {role}")?;
            match token {
                Some(token) => writeln!(w, "token      {token}"),
                None => Ok(()),
            }
        })?;
        if token.is_some() && !global.quiet {
            eprintln!("hint: the token is shown this once; the ledger keeps only its digest");
        }
        Ok(Exit::Ok)
    })
}

fn parse_role(text: &str) -> Result<Role, String> {
    let wanted = text.replace('-', "_").to_lowercase();
    let enrollable = |role: &&Role| {
        !matches!(
            role,
            Role::Ledger
                | Role::Citizen
                | Role::Clock
                | Role::Guardian
                | Role::Representative
                | Role::Reader
        )
    };
    let roles = Role::ALL.iter().filter(enrollable);
    roles
        .clone()
        .find(|role| words::code(*role) == wanted)
        .copied()
        .ok_or_else(|| {
            format!(
                "one of {}",
                roles.map(words::code).collect::<Vec<_>>().join(", ")
            )
        })
}
