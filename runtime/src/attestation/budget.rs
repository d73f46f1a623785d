//! How often something may happen.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Lets through so many at once, and then one an interval.
pub(super) struct Budget {
    interval: Duration,
    burst: u32,
    /// When all that was let through would have been, one an interval.
    paid_until: Mutex<Option<Instant>>,
}

impl Budget {
    pub(super) const fn new(interval: Duration, burst: u32) -> Self {
        Self { interval, burst, paid_until: Mutex::new(None) }
    }

    /// Lets one through.
    ///
    /// # Errors
    /// After how long to try again.
    pub(super) fn take(&self, now: Instant) -> Result<(), Duration> {
        let mut paid_until = self.paid_until.lock();
        let from = paid_until.map_or(now, |until| until.max(now));
        let ahead = from.duration_since(now);
        let allowed = self.interval * self.burst.saturating_sub(1);
        if ahead > allowed {
            return Err(ahead - allowed);
        }
        *paid_until = Some(from + self.interval);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_at_once_and_then_one_an_interval() {
        let second = Duration::from_secs(1);
        let budget = Budget::new(second, 3);
        let start = Instant::now();
        for _ in 0..3 {
            assert_eq!(budget.take(start), Ok(()));
        }
        assert_eq!(budget.take(start), Err(second));
        assert_eq!(budget.take(start + second / 2), Err(second / 2));
        assert_eq!(budget.take(start + second), Ok(()));
        assert_eq!(budget.take(start + second), Err(second));
        // Nothing is saved up beyond the burst.
        let later = start + second * 100;
        for _ in 0..3 {
            assert_eq!(budget.take(later), Ok(()));
        }
        assert_eq!(budget.take(later), Err(second));
    }
}
