//! The keys of an issuer in `public:ccf.gov.jwt.public_signing_keys_metadata_v2`.

use std::collections::BTreeMap;

use affiant_kv::Tx;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use super::JwtKeyError;
use super::issuer::may_constrain;
use crate::crypto::{PublicKey, jwk};
use crate::limits::{JWKS_KEYS_COUNT_MAX, JWT_KID_BYTES_MAX};
use crate::tables::{JWT_KEYS, JwtKey, to_json_bytes};

/// Replaces the keys of `issuer` by those of `jwks` (RFC 7517); keys of other issuers under the same
/// key ids stay. A key is taken from `n` and `e`, else from `x`, `y` and `crv`, else from the first
/// certificate of `x5c`; its own `issuer`, of the same domain or a parent domain, becomes the
/// constraint on the tokens that it signs. What is stored already is not written again.
///
/// `metadata` is the issuer's row, which constrains nothing today (as in CCF).
///
/// # Errors
/// The set has no keys, or one of them cannot be used; nothing is written then.
pub fn set_public_signing_keys(
    tx: &mut Tx,
    issuer: &str,
    metadata: &Json,
    jwks: &Json,
) -> Result<(), JwtKeyError> {
    let _ = metadata;
    let keys = parse(issuer, jwks)?;
    for (kid, mut rows) in rows(tx) {
        if !keys.contains_key(&kid) && drop_issuer(&mut rows, issuer) {
            store(tx, &kid, &rows)?;
        }
    }
    for (kid, key) in keys {
        let mut rows = read(tx, &kid);
        if rows.contains(&key) {
            continue;
        }
        match rows.iter_mut().find(|known| known.issuer == issuer) {
            Some(known) => *known = key,
            None => rows.push(key),
        }
        store(tx, &kid, &rows)?;
    }
    Ok(())
}

/// Removes the keys of `issuer`.
///
/// # Errors
/// The store refuses the write.
pub fn remove_public_signing_keys(tx: &mut Tx, issuer: &str) -> Result<(), JwtKeyError> {
    for (kid, mut rows) in rows(tx) {
        if drop_issuer(&mut rows, issuer) {
            store(tx, &kid, &rows)?;
        }
    }
    Ok(())
}

fn drop_issuer(rows: &mut Vec<JwtKey>, issuer: &str) -> bool {
    let before = rows.len();
    rows.retain(|key| key.issuer != issuer);
    rows.len() != before
}

fn rows(tx: &mut Tx) -> Vec<(String, Vec<JwtKey>)> {
    tx.entries(&JWT_KEYS)
        .into_iter()
        .filter_map(|(kid, value)| {
            let kid = core::str::from_utf8(&kid).ok()?.to_owned();
            Some((kid, serde_json::from_slice(&value).ok()?))
        })
        .collect()
}

fn read(tx: &mut Tx, kid: &str) -> Vec<JwtKey> {
    crate::tables::get_json(tx, &JWT_KEYS, kid.as_bytes()).unwrap_or_default()
}

fn store(tx: &mut Tx, kid: &str, rows: &[JwtKey]) -> Result<(), JwtKeyError> {
    if rows.is_empty() {
        tx.remove(&JWT_KEYS, kid.as_bytes())?;
    } else {
        tx.put(&JWT_KEYS, kid.as_bytes(), &to_json_bytes(&rows))?;
    }
    Ok(())
}

/// The keys of a set by key id; of two with the same id the first.
fn parse(issuer: &str, jwks: &Json) -> Result<BTreeMap<String, JwtKey>, JwtKeyError> {
    let list = jwks
        .get("keys")
        .and_then(Json::as_array)
        .ok_or_else(|| JwtKeyError::set("must be an object with a list `keys`"))?;
    if list.is_empty() {
        return Err(JwtKeyError::set("has no keys"));
    }
    if list.len() > JWKS_KEYS_COUNT_MAX {
        let reason = format!("has {} keys, more than {JWKS_KEYS_COUNT_MAX}", list.len());
        return Err(JwtKeyError::set(reason));
    }
    let mut keys = BTreeMap::new();
    for (index, entry) in list.iter().enumerate() {
        let kid = entry.get("kid").and_then(Json::as_str).ok_or_else(|| {
            JwtKeyError::set(format!("key number {} has no kid, which must be a string", index + 1))
        })?;
        if kid.len() > JWT_KID_BYTES_MAX {
            let reason = format!(
                "key number {} has a kid of {} bytes, more than {JWT_KID_BYTES_MAX}",
                index + 1,
                kid.len()
            );
            return Err(JwtKeyError::set(reason));
        }
        let constraint = constraint(issuer, kid, entry)?;
        let public_key = STANDARD.encode(public_key(kid, entry)?);
        keys.entry(kid.to_owned()).or_insert_with(|| JwtKey {
            public_key,
            issuer: issuer.to_owned(),
            constraint,
        });
    }
    Ok(keys)
}

fn constraint(issuer: &str, kid: &str, entry: &Json) -> Result<Option<String>, JwtKeyError> {
    let wrong = |reason: String| JwtKeyError::key(kid, "issuer", reason);
    match entry.get("issuer") {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(constraint)) if may_constrain(issuer, constraint) => {
            Ok(Some(constraint.clone()))
        }
        Some(Json::String(constraint)) => Err(wrong(format!(
            "{constraint} is neither of the domain of the issuer {issuer} nor of a parent domain"
        ))),
        Some(_) => Err(wrong("must be a string".to_owned())),
    }
}

/// DER SubjectPublicKeyInfo.
fn public_key(kid: &str, entry: &Json) -> Result<Vec<u8>, JwtKeyError> {
    let field = |name: &str| entry.get(name).filter(|value| **value != json!(""));
    let of_type = |kty: &str, names: &[&str]| -> Option<Json> {
        let mut key = json!({"kty": kty});
        for name in names {
            key[*name] = field(name)?.clone();
        }
        Some(key)
    };
    if let Some(key) = of_type("RSA", &["n", "e"]) {
        return jwk::public_key_der(&key).map_err(|error| JwtKeyError::key(kid, "n, e", error));
    }
    if let Some(key) = of_type("EC", &["x", "y", "crv"]) {
        return jwk::public_key_der(&key)
            .map_err(|error| JwtKeyError::key(kid, "x, y, crv", error));
    }
    let wrong = |reason: &dyn core::fmt::Display| JwtKeyError::key(kid, "x5c", reason);
    let certificate = match field("x5c").map(|chain| chain.get(0).and_then(Json::as_str)) {
        Some(Some(text)) => STANDARD.decode(text).map_err(|error| wrong(&error))?,
        Some(None) => return Err(wrong(&"must be a list of base64 certificates")),
        None => {
            let reason = "one of n and e (RSA), x, y and crv (EC), or x5c is needed";
            return Err(JwtKeyError::key(kid, "key", reason));
        }
    };
    PublicKey::from_certificate_der(&certificate)
        .map(|key| key.to_der().to_vec())
        .map_err(|error| wrong(&error))
}
