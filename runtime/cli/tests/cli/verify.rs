//! `affiant verify` against a sandbox, and on evidence from files.

use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::process::eventually;
use crate::sandbox::start;
use crate::support::{Finished, affiant, affiant_reading, binary, fixtures, repository, text};

/// A policy that accepts any virtual evidence.
const LAX: &str = r#"{"virtual": {"measurements": "any", "host_data": "any"}}"#;

fn written(directory: &Path, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = directory.join(name);
    fs::write(&path, content).unwrap();
    text(&path).to_owned()
}

fn outcome(verdict: &serde_json::Value, name: &str) -> String {
    let checks = verdict["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == name);
    check.unwrap_or_else(|| panic!("no check {name}"))["outcome"].as_str().unwrap().to_owned()
}

#[test]
fn a_sandbox_is_refused_by_a_strict_policy_and_accepted_by_one_that_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let (mut sandbox, client) = start(place, &[]);
    let url = format!("https://{}", client.address);
    let strict = written(place, "strict.json", "{}");
    let lax = written(place, "lax.json", LAX);
    let verify = |more: &[&str]| affiant(&[&["verify", &url], more].concat());

    let refused = verify(&["--policy", &strict, "--nonce"]).expect(1);
    assert!(refused.stdout.starts_with("NOT TRUSTED: "), "{}", refused.stdout);
    assert!(refused.stdout.contains("virtual evidence"), "{}", refused.stdout);
    assert!(refused.stderr.is_empty(), "{}", refused.stderr);
    let json = verify(&["--policy", &strict, "--json"]).expect(1).json();
    assert_eq!(json["trusted"], false);
    assert_eq!(json["platform"], "virtual");

    let accepted = verify(&["--policy", &lax, "--nonce"]).expect(0).stdout;
    assert!(accepted.starts_with("Accepted, and nothing is proved: "), "{accepted}");
    assert!(accepted.contains("\nNot proved:\n"), "{accepted}");
    let json = verify(&["--policy", &lax, "--nonce=0011223344556677", "--json"]).expect(0).json();
    assert_eq!(json["trusted"], true);
    let nonce = json["checks"].as_array().unwrap().iter().find(|check| check["name"] == "nonce");
    assert_eq!(nonce.unwrap()["found"], "0011223344556677");

    // The service that is known, and another.
    let known = client.common.join("service_cert.pem");
    let json =
        verify(&["--policy", &lax, "--service-cert", text(&known), "--json"]).expect(0).json();
    assert_eq!(outcome(&json, "known service"), "passed");
    let user = client.common.join("user0_cert.pem");
    let other = verify(&["--policy", &lax, "--service-cert", text(&user)]).expect(1);
    assert!(other.stdout.contains("FAILED      known service"), "{}", other.stdout);

    // Nobody is there any more.
    sandbox.stop();
    let gone = verify(&["--policy", &lax, "--timeout", "5"]).expect(3);
    assert!(gone.stderr.contains("cannot be reached"), "{}", gone.stderr);
    assert!(gone.stdout.is_empty(), "{}", gone.stdout);
}

#[test]
fn a_receipt_is_checked_against_the_service_that_answers() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let (mut sandbox, client) = start(place, &[]);
    let url = format!("https://{}", client.address);
    let lax = written(place, "lax.json", LAX);
    let verify = |more: &[&str]| affiant(&[&["verify", &url], more].concat());
    // A receipt of this service, and one that was changed.
    let put = client.post("/app/log/private", r#"{"id": 1, "msg": "a"}"#).expect(200);
    let txid = put.header("x-ms-ccf-transaction-id").unwrap().to_owned();
    let mut receipt = Vec::new();
    eventually("a receipt", || {
        let answer = client.get(&format!("/app/receipt?transaction_id={txid}"));
        receipt.clone_from(&answer.body);
        answer.status == 200
    });
    let good = written(place, "receipt.json", &receipt);
    let verdict = verify(&["--policy", &lax, "--receipt", &good]).expect(0).stdout;
    assert!(verdict.contains(&format!("this service committed {txid}")), "{verdict}");
    let changed = String::from_utf8(receipt).unwrap().replace(&format!("ce:{txid}:"), "ce:9.9:");
    let bad = written(place, "changed.json", changed);
    let json = verify(&["--policy", &lax, "--receipt", &bad, "--json"]).expect(1).json();
    assert_eq!(outcome(&json, "receipt"), "failed");
    let none = verify(&["--policy", &lax, "--receipt", &lax]).expect(3);
    assert!(none.stderr.contains("the receipt cannot be read"), "{}", none.stderr);
    sandbox.stop();
}

#[test]
fn a_proposed_policy_accepts_the_node_and_what_is_kept_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let (mut sandbox, client) = start(place, &[]);
    let url = format!("https://{}", client.address);
    let strict = written(place, "strict.json", "{}");
    let lax = written(place, "lax.json", LAX);
    let verify = |more: &[&str]| affiant(&[&["verify", &url], more].concat());

    // A policy to start from, which then accepts the node; and what is kept is judged alike offline.
    let proposed = verify(&["--propose-policy"]).expect(0);
    assert!(proposed.stderr.contains("WARNING: "), "{}", proposed.stderr);
    let proposed = written(place, "proposed.json", &proposed.stdout);
    let kept = place.join("kept");
    verify(&["--policy", &proposed, "--nonce", "--save", text(&kept)]).expect(0);
    let again = verify(&["--policy", &proposed, "--nonce", "--save", text(&kept)]).expect(3);
    assert!(again.stderr.contains("not empty"), "{}", again.stderr);
    let evidence = kept.join("attestation.json");
    let offline =
        |policy: &str| affiant(&["verify", "--evidence", text(&evidence), "--policy", policy]);
    assert!(offline(&proposed).expect(0).stdout.starts_with("Trusted: "));
    assert!(offline(&strict).expect(1).stdout.contains("virtual evidence"));
    let bound = written(place, "bound", "other bytes");
    let arguments = ["verify", "--evidence", text(&evidence), "--policy", &lax, "--bound", &bound];
    assert!(affiant(&arguments).expect(1).stdout.contains("FAILED      binding"));
    sandbox.stop();
}

#[test]
fn what_cannot_be_read_is_told_from_what_does_not_hold() {
    let directory = tempfile::tempdir().unwrap();
    let lax = written(directory.path(), "lax.json", LAX);
    let evidence = written(directory.path(), "evidence.json", "{}");
    let empty = written(directory.path(), "empty", "");
    let short = written(directory.path(), "short.json", r#"{"host_data": ["00"]}"#);
    let odd = written(directory.path(), "odd.json", r#"{"measurement": []}"#);
    for (arguments, code, needle) in [
        (&["verify", "https://127.0.0.1:1", "--policy", "missing.json"][..], 3, "No such file"),
        (&["verify", "https://127.0.0.1:1", "--policy", &odd], 3, "unknown field `measurement`"),
        (&["verify", "https://127.0.0.1:1", "--policy", &short], 3, "host_data"),
        (&["verify", "http://127.0.0.1:1", "--policy", &lax], 2, "https://"),
        (&["verify", "https://127.0.0.1:1", "--policy", &lax, "--nonce=0"], 2, "hex digits"),
        (&["verify", "https://127.0.0.1:1", "--policy", &lax, "--nonce=00"], 2, "8 to 64"),
        (&["verify", "https://127.0.0.1:1", "--policy", &lax, "--at", "noon"], 2, "seconds since"),
        (&["verify", "--evidence", &evidence, "--policy", &lax], 3, "cannot be read"),
        (&["verify", "--evidence", &empty, "--policy", &lax], 3, "it is empty"),
        (&["verify", "--evidence", &lax, "--policy", &lax, "--nonce"], 2, "cannot be used with"),
        (&["verify", "--policy", &lax], 2, "required"),
        (&["verify", "https://127.0.0.1:1"], 2, "--policy"),
    ] {
        let refused = affiant(arguments).expect(code);
        assert!(refused.stderr.contains(needle), "{arguments:?}: {}", refused.stderr);
        assert!(refused.stdout.is_empty(), "{arguments:?}: {}", refused.stdout);
    }
    let refused = affiant_reading(&["verify", "--evidence", &evidence, "--policy", "-"], b"[1]");
    let words = refused.expect(3).stderr;
    assert!(words.contains("the policy cannot be read") && words.contains("docs/attestation.md"));
}

/// The policy of the guide that is marked `aci`, with other host data.
fn guide_policy(host_data: &str) -> serde_json::Value {
    let guide = fs::read_to_string(repository().join("docs/attestation.md")).unwrap();
    let (_, rest) = guide.split_once("```json aci\n").unwrap();
    let mut policy: serde_json::Value =
        serde_json::from_str(rest.split_once("```").unwrap().0).unwrap();
    policy["host_data"] = serde_json::json!([host_data]);
    // Evidence in a file is of no known age.
    policy.as_object_mut().unwrap().remove("maximum_age_s");
    policy["unbound"] = true.into();
    policy
}

fn judged(directory: &Path, folder: &Path, policy: &serde_json::Value, more: &[&str]) -> Finished {
    let policy = written(directory, "policy.json", policy.to_string());
    let read = |name: &str| fs::read(folder.join(name)).unwrap();
    let chain = ["milan_vcek.pem", "milan_ask.pem", "milan_ark.pem"].map(read).concat();
    let chain = written(directory, "chain.pem", chain);
    let report = folder.join("milan_attestation_report.bin");
    let mut arguments = vec!["verify", "--evidence", text(&report), "--endorsements", &chain];
    arguments.extend(["--policy", &policy]);
    arguments.extend(more);
    affiant(&arguments)
}

#[test]
fn a_real_report_is_judged_by_the_guides_policy() {
    let Some(folder) = fixtures("snp") else { return };
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let host_data = "4f4448c67f3c8dfc8de8a5e37125d807dadcc41f06cf23f615dbd52eec777d10";
    let mut policy = guide_policy(host_data);
    policy["uvm_endorsements"] = serde_json::json!([]);
    policy["measurements"] = serde_json::json!([
        "5feee30d6d7e1a29f403d70a4198237ddfb13051a2d6976439487c609388ed7f98189887920ab2fa0096903a0c23fca1"
    ]);
    let at = ["--at", "1780000000"];
    let good = judged(place, &folder, &policy, &at).expect(0);
    assert!(good.stdout.starts_with("Trusted: "), "{}", good.stdout);
    let json = judged(place, &folder, &policy, &[&at[..], &["--json"]].concat()).expect(0).json();
    assert_eq!((json["trusted"].as_bool(), json["at"].as_u64()), (Some(true), Some(1_780_000_000)));
    policy["minimum_tcb"]["Milan"]["microcode"] = 255.into();
    let low = judged(place, &folder, &policy, &at).expect(1);
    assert!(low.stdout.contains("FAILED      minimum tcb"), "{}", low.stdout);
    // Seconds since 1970: before the chip's certificate was made.
    let early = judged(place, &folder, &policy, &["--at", "1700000000"]).expect(1);
    assert!(early.stdout.contains("FAILED      chain validity"), "{}", early.stdout);
    let other = guide_policy(&"00".repeat(32));
    let other = judged(place, &folder, &other, &at).expect(1);
    assert!(other.stdout.contains("FAILED      host data"), "{}", other.stdout);
}

#[test]
fn a_message_of_an_attested_service_is_judged_by_the_guides_policy() {
    let Some(folder) = fixtures("snp") else { return };
    let directory = tempfile::tempdir().unwrap();
    let host_data = "73973b78d70cc68353426de188db5dfc57e5b766e399935fb73a61127ea26d20";
    let mut policy = guide_policy(host_data);
    policy["unbound"] = false.into();
    let message = folder.join("attested-cose/css-attested-cosesign1-20250925.cose");
    let judge = |policy: &serde_json::Value| {
        let policy = written(directory.path(), "policy.json", policy.to_string());
        let at = "1758800000";
        affiant(&["verify", "--evidence", text(&message), "--policy", &policy, "--at", at])
    };
    let good = judge(&policy).expect(0).stdout;
    assert!(good.contains("feed ContainerPlat-AMD-UVM, SVN 101"), "{good}");
    policy["uvm_endorsements"][0]["minimum_svn"] = 102.into();
    let old = judge(&policy).expect(1).stdout;
    assert!(old.contains("FAILED      measurement"), "{old}");
}

#[test]
fn a_container_policy_is_read_from_the_security_context() {
    let Some(folder) = fixtures("snp/aci-milan") else { return };
    let directory = tempfile::tempdir().unwrap();
    let context = directory.path().join("context");
    fs::create_dir(&context).unwrap();
    let read = |name: &str| fs::read(folder.join(name)).unwrap();
    let base64 = |name: &str| STANDARD.encode(read(name));
    written(&context, "host-amd-cert-base64", base64("uvm_host_amd_certificate.json"));
    written(&context, "reference-info-base64", base64("body.uvm_reference_info.bin"));
    written(&context, "security-policy-base64", read("uvm_security_policy.base64"));
    let report = folder.join("snp_report.bin");
    let host_data = "cadd74f71ebb8fbf9782baab649612520f3c416bc5ce9ac768808ddc8d9b031c";
    let mut policy = guide_policy(host_data);
    policy["minimum_tcb"] = serde_json::json!({});
    policy["uvm_endorsements"][0]["minimum_svn"] = 22.into();
    policy["policy_text"]["required"] = true.into();
    let policy = written(directory.path(), "policy.json", policy.to_string());
    let arguments = |more: &[&str]| {
        let evidence = ["verify", "--evidence", text(&report), "--policy", &policy];
        affiant(&[&evidence[..], &["--at", "1690000000"], more].concat())
    };
    // The text of this policy allows everything: that alone is wrong with it, and each hole is named.
    let refused = arguments(&["--security-context", text(&context), "--json"]).expect(1).json();
    let checks = refused["checks"].as_array().unwrap();
    let failed: Vec<_> = checks.iter().filter(|check| check["outcome"] == "failed").collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0]["name"], "policy rules");
    let found = failed[0]["found"].as_str().unwrap();
    assert!(found.contains("allow_all") && found.contains("exec"), "{found}");
    let words = arguments(&["--security-context", text(&context)]).expect(1).stdout;
    assert!(words.lines().any(|line| line.trim_start().starts_with("line 10: exec: ")), "{words}");
    let empty = arguments(&["--security-context", text(directory.path())]).expect(3);
    assert!(empty.stderr.contains("none of the files"), "{}", empty.stderr);
}

#[test]
fn the_command_lines_of_the_guide_are_some() {
    let guide = fs::read_to_string(repository().join("docs/attestation.md")).unwrap();
    let lines: Vec<_> = guide.lines().filter(|line| line.starts_with("affiant verify ")).collect();
    assert!(lines.len() >= 3, "{lines:?}");
    let directory = tempfile::tempdir().unwrap();
    for line in lines {
        // The files are not there, which is told apart from wrong usage.
        let words: Vec<_> = line.split(' ').collect();
        let done = Command::new(binary())
            .args(&words[1..])
            .current_dir(directory.path())
            .env_clear()
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(3), "{line}: {errors}");
        assert!(errors.contains("No such file"), "{line}: {errors}");
    }
}
