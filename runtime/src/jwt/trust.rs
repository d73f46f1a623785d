//! Whom a node believes when it fetches an issuer's keys: the certificates of one bundle.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use crate::auth::PeerCertificate;
use crate::limits::CA_BUNDLE_COUNT_MAX;

/// A client configuration that trusts exactly the certificates in `bundle_pem`.
///
/// # Errors
/// There is none in it, or one that cannot be read.
pub(super) fn client_config(bundle_pem: &str) -> Result<Arc<ClientConfig>, String> {
    let certificates: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(bundle_pem.as_bytes())
            .take(CA_BUNDLE_COUNT_MAX + 1)
            .collect::<Result<_, _>>()
            .map_err(|error| format!("it is not PEM: {error}"))?;
    if certificates.len() > CA_BUNDLE_COUNT_MAX {
        return Err(format!("it holds more than {CA_BUNDLE_COUNT_MAX} certificates"));
    }
    let mut roots = RootCertStore::empty();
    for certificate in &certificates {
        roots
            .add(certificate.clone())
            .map_err(|error| format!("a certificate of it cannot be used: {error}"))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| format!("it cannot be used: {error}"))?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS: {error}"))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Bundle { certificates, inner }))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Beside chains that end in the bundle, takes a certificate that is itself in the bundle: that is
/// how a self-signed server is trusted, and its certificate is often marked as an authority's, which
/// the library refuses as a server's.
#[derive(Debug)]
struct Bundle {
    certificates: Vec<CertificateDer<'static>>,
    inner: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for Bundle {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if !self.certificates.iter().any(|known| known.as_ref() == end_entity.as_ref()) {
            return self.inner.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                now,
            );
        }
        verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        PeerCertificate::from_der(end_entity)
            .valid_at(i64::try_from(now.as_secs()).unwrap_or(i64::MAX))
            .map_err(|_| Error::InvalidCertificate(CertificateError::Expired))?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
