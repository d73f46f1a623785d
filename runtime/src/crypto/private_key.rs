//! Private keys as applications bring them: PEM (PKCS#8, PKCS#1, SEC 1), DER PKCS#8, JWKs.

use aws_lc_rs::agreement::{self, X25519};
use aws_lc_rs::encoding::{
    AsBigEndian, AsDer, Curve25519SeedBin, EcPrivateKeyBin, Pkcs8V1Der, PublicKeyX509Der,
};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair,
    KeyPair as _,
};
use der::asn1::{OctetStringRef, UintRef};
use der::{Decode as _, Encode as _, Sequence};
use pkcs8::PrivateKeyInfoRef;
use rustls_pki_types::pem::{PemObject as _, SectionKind};
use x509_cert::spki::AlgorithmIdentifier;
use zeroize::Zeroizing;

use super::error::CryptoError;
use super::pem::{fault, pem_encode};
use super::public_key::{
    EcCurve, KeyKind, OID_EC, OID_ED25519, OID_RSA, OID_X25519, PublicKey, too_long,
};
use crate::limits::PEM_BYTES_MAX;

/// `RSAPrivateKey` of RFC 8017, A.1.2, with two primes.
#[derive(Sequence)]
pub(super) struct RsaPrivateKeyDer<'a> {
    version: u8,
    pub(super) n: UintRef<'a>,
    pub(super) e: UintRef<'a>,
    pub(super) d: UintRef<'a>,
    pub(super) p: UintRef<'a>,
    pub(super) q: UintRef<'a>,
    pub(super) dp: UintRef<'a>,
    pub(super) dq: UintRef<'a>,
    pub(super) qi: UintRef<'a>,
}

/// The library's form of each kind of key.
pub(super) enum Pair {
    Ec(EcCurve, EcdsaKeyPair),
    Rsa(rsa::KeyPair),
    Ed25519(Ed25519KeyPair),
    X25519(agreement::PrivateKey),
}

/// A private key that was checked when it was read: its parts fit each other. The library wipes it
/// when it is dropped; it has no printed form.
pub struct PrivateKey(Pair);

impl core::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "PrivateKey({})", self.kind())
    }
}

impl PrivateKey {
    /// Reads the first key in `pem`: `PRIVATE KEY`, `RSA PRIVATE KEY` or `EC PRIVATE KEY`.
    ///
    /// # Errors
    /// There is none, it is encrypted, or of no supported kind.
    pub fn from_pem(pem: &str) -> Result<Self, CryptoError> {
        if pem.len() > PEM_BYTES_MAX {
            return Err(too_long());
        }
        let (section, der) =
            <(SectionKind, Vec<u8>)>::from_pem_slice(pem.as_bytes()).map_err(|error| {
                CryptoError::key(format!("not a PEM private key: {}", fault(&error)))
            })?;
        let der = Zeroizing::new(der);
        match section {
            SectionKind::PrivateKey => Self::from_pkcs8(&der),
            SectionKind::RsaPrivateKey => rsa::KeyPair::from_der(&der)
                .map(|pair| Self(Pair::Rsa(pair)))
                .map_err(|error| rejected("an RSA private key", &error)),
            SectionKind::EcPrivateKey => EcCurve::ALL
                .into_iter()
                .find_map(|curve| {
                    let pair = EcdsaKeyPair::from_private_key_der(signing(curve), &der).ok()?;
                    Some(Self(Pair::Ec(curve, pair)))
                })
                .ok_or_else(|| CryptoError::key("not an EC private key on P-256, P-384 or P-521")),
            _ => Err(CryptoError::key("not a PEM private key: the text holds something else")),
        }
    }

    /// Reads DER PKCS#8 (RFC 5958), unencrypted.
    ///
    /// # Errors
    /// It is none, or of no supported kind.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, CryptoError> {
        let info = PrivateKeyInfoRef::from_der(pkcs8)
            .map_err(|error| rejected("a private key in PKCS#8", &error))?;
        match info.algorithm.oid {
            OID_EC => {
                let curve = info.algorithm.parameters_oid().map_err(|_| {
                    CryptoError::key("not a private key: an EC key must name its curve")
                })?;
                let curve = EcCurve::from_oid(curve)?;
                EcdsaKeyPair::from_pkcs8(signing(curve), pkcs8)
                    .map(|pair| Self(Pair::Ec(curve, pair)))
                    .map_err(|error| rejected("an EC private key", &error))
            }
            OID_RSA => rsa::KeyPair::from_pkcs8(pkcs8)
                .map(|pair| Self(Pair::Rsa(pair)))
                .map_err(|error| rejected("an RSA private key", &error)),
            OID_ED25519 => Ed25519KeyPair::from_pkcs8(pkcs8)
                .map(|pair| Self(Pair::Ed25519(pair)))
                .map_err(|error| rejected("an Ed25519 private key", &error)),
            OID_X25519 => {
                let seed = <&OctetStringRef>::from_der(info.private_key.as_bytes())
                    .map_err(|error| rejected("an X25519 private key", &error))?;
                Self::from_x25519(seed.as_bytes())
            }
            oid => Err(CryptoError::key(format!(
                "unsupported private key {oid}: EC, RSA, Ed25519 and X25519 are supported"
            ))),
        }
    }

    /// From the private integer, as long as the curve's field, and the uncompressed point.
    pub(super) fn from_ec(curve: EcCurve, d: &[u8], point: &[u8]) -> Result<Self, CryptoError> {
        EcdsaKeyPair::from_private_key_and_public_key(signing(curve), d, point)
            .map(|pair| Self(Pair::Ec(curve, pair)))
            .map_err(|error| rejected("an EC private key", &error))
    }

    pub(super) fn from_rsa(components: &RsaComponents<'_>) -> Result<Self, CryptoError> {
        rsa::KeyPair::from_components(components)
            .map(|pair| Self(Pair::Rsa(pair)))
            .map_err(|error| rejected("an RSA private key", &error))
    }

    pub(super) fn from_ed25519(seed: &[u8], point: &[u8]) -> Result<Self, CryptoError> {
        Ed25519KeyPair::from_seed_and_public_key(seed, point)
            .map(|pair| Self(Pair::Ed25519(pair)))
            .map_err(|error| rejected("an Ed25519 private key", &error))
    }

    pub(super) fn from_x25519(seed: &[u8]) -> Result<Self, CryptoError> {
        agreement::PrivateKey::from_private_key(&X25519, seed)
            .map(|key| Self(Pair::X25519(key)))
            .map_err(|error| rejected("an X25519 private key", &error))
    }

    pub(super) const fn from_pair(pair: Pair) -> Self {
        Self(pair)
    }

    pub(super) const fn pair(&self) -> &Pair {
        &self.0
    }

    /// What kind of key it is.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        match &self.0 {
            Pair::Ec(curve, _) => KeyKind::Ec(*curve),
            Pair::Rsa(_) => KeyKind::Rsa,
            Pair::Ed25519(_) => KeyKind::Ed25519,
            Pair::X25519(_) => KeyKind::X25519,
        }
    }

    /// Its public half.
    ///
    /// # Errors
    /// The cryptographic library failed.
    pub fn public_key(&self) -> Result<PublicKey, CryptoError> {
        match &self.0 {
            Pair::Ec(curve, pair) => PublicKey::from_ec_bytes(*curve, pair.public_key().as_ref()),
            Pair::Rsa(pair) => {
                let der: PublicKeyX509Der<'_> =
                    pair.public_key().as_der().map_err(|_| unserialised())?;
                PublicKey::from_der(der.as_ref())
            }
            Pair::Ed25519(pair) => PublicKey::from_ed25519(pair.public_key().as_ref()),
            Pair::X25519(key) => {
                let public = key.compute_public_key().map_err(|_| unserialised())?;
                PublicKey::from_x25519(public.as_ref())
            }
        }
    }

    /// DER PKCS#8, version 1, as OpenSSL writes it.
    ///
    /// # Errors
    /// The cryptographic library failed.
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let owned = |der: &[u8]| Zeroizing::new(der.to_vec());
        match &self.0 {
            Pair::Ec(_, pair) => pair.to_pkcs8v1().map(|der| owned(der.as_ref())),
            Pair::Rsa(pair) => AsDer::<Pkcs8V1Der<'_>>::as_der(pair).map(|der| owned(der.as_ref())),
            Pair::Ed25519(pair) => pair.to_pkcs8v1().map(|der| owned(der.as_ref())),
            Pair::X25519(_) => return self.x25519_pkcs8(),
        }
        .map_err(|_| unserialised())
    }

    fn x25519_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let secret = self.secret_bytes()?;
        let serialised = || -> der::Result<Zeroizing<Vec<u8>>> {
            let inner = Zeroizing::new(OctetStringRef::new(&secret)?.to_der()?);
            let algorithm = AlgorithmIdentifier { oid: OID_X25519, parameters: None };
            let info = PrivateKeyInfoRef::new(algorithm, OctetStringRef::new(&inner)?);
            Ok(Zeroizing::new(info.to_der()?))
        };
        serialised().map_err(|_| unserialised())
    }

    /// PEM `PRIVATE KEY`.
    ///
    /// # Errors
    /// The cryptographic library failed.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, CryptoError> {
        Ok(Zeroizing::new(pem_encode("PRIVATE KEY", &self.to_pkcs8()?)))
    }

    /// The private integer of an EC key, or the seed of an Ed25519 or X25519 key.
    pub(super) fn secret_bytes(&self) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let failed = |_| unserialised();
        let seed = |seed: Curve25519SeedBin<'_>| Zeroizing::new(seed.as_ref().to_vec());
        match &self.0 {
            Pair::Ec(_, pair) => {
                let d: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes().map_err(failed)?;
                Ok(Zeroizing::new(d.as_ref().to_vec()))
            }
            Pair::Ed25519(pair) => {
                pair.seed().and_then(|bytes| bytes.as_be_bytes()).map(seed).map_err(failed)
            }
            Pair::X25519(key) => key.as_be_bytes().map(seed).map_err(failed),
            Pair::Rsa(_) => Err(CryptoError::key("an RSA key is not one number")),
        }
    }
}

/// Components of an RSA key, big-endian.
pub(super) type RsaComponents<'a> = rsa::KeyPairComponents<&'a [u8]>;

/// Lends the components of an RSA key out of its PKCS#8.
pub(super) fn rsa_components(pkcs8: &[u8]) -> Result<RsaPrivateKeyDer<'_>, CryptoError> {
    PrivateKeyInfoRef::from_der(pkcs8)
        .and_then(|info| RsaPrivateKeyDer::from_der(info.private_key.as_bytes()))
        .map_err(|error| rejected("an RSA private key", &error))
}

pub(super) const fn signing(curve: EcCurve) -> &'static EcdsaSigningAlgorithm {
    match curve {
        EcCurve::P256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
        EcCurve::P384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
        EcCurve::P521 => &ECDSA_P521_SHA512_FIXED_SIGNING,
    }
}

fn rejected(what: &str, error: &dyn core::fmt::Display) -> CryptoError {
    CryptoError::key(format!("not {what}: {error}"))
}

fn unserialised() -> CryptoError {
    CryptoError::failed("a private key could not be serialised")
}
