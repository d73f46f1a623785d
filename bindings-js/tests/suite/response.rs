//! Reference B.5, B.6.

use affiant::Response;
use affiant::hosting::{Promises, RuntimeOptions};
use serde_json::json;

use crate::support::*;

fn respond(expression: &str) -> Done {
    let source = format!("export function run(request) {{ return {expression}; }}");
    App::of(&source, &["run"]).call("run")
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[test]
fn bodies_become_bytes_and_a_content_type() {
    let text = Some("text/plain");
    let bytes = Some("application/octet-stream");
    let json = Some("application/json");
    let cases: &[(&str, &[u8], Option<&str>)] = &[
        ("{}", b"", None),
        ("{ body: undefined }", b"", None),
        ("{ statusCode: 200 }", b"", None),
        ("{ body: 'h\\u00e9' }", "h\u{e9}".as_bytes(), text),
        ("{ body: '' }", b"", text),
        ("{ body: 'ab\\0cd' }", b"ab", text),
        ("{ body: ccf.strToBuf('raw') }", b"raw", bytes),
        ("{ body: new ArrayBuffer(0) }", b"", bytes),
        ("{ body: new Uint8Array([1, 2, 3, 4]).subarray(1, 3) }", &[2, 3], bytes),
        ("{ body: new Uint16Array([0x4241]) }", b"AB", bytes),
        ("{ body: null }", b"null", json),
        ("{ body: 1.5 }", b"1.5", json),
        ("{ body: false }", b"false", json),
        ("{ body: [1, 'a'] }", b"[1,\"a\"]", json),
        ("{ body: { a: { b: null } } }", b"{\"a\":{\"b\":null}}", json),
        ("{ body: { toJSON() { return 'x'; } } }", b"\"x\"", json),
        // Ours: an object that is no response is the body.
        ("{ success: true, proof: [1] }", b"{\"success\":true,\"proof\":[1]}", json),
        ("[1, 2]", b"[1,2]", json),
        // As in CCF: nothing to say.
        ("[]", b"", None),
        ("new Date(0)", b"", None),
        ("() => 1", b"", None),
        ("new Promise(() => {})", b"", None),
        ("Object.create({ body: 'inherited' })", b"inherited", text),
    ];
    for (expression, body, content_type) in cases {
        let done = respond(expression);
        let response = done.response();
        assert_eq!(response.body, *body, "{expression}");
        assert_eq!(header(response, "content-type"), *content_type, "{expression}");
        assert_eq!(response.status, 200, "{expression}");
    }
}

#[test]
fn status_codes_and_headers() {
    let done = respond(
        "{ statusCode: 418, body: {}, headers: { 'Content-Type': 'a/b', 'X-N': 7, 'x-b': true } }",
    );
    let response = done.response();
    assert_eq!(response.status, 418);
    assert_eq!(response.headers.len(), 3);
    assert_eq!(header(response, "content-type"), Some("a/b"));
    assert_eq!(header(response, "x-n"), Some("7"));
    assert_eq!(header(response, "x-b"), Some("true"));
    for (status, expected) in [("null", 200), ("undefined", 200), ("400 / 2", 200), ("999", 999)] {
        let done = respond(&format!("{{ statusCode: {status} }}"));
        assert_eq!(done.response().status, expected, "{status}");
    }
    // Not an object: ignored, as in CCF.
    assert!(respond("{ headers: 'x' }").response().headers.is_empty());
}

#[test]
fn async_handlers_are_waited_for() {
    let source = "
        export async function run(request) {
            const value = await new Promise(resolve => resolve(request.body.text()));
            await null;
            return { body: 'late ' + value };
        }
        export async function fails() { await null; throw new TypeError('later'); }
        export function thenable() {
            return { then: 1, body: 'plain' };
        }";
    let mut app = App::of(source, &["run", "fails", "thenable"]);
    assert_eq!(app.call_with("run", &request(b"x")).text(), "late x");
    assert_eq!(app.call("fails").exception(), "TypeError: later");
    assert_eq!(app.call("thenable").text(), "plain");
    // CCF's way, for apps that count on it: no call runs jobs, its own or those of earlier ones.
    let source = "let calls = 0; \
        export async function run() { await null; calls++; return { body: 'late' }; } \
        export function count() { return { body: calls }; }";
    for key in ["", "k"] {
        let ccf = |name| {
            let mut endpoint = endpoint("/app.js", name);
            endpoint.options.promises = Promises::Ignored;
            endpoint.options.interpreter_reuse_key = Some(key.to_owned()).filter(|k| !k.is_empty());
            endpoint
        };
        let endpoints = vec![ccf("run"), ccf("count")];
        let mut app = App::new(&[("/app.js", source)], endpoints, shown());
        assert_eq!(app.call("count").text(), "0");
        let done = app.call("run");
        assert_eq!((done.response().status, done.text().as_str()), (200, ""));
        assert_eq!(app.call("count").text(), "0");
    }
}

#[test]
fn nonsense_is_refused_in_ccfs_words() {
    let cases = [
        ("1", "(not an object)"),
        ("'text'", "(not an object)"),
        ("undefined", "(not an object)"),
        ("null", "(not an object)"),
        ("Symbol()", "(not an object)"),
        ("{ statusCode: '200' }", "(status code type)"),
        ("{ statusCode: 200.5 }", "(status code type)"),
        ("{ statusCode: {} }", "(status code type)"),
        ("{ statusCode: NaN }", "(status code type)"),
        ("{ statusCode: 7 }", "(status code outside 100 to 999)"),
        ("{ statusCode: -200 }", "(status code outside 100 to 999)"),
        ("{ statusCode: 65736 }", "(status code outside 100 to 999)"),
        ("{ body: 10n }", "(error during JSON conversion of body)"),
        ("{ body: { toJSON() { throw 1; } } }", "(error during JSON conversion of body)"),
        (
            "(() => { const o = {}; o.o = o; return { body: o }; })()",
            "(error during JSON conversion of body)",
        ),
        ("{ headers: { a: Symbol() } }", "(header value type)"),
        ("{ headers: { a: { toString() { throw 1; } } } }", "(header value type)"),
        ("{ get body() { throw 1; } }", "(error reading body)"),
        ("{ get headers() { throw 1; } }", "(error reading headers)"),
        ("{ headers: { get a() { throw 1; } } }", "(error reading header value)"),
        ("{ get statusCode() { throw 1; } }", "(error reading status code)"),
        ("{ headers: new Proxy({}, { ownKeys() { throw 1; } }) }", "(error reading header names)"),
        (
            "{ headers: Object.fromEntries(Array.from({ length: 300 }, (_, i) => ['h' + i, 'x'])) }",
            "(more than 256 headers)",
        ),
    ];
    for (expression, what) in cases {
        let done = respond(expression);
        let expected = format!("Invalid endpoint function return value {what}.");
        assert_eq!(done.error().message, expected, "{expression}");
        assert_eq!(done.error().status, 500);
        assert_eq!(done.error().code, "InternalError");
    }
}

#[test]
fn a_body_that_has_no_json_is_the_text_undefined_as_in_ccf() {
    // JSON.stringify gives undefined for these, and CCF turns that into a string.
    assert_eq!(respond("{ body: () => 1 }").text(), "undefined");
    assert_eq!(respond("{ body: Symbol('x') }").text(), "undefined");
}

#[test]
fn exceptions_are_500_with_details_only_where_allowed() {
    let source = "
        function inner() { throw new Error('boom'); }
        export function fail(request) {
            inner();
        }
        export function plain() { throw 'just text'; }
        export function object() { throw { code: 7 }; }
        export function nothing() { throw undefined; }
        export function shadowed() { const e = new Error('x');
            Object.defineProperty(e, 'stack', { value: 5 }); throw e; }
        export function hidden() { const e = new Error('x'); e.toString = () => { throw e; }; throw e; }";
    let names = ["fail", "plain", "object", "nothing", "shadowed", "hidden"];
    let mut app = App::of(source, &names);
    let done = app.call("fail");
    let error = done.error();
    assert_eq!((error.status, error.code.as_str()), (500, "InternalError"));
    assert_eq!(error.message, "Exception thrown while executing.");
    assert_eq!(
        error.details,
        [json!({
            "code": "JSException",
            "message": "Error: boom",
            "trace": "    at inner (/app.js:2)\n    at fail (/app.js:4)\n",
        })]
    );
    assert_eq!(error.log, None);
    assert_eq!(
        app.call("plain").error().details,
        [json!({"code": "JSException", "message": "just text"})]
    );
    assert_eq!(app.call("object").exception(), "{\"code\":7}");
    assert_eq!(app.call("nothing").exception(), "undefined");
    assert_eq!(
        app.call("shadowed").error().details,
        [json!({"code": "JSException", "message": "Error: x"})]
    );
    // The engine falls back to the message.
    assert_eq!(app.call("hidden").exception(), "x");

    let mut quiet = App::with_options(source, &names, RuntimeOptions::default());
    assert!(quiet.call("fail").error().details.is_empty());
    let logging = RuntimeOptions { log_exception_details: true, ..RuntimeOptions::default() };
    let mut logging = App::with_options(source, &names, logging);
    let done = logging.call("fail");
    assert!(done.error().details.is_empty());
    let log = done.error().log.clone().unwrap();
    assert_eq!(log, "Error: boom: at inner (/app.js:2)\n    at fail (/app.js:4)");
}
