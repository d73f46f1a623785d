//! `sign` and `verify_signature` in CCF's form: the caller says the algorithm.

use affiant::crypto::signature::{self, SignatureAlgorithm};
use affiant::crypto::{CryptoError, Hash, PrivateKey, PublicKey, hmac_sign, hmac_verify};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::args::{self, Name, Parameters};
use super::{failed, over};
use crate::error;

const NAME: Name = ("name", "name");
const HASH: Name = ("hash", "hash");
const SALT_LENGTH: Name = ("saltLength", "salt_length");
const EXAMPLE: &str = r#"{"name": "ECDSA", "hash": "SHA-256"}"#;
const ALGORITHMS: &str = "RSA-PSS, ECDSA, EdDSA, HMAC";

/// What the argument `algorithm` says.
#[derive(Clone, Copy)]
enum Scheme {
    Asymmetric(SignatureAlgorithm),
    Hmac(Hash),
}

impl Scheme {
    fn of(py: Python<'_>, algorithm: &Bound<'_, PyAny>) -> PyResult<Self> {
        let known = [NAME, HASH, SALT_LENGTH];
        let parameters = Parameters::new(algorithm, "algorithm", &known, EXAMPLE)?;
        let name = parameters.required(NAME)?;
        let hash = || {
            let name = parameters.required(HASH)?;
            let path = parameters.path(HASH);
            args::hash(args::text(&name, &path)?, py, &path)
        };
        let path = parameters.path(NAME);
        match args::text(&name, &path)? {
            "EdDSA" => Ok(Self::Asymmetric(SignatureAlgorithm::EdDsa)),
            "ECDSA" => Ok(Self::Asymmetric(SignatureAlgorithm::Ecdsa { hash: hash()? })),
            "HMAC" => Ok(Self::Hmac(hash()?)),
            "RSA-PSS" => {
                let salt_bytes = match parameters.get(SALT_LENGTH)? {
                    Some(length) => args::number(&length, &parameters.path(SALT_LENGTH))?,
                    None => 0,
                };
                let salt_bytes = salt_bytes as usize;
                Ok(Self::Asymmetric(SignatureAlgorithm::RsaPss { hash: hash()?, salt_bytes }))
            }
            other => Err(error::crypto(
                py,
                &format!(
                    "{path}: unsupported signing algorithm {}, supported: {ALGORITHMS}",
                    args::excerpt(other)
                ),
            )),
        }
    }
}

#[pyfunction]
pub(super) fn crypto_sign<'py>(
    py: Python<'py>,
    algorithm: &Bound<'py, PyAny>,
    key: &Bound<'py, PyAny>,
    data: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let scheme = Scheme::of(py, algorithm)?;
    let key = args::text_or_bytes(key, "key")?;
    let data = args::bytes(data, "data")?;
    let signed = match scheme {
        Scheme::Hmac(hash) => Ok(over(py, &data, |data| hmac_sign(hash, &key, data))),
        Scheme::Asymmetric(algorithm) => {
            let pem = args::pem(&key, py, "key")?;
            py.detach(|| {
                let key = PrivateKey::from_pem(pem)?;
                signature::sign(algorithm, &key, &data)
            })
        }
    };
    match signed {
        Ok(signature) => Ok(PyBytes::new(py, &signature)),
        Err(error) => Err(failed(py, "Failed to sign", "key", &error)),
    }
}

#[pyfunction]
pub(super) fn crypto_verify_signature<'py>(
    py: Python<'py>,
    algorithm: &Bound<'py, PyAny>,
    key: &Bound<'py, PyAny>,
    signature: &Bound<'py, PyAny>,
    data: &Bound<'py, PyAny>,
) -> PyResult<bool> {
    let scheme = Scheme::of(py, algorithm)?;
    let key = args::text_or_bytes(key, "key")?;
    let signature = args::bytes(signature, "signature")?;
    let data = args::bytes(data, "data")?;
    let verified = match scheme {
        Scheme::Hmac(hash) => Ok(over(py, &data, |data| hmac_verify(hash, &key, data, &signature))),
        Scheme::Asymmetric(algorithm) => {
            let pem = args::pem(&key, py, "key")?;
            py.detach(|| verify(algorithm, pem, &data, &signature))
        }
    };
    verified.map_err(|error| failed(py, "Failed to verify signature", "key", &error))
}

fn verify(
    algorithm: SignatureAlgorithm,
    pem: &str,
    data: &[u8],
    signature: &[u8],
) -> Result<bool, CryptoError> {
    let key = PublicKey::from_pem(pem)?;
    if signature::verify(algorithm, &key, data, signature)? {
        return Ok(true);
    }
    match algorithm {
        // With a certificate CCF takes no salt, whatever it is told.
        SignatureAlgorithm::RsaPss { hash, salt_bytes }
            if salt_bytes > 0 && pem.starts_with("-----BEGIN CERTIFICATE") =>
        {
            let algorithm = SignatureAlgorithm::RsaPss { hash, salt_bytes: 0 };
            signature::verify(algorithm, &key, data, signature)
        }
        _ => Ok(false),
    }
}
