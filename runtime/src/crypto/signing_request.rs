//! Certificate signing requests (PKCS#10): whom a node wants to be named as, and for which key.

use std::net::IpAddr;

use affiant_kv::KeyError;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, UnparsedPublicKey, VerificationAlgorithm,
};
use rcgen::{DnType, SignatureAlgorithm};
use x509_cert::der::asn1::{ObjectIdentifier, PrintableString, Utf8StringRef};
use x509_cert::der::{Any, Decode as _, DecodePem as _, Encode as _, Tag, Tagged as _};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::request::CertReq;

use super::certificate::SubjectName;

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const CURVE_P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const CURVE_P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");
const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
/// Largest request that is read, in bytes of PEM.
const REQUEST_BYTES_MAX: usize = 64 << 10;

/// A request whose signature was made with the key that it is for.
#[derive(Clone, Debug)]
pub(crate) struct SigningRequest {
    pub(crate) subject: SubjectName,
    /// As [`super::CertificateRequest::subject_alt_names`].
    pub(crate) subject_alt_names: Vec<String>,
    pub(crate) key: RequestedKey,
}

/// The public key of a request: a point of P-256 or P-384.
#[derive(Clone, Debug)]
pub(crate) struct RequestedKey {
    point: Vec<u8>,
    algorithm: &'static SignatureAlgorithm,
}

impl rcgen::PublicKeyData for RequestedKey {
    fn der_bytes(&self) -> &[u8] {
        &self.point
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.algorithm
    }
}

impl SigningRequest {
    /// Reads a PEM request and checks its signature.
    ///
    /// # Errors
    /// It is no request, of another kind of key, or not signed with its key.
    pub(crate) fn from_pem(pem: &str) -> Result<Self, KeyError> {
        if pem.len() > REQUEST_BYTES_MAX {
            return Err(refused(format!("more than {REQUEST_BYTES_MAX} bytes")));
        }
        let request = CertReq::from_pem(pem.trim().as_bytes()).map_err(refused)?;
        let key = key_of(&request)?;
        check_signature(&request, &key)?;
        Ok(Self {
            subject: subject_of(&request)?,
            subject_alt_names: alternative_names_of(&request)?,
            key,
        })
    }
}

fn refused(why: impl core::fmt::Display) -> KeyError {
    KeyError(format!("certificate signing request: {why}"))
}

fn key_of(request: &CertReq) -> Result<RequestedKey, KeyError> {
    let info = &request.info.public_key;
    let curve: Option<ObjectIdentifier> = info
        .algorithm
        .parameters
        .as_ref()
        .filter(|_| info.algorithm.oid == EC_PUBLIC_KEY)
        .and_then(|curve| curve.decode_as().ok());
    let algorithm = match curve {
        Some(CURVE_P384) => &rcgen::PKCS_ECDSA_P384_SHA384,
        Some(CURVE_P256) => &rcgen::PKCS_ECDSA_P256_SHA256,
        _ => return Err(refused("its key is not on P-384 or P-256")),
    };
    let point = info.subject_public_key.as_bytes();
    let point = point.ok_or_else(|| refused("its key has a broken byte"))?.to_vec();
    Ok(RequestedKey { point, algorithm })
}

fn check_signature(request: &CertReq, key: &RequestedKey) -> Result<(), KeyError> {
    let p384 = *key.algorithm == rcgen::PKCS_ECDSA_P384_SHA384;
    let algorithm: &'static dyn VerificationAlgorithm = match (p384, request.algorithm.oid) {
        (true, ECDSA_SHA384) => &ECDSA_P384_SHA384_ASN1,
        (false, ECDSA_SHA256) => &ECDSA_P256_SHA256_ASN1,
        (_, other) => return Err(refused(format!("signed with {other} for another curve"))),
    };
    let signed = request.info.to_der().map_err(refused)?;
    let signature = request.signature.as_bytes().unwrap_or_default();
    UnparsedPublicKey::new(algorithm, &key.point)
        .verify(&signed, signature)
        .map_err(|_| refused("it is not signed with the key that it is for"))
}

fn subject_of(request: &CertReq) -> Result<SubjectName, KeyError> {
    let mut parts = Vec::new();
    for part in request.info.subject.iter() {
        let kind = match part.oid.to_string().as_str() {
            "2.5.4.3" => DnType::CommonName,
            "2.5.4.6" => DnType::CountryName,
            "2.5.4.7" => DnType::LocalityName,
            "2.5.4.8" => DnType::StateOrProvinceName,
            "2.5.4.10" => DnType::OrganizationName,
            "2.5.4.11" => DnType::OrganizationalUnitName,
            other => return Err(refused(format!("its subject has the attribute {other}"))),
        };
        parts.push((kind, text_of(&part.value)?));
    }
    Ok(SubjectName::of(parts))
}

fn text_of(value: &Any) -> Result<String, KeyError> {
    match value.tag() {
        Tag::Utf8String => {
            value.decode_as::<Utf8StringRef<'_>>().map(|text| text.as_str().to_owned())
        }
        _ => value.decode_as::<PrintableString>().map(|text| text.to_string()),
    }
    .map_err(refused)
}

fn alternative_names_of(request: &CertReq) -> Result<Vec<String>, KeyError> {
    let mut names = Vec::new();
    let requests = request.info.attributes.iter().filter(|part| part.oid == EXTENSION_REQUEST);
    for value in requests.flat_map(|attribute| attribute.values.iter()) {
        let extensions: Vec<Extension> = value.decode_as().map_err(refused)?;
        for extension in extensions.iter().filter(|part| part.extn_id == SUBJECT_ALT_NAME) {
            let listed =
                SubjectAltName::from_der(extension.extn_value.as_bytes()).map_err(refused)?;
            for name in &listed.0 {
                names.push(alternative_name(name)?);
            }
        }
    }
    Ok(names)
}

fn alternative_name(name: &GeneralName) -> Result<String, KeyError> {
    match name {
        GeneralName::DnsName(name) => Ok(format!("dNSName:{name}")),
        GeneralName::IpAddress(bytes) => {
            let bytes = bytes.as_bytes();
            let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
            let address = address.map_err(|_| refused("an IP address of a strange length"))?;
            Ok(format!("iPAddress:{address}"))
        }
        _ => Err(refused("it asks for a name that is neither a host name nor an IP address")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::crypto::{CertificateRequest, Curve, SigningKey};

    #[test]
    fn a_request_is_read_back_and_an_altered_one_is_refused() {
        for curve in [Curve::P384, Curve::P256] {
            let key = SigningKey::generate(curve).unwrap();
            let wanted = CertificateRequest {
                subject: SubjectName::parse("CN=CCF Node,O=Example,C=GB").unwrap(),
                subject_alt_names: vec!["127.0.0.1".to_owned(), "example.com".to_owned()],
                valid_from_unix_s: 0,
                validity_days: 1,
            };
            let pem = wanted.signing_request(&key).unwrap();
            let request = SigningRequest::from_pem(&pem).unwrap();
            assert_eq!(request.subject, wanted.subject);
            let names = ["iPAddress:127.0.0.1", "dNSName:example.com"].map(str::to_owned);
            assert_eq!(request.subject_alt_names, names);
            let mut der = CertReq::from_pem(pem.as_bytes()).unwrap().to_der().unwrap();
            let middle = der.windows(8).position(|window| window == b"CCF Node").unwrap();
            der[middle] = b'D';
            let altered = crate::crypto::pem_encode("CERTIFICATE REQUEST", &der);
            let refusal = SigningRequest::from_pem(&altered).unwrap_err().to_string();
            assert!(refusal.contains("not signed"), "{refusal}");
        }
        assert!(SigningRequest::from_pem("nonsense").is_err());
    }
}
