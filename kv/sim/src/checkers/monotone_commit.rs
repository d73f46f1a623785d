//! Promise: the commit point moves forward only, within a run and across restarts, and views with it.

use affiant_proof::TxId;

use crate::violation::{Checked, Violation};

/// Follows the commit point.
#[derive(Default)]
pub(crate) struct MonotoneCommit {
    last: TxId,
}

impl MonotoneCommit {
    /// A new commit point was reported.
    ///
    /// # Errors
    /// It is not above the last one.
    pub(crate) fn note(&mut self, txid: TxId) -> Checked {
        if txid.seqno <= self.last.seqno || txid.view < self.last.view {
            let last = self.last;
            let detail = format!("commit of {txid} was reported after that of {last}");
            return Err(Violation::new("monotone commit", detail));
        }
        self.last = txid;
        Ok(())
    }

    /// The process started anew and found entries up to `recovered`; it may report again what
    /// lies above the commit point that was known.
    ///
    /// # Errors
    /// The ledger ends below the last commit point.
    pub(crate) fn restarted(&self, recovered: TxId) -> Checked {
        if recovered.seqno >= self.last.seqno && recovered.view >= self.last.view {
            return Ok(());
        }
        let last = self.last;
        let detail =
            format!("{last} was committed; after a restart the ledger ends at {recovered}");
        Err(Violation::new("monotone commit", detail))
    }

    /// The last commit point.
    #[must_use]
    pub(crate) fn last(&self) -> TxId {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_back_are_seen() {
        let mut checker = MonotoneCommit::default();
        assert!(checker.note(TxId::new(2, 2)).is_ok());
        assert!(checker.note(TxId::new(3, 9)).is_ok());
        assert!(checker.note(TxId::new(3, 9)).is_err(), "twice");
        assert!(checker.note(TxId::new(3, 8)).is_err(), "back");
        assert!(checker.note(TxId::new(2, 10)).is_err(), "back in view");
        assert!(checker.restarted(TxId::new(3, 9)).is_ok());
        assert!(checker.restarted(TxId::new(3, 8)).is_err());
        assert_eq!(checker.last(), TxId::new(3, 9));
    }
}
