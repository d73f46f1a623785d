//! `generateAesKey`, `generateRsaKeyPair`, `generateEcdsaKeyPair`, `generateEddsaKeyPair`.

use affiant::crypto::generate::{
    RSA_EXPONENT_DEFAULT, aes_key, ec_key, ed25519_key, rsa_key, x25519_key,
};
use affiant::crypto::{CryptoError, EcCurve, PrivateKey};

use super::{check_count, thrown};
use crate::engine::{Args, ErrorKind, Scope, Script, Value};

pub(super) fn aes<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    scope.host().touch();
    let bits = to_u32(scope, &args.get(0))?;
    match aes_key(bits as usize) {
        Ok(key) => scope.array_buffer(&key),
        Err(error @ CryptoError::Unsupported(_)) => Err(thrown(scope, "", &error)),
        Err(error) => Err(thrown(scope, "Failed to generate AES key: ", &error)),
    }
}

pub(super) fn rsa<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    check_count(scope, &args, &[1, 2], "1 or 2")?;
    scope.host().touch();
    let bits = to_u32(scope, &args.get(0))?;
    let exponent = match args.len() {
        1 => RSA_EXPONENT_DEFAULT,
        _ => to_u32(scope, &args.get(1))?,
    };
    pair(scope, "RSA", rsa_key(bits, exponent))
}

pub(super) fn ecdsa<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    scope.host().touch();
    let curve = match scope.text(&args.get(0))?.as_str() {
        "secp256r1" => EcCurve::P256,
        "secp384r1" => EcCurve::P384,
        "secp521r1" => EcCurve::P521,
        _ => {
            let message = "Unsupported curve id, supported: secp256r1, secp384r1, secp521r1";
            return Err(scope.throw(ErrorKind::Range, message));
        }
    };
    pair(scope, "ECDSA", ec_key(curve))
}

pub(super) fn eddsa<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    scope.host().touch();
    let key = match scope.text(&args.get(0))?.as_str() {
        "curve25519" => ed25519_key(),
        "x25519" => x25519_key(),
        _ => {
            let message = "Unsupported curve id, supported: curve25519, x25519";
            return Err(scope.throw(ErrorKind::Range, message));
        }
    };
    pair(scope, "EdDSA", key)
}

fn pair<'js>(
    scope: Scope<'js>,
    name: &str,
    key: Result<PrivateKey, CryptoError>,
) -> Script<Value<'js>> {
    let failed = |error| thrown(scope, &format!("Failed to generate {name} key pair: "), &error);
    let key = key.map_err(failed)?;
    let private = key.to_pem().map_err(failed)?;
    let public = key.public_key().map_err(failed)?.to_pem();
    let object = scope.object()?;
    scope.set(&object, c"privateKey", scope.string(&private)?)?;
    scope.set(&object, c"publicKey", scope.string(&public)?)?;
    Ok(object)
}

/// `ToUint32` of ECMA-262.
pub(super) fn to_u32<'js>(scope: Scope<'js>, value: &Value<'js>) -> Script<u32> {
    let number = scope.to_number(value)?;
    if !number.is_finite() {
        return Ok(0);
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
    Ok(number.trunc().rem_euclid(4_294_967_296.0) as u32)
}
