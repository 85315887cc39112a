//! The command line: every flag, its help and its environment variable.
//!
//! Owns nothing but the words. What a command does stands in the module of its name.

use crate::commands::stores::StorePlace;
use crate::commands::{
    account, bench, copy, demo, doctor, evidence, export, import, init, keys, law, log, notices,
    projections, prove, registry, replay, report, serve, show, stats, tree, vault, verify, witness,
};
use crate::exit::EXIT_CODES;
use crate::output::{Format, When};
use crate::times::Zone;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// An event-sourced, signed, verifiable ledger of electronic-identification accounts.
#[derive(Parser)]
#[command(name = "idledger", version, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten, next_help_heading = "Everywhere")]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Args, Clone)]
pub struct Global {
    /// The ledger's directory (default: `ledger`; of the demo: `demo-ledger`)
    #[arg(
        long = "dir",
        global = true,
        env = "LEDGER_DIR",
        hide_env_values = true,
        value_name = "DIR"
    )]
    pub dir_named: Option<PathBuf>,
    /// File with the ledger's signing key (default: DIR/secrets)
    #[arg(
        long,
        global = true,
        env = "LEDGER_SIGNING_KEY_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub signing_key_file: Option<PathBuf>,
    /// File with the key-encryption key of the vault (default: DIR/secrets)
    #[arg(
        long,
        global = true,
        env = "LEDGER_KEK_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub kek_file: Option<PathBuf>,
    /// File with the key that signs checkpoints (default: DIR/secrets)
    #[arg(
        long,
        global = true,
        env = "LEDGER_CHECKPOINT_KEY_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub checkpoint_key_file: Option<PathBuf>,
    /// The checkpoint lock, which no backup restores with the data: a directory (default: in the user's
    /// state directory), or for servers that share an event server a database, never the vault's:
    /// `postgres://USER@HOST/DATABASE` (password: `--checkpoint-lock-password-file`)
    #[arg(
        long,
        global = true,
        env = "LEDGER_CHECKPOINT_LOCK",
        hide_env_values = true,
        value_name = "DIR|URL"
    )]
    pub checkpoint_lock: Option<PathBuf>,
    /// File with the password of the checkpoint lock's user
    #[arg(
        long,
        global = true,
        env = "LEDGER_CHECKPOINT_LOCK_PASSWORD_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub checkpoint_lock_password_file: Option<PathBuf>,
    /// PEM file of who signed the certificates of the checkpoint lock's hosts
    #[arg(
        long,
        global = true,
        env = "LEDGER_CHECKPOINT_LOCK_CA_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub checkpoint_lock_ca_file: Option<PathBuf>,
    /// Where the events are: `segments:DIR` or an event server, `esdb://HOST:PORT` (default: DIR)
    #[arg(
        long,
        global = true,
        env = "LEDGER_STORE",
        hide_env_values = true,
        value_name = "STORE"
    )]
    pub store: Option<StorePlace>,
    /// File with `user:password` for the event server
    #[arg(
        long,
        global = true,
        env = "LEDGER_STORE_CREDENTIALS_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub store_credentials_file: Option<PathBuf>,
    /// Database of a vault that several servers share, instead of DIR/vault:
    /// `postgres://USER@HOST/DATABASE` (password: `--vault-password-file`)
    #[arg(
        long,
        global = true,
        env = "LEDGER_VAULT",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub vault: Option<String>,
    /// File with the password of the shared vault's user
    #[arg(
        long,
        global = true,
        env = "LEDGER_VAULT_PASSWORD_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub vault_password_file: Option<PathBuf>,
    /// PEM file of who signed the certificates of the shared vault's hosts
    #[arg(
        long,
        global = true,
        env = "LEDGER_VAULT_CA_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub vault_ca_file: Option<PathBuf>,
    /// Output format
    #[arg(
        long,
        global = true,
        env = "LEDGER_FORMAT",
        hide_env_values = true,
        value_enum,
        default_value = "table"
    )]
    pub format: Format,
    /// Colour of error lines
    #[arg(
        long,
        global = true,
        env = "LEDGER_COLOR",
        hide_env_values = true,
        value_enum,
        default_value = "auto"
    )]
    pub color: When,
    /// Progress on stderr
    #[arg(
        long,
        global = true,
        env = "LEDGER_PROGRESS",
        hide_env_values = true,
        value_enum,
        default_value = "auto"
    )]
    pub progress: When,
    /// Print times in Asia/Ho_Chi_Minh instead of UTC
    #[arg(long, global = true, env = "LEDGER_LOCAL", hide_env_values = true)]
    pub local: bool,
    /// Say less on stderr
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more on stderr (twice: everything)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

impl Global {
    /// The ledger's directory.
    pub fn dir(&self) -> PathBuf {
        self.dir_named
            .clone()
            .unwrap_or_else(|| PathBuf::from("ledger"))
    }

    /// Whether what is recorded may be sealed: not what is forgotten with the process.
    pub const fn seals(&self) -> bool {
        !matches!(self.store, Some(StorePlace::Memory(_)))
    }

    /// What this node keeps of an event server's log: numbers and the stream index.
    pub fn node_dir(&self) -> PathBuf {
        self.dir().join("node")
    }

    /// The zone times are printed in.
    pub const fn zone(&self) -> Zone {
        if self.local { Zone::Local } else { Zone::Utc }
    }
}

/// Every command.
#[derive(Subcommand)]
pub enum Command {
    /// Make an empty ledger with fresh keys, and the law that ships
    Init(init::InitArgs),
    /// Serve the HTTP API
    Serve(serve::ServeArgs),
    /// Take a synthetic city through the real thing, verify it, and serve it on loopback
    Demo(demo::DemoArgs),
    /// List events
    Log(log::LogArgs),
    /// Show one event: in words, decoded, or as stored
    Show(show::ShowArgs),
    /// One account: its state now or at a past moment, and its history
    Account(account::AccountArgs),
    /// Which services an account may use, and by which event
    Entitlements(account::EntitlementsArgs),
    /// Statistics by area, level, activation and day
    Stats(stats::StatsArgs),
    /// Reports: how good linked data are, and a month
    Report(report::ReportArgs),
    /// Check the log with nothing but public keys: framing, links, signatures, commitments
    Verify(verify::VerifyArgs),
    /// Rebuild read models up to a position or a time
    Replay(replay::ReplayArgs),
    /// The read models: status, rebuild, digest
    Projections(projections::ProjectionsArgs),
    /// Write events out as JSON lines, CSV or an archive that verifies on its own
    Export(export::ExportArgs),
    /// Make a new directory from an archive; or bring in accounts that exist elsewhere
    Import(import::ImportArgs),
    /// Take all events from one store into another, verified on the way
    Copy(copy::CopyArgs),
    /// The vault of keys: move it to where several servers share it
    Vault(vault::VaultArgs),
    /// The embedded registries: people, foreigners
    Registry(registry::RegistryArgs),
    /// What holders were told, by which channel, and what became of it
    Notices(notices::NoticesArgs),
    /// The transparency log: seal, checkpoint, keys, a static mirror
    Tree(tree::TreeArgs),
    /// Witness other people's logs: cosign what continues what was cosigned before, refuse forks
    Witness(witness::WitnessArgs),
    /// Make a proof from the ledger's directory: of an event, an account, or that the log only grew
    Prove(prove::ProveArgs),
    /// Check a proof with public keys alone: no ledger, no server
    CheckProof(prove::CheckArgs),
    /// Reads of a card's chip: verify one, load the trust list
    Evidence(evidence::EvidenceArgs),
    /// Keys and principals: list, generate, enrol, revoke, tokens
    Keys(keys::KeysArgs),
    /// The law: policy, catalogue and tables by version; propose and approve new ones
    Law(law::LawArgs),
    /// Measure speed and size, each figure beside its limit
    Bench(bench::BenchArgs),
    /// Look for what could go wrong: disk, clock, keys, log
    Doctor(doctor::DoctorArgs),
    /// Shell completions
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}
