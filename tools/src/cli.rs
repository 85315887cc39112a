//! The command line: every flag, its help and its environment variable.
//!
//! Owns nothing but the words. What a command does stands in the module of its name.

use crate::commands::{account, log, show, verify};
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
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Args, Clone)]
pub struct Global {
    /// The ledger's directory
    #[arg(
        long,
        global = true,
        env = "LEDGER_DIR",
        value_name = "DIR",
        default_value = "ledger"
    )]
    pub dir: PathBuf,
    /// File with the ledger's signing key (default: DIR/secrets)
    #[arg(
        long,
        global = true,
        env = "LEDGER_SIGNING_KEY_FILE",
        value_name = "FILE"
    )]
    pub signing_key_file: Option<PathBuf>,
    /// File with the key-encryption key of the vault (default: DIR/secrets)
    #[arg(long, global = true, env = "LEDGER_KEK_FILE", value_name = "FILE")]
    pub kek_file: Option<PathBuf>,
    /// Output format
    #[arg(
        long,
        global = true,
        env = "LEDGER_FORMAT",
        value_enum,
        default_value = "table"
    )]
    pub format: Format,
    /// Colour of error lines
    #[arg(
        long,
        global = true,
        env = "LEDGER_COLOR",
        value_enum,
        default_value = "auto"
    )]
    pub color: When,
    /// Progress on stderr
    #[arg(
        long,
        global = true,
        env = "LEDGER_PROGRESS",
        value_enum,
        default_value = "auto"
    )]
    pub progress: When,
    /// Print times in Asia/Ho_Chi_Minh instead of UTC
    #[arg(long, global = true, env = "LEDGER_LOCAL")]
    pub local: bool,
    /// Say less on stderr
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more on stderr (twice: everything)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

impl Global {
    /// The zone times are printed in.
    pub const fn zone(&self) -> Zone {
        if self.local { Zone::Local } else { Zone::Utc }
    }
}

/// Every command.
#[derive(Subcommand)]
pub enum Command {
    /// List events
    Log(log::LogArgs),
    /// Show one event: in words, decoded, or as stored
    Show(show::ShowArgs),
    /// One account: its state now or at a past moment, and its history
    Account(account::AccountArgs),
    /// Which services an account may use, and by which event
    Entitlements(account::EntitlementsArgs),
    /// Check the log with nothing but public keys: framing, links, signatures, commitments
    Verify(verify::VerifyArgs),
    /// Shell completions
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}
