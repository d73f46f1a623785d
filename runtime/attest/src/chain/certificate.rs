//! One certificate of AMD's: read strictly.

use der::asn1::{PrintableStringRef, Utf8StringRef};
use der::oid::ObjectIdentifier;
use der::oid::db::rfc4519;
use der::{Decode as _, Encode as _};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};

use crate::AttestError;
use crate::limits::CERTIFICATE_BYTES_MAX;
use crate::signature::{Hash, Key, Scheme};

/// id-ecPublicKey on secp384r1.
const P384: &[u8] = b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22";
/// rsaEncryption.
const RSA: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
/// Bytes of an uncompressed point of P-384.
const POINT_BYTES: usize = 97;
/// Bytes of a signature by a 4,096-bit RSA key; ring demands that the modulus has as many.
const RSA_BYTES: usize = 512;

const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");

#[derive(Clone, Debug)]
pub(super) struct Certificate {
    what: &'static str,
    parsed: x509_cert::Certificate,
    /// The part that is signed, in DER.
    signed: Vec<u8>,
    signature: Vec<u8>,
    public_key_info: Vec<u8>,
    public_key: Vec<u8>,
}

/// Whether an algorithm is RSASSA-PSS as AMD uses it: SHA-384 twice, and 48 bytes of salt.
pub(super) fn is_pss_sha384(algorithm: &x509_cert::spki::AlgorithmIdentifierOwned) -> bool {
    matches!(Scheme::of_certificate(algorithm), Ok(Scheme::Pss(Hash::Sha384)))
}

/// Checks a signature by an RSA key of 4,096 bits.
pub(super) fn check_pss(
    what: String,
    public_key: &[u8],
    signed: &[u8],
    signature: &[u8],
) -> Result<(), AttestError> {
    if signature.len() != RSA_BYTES {
        return Err(AttestError::BadSignature { what });
    }
    Key::Rsa(public_key.to_vec()).verify(what, Scheme::Pss(Hash::Sha384), signed, signature)
}

impl Certificate {
    pub(super) fn parse(what: &'static str, der: &[u8]) -> Result<Self, AttestError> {
        AttestError::bound(what, der.len(), CERTIFICATE_BYTES_MAX)?;
        let refused = |error: der::Error| AttestError::malformed(what, error.to_string());
        let rule = |why: &str| Err(AttestError::malformed(what, why));
        let parsed = x509_cert::Certificate::from_der(der).map_err(refused)?;
        if parsed.to_der().map_err(refused)? != der {
            return rule("it is not in its only DER encoding");
        }
        let body = parsed.tbs_certificate();
        if body.version() != x509_cert::Version::V3 {
            return rule("it is not of version 3");
        }
        if body.signature() != parsed.signature_algorithm() {
            return rule("it names two different signature algorithms");
        }
        if !is_pss_sha384(body.signature()) {
            return rule("its signature is not RSASSA-PSS with SHA-384 and 48 bytes of salt");
        }
        let Some(signature) = parsed.signature().as_bytes().map(<[u8]>::to_vec) else {
            return rule("its signature is no whole number of bytes");
        };
        let info = body.subject_public_key_info();
        let Some(public_key) = info.subject_public_key.as_bytes().map(<[u8]>::to_vec) else {
            return rule("its key is no whole number of bytes");
        };
        let signed = body.to_der().map_err(refused)?;
        let public_key_info = info.to_der().map_err(refused)?;
        let read = Self { what, signed, signature, public_key_info, public_key, parsed };
        read.check_extensions()?;
        Ok(read)
    }

    /// No extension twice, and none that is critical and unknown.
    fn check_extensions(&self) -> Result<(), AttestError> {
        let extensions = self.extensions();
        for (index, extension) in extensions.iter().enumerate() {
            let id = extension.extn_id;
            if extensions.iter().skip(index + 1).any(|other| other.extn_id == id) {
                let why = format!("the extension {id} is there twice");
                return Err(AttestError::malformed(self.what, why));
            }
            if extension.critical && id != BASIC_CONSTRAINTS && id != KEY_USAGE {
                let why = format!("the critical extension {id} is unknown");
                return Err(AttestError::malformed(self.what, why));
            }
        }
        Ok(())
    }

    /// The leaf's key: P-384, uncompressed.
    pub(super) fn check_leaf_key(&self) -> Result<(), AttestError> {
        if !self.is_key_algorithm(P384) || self.public_key.len() != POINT_BYTES {
            let why = "its key is not on P-384, uncompressed";
            return Err(AttestError::malformed(self.what, why));
        }
        Ok(())
    }

    /// An authority's key: RSA.
    pub(super) fn check_authority_key(&self) -> Result<(), AttestError> {
        if !self.is_key_algorithm(RSA) {
            return Err(AttestError::malformed(self.what, "its key is not RSA"));
        }
        Ok(())
    }

    fn is_key_algorithm(&self, wanted: &[u8]) -> bool {
        let info = self.parsed.tbs_certificate().subject_public_key_info();
        info.algorithm.to_der().is_ok_and(|der| der == wanted)
    }

    pub(super) const fn what(&self) -> &'static str {
        self.what
    }

    pub(super) fn public_key_info(&self) -> &[u8] {
        &self.public_key_info
    }

    pub(super) fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    pub(super) fn subject(&self) -> &x509_cert::name::Name {
        self.parsed.tbs_certificate().subject()
    }

    pub(super) fn serial(&self) -> &[u8] {
        self.parsed.tbs_certificate().serial_number().as_bytes()
    }

    /// First and last second of validity, since 1970.
    pub(super) fn validity(&self) -> (u64, u64) {
        let validity = self.parsed.tbs_certificate().validity();
        let seconds = |time: &x509_cert::time::Time| time.to_unix_duration().as_secs();
        (seconds(&validity.not_before), seconds(&validity.not_after))
    }

    /// The subject's common name, if it has exactly one.
    pub(super) fn common_name(&self) -> Option<String> {
        let names = self.subject();
        let mut found = names.iter().filter(|attribute| attribute.oid == rfc4519::CN);
        let (Some(name), None) = (found.next(), found.next()) else { return None };
        let text = |name: &str| name.to_owned();
        let utf8 = name.value.decode_as::<Utf8StringRef<'_>>().map(|name| text(name.as_ref()));
        let printable = || name.value.decode_as::<PrintableStringRef<'_>>();
        utf8.or_else(|_| printable().map(|name| text(name.as_ref()))).ok()
    }

    /// The value of an extension.
    pub(super) fn extension(&self, id: ObjectIdentifier) -> Option<&[u8]> {
        let found = self.extensions().iter().find(|extension| extension.extn_id == id)?;
        Some(found.extn_value.as_bytes())
    }

    fn extensions(&self) -> &[Extension] {
        self.parsed.tbs_certificate().extensions().map_or(&[], Vec::as_slice)
    }

    fn constraints(&self) -> Result<Option<BasicConstraints>, String> {
        let read = |value| BasicConstraints::from_der(value);
        let constraints = self.extension(BASIC_CONSTRAINTS).map(read).transpose();
        constraints.map_err(|_| format!("the {} has unreadable basic constraints", self.what))
    }

    fn usage(&self) -> Result<Option<KeyUsage>, String> {
        let usage = self.extension(KEY_USAGE).map(KeyUsage::from_der).transpose();
        usage.map_err(|_| format!("the {} has an unreadable key usage", self.what))
    }

    /// That it may issue certificates, with `below` authorities between it and the leaf.
    pub(super) fn check_authority(&self, below: u8) -> Result<(), String> {
        let what = self.what;
        let Some(constraints) = self.constraints()?.filter(|constraints| constraints.ca) else {
            return Err(format!("the {what} is not a certificate authority"));
        };
        if constraints.path_len_constraint.is_some_and(|length| length < below) {
            return Err(format!("the {what} may not have {below} authorities below it"));
        }
        if !self.usage()?.is_some_and(|usage| usage.key_cert_sign()) {
            return Err(format!("the key usage of the {what} does not let it sign certificates"));
        }
        Ok(())
    }

    /// That its key usage lets it sign revocation lists.
    pub(super) fn may_sign_lists(&self) -> bool {
        self.usage().is_ok_and(|usage| usage.is_some_and(|usage| usage.crl_sign()))
    }

    /// That it may not issue certificates.
    pub(super) fn check_not_authority(&self) -> Result<(), String> {
        let may_sign = self.usage()?.is_some_and(|usage| usage.key_cert_sign());
        if may_sign || self.constraints()?.is_some_and(|constraints| constraints.ca) {
            return Err(format!("the {} is a certificate authority", self.what));
        }
        Ok(())
    }

    /// That it names `issuer` as its issuer.
    pub(super) fn check_issued_by(&self, issuer: &Self) -> Result<(), String> {
        let named = self.parsed.tbs_certificate().issuer();
        if named == issuer.subject() {
            return Ok(());
        }
        let (what, subject) = (self.what, issuer.subject());
        Err(format!("the {what} was issued by {named}, and the next one is {subject}"))
    }

    /// Checks the signature of this certificate by the key of `issuer`.
    pub(super) fn check_signed_by(&self, issuer: &Self) -> Result<(), AttestError> {
        let what = format!("the {} by the key of the {}", self.what, issuer.what);
        check_pss(what, &issuer.public_key, &self.signed, &self.signature)
    }

    /// Checks the report's signature by the key of this certificate.
    pub(super) fn check_ecdsa(&self, signed: &[u8], signature: &[u8]) -> Result<(), AttestError> {
        let what = format!("the report by the key of the {}", self.what);
        let key = Key::P384(self.public_key.clone());
        key.verify(what, Scheme::EcdsaFixed(Hash::Sha384), signed, signature)
    }
}
