//! The commands of `affiant`: projects to start from, a development service, a node, and the checkers
//! of services, ledgers and receipts.
//!
//! A library, so that a program of another language can have the same commands: it calls [`run`] with
//! the [`Languages`] that it can serve. This file only routes: each command lives in a module of its
//! own, returns an exit code or a [`Failure`], and prints through `output`. Command lines written for
//! CCF's node, which knows no subcommands, are understood as `affiant node ...`.
#![forbid(unsafe_code)]

mod app;
mod args;
mod completions;
mod elsewhere;
pub mod exit;
#[cfg(test)]
mod fake;
mod host;
mod input;
mod javascript;
mod language;
mod ledger;
mod node;
mod output;
mod project;
mod proposal;
mod receipt;
mod sandbox;
mod signals;
mod verify;

use std::ffi::OsString;

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::args::{Cli, Command, LedgerCommand, ReceiptCommand};

pub use crate::exit::Failure;
pub use crate::language::{AppLoader, Console, Languages, LoadedApp, Manner};
pub use crate::ledger::audit_ledger;

/// The name that usage messages show, however the program was started.
const PROGRAM: &str = "affiant";

/// Runs a command line, program name first, to its end; returns the exit code. Standard output and
/// standard error are the process's; so are, while a service runs, the signals SIGINT, SIGTERM and
/// SIGHUP, on which it stops. At a second interrupt, and at any signal before the service has started,
/// the whole process ends at once.
#[must_use]
pub fn run(arguments: Vec<OsString>, languages: Languages) -> u8 {
    match Cli::try_parse_from(as_node_command(arguments)) {
        Ok(cli) => command(cli.command, languages).unwrap_or_else(|Failure { code, message }| {
            output::complain(format!("affiant: {message}"));
            code
        }),
        Err(error) => usage(&error),
    }
}

fn command(command: Command, languages: Languages) -> Result<u8, Failure> {
    match command {
        Command::Sandbox(arguments) => sandbox::run(&arguments, languages),
        Command::Node(arguments) => node::run(&arguments, languages),
        Command::New(arguments) => project::run(&arguments),
        Command::Bundle(arguments) => languages.bundle(&arguments.arguments),
        Command::Ledger(ledger) => match ledger.command {
            LedgerCommand::Verify(arguments) => ledger::verify(&arguments),
            LedgerCommand::Show(arguments) => ledger::show(&arguments),
            LedgerCommand::Stat(arguments) => ledger::stat(&arguments),
        },
        Command::Receipt(receipt) => match receipt.command {
            ReceiptCommand::Verify(arguments) => receipt::verify(&arguments),
        },
        Command::Verify(arguments) => verify::run(&arguments),
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

/// The program gets its name; `affiant --config FILE`, as launchers of CCF call a node, means
/// `affiant node --config FILE`.
fn as_node_command(mut arguments: Vec<OsString>) -> Vec<OsString> {
    const OPTIONS: [&str; 5] = ["--config", "-c", "--check", "--log-level", "--config-timeout"];
    match arguments.first_mut() {
        Some(program) => *program = PROGRAM.into(),
        None => arguments.push(PROGRAM.into()),
    }
    let first = arguments.get(1).and_then(|argument| argument.to_str()).unwrap_or_default();
    let name = first.split_once('=').map_or(first, |(name, _)| name);
    if OPTIONS.contains(&name) {
        arguments.insert(1, "node".into());
    }
    arguments
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::fs;
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::fake::{Asked, Fake};

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    fn rewritten(line: &str) -> String {
        let arguments = as_node_command(words(line));
        arguments.iter().filter_map(|argument| argument.to_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_ccf_command_line_is_a_node_command() {
        assert_eq!(rewritten("affiant --config a.json"), "affiant node --config a.json");
        assert_eq!(rewritten("affiant --log-level=fail"), "affiant node --log-level=fail");
        assert_eq!(rewritten("affiant ledger stat x"), "affiant ledger stat x");
        assert_eq!(rewritten("affiant"), "affiant");
        assert_eq!(rewritten("/usr/bin/__main__.py new js x"), "affiant new js x");
        assert_eq!(as_node_command(Vec::new()), [PROGRAM]);
    }

    #[test]
    fn the_bundle_command_is_the_languages_own() {
        let fake = Arc::new(Fake::default());
        let bundle = |line: &str| run(words(line), Languages::hosting(fake.clone()));
        assert_eq!(bundle("x bundle dir --output a.tar"), 7);
        assert_eq!(fake.asked(), [Asked::Bundle(words("dir --output a.tar"))]);
        assert_eq!(bundle("x bundle --wheels w dir --help"), 7);
        assert_eq!(fake.asked(), [Asked::Bundle(words("--wheels w dir --help"))]);
        assert_eq!(bundle("x bundle dir"), 9);
        assert_eq!(fake.asked(), [Asked::Bundle(words("dir"))]);
        assert_eq!(bundle("x bundle --help"), exit::SUCCESS);
        assert_eq!(fake.asked(), []);
    }

    #[test]
    fn a_node_loads_the_apps_of_every_language() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("node.json");
        let text = path.to_str().unwrap();
        let configuration = |affiant: serde_json::Value| {
            let configuration = json!({
                "network": {
                    "node_to_node_interface": {"bind_address": "127.0.0.1:0"},
                    "rpc_interfaces": {"main": {"bind_address": "127.0.0.1:0"}},
                },
                "command": {"type": "Start", "start": {"members": []}},
                "ledger": {"directory": "some/ledger"},
                "affiant": affiant,
            });
            fs::write(&path, configuration.to_string()).unwrap();
        };
        let fake = Arc::new(Fake::default());
        let check = |more: &str| {
            let line = format!("x node --check --config {text}{more}");
            run(words(&line), Languages::hosting(fake.clone()))
        };
        configuration(json!({"app_directory": "a.fake", "python_workers": 3}));
        assert_eq!(check(""), exit::SUCCESS);
        let load = |app: &str, packages: &str| Asked::Load(app.into(), 3, packages.into());
        assert_eq!(fake.asked(), [load("a.fake", "some/ledger.packages")]);
        configuration(json!({"python_workers": 3, "packages_directory": "wheels"}));
        assert_eq!(check(" --app b.fake"), exit::SUCCESS);
        assert_eq!(fake.asked(), [load("b.fake", "wheels")]);
        // The others are JavaScript's, as far as they can be loaded.
        assert_eq!((check(" --app none.js"), fake.asked()), (exit::CONFIGURATION, Vec::new()));
    }
}
