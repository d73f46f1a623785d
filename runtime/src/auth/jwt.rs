//! `jwt`: a bearer token, signed by a key of a registered issuer (reference C.3).

use std::sync::Arc;

use affiant_kv::{Tx, Value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use super::keys::{ParsedRows, VerifyingKey};
use super::token::Token;
use super::{AuthError, AuthPolicy, AuthRequest};
use crate::crypto::PublicKey;
use crate::jwt::admits;
use crate::request::{Caller, JwtCaller};
use crate::tables::{
    JWT_CERTIFICATES, JWT_FIRST_CERTIFICATES, JWT_FIRST_ISSUERS, JWT_KEYS, JwtCertificate, JwtKey,
};

/// `jwt`: a token in `authorization: Bearer`, signed by a key in
/// `public:ccf.gov.jwt.public_signing_keys_metadata_v2`, now valid, of the issuer that the key is
/// constrained to. Several issuers may have registered the same key id: the first key that passes
/// decides. Tables that older versions of CCF wrote are looked at where that one has no such key id.
#[derive(Default)]
pub struct Jwt {
    keys: ParsedRows<Vec<TokenKey>>,
    certificates: ParsedRows<Vec<TokenKey>>,
    first_certificates: ParsedRows<Option<VerifyingKey>>,
}

/// One issuer's key.
struct TokenKey {
    /// `None` where it does not parse, or signs no tokens.
    key: Option<VerifyingKey>,
    issuer: Arc<str>,
    constraint: Option<String>,
}

impl AuthPolicy for Jwt {
    fn name(&self) -> &'static str {
        "jwt"
    }

    fn identify(&self, request: &AuthRequest<'_>, tx: &mut Tx) -> Result<Caller, AuthError> {
        let header = request
            .request
            .header("authorization")
            .ok_or_else(|| AuthError::Refused("Missing authorization header".to_owned()))?;
        let token = Token::from_header(header).map_err(AuthError::Refused)?;
        let now_s = u64::try_from(request.unix_s).unwrap_or(0);
        let key_issuer = self.verify(&token, now_s, tx).map_err(AuthError::Refused)?;
        let Token { header, payload, .. } = token;
        Ok(Caller::Jwt(JwtCaller { key_issuer, header, payload }))
    }

    fn openapi_scheme(&self) -> Option<(&'static str, Json)> {
        Some(("jwt", json!({"type": "http", "scheme": "bearer", "bearerFormat": "JWT"})))
    }

    fn challenge(&self) -> Option<&'static str> {
        Some(r#"Bearer realm="JWT bearer token access", error="invalid_token""#)
    }
}

impl Jwt {
    /// The issuer whose key signed the token, or why the last key did not pass.
    fn verify(&self, token: &Token<'_>, now_s: u64, tx: &mut Tx) -> Result<Arc<str>, String> {
        let kid = token.kid.as_bytes();
        let mut reason = format!("JWT signing key not found for kid {}", token.kid);
        let mut pass = |key: Option<&VerifyingKey>, constraint: Option<&str>| {
            passes(token, now_s, key, constraint).map_err(|refused| reason = refused).is_ok()
        };
        let rows = if let Some(row) = tx.get(&JWT_KEYS, kid) {
            Some(self.keys.get(kid, &row, parse_keys))
        } else {
            tx.get(&JWT_CERTIFICATES, kid)
                .map(|row| self.certificates.get(kid, &row, parse_certificates))
        };
        if let Some(rows) = rows {
            let found = rows.iter().find(|row| pass(row.key.as_ref(), row.constraint.as_deref()));
            return found.map(|row| row.issuer.clone()).ok_or(reason);
        }
        let Some(row) = tx.get(&JWT_FIRST_CERTIFICATES, kid) else { return Err(reason) };
        let Some(issuer) = tx.get(&JWT_FIRST_ISSUERS, kid) else {
            return Err(format!(
                "JWT signing key fallback issuers not found for kid {}",
                token.kid
            ));
        };
        let key = self.first_certificates.get(kid, &row, certificate_key);
        if pass(key.as_ref().as_ref(), None) { Ok(first_issuer(&issuer)) } else { Err(reason) }
    }
}

/// Whether one key vouches for the token, or why not.
fn passes(
    token: &Token<'_>,
    now_s: u64,
    key: Option<&VerifyingKey>,
    constraint: Option<&str>,
) -> Result<(), String> {
    let signed = token.signed.as_bytes();
    if !key.is_some_and(|key| key.verifies(token.algorithm, signed, &token.signature)) {
        return Err("Signature verification failed".to_owned());
    }
    if let Some(nbf) = token.nbf
        && now_s < nbf
    {
        return Err(format!("Current time {now_s} is before token's Not Before (nbf) claim {nbf}"));
    }
    if now_s > token.exp {
        return Err(format!(
            "Current time {now_s} is after token's Expiration Time (exp) claim {}",
            token.exp
        ));
    }
    match constraint {
        Some(constraint) if !admits(constraint, &token.iss, token.tid.as_deref()) => {
            Err(format!("Kid {} failed issuer constraint validation {constraint}", token.kid))
        }
        _ => Ok(()),
    }
}

fn parse_keys(row: &[u8]) -> Vec<TokenKey> {
    let keys: Vec<JwtKey> = serde_json::from_slice(row).unwrap_or_default();
    keys.into_iter()
        .map(|JwtKey { public_key, issuer, constraint }| {
            let der = STANDARD.decode(public_key).ok();
            let public = der.and_then(|der| PublicKey::from_der(&der).ok());
            let key = public.as_ref().and_then(VerifyingKey::new);
            TokenKey { key, issuer: issuer.into(), constraint }
        })
        .collect()
}

fn parse_certificates(row: &[u8]) -> Vec<TokenKey> {
    let certificates: Vec<JwtCertificate> = serde_json::from_slice(row).unwrap_or_default();
    certificates
        .into_iter()
        .map(|JwtCertificate { cert, issuer, constraint }| {
            let key = STANDARD.decode(cert).ok().and_then(|der| certificate_key(&der));
            TokenKey { key, issuer: issuer.into(), constraint }
        })
        .collect()
}

fn certificate_key(der: &[u8]) -> Option<VerifyingKey> {
    VerifyingKey::new(&PublicKey::from_certificate_der(der).ok()?)
}

fn first_issuer(row: &Value) -> Arc<str> {
    String::from_utf8_lossy(row).into()
}
