//! Promise: the ledger holds nothing but what was submitted, and the node's own signatures.

use std::collections::BTreeMap;

use affiant_proof::{Digest, TxId};

use crate::ledger::{LedgerEntry, Write, is_signature_map};
use crate::violation::{Checked, Violation};

/// One transaction that the store took and numbered.
#[derive(Clone, Debug)]
pub(crate) struct Submitted {
    /// Its claims digest.
    pub claims: Digest,
    /// Its writes, sorted.
    pub writes: Vec<Write>,
    /// The digest of its entry, once sealed.
    pub digest: Option<Digest>,
}

/// Everything that was ever submitted.
#[derive(Default)]
pub(crate) struct Submissions {
    by_txid: BTreeMap<TxId, Submitted>,
}

impl Submissions {
    /// Remembers that the store numbered `submitted` as `txid`.
    ///
    /// # Errors
    /// That number was given before.
    pub(crate) fn note(&mut self, txid: TxId, mut submitted: Submitted) -> Checked {
        submitted.writes.sort();
        match self.by_txid.insert(txid, submitted) {
            None => Ok(()),
            Some(_) => Err(violation(format!("{txid} was given to two transactions"))),
        }
    }

    /// Remembers the digest of the sealed entry of `txid`.
    pub(crate) fn note_digest(&mut self, txid: TxId, digest: Digest) {
        if let Some(submitted) = self.by_txid.get_mut(&txid) {
            submitted.digest = Some(digest);
        }
    }

    /// What was submitted as `txid`.
    #[must_use]
    pub(crate) fn get(&self, txid: TxId) -> Option<&Submitted> {
        self.by_txid.get(&txid)
    }

    /// Everything, in order of seqno and view.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (TxId, &Submitted)> {
        self.by_txid.iter().map(|(txid, submitted)| (*txid, submitted))
    }

    /// Checks the entries of a ledger.
    ///
    /// # Errors
    /// An entry is neither what was submitted under its id nor a signature of the node.
    pub(crate) fn check(&self, entries: &[LedgerEntry]) -> Checked {
        entries.iter().try_for_each(|entry| self.check_entry(entry))
    }

    fn check_entry(&self, entry: &LedgerEntry) -> Checked {
        let txid = entry.txid;
        let Some(submitted) = self.by_txid.get(&txid) else {
            let own = entry.writes.iter().all(|((map, _), _)| is_signature_map(map));
            return match entry.signature() {
                Ok(Some(_)) if own && entry.claims == Digest::ZERO => Ok(()),
                Ok(_) => Err(violation(format!("{txid} was never submitted"))),
                Err(why) => Err(violation(format!("{txid} is no signature: {why}"))),
            };
        };
        if submitted.writes != entry.writes {
            return Err(violation(format!(
                "{txid} was submitted with {} writes and has {} others",
                submitted.writes.len(),
                entry.writes.len()
            )));
        }
        if submitted.claims != entry.claims {
            return Err(violation(format!("{txid} has other claims than it was submitted with")));
        }
        if submitted.digest.is_some_and(|digest| digest != entry.digest) {
            return Err(violation(format!("{txid} has other bytes than were sealed")));
        }
        Ok(())
    }
}

fn violation(detail: String) -> Violation {
    Violation::new("none invented", detail)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An entry that writes `value` to one place.
    pub(in crate::checkers) fn entry(view: u64, seqno: u64, value: &[u8]) -> LedgerEntry {
        let place = ("records".to_owned(), b"key".to_vec());
        LedgerEntry {
            txid: TxId::new(view, seqno),
            digest: Digest::of(value),
            claims: Digest::ZERO,
            leaf: Digest::of(&[value, b"leaf"].concat()),
            writes: vec![(place, Some(value.to_vec()))],
        }
    }

    fn submitted(entry: &LedgerEntry) -> Submitted {
        Submitted { claims: entry.claims, writes: entry.writes.clone(), digest: None }
    }

    #[test]
    fn strangers_and_changed_entries_are_seen() {
        let good = entry(2, 1, b"a");
        let mut checker = Submissions::default();
        assert!(checker.note(good.txid, submitted(&good)).is_ok());
        assert!(checker.check(core::slice::from_ref(&good)).is_ok());
        assert!(checker.check(&[entry(2, 2, b"a")]).is_err(), "never submitted");
        assert!(checker.check(&[entry(2, 1, b"b")]).is_err(), "other writes");
        let claims = LedgerEntry { claims: Digest::of(b"claims"), ..good.clone() };
        assert!(checker.check(&[claims]).is_err(), "other claims");
        checker.note_digest(good.txid, Digest::of(b"sealed otherwise"));
        assert!(checker.check(core::slice::from_ref(&good)).is_err(), "other bytes");
        assert!(checker.note(good.txid, submitted(&good)).is_err(), "numbered twice");
    }
}
