//! The small app under `apps/counter`, loaded as a host loads it.

use std::path::Path;
use std::sync::Arc;

use affiant::attestation::NodeAttestor;
use affiant::platform::VirtualAttestor;
use serde_json::json;

use crate::support::*;

#[test]
fn the_counter_app_counts() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps/counter/src");
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    let (counter, lib) = (read("counter.js"), read("lib/codec.js"));
    let modules = [("/counter.js", counter.as_str()), ("/lib/codec.js", lib.as_str())];
    let endpoints = vec![
        endpoint("/counter.js", "add"),
        endpoint("/counter.js", "total"),
        endpoint("/counter.js", "list"),
    ];
    let mut app = App::new(&modules, endpoints, shown());
    assert_eq!(app.frontend.warnings(), &[] as &[String]);
    let mut tx = app.store.begin();
    for (body, expected) in [
        ("{\"name\":\"b\",\"by\":2}", 2),
        ("{\"name\":\"a\",\"by\":5}", 5),
        ("{\"name\":\"b\",\"by\":1}", 3),
    ] {
        let done = app.call_in("add", &request(body.as_bytes()), tx);
        assert_eq!(done.json(), json!({ "value": expected }));
        tx = done.tx;
    }
    let done = app.call_in("total", &request(b""), tx);
    assert_eq!(done.json(), json!({ "total": 8, "counters": 2 }));
    let done = app.call_in("list", &request(b""), done.tx);
    assert_eq!(done.json(), json!([["a", 5], ["b", 3]]));
    let done = app.call_in("add", &request(b"{}"), done.tx);
    assert_eq!(done.response().status, 400);
}

/// A listing that users wrote down before this existed, with the functions that it calls.
const LISTING: &str = r#"
function validateTransaction(transaction) { return transaction.amount > 0; }
function generateComplianceProof(transaction) { return { checked: transaction.id }; }

export function processTransaction(request) {
    const ledger = ccf.kv["transactions"];
    const transaction = JSON.parse(request.body);
    
    // Validate transaction within TEE
    if (validateTransaction(transaction)) {
        // Store in encrypted ledger
        ledger.set(transaction.id, transaction);
        
        // Generate compliance proof
        const proof = generateComplianceProof(transaction);
        return { success: true, proof: proof };
    }
    
    return { success: false, error: "Invalid transaction" };
}
"#;

/// The other listing, likewise.
const SIGNING: &str = r#"
const { privateKey, publicKey } = ccf.crypto.generateEddsaKeyPair("curve25519");
function processData(data) { return data.n + 1; }
export function verify(request) {
    const { n, signature } = request.data;
    return { body: [ccf.crypto.verify({ n }, publicKey, signature),
        ccf.crypto.verify({ n: n + 1 }, publicKey, signature)] };
}

// Example CCF JavaScript application structure
export function handleRequest(request) {
    // Access to CCF KV store
    const store = ccf.kv["app_data"];
    
    // Cryptographic operations within TEE
    const signature = ccf.crypto.sign(request.data, privateKey);
    
    // Network operations with attestation
    return {
        statusCode: 200,
        body: {
            result: processData(request.data),
            signature: signature,
            attestation: ccf.getAttestation()
        }
    };
}
"#;

#[test]
fn the_signing_handler_runs_as_written() {
    let mut endpoints = vec![endpoint("/app.js", "handleRequest"), endpoint("/app.js", "verify")];
    for endpoint in &mut endpoints {
        // One key for both.
        endpoint.options.interpreter_reuse_key = Some("k".to_owned());
    }
    let mut app = App::new(&[("/app.js", SIGNING)], endpoints, shown());
    let attestor = NodeAttestor::new(Arc::new(VirtualAttestor), b"node", b"service");
    app.attestor = Some(Arc::new(attestor));
    let answer = app.call_with("handleRequest", &request(br#"{"n": 6}"#)).json();
    let format = &answer["attestation"]["format"];
    assert_eq!((&answer["result"], format), (&json!(7), &json!("Insecure_Virtual")));
    let body = json!({ "n": 6, "signature": answer["signature"] }).to_string();
    assert_eq!(app.call_with("verify", &request(body.as_bytes())).json(), json!([true, false]));
}

#[test]
fn the_programmable_transaction_runs_as_written() {
    let mut app = App::of(LISTING, &["processTransaction"]);
    let body = br#"{"id":"t1","amount":5}"#;
    let mut done = app.call_with("processTransaction", &request(body));
    assert_eq!(done.json(), json!({ "success": true, "proof": { "checked": "t1" } }));
    let map = affiant_kv::MapName::new("transactions").unwrap();
    assert_eq!(done.tx.get(&map, b"t1").as_deref(), Some(body.as_slice()));
    let done = app.call_with("processTransaction", &request(br#"{"id":"t2","amount":0}"#));
    assert_eq!(done.json(), json!({ "success": false, "error": "Invalid transaction" }));
}
