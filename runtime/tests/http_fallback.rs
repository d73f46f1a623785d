//! An application's fallback, which serves whatever no endpoint has, and answers without a body.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod http_support;

use std::sync::Arc;

use affiant::{EndpointOptions, Peer, Respond, Response, Runtime};
use http_support::{Client, client_config, listener, records, settings, with_endpoints};
use rustls::pki_types::ServerName;
use serde_json::json;

fn early() -> EndpointOptions {
    EndpointOptions::native().respond(Respond::AtOnce)
}

/// Tells what it was asked for, and writes if that was a POST.
fn start() -> Runtime {
    with_endpoints(Runtime::builder().node(settings(&[])))
        .endpoint("*", "/*", early(), |request, tx| {
            if request.method() == "POST" {
                tx.put(&records(), b"fallback", request.path().as_bytes())?;
            }
            let told = json!({
                "method": request.method(), "path": request.path(), "route": request.route(),
                "query": request.raw_query(), "params": request.params().count(),
            });
            Ok(Response::json(200, &told).with_header("x-mine", "yes"))
        })
        .listen(listener())
        .start()
        .unwrap()
}

#[test]
fn the_fallback_serves_what_no_endpoint_has() {
    let runtime = start();
    let mut client = Client::new(&runtime);
    let told = |method: &str, path: &str, query: Option<&str>| json!({"method": method, "path": path, "route": "/app/*", "query": query, "params": 0});
    assert_eq!(
        client.get("/app/items/7%2F8?q=1").json(),
        told("GET", "/app/items/7%2F8", Some("q=1"))
    );
    assert_eq!(client.get("/").json(), told("GET", "/", None));
    assert_eq!(client.get("/app/").json(), told("GET", "/app/", None));
    for method in ["PROPFIND", "OPTIONS", "PATCH", "TRACE", "X-UNHEARD-OF"] {
        let answer = client.request(method, "/app/a/b", &[], b"");
        assert_eq!((answer.status, answer.json()), (200, told(method, "/app/a/b", None)));
    }
    assert!(client.post("/app/kept", b"x").txid().is_some());
    assert_eq!(client.get("/app/records/fallback").text(), "/app/kept");
    // What is declared or built in keeps its methods, and other front ends of the host theirs.
    assert_eq!(client.get("/app/plain").text(), "hello");
    assert!(client.get("/app/commit").json()["transaction_id"].is_string());
    for (method, path, status) in [
        ("POST", "/app/plain", 405),
        ("OPTIONS", "/app/plain", 204),
        ("POST", "/app/commit", 405),
        ("GET", "/node/nope", 404),
        ("GET", "/gov/nope", 404),
        ("OPTIONS", "*", 404),
    ] {
        assert_eq!(client.request(method, path, &[], b"").status, status, "{method} {path}");
    }
    let paths = client.get("/app/api").json()["paths"].clone();
    assert!(paths.get("/app/plain").is_some() && paths.get("/app/*").is_none(), "{paths}");
    let metrics = client.get("/metrics").text().to_owned();
    assert!(metrics.contains("\"* /app/*\""), "{metrics}");
    let refused = client.request("CONNECT", "/app/tunnel", &[], b"");
    assert_eq!(refused.status, 404);
    runtime.stop().unwrap();
}

#[test]
fn one_method_and_path_make_the_fallback() {
    for (method, path) in [("*", "/x"), ("GET", "/*")] {
        let failed = Runtime::builder()
            .node(settings(&[]))
            .endpoint(method, path, early(), |_, _| Ok(Response::empty(200)))
            .start()
            .err()
            .unwrap();
        let start = format!("native application: {method} {path}: the ");
        assert!(failed.to_string().contains(&start), "{failed}");
    }
}

/// Handlers whose answers to HEAD differ in what they say of the length.
fn lengths() -> Runtime {
    with_endpoints(Runtime::builder().node(settings(&[])))
        .endpoint("GET", "/brought", early(), |_, _| Ok(Response::text(200, "hello")))
        .endpoint("HEAD", "/told", early(), |_, _| {
            Ok(Response::empty(200).with_header("content-length", "1234").with_header("etag", "e"))
        })
        .endpoint("HEAD", "/nonsense", early(), |_, _| {
            Ok(Response::text(200, "abc").with_header("content-length", "many"))
        })
        .endpoint("HEAD", "/none", early(), |_, _| Ok(Response::empty(200)))
        .endpoint("GET", "/unchanged", early(), |_, _| Ok(Response::text(304, "surplus")))
        .endpoint("GET", "/gone", early(), |_, _| Ok(Response::text(204, "surplus")))
        .endpoint("POST", "/committed", EndpointOptions::native(), |_, tx| {
            tx.put(&records(), b"x", b"x")?;
            Ok(Response::text(200, "hello").with_header("content-length", "99"))
        })
        .listen(listener())
        .start()
        .unwrap()
}

/// Method, path, status, and length if any.
const HEADS: [(&str, &str, u16, Option<&str>); 7] = [
    ("HEAD", "/app/brought", 200, Some("5")),
    ("HEAD", "/app/told", 200, Some("1234")),
    ("HEAD", "/app/nonsense", 200, Some("3")),
    ("HEAD", "/app/unchanged", 304, None),
    ("HEAD", "/app/gone", 204, None),
    ("GET", "/app/unchanged", 304, None),
    ("GET", "/app/gone", 204, None),
];

#[test]
fn answers_without_a_body_over_http1() {
    let runtime = lengths();
    let mut client = Client::new(&runtime);
    for (method, path, status, length) in HEADS {
        let answer = client.request(method, path, &[], b"");
        let found = (answer.status, answer.header("content-length"));
        assert_eq!(found, (status, length), "{method} {path}: {}", answer.head);
        // Whatever came behind the head would be read as the next answer.
        assert_eq!(client.get("/app/plain").text(), "hello", "after {method} {path}");
    }
    assert_eq!(client.request("HEAD", "/app/told", &[], b"").header("etag"), Some("e"));
    assert_eq!(client.request("HEAD", "/app/none", &[], b"").status, 200);
    assert_eq!(client.get("/app/plain").text(), "hello");
    // The length of an answer that is wrapped is the wrapped one's.
    let wanted = [("x-affiant-respond", "receipt")];
    assert_eq!(client.request("POST", "/app/committed", &wanted, b"x").json()["body"], "hello");
    assert_eq!(client.post("/app/committed", b"x").text(), "hello");
    // In process, likewise.
    let here = |path: &str| runtime.call("HEAD", path, "", Peer::Anonymous).unwrap();
    let answer = here("/app/brought");
    assert_eq!((answer.body.len(), answer.header("content-length")), (0, Some("5")));
    assert_eq!(here("/app/told").header("content-length"), Some("1234"));
    runtime.stop().unwrap();
}

#[test]
fn answers_without_a_body_over_http2() {
    let runtime = lengths();
    let client = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    client.block_on(async {
        let address = runtime.addresses()[0];
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let config = client_config(&runtime, None, &[b"h2"]);
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let stream = connector.connect(name, stream).await.unwrap();
        let (mut send, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(async move { connection.await.ok() });
        for (method, path, status, length) in HEADS {
            let uri = format!("https://localhost{path}");
            let request = http::Request::builder().method(method).uri(uri).body(()).unwrap();
            let (response, _) = send.send_request(request, true).unwrap();
            let response = response.await.unwrap();
            let told =
                response.headers().get("content-length").map(|value| value.to_str().unwrap());
            assert_eq!((response.status().as_u16(), told), (status, length), "{method} {path}");
            assert!(response.body().is_end_stream(), "{method} {path} has a body");
        }
    });
    drop(client);
    runtime.stop().unwrap();
}
