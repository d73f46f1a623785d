//! Elliptic-curve signing keys: the service's, the nodes', the members'.
//!
//! The private half leaves this module only as zeroised PKCS#8, for the sealed identity file and for
//! TLS.

use affiant_kv::KeyError;
use affiant_proof::Digest;
use aws_lc_rs::digest;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING,
    ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, KeyPair as _,
};
use zeroize::Zeroizing;

use super::pem::pem_encode;

/// The curves that CCF's tools accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Curve {
    /// `Secp384r1`, the default.
    #[default]
    P384,
    /// `Secp256r1`.
    P256,
}

impl Curve {
    /// CCF's name of the curve (`node_certificate.curve_id`).
    #[must_use]
    pub const fn ccf_name(self) -> &'static str {
        match self {
            Self::P384 => "Secp384r1",
            Self::P256 => "Secp256r1",
        }
    }

    const fn asn1(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Self::P384 => &ECDSA_P384_SHA384_ASN1_SIGNING,
            Self::P256 => &ECDSA_P256_SHA256_ASN1_SIGNING,
        }
    }

    const fn fixed(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Self::P384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
            Self::P256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
        }
    }
}

/// A signing key pair.
pub struct SigningKey {
    curve: Curve,
    asn1: EcdsaKeyPair,
    fixed: EcdsaKeyPair,
    spki_der: Vec<u8>,
    id: String,
}

impl SigningKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// The cryptographic library failed.
    pub fn generate(curve: Curve) -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::generate(curve.asn1())
            .map_err(|_| KeyError(format!("no {} key could be made", curve.ccf_name())))?;
        let pkcs8 = pair
            .to_pkcs8v1()
            .map_err(|_| KeyError("a new key could not be serialised".to_owned()))?;
        Self::from_pkcs8(pkcs8.as_ref())
    }

    /// Reads a PKCS#8 key of either curve.
    ///
    /// # Errors
    /// The bytes are no such key.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, KeyError> {
        let rejected = || KeyError("not a PKCS#8 key on P-384 or P-256".to_owned());
        let (curve, asn1) = [Curve::P384, Curve::P256]
            .into_iter()
            .find_map(|curve| {
                EcdsaKeyPair::from_pkcs8(curve.asn1(), pkcs8).ok().map(|pair| (curve, pair))
            })
            .ok_or_else(rejected)?;
        let fixed = EcdsaKeyPair::from_pkcs8(curve.fixed(), pkcs8).map_err(|_| rejected())?;
        let spki_der = asn1.public_key().as_der().map_err(|_| rejected())?.as_ref().to_vec();
        let id = Digest::of(&spki_der).to_hex();
        Ok(Self { curve, asn1, fixed, spki_der, id })
    }

    /// The curve.
    #[must_use]
    pub const fn curve(&self) -> Curve {
        self.curve
    }

    /// Hex SHA-256 of [`Self::public_key_der`]: a node's id, and the key id in COSE.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// DER `SubjectPublicKeyInfo`.
    #[must_use]
    pub fn public_key_der(&self) -> &[u8] {
        &self.spki_der
    }

    /// PEM `PUBLIC KEY`.
    #[must_use]
    pub fn public_key_pem(&self) -> String {
        pem_encode("PUBLIC KEY", &self.spki_der)
    }

    /// The private key as PKCS#8.
    ///
    /// # Errors
    /// The cryptographic library failed.
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.asn1
            .to_pkcs8v1()
            .map(|document| Zeroizing::new(document.as_ref().to_vec()))
            .map_err(|_| KeyError("a key could not be serialised".to_owned()))
    }

    /// The private key as PEM `PRIVATE KEY`.
    ///
    /// # Errors
    /// The cryptographic library failed.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        Ok(Zeroizing::new(pem_encode("PRIVATE KEY", &self.to_pkcs8()?)))
    }

    /// ECDSA directly over a 32-byte digest, DER.
    ///
    /// # Errors
    /// The cryptographic library failed.
    pub fn sign_digest(&self, digest: &Digest) -> Result<Vec<u8>, KeyError> {
        // The library insists on the curve's own hash length. A digest shorter than the curve's order
        // is used as an integer, so leading zeros change nothing.
        let mut padded = [0_u8; 48];
        padded[16..].copy_from_slice(&digest.0);
        let imported = match self.curve {
            Curve::P384 => digest::Digest::import_less_safe(&padded, &digest::SHA384),
            Curve::P256 => digest::Digest::import_less_safe(&digest.0, &digest::SHA256),
        };
        imported
            .and_then(|imported| self.asn1.sign_digest(&imported))
            .map(|signature| signature.as_ref().to_vec())
            .map_err(|_| KeyError("signing a digest failed".to_owned()))
    }

    /// ECDSA over `message`, hashed with the curve's own hash; DER.
    ///
    /// # Errors
    /// The cryptographic library failed.
    pub fn sign_der(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        sign(&self.asn1, message)
    }

    /// ECDSA over `message`, hashed with the curve's own hash; r || s as COSE and JOSE want it.
    ///
    /// # Errors
    /// The cryptographic library failed.
    pub fn sign_fixed(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        sign(&self.fixed, message)
    }

    /// The COSE algorithm: -35 (ES384) or -7 (ES256).
    #[must_use]
    pub const fn cose_algorithm(&self) -> i64 {
        match self.curve {
            Curve::P384 => -35,
            Curve::P256 => -7,
        }
    }
}

impl rcgen::PublicKeyData for SigningKey {
    fn der_bytes(&self) -> &[u8] {
        self.asn1.public_key().as_ref()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        match self.curve {
            Curve::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            Curve::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
        }
    }
}

impl rcgen::SigningKey for SigningKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.sign_der(message).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

fn sign(pair: &EcdsaKeyPair, message: &[u8]) -> Result<Vec<u8>, KeyError> {
    pair.sign(&SystemRandom::new(), message)
        .map(|signature| signature.as_ref().to_vec())
        .map_err(|_| KeyError("signing failed".to_owned()))
}

/// Random bytes from the system.
///
/// # Errors
/// The system has no randomness.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0_u8; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| KeyError("the system gave no random bytes".to_owned()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use aws_lc_rs::signature::{self, UnparsedPublicKey};

    #[test]
    fn signs_what_other_curves_readers_verify_and_survives_serialisation() {
        for curve in [Curve::P384, Curve::P256] {
            let key = SigningKey::generate(curve).unwrap();
            let again = SigningKey::from_pkcs8(&key.to_pkcs8().unwrap()).unwrap();
            assert_eq!(key.id(), again.id());
            assert_eq!(again.curve(), curve);
            let (asn1, fixed): (&dyn signature::VerificationAlgorithm, _) = match curve {
                Curve::P384 => {
                    (&signature::ECDSA_P384_SHA384_ASN1, &signature::ECDSA_P384_SHA384_FIXED)
                }
                Curve::P256 => {
                    (&signature::ECDSA_P256_SHA256_ASN1, &signature::ECDSA_P256_SHA256_FIXED)
                }
            };
            let public = key.public_key_der();
            UnparsedPublicKey::new(asn1, public)
                .verify(b"message", &again.sign_der(b"message").unwrap())
                .unwrap();
            UnparsedPublicKey::new(fixed, public)
                .verify(b"message", &again.sign_fixed(b"message").unwrap())
                .unwrap();
        }
        assert!(SigningKey::from_pkcs8(b"not a key").is_err());
    }
}
