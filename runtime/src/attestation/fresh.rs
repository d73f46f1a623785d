//! Evidence that is made while the node runs, for its apps and for whoever asks the node itself. Each
//! is bound to a [`Statement`] that says for whom it was made, so that an app cannot have any made that
//! passes for the node's own.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use affiant_attest::{Affiant, Attestation, CcfQuote, Statement};
use affiant_proof::Digest;
use parking_lot::Mutex;
use serde_json::Value as Json;

use super::budget::Budget;
use crate::limits::{
    EVIDENCE_APPS_BURST, EVIDENCE_APPS_INTERVAL_MS, EVIDENCE_KEPT_BYTES_MAX,
    EVIDENCE_KEPT_COUNT_MAX, EVIDENCE_KEPT_MS, EVIDENCE_NODE_BURST, EVIDENCE_NODE_INTERVAL_MS,
};
use crate::platform::{Attestor, PlatformError};

/// Evidence that was made a moment ago.
struct Kept {
    statement: Digest,
    made: Instant,
    bytes: usize,
    evidence: Arc<Json>,
}

/// Makes evidence of a node.
pub struct NodeAttestor {
    attestor: Arc<dyn Attestor>,
    node_public_key: Vec<u8>,
    service_identity: Vec<u8>,
    kept: Mutex<VecDeque<Kept>>,
    apps: Budget,
    node: Budget,
}

impl NodeAttestor {
    /// For the node with that key, of the service with that key: both DER SubjectPublicKeyInfo.
    #[must_use]
    pub fn new(
        attestor: Arc<dyn Attestor>,
        node_public_key: &[u8],
        service_identity: &[u8],
    ) -> Self {
        let budget = |interval_ms, burst| Budget::new(Duration::from_millis(interval_ms), burst);
        Self {
            attestor,
            node_public_key: node_public_key.to_vec(),
            service_identity: service_identity.to_vec(),
            kept: Mutex::default(),
            apps: budget(EVIDENCE_APPS_INTERVAL_MS, EVIDENCE_APPS_BURST),
            node: budget(EVIDENCE_NODE_INTERVAL_MS, EVIDENCE_NODE_BURST),
        }
    }

    /// Evidence as CCF's nodes have it in the ledger, bound to the node's public key alone.
    ///
    /// # Errors
    /// What the platform says.
    pub fn of_node_key(&self) -> Result<Attestation, PlatformError> {
        self.attestor.attest(&self.node_public_key)
    }

    /// Fresh evidence for an app, bound to its bytes: what `ccf.getAttestation` returns. For a moment
    /// the same bytes have the same evidence.
    ///
    /// # Errors
    /// As [`PlatformError`] says.
    pub fn for_app(&self, bound: &[u8]) -> Result<Arc<Json>, PlatformError> {
        self.fresh(Affiant::App, bound, &self.apps, Instant::now())
    }

    /// Fresh evidence of the node itself, bound to the nonce of whoever asks.
    ///
    /// # Errors
    /// As [`PlatformError`] says.
    pub fn for_nonce(&self, nonce: &[u8]) -> Result<Arc<Json>, PlatformError> {
        self.fresh(Affiant::Node, nonce, &self.node, Instant::now())
    }

    fn fresh(
        &self,
        affiant: Affiant,
        bound: &[u8],
        budget: &Budget,
        now: Instant,
    ) -> Result<Arc<Json>, PlatformError> {
        let statement = Statement {
            affiant,
            node_public_key: self.node_public_key.clone(),
            service_identity: self.service_identity.clone(),
            bound: bound.to_vec(),
        };
        let statement = statement.to_bytes()?;
        let digest = Digest::of(&statement);
        if let Some(known) = self.known(digest, now) {
            return Ok(known);
        }
        budget.take(now).map_err(|wait| PlatformError::Busy {
            retry_after_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1),
        })?;
        // Nothing is locked while the firmware works.
        let made = self.attestor.attest(&statement)?;
        let evidence = Arc::new(on_the_wire(made, statement));
        self.keep(digest, &evidence, now);
        Ok(evidence)
    }

    fn known(&self, statement: Digest, now: Instant) -> Option<Arc<Json>> {
        let kept = Duration::from_millis(EVIDENCE_KEPT_MS);
        let mut known = self.kept.lock();
        while known.front().is_some_and(|first| now.saturating_duration_since(first.made) > kept) {
            known.pop_front();
        }
        let found = known.iter().find(|one| one.statement == statement)?;
        Some(found.evidence.clone())
    }

    fn keep(&self, statement: Digest, evidence: &Arc<Json>, made: Instant) {
        let texts = evidence.as_object().into_iter().flatten();
        let bytes = texts.map(|(_, value)| value.as_str().map_or(0, str::len)).sum();
        let mut known = self.kept.lock();
        known.push_back(Kept { statement, made, bytes, evidence: evidence.clone() });
        let mut total: usize = known.iter().map(|one| one.bytes).sum();
        while known.len() > EVIDENCE_KEPT_COUNT_MAX || total > EVIDENCE_KEPT_BYTES_MAX {
            let Some(first) = known.pop_front() else { break };
            total -= first.bytes;
        }
    }
}

/// Evidence as JSON: CCF's fields, and besides them the text of the container policy and the bytes
/// that it is bound to; all in base64.
fn on_the_wire(mut evidence: Attestation, statement: Vec<u8>) -> Json {
    *evidence.bound_mut() = Some(statement);
    let mut wire = CcfQuote { node_id: None, attestation: evidence }.to_value();
    // It is in the report, and nobody is to take it from elsewhere.
    wire.as_object_mut().map(|fields| fields.remove("measurement"));
    wire
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use core::sync::atomic::{AtomicUsize, Ordering};

    use affiant_attest::limits::STATEMENT_BOUND_BYTES_MAX;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::platform::VirtualAttestor;

    /// Counts.
    #[derive(Default)]
    struct Counted(AtomicUsize);

    impl Attestor for Counted {
        fn format(&self) -> &'static str {
            VirtualAttestor.format()
        }

        fn provider(&self) -> &'static str {
            "counted"
        }

        fn attest(&self, bound: &[u8]) -> Result<Attestation, PlatformError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            VirtualAttestor.attest(bound)
        }
    }

    fn bound_of(evidence: &Json) -> Statement {
        let bytes = STANDARD.decode(evidence["bound"].as_str().unwrap()).unwrap();
        let raw = STANDARD.decode(evidence["raw"].as_str().unwrap()).unwrap();
        let raw: Json = serde_json::from_slice(&raw).unwrap();
        assert_eq!(raw["report_data"], STANDARD.encode(Digest::of(&bytes).0));
        Statement::parse(&bytes).unwrap()
    }

    #[test]
    fn evidence_is_bound_to_whom_it_is_for() {
        let attestor = NodeAttestor::new(Arc::new(VirtualAttestor), b"node", b"service");
        let app = attestor.for_app(b"data").unwrap();
        let expected = Statement {
            affiant: Affiant::App,
            node_public_key: b"node".to_vec(),
            service_identity: b"service".to_vec(),
            bound: b"data".to_vec(),
        };
        assert_eq!(bound_of(&app), expected);
        assert_eq!(app["format"], "Insecure_Virtual");
        let node = attestor.for_nonce(b"data").unwrap();
        assert_eq!(bound_of(&node), Statement { affiant: Affiant::Node, ..expected });
        assert_ne!(app["raw"], node["raw"]);
    }

    #[test]
    fn equal_bytes_have_equal_evidence_for_a_moment() {
        let counted = Arc::new(Counted::default());
        let attestor = NodeAttestor::new(counted.clone(), b"node", b"service");
        let start = Instant::now();
        let ask = |bound: &[u8], at_ms| {
            let at = start + Duration::from_millis(at_ms);
            attestor.fresh(Affiant::App, bound, &attestor.apps, at).unwrap();
            counted.0.load(Ordering::Relaxed)
        };
        assert_eq!(ask(b"a", 0), 1);
        assert_eq!(ask(b"a", EVIDENCE_KEPT_MS), 1);
        assert_eq!(ask(b"b", EVIDENCE_KEPT_MS), 2);
        assert_eq!(ask(b"a", EVIDENCE_KEPT_MS + 1), 3);
        assert_eq!(ask(b"b", EVIDENCE_KEPT_MS + 1), 3);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let attestor = NodeAttestor::new(Arc::new(VirtualAttestor), b"node", b"service");
        let unlimited = Budget::new(Duration::ZERO, 1);
        let ask = |bound: &[u8]| {
            attestor.fresh(Affiant::App, bound, &unlimited, Instant::now()).unwrap();
            let kept = attestor.kept.lock();
            assert!(kept.iter().map(|one| one.bytes).sum::<usize>() <= EVIDENCE_KEPT_BYTES_MAX);
            kept.len()
        };
        for number in 0..2 * EVIDENCE_KEPT_COUNT_MAX {
            assert!(ask(&number.to_le_bytes()) <= EVIDENCE_KEPT_COUNT_MAX);
        }
        let mut large = vec![0; STATEMENT_BOUND_BYTES_MAX];
        let counts: Vec<usize> = (0..60_u8)
            .map(|number| {
                large[0] = number;
                ask(&large)
            })
            .collect();
        assert!(counts.last().unwrap() < &EVIDENCE_KEPT_COUNT_MAX, "{counts:?}");
    }

    #[test]
    fn too_much_and_too_often_are_refused() {
        let counted = Arc::new(Counted::default());
        let attestor = NodeAttestor::new(counted.clone(), b"node", b"service");
        let limit = STATEMENT_BOUND_BYTES_MAX;
        attestor.for_app(&vec![0; limit]).unwrap();
        let refused = attestor.for_app(&vec![0; limit + 1]).unwrap_err().to_string();
        assert_eq!(refused, "bound bytes of a statement is 65537, over the limit of 65536");
        let now = Instant::now();
        let ask =
            |number: u32| attestor.fresh(Affiant::Node, &number.to_le_bytes(), &attestor.node, now);
        for number in 0..EVIDENCE_NODE_BURST {
            ask(number).unwrap();
        }
        let refused = ask(EVIDENCE_NODE_BURST).unwrap_err();
        assert!(matches!(refused, PlatformError::Busy { .. }), "{refused}");
        assert_eq!(counted.0.load(Ordering::Relaxed), 1 + EVIDENCE_NODE_BURST as usize);
        // Strangers who ask the node do not use up what apps may have.
        attestor.for_app(b"x").unwrap();
    }
}
