//! What a node says of the platform under it, over HTTP and to endpoints written in Rust.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod http_support;

use affiant::attest::{Affiant, Statement};
use affiant::{EndpointOptions, Response, Runtime};
use affiant_proof::{Certificate, Digest, to_hex};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_support::{Client, listener, settings};
use serde_json::Value as Json;

fn start() -> Runtime {
    Runtime::builder()
        .node(settings(&[]))
        .listen(listener())
        .endpoint_with_call("POST", "/evidence", EndpointOptions::native(), |call| {
            let evidence = call.attestation(call.request.body())?;
            Ok(Response::json(200, &evidence))
        })
        .start()
        .unwrap()
}

fn decode(json: &Json, field: &str) -> Vec<u8> {
    STANDARD.decode(json[field].as_str().unwrap()).unwrap()
}

/// The digest that the evidence is bound to.
fn report_data(evidence: &Json) -> Vec<u8> {
    let raw: Json = serde_json::from_slice(&decode(evidence, "raw")).unwrap();
    decode(&raw, "report_data")
}

/// The statement that the evidence is bound to, if it is, and is of this node.
fn statement(evidence: &Json, runtime: &Runtime) -> Statement {
    let bound = decode(evidence, "bound");
    assert_eq!(report_data(evidence), Digest::of(&bound).0);
    let statement = Statement::parse(&bound).unwrap();
    let info = runtime.node().info();
    assert_eq!(Digest::of(&statement.node_public_key).to_hex(), info.node_id);
    let service = Certificate::from_pem(&info.service_certificate_pem).unwrap();
    assert_eq!(
        Digest::of(&statement.service_identity).to_hex(),
        service.public_key().key_id(),
        "the service's key"
    );
    statement
}

#[test]
fn a_nonce_brings_fresh_evidence_that_is_bound_to_it() {
    let runtime = start();
    let mut client = Client::new(&runtime);
    let known = client.get("/node/attestations/self").json();
    assert!(known.get("bound").is_none(), "{known}");
    let longest = "aB".repeat(64);
    for nonce in ["00", "DeadBeef", &longest] {
        let answer = client.get(&format!("/node/attestations/self?nonce={nonce}"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let fresh = answer.json();
        let statement = statement(&fresh, &runtime);
        assert_eq!(statement.affiant, Affiant::Node);
        assert_eq!(to_hex(&statement.bound), nonce.to_lowercase());
        for field in ["endorsements", "format", "measurement", "node_id"] {
            assert_eq!(fresh[field], known[field], "{field}");
        }
        // Beside CCF's, whose evidence is bound to the node's key alone.
        assert_eq!(report_data(&known), Digest::of(&statement.node_public_key).0);
        assert_eq!(answer.txid(), None, "it read nothing");
    }
    for (nonce, characters) in
        [("", 0), ("abc", 3), ("0g", 2), ("+1", 2), ("%C3%A9", 1), (&format!("{longest}00"), 130)]
    {
        let answer = client.get(&format!("/node/attestations/self?nonce={nonce}"));
        assert_eq!((answer.status, &*answer.code()), (400, "InvalidQueryParameterValue"));
        let wanted = format!(
            "Query parameter 'nonce' has {characters} characters; it must be 2 to 128 hex digits, \
             an even number of them."
        );
        assert_eq!(answer.message(), wanted, "{nonce}");
    }
    let api = client.get("/node/api").json();
    let parameters = &api["paths"]["/node/attestations/self"]["get"]["parameters"];
    assert_eq!(parameters[0]["name"], "nonce");
    runtime.stop().unwrap();
}

#[test]
fn strangers_cannot_keep_the_platform_busy() {
    let runtime = start();
    let mut client = Client::new(&runtime);
    let ask = |client: &mut Client, nonce: u32| {
        client.get(&format!("/node/attestations/self?nonce={nonce:08x}"))
    };
    let refused = (0..100).map(|nonce| ask(&mut client, nonce)).find(|answer| answer.status != 200);
    let refused = refused.unwrap();
    assert_eq!((refused.status, &*refused.code()), (503, "TooManyRequests"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    // What was made a moment ago costs nothing, and apps are not held up.
    let app = client.post("/app/evidence", b"data");
    assert_eq!(app.status, 200, "{}", app.text());
    runtime.stop().unwrap();
}

#[test]
fn an_endpoint_has_evidence_bound_to_its_bytes() {
    let runtime = start();
    let mut client = Client::new(&runtime);
    for body in [&b""[..], b"data", &[0xff; 64 << 10]] {
        let evidence = client.post("/app/evidence", body).json();
        let statement = statement(&evidence, &runtime);
        assert_eq!((statement.affiant, &*statement.bound), (Affiant::App, body));
        assert_eq!(evidence["format"], "Insecure_Virtual");
    }
    let answer = client.post("/app/evidence", &[0; (64 << 10) + 1]);
    assert_eq!((answer.status, &*answer.code()), (400, "InvalidInput"));
    let wanted = "bound bytes of a statement is 65537, over the limit of 65536";
    assert_eq!(answer.message(), wanted);
    runtime.stop().unwrap();
}
