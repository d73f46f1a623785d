//! Public keys as applications bring them: PEM or DER `SubjectPublicKeyInfo`, certificates, JWKs.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519,
    EcdsaVerificationAlgorithm, ParsedPublicKey,
};
use der::asn1::{AnyRef, BitStringRef, UintRef};
use der::oid::ObjectIdentifier;
use der::{Decode as _, Encode as _, Sequence};
use rustls_pki_types::pem::{PemObject as _, SectionKind};
use x509_cert::Certificate;
use x509_cert::spki::{AlgorithmIdentifier, SubjectPublicKeyInfoRef};

use super::error::CryptoError;
use super::pem::{fault, pem_encode};
use crate::limits::{PEM_BYTES_MAX, RSA_BITS_MAX, RSA_BITS_MIN};

pub(super) const OID_EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
pub(super) const OID_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
pub(super) const OID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
pub(super) const OID_X25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.110");

/// The library takes exponents of up to 33 bits.
const RSA_EXPONENT_BYTES_MAX: usize = 5;

/// NIST curves of application keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EcCurve {
    /// P-256, secp256r1.
    P256,
    /// P-384, secp384r1.
    P384,
    /// P-521, secp521r1.
    P521,
}

impl EcCurve {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    /// The name in JWKs (RFC 7518, 6.2.1.1).
    #[must_use]
    pub const fn jwk_name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    /// Bytes of a coordinate, of the private key, and of each half of a signature.
    #[must_use]
    pub const fn field_bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    pub(super) const fn oid(self) -> ObjectIdentifier {
        match self {
            Self::P256 => ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"),
            Self::P384 => ObjectIdentifier::new_unwrap("1.3.132.0.34"),
            Self::P521 => ObjectIdentifier::new_unwrap("1.3.132.0.35"),
        }
    }

    pub(super) fn from_oid(oid: ObjectIdentifier) -> Result<Self, CryptoError> {
        Self::ALL.into_iter().find(|curve| curve.oid() == oid).ok_or_else(|| {
            CryptoError::key(format!("unsupported curve {oid}: P-256, P-384 and P-521 are"))
        })
    }

    const fn verification(self) -> &'static EcdsaVerificationAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_FIXED,
            Self::P384 => &ECDSA_P384_SHA384_FIXED,
            Self::P521 => &ECDSA_P521_SHA512_FIXED,
        }
    }
}

/// What kind of key a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Elliptic curve, for ECDSA.
    Ec(EcCurve),
    /// RSA.
    Rsa,
    /// Ed25519, for EdDSA.
    Ed25519,
    /// X25519, for key agreement only.
    X25519,
}

impl core::fmt::Display for KeyKind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Ec(curve) => return write!(f, "EC ({})", curve.jwk_name()),
            Self::Rsa => "RSA",
            Self::Ed25519 => "Ed25519",
            Self::X25519 => "X25519",
        })
    }
}

/// `RSAPublicKey` of RFC 8017, A.1.1.
#[derive(Sequence)]
struct RsaPublicKeyDer<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

/// A public key that was checked when it was read: its point is on its curve, its modulus between
/// 2,048 and 8,192 bits.
#[derive(Clone, Debug)]
pub struct PublicKey {
    kind: KeyKind,
    spki: Vec<u8>,
    /// For EC (fixed-length signatures over the curve's own hash) and Ed25519.
    verifier: Option<ParsedPublicKey>,
}

impl PublicKey {
    /// Reads the first public key or certificate in `pem`.
    ///
    /// # Errors
    /// There is none, or it is of no supported kind.
    pub fn from_pem(pem: &str) -> Result<Self, CryptoError> {
        if pem.len() > PEM_BYTES_MAX {
            return Err(too_long());
        }
        let (section, der) =
            <(SectionKind, Vec<u8>)>::from_pem_slice(pem.as_bytes()).map_err(|error| {
                CryptoError::key(format!("not a PEM public key: {}", fault(&error)))
            })?;
        match section {
            SectionKind::PublicKey => Self::from_der(&der),
            SectionKind::Certificate => Self::from_certificate_der(&der),
            _ => Err(CryptoError::key("not a PEM public key: the text holds something else")),
        }
    }

    /// Reads a DER `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// It is none, or of no supported kind.
    pub fn from_der(spki: &[u8]) -> Result<Self, CryptoError> {
        let rejected = |error| CryptoError::key(format!("not a public key: {error}"));
        let info = SubjectPublicKeyInfoRef::from_der(spki).map_err(rejected)?;
        match info.algorithm.oid {
            OID_EC => {
                let curve = info.algorithm.parameters_oid().map_err(|_| {
                    CryptoError::key("not a public key: an EC key must name its curve")
                })?;
                Self::from_ec_bytes(EcCurve::from_oid(curve)?, spki)
            }
            OID_RSA => {
                let bits = info.subject_public_key.raw_bytes();
                let key = RsaPublicKeyDer::from_der(bits).map_err(rejected)?;
                Self::from_rsa(key.modulus.as_bytes(), key.exponent.as_bytes())
            }
            OID_ED25519 => Self::from_ed25519(info.subject_public_key.raw_bytes()),
            OID_X25519 => Self::from_x25519(info.subject_public_key.raw_bytes()),
            oid => Err(CryptoError::key(format!(
                "unsupported public key {oid}: EC, RSA, Ed25519 and X25519 are supported"
            ))),
        }
    }

    /// Reads the public key of a DER certificate. Nothing else in it is looked at.
    ///
    /// # Errors
    /// It is no certificate, or its key is of no supported kind.
    pub fn from_certificate_der(der: &[u8]) -> Result<Self, CryptoError> {
        let rejected = |error| CryptoError::key(format!("not a certificate: {error}"));
        let certificate = Certificate::from_der(der).map_err(rejected)?;
        let info = certificate.tbs_certificate().subject_public_key_info();
        Self::from_der(&info.to_der().map_err(rejected)?)
    }

    /// From an encoded point, compressed or not, or from a `SubjectPublicKeyInfo` of that curve.
    pub(super) fn from_ec_bytes(curve: EcCurve, bytes: &[u8]) -> Result<Self, CryptoError> {
        let rejected = || {
            CryptoError::key(format!("not a public key: no point on curve {}", curve.jwk_name()))
        };
        let verifier = ParsedPublicKey::new(curve.verification(), bytes).map_err(|_| rejected())?;
        let spki = verifier.as_der().map_err(|_| rejected())?.as_ref().to_vec();
        Ok(Self { kind: KeyKind::Ec(curve), spki, verifier: Some(verifier) })
    }

    /// From big-endian modulus and exponent.
    pub(super) fn from_rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, CryptoError> {
        let (n, e) = (without_leading_zeros(modulus), without_leading_zeros(exponent));
        let bits = 8 * n.len() - n.first().map_or(0, |byte| byte.leading_zeros() as usize);
        if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) {
            return Err(CryptoError::key(format!(
                "an RSA key of {bits} bits: {RSA_BITS_MIN} to {RSA_BITS_MAX} are supported"
            )));
        }
        let odd = |bytes: &[u8]| bytes.last().is_some_and(|byte| byte % 2 == 1);
        if !odd(n) || !odd(e) || e == [1] || e.len() > RSA_EXPONENT_BYTES_MAX {
            return Err(CryptoError::key(
                "not an RSA public key: modulus or exponent is impossible",
            ));
        }
        let spki = PublicKeyComponents { n, e }
            .as_der()
            .map_err(|_| CryptoError::key("not an RSA public key"))?
            .as_ref()
            .to_vec();
        Ok(Self { kind: KeyKind::Rsa, spki, verifier: None })
    }

    pub(super) fn from_ed25519(point: &[u8]) -> Result<Self, CryptoError> {
        let rejected = |_| CryptoError::key("not an Ed25519 public key");
        // Longer input would be tried as a whole `SubjectPublicKeyInfo`.
        let point = <&[u8; 32]>::try_from(point).map_err(rejected)?;
        let verifier = ParsedPublicKey::new(&ED25519, point)
            .map_err(|_| CryptoError::key("not an Ed25519 public key"))?;
        let spki = curve25519_spki(OID_ED25519, point)?;
        Ok(Self { kind: KeyKind::Ed25519, spki, verifier: Some(verifier) })
    }

    pub(super) fn from_x25519(point: &[u8]) -> Result<Self, CryptoError> {
        let rejected = |_| CryptoError::key("not an X25519 public key");
        let point = <&[u8; 32]>::try_from(point).map_err(rejected)?;
        let spki = curve25519_spki(OID_X25519, point)?;
        Ok(Self { kind: KeyKind::X25519, spki, verifier: None })
    }

    /// What kind of key it is.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// DER `SubjectPublicKeyInfo`, canonical: points uncompressed, integers minimal.
    #[must_use]
    pub fn to_der(&self) -> &[u8] {
        &self.spki
    }

    /// PEM `PUBLIC KEY`.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem_encode("PUBLIC KEY", &self.spki)
    }

    pub(super) fn verifier(&self) -> Option<&ParsedPublicKey> {
        self.verifier.as_ref()
    }

    /// The bits inside: an uncompressed point, an Ed25519 or X25519 point, or an `RSAPublicKey`.
    pub(super) fn key_bytes(&self) -> Result<&[u8], CryptoError> {
        SubjectPublicKeyInfoRef::from_der(&self.spki)
            .map(|info| info.subject_public_key.raw_bytes())
            .map_err(|error| CryptoError::failed(format!("a public key was lost: {error}")))
    }

    /// Modulus and exponent of an RSA key, big-endian, without leading zeros.
    pub(super) fn rsa_components(&self) -> Result<(&[u8], &[u8]), CryptoError> {
        let key = RsaPublicKeyDer::from_der(self.key_bytes()?)
            .map_err(|error| CryptoError::key(format!("not an RSA public key: {error}")))?;
        Ok((key.modulus.as_bytes(), key.exponent.as_bytes()))
    }
}

pub(super) fn too_long() -> CryptoError {
    CryptoError::key(format!("a PEM text of more than {PEM_BYTES_MAX} bytes"))
}

pub(super) fn without_leading_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

fn curve25519_spki(oid: ObjectIdentifier, point: &[u8; 32]) -> Result<Vec<u8>, CryptoError> {
    let serialised = || -> der::Result<Vec<u8>> {
        SubjectPublicKeyInfoRef {
            algorithm: AlgorithmIdentifier { oid, parameters: None::<AnyRef<'_>> },
            subject_public_key: BitStringRef::from_bytes(point)?,
        }
        .to_der()
    };
    serialised().map_err(|error| CryptoError::failed(format!("a key was not serialised: {error}")))
}
