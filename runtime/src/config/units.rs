//! CCF's sizes and times as text: a number, then a unit in any case. A size without a unit is in
//! bytes, a time without one in microseconds.

/// Bytes. Units are powers of 1024: b, kb, mb, gb, tb, pb.
pub(super) fn size_bytes(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 7] = [
        ("", 1),
        ("b", 1),
        ("kb", 1 << 10),
        ("mb", 1 << 20),
        ("gb", 1 << 30),
        ("tb", 1 << 40),
        ("pb", 1 << 50),
    ];
    convert(text, &UNITS, "a size such as \"5MB\"; units are B, KB, MB, GB, TB and PB")
}

/// Microseconds. Units are us, ms, s, min, h.
pub(super) fn time_us(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 6] = [
        ("", 1),
        ("us", 1),
        ("ms", 1_000),
        ("s", 1_000_000),
        ("min", 60_000_000),
        ("h", 3_600_000_000),
    ];
    convert(text, &UNITS, "a time such as \"100ms\"; units are us, ms, s, min and h")
}

fn convert(text: &str, units: &[(&str, u64)], expected: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor =
        units.iter().find(|(known, _)| unit.eq_ignore_ascii_case(known)).map(|(_, factor)| *factor);
    number
        .parse::<u64>()
        .ok()
        .zip(factor)
        .and_then(|(number, factor)| number.checked_mul(factor))
        .ok_or_else(|| format!("{text:?} is not {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_ccfs() {
        assert_eq!(size_bytes("1048576"), Ok(1 << 20));
        assert_eq!(size_bytes("20KB"), Ok(20 * 1024));
        assert_eq!(size_bytes("1gb"), Ok(1 << 30));
        assert_eq!(time_us("100ms"), Ok(100_000));
        assert_eq!(time_us("30min"), Ok(1_800_000_000));
        assert_eq!(time_us("7"), Ok(7));
        for bad in ["", "MB", "1.5MB", "-1", "1 MB", "1XB", "99999999999999PB"] {
            assert!(size_bytes(bad).is_err(), "{bad}");
        }
        assert!(time_us("1d").is_err());
    }
}
