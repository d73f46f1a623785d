//! Stand-ins: a service's keys, a TLS server that answers as a test says, and a proxy that ends TLS with
//! a key of its own and relays what a genuine node says.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use affiant::Runtime;
use affiant_attest::{Affiant, Statement};
use affiant_proof::Digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PublicKeyData as _,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConnection, ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value as Json, json};

use crate::http_support::client_config;

pub type ServerStream = StreamOwned<ServerConnection, TcpStream>;

/// A key with a certificate.
pub struct Keys {
    pub certificate_pem: String,
    certificate_der: Vec<u8>,
    key: KeyPair,
}

impl Keys {
    /// DER SubjectPublicKeyInfo.
    pub fn public_key(&self) -> Vec<u8> {
        self.key.subject_public_key_info()
    }
}

fn parameters(name: &str, ca: bool) -> CertificateParams {
    let mut parameters = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    parameters.distinguished_name.push(DnType::CommonName, name);
    if ca {
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    parameters
}

fn key() -> KeyPair {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap()
}

/// A service with a key and a certificate of its own.
pub struct Service {
    pub keys: Keys,
    parameters: CertificateParams,
}

impl Service {
    pub fn new(name: &str) -> Self {
        let (parameters, key) = (parameters(name, true), key());
        let certificate = parameters.self_signed(&key).unwrap();
        let (pem, der) = (certificate.pem(), certificate.der().to_vec());
        let keys = Keys { certificate_pem: pem, certificate_der: der, key };
        Self { keys, parameters }
    }

    /// A node whose certificate this service issues.
    pub fn node(&self) -> Keys {
        let issuer = Issuer::from_params(&self.parameters, &self.keys.key);
        let key = key();
        let certificate = parameters("node", false).signed_by(&key, &issuer).unwrap();
        let (pem, der) = (certificate.pem(), certificate.der().to_vec());
        Keys { certificate_pem: pem, certificate_der: der, key }
    }

    /// What `/node/network` answers.
    pub fn network(&self) -> Json {
        json!({"service_certificate": self.keys.certificate_pem, "service_status": "Open"})
    }

    /// The bytes that a node of this service has its evidence bound to.
    pub fn statement(&self, affiant: Affiant, node: &Keys, bound: &[u8]) -> Vec<u8> {
        let (node_public_key, service_identity) = (node.public_key(), self.keys.public_key());
        let bound = bound.to_vec();
        Statement { affiant, node_public_key, service_identity, bound }.to_bytes().unwrap()
    }
}

/// Somebody's self-signed certificate.
pub fn stranger(name: &str) -> Keys {
    Service::new(name).keys
}

/// Serves TLS with these keys, a thread for each connection.
pub fn serve(keys: &Keys, talk: impl Fn(&mut ServerStream) + Send + Sync + 'static) -> SocketAddr {
    serve_in_turn(&[keys], talk)
}

/// Serves TLS, each connection with the next keys, and from then on with the last.
pub fn serve_in_turn(
    keys: &[&Keys],
    talk: impl Fn(&mut ServerStream) + Send + Sync + 'static,
) -> SocketAddr {
    let configs: Vec<Arc<ServerConfig>> = keys.iter().map(|keys| server_config(keys)).collect();
    let talk = Arc::new(talk);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for (turn, stream) in listener.incoming().flatten().enumerate() {
            let (config, talk) = (configs[turn.min(configs.len() - 1)].clone(), talk.clone());
            std::thread::spawn(move || {
                stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
                let connection = ServerConnection::new(config).unwrap();
                talk(&mut StreamOwned::new(connection, stream));
            });
        }
    });
    address
}

fn server_config(keys: &Keys) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::try_from(keys.key.serialize_der()).unwrap();
    let chain = vec![CertificateDer::from(keys.certificate_der.clone())];
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    Arc::new(config)
}

/// What a node of nothing says: virtual evidence, bound to these bytes.
pub fn virtual_evidence(bound: &[u8]) -> Json {
    let raw = json!({
        "measurement": "stand-in",
        "host_data": "00".repeat(32),
        "report_data": STANDARD.encode(Digest::of(bound).0),
    });
    json!({
        "format": "Insecure_Virtual",
        "raw": STANDARD.encode(raw.to_string()),
        "endorsements": "",
        "bound": STANDARD.encode(bound),
    })
}

/// The nonce that a target asks for.
pub fn nonce_of(target: &str) -> Vec<u8> {
    let hex = target.split_once("nonce=").map_or("", |(_, hex)| hex);
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Serves JSON, by the target of the request; `None` is a 404.
pub fn answer(
    keys: &Keys,
    answers: impl Fn(&str) -> Option<Json> + Send + Sync + 'static,
) -> SocketAddr {
    serve(keys, move |stream| reply(stream, &answers))
}

/// Answers the requests of one connection.
pub fn reply(stream: &mut ServerStream, answers: &dyn Fn(&str) -> Option<Json>) {
    while let Some(target) = target(stream) {
        let (status, body) = match answers(&target) {
            Some(body) => ("200 OK", body.to_string()),
            None => ("404 Not Found", String::new()),
        };
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len());
        if stream.write_all(format!("{head}{body}").as_bytes()).is_err() {
            return;
        }
        let _ = stream.flush();
    }
}

/// The target of the next request, whose body, if any, is left unread.
pub fn target(stream: &mut ServerStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    Some(head.split(' ').nth(1)?.to_owned())
}

/// Ends TLS with its own keys and relays every request to the node, and every answer back.
pub fn proxy(keys: &Keys, node: &Runtime) -> SocketAddr {
    let (address, config) = (node.addresses()[0], Arc::new(client_config(node, None, &[])));
    serve(keys, move |stream| {
        let tcp = TcpStream::connect(address).unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let connection = ClientConnection::new(config.clone(), name).unwrap();
        let mut upstream = StreamOwned::new(connection, tcp);
        while let Some(target) = target(stream) {
            let request = format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n");
            upstream.write_all(request.as_bytes()).unwrap();
            let Some(whole) = whole(&mut upstream) else { return };
            if stream.write_all(&whole).and_then(|()| stream.flush()).is_err() {
                return;
            }
        }
    })
}

/// One whole answer, as it came.
fn whole(stream: &mut impl Read) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            let length = head
                .split("\r\n")
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.trim().parse::<usize>().unwrap());
            if bytes.len() >= end + 4 + length {
                return Some(bytes);
            }
        }
        match stream.read(&mut chunk).ok()? {
            0 => return None,
            count => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}
