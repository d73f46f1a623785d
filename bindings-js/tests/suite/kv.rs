//! Reference A.4, A.5, A.6, D.2.

use affiant::{Mode, Request};
use affiant_kv::MapName;
use serde_json::json;

use crate::support::*;

/// Runs a function body with some helpers; returns what it returns as JSON.
fn run(body: &str) -> serde_json::Value {
    let source = format!(
        "const b = ccf.strToBuf, s = ccf.bufToStr;
         export function run(request) {{ {body} }}"
    );
    App::of(&source, &["run"]).call("run").json()
}

#[test]
fn the_byte_api_is_ccfs() {
    let result = run(r#"
        const map = ccf.kv["records"];
        const out = {};
        out.chained = map.set(b("k1"), b("v1")).set(b("k2"), b("")) === map;
        map.set(b(""), b("empty key"));
        out.has = [map.has(b("k1")), map.has(b("nope"))];
        out.get = [s(map.get(b("k1"))), s(map.get(b("k2"))), s(map.get(b(""))),
                   map.get(b("nope")) === undefined];
        out.size = map.size;
        const copy = map.get(b("k1"));
        new Uint8Array(copy)[0] = 0;
        out.copied = s(map.get(b("k1")));
        const seen = [];
        out.forEach = map.forEach((value, key, m) => seen.push([s(value), s(key), m === map])) === undefined;
        out.seen = seen;
        out.deleted = map.delete(b("k1")) === undefined && map.delete(b("nope")) === undefined;
        out.afterDelete = map.has(b("k1"));
        out.version = map.getVersionOfPreviousWrite(b("k2")) === undefined;
        out.cleared = map.clear() === undefined;
        out.sizeAfterClear = map.size;
        return { body: out };
    "#);
    let expected = json!({
        "chained": true, "has": [true, false], "get": ["v1", "", "empty key", true], "size": 3,
        "copied": "v1", "forEach": true,
        "seen": [["empty key", "", true], ["v1", "k1", true], ["", "k2", true]],
        "deleted": true, "afterDelete": false, "version": true, "cleared": true,
        "sizeAfterClear": 0,
    });
    assert_eq!(result, expected);
}

#[test]
fn the_store_object_is_exotic() {
    let result = run(r#"
        const out = {};
        out.fresh = ccf.kv["x"] !== ccf.kv["x"];
        out.in = ["anything" in ccf.kv, 7 in ccf.kv];
        out.keys = Object.keys(ccf.kv).length + Reflect.ownKeys(ccf.kv).length;
        try { ccf.kv.x = 1; out.assigned = true; } catch (e) { out.assigned = e.name; }
        try { Object.defineProperty(ccf.kv, "x", {value: 1}); out.defined = true; }
        catch (e) { out.defined = e.name; }
        out.symbol = ccf.kv[Symbol.iterator] === undefined;
        out.numeric = (ccf.kv[7].set(b("a"), b("b")), s(ccf.kv["7"].get(b("a"))));
        out.json = JSON.stringify(ccf.kv["x"]);
        out.own = ["set" in ccf.kv["x"], typeof ccf.kv["x"].size];
        return { body: out };
    "#);
    let expected = json!({
        "fresh": true, "in": [true, true], "keys": 0, "assigned": "TypeError",
        "defined": "TypeError", "symbol": true, "numeric": "b", "json": "{}",
        "own": [true, "number"],
    });
    assert_eq!(result, expected);
}

#[test]
fn wrong_arguments_throw_ccfs_errors() {
    let cases = [
        ("m.has()", "Passed 0 arguments, but expected 1"),
        ("m.get(b('a'), 1)", "Passed 2 arguments, but expected 1"),
        ("m.set(b('a'))", "Passed 1 arguments, but expected 2"),
        ("m.delete()", "Passed 0 arguments, but expected 1"),
        ("m.clear(1)", "Passed 1 arguments, but expected 0"),
        ("m.forEach()", "Passed 0 arguments, but expected 1"),
        ("m.getVersionOfPreviousWrite()", "Passed 0 arguments, but expected 1"),
        ("m.get(1)", "Argument must be an ArrayBuffer"),
        ("m.has(new Uint8Array(1))", "Argument must be an ArrayBuffer"),
        ("m.delete({})", "Argument must be an ArrayBuffer"),
        ("m.getVersionOfPreviousWrite(null)", "Argument must be an ArrayBuffer"),
        ("m.set(b('a'), 'v')", "Arguments must be ArrayBuffers"),
        ("m.set(1, b('v'))", "Arguments must be ArrayBuffers"),
        ("m.set(b('a'), new Uint8Array(1))", "Arguments must be ArrayBuffers"),
        ("m.forEach(1)", "Argument must be a function"),
    ];
    for (call, expected) in cases {
        let statements = format!("const b = ccf.strToBuf, m = ccf.kv['m']; {call}");
        assert_eq!(thrown(&statements), format!("TypeError: {expected}"), "{call}");
    }
    let stolen = thrown("const get = ccf.kv['m'].get; get(ccf.strToBuf('a'))");
    assert_eq!(stolen, "InternalError: Internal: Unable to access MapHandle");
    let reserved = thrown("ccf.kv['public:ccf.foo']");
    assert!(reserved.contains("public:ccf.foo"), "{reserved}");
    assert!(thrown("ccf.kv['']").starts_with("InternalError"));
}

#[test]
fn an_exception_in_for_each_stops_it() {
    let result = run(r#"
        const map = ccf.kv["m"];
        for (const k of ["a", "b", "c"]) map.set(b(k), b(k));
        let seen = 0, message;
        try { map.forEach(() => { seen++; throw new Error("enough"); }); }
        catch (e) { message = e.message; }
        return { body: [seen, message] };
    "#);
    assert_eq!(result, json!([1, "enough"]));
}

#[test]
fn for_each_sees_the_writes_present_when_it_started() {
    let result = run(r#"
        const map = ccf.kv["m"];
        map.set(b("a"), b("1")).set(b("b"), b("2"));
        const seen = [];
        map.forEach((v, k) => { seen.push(s(k)); map.set(b(s(k) + "x"), v); map.delete(k); });
        return { body: [seen, map.size, map.has(b("ax"))] };
    "#);
    assert_eq!(result, json!([["a", "b"], 2, true]));
}

#[test]
fn string_keys_mean_the_typed_layer() {
    let result = run(r#"
        const map = ccf.kv["m"];
        map.set("one", { n: 1, list: [null, "x"] }).set("two", "text").set("three", 3);
        const out = [];
        out.push(map.get("one"), map.get("two"), map.get("three"), map.get("four") === undefined);
        out.push(map.has("one"), map.has("four"));
        out.push(s(map.get(b("one"))), s(map.get(b("two"))));
        map.delete("two");
        out.push(map.has("two"), map.size);
        map.set("nul\0key", 1);
        out.push(map.get("nul\0key"));
        return { body: out };
    "#);
    let expected = json!([
        {"n": 1, "list": [null, "x"]}, "text", 3, true, true, false,
        "{\"n\":1,\"list\":[null,\"x\"]}", "\"text\"", false, 2, 1
    ]);
    assert_eq!(result, expected);
    for value in ["undefined", "() => 1", "new ArrayBuffer(2)", "new Uint8Array(2)"] {
        let message = thrown(&format!("ccf.kv['m'].set('k', {value})"));
        assert!(message.starts_with("TypeError: A string key takes a JSON value"), "{message}");
    }
}

#[test]
fn ranges_are_ordered_and_bounded() {
    let result = run(r#"
        const map = ccf.kv["m"];
        for (const k of ["d", "a", "c", "b"]) map.set(k, k.toUpperCase());
        return { body: [
            map.range("b", "d"), map.range("b", null), map.range(undefined, undefined).length,
            map.range("a", undefined, 2), map.range("z", "a"), map.range("a", "e", 0),
            map.range(b("c"), b("d")).map(([k, v]) => [s(k), s(v)]),
        ] };
    "#);
    let expected = json!([
        [["b", "B"], ["c", "C"]],
        [["b", "B"], ["c", "C"], ["d", "D"]],
        4,
        [["a", "A"], ["b", "B"]],
        [],
        [],
        [["c", "\"C\""]]
    ]);
    assert_eq!(result, expected);
    for call in [
        "range()",
        "range('a')",
        "range('a', b('b'))",
        "range(1, 2)",
        "range('a', 'b', -1)",
        "range('a', 'b', 1.5)",
    ] {
        let message = thrown(&format!("const b = ccf.strToBuf; ccf.kv['m'].{call}"));
        assert!(message.starts_with("TypeError: "), "{call}: {message}");
    }
}

#[test]
fn permissions_follow_mode_and_category() {
    const SOURCE: &str = r#"
        const b = ccf.strToBuf;
        const calls = {
            has: m => m.has(b("k")), get: m => m.get(b("k")), size: m => m.size,
            forEach: m => m.forEach(() => 1), range: m => m.range(null, null),
            getVersionOfPreviousWrite: m => m.getVersionOfPreviousWrite(b("k")),
            set: m => m.set(b("k"), b("v")), delete: m => m.delete(b("k")), clear: m => m.clear(),
        };
        function run(request) {
            const out = {};
            for (const name of request.body.json()) {
                out[name] = {};
                for (const method in calls) {
                    try { calls[method](ccf.kv[name]); out[name][method] = "ok"; }
                    catch (e) { out[name][method] = `${e.name}: ${e.message}`; }
                }
            }
            return { body: out };
        }
        export { run as readwrite, run as readonly, run as historical };
    "#;
    let maps = json!([
        "private",
        "public:app",
        "public:ccf.gov.users.certs",
        "public:ccf.internal.signatures",
        "ccf.gov.x",
        "ccf.internal.x"
    ]);
    let endpoints = vec![
        endpoint("/app.js", "readwrite"),
        with_mode(endpoint("/app.js", "readonly"), Mode::ReadOnly),
        with_mode(endpoint("/app.js", "historical"), Mode::Historical),
    ];
    let mut app = App::new(&[("/app.js", SOURCE)], endpoints, shown());
    let writes = ["set", "delete", "clear"];
    let reads = ["has", "get", "size", "forEach", "range", "getVersionOfPreviousWrite"];
    for (function, context) in [
        ("readwrite", "application"),
        ("readonly", "read-only application"),
        ("historical", "read-only application"),
    ] {
        let request: Request = request(maps.to_string().as_bytes());
        let result = app.call_with(function, &request).json();
        for map in maps.as_array().unwrap().iter().map(|map| map.as_str().unwrap()) {
            let word = match map {
                "private" | "public:app" if function == "readwrite" => None,
                "ccf.gov.x" | "ccf.internal.x" => Some("inaccessible"),
                _ => Some("read-only"),
            };
            for method in writes.into_iter().chain(reads) {
                let refused =
                    word.filter(|word| *word == "inaccessible" || writes.contains(&method));
                let expected = refused.map_or_else(|| "ok".to_owned(), |word| {
                    format!(
                        "TypeError: Cannot call \"{method}\" on table named {map}. This table is \
                         {word} in current ({context}) execution context. See \
                         https://microsoft.github.io/CCF/main/audit/read_write_restrictions.html \
                         for more detail."
                    )
                });
                assert_eq!(result[map][method], expected, "{function} {map} {method}");
            }
        }
    }
}

#[test]
fn module_scope_handles_serve_every_request() {
    const SOURCE: &str = r#"
        const map = ccf.kv["global"];
        export function bump() {
            const n = (map.get("n") ?? 0) + 1;
            map.set("n", n);
            return { body: n };
        }
    "#;
    for endpoint in [endpoint("/app.js", "bump"), reused("/app.js", "bump", "k")] {
        let mut app = App::new(&[("/app.js", SOURCE)], vec![endpoint], shown());
        let mut tx = app.store.begin();
        for expected in 1..=3 {
            let done = app.call_in("bump", &request(b""), tx);
            assert_eq!(done.json(), json!(expected));
            tx = done.tx;
        }
        let map = MapName::new("global").unwrap();
        assert_eq!(tx.get(&map, b"n").as_deref(), Some(b"3".as_slice()));
    }
}

#[test]
fn too_large_keys_throw() {
    let message = thrown("ccf.kv['m'].set(new ArrayBuffer((1 << 20) + 1), new ArrayBuffer(1))");
    assert!(message.starts_with("RangeError: a key of 1048577 bytes"), "{message}");
}

#[test]
fn rpc_reaches_the_transaction_and_the_host() {
    let source = "
        export function keep() { ccf.rpc.setApplyWrites(true); return { statusCode: 404 }; }
        export function drop() { ccf.rpc.setApplyWrites(false); return {}; }
        export function fall() { ccf.rpc.setApplyWrites(true); throw new Error('x'); }
        export function none() { return {}; }
        export function claim() {
            ccf.rpc.setClaimsDigest(ccf.crypto.digest('SHA-256', ccf.strToBuf('c')));
            return {};
        }";
    let mut app = App::of(source, &["keep", "drop", "fall", "none", "claim"]);
    assert_eq!(app.call("keep").apply_writes, Some(true));
    assert_eq!(app.call("drop").apply_writes, Some(false));
    assert_eq!(app.call("fall").apply_writes, Some(true));
    assert_eq!(app.call("none").apply_writes, None);
    app.call("claim").response();
}

#[test]
fn consensus_answers_from_the_store() {
    let result = evaluate(
        "ccf.consensus.getLastCommittedTxId(), ccf.consensus.getStatusForTxId(9, 9), \
         ccf.consensus.getViewForSeqno(99)",
    );
    let all = run("return { body: [ccf.consensus.getLastCommittedTxId(),
        ccf.consensus.getStatusForTxId(9, 9), ccf.consensus.getViewForSeqno(99)] };");
    assert_eq!(result, all[0]);
    assert!(all[0]["view"].is_number() && all[0]["seqno"].is_number(), "{all}");
    assert_eq!(all[1], "Unknown");
    assert_eq!(all[2], json!(null));
}
