//! What happened, as a hash that two runs of one seed must share and, if wanted, as text.

/// A rolling hash over every step of a run.
pub(crate) struct Trace {
    hash: u64,
    steps: u64,
    recent: Option<std::collections::VecDeque<String>>,
    print: bool,
}

/// Steps kept for the report of a failure.
const RECENT_COUNT: usize = 60;

impl Trace {
    /// An empty trace; `print` writes every step to standard error, `keep` the last ones to a report.
    #[must_use]
    pub(crate) fn new(print: bool, keep: bool) -> Self {
        let recent = (print || keep).then(Default::default);
        Self { hash: 0xcbf2_9ce4_8422_2325, steps: 0, recent, print }
    }

    /// Adds a step: what it was, and two numbers that say more.
    pub(crate) fn step(&mut self, now_us: u64, what: &'static str, a: u64, b: u64) {
        for byte in what.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        for number in [now_us, a, b] {
            self.hash = (self.hash ^ number).wrapping_mul(0x0100_0000_01b3).rotate_left(29);
        }
        self.steps += 1;
        if let Some(recent) = &mut self.recent {
            let line = format!("{now_us:>12} us  {what} {a} {b}");
            if self.print {
                eprintln!("{line}");
            }
            if recent.len() == RECENT_COUNT {
                recent.pop_front();
            }
            recent.push_back(line);
        }
    }

    /// The hash over all steps.
    #[must_use]
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// The last steps, if kept.
    #[must_use]
    pub(crate) fn recent(&self) -> Vec<String> {
        self.recent.iter().flatten().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_difference_changes_the_hash() {
        let hash = |steps: &[(u64, &'static str, u64, u64)]| {
            let mut trace = Trace::new(false, true);
            steps.iter().for_each(|(now, what, a, b)| trace.step(*now, what, *a, *b));
            (trace.hash(), trace.recent().len())
        };
        let base = hash(&[(1, "a", 2, 3), (2, "b", 0, 0)]);
        assert_eq!(base, hash(&[(1, "a", 2, 3), (2, "b", 0, 0)]));
        assert_ne!(base.0, hash(&[(1, "a", 3, 2), (2, "b", 0, 0)]).0);
        assert_ne!(base.0, hash(&[(2, "b", 0, 0), (1, "a", 2, 3)]).0);
        assert_eq!(base.1, 2);
    }
}
