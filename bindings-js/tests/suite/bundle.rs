//! The small app under `apps/counter`, loaded as a host loads it.

use std::path::Path;

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
