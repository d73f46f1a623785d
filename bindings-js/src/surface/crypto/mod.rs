//! `ccf.crypto` (reference A.8), over [`affiant::crypto`].
//!
//! Text arguments are converted as CCF converts them, by JavaScript's rules; bytes are ArrayBuffers
//! and nothing else. Beside CCF's functions there is a typed layer: `sign(data, key)` and
//! `verify(data, key, signature)` pick the algorithm from the key.

mod certificates;
mod jwk;
mod keys;
mod sign;
mod typed;
mod wrap;

use core::ffi::CStr;

use affiant::crypto::{CryptoError, Hash};

use super::converters::NOT_A_BUFFER;
use crate::engine::{Args, Arity, ErrorKind, Native, Scope, Script, Thrown, Value};

/// Functions of `ccf.crypto`.
pub(super) static NATIVES: &[Native] = &[
    Native { name: c"sign", arity: Arity::Any, run: sign::sign },
    Native { name: c"verifySignature", arity: Arity::Exactly(4), run: sign::verify_signature },
    Native { name: c"verify", arity: Arity::Exactly(3), run: typed::verify },
    Native { name: c"digest", arity: Arity::Exactly(2), run: digest },
    Native { name: c"generateAesKey", arity: Arity::Exactly(1), run: keys::aes },
    Native { name: c"generateRsaKeyPair", arity: Arity::Any, run: keys::rsa },
    Native { name: c"generateEcdsaKeyPair", arity: Arity::Exactly(1), run: keys::ecdsa },
    Native { name: c"generateEddsaKeyPair", arity: Arity::Exactly(1), run: keys::eddsa },
    Native { name: c"wrapKey", arity: Arity::Exactly(3), run: wrap::wrap_key },
    Native { name: c"unwrapKey", arity: Arity::Exactly(3), run: wrap::unwrap_key },
    Native { name: c"isValidX509CertBundle", arity: Arity::Exactly(1), run: certificates::bundle },
    Native { name: c"isValidX509CertChain", arity: Arity::Exactly(2), run: certificates::chain },
    Native { name: c"pubPemToJwk", arity: Arity::Any, run: jwk::pub_pem_to_jwk },
    Native { name: c"pemToJwk", arity: Arity::Any, run: jwk::pem_to_jwk },
    Native { name: c"pubRsaPemToJwk", arity: Arity::Any, run: jwk::pub_rsa_pem_to_jwk },
    Native { name: c"rsaPemToJwk", arity: Arity::Any, run: jwk::rsa_pem_to_jwk },
    Native { name: c"pubEddsaPemToJwk", arity: Arity::Any, run: jwk::pub_eddsa_pem_to_jwk },
    Native { name: c"eddsaPemToJwk", arity: Arity::Any, run: jwk::eddsa_pem_to_jwk },
    Native { name: c"pubJwkToPem", arity: Arity::Exactly(1), run: jwk::pub_jwk_to_pem },
    Native { name: c"jwkToPem", arity: Arity::Exactly(1), run: jwk::jwk_to_pem },
    Native { name: c"pubRsaJwkToPem", arity: Arity::Exactly(1), run: jwk::pub_rsa_jwk_to_pem },
    Native { name: c"rsaJwkToPem", arity: Arity::Exactly(1), run: jwk::rsa_jwk_to_pem },
    Native { name: c"pubEddsaJwkToPem", arity: Arity::Exactly(1), run: jwk::pub_eddsa_jwk_to_pem },
    Native { name: c"eddsaJwkToPem", arity: Arity::Exactly(1), run: jwk::eddsa_jwk_to_pem },
];

/// Also found directly under `ccf` by apps of CCF 1.x and 2.x.
pub(super) const DEPRECATED_ALIASES: [&CStr; 8] = [
    c"generateAesKey",
    c"generateRsaKeyPair",
    c"generateEcdsaKeyPair",
    c"generateEddsaKeyPair",
    c"wrapKey",
    c"digest",
    c"isValidX509CertBundle",
    c"isValidX509CertChain",
];

fn digest<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let name = scope.text(&args.get(0))?;
    if name != Hash::Sha256.name() {
        let message = "unsupported digest algorithm, supported: SHA-256";
        return Err(scope.throw(ErrorKind::Range, message));
    }
    let digest = with_bytes(scope, &args.get(1), |bytes| Hash::Sha256.digest(bytes))?;
    scope.array_buffer(&digest)
}

/// Lends the bytes of an ArrayBuffer; throws for anything else.
fn with_bytes<'js, R>(
    scope: Scope<'js>,
    value: &Value<'js>,
    run: impl FnOnce(&[u8]) -> R,
) -> Script<R> {
    scope.with_buffer(value, run).ok_or_else(|| scope.throw_type(NOT_A_BUFFER))
}

/// CCF's words for a wrong number of arguments where there is a choice.
fn check_count(scope: Scope<'_>, args: &Args<'_>, allowed: &[usize], wanted: &str) -> Script<()> {
    let count = args.len();
    if allowed.contains(&count) {
        return Ok(());
    }
    Err(scope.throw_type(&format!("Passed {count} arguments, but expected {wanted}")))
}

/// Throws CCF's error for a failure, with its prefix.
fn thrown(scope: Scope<'_>, prefix: &str, error: &CryptoError) -> Thrown {
    let kind = match error {
        CryptoError::Unsupported(_) => ErrorKind::Range,
        _ => ErrorKind::Internal,
    };
    scope.throw(kind, &format!("{prefix}{error}"))
}
