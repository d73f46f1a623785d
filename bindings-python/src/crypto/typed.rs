//! The typed layer: `sign(data, key)` and `verify(data, key, signature)`. The key says how: EC keys ECDSA
//! with their curve's hash, RSA keys RSA-PSS with SHA-256 and 32 bytes of salt, Ed25519 keys EdDSA. Text is
//! signed as UTF-8, bytes as they are, any other value as its JSON. A signature is base64 text, since it
//! mostly goes into a JSON body.

use affiant::crypto::signature::{self, SignatureAlgorithm};
use affiant::crypto::{PrivateKey, PublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView, PyString};
use zeroize::Zeroizing;

use super::args::{self, Bytes};
use super::failed;
use crate::json;
use crate::request::Body;

#[pyfunction]
pub(super) fn crypto_sign_typed(
    py: Python<'_>,
    data: &Bound<'_, PyAny>,
    key: &Bound<'_, PyAny>,
) -> PyResult<String> {
    let data = signed_bytes(data)?;
    let key = args::text_or_bytes(key, "key")?;
    let pem = args::pem(&key, py, "key")?;
    let signed = py.detach(|| {
        let key = PrivateKey::from_pem(pem)?;
        signature::sign(SignatureAlgorithm::for_key(key.kind())?, &key, &data)
    });
    match signed {
        Ok(signature) => Ok(STANDARD.encode(signature)),
        Err(error) => Err(failed(py, "Failed to sign", "key", &error)),
    }
}

#[pyfunction]
pub(super) fn crypto_verify_typed(
    py: Python<'_>,
    data: &Bound<'_, PyAny>,
    key: &Bound<'_, PyAny>,
    signature: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    let data = signed_bytes(data)?;
    let key = args::text_or_bytes(key, "key")?;
    let pem = args::pem(&key, py, "key")?;
    let bytes = match signature.cast::<PyString>() {
        // What is not base64 is no signature of anything.
        Ok(text) => text.to_str().ok().and_then(|text| STANDARD.decode(text).ok()),
        Err(_) => match args::bytes(signature, "signature") {
            Ok(bytes) => Some(bytes.to_vec()),
            Err(_) => return Err(args::wrong(signature, "signature", "base64 in str, or bytes")),
        },
    };
    let verified = py.detach(|| {
        let key = PublicKey::from_pem(pem)?;
        let algorithm = SignatureAlgorithm::for_key(key.kind())?;
        match &bytes {
            Some(bytes) => signature::verify(algorithm, &key, &data, bytes),
            None => Ok(false),
        }
    });
    verified.map_err(|error| failed(py, "Failed to verify signature", "key", &error))
}

/// What is signed of `value`.
fn signed_bytes<'a>(value: &'a Bound<'_, PyAny>) -> PyResult<Bytes<'a>> {
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(Bytes::Lent(args::utf8(text, "data")?.as_bytes()));
    }
    if value.is_instance_of::<PyBytes>()
        || value.is_instance_of::<PyByteArray>()
        || value.is_instance_of::<PyMemoryView>()
    {
        return args::bytes(value, "data");
    }
    if value.is_instance_of::<Body>() {
        let body = value.call_method0("bytes")?;
        return Ok(Bytes::Copied(Zeroizing::new(body.cast::<PyBytes>()?.as_bytes().to_vec())));
    }
    match json::dumps(value) {
        Ok(text) => Ok(Bytes::Copied(Zeroizing::new(text))),
        Err(error) => {
            let py = value.py();
            // A time limit, say, is not the value's fault.
            if !error.is_instance_of::<PyTypeError>(py) && !error.is_instance_of::<PyValueError>(py)
            {
                return Err(error);
            }
            let reason = error.value(py).to_string();
            let message = format!("data must be str, bytes or a value that has JSON: {reason}");
            Err(PyTypeError::new_err(message))
        }
    }
}
