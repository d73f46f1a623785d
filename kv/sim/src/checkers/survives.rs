//! Promise: a transaction reported committed, or durable, is in the ledger for ever, unchanged.

use std::collections::BTreeMap;

use affiant_proof::{Digest, TxId};

use crate::ledger::LedgerEntry;
use crate::violation::{Checked, Violation};

/// Remembers what was reported.
pub(crate) struct Survives {
    /// What it was reported to be.
    as_what: &'static str,
    /// By seqno: the id and, where known, the digest of the entry.
    reported: BTreeMap<u64, (TxId, Option<Digest>)>,
}

impl Survives {
    /// Nothing was reported yet to be `as_what`.
    pub(crate) fn new(as_what: &'static str) -> Self {
        Self { as_what, reported: BTreeMap::new() }
    }

    /// Remembers that `txid`, whose entry has this digest, was reported.
    ///
    /// # Errors
    /// Something else was reported at that seqno before.
    pub(crate) fn note(&mut self, txid: TxId, digest: Option<Digest>) -> Checked {
        match self.reported.insert(txid.seqno, (txid, digest)) {
            Some((before, _)) if before != txid => {
                Err(self.violation(format!("{before} was, and now {txid} is, at the same seqno")))
            }
            Some((_, Some(before))) if digest.is_some_and(|digest| digest != before) => {
                Err(self.violation(format!("the entry {txid} has changed its digest")))
            }
            _ => Ok(()),
        }
    }

    /// The last seqno reported; 0 if there is none.
    pub(crate) fn last(&self) -> u64 {
        self.reported.last_key_value().map_or(0, |(seqno, _)| *seqno)
    }

    /// Checks the entries of a ledger, from seqno 1 on.
    ///
    /// # Errors
    /// A reported entry is missing or changed.
    pub(crate) fn check(&self, entries: &[LedgerEntry]) -> Checked {
        for (seqno, (txid, digest)) in &self.reported {
            let Some(entry) = entries.get(*seqno as usize - 1) else {
                let last = entries.len();
                return Err(self.violation(format!("{txid}; the ledger ends at seqno {last}")));
            };
            if entry.txid != *txid {
                let found = entry.txid;
                return Err(self.violation(format!("{txid}; {found} stands in its place")));
            }
            if digest.is_some_and(|digest| digest != entry.digest) {
                return Err(self.violation(format!("{txid}; its bytes have changed")));
            }
        }
        Ok(())
    }

    fn violation(&self, detail: String) -> Violation {
        Violation::new("what was reported survives", format!("{}: {detail}", self.as_what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::none_invented::tests::entry;

    #[test]
    fn a_missing_replaced_or_changed_entry_is_seen() {
        let entries = [entry(2, 1, b"a"), entry(2, 2, b"b")];
        let mut checker = Survives::new("committed");
        assert!(checker.note(entries[0].txid, Some(entries[0].digest)).is_ok());
        assert!(checker.note(entries[1].txid, None).is_ok());
        assert!(checker.check(&entries).is_ok());
        assert_eq!(checker.last(), 2);
        assert!(checker.check(&entries[..1]).is_err());
        assert!(checker.check(&[entries[0].clone(), entry(3, 2, b"b")]).is_err());
        assert!(checker.check(&[entry(2, 1, b"x"), entries[1].clone()]).is_err());
        assert!(checker.note(TxId::new(3, 2), None).is_err());
        assert!(checker.note(entries[0].txid, Some(Digest::of(b"other"))).is_err());
    }
}
