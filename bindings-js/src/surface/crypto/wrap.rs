//! `wrapKey` and `unwrapKey`. RSA keys are PEM in an ArrayBuffer; AES keys are the bytes themselves.

use affiant::crypto::wrap::{
    aes_kwp_unwrap, aes_kwp_wrap, rsa_oaep_aes_kwp_unwrap, rsa_oaep_aes_kwp_wrap, rsa_oaep_unwrap,
    rsa_oaep_wrap,
};
use affiant::crypto::{CryptoError, PrivateKey, PublicKey};

use super::keys::to_u32;
use super::{thrown, with_bytes};
use crate::engine::{Args, ErrorKind, Scope, Script, Value};

/// `params`.
enum Wrapping {
    RsaOaep { label: Option<Vec<u8>> },
    AesKwp,
    RsaOaepAesKwp { aes_key_bits: usize, label: Option<Vec<u8>> },
}

pub(super) fn wrap_key<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let wrapped = with_parts(scope, &args, "wrapping", |wrapping, key, wrapping_key| {
        let public = || PublicKey::from_pem(pem(wrapping_key)?);
        match wrapping {
            Wrapping::RsaOaep { label } => rsa_oaep_wrap(&public()?, key, label.as_deref()),
            Wrapping::AesKwp => aes_kwp_wrap(wrapping_key, key),
            Wrapping::RsaOaepAesKwp { aes_key_bits, label } => {
                rsa_oaep_aes_kwp_wrap(&public()?, *aes_key_bits, key, label.as_deref())
            }
        }
    })?;
    match wrapped {
        Ok(wrapped) => scope.array_buffer(&wrapped),
        Err(error) => Err(thrown(scope, "Failed to wrap key: ", &error)),
    }
}

pub(super) fn unwrap_key<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let unwrapped = with_parts(scope, &args, "unwrapping", |wrapping, key, unwrapping_key| {
        let private = || PrivateKey::from_pem(pem(unwrapping_key)?);
        match wrapping {
            Wrapping::RsaOaep { label } => rsa_oaep_unwrap(&private()?, key, label.as_deref()),
            Wrapping::AesKwp => aes_kwp_unwrap(unwrapping_key, key),
            Wrapping::RsaOaepAesKwp { label, .. } => {
                rsa_oaep_aes_kwp_unwrap(&private()?, key, label.as_deref())
            }
        }
    })?;
    match unwrapped {
        Ok(unwrapped) => scope.array_buffer(&unwrapped),
        Err(error) => Err(thrown(scope, "Failed to unwrap key: ", &error)),
    }
}

/// Lends the parameters, the key and the key around it.
fn with_parts<'js, R>(
    scope: Scope<'js>,
    args: &Args<'js>,
    operation: &str,
    run: impl FnOnce(&Wrapping, &[u8], &[u8]) -> R,
) -> Script<R> {
    scope.host().touch();
    let (key, around) = (args.get(0), args.get(1));
    with_bytes(scope, &key, |_| ())?;
    with_bytes(scope, &around, |_| ())?;
    let wrapping = wrapping(scope, &args.get(2), operation)?;
    with_bytes(scope, &key, |key| with_bytes(scope, &around, |around| run(&wrapping, key, around)))?
}

fn wrapping<'js>(scope: Scope<'js>, params: &Value<'js>, operation: &str) -> Script<Wrapping> {
    let name = scope.get(params, c"name")?;
    match scope.text(&name)?.as_str() {
        "RSA-OAEP" => Ok(Wrapping::RsaOaep { label: label(scope, params)? }),
        "AES-KWP" => Ok(Wrapping::AesKwp),
        "RSA-OAEP-AES-KWP" => {
            let aes_key_bits = to_u32(scope, &scope.get(params, c"aesKeySize")?)? as usize;
            Ok(Wrapping::RsaOaepAesKwp { aes_key_bits, label: label(scope, params)? })
        }
        _ => {
            let message = format!(
                "unsupported key {operation} algorithm, supported: RSA-OAEP, AES-KWP, \
                 RSA-OAEP-AES-KWP"
            );
            Err(scope.throw(ErrorKind::Range, &message))
        }
    }
}

/// What is no ArrayBuffer is no label, as in CCF.
fn label<'js>(scope: Scope<'js>, params: &Value<'js>) -> Script<Option<Vec<u8>>> {
    Ok(scope.with_buffer(&scope.get(params, c"label")?, <[u8]>::to_vec))
}

fn pem(bytes: &[u8]) -> Result<&str, CryptoError> {
    core::str::from_utf8(bytes)
        .map_err(|_| CryptoError::InvalidKey("the key is not PEM text".to_owned()))
}
