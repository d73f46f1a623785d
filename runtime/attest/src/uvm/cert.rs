//! The chain of certificates of a message's signer: leaf first, up to a self-signed root (RFC 5280, as
//! far as it applies where dates do not).

use std::borrow::Cow;

use der::asn1::{AnyRef, Ia5StringRef, ObjectIdentifier, PrintableStringRef, Utf8StringRef};
use der::{Decode as _, Reader as _, SliceReader, Tag, Tagged as _};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAltName};

use super::did::SanKind;
use crate::AttestError;
use crate::limits::CERTIFICATE_BYTES_MAX;
use crate::signature::{Key, Scheme};

const WHAT: &str = "certificate";

/// Extensions that are processed here or have no bearing; any other that is critical is refused.
const UNDERSTOOD: [ObjectIdentifier; 4] = [
    ObjectIdentifier::new_unwrap("2.5.29.15"), // key usage
    ObjectIdentifier::new_unwrap("2.5.29.17"), // alternative names
    ObjectIdentifier::new_unwrap("2.5.29.19"), // basic constraints
    ObjectIdentifier::new_unwrap("2.5.29.37"), // extended key usage
];

/// One certificate of a chain.
pub(crate) struct ChainCertificate {
    der: Vec<u8>,
    /// The part that is signed, as it came.
    signed: Vec<u8>,
    parsed: x509_cert::Certificate,
}

impl ChainCertificate {
    pub(crate) fn from_der(der: &[u8]) -> Result<Self, AttestError> {
        AttestError::bound("size of a certificate", der.len(), CERTIFICATE_BYTES_MAX)?;
        let parsed = x509_cert::Certificate::from_der(der).map_err(malformed)?;
        let body = AnyRef::from_der(der).map_err(malformed)?;
        let mut reader = SliceReader::new(body.value()).map_err(malformed)?;
        let signed = reader.tlv_bytes().map_err(malformed)?.to_vec();
        let tbs = parsed.tbs_certificate();
        if tbs.signature() != parsed.signature_algorithm() {
            return Err(AttestError::malformed(WHAT, "it names two signature algorithms"));
        }
        let certificate = Self { der: der.to_vec(), signed, parsed };
        certificate.check_extensions()?;
        Ok(certificate)
    }

    fn check_extensions(&self) -> Result<(), AttestError> {
        let extensions = self.parsed.tbs_certificate().extensions();
        let extensions = extensions.map(Vec::as_slice).unwrap_or_default();
        for (at, extension) in extensions.iter().enumerate() {
            let id = extension.extn_id;
            if extensions.iter().skip(at + 1).any(|other| other.extn_id == id) {
                return Err(AttestError::malformed(WHAT, format!("extension {id} stands twice")));
            }
            if extension.critical && !UNDERSTOOD.contains(&id) {
                let found = id.to_string();
                return Err(AttestError::Unknown { what: "critical extension", found });
            }
        }
        Ok(())
    }

    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }

    pub(crate) fn key(&self) -> Result<Key, AttestError> {
        Key::from_info(self.parsed.tbs_certificate().subject_public_key_info())
    }

    /// The name of its subject.
    pub(crate) fn subject(&self) -> String {
        self.parsed.tbs_certificate().subject().to_string()
    }

    /// The first and the last second at which it is valid, since 1970.
    pub(crate) fn validity_unix_s(&self) -> (u64, u64) {
        let validity = self.parsed.tbs_certificate().validity();
        let seconds = |time: x509_cert::time::Time| time.to_unix_duration().as_secs();
        (seconds(validity.not_before), seconds(validity.not_after))
    }

    /// Checks that `signed_at`, where it is known, lies within its validity.
    pub(crate) fn check_signed_while_valid(&self, at: Option<u64>) -> Result<(), AttestError> {
        let (from, to) = self.validity_unix_s();
        match at {
            Some(at) if !(from..=to).contains(&at) => {
                let subject = self.subject();
                let why = format!("signed at {at}, when {subject} was not valid: {from} to {to}");
                Err(AttestError::refused(super::WHAT, why))
            }
            _ => Ok(()),
        }
    }

    /// Checks that its key may sign messages: no CA, and for signatures if it says what for.
    pub(crate) fn check_signer(&self) -> Result<(), AttestError> {
        let tbs = self.parsed.tbs_certificate();
        let constraints = tbs.get_extension::<BasicConstraints>().map_err(malformed)?;
        let usage = tbs.get_extension::<KeyUsage>().map_err(malformed)?;
        if constraints.is_some_and(|(_, constraints)| constraints.ca) {
            return Err(self.refused("is a CA, and signs no messages"));
        }
        if usage.is_some_and(|(_, usage)| !usage.digital_signature()) {
            return Err(self.refused("is not for signatures"));
        }
        Ok(())
    }

    /// Checks that it may issue certificates, with `below` CAs between it and the leaf.
    fn check_issuer(&self, below: usize) -> Result<(), AttestError> {
        let tbs = self.parsed.tbs_certificate();
        let constraints = tbs.get_extension::<BasicConstraints>().map_err(malformed)?;
        let usage = tbs.get_extension::<KeyUsage>().map_err(malformed)?;
        let Some((_, constraints)) = constraints.filter(|(_, constraints)| constraints.ca) else {
            return Err(self.refused("is no CA"));
        };
        if usage.is_some_and(|(_, usage)| !usage.key_cert_sign()) {
            return Err(self.refused("is not for signing certificates"));
        }
        if constraints.path_len_constraint.is_some_and(|most| usize::from(most) < below) {
            return Err(self.refused("allows fewer CAs below it than there are"));
        }
        Ok(())
    }

    /// Checks that `issuer` signed it.
    fn check_issued_by(&self, issuer: &Self) -> Result<(), AttestError> {
        let tbs = self.parsed.tbs_certificate();
        if tbs.issuer() != issuer.parsed.tbs_certificate().subject() {
            return Err(self.refused("was not issued by the next certificate of the chain"));
        }
        let signature = self.parsed.signature().as_bytes().ok_or_else(|| {
            AttestError::malformed(WHAT, "its signature is not a whole number of bytes")
        })?;
        let scheme = Scheme::of_certificate(self.parsed.signature_algorithm())?;
        issuer.key()?.verify("a certificate of the chain", scheme, &self.signed, signature)
    }

    fn refused(&self, why: &str) -> AttestError {
        AttestError::refused(WHAT, format!("{} {why}", self.subject()))
    }

    /// What its key may be used for; empty if it does not say.
    pub(super) fn extended_key_usages(&self) -> Result<Vec<ObjectIdentifier>, AttestError> {
        let usages = self.parsed.tbs_certificate().get_extension::<ExtendedKeyUsage>();
        Ok(usages.map_err(malformed)?.map(|(_, usages)| usages.0).unwrap_or_default())
    }

    /// The values of an attribute of its subject.
    pub(super) fn subject_values(
        &self,
        oid: ObjectIdentifier,
    ) -> Result<Vec<Cow<'_, str>>, AttestError> {
        let attributes = self.parsed.tbs_certificate().subject().iter();
        attributes
            .filter(|attribute| attribute.oid == oid)
            .map(|attribute| {
                let value = &attribute.value;
                let text = match value.tag() {
                    Tag::PrintableString => {
                        value.decode_as::<PrintableStringRef<'_>>().map(|text| text.as_str())
                    }
                    Tag::Ia5String => {
                        value.decode_as::<Ia5StringRef<'_>>().map(|text| text.as_str())
                    }
                    _ => value.decode_as::<Utf8StringRef<'_>>().map(|text| text.as_str()),
                };
                text.map(Cow::Borrowed).map_err(malformed)
            })
            .collect()
    }

    /// Its alternative names of the kinds that a `did:x509` may ask for.
    pub(super) fn alternative_names(&self) -> Result<Vec<(SanKind, String)>, AttestError> {
        let names = self.parsed.tbs_certificate().get_extension::<SubjectAltName>();
        let names = names.map_err(malformed)?.map(|(_, names)| names.0).unwrap_or_default();
        let known = names.iter().filter_map(|name| match name {
            GeneralName::Rfc822Name(name) => Some((SanKind::Email, name.to_string())),
            GeneralName::DnsName(name) => Some((SanKind::Dns, name.to_string())),
            GeneralName::UniformResourceIdentifier(name) => Some((SanKind::Uri, name.to_string())),
            _ => None,
        });
        Ok(known.collect())
    }
}

/// Checks a chain, leaf first: every certificate issued by the next, which may issue certificates at
/// that depth, and the last one by itself. Dates are left to the caller.
pub(super) fn verify_chain(chain: &[ChainCertificate]) -> Result<(), AttestError> {
    let Some(root) = chain.last().filter(|_| chain.len() > 1) else {
        return Err(AttestError::refused("chain of certificates", "it has no CA in it"));
    };
    let issuers = chain.iter().skip(1).chain([root]);
    for (at, (certificate, issuer)) in chain.iter().zip(issuers).enumerate() {
        if chain.iter().skip(at + 1).any(|other| other.der == certificate.der) {
            return Err(certificate.refused("stands twice in the chain"));
        }
        certificate.check_issued_by(issuer)?;
        if at > 0 {
            certificate.check_issuer(at - 1)?;
        }
    }
    Ok(())
}

fn malformed(error: der::Error) -> AttestError {
    AttestError::malformed(WHAT, error.to_string())
}
