//! `did:x509` (version 0): a name for whoever a certification authority vouches for in a certain way.
//! `did:x509:0:sha256:<digest of a CA certificate>::<policy>:<value>::...`, where each policy must hold
//! on the leaf of a chain that has that CA in it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use der::asn1::ObjectIdentifier;

use super::ChainCertificate;
use crate::AttestError;
use crate::signature::Hash;

const WHAT: &str = "did:x509";
const BYTES_MAX: usize = 2048;
const POLICIES_MAX: usize = 16;
const PREFIX: &str = "did:x509:0:";

/// The names that a subject policy may use beside dotted numbers.
const SUBJECT_NAMES: [(&str, ObjectIdentifier); 7] = [
    ("CN", ObjectIdentifier::new_unwrap("2.5.4.3")),
    ("L", ObjectIdentifier::new_unwrap("2.5.4.7")),
    ("ST", ObjectIdentifier::new_unwrap("2.5.4.8")),
    ("O", ObjectIdentifier::new_unwrap("2.5.4.10")),
    ("OU", ObjectIdentifier::new_unwrap("2.5.4.11")),
    ("C", ObjectIdentifier::new_unwrap("2.5.4.6")),
    ("STREET", ObjectIdentifier::new_unwrap("2.5.4.9")),
];

/// The kinds of names that a `san` policy may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SanKind {
    Email,
    Dns,
    Uri,
}

#[derive(Debug, PartialEq, Eq)]
enum Policy {
    /// The leaf may be used for this.
    Eku(ObjectIdentifier),
    /// The leaf's subject has each of these attributes, once, with this value.
    Subject(Vec<(ObjectIdentifier, String)>),
    /// The leaf has this alternative name.
    San(SanKind, String),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct DidX509 {
    hash: Hash,
    fingerprint: Vec<u8>,
    policies: Vec<Policy>,
}

impl DidX509 {
    pub(super) fn parse(did: &str) -> Result<Self, AttestError> {
        AttestError::bound("size of a did:x509", did.len(), BYTES_MAX)?;
        let malformed = |why: &str| AttestError::malformed(WHAT, format!("{did:?}: {why}"));
        let rest = did
            .strip_prefix(PREFIX)
            .ok_or_else(|| malformed("it does not begin with did:x509:0:"))?;
        let mut parts = rest.split("::");
        let authority = parts.next().and_then(|authority| authority.split_once(':'));
        let (hash, text) = authority.ok_or_else(|| malformed("it names no CA"))?;
        let (hash, bytes) = match hash {
            "sha256" => (Hash::Sha256, 32),
            "sha384" => (Hash::Sha384, 48),
            "sha512" => (Hash::Sha512, 64),
            _ => return Err(malformed("its hash is not sha256, sha384 or sha512")),
        };
        let fingerprint = URL_SAFE_NO_PAD
            .decode(text)
            .ok()
            .filter(|fingerprint| fingerprint.len() == bytes)
            .ok_or_else(|| malformed("the CA's digest is not base64url of the hash's length"))?;
        let policies: Vec<_> = parts
            .map(|policy| parse_policy(policy).map_err(malformed))
            .take(POLICIES_MAX + 1)
            .collect::<Result<_, _>>()?;
        AttestError::bound("number of policies of a did:x509", policies.len(), POLICIES_MAX)?;
        if policies.is_empty() {
            return Err(malformed("it has no policy, so anyone the CA vouches for would do"));
        }
        Ok(Self { hash, fingerprint, policies })
    }

    /// Checks that the CA is in the chain (which is leaf first, and verified) and that the leaf meets
    /// every policy.
    pub(super) fn holds_on(&self, chain: &[ChainCertificate]) -> Result<(), AttestError> {
        let Some((leaf, authorities)) = chain.split_first() else {
            return Err(AttestError::refused(WHAT, "there is no certificate to hold it against"));
        };
        let named = |ca: &ChainCertificate| self.hash.digest(ca.der()) == self.fingerprint;
        if !authorities.iter().any(named) {
            return Err(AttestError::refused(WHAT, "the CA it names is not in the chain"));
        }
        self.policies.iter().try_for_each(|policy| policy.holds_on(leaf))
    }
}

impl Policy {
    fn holds_on(&self, leaf: &ChainCertificate) -> Result<(), AttestError> {
        let (holds, wanted) = match self {
            Self::Eku(oid) => (leaf.extended_key_usages()?.contains(oid), format!("use {oid}")),
            Self::Subject(attributes) => {
                let mut holds = true;
                for (oid, value) in attributes {
                    holds &= leaf.subject_values(*oid)? == [value.as_str()];
                }
                (holds, "subject".to_owned())
            }
            Self::San(kind, value) => {
                let found = leaf.alternative_names()?;
                let holds = found.iter().any(|(found, name)| found == kind && name == value);
                (holds, format!("alternative name {value:?}"))
            }
        };
        if holds {
            return Ok(());
        }
        Err(AttestError::refused(WHAT, format!("the leaf has not the {wanted} that it names")))
    }
}

fn parse_policy(policy: &str) -> Result<Policy, &'static str> {
    let (name, value) = policy.split_once(':').ok_or("a policy has no value")?;
    match name {
        "eku" => value.parse().map(Policy::Eku).map_err(|_| "a policy eku is no dotted number"),
        "san" => {
            let (kind, value) = value.split_once(':').ok_or("a policy san has no value")?;
            let kind = match kind {
                "email" => SanKind::Email,
                "dns" => SanKind::Dns,
                "uri" => SanKind::Uri,
                _ => return Err("a policy san asks for a kind other than email, dns, uri"),
            };
            Ok(Policy::San(kind, percent_decode(value)?))
        }
        "subject" => parse_subject(value).map(Policy::Subject),
        _ => Err("a policy other than eku, san, subject"),
    }
}

fn parse_subject(value: &str) -> Result<Vec<(ObjectIdentifier, String)>, &'static str> {
    let mut attributes: Vec<(ObjectIdentifier, String)> = Vec::new();
    let mut parts = value.split(':');
    while let Some(name) = parts.next() {
        let value = parts.next().ok_or("a policy subject has a name without value")?;
        let known = SUBJECT_NAMES.iter().find(|(known, _)| *known == name).map(|(_, oid)| *oid);
        let oid = match known {
            Some(oid) => oid,
            None => name.parse().map_err(|_| "a policy subject has an unknown name")?,
        };
        if attributes.iter().any(|(seen, _)| *seen == oid) {
            return Err("a policy subject has a name twice");
        }
        attributes.push((oid, percent_decode(value)?));
    }
    Ok(attributes)
}

/// Decodes `%XX`; everything else must be a letter, digit, `-`, `.` or `_`.
fn percent_decode(text: &str) -> Result<String, &'static str> {
    const MALFORMED: &str = "a value is not percent-encoded";
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
                let (high, low) = (digit().ok_or(MALFORMED)?, digit().ok_or(MALFORMED)?);
                bytes.push(u8::try_from(high * 16 + low).map_err(|_| MALFORMED)?);
            }
            byte if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) => bytes.push(byte),
            _ => return Err(MALFORMED),
        }
    }
    if bytes.is_empty() {
        return Err("a value is empty");
    }
    String::from_utf8(bytes).map_err(|_| "a value is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CA: &str = "did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s";

    fn parse(rest: &str) -> Result<DidX509, AttestError> {
        DidX509::parse(&format!("{CA}{rest}"))
    }

    #[test]
    fn policies_are_read_with_their_escapes() {
        let did = parse("::eku:1.3.6.1.4.1.311.76.59.1.2::subject:C:US:O:A%20%26%3A%20B:2.5.4.5:x")
            .unwrap();
        let oid = |text: &str| text.parse::<ObjectIdentifier>().unwrap();
        assert_eq!(
            did.policies,
            [
                Policy::Eku(oid("1.3.6.1.4.1.311.76.59.1.2")),
                Policy::Subject(vec![
                    (oid("2.5.4.6"), "US".to_owned()),
                    (oid("2.5.4.10"), "A &: B".to_owned()),
                    (oid("2.5.4.5"), "x".to_owned()),
                ]),
            ]
        );
        let did = parse("::san:email:a%40b.c").unwrap();
        assert_eq!(did.policies, [Policy::San(SanKind::Email, "a@b.c".to_owned())]);
    }

    #[test]
    fn what_is_not_a_did_is_refused() {
        for rest in [
            "",
            "::",
            ":eku:1.2.3",
            "::eku",
            "::eku:",
            "::eku:x",
            "::eku:1.2.3::",
            "::subject:C",
            "::subject:C:US:C:DE",
            "::subject:CN:a:2.5.4.3:b",
            "::subject:NAME:x",
            "::subject:C:",
            "::subject:C:a b",
            "::subject:C:%4",
            "::subject:C:%ff",
            "::san:ip:1.2.3.4",
            "::san:dns",
            "::fulcio-issuer:x",
        ] {
            assert!(parse(rest).is_err(), "{rest}");
        }
        assert!(parse(&"::eku:1.2.3".repeat(POLICIES_MAX)).is_ok());
        assert!(parse(&"::eku:1.2.3".repeat(POLICIES_MAX + 1)).is_err());
        for did in [
            "did:web:x",
            "did:x509:1:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.2.3",
            "did:x509:0:sha1:I__iuL25oXEVFdTP_aBLx_eT1RP::eku:1.2.3",
            "did:x509:0:sha384:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.2.3",
            "did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9::eku:1.2.3",
            "did:x509:0:sha256:I//iuL25oXEVFdTP/aBLx/eT1RPHbCQ/ECBQfYZpt9s::eku:1.2.3",
        ] {
            assert!(DidX509::parse(did).is_err(), "{did}");
        }
    }
}
