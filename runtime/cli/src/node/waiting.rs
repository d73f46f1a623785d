//! `--config-timeout`: the configuration may be missing or half written when the node starts.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// Between two attempts.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);
/// Bound on the size of a configuration, in bytes.
const CONFIG_BYTES_MAX: u64 = 16 << 20;

/// Reads `path` until it parses as JSON or `timeout` has passed; then says why it does not.
pub(crate) fn read_config(path: &Path, timeout: Duration) -> Result<String, String> {
    let start = Instant::now();
    loop {
        match attempt(path) {
            Ok(text) => return Ok(text),
            Err(why) if start.elapsed() >= timeout => {
                return Err(format!("{}: {why}", path.display()));
            }
            Err(_) => thread::sleep(RETRY_INTERVAL.min(timeout.saturating_sub(start.elapsed()))),
        }
    }
}

fn attempt(path: &Path) -> Result<String, String> {
    let size = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > CONFIG_BYTES_MAX {
        return Err(format!("{size} bytes; a configuration has at most {CONFIG_BYTES_MAX}"));
    }
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(format!("not JSON: {error}")),
    }
}

/// A time as CCF writes it: `100ms`, `10s`, `30min`, `1h`, `50us`.
pub(crate) fn parse_time(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let microseconds = match unit {
        "us" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "min" => 60_000_000,
        "h" => 3_600_000_000,
        _ => return None,
    };
    Some(Duration::from_micros(number.checked_mul(microseconds)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn times_have_a_unit() {
        assert_eq!(parse_time("10s"), Some(Duration::from_secs(10)));
        assert_eq!(parse_time("0s"), Some(Duration::ZERO));
        assert_eq!(parse_time("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse_time("30min"), Some(Duration::from_secs(1800)));
        for wrong in ["", "10", "s", "-1s", "1d", "99999999999999h"] {
            assert_eq!(parse_time(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_configuration_that_appears_late_is_read() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("node.json");
        fs::write(&path, "{\"half\":").unwrap();
        let writer = thread::spawn({
            let path = path.clone();
            move || {
                thread::sleep(Duration::from_millis(150));
                fs::write(path, "{\"whole\": 1}").unwrap();
            }
        });
        assert_eq!(read_config(&path, Duration::from_secs(60)).unwrap(), "{\"whole\": 1}");
        writer.join().unwrap();
    }

    #[test]
    fn the_reason_is_given_when_time_is_up() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("node.json");
        assert!(read_config(&path, Duration::ZERO).unwrap_err().contains("No such file"));
        fs::write(&path, "{\"half\":").unwrap();
        assert!(read_config(&path, Duration::ZERO).unwrap_err().contains("not JSON"));
    }
}
