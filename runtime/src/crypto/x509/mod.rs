//! Certificates for applications: are these certificates, and does this one lead to a trusted one
//! (RFC 5280, section 6, without policies and revocation)?

mod constraints;
mod path;
mod signed;

use der::Decode as _;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use x509_cert::Certificate;

use self::path::Link;
use super::error::CryptoError;
use super::pem::fault;
use crate::limits::{CERTIFICATE_BUNDLE_BYTES_MAX, CERTIFICATE_BUNDLE_COUNT_MAX};

/// The DER of every certificate in `bundle`, concatenated PEM. Text between them is ignored.
///
/// # Errors
/// There is none, one is malformed, or there are too many.
pub fn certificates(bundle: &str) -> Result<Vec<Vec<u8>>, CryptoError> {
    let links = links(bundle)?;
    Ok(links.into_iter().map(|link| link.der).collect())
}

/// Whether the first certificate of `chain` leads, by way of the others, to one of `trusted` at
/// `unix_s`, the seconds since 1970. Both are concatenated PEM.
///
/// Every trusted certificate must be a CA's, and may be an intermediate one, or the first
/// certificate itself. Each certificate on the way must be within its validity; each issuer must be
/// a CA with room for the path, may sign certificates if it has key usages, and its name
/// constraints hold below it.
///
/// # Errors
/// Why it does not.
pub fn verify_chain(chain: &str, trusted: &str, unix_s: i64) -> Result<(), CryptoError> {
    path::verify(&links(chain)?, &links(trusted)?, unix_s)
}

fn links(bundle: &str) -> Result<Vec<Link>, CryptoError> {
    if bundle.len() > CERTIFICATE_BUNDLE_BYTES_MAX {
        return Err(CryptoError::key(format!(
            "a bundle of more than {CERTIFICATE_BUNDLE_BYTES_MAX} bytes"
        )));
    }
    let mut links = Vec::new();
    for der in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        let der =
            der.map_err(|error| CryptoError::key(format!("not a PEM bundle: {}", fault(&error))))?;
        let certificate = Certificate::from_der(&der).map_err(|error| {
            CryptoError::key(format!("certificate {} is malformed: {error}", links.len()))
        })?;
        if links.len() == CERTIFICATE_BUNDLE_COUNT_MAX {
            return Err(CryptoError::key(format!(
                "a bundle of more than {CERTIFICATE_BUNDLE_COUNT_MAX} certificates"
            )));
        }
        links.push(Link { der: der.to_vec(), certificate });
    }
    if links.is_empty() {
        return Err(CryptoError::key("there is no certificate in the text"));
    }
    Ok(links)
}
