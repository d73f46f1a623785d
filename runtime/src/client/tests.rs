//! The client against servers on loopback that answer as written, late, or never.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::*;

const BOUNDS: Bounds = Bounds { answer_ms: 5_000, body_bytes: 64, header_bytes: 8 << 10 };
const LOCAL: Access = Access { tls: None, plain: Plain::Local };

/// Serves connections with `serve`, one after the other, `count` of them.
fn server(
    count: usize,
    serve: impl Fn(TcpStream) + Send + 'static,
) -> (SocketAddr, JoinHandle<()>) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        for _ in 0..count {
            serve(socket.accept().unwrap().0);
        }
    });
    (address, thread)
}

/// Reads one request, head and body; empty at the end of the stream.
fn request(stream: &mut impl std::io::Read) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).unwrap_or(0) == 0 {
            return String::new();
        }
        text.push(byte[0]);
    }
    let head = String::from_utf8(text.clone()).unwrap().to_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    text.extend(body);
    String::from_utf8(text).unwrap()
}

/// Answers every connection's first request with these bytes.
fn canned(bytes: impl Into<Vec<u8>>) -> (String, JoinHandle<()>) {
    let bytes = bytes.into();
    let (address, thread) = server(1, move |mut stream| {
        request(&mut stream);
        stream.write_all(&bytes).unwrap();
    });
    (format!("http://{address}/a?secret=hush"), thread)
}

fn answer(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn one_connection_takes_several_requests() {
    let (address, thread) = server(1, |mut stream| {
        let first = request(&mut stream);
        assert!(first.starts_with("GET /one?x=1 HTTP/1.1\r\n"), "{first}");
        assert!(first.contains("metadata: true\r\n"), "{first}");
        stream.write_all(answer("first").as_bytes()).unwrap();
        let second = request(&mut stream);
        assert!(second.starts_with("POST /two HTTP/1.1\r\n"), "{second}");
        assert!(second.contains("content-type: application/json\r\n"), "{second}");
        assert!(second.ends_with("{\"a\":1}"), "{second}");
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno").unwrap();
    });
    let url = format!("http://{address}");
    let mut connection = BlockingConnection::open(&url, &LOCAL, BOUNDS).unwrap();
    assert!(connection.peer_certificate().is_none());
    let ask = Ask { headers: &[("metadata", "true")], ..Ask::get() };
    assert_eq!(connection.send("/one?x=1", ask).unwrap().body, "first");
    let refused = connection.send("/two", Ask::post_json("{\"a\":1}")).unwrap();
    assert_eq!((refused.status.as_u16(), &refused.body[..]), (403, &b"no"[..]));
    thread.join().unwrap();
    assert!(connection.send("/three", Ask::get()).is_err());
    let again = connection.send("/three?secret=hush", Ask::get()).unwrap_err();
    assert_eq!(again.to_string(), format!("{url}/three: the connection has ended"));
}

#[test]
fn bodies_are_bounded() {
    let (url, thread) = canned(answer(&"x".repeat(64)));
    assert_eq!(blocking(&url, &LOCAL, BOUNDS, Ask::get()).unwrap().body.len(), 64);
    thread.join().unwrap();
    let (url, thread) = canned(answer(&"x".repeat(65)));
    let error = blocking(&url, &LOCAL, BOUNDS, Ask::get()).unwrap_err();
    assert_eq!(error.failure, Failure::TooLarge);
    let place = url.split('?').next().unwrap();
    assert_eq!(
        error.to_string(),
        format!("{place}: body (at most 64 bytes): length limit exceeded")
    );
    thread.join().unwrap();
    // A body of unknown length, and a refusal's.
    let (url, thread) = canned(format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(65)));
    let error = blocking(&url, &LOCAL, BOUNDS, Ask::get()).unwrap_err();
    assert_eq!(error.failure, Failure::TooLarge);
    thread.join().unwrap();
    let (url, thread) = canned(format!("HTTP/1.1 500 No\r\n\r\n{}", "x".repeat(65)));
    let refused = blocking(&url, &LOCAL, BOUNDS, Ask::get()).unwrap();
    assert_eq!((refused.status.as_u16(), refused.body.len()), (500, 0));
    thread.join().unwrap();
}

#[test]
fn heads_are_bounded() {
    let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(64 << 10));
    let (address, thread) = server(1, move |mut stream| {
        request(&mut stream);
        // The client may hang up before the end.
        drop(stream.write_all(endless.as_bytes()));
    });
    let url = format!("http://{address}/");
    let error = blocking(&url, &LOCAL, BOUNDS, Ask::get()).unwrap_err();
    assert_eq!(error.failure, Failure::Http, "{error}");
    thread.join().unwrap();
}

#[test]
fn redirects_are_answers() {
    let (url, thread) =
        canned("HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(blocking(&url, &LOCAL, BOUNDS, Ask::get()).unwrap().status.as_u16(), 302);
    thread.join().unwrap();
}

#[test]
fn broken_answers_are_errors() {
    for bytes in ["", "\0\0\0\0", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort"] {
        let (url, thread) = canned(bytes);
        let error = blocking(&url, &LOCAL, BOUNDS, Ask::get()).unwrap_err();
        assert_eq!(error.failure, Failure::Http, "{bytes:?}: {error}");
        assert!(!error.to_string().contains("hush"), "{error}");
        thread.join().unwrap();
    }
}

#[test]
fn waiting_ends_at_the_deadline() {
    let bounds = Bounds { answer_ms: 200, ..BOUNDS };
    // One that never answers, and one that drips.
    let (silent, first) = server(1, |mut stream| {
        request(&mut stream);
        request(&mut stream);
    });
    let (dripping, second) = server(1, |mut stream| {
        request(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 64\r\n\r\n").unwrap();
        while stream.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    for address in [silent, dripping] {
        let begun = Instant::now();
        let url = format!("http://{address}/");
        let error = blocking(&url, &LOCAL, bounds, Ask::get()).unwrap_err();
        assert_eq!(error.to_string(), format!("{url}: no whole answer within 200 ms"));
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    }
    first.join().unwrap();
    second.join().unwrap();
}

#[test]
fn nobody_there_is_an_error_that_says_so() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = blocking(&format!("http://{address}/"), &LOCAL, BOUNDS, Ask::get()).unwrap_err();
    assert_eq!(error.failure, Failure::Connect);
    assert!(error.to_string().contains("cannot connect"), "{error}");
}

#[test]
fn a_thread_that_executes_futures_may_block_too() {
    let (url, thread) = canned(answer("inside"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let got = runtime.block_on(async { blocking(&url, &LOCAL, BOUNDS, Ask::get()) });
    assert_eq!(got.unwrap().body, "inside");
    thread.join().unwrap();
}

#[test]
fn tls_shows_the_certificate_that_was_seen() {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let parameters = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let served = certificate.der().clone();
    let config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![served.clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    let (address, thread) = server(2, move |stream| {
        let connection = ServerConnection::new(config.clone()).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        if request(&mut stream).is_empty() {
            return;
        }
        stream.write_all(answer("over TLS").as_bytes()).unwrap();
        stream.flush().unwrap();
    });
    let trusting = |roots: RootCertStore| {
        let config = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Access::tls(Arc::new(config))
    };
    let url = format!("https://{address}/");
    let error = blocking(&url, &trusting(RootCertStore::empty()), BOUNDS, Ask::get()).unwrap_err();
    assert_eq!(error.failure, Failure::Tls, "{error}");
    let mut roots = RootCertStore::empty();
    roots.add(served.clone()).unwrap();
    let mut connection = BlockingConnection::open(&url, &trusting(roots), BOUNDS).unwrap();
    assert_eq!(connection.peer_certificate(), Some(&served));
    assert_eq!(connection.send("/", Ask::get()).unwrap().body, "over TLS");
    thread.join().unwrap();
}
