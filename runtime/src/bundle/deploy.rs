//! Putting a bundle into the tables of a running node, where no members vote on it.

use affiant_kv::CommitOutcome;
use affiant_proof::TxId;

use super::AppBundle;
use crate::core::CommitNotice;
use crate::error::{RuntimeError, RuntimeResult};
use crate::limits::DEPLOY_ATTEMPTS_MAX;
use crate::log_info;
use crate::node::Node;

impl AppBundle {
    /// Writes the app to the tables, as an accepted proposal would, and waits for commit. Returns the
    /// transaction that did; none if the tables hold this app already.
    ///
    /// # Errors
    /// The metadata is not valid, the tables cannot be read, or the node has failed.
    pub fn deploy(&self, node: &Node) -> RuntimeResult<Option<TxId>> {
        let failed = |reason: String| RuntimeError::Host { reason };
        for _ in 0..DEPLOY_ATTEMPTS_MAX {
            let stored = Self::read(&node.snapshot()).map_err(|error| failed(error.to_string()))?;
            if stored.is_some_and(|stored| self.is_same_app(&stored)) {
                return Ok(None);
            }
            let mut tx = node.begin();
            self.store(&mut tx).map_err(|error| failed(error.to_string()))?;
            let txid = match node.commit(tx) {
                CommitOutcome::Sequenced(txid) => txid,
                CommitOutcome::Poisoned(reason) => return Err(RuntimeError::Stopped { reason }),
                _ => continue,
            };
            return match node.wait_committed_blocking(txid) {
                CommitNotice::Failed(reason) => Err(RuntimeError::Stopped { reason }),
                _ => {
                    log_info!("app", "App deployed by transaction {txid}");
                    Ok(Some(txid))
                }
            };
        }
        Err(failed("the app could not be deployed: conflicts".to_owned()))
    }
}
