//! `affiant`: projects to start from, a development service, a node, and the checkers of
//! ledgers and receipts.
//!
//! This file only routes: each command lives in a module of its own, returns an exit code or a
//! [`Failure`], and prints through [`output`]. Command lines written for CCF's node, which knows no
//! subcommands, are understood as `affiant node ...`.
#![forbid(unsafe_code)]

mod app;
mod args;
mod completions;
mod exit;
mod host;
mod ledger;
mod node;
mod output;
mod project;
mod proposal;
mod receipt;
mod sandbox;
mod signals;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::args::{Cli, Command, LedgerCommand, ReceiptCommand};
use crate::exit::Failure;

fn main() -> ExitCode {
    let arguments = as_node_command(std::env::args_os().collect());
    let code = match Cli::try_parse_from(arguments) {
        Ok(cli) => run(cli.command).unwrap_or_else(|Failure { code, message }| {
            output::complain(format!("affiant: {message}"));
            code
        }),
        Err(error) => usage(&error),
    };
    ExitCode::from(code)
}

fn run(command: Command) -> Result<u8, Failure> {
    match command {
        Command::Sandbox(arguments) => sandbox::run(&arguments),
        Command::Node(arguments) => node::run(&arguments),
        Command::New(arguments) => project::run(&arguments),
        Command::Ledger(ledger) => match ledger.command {
            LedgerCommand::Verify(arguments) => ledger::verify(&arguments),
            LedgerCommand::Show(arguments) => ledger::show(&arguments),
            LedgerCommand::Stat(arguments) => ledger::stat(&arguments),
        },
        Command::Receipt(receipt) => match receipt.command {
            ReceiptCommand::Verify(arguments) => receipt::verify(&arguments),
        },
        Command::Completions(arguments) => Ok(completions::print(arguments.shell)),
    }
}

/// Help and version go to standard output, mistakes to standard error.
fn usage(error: &clap::Error) -> u8 {
    match error.kind() {
        ErrorKind::DisplayVersion => {
            output::Output::new().line(version());
            exit::SUCCESS
        }
        ErrorKind::DisplayHelp => {
            output::Output::new().raw(error.render().to_string().as_bytes());
            exit::SUCCESS
        }
        _ => {
            output::complain(error.render().to_string().trim_end());
            exit::USAGE
        }
    }
}

/// Two lines: the version, and the platform that gives this node its confidentiality.
pub(crate) fn version() -> String {
    let confidential = std::path::Path::new("/dev/sev-guest").exists();
    let platform = if confidential { "SNP" } else { "Virtual" };
    format!("affiant {}\nPlatform: {platform}", env!("CARGO_PKG_VERSION"))
}

/// `affiant --config FILE`, as launchers of CCF call a node, means `affiant node --config FILE`.
fn as_node_command(mut arguments: Vec<OsString>) -> Vec<OsString> {
    const OPTIONS: [&str; 5] = ["--config", "-c", "--check", "--log-level", "--config-timeout"];
    let first = arguments.get(1).and_then(|argument| argument.to_str()).unwrap_or_default();
    let name = first.split_once('=').map_or(first, |(name, _)| name);
    if OPTIONS.contains(&name) {
        arguments.insert(1, "node".into());
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(line: &str) -> String {
        let arguments = line.split(' ').map(OsString::from).collect();
        let arguments = as_node_command(arguments);
        arguments.iter().filter_map(|argument| argument.to_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_ccf_command_line_is_a_node_command() {
        assert_eq!(rewritten("affiant --config a.json"), "affiant node --config a.json");
        assert_eq!(rewritten("affiant --log-level=fail"), "affiant node --log-level=fail");
        assert_eq!(rewritten("affiant ledger stat x"), "affiant ledger stat x");
        assert_eq!(rewritten("affiant"), "affiant");
    }
}
