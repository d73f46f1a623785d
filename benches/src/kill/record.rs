//! The records that the kill harness writes: numbered, with contents that follow from seed and
//! number, so that a restarted node's contents can be checked byte for byte without keeping them.

/// Names one record: which cycle, which writer, which of the writer's.
#[must_use]
pub const fn number(cycle: u32, writer: u8, index: u32) -> u64 {
    ((cycle as u64) << 32) | ((writer as u64) << 24) | (index as u64 & 0xff_ffff)
}

/// The private contents of a record: between 16 and 256 bytes of hexadecimal text.
#[must_use]
pub fn contents(seed: u64, number: u64) -> String {
    let mut random = Random::new(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let words = 1 + random.below(16);
    (0..words).map(|_| format!("{:016x}", random.next())).collect()
}

/// SplitMix64: small, seeded, good enough to choose and to fill.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Starts a series.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which must not be zero.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
