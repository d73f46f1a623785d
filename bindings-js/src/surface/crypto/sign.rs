//! `sign` and `verifySignature`, in CCF's form and CCF's order of checks.

use affiant::crypto::signature::{self, SignatureAlgorithm};
use affiant::crypto::{CryptoError, Hash, PrivateKey, PublicKey, hmac_sign};

use super::{check_count, thrown, typed, with_bytes};
use crate::engine::{Args, ErrorKind, Scope, Script, Value};

const SIGN_FAILED: &str = "Failed to sign: ";
const VERIFY_FAILED: &str = "Failed to verify signature: ";

/// `sign(algorithm, key, data)`; with two arguments the typed layer's.
pub(super) fn sign<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    if args.len() == 2 {
        return typed::sign(scope, &args);
    }
    check_count(scope, &args, &[3], "3")?;
    // Some algorithms are randomised.
    scope.host().touch();
    let algorithm = args.get(0);
    let (name, hash) = (scope.get(&algorithm, c"name")?, scope.get(&algorithm, c"hash")?);
    let name = scope.text(&name)?;
    let key = scope.text(&args.get(1))?;
    let data = args.get(2);
    with_bytes(scope, &data, |_| ())?;
    if name == "EdDSA" {
        let signed = with_bytes(scope, &data, |data| {
            PrivateKey::from_pem(&key)
                .and_then(|key| signature::sign(SignatureAlgorithm::EdDsa, &key, data))
        })?;
        return match signed {
            Ok(signature) => scope.array_buffer(&signature),
            Err(error) => Err(thrown(scope, "Failed to sign with EdDSA pair: ", &error)),
        };
    }
    let Some(hash) = Hash::from_name(&scope.text(&hash)?) else {
        let message = "Unsupported hash algorithm, supported: SHA-256, SHA-384, SHA-512";
        return Err(scope.throw(ErrorKind::Range, message));
    };
    let salt_bytes = salt_bytes(scope, &algorithm);
    let signed = with_bytes(scope, &data, |data| {
        let algorithm = match name.as_str() {
            "ECDSA" => SignatureAlgorithm::Ecdsa { hash },
            "RSA-PSS" => SignatureAlgorithm::RsaPss { hash, salt_bytes },
            "HMAC" => return Some(Ok(hmac_sign(hash, key.as_bytes(), data))),
            _ => return None,
        };
        let key = PrivateKey::from_pem(&key);
        Some(key.and_then(|key| signature::sign(algorithm, &key, data)))
    })?;
    match signed {
        Some(Ok(signature)) => scope.array_buffer(&signature),
        Some(Err(error)) => Err(thrown(scope, SIGN_FAILED, &error)),
        None => {
            let message = "Unsupported signing algorithm, supported: RSA-PSS, ECDSA, EdDSA, HMAC";
            Err(scope.throw(ErrorKind::Range, message))
        }
    }
}

/// `verifySignature(algorithm, key, signature, data)`.
pub(super) fn verify_signature<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let (signature, data) = (args.get(2), args.get(3));
    with_bytes(scope, &signature, |_| ())?;
    with_bytes(scope, &data, |_| ())?;
    let algorithm = args.get(0);
    let (name, hash) = (scope.get(&algorithm, c"name")?, scope.get(&algorithm, c"hash")?);
    let name = scope.text(&name)?;
    let key = scope.text(&args.get(1))?;
    let verify = |algorithms: &[SignatureAlgorithm]| -> Script<Result<bool, CryptoError>> {
        with_bytes(scope, &signature, |signature| {
            with_bytes(scope, &data, |data| any(algorithms, &key, data, signature))
        })?
    };
    if name == "EdDSA" {
        return match verify(&[SignatureAlgorithm::EdDsa])? {
            Ok(valid) => Ok(scope.boolean(valid)),
            Err(error) => {
                let message = format!("Failed to verify EdDSA signature: {error}");
                Err(scope.throw(ErrorKind::Range, &message))
            }
        };
    }
    if scope.text(&hash)? != Hash::Sha256.name() {
        let message = "Unsupported hash algorithm, supported: SHA-256";
        return Err(scope.throw(ErrorKind::Range, message));
    }
    let pss = |salt_bytes| SignatureAlgorithm::RsaPss { hash: Hash::Sha256, salt_bytes };
    let verified = match name.as_str() {
        "ECDSA" => verify(&[SignatureAlgorithm::Ecdsa { hash: Hash::Sha256 }])?,
        "RSA-PSS" => {
            let salt_bytes = salt_bytes(scope, &algorithm);
            // With a certificate CCF takes no salt, whatever it is told.
            let also = if is_certificate(&key) { 0 } else { salt_bytes };
            verify(&[pss(salt_bytes), pss(also)])?
        }
        _ => {
            let message = "Unsupported signing algorithm, supported: RSA-PSS, ECDSA, EdDSA";
            return Err(scope.throw(ErrorKind::Range, message));
        }
    };
    match verified {
        Ok(valid) => Ok(scope.boolean(valid)),
        Err(error) => Err(thrown(scope, VERIFY_FAILED, &error)),
    }
}

fn any(
    algorithms: &[SignatureAlgorithm],
    key: &str,
    data: &[u8],
    signature: &[u8],
) -> Result<bool, CryptoError> {
    let key = PublicKey::from_pem(key)?;
    for algorithm in algorithms {
        if signature::verify(*algorithm, &key, data, signature)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_certificate(pem: &str) -> bool {
    pem.starts_with("-----BEGIN CERTIFICATE")
}

/// `algorithm.saltLength`: what is no number is zero, as in CCF; one that is out of range fits no
/// key.
fn salt_bytes<'js>(scope: Scope<'js>, algorithm: &Value<'js>) -> usize {
    let length = scope
        .get(algorithm, c"saltLength")
        .and_then(|length| scope.to_number(&length))
        .inspect_err(|_| drop(scope.take_exception()))
        .unwrap_or(0.0)
        .trunc();
    if length < 0.0 {
        return usize::MAX;
    }
    // NaN becomes zero, what is too large the largest.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
    {
        length as usize
    }
}
