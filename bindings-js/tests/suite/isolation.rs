//! Every request starts from the pristine state; with `interpreter_reuse` state stays.

use affiant::hosting::RuntimeOptions;
use serde_json::json;

use crate::support::*;

const SOURCE: &str = r#"
    import { shared, helper } from "./lib.js";
    let count = 0;
    const list = [];
    const re = /a/g;
    const cache = new Map();
    const weak = new WeakMap();
    const registered = Symbol.for("known");
    const buffer = new Uint8Array(4);
    const frozen = Object.freeze({ a: 1 });
    class Thing { static made = 0; #secret = 1; bump() { Thing.made++; return ++this.#secret; } }
    const thing = new Thing();
    function* numbers() { let i = 0; while (true) yield i++; }
    const generator = numbers();

    export function look() {
        const out = {
            count: ++count, list: list.push(1), global: typeof globalThis.leak,
            proto: typeof Object.prototype.leak, array: typeof Array.prototype.leak,
            math: typeof Math.leak, json: JSON.stringify({ a: 1 }), re: re.lastIndex,
            cache: cache.size, shared: shared.n, helper: helper(), buffer: buffer[0],
            made: Thing.made, secret: thing.bump(), generated: generator.next().value,
            frozen: frozen.a, ccf: typeof ccf.leak, kv: typeof ccf.kv["m"].leak,
            date: typeof Date.leak, stack: typeof Error.leak, console: typeof console.leak,
            promise: typeof Promise.prototype.leak, key: Symbol.keyFor(registered),
            regexp: "leak" in RegExp.prototype, deleted: typeof parseInt, weak: weak.has(list),
        };
        return { body: out };
    }

    export function spoil() {
        count = 100; list.push(1, 2, 3); re.test("aaa"); cache.set(1, {}); shared.n = 7;
        buffer.fill(9); thing.bump(); generator.next(); generator.return(); weak.set(list, 1);
        globalThis.leak = 1; Object.prototype.leak = 1; Array.prototype.leak = 1; Math.leak = 1;
        RegExp.prototype.leak = 1; Promise.prototype.leak = 1; Date.leak = 1; Error.leak = 1;
        console.leak = 1; ccf.leak = 1; Object.getPrototypeOf(ccf.kv["m"]).leak = 1;
        delete globalThis.parseInt; JSON.stringify = () => "spoiled"; Map.prototype.set = null;
        Symbol.for("new one"); Object.setPrototypeOf(Thing.prototype, null);
        Array.prototype[Symbol.iterator] = null; globalThis.ccf = { kv: null };
        Promise.resolve().then(() => { globalThis.leak = 2; });
        (async () => { await null; Object.prototype.leak2 = 1; })();
        for (let i = 0; i < 1000; i++) globalThis["name" + i] = new ArrayBuffer(1000);
        return {};
    }

    export function spoilAndThrow() { spoil(); throw new Error("x"); }
    export function spoilAndLoop() { spoil(); while (true) {} }
    export function spoilAndRecurse() { spoil(); return spoilAndRecurse(); }
"#;

const LIB: &str = "export const shared = { n: 1 }; let calls = 0; \
    export function helper() { return ++calls; }";

const NAMES: [&str; 5] = ["look", "spoil", "spoilAndThrow", "spoilAndLoop", "spoilAndRecurse"];

fn fresh(source: &str, names: &[&str]) -> App {
    let endpoints = names.iter().map(|name| endpoint("/app.js", name)).collect();
    let options = RuntimeOptions { max_execution_time_ms: 100, ..shown() };
    App::new(&[("/app.js", source), ("/lib.js", LIB)], endpoints, options)
}

#[test]
fn nothing_survives_a_request() {
    let mut app = fresh(SOURCE, &NAMES);
    assert_eq!(app.frontend.warnings(), &[] as &[String]);
    let pristine = app.call("look").text();
    assert!(pristine.starts_with(r#"{"count":1,"list":1,"global":"undefined","#), "{pristine}");
    assert!(pristine.contains(r#""key":"known""#), "{pristine}");
    for _ in 0..3 {
        for name in NAMES {
            drop(app.call(name));
            assert_eq!(app.call("look").text(), pristine, "after {name}");
        }
    }
}

#[test]
fn nothing_survives_where_modules_are_evaluated_each_time() {
    // Reading the clock at the top makes the module state depend on the request.
    let source = format!("const started = Date.now();\n{SOURCE}");
    let mut app = fresh(&source, &NAMES);
    let pristine = app.call("look").text();
    for name in NAMES {
        drop(app.call(name));
        assert_eq!(app.call("look").text(), pristine, "after {name}");
    }
}

#[test]
fn module_state_that_depends_on_the_request_is_made_anew() {
    let cases = [
        ("Math.random()", true),
        ("ccf.bufToStr(ccf.kv['m'].get(ccf.strToBuf('k')) ?? ccf.strToBuf('none'))", false),
        ("[new Date() instanceof Date, Math.random()][1]", true),
    ];
    for (expression, differs) in cases {
        let source = format!(
            "const value = {expression};
             export function run() {{ return {{ body: {{ value }} }}; }}"
        );
        let mut app = App::of(&source, &["run"]);
        let (one, two) = (app.call("run").text(), app.call("run").text());
        assert_eq!(one != two, differs, "{expression}: {one} {two}");
    }
    // A module-scope read of the store sees the state of each request.
    let source = "const seen = ccf.kv['m'].get('k') ?? 0;
        export function run() { ccf.kv['m'].set('k', seen + 1); return { body: seen }; }";
    let mut app = App::of(source, &["run"]);
    let mut tx = app.store.begin();
    for expected in 0..3 {
        let done = app.call_in("run", &request(b""), tx);
        assert_eq!(done.json(), json!(expected));
        tx = done.tx;
    }
    // And what it logs is logged for each, as in CCF.
    let mut app = App::of("console.log('up'); export function run() { return {}; }", &["run"]);
    for _ in 0..3 {
        app.call("run").response();
        assert_eq!(app.logged().len(), 1);
    }
}

#[test]
fn metrics_logging_is_per_request_state_too() {
    let source = "export function on() { return { body: [ccf.enableMetricsLogging(true)] }; }
        export function look() { return { body: [ccf.enableMetricsLogging(false)] }; }";
    let mut app = App::of(source, &["on", "look"]);
    assert_eq!(app.call("on").json(), json!([false]));
    let lines = app.logged();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].1, "js");
    let text = &lines[0].2;
    let expected = "JS execution complete: Method=GET, Path=/on, Status=200, ExecMilliseconds=";
    assert!(text.starts_with(expected), "{text}");
    assert_eq!(app.call("look").json(), json!([false]));
    assert!(app.logged().is_empty());
}

#[test]
fn reuse_keeps_state_under_its_key_only() {
    let source = "let n = 0; globalThis.g ??= 0;
        export function a() { return { body: [++n, ++globalThis.g] }; }
        export { a as b, a as c, a as d };";
    let endpoints = vec![
        reused("/app.js", "a", "one"),
        reused("/app.js", "b", "one"),
        reused("/app.js", "c", "two"),
        endpoint("/app.js", "d"),
    ];
    let mut app = App::new(&[("/app.js", source)], endpoints, shown());
    assert_eq!(app.call("a").json(), json!([1, 1]));
    assert_eq!(app.call("b").json(), json!([2, 2]));
    assert_eq!(app.call("c").json(), json!([1, 1]));
    assert_eq!(app.call("d").json(), json!([1, 1]));
    assert_eq!(app.call("a").json(), json!([3, 3]));
    assert_eq!(app.call("d").json(), json!([1, 1]));
    assert_eq!(app.call("c").json(), json!([2, 2]));
}

#[test]
fn reused_interpreters_are_bounded_and_the_oldest_goes() {
    let source = "let n = 0; export function a() { return { body: ++n }; }
        export { a as b, a as c };";
    let endpoints =
        ["a", "b", "c"].iter().map(|name| reused("/app.js", name, name)).collect::<Vec<_>>();
    let options = RuntimeOptions { max_cached_interpreters: 2, ..shown() };
    let mut app = App::new(&[("/app.js", source)], endpoints.clone(), options);
    let mut calls = |names: &str| -> Vec<serde_json::Value> {
        names.chars().map(|name| app.call(&name.to_string()).json()).collect()
    };
    assert_eq!(calls("aabb"), [json!(1), json!(2), json!(1), json!(2)]);
    assert_eq!(calls("ac"), [json!(3), json!(1)]);
    // b made room for c.
    assert_eq!(calls("ab"), [json!(4), json!(1)]);

    let none = RuntimeOptions { max_cached_interpreters: 0, ..shown() };
    let mut app = App::new(&[("/app.js", source)], endpoints, none);
    assert_eq!(app.call("a").json(), json!(1));
    assert_eq!(app.call("a").json(), json!(1));
}

#[test]
fn a_reused_interpreter_that_hoards_is_replaced() {
    let source = "const kept = []; export function run() {
        kept.push(new ArrayBuffer(1 << 20)); return { body: kept.length }; }";
    let options = RuntimeOptions { max_heap_bytes: 4 << 20, ..shown() };
    let mut app = App::new(&[("/app.js", source)], vec![reused("/app.js", "run", "k")], options);
    let counts: Vec<u64> = (0..20).map(|_| app.call("run").json().as_u64().unwrap()).collect();
    assert!(counts.iter().all(|count| *count <= 6), "{counts:?}");
    assert!(counts.iter().filter(|count| **count == 1).count() >= 3, "{counts:?}");
}

#[test]
fn many_map_names_do_not_pile_up() {
    let source = "let n = 0; export function run(request) {
        for (let i = 0; i < 1000; i++) ccf.kv['m' + (n++)].has(ccf.strToBuf('k'));
        return { body: n }; }
        export { run as kept };";
    let endpoints = vec![endpoint("/app.js", "run"), reused("/app.js", "kept", "k")];
    let mut app = App::new(&[("/app.js", source)], endpoints, shown());
    for _ in 0..10 {
        assert_eq!(app.call("run").json(), json!(1000));
    }
    let counts: Vec<u64> = (0..10).map(|_| app.call("kept").json().as_u64().unwrap()).collect();
    assert_eq!(counts, [1000, 2000, 3000, 4000, 5000, 1000, 2000, 3000, 4000, 5000]);
}

#[test]
fn jobs_left_by_one_request_never_run_in_the_next() {
    let source = "let late = 0;
        export function leave() {
            let release;
            globalThis.hold = new Promise(resolve => { release = resolve; });
            hold.then(() => late++);
            Promise.resolve().then(() => late++);
            return { body: late };
        }
        export function look() { return { body: late }; }";
    let endpoints = vec![reused("/app.js", "leave", "k"), reused("/app.js", "look", "k")];
    let mut app = App::new(&[("/app.js", source)], endpoints, shown());
    assert_eq!(app.call("leave").json(), json!(0));
    // The reaction ran at the end of its own request.
    assert_eq!(app.call("look").json(), json!(1));
    assert_eq!(app.call("look").json(), json!(1));
}
