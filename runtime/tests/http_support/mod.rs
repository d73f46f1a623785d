//! What the HTTP tests share: a runtime with a few native endpoints, and a client that speaks raw
//! HTTP/1.1 over TLS, so that a test can send what no library would.

#![allow(unreachable_pub, reason = "shared by test files")]
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use affiant::node::{NewUser, NodeSettings};
use affiant::{
    AppError, Caller, EndpointOptions, Listener, MapName, Respond, Response, Runtime,
    RuntimeBuilder, odata,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value as Json, json};

pub const USER: &[&str] = &["user_cert"];

/// A client's certificate and key.
#[derive(Clone)]
pub struct Person {
    pub pem: String,
    pub key_der: Vec<u8>,
}

pub fn person(name: &str, from_days: i64, to_days: i64) -> Person {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let day = |days: i64| {
        time::OffsetDateTime::from_unix_timestamp(now.as_secs() as i64 + days * 86_400).unwrap()
    };
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
    parameters.not_before = day(from_days);
    parameters.not_after = day(to_days);
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    Person { pem: certificate.pem(), key_der: key.serialize_der() }
}

pub fn valid(name: &str) -> Person {
    person(name, -1, 30)
}

pub fn settings(users: &[&Person]) -> NodeSettings {
    let mut settings = NodeSettings::in_memory();
    settings.service.users = users
        .iter()
        .map(|person| NewUser {
            certificate_pem: person.pem.clone(),
            user_data: json!({"name": "someone"}),
        })
        .collect();
    settings
}

pub fn records() -> MapName {
    MapName::new("records").unwrap()
}

/// The endpoints that most tests use.
pub fn with_endpoints(builder: RuntimeBuilder) -> RuntimeBuilder {
    let early = || EndpointOptions::native().respond(Respond::AtOnce);
    builder
        .endpoint("POST", "/records/{id}", early(), |request, tx| {
            let id = request.param("id").unwrap_or_default();
            tx.put(&records(), id.as_bytes(), request.body())?;
            Ok(Response::json(200, &json!(true)))
        })
        .endpoint("GET", "/records/{id}", early().read_only(), |request, tx| {
            let id = request.param("id").unwrap_or_default();
            match tx.get(&records(), id.as_bytes()) {
                Some(value) => Ok(Response::text(200, value.to_vec())),
                None => Err(AppError::new(404, odata::KEY_NOT_FOUND, "No such record.")),
            }
        })
        .endpoint("POST", "/durable/{id}", EndpointOptions::native(), |request, tx| {
            let id = request.param("id").unwrap_or_default();
            tx.put(&records(), id.as_bytes(), request.body())?;
            Ok(Response::json(200, &json!({"stored": id})))
        })
        .endpoint("POST", "/json", early(), |request, tx| {
            let value = request.json()?;
            tx.put(&records(), b"json", value.to_string().as_bytes())?;
            Ok(Response::json(200, &value))
        })
        .endpoint("GET", "/plain", early(), |_, _| Ok(Response::text(200, "hello")))
        .endpoint("GET", "/whoami", early().policies(USER), |request, _| match request.caller() {
            Some(Caller::UserCert(user)) => {
                Ok(Response::json(200, &json!({"id": &*user.id, "data": user.data})))
            }
            other => Err(AppError::internal(format!("{other:?}"))),
        })
}

pub fn start(listener: Listener) -> Runtime {
    with_endpoints(Runtime::builder().node(settings(&[])))
        .http_threads(1)
        .listen(listener)
        .start()
        .unwrap()
}

pub fn listener() -> Listener {
    Listener::new("main", "127.0.0.1:0")
}

/// A TLS configuration that trusts the service and offers `person`'s certificate.
pub fn client_config(runtime: &Runtime, person: Option<&Person>, alpn: &[&[u8]]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let service = runtime.node().info().service_certificate_pem;
    roots.add(CertificateDer::from_pem_slice(service.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match person {
        None => builder.with_no_client_auth(),
        Some(person) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(person.pem.as_bytes()).unwrap()],
                PrivateKeyDer::try_from(person.key_der.clone()).unwrap(),
            )
            .unwrap(),
    };
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    config
}

/// One answer as it came.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Json {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {}", String::from_utf8_lossy(&self.body)))
    }

    pub fn text(&self) -> &str {
        core::str::from_utf8(&self.body).unwrap()
    }

    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap().to_owned()
    }

    pub fn message(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap().to_owned()
    }

    pub fn txid(&self) -> Option<&str> {
        self.header("x-ms-ccf-transaction-id")
    }
}

/// A session over TLS.
pub struct Client {
    pub stream: StreamOwned<ClientConnection, TcpStream>,
    buffer: Vec<u8>,
}

impl Client {
    pub fn new(runtime: &Runtime) -> Self {
        Self::with(runtime.addresses()[0], client_config(runtime, None, &[]))
    }

    pub fn of(runtime: &Runtime, person: &Person) -> Self {
        Self::with(runtime.addresses()[0], client_config(runtime, Some(person), &[]))
    }

    pub fn with(address: SocketAddr, config: ClientConfig) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        Self { stream: StreamOwned::new(connection, stream), buffer: Vec::new() }
    }

    /// Writes bytes as they are; errors are the server's answer to them and show when reading.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).and_then(|()| self.stream.flush()).is_ok()
    }

    /// Reads one answer; `None` if the session ends before it.
    pub fn read(&mut self, head_only: bool) -> Option<Answer> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                let head = String::from_utf8(self.buffer[..end].to_vec()).unwrap();
                let mut lines = head.split("\r\n");
                let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
                let headers: Vec<(String, String)> = lines
                    .map(|line| line.split_once(": ").unwrap())
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect();
                let length = headers
                    .iter()
                    .find(|(name, _)| name == "content-length")
                    .map_or(0, |(_, value)| value.parse().unwrap());
                let length = if head_only { 0 } else { length };
                while self.buffer.len() < end + 4 + length {
                    self.fill()?;
                }
                let body = self.buffer[end + 4..end + 4 + length].to_vec();
                self.buffer.drain(..end + 4 + length);
                return Some(Answer { status, head, headers, body });
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> Option<()> {
        let mut chunk = [0; 4096];
        match self.stream.read(&mut chunk) {
            Ok(0) | Err(_) => None,
            Ok(count) => {
                self.buffer.extend_from_slice(&chunk[..count]);
                Some(())
            }
        }
    }

    /// Whether the server has ended the session (and sent nothing more).
    pub fn is_ended(&mut self) -> bool {
        self.buffer.is_empty() && self.fill().is_none()
    }

    pub fn request(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut text = format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            text.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(body);
        assert!(self.write(&bytes), "the session takes the request");
        self.read(method == "HEAD").unwrap()
    }

    pub fn get(&mut self, target: &str) -> Answer {
        self.request("GET", target, &[], b"")
    }

    pub fn post(&mut self, target: &str, body: &[u8]) -> Answer {
        self.request("POST", target, &[], body)
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// A request on a new session works.
pub fn assert_serves(runtime: &Runtime) {
    let answer = Client::new(runtime).get("/app/plain");
    assert_eq!((answer.status, answer.text()), (200, "hello"));
}
