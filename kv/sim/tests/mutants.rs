//! The simulator bites: every known mistake is caught within 2,000 seeds, and the production code
//! holds over a first few.

use affiant_sim::{Mutant, RunOptions, Stats, check_seed, run_seed};

/// Seeds within which a mistake must be caught.
const SEEDS_MAX: u64 = 2_000;

#[test]
fn every_mutant_is_caught() {
    let mut escaped = Vec::new();
    for mutant in Mutant::all() {
        let options = RunOptions { mutant: Some(*mutant), ..RunOptions::default() };
        let caught = (0..SEEDS_MAX).find_map(|seed| run_seed(seed, options).err());
        match caught {
            Some(failure) => println!(
                "{mutant:?}: caught after {} seeds by {}",
                failure.seed + 1,
                failure.violation.checker
            ),
            None => escaped.push(*mutant),
        }
    }
    assert!(escaped.is_empty(), "not caught within {SEEDS_MAX} seeds: {escaped:?}");
}

#[test]
fn the_production_code_holds() {
    let mut stats = Stats::default();
    for seed in 0..100 {
        match check_seed(seed, RunOptions::default()) {
            Ok(run) => stats.merge(&run),
            Err(failure) => panic!("seed {seed}: {} {}", failure.violation, failure.scenario),
        }
    }
    assert!(stats.repeated > 0 && stats.visits("commit reported") > 500, "{}", stats.report());
}
