//! The only source of chance: xoshiro256** seeded by splitmix64. One seed determines a whole run.
//!
//! Streams are forked by label, so that a new draw in one part of the simulator leaves the others
//! as they were.

/// A deterministic generator.
#[derive(Clone, Debug)]
pub struct Rng {
    state: [u64; 4],
}

fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Rng {
    /// The generator of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut state = seed;
        Self { state: core::array::from_fn(|_| splitmix(&mut state)) }
    }

    /// An independent generator for the part named `label`, drawing nothing from this one.
    #[must_use]
    pub fn fork(&self, label: &str) -> Self {
        let mut mixed = self.state[0] ^ self.state[3].rotate_left(17);
        for byte in label.bytes() {
            mixed = splitmix(&mut mixed) ^ u64::from(byte);
        }
        Self::new(mixed)
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let result = self.state[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = self.state[1] << 17;
        self.state[2] ^= self.state[0];
        self.state[3] ^= self.state[1];
        self.state[1] ^= self.state[2];
        self.state[0] ^= self.state[3];
        self.state[2] ^= shifted;
        self.state[3] = self.state[3].rotate_left(45);
        result
    }

    /// A number below `bound`, which must not be 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "there is no number below 0");
        // The bias is far below anything a simulation could notice.
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// An index below `length`, which must not be 0.
    pub fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True with `per_million` chances in a million.
    pub fn chance(&mut self, per_million: u32) -> bool {
        self.below(1_000_000) < u64::from(per_million)
    }

    /// One of `choices`, which must not be empty.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.index(choices.len())]
    }

    /// `length` random bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend_from_slice(&self.next_u64().to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_one_stream_and_forks_are_apart() {
        let mut first = Rng::new(7);
        let mut again = Rng::new(7);
        let drawn: Vec<u64> = (0..100).map(|_| first.next_u64()).collect();
        assert!(drawn.iter().all(|number| *number == again.next_u64()));
        let base = Rng::new(7);
        assert_ne!(base.fork("disk").next_u64(), base.fork("work").next_u64());
        assert_eq!(base.fork("disk").next_u64(), base.fork("disk").next_u64());
    }

    #[test]
    fn bounds_hold_and_are_reached() {
        let mut rng = Rng::new(1);
        let mut seen = [false; 5];
        for _ in 0..1_000 {
            seen[rng.index(5)] = true;
            assert!((3..=9).contains(&rng.between(3, 9)));
        }
        assert_eq!(seen, [true; 5]);
        assert!(!rng.chance(0) && rng.chance(1_000_000));
    }
}
