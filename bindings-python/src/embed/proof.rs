//! Receipts, checked offline.

use affiant_proof::{Digest, ExpectedClaims, Outcome, VerifyOptions, verify_receipt as verify};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Form, validity, transaction id, and the checks: name, outcome, explanation.
type Found = (&'static str, bool, Option<String>, Vec<(&'static str, &'static str, String)>);

/// Checks a receipt, JSON or COSE, against a service's certificate. `claims` are what was hashed,
/// `claims_digest` its SHA-256, `now` the time in unix seconds at which certificates must be valid.
///
/// Raises `ValueError` if one of them cannot be read at all.
#[pyfunction]
#[pyo3(signature = (receipt, certificate, claims=None, claims_digest=None, now=None))]
pub(super) fn verify_receipt(
    py: Python<'_>,
    receipt: Vec<u8>,
    certificate: &str,
    claims: Option<Vec<u8>>,
    claims_digest: Option<Vec<u8>>,
    now: Option<u64>,
) -> PyResult<Found> {
    let digest = claims_digest.map(<[u8; 32]>::try_from).transpose();
    let digest = digest.map_err(|_| PyValueError::new_err("a claims digest is 32 bytes long"))?;
    let expected = match (&claims, digest) {
        (Some(_), Some(_)) => {
            let message = "give claims or claims_digest, not both";
            return Err(PyValueError::new_err(message));
        }
        (Some(bytes), None) => ExpectedClaims::Preimage(bytes),
        (None, Some(digest)) => ExpectedClaims::Digest(Digest(digest)),
        (None, None) => ExpectedClaims::Any,
    };
    let options = VerifyOptions { now, claims: expected };
    let verified = py.detach(|| verify(&receipt, certificate, &options));
    let (form, verdict) = verified.map_err(|error| PyValueError::new_err(error.to_string()))?;
    let checks = verdict.checks.iter().map(|check| {
        let outcome = match check.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => "failed",
            Outcome::Skipped => "skipped",
        };
        (check.name, outcome, check.explanation.clone())
    });
    let txid = verdict.txid.map(|txid| txid.to_string());
    Ok((form.as_str(), verdict.is_valid(), txid, checks.collect()))
}
