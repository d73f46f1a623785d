//! What an accepted proposal may ask of the node beside writing governance tables (reference A.9).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use affiant_kv::Tx;

use crate::error::{RuntimeError, RuntimeResult};
use crate::node::Node;

/// Requests of `apply` to the node. Those that concern the state write to `tx` and so happen with
/// it or not at all; the others must wait until it is kept.
///
/// Every call fails with a reason for the proposer where the node cannot do it.
#[allow(clippy::missing_errors_doc, reason = "said for all of them above")]
pub trait GovEffects: Send + Sync {
    /// Starts a new ledger secret after this transaction.
    fn trigger_ledger_rekey(&self, tx: &mut Tx) -> RuntimeResult<()>;
    /// Issues new recovery shares of the ledger secret in force.
    fn trigger_recovery_shares_refresh(&self, tx: &mut Tx) -> RuntimeResult<()>;
    /// Ends the ledger chunk with the next signature.
    fn trigger_ledger_chunk(&self, tx: &mut Tx) -> RuntimeResult<()>;
    /// Takes a snapshot at the next signature.
    fn trigger_snapshot(&self, tx: &mut Tx) -> RuntimeResult<()>;
    /// Opens the service, whose certificate must be `next`; after a recovery `previous` must be the
    /// certificate of the service that was lost. Both are PEM.
    fn transition_service_to_open(
        &self,
        tx: &mut Tx,
        previous: Option<&str>,
        next: &str,
    ) -> RuntimeResult<()>;
    /// The first seqno that is sealed under the ledger secret in force.
    fn latest_ledger_secret_seqno(&self) -> RuntimeResult<u64>;
    /// Endorses the key of a PEM certificate signing request; returns a PEM certificate.
    /// `valid_from` is a moment as text: ISO 8601, or `YYMMDDHHMMSSZ`.
    fn generate_endorsed_certificate(
        &self,
        csr_pem: &str,
        valid_from: &str,
        validity_days: u32,
    ) -> RuntimeResult<String>;
    /// A certificate for the service's own key, as [`Self::generate_endorsed_certificate`].
    fn generate_network_certificate(
        &self,
        valid_from: &str,
        validity_days: u32,
    ) -> RuntimeResult<String>;
}

/// The effects that this node can bring about. One for each attempt at a transaction: what has to
/// wait until the transaction is kept is done by [`NodeEffects::committed`].
pub struct NodeEffects {
    node: Arc<Node>,
    end_chunk: AtomicBool,
}

impl NodeEffects {
    /// Nothing has been asked for yet.
    #[must_use]
    pub fn new(node: Arc<Node>) -> Self {
        Self { node, end_chunk: AtomicBool::new(false) }
    }

    /// The transaction was kept: does what waited for it.
    pub fn committed(&self) {
        if self.end_chunk.swap(false, Ordering::Relaxed) {
            self.node.end_chunk();
        }
    }
}

fn lacking(what: &str) -> RuntimeError {
    RuntimeError::Unsupported { what: what.to_owned() }
}

impl GovEffects for NodeEffects {
    fn trigger_ledger_rekey(&self, _: &mut Tx) -> RuntimeResult<()> {
        Err(lacking("ledger rekey: a node keeps the ledger secret with which its service began"))
    }

    fn trigger_recovery_shares_refresh(&self, tx: &mut Tx) -> RuntimeResult<()> {
        self.node.refresh_recovery_shares(tx)
    }

    fn trigger_ledger_chunk(&self, _: &mut Tx) -> RuntimeResult<()> {
        self.end_chunk.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn trigger_snapshot(&self, _: &mut Tx) -> RuntimeResult<()> {
        Err(lacking("snapshots: a node writes its ledger only"))
    }

    fn transition_service_to_open(
        &self,
        tx: &mut Tx,
        previous: Option<&str>,
        next: &str,
    ) -> RuntimeResult<()> {
        self.node.open_identified_service(tx, previous, next)
    }

    fn latest_ledger_secret_seqno(&self) -> RuntimeResult<u64> {
        self.node.latest_ledger_secret_seqno()
    }

    fn generate_endorsed_certificate(
        &self,
        csr_pem: &str,
        valid_from: &str,
        validity_days: u32,
    ) -> RuntimeResult<String> {
        self.node.endorse(csr_pem, valid_from, validity_days)
    }

    fn generate_network_certificate(
        &self,
        valid_from: &str,
        validity_days: u32,
    ) -> RuntimeResult<String> {
        self.node.renewed_service_certificate(valid_from, validity_days)
    }
}
