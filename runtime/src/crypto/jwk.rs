//! JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037): EC, RSA, Ed25519 and X25519.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::error::CryptoError;
use super::public_key::{EcCurve, PublicKey};
use crate::limits::JWK_MEMBER_CHARS_MAX;

/// Base64url; writes no padding, as RFC 7515 wants, and reads either.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The members that are looked at; others are ignored.
#[derive(Deserialize)]
struct Members<'a> {
    kty: &'a str,
    crv: Option<&'a str>,
    x: Option<&'a str>,
    y: Option<&'a str>,
    n: Option<&'a str>,
    e: Option<&'a str>,
}

/// The DER `SubjectPublicKeyInfo` of the public key in `jwk` (private members are ignored).
///
/// # Errors
/// A member is missing or malformed, or the key is of no supported kind.
pub fn public_key_der(jwk: &Value) -> Result<Vec<u8>, CryptoError> {
    Ok(public_key(jwk)?.to_der().to_vec())
}

/// The public key in `jwk` (private members are ignored).
///
/// # Errors
/// A member is missing or malformed, or the key is of no supported kind.
pub fn public_key(jwk: &Value) -> Result<PublicKey, CryptoError> {
    public_of(&Members::deserialize(jwk).map_err(malformed)?)
}

fn public_of(jwk: &Members<'_>) -> Result<PublicKey, CryptoError> {
    match jwk.kty {
        "EC" => {
            let curve = curve_of(jwk)?;
            PublicKey::from_ec_bytes(curve, &point_of(jwk, curve)?)
        }
        "RSA" => PublicKey::from_rsa(&bytes("n", jwk.n)?, &bytes("e", jwk.e)?),
        "OKP" => {
            let x = bytes("x", jwk.x)?;
            match jwk.crv {
                Some("Ed25519") => PublicKey::from_ed25519(&x),
                Some("X25519") => PublicKey::from_x25519(&x),
                _ => Err(CryptoError::key("JWK: crv of an OKP key must be Ed25519 or X25519")),
            }
        }
        _ => Err(CryptoError::key("JWK: kty must be EC, RSA or OKP")),
    }
}

fn curve_of(jwk: &Members<'_>) -> Result<EcCurve, CryptoError> {
    EcCurve::ALL
        .into_iter()
        .find(|curve| jwk.crv == Some(curve.jwk_name()))
        .ok_or_else(|| CryptoError::key("JWK: crv of an EC key must be P-256, P-384 or P-521"))
}

/// The uncompressed point; short coordinates, which some writers make, are filled up.
fn point_of(jwk: &Members<'_>, curve: EcCurve) -> Result<Vec<u8>, CryptoError> {
    let mut point = vec![4];
    for (name, member) in [("x", jwk.x), ("y", jwk.y)] {
        point.extend_from_slice(&fixed(name, member, curve.field_bytes())?);
    }
    Ok(point)
}

/// An unsigned integer of exactly `length` bytes, filled up with zeros.
fn fixed(
    name: &str,
    member: Option<&str>,
    length: usize,
) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let bytes = bytes(name, member)?;
    let Some(zeros) = length.checked_sub(bytes.len()) else {
        return Err(CryptoError::key(format!("JWK: {name} is longer than {length} bytes")));
    };
    let mut filled = Zeroizing::new(vec![0; length]);
    filled[zeros..].copy_from_slice(&bytes);
    Ok(filled)
}

fn bytes(name: &str, member: Option<&str>) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let text = member.ok_or_else(|| CryptoError::key(format!("JWK: {name} is missing")))?;
    if text.len() > JWK_MEMBER_CHARS_MAX {
        let message = format!("JWK: {name} is longer than {JWK_MEMBER_CHARS_MAX} characters");
        return Err(CryptoError::key(message));
    }
    // Decoded in place of its final size, so that no copy of a secret is left behind.
    let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(text.len())]);
    let length = BASE64URL
        .decode_slice(text, &mut bytes)
        .map_err(|_| CryptoError::key(format!("JWK: {name} is not base64url")))?;
    bytes.truncate(length);
    Ok(bytes)
}

/// The JSON reader's own words could quote a secret.
fn malformed(_: serde_json::Error) -> CryptoError {
    CryptoError::key("not a JWK: a JSON object with kty, whose members are strings, was expected")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    /// RFC 7517, appendix A.1.
    #[test]
    fn the_rfcs_public_keys_are_read() {
        let ec = json!({"kty": "EC", "crv": "P-256", "use": "enc", "kid": "1",
            "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"});
        let der = public_key_der(&ec).unwrap();
        assert_eq!(der.len(), 91);
        assert_eq!(PublicKey::from_der(&der).unwrap().to_der(), der);

        let rsa = json!({"kty": "RSA", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"});
        let der = public_key_der(&rsa).unwrap();
        assert_eq!(der.len(), 294);
        assert_eq!(PublicKey::from_der(&der).unwrap().to_der(), der);

        // RFC 8037, appendix A.2.
        let ed = json!({"kty": "OKP", "crv": "Ed25519",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        assert_eq!(public_key_der(&ed).unwrap().len(), 44);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let point = json!({"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"});
        for (jwk, reason) in [
            (json!(null), "not a JWK"),
            (json!({"kty": 1}), "not a JWK"),
            (json!({"kty": "oct", "k": "AAAA"}), "kty must be"),
            (json!({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}), "crv of an EC"),
            (json!({"kty": "EC", "crv": "P-256", "x": "AA"}), "y is missing"),
            (json!({"kty": "EC", "crv": "P-256", "x": "A*", "y": "AA"}), "x is not base64url"),
            (json!({"kty": "EC", "crv": "P-256", "x": "A".repeat(48), "y": "AA"}), "x is longer"),
            (point, "no point on curve"),
            (json!({"kty": "OKP", "crv": "Ed448", "x": "AA"}), "crv of an OKP"),
            (json!({"kty": "OKP", "crv": "Ed25519", "x": "AA"}), "not an Ed25519"),
            (json!({"kty": "OKP", "crv": "X25519", "x": "AA"}), "not an X25519"),
            (json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"}), "17 bits"),
            (json!({"kty": "RSA", "n": "A".repeat(4000), "e": "AQAB"}), "n is longer than"),
        ] {
            let error = public_key_der(&jwk).unwrap_err();
            assert!(error.to_string().contains(reason), "{jwk}: {error}");
        }
    }
}
