//! Reference A.7, B.8: past transactions, through handlers on a whole node.

#![allow(unreachable_pub, reason = "the service is shared by files of this suite")]

use std::path::PathBuf;
use std::sync::Arc;

use affiant::hosting::AppBundle;
use affiant::node::NodeSettings;
use affiant::{CommitNotice, Endpoint, Mode, Peer, Request, Response, Runtime};
use affiant_js::JsFrontend;
use affiant_proof::{Receipt, VerifyOptions, verify_json};
use serde_json::{Value as Json, json};

use crate::support::*;

const HANDLERS: &str = r#"
    const b = ccf.strToBuf, s = ccf.bufToStr;
    export function write(request) {
        const { key, value, claim } = request.body.json();
        ccf.kv["records"].set(b(key), b(value));
        ccf.kv["typed"].set(key, { value });
        ccf.kv["public:records"].set(b(key), b(value.toUpperCase()));
        ccf.kv["public:records"].delete(b("gone"));
        if (claim) ccf.rpc.setClaimsDigest(ccf.crypto.digest("SHA-256", b(claim)));
        return {};
    }
    function show({ transactionId, receipt, kv }) {
        const value = kv["records"].get(b("k"));
        return { transactionId, receipt, value: value === undefined ? null : s(value) };
    }
    export function past(request) {
        const out = show(ccf.historicalState);
        out.now = s(ccf.kv["records"].get(b("k")));
        return { body: out };
    }
    export function run(request) {
        return { body: [new Function("b", "s", request.body.text())(b, s)] };
    }
    export const runPast = run;
    export function range(request) {
        const { handle, first, last } = request.body.json();
        const states = ccf.historical.getStateRange(handle, first, last, 1800);
        if (states === null) return { statusCode: 202 };
        return { body: states.map(show) };
    }
"#;

/// A node with one app, asked in process.
pub struct Service {
    runtime: Runtime,
}

impl Service {
    pub fn new(modules: &[(&str, &str)], endpoints: Vec<Endpoint>) -> Self {
        let owned = |text: &str| text.to_owned();
        let bundle = AppBundle {
            modules: modules.iter().map(|(name, source)| (owned(name), owned(source))).collect(),
            ..AppBundle::default()
        };
        let frontend = JsFrontend::load(&bundle, endpoints, shown()).unwrap();
        assert_eq!(frontend.warnings(), &[] as &[String]);
        let builder = Runtime::builder().node(NodeSettings::in_memory()).executor_threads(1);
        Self { runtime: builder.frontend(Arc::new(frontend)).start().unwrap() }
    }

    /// The handlers above.
    fn standard() -> Self {
        let endpoints = vec![
            endpoint("/app.js", "write"),
            with_mode(endpoint("/app.js", "past"), Mode::Historical),
            endpoint("/app.js", "run"),
            with_mode(endpoint("/app.js", "runPast"), Mode::Historical),
            with_mode(endpoint("/app.js", "range"), Mode::ReadOnly),
        ];
        Self::new(&[("/app.js", HANDLERS)], endpoints)
    }

    pub fn send(&self, function: &str, body: &str, txid: Option<&str>) -> Response {
        let mut request = Request::new("GET", &format!("/app/{function}")).unwrap();
        if let Some(txid) = txid {
            request = request.with_header("x-ms-ccf-transaction-id", txid).unwrap();
        }
        self.runtime.send(request.with_body(body.to_owned()), Peer::Anonymous)
    }

    /// Asks until the answer is not 202, as clients of CCF do.
    pub fn ask(&self, function: &str, body: &str, txid: Option<&str>) -> Json {
        for _ in 0..6_000 {
            let response = self.send(function, body, txid);
            match response.status {
                200 => return serde_json::from_slice(&response.body).unwrap(),
                202 => std::thread::sleep(std::time::Duration::from_millis(10)),
                _ => panic!("{function}: {}", String::from_utf8_lossy(&response.body)),
            }
        }
        panic!("{function} stays unavailable");
    }

    /// Writes, and waits for commit; the transaction.
    pub fn write(&self, body: Json) -> String {
        let response = self.send("write", &body.to_string(), None);
        let txid = response.header("x-ms-ccf-transaction-id").unwrap().to_owned();
        let notice = self.runtime.node().wait_committed_blocking(txid.parse().unwrap());
        assert!(matches!(notice, CommitNotice::Committed { .. }));
        txid
    }

    /// Runs statements in a handler; what they return.
    fn run(&self, statements: &str) -> Json {
        self.ask("run", statements, None)[0].take()
    }

    /// The same for the past transaction.
    fn run_past(&self, txid: &str, statements: &str) -> Json {
        self.ask("runPast", statements, Some(txid))[0].take()
    }

    /// The message of what statements throw, in a handler of a past transaction if one is named.
    fn thrown(&self, statements: &str, txid: Option<&str>) -> String {
        let caught =
            format!("try {{ {statements} }} catch (e) {{ return `${{e.name}}: ${{e.message}}`; }}");
        let message = match txid {
            Some(txid) => self.run_past(txid, &caught),
            None => self.run(&caught),
        };
        message.as_str().unwrap().to_owned()
    }

    fn served_receipt(&self, txid: &str) -> Json {
        let target = format!("/app/receipt?transaction_id={txid}");
        let response = self.runtime.call("GET", &target, "", Peer::Anonymous).unwrap();
        serde_json::from_slice(&response.body).unwrap()
    }

    /// A script's receipt is the one that is served, but for the flag, and verifies.
    fn assert_receipt(&self, txid: &str, receipt: &Json) {
        let mut same = receipt.clone();
        let flag = same.as_object_mut().unwrap().remove("is_signature_transaction").unwrap();
        let mut served = self.served_receipt(txid);
        if flag == json!(true) {
            let object = served.as_object_mut().unwrap();
            let root = object.remove("leaf").unwrap();
            object.insert("root_hex".to_owned(), root);
            assert_eq!(object.remove("proof"), Some(json!([])));
        }
        assert_eq!(same, served);
        let parsed = Receipt::parse(receipt.to_string().as_bytes()).unwrap();
        let service = self.runtime.node().info().service_certificate_pem;
        let verdict = verify_json(&parsed, &service, &VerifyOptions::default());
        assert!(verdict.is_valid(), "{verdict:?}");
    }
}

#[test]
fn a_handler_sees_the_transaction_that_the_request_names() {
    let service = Service::standard();
    let first = service.write(json!({ "key": "k", "value": "one", "claim": "c" }));
    let second = service.write(json!({ "key": "k", "value": "two" }));
    let third = service.write(json!({ "key": "other", "value": "three" }));
    for (txid, value) in [(&first, json!("one")), (&second, json!("two")), (&third, json!(null))] {
        let answer = service.ask("past", "", Some(txid));
        assert_eq!(answer["transactionId"], **txid);
        assert_eq!(answer["value"], value, "the write set of {txid} only");
        assert_eq!(answer["now"], "two", "the live maps are there too");
        assert_eq!(answer["receipt"]["is_signature_transaction"], false);
        service.assert_receipt(txid, &answer["receipt"]);
    }
    assert_eq!(service.send("past", "", None).status, 404);
    assert_eq!(service.send("past", "", Some("9.9")).status, 404);
    // Other modes have none, whatever the request says.
    let none = service.ask(
        "run",
        "return [ccf.historicalState === undefined, Object.keys(ccf).includes('historicalState')]",
        Some(&first),
    )[0]
    .take();
    assert_eq!(none, json!([true, false]));
}

#[test]
fn the_state_is_one_object_that_scripts_may_change() {
    let service = Service::standard();
    let txid = service.write(json!({ "key": "k", "value": "one", "claim": "c" }));
    let result = service.run_past(
        &txid,
        r#"
        const state = ccf.historicalState;
        const claims = state.receipt.leaf_components.claims_digest.length;
        delete ccf.historicalState.receipt.leaf_components.claims_digest;
        state.receipt.leaf_components.claims = "c";
        const { transactionId, receipt } = JSON.parse(JSON.stringify(ccf.historicalState));
        const fields = Object.keys(receipt).join(), leaf = Object.keys(receipt.leaf_components);
        const again = { ...state };
        state.receipt = 5;
        return {
            same: ccf.historicalState === state, receipt: again.receipt.leaf_components.claims,
            keys: Object.keys(state), transactionId, fields, leaf, claims, replaced: state.receipt,
            step: Object.keys(receipt.proof[0])[0].length > 0, kv: JSON.stringify(state.kv),
            own: state.hasOwnProperty("kv"), listed: Object.keys(ccf).includes("historicalState"),
        };
        "#,
    );
    assert_eq!(
        result,
        json!({
            "same": true, "receipt": "c", "keys": ["transactionId", "receipt", "kv"],
            "transactionId": txid, "claims": 64, "replaced": 5,
            "fields": "signature,cert,node_id,is_signature_transaction,leaf_components,proof",
            "leaf": ["write_set_digest", "commit_evidence", "claims"],
            "step": true, "kv": "{}", "own": true, "listed": true,
        })
    );
}

#[test]
fn historical_maps_read_and_refuse_to_write() {
    let service = Service::standard();
    let txid = service.write(json!({ "key": "k", "value": "one" }));
    let seqno: u64 = txid.split_once('.').unwrap().1.parse().unwrap();
    let result = service.run_past(&txid, r#"
        const kv = ccf.historicalState.kv, map = kv["records"], open = kv["public:records"];
        const seen = [];
        map.forEach((value, key, self) => seen.push([s(key), s(value), self === map]));
        return {
            has: [map.has(b("k")), map.has(b("x")), open.has(b("gone"))], size: [map.size, open.size],
            version: map.getVersionOfPreviousWrite(b("k")), none: map.get(b("x")) === undefined,
            noVersion: map.getVersionOfPreviousWrite(b("x")) === undefined, seen,
            typed: kv["typed"].get("k"), open: s(open.get(b("k"))), fresh: kv["records"] === map,
            range: map.range(null, null).map(([k, v]) => s(k) + s(v)),
            typedRange: kv["typed"].range("a", "z", 5), empty: map.range(b("l"), null),
            limited: map.range(b("z"), b("a")).length + map.range(null, null, 0).length,
            names: Object.keys(kv), any: "x" in kv, gov: kv["public:ccf.gov.members.certs"].size,
            copy: (new Uint8Array(map.get(b("k"))).fill(0), s(map.get(b("k")))),
        };
        "#);
    assert_eq!(
        result,
        json!({
            "has": [true, false, false], "size": [1, 1], "version": seqno, "none": true,
            "noVersion": true, "seen": [["k", "one", true]], "typed": { "value": "one" },
            "open": "ONE", "fresh": false, "range": ["kone"],
            "typedRange": [["k", { "value": "one" }]], "empty": [], "limited": 0, "names": [],
            "any": true, "gov": 0, "copy": "one",
        })
    );
    for (method, call) in
        [("set", "set(b('k'), b('v'))"), ("delete", "delete(b('k'))"), ("clear", "clear()")]
    {
        for map in ["records", "public:records", "public:ccf.gov.users.certs"] {
            let statement = format!("ccf.historicalState.kv['{map}'].{call}");
            assert_eq!(
                service.thrown(&statement, Some(&txid)),
                format!(
                    "TypeError: Cannot call \"{method}\" on table named {map}. All tables are \
                     read-only during historical transaction."
                )
            );
        }
    }
    let illegal = service.thrown("ccf.historicalState.kv['ccf.gov.x'].get(b('k'))", Some(&txid));
    assert!(
        illegal.contains("Cannot call \"get\"") && illegal.contains("inaccessible"),
        "{illegal}"
    );
    let live = service.thrown("ccf.kv['records'].set(b('k'), b('v'))", Some(&txid));
    assert!(live.contains("read-only in current (read-only application)"), "{live}");
    let reserved = service.thrown("ccf.historicalState.kv['ccf.foo']", Some(&txid));
    assert!(reserved.starts_with("InternalError"), "{reserved}");
    let assigned = service.thrown("ccf.historicalState.kv['records'] = 1", Some(&txid));
    assert!(assigned.starts_with("TypeError"), "{assigned}");
    let keys = service.thrown("ccf.historicalState.kv['records'].get(7)", Some(&txid));
    assert_eq!(keys, "TypeError: Argument must be an ArrayBuffer");
}

#[test]
fn ranges_come_in_order_with_their_receipts() {
    let service = Service::standard();
    let written: Vec<String> = ["one", "two", "three"]
        .map(|value| service.write(json!({ "key": "k", "value": value })))
        .to_vec();
    let seqno = |txid: &str| txid.split_once('.').unwrap().1.parse::<u64>().unwrap();
    let (first, last) = (seqno(&written[0]), seqno(&written[2]) + 1);
    let ask = json!({ "handle": 7, "first": first, "last": last });
    assert_eq!(service.send("range", &ask.to_string(), None).status, 202, "null at first");
    let states = service.ask("range", &ask.to_string(), None);
    let states = states.as_array().unwrap();
    assert_eq!(states.len() as u64, last + 1 - first);
    let mut signatures = 0;
    for (seqno, state) in (first..).zip(states) {
        let txid = format!("2.{seqno}");
        assert_eq!(state["transactionId"], txid);
        service.assert_receipt(&txid, &state["receipt"]);
        if state["receipt"]["is_signature_transaction"] == json!(true) {
            signatures += 1;
            assert_eq!(state["receipt"]["root_hex"].as_str().unwrap().len(), 64);
        }
    }
    assert!(signatures > 0, "each wait for commit makes a signature");
    let values: Vec<&Json> = states.iter().map(|s| &s["value"]).filter(|v| !v.is_null()).collect();
    assert_eq!(values, ["one", "two", "three"]);

    // The handle holds it until it is dropped, or used for another range.
    let loaded = |first: u64, last: u64| {
        service.run(&format!("return ccf.historical.getStateRange(7, {first}, {last}, 1) !== null"))
    };
    assert_eq!(loaded(first, last), true);
    assert_eq!(service.run("return ccf.historical.dropCachedStates(7)"), true);
    assert_eq!(service.run("return ccf.historical.dropCachedStates(7)"), false);
    assert_eq!(loaded(first, last), false);
    service.ask("range", &ask.to_string(), None);
    assert_eq!(loaded(first, first), false);
    // What is not committed yet is awaited.
    assert_eq!(service.run("return ccf.historical.getStateRange(8, 1000, 1001, 100)"), json!(null));
}

#[test]
fn wrong_ranges_throw() {
    let service = Service::standard();
    let count = "TypeError: Passed 3 arguments, but expected 4";
    assert_eq!(service.thrown("ccf.historical.getStateRange(1, 1, 2)", None), count);
    let count = "TypeError: Passed 5 arguments, but expected 4";
    assert_eq!(service.thrown("ccf.historical.getStateRange(1, 1, 2, 3, 4)", None), count);
    let count = "TypeError: Passed 0 arguments, but expected 1";
    assert_eq!(service.thrown("ccf.historical.dropCachedStates()", None), count);
    for numbers in ["-1, 1, 2, 3", "1, -1, 2, 3", "1, 1, -2, 3", "1, 1, 2, -3", "1, 1, 2, -1e300"] {
        assert_eq!(
            service.thrown(&format!("ccf.historical.getStateRange({numbers})"), None),
            "RangeError: Invalid handle or seqno or expiry: cannot be negative"
        );
    }
    let negative = "RangeError: Invalid handle: cannot be negative";
    assert_eq!(service.thrown("ccf.historical.dropCachedStates(-1)", None), negative);
    let prefix = "InternalError: Failed to get state range: Invalid range for historical query: ";
    for (numbers, reason) in [
        ("1, 3, 2, 60", "end 2 is before start 3"),
        ("1, 0, 2, 60", "the first seqno is 1"),
        ("1, NaN, 2, 60", "the first seqno is 1"),
        ("1, 1, 2 ** 53, 60", "it has 9007199254740992 entries; ask for at most 10000 at a time"),
        ("1, 1, Infinity, Infinity", "it has 18446744073709551615 entries; ask for at most 10000"),
    ] {
        let message = service.thrown(&format!("ccf.historical.getStateRange({numbers})"), None);
        assert!(message.starts_with(&format!("{prefix}{reason}")), "{numbers}: {message}");
    }
    for (argument, name) in [
        ("1n", "TypeError"),
        ("Symbol()", "TypeError"),
        ("{ valueOf() { throw new RangeError('x'); } }", "RangeError"),
    ] {
        let message =
            service.thrown(&format!("ccf.historical.getStateRange(1, {argument}, 2, 3)"), None);
        assert!(message.starts_with(name), "{message}");
    }
    // Without a node there is no past.
    assert_eq!(
        thrown("ccf.historical.getStateRange(1, 1, 2, 3)"),
        "InternalError: Failed to get state cache"
    );
}

/// Reads the state while the module is evaluated, as `@microsoft/ccf-app` does.
const CAPTURING: &str = r#"
    const captured = ccf.historicalState;
    let calls = 0;
    export function write() {
        ccf.kv["records"].set(ccf.strToBuf("k"), ccf.strToBuf("v"));
        return {};
    }
    export function both() {
        const now = ccf.historicalState;
        let kv = null;
        try { kv = captured?.kv["records"].size ?? null; } catch (e) { kv = `${e.name}: ${e.message}`; }
        let receipt = null;
        try { receipt = typeof captured?.receipt.cert; } catch (e) { receipt = e.message; }
        return { body: {
            captured: captured?.transactionId ?? null, now: now?.transactionId ?? null, kv, receipt,
            same: captured === now, calls: ++calls,
        } };
    }
    export const live = both;
"#;

#[test]
fn a_module_that_captures_the_state_sees_its_own_requests() {
    let endpoints = vec![
        endpoint("/app.js", "write"),
        endpoint("/app.js", "live"),
        with_mode(endpoint("/app.js", "both"), Mode::Historical),
    ];
    let service = Service::new(&[("/app.js", CAPTURING)], endpoints);
    let txids = [service.write(json!({})), service.write(json!({}))];
    for txid in [&txids[0], &txids[1], &txids[0]] {
        assert_eq!(
            service.ask("both", "", Some(txid)),
            json!({
                "captured": txid, "now": txid, "kv": 1, "receipt": "string", "same": true,
                "calls": 1,
            })
        );
        // In between, an endpoint of another mode in the same module.
        assert_eq!(
            service.ask("live", "", Some(txid)),
            json!({
                "captured": null, "now": null, "kv": null, "receipt": "undefined", "same": true,
                "calls": 1,
            })
        );
    }
}

#[test]
fn in_a_reused_interpreter_what_was_captured_is_stale_and_leads_nowhere() {
    let endpoints = vec![
        endpoint("/app.js", "write"),
        with_mode(reused("/app.js", "both", "k"), Mode::Historical),
    ];
    let service = Service::new(&[("/app.js", CAPTURING)], endpoints);
    let (first, second) = (service.write(json!({})), service.write(json!({})));
    let asked = service.ask("both", "", Some(&first));
    assert_eq!((&asked["captured"], &asked["calls"]), (&json!(first), &json!(1)));
    for (txid, calls) in [(&second, 2), (&first, 3)] {
        assert_eq!(
            service.ask("both", "", Some(txid)),
            json!({
                "captured": first, "now": txid, "same": false, "calls": calls,
                "kv": "InternalError: Internal: Unable to access MapHandle",
                // Read in the first request, it stays what it was.
                "receipt": "string",
            })
        );
    }
}

#[test]
fn handles_that_outlive_their_request_reach_no_other() {
    let source = r#"
        let kept = null, whole = null;
        export function write(request) {
            ccf.kv["records"].set(ccf.strToBuf("k"), ccf.strToBuf("v"));
            return {};
        }
        export function keep() {
            whole = ccf.historicalState;
            kept = whole.kv["records"];
            return { body: kept.size };
        }
        export function use() {
            const tries = [
                () => kept.size, () => whole.kv["records"].size, () => whole.receipt,
                () => { whole.receipt = 1; },
                () => Object.getOwnPropertyDescriptor(whole, "receipt").get.call({}),
                () => Object.getOwnPropertyDescriptor(whole, "receipt").set.call(
                    new Proxy({}, { defineProperty() { throw new Error("reached"); } }), 1),
            ];
            return { body: tries.map(t => { try { return t(); } catch (e) { return e.message; } }) };
        }
    "#;
    let endpoints = vec![
        endpoint("/app.js", "write"),
        with_mode(reused("/app.js", "keep", "k"), Mode::Historical),
        with_mode(reused("/app.js", "use", "k"), Mode::Historical),
    ];
    let service = Service::new(&[("/app.js", source)], endpoints);
    let txid = service.write(json!({}));
    assert_eq!(service.ask("keep", "", Some(&txid)), 1);
    let map = "Internal: Unable to access MapHandle";
    let state = "Internal: Unable to access historical state";
    let expected = json!([map, map, state, state, state, state]);
    assert_eq!(service.ask("use", "", Some(&txid)), expected);
}

#[test]
fn receipts_look_like_those_of_a_ccf_node() {
    let root = std::env::var_os("AFFIANT_FIXTURES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures"),
        PathBuf::from,
    );
    let file = root.join("ccf-http/receipts/2.150.private.historical_receipt.200.json");
    let Ok(recorded) = std::fs::read_to_string(&file) else {
        println!("skipped: no recorded receipt at {}", file.display());
        return;
    };
    let service = Service::standard();
    let txid = service.write(json!({ "key": "k", "value": "one" }));
    service.write(json!({ "key": "k", "value": "two" }));
    let text = service.run_past(&txid, "return JSON.stringify(ccf.historicalState)");
    // Names in their order; values but the empty claims are a service's own.
    let names = |text: &str| {
        let known = [
            "signature",
            "cert",
            "node_id",
            "is_signature_transaction",
            "leaf_components",
            "write_set_digest",
            "commit_evidence",
            "claims_digest",
            "proof",
        ];
        let mut places: Vec<(usize, &str)> = known
            .iter()
            .filter_map(|name| Some((text.find(&format!("\"{name}\":"))?, *name)))
            .collect();
        places.sort_unstable();
        places.into_iter().map(|(_, name)| name).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(text.as_str().unwrap()), names(&recorded));
    let ours: Json = serde_json::from_str(text.as_str().unwrap()).unwrap();
    let theirs: Json = serde_json::from_str(&recorded).unwrap();
    assert_eq!(
        ours["receipt"]["leaf_components"]["claims_digest"],
        theirs["receipt"]["leaf_components"]["claims_digest"],
        "zeros where the app set no claims"
    );
}
