//! The one binary, `idledger`: arguments → command → exit code.
//!
//! Owns the way in and out. Every command is a module under `commands`; verification commands use
//! the log and the domain alone, never HTTP.

mod bench;
mod cli;
mod commands;
mod demo;
mod exit;
mod interrupt;
mod output;
mod progress;
mod times;
mod words;

use clap::{CommandFactory, Parser};
use cli::{Cli, Command};
use exit::Exit;
use output::Out;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let (colour, quiet) = (cli.global.color, cli.global.quiet);
    let exit = match run(cli) {
        Ok(exit) => exit,
        Err(error) => {
            let (exit, hint) = exit::classify(&error);
            if exit != Exit::Ok {
                output::print_error(&error, hint.as_deref().filter(|_| !quiet), colour);
            }
            exit
        }
    };
    exit.into()
}

fn run(cli: Cli) -> anyhow::Result<Exit> {
    interrupt::install();
    let Cli { global, command } = cli;
    let mut out = Out::stdout(global.format);
    match command {
        Command::Init(args) => commands::init::run(&global, &args, &mut out),
        Command::Serve(args) => commands::serve::run(&global, &args),
        Command::Demo(args) => commands::demo::run(&global, &args, &mut out),
        Command::Log(args) => commands::log::run(&global, &args, &mut out),
        Command::Show(args) => commands::show::run(&global, &args, &mut out),
        Command::Account(args) => commands::account::run(&global, &args, &mut out),
        Command::Entitlements(args) => commands::account::entitlements(&global, &args, &mut out),
        Command::Stats(args) => commands::stats::run(&global, &args, &mut out),
        Command::Report(args) => commands::report::run(&global, &args, &mut out),
        Command::Verify(args) => commands::verify::run(&global, &args, &mut out),
        Command::Replay(args) => commands::replay::run(&global, &args, &mut out),
        Command::Projections(args) => commands::projections::run(&global, &args, &mut out),
        Command::Export(args) => commands::export::run(&global, &args, &mut out),
        Command::Import(args) => commands::import::run(&global, &args, &mut out),
        Command::Copy(args) => commands::copy::run(&global, &args, &mut out),
        Command::Vault(args) => commands::vault::run(&global, &args, &mut out),
        Command::Registry(args) => commands::registry::run(&global, &args, &mut out),
        Command::Notices(args) => commands::notices::run(&global, &args, &mut out),
        Command::Tree(args) => commands::tree::run(&global, &args, &mut out),
        Command::Witness(args) => commands::witness::run(&global, &args, &mut out),
        Command::Prove(args) => commands::prove::run(&global, &args, &mut out),
        Command::CheckProof(args) => commands::prove::check(&args, &mut out),
        Command::Evidence(args) => commands::evidence::run(&global, &args, &mut out),
        Command::Keys(args) => commands::keys::run(&global, &args, &mut out),
        Command::Law(args) => commands::law::run(&global, &args, &mut out),
        Command::Bench(args) => commands::bench::run(&global, &args, &mut out),
        Command::Doctor(args) => commands::doctor::run(&global, &args, &mut out),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "idledger", &mut text);
            out.raw(&text)?;
            Ok(Exit::Ok)
        }
    }
}
