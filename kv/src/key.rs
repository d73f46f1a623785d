//! A key of a map: its bytes, in place where they are few.
//!
//! Invariant: order, equality and hash are those of the bytes, however they are held, since maps are
//! searched by plain slices.

use core::borrow::Borrow;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::Deref;
use std::sync::Arc;

/// Bytes held in place; with the tag and the length a key takes 24 bytes.
const INLINE_BYTES_MAX: usize = 22;

/// A key's bytes: immutable, cheap to clone. Used as a slice.
///
/// ```
/// use affiant_kv::Key;
///
/// let key = Key::from(&b"account/7"[..]);
/// assert_eq!(&*key, b"account/7");
/// assert!(key.starts_with(b"account/") && key.len() == 9);
/// ```
#[derive(Clone)]
pub struct Key(Held);

#[derive(Clone)]
enum Held {
    Inline { length: u8, bytes: [u8; INLINE_BYTES_MAX] },
    Shared(Arc<[u8]>),
}

const _: () = assert!(size_of::<Key>() == 24);

/// Compares bytes in place as big-endian numbers, the last two overlapping: a search in a large map does
/// this twenty times, and a call for each costs more than the comparison.
#[inline]
fn compare_inline(a: &[u8; INLINE_BYTES_MAX], b: &[u8; INLINE_BYTES_MAX]) -> Ordering {
    #[inline]
    fn word<const FROM: usize>(bytes: &[u8; INLINE_BYTES_MAX]) -> u64 {
        let word = bytes[FROM..].first_chunk().expect("eight bytes follow in the array");
        u64::from_be_bytes(*word)
    }
    const LAST: usize = INLINE_BYTES_MAX - 8;
    word::<0>(a)
        .cmp(&word::<0>(b))
        .then_with(|| word::<8>(a).cmp(&word::<8>(b)))
        .then_with(|| word::<LAST>(a).cmp(&word::<LAST>(b)))
}

impl Deref for Key {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Held::Inline { length, bytes } => &bytes[..usize::from(*length)],
            Held::Shared(bytes) => bytes,
        }
    }
}

impl From<&[u8]> for Key {
    fn from(key: &[u8]) -> Self {
        if key.len() > INLINE_BYTES_MAX {
            return Self(Held::Shared(key.into()));
        }
        let mut bytes = [0; INLINE_BYTES_MAX];
        bytes[..key.len()].copy_from_slice(key);
        Self(Held::Inline { length: key.len() as u8, bytes })
    }
}

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            // What follows the bytes in place is zero, so a prefix differs by its length alone.
            (
                Held::Inline { length: own, bytes },
                Held::Inline { length: others, bytes: other_bytes },
            ) => compare_inline(bytes, other_bytes).then(own.cmp(others)),
            _ => (**self).cmp(&**other),
        }
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys of private maps are private data.
        write!(f, "Key({} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive_whatever_their_number() {
        for length in [0, 1, INLINE_BYTES_MAX, INLINE_BYTES_MAX + 1, 1_000] {
            let bytes: Vec<u8> = (0..length).map(|index| index as u8).collect();
            assert_eq!(&*Key::from(&bytes[..]), &bytes[..]);
        }
    }

    #[test]
    fn order_is_that_of_the_bytes() {
        let long = [7; INLINE_BYTES_MAX + 1];
        let mut keys = [&long[..], &[7; 3], &[8], &[], &[0], &[0, 0], &long[..INLINE_BYTES_MAX]];
        let mut held: Vec<Key> = keys.iter().map(|key| Key::from(*key)).collect();
        keys.sort_unstable();
        held.sort();
        assert!(keys.iter().zip(&held).all(|(key, held)| **held == **key));
    }
}
