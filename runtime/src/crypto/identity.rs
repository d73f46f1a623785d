//! Identities of members and users, for the sandbox and for tests: what CCF's key generator script
//! makes.

use affiant_kv::KeyError;
use zeroize::Zeroizing;

use super::certificate::{CertificateRequest, SubjectName};
use super::encryption::EncryptionKey;
use super::keys::{Curve, SigningKey};
use super::pem::certificate_id;
use crate::clock::unix_seconds;

const VALIDITY_DAYS: u32 = 365;

/// A member's or user's certificate and keys, all as PEM.
pub struct MemberIdentity {
    /// The common name: `member0`, `user0`.
    pub name: String,
    /// Hex SHA-256 of the certificate's DER.
    pub id: String,
    /// The certificate.
    pub certificate_pem: String,
    /// The signing key.
    pub key_pem: Zeroizing<String>,
    /// Public and private encryption key, where the member holds a recovery share.
    pub encryption: Option<(String, Zeroizing<String>)>,
}

impl MemberIdentity {
    /// Makes one that is valid from now for a year.
    ///
    /// # Errors
    /// The cryptographic library failed.
    pub fn generate(name: &str, with_encryption_key: bool) -> Result<Self, KeyError> {
        let key = SigningKey::generate(Curve::P384)?;
        let request = CertificateRequest {
            subject: SubjectName::common(name),
            subject_alt_names: Vec::new(),
            valid_from_unix_s: unix_seconds(),
            validity_days: VALIDITY_DAYS,
        };
        let certificate_pem = request.self_signed_person(&key)?.pem;
        let encryption = if with_encryption_key {
            let key = EncryptionKey::generate()?;
            Some((key.public_key_pem().to_owned(), key.to_pem()?))
        } else {
            None
        };
        Ok(Self {
            name: name.to_owned(),
            id: certificate_id(&certificate_pem)?,
            certificate_pem,
            key_pem: key.to_pem()?,
            encryption,
        })
    }
}
