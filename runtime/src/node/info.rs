//! What a node says of itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::Value as Json;
use zeroize::Zeroizing;

use super::Node;
use super::quote::quote_info;
use crate::attestation::NodeAttestor;
use crate::error::RuntimeResult;
use crate::tables::{self, NodeRow, QuoteInfo};

/// The states of `/node/state` (reference: surface F.6) that a running node can be in here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// It serves.
    PartOfNetwork,
    /// It has failed or was stopped, and serves what it can without writing.
    Failed,
}

impl NodeState {
    /// CCF's word. CCF has none for a failed node, whose process ends.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PartOfNetwork | Self::Failed => "PartOfNetwork",
        }
    }
}

/// A node's facts. Everything but the counters is fixed while it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeInfo {
    /// Hex SHA-256 of the DER of the node's public key.
    pub node_id: String,
    /// The state, as `/node/state` has it.
    pub state: NodeState,
    /// The service's certificate, PEM.
    pub service_certificate_pem: String,
    /// The node's certificate endorsed by the service, PEM.
    pub node_certificate_pem: String,
    /// The node's self-signed certificate, PEM.
    pub self_signed_certificate_pem: String,
    /// Evidence of the platform.
    pub quote: QuoteInfo,
    /// Interface name to its configuration with real ports.
    pub rpc_interfaces: BTreeMap<String, Json>,
    /// The last entry that was there when the node started; 0 in a new service.
    pub startup_seqno: u64,
    /// The newest committed signature.
    pub last_signed_seqno: u64,
    /// The node is about to stop.
    pub stop_notice: bool,
    /// What seals the node's identity at rest: `snp-derived`, `insecure-file`, `in-memory`.
    pub sealing: &'static str,
}

/// What TLS needs to speak for the node.
pub struct TlsIdentity {
    /// The certificate endorsed by the service, PEM.
    pub node_certificate_pem: String,
    /// The self-signed one, PEM.
    pub self_signed_certificate_pem: String,
    /// The service's certificate, PEM.
    pub service_certificate_pem: String,
    /// The node's private key, PKCS#8 DER.
    pub key_pkcs8: Zeroizing<Vec<u8>>,
}

/// Counters since the node started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeMetrics {
    /// Entries taken in by the core, without signatures.
    pub entries: u64,
    /// Signatures committed.
    pub signatures: u64,
    /// Disk batches synced.
    pub disk_batches: u64,
    /// Bytes written by them.
    pub disk_bytes: u64,
    /// Time they took, in microseconds.
    pub disk_us: u64,
    /// Callers that wait for commit now.
    pub waiters: usize,
}

impl Node {
    /// The node's facts.
    #[must_use]
    pub fn info(&self) -> NodeInfo {
        let facts = &self.identity.facts;
        NodeInfo {
            node_id: self.node_id().to_owned(),
            state: match self.failed() {
                None => NodeState::PartOfNetwork,
                Some(_) => NodeState::Failed,
            },
            service_certificate_pem: facts.service_certificate_pem.clone(),
            node_certificate_pem: facts.node_certificate_pem.clone(),
            self_signed_certificate_pem: facts.node_self_signed_pem.clone(),
            quote: quote_info(&self.evidence),
            rpc_interfaces: self.settings.rpc_interfaces.clone(),
            startup_seqno: self.startup_seqno,
            last_signed_seqno: self.core.shared.last_signed_seqno.load(Ordering::Acquire),
            stop_notice: self.stop_notice.load(Ordering::Acquire),
            sealing: self.settings.sealing.kind(),
        }
    }

    /// Hex SHA-256 of the DER of the node's public key.
    #[must_use]
    pub fn node_id(&self) -> &str {
        self.identity.node_key.id()
    }

    /// The measurement as the node's row has it: hex; of a virtual node, of the text that stands for it.
    #[must_use]
    pub fn code_digest(&self) -> String {
        self.evidence.measurement_hex().unwrap_or_default()
    }

    /// Makes evidence of this node.
    #[must_use]
    pub fn attestor(&self) -> &Arc<NodeAttestor> {
        &self.attestor
    }

    /// What the node was started with.
    #[must_use]
    pub fn settings(&self) -> &super::NodeSettings {
        &self.settings
    }

    /// The node's row, as the service knows it.
    #[must_use]
    pub fn row(&self) -> Option<NodeRow> {
        tables::read_json(&self.snapshot(), &tables::NODE_INFO, self.node_id().as_bytes())
    }

    /// What TLS needs to speak for the node.
    ///
    /// # Errors
    /// The key cannot be serialised.
    pub fn tls_identity(&self) -> RuntimeResult<TlsIdentity> {
        let facts = &self.identity.facts;
        let key = self.node_id().as_bytes();
        let endorsed = tables::read_text(&self.snapshot(), &tables::NODE_CERTS, key)
            .filter(|certificate| self.is_own_certificate(certificate));
        Ok(TlsIdentity {
            node_certificate_pem: endorsed.unwrap_or_else(|| facts.node_certificate_pem.clone()),
            self_signed_certificate_pem: facts.node_self_signed_pem.clone(),
            service_certificate_pem: facts.service_certificate_pem.clone(),
            key_pkcs8: self.identity.node_key.to_pkcs8()?,
        })
    }

    /// Counters since the node started.
    #[must_use]
    pub fn metrics(&self) -> NodeMetrics {
        let counters = &self.core.shared.counters;
        NodeMetrics {
            entries: counters.entries.load(Ordering::Relaxed),
            signatures: counters.signatures.load(Ordering::Relaxed),
            disk_batches: counters.batches.load(Ordering::Relaxed),
            disk_bytes: counters.bytes.load(Ordering::Relaxed),
            disk_us: counters.sync_us.load(Ordering::Relaxed),
            waiters: self.core.shared.waiters.count(),
        }
    }
}
