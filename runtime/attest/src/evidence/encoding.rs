//! Hex, base64, PEM: exact, bounded, and naming what they read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::AttestError;
use crate::limits::{CERTIFICATE_BYTES_MAX, CHAIN_BYTES_MAX, CHAIN_CERTIFICATES_MAX};

const PEM_LABEL: &str = "CERTIFICATE";
const PEM_END: &str = "-----END CERTIFICATE-----";
pub(super) const PEM_BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";

pub(crate) use affiant_proof::to_hex;

/// Bytes from hex digits in either case.
pub(crate) fn from_hex(what: &'static str, text: &str) -> Result<Vec<u8>, AttestError> {
    let malformed = || AttestError::malformed(what, "it is not pairs of hex digits");
    let digit = |byte: &u8| char::from(*byte).to_digit(16).ok_or_else(malformed);
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).map_err(|_| malformed()),
        _ => Err(malformed()),
    });
    pairs.collect()
}

/// Bytes from padded base64 of the standard alphabet, at most `limit` of them.
pub(super) fn from_base64(
    what: &'static str,
    text: &str,
    limit: usize,
) -> Result<Vec<u8>, AttestError> {
    // Four characters hold three bytes: what is over the bound is not decoded.
    AttestError::bound(what, (text.len() / 4).saturating_sub(1) * 3, limit)?;
    let bytes = STANDARD
        .decode(text)
        .map_err(|error| AttestError::malformed(what, format!("base64: {error}")))?;
    AttestError::bound(what, bytes.len(), limit)?;
    Ok(bytes)
}

pub(super) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// A text of one or more PEM certificates, in DER each. Only white space may stand around them.
pub(crate) fn certificates_from_pem(pem: &[u8]) -> Result<Vec<Vec<u8>>, AttestError> {
    const WHAT: &str = "chain of certificates";
    AttestError::bound("size of a chain", pem.len(), CHAIN_BYTES_MAX)?;
    let text = core::str::from_utf8(pem)
        .map_err(|_| AttestError::malformed(WHAT, "it is not text, so it is no PEM"))?;
    let blocks = text.split_inclusive(PEM_END).map(str::trim).filter(|block| !block.is_empty());
    let mut certificates = Vec::new();
    for block in blocks {
        if !block.as_bytes().starts_with(PEM_BEGIN) {
            return Err(AttestError::malformed(WHAT, "something else stands between certificates"));
        }
        let (_, der) = der::pem::decode_vec(block.as_bytes()).map_err(|error| {
            AttestError::malformed(WHAT, format!("certificate {}: {error}", certificates.len()))
        })?;
        AttestError::bound("size of a certificate", der.len(), CERTIFICATE_BYTES_MAX)?;
        certificates.push(der);
        AttestError::bound(
            "number of certificates in a chain",
            certificates.len(),
            CHAIN_CERTIFICATES_MAX,
        )?;
    }
    Ok(certificates)
}

/// One certificate in PEM, with a line feed at the end.
pub(crate) fn certificate_to_pem(der: &[u8]) -> Result<String, AttestError> {
    AttestError::bound("size of a certificate", der.len(), CERTIFICATE_BYTES_MAX)?;
    der::pem::encode_string(PEM_LABEL, der::pem::LineEnding::LF, der)
        .map_err(|error| AttestError::malformed("certificate", error.to_string()))
}

/// The one certificate in `bytes`, DER or PEM, in DER.
pub(crate) fn certificate_from_either(bytes: &[u8]) -> Result<Vec<u8>, AttestError> {
    if !bytes.starts_with(PEM_BEGIN) {
        AttestError::bound("size of a certificate", bytes.len(), CERTIFICATE_BYTES_MAX)?;
        return Ok(bytes.to_vec());
    }
    match <[Vec<u8>; 1]>::try_from(certificates_from_pem(bytes)?) {
        Ok([der]) => Ok(der),
        Err(several) => {
            let why = format!("{} stand where there should be one", several.len());
            Err(AttestError::malformed("certificate", why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_and_base64_have_one_reading() {
        assert_eq!(from_hex("x", "00fFAb").unwrap(), [0, 0xff, 0xab]);
        for text in ["0", "0g", "+1", " 00", "\u{e4}0"] {
            assert!(from_hex("x", text).is_err(), "{text:?}");
        }
        assert_eq!(from_base64("x", "AAH/", 3).unwrap(), [0, 1, 255]);
        assert_eq!(from_base64("x", "", 0).unwrap(), [0_u8; 0]);
        for text in ["AAH_", "AAH", "AA==\n", "AB==", "A"] {
            assert!(from_base64("x", text, 8).is_err(), "{text:?}");
        }
        assert!(matches!(from_base64("x", "AAAA", 2), Err(AttestError::TooLarge { found: 3, .. })));
        assert!(from_base64("x", &"A".repeat(4000), 2).is_err());
    }

    #[test]
    fn certificates_stand_alone_in_their_text() {
        let one = certificate_to_pem(&[0x30, 0]).unwrap();
        let chain = format!("\n{one}\r\n{one}  ");
        assert_eq!(certificates_from_pem(chain.as_bytes()).unwrap().len(), 2);
        assert!(certificates_from_pem(b"").unwrap().is_empty());
        assert_eq!(certificate_from_either(one.as_bytes()).unwrap(), [0x30, 0]);
        assert_eq!(certificate_from_either(&[0x30, 0]).unwrap(), [0x30, 0]);
        assert!(certificate_from_either(chain.trim().as_bytes()).is_err());
        let key = one.replace("CERTIFICATE", "PRIVATE KEY");
        for text in [format!("{one}x"), format!("x\n{one}"), key] {
            assert!(certificates_from_pem(text.as_bytes()).is_err(), "{text}");
        }
        let many = one.repeat(CHAIN_CERTIFICATES_MAX + 1);
        assert!(certificates_from_pem(many.as_bytes()).is_err());
        assert!(certificates_from_pem(&[0xff]).is_err());
    }
}
