//! Conversions between PEM and JWK: four functions here, of which Python makes CCF's twelve.

use affiant::crypto::jwk::{self, Family};
use affiant::crypto::{CryptoError, PrivateKey, PublicKey};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use zeroize::Zeroizing;

use super::{args, failed};
use crate::{error, json};

const TO_JWK_FAILED: &str = "Failed to convert pem to jwk";
const TO_PEM_FAILED: &str = "Failed to convert jwk to pem";

/// What is read of a JWK; other members are ignored.
const MEMBERS: [&str; 12] = ["kty", "crv", "x", "y", "d", "n", "e", "p", "q", "dp", "dq", "qi"];

fn family_of(kty: &str) -> PyResult<Family> {
    match kty {
        "EC" => Ok(Family::Ec),
        "RSA" => Ok(Family::Rsa),
        "OKP" => Ok(Family::Okp),
        _ => Err(PyValueError::new_err("family must be EC, RSA or OKP")),
    }
}

#[pyfunction]
pub(super) fn crypto_public_pem_to_jwk<'py>(
    py: Python<'py>,
    family: &str,
    pem: &Bound<'py, PyAny>,
    kid: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    to_jwk(py, family_of(family)?, pem, kid, |family, pem, kid| {
        let key = PublicKey::from_pem(pem)?;
        family.check(key.kind())?;
        Ok(Zeroizing::new(jwk::from_public_key(&key, kid)?.to_string()))
    })
}

#[pyfunction]
pub(super) fn crypto_private_pem_to_jwk<'py>(
    py: Python<'py>,
    family: &str,
    pem: &Bound<'py, PyAny>,
    kid: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    to_jwk(py, family_of(family)?, pem, kid, |family, pem, kid| {
        let key = PrivateKey::from_pem(pem)?;
        family.check(key.kind())?;
        jwk::from_private_key(&key, kid)
    })
}

/// JSON text of a PEM, with a key id if there is one.
type Conversion = fn(Family, &str, Option<&str>) -> Result<Zeroizing<String>, CryptoError>;

fn to_jwk<'py>(
    py: Python<'py>,
    family: Family,
    pem: &Bound<'py, PyAny>,
    kid: Option<&Bound<'py, PyAny>>,
    convert: Conversion,
) -> PyResult<Bound<'py, PyAny>> {
    let bytes = args::text_or_bytes(pem, "pem")?;
    let pem = args::pem(&bytes, py, "pem")?;
    let kid = kid.map(|kid| args::text(kid, "kid")).transpose()?;
    match py.detach(|| convert(family, pem, kid)) {
        Ok(jwk) => json::loads(py, jwk.as_bytes()),
        Err(error) => Err(failed(py, TO_JWK_FAILED, "pem", &error)),
    }
}

#[pyfunction]
pub(super) fn crypto_public_jwk_to_pem(
    py: Python<'_>,
    family: &str,
    jwk: &Bound<'_, PyAny>,
) -> PyResult<String> {
    let family = family_of(family)?;
    let text = text_of(jwk)?;
    let pem = py.detach(|| {
        let key = jwk::public_key_from_text(&text)?;
        family.check(key.kind())?;
        Ok(key.to_pem())
    });
    pem.map_err(|error| failed(py, TO_PEM_FAILED, "jwk", &error))
}

#[pyfunction]
pub(super) fn crypto_private_jwk_to_pem<'py>(
    py: Python<'py>,
    family: &str,
    jwk: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyString>> {
    let family = family_of(family)?;
    let text = text_of(jwk)?;
    let pem = py.detach(|| {
        let key = jwk::private_key_from_text(&text)?;
        family.check(key.kind())?;
        key.to_pem()
    });
    match pem {
        Ok(pem) => Ok(PyString::new(py, &pem)),
        Err(error) => Err(failed(py, TO_PEM_FAILED, "jwk", &error)),
    }
}

/// The members of a JWK as JSON text, wiped when it is dropped.
fn text_of(jwk: &Bound<'_, PyAny>) -> PyResult<Zeroizing<String>> {
    let Ok(dict) = jwk.cast::<PyDict>() else {
        return Err(args::wrong(jwk, "jwk", "a dict such as {\"kty\": \"EC\", ...}"));
    };
    let mut members = Vec::with_capacity(MEMBERS.len());
    for name in MEMBERS {
        let Some(value) = dict.get_item(name)? else { continue };
        let text = args::text(&value, &format!("jwk[{name:?}]"))?;
        // Nothing of base64url or of a curve's name needs an escape.
        if text.chars().any(|one| one < ' ' || one == '"' || one == '\\') {
            let message = format!("{TO_PEM_FAILED}: jwk: JWK: {name} is not base64url");
            return Err(error::crypto(jwk.py(), &message));
        }
        members.push((name, value));
    }
    // Large enough from the start, so that no copy is left behind by growing.
    let mut length = 2;
    for (name, value) in &members {
        length += name.len() + args::text(value, name)?.len() + 6;
    }
    let mut text = Zeroizing::new(String::with_capacity(length));
    text.push('{');
    for (position, (name, value)) in members.iter().enumerate() {
        if position > 0 {
            text.push(',');
        }
        for part in ["\"", name, "\":\"", args::text(value, name)?, "\""] {
            text.push_str(part);
        }
    }
    text.push('}');
    Ok(text)
}
