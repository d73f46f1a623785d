//! Keys of the program: made or read, to sign and to verify.

use affiant::crypto::signature::{SignatureAlgorithm, sign, verify};
use affiant::crypto::{CryptoError, EcCurve, KeyKind, PrivateKey, PublicKey, generate, jwk};
use zeroize::Zeroizing;

use super::deliver;
use super::hash::{affiant_hash, hash_of};
use crate::boundary;
use crate::bytes::affiant_bytes;
use crate::fault::Fault;
use crate::handle::{Kind, Opaque};
use crate::memory::{Out, affiant_slice};
use crate::status::{AFFIANT_INVALID_ARGUMENT, AFFIANT_NOT_VERIFIED, affiant_status};

/// A key: a pair, or the public half of one. Any number of threads at once. A private key is overwritten when
/// it is freed.
pub struct affiant_key {
    _opaque: [u8; 0],
}

impl Opaque for affiant_key {
    type Object = Key;
    const KIND: Kind = Kind::Key;
}

/// The kind of a key: one of the constants `AFFIANT_KEY_...`.
pub type affiant_key_kind = u32;

/// ECDSA on P-256.
pub const AFFIANT_KEY_P256: affiant_key_kind = 1;
/// ECDSA on P-384.
pub const AFFIANT_KEY_P384: affiant_key_kind = 2;
/// ECDSA on P-521.
pub const AFFIANT_KEY_P521: affiant_key_kind = 3;
/// Ed25519 (RFC 8032).
pub const AFFIANT_KEY_ED25519: affiant_key_kind = 4;
/// X25519 (RFC 7748): for key agreement, it cannot sign.
pub const AFFIANT_KEY_X25519: affiant_key_kind = 5;
/// RSA of any size that is taken: what `affiant_key_get_kind` says of RSA keys.
pub const AFFIANT_KEY_RSA: affiant_key_kind = 6;
/// RSA of 2048 bits, to be made.
pub const AFFIANT_KEY_RSA2048: affiant_key_kind = 2048;
/// RSA of 3072 bits, to be made.
pub const AFFIANT_KEY_RSA3072: affiant_key_kind = 3072;
/// RSA of 4096 bits, to be made.
pub const AFFIANT_KEY_RSA4096: affiant_key_kind = 4096;

/// The object behind `affiant_key`.
pub(crate) struct Key {
    private: Option<PrivateKey>,
    public: PublicKey,
}

impl Key {
    fn pair(private: PrivateKey) -> Result<Self, CryptoError> {
        Ok(Self { public: private.public_key()?, private: Some(private) })
    }

    pub(super) const fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(super) fn private(&self) -> Result<&PrivateKey, Fault> {
        self.private.as_ref().ok_or_else(|| {
            let text = "this takes a private key; only the public half of this one is here";
            Fault::new(AFFIANT_INVALID_ARGUMENT, text)
        })
    }

    fn algorithm(&self, hash: affiant_hash) -> Result<SignatureAlgorithm, Fault> {
        let usual = SignatureAlgorithm::for_key(self.public.kind())?;
        if hash == 0 {
            return Ok(usual);
        }
        let hash = hash_of(hash)?;
        Ok(match usual {
            SignatureAlgorithm::Ecdsa { .. } => SignatureAlgorithm::Ecdsa { hash },
            SignatureAlgorithm::RsaPss { .. } => {
                SignatureAlgorithm::RsaPss { hash, salt_bytes: hash.output_bytes() }
            }
            _ => return Err(Fault::argument("Ed25519 has a hash of its own: give 0")),
        })
    }
}

fn made(kind: affiant_key_kind) -> Result<PrivateKey, Fault> {
    Ok(match kind {
        AFFIANT_KEY_P256 => generate::ec_key(EcCurve::P256)?,
        AFFIANT_KEY_P384 => generate::ec_key(EcCurve::P384)?,
        AFFIANT_KEY_P521 => generate::ec_key(EcCurve::P521)?,
        AFFIANT_KEY_ED25519 => generate::ed25519_key()?,
        AFFIANT_KEY_X25519 => generate::x25519_key()?,
        AFFIANT_KEY_RSA2048 | AFFIANT_KEY_RSA3072 | AFFIANT_KEY_RSA4096 => {
            generate::rsa_key(kind, generate::RSA_EXPONENT_DEFAULT)?
        }
        other => {
            let text = format!("{other} is no AFFIANT_KEY_... constant of a key that can be made");
            return Err(Fault::argument(text));
        }
    })
}

/// Makes a key pair. RSA takes up to seconds. To be freed with `affiant_key_free`. From any thread.
///
/// # Safety
/// `key` leads to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_key_generate(
    kind: affiant_key_kind,
    key: *mut *mut affiant_key,
) -> affiant_status {
    // SAFETY: as promised to this function.
    unsafe { boundary::make(key, || Ok(Key::pair(made(kind)?)?)) }
}

/// Reads a key in PEM: a private key (PKCS#8, or as OpenSSL writes EC and RSA keys), a public one, or a
/// certificate, whose public key it is. `AFFIANT_UNREADABLE`. To be freed with `affiant_key_free`. From any
/// thread.
///
/// # Safety
/// `pem` leads to as many bytes as it says, `key` to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_key_from_pem(
    pem: affiant_slice,
    key: *mut *mut affiant_key,
) -> affiant_status {
    // SAFETY: as promised to this function.
    unsafe {
        boundary::make(key, || {
            let pem = pem.text("pem")?;
            if pem.contains("PRIVATE KEY-----") {
                return Ok(Key::pair(PrivateKey::from_pem(pem)?)?);
            }
            Ok(Key { private: None, public: PublicKey::from_pem(pem)? })
        })
    }
}

/// Reads a key from a JWK (RFC 7517), with its private half if it has the member "d". `AFFIANT_UNREADABLE`. To be freed
/// with `affiant_key_free`. From any thread.
///
/// # Safety
/// `json` leads to as many bytes as it says, `key` to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_key_from_jwk(
    json: affiant_slice,
    key: *mut *mut affiant_key,
) -> affiant_status {
    #[derive(serde::Deserialize)]
    struct Head {
        d: Option<serde::de::IgnoredAny>,
    }
    // SAFETY: as promised to this function.
    unsafe {
        boundary::make(key, || {
            let json = json.text("json")?;
            let private = serde_json::from_str::<Head>(json).is_ok_and(|head| head.d.is_some());
            if private {
                return Ok(Key::pair(jwk::private_key_from_text(json)?)?);
            }
            Ok(Key { private: None, public: jwk::public_key_from_text(json)? })
        })
    }
}

/// Overwrites a key and frees it. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn affiant_key_free(key: *mut affiant_key) -> affiant_status {
    boundary::free(key)
}

/// The kind of a key, and whether its private half is here. Either output may be NULL.
///
/// # Safety
/// `kind` and `is_private` are NULL or lead to room for their values.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_key_get_kind(
    key: *const affiant_key,
    kind: *mut affiant_key_kind,
    is_private: *mut bool,
) -> affiant_status {
    boundary::shared(key, |key| {
        // SAFETY: as promised to this function.
        let (kind, is_private) =
            unsafe { (Out::optional(kind, "kind")?, Out::optional(is_private, "is_private")?) };
        let found = match key.public.kind() {
            KeyKind::Ec(EcCurve::P256) => AFFIANT_KEY_P256,
            KeyKind::Ec(EcCurve::P384) => AFFIANT_KEY_P384,
            KeyKind::Ec(EcCurve::P521) => AFFIANT_KEY_P521,
            KeyKind::Rsa => AFFIANT_KEY_RSA,
            KeyKind::Ed25519 => AFFIANT_KEY_ED25519,
            KeyKind::X25519 => AFFIANT_KEY_X25519,
        };
        if let Some(kind) = kind {
            kind.write(found);
        }
        if let Some(is_private) = is_private {
            is_private.write(key.private.is_some());
        }
        Ok(())
    })
}

/// The public key in PEM (SubjectPublicKeyInfo). To be freed with `affiant_bytes_free`.
///
/// # Safety
/// `pem` leads to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_key_public_pem(
    key: *const affiant_key,
    pem: *mut *mut affiant_bytes,
) -> affiant_status {
    // SAFETY: as promised to this function.
    let out = unsafe { Out::handle(pem, "pem") };
    boundary::shared(key, |key| {
        let out = out?;
        deliver(out, key.public.to_pem().into_bytes())
    })
}

/// The private key in PEM (PKCS#8). To be freed with `affiant_bytes_free`.
///
/// # Safety
/// `pem` leads to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_key_private_pem(
    key: *const affiant_key,
    pem: *mut *mut affiant_bytes,
) -> affiant_status {
    // SAFETY: as promised to this function.
    let out = unsafe { Out::handle(pem, "pem") };
    boundary::shared(key, |key| {
        let out = out?;
        deliver(out, key.private()?.to_pem()?.as_bytes().to_vec())
    })
}

/// The public key as a JWK, with a "kid" unless `kid` is empty. To be freed with `affiant_bytes_free`.
///
/// # Safety
/// `kid` leads to as many bytes as it says, `json` to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_key_public_jwk(
    key: *const affiant_key,
    kid: affiant_slice,
    json: *mut *mut affiant_bytes,
) -> affiant_status {
    // SAFETY: as promised to this function.
    let out = unsafe { Out::handle(json, "json") };
    boundary::shared(key, |key| {
        // SAFETY: as promised to this function.
        let (out, kid) = unsafe { (out?, kid.text("kid")?) };
        let kid = (!kid.is_empty()).then_some(kid);
        deliver(out, jwk::from_public_key(&key.public, kid)?.to_string().into_bytes())
    })
}

/// The private key as a JWK, with a "kid" unless `kid` is empty. To be freed with `affiant_bytes_free`.
///
/// # Safety
/// `kid` leads to as many bytes as it says, `json` to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_key_private_jwk(
    key: *const affiant_key,
    kid: affiant_slice,
    json: *mut *mut affiant_bytes,
) -> affiant_status {
    // SAFETY: as promised to this function.
    let out = unsafe { Out::handle(json, "json") };
    boundary::shared(key, |key| {
        // SAFETY: as promised to this function.
        let (out, kid) = unsafe { (out?, kid.text("kid")?) };
        let kid = (!kid.is_empty()).then_some(kid);
        let made: Zeroizing<_> = jwk::from_private_key(key.private()?, kid)?;
        deliver(out, made.as_bytes().to_vec())
    })
}

/// Signs `data` with a private key. `hash` is 0 for what goes with the key: ECDSA with the hash of its
/// curve's length, RSA-PSS with SHA-256, Ed25519. An ECDSA signature is r || s (IEEE P1363); the salt of
/// RSA-PSS is as long as the hash. To be freed with `affiant_bytes_free`.
///
/// # Safety
/// `data` leads to as many bytes as it says, `signature` to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_key_sign(
    key: *const affiant_key,
    hash: affiant_hash,
    data: affiant_slice,
    signature: *mut *mut affiant_bytes,
) -> affiant_status {
    // SAFETY: as promised to this function.
    let out = unsafe { Out::handle(signature, "signature") };
    boundary::shared(key, |key| {
        // SAFETY: as promised to this function.
        let (out, data) = unsafe { (out?, data.bytes("data")?) };
        deliver(out, sign(key.algorithm(hash)?, key.private()?, data)?)
    })
}

/// Whether `signature` is one of `data` by this key, made as `affiant_key_sign` makes it.
/// `AFFIANT_NOT_VERIFIED` if not.
///
/// # Safety
/// The slices lead to as many bytes as they say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_key_verify(
    key: *const affiant_key,
    hash: affiant_hash,
    data: affiant_slice,
    signature: affiant_slice,
) -> affiant_status {
    boundary::shared(key, |key| {
        // SAFETY: as promised to this function.
        let (data, signature) = unsafe { (data.bytes("data")?, signature.bytes("signature")?) };
        if verify(key.algorithm(hash)?, &key.public, data, signature)? {
            return Ok(());
        }
        Err(Fault::new(AFFIANT_NOT_VERIFIED, "the signature is not one of these data by this key"))
    })
}
