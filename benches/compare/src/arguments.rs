//! What the user may ask for.

use std::path::PathBuf;

use clap::Parser;

use crate::engines::Kind;

/// Measures Affiant as an embedded database beside SQLite, redb and fjall.
#[derive(Parser)]
#[command(name = "affiant-compare")]
pub(crate) struct Arguments {
    /// Numbers of keys, one measurement each.
    #[arg(long, value_delimiter = ',', default_values_t = [10_000_u64, 1_000_000])]
    pub(crate) keys: Vec<u64>,
    /// Numbers of threads, one measurement each.
    #[arg(long, value_delimiter = ',', default_values_t = [1_usize, 8])]
    pub(crate) threads: Vec<usize>,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 2.0)]
    pub(crate) seconds: f64,
    /// Which engines.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Kind::ALL)]
    pub(crate) engines: Vec<Kind>,
    /// Where the data goes: a directory on the file system to be measured. What is put there is removed
    /// afterwards.
    #[arg(long, default_value = "affiant-compare-data")]
    pub(crate) data: PathBuf,
    /// Measure only what a call through C costs beyond the same call in Rust.
    #[arg(long)]
    pub(crate) calls: bool,
}
