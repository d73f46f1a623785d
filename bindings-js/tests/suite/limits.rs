//! Reference A.12: each breach is a 500 with CCF's words, and the next request is none the worse.

use affiant::hosting::RuntimeOptions;

use crate::support::*;

const SOURCE: &str = r#"
    export function loop() { while (true) {} }
    export function loopCaught() { while (true) { try { while (true) {} } catch (e) {} } }
    export function loopFinally() { try { while (true) {} } finally { while (true) {} } }
    export function regex() { /^(a+)+$/.test("a".repeat(40) + "b"); return {}; }
    export async function later() { while (true) { await null; } }
    export function promise() { return new Promise(() => { while (true) {} }); }
    export function heap() { const a = []; while (true) a.push(new Uint8Array(100000)); }
    export function heapCaught() {
        const a = [];
        while (true) { try { a.push("x".repeat(1 << 20) + a.length); } catch (e) { a.length >>= 1; } }
    }
    export function oneBig() { return { body: String(new ArrayBuffer(1 << 30).byteLength) }; }
    export function strings() { let s = "x"; while (true) s += s + Math.random(); }
    export function stack() { return stack(); }
    export function stackCaught() { try { return stack(); } catch (e) { return { body: e.name }; } }
    export function json() { let o = {}; for (let i = 0; i < 200000; i++) o = { o }; return { body: o }; }
    export function getter() { return { get body() { while (true) {} } }; }
    export function toJson() { return { body: { toJSON() { while (true) {} } } }; }
    export function header() { return { headers: { a: { toString() { while (true) {} } } } }; }
    export function throwsSlowly() { throw { toJSON() { while (true) {} } }; }
    export function kvLoop() { const m = ccf.kv["m"]; for (let i = 0; ; i++) m.set("k", i); }
    export function ok() { return { body: "ok" }; }
"#;

const NAMES: [&str; 19] = [
    "loop",
    "loopCaught",
    "loopFinally",
    "regex",
    "later",
    "promise",
    "heap",
    "heapCaught",
    "oneBig",
    "strings",
    "stack",
    "stackCaught",
    "json",
    "getter",
    "toJson",
    "header",
    "throwsSlowly",
    "kvLoop",
    "ok",
];

fn app() -> App {
    let options = RuntimeOptions {
        max_execution_time_ms: 50,
        max_heap_bytes: 16 << 20,
        return_exception_details: true,
        ..RuntimeOptions::default()
    };
    App::with_options(SOURCE, &NAMES, options)
}

#[test]
fn time_is_limited() {
    let mut app = app();
    for name in [
        "loop",
        "loopCaught",
        "loopFinally",
        "regex",
        "later",
        "promise",
        "getter",
        "toJson",
        "header",
        "throwsSlowly",
        "kvLoop",
    ] {
        let done = app.call(name);
        assert_eq!(done.error().message, "Operation took too long to complete.", "{name}");
        assert_eq!(done.exception(), "InternalError: interrupted", "{name}");
        assert_eq!(app.call("ok").text(), "ok", "after {name}");
    }
}

#[test]
fn heap_is_limited() {
    let mut app = app();
    for name in ["heap", "oneBig", "strings"] {
        let done = app.call(name);
        assert_eq!(done.error().message, "Exception thrown while executing.", "{name}");
        let message = done.exception();
        assert!(
            message == "InternalError: out of memory"
                || message == "InternalError: string too long"
                || message.starts_with("RangeError: invalid"),
            "{name}: {message}"
        );
        assert_eq!(app.call("ok").text(), "ok", "after {name}");
    }
    assert_eq!(app.call("heap").exception(), "InternalError: out of memory");
    // One that survives running out goes on until its time is up.
    let done = app.call("heapCaught");
    assert_eq!(done.error().status, 500);
    assert_eq!(app.call("ok").text(), "ok");
}

#[test]
fn stack_is_limited() {
    let mut app = app();
    let done = app.call("stack");
    assert_eq!(done.exception(), "InternalError: stack overflow");
    assert_eq!(done.error().message, "Exception thrown while executing.");
    app.call("stackCaught").response();
    assert_eq!(app.call("json").error().status, 500);
    assert_eq!(app.call("ok").text(), "ok");
}

#[test]
fn tiny_limits_are_errors_not_crashes() {
    for heap in [0, 1, 100, 1000, 10_000] {
        for stack in [0_u64, 1, 1000, 1 << 40] {
            let options = RuntimeOptions {
                max_heap_bytes: heap,
                max_stack_bytes: stack,
                return_exception_details: true,
                ..RuntimeOptions::default()
            };
            let mut app = App::with_options(SOURCE, &NAMES, options);
            for name in ["ok", "stack", "heap", "ok"] {
                match app.call(name).result {
                    Ok(response) => assert_eq!(response.body, "ok"),
                    Err(error) => assert_eq!(error.status, 500, "{error}"),
                }
            }
        }
    }
    let options = RuntimeOptions { max_execution_time_ms: 0, ..shown() };
    let mut app = App::with_options(SOURCE, &NAMES, options);
    assert_eq!(app.call("loop").exception(), "InternalError: interrupted");
}

#[test]
fn the_heap_limit_counts_from_the_start_of_the_call() {
    let source = "
        const kept = new Array(1000000).fill(1);
        export function run() { return { body: new ArrayBuffer(200000) }; }
        export function more() { return { body: new ArrayBuffer(2000000) }; }";
    let options = RuntimeOptions { max_heap_bytes: 1 << 20, ..shown() };
    let mut app = App::with_options(source, &["run", "more"], options);
    for _ in 0..3 {
        assert_eq!(app.call("run").response().body.len(), 200_000);
        assert_eq!(app.call("more").exception(), "InternalError: out of memory");
    }
}

#[test]
fn modules_that_never_end_are_stopped() {
    // The limit for evaluation is never below the default of five seconds: use the heap.
    let source = "
        const a = []; while (true) a.push(new Uint8Array(1 << 20));
        export function run() { return {}; }";
    let mut app = App::of(source, &["run"]);
    assert_eq!(app.call("run").exception(), "InternalError: out of memory");
    assert_eq!(app.call("run").exception(), "InternalError: out of memory");
}

#[test]
fn reused_interpreters_are_replaced_after_a_breach() {
    let mut endpoints = Vec::new();
    for name in ["loop", "heap", "ok"] {
        endpoints.push(reused("/app.js", name, "k"));
    }
    let options = RuntimeOptions {
        max_execution_time_ms: 50,
        max_heap_bytes: 16 << 20,
        return_exception_details: true,
        ..RuntimeOptions::default()
    };
    let mut app = App::new(&[("/app.js", SOURCE)], endpoints, options);
    for name in ["loop", "heap"] {
        assert_eq!(app.call(name).error().status, 500);
        assert_eq!(app.call("ok").text(), "ok");
    }
}
