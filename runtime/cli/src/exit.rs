//! Exit codes. Those of `affiant node` are CCF's; those of the checkers are stable for scripts.

/// Done; verified; stopped as asked.
pub const SUCCESS: u8 = 0;
/// Not verified; could not start; had to stop.
pub const FAILURE: u8 = 1;
/// The command line is wrong.
pub const USAGE: u8 = 2;
/// The input could not be read at all, so nothing can be said about it.
pub const UNREADABLE: u8 = 3;
/// `affiant node`: a PID file exists already.
pub const PID_FILE_EXISTS: u8 = 103;
/// `affiant node`: the configuration, or what it points at, cannot be used as it stands.
pub const CONFIGURATION: u8 = 105;
/// `affiant node`: a required argument is missing.
pub const ARGUMENT_MISSING: u8 = 106;
/// `affiant node`: a file that the configuration names cannot be read.
pub const FILE_UNREADABLE: u8 = 255;

/// Why a command ends early: what to say on standard error, and the exit code.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// What happened, where, and what to do.
    pub message: String,
}

impl Failure {
    /// A failure with its exit code and what to say.
    pub fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}
