//! Name constraints (RFC 5280, 4.2.1.10) on DNS names, IP addresses, mail addresses and directory
//! names. A constraint on another form refuses every certificate that has a name of that form.

use core::mem::discriminant;

use x509_cert::Certificate;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{NameConstraints, SubjectAltName};
use x509_cert::name::Name;

use super::path::extension;
use crate::crypto::CryptoError;

/// Whether every name of `certificate` is permitted and not excluded.
pub(super) fn check(
    constraints: &NameConstraints,
    certificate: &Certificate,
) -> Result<(), CryptoError> {
    let subject = certificate.tbs_certificate().subject();
    let mut names =
        extension::<SubjectAltName>(certificate)?.map_or_else(Vec::new, |found| found.0);
    if !subject.is_empty() {
        names.push(GeneralName::DirectoryName(subject.clone()));
    }
    let bases = |subtrees: &Option<Vec<_>>| -> Vec<GeneralName> {
        subtrees
            .iter()
            .flatten()
            .map(|tree: &x509_cert::ext::pkix::constraints::name::GeneralSubtree| tree.base.clone())
            .collect()
    };
    let permitted = bases(&constraints.permitted_subtrees);
    let excluded = bases(&constraints.excluded_subtrees);
    for name in &names {
        let same_form = |base: &&GeneralName| discriminant(*base) == discriminant(name);
        if excluded.iter().filter(same_form).any(|base| within(name, base).unwrap_or(true)) {
            return Err(refused());
        }
        let mut of_form = permitted.iter().filter(same_form).peekable();
        if of_form.peek().is_some() && !of_form.any(|base| within(name, base).unwrap_or(false)) {
            return Err(refused());
        }
    }
    Ok(())
}

fn refused() -> CryptoError {
    CryptoError::failed("a certificate's name is not one that an issuer's constraints allow")
}

/// Whether `name` is in the subtree of `base`; `None` where that cannot be said.
fn within(name: &GeneralName, base: &GeneralName) -> Option<bool> {
    match (name, base) {
        (GeneralName::DnsName(name), GeneralName::DnsName(base)) => {
            Some(dns_within(name.as_str(), base.as_str()))
        }
        (GeneralName::Rfc822Name(name), GeneralName::Rfc822Name(base)) => {
            mail_within(name.as_str(), base.as_str())
        }
        (GeneralName::IpAddress(name), GeneralName::IpAddress(base)) => {
            ip_within(name.as_bytes(), base.as_bytes())
        }
        (GeneralName::DirectoryName(name), GeneralName::DirectoryName(base)) => {
            Some(directory_within(name, base))
        }
        _ => None,
    }
}

/// The base itself and everything below it; an empty base is everything.
fn dns_within(name: &str, base: &str) -> bool {
    let (name, base) = (name.to_ascii_lowercase(), base.to_ascii_lowercase());
    let base = base.strip_prefix('.').unwrap_or(&base);
    base.is_empty()
        || name.strip_suffix(base).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// A base is a mailbox, a host, or (with a dot before it) everything below a domain.
fn mail_within(name: &str, base: &str) -> Option<bool> {
    let (mailbox, host) = name.rsplit_once('@')?;
    if let Some((base_mailbox, base_host)) = base.rsplit_once('@') {
        return Some(mailbox == base_mailbox && host.eq_ignore_ascii_case(base_host));
    }
    if base.starts_with('.') {
        let (host, base) = (host.to_ascii_lowercase(), base.to_ascii_lowercase());
        return Some(host.ends_with(&base));
    }
    Some(base.is_empty() || host.eq_ignore_ascii_case(base))
}

/// A base is an address and a mask.
fn ip_within(name: &[u8], base: &[u8]) -> Option<bool> {
    if base.len() != 8 && base.len() != 32 {
        return None;
    }
    let (address, mask) = base.split_at(base.len() / 2);
    if name.len() != address.len() {
        return Some(false);
    }
    Some(name.iter().zip(address).zip(mask).all(|((name, base), mask)| name & mask == base & mask))
}

/// The base's relative names are the first of the name's.
fn directory_within(name: &Name, base: &Name) -> bool {
    let (name, base): (Vec<_>, Vec<_>) = (name.iter_rdn().collect(), base.iter_rdn().collect());
    name.starts_with(&base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subtrees_hold_what_the_rfc_says() {
        for (name, base, inside) in [
            ("host.example.com", "example.com", true),
            ("example.com", "example.com", true),
            ("HOST.Example.com", "EXAMPLE.com", true),
            ("badexample.com", "example.com", false),
            ("example.com.evil", "example.com", false),
            ("anything", "", true),
            ("a.example.com", ".example.com", true),
        ] {
            assert_eq!(dns_within(name, base), inside, "{name} in {base}");
        }
        for (name, base, inside) in [
            ("a@example.com", "a@example.com", Some(true)),
            ("b@example.com", "a@example.com", Some(false)),
            ("a@Example.com", "example.com", Some(true)),
            ("a@sub.example.com", "example.com", Some(false)),
            ("a@sub.example.com", ".example.com", Some(true)),
            ("no mailbox", "example.com", None),
        ] {
            assert_eq!(mail_within(name, base), inside, "{name} in {base}");
        }
        let net = [10, 1, 0, 0, 255, 255, 0, 0];
        assert_eq!(ip_within(&[10, 1, 2, 3], &net), Some(true));
        assert_eq!(ip_within(&[10, 2, 2, 3], &net), Some(false));
        assert_eq!(ip_within(&[0; 16], &net), Some(false));
        assert_eq!(ip_within(&[10, 1, 2, 3], &net[..7]), None);
    }
}
