//! The harness as a client: a user's certificate, and TLS settings that trust one service.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A user of the node under test.
#[derive(Clone)]
pub struct Identity {
    /// The user's certificate as PEM.
    pub certificate_pem: String,
    key_pem: String,
}

impl Identity {
    /// Makes a key (P-256) and a self-signed certificate.
    ///
    /// # Errors
    /// The key library failed.
    pub fn generate(name: &str) -> io::Result<Self> {
        let key = rcgen::KeyPair::generate().map_err(io::Error::other)?;
        let mut parameters =
            rcgen::CertificateParams::new(Vec::<String>::new()).map_err(io::Error::other)?;
        parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
        let certificate = parameters.self_signed(&key).map_err(io::Error::other)?;
        Ok(Self { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() })
    }

    /// A user whose certificate and key are in files.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn read(certificate: &Path, key: &Path) -> io::Result<Self> {
        Ok(Self {
            certificate_pem: std::fs::read_to_string(certificate)?,
            key_pem: std::fs::read_to_string(key)?,
        })
    }

    /// Settings for connections to the service with that certificate, as this user.
    ///
    /// # Errors
    /// The service's certificate cannot be read.
    pub fn client(
        &self,
        service_certificate_pem: &str,
        alpn: &[u8],
    ) -> io::Result<Arc<rustls::ClientConfig>> {
        let certificate =
            |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).map_err(io::Error::other);
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate(service_certificate_pem)?).map_err(io::Error::other)?;
        let key =
            PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).map_err(io::Error::other)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![certificate(&self.certificate_pem)?], key)
            .map_err(io::Error::other)?;
        config.alpn_protocols = vec![alpn.to_vec()];
        Ok(Arc::new(config))
    }
}

impl core::fmt::Debug for Identity {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Identity").field("certificate_pem", &self.certificate_pem).finish()
    }
}
