//! Who may sign: the service and its nodes, as the ledger itself records them.

use std::collections::BTreeMap;

use super::Journal;
use super::report::ServicePeriod;
use crate::cert::Certificate;
use crate::cose::EndorsementRecord;
use crate::entry::{MapView, SINGLETON_KEY};
use crate::limits::{AUDIT_NODES_MAX, AUDIT_SERVICES_MAX};
use crate::tables::{NodeInfo, ServiceInfo};
use crate::{ProofError, TxId};

const SERVICE: &str = "service";
const NODE: &str = "node";
const ENDORSEMENT: &str = "endorsement";

const OPENING: &str = "Opening";
const OPEN: &str = "Open";
const RECOVERING: &str = "Recovering";
const WAITING: &str = "WaitingForRecoveryShares";
const PENDING: &str = "Pending";

/// The service in force.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) status: String,
    pub(super) cert: Certificate,
    pub(super) key_id: String,
    /// Counts changes of the certificate, so that a node's chain is checked once per change.
    pub(super) generation: u64,
}

/// A node as recorded.
#[derive(Clone, Default)]
pub(super) struct Node {
    pub(super) status: Option<String>,
    pub(super) cert_text: Option<String>,
    pub(super) cert: Option<Certificate>,
    /// Whether the certificate came within nodes.info, as CCF 1.x has it.
    pub(super) cert_in_info: bool,
    /// The service generation against which the chain was last checked.
    pub(super) chain_checked: Option<u64>,
}

/// The identities recorded so far.
#[derive(Clone, Default)]
pub(super) struct Identities {
    pub(super) service: Option<Service>,
    pub(super) nodes: BTreeMap<Vec<u8>, Node>,
    pub(super) periods: Vec<ServicePeriod>,
}

impl Identities {
    /// Takes in a write to service.info.
    pub(super) fn service_info(&mut self, txid: TxId, map: &MapView<'_>, journal: &mut Journal) {
        if map.remove_count() != 0 || map.write_count() != 1 {
            journal.error(SERVICE, "service.info must be written as a single value");
        }
        let Some(value) = map.value(&SINGLETON_KEY) else {
            journal.error(SERVICE, "service.info is written under another key than its own");
            return;
        };
        let parsed = serde_json::from_slice::<ServiceInfo>(value)
            .map_err(|error| ProofError::Json { what: "service.info", why: error.to_string() })
            .and_then(|info| Ok((Certificate::from_pem(&info.cert)?, info)));
        let (cert, info) = match parsed {
            Ok(parsed) => parsed,
            Err(error) => return journal.error(SERVICE, error.to_string()),
        };
        let key_id = cert.public_key().key_id();
        self.check_transition(&info.status, &key_id, journal);
        let same = self.service.as_ref().is_some_and(|service| service.cert == cert);
        let generation = self.service.as_ref().map_or(0, |service| service.generation);
        let generation = if same { generation } else { generation + 1 };
        if !same && let Err(error) = cert.verify_signed_by(cert.public_key()) {
            journal.warning(SERVICE, format!("the certificate is not signed by itself: {error}"));
        }
        if self.periods.len() < AUDIT_SERVICES_MAX {
            self.periods.push(ServicePeriod {
                from: txid,
                status: info.status.clone(),
                key_id: key_id.clone(),
                subject: cert.subject(),
                cert: info.cert,
            });
        }
        self.service = Some(Service { status: info.status, cert, key_id, generation });
    }

    fn check_transition(&self, to: &str, key_id: &str, journal: &mut Journal) {
        let known = matches!(to, OPENING | OPEN | RECOVERING | WAITING);
        if !known {
            journal.error(SERVICE, format!("unknown service status {to:?}"));
        }
        let Some(service) = &self.service else { return };
        let from = service.status.as_str();
        let allowed = from == to
            || to == OPENING
            || matches!(
                (from, to),
                (OPENING, OPEN | WAITING)
                    | (OPEN, RECOVERING)
                    | (RECOVERING, WAITING)
                    | (WAITING, OPEN)
            );
        if known && !allowed {
            journal.error(SERVICE, format!("the status may not change from {from} to {to}"));
        }
        if service.key_id != key_id {
            if matches!(to, OPENING | RECOVERING) {
                journal.note(
                    SERVICE,
                    format!("a new service identity: key {key_id} follows {}", service.key_id),
                );
            } else {
                journal.error(
                    SERVICE,
                    format!("the service key changes in status {to}, outside of a recovery"),
                );
            }
        }
    }

    /// Checks that the service in force vouches for a service of this ledger.
    pub(super) fn endorsement(&self, map: &MapView<'_>, journal: &mut Journal) {
        let (Some(value), Some(service)) = (map.value(&SINGLETON_KEY), &self.service) else {
            journal.error(ENDORSEMENT, "it has no value, or no service is recorded before it");
            return;
        };
        let verified = EndorsementRecord::parse(value)
            .and_then(|record| record.verify(service.cert.public_key()));
        match verified {
            Err(error) => journal.error(ENDORSEMENT, error.to_string()),
            Ok(endorsed) => {
                let key_id = endorsed.key.key_id();
                if !self.periods.iter().any(|period| period.key_id == key_id) {
                    let text = format!("it vouches for key {key_id}, which this ledger never had");
                    journal.warning(ENDORSEMENT, text);
                }
            }
        }
    }

    /// Takes in writes to nodes.info.
    pub(super) fn nodes_info(&mut self, map: &MapView<'_>, journal: &mut Journal) {
        for (id, value) in map.writes() {
            let info = match serde_json::from_slice::<NodeInfo>(value) {
                Ok(info) => info,
                Err(error) => {
                    let id = id.escape_ascii();
                    journal.error(NODE, format!("nodes.info of {id} cannot be read: {error}"));
                    continue;
                }
            };
            let Some(node) = self.node(id, journal) else { continue };
            node.status = Some(info.status);
            if let Some(cert) = info.cert {
                node.set_cert(cert, true);
            }
        }
        for id in map.removes() {
            if self.nodes.remove(id).is_none() {
                let id = id.escape_ascii();
                journal.warning(NODE, format!("node {id} is removed but was never recorded"));
            }
        }
    }

    /// Takes in writes to nodes.endorsed_certificates.
    pub(super) fn node_certificates(&mut self, map: &MapView<'_>, journal: &mut Journal) {
        for (id, value) in map.writes() {
            match core::str::from_utf8(value) {
                Ok(text) => {
                    let Some(node) = self.node(id, journal) else { continue };
                    node.set_cert(text.to_owned(), false);
                }
                Err(_) => {
                    let id = id.escape_ascii();
                    journal.error(NODE, format!("the certificate of node {id} is not text"));
                }
            }
        }
        for id in map.removes() {
            // The node itself may have been removed before its certificate.
            if let Some(node) = self.nodes.get_mut(id) {
                node.cert_text = None;
                node.cert = None;
            }
        }
    }

    fn node(&mut self, id: &[u8], journal: &mut Journal) -> Option<&mut Node> {
        if self.nodes.len() >= AUDIT_NODES_MAX && !self.nodes.contains_key(id) {
            journal.error(NODE, format!("more than {AUDIT_NODES_MAX} nodes are recorded"));
            return None;
        }
        Some(self.nodes.entry(id.to_vec()).or_default())
    }

    /// The certificate of a node that may sign now; its chain to the service in force is checked
    /// when either has changed.
    pub(super) fn signer(&mut self, id: &str, journal: &mut Journal) -> Option<&Node> {
        let Some(node) = self.nodes.get_mut(id.as_bytes()) else {
            journal.error(NODE, format!("node {id} signs but was never recorded"));
            return None;
        };
        match node.status.as_deref() {
            None => journal.error(NODE, format!("node {id} signs but has no status")),
            Some(PENDING) => journal.error(NODE, format!("node {id} signs while it is Pending")),
            Some(_) => {}
        }
        let Some(text) = &node.cert_text else {
            journal.error(NODE, format!("node {id} signs but no certificate of it is recorded"));
            return None;
        };
        if node.cert.is_none() {
            match Certificate::from_pem(text) {
                Ok(cert) => node.cert = Some(cert),
                Err(error) => {
                    journal.error(NODE, format!("certificate of node {id}: {error}"));
                    return None;
                }
            }
            let key_id = node.cert.as_ref()?.public_key().key_id();
            if key_id != id {
                journal.error(NODE, format!("node {id} is recorded with the key {key_id}"));
            }
        }
        if let (Some(service), Some(cert)) = (&self.service, &node.cert)
            && node.chain_checked != Some(service.generation)
        {
            node.chain_checked = Some(service.generation);
            if let Err(error) = cert.verify_issued_by(&service.cert) {
                let text = format!("node {id} is not certified by the service in force: {error}");
                if node.cert_in_info {
                    journal.note(NODE, format!("{text} (its certificate is of CCF 1.x's kind)"));
                } else {
                    journal.error(NODE, text);
                }
            }
        }
        Some(node)
    }
}

impl Node {
    fn set_cert(&mut self, text: String, in_info: bool) {
        if self.cert_text.as_deref() != Some(&text) {
            self.cert_text = Some(text);
            self.cert = None;
            self.chain_checked = None;
        }
        self.cert_in_info = in_info;
    }
}
