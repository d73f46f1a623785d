//! `affiant-sim`: runs seeds and reports what they reached.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use affiant_sim::{Failure, Mutant, RunOptions, Stats, check_seed, run_seed};
use clap::Parser;

/// Deterministic simulation of an Affiant node: every seed is one life story of a ledger, its
/// faults and its restarts, checked at every step.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// How many seeds to run.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    start: u64,
    /// Run this seed alone.
    #[arg(long)]
    seed: Option<u64>,
    /// Print every step (with --seed).
    #[arg(long)]
    trace: bool,
    /// Make a known mistake; the run is expected to fail.
    #[arg(long)]
    mutant: Option<Mutant>,
    /// Go on after a failure, and report all of them.
    #[arg(long)]
    keep_going: bool,
    /// Threads; each runs seeds of its own.
    #[arg(long, default_value_t = 1)]
    jobs: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(seed) = arguments.seed {
        return one(seed, &arguments);
    }
    let (stats, failures, seconds) = many(&arguments);
    print!("{}", stats.report());
    println!("{:.1} s, {:.0} seeds/s", seconds, stats.seeds as f64 / seconds.max(0.001));
    for failure in &failures {
        print_failure(failure, arguments.mutant);
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn one(seed: u64, arguments: &Arguments) -> ExitCode {
    let options = RunOptions { mutant: arguments.mutant, print: arguments.trace, keep: true };
    match run_seed(seed, options) {
        Ok(outcome) => {
            print!("{}", outcome.stats.report());
            println!("seed {seed} holds, trace {:016x}", outcome.hash);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            print_failure(&failure, arguments.mutant);
            ExitCode::FAILURE
        }
    }
}

fn many(arguments: &Arguments) -> (Stats, Vec<Failure>, f64) {
    let begun = Instant::now();
    let next = AtomicU64::new(arguments.start);
    let end = arguments.start.saturating_add(arguments.seeds);
    let halt = AtomicBool::new(false);
    let total = Mutex::new((Stats::default(), Vec::new()));
    let work = || {
        let mut stats = Stats::default();
        let mut failures = Vec::new();
        while !halt.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                break;
            }
            let options = RunOptions { mutant: arguments.mutant, print: false, keep: false };
            match check_seed(seed, options) {
                Ok(run) => stats.merge(&run),
                Err(failure) => {
                    stats.seeds += 1;
                    failures.push(replayed(seed, options, *failure));
                    if !arguments.keep_going {
                        halt.store(true, Ordering::Relaxed);
                    }
                }
            }
        }
        let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
        total.0.merge(&stats);
        total.1.append(&mut failures);
    };
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs.max(1) {
            scope.spawn(work);
        }
    });
    let (stats, mut failures) = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    failures.sort_by_key(|failure| failure.seed);
    (stats, failures, begun.elapsed().as_secs_f64())
}

/// Runs a failed seed again, to have its last steps.
fn replayed(seed: u64, options: RunOptions, failure: Failure) -> Failure {
    match run_seed(seed, RunOptions { keep: true, ..options }) {
        Err(again) => *again,
        // It failed by differing from itself.
        Ok(_) => failure,
    }
}

fn print_failure(failure: &Failure, mutant: Option<Mutant>) {
    let Failure { seed, violation, scenario, recent } = failure;
    println!("\nFAILED seed {seed}: {violation}");
    println!("{scenario}");
    recent.iter().for_each(|line| println!("  {line}"));
    let mutant = mutant.map_or_else(String::new, |mutant| {
        let name = clap::ValueEnum::to_possible_value(&mutant);
        name.map_or_else(String::new, |name| format!(" --mutant {}", name.get_name()))
    });
    println!("replay: cargo run --release -p affiant-sim -- --seed {seed} --trace{mutant}");
}
