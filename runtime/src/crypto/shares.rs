//! Recovery shares (reference: ledger format, 3.2): the ledger secret is wrapped under a key derived
//! from a shared secret, and that secret is split among the members.
//!
//! Shamir's scheme over GF(2^31 - 1), ten independent limbs. A share is 44 bytes: the point x, then
//! ten values, all 32-bit little-endian. x = 0 is the secret itself, held whole by recovery owners.

use affiant_kv::KeyError;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::keys::random_bytes;
use super::sealer::LedgerSecret;

const LIMBS: usize = 10;
const PRIME: u64 = (1 << 31) - 1;
const SHARE_BYTES: usize = 4 + 4 * LIMBS;
const TAG_BYTES: usize = 16;
const IV_BYTES: usize = 12;
const SECRET_BYTES: usize = 32;

/// One point of the ten polynomials.
#[derive(Clone, Zeroize, ZeroizeOnDrop, PartialEq, Eq)]
pub struct Share {
    x: u32,
    y: [u32; LIMBS],
}

impl Share {
    /// The 44 bytes that are encrypted to a member.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; SHARE_BYTES]> {
        let mut bytes = Zeroizing::new([0; SHARE_BYTES]);
        for (chunk, number) in
            bytes.chunks_exact_mut(4).zip(core::iter::once(&self.x).chain(&self.y))
        {
            chunk.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// Reads 44 bytes.
    ///
    /// # Errors
    /// Another length, or a number outside the field.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        if bytes.len() != SHARE_BYTES {
            return Err(KeyError(format!("a recovery share has {SHARE_BYTES} bytes")));
        }
        let mut numbers = bytes.chunks_exact(4).map(|chunk| {
            chunk.iter().rev().fold(0_u32, |number, byte| number << 8 | u32::from(*byte))
        });
        let x = numbers.next().unwrap_or_default();
        let mut y = [0; LIMBS];
        for (limb, number) in y.iter_mut().zip(numbers) {
            if u64::from(number) >= PRIME {
                return Err(KeyError(
                    "a recovery share holds a number outside its field".to_owned(),
                ));
            }
            *limb = number;
        }
        Ok(Self { x, y })
    }

    /// Whether this is the whole secret, as recovery owners hold it.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.x == 0
    }
}

/// The secret that shares recombine to.
pub struct SharedSecret(Share);

impl SharedSecret {
    /// Makes a new secret.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn generate() -> Result<Self, KeyError> {
        Ok(Self(Share { x: 0, y: random_limbs()? }))
    }

    /// The whole secret as a share, for recovery owners.
    #[must_use]
    pub const fn whole(&self) -> &Share {
        &self.0
    }

    /// Splits into `count` shares, any `threshold` of which recombine.
    ///
    /// # Errors
    /// `threshold` is 0 or above `count`, or the system has no randomness.
    pub fn split(&self, count: usize, threshold: usize) -> Result<Vec<Share>, KeyError> {
        if threshold == 0 || threshold > count {
            return Err(KeyError(format!("{count} shares cannot need {threshold}")));
        }
        let mut coefficients = Zeroizing::new(vec![[0_u32; LIMBS]; threshold]);
        coefficients[0] = self.0.y;
        for row in coefficients.iter_mut().skip(1) {
            *row = random_limbs()?;
        }
        let points = 1..=u32::try_from(count).unwrap_or(u32::MAX);
        Ok(points
            .map(|x| {
                let mut y = [0; LIMBS];
                for (limb, value) in y.iter_mut().enumerate() {
                    let at = coefficients.iter().rev().fold(0_u64, |sum, row| {
                        (sum * u64::from(x) + u64::from(row[limb])) % PRIME
                    });
                    *value = at as u32;
                }
                Share { x, y }
            })
            .collect())
    }

    /// Recombines shares with different points; fewer than the threshold give another secret.
    ///
    /// # Errors
    /// No share, or two of the same point.
    pub fn combine(shares: &[Share]) -> Result<Self, KeyError> {
        if let Some(whole) = shares.iter().find(|share| share.is_whole()) {
            return Ok(Self(whole.clone()));
        }
        let mut y = [0_u64; LIMBS];
        for (position, share) in shares.iter().enumerate() {
            let (mut over, mut under) = (1_u64, 1_u64);
            for (other_position, other) in shares.iter().enumerate() {
                if position == other_position {
                    continue;
                }
                let (here, there) = (u64::from(share.x) % PRIME, u64::from(other.x) % PRIME);
                if here == there {
                    return Err(KeyError("two recovery shares are of the same point".to_owned()));
                }
                over = over * there % PRIME;
                under = under * ((there + PRIME - here) % PRIME) % PRIME;
            }
            let weight = over * power(under, PRIME - 2) % PRIME;
            for (sum, limb) in y.iter_mut().zip(&share.y) {
                *sum = (*sum + weight * u64::from(*limb)) % PRIME;
            }
        }
        if shares.is_empty() {
            return Err(KeyError("no recovery share was given".to_owned()));
        }
        Ok(Self(Share { x: 0, y: y.map(|sum| sum as u32) }))
    }

    /// The key that wraps the ledger secret. CCF passes the secret as HKDF's context too.
    fn wrapping_key(&self) -> Result<LessSafeKey, KeyError> {
        let whole = self.0.to_bytes();
        let secret = &whole[4..];
        let failed = |_| KeyError("the wrapping key could not be derived".to_owned());
        let mut key = Zeroizing::new([0; SECRET_BYTES]);
        hkdf::Salt::new(hkdf::HKDF_SHA256, &[])
            .extract(secret)
            .expand(&[secret], hkdf::HKDF_SHA256)
            .and_then(|derived| derived.fill(&mut *key))
            .map_err(failed)?;
        UnboundKey::new(&AES_256_GCM, &*key).map(LessSafeKey::new).map_err(failed)
    }

    /// Unwraps what [`wrap_ledger_secret`] made: tag, IV, ciphertext.
    ///
    /// # Errors
    /// It was wrapped under another secret, or is malformed.
    pub fn unwrap_ledger_secret(
        &self,
        wrapped: &[u8],
        first_seqno: u64,
    ) -> Result<LedgerSecret, KeyError> {
        let refused = || KeyError("the ledger secret does not unwrap with these shares".to_owned());
        if wrapped.len() != TAG_BYTES + IV_BYTES + SECRET_BYTES {
            return Err(refused());
        }
        let (tag, rest) = wrapped.split_at(TAG_BYTES);
        let (iv, sealed) = rest.split_at(IV_BYTES);
        let nonce = Nonce::try_assume_unique_for_key(iv).map_err(|_| refused())?;
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        secret.copy_from_slice(sealed);
        self.wrapping_key()?
            .open_in_place_separate_tag(nonce, Aad::empty(), tag, &mut *secret)
            .map_err(|_| refused())?;
        Ok(LedgerSecret { first_seqno, secret })
    }
}

/// Wraps a ledger secret under a shared secret that is used once: tag, IV (zero), ciphertext.
///
/// # Errors
/// The cryptographic library failed.
pub fn wrap_ledger_secret(
    shared: &SharedSecret,
    secret: &LedgerSecret,
) -> Result<Vec<u8>, KeyError> {
    let mut sealed = *secret.secret;
    let tag = shared
        .wrapping_key()?
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key([0; IV_BYTES]),
            Aad::empty(),
            &mut sealed,
        )
        .map_err(|_| KeyError("the ledger secret could not be wrapped".to_owned()))?;
    let mut out = Vec::with_capacity(TAG_BYTES + IV_BYTES + SECRET_BYTES);
    out.extend_from_slice(tag.as_ref());
    out.extend_from_slice(&[0; IV_BYTES]);
    out.extend_from_slice(&sealed);
    Ok(out)
}

fn power(base: u64, mut exponent: u64) -> u64 {
    let (mut square, mut product) = (base % PRIME, 1);
    while exponent > 0 {
        if exponent & 1 == 1 {
            product = product * square % PRIME;
        }
        square = square * square % PRIME;
        exponent >>= 1;
    }
    product
}

fn random_limbs() -> Result<[u32; LIMBS], KeyError> {
    let mut limbs = [0; LIMBS];
    for limb in &mut limbs {
        // Uniform in the field: the one 31-bit number outside it is drawn again.
        *limb = loop {
            let number = u32::from_le_bytes(random_bytes()?) >> 1;
            if u64::from(number) < PRIME {
                break number;
            }
        };
    }
    Ok(limbs)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn any_threshold_of_shares_recombines_and_fewer_do_not() {
        let secret = SharedSecret::generate().unwrap();
        let ledger = LedgerSecret::generate(1).unwrap();
        let wrapped = wrap_ledger_secret(&secret, &ledger).unwrap();
        for (count, threshold) in [(1, 1), (3, 1), (3, 2), (5, 5), (7, 4)] {
            let shares = secret.split(count, threshold).unwrap();
            let some: Vec<Share> = shares
                .iter()
                .rev()
                .take(threshold)
                .map(|share| Share::from_bytes(&*share.to_bytes()).unwrap())
                .collect();
            let back = SharedSecret::combine(&some).unwrap();
            let opened = back.unwrap_ledger_secret(&wrapped, 1).unwrap();
            assert_eq!(*opened.secret, *ledger.secret);
            if threshold > 1 {
                let fewer = SharedSecret::combine(&some[1..]).unwrap();
                assert!(fewer.unwrap_ledger_secret(&wrapped, 1).is_err());
            }
        }
        assert!(secret.split(2, 3).is_err() && secret.split(2, 0).is_err());
        assert!(SharedSecret::combine(&[]).is_err());
        let whole = SharedSecret::combine(&[secret.whole().clone()]).unwrap();
        assert!(whole.unwrap_ledger_secret(&wrapped, 1).is_ok());
    }

    #[test]
    fn malformed_shares_are_refused() {
        assert!(Share::from_bytes(&[0; 43]).is_err());
        assert!(Share::from_bytes(&[0xff; 44]).is_err());
        let twice = [Share { x: 1, y: [5; LIMBS] }, Share { x: 1, y: [6; LIMBS] }];
        assert!(SharedSecret::combine(&twice).is_err());
    }
}
