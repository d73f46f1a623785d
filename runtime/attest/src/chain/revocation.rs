//! Certificate revocation lists (RFC 5280, section 5) by an ARK.
//!
//! An ARK's list covers what the ARK issued: itself and the ASK. It covers leaves only where it
//! says so, entry by entry (an indirect list); a leaf's serial number alone means nothing, since
//! every VCEK has the serial number 0.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use der::oid::ObjectIdentifier;
use der::{Decode as _, Encode as _};
use x509_cert::crl::{CertificateList, RevokedCert};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::IssuingDistributionPoint;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;

use super::certificate::{Certificate, check_pss, is_pss_sha384};
use super::{Chain, pem};
use crate::limits::CRL_BYTES_MAX;
use crate::{AttestError, hex};

const WHAT: &str = "revocation list";
const LABEL: &str = "X509 CRL";
const ISSUING_DISTRIBUTION_POINT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.28");
const CERTIFICATE_ISSUER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.29");

/// A revocation list, read but not verified.
#[derive(Clone, Debug)]
pub struct RevocationList {
    parsed: CertificateList,
    /// The part that is signed, in DER.
    signed: Vec<u8>,
    signature: Vec<u8>,
    indirect: bool,
}

/// What a list says about a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Revoked {
    /// In words, the certificates of the chain that it revokes.
    pub(crate) certificates: Vec<String>,
    /// When it was made, in seconds since 1970.
    pub(crate) this_update: u64,
    /// When the next one is due.
    pub(crate) next_update: Option<u64>,
}

fn refused(why: impl Into<String>) -> AttestError {
    AttestError::malformed(WHAT, why)
}

impl RevocationList {
    /// Reads a list: PEM, or the base64 of its DER.
    ///
    /// # Errors
    /// It is too large, cannot be read, is signed by another algorithm than AMD's, is a part of a
    /// list, or has a critical extension that this crate does not know.
    pub fn parse(text: &str) -> Result<Self, AttestError> {
        AttestError::bound("bytes of a revocation list", text.len(), CRL_BYTES_MAX)?;
        let text = pem::text_of(text.as_bytes())?;
        if text.starts_with("-----") {
            let (der, rest) = pem::block(text, LABEL)?;
            if !rest.is_empty() {
                return Err(refused("something comes after it"));
            }
            return Self::from_der(&der);
        }
        let body: String = text.split_ascii_whitespace().collect();
        let der = STANDARD.decode(body).map_err(|error| refused(format!("its base64: {error}")))?;
        Self::from_der(&der)
    }

    /// Reads a list in DER.
    ///
    /// # Errors
    /// As [`RevocationList::parse`].
    pub fn from_der(der: &[u8]) -> Result<Self, AttestError> {
        AttestError::bound("bytes of a revocation list", der.len(), CRL_BYTES_MAX)?;
        let unreadable = |error: der::Error| refused(error.to_string());
        let parsed = CertificateList::from_der(der).map_err(unreadable)?;
        if parsed.to_der().map_err(unreadable)? != der {
            return Err(refused("it is not in its only DER encoding"));
        }
        let body = &parsed.tbs_cert_list;
        if body.signature != parsed.signature_algorithm || !is_pss_sha384(&body.signature) {
            return Err(refused("its signature is not RSASSA-PSS with SHA-384"));
        }
        let signature = parsed.signature.as_bytes().map(<[u8]>::to_vec);
        let signature = signature.ok_or_else(|| refused("its signature is no whole bytes"))?;
        let indirect = check_extensions(body.crl_extensions.as_deref().unwrap_or_default())?;
        for entry in body.revoked_certificates.as_deref().unwrap_or_default() {
            check_entry(entry, indirect)?;
        }
        let signed = body.to_der().map_err(unreadable)?;
        Ok(Self { parsed, signed, signature, indirect })
    }

    /// Whether it names the chain's root as its issuer.
    #[must_use]
    pub fn is_by_root_of(&self, chain: &Chain) -> bool {
        self.parsed.tbs_cert_list.issuer == *chain.root.subject()
    }

    /// What it says about `chain`, once its signature by the chain's root has been checked. Whether
    /// the root is to be believed is another check's business.
    pub(crate) fn check(&self, chain: &Chain) -> Result<Revoked, AttestError> {
        if !chain.root.may_sign_lists() {
            return Err(refused("the ARK's key usage does not let it sign revocation lists"));
        }
        let what = "the revocation list by the key of the ARK".to_owned();
        check_pss(what, chain.root.public_key(), &self.signed, &self.signature)?;
        let body = &self.parsed.tbs_cert_list;
        let mut certificates = Vec::new();
        // Of an indirect list's entries each is by the issuer named last.
        let mut issuer = body.issuer.clone();
        for entry in body.revoked_certificates.as_deref().unwrap_or_default() {
            if let Some(named) = issuer_of(entry)? {
                issuer = named;
            }
            let serial = entry.serial_number.as_bytes();
            for (certificate, by) in [
                (&chain.leaf, chain.authority.subject()),
                (&chain.authority, chain.root.subject()),
                (&chain.root, chain.root.subject()),
            ] {
                if issuer == *by && is_same_number(serial, certificate.serial()) {
                    certificates.push(describe(certificate));
                }
            }
        }
        let seconds = |time: &x509_cert::time::Time| time.to_unix_duration().as_secs();
        let next_update = body.next_update.as_ref().map(seconds);
        Ok(Revoked { certificates, this_update: seconds(&body.this_update), next_update })
    }

    /// Whether entries may be about certificates of other issuers.
    #[must_use]
    pub const fn is_indirect(&self) -> bool {
        self.indirect
    }
}

fn describe(certificate: &Certificate) -> String {
    format!("{} with serial number {}", certificate.what(), hex::encode(certificate.serial()))
}

fn is_same_number(one: &[u8], other: &[u8]) -> bool {
    let strip = |bytes: &'_ [u8]| bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    one.get(strip(one)..) == other.get(strip(other)..)
}

/// The list's extensions: whether it is indirect. A delta list, and one that leaves authorities
/// out, is refused: it cannot show that an ASK is in force.
fn check_extensions(extensions: &[Extension]) -> Result<bool, AttestError> {
    let mut indirect = false;
    for extension in extensions {
        if extension.extn_id == ISSUING_DISTRIBUTION_POINT {
            let scope = IssuingDistributionPoint::from_der(extension.extn_value.as_bytes())
                .map_err(|error| refused(format!("its distribution point: {error}")))?;
            let partial = scope.only_some_reasons.is_some()
                || scope.only_contains_user_certs
                || scope.only_contains_attribute_certs;
            if partial {
                return Err(refused("it is not about all certificates"));
            }
            indirect = scope.indirect_crl;
        } else if extension.critical {
            let why = format!("its critical extension {} is unknown", extension.extn_id);
            return Err(refused(why));
        }
    }
    Ok(indirect)
}

fn check_entry(entry: &RevokedCert, indirect: bool) -> Result<(), AttestError> {
    for extension in entry.crl_entry_extensions.as_deref().unwrap_or_default() {
        let known = extension.extn_id == CERTIFICATE_ISSUER;
        if known && !indirect {
            return Err(refused("an entry names an issuer, and the list is not indirect"));
        }
        if extension.critical && !known {
            let why =
                format!("the critical extension {} of an entry is unknown", extension.extn_id);
            return Err(refused(why));
        }
    }
    issuer_of(entry).map(drop)
}

/// The issuer that an entry names, if it names one.
fn issuer_of(entry: &RevokedCert) -> Result<Option<Name>, AttestError> {
    let extensions = entry.crl_entry_extensions.as_deref().unwrap_or_default();
    let Some(extension) = extensions.iter().find(|found| found.extn_id == CERTIFICATE_ISSUER)
    else {
        return Ok(None);
    };
    let names = Vec::<GeneralName>::from_der(extension.extn_value.as_bytes())
        .map_err(|error| refused(format!("the issuer of an entry: {error}")))?;
    match names.as_slice() {
        [GeneralName::DirectoryName(name)] => Ok(Some(name.clone())),
        _ => Err(refused("the issuer of an entry is not one directory name")),
    }
}
