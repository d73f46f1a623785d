//! The `affiant` binary: the commands of `affiant_cli`, with JavaScript.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::process::ExitCode;

use affiant_cli::{Languages, run};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let languages = Languages::plain(&arguments);
    ExitCode::from(run(arguments, languages))
}
