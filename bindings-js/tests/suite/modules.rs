//! Reference B.1 and A.2: which module an import means, and what is said when there is none.

use affiant::hosting::Frontend as _;
use serde_json::json;

use crate::support::*;

#[test]
fn imports_resolve_and_modules_are_evaluated_once() {
    let modules = [
        (
            "/src/api/log.js",
            "import { n } from '../lib/n.js'; import * as m from './sub/m.js';
            import bare from 'bare.js'; import slash from '/bare.js';
            export function run() { return { body: [n, m.n, m.evaluated, bare, slash] }; }",
        ),
        (
            "/src/lib/n.js",
            "globalThis.evaluated = (globalThis.evaluated ?? 0) + 1; export const n = 5;",
        ),
        (
            "/src/api/sub/m.js",
            "export { n } from '../../lib/n.js';
            export const evaluated = globalThis.evaluated;",
        ),
        ("bare.js", "export default 'bare';"),
    ];
    let mut app = App::new(&modules, vec![endpoint("src/api/log.js", "run")], shown());
    assert_eq!(app.frontend.warnings(), &[] as &[String]);
    assert_eq!(app.call("run").json(), json!([5, 5, 1, "bare", "bare"]));
}

/// Interpreters load what was compiled when the app was: no module's source is left to them.
#[test]
fn a_thousand_modules_are_compiled_once() {
    let names: Vec<_> = (0..1000).map(|n| format!("/lib/m{n}.js")).collect();
    let sources: Vec<_> = (0..1000)
        .map(|n| format!("export function f{n}() {{ return 'source of {n}'; }}"))
        .collect();
    let imports: String =
        (0..1000).map(|n| format!("import {{ f{n} }} from './lib/m{n}.js';\n")).collect();
    let run = "export function run() {
        const control = String(new Function('return 1')).includes('return 1');
        return { body: [f0(), f999(), String(f999).includes('source of'), control] };
    }";
    let main = imports + run;
    let mut modules = vec![("/app.js", main.as_str())];
    modules.extend(names.iter().zip(&sources).map(|(n, s)| (n.as_str(), s.as_str())));
    let mut reused = endpoint("/app.js", "run");
    reused.options.interpreter_reuse_key = Some("k".to_owned());
    for endpoint in [endpoint("/app.js", "run"), reused] {
        let mut app = App::new(&modules, vec![endpoint], shown());
        assert_eq!(app.frontend.warnings(), &[] as &[String]);
        for _ in 0..2 {
            let body = app.call("run").json();
            assert_eq!((&body[0], &body[1]), (&json!("source of 0"), &json!("source of 999")));
            assert_eq!(body[2], false, "a source was compiled: {body}");
            assert_eq!(body[3], true, "what an interpreter compiles keeps its source: {body}");
        }
        // Another thread's interpreter.
        app.worker = app.frontend.worker().unwrap();
        assert_eq!(app.call("run").json()[2], false);
    }
}

#[test]
fn cycles_and_dynamic_imports_work() {
    let modules = [
        (
            "/a.js",
            "import { b } from './b.js'; export const a = () => 'a' + b();
            export async function run() {
                const lazy = await import('./lazy.js');
                return { body: a() + lazy.default };
            }",
        ),
        ("/b.js", "import { a } from './a.js'; export const b = () => typeof a;"),
        ("/lazy.js", "export default '!';"),
    ];
    let mut app = App::new(&modules, vec![endpoint("/a.js", "run")], shown());
    assert_eq!(app.call("run").text(), "afunction!");
    assert_eq!(app.call("run").text(), "afunction!");
}

#[test]
fn what_is_missing_is_named_at_load_and_at_call() {
    let modules = [
        ("/importer.js", "import { x } from './nowhere'; export function one() { return {}; }"),
        ("/indirect.js", "import './importer.js'; export function two() { return {}; }"),
        ("/present.js", "export const notFunction = 5; export function present() { return {}; }"),
        ("/syntax.js", "export function four( { return {}; }"),
        ("/unused.d.ts", "declare module what is this"),
    ];
    let endpoints = vec![
        endpoint("/importer.js", "one"),
        endpoint("/indirect.js", "two"),
        endpoint("/present.js", "three"),
        endpoint("/syntax.js", "four"),
        endpoint("/absent.js", "five"),
        endpoint("/present.js", "notFunction"),
        endpoint("/present.js", "present"),
    ];
    let mut app = App::new(&modules, endpoints, shown());
    let warnings = app.frontend.warnings().join("\n");
    for piece in [
        "/nowhere",
        "'/importer.js' imports it",
        "no 'three'",
        "/syntax.js:1: SyntaxError",
        "no module '/absent.js'",
        "/unused.d.ts:1: ",
    ] {
        assert!(warnings.contains(piece), "{piece} is not in:\n{warnings}");
    }
    assert!(!warnings.contains("'present'"), "{warnings}");
    let message = app.call("one").exception();
    assert!(message.contains("Module '/importer.js' could not be loaded"), "{message}");
    assert!(
        message.contains("/nowhere") && message.contains("'/importer.js' imports it"),
        "{message}"
    );
    let message = app.call("two").exception();
    assert!(message.contains("/nowhere"), "{message}");
    let message = app.call("three").exception();
    assert_eq!(message, "Error: Failed to find export 'three' in module '/present.js'");
    assert!(app.call("four").exception().contains("SyntaxError"));
    assert!(app.call("five").exception().contains("Module '/absent.js' could not be loaded"));
    let message = app.call("notFunction").exception();
    assert_eq!(message, "Error: Export 'notFunction' of module '/present.js' is not a function");
    app.call("present").response();
    assert_eq!(app.call("one").error().message, "Exception thrown while executing.");
}

#[test]
fn a_module_that_throws_fails_every_call_and_nothing_else() {
    let modules = [
        ("/bad.js", "throw new RangeError('at top'); export function bad() { return {}; }"),
        ("/good.js", "export function good() { return {}; }"),
    ];
    let endpoints = vec![endpoint("/bad.js", "bad"), endpoint("/good.js", "good")];
    let mut app = App::new(&modules, endpoints, shown());
    for _ in 0..3 {
        assert_eq!(app.call("bad").exception(), "RangeError: at top");
        app.call("good").response();
    }
}

#[test]
fn top_level_await_settles_or_is_an_error() {
    let modules = [
        (
            "/ok.js",
            "const v = await Promise.resolve(4); export function ok() { return { body: v }; }",
        ),
        ("/never.js", "await new Promise(() => {}); export function never() { return {}; }"),
    ];
    let endpoints = vec![endpoint("/ok.js", "ok"), endpoint("/never.js", "never")];
    let mut app = App::new(&modules, endpoints, shown());
    assert_eq!(app.call("ok").json(), json!(4));
    assert_eq!(app.call("ok").json(), json!(4));
    assert!(app.call("never").exception().contains("never happens"));
}

/// The module carries the map of a bundler: all of its first line is from line 7 of `src/app.ts`.
#[test]
fn traces_name_the_source_that_a_bundler_read() {
    let map = json!({"version": 3, "sources": ["../../src/app.ts"], "mappings": "AAMA"});
    let map = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, map.to_string());
    let source = format!(
        "export function run() {{ inner(); }} function inner() {{ throw new Error('x'); }}\n\
         export function other() {{ throw new Error('y'); }}\n\
         //# sourceMappingURL=data:application/json;base64,{map}\n"
    );
    let modules = [("/app.js", source.as_str())];
    let endpoints = vec![endpoint("/app.js", "run"), endpoint("/app.js", "other")];
    let mut app = App::new(&modules, endpoints, shown());
    let run = app.call("run");
    let trace = run.error().details[0]["trace"].as_str().unwrap();
    assert_eq!(trace, "    at inner (src/app.ts:7)\n    at run (src/app.ts:7)\n");
    let other = app.call("other");
    let trace = other.error().details[0]["trace"].as_str().unwrap();
    assert_eq!(trace, "    at other (/app.js:2)\n");
}

#[test]
fn warnings_do_not_run_the_app() {
    let modules = [("/app.js", "console.log('ran'); export function run() { return {}; }")];
    let mut app = App::new(&modules, vec![endpoint("/app.js", "run")], shown());
    assert!(app.logged().is_empty());
    app.call("run").response();
    assert_eq!(app.logged().len(), 1);
}
