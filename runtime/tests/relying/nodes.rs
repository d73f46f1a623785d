//! Nodes as they run in this process, with virtual evidence.

use affiant::relying::{
    Nonce, Options, Outcome, Platform, Policy, RelyingError, ServiceVerdict, propose_policy,
    verify_service,
};
use affiant::{Listener, Runtime};
use serde_json::json;

use crate::http_support::{listener, start};
use crate::stand_in::{Service, proxy, stranger};

pub fn url(runtime: &Runtime) -> String {
    format!("https://{}", runtime.addresses()[0])
}

/// A policy that accepts any virtual evidence.
pub fn lax() -> Policy {
    let policy = json!({"virtual": {"measurements": "any", "host_data": "any"}});
    serde_json::from_value(policy).unwrap()
}

pub fn fresh() -> Options {
    Options { nonce: Nonce::Random, ..Options::default() }
}

#[track_caller]
pub fn failed(verdict: &ServiceVerdict) -> Vec<&'static str> {
    assert!(!verdict.is_trusted(), "{verdict}");
    verdict.failures().map(|check| check.name).collect()
}

#[track_caller]
pub fn outcome(verdict: &ServiceVerdict, name: &str) -> Outcome {
    verdict.verdict.check(name).unwrap_or_else(|| panic!("no check {name}: {verdict}")).outcome
}

#[test]
fn virtual_evidence_is_refused_by_that_name() {
    let runtime = start(listener());
    for options in [Options::default(), fresh()] {
        let verdict = verify_service(&url(&runtime), &Policy::default(), &options).unwrap();
        assert_eq!(verdict.platform, Platform::Virtual);
        assert!(!verdict.is_trusted());
        let reasons: Vec<_> = verdict.failures().map(|check| check.reason.clone()).collect();
        assert!(reasons.iter().any(|why| why.contains("virtual evidence")), "{reasons:?}");
        assert!(verdict.to_string().starts_with("NOT TRUSTED: "), "{verdict}");
        assert!(verdict.proved().is_empty() && verdict.not_proved().is_empty());
        // What ties the connection holds all the same.
        assert_eq!(outcome(&verdict, "tls key"), Outcome::Passed);
        assert_eq!(outcome(&verdict, "tls certificate"), Outcome::Passed);
    }
}

#[test]
fn a_policy_that_names_virtual_evidence_accepts_it_and_says_what_that_is_worth() {
    let runtime = start(listener());
    let info = runtime.node().info();
    let verdict = verify_service(&url(&runtime), &lax(), &fresh()).unwrap();
    assert!(verdict.is_trusted(), "{verdict}");
    for name in ["tls key", "statement", "nonce", "attested service", "tls certificate"] {
        assert_eq!(outcome(&verdict, name), Outcome::Passed, "{name}");
    }
    assert_eq!(outcome(&verdict, "known service"), Outcome::Skipped);
    assert_eq!(verdict.node_id, info.node_id);
    assert_eq!(verdict.service_certificate_pem.trim(), info.service_certificate_pem.trim());
    let words = verdict.to_string();
    assert!(words.starts_with("Accepted, and nothing is proved: "), "{words}");
    assert!(words.contains("its operator can read and change everything"), "{words}");
    let json = serde_json::to_value(&verdict).unwrap();
    assert_eq!(json["trusted"], true);
    assert_eq!(json["platform"], "virtual");
    assert_eq!(json["node_id"], info.node_id.as_str());
    assert_eq!(json["checks"].as_array().unwrap().len(), verdict.verdict.checks.len());
    // As CCF's nodes are verified: without a nonce, by the node's key alone.
    let plain = verify_service(&url(&runtime), &lax(), &Options::default()).unwrap();
    assert!(plain.is_trusted(), "{plain}");
    assert_eq!(outcome(&plain, "nonce"), Outcome::Skipped);
    assert_eq!(outcome(&plain, "statement"), Outcome::Skipped);
    assert!(plain.not_proved().iter().any(|line| line.contains("no nonce")));
}

#[test]
fn the_known_service_is_told_from_others() {
    let runtime = start(listener());
    let known = |pem: String| Options { service_certificate_pem: Some(pem), ..fresh() };
    let own = known(runtime.node().info().service_certificate_pem);
    let verdict = verify_service(&url(&runtime), &lax(), &own).unwrap();
    assert!(verdict.is_trusted(), "{verdict}");
    assert_eq!(outcome(&verdict, "known service"), Outcome::Passed);
    let other = start(listener());
    let other = known(other.node().info().service_certificate_pem);
    let verdict = verify_service(&url(&runtime), &lax(), &other).unwrap();
    assert_eq!(failed(&verdict), ["known service"]);
    let nonsense = verify_service(&url(&runtime), &lax(), &known("nonsense".to_owned()));
    assert!(matches!(nonsense, Err(RelyingError::Unreadable { .. })), "{nonsense:?}");
}

#[test]
fn a_proxy_that_relays_a_genuine_nodes_evidence_is_refused_for_its_key() {
    let runtime = start(listener());
    let service = runtime.node().info().service_certificate_pem;
    let proxy = format!("https://{}", proxy(&stranger("proxy"), &runtime));
    // The certificate of the service that it relays is the right one too.
    let options = Options { service_certificate_pem: Some(service), ..fresh() };
    let verdict = verify_service(&proxy, &lax(), &options).unwrap();
    assert_eq!(failed(&verdict), ["tls key", "tls certificate"]);
    let check = verdict.verdict.check("tls key").unwrap();
    assert_eq!(check.wanted, runtime.node().info().node_id);
    assert_ne!(check.found, check.wanted);
    assert!(check.reason.contains("not the attested one"), "{}", check.reason);
    // Fresh, genuine, of the known service: and yet it is not who answers.
    for name in ["nonce", "statement", "known service"] {
        assert_eq!(outcome(&verdict, name), Outcome::Passed, "{name}");
    }
    let plain = verify_service(&proxy, &lax(), &Options::default()).unwrap();
    assert!(failed(&plain).contains(&"tls key"), "{plain}");
}

#[test]
fn a_nonce_is_the_callers_or_random() {
    let runtime = start(listener());
    let given = |bytes: &[u8]| Options { nonce: Nonce::Given(bytes.to_vec()), ..fresh() };
    let verdict = verify_service(&url(&runtime), &lax(), &given(&[7; 16])).unwrap();
    assert!(verdict.is_trusted(), "{verdict}");
    assert_eq!(verdict.verdict.check("nonce").unwrap().found, "07".repeat(16));
    for wrong in [&[][..], &[7; 7], &[7; 65]] {
        let error = verify_service(&url(&runtime), &lax(), &given(wrong)).unwrap_err();
        assert!(matches!(error, RelyingError::Usage { .. }), "{error}");
    }
    let one = verify_service(&url(&runtime), &lax(), &fresh()).unwrap();
    let two = verify_service(&url(&runtime), &lax(), &fresh()).unwrap();
    let found = |verdict: &ServiceVerdict| verdict.verdict.check("nonce").unwrap().found.clone();
    assert_ne!(found(&one), found(&two));
}

#[test]
fn the_time_is_the_callers() {
    let runtime = start(listener());
    let long_ago = Options { at_unix_s: Some(86_400), ..fresh() };
    let verdict = verify_service(&url(&runtime), &lax(), &long_ago).unwrap();
    assert_eq!(failed(&verdict), ["tls certificate"]);
    assert_eq!(verdict.at_unix_s, 86_400);
}

#[test]
fn an_interface_with_a_self_signed_certificate_is_told_as_such() {
    let mut listener: Listener = listener();
    listener.endorsement = affiant::config::Endorsement::Node;
    let runtime = start(listener);
    let verdict = verify_service(&url(&runtime), &lax(), &fresh()).unwrap();
    assert_eq!(failed(&verdict), ["tls certificate"]);
    let why = &verdict.verdict.check("tls certificate").unwrap().reason;
    assert!(why.contains("endorsement is \"Node\""), "{why}");
}

#[test]
fn a_proposed_policy_accepts_the_node_and_warns() {
    let runtime = start(listener());
    let proposal = propose_policy(&url(&runtime), &fresh()).unwrap();
    assert!(proposal.verdict.is_trusted(), "{}", proposal.verdict);
    assert!(proposal.words[0].starts_with("WARNING: "), "{:?}", proposal.words);
    let policy: Policy = serde_json::from_str(&proposal.json).unwrap();
    assert!(verify_service(&url(&runtime), &policy, &fresh()).unwrap().is_trusted());
    let known = Some(Service::new("another").keys.certificate_pem);
    let options = Options { service_certificate_pem: known, ..fresh() };
    assert!(!propose_policy(&url(&runtime), &options).unwrap().verdict.is_trusted());
}
