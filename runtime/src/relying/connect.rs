//! One connection to a node, and what is asked on it before anything else.
//!
//! Invariant: whatever certificate the other side shows is taken, once it has proved to hold its key;
//! nothing is believed of it. The certificate is handed to the judgement together with what was said
//! on that same connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use affiant_attest::Attestation;
use affiant_attest::limits::EVIDENCE_JSON_BYTES_MAX;
use affiant_proof::to_hex;
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::RelyingError;
use super::judge::Shown;
use crate::client::{
    Access, Answer, Ask, BlockingConnection, Bounds, ClientError, Failure, any_server,
};
use crate::limits::RELYING_HEADER_BYTES_MAX;
use crate::tls::public_key_der;

const EVIDENCE: &str = "/node/attestations/self";
const NETWORK: &str = "/node/network";
/// Bytes of a refusal that a message repeats.
const REFUSAL_BYTES_SHOWN_MAX: usize = 300;

/// Who the caller is, to a service that asks for a certificate: a chain and a PKCS#8 key, PEM.
#[derive(Clone)]
pub struct Identity {
    /// The caller's certificate; others may follow it.
    pub certificate_pem: String,
    /// Its private key.
    pub private_key_pem: zeroize::Zeroizing<String>,
}

impl core::fmt::Debug for Identity {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.write_str("Identity")
    }
}

/// A connection, open.
pub(super) struct Session {
    connection: BlockingConnection,
    url: String,
    tls_certificate: Vec<u8>,
    /// When it was last used.
    pub(super) used: Instant,
}

impl Session {
    /// Connects to `url` within `timeout`. What is asked has `timeout` of its own.
    pub(super) fn open(
        url: &str,
        identity: Option<&Identity>,
        timeout: Duration,
    ) -> Result<Self, RelyingError> {
        let access = Access::tls(tls(identity)?);
        let bounds = bounds(timeout, EVIDENCE_JSON_BYTES_MAX);
        let connection = BlockingConnection::open(url, &access, bounds).map_err(refused)?;
        let tls_certificate = connection
            .peer_certificate()
            .map(|certificate| certificate.to_vec())
            .ok_or_else(|| RelyingError::unreachable(url, "it shows no certificate"))?;
        Ok(Self { connection, url: origin(url), tls_certificate, used: Instant::now() })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Hex SHA-256 of the key of the connection.
    pub(super) fn key_id(&self) -> String {
        public_key_der(&self.tls_certificate)
            .map(|key| super::judge::key_id(&key))
            .unwrap_or_default()
    }

    /// Asks the node for its evidence and for the certificate of its service.
    pub(super) fn ask(
        &mut self,
        nonce: Option<&[u8]>,
        timeout: Duration,
    ) -> Result<Said, RelyingError> {
        let deadline = Instant::now() + timeout;
        let path = match nonce {
            Some(nonce) => format!("{EVIDENCE}?nonce={}", to_hex(nonce)),
            // Fresh evidence has the container policy with it; CCF's nodes pass the parameter over.
            None => format!("{EVIDENCE}?policy_text=true"),
        };
        let evidence = self.get(&path, deadline)?;
        let network = self.get(NETWORK, deadline)?;
        let attestation = Attestation::from_json(&evidence)
            .map_err(|why| RelyingError::unreadable(self.place(EVIDENCE), why))?;
        let service_certificate_pem = service_certificate(&network)
            .ok_or_else(|| RelyingError::unreadable(self.place(NETWORK), NO_SERVICE))?;
        let tls_certificate = self.tls_certificate.clone();
        let shown = Shown { tls_certificate, attestation, service_certificate_pem };
        Ok(Said { shown, evidence })
    }

    fn get(&mut self, path: &str, deadline: Instant) -> Result<Vec<u8>, RelyingError> {
        let answer = loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let answer = self.send(path, Ask::get(), left, EVIDENCE_JSON_BYTES_MAX)?;
            // Nodes make evidence for strangers so many times a second, and say when to ask again.
            match again_after(&answer) {
                Some(wait) if wait < deadline.saturating_duration_since(Instant::now()) => {
                    std::thread::sleep(wait);
                }
                _ => break answer,
            }
        };
        if answer.status == http::StatusCode::OK {
            return Ok(answer.body.to_vec());
        }
        let said = refusal(&answer.body);
        let why = format!(
            "the answer is {}{said}. It must be the address of a node of Affiant or CCF, on an interface \
             that answers there",
            answer.status
        );
        Err(RelyingError::unreadable(self.place(path), why))
    }

    /// One request. After an error the session is of no more use.
    pub(super) fn send(
        &mut self,
        path: &str,
        ask: Ask<'_>,
        timeout: Duration,
        body_bytes_max: usize,
    ) -> Result<Answer, RelyingError> {
        self.connection.limit(bounds(timeout, body_bytes_max));
        let answer = self.connection.send(path, ask).map_err(refused);
        self.used = Instant::now();
        answer
    }

    fn place(&self, path: &str) -> String {
        let path = path.split('?').next().unwrap_or_default();
        format!("the answer of {}{path}", self.url)
    }
}

const NO_SERVICE: &str = "it names no service certificate; the node is of no service yet";

/// What a node said, and the evidence as it came.
pub(super) struct Said {
    pub(super) shown: Shown,
    pub(super) evidence: Vec<u8>,
}

fn service_certificate(network: &[u8]) -> Option<String> {
    let network: serde_json::Value = serde_json::from_slice(network).ok()?;
    let certificate = network.get("service_certificate")?.as_str()?;
    certificate.contains("BEGIN CERTIFICATE").then(|| certificate.to_owned())
}

/// When a node that is busy wants to be asked again.
fn again_after(answer: &Answer) -> Option<Duration> {
    let busy = answer.status == http::StatusCode::SERVICE_UNAVAILABLE;
    let seconds = answer.headers.get("retry-after").filter(|_| busy)?.to_str().ok()?;
    Some(Duration::from_secs(seconds.parse().ok()?))
}

/// What a node says with a refusal, for a message.
fn refusal(body: &[u8]) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let text = |path: &str| parsed.as_ref()?.pointer(path)?.as_str().map(str::to_owned);
    match (text("/error/code"), text("/error/message")) {
        (Some(code), Some(message)) => {
            let said: String = format!("{code}: {message}")
                .chars()
                .filter(|character| !character.is_control())
                .take(REFUSAL_BYTES_SHOWN_MAX)
                .collect();
            format!(" ({said})")
        }
        _ => String::new(),
    }
}

fn bounds(timeout: Duration, body_bytes: usize) -> Bounds {
    let answer_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
    Bounds { answer_ms, body_bytes, header_bytes: RELYING_HEADER_BYTES_MAX }
}

fn refused(error: ClientError) -> RelyingError {
    match error.failure {
        Failure::Url => RelyingError::usage("URL", format!("{}: {}", error.place, error.reason)),
        Failure::TooLarge => {
            RelyingError::unreadable(format!("the answer of {}", error.place), error.reason)
        }
        // A server that speaks HTTP/2 alone says so in the handshake.
        Failure::Tls if error.reason.contains("NoApplicationProtocol") => {
            let why = "it does not speak HTTP/1.1: name an interface whose app_protocol is HTTP1";
            RelyingError::unreachable(error.place, why)
        }
        _ => RelyingError::unreachable(error.place, error.reason),
    }
}

/// Scheme and authority.
fn origin(url: &str) -> String {
    let uri: Option<http::Uri> = url.parse().ok();
    let parts = uri.as_ref().and_then(|uri| Some((uri.scheme_str()?, uri.authority()?)));
    parts.map_or_else(|| url.to_owned(), |(scheme, authority)| format!("{scheme}://{authority}"))
}

fn tls(identity: Option<&Identity>) -> Result<Arc<ClientConfig>, RelyingError> {
    let builder = any_server().map_err(|error| RelyingError::usage("TLS", error.to_string()))?;
    let Some(identity) = identity else {
        return Ok(speaking_http1(builder.with_no_client_auth()));
    };
    let chain: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_slice_iter(identity.certificate_pem.as_bytes()).collect();
    let chain = chain
        .map_err(|error| RelyingError::usage("client certificate", format!("no PEM: {error}")))?;
    // What the parser says of a private key may repeat parts of it.
    let key = PrivateKeyDer::from_pem_slice(identity.private_key_pem.as_bytes())
        .map_err(|_| RelyingError::usage("client key", "it is no private key in PEM"))?;
    let config = builder
        .with_client_auth_cert(chain, key)
        .map_err(|error| RelyingError::usage("client certificate", error.to_string()))?;
    Ok(speaking_http1(config))
}

fn speaking_http1(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}
