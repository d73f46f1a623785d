//! Hex digits to bytes, in either case.

/// The bytes; `None` if the text is anything else.
pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16);
    digits
        .chunks_exact(2)
        .map(|pair| u8::try_from(value(pair[0])? << 4 | value(pair[1])?).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_in_either_case() {
        assert_eq!(from_hex("00fFa0"), Some(vec![0, 0xff, 0xa0]));
        assert_eq!(from_hex(""), Some(Vec::new()));
        for bad in ["0", "0g", "0x", " 0", "+1"] {
            assert_eq!(from_hex(bad), None, "{bad}");
        }
    }
}
