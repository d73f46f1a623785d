//! Exit codes. Those of `affiant node` are CCF's; those of the checkers are stable for scripts.

/// Done; verified; stopped as asked.
pub(crate) const SUCCESS: u8 = 0;
/// Not verified; could not start; had to stop.
pub(crate) const FAILURE: u8 = 1;
/// The command line is wrong.
pub(crate) const USAGE: u8 = 2;
/// The input could not be read at all, so nothing can be said about it.
pub(crate) const UNREADABLE: u8 = 3;
/// `affiant node`: a PID file exists already.
pub(crate) const PID_FILE_EXISTS: u8 = 103;
/// `affiant node`: the configuration, or what it points at, cannot be used as it stands.
pub(crate) const CONFIGURATION: u8 = 105;
/// `affiant node`: a required argument is missing.
pub(crate) const ARGUMENT_MISSING: u8 = 106;
/// `affiant node`: a file that the configuration names cannot be read.
pub(crate) const FILE_UNREADABLE: u8 = 255;

/// Why a command ends early: what to say on standard error, and the exit code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}
