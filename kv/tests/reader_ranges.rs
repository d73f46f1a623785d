//! Ranges of committed entries read from the ledger while it grows, after a restart, and after
//! somebody changed a byte of it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use affiant_kv::{CommittedEntry, Disk, LedgerReader, MapName, ReplicaConfig};
use affiant_proof::TxId;
use common::{Node, copy, put, small_chunks};

/// Reads the whole range, window by window.
fn all(reader: &mut LedgerReader, first: u64, last: u64) -> Vec<CommittedEntry> {
    let mut found: Vec<CommittedEntry> = Vec::new();
    while (found.len() as u64) < last + 1 - first {
        let next = first + found.len() as u64;
        let more = reader.entries(next, last).unwrap();
        assert!(!more.is_empty(), "entry {next} is committed");
        found.extend(more);
    }
    found
}

/// What the entry did to a map: key to value, as text.
fn writes(entry: &CommittedEntry, map: &str) -> Vec<(String, Option<String>)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let maps = entry.maps.iter().filter(|(name, _)| name.as_str() == map);
    maps.flat_map(|(_, writes)| writes)
        .map(|(key, value)| (text(key), value.as_deref().map(text)))
        .collect()
}

/// Writes `count` small transactions, a signature after every seventh.
fn fill(node: &mut Node, count: usize) -> Vec<(TxId, String)> {
    let mut written = Vec::new();
    for index in 0..count {
        let value = format!("value {index} {}", "x".repeat(index % 90));
        let txid = node.commit(|tx| {
            put(tx, "records", b"key", value.as_bytes());
            put(tx, "public:records", b"b", value.as_bytes());
            put(tx, "public:records", b"a", b"first");
            tx.remove(&MapName::new("gone").unwrap(), b"absent").unwrap();
        });
        written.push((txid, value));
        if index % 7 == 6 {
            node.settle();
        }
    }
    node.settle();
    written
}

fn assert_range(reader: &mut LedgerReader, written: &[(TxId, String)]) {
    let (first, last) = (written[0].0.seqno, written.last().unwrap().0.seqno);
    let entries = all(reader, first, last);
    let bytes: u64 = entries.iter().map(|entry| entry.ledger_bytes).sum();
    let span = reader.span_bytes(first, last).unwrap().unwrap();
    // The headers of the chunks in between count too.
    assert!((bytes..bytes + 8 * entries.len() as u64).contains(&span), "{bytes} {span}");
    for (txid, value) in written {
        let entry = &entries[(txid.seqno - first) as usize];
        assert_eq!(entry.txid, *txid);
        let value = Some(value.clone());
        assert_eq!(writes(entry, "records"), [("key".to_owned(), value.clone())]);
        let first = ("a".to_owned(), Some("first".to_owned()));
        assert_eq!(writes(entry, "public:records"), [first, ("b".to_owned(), value)]);
        assert_eq!(writes(entry, "gone"), [("absent".to_owned(), None)]);
    }
    for entry in &entries {
        match &entry.receipt.proof {
            Some(proof) => assert_eq!(proof.root(), entry.receipt.signed_root.root),
            None => assert_eq!(writes(entry, "public:ccf.internal.tree").len(), 1),
        }
        let alone = reader.receipt(entry.txid.seqno).unwrap().unwrap();
        assert_eq!(alone.proof, entry.receipt.proof);
    }
}

#[test]
fn ranges_cross_chunks_views_and_restarts() {
    let mut node = Node::create(small_chunks());
    let before = fill(&mut node, 60);
    assert_range(&mut node.reader(), &before);
    assert_range(&mut node.reader(), &before[3..4]);
    let (mut again, _) = node.restart().unwrap();
    let after = fill(&mut again, 30);
    assert!(after[0].0.view > before[0].0.view, "a restart opens another view");
    let mut reader = again.reader();
    assert_range(&mut reader, &before);
    assert_range(&mut reader, &after);
    let across: Vec<_> = before.into_iter().chain(after).collect();
    assert_range(&mut reader, &across);
}

#[test]
fn what_is_not_committed_is_not_read() {
    let mut node = Node::create(ReplicaConfig::default());
    node.put("records", "key", "value");
    node.settle();
    let last = node.store().committed().seqno;
    let pending = node.put("records", "key", "other");
    let mut reader = node.reader();
    assert_eq!(reader.committed(), last);
    assert_eq!(reader.entries(last, u64::MAX).unwrap().len(), 1);
    assert!(reader.entries(pending.seqno, pending.seqno).unwrap().is_empty());
    assert!(reader.entries(0, 1).unwrap().is_empty());
    assert!(reader.entries(2, 1).unwrap().is_empty());
    assert_eq!(reader.span_bytes(1, pending.seqno).unwrap(), None);
    assert_eq!(reader.span_bytes(0, 1).unwrap(), None);
    assert_eq!(reader.span_bytes(1, 1 << 53).unwrap(), None);
}

#[test]
fn an_entry_larger_than_a_window_is_read_by_itself() {
    let mut node = Node::create(ReplicaConfig::default());
    let large = "x".repeat(700_000);
    let txid = node.put("records", "key", &large);
    let next = node.put("records", "key", "small");
    node.settle();
    let mut reader = node.reader();
    let entries = reader.entries(txid.seqno, next.seqno).unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(writes(&entries[0], "records")[0].1.as_deref(), Some(large.as_str()));
    assert_eq!(reader.entries(next.seqno, next.seqno).unwrap().len(), 1);
}

#[test]
fn a_changed_byte_is_refused_by_file_and_offset() {
    let mut node = Node::create(small_chunks());
    let written = fill(&mut node, 20);
    let seqno = written[4].0.seqno;
    let name = node.disk.list("ledger").unwrap().remove(0);
    let path = format!("ledger/{name}");
    let size = node.disk.size(&path).unwrap() as usize;
    let bytes = node.disk.read_at(&path, 0, size).unwrap();
    let entry = node.reader().entry(seqno).unwrap().unwrap();
    let at = bytes.windows(entry.len()).position(|window| window == entry).unwrap();
    // The last byte is of the private domain, which nothing but the tag and the leaf protects.
    let (original, mut disk) = (copy(&node.disk), node.disk.clone());
    disk.write_at(&path, (at + entry.len() - 1) as u64, &[entry[entry.len() - 1] ^ 1]).unwrap();
    let Err(error) = node.reader().entries(seqno, seqno) else { panic!("it was changed") };
    let text = error.to_string();
    assert!(text.contains(&name) && text.contains(&format!("offset {at}")), "{text}");
    // A window that begins before it is refused too, rather than cut short of it.
    assert!(node.reader().entries(seqno - 2, seqno + 1).is_err());
    assert!(node.reader().entries(seqno - 2, seqno - 1).is_ok());
    node.disk = original;
    assert!(node.reader().entries(seqno, seqno).is_ok());
}
