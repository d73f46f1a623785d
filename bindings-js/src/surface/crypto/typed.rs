//! The typed layer: `sign(data, key)` and `verify(data, key, signature)`. The key says how: EC keys
//! ECDSA with their curve's hash, RSA keys RSA-PSS with SHA-256 and 32 bytes of salt, Ed25519 keys
//! EdDSA. Text is signed as UTF-8, bytes as they are, any other value as its JSON. A signature is
//! base64 text, since it mostly goes into a JSON body.

use affiant::crypto::signature::{self, SignatureAlgorithm};
use affiant::crypto::{CryptoError, PrivateKey, PublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::thrown;
use crate::engine::{Args, Scope, Script, Value};

/// `sign(data, key)`.
pub(super) fn sign<'js>(scope: Scope<'js>, args: &Args<'js>) -> Script<Value<'js>> {
    // Some algorithms are randomised.
    scope.host().touch();
    let data = bytes(scope, &args.get(0))?;
    let signed = key_text(scope, &args.get(1), "a private key")?;
    let signed = PrivateKey::from_pem(&signed)
        .and_then(|key| signature::sign(SignatureAlgorithm::for_key(key.kind())?, &key, &data));
    match signed {
        Ok(signature) => scope.string(&STANDARD.encode(signature)),
        Err(error) => Err(thrown(scope, "Failed to sign: ", &error)),
    }
}

/// `verify(data, key, signature)`: a public key or a certificate, and base64 text or an ArrayBuffer.
pub(super) fn verify<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let data = bytes(scope, &args.get(0))?;
    let key = key_text(scope, &args.get(1), "a public key or a certificate")?;
    let signature = args.get(2);
    let signature = if signature.is_string() {
        // What is not base64 is no signature of anything.
        STANDARD.decode(scope.text(&signature)?).ok()
    } else {
        let bytes = scope.with_buffer(&signature, <[u8]>::to_vec);
        Some(bytes.ok_or_else(|| {
            scope.throw_type("The signature must be base64 text or an ArrayBuffer")
        })?)
    };
    let verified = PublicKey::from_pem(&key).and_then(|key| {
        let algorithm = SignatureAlgorithm::for_key(key.kind())?;
        match &signature {
            Some(signature) => signature::verify(algorithm, &key, &data, signature),
            None => Ok::<bool, CryptoError>(false),
        }
    });
    match verified {
        Ok(valid) => Ok(scope.boolean(valid)),
        Err(error) => Err(thrown(scope, "Failed to verify signature: ", &error)),
    }
}

fn key_text<'js>(scope: Scope<'js>, value: &Value<'js>, what: &str) -> Script<String> {
    if value.is_string() {
        return scope.text(value);
    }
    Err(scope.throw_type(&format!("The second argument must be {what} in PEM")))
}

/// What is signed of `value`.
fn bytes<'js>(scope: Scope<'js>, value: &Value<'js>) -> Script<Vec<u8>> {
    if value.is_string() {
        return scope.text(value).map(String::into_bytes);
    }
    if let Some(bytes) = scope.bytes_of_view(value)? {
        return Ok(bytes);
    }
    let json = scope.to_json(value)?;
    if json.is_string() {
        return scope.text(&json).map(String::into_bytes);
    }
    Err(scope.throw_type("The first argument must be text, bytes, or a value that has a JSON form"))
}
