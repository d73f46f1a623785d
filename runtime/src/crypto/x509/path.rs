//! From a certificate to a trusted one: a search over the issuers by name, each step with a verified
//! signature, then the checks of the whole path.

use std::cell::Cell;

use der::oid::ObjectIdentifier;
use x509_cert::Certificate;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, NameConstraints};

use super::constraints;
use super::signed::is_signed_by;
use crate::crypto::{CryptoError, PublicKey};
use crate::limits::{CERTIFICATE_PATH_COUNT_MAX, CERTIFICATE_SIGNATURES_COUNT_MAX};

/// A certificate and its bytes.
pub(super) struct Link {
    pub(super) der: Vec<u8>,
    pub(super) certificate: Certificate,
}

/// Extensions that may be critical: those that are looked at (basic constraints, key usage, name
/// constraints, alternative names), and those that restrict nothing here (extended key usage,
/// certificate policies, distribution points).
const UNDERSTOOD: [ObjectIdentifier; 7] = [
    ObjectIdentifier::new_unwrap("2.5.29.19"),
    ObjectIdentifier::new_unwrap("2.5.29.15"),
    ObjectIdentifier::new_unwrap("2.5.29.30"),
    ObjectIdentifier::new_unwrap("2.5.29.17"),
    ObjectIdentifier::new_unwrap("2.5.29.37"),
    ObjectIdentifier::new_unwrap("2.5.29.32"),
    ObjectIdentifier::new_unwrap("2.5.29.31"),
];

fn invalid(reason: impl Into<String>) -> CryptoError {
    CryptoError::failed(reason)
}

struct Search<'a> {
    intermediates: &'a [Link],
    trusted: &'a [Link],
    unix_s: i64,
    signatures: Cell<usize>,
}

/// See [`super::verify_chain`].
pub(super) fn verify(chain: &[Link], trusted: &[Link], unix_s: i64) -> Result<(), CryptoError> {
    for link in trusted {
        if !basic_constraints(&link.certificate)?.is_some_and(|constraints| constraints.ca) {
            return Err(invalid("a trusted certificate is not a CA's"));
        }
    }
    let Some((leaf, intermediates)) = chain.split_first() else {
        return Err(invalid("there is no certificate to verify"));
    };
    let signatures = Cell::new(0);
    let search = Search { intermediates, trusted, unix_s, signatures };
    search.extend(&mut vec![leaf])
}

impl<'a> Search<'a> {
    /// Ends at the first path that holds; else tells why the last candidate did not.
    fn extend(&self, path: &mut Vec<&'a Link>) -> Result<(), CryptoError> {
        let Some(last) = path.last().copied() else {
            return Err(invalid("there is no certificate to verify"));
        };
        let mut why = invalid("no issuer of a certificate was found among those given");
        if self.trusted.iter().any(|link| link.der == last.der) {
            match check(path, self.unix_s) {
                Ok(()) => return Ok(()),
                Err(error) => why = error,
            }
        }
        if path.len() == CERTIFICATE_PATH_COUNT_MAX {
            return Err(invalid(format!(
                "a path of more than {CERTIFICATE_PATH_COUNT_MAX} certificates"
            )));
        }
        let issuer_name = last.certificate.tbs_certificate().issuer();
        for issuer in self.trusted.iter().chain(self.intermediates) {
            let named = issuer.certificate.tbs_certificate().subject() == issuer_name;
            if !named || path.iter().any(|link| link.der == issuer.der) {
                continue;
            }
            let attempt = self.signed(last, issuer).and_then(|()| {
                path.push(issuer);
                let result = self.extend(path);
                path.pop();
                result
            });
            match attempt {
                Ok(()) => return Ok(()),
                Err(error) => why = error,
            }
        }
        Err(why)
    }

    fn signed(&self, link: &Link, issuer: &Link) -> Result<(), CryptoError> {
        if self.signatures.replace(self.signatures.get() + 1) >= CERTIFICATE_SIGNATURES_COUNT_MAX {
            return Err(invalid(format!(
                "no path was found within {CERTIFICATE_SIGNATURES_COUNT_MAX} signatures"
            )));
        }
        is_signed_by(&link.der, &PublicKey::from_certificate_der(&issuer.der)?)
    }
}

/// What holds of a whole path, leaf first, trusted certificate last.
fn check(path: &[&Link], unix_s: i64) -> Result<(), CryptoError> {
    for (position, link) in path.iter().enumerate() {
        check_time(&link.certificate, unix_s)?;
        check_extensions(&link.certificate)?;
        if position > 0 {
            check_issuer(&link.certificate, path.get(1..position).unwrap_or_default())?;
        }
        if let Some(names) = extension::<NameConstraints>(&link.certificate)? {
            for (below, subject) in path.iter().take(position).enumerate() {
                if below == 0 || !is_self_issued(&subject.certificate) {
                    constraints::check(&names, &subject.certificate)?;
                }
            }
        }
    }
    Ok(())
}

fn check_time(certificate: &Certificate, unix_s: i64) -> Result<(), CryptoError> {
    let validity = certificate.tbs_certificate().validity();
    let seconds = |time: &x509_cert::time::Time| time.to_unix_duration().as_secs();
    let now = u64::try_from(unix_s).map_err(|_| invalid("the time is before 1970"))?;
    if now < seconds(&validity.not_before) {
        return Err(invalid("a certificate is not valid yet"));
    }
    if now > seconds(&validity.not_after) {
        return Err(invalid("a certificate has expired"));
    }
    Ok(())
}

fn check_extensions(certificate: &Certificate) -> Result<(), CryptoError> {
    let extensions = certificate.tbs_certificate().extensions();
    for extension in extensions.into_iter().flatten() {
        if extension.critical && !UNDERSTOOD.contains(&extension.extn_id) {
            return Err(invalid(format!(
                "a certificate has the critical extension {}, which is not understood",
                extension.extn_id
            )));
        }
    }
    Ok(())
}

/// `below` are the intermediate certificates between the leaf and this one.
fn check_issuer(certificate: &Certificate, below: &[&Link]) -> Result<(), CryptoError> {
    let Some(constraints) = basic_constraints(certificate)?.filter(|found| found.ca) else {
        return Err(invalid("an issuer is not a CA"));
    };
    let depth = below.iter().filter(|link| !is_self_issued(&link.certificate)).count();
    if constraints.path_len_constraint.is_some_and(|longest| depth > usize::from(longest)) {
        return Err(invalid("the path is longer than an issuer allows"));
    }
    if extension::<KeyUsage>(certificate)?.is_some_and(|usage| !usage.key_cert_sign()) {
        return Err(invalid("an issuer may not sign certificates"));
    }
    Ok(())
}

fn is_self_issued(certificate: &Certificate) -> bool {
    let tbs = certificate.tbs_certificate();
    tbs.subject() == tbs.issuer()
}

fn basic_constraints(certificate: &Certificate) -> Result<Option<BasicConstraints>, CryptoError> {
    extension(certificate)
}

/// The extension of that type; malformed or repeated ones are errors.
pub(super) fn extension<'a, T>(certificate: &'a Certificate) -> Result<Option<T>, CryptoError>
where
    T: der::Decode<'a> + der::oid::AssociatedOid,
{
    certificate
        .tbs_certificate()
        .get_extension::<T>()
        .map(|found| found.map(|(_, extension)| extension))
        .map_err(|_| invalid(format!("a certificate's extension {} is malformed", T::OID)))
}
