//! The command line: every command, its options and its help. Nothing here acts.

mod check;
mod serve;
mod verify;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use check::{
    LedgerArgs, LedgerCommand, LedgerShowArgs, LedgerStatArgs, LedgerVerifyArgs, ReceiptArgs,
    ReceiptCommand, ReceiptVerifyArgs,
};
pub(crate) use serve::{NodeArgs, SandboxArgs};
pub(crate) use verify::VerifyArgs;

const ABOUT: &str = "Runs ledger applications and checks what they did.";

const EXAMPLES: &str = "\
Examples:
  affiant new ts my-app                       a TypeScript project to start from; or python, js
  affiant sandbox --app examples/logging      a service on https://127.0.0.1:8000 in a second
  affiant node --config node.json             a node, from CCF's node configuration
  affiant ledger verify ledger/               check every entry, root and signature of a ledger
  affiant receipt verify receipt.json --service-cert service_cert.pem
  affiant verify https://127.0.0.1:8000 --policy policy.json

`affiant COMMAND --help` explains a command.";

/// `affiant`.
#[derive(Debug, Parser)]
#[command(
    name = "affiant",
    version,
    about = ABOUT,
    after_help = EXAMPLES,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a project to start from.
    New(NewArgs),
    /// Start a one-node service with an app, for development.
    Sandbox(Box<SandboxArgs>),
    /// Start a node from a CCF node configuration.
    Node(NodeArgs),
    /// Make a bundle of a Python app, with the packages that it needs.
    Bundle(BundleArgs),
    /// Check and read ledger directories.
    Ledger(LedgerArgs),
    /// Check receipts.
    Receipt(ReceiptArgs),
    /// Check that a service is what its evidence says and a policy accepts.
    Verify(Box<VerifyArgs>),
    /// Print a shell completion script.
    Completions(CompletionsArgs),
}

const NEW_HELP: &str = "\
The project has three endpoints, unit tests and a README with the next commands. js and ts need Node.js
and npm, python needs Python 3.11 and pip. A ts project is built first, the others are served as they lie
there.

Examples:
  affiant new python my-app
  affiant new ts my-app
  affiant new js .

Exit codes: 0 made, 1 the directory is not empty or cannot be written, 2 wrong usage.";

/// `affiant new`.
#[derive(Debug, Args)]
#[command(after_help = NEW_HELP)]
pub(crate) struct NewArgs {
    /// The language
    pub(crate) kind: ProjectKind,
    /// Where to make it: a new or empty directory
    pub(crate) dir: PathBuf,
}

/// Languages with a template.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ProjectKind {
    /// JavaScript.
    Js,
    /// TypeScript.
    Ts,
    /// Python.
    Python,
}

const BUNDLE_HELP: &str = "\
DIR is a Python app as `affiant sandbox --app` takes it. The bundle holds its modules, its endpoints and
the wheels of its packages, each by its hash: what members vote on, and what a node serves.

Options, which follow DIR or precede it:
  --output FILE          where to write it [default: NAME.affiant]
  --requirements FILE    the packages that the app needs [default: its requirements.txt, else the
                         dependencies of its pyproject.toml]
  --python-version 3.11  the Python that the packages are for, which must be installed
  --wheels DIR           take the packages from this directory, not from pip's index
  --update               choose the packages anew, and write their lock anew

It runs in Python: in the environment that is active ($VIRTUAL_ENV), else in the python3 of the path.

Examples:
  affiant bundle . --output app.affiant
  affiant bundle . --requirements requirements.txt --wheels wheels/

Exit codes: 0 made, 1 it cannot be made, 2 wrong usage.";

/// `affiant bundle`. What follows is read by the language that makes the bundle.
#[derive(Debug, Args)]
#[command(after_help = BUNDLE_HELP, override_usage = "affiant bundle DIR [OPTIONS]")]
pub(crate) struct BundleArgs {
    #[arg(
        value_name = "DIR",
        hide = true,
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(crate) arguments: Vec<OsString>,
}

const COMPLETIONS_HELP: &str = "\
Examples:
  affiant completions bash > /etc/bash_completion.d/affiant
  affiant completions zsh > \"${fpath[1]}/_affiant\"
  affiant completions fish > ~/.config/fish/completions/affiant.fish";

/// `affiant completions`.
#[derive(Debug, Args)]
#[command(after_help = COMPLETIONS_HELP)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: ShellName,
}

/// Shells with a completion script.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ShellName {
    /// GNU Bash.
    Bash,
    /// Z shell.
    Zsh,
    /// Fish.
    Fish,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
