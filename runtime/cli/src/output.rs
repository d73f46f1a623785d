//! Standard output that outlives its reader: once the other end of the pipe is gone, lines are
//! dropped, so that `affiant ... | head` neither panics nor changes an exit code.

use std::io::{self, BufWriter, Stdout, Write};

/// Buffered standard output. It is not locked in between: a node's log goes there too.
pub(crate) struct Output {
    writer: BufWriter<Stdout>,
    closed: bool,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self { writer: BufWriter::new(io::stdout()), closed: false }
    }

    /// Whether nobody reads any more; long producers stop.
    pub(crate) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, text: impl AsRef<str>) {
        self.raw(text.as_ref().as_bytes());
        self.raw(b"\n");
    }

    /// Writes bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        if !self.closed && self.writer.write_all(bytes).is_err() {
            self.closed = true;
        }
    }

    /// Hands everything to the reader; needed before a long wait.
    pub(crate) fn flush(&mut self) {
        if !self.closed && self.writer.flush().is_err() {
            self.closed = true;
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Writes a line to standard error, whether or not anybody reads it.
pub(crate) fn complain(text: impl AsRef<str>) {
    let mut stderr = io::stderr().lock();
    // Nothing sensible can be done when the error stream itself is gone.
    let _ = writeln!(stderr, "{}", text.as_ref());
}

/// `1 entry`, `2 entries`, with thousands separated.
pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `17 B`, `3.2 MiB`.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if number < 1024 {
        return format!("{number} B");
    }
    // Precision beyond one decimal is not shown, so the rounding of large numbers is harmless.
    let mut size = number as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_named() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(count(1, "entry", "entries"), "1 entry");
        assert_eq!(count(20_000, "entry", "entries"), "20,000 entries");
    }

    #[test]
    fn sizes_take_the_unit_that_fits() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1024), "1.0 KiB");
        assert_eq!(bytes(5 * 1024 * 1024), "5.0 MiB");
        assert_eq!(bytes(u64::MAX), "16777216.0 TiB");
    }
}
