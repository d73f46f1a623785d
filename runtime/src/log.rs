//! The log: one record a line on stdout, as CCF's operators and their tools know it.
//!
//! `<ISO time>Z <thread> [<level padded to 5>] [<tag>] <file>:<line> | <message>`, or a JSON object.
//! A library is silent: nothing is written before [`init`]. Records never hold private data or keys;
//! the macros take what is printed, so there is nothing to configure there.
//!
//! ```
//! use affiant::log::{Format, Level, enabled, init};
//!
//! init(Level::Info, Format::Text);
//! affiant::log_info!("app", "The host is ready");
//! assert!(enabled(Level::Fail) && !enabled(Level::Debug));
//! ```

use core::fmt;
use std::io::Write as _;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use serde_json::json;
use time::OffsetDateTime;
use time::macros::format_description;

/// How much is logged: a level and all above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Everything.
    Trace,
    /// What developers want.
    Debug,
    /// What operators want.
    Info,
    /// What went wrong and was survived.
    Fail,
    /// What ends the node.
    Fatal,
}

impl Level {
    /// The word that CCF uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Fail => "fail",
            Self::Fatal => "fatal",
        }
    }

    /// Reads CCF's word in any case, or its number from 0 (trace) to 4 (fatal).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Trace, Self::Debug, Self::Info, Self::Fail, Self::Fatal]
            .into_iter()
            .enumerate()
            .find(|(number, level)| {
                text.eq_ignore_ascii_case(level.as_str()) || text == number.to_string()
            })
            .map(|(_, level)| level)
    }
}

/// How a record is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
}

const OFF: u8 = u8::MAX;
static LEVEL: AtomicU8 = AtomicU8::new(OFF);
static JSON: AtomicU8 = AtomicU8::new(0);
static THREADS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static THREAD: u64 = THREADS.fetch_add(1, Ordering::Relaxed);
}

/// Starts logging to stdout, for the whole process; later calls change level and format.
pub fn init(level: Level, format: Format) {
    JSON.store(u8::from(format == Format::Json), Ordering::Relaxed);
    LEVEL.store(level as u8, Ordering::Relaxed);
}

/// Whether records of `level` are written.
#[must_use]
pub fn enabled(level: Level) -> bool {
    let threshold = LEVEL.load(Ordering::Relaxed);
    threshold != OFF && level as u8 >= threshold
}

/// Writes a record; use the macros, which know file and line.
pub fn write(level: Level, tag: &str, file: &str, line: u32, message: fmt::Arguments<'_>) {
    if !enabled(level) {
        return;
    }
    let thread = THREAD.with(|number| *number);
    let record = if JSON.load(Ordering::Relaxed) == 1 {
        render_json(level, tag, file, line, thread, OffsetDateTime::now_utc(), message)
    } else {
        render_text(level, tag, file, line, thread, OffsetDateTime::now_utc(), message)
    };
    // A log that cannot be written is not a reason to stop.
    let _ = std::io::stdout().lock().write_all(record.as_bytes());
}

fn moment(at: OffsetDateTime) -> String {
    const SHAPE: &[time::format_description::BorrowedFormatItem<'_>] =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");
    at.format(SHAPE).unwrap_or_default()
}

fn render_text(
    level: Level,
    tag: &str,
    file: &str,
    line: u32,
    thread: u64,
    at: OffsetDateTime,
    message: fmt::Arguments<'_>,
) -> String {
    let text = message.to_string();
    let mut record = format!("{} {thread:<3} [{:<5}] ", moment(at), level.as_str());
    if !tag.is_empty() {
        record.push_str(&format!("[{tag}] "));
    }
    record.push_str(&format!("{file}:{line} | "));
    // A record is one line, whatever an error's text holds.
    for character in text.chars() {
        match character {
            '\n' => record.push_str("\\n"),
            '\r' => record.push_str("\\r"),
            other => record.push(other),
        }
    }
    record.push('\n');
    record
}

fn render_json(
    level: Level,
    tag: &str,
    file: &str,
    line: u32,
    thread: u64,
    at: OffsetDateTime,
    message: fmt::Arguments<'_>,
) -> String {
    let mut record = json!({
        "h_ts": moment(at),
        "thread_id": thread.to_string(),
        "level": level.as_str(),
        "tag": tag,
        "file": file,
        "number": line.to_string(),
        "msg": message.to_string(),
    })
    .to_string();
    record.push('\n');
    record
}

/// Logs at level info: `log_info!("tag", "text {}", value)`.
///
/// ```
/// affiant::log_info!("app", "The host is ready: {}", 7);
/// ```
#[macro_export]
macro_rules! log_info {
    ($tag:expr, $($message:tt)+) => {
        $crate::log::write(
            $crate::log::Level::Info, $tag, file!(), line!(), format_args!($($message)+))
    };
}

/// Logs at level fail.
///
/// ```
/// affiant::log_fail!("app", "The rates could not be fetched: {}", 7);
/// ```
#[macro_export]
macro_rules! log_fail {
    ($tag:expr, $($message:tt)+) => {
        $crate::log::write(
            $crate::log::Level::Fail, $tag, file!(), line!(), format_args!($($message)+))
    };
}

/// Logs at level fatal.
///
/// ```
/// affiant::log_fatal!("app", "The host gives up: {}", 7);
/// ```
#[macro_export]
macro_rules! log_fatal {
    ($tag:expr, $($message:tt)+) => {
        $crate::log::write(
            $crate::log::Level::Fatal, $tag, file!(), line!(), format_args!($($message)+))
    };
}

/// Logs at level debug.
///
/// ```
/// affiant::log_debug!("app", "A rate was fetched: {}", 7);
/// ```
#[macro_export]
macro_rules! log_debug {
    ($tag:expr, $($message:tt)+) => {
        if $crate::log::enabled($crate::log::Level::Debug) {
            $crate::log::write(
                $crate::log::Level::Debug, $tag, file!(), line!(), format_args!($($message)+))
        }
    };
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn records_have_the_launchers_shape() {
        let at = OffsetDateTime::from_unix_timestamp(1_763_755_856).unwrap();
        let text =
            render_text(Level::Info, "node", "src/a.rs", 7, 3, at, format_args!("two\nlines"));
        assert_eq!(
            text,
            "2025-11-21T20:10:56.000000Z 3   [info ] [node] src/a.rs:7 | two\\nlines\n"
        );
        let text = render_text(Level::Fatal, "", "src/a.rs", 7, 3, at, format_args!("x"));
        assert!(text.contains(" [fatal] src/a.rs:7 | x"));
        let json = render_json(Level::Fail, "js", "f", 1, 0, at, format_args!("\"quoted\""));
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["msg"], "\"quoted\"");
        assert_eq!(value["level"], "fail");
    }

    #[test]
    fn levels_are_words_or_numbers() {
        assert_eq!(Level::parse("INFO"), Some(Level::Info));
        assert_eq!(Level::parse("4"), Some(Level::Fatal));
        assert_eq!(Level::parse("loud"), None);
        assert!(!enabled(Level::Fatal), "a library is silent until it is told otherwise");
    }
}
