//! `affiant ledger` on ledgers of real CCF services, whole and damaged.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{affiant, copy_files, fixtures, text};

fn small() -> Option<PathBuf> {
    Some(fixtures("ccf-ledgers")?.join("acme_containing_service/ledger"))
}

#[test]
fn every_ledger_of_a_real_service_verifies() {
    let Some(ledgers) = fixtures("ccf-ledgers") else { return };
    let mut verified = 0;
    for entry in fs::read_dir(ledgers).unwrap() {
        let service = entry.unwrap().path();
        let (ledger, certificate) =
            (service.join("ledger"), service.join("common/service_cert.pem"));
        let arguments = ["ledger", "verify", text(&ledger), "--service-cert", text(&certificate)];
        let words = affiant(&arguments).expect(0).stdout;
        assert!(words.starts_with("Verified: "), "{words}");
        let json = affiant(&[&arguments[..], &["--json"]].concat()).expect(0).json();
        assert_eq!(json["verified"], true);
        assert!(json["signatures"].as_u64().unwrap() > 0);
        assert_eq!(json["last_signed"], json["last"]);
        verified += 1;
    }
    assert_eq!(verified, 4);
}

#[test]
fn a_ledger_of_another_service_is_refused() {
    let Some(ledgers) = fixtures("ccf-ledgers") else { return };
    let ledger = ledgers.join("acme_containing_service/ledger");
    let certificate = ledgers.join("eol_service/common/service_cert.pem");
    let arguments = ["ledger", "verify", text(&ledger), "--service-cert", text(&certificate)];
    let words = affiant(&arguments).expect(1).stdout;
    assert!(words.contains("is trusted"), "{words}");
}

/// Changes one byte of a chunk.
fn flip(ledger: &Path, file: &str, offset: usize) {
    let path = ledger.join(file);
    let mut bytes = fs::read(&path).unwrap();
    bytes[offset] ^= 0x40;
    fs::write(path, bytes).unwrap();
}

#[test]
fn damage_is_found_with_file_and_offset() {
    let Some(ledger) = small() else { return };
    let stat = affiant(&["ledger", "stat", text(&ledger), "--json"]).expect(0).json();
    let scratch = tempfile::tempdir().unwrap();
    for (round, file) in stat["files"].as_array().unwrap().iter().enumerate() {
        let name = file["name"].as_str().unwrap();
        let size = file["bytes"].as_u64().unwrap() as usize;
        for (turn, offset) in [8, 30, size / 3, size / 2].into_iter().enumerate() {
            let damaged = scratch.path().join(format!("{round}-{turn}"));
            copy_files(&ledger, &damaged);
            flip(&damaged, name, offset);
            let words = affiant(&["ledger", "verify", text(&damaged)]).expect(1).stdout;
            assert!(words.starts_with("NOT VERIFIED: "), "{name} {offset}: {words}");
            assert!(words.contains("ERROR: "), "{name} {offset}: {words}");
            assert!(words.contains("ledger_") && words.contains(" at offset "), "{words}");
        }
    }
}

#[test]
fn missing_foreign_and_torn_files_are_named() {
    let Some(ledger) = small() else { return };
    let scratch = tempfile::tempdir().unwrap();

    let gap = scratch.path().join("gap");
    copy_files(&ledger, &gap);
    let mut chunks: Vec<_> =
        fs::read_dir(&gap).unwrap().map(|entry| entry.unwrap().path()).collect();
    chunks.sort();
    let middle = chunks.iter().find(|path| text(path).contains("-20.committed")).unwrap();
    fs::remove_file(middle).unwrap();
    let words = affiant(&["ledger", "verify", text(&gap)]).expect(1).stdout;
    assert!(words.contains("expected a chunk that starts at seqno"), "{words}");

    let foreign = scratch.path().join("foreign");
    copy_files(&ledger, &foreign);
    fs::write(foreign.join("index.db"), "x").unwrap();
    let words = affiant(&["ledger", "verify", text(&foreign)]).expect(1).stdout;
    assert!(words.contains("index.db") && words.contains("no ledger chunk"), "{words}");
    fs::rename(foreign.join("index.db"), foreign.join("ledger_1.ignored")).unwrap();
    affiant(&["ledger", "verify", text(&foreign)]).expect(0);

    let torn = scratch.path().join("torn");
    copy_files(&ledger, &torn);
    let open = torn.join("ledger_21");
    let bytes = fs::read(&open).unwrap();
    fs::write(&open, &bytes[..bytes.len() - 5]).unwrap();
    let words = affiant(&["ledger", "verify", text(&torn)]).expect(1).stdout;
    assert!(words.contains("not written whole"), "{words}");
    affiant(&["ledger", "verify", text(&torn), "--committed-only"]).expect(0);
    let stat = affiant(&["ledger", "stat", text(&torn)]).expect(0);
    assert!(stat.stderr.contains("ledger_21 at offset"), "{}", stat.stderr);
}

#[test]
fn no_ledger_at_all_is_unreadable_input() {
    let scratch = tempfile::tempdir().unwrap();
    for command in ["verify", "show", "stat"] {
        let missing = scratch.path().join("missing");
        let refused = affiant(&["ledger", command, text(&missing)]).expect(3);
        assert!(refused.stderr.contains("missing"), "{}", refused.stderr);
        let refused = affiant(&["ledger", command, text(scratch.path())]).expect(3);
        assert!(refused.stderr.contains("no ledger chunk"), "{}", refused.stderr);
    }
}

#[test]
fn show_prints_what_was_asked_for() {
    let Some(ledgers) = fixtures("ccf-ledgers") else { return };
    let ledger = ledgers.join("cose_flipflop_service/ledger");
    let lines = affiant(&["ledger", "show", text(&ledger), "--seqno", "15..17", "--json"]);
    let lines: Vec<serde_json::Value> =
        lines.expect(0).stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: Vec<_> = lines.iter().map(|line| line["txid"].as_str().unwrap()).collect();
    assert_eq!(ids, ["2.15", "2.16", "2.17"]);
    assert_eq!(lines[2]["private"], "sealed");
    assert_eq!(lines[2]["private_bytes"], 70);
    assert!(lines[0]["claims_digest"].as_str().unwrap().starts_with("211b4d39"));
    let table = "public:ccf.internal.snapshot_evidence";
    let words = affiant(&["ledger", "show", text(&ledger), "--table", table]).expect(0).stdout;
    assert!(words.starts_with("2.15  transaction"), "{words}");
    assert!(words.contains(table) && !words.contains("signatures"), "{words}");
}

#[test]
fn show_names_the_place_of_damage() {
    let Some(ledger) = small() else { return };
    let scratch = tempfile::tempdir().unwrap();
    let damaged = scratch.path().join("damaged");
    copy_files(&ledger, &damaged);
    flip(&damaged, "ledger_1-2.committed", 8);
    let refused = affiant(&["ledger", "show", text(&damaged)]).expect(3);
    assert!(refused.stderr.contains("ledger_1-2.committed at offset 8"), "{}", refused.stderr);
}

#[test]
fn stat_counts() {
    let Some(ledger) = small() else { return };
    let json = affiant(&["ledger", "stat", text(&ledger), "--json"]).expect(0).json();
    assert_eq!(json["transactions"], 22);
    assert_eq!(json["signatures"], 8);
    assert_eq!((&json["first"], &json["last"]), (&"2.1".into(), &"2.22".into()));
    let words = affiant(&["ledger", "stat", text(&ledger)]).expect(0).stdout;
    assert!(words.starts_with("22 transactions in 4 files"), "{words}");
}
