//! `ccf.crypto` (reference A.8), over [`affiant::crypto`]: what `affiant.ccf.crypto` groups and documents.
//!
//! Rules
//! * A wrong type is a `TypeError` that names the argument; a key, a certificate, a size or a name that
//!   does not do is a `ccf.CryptoError` with CCF's words before it. Neither quotes key material.
//! * What takes long lets go of the GIL; nothing here needs a running request.

pub(crate) mod args;
mod certificates;
mod jwk;
mod keys;
mod sign;
mod typed;
mod wrap;

use affiant::crypto::{CryptoError, Hash};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error;
use crate::limits::DETACH_BYTES_MIN;

/// Everything here, into a module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<keys::KeyPair>()?;
    module.add_function(wrap_pyfunction!(keys::crypto_generate_aes_key, module)?)?;
    module.add_function(wrap_pyfunction!(keys::crypto_generate_rsa_key_pair, module)?)?;
    module.add_function(wrap_pyfunction!(keys::crypto_generate_ecdsa_key_pair, module)?)?;
    module.add_function(wrap_pyfunction!(keys::crypto_generate_eddsa_key_pair, module)?)?;
    module.add_function(wrap_pyfunction!(sign::crypto_sign, module)?)?;
    module.add_function(wrap_pyfunction!(sign::crypto_verify_signature, module)?)?;
    module.add_function(wrap_pyfunction!(typed::crypto_sign_typed, module)?)?;
    module.add_function(wrap_pyfunction!(typed::crypto_verify_typed, module)?)?;
    module.add_function(wrap_pyfunction!(crypto_digest, module)?)?;
    module.add_function(wrap_pyfunction!(wrap::crypto_wrap_key, module)?)?;
    module.add_function(wrap_pyfunction!(wrap::crypto_unwrap_key, module)?)?;
    module.add_function(wrap_pyfunction!(certificates::crypto_pem_to_id, module)?)?;
    module.add_function(wrap_pyfunction!(certificates::crypto_is_valid_bundle, module)?)?;
    module.add_function(wrap_pyfunction!(certificates::crypto_is_valid_chain, module)?)?;
    module.add_function(wrap_pyfunction!(jwk::crypto_public_pem_to_jwk, module)?)?;
    module.add_function(wrap_pyfunction!(jwk::crypto_private_pem_to_jwk, module)?)?;
    module.add_function(wrap_pyfunction!(jwk::crypto_public_jwk_to_pem, module)?)?;
    module.add_function(wrap_pyfunction!(jwk::crypto_private_jwk_to_pem, module)?)?;
    Ok(())
}

#[pyfunction]
fn crypto_digest<'py>(
    py: Python<'py>,
    algorithm: &Bound<'py, PyAny>,
    data: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let hash = args::hash(args::text(algorithm, "algorithm")?, py, "algorithm")?;
    let data = args::bytes(data, "data")?;
    Ok(PyBytes::new(py, &over(py, &data, |data| hash.digest(data))))
}

/// Runs `run` over `data`, without the GIL if that may take long.
fn over<R: Send>(py: Python<'_>, data: &[u8], run: impl FnOnce(&[u8]) -> R + Send) -> R {
    if data.len() < DETACH_BYTES_MIN { run(data) } else { py.detach(|| run(data)) }
}

/// `ccf.CryptoError` for a failure, with what was being done, and the argument if it is the key's fault.
fn failed(py: Python<'_>, doing: &str, key: &str, error: &CryptoError) -> PyErr {
    match error {
        CryptoError::InvalidKey(reason) => error::crypto(py, &format!("{doing}: {key}: {reason}")),
        other => error::crypto(py, &format!("{doing}: {other}")),
    }
}

/// The names of all hashes, for messages.
fn hash_names() -> String {
    Hash::ALL.map(Hash::name).join(", ")
}
