//! Promise: no two different entries are ever sealed under one id and written: the id is the
//! initialisation vector, and a host may keep every byte it once saw.

use std::collections::BTreeMap;

use affiant_kv::Sealer;
use affiant_proof::{Digest, TxId};

use crate::ledger::{FileBytes, raw_entries, read_one};
use crate::violation::{Checked, Violation};

/// Remembers every entry that was ever in a file.
#[derive(Default)]
pub(crate) struct SealOnce {
    seen: BTreeMap<TxId, Digest>,
}

impl SealOnce {
    /// Looks at the authentic entries in the ledger's files as they are now; a torn one was never
    /// sealed so.
    ///
    /// # Errors
    /// An id seen before has other bytes now.
    pub(crate) fn note(&mut self, files: &[FileBytes<'_>], sealer: &dyn Sealer) -> Checked {
        raw_entries(files)
            .into_iter()
            .filter(|(_, bytes)| read_one(bytes, sealer).is_ok())
            .try_for_each(|(txid, bytes)| self.note_entry(txid, Digest::of(bytes)))
    }

    fn note_entry(&mut self, txid: TxId, digest: Digest) -> Checked {
        match self.seen.insert(txid, digest) {
            Some(before) if before != digest => {
                let detail = format!("two entries were sealed and written as {txid}");
                Err(Violation::new("sealed once", detail))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_entry_under_one_id_is_seen() {
        let mut checker = SealOnce::default();
        let txid = TxId::new(2, 1);
        assert!(checker.note_entry(txid, Digest::of(b"one")).is_ok());
        assert!(checker.note_entry(txid, Digest::of(b"one")).is_ok());
        assert!(checker.note_entry(TxId::new(3, 1), Digest::of(b"two")).is_ok());
        assert!(checker.note_entry(txid, Digest::of(b"two")).is_err());
    }
}
