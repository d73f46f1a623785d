//! Deterministic simulator of an Affiant node, with its checkers. One thread, virtual time, one
//! seed; the production store, ledger and replica unmodified.
//!
//! Nobody imports this crate; it is for development alone.
#![forbid(unsafe_code)]

mod checkers;
mod disk;
#[cfg(test)]
mod fixture;
mod keys;
mod ledger;
mod mutant;
mod node;
mod oracle;
#[cfg(test)]
mod regressions;
mod rng;
mod run;
mod scenario;
mod stats;
mod trace;
mod violation;
mod workload;
mod world;

pub use disk::{FaultCounts, FaultRates, Latency, SimDisk, Stop, View};
pub use keys::{
    LEDGER_SECRET, NODE_CERTIFICATE, SERVICE_CERTIFICATE, SignerKind, SimSealer, SimSigner,
    SimVerifier,
};
pub use mutant::Mutant;
pub use rng::Rng;
pub use run::{Failure, Outcome, RunOptions, check_seed, run_seed};
pub use scenario::Scenario;
pub use stats::{CELLS, Stats};
pub use violation::{Checked, Violation};
