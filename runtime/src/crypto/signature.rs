//! Signatures for applications: RSA-PSS with any salt length (RFC 8017), ECDSA with any curve and
//! hash (FIPS 186-5; r || s as IEEE P1363 writes it), Ed25519 (RFC 8032).

use std::sync::OnceLock;

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RSA_PSS_SHA256,
    RSA_PSS_SHA384, RSA_PSS_SHA512, RsaParameters, RsaPssSaltLength, RsaSignatureEncoding,
    UnparsedPublicKey,
};

use super::error::CryptoError;
use super::hash::Hash;
use super::private_key::{Pair, PrivateKey};
use super::public_key::{EcCurve, KeyKind, PublicKey};
use crate::limits::RSA_BITS_MAX;

/// Bytes of the longest salt that any key takes: the modulus less the shortest digest and two.
const SALT_BYTES_MAX: usize = RSA_BITS_MAX / 8 - 32 - 2;

/// How to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureAlgorithm {
    /// RSASSA-PSS; the same hash for message and mask.
    RsaPss {
        /// The hash.
        hash: Hash,
        /// Bytes of salt.
        salt_bytes: usize,
    },
    /// ECDSA; the signature is r || s, each as long as the curve's field.
    Ecdsa {
        /// The hash, cut to the length of the curve's order where it is longer.
        hash: Hash,
    },
    /// Ed25519, the pure variant.
    EdDsa,
}

impl SignatureAlgorithm {
    /// What a key of that kind signs with when nobody says: ECDSA with the curve's own hash
    /// (SHA-256, SHA-384, SHA-512), RSA-PSS with SHA-256 and 32 bytes of salt, Ed25519.
    ///
    /// # Errors
    /// The key is for key agreement only.
    pub fn for_key(kind: KeyKind) -> Result<Self, CryptoError> {
        match kind {
            KeyKind::Ec(curve) => Ok(Self::Ecdsa { hash: own_hash(curve) }),
            KeyKind::Rsa => Ok(Self::RsaPss { hash: Hash::Sha256, salt_bytes: 32 }),
            KeyKind::Ed25519 => Ok(Self::EdDsa),
            KeyKind::X25519 => Err(CryptoError::key("an X25519 key cannot sign")),
        }
    }
}

/// Signs `data`.
///
/// # Errors
/// The key is of another kind, the salt does not fit its modulus, or the library failed.
pub fn sign(
    algorithm: SignatureAlgorithm,
    key: &PrivateKey,
    data: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    match (algorithm, key.pair()) {
        (SignatureAlgorithm::RsaPss { hash, salt_bytes }, Pair::Rsa(pair)) => {
            let modulus_bytes = pair.public_modulus_len();
            check_salt(hash, salt_bytes, modulus_bytes)?;
            let mut signature = vec![0; modulus_bytes];
            pair.sign(pss_signing(hash, salt_bytes)?, &SystemRandom::new(), data, &mut signature)
                .map_err(|_| CryptoError::failed("RSA-PSS failed"))?;
            Ok(signature)
        }
        (SignatureAlgorithm::Ecdsa { hash }, Pair::Ec(curve, pair)) => pair
            .sign_digest(&ecdsa_digest(*curve, hash, data)?)
            .map(|signature| signature.as_ref().to_vec())
            .map_err(|_| CryptoError::failed("ECDSA failed")),
        (SignatureAlgorithm::EdDsa, Pair::Ed25519(pair)) => pair
            .try_sign(data)
            .map(|signature| signature.as_ref().to_vec())
            .map_err(|_| CryptoError::failed("Ed25519 failed")),
        _ => Err(wrong_kind(algorithm, key.kind())),
    }
}

/// Whether `signature` is one of `data`.
///
/// # Errors
/// The key is of another kind. A signature of impossible form is only not valid.
pub fn verify(
    algorithm: SignatureAlgorithm,
    key: &PublicKey,
    data: &[u8],
    signature: &[u8],
) -> Result<bool, CryptoError> {
    match (algorithm, key.kind(), key.verifier()) {
        (SignatureAlgorithm::RsaPss { hash, salt_bytes }, KeyKind::Rsa, _) => {
            if salt_bytes > SALT_BYTES_MAX {
                return Ok(false);
            }
            let parameters = pss_verification(hash, salt_bytes)?;
            Ok(UnparsedPublicKey::new(parameters, key.to_der()).verify(data, signature).is_ok())
        }
        (SignatureAlgorithm::Ecdsa { hash }, KeyKind::Ec(curve), Some(verifier)) => {
            let digest = ecdsa_digest(curve, hash, data)?;
            Ok(verifier.verify_digest_sig(&digest, signature).is_ok())
        }
        (SignatureAlgorithm::EdDsa, KeyKind::Ed25519, Some(verifier)) => {
            Ok(verifier.verify_sig(data, signature).is_ok())
        }
        _ => Err(wrong_kind(algorithm, key.kind())),
    }
}

fn wrong_kind(algorithm: SignatureAlgorithm, kind: KeyKind) -> CryptoError {
    let (name, wanted) = match algorithm {
        SignatureAlgorithm::RsaPss { .. } => ("RSA-PSS", "an RSA key"),
        SignatureAlgorithm::Ecdsa { .. } => ("ECDSA", "an EC key"),
        SignatureAlgorithm::EdDsa => ("EdDSA", "an Ed25519 key"),
    };
    CryptoError::key(format!("{name} needs {wanted}, and this one is {kind}"))
}

const fn own_hash(curve: EcCurve) -> Hash {
    match curve {
        EcCurve::P256 => Hash::Sha256,
        EcCurve::P384 => Hash::Sha384,
        EcCurve::P521 => Hash::Sha512,
    }
}

/// The digest, in the length of the curve's own hash, which is what the library takes: a longer one
/// is cut on the right, as FIPS 186-5, 6.4.1 cuts it to the order's length; a shorter one is the
/// same integer with zeros before it.
fn ecdsa_digest(curve: EcCurve, hash: Hash, data: &[u8]) -> Result<Digest, CryptoError> {
    let own = own_hash(curve);
    let computed = digest::digest(hash.algorithm(), data);
    if hash == own {
        return Ok(computed);
    }
    let (bytes, length) = (computed.as_ref(), own.output_bytes());
    let fitted = match length.checked_sub(bytes.len()) {
        Some(zeros) => [&vec![0; zeros], bytes].concat(),
        None => bytes.get(..length).unwrap_or_default().to_vec(),
    };
    Digest::import_less_safe(&fitted, own.algorithm())
        .map_err(|_| CryptoError::failed("ECDSA: the digest has no such length"))
}

fn check_salt(hash: Hash, salt_bytes: usize, modulus_bytes: usize) -> Result<(), CryptoError> {
    let longest = modulus_bytes.saturating_sub(hash.output_bytes() + 2);
    if salt_bytes > longest {
        return Err(CryptoError::failed(format!(
            "a salt of {salt_bytes} bytes does not fit: at most {longest} do with this key and {}",
            hash.name()
        )));
    }
    Ok(())
}

// The library wants parameters that live for ever; each length's are made when first asked for.
type PerSalt<T> = [OnceLock<T>; SALT_BYTES_MAX + 1];

fn pss_signing(
    hash: Hash,
    salt_bytes: usize,
) -> Result<&'static RsaSignatureEncoding, CryptoError> {
    static SHA256: PerSalt<RsaSignatureEncoding> = [const { OnceLock::new() }; SALT_BYTES_MAX + 1];
    static SHA384: PerSalt<RsaSignatureEncoding> = [const { OnceLock::new() }; SALT_BYTES_MAX + 1];
    static SHA512: PerSalt<RsaSignatureEncoding> = [const { OnceLock::new() }; SALT_BYTES_MAX + 1];
    let (table, encoding) = match hash {
        Hash::Sha256 => (&SHA256, RSA_PSS_SHA256),
        Hash::Sha384 => (&SHA384, RSA_PSS_SHA384),
        Hash::Sha512 => (&SHA512, RSA_PSS_SHA512),
    };
    let slot = table.get(salt_bytes).ok_or_else(salt_too_long)?;
    Ok(slot.get_or_init(|| encoding.with_pss_salt_length(salt_length(salt_bytes))))
}

fn pss_verification(hash: Hash, salt_bytes: usize) -> Result<&'static RsaParameters, CryptoError> {
    static SHA256: PerSalt<RsaParameters> = [const { OnceLock::new() }; SALT_BYTES_MAX + 1];
    static SHA384: PerSalt<RsaParameters> = [const { OnceLock::new() }; SALT_BYTES_MAX + 1];
    static SHA512: PerSalt<RsaParameters> = [const { OnceLock::new() }; SALT_BYTES_MAX + 1];
    let (table, parameters) = match hash {
        Hash::Sha256 => (&SHA256, RSA_PSS_2048_8192_SHA256),
        Hash::Sha384 => (&SHA384, RSA_PSS_2048_8192_SHA384),
        Hash::Sha512 => (&SHA512, RSA_PSS_2048_8192_SHA512),
    };
    let slot = table.get(salt_bytes).ok_or_else(salt_too_long)?;
    Ok(slot.get_or_init(|| parameters.with_pss_salt_length(salt_length(salt_bytes))))
}

fn salt_length(salt_bytes: usize) -> RsaPssSaltLength {
    u16::try_from(salt_bytes).map_or(RsaPssSaltLength::Max, RsaPssSaltLength::Custom)
}

fn salt_too_long() -> CryptoError {
    CryptoError::failed(format!("a salt of more than {SALT_BYTES_MAX} bytes"))
}
