//! What was reached and how often: the measure of a run is what it visited, not how long it took.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Everything that a long enough run must have visited. What it did not is a hole.
pub const CELLS: &[&str] = &[
    "batch acknowledged",
    "batch failed",
    "bit rot refused",
    "bit rot survived",
    "chunk completed",
    "client: conflict",
    "client: dropped a transaction",
    "client: not primary or poisoned",
    "client: read only",
    "client: sequenced",
    "client: too many pending",
    "commit point adopted at restart",
    "commit reported",
    "durable while somebody waited",
    "entries lost that were not committed",
    "killed while a batch was under way",
    "killed while idle",
    "node poisoned",
    "power cut while a batch was under way",
    "power cut while idle",
    "receipt at commit",
    "receipt from the ledger",
    "receipt of a signature",
    "recovered an empty ledger",
    "recovered with a torn tail",
    "recovered with entries",
    "recovery failed by a disk fault",
    "recovery interrupted",
    "service created",
    "signature forced",
    "chunk end forced",
    "status committed",
    "status invalid",
    "status pending",
    "status unknown",
    "stopped at append",
    "stopped at create",
    "stopped at create_dir",
    "stopped at rename",
    "stopped at sync",
    "stopped at sync_dir",
    "stopped at truncate",
    "fault: disk full",
    "fault: name operation failed",
    "fault: power cut with dirty pages",
    "fault: power cut with unsynced names",
    "fault: read failed",
    "fault: short write",
    "fault: slow sync",
    "fault: sync failed",
    "fault: write failed",
];

/// Counts over one or many runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Seeds run.
    pub seeds: u64,
    /// Simulated time in microseconds.
    pub simulated_us: u64,
    /// Seeds that were run twice.
    pub repeated: u64,
    /// How often each cell was visited.
    pub cells: BTreeMap<String, u64>,
}

impl Stats {
    /// Visits a cell.
    pub fn visit(&mut self, cell: &str) {
        self.add(cell, 1);
    }

    /// Visits a cell several times.
    pub fn add(&mut self, cell: &str, count: u64) {
        if count == 0 {
            return;
        }
        match self.cells.get_mut(cell) {
            Some(visits) => *visits += count,
            None => {
                self.cells.insert(cell.to_owned(), count);
            }
        }
    }

    /// How often a cell was visited.
    #[must_use]
    pub fn visits(&self, cell: &str) -> u64 {
        self.cells.get(cell).copied().unwrap_or(0)
    }

    /// Adds another run's counts.
    pub fn merge(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.simulated_us += other.simulated_us;
        self.repeated += other.repeated;
        other.cells.iter().for_each(|(cell, count)| self.add(cell, *count));
    }

    /// The cells that were never visited.
    #[must_use]
    pub fn holes(&self) -> Vec<&'static str> {
        CELLS.iter().copied().filter(|cell| self.visits(cell) == 0).collect()
    }

    /// Simulated hours.
    #[must_use]
    pub fn hours(&self) -> f64 {
        self.simulated_us as f64 / 3.6e9
    }

    /// The whole as text.
    #[must_use]
    pub fn report(&self) -> String {
        let mut text = String::new();
        let faults: u64 =
            self.cells.iter().filter(|(cell, _)| cell.starts_with("fault: ")).map(|(_, n)| n).sum();
        let minutes = (self.simulated_us as f64 / 6e7).max(f64::MIN_POSITIVE);
        let _ = writeln!(
            text,
            "{} seeds ({} run twice), {:.2} simulated hours, {faults} faults ({:.1} per simulated \
             minute)",
            self.seeds,
            self.repeated,
            self.hours(),
            faults as f64 / minutes
        );
        for (cell, count) in &self.cells {
            let _ = writeln!(text, "  {count:>10}  {cell}");
        }
        let holes = self.holes();
        if holes.is_empty() {
            text.push_str("no holes: every listed cell was reached\n");
        }
        for hole in holes {
            let _ = writeln!(text, "  HOLE, never reached: {hole}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_merge_and_holes_show() {
        let mut stats = Stats::default();
        assert_eq!(stats.holes().len(), CELLS.len());
        let mut other = Stats { seeds: 2, simulated_us: 60_000_000, ..Stats::default() };
        other.visit("commit reported");
        other.visit("fault: slow sync");
        stats.merge(&other);
        stats.merge(&other);
        assert_eq!((stats.seeds, stats.visits("commit reported")), (4, 2));
        assert_eq!(stats.holes().len(), CELLS.len() - 2);
        assert!(stats.report().contains("HOLE, never reached: node poisoned"));
        assert!(stats.report().contains("2 faults (1.0 per simulated minute)"));
    }
}
