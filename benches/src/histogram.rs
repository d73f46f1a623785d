//! Response times, counted in buckets of at most 1.6 % width, so that millions cost little memory.
//!
//! Invariant: a bucket's index is monotonic in the duration it stands for.

use std::time::Duration;

/// Buckets per power of two.
const STEPS: u64 = 64;
const STEP_BITS: u32 = STEPS.trailing_zeros();

/// Counts of durations.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    /// Counts one duration.
    pub fn record(&mut self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let index = bucket_of(nanoseconds);
        if index >= self.counts.len() {
            self.counts.resize(index + 1, 0);
        }
        self.counts[index] += 1;
        self.total += 1;
    }

    /// Adds another's counts.
    pub fn merge(&mut self, other: &Self) {
        if other.counts.len() > self.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.total += other.total;
    }

    /// How many durations were counted.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.total
    }

    /// The duration that `per_cent` of all do not exceed; zero if none was counted.
    #[must_use]
    pub fn percentile(&self, per_cent: f64) -> Duration {
        let wanted = ((self.total as f64) * per_cent / 100.0).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Duration::from_nanos(upper_bound_of(index));
            }
        }
        Duration::ZERO
    }
}

fn bucket_of(nanoseconds: u64) -> usize {
    if nanoseconds < STEPS {
        return nanoseconds as usize;
    }
    let shift = nanoseconds.ilog2() - STEP_BITS;
    (u64::from(shift + 1) * STEPS + (nanoseconds >> shift) - STEPS) as usize
}

fn upper_bound_of(index: usize) -> u64 {
    let index = index as u64;
    if index < STEPS {
        return index;
    }
    let shift = index / STEPS - 1;
    let base = (index % STEPS + STEPS) << shift;
    base.saturating_add((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_monotonic_and_narrow() {
        let mut previous = 0;
        for nanoseconds in (0..200_000).chain((18..40).map(|power| (1 << power) + 7)) {
            let index = bucket_of(nanoseconds);
            let bound = upper_bound_of(index);
            assert!(bound >= nanoseconds);
            assert!(bound - nanoseconds <= nanoseconds / STEPS + 1, "{nanoseconds} in {bound}");
            assert!(index >= previous);
            previous = index;
        }
    }

    #[test]
    fn percentiles_of_a_known_series() {
        let mut histogram = Histogram::default();
        for microseconds in 1..=1_000 {
            histogram.record(Duration::from_micros(microseconds));
        }
        let near = |per_cent: f64, wanted: f64| {
            let got = histogram.percentile(per_cent).as_nanos() as f64 / 1_000.0;
            assert!((got / wanted - 1.0).abs() < 0.02, "{per_cent}: {got} for {wanted}");
        };
        near(50.0, 500.0);
        near(99.0, 990.0);
        assert_eq!(histogram.count(), 1_000);
    }
}
