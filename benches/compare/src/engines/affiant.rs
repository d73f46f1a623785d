//! Affiant through its Rust interface.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use affiant::crypto::Curve;
use affiant::node::{Node, NodeSettings};
use affiant::{CommitNotice, CommitOutcome, DurableNotice, MapName};

use super::{Engine, Kind, Session};
use crate::Outcome;
use crate::work::{self, Key, Value};

/// Keys of one transaction while the database is loaded.
const BATCH: usize = 1_000;

struct Affiant {
    node: Arc<Node>,
    map: MapName,
    /// Wait for durability, not for commit.
    durable: bool,
}

pub fn open(kind: Kind, directory: &Path) -> Outcome<impl Engine + use<>> {
    let mut settings = NodeSettings::in_directory(directory.join("node"));
    if kind == Kind::AffiantP256 {
        settings.node_curve = Curve::P256;
        settings.service.curve = Curve::P256;
    }
    let node = Node::start(settings)?;
    let durable = kind == Kind::AffiantDurable;
    Ok(Affiant { node, map: MapName::new("records")?, durable })
}

impl Engine for Affiant {
    fn session(&self) -> Outcome<Box<dyn Session + '_>> {
        Ok(Box::new(self))
    }

    fn write_many(&self, keys: &mut dyn Iterator<Item = (Key, Value)>) -> Outcome<()> {
        loop {
            let batch: Vec<(Key, Value)> = (&mut *keys).take(BATCH).collect();
            if batch.is_empty() {
                return Ok(());
            }
            loop {
                let mut tx = self.node.begin();
                for (key, value) in &batch {
                    tx.put(&self.map, key, value)?;
                }
                match self.node.commit(tx) {
                    CommitOutcome::Sequenced(_) => break,
                    CommitOutcome::TooManyPending => std::thread::sleep(Duration::from_millis(1)),
                    other => return Err(format!("a commit ended as {other:?}").into()),
                }
            }
        }
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        Ok(self.node.shutdown()?)
    }
}

impl Session for &Affiant {
    fn write(&mut self, key: &Key, value: &Value) -> Outcome<()> {
        let mut tx = self.node.begin();
        tx.put(&self.map, key, value)?;
        let txid = match self.node.commit(tx) {
            CommitOutcome::Sequenced(txid) => txid,
            other => return Err(format!("a commit ended as {other:?}").into()),
        };
        let reached = if self.durable {
            self.node.wait_durable_blocking(txid) == DurableNotice::Durable
        } else {
            matches!(self.node.wait_committed_blocking(txid), CommitNotice::Committed { .. })
        };
        if reached { Ok(()) } else { Err(format!("{txid} was not kept").into()) }
    }

    fn read(&mut self, keys: &[Key]) -> Outcome<usize> {
        let snapshot = self.node.snapshot();
        let mut bytes = 0;
        for key in keys {
            bytes +=
                snapshot.get_ref(self.map.as_str(), key).map_or(0, |value| work::touched(value));
        }
        Ok(bytes)
    }
}
