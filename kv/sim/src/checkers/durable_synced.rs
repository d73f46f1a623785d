//! Promise: what is reported durable is in bytes that any power cut would leave.

use affiant_proof::TxId;

use crate::ledger::{self, FileBytes};
use crate::violation::{Checked, Violation};

/// Checks that the entries up to `seqno`, reported durable now, lie in `durable`, what is certain to be
/// left by a power cut now, and that `last`, the newest submitted transaction among them, is one.
///
/// # Errors
/// They do not.
pub(crate) fn check_durable_synced(
    seqno: u64,
    last: Option<TxId>,
    durable: &[FileBytes<'_>],
) -> Checked {
    let entries = ledger::raw_entries(durable);
    if (entries.len() as u64) < seqno {
        return Err(violation(format!(
            "{seqno} was reported; a power cut may leave no more than {} entries",
            entries.len()
        )));
    }
    let Some(last) = last else { return Ok(()) };
    match entries.get(last.seqno as usize - 1) {
        Some((found, _)) if *found == last => Ok(()),
        found => Err(violation(format!("{last} was reported; the disk has {found:?}"))),
    }
}

fn violation(detail: String) -> Violation {
    Violation::new("durable means synced", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn durability_beyond_the_synced_bytes_is_seen() {
        let small = fixture::small_ledger();
        let files = small.files();
        let entries = ledger::raw_entries(&files);
        let count = entries.len() as u64;
        let last = entries.last().map(|(txid, _)| *txid);
        assert_eq!(check_durable_synced(count, last, &files), Ok(()));
        assert!(check_durable_synced(count + 1, last, &files).is_err());
        let other = last.map(|last| TxId::new(last.view + 1, last.seqno));
        assert!(check_durable_synced(count, other, &files).is_err());
    }
}
