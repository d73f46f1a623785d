//! The table of real evidence and verdicts, `verdicts.txt`: every set with its own policy, every
//! report with every chain, and each field of a policy when it is wrong.
//!
//! The table is made here and compared with the file, so that a change of any verdict or reason is
//! seen. With `AFFIANT_UPDATE_TABLES=1` in the environment the file is written instead.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod sets;
mod wire;

use std::fmt::Write as _;
use std::path::Path;

use affiant_attest::testing::Guest;
use affiant_attest::{CHECKS, Evidence, Outcome, Policy, Product, Verdict, to_pem, verify};
use serde_json::{Value, json};
use sets::{AT, set, sets};

const DID: &str = "did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::\
                   eku:1.3.6.1.4.1.311.76.59.1.2";
const FEED: &str = "ContainerPlat-AMD-UVM";

fn uvm(minimum_svn: u64) -> Value {
    json!([{ "did": DID, "feed": FEED, "minimum_svn": minimum_svn }])
}

/// What a relying party would write for this set, and accept it by.
fn policy_for(name: &str) -> Value {
    match name {
        "aci-milan" => json!({
            "uvm_endorsements": uvm(22),
            "host_data": ["cadd74f71ebb8fbf9782baab649612520f3c416bc5ce9ac768808ddc8d9b031c"],
            "minimum_tcb": { "Milan": { "boot_loader": 3, "snp": 8, "microcode": 115 } },
            "minimum_launch_tcb": true,
            // A policy of early days, which allows everything in all but name.
            "policy_text": { "required": true, "findings": {
                "allow_all": "warn", "exec": "warn", "external_exec": "warn", "stdio": "warn",
                "dump_stacks": "warn", "runtime_logging": "warn", "properties": "warn",
                "unencrypted_scratch": "warn", "loose_mounts": "warn",
                "fragment_unpinned": "warn", "unpinned_image": "warn",
            }},
            "unbound": true,
        }),
        "attested-june" | "attested-september" => json!({
            "uvm_endorsements": uvm(101),
            "host_data": "any",
            "minimum_tcb": { "00a00f11": { "snp": 20 } },
        }),
        "milan" => json!({
            "measurements": [
                "5feee30d6d7e1a29f403d70a4198237ddfb13051a2d6976439487c609388ed7f\
                 98189887920ab2fa0096903a0c23fca1"
            ],
            "host_data": ["4f4448c67f3c8dfc8de8a5e37125d807dadcc41f06cf23f615dbd52eec777d10"],
            "platform": { "alias_check_complete": true, "tsme": false },
            "unbound": true,
        }),
        "turin" => json!({
            "measurements": [
                "6D6C354511D6F7C6D7504668903DC5BDC066A048B651840D8D03FB85299EBFA1\
                 42FCCF1D1B0BACA496841BDF243619D4"
            ],
            "host_data": ["b3452a0ed30f1010bd32740dd1610bc63296ceb0f882f2cac3a3152d651fe7e4"],
            "minimum_tcb": { "Turin": { "fmc": 1, "snp": 4 } },
            "platform": { "alias_check_complete": true },
            "mitigations": 0x3f,
            "unbound": true,
        }),
        // On bare metal nobody sets host data, and these two guests bound their own 64 bytes.
        _ => json!({ "measurements": "any", "host_data": "any", "unbound": true }),
    }
}

fn policy(json: &Value) -> Policy {
    Policy::from_json(json.to_string().as_bytes()).unwrap()
}

/// `base` with fields replaced; a path's parts are separated by dots.
fn changed(base: &Value, path: &str, value: Value) -> Policy {
    let mut json = base.clone();
    let mut place = &mut json;
    for part in path.split('.') {
        place = &mut place[part];
    }
    *place = value;
    policy(&json)
}

fn failed(verdict: &Verdict) -> Vec<&'static str> {
    verdict.failures().map(|check| check.name).collect()
}

fn word(verdict: &Verdict) -> &'static str {
    if verdict.is_trusted() { "trusted" } else { "NOT trusted" }
}

/// Failed checks and warnings with their reasons.
fn write_short(out: &mut String, title: &str, verdict: &Verdict) {
    writeln!(out, "{title}: {}", word(verdict)).unwrap();
    for check in &verdict.checks {
        if matches!(check.outcome, Outcome::Failed | Outcome::Warned) {
            let (outcome, name, reason) = (check.outcome.as_str(), check.name, &check.reason);
            writeln!(out, "    {outcome} {name}: {reason}").unwrap();
        }
    }
}

fn whole_sets(out: &mut String) {
    for set in sets() {
        let verdict = verify(&set.evidence, &policy(&policy_for(set.name)), AT);
        let names: Vec<_> = verdict.checks.iter().map(|check| check.name).collect();
        assert_eq!(names, CHECKS, "each check once, in order");
        let wanted: &[&str] = if set.name == "debug-milan" { &["debug"] } else { &[] };
        assert_eq!(failed(&verdict), wanted, "{}\n{verdict}", set.name);
        writeln!(out, "=== {}\n{verdict}\n", set.name).unwrap();
    }
}

/// Every report with every chain: only those that belong together hold.
fn crossed_chains(out: &mut String) {
    writeln!(out, "=== every report with the chain of every other set\n").unwrap();
    let sets = sets();
    for one in &sets {
        for other in &sets {
            if one.evidence.endorsements == other.evidence.endorsements {
                continue;
            }
            let evidence = Evidence {
                endorsements: other.evidence.endorsements.clone(),
                ..one.evidence.clone()
            };
            let verdict = verify(&evidence, &policy(&policy_for(one.name)), AT);
            let failed = failed(&verdict);
            assert!(failed.contains(&"report signature"), "{verdict}");
            assert!(failed.contains(&"chip id"), "{verdict}");
            let title = format!("report of {}, chain of {}", one.name, other.name);
            writeln!(out, "{title}: {}: {}", word(&verdict), failed.join(", ")).unwrap();
        }
    }
    writeln!(out).unwrap();
}

/// Other combinations of real parts, and other times.
fn combinations(out: &mut String) {
    writeln!(out, "=== combinations\n").unwrap();
    let [aci, milan, turin] = ["aci-milan", "milan", "turin"].map(|name| set(name).unwrap());
    let june = set("attested-june").unwrap();
    let mut row = |title: &str, evidence: &Evidence, policy: &Policy, at, wanted: &[&str]| {
        let verdict = verify(evidence, policy, at);
        assert_eq!(failed(&verdict), wanted, "{title}\n{verdict}");
        write_short(out, title, &verdict);
    };
    let for_aci = policy_for("aci-milan");
    let evidence = Evidence { uvm_endorsement: june.uvm_endorsement.clone(), ..aci.clone() };
    let wanted = ["uvm endorsement", "measurement"];
    row("a UVM endorsement of another image", &evidence, &policy(&for_aci), AT, &wanted);
    let evidence = Evidence { uvm_endorsement: None, ..aci.clone() };
    row("no UVM endorsement", &evidence, &policy(&for_aci), AT, &["measurement"]);
    let mut broken = aci.clone();
    *broken.uvm_endorsement.as_mut().unwrap().last_mut().unwrap() ^= 1;
    row("a broken UVM endorsement", &broken, &policy(&for_aci), AT, &wanted);
    // It must hold even where the measurement is listed.
    let listed = changed(&for_aci, "measurements", json!("any"));
    row("a broken UVM endorsement, any measurement", &broken, &listed, AT, &["uvm endorsement"]);
    let mut text = aci.clone();
    text.policy_text.as_mut().unwrap().push(b'\n');
    row(
        "a container policy with one more line feed",
        &text,
        &policy(&for_aci),
        AT,
        &["policy text"],
    );
    let refusing = changed(&for_aci, "policy_text.findings", json!({}));
    row("the container policy under our default rules", &aci, &refusing, AT, &["policy rules"]);
    let endorsed = |tcb: &str| Evidence { endorsed_tcb: Some(tcb.to_owned()), ..milan.clone() };
    let for_milan = policy(&policy_for("milan"));
    row("an endorsed TCB version", &endorsed("DB18000000000004"), &for_milan, AT, &[]);
    row("the same, first byte first", &endorsed("04000000000018DB"), &for_milan, AT, &[]);
    row("another", &endorsed("db18000000000003"), &for_milan, AT, &["endorsed tcb"]);
    let reversed = policy(&policy_for("turin"));
    row("Turin in 2034", &turin, &reversed, 2_019_686_400, &["chain validity"]);
    row("Turin in 2025", &turin, &reversed, 1_735_689_600, &["chain validity"]);
    let lax = changed(&policy_for("turin"), "expired_certificates", json!(true));
    row("Turin in 2034, by a policy that accepts it", &turin, &lax, 2_019_686_400, &[]);
    let mut prefix = june.clone();
    prefix.bound.as_mut().unwrap().push(0);
    row(
        "bound bytes with one more",
        &prefix,
        &policy(&policy_for("attested-june")),
        AT,
        &["binding"],
    );
    writeln!(out).unwrap();
}

/// A policy that names everything and accepts the Turin set, and what refuses it field by field.
fn policy_fields(out: &mut String) {
    writeln!(out, "=== each field of a policy, wrong\n").unwrap();
    let turin = Evidence { proved_at_unix_s: Some(AT - 60), ..set("turin").unwrap() };
    let aci = set("aci-milan").unwrap();
    let chip = format!("59790fb1c39f35c1{}", "0".repeat(112));
    let id_key = "4068e9ae4b315aa4b33938ce0ed01a3d5d8e80eb98eab479a0558cd7de9d4d40\
                  d6d80d328d90732688a42b13a0cd6405";
    let mut full = policy_for("turin");
    for (field, value) in [
        ("products", json!(["Turin"])),
        ("signing_keys", json!(["VCEK"])),
        ("minimum_launch_tcb", json!(true)),
        ("guest_policy", json!({ "smt": true, "single_socket": false, "minimum_abi": "0.31" })),
        ("vmpl", json!(0)),
        ("chip_ids", json!([chip])),
        ("id_key_digests", json!([id_key])),
        ("author_key_digests", json!(["0".repeat(96)])),
        ("maximum_age_s", json!(60)),
    ] {
        full[field] = value;
    }
    full["platform"] = json!({
        "smt": true, "tsme": false, "ecc": true, "rapl_disabled": false,
        "ciphertext_hiding": false, "alias_check_complete": true,
    });
    let verdict = verify(&turin, &policy(&full), AT);
    assert!(verdict.is_trusted(), "{verdict}");
    let other = |digits: usize| json!(["ab".repeat(digits / 2)]);
    let mut row = |evidence: &Evidence, base: &Value, path: &str, value: Value, wanted: &str| {
        let title = format!("{path} = {}", shortened(&value));
        let verdict = verify(evidence, &changed(base, path, value), AT);
        assert_eq!(failed(&verdict), [wanted], "{title}\n{verdict}");
        write_short(out, &title, &verdict);
    };
    for (path, value, wanted) in [
        ("products", json!(["Milan", "Genoa"]), "product"),
        ("products", json!([]), "product"),
        ("signing_keys", json!(["VLEK"]), "signing key"),
        ("signing_keys", json!([]), "signing key"),
        ("minimum_tcb", json!({ "Milan": { "snp": 4 } }), "minimum tcb"),
        ("measurements", other(96), "measurement"),
        ("measurements", json!([]), "measurement"),
        ("host_data", other(64), "host data"),
        ("host_data", json!([]), "host data"),
        ("policy_text", json!({ "required": true }), "policy text"),
        ("guest_policy.debug", json!(true), "debug"),
        ("guest_policy.migration_agent", json!(true), "migration agent"),
        ("guest_policy.smt", json!(false), "smt"),
        ("guest_policy.single_socket", json!(true), "single socket"),
        ("guest_policy.minimum_abi", json!("0.32"), "abi"),
        ("guest_policy.minimum_abi", json!("1.0"), "abi"),
        ("platform.smt", json!(false), "platform smt"),
        ("platform.tsme", json!(true), "platform tsme"),
        ("platform.ecc", json!(false), "platform ecc"),
        ("platform.rapl_disabled", json!(true), "platform rapl"),
        ("platform.ciphertext_hiding", json!(true), "platform ciphertext hiding"),
        ("platform.alias_check_complete", json!(false), "platform alias check"),
        ("vmpl", json!(1), "vmpl"),
        ("mitigations", json!(0x40), "mitigations"),
        ("chip_ids", other(128), "allowed chips"),
        ("chip_ids", json!([]), "allowed chips"),
        ("id_key_digests", other(96), "id key"),
        ("author_key_digests", other(96), "author key"),
        ("require_revocation_list", json!(true), "revocation"),
        ("maximum_age_s", json!(59), "age"),
        ("unbound", json!(false), "binding"),
    ] {
        // A launch TCB version is asked for only where the minimum is this product's.
        let mut base = full.clone();
        if path == "minimum_tcb" {
            base["minimum_launch_tcb"] = json!(false);
        }
        row(&turin, &base, path, value, wanted);
    }
    let unproved = Evidence { proved_at_unix_s: None, ..turin.clone() };
    row(&unproved, &full, "maximum_age_s", json!(u64::MAX), "age");
    let for_aci = policy_for("aci-milan");
    for (path, value) in [
        ("uvm_endorsements", json!([])),
        ("uvm_endorsements", uvm(23)),
        ("uvm_endorsements", json!([{ "did": DID, "feed": "Other", "minimum_svn": 0 }])),
        ("uvm_endorsements", json!([{ "did": format!("{DID}9"), "feed": FEED, "minimum_svn": 0 }])),
    ] {
        row(&aci, &for_aci, path, value, "measurement");
    }
    for component in ["boot_loader", "tee", "snp", "microcode"] {
        let mut minimum = json!({ "Milan": {} });
        minimum["Milan"][component] = json!(200);
        let mut base = for_aci.clone();
        base["minimum_launch_tcb"] = json!(false);
        row(&aci, &base, "minimum_tcb", minimum, "minimum tcb");
    }
}

/// AMD's own authorities do not vouch for a leaf because it stands before them.
#[test]
fn a_leaf_under_authorities_that_did_not_issue_it_is_refused() {
    if sets().is_empty() {
        return;
    }
    for (product, name) in [
        (Product::Milan, "ask_ark_milan.pem"),
        (Product::Milan, "ask_ark_milan_vlek.pem"),
        (Product::Genoa, "ask_ark_genoa.pem"),
        (Product::Genoa, "ask_ark_genoa_vlek.pem"),
        (Product::Turin, "ask_ark_turin_vcek.pem"),
        (Product::Turin, "ask_ark_turin_vlek.pem"),
    ] {
        let authorities = wire::fixture(&format!("amd-roots/{name}")).unwrap();
        let guest = Guest::new(product);
        let guest = if name.contains("vlek") { guest.vlek() } else { guest };
        let [leaf, authority, _] = guest.issue.certificates().map(|der| to_pem(&der).into_bytes());
        let policy = Policy {
            signing_keys: vec!["VCEK".to_owned(), "VLEK".to_owned()],
            ..Policy::genuine_only()
        };
        let judge = |endorsements: Vec<u8>, wanted: &str| {
            let evidence = Evidence { endorsements, ..guest.build() };
            let verdict = verify(&evidence, &policy, AT);
            assert_eq!(verdict.check("root").unwrap().outcome, Outcome::Passed, "{verdict}");
            assert_eq!(failed(&verdict), ["chain signatures", "chain constraints"], "{verdict}");
            let reason = &verdict.check("chain signatures").unwrap().reason;
            assert!(reason.contains(wanted), "{reason}");
        };
        judge(
            [leaf.clone(), authorities.clone()].concat(),
            "leaf certificate by the key of the ASK",
        );
        // An ASK of one's own before AMD's ARK.
        let text = String::from_utf8(authorities).unwrap();
        let root = text.rfind("-----BEGIN").unwrap();
        let root = text.get(root..).unwrap().as_bytes().to_vec();
        judge([leaf, authority, root].concat(), "ASK certificate by the key of the ARK");
    }
}

fn shortened(value: &Value) -> String {
    let text = value.to_string();
    if text.len() <= 60 { text } else { format!("{}...", text.get(..57).unwrap()) }
}

#[test]
fn real_evidence_has_the_verdicts_of_the_table() {
    if sets().is_empty() {
        return;
    }
    let mut table = String::new();
    whole_sets(&mut table);
    crossed_chains(&mut table);
    combinations(&mut table);
    policy_fields(&mut table);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verdicts.txt");
    if std::env::var_os("AFFIANT_UPDATE_TABLES").is_some() {
        std::fs::write(&file, &table).unwrap();
    }
    let wanted = std::fs::read_to_string(&file).unwrap();
    for (number, (found, wanted)) in table.lines().zip(wanted.lines()).enumerate() {
        assert_eq!(found, wanted, "line {} of verdicts.txt", number + 1);
    }
    assert_eq!(table.lines().count(), wanted.lines().count(), "lines of verdicts.txt");
}
