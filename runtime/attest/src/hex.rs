//! Hexadecimal: written in lower case, read in either.

pub(crate) use affiant_proof::to_hex as encode;
use serde::Serializer;

use crate::AttestError;

/// Exactly `N` bytes from twice as many digits.
pub(crate) fn decode<const N: usize>(
    what: &'static str,
    text: &str,
) -> Result<[u8; N], AttestError> {
    let refused = |why: String| AttestError::malformed(what, why);
    if text.len() != N * 2 {
        return Err(refused(format!(
            "{} characters where {} hex digits are due",
            text.len(),
            N * 2
        )));
    }
    let mut bytes = [0_u8; N];
    for (at, (byte, pair)) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)).enumerate() {
        let digit = |index: usize| {
            pair.get(index).and_then(|digit| char::from(*digit).to_digit(16)).and_then(narrow)
        };
        let (Some(high), Some(low)) = (digit(0), digit(1)) else {
            return Err(refused(format!("no hex digits at character {}", at * 2)));
        };
        *byte = (high << 4) | low;
    }
    Ok(bytes)
}

fn narrow(digit: u32) -> Option<u8> {
    u8::try_from(digit).ok()
}

/// For `serialize_with`.
pub(crate) fn serialize<S: Serializer>(
    bytes: &impl AsRef<[u8]>,
    out: S,
) -> Result<S::Ok, S::Error> {
    out.serialize_str(&encode(bytes.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_cases_are_read_and_nothing_else() {
        assert_eq!(decode::<3>("it", "00aBfF").unwrap(), [0, 0xab, 0xff]);
        assert_eq!(encode(&[0, 0xab, 0xff]), "00abff");
        for bad in ["00abf", "00abff0", "00abfg", "+0abff", "\u{e9}abff"] {
            assert!(decode::<3>("it", bad).is_err(), "{bad}");
        }
    }
}
