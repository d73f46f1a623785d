//! Promise: commit is reported only for bytes that any power cut would leave; the commit point is a
//! signature entry, and it signs exactly what lies before it.

use affiant_kv::{Sealer, SignedRoot};

use crate::ledger::{self, FileBytes};
use crate::violation::{Checked, Violation};

/// Checks that `root`, reported now as the commit point, lies in `durable`: what is certain to be
/// left by a power cut now.
///
/// # Errors
/// It does not, or it is not a signature with that root.
pub(crate) fn check_commit_synced(
    root: &SignedRoot,
    durable: &[FileBytes<'_>],
    sealer: &dyn Sealer,
) -> Checked {
    let entries = ledger::raw_entries(durable);
    let txid = root.txid;
    let Some((found, _)) = entries.get(txid.seqno as usize - 1) else {
        return Err(violation(format!(
            "commit of {txid} was reported; a power cut may leave no more than {} entries",
            entries.len()
        )));
    };
    if *found != txid {
        return Err(violation(format!("commit of {txid} was reported; the disk has {found}")));
    }
    let entry = ledger::read_one(entries[txid.seqno as usize - 1].1, sealer)
        .map_err(|why| violation(format!("the committed {txid} cannot be read: {why}")))?;
    match entry.signature() {
        Ok(Some((signed, ..))) if signed == root.root => Ok(()),
        Ok(Some(_)) => Err(violation(format!("the signature entry {txid} has another root"))),
        Ok(None) => Err(violation(format!("the commit point {txid} is not a signature"))),
        Err(why) => Err(violation(format!("the commit point {txid}: {why}"))),
    }
}

fn violation(detail: String) -> Violation {
    Violation::new("commit on synced bytes", detail)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use affiant_proof::{Digest, TxId};

    use super::*;
    use crate::fixture;
    use crate::keys::SimSealer;

    #[test]
    fn a_commit_beyond_the_synced_bytes_or_off_a_signature_is_seen() {
        let sealer = SimSealer::new();
        let small = fixture::small_ledger();
        let (files, roots) = (small.files(), &small.roots);
        let last = roots.last().unwrap();
        assert_eq!(check_commit_synced(last, &files, &*sealer), Ok(()));
        let mut cut = files.clone();
        let whole = cut.last().unwrap().1;
        cut.last_mut().unwrap().1 = &whole[..whole.len() - 1];
        assert!(check_commit_synced(last, &cut, &*sealer).is_err(), "its last byte is missing");
        let elsewhere = SignedRoot { txid: TxId::new(2, 1), ..(**last).clone() };
        assert!(check_commit_synced(&elsewhere, &files, &*sealer).is_err(), "not a signature");
        let other = SignedRoot { root: Digest::of(b"other"), ..(**last).clone() };
        assert!(check_commit_synced(&other, &files, &*sealer).is_err(), "another root");
    }
}
