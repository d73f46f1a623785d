//! `affiant receipt verify` on receipts of a real CCF service.

use std::fs;
use std::path::PathBuf;

use crate::support::{Finished, affiant, affiant_reading, fixtures, text};

struct Recorded {
    receipt: PathBuf,
    service: PathBuf,
}

/// A recorded receipt of an application's transaction.
fn recorded(name: &str) -> Option<Recorded> {
    let folder = fixtures("ccf-http")?;
    let receipt = folder.join("receipts").join(name);
    Some(Recorded { receipt, service: folder.join("service_cert_before_recovery.pem") })
}

fn verify(recorded: &Recorded, more: &[&str]) -> Finished {
    let mut arguments = vec!["receipt", "verify", text(&recorded.receipt), "--service-cert"];
    arguments.push(text(&recorded.service));
    arguments.extend(more);
    affiant(&arguments)
}

#[test]
fn every_recorded_receipt_verifies() {
    let Some(folder) = fixtures("ccf-http") else { return };
    let service = folder.join("service_cert_before_recovery.pem");
    let mut verified = 0;
    for entry in fs::read_dir(folder.join("receipts")).unwrap() {
        let receipt = entry.unwrap().path();
        if !text(&receipt).contains("node_receipt") {
            continue;
        }
        let arguments = ["receipt", "verify", text(&receipt), "--service-cert", text(&service)];
        let finished = affiant(&arguments).expect(0);
        assert!(finished.stdout.starts_with("Verified: "), "{}", finished.stdout);
        verified += 1;
    }
    assert!(verified > 10);
}

#[test]
fn the_verdict_is_json_for_scripts() {
    let Some(recorded) = recorded("2.24.node_receipt.200.json") else { return };
    let verdict = verify(&recorded, &["--json"]).expect(0).json();
    assert_eq!(verdict["verified"], true);
    assert_eq!(verdict["format"], "json");
    assert_eq!(verdict["txid"], "2.24");
    let checks = verdict["checks"].as_array().unwrap();
    let signature = checks.iter().find(|check| check["name"] == "signature").unwrap();
    assert_eq!(signature["outcome"], "passed");
    assert!(checks.iter().all(|check| check["explanation"].is_string()));
}

#[test]
fn a_changed_receipt_does_not_verify() {
    let Some(recorded) = recorded("2.24.node_receipt.200.json") else { return };
    let receipt = fs::read_to_string(&recorded.receipt).unwrap();
    let changed = receipt.replacen("\"ce:2.24:", "\"ce:2.25:", 1);
    assert_ne!(changed, receipt);
    let arguments = ["receipt", "verify", "-", "--service-cert", text(&recorded.service), "--json"];
    assert_eq!(affiant_reading(&arguments, receipt.as_bytes()).expect(0).json()["txid"], "2.24");
    let refused = affiant_reading(&arguments, changed.as_bytes()).expect(1).json();
    assert_eq!(refused["verified"], false);
    let words = affiant_reading(&arguments[..5], changed.as_bytes()).expect(1).stdout;
    assert!(words.starts_with("NOT VERIFIED: "), "{words}");
    assert!(words.contains("FAILED      signature"), "{words}");
}

#[test]
fn an_answer_that_is_no_receipt_is_told_as_such() {
    let Some(recorded) = recorded("2.24.node_receipt.200.json") else { return };
    let arguments = ["receipt", "verify", "-", "--service-cert", text(&recorded.service)];
    let answer =
        br#"{"error": {"code": "TransactionPendingOrUnknown", "message": "2.9 is Pending"}}"#;
    let words = affiant_reading(&arguments, answer).expect(3).stderr;
    assert!(words.contains("no receipt") && words.contains("2.9 is Pending"), "{words}");
}

#[test]
fn claims_are_compared_when_given() {
    // The recorded message of 2.21 has its SHA-256 as claims digest.
    let Some(recorded) = recorded("2.21.node_receipt.200.json") else { return };
    let scratch = tempfile::tempdir().unwrap();
    let claims = scratch.path().join("claims");
    fs::write(&claims, "first message 0 ").unwrap();
    verify(&recorded, &["--claims-file", text(&claims)]).expect(0);
    fs::write(&claims, "another message").unwrap();
    verify(&recorded, &["--claims-file", text(&claims)]).expect(1);
    verify(&recorded, &["--claims", &"0".repeat(64)]).expect(1);
}

#[test]
fn certificates_are_checked_against_a_time_when_given() {
    let Some(recorded) = recorded("2.24.node_receipt.200.json") else { return };
    let late = verify(&recorded, &["--now", "4102444800"]).expect(1);
    assert!(late.stdout.contains("FAILED      validity"), "{}", late.stdout);
}

#[test]
fn another_service_is_not_trusted() {
    let Some(recorded) = recorded("2.24.node_receipt.200.json") else { return };
    let Some(ledgers) = fixtures("ccf-ledgers") else { return };
    let service = ledgers.join("cose_flipflop_service/common/service_cert.pem");
    let other = Recorded { service, ..recorded };
    let refused = verify(&other, &[]).expect(1);
    assert!(refused.stdout.contains("FAILED      certificate chain"), "{}", refused.stdout);
}

#[test]
fn what_cannot_be_read_is_told_apart_from_what_does_not_hold() {
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| scratch.path().join(name);
    fs::write(path("empty"), "").unwrap();
    fs::write(path("text"), "hello").unwrap();
    fs::write(path("other.json"), "{\"a\": 1}").unwrap();
    fs::write(path("large"), vec![b' '; 1 << 20]).unwrap();
    fs::write(path("cert.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        .unwrap();
    for (receipt, certificate, needle) in [
        ("empty", "cert.pem", "it is empty"),
        ("text", "cert.pem", "neither a JSON receipt"),
        ("other.json", "cert.pem", "missing field"),
        ("large", "cert.pem", "larger than"),
        ("missing", "cert.pem", "No such file"),
        ("other.json", "text", "no certificate in PEM form"),
    ] {
        let (receipt, certificate) = (path(receipt), path(certificate));
        let arguments = ["receipt", "verify", text(&receipt), "--service-cert", text(&certificate)];
        let refused = affiant(&arguments).expect(3);
        assert!(refused.stderr.contains(needle), "{needle}: {}", refused.stderr);
        assert!(refused.stdout.is_empty());
    }
}
