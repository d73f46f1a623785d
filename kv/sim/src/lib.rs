//! Deterministic simulator of an Affiant node, with its checkers. One thread, virtual time, one
//! seed; the production store, ledger and replica unmodified.
//!
//! Nobody imports this crate; it is for development alone.
#![forbid(unsafe_code)]

mod disk;
mod rng;

pub use disk::{FaultCounts, FaultRates, Latency, SimDisk, Stop};
pub use rng::Rng;
