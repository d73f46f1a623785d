//! From a transaction to its commit, on a disk in memory.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use affiant_kv::limits::SYNCED_RECORD_DELAY_MS;
use affiant_kv::{Event, ReplicaConfig, TxStatus};
use affiant_proof::TxId;
use common::{Node, files, small_chunks};

#[test]
fn the_first_entries_have_the_numbers_that_ccf_gives() {
    let node = Node::create(ReplicaConfig::default());
    assert_eq!(node.committed.len(), 1);
    assert_eq!(node.committed[0].txid, TxId::new(2, 2));
    assert_eq!(node.store().view_history(), [1, 1]);
    assert_eq!(node.store().committed(), TxId::new(2, 2));
}

#[test]
fn p01_nothing_is_committed_before_its_sync_has_returned() {
    let mut node = Node::create(ReplicaConfig::default());
    let txid = node.put("records", "key", "value");
    node.drain();
    node.step(Event::CommitWanted);
    assert_eq!(node.store().status(txid), TxStatus::Pending);
    assert_eq!(node.pending.len(), 1, "one batch with one sync");
    node.perform_one();
    assert_eq!(node.store().status(txid), TxStatus::Committed);
    assert_eq!(node.committed.last().unwrap().txid, TxId::new(2, 4));
}

#[test]
fn p01_nothing_is_durable_before_its_sync_has_returned_and_no_signature_is_needed() {
    let mut node = Node::create(ReplicaConfig::default());
    let (signed, before) = (node.committed.len(), node.durable);
    assert_eq!(before, 2, "a commit is durable");
    node.step(Event::DurableWanted);
    assert!(node.pending.is_empty(), "there is nothing to be made durable");
    let first = node.put("records", "key", "value");
    let second = node.put("records", "other", "value");
    node.drain();
    node.step(Event::DurableWanted);
    assert_eq!((node.pending.len(), node.durable), (1, before), "one batch with one sync");
    let third = node.put("records", "key", "later");
    node.drain();
    node.step(Event::DurableWanted);
    assert_eq!(node.pending.len(), 1, "{third} waits for the sync under way");
    node.perform_one();
    assert_eq!((node.durable, node.pending.len()), (second.seqno, 1));
    node.perform_all();
    assert_eq!(node.durable, third.seqno);
    assert_eq!(node.committed.len(), signed);
    assert_eq!(node.store().status(first), TxStatus::Pending);
    // A restart keeps all of it, and its signature covers it.
    let (after, recovered) = node.restart().unwrap();
    assert_eq!(recovered.last, third);
    assert_eq!(after.store().status(third), TxStatus::Committed);
    // So does the signature that comes with time.
    node.tick(1_000);
    node.perform_all();
    assert_eq!(node.store().committed(), TxId::new(2, third.seqno + 1));
}

#[test]
fn while_a_sync_runs_entries_gather_into_one_batch() {
    let mut node = Node::create(ReplicaConfig::default());
    node.put("records", "0", "first");
    node.drain();
    node.step(Event::CommitWanted);
    for key in 1..50 {
        let txid = node.put("records", &key.to_string(), "next");
        node.drain();
        node.step(Event::CommitWanted);
        assert_eq!(node.pending.len(), 1, "{txid} waits for the sync under way");
    }
    assert!(node.perform_one());
    assert_eq!(node.pending.len(), 1);
    node.perform_all();
    assert_eq!(node.committed.len(), 3);
    assert_eq!(node.committed.last().unwrap().txid, TxId::new(2, 2 + 50 + 2));
}

#[test]
fn early_answers_are_signed_and_written_by_number_and_by_age() {
    let config = ReplicaConfig { signature_entries_max: 10, ..ReplicaConfig::default() };
    let mut node = Node::create(config);
    for key in 0..9 {
        node.put("records", &key.to_string(), "value");
    }
    node.drain();
    assert!(node.pending.is_empty() && node.replica.next_due_ms().is_some());
    node.put("records", "9", "value");
    node.drain();
    assert_eq!(node.pending.len(), 1);
    node.perform_all();
    assert_eq!(node.committed.last().unwrap().txid, TxId::new(2, 13));

    node.put("records", "10", "value");
    node.drain();
    assert_eq!(node.replica.next_due_ms(), Some(node.now_ms + 1_000));
    node.tick(999);
    assert!(node.pending.is_empty());
    node.tick(1);
    assert_eq!(node.pending.len(), 1);
    node.perform_all();
    assert_eq!(node.committed.last().unwrap().txid, TxId::new(2, 15));
    // That it is synced goes on record by itself a little later.
    assert_eq!(node.replica.next_due_ms(), Some(node.now_ms + SYNCED_RECORD_DELAY_MS));
    node.tick(SYNCED_RECORD_DELAY_MS);
    assert!(node.perform_one() && node.pending.is_empty());
    assert_eq!(node.replica.next_due_ms(), None);
    node.tick(100_000);
    node.step(Event::CommitWanted);
    node.step(Event::SignNow);
    assert!(node.pending.is_empty(), "nothing is signed twice");
}

#[test]
fn chunks_end_with_a_signature_and_are_renamed_once_committed() {
    let mut node = Node::create(small_chunks());
    for round in 0..20 {
        for key in 0..5 {
            node.put("records", &format!("{round}.{key}"), "some value of some length");
        }
        node.settle();
    }
    node.put("records", "last", "value");
    node.step(Event::EndChunk);
    node.settle();
    let names: Vec<String> = files(&node.disk).into_iter().map(|(path, _)| path).collect();
    assert!(names.iter().filter(|name| name.ends_with(".committed")).count() > 3, "{names:?}");
    assert_eq!(names.iter().filter(|name| name.starts_with("ledger/")).count() + 1, names.len());
    assert!(names.iter().all(|name| name.ends_with(".committed") || name == "state/consensus"));
}

#[test]
fn p05_every_committed_entry_has_a_receipt_whose_root_is_signed() {
    let mut node = Node::create(small_chunks());
    for round in 0..12 {
        for key in 0..round {
            node.put("records", &key.to_string(), "value");
        }
        node.settle();
    }
    let last = node.store().committed().seqno;
    let mut reader = node.reader();
    for seqno in (1..=last).chain([3, last, 1]) {
        let parts = reader.receipt(seqno).unwrap().unwrap();
        assert_eq!(parts.txid.seqno, seqno);
        match parts.proof {
            Some(proof) => {
                assert_eq!(proof.root(), parts.signed_root.root);
                assert!(parts.signed_root.txid.seqno > seqno);
            }
            None => assert_eq!(parts.signed_root.txid, parts.txid),
        }
        let certificate =
            affiant_proof::Certificate::from_pem(&parts.signed_root.node_certificate_pem).unwrap();
        let (root, signature) = (&parts.signed_root.root, &parts.signed_root.signature);
        certificate.public_key().verify_root("root", root, signature).unwrap();
        let service = affiant_proof::PublicKey::from_pem(&node.keys.service_pem()).unwrap();
        let sign1 = affiant_proof::cose::Sign1::parse(&parts.signed_root.cose).unwrap();
        service.verify_cose("root", &sign1.to_be_signed(&root.0), sign1.signature).unwrap();
    }
    assert!(reader.receipt(last + 1).unwrap().is_none());
    assert!(reader.receipt(0).unwrap().is_none());
}

#[test]
fn those_who_waited_have_their_receipts_at_once() {
    let mut node = Node::create(ReplicaConfig::default());
    let waiting: Vec<TxId> =
        (0..10).map(|key| node.put("records", &key.to_string(), "value")).collect();
    node.drain();
    node.step(Event::CommitWanted);
    node.perform_one();
    let root = node.committed.last().unwrap().clone();
    for txid in waiting {
        let parts = node.replica.receipt_for(txid.seqno, &root).unwrap();
        let from_disk = node.reader().receipt(txid.seqno).unwrap().unwrap();
        assert_eq!(parts.proof, from_disk.proof);
        assert_eq!(parts.txid, txid);
        assert_eq!(*parts.signed_root, *from_disk.signed_root);
        let path = node.replica.path_for(txid.seqno, &root).unwrap();
        assert_eq!(Some(path), parts.proof.map(|proof| proof.path));
    }
}

#[test]
fn p06_a_failed_write_poisons_the_node_for_good() {
    let mut node = Node::create(ReplicaConfig::default());
    let txid = node.put("records", "key", "value");
    node.drain();
    node.step(Event::CommitWanted);
    let batch = node.pending.remove(0);
    let error = affiant_kv::DiskError::full("append", "ledger/ledger_1");
    node.step(Event::DiskFailed { batch: batch.id, error });
    assert!(node.poisoned.clone().unwrap().contains("ledger/ledger_1"));
    assert_eq!(node.store().status(txid), TxStatus::Pending);
    let mut tx = node.committer.begin();
    common::put(&mut tx, "records", b"other", b"value");
    let outcome = node.committer.commit(tx);
    assert!(matches!(outcome, affiant_kv::CommitOutcome::Poisoned(_)), "{outcome:?}");
    node.step(Event::SignNow);
    node.tick(10_000);
    assert!(node.pending.is_empty());
    assert_eq!(node.committed.len(), 1);
}

#[test]
fn p04_an_auditor_finds_the_files_valid_and_every_seal_right() {
    let mut node = Node::create(small_chunks());
    for round in 0..10 {
        node.put("records", &round.to_string(), "private");
        node.put("public:log", &round.to_string(), "public");
        node.commit(|tx| {
            let map = affiant_kv::MapName::new("records").unwrap();
            tx.remove(&map, b"1").unwrap();
            tx.set_claims_digest(affiant_proof::Digest::of(b"claims"));
        });
        node.settle();
    }
    let mut node = node.restart().unwrap().0;
    node.put("records", "after the restart", "private");
    node.step(Event::EndChunk);
    node.settle();
    let mut auditor = affiant_proof::audit::Auditor::new(affiant_proof::audit::AuditOptions {
        secrets: vec![affiant_proof::audit::LedgerSecret { first_seqno: 1, key: [42; 32] }],
        trusted_service: Some(
            affiant_proof::Certificate::from_pem(&node.keys.service_pem()).unwrap(),
        ),
        now: None,
    });
    let mut chunks: Vec<(u64, String, Vec<u8>)> = files(&node.disk)
        .into_iter()
        .filter_map(|(path, bytes)| {
            let name = path.strip_prefix("ledger/")?.to_owned();
            let first = affiant_proof::chunk::ChunkName::parse(&name).unwrap().first;
            Some((first, name, bytes))
        })
        .collect();
    chunks.sort();
    for (_, name, bytes) in &chunks {
        auditor.chunk(name, bytes);
    }
    let report = auditor.finish();
    assert_eq!(report.verdict, affiant_proof::audit::AuditVerdict::Valid, "{report}");
    assert_eq!(report.entries, node.store().last().seqno);
    assert_eq!(report.seals, report.entries);
    assert_eq!(report.last_signed, Some(node.store().last()));
    assert!(report.signatures > 10 && report.cose_signatures == report.signatures);
    assert_eq!(report.unsigned_tail, 0);
}
