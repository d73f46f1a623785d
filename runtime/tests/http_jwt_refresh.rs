//! Keys that the node fetches itself (reference C.3): an issuer on loopback with its own authority,
//! rotation, and everything that can be wrong with an issuer.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod http_support;
mod token_support;

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use affiant::node::{Node, NodeSettings};
use affiant::tables::{CA_CERT_BUNDLES, JWT_ISSUERS, JWT_KEYS, put_json};
use affiant::{EndpointOptions, Respond, Response, Runtime};
use http_support::{Client, listener, settings, valid};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value as Json, json};
use token_support::{TokenKey, claims, transact};

/// A certificate authority.
struct Authority {
    pem: String,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, "Test Authority");
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let pem = parameters.self_signed(&key).unwrap().pem();
        Self { pem, issuer: rcgen::Issuer::new(parameters, key) }
    }

    fn server(&self, names: &[&str]) -> Identity {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let parameters = rcgen::CertificateParams::new(names).unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        Identity { certificate, key }
    }
}

struct Identity {
    certificate: rcgen::Certificate,
    key: rcgen::KeyPair,
}

type Page = (u16, Vec<(&'static str, String)>, Vec<u8>);

/// An issuer's HTTPS server.
struct Issuer {
    address: SocketAddr,
    pages: Arc<Mutex<HashMap<String, Page>>>,
    /// Requests answered.
    answered: Arc<AtomicUsize>,
    /// Connections that got as far as TCP.
    connected: Arc<AtomicUsize>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Issuer {
    fn start(identity: &Identity) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![identity.certificate.der().clone()],
                PrivateKeyDer::try_from(identity.key.serialize_der()).unwrap(),
            )
            .unwrap();
        let config = Arc::new(config);
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut issuer = Self {
            address: socket.local_addr().unwrap(),
            pages: Arc::default(),
            answered: Arc::default(),
            connected: Arc::default(),
            stopping: Arc::default(),
            thread: None,
        };
        let (pages, answered) = (issuer.pages.clone(), issuer.answered.clone());
        let (connected, stopping) = (issuer.connected.clone(), issuer.stopping.clone());
        issuer.thread = Some(std::thread::spawn(move || {
            for stream in socket.incoming() {
                if stopping.load(Ordering::Relaxed) {
                    return;
                }
                connected.fetch_add(1, Ordering::Relaxed);
                let served = stream.is_ok_and(|stream| serve(stream, &config, &pages).is_some());
                answered.fetch_add(usize::from(served), Ordering::Relaxed);
            }
        }));
        issuer
    }

    fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    fn page(&self, path: &str, status: u16, headers: Vec<(&'static str, String)>, body: &[u8]) {
        self.pages.lock().unwrap().insert(path.to_owned(), (status, headers, body.to_vec()));
    }

    /// Publishes a configuration and a key set, as OpenID Connect Discovery has it.
    fn publish(&self, keys: &[Json]) {
        let metadata =
            json!({"issuer": self.url(), "jwks_uri": format!("{}/keys?x=1", self.url())});
        self.page(
            "/.well-known/openid-configuration",
            200,
            Vec::new(),
            metadata.to_string().as_bytes(),
        );
        self.page("/keys?x=1", 200, Vec::new(), json!({"keys": keys}).to_string().as_bytes());
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Answers one request; `None` if there is none.
fn serve(
    stream: TcpStream,
    config: &Arc<ServerConfig>,
    pages: &Mutex<HashMap<String, Page>>,
) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    let mut stream = StreamOwned::new(ServerConnection::new(config.clone()).ok()?, stream);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let path = head.split(' ').nth(1)?;
    let page = pages.lock().unwrap().get(path).cloned();
    let (status, headers, body) =
        page.unwrap_or_else(|| (404, Vec::new(), b"nothing here".to_vec()));
    let mut answer = format!("HTTP/1.1 {status} Status\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        answer.push_str(&format!("{name}: {value}\r\n"));
    }
    answer.push_str("connection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).ok()?;
    stream.write_all(&body).ok()?;
    stream.conn.send_close_notify();
    stream.flush().ok()
}

fn start() -> Runtime {
    let who = EndpointOptions::native().respond(Respond::AtOnce).policies(&["jwt"]);
    Runtime::builder()
        .node(NodeSettings { jwt_key_refresh_ms: 500, ..settings(&[]) })
        .endpoint("GET", "/who", who, |_, _| Ok(Response::empty(204)))
        .http_threads(1)
        .listen(listener())
        .start()
        .unwrap()
}

/// Registers an issuer whose keys the node is to fetch.
fn trust(node: &Node, issuer: &str, bundle: &str) {
    transact(node, |tx| {
        put_json(tx, &CA_CERT_BUNDLES, b"bundle", &bundle).unwrap();
        let row = json!({
            "issuer": issuer, "auto_refresh": true, "ca_cert_bundle_name": "bundle",
            "key_filter": "all",
        });
        put_json(tx, &JWT_ISSUERS, issuer.as_bytes(), &row).unwrap();
    });
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what} does not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn counters(client: &mut Client) -> (u64, u64, u64) {
    let counters = client.get("/node/jwt_keys/refresh/metrics").json();
    let count = |name: &str| counters[name].as_u64().unwrap();
    (count("attempts"), count("successes"), count("failures"))
}

fn status(client: &mut Client, token: &str) -> u16 {
    let value = format!("Bearer {token}");
    client.request("GET", "/app/who", &[("authorization", &value)], b"").status
}

#[test]
fn keys_are_fetched_and_rotated() {
    let authority = Authority::new();
    let issuer = Issuer::start(&authority.server(&["127.0.0.1"]));
    let (old, new) = (TokenKey::ec(), TokenKey::rsa(0));
    issuer.publish(&[old.jwk("old")]);
    let runtime = start();
    let mut client = Client::new(&runtime);
    assert_eq!(counters(&mut client), (0, 0, 0));
    trust(runtime.node(), &issuer.url(), &authority.pem);
    let token = old.token("old", &claims(&issuer.url()));
    wait_until("the first key", || status(&mut client, &token) == 204);
    // The metadata's issuer is the constraint of keys that name none.
    let row = runtime.node().snapshot().get(JWT_KEYS.as_str(), b"old").unwrap();
    let row: Json = serde_json::from_slice(&row).unwrap();
    assert_eq!(row[0]["constraint"], json!(issuer.url()));
    assert_eq!(row[0]["issuer"], json!(issuer.url()));
    assert_eq!(status(&mut client, &old.token("old", &claims("https://127.0.0.1"))), 401);

    // Fetching the same again writes nothing.
    let version = || runtime.node().snapshot().version_of_map(JWT_KEYS.as_str());
    let before = version();
    let (_, successes, _) = counters(&mut client);
    wait_until("a second fetch", || counters(&mut client).1 > successes);
    assert_eq!(version(), before);

    issuer.publish(&[new.jwk("new")]);
    let rotated = new.token("new", &claims(&issuer.url()));
    wait_until("the second key", || status(&mut client, &rotated) == 204);
    assert_eq!(status(&mut client, &token), 401, "the first key is gone");
    let (attempts, successes, failures) = counters(&mut client);
    assert!(attempts >= successes && successes >= 3, "{attempts} {successes}");
    assert_eq!(failures, 0);

    // Once the issuer is no longer to be refreshed, nothing is asked of it.
    transact(runtime.node(), |tx| {
        let row = json!({"issuer": issuer.url(), "auto_refresh": false});
        put_json(tx, &JWT_ISSUERS, issuer.url().as_bytes(), &row).unwrap();
    });
    std::thread::sleep(Duration::from_millis(1_200));
    let asked = issuer.answered.load(Ordering::Relaxed);
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(issuer.answered.load(Ordering::Relaxed), asked);
    assert_eq!(status(&mut client, &rotated), 204, "its keys stay");
}

/// Lets a node refresh from an issuer with something wrong; nothing is taken, and failures count.
fn assert_refused(what: &str, issuer: &Issuer, bundle: &str, url: &str) {
    let runtime = start();
    let mut client = Client::new(&runtime);
    trust(runtime.node(), url, bundle);
    wait_until(what, || counters(&mut client).2 > 0);
    assert_eq!(counters(&mut client).1, 0, "{what}");
    assert_eq!(runtime.node().snapshot().entries(JWT_KEYS.as_str()).count(), 0, "{what}");
    drop(client);
    runtime.stop().unwrap();
    let _ = issuer;
}

#[test]
fn only_the_named_bundle_is_believed() {
    let (authority, other) = (Authority::new(), Authority::new());
    let key = TokenKey::ec();
    let issuer = Issuer::start(&authority.server(&["127.0.0.1"]));
    issuer.publish(&[key.jwk("k")]);
    assert_refused("another authority", &issuer, &other.pem, &issuer.url());
    assert_refused("an empty bundle", &issuer, "", &issuer.url());
    assert_refused("no PEM", &issuer, "-----BEGIN CERTIFICATE-----\n", &issuer.url());
    assert_eq!(issuer.answered.load(Ordering::Relaxed), 0, "it never got a request");
    let misnamed = Issuer::start(&authority.server(&["issuer.example.com"]));
    misnamed.publish(&[key.jwk("k")]);
    assert_refused("another name", &misnamed, &authority.pem, &misnamed.url());
    // Two authorities in one bundle: either is believed.
    let runtime = start();
    trust(runtime.node(), &issuer.url(), &format!("{}{}", other.pem, authority.pem));
    let mut client = Client::new(&runtime);
    wait_until("success", || counters(&mut client).1 > 0);
}

#[test]
fn a_self_signed_server_is_believed_if_the_bundle_holds_it() {
    for ca in [rcgen::IsCa::NoCa, rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained)] {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let mut parameters = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        parameters.is_ca = ca;
        let identity = Identity { certificate: parameters.self_signed(&key).unwrap(), key };
        let issuer = Issuer::start(&identity);
        issuer.publish(&[TokenKey::ec().jwk("k")]);
        let runtime = start();
        trust(runtime.node(), &issuer.url(), &identity.certificate.pem());
        let mut client = Client::new(&runtime);
        wait_until("success", || counters(&mut client).1 > 0);
    }
    let expired = http_support::person("issuer", -20, -10);
    let key = rcgen::KeyPair::try_from(expired.key_der.as_slice()).unwrap();
    let mut parameters = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    parameters.not_after = time::OffsetDateTime::now_utc() - time::Duration::days(1);
    let identity = Identity { certificate: parameters.self_signed(&key).unwrap(), key };
    let issuer = Issuer::start(&identity);
    issuer.publish(&[TokenKey::ec().jwk("k")]);
    assert_refused("an expired one", &issuer, &identity.certificate.pem(), &issuer.url());
}

#[test]
fn answers_that_are_no_key_sets_change_nothing() {
    const CONFIGURATION: &str = "/.well-known/openid-configuration";
    let authority = Authority::new();
    let issuer = Issuer::start(&authority.server(&["127.0.0.1"]));
    let url = issuer.url();
    let refused = |what: &str| assert_refused(what, &issuer, &authority.pem, &url);
    let pointing_to = |uri: &str| json!({"issuer": url, "jwks_uri": uri}).to_string();
    refused("nothing there");
    let good = TokenKey::ec().jwk("k");
    issuer.publish(core::slice::from_ref(&good));
    // A redirection to what would be taken.
    issuer.page("/elsewhere", 200, Vec::new(), pointing_to(&format!("{url}/keys?x=1")).as_bytes());
    issuer.page(CONFIGURATION, 302, vec![("location", format!("{url}/elsewhere"))], b"");
    refused("a redirection");
    for (what, body) in [
        ("no JSON", "<html>".to_owned()),
        ("no jwks_uri", "{}".to_owned()),
        ("a key set without TLS", pointing_to(&format!("http://{}/keys?x=1", issuer.address))),
        ("a key set that is not there", pointing_to(&format!("{url}/nowhere"))),
        (
            "an issuer of another domain",
            json!({"issuer": "https://elsewhere.com", "jwks_uri": format!("{url}/keys?x=1")})
                .to_string(),
        ),
        ("a body without end", "x".repeat((1 << 20) + 1)),
    ] {
        issuer.page(CONFIGURATION, 200, Vec::new(), body.as_bytes());
        refused(what);
    }
    issuer.publish(&[good.clone(), json!({"kid": "broken", "kty": "RSA"})]);
    refused("one broken key");
    issuer.publish(&[]);
    refused("no keys");
}

#[test]
fn an_issuer_that_hangs_delays_neither_others_nor_the_end() {
    let authority = Authority::new();
    // Takes connections, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let issuer = Issuer::start(&authority.server(&["127.0.0.1"]));
    let key = TokenKey::ec();
    issuer.publish(&[key.jwk("k")]);
    let runtime = start();
    let mut client = Client::new(&runtime);
    trust(runtime.node(), &format!("https://{}", silent.local_addr().unwrap()), &authority.pem);
    trust(runtime.node(), &issuer.url(), &authority.pem);
    let token = key.token("k", &claims(&issuer.url()));
    wait_until("the other's key", || status(&mut client, &token) == 204);
    drop(client);
    runtime.stop().unwrap();
}

#[test]
fn the_internal_endpoint_is_closed_to_all_but_nodes() {
    let runtime = start();
    let refused = json!({
        "auth_policy": "node_cert",
        "code": "InvalidAuthenticationInfo",
        "message": "No caller node certificate",
    });
    let answer = Client::new(&runtime).post("/node/jwt_keys/refresh", b"{}");
    assert_eq!((answer.status, &answer.json()["error"]["details"][0]), (401, &refused));
    let answer = Client::of(&runtime, &valid("user")).post("/node/jwt_keys/refresh", b"{}");
    assert_eq!(answer.status, 401);
    assert_eq!(
        answer.json()["error"]["details"][0]["message"],
        "Could not find matching node certificate"
    );
    let api = Client::new(&runtime).get("/node/api").json();
    assert_eq!(api["paths"].get("/node/jwt_keys/refresh"), None);
    assert_eq!(api["paths"].get("/jwt_keys/refresh"), None);
}
