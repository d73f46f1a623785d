//! Somebody with a certificate, for tests and examples: a key of its own, and a certificate that the
//! ledger can be told of.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use affiant::Peer;
use affiant::auth::PeerCertificate;
use affiant::crypto::{CertificateRequest, Curve, SigningKey, SubjectName};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use zeroize::Zeroizing;

const VALIDITY_DAYS: u32 = 365;
const HOUR_S: u64 = 3_600;

/// A person's name, certificate and private key.
#[pyclass(module = "affiant._native", frozen)]
pub(crate) struct Identity {
    #[pyo3(get)]
    name: String,
    #[pyo3(get)]
    certificate: String,
    private_key: Zeroizing<String>,
    id: Arc<str>,
}

impl Identity {
    pub(crate) fn certificate(&self) -> &str {
        &self.certificate
    }
}

/// An identity at the other end of one node's connections: it remembers as whom it was found there.
#[pyclass(module = "affiant._native", frozen)]
pub(crate) struct Visitor(Peer);

impl Visitor {
    /// As if a handshake had proved the key.
    pub(crate) fn new(certificate: &str) -> Result<Self, String> {
        let certificate = PeerCertificate::from_pem(certificate)?;
        Ok(Self(Peer::Certificate(Arc::new(certificate))))
    }

    pub(crate) fn peer(&self) -> Peer {
        self.0.clone()
    }
}

#[pymethods]
impl Identity {
    /// Makes a key and a self-signed certificate for `name`.
    #[new]
    fn new(py: Python<'_>, name: String) -> PyResult<Self> {
        let made = py.detach(|| make(&name)).map_err(PyValueError::new_err)?;
        let (certificate, private_key) = made;
        let parsed = PeerCertificate::from_pem(&certificate).map_err(PyValueError::new_err)?;
        Ok(Self { name, private_key, id: parsed.id().clone(), certificate })
    }

    /// The private key, PKCS#8 in PEM.
    #[getter]
    fn private_key(&self) -> &str {
        &self.private_key
    }

    /// Hex SHA-256 of the certificate: the id of the user.
    #[getter]
    fn id(&self) -> &str {
        &self.id
    }

    fn __repr__(&self) -> String {
        format!("<Identity {:?} {}>", self.name, self.id.get(..16).unwrap_or_default())
    }
}

fn make(name: &str) -> Result<(String, Zeroizing<String>), String> {
    let failed = |error: affiant_kv::KeyError| error.to_string();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let key = SigningKey::generate(Curve::P384).map_err(failed)?;
    let request = CertificateRequest {
        subject: SubjectName::common(name),
        subject_alt_names: Vec::new(),
        valid_from_unix_s: now.saturating_sub(HOUR_S),
        validity_days: VALIDITY_DAYS,
    };
    let certificate = request.self_signed_person(&key).map_err(failed)?.pem;
    Ok((certificate, key.to_pem().map_err(failed)?))
}
