//! Signatures on certificates: ECDSA, RSA (PKCS#1 v1.5 and PSS) with SHA-256, SHA-384 or SHA-512,
//! and Ed25519. SHA-1 is refused.

use aws_lc_rs::signature as aws;
use aws_lc_rs::signature::{UnparsedPublicKey, VerificationAlgorithm};
use der::asn1::{AnyRef, BitStringRef};
use der::oid::ObjectIdentifier;
use der::{Decode as _, Encode as _, Sequence};
use x509_cert::spki::AlgorithmIdentifierRef;

use crate::crypto::signature::{SignatureAlgorithm, verify};
use crate::crypto::{CryptoError, EcCurve, Hash, KeyKind, PublicKey};

const OID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const OID_RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const OID_MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");
const ECDSA: [(ObjectIdentifier, Hash); 3] = [
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2"), Hash::Sha256),
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3"), Hash::Sha384),
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4"), Hash::Sha512),
];
const RSA: [(ObjectIdentifier, Hash); 3] = [
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11"), Hash::Sha256),
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12"), Hash::Sha384),
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13"), Hash::Sha512),
];
const HASHES: [(ObjectIdentifier, Hash); 3] = [
    (ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1"), Hash::Sha256),
    (ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2"), Hash::Sha384),
    (ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3"), Hash::Sha512),
];

/// `Certificate` of RFC 5280, 4.1, with the signed part as it is written.
#[derive(Sequence)]
struct SignedDer<'a> {
    tbs: AnyRef<'a>,
    algorithm: AlgorithmIdentifierRef<'a>,
    signature: BitStringRef<'a>,
}

/// `RSASSA-PSS-params` of RFC 8017, A.2.3. The defaults that may be left out mean SHA-1.
#[derive(Sequence)]
struct PssDer<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    hash: Option<AlgorithmIdentifierRef<'a>>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    mask: Option<AlgorithmIdentifierRef<'a>>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    salt_bytes: Option<u16>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    trailer: Option<u8>,
}

/// Whether the certificate was signed by `issuer`.
pub(super) fn is_signed_by(certificate: &[u8], issuer: &PublicKey) -> Result<(), CryptoError> {
    let malformed = |_| CryptoError::key("a certificate is malformed");
    let signed = SignedDer::from_der(certificate).map_err(malformed)?;
    let message = signed.tbs.to_der().map_err(malformed)?;
    let signature = signed
        .signature
        .as_bytes()
        .ok_or_else(|| CryptoError::key("a certificate's signature is malformed"))?;
    let oid = signed.algorithm.oid;
    let hash_in = |table: [(ObjectIdentifier, Hash); 3]| {
        table.into_iter().find_map(|(known, hash)| (known == oid).then_some(hash))
    };
    let valid = if let (Some(hash), KeyKind::Ec(curve)) = (hash_in(ECDSA), issuer.kind()) {
        holds(ecdsa(curve, hash), issuer, &message, signature)
    } else if let (Some(hash), KeyKind::Rsa) = (hash_in(RSA), issuer.kind()) {
        holds(pkcs1(hash), issuer, &message, signature)
    } else if oid == OID_RSA_PSS {
        verify(pss(signed.algorithm)?, issuer, &message, signature)?
    } else if oid == OID_ED25519 {
        verify(SignatureAlgorithm::EdDsa, issuer, &message, signature)?
    } else {
        return Err(CryptoError::failed(format!(
            "a certificate is signed with {oid}, which is not supported or does not fit its issuer"
        )));
    };
    if valid { Ok(()) } else { Err(CryptoError::failed("a certificate's signature is not valid")) }
}

fn holds(
    algorithm: &'static dyn VerificationAlgorithm,
    issuer: &PublicKey,
    message: &[u8],
    signature: &[u8],
) -> bool {
    UnparsedPublicKey::new(algorithm, issuer.to_der()).verify(message, signature).is_ok()
}

const fn ecdsa(curve: EcCurve, hash: Hash) -> &'static dyn VerificationAlgorithm {
    match (curve, hash) {
        (EcCurve::P256, Hash::Sha256) => &aws::ECDSA_P256_SHA256_ASN1,
        (EcCurve::P256, Hash::Sha384) => &aws::ECDSA_P256_SHA384_ASN1,
        (EcCurve::P256, Hash::Sha512) => &aws::ECDSA_P256_SHA512_ASN1,
        (EcCurve::P384, Hash::Sha256) => &aws::ECDSA_P384_SHA256_ASN1,
        (EcCurve::P384, Hash::Sha384) => &aws::ECDSA_P384_SHA384_ASN1,
        (EcCurve::P384, Hash::Sha512) => &aws::ECDSA_P384_SHA512_ASN1,
        (EcCurve::P521, Hash::Sha256) => &aws::ECDSA_P521_SHA256_ASN1,
        (EcCurve::P521, Hash::Sha384) => &aws::ECDSA_P521_SHA384_ASN1,
        (EcCurve::P521, Hash::Sha512) => &aws::ECDSA_P521_SHA512_ASN1,
    }
}

const fn pkcs1(hash: Hash) -> &'static dyn VerificationAlgorithm {
    match hash {
        Hash::Sha256 => &aws::RSA_PKCS1_2048_8192_SHA256,
        Hash::Sha384 => &aws::RSA_PKCS1_2048_8192_SHA384,
        Hash::Sha512 => &aws::RSA_PKCS1_2048_8192_SHA512,
    }
}

fn pss(algorithm: AlgorithmIdentifierRef<'_>) -> Result<SignatureAlgorithm, CryptoError> {
    let unsupported = || {
        CryptoError::failed(
            "a certificate is signed with RSA-PSS other than with one of SHA-256, SHA-384 and \
             SHA-512 for message and mask",
        )
    };
    let known = |oid: ObjectIdentifier| {
        HASHES.into_iter().find_map(|(known, hash)| (known == oid).then_some(hash))
    };
    let read = |parameters: AnyRef<'_>| -> Option<SignatureAlgorithm> {
        let parameters = parameters.decode_as::<PssDer<'_>>().ok()?;
        let hash = known(parameters.hash?.oid)?;
        let mask = parameters.mask.filter(|mask| mask.oid == OID_MGF1)?;
        let mask_hash = mask.parameters?.decode_as::<AlgorithmIdentifierRef<'_>>().ok()?;
        if known(mask_hash.oid) != Some(hash) || parameters.trailer.unwrap_or(1) != 1 {
            return None;
        }
        let salt_bytes = usize::from(parameters.salt_bytes.unwrap_or(20));
        Some(SignatureAlgorithm::RsaPss { hash, salt_bytes })
    };
    algorithm.parameters.and_then(read).ok_or_else(unsupported)
}
