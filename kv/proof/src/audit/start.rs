//! Starting an audit after a snapshot: the tree and the identities come from the snapshot's own
//! tables. The signatures that follow prove the tree, for they cover it; the identities rest on
//! the snapshot's receipt, or on the trusted certificate.

use super::{AuditOptions, Auditor};
use crate::entry::{Maps, SINGLETON_KEY, encode};
use crate::merkle::Tree;
use crate::snapshot::{SnapshotMap, SnapshotView};
use crate::{ProofError, tables};

const SNAPSHOT: &str = "snapshot";

impl Auditor {
    /// Starts an audit after the transaction at which `snapshot` was taken; the first chunk then
    /// starts with the next seqno. Verify the snapshot first ([`SnapshotView::verify`]).
    ///
    /// # Errors
    /// The snapshot is malformed, or lacks the tree or the identities.
    pub fn after_snapshot(
        options: AuditOptions,
        snapshot: &SnapshotView<'_>,
    ) -> Result<Self, ProofError> {
        let mut auditor = Self::new(options);
        let txid = snapshot.txid();
        let mut tree = None;
        for map in snapshot.maps() {
            let map = map?;
            if map.name == tables::TREE.as_bytes() {
                tree = map.rows().find(|(key, ..)| *key == SINGLETON_KEY).map(|(.., value)| value);
            }
            auditor.take_in(&map, snapshot)?;
        }
        let tree = tree.ok_or(ProofError::Malformed {
            what: SNAPSHOT,
            offset: 0,
            why: "it holds no Merkle tree: it was not taken at a signature",
        })?;
        let mut tree = Tree::deserialise(tree)?;
        if tree.size() != txid.seqno {
            return Err(ProofError::Mismatch {
                what: "size of the snapshot's tree",
                expected: txid.seqno.to_string(),
                found: tree.size().to_string(),
            });
        }
        tree.append(snapshot.leaf());
        auditor.tree = tree;
        auditor.start = txid.seqno;
        auditor.last = Some(txid);
        auditor.views = snapshot.view_starts().zip(1..).collect();
        if auditor.identities.service.is_none() {
            let why = "it records no service";
            return Err(ProofError::Malformed { what: SNAPSHOT, offset: 0, why });
        }
        if auditor.trusted_service.is_none() {
            auditor.journal.seqno = txid.seqno;
            let text = "the audit starts after a snapshot: service and nodes are as it says";
            auditor.journal.note(SNAPSHOT, text);
        }
        Ok(auditor)
    }

    /// Takes in one map as if a single entry had written all of it.
    fn take_in(
        &mut self,
        map: &SnapshotMap<'_>,
        snapshot: &SnapshotView<'_>,
    ) -> Result<(), ProofError> {
        let identity =
            [tables::SERVICE_INFO, tables::NODES_INFO, tables::NODES_ENDORSED_CERTIFICATES];
        if !identity.iter().any(|name| map.name == name.as_bytes()) {
            return Ok(());
        }
        let mut bytes = Vec::new();
        encode::put_map(&mut bytes, map.name, map.rows().count() as u64);
        map.rows().for_each(|(key, _, value)| encode::put_write(&mut bytes, key, value));
        encode::put_remove_count(&mut bytes, 0);
        for written in Maps::of_private(&bytes) {
            let written = written?;
            let journal = &mut self.journal;
            if map.name == tables::SERVICE_INFO.as_bytes() {
                self.identities.service_info(snapshot.txid(), &written, journal);
            } else if map.name == tables::NODES_INFO.as_bytes() {
                self.identities.nodes_info(&written, journal);
            } else {
                self.identities.node_certificates(&written, journal);
            }
        }
        Ok(())
    }
}
