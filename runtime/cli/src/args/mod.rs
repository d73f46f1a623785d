//! The command line: every command, its options and its help. Nothing here acts.

mod check;
mod serve;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use check::{
    LedgerArgs, LedgerCommand, LedgerShowArgs, LedgerStatArgs, LedgerVerifyArgs, ReceiptArgs,
    ReceiptCommand, ReceiptVerifyArgs,
};
pub(crate) use serve::{NodeArgs, SandboxArgs};

const ABOUT: &str = "Runs ledger applications and checks what they did.";

const EXAMPLES: &str = "\
Examples:
  affiant sandbox --app examples/logging      a service on https://127.0.0.1:8000 in a second
  affiant node --config node.json             a node, from CCF's node configuration
  affiant ledger verify ledger/               check every entry, root and signature of a ledger
  affiant receipt verify receipt.json --service-cert service_cert.pem

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
    /// Start a one-node service with an app, for development.
    Sandbox(Box<SandboxArgs>),
    /// Start a node from a CCF node configuration.
    Node(NodeArgs),
    /// Check and read ledger directories.
    Ledger(LedgerArgs),
    /// Check receipts.
    Receipt(ReceiptArgs),
    /// Print a shell completion script.
    Completions(CompletionsArgs),
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
