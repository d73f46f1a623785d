//! Where `console` and the engine's own lines go: the host's log, or a callback.

use std::sync::Arc;

use affiant::log::{Level, write};

/// Takes one line: its level, its tag (`app` for what the app says, `gov`
/// for what constitutions and ballots say, `js` for what the engine says)
/// and its text. Called on the thread that runs the handler. `console.log` and `console.info` are
/// [`Level::Info`], `console.warn` is [`Level::Fail`], `console.error` is [`Level::Fatal`].
pub type LogSink = Arc<dyn Fn(Level, &'static str, &str) + Send + Sync>;

/// Writes lines to the host's log.
pub(crate) fn host_log() -> LogSink {
    Arc::new(|level, tag, text| write(level, tag, "console", 0, format_args!("{text}")))
}
