//! Restarts: what was synced is kept, what was torn is cut, everything else is refused by name.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use affiant_kv::{Event, KvError, ReplicaConfig};
use affiant_proof::TxId;
use common::{Keys, Node, copy, disk_of, files, small_chunks};

/// A node with several chunks, one of them open.
fn worked(config: ReplicaConfig) -> Node {
    let mut node = Node::create(config);
    for round in 0..14 {
        for key in 0..4 {
            node.put("records", &format!("{round}.{key}"), "some value of some length");
            node.put("public:log", &format!("{key}"), &round.to_string());
        }
        node.commit(|tx| {
            let map = affiant_kv::MapName::new("records").unwrap();
            tx.remove(&map, format!("{round}.0").as_bytes()).unwrap();
        });
        node.settle();
    }
    node
}

#[test]
fn p01_a_restart_finds_the_same_state_and_opens_the_next_view_with_a_signature() {
    let node = worked(small_chunks());
    let last = node.store().last();
    let (again, recovered) = node.restart().unwrap();
    assert_eq!((recovered.entries, recovered.last), (last.seqno, last));
    assert_eq!((recovered.last_signature, recovered.cut_bytes), (last, 0));
    assert_eq!(again.committed.len(), 1);
    assert_eq!(again.committed[0].txid, TxId::new(3, last.seqno + 1));
    assert_eq!(again.store().view_history(), [1, 1, last.seqno + 1]);
    let (before, after) = (node.store().snapshot(), again.store().snapshot());
    for map in ["records", "public:log", "public:ccf.gov.service.info"] {
        let entries = |of: &affiant_kv::Snapshot| -> Vec<_> {
            of.entries(map).map(|(k, v, seqno)| (k.clone(), v.clone(), seqno)).collect()
        };
        assert_eq!(entries(&before), entries(&after));
        assert_eq!(before.version_of_map(map), after.version_of_map(map));
    }
    let mut reader = again.reader();
    let mut old = node.reader();
    for seqno in 1..=last.seqno {
        assert_eq!(old.entry(seqno).unwrap(), reader.entry(seqno).unwrap());
        assert!(reader.receipt(seqno).unwrap().is_some());
    }
}

#[test]
fn restarts_can_follow_one_another_and_work_goes_on() {
    let mut node = worked(small_chunks());
    for view in 3..8 {
        node = node.restart().unwrap().0;
        let txid = node.put("records", "again", "value");
        assert_eq!(txid.view, view);
        node.settle();
        let state = node.store().snapshot().state_digest();
        let (copy, recovered) = node.restart().unwrap();
        assert_eq!(recovered.cut_bytes, 0);
        assert_ne!(copy.store().snapshot().state_digest(), state, "a signature was added");
    }
}

#[test]
fn entries_that_no_signature_covers_are_kept() {
    let mut node = Node::create(ReplicaConfig::default());
    let value = "x".repeat(200_000);
    for key in 0..6 {
        node.put("records", &key.to_string(), &value);
    }
    node.drain();
    assert_eq!(node.pending.len(), 1, "a batch without a signature");
    node.perform_all();
    assert_eq!(node.store().committed(), TxId::new(2, 2));
    let (again, recovered) = node.restart().unwrap();
    assert_eq!((recovered.last, recovered.last_signature), (TxId::new(2, 8), TxId::new(2, 2)));
    assert_eq!(again.store().committed(), TxId::new(3, 9));
    assert!(again.store().snapshot().get("records", b"5").is_some());
}

#[test]
fn a_ledger_that_was_never_written_starts_with_its_first_transaction() {
    let keys = Keys::new();
    let disk = affiant_kv::MemDisk::new();
    let (mut node, recovered) =
        Node::recover(ReplicaConfig::default(), disk, keys.clone()).unwrap();
    assert_eq!(recovered.entries, 0);
    assert_eq!(node.put("records", "a", "b"), TxId::new(2, 1));
    let (mut again, _) = Node::recover(ReplicaConfig::default(), copy(&node.disk), keys).unwrap();
    assert_eq!(again.put("records", "a", "b"), TxId::new(3, 1), "no number is used twice");
    again.settle();
    assert_eq!(again.committed.last().unwrap().txid, TxId::new(3, 2));
    assert!(again.restart().is_ok());
}

#[test]
fn p06_every_cut_of_the_newest_chunk_is_a_clean_start_or_a_named_refusal() {
    let mut node = worked(ReplicaConfig::default());
    node.put("records", "last", "value");
    node.settle();
    let files = files(&node.disk);
    let (path, whole) = files.iter().find(|(path, _)| path == "ledger/ledger_1").unwrap();
    let cuts = (0..64).map(|cut| whole.len() - 1 - cut * 37).chain([0, 1, 7, 8, 9, 300]);
    for cut in cuts {
        // The record of what was synced is lost too, as after a loss of power.
        let torn: Vec<(String, Vec<u8>)> = files
            .iter()
            .map(|(name, bytes)| match name {
                name if name == path => (name.clone(), bytes[..cut].to_vec()),
                name => (name.clone(), bytes[..64].to_vec()),
            })
            .collect();
        let (again, recovered) =
            Node::recover(node.config.clone(), disk_of(&torn), node.keys.clone()).unwrap();
        assert!(recovered.cut_at.is_some() || recovered.cut_bytes == 0);
        assert_eq!(again.store().committed().seqno, again.store().last().seqno);
        // With the record the same cut is refused.
        let with_record: Vec<(String, Vec<u8>)> = files
            .iter()
            .map(|(name, bytes)| {
                let keep = if name == path { cut } else { bytes.len() };
                (name.clone(), bytes[..keep].to_vec())
            })
            .collect();
        let refused = Node::recover(node.config.clone(), disk_of(&with_record), node.keys.clone());
        match refused.err().unwrap() {
            KvError::Damaged { file, .. } => assert_eq!(&file, path),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn p06_foreign_files_are_refused_by_name() {
    let mut node = worked(small_chunks());
    node.step(Event::EndChunk);
    node.settle();
    let newest = files(&node.disk).len();
    assert!(newest > 3);
    for name in
        ["index.db", "ledger_x", "ledger_1-9", "ledger_01", "ledger_1.recovery", "lost+found"]
    {
        let mut files = files(&node.disk);
        files.push((format!("ledger/{name}"), b"anything".to_vec()));
        let refused = Node::recover(node.config.clone(), disk_of(&files), node.keys.clone());
        match refused.err().unwrap() {
            KvError::Damaged { file, .. } => assert_eq!(file, format!("ledger/{name}")),
            other => panic!("{other}"),
        }
        let mut files = common::files(&node.disk);
        files.push((format!("ledger/{name}.ignored"), b"anything".to_vec()));
        assert!(Node::recover(node.config.clone(), disk_of(&files), node.keys.clone()).is_ok());
    }
}
