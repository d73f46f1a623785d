//! Key wrapping for applications: RSA-OAEP with SHA-256 (RFC 8017), AES-KWP (RFC 5649), and both
//! together as PKCS#11's `CKM_RSA_AES_KEY_WRAP` does it.

use aes_kw::{IV_LEN, KeyInit as _, KwpAes192};
use aws_lc_rs::key_wrap::{AES_128, AES_256, AesKek, KeyWrapPadded as _};
use aws_lc_rs::rsa::{
    OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
    PrivateDecryptingKey, PublicEncryptingKey,
};
use zeroize::Zeroizing;

use super::error::CryptoError;
use super::generate::aes_key;
use super::private_key::PrivateKey;
use super::public_key::{KeyKind, PublicKey};
use crate::limits::WRAPPED_BYTES_MAX;

/// Encrypts `data` with RSA-OAEP, SHA-256 for both hashes. At most the modulus less 66 bytes fit.
///
/// # Errors
/// The key is no RSA key, or the data does not fit.
pub fn rsa_oaep_wrap(
    key: &PublicKey,
    data: &[u8],
    label: Option<&[u8]>,
) -> Result<Vec<u8>, CryptoError> {
    check_rsa(key.kind())?;
    let failed = |_| CryptoError::failed("RSA-OAEP encryption failed");
    let key = PublicEncryptingKey::from_der(key.to_der())
        .map_err(|error| CryptoError::key(format!("not an RSA public key: {error}")))?;
    let key = OaepPublicEncryptingKey::new(key).map_err(failed)?;
    let longest = key.max_plaintext_size(&OAEP_SHA256_MGF1SHA256);
    if data.len() > longest {
        return Err(CryptoError::failed(format!(
            "{} bytes do not fit: RSA-OAEP with this key takes at most {longest}",
            data.len()
        )));
    }
    let mut wrapped = vec![0; key.ciphertext_size()];
    let length =
        key.encrypt(&OAEP_SHA256_MGF1SHA256, data, &mut wrapped, label).map_err(failed)?.len();
    wrapped.truncate(length);
    Ok(wrapped)
}

/// Decrypts what [`rsa_oaep_wrap`] encrypted.
///
/// # Errors
/// The key is no RSA key, or not the one, or the label is another. Which, is not told.
pub fn rsa_oaep_unwrap(
    key: &PrivateKey,
    wrapped: &[u8],
    label: Option<&[u8]>,
) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    check_rsa(key.kind())?;
    oaep_decrypt(&oaep_private(key)?, wrapped, label)
}

fn oaep_private(key: &PrivateKey) -> Result<OaepPrivateDecryptingKey, CryptoError> {
    let key = PrivateDecryptingKey::from_pkcs8(&key.to_pkcs8()?)
        .map_err(|error| CryptoError::key(format!("not an RSA private key: {error}")))?;
    OaepPrivateDecryptingKey::new(key).map_err(|_| CryptoError::failed("RSA-OAEP failed"))
}

fn oaep_decrypt(
    key: &OaepPrivateDecryptingKey,
    wrapped: &[u8],
    label: Option<&[u8]>,
) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let mut plain = Zeroizing::new(vec![0; key.min_output_size()]);
    let length = key
        .decrypt(&OAEP_SHA256_MGF1SHA256, wrapped, &mut plain, label)
        .map_err(|_| CryptoError::failed("RSA-OAEP decryption failed"))?
        .len();
    plain.truncate(length);
    Ok(plain)
}

/// Wraps `data` of any length but zero with an AES key of 16, 24 or 32 bytes.
///
/// # Errors
/// The key has another length, or the data is empty or longer than [`WRAPPED_BYTES_MAX`].
pub fn aes_kwp_wrap(key: &[u8], data: &[u8]) -> Result<Vec<u8>, CryptoError> {
    if data.is_empty() {
        return Err(CryptoError::failed("AES-KWP wraps one byte at least"));
    }
    check_length(data)?;
    let mut wrapped = vec![0; data.len().next_multiple_of(IV_LEN) + IV_LEN];
    let length = match kek(key)? {
        Kek::Aws(kek) => kek.wrap_with_padding(data, &mut wrapped).map(|out| out.len()).ok(),
        Kek::Aes192(kek) => kek.wrap_key(data, &mut wrapped).map(<[u8]>::len).ok(),
    };
    wrapped.truncate(length.ok_or_else(|| CryptoError::failed("AES-KWP failed"))?);
    Ok(wrapped)
}

/// Unwraps what [`aes_kwp_wrap`] wrapped, and checks its integrity.
///
/// # Errors
/// The key has another length, or is not the one, or the data was changed.
pub fn aes_kwp_unwrap(key: &[u8], wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    check_length(wrapped)?;
    let mut plain = Zeroizing::new(vec![0; wrapped.len()]);
    // RFC 5649 has two blocks of eight bytes at least.
    let length = match kek(key)? {
        _ if wrapped.len() < 2 * IV_LEN => None,
        Kek::Aws(kek) => kek.unwrap_with_padding(wrapped, &mut plain).map(|out| out.len()).ok(),
        Kek::Aes192(kek) => kek.unwrap_key(wrapped, &mut plain).map(<[u8]>::len).ok(),
    };
    let failed = || CryptoError::failed("AES-KWP: the integrity check failed");
    plain.truncate(length.filter(|length| *length > 0).ok_or_else(failed)?);
    Ok(plain)
}

/// Wraps `data` with a fresh AES key of 128, 192 or 256 bits, and that with RSA-OAEP: the wrapped
/// key, as long as the modulus, then the wrapped data.
///
/// # Errors
/// No AES key has that length, the RSA key is none, or the data is empty or too long.
pub fn rsa_oaep_aes_kwp_wrap(
    key: &PublicKey,
    aes_key_bits: usize,
    data: &[u8],
    label: Option<&[u8]>,
) -> Result<Vec<u8>, CryptoError> {
    check_rsa(key.kind())?;
    let aes = aes_key(aes_key_bits).map_err(|error| CryptoError::failed(error.to_string()))?;
    let mut wrapped = rsa_oaep_wrap(key, &aes, label)?;
    wrapped.extend_from_slice(&aes_kwp_wrap(&aes, data)?);
    Ok(wrapped)
}

/// Unwraps what [`rsa_oaep_aes_kwp_wrap`] wrapped.
///
/// # Errors
/// The key is no RSA key, or not the one, the label is another, or the data was changed.
pub fn rsa_oaep_aes_kwp_unwrap(
    key: &PrivateKey,
    wrapped: &[u8],
    label: Option<&[u8]>,
) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    check_rsa(key.kind())?;
    let key = oaep_private(key)?;
    let parts = wrapped.split_at_checked(key.key_size_bytes());
    let Some((aes, data)) = parts.filter(|(_, data)| !data.is_empty()) else {
        return Err(CryptoError::failed("not enough ciphertext"));
    };
    aes_kwp_unwrap(&oaep_decrypt(&key, aes, label)?, data)
}

enum Kek {
    Aws(AesKek),
    /// The library has no AES-192 here.
    Aes192(Box<KwpAes192>),
}

fn kek(key: &[u8]) -> Result<Kek, CryptoError> {
    let failed = || CryptoError::key("an AES key has 16, 24 or 32 bytes");
    match key.len() {
        16 => AesKek::new(&AES_128, key).map(Kek::Aws).map_err(|_| failed()),
        32 => AesKek::new(&AES_256, key).map(Kek::Aws).map_err(|_| failed()),
        _ => KwpAes192::new_from_slice(key)
            .map(|kek| Kek::Aes192(Box::new(kek)))
            .map_err(|_| failed()),
    }
}

fn check_rsa(kind: KeyKind) -> Result<(), CryptoError> {
    if kind == KeyKind::Rsa {
        return Ok(());
    }
    Err(CryptoError::key(format!("RSA-OAEP needs an RSA key, and this one is {kind}")))
}

fn check_length(data: &[u8]) -> Result<(), CryptoError> {
    if data.len() > WRAPPED_BYTES_MAX {
        let message = format!("AES-KWP of more than {WRAPPED_BYTES_MAX} bytes");
        return Err(CryptoError::failed(message));
    }
    Ok(())
}
