//! X.509 certificates in CCF's profile (reference: ledger format, 4.1): a self-signed service
//! certificate, node certificates endorsed by it, and self-signed ones for nodes, members and users.

use std::net::IpAddr;

use affiant_kv::KeyError;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyUsagePurpose,
    PublicKeyData, SanType, SerialNumber,
};
use time::{Duration, OffsetDateTime};

use super::keys::{SigningKey, random_bytes};

/// A distinguished name as configured: `CN=CCF Node,O=Example`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectName(Vec<(DnType, String)>);

impl SubjectName {
    /// Only a common name.
    #[must_use]
    pub fn common(name: &str) -> Self {
        Self(vec![(DnType::CommonName, name.to_owned())])
    }

    /// Reads `KEY=value` pairs joined by commas; keys are CN, O, OU, L, ST and C.
    ///
    /// # Errors
    /// Another key, or an empty part.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut parts = Vec::new();
        for part in text.split(',') {
            let refused = || {
                KeyError(format!(
                    "subject name {text:?}: expected parts like CN=name, with keys CN, O, OU, L, \
                     ST or C"
                ))
            };
            let (key, value) = part.trim().split_once('=').ok_or_else(refused)?;
            let kind = match key.trim() {
                "CN" => DnType::CommonName,
                "O" => DnType::OrganizationName,
                "OU" => DnType::OrganizationalUnitName,
                "L" => DnType::LocalityName,
                "ST" => DnType::StateOrProvinceName,
                "C" => DnType::CountryName,
                _ => return Err(refused()),
            };
            if value.trim().is_empty() {
                return Err(refused());
            }
            parts.push((kind, value.trim().to_owned()));
        }
        Ok(Self(parts))
    }

    pub(super) fn of(parts: Vec<(DnType, String)>) -> Self {
        Self(parts)
    }

    fn to_distinguished_name(&self) -> DistinguishedName {
        let mut name = DistinguishedName::new();
        for (kind, value) in &self.0 {
            name.push(kind.clone(), value.as_str());
        }
        name
    }
}

/// What is to stand in a certificate.
#[derive(Clone, Debug)]
pub struct CertificateRequest {
    /// Whom it names.
    pub subject: SubjectName,
    /// IP addresses and host names, each as text; a prefix `iPAddress:` or `dNSName:` is accepted.
    pub subject_alt_names: Vec<String>,
    /// The first second of its validity, in unix seconds.
    pub valid_from_unix_s: u64,
    /// How long it is valid, in days.
    pub validity_days: u32,
}

/// A certificate, with the end of its validity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedCertificate {
    /// The certificate as PEM.
    pub pem: String,
    /// The last second of its validity, in unix seconds.
    pub valid_to_unix_s: u64,
}

impl CertificateRequest {
    /// A certificate authority that may sign leaf certificates only: the service, and a node before it
    /// is endorsed.
    ///
    /// # Errors
    /// A name that cannot stand in a certificate, or a failure of the key.
    pub fn self_signed_authority(&self, key: &SigningKey) -> Result<IssuedCertificate, KeyError> {
        let params = self.authority_params()?;
        self.issued(params.self_signed(key))
    }

    /// A node's certificate, endorsed by the service.
    ///
    /// # Errors
    /// As [`Self::self_signed_authority`].
    pub fn endorsed(
        &self,
        node_key: &impl PublicKeyData,
        service: &SubjectName,
        service_key: &SigningKey,
    ) -> Result<IssuedCertificate, KeyError> {
        let mut params = self.params()?;
        params.is_ca = IsCa::ExplicitNoCa;
        let issuer_request = Self { subject: service.clone(), ..self.clone() };
        let issuer = Issuer::new(issuer_request.authority_params()?, service_key);
        self.issued(params.signed_by(node_key, &issuer))
    }

    /// A member's or user's certificate, as CCF's key generator script makes them.
    ///
    /// # Errors
    /// As [`Self::self_signed_authority`].
    pub fn self_signed_person(&self, key: &SigningKey) -> Result<IssuedCertificate, KeyError> {
        let mut params = self.params()?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        self.issued(params.self_signed(key))
    }

    /// A certificate signing request, PEM.
    ///
    /// # Errors
    /// As [`Self::self_signed_authority`].
    pub fn signing_request(&self, key: &SigningKey) -> Result<String, KeyError> {
        let mut params = self.params()?;
        params.serial_number = None;
        params.use_authority_key_identifier_extension = false;
        params.serialize_request(key).and_then(|request| request.pem()).map_err(refused)
    }

    fn authority_params(&self) -> Result<CertificateParams, KeyError> {
        let mut params = self.params()?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
        Ok(params)
    }

    fn params(&self) -> Result<CertificateParams, KeyError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = self.subject.to_distinguished_name();
        for name in &self.subject_alt_names {
            params.subject_alt_names.push(alternative_name(name)?);
        }
        params.not_before = moment(self.valid_from_unix_s)?;
        params.not_after = moment(self.valid_to_unix_s())?;
        params.use_authority_key_identifier_extension = true;
        let mut serial = random_bytes::<16>()?;
        // Positive and without leading zeros in DER.
        serial[0] = (serial[0] & 0x7f) | 0x40;
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        Ok(params)
    }

    fn valid_to_unix_s(&self) -> u64 {
        let length = Duration::days(i64::from(self.validity_days)).whole_seconds().unsigned_abs();
        self.valid_from_unix_s.saturating_add(length).saturating_sub(1)
    }

    fn issued(
        &self,
        certificate: Result<rcgen::Certificate, rcgen::Error>,
    ) -> Result<IssuedCertificate, KeyError> {
        let certificate = certificate.map_err(refused)?;
        Ok(IssuedCertificate {
            pem: super::pem::pem_encode("CERTIFICATE", certificate.der()),
            valid_to_unix_s: self.valid_to_unix_s(),
        })
    }
}

fn alternative_name(text: &str) -> Result<SanType, KeyError> {
    let (bare, must_be_address) = match text.split_once(':') {
        Some(("iPAddress", address)) => (address, true),
        Some(("dNSName", name)) => {
            return name.try_into().map(SanType::DnsName).map_err(refused);
        }
        _ => (text, false),
    };
    match bare.parse::<IpAddr>() {
        Ok(address) => Ok(SanType::IpAddress(address)),
        Err(_) if must_be_address => {
            Err(KeyError(format!("subject alternative name {text:?} is no IP address")))
        }
        Err(_) => bare.try_into().map(SanType::DnsName).map_err(refused),
    }
}

fn moment(unix_s: u64) -> Result<OffsetDateTime, KeyError> {
    i64::try_from(unix_s)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .ok_or_else(|| KeyError(format!("{unix_s} is no moment that a certificate can name")))
}

fn refused(error: rcgen::Error) -> KeyError {
    KeyError(format!("certificate: {error}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::crypto::Curve;

    fn request(name: &str) -> CertificateRequest {
        CertificateRequest {
            subject: SubjectName::common(name),
            subject_alt_names: vec!["127.0.0.1".to_owned(), "dNSName:example.com".to_owned()],
            valid_from_unix_s: 1_700_000_000,
            validity_days: 90,
        }
    }

    #[test]
    fn certificates_are_made_for_every_role() {
        let service_key = SigningKey::generate(Curve::P384).unwrap();
        let node_key = SigningKey::generate(Curve::P384).unwrap();
        let service = request("Service").self_signed_authority(&service_key).unwrap();
        assert_eq!(service.valid_to_unix_s, 1_700_000_000 + 90 * 86_400 - 1);
        let node = request("CCF Node")
            .endorsed(&node_key, &SubjectName::common("Service"), &service_key)
            .unwrap();
        assert_ne!(service.pem, node.pem);
        assert!(request("CCF Node").signing_request(&node_key).unwrap().contains("REQUEST"));
        request("member0").self_signed_person(&node_key).unwrap();
    }

    #[test]
    fn subject_names_are_checked() {
        assert!(SubjectName::parse("CN=CCF Node,O=Example, C=GB").is_ok());
        for bad in ["", "CCF Node", "XX=1", "CN=", "CN=a,,O=b"] {
            assert!(SubjectName::parse(bad).is_err(), "{bad}");
        }
        assert!(alternative_name("iPAddress:example.com").is_err());
        assert!(alternative_name("::1").is_ok());
    }
}
