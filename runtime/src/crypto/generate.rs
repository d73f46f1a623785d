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
    if exponent == RSA_EXPONENT_DEFAULT {
        return library_key(size);
    }
    // The library makes keys with 65537 only: other exponents take their primes.
    let mut primes = Vec::new();
    for _ in 0..RSA_EXPONENT_ATTEMPTS_MAX {
        let pkcs8 = library_key(size)?.to_pkcs8()?;
        let parts = rsa_components(&pkcs8)?;
        for prime in [parts.p.as_bytes(), parts.q.as_bytes()] {
            if takes_exponent(prime, exponent).unwrap_or(false) {
                primes.push(Zeroizing::new(prime.to_vec()));
            }
        }
        if let [p, q, ..] = &primes[..] {
            return of_primes(p, q, exponent);
        }
    }
    Err(CryptoError::failed(format!("no RSA key with exponent {exponent} was found")))
}

fn library_key(size: KeySize) -> Result<PrivateKey, CryptoError> {
    rsa::KeyPair::generate(size)
        .map(|pair| PrivateKey::from_pair(Pair::Rsa(pair)))
        .map_err(|_| CryptoError::failed("no RSA key was made"))
}

type Secret = Zeroizing<Vec<u8>>;

fn number(bytes: &[u8], bits: u32) -> Option<Zeroizing<BoxedUint>> {
    BoxedUint::from_be_slice(bytes, bits).ok().map(Zeroizing::new)
}

fn bytes_of(number: &BoxedUint) -> Secret {
    Zeroizing::new(number.to_be_bytes().into_vec())
}

/// Whether the exponent has an inverse modulo the prime less one.
fn takes_exponent(prime: &[u8], exponent: u32) -> Option<bool> {
    let bits = u32::try_from(8 * prime.len()).ok()?;
    let one = BoxedUint::one_with_precision(bits);
    let less_one = Zeroizing::new(number(prime, bits)?.wrapping_sub(&one));
    Some(BoxedUint::from(exponent).resize(bits).gcd(&*less_one) == one)
}

/// The key of these primes. The library checks that its parts fit.
fn of_primes(p: &[u8], q: &[u8], exponent: u32) -> Result<PrivateKey, CryptoError> {
    let e = exponent.to_be_bytes();
    let [n, d, dp, dq, qi] = components(p, q, exponent)
        .ok_or_else(|| CryptoError::failed("no RSA key could be made of two primes"))?;
    PrivateKey::from_rsa(&RsaComponents {
        public_key: rsa::PublicKeyComponents {
            n: without_leading_zeros(&n),
            e: without_leading_zeros(&e),
        },
        d: &d,
        p,
        q,
        dP: &dp,
        dQ: &dq,
        qInv: &qi,
    })
}

/// n, d = e^-1 mod lcm(p-1, q-1) (FIPS 186-5, A.1.1), d mod p-1 and q-1, q^-1 mod p, big-endian.
/// Constant time but for the lengths.
fn components(p: &[u8], q: &[u8], exponent: u32) -> Option<[Secret; 5]> {
    let bits = u32::try_from(8 * (p.len() + q.len())).ok()?;
    let one = BoxedUint::one_with_precision(bits);
    let (p, q) = (number(p, bits)?, number(q, bits)?);
    let n = p.wrapping_mul(&*q);
    let (p1, q1) = (Zeroizing::new(p.wrapping_sub(&one)), Zeroizing::new(q.wrapping_sub(&one)));
    let gcd = NonZero::new(p1.gcd(&*q1)).into_option()?;
    let lcm = Zeroizing::new(p1.wrapping_mul(&*q1).div_rem(&gcd).0);
    let inverse = |number: &BoxedUint, modulus: &BoxedUint| -> Option<Zeroizing<BoxedUint>> {
        let modulus = Zeroizing::new(NonZero::new(modulus.clone()).into_option()?);
        number.invert_mod(&modulus).into_option().map(Zeroizing::new)
    };
    let remainder = |number: &BoxedUint, modulus: &BoxedUint| -> Option<Secret> {
        let modulus = Zeroizing::new(NonZero::new(modulus.clone()).into_option()?);
        Some(bytes_of(&Zeroizing::new(number.rem(&*modulus))))
    };
    let d = inverse(&BoxedUint::from(exponent).resize(bits), &lcm)?;
    let qi = inverse(&q, &p)?;
    let (dp, dq) = (remainder(&d, &p1)?, remainder(&d, &q1)?);
    Some([bytes_of(&n), bytes_of(&d), dp, dq, bytes_of(&qi)])
}
