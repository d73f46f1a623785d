//! Reference B.4, C.2, and the request forms that are ours.

use affiant::auth::CertCaller;
use affiant::{Caller, Request};
use serde_json::json;

use crate::support::*;

fn full_request() -> Request {
    let mut request = Request::new("POST", "/app/log/a%2Fb?a=b+c&d=%C3%A9").unwrap();
    for (name, value) in [("host", "example.com"), ("x-twice", "first"), ("X-Twice", "second")] {
        request = request.with_header(name, value).unwrap();
    }
    request
        .with_route("/app/log/{id}", &[("id", "a%2Fb")])
        .with_body("{\"n\": 1}")
        .with_caller(Some(Caller::NoAuth))
}

#[test]
fn stringify_shows_ccfs_fields_in_ccfs_order() {
    let mut app = App::of(
        "export function echo(request) { return { body: JSON.stringify(request) }; }",
        &["echo"],
    );
    let expected = concat!(
        r#"{"headers":{"host":"example.com","x-twice":"first"},"query":"a=b c&d=é","#,
        r#""path":"/app/log/a%2Fb","method":"POST","hostname":"example.com","#,
        r#""route":"/app/log/{id}","url":"/app/log/a%2Fb?a=b c&d=é","#,
        r#""params":{"id":"a%2Fb"},"body":{},"caller":{"policy":"no_auth"}}"#
    );
    assert_eq!(app.call_with("echo", &full_request()).text(), expected);
    let bare = Request::new("GET", "/app/x").unwrap();
    let echoed = app.call_with("echo", &bare).json();
    assert_eq!(echoed["hostname"], json!(null));
    assert_eq!(echoed["caller"], json!(null));
    assert_eq!(echoed["url"], "/app/x");
    assert_eq!(echoed["query"], "");
}

#[test]
fn fields_are_own_enumerable_data_properties() {
    let mut app = App::of(
        "export function run(request) {
            const all = o => Object.entries(Object.getOwnPropertyDescriptors(o))
                .every(([, d]) => d.enumerable && d.writable && d.configurable && 'value' in d);
            return { body: [all(request), all(request.body), Object.keys(request),
                Object.keys(request.body)] };
        }",
        &["run"],
    );
    let keys = [
        "headers", "query", "path", "method", "hostname", "route", "url", "params", "body",
        "caller",
    ];
    assert_eq!(
        app.call_with("run", &full_request()).json(),
        json!([true, true, keys, ["text", "json", "arrayBuffer"]])
    );
}

#[test]
fn the_body_comes_as_text_json_and_buffer() {
    let mut app = App::of(
        "export function run(request) {
            const { text } = request.body;
            return { body: [text(), request.body.json().n, request.body.arrayBuffer().byteLength,
                request.body.arrayBuffer() !== request.body.arrayBuffer()] };
        }
        export function bad(request) { request.body.json(); return {}; }
        export function arity(request) { request.body.text(1); return {}; }",
        &["run", "bad", "arity"],
    );
    let done = app.call_with("run", &full_request());
    assert_eq!(done.json(), json!(["{\"n\": 1}", 1, 8, true]));
    let bad = app.call_with("bad", &request(b"{"));
    assert!(bad.exception().starts_with("SyntaxError: "), "{}", bad.exception());
    let arity = app.call_with("arity", &request(b"{"));
    assert_eq!(arity.exception(), "TypeError: Passed 1 arguments, but expected 0");
}

#[test]
fn data_and_string_coercion_of_the_body() {
    let mut app = App::of(
        "export function run(request) {
            const d = request.data;
            return { body: [typeof d, d instanceof ArrayBuffer ? d.byteLength : d,
                request.data === request.data] };
        }
        export function parse(request) { return { body: JSON.parse(request.body) }; }
        export function concat(request) { return { body: 'got ' + request.body }; }",
        &["run", "parse", "concat"],
    );
    let typed = |body: &[u8], content_type: &str| {
        request(body).with_header("content-type", content_type).unwrap()
    };
    let cases = [
        (request(b"{\"a\":[1]}"), json!(["object", {"a": [1]}, true])),
        (request(b"12"), json!(["number", 12, true])),
        (request(b"not json"), json!(["string", "not json", true])),
        (request(b"\xff\xfe"), json!(["object", 2, true])),
        (request(b""), json!(["undefined", null, true])),
        (typed(b"12", "text/plain"), json!(["string", "12", true])),
        (typed(b"12", "application/octet-stream"), json!(["object", 2, true])),
        (typed(b"12", "application/json"), json!(["number", 12, true])),
    ];
    for (request, expected) in cases {
        assert_eq!(app.call_with("run", &request).json(), expected, "{request:?}");
    }
    assert_eq!(app.call_with("parse", &request(b"{\"a\":1}")).json(), json!({"a": 1}));
    assert_eq!(app.call_with("concat", &request(b"it")).text(), "got it");
}

#[test]
fn callers_look_as_in_ccf() {
    let mut app =
        App::of("export function run(request) { return { body: request.caller }; }", &["run"]);
    let known = |data| CertCaller { id: "ab12".into(), data, cert: "PEM".into() };
    let user = json!({"policy": "user_cert", "id": "ab12", "data": {"role": ["x"]}, "cert": "PEM"});
    let cases = [
        (Caller::NoAuth, json!({"policy": "no_auth"})),
        (Caller::UserCert(known(json!({"role": ["x"]}))), user.clone()),
        (
            Caller::MemberCert(known(json!(null))),
            json!({"policy": "member_cert", "id": "ab12", "data": null, "cert": "PEM"}),
        ),
        (Caller::AnyCert { cert: "PEM".into() }, json!({"policy": "any_cert", "cert": "PEM"})),
        (
            Caller::AllOf(vec![
                ("no_auth".to_owned(), Caller::NoAuth),
                ("user_cert".to_owned(), Caller::UserCert(known(json!({"role": ["x"]})))),
            ]),
            json!({"policy": ["no_auth", "user_cert"], "no_auth": {"policy": "no_auth"},
                   "user_cert": user}),
        ),
    ];
    for (caller, expected) in cases {
        let request = Request::new("GET", "/x").unwrap().with_caller(Some(caller));
        assert_eq!(app.call_with("run", &request).json(), expected);
    }
}
