//! Promise: a transaction reported committed is in the ledger for ever, unchanged.

use std::collections::BTreeMap;

use affiant_proof::{Digest, TxId};

use crate::ledger::LedgerEntry;
use crate::violation::{Checked, Violation};

/// Remembers what was reported committed.
#[derive(Default)]
pub(crate) struct CommittedSurvives {
    /// By seqno: the id and, where known, the digest of the entry.
    committed: BTreeMap<u64, (TxId, Option<Digest>)>,
}

impl CommittedSurvives {
    /// Remembers that `txid`, whose entry has this digest, was reported committed.
    ///
    /// # Errors
    /// Something else was reported committed at that seqno before.
    pub(crate) fn note(&mut self, txid: TxId, digest: Option<Digest>) -> Checked {
        match self.committed.insert(txid.seqno, (txid, digest)) {
            Some((before, _)) if before != txid => Err(violation(format!(
                "{before} was reported committed, and now {txid} is, at the same seqno"
            ))),
            Some((_, Some(before))) if digest.is_some_and(|digest| digest != before) => {
                Err(violation(format!("the committed entry {txid} has changed its digest")))
            }
            _ => Ok(()),
        }
    }

    /// Checks the entries of a ledger, from seqno 1 on.
    ///
    /// # Errors
    /// A committed entry is missing or changed.
    pub(crate) fn check(&self, entries: &[LedgerEntry]) -> Checked {
        for (seqno, (txid, digest)) in &self.committed {
            let Some(entry) = entries.get(*seqno as usize - 1) else {
                let last = entries.len();
                return Err(violation(format!(
                    "{txid} was reported committed; the ledger ends at seqno {last}"
                )));
            };
            if entry.txid != *txid {
                let found = entry.txid;
                return Err(violation(format!(
                    "{txid} was reported committed; {found} stands in its place"
                )));
            }
            if digest.is_some_and(|digest| digest != entry.digest) {
                return Err(violation(format!("the bytes of the committed {txid} have changed")));
            }
        }
        Ok(())
    }
}

fn violation(detail: String) -> Violation {
    Violation::new("committed survives", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::none_invented::tests::entry;

    #[test]
    fn a_missing_replaced_or_changed_commit_is_seen() {
        let entries = [entry(2, 1, b"a"), entry(2, 2, b"b")];
        let mut checker = CommittedSurvives::default();
        assert!(checker.note(entries[0].txid, Some(entries[0].digest)).is_ok());
        assert!(checker.note(entries[1].txid, None).is_ok());
        assert!(checker.check(&entries).is_ok());
        assert!(checker.check(&entries[..1]).is_err());
        assert!(checker.check(&[entries[0].clone(), entry(3, 2, b"b")]).is_err());
        assert!(checker.check(&[entry(2, 1, b"x"), entries[1].clone()]).is_err());
        assert!(checker.note(TxId::new(3, 2), None).is_err());
        assert!(checker.note(entries[0].txid, Some(Digest::of(b"other"))).is_err());
    }
}
