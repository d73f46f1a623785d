//! Are these certificates, and does this one lead to a trusted one?

use std::time::{SystemTime, UNIX_EPOCH};

use affiant::crypto::x509;
use pyo3::prelude::*;

use super::args;

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
