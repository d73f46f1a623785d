//! The client that sends nothing before: what reaches whom, and when.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use affiant::relying::{Identity, Policy, Refusal, RelyingError, VerifiedClient};
use affiant::{Runtime, Runtime as Node};
use affiant_attest::Affiant;
use zeroize::Zeroizing;

use crate::http_support::{listener, settings, start, valid, with_endpoints};
use crate::nodes::{fresh, lax, url};
use crate::stand_in::{
    Keys, Service, nonce_of, proxy, serve_in_turn, stranger, target, virtual_evidence,
};

fn connect(url: &str, policy: Policy) -> Result<VerifiedClient, Refusal> {
    VerifiedClient::connect(url, policy, fresh(), None)
}

#[test]
fn requests_go_to_a_service_that_is_trusted() {
    let runtime = start(listener());
    let mut client = connect(&url(&runtime), lax()).unwrap();
    assert!(client.verdict().is_trusted());
    let answer = client.request("POST", "/app/records/1", &[], b"hello", None).unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.header("x-ms-ccf-transaction-id").is_some(), "{:?}", answer.headers);
    let answer = client.request("GET", "/app/records/1", &[], b"", None).unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"hello"[..]));
    assert_eq!(client.request("GET", "/app/nothing", &[], b"", None).unwrap().status, 404);
    for (method, path) in [("GET", "app/plain"), ("G T", "/app/plain"), ("GET", "/a b")] {
        let error = client.request(method, path, &[], b"", None).unwrap_err();
        assert!(matches!(error, Refusal::Failed(RelyingError::Usage { .. })), "{error}");
    }
    // A mistake costs at most the connection.
    assert_eq!(client.request("GET", "/app/plain", &[], b"", None).unwrap().status, 200);
}

#[test]
fn the_caller_is_known_by_a_certificate() {
    let person = valid("alice");
    let runtime: Node = with_endpoints(Runtime::builder().node(settings(&[&person])))
        .http_threads(1)
        .listen(listener())
        .start()
        .unwrap();
    let pem = |der: &[u8]| affiant::crypto::pem_encode("PRIVATE KEY", der);
    let identity = Identity {
        certificate_pem: person.pem.clone(),
        private_key_pem: Zeroizing::new(pem(&person.key_der)),
    };
    assert_eq!(format!("{identity:?}"), "Identity");
    let mut client =
        VerifiedClient::connect(&url(&runtime), lax(), fresh(), Some(identity.clone())).unwrap();
    let answer = client.request("GET", "/app/whoami", &[], b"", None).unwrap();
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let mut nobody = connect(&url(&runtime), lax()).unwrap();
    assert_eq!(nobody.request("GET", "/app/whoami", &[], b"", None).unwrap().status, 401);
    for (certificate, key) in
        [("", identity.private_key_pem.as_str()), (&*person.pem, "secret words")]
    {
        let identity = Identity {
            certificate_pem: certificate.to_owned(),
            private_key_pem: Zeroizing::new(key.to_owned()),
        };
        let error = VerifiedClient::connect(&url(&runtime), lax(), fresh(), Some(identity));
        let Err(Refusal::Failed(RelyingError::Usage { why, .. })) = error else { panic!() };
        assert!(!why.contains("secret"), "{why}");
    }
}

#[test]
fn nothing_is_sent_to_whoever_is_not_trusted() {
    let runtime = start(listener());
    let refused = connect(&url(&runtime), Policy::default()).unwrap_err();
    assert!(refused.to_string().contains("virtual evidence"), "{refused}");
    assert!(refused.to_string().starts_with("nothing was sent. NOT TRUSTED: "), "{refused}");
    let proxy = format!("https://{}", proxy(&stranger("proxy"), &runtime));
    let Refusal::NotTrusted(verdict) = connect(&proxy, lax()).unwrap_err() else { panic!() };
    assert!(verdict.failures().any(|check| check.name == "tls key"), "{verdict}");
}

/// A stand-in for a service with these nodes, a connection each, which ends every connection after
/// one request of the app's; returns its URL, and how many requests for evidence and for the app it had.
fn service(service: Service, nodes: &[&Keys]) -> (String, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let (asked, sent) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counted, counted_sent) = (asked.clone(), sent.clone());
    let turn = AtomicUsize::new(0);
    let evidence: Vec<_> = nodes.iter().map(|node| node.public_key()).collect();
    let identity = service.keys.public_key();
    let network = service.network();
    let address = serve_in_turn(nodes, move |stream| {
        let turn = turn.fetch_add(1, Ordering::SeqCst).min(evidence.len() - 1);
        while let Some(target) = target(stream) {
            let body = if target == "/node/network" {
                network.to_string()
            } else if target.starts_with("/node/attestations/self") {
                counted.fetch_add(1, Ordering::SeqCst);
                let statement = affiant_attest::Statement {
                    affiant: Affiant::Node,
                    node_public_key: evidence[turn].clone(),
                    service_identity: identity.clone(),
                    bound: nonce_of(&target),
                };
                virtual_evidence(&statement.to_bytes().unwrap()).to_string()
            } else {
                counted_sent.fetch_add(1, Ordering::SeqCst);
                let _ = stream.write_all(
                    b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
                );
                let _ = stream.flush();
                return;
            };
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            if stream.write_all(format!("{head}{body}").as_bytes()).is_err() {
                return;
            }
            let _ = stream.flush();
        }
    });
    (format!("https://{address}"), asked, sent)
}

fn get(client: &mut VerifiedClient) -> Result<u16, Refusal> {
    client.request("GET", "/app/x", &[], b"", None).map(|answer| answer.status)
}

#[test]
fn a_new_connection_to_a_verified_node_needs_no_new_evidence() {
    let one = Service::new("service");
    let node = one.node();
    let (url, asked, sent) = service(one, &[&node]);
    let mut client = connect(&url, lax()).unwrap();
    for _ in 0..3 {
        assert_eq!(get(&mut client).unwrap(), 200);
    }
    assert_eq!((asked.load(Ordering::SeqCst), sent.load(Ordering::SeqCst)), (1, 3));
}

#[test]
fn another_node_of_the_service_is_verified_in_turn() {
    let one = Service::new("service");
    let (first, second) = (one.node(), one.node());
    let (url, asked, sent) = service(one, &[&first, &second]);
    let mut client = connect(&url, lax()).unwrap();
    let before = client.verdict().node_id.clone();
    for _ in 0..3 {
        assert_eq!(get(&mut client).unwrap(), 200);
    }
    assert_eq!((asked.load(Ordering::SeqCst), sent.load(Ordering::SeqCst)), (2, 3));
    assert_ne!(client.verdict().node_id, before);
}

#[test]
fn whoever_takes_over_the_address_gets_nothing() {
    let one = Service::new("service");
    let (genuine, thief) = (one.node(), stranger("thief"));
    let (url, asked, sent) = service(one, &[&genuine, &thief]);
    let mut client = connect(&url, lax()).unwrap();
    assert_eq!(get(&mut client).unwrap(), 200);
    for _ in 0..2 {
        let Refusal::NotTrusted(verdict) = get(&mut client).unwrap_err() else { panic!() };
        // The thief has virtual evidence for its key, as anybody has; but no service issued for it.
        let names: Vec<_> = verdict.failures().map(|check| check.name).collect();
        assert_eq!(names, ["tls certificate"], "{verdict}");
    }
    assert_eq!((asked.load(Ordering::SeqCst), sent.load(Ordering::SeqCst)), (3, 1));
    // The verdict on the node that was trusted stays.
    assert!(client.verdict().is_trusted());
}
