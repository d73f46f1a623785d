//! Public keys that callers' signatures are checked with, parsed once per row of a table.

use std::collections::HashMap;
use std::sync::Arc;

use affiant_kv::Value;
use aws_lc_rs::digest::{self, Digest, SHA256, SHA384, SHA512};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, VerificationAlgorithm,
};
use parking_lot::RwLock;

use crate::crypto::{EcCurve, KeyKind, PublicKey};
use crate::limits::KNOWN_KEYS_COUNT_MAX;

/// What a signature claims to be made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// JOSE RS256: RSA PKCS#1 v1.5 with SHA-256.
    Rs256,
    /// JOSE ES256: ECDSA over P-256 with SHA-256.
    Es256,
    /// COSE ES256: ECDSA with SHA-256, over the key's curve (RFC 9053, 2.1).
    CoseEs256,
    /// COSE ES384: ECDSA with SHA-384, over the key's curve.
    CoseEs384,
    /// COSE ES512: ECDSA with SHA-512, over the key's curve.
    CoseEs512,
}

/// A public key, ready to verify.
pub(crate) struct VerifyingKey {
    kind: KeyKind,
    key: ParsedPublicKey,
}

impl VerifyingKey {
    /// `None` for keys of a kind that signs neither tokens nor requests.
    pub(crate) fn new(public: &PublicKey) -> Option<Self> {
        let kind = public.kind();
        let algorithm: &'static dyn VerificationAlgorithm = match kind {
            KeyKind::Rsa => &RSA_PKCS1_2048_8192_SHA256,
            KeyKind::Ec(EcCurve::P256) => &ECDSA_P256_SHA256_FIXED,
            KeyKind::Ec(EcCurve::P384) => &ECDSA_P384_SHA384_FIXED,
            KeyKind::Ec(EcCurve::P521) => &ECDSA_P521_SHA512_FIXED,
            KeyKind::Ed25519 | KeyKind::X25519 => return None,
        };
        let key = ParsedPublicKey::new(algorithm, public.to_der()).ok()?;
        Some(Self { kind, key })
    }

    /// Whether `signature` is this key's over `message`, by `algorithm`; ECDSA as r || s.
    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let hash = match (algorithm, self.kind) {
            (Algorithm::Rs256, KeyKind::Rsa) | (Algorithm::Es256, KeyKind::Ec(EcCurve::P256)) => {
                return self.key.verify_sig(message, signature).is_ok();
            }
            (Algorithm::CoseEs256, KeyKind::Ec(_)) => &SHA256,
            (Algorithm::CoseEs384, KeyKind::Ec(_)) => &SHA384,
            (Algorithm::CoseEs512, KeyKind::Ec(_)) => &SHA512,
            _ => return false,
        };
        let digest = digest::digest(hash, message);
        self.for_curve(digest.as_ref())
            .is_some_and(|digest| self.key.verify_digest_sig(&digest, signature).is_ok())
    }

    /// The library wants the curve's own hash. ECDSA takes a digest's leftmost bits, as many as the
    /// order has, as an integer; so cutting a longer digest, or zeros before a shorter one, change
    /// nothing.
    fn for_curve(&self, digest: &[u8]) -> Option<Digest> {
        let own = match self.kind {
            KeyKind::Ec(EcCurve::P256) => &SHA256,
            KeyKind::Ec(EcCurve::P384) => &SHA384,
            KeyKind::Ec(EcCurve::P521) => &SHA512,
            _ => return None,
        };
        let mut bytes = [0_u8; 64];
        let bytes = bytes.get_mut(..own.output_len())?;
        let kept = digest.get(..bytes.len()).unwrap_or(digest);
        let zeros = bytes.len() - kept.len();
        bytes.get_mut(zeros..)?.copy_from_slice(kept);
        Digest::import_less_safe(bytes, own).ok()
    }
}

/// What rows of a table were parsed to, by key. Whoever asks has read the row in the request's
/// transaction; a row with other bytes is parsed again, so nothing that was removed is trusted on.
pub(crate) struct ParsedRows<T>(RwLock<HashMap<Vec<u8>, ParsedRow<T>>>);

/// The bytes of a row, and what they are.
type ParsedRow<T> = (Value, Arc<T>);

impl<T> Default for ParsedRows<T> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<T> ParsedRows<T> {
    /// What `row`, found under `key`, is parsed to.
    pub(crate) fn get(&self, key: &[u8], row: &Value, parse: impl FnOnce(&[u8]) -> T) -> Arc<T> {
        if let Some((seen, parsed)) = self.0.read().get(key)
            && (Arc::ptr_eq(seen, row) || seen == row)
        {
            return parsed.clone();
        }
        let parsed = Arc::new(parse(row));
        let mut rows = self.0.write();
        if rows.len() >= KNOWN_KEYS_COUNT_MAX {
            rows.clear();
        }
        rows.insert(key.to_vec(), (row.clone(), parsed.clone()));
        parsed
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use aws_lc_rs::encoding::AsDer as _;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
        ECDSA_P521_SHA256_FIXED_SIGNING, ECDSA_P521_SHA384_FIXED_SIGNING,
        ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair as _,
    };

    use super::*;

    fn verifying(pair: &EcdsaKeyPair) -> VerifyingKey {
        let der = pair.public_key().as_der().unwrap();
        VerifyingKey::new(&PublicKey::from_der(der.as_ref()).unwrap()).unwrap()
    }

    #[test]
    fn cose_algorithms_name_the_hash_and_keys_the_curve() {
        use Algorithm::{CoseEs256, CoseEs384, CoseEs512, Es256};
        let all = [CoseEs256, CoseEs384, CoseEs512, Es256];
        let signing: [(&'static EcdsaSigningAlgorithm, &[Algorithm]); 5] = [
            (&ECDSA_P256_SHA256_FIXED_SIGNING, &[CoseEs256, Es256]),
            (&ECDSA_P384_SHA384_FIXED_SIGNING, &[CoseEs384]),
            (&ECDSA_P521_SHA256_FIXED_SIGNING, &[CoseEs256]),
            (&ECDSA_P521_SHA384_FIXED_SIGNING, &[CoseEs384]),
            (&ECDSA_P521_SHA512_FIXED_SIGNING, &[CoseEs512]),
        ];
        for (scheme, right) in signing {
            let pair = EcdsaKeyPair::generate(scheme).unwrap();
            let key = verifying(&pair);
            let signature = pair.sign(&SystemRandom::new(), b"message").unwrap();
            for algorithm in all {
                let expected = right.contains(&algorithm);
                assert_eq!(key.verifies(algorithm, b"message", signature.as_ref()), expected);
                assert!(!key.verifies(algorithm, b"massage", signature.as_ref()));
                assert!(!key.verifies(algorithm, b"message", &signature.as_ref()[1..]));
            }
        }
    }

    #[test]
    fn a_digest_of_another_length_is_adapted_as_ecdsa_does() {
        // P-256 with SHA-512: signed over the first 32 bytes of the digest.
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let long = digest::digest(&SHA512, b"message");
        let cut = Digest::import_less_safe(&long.as_ref()[..32], &SHA256).unwrap();
        let signature = pair.sign_digest(&cut).unwrap();
        assert!(verifying(&pair).verifies(Algorithm::CoseEs512, b"message", signature.as_ref()));
        // P-384 with SHA-256: sixteen zeros first.
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        let short = digest::digest(&SHA256, b"message");
        let padded = [&[0; 16][..], short.as_ref()].concat();
        let padded = Digest::import_less_safe(&padded, &SHA384).unwrap();
        let signature = pair.sign_digest(&padded).unwrap();
        assert!(verifying(&pair).verifies(Algorithm::CoseEs256, b"message", signature.as_ref()));
    }

    #[test]
    fn rows_are_parsed_once_and_again_when_they_change() {
        let rows = ParsedRows::default();
        let row = Value::from(&b"one"[..]);
        assert_eq!(*rows.get(b"k", &row, |bytes| bytes.len()), 3);
        let same = Value::from(&b"one"[..]);
        assert_eq!(*rows.get(b"k", &same, |_| 99), 3, "equal bytes");
        let other = Value::from(&b"three"[..]);
        assert_eq!(*rows.get(b"k", &other, |bytes| bytes.len()), 5);
        for key in 0..2 * KNOWN_KEYS_COUNT_MAX {
            rows.get(&key.to_be_bytes(), &row, |_| 1);
            assert!(rows.0.read().len() <= KNOWN_KEYS_COUNT_MAX);
        }
    }
}
