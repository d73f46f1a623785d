//! TLS for the listeners: rustls on aws-lc-rs, TLS 1.2 and 1.3 (reference B.10).
//!
//! A client certificate is asked for and never required. Its chain is not verified, since users and
//! members sign their own; the handshake's signature is, so that a session with a certificate
//! belongs to someone who holds the key. Whether the certificate admits anybody is the policies'
//! to say, for each request.

use core::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, SignatureScheme};
use x509_cert::Certificate;
use x509_cert::der::{self, Decode as _, Encode as _};

use crate::http::Protocols;

/// The listeners could not be given a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsError(String);

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TLS: {}", self.0)
    }
}

impl core::error::Error for TlsError {}

fn failed(what: &'static str) -> impl Fn(&dyn fmt::Display) -> TlsError {
    move |error| TlsError(format!("{what}: {error}"))
}

fn provider() -> CryptoProvider {
    use rustls::crypto::aws_lc_rs::{cipher_suite as suite, default_provider, kx_group};
    CryptoProvider {
        cipher_suites: vec![
            suite::TLS13_AES_128_GCM_SHA256,
            suite::TLS13_AES_256_GCM_SHA384,
            suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        ],
        kx_groups: vec![
            kx_group::X25519MLKEM768,
            kx_group::X25519,
            kx_group::SECP256R1,
            kx_group::SECP384R1,
        ],
        ..default_provider()
    }
}

/// The server's certificate and key, replaced while listeners run when the node's are renewed.
#[derive(Debug)]
pub(crate) struct ServerIdentity(ArcSwap<CertifiedKey>);

impl ServerIdentity {
    /// `chain_pem` starts with the server's own certificate; the key is PKCS#8.
    pub(crate) fn new(chain_pem: &str, key_pkcs8_der: &[u8]) -> Result<Self, TlsError> {
        Ok(Self(ArcSwap::from_pointee(certified(chain_pem, key_pkcs8_der)?)))
    }

    /// Shows another certificate of the same key from the next handshake on; returns whether it was
    /// another one.
    pub(crate) fn replace(&self, chain_pem: &str, key_pkcs8_der: &[u8]) -> Result<bool, TlsError> {
        let new = certified(chain_pem, key_pkcs8_der)?;
        let changed = self.0.load().cert != new.cert;
        if changed {
            self.0.store(Arc::new(new));
        }
        Ok(changed)
    }
}

fn certified(chain_pem: &str, key_pkcs8_der: &[u8]) -> Result<CertifiedKey, TlsError> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain_pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| failed("server certificate")(&error))?;
    if chain.is_empty() {
        return Err(TlsError("the server has no certificate".to_owned()));
    }
    let key = PrivateKeyDer::Pkcs8(key_pkcs8_der.into());
    let signer = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key)
        .map_err(|error| failed("server key")(&error))?;
    let certified = CertifiedKey::new(chain, signer);
    certified.keys_match().map_err(|error| failed("server certificate and key")(&error))?;
    Ok(certified)
}

impl ResolvesServerCert for ServerIdentity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// The configuration of a listener.
pub(crate) fn server_config(
    identity: Arc<ServerIdentity>,
    protocols: Protocols,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(provider());
    let verifier = Arc::new(AnyClient { algorithms: provider.signature_verification_algorithms });
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| failed("protocol versions")(&error))?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(identity);
    config.alpn_protocols = match protocols {
        Protocols::Http1 => vec![b"http/1.1".to_vec()],
        Protocols::Http2 => vec![b"h2".to_vec()],
        Protocols::Both => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
    };
    // One ticket per handshake is enough for clients that come back.
    config.send_tls13_tickets = 1;
    Ok(Arc::new(config))
}

/// Whether the bare key of a certificate signed the handshake (TLS 1.3): certificates of version 1, as
/// older tools write them, are welcome.
pub(crate) fn signed_by_key_of(
    certificate: &CertificateDer<'_>,
    message: &[u8],
    signed: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, rustls::Error> {
    let key = public_key_der(certificate)
        .map_err(|_| rustls::Error::InvalidCertificate(CertificateError::BadEncoding))?;
    verify_tls13_signature_with_raw_key(
        message,
        &SubjectPublicKeyInfoDer::from(key),
        signed,
        algorithms,
    )
}

/// The SubjectPublicKeyInfo of a certificate, DER, whatever its kind. Whoever judges the key of a
/// connection takes it from here, as the handshake does.
pub(crate) fn public_key_der(certificate: &[u8]) -> der::Result<Vec<u8>> {
    Certificate::from_der(certificate)?.tbs_certificate().subject_public_key_info().to_der()
}

#[derive(Debug)]
struct AnyClient {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        signed_by_key_of(certificate, message, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
