//! `wrap_key` and `unwrap_key`. RSA keys are PEM, as str or bytes; AES keys are the bytes themselves.

use affiant::crypto::wrap::{
    aes_kwp_unwrap, aes_kwp_wrap, rsa_oaep_aes_kwp_unwrap, rsa_oaep_aes_kwp_wrap, rsa_oaep_unwrap,
    rsa_oaep_wrap,
};
use affiant::crypto::{CryptoError, PrivateKey, PublicKey};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::args::{self, Bytes, Name, Parameters};
use super::failed;
use crate::error;

const NAME: Name = ("name", "name");
const LABEL: Name = ("label", "label");
const AES_KEY_SIZE: Name = ("aesKeySize", "aes_key_size");
const EXAMPLE: &str = r#"{"name": "RSA-OAEP"}"#;
const ALGORITHMS: &str = "RSA-OAEP, AES-KWP, RSA-OAEP-AES-KWP";

/// What the argument `parameters` says.
enum Wrapping {
    RsaOaep {
        label: Option<Vec<u8>>,
    },
    AesKwp,
    /// Unwrapping needs no size.
    RsaOaepAesKwp {
        aes_key_bits: Option<usize>,
        label: Option<Vec<u8>>,
    },
}

impl Wrapping {
    fn of(py: Python<'_>, parameters: &Bound<'_, PyAny>) -> PyResult<Self> {
        let known = [NAME, LABEL, AES_KEY_SIZE];
        let parameters = Parameters::new(parameters, "parameters", &known, EXAMPLE)?;
        let label = || -> PyResult<Option<Vec<u8>>> {
            let Some(label) = parameters.get(LABEL)? else { return Ok(None) };
            Ok(Some(args::bytes(&label, &parameters.path(LABEL))?.to_vec()))
        };
        let (name, path) = (parameters.required(NAME)?, parameters.path(NAME));
        match args::text(&name, &path)? {
            "RSA-OAEP" => Ok(Self::RsaOaep { label: label()? }),
            "AES-KWP" => Ok(Self::AesKwp),
            "RSA-OAEP-AES-KWP" => {
                let aes_key_bits = match parameters.get(AES_KEY_SIZE)? {
                    Some(size) => {
                        Some(args::number(&size, &parameters.path(AES_KEY_SIZE))? as usize)
                    }
                    None => None,
                };
                Ok(Self::RsaOaepAesKwp { aes_key_bits, label: label()? })
            }
            other => Err(error::crypto(
                py,
                &format!(
                    "{path}: unsupported key wrapping algorithm {}, supported: {ALGORITHMS}",
                    args::excerpt(other)
                ),
            )),
        }
    }
}

/// The key around the other: bytes for AES, else a PEM.
fn around<'a>(wrapping: &Wrapping, value: &'a Bound<'_, PyAny>, name: &str) -> PyResult<Bytes<'a>> {
    match wrapping {
        Wrapping::AesKwp => args::bytes(value, name),
        _ => args::text_or_bytes(value, name),
    }
}

#[pyfunction]
pub(super) fn crypto_wrap_key<'py>(
    py: Python<'py>,
    key: &Bound<'py, PyAny>,
    wrapping_key: &Bound<'py, PyAny>,
    parameters: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let wrapping = Wrapping::of(py, parameters)?;
    if let Wrapping::RsaOaepAesKwp { aes_key_bits: None, .. } = wrapping {
        let message = "parameters[\"aesKeySize\"] is missing: 128, 192 or 256 bits";
        return Err(pyo3::exceptions::PyTypeError::new_err(message));
    }
    let key = args::bytes(key, "key")?;
    let around = around(&wrapping, wrapping_key, "wrapping_key")?;
    let wrapped = py.detach(|| {
        let public = || PublicKey::from_pem(pem(&around)?);
        match &wrapping {
            Wrapping::RsaOaep { label } => rsa_oaep_wrap(&public()?, &key, label.as_deref()),
            Wrapping::AesKwp => aes_kwp_wrap(&around, &key),
            Wrapping::RsaOaepAesKwp { aes_key_bits, label } => {
                let bits = aes_key_bits.unwrap_or_default();
                rsa_oaep_aes_kwp_wrap(&public()?, bits, &key, label.as_deref())
            }
        }
    });
    match wrapped {
        Ok(wrapped) => Ok(PyBytes::new(py, &wrapped)),
        Err(error) => Err(failed(py, "Failed to wrap key", "wrapping_key", &error)),
    }
}

#[pyfunction]
pub(super) fn crypto_unwrap_key<'py>(
    py: Python<'py>,
    key: &Bound<'py, PyAny>,
    unwrapping_key: &Bound<'py, PyAny>,
    parameters: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let wrapping = Wrapping::of(py, parameters)?;
    let key = args::bytes(key, "key")?;
    let around = around(&wrapping, unwrapping_key, "unwrapping_key")?;
    let unwrapped = py.detach(|| {
        let private = || PrivateKey::from_pem(pem(&around)?);
        match &wrapping {
            Wrapping::RsaOaep { label } => rsa_oaep_unwrap(&private()?, &key, label.as_deref()),
            Wrapping::AesKwp => aes_kwp_unwrap(&around, &key),
            Wrapping::RsaOaepAesKwp { label, .. } => {
                rsa_oaep_aes_kwp_unwrap(&private()?, &key, label.as_deref())
            }
        }
    });
    match unwrapped {
        Ok(unwrapped) => Ok(PyBytes::new(py, &unwrapped)),
        Err(error) => Err(failed(py, "Failed to unwrap key", "unwrapping_key", &error)),
    }
}

fn pem(bytes: &[u8]) -> Result<&str, CryptoError> {
    core::str::from_utf8(bytes)
        .map_err(|_| CryptoError::InvalidKey("the key is not PEM text".to_owned()))
}
