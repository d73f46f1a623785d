//! Public keys and signature checks: ECDSA over P-256 and P-384, the curves of CCF's identities.

use der::{Decode as _, DecodePem as _, Encode as _};
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use x509_cert::spki::{ObjectIdentifier, SubjectPublicKeyInfoOwned};

use crate::cose::Algorithm;
use crate::limits::CERTIFICATE_BYTES_MAX;
use crate::{Digest, ProofError, to_hex};

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const CURVE_P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const CURVE_P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

/// The hash of a signed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageHash {
    Sha256,
    Sha384,
    Sha512,
}

impl MessageHash {
    fn of(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(message).to_vec(),
            Self::Sha384 => Sha384::digest(message).to_vec(),
            Self::Sha512 => Sha512::digest(message).to_vec(),
        }
    }
}

#[derive(Clone, PartialEq, Eq)]
enum Curve {
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
}

/// A public key of a service or a node.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    curve: Curve,
    spki: Vec<u8>,
}

impl PublicKey {
    /// Reads a DER SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// The bytes are no such thing, not its only encoding, or of another curve.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, ProofError> {
        let info = SubjectPublicKeyInfoOwned::from_der(der).map_err(refused)?;
        let key = Self::from_info(&info)?;
        if key.spki == der { Ok(key) } else { Err(refused("it is not in its only DER encoding")) }
    }

    /// Reads PEM: a public key, or a certificate, whose key is taken without any other check.
    ///
    /// # Errors
    /// The text is neither, or its key is of another curve.
    pub fn from_pem(pem: &str) -> Result<Self, ProofError> {
        if pem.len() > CERTIFICATE_BYTES_MAX {
            let (found, limit) = (pem.len() as u64, CERTIFICATE_BYTES_MAX as u64);
            return Err(ProofError::TooLarge { what: "PEM text", found, limit });
        }
        if pem.trim_start().starts_with("-----BEGIN CERTIFICATE-----") {
            return crate::cert::Certificate::from_pem(pem).map(|cert| cert.public_key().clone());
        }
        let info = SubjectPublicKeyInfoOwned::from_pem(pem.as_bytes()).map_err(refused)?;
        Self::from_info(&info)
    }

    pub(crate) fn from_info(info: &SubjectPublicKeyInfoOwned) -> Result<Self, ProofError> {
        let other = |found: String| Err(ProofError::Unsupported { what: "public key", found });
        if info.algorithm.oid != EC_PUBLIC_KEY {
            return other(format!("algorithm {}", info.algorithm.oid));
        }
        let curve: ObjectIdentifier = info.algorithm.parameters.as_ref().map_or_else(
            || Err(refused("the curve is missing")),
            |curve| curve.decode_as().map_err(refused),
        )?;
        let point = info
            .subject_public_key
            .as_bytes()
            .ok_or_else(|| refused("the point is not a whole number of bytes"))?;
        let curve = if curve == CURVE_P256 {
            Curve::P256(p256::ecdsa::VerifyingKey::from_sec1_bytes(point).map_err(refused)?)
        } else if curve == CURVE_P384 {
            Curve::P384(p384::ecdsa::VerifyingKey::from_sec1_bytes(point).map_err(refused)?)
        } else {
            return other(format!("curve {curve}"));
        };
        Ok(Self { curve, spki: info.to_der().map_err(refused)? })
    }

    /// The DER SubjectPublicKeyInfo.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// The id of the key, and of the node whose key it is: hex SHA-256 of the DER
    /// SubjectPublicKeyInfo.
    #[must_use]
    pub fn key_id(&self) -> String {
        Digest::of(&self.spki).to_hex()
    }

    /// The algorithm with which this key signs COSE messages.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self.curve {
            Curve::P256(_) => Algorithm::Es256,
            Curve::P384(_) => Algorithm::Es384,
        }
    }

    /// Checks a node's signature (DER) over a Merkle root, which is itself the digest signed: it
    /// is not hashed again, whatever the curve.
    ///
    /// # Errors
    /// [`ProofError::BadSignature`], naming `what`.
    pub fn verify_root(
        &self,
        what: &'static str,
        root: &Digest,
        signature_der: &[u8],
    ) -> Result<(), ProofError> {
        self.verify_prehashed_der(what, &root.0, signature_der)
    }

    /// Checks the signature (r and s of equal length) of a COSE message over its to-be-signed
    /// bytes, hashed as the curve demands.
    ///
    /// # Errors
    /// [`ProofError::BadSignature`], naming `what`.
    pub fn verify_cose(
        &self,
        what: &'static str,
        to_be_signed: &[u8],
        signature: &[u8],
    ) -> Result<(), ProofError> {
        let bad = |_| ProofError::BadSignature { what };
        match &self.curve {
            Curve::P256(key) => {
                let signature = p256::ecdsa::Signature::from_slice(signature).map_err(bad)?;
                key.verify_prehash(&Sha256::digest(to_be_signed), &signature).map_err(bad)
            }
            Curve::P384(key) => {
                let signature = p384::ecdsa::Signature::from_slice(signature).map_err(bad)?;
                key.verify_prehash(&Sha384::digest(to_be_signed), &signature).map_err(bad)
            }
        }
    }

    /// Checks a DER signature over `message` hashed with `hash`, as certificates carry it.
    pub(crate) fn verify_message_der(
        &self,
        what: &'static str,
        hash: MessageHash,
        message: &[u8],
        signature_der: &[u8],
    ) -> Result<(), ProofError> {
        self.verify_prehashed_der(what, &hash.of(message), signature_der)
    }

    fn verify_prehashed_der(
        &self,
        what: &'static str,
        digest: &[u8],
        signature_der: &[u8],
    ) -> Result<(), ProofError> {
        let bad = |_| ProofError::BadSignature { what };
        match &self.curve {
            Curve::P256(key) => {
                let signature = p256::ecdsa::Signature::from_der(signature_der).map_err(bad)?;
                key.verify_prehash(digest, &signature).map_err(bad)
            }
            Curve::P384(key) => {
                let signature = p384::ecdsa::Signature::from_der(signature_der).map_err(bad)?;
                key.verify_prehash(digest, &signature).map_err(bad)
            }
        }
    }
}

impl core::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "PublicKey({:?}, {})", self.algorithm(), to_hex(&Digest::of(&self.spki).0))
    }
}

fn refused(why: impl core::fmt::Display) -> ProofError {
    ProofError::Certificate { what: "public key", why: why.to_string() }
}
