//! What the benchmark programs share: the load driver's client, the node as a process, the kill
//! harness and the figures that we measure ourselves against.
#![forbid(unsafe_code)]

pub mod app;
pub mod cpu;
pub mod histogram;
pub mod identity;
pub mod kill;
pub mod load;
pub mod node;
pub mod process;
