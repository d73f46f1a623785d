//! Clients: random transactions on public and private maps, several open at once so that they
//! conflict, with what each read and wrote kept for the checkers.

use std::collections::BTreeMap;
use std::ops::Bound;

use affiant_kv::{MapName, Tx};
use affiant_proof::{Digest, tables};

use crate::checkers::{Read, Submitted};
use crate::keys::{NODE_CERTIFICATE, SERVICE_CERTIFICATE};
use crate::ledger::{Place, Write};
use crate::rng::Rng;

const MAPS: [&str; 5] =
    ["public:records", "records", "public:app.index", "app.secrets", "public:ccf.gov.members"];

/// How large and how varied transactions are.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Keys per map: few make conflicts.
    pub key_count: u64,
    /// The longest value, in bytes.
    pub value_bytes_max: u64,
    /// The most operations of one transaction.
    pub operation_count_max: u64,
}

/// A transaction under way.
pub(crate) struct OpenTx {
    tx: Tx,
    reads: Vec<Read>,
    writes: BTreeMap<Place, Option<Vec<u8>>>,
    claims: Digest,
    operations_left: u64,
}

impl OpenTx {
    /// Takes `tx` for a random number of operations.
    pub(crate) fn new(tx: Tx, shape: &Shape, rng: &mut Rng) -> Self {
        let operations_left = rng.between(1, shape.operation_count_max);
        let claims = Digest::ZERO;
        Self { tx, reads: Vec::new(), writes: BTreeMap::new(), claims, operations_left }
    }

    /// Whether all its operations are done.
    #[must_use]
    pub(crate) fn is_ready(&self) -> bool {
        self.operations_left == 0
    }

    /// Does one random operation.
    pub(crate) fn act(&mut self, shape: &Shape, rng: &mut Rng) {
        self.operations_left = self.operations_left.saturating_sub(1);
        let map = *rng.pick(&MAPS);
        let name = map_name(map);
        let key = format!("key {}", rng.below(shape.key_count)).into_bytes();
        let place = (map.to_owned(), key.clone());
        match rng.below(100) {
            0..45 => {
                let value_bytes = rng.below(shape.value_bytes_max + 1) as usize;
                let value = rng.bytes(value_bytes);
                self.tx.put(&name, &key, &value).expect("the workload keeps to the bounds");
                self.writes.insert(place, Some(value));
            }
            45..60 => {
                self.tx.remove(&name, &key).expect("the workload keeps to the bounds");
                self.writes.insert(place, None);
            }
            60..85 => {
                let found = self.tx.get(&name, &key).map(|value| value.to_vec());
                match self.writes.get(&place) {
                    Some(own) => assert_eq!(*own, found, "a transaction reads its own writes"),
                    None => self.reads.push(Read::Key(place, found)),
                }
            }
            85..95 => self.range(map, &name, key, rng),
            _ => {
                self.claims = Digest::of(&rng.bytes(8));
                self.tx.set_claims_digest(self.claims);
            }
        }
    }

    fn range(&mut self, map: &str, name: &MapName, from: Vec<u8>, rng: &mut Rng) {
        let limit = if rng.chance(500_000) { usize::MAX } else { 1 + rng.index(4) };
        let found = self.tx.range(name, Bound::Included(&from), Bound::Unbounded, limit);
        assert!(found.is_sorted_by(|a, b| a.0 < b.0), "ranges are in key order");
        if self.writes.keys().any(|(own, _)| own == map) {
            // What was found is overlaid by own writes.
            return;
        }
        let found = found.into_iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
        self.reads.push(Read::Range { map: map.to_owned(), from, limit, found });
    }

    /// Ends it: the transaction to commit, what it read, and what it would submit.
    pub(crate) fn finish(self) -> (Tx, Vec<Read>, Submitted) {
        let writes: Vec<Write> = self.writes.into_iter().collect();
        (self.tx, self.reads, Submitted { claims: self.claims, writes, digest: None })
    }
}

/// The first transaction of a service: its certificate and its node, as auditors expect them.
#[must_use]
pub(crate) fn genesis(mut tx: Tx, node_id: &str) -> (Tx, Submitted) {
    let service = serde_json::json!({ "cert": SERVICE_CERTIFICATE, "status": "Opening" });
    let node = serde_json::json!({ "status": "Trusted" });
    let certificate = NODE_CERTIFICATE.as_bytes().to_vec();
    let values = [
        (tables::SERVICE_INFO, vec![0; 8], service.to_string().into_bytes()),
        (tables::NODES_INFO, node_id.as_bytes().to_vec(), node.to_string().into_bytes()),
        (tables::NODES_ENDORSED_CERTIFICATES, node_id.as_bytes().to_vec(), certificate),
    ];
    let mut writes = Vec::new();
    for (map, key, value) in values {
        tx.put(&map_name(map), &key, &value).expect("the workload keeps to the bounds");
        writes.push(((map.to_owned(), key), Some(value)));
    }
    (tx, Submitted { claims: Digest::ZERO, writes, digest: None })
}

fn map_name(name: &str) -> MapName {
    MapName::new(name).expect("the constant is a map name")
}

/// [`crate::Mutant::ConflictsIgnored`]: the same writes and claims, without the reads.
#[must_use]
pub(crate) fn forget_reads(mut tx: Tx, submitted: &Submitted) -> Tx {
    for ((map, key), value) in &submitted.writes {
        let name = map_name(map);
        let result = match value {
            Some(value) => tx.put(&name, key, value),
            None => tx.remove(&name, key),
        };
        result.expect("the workload keeps to the bounds");
    }
    tx.set_claims_digest(submitted.claims);
    tx
}
