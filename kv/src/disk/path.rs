//! The check of paths that every disk shares.

use super::{DiskError, DiskResult};

/// Longest path in bytes.
const PATH_BYTES_MAX: usize = 1_024;

/// Refuses a path that could leave the root or that has two spellings.
pub(super) fn check(operation: &'static str, path: &str) -> DiskResult<()> {
    let refuse = |reason: &str| Err(DiskError::new(operation, path, reason));
    if path.is_empty() {
        return Ok(());
    }
    if path.len() > PATH_BYTES_MAX {
        return refuse("the path is longer than 1024 bytes");
    }
    if path.contains(['\0', '\\']) {
        return refuse("the path has a zero byte or a backslash");
    }
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return refuse("the path must be relative, without empty, . or .. components");
    }
    Ok(())
}

/// As [`check`], and refuses the root.
pub(super) fn check_file(operation: &'static str, path: &str) -> DiskResult<()> {
    check(operation, path)?;
    if path.is_empty() {
        return Err(DiskError::new(operation, path, "the root is not a file"));
    }
    Ok(())
}

/// The directory that holds `path`; the empty path is the root.
pub(super) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_relative_paths_pass() {
        for good in ["", "a", "a/b.committed", "ledger/ledger_1-2.committed", "..a", "a.."] {
            assert!(check("test", good).is_ok(), "{good}");
        }
        for bad in ["/", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a\0b", "a\\b"] {
            assert!(check("test", bad).is_err(), "{bad}");
        }
        assert!(check_file("test", "").is_err());
        assert_eq!((parent("a/b/c"), parent("a")), ("a/b", ""));
    }
}
