//! PEM in and out, and the ids that CCF derives from certificates and public keys.

use affiant_kv::KeyError;
use affiant_proof::Digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::{self, PemObject as _};
use zeroize::Zeroizing;

const LINE_CHARS: usize = 64;

/// `der` as PEM with 64-character lines and a final newline, as OpenSSL writes it.
#[must_use]
pub fn pem_encode(label: &str, der: &[u8]) -> String {
    // What is encoded may be a private key.
    let body = Zeroizing::new(STANDARD.encode(der));
    // Large enough from the start, so that no copy is left behind by growing.
    let mut text =
        String::with_capacity(body.len() + body.len() / LINE_CHARS + 2 * label.len() + 40);
    text.push_str("-----BEGIN ");
    text.push_str(label);
    text.push_str("-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(LINE_CHARS));
        text.push_str(line);
        text.push('\n');
        rest = tail;
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}

/// The DER of the first certificate in `pem`.
///
/// # Errors
/// There is none.
pub fn certificate_der(pem: &str) -> Result<Vec<u8>, KeyError> {
    CertificateDer::from_pem_slice(pem.as_bytes())
        .map(|der| der.as_ref().to_vec())
        .map_err(|error| KeyError(format!("not a PEM certificate: {}", fault(&error))))
}

/// A member's or user's id: hex SHA-256 of the DER of the first certificate in `pem`.
///
/// # Errors
/// There is no certificate in it.
pub fn certificate_id(pem: &str) -> Result<String, KeyError> {
    Ok(Digest::of(&certificate_der(pem)?).to_hex())
}

/// The DER `SubjectPublicKeyInfo` of the first public key in `pem`.
///
/// # Errors
/// There is none.
pub fn public_key_der(pem: &str) -> Result<Vec<u8>, KeyError> {
    SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes())
        .map(|der| der.as_ref().to_vec())
        .map_err(|error| KeyError(format!("not a PEM public key: {}", fault(&error))))
}

/// Why a text is no PEM. The reader's own words quote lines of it, and with them the key of a PEM whose
/// line breaks were lost.
pub(super) fn fault(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => {
            "its END line is missing (BEGIN and END are on lines of their own)"
        }
        pem::Error::IllegalSectionStart { .. } => {
            "its BEGIN line is malformed (BEGIN and END are on lines of their own)"
        }
        pem::Error::Base64Decode(_) => "what is between its BEGIN and END is not base64",
        pem::Error::SectionTooLarge => "it is too large",
        pem::Error::NoItemsFound => "there is none in the text",
        _ => "it cannot be read",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn pem_round_trips_at_line_boundaries() {
        for length in [1, 47, 48, 49, 95, 96, 97, 600] {
            let der: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let text = pem_encode("CERTIFICATE", &der);
            assert_eq!(certificate_der(&text).unwrap(), der);
            assert!(text.lines().all(|line| line.len() <= LINE_CHARS));
            assert!(text.ends_with("-----END CERTIFICATE-----\n"));
        }
        assert!(certificate_der("nothing").is_err());
        assert!(public_key_der("nothing").is_err());
    }
}
