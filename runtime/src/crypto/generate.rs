//! Fresh keys for applications.

use aws_lc_rs::agreement::{self, X25519};
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair};
use crypto_bigint::{BoxedUint, Gcd as _, NonZero, Resize as _};
use zeroize::Zeroizing;

use super::error::CryptoError;
use super::private_key::{Pair, PrivateKey, RsaComponents, rsa_components, signing};
use super::public_key::{EcCurve, without_leading_zeros};
use crate::limits::RSA_EXPONENT_ATTEMPTS_MAX;

/// The exponent that everybody uses.
pub const RSA_EXPONENT_DEFAULT: u32 = 65_537;

/// An AES key of 128, 192 or 256 bits.
///
/// # Errors
/// Another size, or the system has no randomness.
pub fn aes_key(bits: usize) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    if ![128, 192, 256].contains(&bits) {
        return Err(CryptoError::unsupported("invalid key size (not one of 128, 192, 256)"));
    }
    let mut key = Zeroizing::new(vec![0; bits / 8]);
    SystemRandom::new()
        .fill(&mut key)
        .map_err(|_| CryptoError::failed("the system gave no random bytes"))?;
    Ok(key)
}

/// An EC key.
///
/// # Errors
/// The cryptographic library failed.
pub fn ec_key(curve: EcCurve) -> Result<PrivateKey, CryptoError> {
    EcdsaKeyPair::generate(signing(curve))
        .map(|pair| PrivateKey::from_pair(Pair::Ec(curve, pair)))
        .map_err(|_| CryptoError::failed(format!("no {} key was made", curve.jwk_name())))
}

/// An Ed25519 key.
///
/// # Errors
/// The cryptographic library failed.
pub fn ed25519_key() -> Result<PrivateKey, CryptoError> {
    Ed25519KeyPair::generate()
        .map(|pair| PrivateKey::from_pair(Pair::Ed25519(pair)))
        .map_err(|_| CryptoError::failed("no Ed25519 key was made"))
}

/// An X25519 key.
///
/// # Errors
/// The cryptographic library failed.
pub fn x25519_key() -> Result<PrivateKey, CryptoError> {
    agreement::PrivateKey::generate(&X25519)
        .map(|key| PrivateKey::from_pair(Pair::X25519(key)))
        .map_err(|_| CryptoError::failed("no X25519 key was made"))
}

/// An RSA key of 2048, 3072, 4096 or 8192 bits; the last takes seconds. The exponent is odd and at
/// least 3; use [`RSA_EXPONENT_DEFAULT`] unless a peer insists.
///
/// # Errors
/// Another size, an impossible exponent, or the cryptographic library failed.
pub fn rsa_key(bits: u32, exponent: u32) -> Result<PrivateKey, CryptoError> {
    let size = match bits {
        2048 => KeySize::Rsa2048,
        3072 => KeySize::Rsa3072,
        4096 => KeySize::Rsa4096,
        8192 => KeySize::Rsa8192,
        _ => {
            return Err(CryptoError::failed(format!(
                "{bits} bits: RSA keys of 2048, 3072, 4096 and 8192 bits can be made"
            )));
        }
    };
    if exponent < 3 || exponent.is_multiple_of(2) {
        return Err(CryptoError::failed(format!(
            "exponent {exponent}: it must be odd and at least 3; 65537 is usual"
        )));
    }
    for _ in 0..RSA_EXPONENT_ATTEMPTS_MAX {
        let pair =
            rsa::KeyPair::generate(size).map_err(|_| CryptoError::failed("no RSA key was made"))?;
        let key = PrivateKey::from_pair(Pair::Rsa(pair));
        if exponent == RSA_EXPONENT_DEFAULT {
            return Ok(key);
        }
        if let Some(key) = with_exponent(&key, exponent)? {
            return Ok(key);
        }
    }
    Err(CryptoError::failed(format!("no RSA key with exponent {exponent} was found")))
}

/// The key of the same primes with another exponent, where that has an inverse: the library itself
/// makes keys with 65537 only, and it checks what comes out of this.
fn with_exponent(key: &PrivateKey, exponent: u32) -> Result<Option<PrivateKey>, CryptoError> {
    let pkcs8 = key.to_pkcs8()?;
    let parts = rsa_components(&pkcs8)?;
    let e = exponent.to_be_bytes();
    let Some([d, dp, dq]) = inverse(parts.p.as_bytes(), parts.q.as_bytes(), exponent) else {
        return Ok(None);
    };
    let components = RsaComponents {
        public_key: rsa::PublicKeyComponents {
            n: parts.n.as_bytes(),
            e: without_leading_zeros(&e),
        },
        d: &d,
        p: parts.p.as_bytes(),
        q: parts.q.as_bytes(),
        dP: &dp,
        dQ: &dq,
        qInv: parts.qi.as_bytes(),
    };
    PrivateKey::from_rsa(&components).map(Some)
}

type Secret = Zeroizing<Vec<u8>>;

/// d = e^-1 mod lcm(p-1, q-1), and d mod p-1 and q-1 (FIPS 186-5, A.1.1), big-endian; `None` where
/// e has no inverse. Constant time but for the length of p and q.
fn inverse(p: &[u8], q: &[u8], exponent: u32) -> Option<[Secret; 3]> {
    let bits = u32::try_from(8 * (p.len() + q.len())).ok()?;
    let number = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, bits).ok().map(Zeroizing::new);
    let one = BoxedUint::one_with_precision(bits);
    let less_one = |bytes: &[u8]| -> Option<Zeroizing<BoxedUint>> {
        Some(Zeroizing::new(number(bytes)?.wrapping_sub(&one)))
    };
    let (p1, q1) = (less_one(p)?, less_one(q)?);
    let gcd = NonZero::new(p1.gcd(&q1)).into_option()?;
    let lcm = Zeroizing::new(p1.wrapping_mul(&*q1).div_rem(&gcd).0);
    let lcm = NonZero::new((*lcm).clone()).into_option()?;
    let e = BoxedUint::from(exponent).resize(bits);
    let d = Zeroizing::new(e.invert_mod(&lcm).into_option()?);
    let modulo = |modulus: &BoxedUint| -> Option<Secret> {
        let modulus = NonZero::new(modulus.clone()).into_option()?;
        Some(bytes_of(&Zeroizing::new(d.rem(&modulus))))
    };
    Some([bytes_of(&d), modulo(&p1)?, modulo(&q1)?])
}

fn bytes_of(number: &BoxedUint) -> Secret {
    Zeroizing::new(number.to_be_bytes().into_vec())
}
