//! Where `console` and the engine's own lines go: a callback of the host.

use std::sync::Arc;

/// Severity of a line; the names are CCF's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// `console.log`, `console.info`.
    Info,
    /// `console.warn`.
    Fail,
    /// `console.error`.
    Fatal,
}

impl LogLevel {
    /// The level as lines show it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Fail => "fail",
            Self::Fatal => "fatal",
        }
    }
}

/// Takes one line: its level, its tag (`app` for what the app says, `js` for what the engine says)
/// and its text. Called on the thread that runs the handler.
pub type LogSink = Arc<dyn Fn(LogLevel, &'static str, &str) + Send + Sync>;

/// Writes lines to standard error.
pub(crate) fn standard_error() -> LogSink {
    Arc::new(|level, tag, text| eprintln!("[{:<5}] [{tag}] {text}", level.as_str()))
}
