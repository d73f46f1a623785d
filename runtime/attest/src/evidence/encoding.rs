//! Base64, and single certificates: exact, bounded, and naming what they read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::AttestError;
use crate::chain;
use crate::limits::CERTIFICATE_BYTES_MAX;

const PEM_BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";

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

/// The one certificate in `bytes`, DER or PEM, in DER.
pub(crate) fn certificate_from_either(bytes: &[u8]) -> Result<Vec<u8>, AttestError> {
    if !bytes.starts_with(PEM_BEGIN) {
        AttestError::bound("size of a certificate", bytes.len(), CERTIFICATE_BYTES_MAX)?;
        return Ok(bytes.to_vec());
    }
    match <[Vec<u8>; 1]>::try_from(chain::certificates(bytes)?) {
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
    use crate::to_pem;

    #[test]
    fn base64_has_one_reading() {
        assert_eq!(from_base64("x", "AAH/", 3).unwrap(), [0, 1, 255]);
        assert_eq!(from_base64("x", "", 0).unwrap(), [0_u8; 0]);
        for text in ["AAH_", "AAH", "AA==\n", "AB==", "A"] {
            assert!(from_base64("x", text, 8).is_err(), "{text:?}");
        }
        assert!(matches!(from_base64("x", "AAAA", 2), Err(AttestError::TooLarge { found: 3, .. })));
        assert!(from_base64("x", &"A".repeat(4000), 2).is_err());
    }

    #[test]
    fn a_certificate_is_one_in_either_form() {
        let pem = to_pem(&[0x30, 0]);
        assert_eq!(certificate_from_either(pem.as_bytes()).unwrap(), [0x30, 0]);
        assert_eq!(certificate_from_either(&[0x30, 0]).unwrap(), [0x30, 0]);
        assert!(certificate_from_either(pem.repeat(2).as_bytes()).is_err());
        assert!(certificate_from_either(&[0; CERTIFICATE_BYTES_MAX + 1]).is_err());
    }
}
