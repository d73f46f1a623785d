//! `affiant completions`: scripts made from the command line's own definition.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::{Cli, ShellName};
use crate::exit;
use crate::output::Output;

pub(crate) fn print(shell: ShellName) -> u8 {
    let shell = match shell {
        ShellName::Bash => Shell::Bash,
        ShellName::Zsh => Shell::Zsh,
        ShellName::Fish => Shell::Fish,
    };
    // Made in memory first: the generator panics when a write fails, as into a closed pipe.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "affiant", &mut script);
    Output::new().raw(&script);
    exit::SUCCESS
}
