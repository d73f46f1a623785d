//! What the audit says of ledgers that are cut, mixed up, forged or only unfinished.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use affiant_proof::audit::Severity;
use affiant_proof::chunk::ChunkView;
use affiant_proof::{
    AuditOptions, AuditReport, AuditVerdict, Auditor, Certificate, Digest, LedgerSecret, TxId,
    tables,
};
use common::Chunk;
use common::service::{Identity, Mode, Writer, opened, small_ledger};

fn audit(chunks: &[Chunk]) -> AuditReport {
    audit_with(chunks, AuditOptions::default())
}

fn audit_with(chunks: &[Chunk], options: AuditOptions) -> AuditReport {
    let mut auditor = Auditor::new(options);
    chunks.iter().for_each(|chunk| auditor.chunk(&chunk.name, &chunk.bytes));
    auditor.finish()
}

fn with_secret(secret: &LedgerSecret) -> AuditOptions {
    AuditOptions { secrets: vec![secret.clone()], ..AuditOptions::default() }
}

/// Asserts that `report` has a finding of this weight, by this check, saying `words`.
fn assert_found(report: &AuditReport, severity: Severity, check: &str, words: &str) {
    let found = report.findings.iter().any(|finding| {
        finding.severity == severity
            && finding.check == check
            && finding.explanation.contains(words)
    });
    assert!(found, "no {severity:?} by {check:?} saying {words:?}: {report}");
}

#[test]
fn chunks_must_follow_each_other() {
    let (mut chunks, _) = small_ledger(Mode::Dual, true);
    let middle = chunks.remove(1);
    let report = audit(&chunks);
    assert_found(&report, Severity::Error, "chunk", "expected a chunk that starts at seqno 3");
    assert_eq!(report.last_signed, Some(TxId::new(2, 2)), "what came before still stands");

    chunks.push(middle);
    let report = audit(&chunks);
    assert_eq!(report.verdict, AuditVerdict::Invalid);

    let (mut chunks, _) = small_ledger(Mode::Dual, true);
    let again = Chunk { name: chunks[2].name.clone(), bytes: chunks[2].bytes.clone() };
    chunks.push(again);
    assert_found(&audit(&chunks), Severity::Error, "chunk", "still open");
}

#[test]
fn names_must_tell_the_truth() {
    let renamed = |index: usize, name: &str| {
        let (mut chunks, _) = small_ledger(Mode::Dual, false);
        chunks[index].name = name.to_owned();
        audit(&chunks)
    };
    assert_eq!(renamed(2, "ledger_6-7.committed").verdict, AuditVerdict::Valid);
    assert_eq!(renamed(2, "ledger_6-7").verdict, AuditVerdict::Valid);
    let report = renamed(2, "ledger_6");
    assert_eq!(report.verdict, AuditVerdict::Valid);
    assert_found(&report, Severity::Note, "chunk", "not yet committed");
    let report = renamed(2, "ledger_6-7.committed.recovery");
    assert_found(&report, Severity::Note, "recovery", "disaster recovery");
    assert_eq!(report.verdict, AuditVerdict::Valid);
    let report = renamed(2, "ledger_6-8.committed");
    assert_found(&report, Severity::Error, "chunk", "its last entry has seqno 7");
    assert_found(&renamed(2, "ledger_6-x"), Severity::Error, "chunk", "name");
    assert_found(&renamed(1, "index.db"), Severity::Error, "chunk", "name");
    let report = renamed(2, "ledger_6-7.committed.ignored");
    assert_found(&report, Severity::Note, "chunk", "quarantined");
    assert_eq!((report.verdict, report.entries), (AuditVerdict::Valid, 5));

    // Completed chunks whose commit is not known yet may follow each other.
    let (mut chunks, _) = small_ledger(Mode::Dual, true);
    chunks[1].name = "ledger_3".to_owned();
    let report = audit(&chunks);
    assert_eq!(report.verdict, AuditVerdict::Valid, "{report}");
    assert_found(&report, Severity::Note, "chunk", "not yet committed");

    let (mut chunks, _) = small_ledger(Mode::Dual, true);
    chunks[2].name = "ledger_6-7.committed".to_owned();
    assert_found(&audit(&chunks), Severity::Error, "chunk", "no position table");
}

#[test]
fn an_unsigned_tail_is_counted_and_only_the_secret_proves_it() {
    let mut writer = opened(Mode::Dual);
    writer.private("1", "signed");
    writer.sign(false);
    writer.private("2", "not signed");
    writer.private("3", "not signed either");
    let secret = writer.secret();
    let mut chunks = writer.finish();
    let report = audit(&chunks);
    assert_eq!(report.verdict, AuditVerdict::Valid, "{report}");
    assert_eq!((report.unsigned_tail, report.last), (2, Some(TxId::new(2, 6))));
    assert_eq!(report.last_signed, Some(TxId::new(2, 4)));
    assert_found(&report, Severity::Note, "coverage", "2 entries from seqno 5 on");

    let last = chunks[1].bytes.len() - 1;
    chunks[1].bytes[last] ^= 1;
    assert_eq!(audit(&chunks).verdict, AuditVerdict::Valid, "as the note says: not covered");
    let report = audit_with(&chunks, with_secret(&secret));
    assert_found(&report, Severity::Error, "seal", "fails authentication");
}

#[test]
fn p06_a_torn_tail_is_a_warning_and_every_cut_is_answered() {
    let (chunks, _) = small_ledger(Mode::Dual, true);
    let whole = &chunks[2].bytes;
    let view = ChunkView::parse(whole).unwrap();
    let ends: Vec<_> = view.entries().map(|(at, _)| at).chain([whole.len()]).collect();
    let mut before = Auditor::new(AuditOptions::default());
    chunks[..2].iter().for_each(|chunk| before.chunk(&chunk.name, &chunk.bytes));
    for cut in 0..whole.len() {
        let mut auditor = before.clone();
        auditor.chunk(&chunks[2].name, &whole[..cut]);
        let report = auditor.finish();
        let expected = if ends.contains(&cut) {
            AuditVerdict::Valid
        } else if cut < 8 {
            AuditVerdict::Invalid
        } else {
            AuditVerdict::Suspicious
        };
        assert_eq!(report.verdict, expected, "cut at {cut}: {report}");
    }
    let mut auditor = Auditor::new(AuditOptions::default());
    auditor.chunk(&chunks[0].name, &chunks[0].bytes[..chunks[0].bytes.len() - 1]);
    assert_eq!(auditor.finish().verdict, AuditVerdict::Invalid, "a completed chunk is not torn");
}

#[test]
fn an_altered_entry_is_named_and_the_audit_goes_on() {
    let mut writer = opened(Mode::Dual);
    for round in 0..3 {
        for key in ["a", "b", "c", "d"] {
            writer.private(key, &format!("round {round}"));
        }
        writer.sign(true);
    }
    let mut chunks = writer.finish();
    // The last byte of the entry at seqno 10: the third of the second of these chunks.
    let offset = chunks[2].bytes.len();
    let view = ChunkView::parse(&chunks[2].bytes).unwrap();
    let at = view.position(3).unwrap() as usize - 1;
    assert!(at < offset);
    chunks[2].bytes[at] ^= 0x80;
    let report = audit(&chunks);
    assert_eq!(report.verdict, AuditVerdict::Invalid);
    assert_found(&report, Severity::Error, "root", "the entry at 10");
    let errors = report.findings.iter().filter(|finding| finding.severity == Severity::Error);
    assert!(errors.clone().all(|finding| finding.seqno == 12), "{report}");
    assert_eq!(report.last_signed, report.last, "the signatures after it hold again");
    assert_eq!(report.signatures, 3, "{report}");
}

#[test]
fn the_service_must_be_the_trusted_one_and_in_date() {
    let (chunks, _) = small_ledger(Mode::Dual, true);
    let cert = Certificate::from_pem(&Writer::new(Mode::Dual).service.cert_pem).unwrap();
    let options = |trusted: &Certificate, now| AuditOptions {
        trusted_service: Some(trusted.clone()),
        now,
        ..AuditOptions::default()
    };
    let in_date = Some(cert.not_before() + 10);
    assert_eq!(audit_with(&chunks, options(&cert, in_date)).verdict, AuditVerdict::Valid);
    let report = audit_with(&chunks, options(&cert, Some(0)));
    assert_eq!(report.verdict, AuditVerdict::Suspicious);
    assert_found(&report, Severity::Warning, "trust", "not yet valid");
    let other = Certificate::from_pem(&Identity::service(99).cert_pem).unwrap();
    let report = audit_with(&chunks, options(&other, None));
    assert_found(&report, Severity::Error, "trust", "is trusted");
}

#[test]
fn a_ledger_without_signatures_proves_nothing() {
    assert_found(&audit(&[]), Severity::Error, "coverage", "no entry");
    let mut writer = Writer::new(Mode::Dual);
    writer.entry(&[writer.service_info("Open")], &[], Digest::ZERO);
    writer.private("1", "one");
    let report = audit(&writer.finish());
    assert_found(&report, Severity::Error, "coverage", "nothing is proven");
    assert_eq!((report.signatures, report.last_signed), (0, None));
}

#[test]
fn only_recorded_trusted_and_certified_nodes_may_sign() {
    let mut writer = Writer::new(Mode::Dual);
    writer.entry(&[writer.service_info("Open")], &[], Digest::ZERO);
    writer.sign(false);
    assert_found(&audit(&writer.finish()), Severity::Error, "node", "never recorded");

    let mut writer = opened(Mode::Dual);
    let pending = br#"{"status":"Pending"}"#.to_vec();
    let id = writer.node.id.clone().into_bytes();
    writer.entry(&[(tables::NODES_INFO, vec![(id, pending)])], &[], Digest::ZERO);
    writer.sign(false);
    assert_found(&audit(&writer.finish()), Severity::Error, "node", "Pending");

    let mut writer = Writer::new(Mode::Dual);
    writer.node = Identity::node(12, &Identity::service(77));
    let [certificates, info] = writer.node_tables();
    let service = writer.service_info("Open");
    writer.entry(&[certificates, info, service], &[], Digest::ZERO);
    writer.sign(false);
    assert_found(&audit(&writer.finish()), Severity::Error, "node", "not certified");

    // A node whose id is recorded with another node's certificate.
    let mut writer = opened(Mode::Dual);
    let other = Identity::node(44, &writer.service);
    let id = writer.node.id.clone().into_bytes();
    let cert = other.cert_pem.clone().into_bytes();
    writer.entry(&[(tables::NODES_ENDORSED_CERTIFICATES, vec![(id, cert)])], &[], Digest::ZERO);
    writer.sign(false);
    let report = audit(&writer.finish());
    assert_found(&report, Severity::Error, "node", "with the key");
    assert_found(&report, Severity::Error, "node signature", "another key");
}

#[test]
fn a_service_may_change_its_key_only_by_recovery() {
    let mut writer = opened(Mode::Dual);
    writer.recover(Identity::service(21), "Recovering");
    writer.sign(false);
    writer.entry(&[writer.service_info("WaitingForRecoveryShares")], &[], Digest::ZERO);
    writer.entry(&[writer.service_info("Open")], &[], Digest::ZERO);
    writer.sign(false);
    let report = audit(&writer.finish());
    assert_eq!(report.verdict, AuditVerdict::Valid, "{report}");
    assert_found(&report, Severity::Note, "service", "a new service identity");
    let periods: Vec<_> = report.services.iter().map(|period| period.status.as_str()).collect();
    assert_eq!(periods, ["Open", "Recovering", "WaitingForRecoveryShares", "Open"]);
    assert_ne!(report.services[0].key_id, report.services[1].key_id);
    assert_eq!(report.services[1].from, TxId::new(4, 3));

    let mut writer = opened(Mode::Dual);
    writer.recover(Identity::service(21), "Open");
    writer.sign(false);
    let report = audit(&writer.finish());
    assert_found(&report, Severity::Error, "service", "outside of a recovery");

    let mut writer = opened(Mode::Dual);
    writer.entry(&[writer.service_info("WaitingForRecoveryShares")], &[], Digest::ZERO);
    writer.sign(false);
    let report = audit(&writer.finish());
    assert_found(&report, Severity::Error, "service", "may not change from Open");
}

#[test]
fn a_signature_by_a_key_that_is_not_the_service_s_is_refused() {
    let mut writer = opened(Mode::CoseOnly);
    writer.private("1", "one");
    writer.service = Identity::service(55);
    writer.sign(false);
    let report = audit(&writer.finish());
    assert_found(&report, Severity::Error, "service signature", "key id does not match");
    assert_eq!(report.last_signed, Some(TxId::new(2, 2)));
}

#[test]
fn views_never_go_back() {
    let mut writer = opened(Mode::Dual);
    writer.view = 5;
    writer.sign(false);
    writer.view = 4;
    writer.sign(false);
    assert_found(&audit(&writer.finish()), Severity::Error, "view", "never go back");
}

#[test]
fn private_maps_in_clear_and_mixed_order_are_errors() {
    let write = || vec![(b"k".to_vec(), b"v".to_vec())];
    let mut writer = opened(Mode::Dual);
    writer.entry(&[("records", write())], &[], Digest::ZERO);
    writer.sign(false);
    assert_found(&audit(&writer.finish()), Severity::Error, "maps", "is private");

    let mut writer = opened(Mode::Dual);
    writer.entry(&[("public:b", write()), ("public:a", write())], &[], Digest::ZERO);
    writer.sign(false);
    assert_found(&audit(&writer.finish()), Severity::Error, "maps", "out of order");

    let mut writer = opened(Mode::Dual);
    writer.entry(&[], &[("public:a", write())], Digest::ZERO);
    writer.sign(false);
    let secret = writer.secret();
    let report = audit_with(&writer.finish(), with_secret(&secret));
    assert_found(&report, Severity::Error, "seal", "private domain");
}

#[test]
fn secrets_apply_from_their_first_seqno() {
    let (chunks, secret) = small_ledger(Mode::Dual, true);
    let later = LedgerSecret { first_seqno: 6, key: secret.key };
    let wrong = LedgerSecret { first_seqno: 1, key: [1; 32] };
    let report = audit_with(&chunks, with_secret(&later));
    assert_eq!((report.verdict, report.seals), (AuditVerdict::Valid, 2));
    assert_found(&report, Severity::Note, "seal", "5 entries");
    let both = AuditOptions { secrets: vec![later, wrong], ..AuditOptions::default() };
    let report = audit_with(&chunks, both);
    assert_eq!((report.verdict, report.seals), (AuditVerdict::Invalid, 2));
    assert!(!format!("{:?}", LedgerSecret { first_seqno: 1, key: [1; 32] }).contains("1, 1"));
}

/// The offset of the last entry of a chunk.
fn last_entry(chunk: &Chunk) -> usize {
    ChunkView::parse(&chunk.bytes).unwrap().entries().last().unwrap().0
}

#[test]
fn the_flag_that_ends_a_chunk_stands_exactly_there() {
    let (mut chunks, _) = small_ledger(Mode::Dual, true);
    let flags = last_entry(&chunks[2]) + 1;
    chunks[2].bytes[flags] = 1;
    let report = audit(&chunks);
    assert_eq!(report.verdict, AuditVerdict::Suspicious);
    assert_found(&report, Severity::Warning, "flags", "should have been completed");

    let (mut chunks, _) = small_ledger(Mode::Dual, false);
    chunks[2].bytes[flags] = 0;
    let report = audit(&chunks);
    assert_eq!(report.verdict, AuditVerdict::Suspicious);
    assert_found(&report, Severity::Warning, "flags", "lacks the flag");

    chunks[2].bytes[flags] = 2;
    assert_found(&audit(&chunks), Severity::Error, "flags", "must start a chunk");
    let first = 8 + 1;
    chunks[2].bytes[first] = 1;
    assert_found(&audit(&chunks), Severity::Error, "flags", "only a signature entry");
}

#[test]
fn nothing_hides_beside_a_signature() {
    let mut writer = opened(Mode::Dual);
    writer.hide = Some(b"anything".to_vec());
    writer.sign(false);
    let report = audit(&writer.finish());
    assert_found(&report, Severity::Error, "form", "unprotected header");

    let mut writer = opened(Mode::Dual);
    writer.hide = Some(b"anything".to_vec());
    writer.sign(false);
    writer.hide = None;
    writer.sign(false);
    let report = audit(&writer.finish());
    assert_eq!(report.verdict, AuditVerdict::Valid, "the next signature covers it: {report}");
    assert_found(&report, Severity::Note, "form", "unprotected header");
}

#[test]
fn entries_may_be_fed_one_by_one() {
    let (chunks, _) = small_ledger(Mode::Dual, true);
    let mut auditor = Auditor::new(AuditOptions::default());
    for chunk in &chunks {
        for (_, entry) in ChunkView::parse(&chunk.bytes).unwrap().entries() {
            auditor.entry(entry.unwrap().bytes());
        }
    }
    let one_by_one = auditor.finish();
    let whole = audit(&chunks);
    assert_eq!(one_by_one.verdict, AuditVerdict::Valid, "{one_by_one}");
    assert_eq!(one_by_one.last_signed, whole.last_signed);
    assert_eq!((one_by_one.entries, one_by_one.chunks), (whole.entries, 0));

    let mut auditor = Auditor::new(AuditOptions::default());
    auditor.entry(&[1, 0, 0]);
    assert!(auditor.has_errors());
}

#[test]
fn reports_are_written_as_json() {
    let (chunks, _) = small_ledger(Mode::Dual, true);
    let json = serde_json::to_value(audit(&chunks)).unwrap();
    assert_eq!(json["verdict"], "valid");
    assert_eq!(json["last_signed"], "3.7");
    assert_eq!(json["services"][0]["from"], "2.1");
    assert_eq!(json["findings"][0]["severity"], "note");
    assert_eq!(json["findings"][0]["check"], "coverage");
}
