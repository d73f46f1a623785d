//! What may go wrong with the disk, how often, and how often it did.

use std::collections::BTreeMap;

/// Chances per million operations. All zero: a faultless disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultRates {
    /// A write fails, perhaps after part of it.
    pub write_error: u32,
    /// A sync fails; the dirty pages are clean afterwards.
    pub sync_error: u32,
    /// A change of names or its sync fails.
    pub name_error: u32,
    /// A read fails.
    pub read_error: u32,
    /// The disk fills up for a while.
    pub full: u32,
    /// A sync takes seconds.
    pub slow_sync: u32,
    /// A fault of a file lasts until the next start, rather than once.
    pub lasting: u32,
}

/// The kinds of fault that were injected, each with its count.
pub type FaultCounts = BTreeMap<&'static str, u64>;

/// How the machine stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The process was killed: the page cache lives on.
    Kill,
    /// Power was cut: what was not synced is lost in part.
    PowerCut,
}

/// How long disk operations take, in microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Latency {
    /// Every operation but a sync.
    pub operation_us: u64,
    /// The shortest sync.
    pub sync_us_min: u64,
    /// The longest sync.
    pub sync_us_max: u64,
}

impl Default for Latency {
    fn default() -> Self {
        Self { operation_us: 5, sync_us_min: 200, sync_us_max: 4_000 }
    }
}
