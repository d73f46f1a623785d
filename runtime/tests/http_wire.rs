//! The server against clients that misbehave: whatever one of them sends, it gets the documented
//! answer or none, and the next request works.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod http_support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use affiant::node::NodeSettings;
use affiant::{EndpointOptions, Listener, Protocols, Respond, Response, Runtime};
use bytes::Bytes;
use http_support::{
    Client, assert_serves, client_config, listener, settings, start, valid, with_endpoints,
};
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject as _;

fn quick() -> Listener {
    Listener {
        header_read_max: Duration::from_millis(300),
        body_read_max: Duration::from_millis(300),
        handshake_max: Duration::from_millis(300),
        idle_max: Duration::from_millis(900),
        ..listener()
    }
}

#[test]
fn what_is_not_http_is_refused_and_the_session_ends() {
    let runtime = start(listener());
    for garbage in [
        &b"complete nonsense\r\n\r\n"[..],
        b"GET / HTTP/7.3\r\n\r\n",
        b"GET /x HTTP/1.1\r\nbad header\r\n\r\n",
        b"\0\x01\x02\x03\x04\r\n\r\n",
        b"POST /json HTTP/1.1\r\nhost: x\r\ncontent-length: banana\r\n\r\n",
    ] {
        let mut client = Client::new(&runtime);
        client.write(garbage);
        let answer = client.read(false).unwrap();
        assert_eq!(answer.status, 400, "{}", String::from_utf8_lossy(garbage));
        assert_eq!(answer.header("content-type"), Some("text/plain"), "{}", answer.head);
        assert!(!answer.body.is_empty());
        assert!(client.is_ended());
        assert_serves(&runtime);
    }
    let metrics = Client::new(&runtime).get("/node/metrics").json();
    assert_eq!(metrics["sessions"]["interfaces"]["main"]["errors"]["parsing"], 5);
    runtime.stop().unwrap();
}

#[test]
fn chunks_that_are_none_end_the_session() {
    let runtime = start(listener());
    let mut client = Client::new(&runtime);
    client.write(b"POST /app/json HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n");
    assert_eq!(client.read(false).unwrap().status, 400);
    assert!(client.is_ended());
    assert_serves(&runtime);
}

#[test]
fn large_headers_are_refused() {
    let runtime = start(listener());
    let sizes = [17 << 10, 40 << 10, 300 << 10];
    for size in sizes {
        let mut client = Client::new(&runtime);
        let value = "x".repeat(size);
        client.write(format!("GET /app/plain HTTP/1.1\r\nlong: {value}\r\n\r\n").as_bytes());
        let answer = client.read(false).unwrap();
        assert_eq!((answer.status, answer.code().as_str()), (431, "RequestHeaderTooLarge"));
        assert!(client.is_ended());
        assert_serves(&runtime);
    }
    let mut client = Client::new(&runtime);
    let many: String = (0..300).map(|index| format!("h{index}: x\r\n")).collect();
    client.write(format!("GET /app/plain HTTP/1.1\r\n{many}\r\n").as_bytes());
    assert_eq!(client.read(false).unwrap().code(), "RequestHeaderTooLarge");
    let mut client = Client::new(&runtime);
    let long = "x".repeat(20 << 10);
    client.write(format!("GET /app/{long} HTTP/1.1\r\n\r\n").as_bytes());
    assert_eq!(client.read(false).unwrap().code(), "RequestHeaderTooLarge");
    // Below the bounds all is well.
    let mut client = Client::new(&runtime);
    let answer = client.request("GET", "/app/plain", &[("long", &"x".repeat(15 << 10))], b"");
    assert_eq!(answer.status, 200);
    assert_serves(&runtime);
}

#[test]
fn large_bodies_are_refused() {
    let runtime = start(Listener { body_bytes_max: 1 << 20, ..listener() });
    let full = vec![b'x'; 1 << 20];
    assert_eq!(Client::new(&runtime).post("/app/records/full", &full).status, 200);
    assert_eq!(Client::new(&runtime).get("/app/records/full").body.len(), 1 << 20);
    // Declared, and sent to the end although nobody wants it.
    let mut client = Client::new(&runtime);
    let mut bytes =
        b"POST /app/records/1 HTTP/1.1\r\nhost: x\r\ncontent-length: 3000000\r\n\r\n".to_vec();
    bytes.extend_from_slice(&vec![b'x'; 3_000_000]);
    client.write(&bytes);
    let answer = client.read(false).unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (413, "RequestBodyTooLarge"));
    assert!(client.is_ended());
    assert_serves(&runtime);
    // Chunked, so that the size shows late.
    let mut client = Client::new(&runtime);
    client.write(b"POST /app/records/1 HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
    for _ in 0..20 {
        let mut chunk = b"10000\r\n".to_vec();
        chunk.extend_from_slice(&vec![b'x'; 0x10000]);
        chunk.extend_from_slice(b"\r\n");
        client.write(&chunk);
    }
    client.write(b"0\r\n\r\n");
    let answer = client.read(false).unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (413, "RequestBodyTooLarge"));
    assert_serves(&runtime);
    let errors = Client::new(&runtime).get("/node/metrics").json();
    let errors = &errors["sessions"]["interfaces"]["main"]["errors"];
    assert_eq!(errors["request_payload_too_large"], 2);
}

#[test]
fn a_slow_client_loses_its_session_and_holds_nobody_up() {
    let runtime = start(quick());
    let mut slow_head = Client::new(&runtime);
    slow_head.write(b"GET /app/plain HT");
    let mut slow_body = Client::new(&runtime);
    slow_body.write(b"POST /app/json HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{");
    let mut idle = Client::new(&runtime);
    assert_eq!(idle.get("/app/plain").status, 200);
    let mut handshake = TcpStream::connect(runtime.addresses()[0]).unwrap();
    handshake.write_all(&[22, 3, 1]).unwrap();
    // One thread serves them all, and this one besides.
    assert_serves(&runtime);
    assert!(slow_head.is_ended());
    assert_eq!(slow_body.read(false).unwrap().status, 408);
    assert!(slow_body.is_ended());
    assert!(idle.is_ended());
    let mut rest = Vec::new();
    handshake.read_to_end(&mut rest).ok();
    assert_serves(&runtime);
}

#[test]
fn pipelined_requests_are_answered_in_order_with_lower_case_names() {
    let runtime = start(listener());
    let mut client = Client::new(&runtime);
    let mut bytes = Vec::new();
    for index in 0..50 {
        let body = format!("value {index}");
        bytes.extend_from_slice(
            format!(
                "POST /app/records/{index} HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}\
                 GET /app/records/{index} HTTP/1.1\r\n\r\n",
                body.len()
            )
            .as_bytes(),
        );
    }
    client.write(&bytes);
    // The beginning of another one, whose end comes later, delays no answer.
    client.write(b"GET /app/pl");
    let mut last = 0;
    for index in 0..50 {
        let written = client.read(false).unwrap();
        let txid: affiant_proof::TxId = written.txid().unwrap().parse().unwrap();
        assert!(txid.seqno > last);
        last = txid.seqno;
        assert_eq!(client.read(false).unwrap().text(), format!("value {index}"));
        let names: Vec<&str> = written.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert!(names.iter().all(|name| *name == name.to_ascii_lowercase()), "{names:?}");
        assert_eq!(names.len(), 3, "content-type, content-length and the id: {names:?}");
    }
    client.write(b"ain HTTP/1.1\r\n\r\n");
    assert_eq!(client.read(false).unwrap().text(), "hello");
}

#[test]
fn a_client_that_goes_away_disturbs_nobody() {
    let runtime = start(listener());
    for partial in [
        &b"POST /app/json HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{\"half\":"[..],
        b"POST /app/records/1 HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc",
        b"GET /app",
        b"",
    ] {
        let mut client = Client::new(&runtime);
        client.write(partial);
        drop(client);
        assert_serves(&runtime);
    }
    // Not TLS at all.
    let mut plain = TcpStream::connect(runtime.addresses()[0]).unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    drop(plain);
    assert_serves(&runtime);
}

#[test]
fn a_client_that_does_not_read_holds_its_own_answers_only() {
    let runtime = start(listener());
    let large = vec![b'x'; 1 << 20];
    assert_eq!(Client::new(&runtime).post("/app/records/large", &large).status, 200);
    let mut deaf = Client::new(&runtime);
    deaf.write(&b"GET /app/records/large HTTP/1.1\r\n\r\n".repeat(200));
    for _ in 0..10 {
        assert_serves(&runtime);
    }
    // Whatever was asked for is there when the client comes back.
    for _ in 0..200 {
        assert_eq!(deaf.read(false).unwrap().body.len(), 1 << 20);
    }
}

#[test]
fn sessions_of_one_thread_are_each_answered_in_order() {
    let runtime = start(listener());
    let mut clients: Vec<Client> = (0..30).map(|_| Client::new(&runtime)).collect();
    let large = vec![b'x'; 100 << 10];
    for round in 0..5 {
        for (number, client) in clients.iter_mut().enumerate() {
            let body = format!("{number} {round}");
            let (post, get) = (format!("POST /app/records/{number}"), "GET /app/records");
            let text = format!(
                "{post} HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}{get}/{number} HTTP/1.1\r\n\r\n\
                 {post}-large HTTP/1.1\r\ncontent-length: {}\r\n\r\n",
                body.len(),
                large.len()
            );
            client.write(text.as_bytes());
            client.write(&large);
            client.write(format!("{get}/{number}-large HTTP/1.1\r\n\r\n").as_bytes());
        }
        for (number, client) in clients.iter_mut().enumerate() {
            assert_eq!(client.read(false).unwrap().text(), "true");
            assert_eq!(client.read(false).unwrap().text(), format!("{number} {round}"));
            assert_eq!(client.read(false).unwrap().text(), "true");
            assert_eq!(client.read(false).unwrap().body, large);
        }
    }
    // One that ends with its answer gets it, too.
    let last = b"GET /app/plain HTTP/1.1\r\nconnection: close\r\n\r\n";
    for client in &mut clients {
        client.write(last);
    }
    for client in &mut clients {
        assert_eq!(client.read(false).unwrap().text(), "hello");
        assert!(client.is_ended());
    }
}

#[test]
fn answers_that_are_ready_do_not_wait_for_a_handler_that_takes_its_time() {
    let (entered, has_entered) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let options = || EndpointOptions::native().respond(Respond::AtOnce);
    let enter = entered.clone();
    let runtime = with_endpoints(Runtime::builder().node(settings(&[])))
        .endpoint("GET", "/quick", options(), move |_, _| {
            enter.send("quick").unwrap();
            Ok(Response::text(200, "hello"))
        })
        .endpoint("GET", "/held", options(), move |_, _| {
            entered.send("held").unwrap();
            released.lock().unwrap().recv().unwrap();
            Ok(Response::text(200, "late"))
        })
        .http_threads(1)
        .listen(listener())
        .start()
        .unwrap();
    // A failure must not leave a handler that the runtime waits for.
    let release = release;
    let mut clients = [(); 3].map(|()| Client::new(&runtime));
    clients.iter_mut().for_each(|client| assert_eq!(client.get("/app/plain").status, 200));
    let [first, quick, second] = &mut clients;
    first.write(b"GET /app/held HTTP/1.1\r\n\r\n");
    assert_eq!(has_entered.recv().unwrap(), "held");
    // Both are there when the thread has time again.
    quick.write(b"GET /app/quick HTTP/1.1\r\n\r\n");
    second.write(b"GET /app/held HTTP/1.1\r\n\r\n");
    std::thread::sleep(Duration::from_millis(1));
    release.send(()).unwrap();
    // Nothing promises that they are taken in the order in which they came.
    let in_order = has_entered.recv().unwrap() == "quick";
    if in_order {
        assert_eq!(has_entered.recv().unwrap(), "held");
        assert_eq!(quick.read(false).unwrap().text(), "hello");
        assert_eq!(first.read(false).unwrap().text(), "late");
    }
    release.send(()).unwrap();
    assert_eq!(second.read(false).unwrap().text(), "late");
    if !in_order {
        assert_eq!(quick.read(false).unwrap().text(), "hello");
        assert_eq!(first.read(false).unwrap().text(), "late");
    }
}

#[test]
fn a_client_may_ask_before_it_sends_its_body() {
    let runtime = start(listener());
    let mut client = Client::new(&runtime);
    let head = |length: usize| {
        format!(
            "POST /app/records/1 HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n\
             content-length: {length}\r\n\r\n"
        )
    };
    client.write(head(4).as_bytes());
    assert_eq!(client.read(true).unwrap().status, 100);
    client.write(b"body");
    assert_eq!(client.read(false).unwrap().status, 200);
    assert_eq!(client.get("/app/records/1").text(), "body");
    // Not welcome: said before anything is sent.
    client.write(head(2_000_000).as_bytes());
    assert_eq!(client.read(false).unwrap().status, 413);
}

#[test]
fn a_full_listener_says_so_and_then_refuses() {
    let runtime = start(Listener { sessions_soft_max: 2, sessions_hard_max: 3, ..listener() });
    let mut first = Client::new(&runtime);
    assert_eq!(first.get("/app/plain").status, 200);
    let mut second = Client::new(&runtime);
    assert_eq!(second.get("/app/plain").status, 200);
    let mut third = Client::new(&runtime);
    // Held open while a fourth comes.
    third.write(b"GET /app/pl");
    let mut fourth = Client::new(&runtime);
    assert!(!fourth.write(b"GET /app/plain HTTP/1.1\r\n\r\n") || fourth.is_ended());
    third.write(b"ain HTTP/1.1\r\n\r\n");
    let answer = third.read(false).unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (503, "SessionCapExhausted"));
    assert!(third.is_ended());
    assert_eq!(first.get("/app/plain").status, 200);
}

#[test]
fn older_tls_serves_and_a_stolen_certificate_does_not() {
    let user = valid("user");
    let runtime = with_endpoints(Runtime::builder().node(settings(&[&user])))
        .listen(listener())
        .start()
        .unwrap();
    let roots = client_config(&runtime, Some(&user), &[]);
    let address = runtime.addresses()[0];
    assert_eq!(Client::with(address, roots).get("/app/whoami").status, 200);
    for (versions, name) in
        [(&[&rustls::version::TLS12], "1.2"), (&[&rustls::version::TLS13], "1.3")]
    {
        let config = with_certificate(&runtime, &user.pem, &user.key_der, versions);
        assert_eq!(Client::with(address, config).get("/app/whoami").status, 200, "TLS {name}");
        // The user's certificate with somebody else's key.
        let thief = valid("thief");
        let config = with_certificate(&runtime, &user.pem, &thief.key_der, versions);
        let mut client = Client::with(address, config);
        client.write(b"GET /app/whoami HTTP/1.1\r\n\r\n");
        assert!(client.read(false).is_none(), "TLS {name}");
    }
    assert_serves(&runtime);
}

#[derive(Debug)]
struct Fixed(Arc<rustls::sign::CertifiedKey>);

impl rustls::client::ResolvesClientCert for Fixed {
    fn resolve(
        &self,
        _: &[&[u8]],
        _: &[rustls::SignatureScheme],
    ) -> Option<Arc<rustls::sign::CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn with_certificate(
    runtime: &Runtime,
    pem: &str,
    key_der: &[u8],
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    let service = runtime.node().info().service_certificate_pem;
    let parse =
        |pem: &str| rustls::pki_types::CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    roots.add(parse(&service)).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(key_der.to_vec()).unwrap();
    let signer = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).unwrap();
    let certified = rustls::sign::CertifiedKey::new(vec![parse(pem)], signer);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_client_cert_resolver(Arc::new(Fixed(Arc::new(certified))))
}

#[test]
fn http2_by_alpn_and_by_configuration() {
    let options = EndpointOptions::native().respond(Respond::AtOnce);
    let runtime = with_endpoints(Runtime::builder().node(settings(&[])))
        .endpoint("GET", "/host", options, |request, _| {
            Ok(Response::text(200, request.header("host").unwrap_or("none").to_owned()))
        })
        .listen(listener())
        .listen(Listener { name: "two".to_owned(), protocols: Protocols::Http2, ..listener() })
        .start()
        .unwrap();
    let client = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (address, alpn) in runtime.addresses().into_iter().zip([&[&b"h2"[..]][..], &[]]) {
        let config = client_config(&runtime, None, alpn);
        client.block_on(async {
            let stream = tokio::net::TcpStream::connect(address).await.unwrap();
            let name = ServerName::try_from("127.0.0.1").unwrap();
            let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
            let stream = connector.connect(name, stream).await.unwrap();
            let (send, connection) = h2::client::handshake(stream).await.unwrap();
            tokio::spawn(async move { connection.await.ok() });
            let call = |method: &'static str, path: String, body: Vec<u8>| {
                let mut send = send.clone();
                async move {
                    let request = http::Request::builder()
                        .method(method)
                        .uri(format!("https://localhost{path}"))
                        .body(())
                        .unwrap();
                    let (response, mut stream) =
                        send.send_request(request, body.is_empty()).unwrap();
                    if !body.is_empty() {
                        stream.send_data(Bytes::from(body), true).ok();
                    }
                    let response = response.await.unwrap();
                    let status = response.status().as_u16();
                    let headers = response.headers().clone();
                    let mut body = response.into_body();
                    let mut bytes = Vec::new();
                    while let Some(Ok(chunk)) = body.data().await {
                        body.flow_control().release_capacity(chunk.len()).ok();
                        bytes.extend_from_slice(&chunk);
                    }
                    (status, headers, bytes)
                }
            };
            let mut writes = Vec::new();
            for index in 0..200 {
                let body = format!("two {index}").into_bytes();
                // Some have to wait.
                let kind = if index % 3 == 0 { "durable" } else { "records" };
                writes.push(tokio::spawn(call("POST", format!("/app/{kind}/{index}"), body)));
            }
            for write in writes {
                let (status, headers, _) = write.await.unwrap();
                assert_eq!(status, 200);
                assert!(headers.contains_key("x-ms-ccf-transaction-id"));
            }
            let (status, _, body) = call("GET", "/app/records/7".to_owned(), Vec::new()).await;
            assert_eq!((status, &*body), (200, &b"two 7"[..]));
            let (status, _, body) = call("GET", "/app/host".to_owned(), Vec::new()).await;
            assert_eq!((status, &*body), (200, &b"localhost"[..]), "the authority");
            let (status, _, body) =
                call("POST", "/app/records/7".to_owned(), vec![b'x'; 2 << 20]).await;
            assert_eq!(status, 413, "{}", String::from_utf8_lossy(&body));
        });
        assert_serves(&runtime);
    }
}

#[test]
fn a_taken_port_is_named() {
    let runtime = start(listener());
    let taken = runtime.addresses()[0];
    let error = Runtime::builder()
        .node(NodeSettings::in_memory())
        .listen(Listener::new("second", &taken.to_string()))
        .start()
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("second") && error.contains(&taken.to_string()), "{error}");
    assert!(error.contains("another port"), "{error}");
    let error = Runtime::builder()
        .node(NodeSettings::in_memory())
        .listen(Listener::new("odd", "no such host name.invalid:1"))
        .start()
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("odd"), "{error}");
}

#[test]
fn stopping_lets_the_answers_under_way_leave() {
    let (entered, has_entered) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let runtime = with_endpoints(Runtime::builder().node(settings(&[])))
        .endpoint(
            "GET",
            "/held",
            EndpointOptions::native().respond(Respond::AtOnce),
            move |_, _| {
                entered.send(()).unwrap();
                released.lock().unwrap().recv().unwrap();
                Ok(Response::text(200, "late"))
            },
        )
        .http_threads(2)
        .listen(listener())
        .start()
        .unwrap();
    let mut client = Client::new(&runtime);
    client.write(b"GET /app/held HTTP/1.1\r\n\r\n");
    has_entered.recv().unwrap();
    let stopping = std::thread::spawn(move || runtime.stop());
    release.send(()).unwrap();
    assert_eq!(client.read(false).unwrap().text(), "late");
    stopping.join().unwrap().unwrap();
}
