//! `idledger witness`: a witness for other people's logs. It needs no ledger.
//!
//! Its directory holds `witness.key` (secret), `verifier.key` (public: what its cosignatures are checked
//! with) and what it cosigned last for each log.

use super::{opening, serve};
use crate::cli::Global;
use crate::exit::{Exit, Stop};
use crate::output::Out;
use anyhow::Context;
use clap::Args;
use core::net::SocketAddr;
use ed25519_dalek::SigningKey;
use ledger::disk::RealDisk;
use ledger::secrets::{self, KeySource};
use ledger::transparency::witness::Witness;
use ledger::wiring::{SystemClock, SystemRandomness};
use serde_json::json;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tlog::note::{Algorithm, Signer, VerifierKey};
use tokio::net::TcpListener;

const SECRET_FILE: &str = "witness.key";
const VERIFIER_FILE: &str = "verifier.key";
/// Most that is read of a file with keys, in bytes.
const KEYS_BYTES_MAX: u64 = 1 << 20;

/// `idledger witness`
#[derive(Args)]
pub struct WitnessArgs {
    /// The witness's directory: its key and what it cosigned; never restore it from a copy
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// Make the directory and a key, print the verifier key, and end
    #[arg(long, requires = "name")]
    init: bool,
    /// Name of the key, such as `witness.example.org/1`: an address without a scheme
    #[arg(long, value_name = "NAME", requires = "init")]
    name: Option<String>,
    /// Verifier key of a log to cosign for (repeat for several; `idledger tree keys` shows a ledger's)
    #[arg(long = "log", value_name = "KEY")]
    log_keys: Vec<String>,
    /// File with such keys, one a line (`#`: a comment)
    #[arg(long, value_name = "FILE")]
    logs: Option<PathBuf>,
    /// Where to listen; TLS and the outside belong to a proxy in front
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8790")]
    listen: SocketAddr,
    /// Logs as JSON
    #[arg(long)]
    log_json: bool,
}

/// Runs it.
pub fn run(global: &Global, args: &WitnessArgs, out: &mut Out) -> anyhow::Result<Exit> {
    if let (true, Some(name)) = (args.init, &args.name) {
        return init(&args.state, name, out);
    }
    serve::logs(global, args.log_json);
    let logs = logs(args)?;
    let signer = signer(&args.state)?;
    let (disk, clock) = (Arc::new(RealDisk), Arc::new(SystemClock));
    let witness = Arc::new(Witness::open(disk, &args.state, signer, logs, clock)?);
    opening::runtime()?.block_on(async {
        let listener = TcpListener::bind(args.listen)
            .await
            .with_context(|| format!("listening on {}", args.listen))?;
        let address = listener.local_addr().context("asking for the address")?;
        if !global.quiet {
            for (origin, size) in witness.sizes() {
                eprintln!("witness for {origin}: {size} entries cosigned");
            }
            eprintln!("listening on http://{address} (Ctrl-C ends)");
        }
        let served = api::witness::serve(listener, witness, serve::asked_to_stop()).await;
        served.context("serving")?;
        Ok(Exit::Ok)
    })
}

fn init(dir: &Path, name: &str, out: &mut Out) -> anyhow::Result<Exit> {
    // The name is checked before anything is made.
    let signer = |key: SigningKey| {
        let signer = Signer::new(name, Algorithm::Cosignature, key);
        signer.map_err(|error| Stop::new(Exit::Usage, format!("`--name`: {error}")))
    };
    signer(SigningKey::from_bytes(&[1; 32]))?;
    std::fs::create_dir_all(dir).context("making the witness's directory")?;
    let secret = dir.join(SECRET_FILE);
    let key = secrets::generate_file(&secret, &SystemRandomness::new())?;
    let verifier = signer(SigningKey::from_bytes(&key.0))?.verifier().to_text();
    let mut file = std::fs::File::create(dir.join(VERIFIER_FILE))
        .and_then(|mut file| writeln!(file, "{verifier}").map(|()| file))
        .context("writing the verifier key")?;
    file.flush()
        .and_then(|()| file.sync_all())
        .context("writing the verifier key")?;
    let value = json!({ "verifier_key": verifier, "secret_key": secret.display().to_string() });
    out.report("witness", &value, |w| {
        writeln!(w, "verifier key  {verifier}")?;
        writeln!(w, "secret key    {}", secret.display())
    })?;
    Ok(Exit::Ok)
}

/// The witness's own key, under the name it was made with.
fn signer(dir: &Path) -> anyhow::Result<Signer> {
    let secret = dir.join(SECRET_FILE);
    if !secret.exists() {
        let message = format!("there is no witness's key in `{}`", dir.display());
        return Err(Stop::new(Exit::Key, message)
            .hint("`--init --name NAME` makes one")
            .into());
    }
    let key = SigningKey::from_bytes(&KeySource::File(secret).load()?.0);
    let text = read(&dir.join(VERIFIER_FILE)).context("reading the verifier key")?;
    let stated = VerifierKey::parse(text.trim())
        .map_err(|error| Stop::new(Exit::Key, format!("`{VERIFIER_FILE}`: {error}")))?;
    let signer = Signer::new(stated.name(), Algorithm::Cosignature, key)?;
    if *signer.verifier() != stated {
        let message = format!("`{VERIFIER_FILE}` is not that of `{SECRET_FILE}`");
        return Err(Stop::new(Exit::Key, message).into());
    }
    Ok(signer)
}

fn logs(args: &WitnessArgs) -> anyhow::Result<Vec<VerifierKey>> {
    let file = args.logs.as_deref().map(read).transpose();
    let file = file.context("reading the logs' keys")?.unwrap_or_default();
    let lines = file.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let texts = args.log_keys.iter().map(String::as_str).chain(lines);
    let keys = texts.map(|text| {
        let key = VerifierKey::parse(text);
        key.map_err(|error| Stop::new(Exit::Usage, format!("`{text}`: {error}")))
    });
    let keys: Vec<_> = keys.collect::<Result<_, _>>()?;
    if keys.is_empty() {
        return Err(Stop::new(Exit::Usage, "no log is named")
            .hint("`--log KEY`, or `--logs FILE`")
            .into());
    }
    Ok(keys)
}

fn read(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    file.take(KEYS_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}
