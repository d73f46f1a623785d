//! `affiant-kill`: kills a node under load, again and again, and checks that it keeps its word.
//!
//! Exit code 0: every promise was kept. 1: one was broken, or the node did not come back. 2: usage.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use affiant_bench::kill::{Harness, Settings, Summary};
use affiant_bench::node::{NodeArguments, serve};
use clap::{Parser, Subcommand};

/// Kills a node with `kill -9` under load, restarts it on the same data and checks that no committed
/// transaction is lost and none is invented.
#[derive(Parser)]
#[command(name = "affiant-kill")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Kills.
    #[arg(long, default_value_t = 200)]
    cycles: u32,
    /// What every random choice follows from (the instants on the wall stay random).
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Connections that write.
    #[arg(long, default_value_t = 6)]
    writers: u8,
    /// Most answers that are awaited before the random delay to the kill starts.
    #[arg(long, default_value_t = 300)]
    answers: u64,
    /// Size at which a chunk of the ledger ends, in bytes.
    #[arg(long, default_value_t = 60_000)]
    chunk_bytes: u64,
    /// Where to keep the data; a temporary directory that is removed afterwards, if not given.
    #[arg(long)]
    data: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// The node under test (started by this program itself).
    #[command(hide = true)]
    Node(NodeArguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(Command::Node(arguments)) = &arguments.command {
        return match serve(arguments) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("node: {error}");
                ExitCode::FAILURE
            }
        };
    }
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("affiant-kill: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> io::Result<bool> {
    let temporary;
    let directory = match &arguments.data {
        Some(directory) => {
            std::fs::create_dir_all(directory)?;
            directory.clone()
        }
        None => {
            temporary = tempfile::Builder::new().prefix("affiant-kill-").tempdir()?;
            temporary.path().to_owned()
        }
    };
    let harness = Harness::new(Settings {
        cycles: arguments.cycles,
        seed: arguments.seed,
        writers: arguments.writers,
        answers_max: arguments.answers,
        chunk_bytes: arguments.chunk_bytes,
        directory,
        program: std::env::current_exe()?,
    })?;
    let started = Instant::now();
    let live = io::stderr().is_terminal();
    let summary = harness.run(|summary| {
        if live || summary.cycles.is_multiple_of(50) {
            progress(summary, arguments.cycles, live);
        }
    })?;
    if live {
        eprintln!();
    }
    print_summary(&summary, started.elapsed().as_secs_f64());
    Ok(summary.passed())
}

fn progress(summary: &Summary, cycles: u32, live: bool) {
    let counts = &summary.counts;
    let line = format!(
        "kill {}/{cycles}: {} records, {} committed, {} lost unpromised, {} chunks",
        summary.cycles, counts.submitted, counts.committed, counts.lost, summary.chunks
    );
    if live {
        eprint!("\r{line}\x1b[K");
        // A progress line that cannot be shown is not worth stopping for.
        let _ = io::stderr().flush();
    } else {
        eprintln!("{line}");
    }
}

fn print_summary(summary: &Summary, seconds: f64) {
    let counts = &summary.counts;
    println!("kill -9: {} cycles in {seconds:.1} s", summary.cycles);
    println!(
        "  records: {} submitted, {} reported committed, {} found without an answer, {} lost that \
         nobody was promised ({} of them after an early answer)",
        counts.submitted, counts.committed, counts.found, counts.lost, counts.lost_after_answer
    );
    println!(
        "  kills: {} inside a sync or rename, {} before the node was ready, {} between two chunks",
        summary.killed_in_barrier, summary.killed_in_start, summary.killed_in_roll_over
    );
    println!(
        "  ledger: {} chunks committed; slowest start {:.2} s",
        summary.chunks,
        summary.slowest_start.as_secs_f64()
    );
    if summary.refusals.0 > 0 {
        let (count, last) = &summary.refusals;
        println!("  refused requests: {count}, the last with {last}");
    }
    if let Some(audit) = &summary.audit {
        println!("  audit: {}", audit.to_string().trim_end());
    }
    for violation in &summary.violations {
        println!("  VIOLATION: {}", violation.0);
    }
    println!("{}", if summary.passed() { "every promise was kept" } else { "FAILED" });
}
