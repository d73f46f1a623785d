//! X.509 certificates of services and nodes: reading them, and checking who issued them.
//!
//! Reading is strict: a certificate whose DER, written again, is not the same bytes is refused.

use der::{Decode as _, Encode as _};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};
use x509_cert::spki::ObjectIdentifier;

use crate::key::{MessageHash, PublicKey};
use crate::limits::CERTIFICATE_BYTES_MAX;
use crate::{Digest, ProofError};

const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const ECDSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4");

/// The label of a certificate in PEM.
const PEM_LABEL: &str = "CERTIFICATE";

/// A certificate whose key this crate can use.
#[derive(Clone)]
pub struct Certificate {
    der: Vec<u8>,
    /// The part that is signed, in DER.
    signed: Vec<u8>,
    parsed: x509_cert::Certificate,
    key: PublicKey,
}

impl Certificate {
    /// Reads one DER certificate.
    ///
    /// # Errors
    /// The bytes are no certificate, not its only encoding, or its key is of another kind.
    pub fn from_der(der: &[u8]) -> Result<Self, ProofError> {
        if der.len() > CERTIFICATE_BYTES_MAX {
            let (found, limit) = (der.len() as u64, CERTIFICATE_BYTES_MAX as u64);
            return Err(ProofError::TooLarge { what: "certificate", found, limit });
        }
        let parsed = x509_cert::Certificate::from_der(der).map_err(refused)?;
        if parsed.to_der().map_err(refused)? != der {
            return Err(refused("it is not in its only DER encoding"));
        }
        if parsed.tbs_certificate().signature() != parsed.signature_algorithm() {
            return Err(refused("it names two different signature algorithms"));
        }
        let signed = parsed.tbs_certificate().to_der().map_err(refused)?;
        let key = PublicKey::from_info(parsed.tbs_certificate().subject_public_key_info())?;
        Ok(Self { der: der.to_vec(), signed, parsed, key })
    }

    /// Reads one PEM certificate. Trailing zero bytes, which old nodes wrote, are passed over.
    ///
    /// # Errors
    /// The text is not one PEM certificate, or as [`Certificate::from_der`].
    pub fn from_pem(pem: &str) -> Result<Self, ProofError> {
        if pem.len() > CERTIFICATE_BYTES_MAX {
            let (found, limit) = (pem.len() as u64, CERTIFICATE_BYTES_MAX as u64);
            return Err(ProofError::TooLarge { what: "certificate", found, limit });
        }
        let (label, der) =
            der::pem::decode_vec(pem.trim_end_matches('\0').as_bytes()).map_err(refused)?;
        if label != PEM_LABEL {
            return Err(refused(format!("its PEM label is {label}")));
        }
        Self::from_der(&der)
    }

    /// The DER bytes.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The certificate in PEM, as CCF writes it: lines of 64 characters, and a last line feed.
    #[must_use]
    pub fn to_pem(&self) -> String {
        der::pem::encode_string(PEM_LABEL, der::pem::LineEnding::LF, &self.der)
            .expect("a certificate within its bound encodes")
    }

    /// The id of the certificate, and of the member or user whose it is: hex SHA-256 of its DER.
    #[must_use]
    pub fn id(&self) -> String {
        Digest::of(&self.der).to_hex()
    }

    /// The key it certifies.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// The name of its subject.
    #[must_use]
    pub fn subject(&self) -> String {
        self.parsed.tbs_certificate().subject().to_string()
    }

    /// The name of its issuer.
    #[must_use]
    pub fn issuer(&self) -> String {
        self.parsed.tbs_certificate().issuer().to_string()
    }

    /// The first second at which it is valid, in unix seconds.
    #[must_use]
    pub fn not_before(&self) -> u64 {
        self.parsed.tbs_certificate().validity().not_before.to_unix_duration().as_secs()
    }

    /// The last second at which it is valid, in unix seconds.
    #[must_use]
    pub fn not_after(&self) -> u64 {
        self.parsed.tbs_certificate().validity().not_after.to_unix_duration().as_secs()
    }

    /// Whether it may issue certificates: a CA by its basic constraints, and not kept from
    /// signing certificates by its key usage.
    #[must_use]
    pub fn may_issue(&self) -> bool {
        let signed = self.parsed.tbs_certificate();
        let is_ca = signed
            .get_extension::<BasicConstraints>()
            .is_ok_and(|found| found.is_some_and(|(_, constraints)| constraints.ca));
        let may_sign = signed
            .get_extension::<KeyUsage>()
            .is_ok_and(|found| found.is_none_or(|(_, usage)| usage.key_cert_sign()));
        is_ca && may_sign
    }

    /// Checks that `issuer` issued this certificate: names, the right to issue, the signature.
    ///
    /// # Errors
    /// What does not match.
    pub fn verify_issued_by(&self, issuer: &Self) -> Result<(), ProofError> {
        let signed = self.parsed.tbs_certificate();
        if signed.issuer() != issuer.parsed.tbs_certificate().subject() {
            return Err(ProofError::Mismatch {
                what: "issuer of the certificate",
                expected: issuer.subject(),
                found: self.issuer(),
            });
        }
        if !issuer.may_issue() {
            return Err(refused("its issuer is not a certificate authority"));
        }
        self.verify_signed_by(issuer.public_key())
    }

    /// Checks the signature of this certificate by `key`.
    ///
    /// # Errors
    /// [`ProofError::BadSignature`], or an algorithm other than ECDSA with SHA-2.
    pub fn verify_signed_by(&self, key: &PublicKey) -> Result<(), ProofError> {
        let oid = self.parsed.signature_algorithm().oid;
        let hash = match oid {
            ECDSA_SHA256 => MessageHash::Sha256,
            ECDSA_SHA384 => MessageHash::Sha384,
            ECDSA_SHA512 => MessageHash::Sha512,
            _ => {
                let found = oid.to_string();
                return Err(ProofError::Unsupported { what: "certificate signature", found });
            }
        };
        let signature = self
            .parsed
            .signature()
            .as_bytes()
            .ok_or_else(|| refused("its signature is not a whole number of bytes"))?;
        key.verify_message_der("the certificate", hash, &self.signed, signature)
    }

    /// Checks that the certificate is valid at `now`, in unix seconds.
    ///
    /// # Errors
    /// [`ProofError::Certificate`] if it is not yet valid, or no longer.
    pub fn verify_valid_at(&self, now: u64) -> Result<(), ProofError> {
        let (from, to) = (self.not_before(), self.not_after());
        if (from..=to).contains(&now) {
            return Ok(());
        }
        let fault = if now < from { "not yet valid" } else { "expired" };
        Err(refused(format!("{fault}: valid from {from} to {to}, asked at {now} (unix seconds)")))
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

impl core::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Certificate({}, {})", self.subject(), self.id())
    }
}

/// Checks a chain: `leaf` issued by the first of `endorsements`, each of these by the next, and
/// the last (or the leaf, if there are none) by `trusted`. With `now`, all must be valid then.
///
/// # Errors
/// The first link that does not hold.
pub fn verify_chain(
    leaf: &Certificate,
    endorsements: &[Certificate],
    trusted: &Certificate,
    now: Option<u64>,
) -> Result<(), ProofError> {
    let mut current = leaf;
    for issuer in endorsements.iter().chain([trusted]) {
        current.verify_issued_by(issuer)?;
        current = issuer;
    }
    if let Some(now) = now {
        leaf.verify_valid_at(now)?;
        for cert in endorsements.iter().chain([trusted]) {
            cert.verify_valid_at(now)?;
        }
    }
    Ok(())
}

fn refused(why: impl core::fmt::Display) -> ProofError {
    ProofError::Certificate { what: "certificate", why: why.to_string() }
}
