//! The tables.

use crate::arguments::Arguments;
use crate::calls::Cost;
use crate::engines::Kind;
use crate::measure::{Measured, READS_PER_SNAPSHOT, Run};

/// What was measured of one engine at one size.
pub(crate) struct Row {
    pub(crate) engine: Kind,
    pub(crate) keys: u64,
    pub(crate) disk_bytes: u64,
    pub(crate) measured: Measured,
}

/// Prints everything.
pub(crate) fn print(arguments: &Arguments, rows: &[Row]) {
    for threads in &arguments.threads {
        println!("\nWrites, each synced before it returns; {threads} thread(s)");
        println!(
            "{:<16}{:>10}{:>12}{:>10}{:>10}{:>10}{:>11}",
            "engine", "keys", "writes/s", "p50 us", "p99 us", "CPU us", "probe us"
        );
        for (row, run) in runs(rows, *threads) {
            println!(
                "{:<16}{:>10}{:>12.0}{:>10.0}{:>10.0}{:>10.1}{:>11.0}",
                row.engine,
                row.keys,
                run.writes.per_s,
                run.write_p50_us,
                run.write_p99_us,
                run.writes.cpu_ns / 1e3,
                run.probe_us,
            );
        }
    }
    for threads in &arguments.threads {
        println!(
            "\nReads from snapshots, {READS_PER_SNAPSHOT} from each or 1; {threads} thread(s)"
        );
        println!(
            "{:<16}{:>10}{:>14}{:>10}{:>14}{:>10}",
            "engine", "keys", "reads/s (100)", "CPU ns", "reads/s (1)", "CPU ns"
        );
        for (row, run) in runs(rows, *threads) {
            println!(
                "{:<16}{:>10}{:>14.0}{:>10.0}{:>14.0}{:>10.0}",
                row.engine,
                row.keys,
                run.reads.per_s,
                run.reads.cpu_ns,
                run.lone_reads.per_s,
                run.lone_reads.cpu_ns,
            );
        }
    }
    println!(
        "\nSize, for each key of 16 bytes and value of 100; a fresh process that has read every key"
    );
    println!(
        "{:<16}{:>10}{:>16}{:>12}{:>10}",
        "engine", "keys", "resident bytes", "disk bytes", "open s"
    );
    for row in rows {
        let per_key = |bytes: u64| bytes as f64 / row.keys as f64;
        println!(
            "{:<16}{:>10}{:>16.0}{:>12.0}{:>10.2}",
            row.engine,
            row.keys,
            per_key(row.measured.resident_bytes),
            per_key(row.disk_bytes),
            row.measured.open_s,
        );
    }
}

fn runs(rows: &[Row], threads: usize) -> impl Iterator<Item = (&Row, &Run)> {
    rows.iter().flat_map(move |row| {
        let runs = row.measured.runs.iter().filter(move |run| run.threads == threads);
        runs.map(move |run| (row, run))
    })
}

/// Prints what calls cost.
pub(crate) fn print_calls(costs: &[Cost]) {
    println!("A call, CPU ns: the least of many rounds");
    println!("{:<16}{:>10}{:>10}{:>10}", "call", "Rust", "C", "C layer");
    for Cost { name, rust_ns, c_ns } in costs {
        println!("{name:<16}{rust_ns:>10.0}{c_ns:>10.0}{:>10.0}", c_ns - rust_ns);
    }
}
