//! Files and times as the checkers take them: bounded, `-` for standard input.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::exit::{self, Failure};

/// That a file cannot be read, and why.
pub(crate) fn unreadable(path: &Path, why: &str) -> Failure {
    Failure::new(exit::UNREADABLE, format!("cannot read {}: {why}", path.display()))
}

/// The whole file, or standard input for `-`; refused beyond `bytes_max`.
pub(crate) fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| unreadable(path, &error.to_string());
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        std::io::stdin().take(bytes_max + 1).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        let file = File::open(path).map_err(failed)?;
        file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(failed)?;
    }
    if bytes.len() as u64 > bytes_max {
        return Err(unreadable(path, &format!("it is larger than {bytes_max} bytes")));
    }
    Ok(bytes)
}

/// `now`, or seconds since 1970.
pub(crate) fn parse_time(option: &str, text: &str) -> Result<u64, Failure> {
    if text == "now" {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        return Ok(since.map_or(0, |since| since.as_secs()));
    }
    text.parse().map_err(|_| {
        Failure::new(exit::USAGE, format!("{option} {text}: write now, or seconds since 1970"))
    })
}
