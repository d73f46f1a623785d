//! Evidence that is genuine, or nearly, and does not speak for who shows it. The stand-ins show virtual
//! evidence, which anybody can make, so that each test changes one thing and nothing else.

use affiant::relying::{Nonce, Options, Policy, ServiceVerdict, verify_service};
use affiant_attest::Affiant;
use serde_json::{Value as Json, json};

use crate::nodes::{failed, fresh, lax};
use crate::stand_in::{Keys, Service, answer, nonce_of, virtual_evidence};

/// What a node of the service says that shows this evidence, made from the nonce.
fn verify(
    service: &Service,
    node: &Keys,
    options: &Options,
    evidence: impl Fn(&[u8]) -> Json + Send + Sync + 'static,
) -> ServiceVerdict {
    let network = service.network();
    let address = answer(node, move |target| match target {
        "/node/network" => Some(network.clone()),
        _ => Some(evidence(&nonce_of(target))),
    });
    verify_service(&format!("https://{address}"), &lax(), options).unwrap()
}

/// Evidence that is bound to a statement, made from the nonce.
fn stating(
    service: &Service,
    node: &Keys,
    options: &Options,
    statement: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static,
) -> ServiceVerdict {
    verify(service, node, options, move |nonce| virtual_evidence(&statement(nonce)))
}

#[test]
fn a_stand_in_that_does_all_of_it_is_accepted() {
    let service = Service::new("service");
    let node = service.node();
    let statement = service.statement(Affiant::Node, &node, b"NONCE");
    let verdict = stating(&service, &node, &fresh(), with_nonce(statement));
    assert!(verdict.is_trusted(), "{verdict}");
    // By its key alone, as CCF's nodes.
    let key = node.public_key();
    let verdict = verify(&service, &node, &Options::default(), move |_| virtual_evidence(&key));
    assert!(verdict.is_trusted(), "{verdict}");
    // CCF's say nothing of what the evidence is bound to.
    let key = node.public_key();
    let verdict = verify(&service, &node, &Options::default(), move |_| {
        let mut evidence = virtual_evidence(&key);
        evidence.as_object_mut().unwrap().remove("bound");
        evidence
    });
    assert!(verdict.is_trusted(), "{verdict}");
    let key = node.public_key();
    let verdict = verify(&service, &node, &fresh(), move |_| virtual_evidence(&key));
    assert_eq!(failed(&verdict), ["nonce"]);
    let why = &verdict.verdict.check("nonce").unwrap().reason;
    assert!(why.contains("CCF's nodes make none on demand"), "{why}");
}

/// The statement with the nonce of the request in the place of the word.
fn with_nonce(statement: Vec<u8>) -> impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static {
    move |nonce| {
        let mut parsed = affiant_attest::Statement::parse(&statement).unwrap();
        if parsed.bound == b"NONCE" {
            parsed.bound = nonce.to_vec();
        }
        parsed.to_bytes().unwrap()
    }
}

#[test]
fn an_apps_evidence_does_not_speak_for_the_node() {
    let service = Service::new("service");
    let node = service.node();
    let statement = service.statement(Affiant::App, &node, b"NONCE");
    let verdict = stating(&service, &node, &fresh(), with_nonce(statement));
    assert_eq!(failed(&verdict), ["statement"]);
    let why = &verdict.verdict.check("statement").unwrap().reason;
    assert!(why.contains("made for an app"), "{why}");
}

#[test]
fn old_evidence_is_refused_for_its_nonce() {
    let service = Service::new("service");
    let node = service.node();
    let old = service.statement(Affiant::Node, &node, b"an older nonce");
    let kept = old.clone();
    let verdict = stating(&service, &node, &fresh(), move |_| kept.clone());
    assert_eq!(failed(&verdict), ["nonce"]);
    // The very nonce is accepted, by whoever chose it.
    let again = Options { nonce: Nonce::Given(b"an older nonce".to_vec()), ..fresh() };
    assert!(stating(&service, &node, &again, move |_| old.clone()).is_trusted());
}

#[test]
fn evidence_of_another_key_or_service_is_refused() {
    let (service, other) = (Service::new("service"), Service::new("other"));
    let (node, neighbour) = (service.node(), service.node());
    let of_neighbour = service.statement(Affiant::Node, &neighbour, b"NONCE");
    let verdict = stating(&service, &node, &fresh(), with_nonce(of_neighbour));
    assert_eq!(failed(&verdict), ["tls key"]);
    let of_other = other.statement(Affiant::Node, &node, b"NONCE");
    let verdict = stating(&service, &node, &fresh(), with_nonce(of_other));
    assert_eq!(failed(&verdict), ["attested service"]);
    let neighbours = neighbour.public_key();
    let verdict =
        verify(&service, &node, &Options::default(), move |_| virtual_evidence(&neighbours));
    assert_eq!(failed(&verdict), ["tls key", "statement"]);
    // A node of another service under this one's certificate.
    let stray = other.node();
    let statement = service.statement(Affiant::Node, &stray, b"NONCE");
    let verdict = stating(&service, &stray, &fresh(), with_nonce(statement));
    assert_eq!(failed(&verdict), ["tls certificate"]);
}

#[test]
fn a_statement_that_nobody_attested_counts_for_nothing() {
    let service = Service::new("service");
    let node = service.node();
    let claimed = service.statement(Affiant::Node, &node, b"NONCE");
    let statement = with_nonce(claimed);
    let verdict = verify(&service, &node, &fresh(), move |nonce| {
        let mut evidence = virtual_evidence(b"what was attested");
        evidence["bound"] = virtual_evidence(&statement(nonce))["bound"].clone();
        evidence
    });
    assert_eq!(failed(&verdict), ["binding"]);
    // Bytes that are no statement.
    let verdict = stating(&service, &node, &fresh(), |_| b"{}".to_vec());
    assert_eq!(failed(&verdict), ["tls key", "statement"]);
}

#[test]
fn a_policy_names_virtual_evidence_by_value() {
    let service = Service::new("service");
    let node = service.node();
    let (key, network) = (node.public_key(), service.network());
    let address = answer(&node, move |target| match target {
        "/node/network" => Some(network.clone()),
        _ => Some(virtual_evidence(&key)),
    });
    let url = format!("https://{address}");
    let policy = |measurement: &str| -> Policy {
        let zeros = "00".repeat(32);
        let rule = json!({"measurements": [measurement], "host_data": [zeros]});
        serde_json::from_value(json!({"virtual": rule})).unwrap()
    };
    let accepted = verify_service(&url, &policy("stand-in"), &Options::default()).unwrap();
    assert!(accepted.is_trusted(), "{accepted}");
    let refused = verify_service(&url, &policy("another"), &Options::default()).unwrap();
    assert_eq!(failed(&refused), ["measurement"]);
}
