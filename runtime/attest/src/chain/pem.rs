//! Chains as text: tolerant of white space, of nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::AttestError;
use crate::limits::{CERTIFICATE_BYTES_MAX, CHAIN_BYTES_MAX, CHAIN_CERTIFICATES_MAX};

const CERTIFICATE: &str = "CERTIFICATE";
const WHAT: &str = "certificate chain";
/// The first byte of a certificate in DER.
const SEQUENCE: u8 = 0x30;

fn refused(why: impl Into<String>) -> AttestError {
    AttestError::malformed(WHAT, why)
}

/// One DER certificate as PEM: lines of 64 characters, and a last line feed.
#[must_use]
pub fn to_pem(certificate: &[u8]) -> String {
    // Fails for lengths alone that no slice has.
    der::pem::encode_string(CERTIFICATE, der::pem::LineEnding::LF, certificate).unwrap_or_default()
}

/// The certificates of a chain, in DER, in the order of the text.
pub(crate) fn certificates(bytes: &[u8]) -> Result<Vec<Vec<u8>>, AttestError> {
    AttestError::bound("bytes of the certificate chain", bytes.len(), CHAIN_BYTES_MAX)?;
    if bytes.first() == Some(&SEQUENCE) {
        return split_der(bytes);
    }
    let mut rest = text_of(bytes)?;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let der;
        (der, rest) = block(rest, CERTIFICATE)?;
        found.push(der);
        AttestError::bound("certificates of the chain", found.len(), CHAIN_CERTIFICATES_MAX)?;
    }
    Ok(found)
}

/// The text, without white space and zero bytes (which hosts append) at its ends.
pub(super) fn text_of(bytes: &[u8]) -> Result<&str, AttestError> {
    let text = core::str::from_utf8(bytes).map_err(|_| refused("it is neither PEM nor DER"))?;
    Ok(text.trim_end_matches('\0').trim_matches(is_space))
}

const fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

/// One PEM block with this label, which `text` starts with; and what comes after it.
pub(super) fn block<'a>(text: &'a str, label: &str) -> Result<(Vec<u8>, &'a str), AttestError> {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let Some(inner) = text.strip_prefix(begin.as_str()) else {
        return Err(refused(format!("{begin} is due where something else is")));
    };
    let Some((body, rest)) = inner.split_once(end.as_str()) else {
        return Err(refused(format!("{end} is missing")));
    };
    let body: String = body.chars().filter(|character| !is_space(*character)).collect();
    let der = STANDARD.decode(body).map_err(|error| refused(format!("its base64: {error}")))?;
    Ok((der, rest.trim_start_matches(is_space)))
}

/// Certificates in DER, one after the other.
fn split_der(mut bytes: &[u8]) -> Result<Vec<Vec<u8>>, AttestError> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        // A certificate is longer than 255 bytes and shorter than 65,536: its length takes two.
        let [SEQUENCE, 0x82, high, low, ..] = bytes else {
            return Err(refused("DER that is no certificate"));
        };
        let length = 4 + usize::from(u16::from_be_bytes([*high, *low]));
        AttestError::bound("bytes of a certificate", length, CERTIFICATE_BYTES_MAX)?;
        let Some((der, rest)) = bytes.split_at_checked(length) else {
            return Err(refused("a certificate in DER ends early"));
        };
        found.push(der.to_vec());
        AttestError::bound("certificates of the chain", found.len(), CHAIN_CERTIFICATES_MAX)?;
        bytes = rest;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(fill: u8) -> Vec<u8> {
        let mut der = vec![SEQUENCE, 0x82, 1, 0];
        der.extend([fill; 256]);
        der
    }

    #[test]
    fn text_as_hosts_write_it_is_read() {
        let (one, two) = (der(1), der(2));
        let text = to_pem(&one) + &to_pem(&two);
        let wanted = vec![one.clone(), two.clone()];
        for text in [
            text.clone(),
            text.replace('\n', "\r\n"),
            text.trim_end().to_owned(),
            format!("\n  {}\n\n\t{}\n\0\0", to_pem(&one), to_pem(&two).trim_end()),
            text.replace("-----\n-----", "----------"),
        ] {
            assert_eq!(certificates(text.as_bytes()).unwrap(), wanted, "{text:?}");
        }
        assert_eq!(certificates(&[one, two].concat()).unwrap(), wanted);
    }

    #[test]
    fn anything_else_in_the_text_is_refused() {
        let text = to_pem(&der(1));
        for bad in [
            format!("subject=x\n{text}"),
            format!("{text}trailing"),
            text.replace("-----END", "----END"),
            text.replace("CERTIFICATE", "TRUSTED CERTIFICATE"),
            text.replace('M', "*"),
            "-----BEGIN CERTIFICATE-----".to_owned(),
        ] {
            assert!(certificates(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(certificates(&text.repeat(9).into_bytes()).is_err());
        assert!(certificates(&[0xff; 8]).is_err());
        assert!(certificates(&der(1)[..200]).is_err());
    }

    #[test]
    fn no_certificate_is_an_empty_chain() {
        assert_eq!(certificates(b"").unwrap(), Vec::<Vec<u8>>::new());
        assert_eq!(certificates(b" \n\0").unwrap(), Vec::<Vec<u8>>::new());
    }
}
