//! The bytes of a node's keys that a search looks at first.
//!
//! A key is taken as a number, big-endian, as if zeros followed it for ever. So the numbers of two keys are
//! in the order of the keys, or equal; where they are equal, the keys themselves decide.
//!
//! Invariant: numbers behind those of a node's keys are the largest, so that a search need not ask how
//! many there are.

use super::SLOTS;
use crate::key::Key;

/// Most bytes that all keys of a node share and that are passed over.
const SKIPPED_BYTES_MAX: usize = 16;
/// Bytes of a key that a search may look at.
const PROBE_BYTES: usize = SKIPPED_BYTES_MAX + 8;
/// Numbers that are compared together.
const PART: usize = 8;

/// A key that is searched for.
pub(super) struct Probe<'a> {
    pub(super) bytes: &'a [u8],
    words: [u64; PROBE_BYTES / 8],
}

impl<'a> Probe<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let mut first = [0; PROBE_BYTES];
        let length = bytes.len().min(PROBE_BYTES);
        first[..length].copy_from_slice(&bytes[..length]);
        let mut words = [0; PROBE_BYTES / 8];
        for (word, bytes) in words.iter_mut().zip(first.as_chunks().0) {
            *word = u64::from_be_bytes(*bytes);
        }
        Self { bytes, words }
    }

    /// Its first `count` bytes.
    fn lead(&self, count: usize) -> u128 {
        let lead = (u128::from(self.words[0]) << 64) | u128::from(self.words[1]);
        if count == 0 { 0 } else { lead >> (128 - 8 * count) }
    }

    /// The eight bytes behind the first `skipped`.
    fn head(&self, skipped: usize) -> u64 {
        let (word, bits) = (skipped / 8, 8 * (skipped % 8));
        if bits == 0 {
            return self.words[word];
        }
        (self.words[word] << bits) | (self.words[word + 1] >> (64 - bits))
    }
}

/// What a search compares of a node's keys.
#[derive(Clone)]
pub(super) struct Heads {
    /// The eight bytes of each key behind those that all keys share.
    numbers: [u64; SLOTS],
    /// The bytes that all share, and how many.
    lead: u128,
    skipped: usize,
}

impl Heads {
    /// Of keys in ascending order.
    pub(super) fn of<'a>(keys: impl DoubleEndedIterator<Item = &'a Key> + Clone) -> Self {
        let mut ends = keys.clone();
        let first = ends.next().map_or(&[][..], |key| &**key);
        let last = ends.next_back().map_or(first, |key| &**key);
        let shared = first.iter().zip(last).take_while(|(first, last)| first == last).count();
        let skipped = shared.min(SKIPPED_BYTES_MAX);
        let mut numbers = [u64::MAX; SLOTS];
        for (number, key) in numbers.iter_mut().zip(keys) {
            *number = Probe::new(key).head(skipped);
        }
        Self { numbers, lead: Probe::new(first).lead(skipped), skipped }
    }

    /// Where, of `count` keys, those begin and end that this key's numbers do not tell from it.
    pub(super) fn bounds(&self, key: &Probe<'_>, count: usize) -> (usize, usize) {
        let lead = key.lead(self.skipped);
        if lead != self.lead {
            let all = if lead < self.lead { 0 } else { count };
            return (all, all);
        }
        let head = key.head(self.skipped);
        // The last of each part first: a look at all the memory at once.
        let ends = self.numbers[..SLOTS - 1].iter().skip(PART - 1).step_by(PART);
        let from = PART * count_below(ends, head);
        let from = from + count_below(self.numbers[from..from + PART].iter(), head);
        let from = from.min(count);
        let equal = self.numbers[from..count].iter().take_while(|own| **own == head).count();
        (from, from + equal)
    }

    /// Whether a key may be added by [`Self::insert`].
    pub(super) fn suit(&self, key: &Probe<'_>) -> bool {
        key.bytes.len() >= self.skipped && key.lead(self.skipped) == self.lead
    }

    pub(super) fn insert(&mut self, position: usize, key: &Probe<'_>) {
        self.numbers.copy_within(position..SLOTS - 1, position + 1);
        self.numbers[position] = key.head(self.skipped);
    }

    pub(super) fn remove(&mut self, position: usize) {
        self.numbers.copy_within(position + 1.., position);
        self.numbers[SLOTS - 1] = u64::MAX;
    }
}

/// How many of the numbers are below `head`; without a branch or a check in each round.
fn count_below<'a>(numbers: impl Iterator<Item = &'a u64>, head: u64) -> usize {
    numbers.fold(0, |count: usize, number| count.wrapping_add(usize::from(*number < head)))
}
