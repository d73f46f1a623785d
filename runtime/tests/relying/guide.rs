//! The guide (`docs/attestation.md`) names every field of a policy and every check, and its policies
//! can be read.

use std::collections::BTreeSet;
use std::path::Path;

use affiant::relying::Policy;
use affiant_attest::{ComponentMinimum, UvmRule, VirtualRule};
use serde_json::Value as Json;

fn guide() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/attestation.md");
    std::fs::read_to_string(path).unwrap()
}

/// The paths of all members, as the guide writes them.
fn paths(prefix: &str, value: &Json, into: &mut BTreeSet<String>) {
    let Json::Object(members) = value else { return };
    for (name, value) in members {
        let path = format!("{prefix}{name}");
        match value {
            Json::Array(items) if items.iter().any(Json::is_object) => {
                items.iter().for_each(|item| paths(&format!("{path}[]."), item, into));
            }
            _ => paths(&format!("{path}."), value, into),
        }
        into.insert(path);
    }
}

#[test]
fn every_field_of_a_policy_is_explained() {
    let mut policy = Policy::default();
    policy.minimum_tcb.insert("*".to_owned(), ComponentMinimum::default());
    let (did, feed) = (String::new(), String::new());
    policy.uvm_endorsements.push(UvmRule { did, feed, minimum_svn: 0 });
    let (measurements, host_data) = (policy.host_data.clone(), policy.host_data.clone());
    policy.insecure_virtual = Some(VirtualRule { measurements, host_data });
    let mut fields = BTreeSet::new();
    paths("", &serde_json::to_value(&policy).unwrap(), &mut fields);
    fields.remove("minimum_tcb.*");
    let guide = guide();
    let (_, section) = guide.split_once("\n## Writing a policy\n").unwrap();
    let (section, _) = section.split_once("\n| finding |").unwrap();
    let explained: BTreeSet<String> = section
        .lines()
        .filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned()))
        .collect();
    assert_eq!(explained, fields);
}

#[test]
fn every_policy_of_the_guide_can_be_read() {
    let guide = guide();
    let mut read = 0;
    for block in guide.split("\n```json").skip(1) {
        let (_, text) = block.split_once('\n').unwrap();
        let (text, _) = text.split_once("\n```").unwrap();
        if text.contains("\"affiant\"") {
            continue;
        }
        let policy: Policy = serde_json::from_str(text).unwrap();
        policy.check().unwrap();
        read += 1;
    }
    assert_eq!(read, 2);
}

#[test]
fn every_check_of_a_connection_is_explained() {
    let guide = guide();
    for name in [
        "tls key",
        "statement",
        "nonce",
        "attested service",
        "tls certificate",
        "known service",
        "receipt",
    ] {
        assert!(guide.contains(&format!(" `{name}`")), "{name}");
    }
}

#[test]
fn every_finding_in_a_container_policy_is_explained() {
    let guide = guide();
    for rule in affiant_attest::text::RULES {
        let line = format!("| `{}` | {} |", rule.name, rule.finds);
        assert!(guide.contains(&line), "{line}");
    }
}
