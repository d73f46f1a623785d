//! JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037): EC, RSA, Ed25519 and X25519.

use aws_lc_rs::rsa::PublicKeyComponents;
use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use super::error::CryptoError;
use super::private_key::{PrivateKey, RsaComponents, rsa_components};
use super::public_key::{EcCurve, KeyKind, PublicKey, without_leading_zeros};
use crate::limits::JWK_MEMBER_CHARS_MAX;

/// Base64url; writes no padding, as RFC 7515 wants, and reads either.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The kinds of keys that a conversion between PEM and JWK is for, as CCF's function names say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Elliptic curves of ECDSA.
    Ec,
    /// RSA.
    Rsa,
    /// Ed25519 and X25519.
    Okp,
}

impl Family {
    /// Checks that a key is of this family.
    ///
    /// # Errors
    /// It is of another; the text says which was expected.
    pub fn check(self, kind: KeyKind) -> Result<(), CryptoError> {
        let (fits, wanted) = match self {
            Self::Ec => (matches!(kind, KeyKind::Ec(_)), "an EC key"),
            Self::Rsa => (kind == KeyKind::Rsa, "an RSA key"),
            Self::Okp => {
                (matches!(kind, KeyKind::Ed25519 | KeyKind::X25519), "an Ed25519 or X25519 key")
            }
        };
        if fits {
            return Ok(());
        }
        Err(CryptoError::InvalidKey(format!("{wanted} was expected, and this one is {kind}")))
    }
}

/// The members that are looked at and written; others are ignored. In the order of their names.
#[derive(Default, Deserialize, Serialize)]
struct Members<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    d: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dp: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dq: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<&'a str>,
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
    kty: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    q: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    qi: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<&'a str>,
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

/// The public key in JSON text.
///
/// # Errors
/// It is no JSON object, or as [`public_key`].
pub fn public_key_from_text(jwk: &str) -> Result<PublicKey, CryptoError> {
    public_of(&serde_json::from_str(jwk).map_err(malformed)?)
}

/// The private key in `jwk`. Its public members must fit.
///
/// # Errors
/// A member is missing or malformed, the members do not fit each other, or the key is of no
/// supported kind.
pub fn private_key(jwk: &Value) -> Result<PrivateKey, CryptoError> {
    private_of(&Members::deserialize(jwk).map_err(malformed)?)
}

/// The private key in JSON text, of which no copy is made.
///
/// # Errors
/// It is no JSON object, or as [`private_key`].
pub fn private_key_from_text(jwk: &str) -> Result<PrivateKey, CryptoError> {
    private_of(&serde_json::from_str(jwk).map_err(malformed)?)
}

/// The JWK of a public key, with `kid` if given.
///
/// # Errors
/// The cryptographic library failed.
pub fn from_public_key(key: &PublicKey, kid: Option<&str>) -> Result<Value, CryptoError> {
    let text = write(key, None, kid)?;
    serde_json::from_slice(&text).map_err(|_| unserialised())
}

/// The JWK of a private key as JSON text, with `kid` if given; wiped when it is dropped.
///
/// # Errors
/// The cryptographic library failed.
pub fn from_private_key(
    key: &PrivateKey,
    kid: Option<&str>,
) -> Result<Zeroizing<String>, CryptoError> {
    let text = write(&key.public_key()?, Some(key), kid)?;
    let text = core::str::from_utf8(&text).map_err(|_| unserialised())?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// JSON of the public members, and of the private ones of `private`.
fn write(
    public: &PublicKey,
    private: Option<&PrivateKey>,
    kid: Option<&str>,
) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let mut jwk = Members { kid, ..Members::default() };
    let (x, y, n, e);
    match public.kind() {
        KeyKind::Ec(curve) => {
            let point = public.key_bytes()?.get(1..).unwrap_or_default();
            let halves = point.split_at_checked(curve.field_bytes()).ok_or_else(unserialised)?;
            (x, y) = (encode(halves.0), encode(halves.1));
            (jwk.kty, jwk.crv) = ("EC", Some(curve.jwk_name()));
            (jwk.x, jwk.y) = (lend(&x), lend(&y));
        }
        KeyKind::Rsa => {
            let components = public.rsa_components()?;
            (n, e) = (encode(components.0), encode(components.1));
            (jwk.kty, jwk.n, jwk.e) = ("RSA", lend(&n), lend(&e));
        }
        KeyKind::Ed25519 | KeyKind::X25519 => {
            x = encode(public.key_bytes()?);
            let curve = if public.kind() == KeyKind::Ed25519 { "Ed25519" } else { "X25519" };
            (jwk.kty, jwk.crv, jwk.x) = ("OKP", Some(curve), lend(&x));
        }
    }
    let Some(private) = private else {
        return to_text(&jwk);
    };
    if private.kind() != KeyKind::Rsa {
        let d = encode(&private.secret_bytes()?);
        return to_text(&Members { d: lend(&d), ..jwk });
    }
    let pkcs8 = private.to_pkcs8()?;
    let parts = rsa_components(&pkcs8)?;
    let [d, p, q, dp, dq, qi] = [parts.d, parts.p, parts.q, parts.dp, parts.dq, parts.qi]
        .map(|number| encode(number.as_bytes()));
    (jwk.d, jwk.p, jwk.q) = (lend(&d), lend(&p), lend(&q));
    (jwk.dp, jwk.dq, jwk.qi) = (lend(&dp), lend(&dq), lend(&qi));
    to_text(&jwk)
}

/// A member, as it is written.
fn lend(text: &Zeroizing<String>) -> Option<&str> {
    Some(text.as_str())
}

fn to_text(jwk: &Members<'_>) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    // Large enough from the start, so that no copy is left behind by growing.
    let members = [jwk.d, jwk.p, jwk.q, jwk.dp, jwk.dq, jwk.qi, jwk.n, jwk.e, jwk.x, jwk.y];
    let known: usize = members.iter().flatten().map(|member| member.len()).sum();
    let length = known + 6 * jwk.kid.map_or(0, str::len) + 256;
    let mut text = Zeroizing::new(Vec::with_capacity(length));
    serde_json::to_writer(&mut *text, jwk).map_err(|_| unserialised())?;
    Ok(text)
}

fn encode(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(BASE64URL.encode(bytes))
}

fn private_of(jwk: &Members<'_>) -> Result<PrivateKey, CryptoError> {
    match jwk.kty {
        "EC" => {
            let curve = curve_of(jwk)?;
            let d = fixed("d", jwk.d, curve.field_bytes())?;
            PrivateKey::from_ec(curve, &d, &point_of(jwk, curve)?)
        }
        "RSA" => {
            let [n, e] = [bytes("n", jwk.n)?, bytes("e", jwk.e)?];
            let [d, p, q] = [bytes("d", jwk.d)?, bytes("p", jwk.p)?, bytes("q", jwk.q)?];
            let [dp, dq, qi] = [bytes("dp", jwk.dp)?, bytes("dq", jwk.dq)?, bytes("qi", jwk.qi)?];
            PrivateKey::from_rsa(&RsaComponents {
                public_key: PublicKeyComponents {
                    n: without_leading_zeros(&n),
                    e: without_leading_zeros(&e),
                },
                d: &d,
                p: &p,
                q: &q,
                dP: &dp,
                dQ: &dq,
                qInv: &qi,
            })
        }
        "OKP" => {
            let (x, d) = (bytes("x", jwk.x)?, bytes("d", jwk.d)?);
            match jwk.crv {
                Some("Ed25519") => PrivateKey::from_ed25519(&d, &x),
                Some("X25519") => {
                    let key = PrivateKey::from_x25519(&d)?;
                    if key.public_key()?.key_bytes()? != &x[..] {
                        return Err(CryptoError::key("JWK: x is not the public key of d"));
                    }
                    Ok(key)
                }
                _ => Err(CryptoError::key("JWK: crv of an OKP key must be Ed25519 or X25519")),
            }
        }
        _ => Err(CryptoError::key("JWK: kty must be EC, RSA or OKP")),
    }
}

fn unserialised() -> CryptoError {
    CryptoError::failed("a key could not be written as a JWK")
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
