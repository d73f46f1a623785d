//! Servers that mean harm, or are none: bounded in time and bytes, and told plainly.

use std::io::Write as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use affiant::relying::{Options, RelyingError, verify_service};
use serde_json::json;

use crate::http_support::{listener, start};
use crate::nodes::{failed, fresh, lax};
use crate::stand_in::{Service, answer, serve, stranger, target, virtual_evidence};

fn hasty() -> Options {
    Options { timeout: Duration::from_millis(700), ..fresh() }
}

#[track_caller]
fn refused(address: impl std::fmt::Display, needle: &str) -> RelyingError {
    let began = Instant::now();
    let error = verify_service(&format!("https://{address}"), &lax(), &hasty()).unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(error.to_string().contains(needle), "{needle}: {error}");
    error
}

#[test]
fn whoever_does_not_answer_costs_the_timeout_and_no_more() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = refused(nobody, "cannot connect");
    assert!(matches!(error, RelyingError::Unreachable { .. }), "{error:?}");
    // Accepts, and says nothing: no handshake.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    refused(silent.local_addr().unwrap(), "no whole answer within 700 ms");
    // A handshake, then nothing.
    let dumb = serve(&stranger("dumb"), |stream| {
        let _ = target(stream);
        std::thread::sleep(Duration::from_secs(3));
    });
    refused(dumb, "no whole answer within");
    // A byte now and then.
    let slow = serve(&stranger("slow"), |stream| {
        let _ = target(stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n");
        while stream.write_all(b" ").and_then(|()| stream.flush()).is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    refused(slow, "no whole answer within");
}

#[test]
fn an_answer_without_an_end_is_cut_at_its_bound() {
    let endless = serve(&stranger("endless"), |stream| {
        let _ = target(stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        while stream.write_all(chunk.as_bytes()).is_ok() {}
    });
    let options = Options { timeout: Duration::from_secs(20), ..fresh() };
    let error = verify_service(&format!("https://{endless}"), &lax(), &options).unwrap_err();
    assert!(matches!(error, RelyingError::Unreadable { .. }), "{error:?}");
    assert!(error.to_string().contains("at most 4194304 bytes"), "{error}");
    // Heads have a bound too.
    let heady = serve(&stranger("heady"), |stream| {
        let _ = target(stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream.write_all(b"x-more: more\r\n").is_ok() {}
    });
    let error = verify_service(&format!("https://{heady}"), &lax(), &options).unwrap_err();
    assert!(matches!(error, RelyingError::Unreachable { .. }), "{error:?}");
}

#[test]
fn answers_that_are_none_are_named() {
    let service = Service::new("service");
    let node = service.node();
    let network = service.network();
    refused(answer(&node, |_| None), "404 Not Found. It must be the address of a node");
    refused(answer(&node, |_| Some(json!([1, 2]))), "/node/attestations/self cannot be read");
    let whole = virtual_evidence(b"whatever");
    let mut half = whole.clone();
    half["raw"] = "!".into();
    let network_too = network.clone();
    let broken = answer(&node, move |path| match path {
        "/node/network" => Some(network_too.clone()),
        _ => Some(half.clone()),
    });
    refused(broken, "/node/attestations/self cannot be read");
    let alone = whole.clone();
    let homeless = answer(&node, move |path| match path {
        "/node/network" => Some(json!({"service_status": "Opening"})),
        _ => Some(alone.clone()),
    });
    refused(homeless, "names no service certificate");
    // All of it can be read, and nothing fits.
    let stray = answer(&node, move |path| match path {
        "/node/network" => Some(network.clone()),
        _ => Some(whole.clone()),
    });
    let verdict = verify_service(&format!("https://{stray}"), &lax(), &fresh()).unwrap();
    let names = failed(&verdict);
    assert!(names.contains(&"tls key") && names.contains(&"statement"), "{names:?}");
}

#[test]
fn addresses_that_are_none_are_the_callers_fault() {
    for wrong in ["", "http://127.0.0.1:1", "127.0.0.1:1", "https://", "https://user@127.0.0.1:1"] {
        let error = verify_service(wrong, &lax(), &hasty()).unwrap_err();
        assert!(matches!(error, RelyingError::Usage { .. }), "{wrong}: {error}");
    }
    // Plain HTTP behind an https address is a failed handshake.
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = plain.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in plain.incoming().flatten() {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    refused(address, "TLS");
}

#[test]
fn a_node_that_is_busy_is_asked_again_when_it_says() {
    let service = Service::new("service");
    let node = service.node();
    let (key, network) = (node.public_key(), service.network().to_string());
    let refusals = Arc::new(AtomicUsize::new(0));
    let counted = refusals.clone();
    let busy = serve(&node, move |stream| {
        while let Some(target) = target(stream) {
            let body = match target.as_str() {
                "/node/network" => network.clone(),
                _ if counted.fetch_add(1, Ordering::SeqCst) == 0 => String::new(),
                _ => virtual_evidence(&key).to_string(),
            };
            let head = if body.is_empty() {
                "503 Service Unavailable\r\nretry-after: 1"
            } else {
                "200 OK"
            };
            let length = body.len();
            let answer = format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\n\r\n{body}");
            if stream.write_all(answer.as_bytes()).and_then(|()| stream.flush()).is_err() {
                return;
            }
        }
    });
    let url = format!("https://{busy}");
    let verdict = verify_service(&url, &lax(), &Options::default()).unwrap();
    assert!(verdict.is_trusted(), "{verdict}");
    assert_eq!(refusals.load(Ordering::SeqCst), 2);
    // But for no longer than the caller has time.
    refusals.store(0, Ordering::SeqCst);
    refused(busy, "503 Service Unavailable");
}

#[test]
fn an_interface_that_speaks_http_2_alone_is_told_as_such() {
    let mut listener = listener();
    listener.protocols = affiant::Protocols::Http2;
    let runtime = start(listener);
    let error = refused(runtime.addresses()[0], "HTTP/1.1");
    assert!(matches!(error, RelyingError::Unreachable { .. }), "{error:?}");
}
