//! Ledgers that CCF nodes wrote, from 1.x to 6.x, pass the audit whole.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use affiant_proof::{AuditOptions, AuditReport, AuditVerdict, Auditor};

fn audit(chunks: &[common::Chunk], options: AuditOptions) -> AuditReport {
    let mut auditor = Auditor::new(options);
    for chunk in chunks {
        auditor.chunk(&chunk.name, &chunk.bytes);
    }
    auditor.finish()
}

#[test]
fn every_fixture_ledger_is_valid() {
    for (service, chunks) in common::fixture_ledgers() {
        let report = audit(&chunks, AuditOptions::default());
        assert_eq!(report.verdict, AuditVerdict::Valid, "{service}: {report}");
    }
}
