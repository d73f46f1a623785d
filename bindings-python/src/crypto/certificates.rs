//! Are these certificates, and does this one lead to a trusted one?

use std::time::{SystemTime, UNIX_EPOCH};

use affiant::crypto::{Hash, x509};
use pyo3::prelude::*;

use super::args;
use crate::error;

/// The id that the tables have for the holder of a certificate: SHA-256 of its DER, in hex.
#[pyfunction]
pub(super) fn crypto_pem_to_id(py: Python<'_>, pem: &Bound<'_, PyAny>) -> PyResult<String> {
    let fail = |reason: &str| error::crypto(py, &format!("Failed to parse PEM: {reason}"));
    let bytes = args::text_or_bytes(pem, "pem")?;
    let pem = args::pem(&bytes, py, "pem")?;
    let found = x509::certificates(pem).map_err(|refused| fail(&refused.to_string()))?;
    match found.as_slice() {
        [der] => Ok(Hash::Sha256.digest(der).iter().map(|byte| format!("{byte:02x}")).collect()),
        [] => Err(fail("there is no certificate")),
        _ => Err(fail("there are several certificates; give one")),
    }
}

#[pyfunction]
pub(super) fn crypto_is_valid_bundle(py: Python<'_>, pem: &Bound<'_, PyAny>) -> PyResult<bool> {
    let bundle = args::text_or_bytes(pem, "pem")?;
    Ok(py.detach(|| core::str::from_utf8(&bundle).is_ok_and(|pem| x509::certificates(pem).is_ok())))
}

#[pyfunction]
pub(super) fn crypto_is_valid_chain(
    py: Python<'_>,
    chain: &Bound<'_, PyAny>,
    trusted: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    let chain = args::text_or_bytes(chain, "chain")?;
    let trusted = args::text_or_bytes(trusted, "trusted")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    Ok(py.detach(|| match (core::str::from_utf8(&chain), core::str::from_utf8(&trusted)) {
        (Ok(chain), Ok(trusted)) => x509::verify_chain(chain, trusted, now).is_ok(),
        _ => false,
    }))
}
