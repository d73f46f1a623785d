//! Fresh keys.

use affiant::crypto::generate::{aes_key, ec_key, ed25519_key, rsa_key, x25519_key};
use affiant::crypto::{CryptoError, EcCurve, PrivateKey};
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use zeroize::Zeroizing;

use super::{args, failed};
use crate::error;

/// A private key and its public half, as PEM texts.
///
/// `pair.private_key`, `pair.public_key`; also by item, with CCF's names: `pair["privateKey"]`. It has no
/// JSON form and its repr shows no key, so that a private key is not answered or logged by accident.
#[pyclass(module = "ccf.crypto", name = "KeyPair", frozen)]
pub(crate) struct KeyPair {
    private: Zeroizing<String>,
    public: String,
    kind: String,
}

#[pymethods]
impl KeyPair {
    /// The private key: PEM, PKCS#8, unencrypted.
    #[getter]
    fn private_key(&self) -> &str {
        &self.private
    }

    /// The public key: PEM, SubjectPublicKeyInfo.
    #[getter]
    fn public_key(&self) -> &str {
        &self.public
    }

    fn __getitem__(&self, name: &Bound<'_, PyAny>) -> PyResult<&str> {
        match args::text(name, "the name of a key")? {
            "privateKey" | "private_key" => Ok(&self.private),
            "publicKey" | "public_key" => Ok(&self.public),
            _ => Err(PyKeyError::new_err("a key pair has privateKey and publicKey")),
        }
    }

    /// CCF's names of the two: `dict(pair)` is what CCF gives.
    #[expect(clippy::unused_self, reason = "a method in Python")]
    fn keys(&self) -> [&'static str; 2] {
        ["privateKey", "publicKey"]
    }

    fn __repr__(&self) -> String {
        format!("<KeyPair {}>", self.kind)
    }
}

#[pyfunction]
pub(super) fn crypto_generate_aes_key<'py>(
    py: Python<'py>,
    size_bits: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let bits = args::number(size_bits, "size_bits")?;
    let key = aes_key(bits as usize)
        .map_err(|error| failed(py, "Failed to generate AES key", "size_bits", &error))?;
    Ok(PyBytes::new(py, &key))
}

#[pyfunction]
pub(super) fn crypto_generate_rsa_key_pair(
    py: Python<'_>,
    size_bits: &Bound<'_, PyAny>,
    exponent: &Bound<'_, PyAny>,
) -> PyResult<KeyPair> {
    let bits = args::number(size_bits, "size_bits")?;
    let exponent = args::number(exponent, "exponent")?;
    pair(py, "RSA", || rsa_key(bits, exponent))
}

#[pyfunction]
pub(super) fn crypto_generate_ecdsa_key_pair(
    py: Python<'_>,
    curve: &Bound<'_, PyAny>,
) -> PyResult<KeyPair> {
    let curve = match args::text(curve, "curve")? {
        "secp256r1" => EcCurve::P256,
        "secp384r1" => EcCurve::P384,
        "secp521r1" => EcCurve::P521,
        other => return Err(no_curve(py, other, "secp256r1, secp384r1, secp521r1")),
    };
    pair(py, "ECDSA", || ec_key(curve))
}

#[pyfunction]
pub(super) fn crypto_generate_eddsa_key_pair(
    py: Python<'_>,
    curve: &Bound<'_, PyAny>,
) -> PyResult<KeyPair> {
    match args::text(curve, "curve")? {
        "curve25519" => pair(py, "EdDSA", ed25519_key),
        "x25519" => pair(py, "EdDSA", x25519_key),
        other => Err(no_curve(py, other, "curve25519, x25519")),
    }
}

fn no_curve(py: Python<'_>, name: &str, supported: &str) -> PyErr {
    let shown = args::excerpt(name);
    error::crypto(py, &format!("curve: unsupported curve id {shown}, supported: {supported}"))
}

fn pair(
    py: Python<'_>,
    name: &str,
    make: impl FnOnce() -> Result<PrivateKey, CryptoError> + Send,
) -> PyResult<KeyPair> {
    let made = py.detach(|| {
        let key = make()?;
        let public = key.public_key()?.to_pem();
        Ok(KeyPair { private: key.to_pem()?, public, kind: key.kind().to_string() })
    });
    made.map_err(|error| failed(py, &format!("Failed to generate {name} key pair"), "key", &error))
}
