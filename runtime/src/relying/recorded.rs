//! The judgement over what a node of CCF really said: its evidence, its certificate, a receipt. There is
//! no connection to it any more, and nobody has its key: this is what a connection would have brought.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use affiant_attest::{Attestation, Outcome, Policy, Verdict};
use affiant_proof::Certificate;
use serde_json::{Value as Json, json};

use super::judge::{Shown, Wanted, judge};

/// Within the validity of the recorded certificates.
const THEN_UNIX_S: u64 = 1_796_000_000;

struct Recorded {
    shown: Shown,
    receipt: Json,
}

fn recorded() -> Option<Recorded> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures/ccf-http");
    if !root.is_dir() {
        println!("skipped: no fixtures in {}", root.display());
        return None;
    }
    let read = |path: PathBuf| std::fs::read(root.join(path)).unwrap();
    let json = |path: &str| -> Json { serde_json::from_slice(&read(path.into())).unwrap() };
    let receipt = json("receipts/2.24.node_receipt.200.json");
    let certificate = Certificate::from_pem(receipt["cert"].as_str().unwrap()).unwrap();
    let network = json("responses/node_network.200");
    let shown = Shown {
        tls_certificate: certificate.der().to_vec(),
        attestation: Attestation::from_json(&read("responses/node_attestations_self.200".into()))
            .unwrap(),
        service_certificate_pem: network["service_certificate"].as_str().unwrap().to_owned(),
    };
    Some(Recorded { shown, receipt })
}

fn lax() -> Policy {
    let policy = json!({"virtual": {"measurements": "any", "host_data": "any"}});
    serde_json::from_value(policy).unwrap()
}

fn plain(policy: &Policy) -> Wanted<'_> {
    Wanted {
        policy,
        nonce: None,
        service_certificate_pem: None,
        receipt: None,
        at_unix_s: THEN_UNIX_S,
    }
}

fn judged(shown: &Shown, wanted: &Wanted<'_>) -> Verdict {
    judge(&mut shown.clone(), wanted).unwrap()
}

fn failed(verdict: &Verdict) -> Vec<&'static str> {
    verdict.failures().map(|check| check.name).collect()
}

#[test]
fn a_node_of_ccf_is_verified_with_its_receipt() {
    let Some(Recorded { shown, receipt }) = recorded() else { return };
    let receipt = receipt.to_string();
    let service = shown.service_certificate_pem.clone();
    let policy = lax();
    let wanted = Wanted {
        receipt: Some(receipt.as_bytes()),
        service_certificate_pem: Some(&service),
        ..plain(&policy)
    };
    let verdict = judged(&shown, &wanted);
    assert!(verdict.is_trusted(), "{verdict}");
    for name in ["tls key", "tls certificate", "known service", "receipt", "receipt signature"] {
        assert_eq!(verdict.check(name).unwrap().outcome, Outcome::Passed, "{name}");
    }
    assert!(verdict.check("receipt").unwrap().reason.contains("2.24"), "{verdict}");
    // It makes no evidence on demand.
    let verdict = judged(&shown, &Wanted { nonce: Some(&[7; 32]), ..wanted });
    assert_eq!(failed(&verdict), ["nonce"]);
}

#[test]
fn each_change_to_what_was_recorded_is_named() {
    let Some(Recorded { shown, receipt }) = recorded() else { return };
    let policy = lax();
    let plain = plain(&policy);
    // Every byte of what the evidence is bound to.
    let Attestation::Virtual(evidence) = &shown.attestation else { panic!("no virtual evidence") };
    for position in 0..evidence.report_data.len() {
        let mut evidence = evidence.clone();
        evidence.report_data[position] ^= 1;
        let changed = Shown { attestation: Attestation::Virtual(evidence), ..shown.clone() };
        let names = failed(&judged(&changed, &plain));
        assert_eq!(names, ["tls key", "binding"], "byte {position}");
    }
    // The service's own certificate is not the node's.
    let service = Certificate::from_pem(&shown.service_certificate_pem).unwrap();
    let changed = Shown { tls_certificate: service.der().to_vec(), ..shown.clone() };
    assert!(failed(&judged(&changed, &plain)).contains(&"tls key"));
    // A signature over the certificate that does not hold.
    let mut tls_certificate = shown.tls_certificate.clone();
    *tls_certificate.last_mut().unwrap() ^= 1;
    let changed = Shown { tls_certificate, ..shown.clone() };
    assert_eq!(failed(&judged(&changed, &plain)), ["tls certificate"]);
    let late = judged(&shown, &Wanted { at_unix_s: 4_102_444_800, ..plain });
    assert_eq!(failed(&late), ["tls certificate"]);
    let mut other = receipt;
    other["leaf_components"]["commit_evidence"] = "ce:2.25:00".into();
    let other = other.to_string();
    let names = failed(&judged(&shown, &Wanted { receipt: Some(other.as_bytes()), ..plain }));
    assert!(names.contains(&"receipt") && names.contains(&"receipt signature"), "{names:?}");
}
