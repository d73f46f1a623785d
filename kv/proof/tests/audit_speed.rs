//! How fast an audit is: run by hand, prints, asserts no time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Instant;

use affiant_proof::{AuditOptions, AuditVerdict, Auditor};
use common::service::{Mode, opened};

/// `cargo test -p affiant-proof --test audit_speed -- --ignored --nocapture`
#[test]
#[ignore = "a measurement: prints entries per second"]
fn entries_per_second() {
    let mut writer = opened(Mode::Dual);
    for _ in 0..20 {
        for key in 0..5_000 {
            writer.private(&format!("{key:08}"), "sixteen bytes...");
        }
        writer.sign(true);
    }
    let secret = writer.secret();
    let chunks = writer.finish();
    let bytes: usize = chunks.iter().map(|chunk| chunk.bytes.len()).sum();
    for secrets in [vec![], vec![secret]] {
        let what = if secrets.is_empty() { "without the secret" } else { "with the secret" };
        let start = Instant::now();
        let mut auditor = Auditor::new(AuditOptions { secrets, ..AuditOptions::default() });
        chunks.iter().for_each(|chunk| auditor.chunk(&chunk.name, &chunk.bytes));
        let report = auditor.finish();
        let seconds = start.elapsed().as_secs_f64();
        assert_eq!(report.verdict, AuditVerdict::Valid, "{report}");
        let rate = report.entries as f64 / seconds;
        println!("{what}: {} entries, {bytes} bytes, {rate:.0} entries/s", report.entries);
    }
}
