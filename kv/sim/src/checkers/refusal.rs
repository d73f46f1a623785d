//! Promise: damage is refused by name and offset, and a refusal changes nothing on the disk.

use affiant_kv::KvError;

use crate::violation::{Checked, Violation};

/// Checks how a start was refused after one byte of `file` at `offset` had been changed.
///
/// # Errors
/// The refusal is not one of damage, names another file, lies beyond the damage, or the disk is
/// not as it was.
pub(crate) fn check_refusal(
    error: &KvError,
    file: &str,
    offset: usize,
    before: &[(String, Vec<u8>)],
    after: &[(String, Vec<u8>)],
) -> Checked {
    let violation = |detail: String| Err(Violation::new("named refusal", detail));
    let KvError::Damaged { file: named, offset: at, .. } = error else {
        return violation(format!("{file} at {offset} is damaged; the refusal says: {error}"));
    };
    if named != file {
        return violation(format!("{file} at {offset} is damaged; the refusal names {named}"));
    }
    if *at > offset as u64 {
        return violation(format!("{file} is damaged at {offset}; the refusal says at {at}"));
    }
    if before != after {
        return violation(format!("{file} is damaged; the refused start has changed the disk"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nameless_misplaced_or_destructive_refusal_is_seen() {
        let damaged = |file: &str, offset| KvError::Damaged {
            file: file.to_owned(),
            offset,
            reason: "the tag does not match".to_owned(),
        };
        let files = [("ledger/ledger_1".to_owned(), vec![1, 2, 3])];
        let cut = [("ledger/ledger_1".to_owned(), vec![1, 2])];
        let check = |error: &KvError, after: &[(String, Vec<u8>)]| {
            check_refusal(error, "ledger/ledger_1", 2, &files, after)
        };
        assert!(check(&damaged("ledger/ledger_1", 1), &files).is_ok());
        assert!(check(&damaged("ledger/ledger_1", 3), &files).is_err());
        assert!(check(&damaged("ledger/ledger_9", 1), &files).is_err());
        assert!(check(&KvError::Consensus("no".to_owned()), &files).is_err());
        assert!(check(&damaged("ledger/ledger_1", 1), &cut).is_err());
    }
}
