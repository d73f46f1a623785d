//! Snapshots that CCF nodes wrote: read, checked against their service, and found out when
//! changed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;

use affiant_proof::chunk::{ChunkName, ChunkView};
use affiant_proof::snapshot::SnapshotView;
use affiant_proof::{AuditOptions, AuditVerdict, Auditor, Outcome, TxId, VerifyOptions};

/// The snapshots of a service: file name and bytes.
fn snapshots(service: &str) -> Vec<(String, Vec<u8>)> {
    let Some(directory) = common::fixtures(&format!("ccf-ledgers/{service}/snapshots")) else {
        return Vec::new();
    };
    let read = |file: std::io::Result<fs::DirEntry>| {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, fs::read(path).unwrap())
    };
    fs::read_dir(directory).unwrap().map(read).collect()
}

/// All certificates that the service had, from its ledger.
fn service_certificates(service: &str) -> String {
    let mut auditor = Auditor::new(AuditOptions::default());
    for chunk in common::fixture_ledger(service).unwrap() {
        auditor.chunk(&chunk.name, &chunk.bytes);
    }
    auditor.finish().services.into_iter().map(|period| period.cert).collect()
}

#[test]
fn real_snapshots_read_and_verify() {
    for service in ["eol_service", "sgx_service"] {
        for (name, bytes) in snapshots(service) {
            let snapshot = SnapshotView::parse(&bytes).unwrap();
            let txid = snapshot.txid();
            assert!(name.starts_with(&format!("snapshot_{}_", txid.seqno)), "{name} {txid}");
            let maps: Vec<_> = snapshot.maps().map(Result::unwrap).collect();
            assert!(maps.len() > 10, "{name}");
            for map in &maps {
                assert!(map.name.starts_with(b"public:"), "{name}");
                assert!(map.rows().all(|(_, version, _)| version <= map.version), "{name}");
            }
            assert!(maps.iter().any(|map| map.rows().count() > 1), "{name}");
            let trusted = service_certificates(service);
            let verdict = snapshot.verify(&trusted, &VerifyOptions::default());
            assert!(verdict.is_valid(), "{name}\n{verdict}");
            let evidence = verdict.txid.unwrap();
            assert!(name.contains(&format!("_{}.", evidence.seqno)), "{name} {evidence}");
        }
    }
}

#[test]
fn a_snapshot_changed_anywhere_is_not_the_one_that_was_attested() {
    let Some((name, bytes)) = snapshots("eol_service").pop() else { return };
    let trusted = service_certificates("eol_service");
    let size = SnapshotView::parse(&bytes).unwrap().entry().bytes().len();
    for at in (0..size).step_by(9_973).chain([size - 1]) {
        let mut altered = bytes.clone();
        altered[at] ^= 0x10;
        let Ok(snapshot) = SnapshotView::parse(&altered) else { continue };
        let verdict = snapshot.verify(&trusted, &VerifyOptions::default());
        assert!(!verdict.is_valid(), "{name} at {at}");
        assert_eq!(verdict.check("claims").unwrap().outcome, Outcome::Failed);
    }
    let bare = SnapshotView::parse(&bytes[..size]).unwrap();
    let verdict = bare.verify(&trusted, &VerifyOptions::default());
    assert!(verdict.to_string().contains("no receipt"), "{verdict}");
    assert!(!verdict.is_valid());
    for end in (0..size).step_by(4_999) {
        assert!(SnapshotView::parse(&bytes[..end]).is_err());
    }
    assert_ne!(bare.txid(), TxId::default());
}

/// The chunks that hold only entries after `seqno`.
fn later_chunks(service: &str, seqno: u64) -> Vec<common::Chunk> {
    let mut chunks = common::fixture_ledger(service).unwrap();
    chunks.retain(|chunk| ChunkName::parse(&chunk.name).unwrap().first > seqno);
    chunks
}

#[test]
fn an_audit_may_start_after_a_snapshot() {
    for service in ["eol_service", "sgx_service"] {
        for (name, bytes) in snapshots(service) {
            let snapshot = SnapshotView::parse(&bytes).unwrap();
            let seqno = snapshot.txid().seqno;
            let options = AuditOptions::default();
            let mut auditor = Auditor::after_snapshot(options, &snapshot).unwrap();
            let later = later_chunks(service, seqno);
            later.iter().for_each(|chunk| auditor.chunk(&chunk.name, &chunk.bytes));
            let count = |chunk: &common::Chunk| {
                ChunkView::parse(&chunk.bytes).unwrap().entries().count() as u64
            };
            let entries: u64 = later.iter().map(count).sum();
            let report = auditor.finish();
            assert_eq!(report.verdict, AuditVerdict::Valid, "{name}: {report}");
            assert_eq!(report.entries, entries);
            assert!(report.first.is_some_and(|first| first.seqno == seqno + 1));
            assert_eq!(report.last_signed, report.last);
            assert_eq!(report.unsigned_tail, 0);

            // Another leaf for the snapshot's own entry: the next root cannot be reached.
            let mut altered = bytes.clone();
            // Frame, kind, seqno, reserved field, size of the hash.
            altered[44 + 1 + 8 + 8 + 8] ^= 1;
            let altered = SnapshotView::parse(&altered).unwrap();
            assert_ne!(altered.leaf(), snapshot.leaf());
            let options = AuditOptions::default();
            let mut auditor = Auditor::after_snapshot(options, &altered).unwrap();
            later.iter().for_each(|chunk| auditor.chunk(&chunk.name, &chunk.bytes));
            assert_eq!(auditor.finish().verdict, AuditVerdict::Invalid, "{name}");
        }
    }
}
