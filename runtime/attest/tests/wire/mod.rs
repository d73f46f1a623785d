//! What the tests of converters and endorsements share: the fixtures, and single-bit changes.
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(unreachable_pub, reason = "shared by several test binaries")]

use std::path::{Path, PathBuf};

/// The folder of SNP fixtures, or none after a notice.
pub fn fixtures() -> Option<PathBuf> {
    let root = std::env::var_os("AFFIANT_FIXTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures"),
        PathBuf::from,
    );
    let path = root.join("snp");
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: no fixtures at {}", path.display());
    None
}

/// One fixture file, or none after a notice.
pub fn fixture(name: &str) -> Option<Vec<u8>> {
    fixtures().map(|folder| {
        let path = folder.join(name);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    })
}

/// Copies of `bytes` with one bit changed: every `step`th bit of `range`, so that with an odd step all
/// positions within a byte come up.
pub fn flipped(
    bytes: &[u8],
    range: core::ops::Range<usize>,
    step: usize,
) -> impl Iterator<Item = (usize, Vec<u8>)> {
    (range.start * 8..range.end * 8).step_by(step).map(move |bit| {
        let mut copy = bytes.to_vec();
        copy[bit / 8] ^= 1 << (bit % 8);
        (bit, copy)
    })
}

/// Where `part` stands in `whole`.
pub fn position(whole: &[u8], part: &[u8]) -> core::ops::Range<usize> {
    let at = whole.windows(part.len()).position(|window| window == part).expect("it is there");
    at..at + part.len()
}

pub fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|pair| core::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}
