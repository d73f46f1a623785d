//! Keys and values: 16 and 100 bytes, different for each number, in no order, and incompressible.

/// A key.
pub type Key = [u8; 16];
/// A value.
pub type Value = [u8; 100];

/// One step of splitmix64 (Steele, Lea and Flood, 2014): maps different numbers to different numbers.
pub const fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The key of that number.
pub fn key(number: u64) -> Key {
    let mut key = [0; 16];
    let (head, tail) = key.split_at_mut(8);
    head.copy_from_slice(&mixed(number).to_be_bytes());
    tail.copy_from_slice(&number.to_be_bytes());
    key
}

/// A value made of `seed`.
pub fn value(seed: u64) -> Value {
    let mut value = [0; 100];
    let mut word = mixed(seed);
    for part in value.chunks_mut(8) {
        word = mixed(word);
        part.copy_from_slice(&word.to_le_bytes()[..part.len()]);
    }
    value
}

/// Reads a value's first and last byte, as who asks for a value does, and gives its size.
pub fn touched(value: &[u8]) -> usize {
    std::hint::black_box((value.first(), value.last()));
    value.len()
}

/// Random numbers below a bound, the same in every run.
pub struct Draw {
    state: u64,
    below: u64,
}

impl Draw {
    pub const fn new(seed: u64, below: u64) -> Self {
        Self { state: mixed(seed), below }
    }

    /// The next one.
    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        // The high half of the product: no division.
        ((u128::from(mixed(self.state)) * u128::from(self.below)) >> 64) as u64
    }
}
