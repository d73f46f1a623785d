//! Promise: a status goes from unknown to pending to committed or invalid; what is final stays so.
//! A restart may forget what was pending.

use std::collections::BTreeMap;

use affiant_kv::TxStatus;
use affiant_proof::TxId;

use crate::violation::{Checked, Violation};

/// Remembers the status of transactions as they were told.
#[derive(Default)]
pub(crate) struct StatusTransitions {
    told: BTreeMap<TxId, (TxStatus, u64)>,
}

impl StatusTransitions {
    /// In its life number `life` the node says that `txid` has this status.
    ///
    /// # Errors
    /// That does not follow from what was told before.
    pub(crate) fn note(&mut self, txid: TxId, status: TxStatus, life: u64) -> Checked {
        let before = self.told.insert(txid, (status, life));
        let Some((before, before_life)) = before else { return Ok(()) };
        let restarted = before_life != life;
        let legal = match (before, status) {
            _ if before == status => true,
            (TxStatus::Unknown, _) => true,
            (TxStatus::Pending, TxStatus::Committed | TxStatus::Invalid) => true,
            (TxStatus::Pending, TxStatus::Unknown) => restarted,
            _ => false,
        };
        if legal {
            return Ok(());
        }
        let detail = format!(
            "{txid} was {} in life {before_life} and is {} in life {life}",
            before.as_str(),
            status.as_str()
        );
        Err(Violation::new("status transitions", detail))
    }

    /// The last status told of each transaction.
    pub(crate) fn told(&self) -> impl Iterator<Item = (TxId, TxStatus)> {
        self.told.iter().map(|(txid, (status, _))| (*txid, *status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_final_status_never_changes_and_pending_is_forgotten_only_by_a_restart() {
        use TxStatus::{Committed, Invalid, Pending, Unknown};
        let run = |steps: &[(TxStatus, u64)]| {
            let mut checker = StatusTransitions::default();
            steps
                .iter()
                .try_for_each(|(status, life)| checker.note(TxId::new(2, 5), *status, *life))
        };
        assert!(run(&[(Unknown, 1), (Pending, 1), (Committed, 1), (Committed, 2)]).is_ok());
        assert!(run(&[(Pending, 1), (Unknown, 2), (Invalid, 2), (Invalid, 3)]).is_ok());
        assert!(run(&[(Pending, 1), (Unknown, 1)]).is_err());
        assert!(run(&[(Committed, 1), (Invalid, 1)]).is_err());
        assert!(run(&[(Committed, 1), (Pending, 2)]).is_err());
        assert!(run(&[(Invalid, 1), (Unknown, 2)]).is_err());
    }
}
