//! Public keys and signatures of certificates, reports, COSE messages and tokens, verified with `ring`.

use der::Encode as _;
use der::asn1::{ObjectIdentifier, UintRef};
use ring::signature as ring;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use crate::{AttestError, hex};

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const RSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const RSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const RSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");

/// The tag before an uncompressed point.
const UNCOMPRESSED: u8 = 4;

/// The hash of a signed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    pub(crate) fn digest(self, bytes: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => &::ring::digest::SHA256,
            Self::Sha384 => &::ring::digest::SHA384,
            Self::Sha512 => &::ring::digest::SHA512,
        };
        ::ring::digest::digest(algorithm, bytes).as_ref().to_vec()
    }

    /// The hash of a number in COSE's registry of algorithms.
    pub(crate) const fn from_cose_id(id: i64) -> Option<Self> {
        match id {
            -16 => Some(Self::Sha256),
            -43 => Some(Self::Sha384),
            -44 => Some(Self::Sha512),
            _ => None,
        }
    }
}

/// How a message is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// RSA PKCS#1 1.5.
    Pkcs1(Hash),
    /// RSA PSS whose salt is as long as the hash.
    Pss(Hash),
    /// ECDSA, r and s of equal length: COSE and JOSE, which tie the curve to the hash.
    EcdsaFixed(Hash),
    /// ECDSA, r and s in DER: certificates.
    EcdsaDer(Hash),
}

impl Scheme {
    /// The scheme by which a certificate is signed.
    pub(crate) fn of_certificate(
        algorithm: &AlgorithmIdentifierOwned,
    ) -> Result<Self, AttestError> {
        let scheme = match algorithm.oid {
            RSA_SHA256 => Self::Pkcs1(Hash::Sha256),
            RSA_SHA384 => Self::Pkcs1(Hash::Sha384),
            RSA_SHA512 => Self::Pkcs1(Hash::Sha512),
            ECDSA_SHA256 => Self::EcdsaDer(Hash::Sha256),
            ECDSA_SHA384 => Self::EcdsaDer(Hash::Sha384),
            RSA_PSS => Self::Pss(pss_hash(algorithm)?),
            other => return Err(unknown("signature algorithm of a certificate", other)),
        };
        Ok(scheme)
    }
}

/// The hash of RSASSA-PSS parameters: the same for message and mask, with a salt of its length and the
/// usual trailer. Their DER is compared whole, for there is nothing else in it to choose.
fn pss_hash(algorithm: &AlgorithmIdentifierOwned) -> Result<Hash, AttestError> {
    let found = algorithm.parameters.as_ref().map(|parameters| parameters.to_der());
    let Some(Ok(found)) = found else {
        return Err(AttestError::malformed("certificate", "RSA-PSS without parameters"));
    };
    for (hash, last, salt) in
        [(Hash::Sha256, 1, 32), (Hash::Sha384, 2, 48), (Hash::Sha512, 3, 64_u8)]
    {
        let hash_id = [0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, last, 5, 0];
        let mask = [0x30, 0x1a, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 8];
        let short =
            [&[0xa0, 0x0f][..], &hash_id, &[0xa1, 0x1c], &mask, &hash_id, &[0xa2, 3, 2, 1, salt]]
                .concat();
        let trailer = [0xa3, 3, 2, 1, 1];
        if found == [&[0x30, 0x34][..], &short].concat()
            || found == [&[0x30, 0x39][..], &short, &trailer].concat()
        {
            return Ok(hash);
        }
    }
    Err(AttestError::Unknown { what: "RSA-PSS parameters", found: hex::encode(&found) })
}

/// A public key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Key {
    /// DER RSAPublicKey.
    Rsa(Vec<u8>),
    /// An uncompressed point on P-256.
    P256(Vec<u8>),
    /// An uncompressed point on P-384.
    P384(Vec<u8>),
}

impl Key {
    pub(crate) fn from_info(info: &SubjectPublicKeyInfoOwned) -> Result<Self, AttestError> {
        let bytes = info.subject_public_key.as_bytes().ok_or_else(|| {
            AttestError::malformed("public key", "it is not a whole number of bytes")
        })?;
        if info.algorithm.oid == RSA {
            return Ok(Self::Rsa(bytes.to_vec()));
        }
        if info.algorithm.oid != EC {
            return Err(unknown("kind of public key", info.algorithm.oid));
        }
        let curve = info.algorithm.parameters.as_ref().map(|curve| curve.decode_as());
        let Some(Ok(curve)) = curve else {
            return Err(AttestError::malformed("public key", "its curve is not named"));
        };
        match curve {
            P256 => Ok(Self::P256(bytes.to_vec())),
            P384 => Ok(Self::P384(bytes.to_vec())),
            other => Err(unknown("curve of a public key", other)),
        }
    }

    /// An RSA key from its modulus and exponent, big-endian.
    pub(crate) fn from_rsa_parts(modulus: &[u8], exponent: &[u8]) -> Result<Self, AttestError> {
        let encode = || -> der::Result<Vec<u8>> {
            let mut body = UintRef::new(modulus)?.to_der()?;
            body.extend_from_slice(&UintRef::new(exponent)?.to_der()?);
            der::asn1::AnyRef::new(der::Tag::Sequence, &body)?.to_der()
        };
        let key = encode().map_err(|error| AttestError::malformed("RSA key", error.to_string()))?;
        Ok(Self::Rsa(key))
    }

    /// A key on a curve from its coordinates, each as long as the curve demands: 32 or 48 bytes.
    pub(crate) fn from_coordinates(x: &[u8], y: &[u8]) -> Result<Self, AttestError> {
        let point = [&[UNCOMPRESSED], x, y].concat();
        match (x.len(), y.len()) {
            (32, 32) => Ok(Self::P256(point)),
            (48, 48) => Ok(Self::P384(point)),
            _ => Err(AttestError::malformed("public key", "its coordinates are of another length")),
        }
    }

    /// Checks `signature` over `message`.
    pub(crate) fn verify(
        &self,
        what: impl Into<String>,
        scheme: Scheme,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), AttestError> {
        let (algorithm, key) = self.algorithm(scheme)?;
        ring::UnparsedPublicKey::new(algorithm, key)
            .verify(message, signature)
            .map_err(|_| AttestError::BadSignature { what: what.into() })
    }

    fn algorithm(
        &self,
        scheme: Scheme,
    ) -> Result<(&'static dyn ring::VerificationAlgorithm, &[u8]), AttestError> {
        use Hash::{Sha256, Sha384, Sha512};
        let algorithm: &'static dyn ring::VerificationAlgorithm = match (self, scheme) {
            (Self::Rsa(_), Scheme::Pkcs1(Sha256)) => &ring::RSA_PKCS1_2048_8192_SHA256,
            (Self::Rsa(_), Scheme::Pkcs1(Sha384)) => &ring::RSA_PKCS1_2048_8192_SHA384,
            (Self::Rsa(_), Scheme::Pkcs1(Sha512)) => &ring::RSA_PKCS1_2048_8192_SHA512,
            (Self::Rsa(_), Scheme::Pss(Sha256)) => &ring::RSA_PSS_2048_8192_SHA256,
            (Self::Rsa(_), Scheme::Pss(Sha384)) => &ring::RSA_PSS_2048_8192_SHA384,
            (Self::Rsa(_), Scheme::Pss(Sha512)) => &ring::RSA_PSS_2048_8192_SHA512,
            (Self::P256(_), Scheme::EcdsaFixed(Sha256)) => &ring::ECDSA_P256_SHA256_FIXED,
            (Self::P384(_), Scheme::EcdsaFixed(Sha384)) => &ring::ECDSA_P384_SHA384_FIXED,
            (Self::P256(_), Scheme::EcdsaDer(Sha256)) => &ring::ECDSA_P256_SHA256_ASN1,
            (Self::P256(_), Scheme::EcdsaDer(Sha384)) => &ring::ECDSA_P256_SHA384_ASN1,
            (Self::P384(_), Scheme::EcdsaDer(Sha256)) => &ring::ECDSA_P384_SHA256_ASN1,
            (Self::P384(_), Scheme::EcdsaDer(Sha384)) => &ring::ECDSA_P384_SHA384_ASN1,
            (key, scheme) => {
                let found = format!("{scheme:?} under {key:?}");
                return Err(AttestError::Unknown { what: "signature algorithm for a key", found });
            }
        };
        let (Self::Rsa(bytes) | Self::P256(bytes) | Self::P384(bytes)) = self;
        Ok((algorithm, bytes))
    }
}

/// Its kind; a key of another's token or certificate tells a reader nothing.
impl core::fmt::Debug for Key {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.write_str(match self {
            Self::Rsa(_) => "an RSA key",
            Self::P256(_) => "a key on P-256",
            Self::P384(_) => "a key on P-384",
        })
    }
}

fn unknown(what: &'static str, oid: ObjectIdentifier) -> AttestError {
    AttestError::Unknown { what, found: oid.to_string() }
}
