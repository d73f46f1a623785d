//! SHA-256 digests: the only hash of the ledger, its Merkle tree and its receipts.

use core::fmt;
use core::str::FromStr;

use sha2::block_api::compress256;
use sha2::{Digest as _, Sha256};

/// The chaining value between two blocks. Straight on the block function: entries are small, and
/// the buffering of a general hasher costs as much as hashing them.
#[derive(Clone)]
pub(crate) struct State([u32; 8]);

impl State {
    /// The initial hash value of SHA-256 (FIPS 180-4, 5.3.3).
    const INITIAL: Self = Self([
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ]);

    /// The state after one first block.
    pub(crate) fn after(block: &[u8; 64]) -> Self {
        let mut state = Self::INITIAL;
        compress256(&mut state.0, core::slice::from_ref(block));
        state
    }

    /// The digest of a message that ends with `rest`, after `absorbed` bytes that led to this
    /// state.
    pub(crate) fn finish(&self, rest: &[u8], absorbed: u64) -> Digest {
        let mut state = self.clone();
        let (blocks, tail) = rest.as_chunks::<64>();
        compress256(&mut state.0, blocks);
        let mut padded = [[0; 64]; 2];
        let flat = padded.as_flattened_mut();
        flat[..tail.len()].copy_from_slice(tail);
        flat[tail.len()] = 0x80;
        let bits = (absorbed + rest.len() as u64) * 8;
        // The length takes the last 8 bytes of a block, the one bit 1 byte before.
        let used = if tail.len() < 56 { 1 } else { 2 };
        flat[used * 64 - 8..used * 64].copy_from_slice(&bits.to_be_bytes());
        compress256(&mut state.0, &padded[..used]);
        state.digest()
    }

    fn digest(&self) -> Digest {
        let mut digest = [0; 32];
        for (bytes, word) in digest.chunks_exact_mut(4).zip(self.0) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        Digest(digest)
    }
}

impl zeroize::Zeroize for State {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

/// The second block of a 64-byte message: a one bit, zeros, the length in bits.
const PADDING_64: [u8; 64] = padding(0, 512);
/// The second block of a 96-byte message, but for its first 32 bytes.
const PADDING_96: [u8; 64] = padding(32, 768);

const fn padding(message_bytes: usize, bits: u16) -> [u8; 64] {
    let mut block = [0; 64];
    block[message_bytes] = 0x80;
    [block[62], block[63]] = bits.to_be_bytes();
    block
}

/// A SHA-256 digest. Compares, orders and hashes as its 32 bytes; prints as lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// 32 zero bytes: leaf 0 of every tree, and the claims digest of a transaction without claims.
    pub const ZERO: Self = Self([0; 32]);

    /// The SHA-256 of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        State::INITIAL.finish(bytes, 0)
    }

    /// The SHA-256 of the concatenation of `parts`.
    #[must_use]
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }

    /// An interior node of the tree: SHA-256(left || right), without domain separation, as in CCF.
    #[must_use]
    pub fn node(left: &Self, right: &Self) -> Self {
        let mut blocks = [[0; 64], PADDING_64];
        let (low, high) = blocks[0].split_at_mut(32);
        low.copy_from_slice(&left.0);
        high.copy_from_slice(&right.0);
        Self::compress(&blocks)
    }

    /// SHA-256(first || second || third): the leaf of a transaction.
    #[must_use]
    pub(crate) fn leaf(first: &Self, second: &Self, third: &Self) -> Self {
        let mut blocks = [[0; 64], PADDING_96];
        let (low, high) = blocks[0].split_at_mut(32);
        low.copy_from_slice(&first.0);
        high.copy_from_slice(&second.0);
        blocks[1][..32].copy_from_slice(&third.0);
        Self::compress(&blocks)
    }

    fn compress(blocks: &[[u8; 64]; 2]) -> Self {
        let mut state = State::INITIAL;
        compress256(&mut state.0, blocks);
        state.digest()
    }

    /// The digest as 64 lower-case hex characters.
    #[must_use]
    pub fn to_hex(&self) -> String {
        to_hex(&self.0)
    }
}

/// `bytes` as lower-case hex.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.extend(hex_digits(*byte).map(char::from));
    }
    text
}

/// The bytes that `text` is the hex of, in either case; `None` if it is not, or has an odd number of
/// digits.
#[must_use]
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    // Not `from_str_radix`, which accepts a plus sign.
    pairs.iter().map(|[high, low]| Some(hex_value(*high)? << 4 | hex_value(*low)?)).collect()
}

/// The two lower-case hex digits of `byte`.
pub(crate) const fn hex_digits(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[(byte >> 4) as usize], DIGITS[(byte & 15) as usize]]
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// The text was not 64 hex characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DigestParseError;

impl fmt::Display for DigestParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a digest must be exactly 64 hexadecimal characters")
    }
}

impl core::error::Error for DigestParseError {}

impl FromStr for Digest {
    type Err = DigestParseError;

    fn from_str(text: &str) -> Result<Self, DigestParseError> {
        if text.len() != 64 {
            return Err(DigestParseError);
        }
        let bytes = from_hex(text).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or(DigestParseError)
    }
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_function_agrees_with_the_hasher() {
        let bytes: Vec<u8> = (0..=255).collect();
        for length in 0..=bytes.len() {
            let message = &bytes[..length];
            assert_eq!(Digest::of(message).0, *Sha256::digest(message), "{length}");
            assert_eq!(Digest::of(message), Digest::of_parts(&[message]), "{length}");
        }
        let [a, b, c] = [b"a", b"b", b"c"].map(|text| Digest::of(text));
        assert_eq!(Digest::node(&a, &b), Digest::of_parts(&[&a.0, &b.0]));
        assert_eq!(Digest::leaf(&a, &b, &c), Digest::of_parts(&[&a.0, &b.0, &c.0]));
    }

    #[test]
    fn hex_round_trips_and_rejects_other_text() {
        let digest = Digest::of(b"abc");
        assert_eq!(
            digest.to_hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(digest.to_hex().parse::<Digest>(), Ok(digest));
        assert_eq!(from_hex("00fFA0"), Some(vec![0, 255, 160]));
        assert_eq!(from_hex(""), Some(Vec::new()));
        for text in ["0", "0g", "+1", " 1", "0x", "\u{e9}"] {
            assert_eq!(from_hex(text), None, "{text}");
        }
        assert!("ba78".parse::<Digest>().is_err());
        assert!("+a".repeat(32).parse::<Digest>().is_err());
    }
}
