//! Scenarios in which seeds once found a mistake in the production code, made frequent. Each test
//! names what was wrong.

use crate::disk::{FaultRates, Latency};
use crate::keys::SignerKind;
use crate::rng::Rng;
use crate::scenario::Scenario;
use crate::trace::Trace;
use crate::workload::Shape;
use crate::world::World;

fn calm() -> Scenario {
    Scenario {
        chunk_bytes: 4_000,
        signature_entries_max: 5,
        signature_delay_ms: 5,
        uncommitted_count_max: 10_000,
        signer: SignerKind::Fast,
        lives: 6,
        steps_per_life_max: 20,
        pace_us: 300,
        wait: 400_000,
        wait_durable: 400_000,
        shape: Shape { key_count: 4, value_bytes_max: 200, operation_count_max: 4 },
        rates: FaultRates::default(),
        latency: Latency::default(),
        power_cut: 500_000,
        interrupt_recovery: 0,
        bit_rot: 0,
    }
}

fn holds(seeds: u64, scenario: &Scenario) {
    for seed in 0..seeds {
        let trace = Trace::new(false, true);
        let mut world = World::with(&Rng::new(seed), scenario.clone(), None, trace);
        if let Err(violation) = world.run() {
            panic!("seed {seed}: {violation}\n{}", world.trace().recent().join("\n"));
        }
    }
}

/// The sync of a batch fails and the process is started again on the same page cache: the entries
/// are read, a second sync reports success and writes nothing, and the next commit stands on air.
#[test]
fn entries_behind_a_failed_sync_are_written_again_before_they_are_relied_upon() {
    let rates = FaultRates { sync_error: 60_000, ..FaultRates::default() };
    holds(60, &Scenario { rates, ..calm() });
}

/// A start is interrupted before the names of the directories are durable, and the next start takes
/// them for granted: a power cut takes the consensus record away and leaves the ledger.
#[test]
fn names_are_made_durable_at_every_start() {
    holds(150, &Scenario { steps_per_life_max: 3, interrupt_recovery: 400_000, ..calm() });
}

/// A chunk is completed in a batch that is not yet performed, and a reader looks for its position
/// table in the file.
#[test]
fn receipts_are_cut_while_a_chunk_is_being_completed() {
    let latency = Latency { operation_us: 20, sync_us_min: 2_000, sync_us_max: 30_000 };
    let scenario = Scenario { chunk_bytes: 300, lives: 2, steps_per_life_max: 150, ..calm() };
    holds(20, &Scenario { latency, ..scenario });
}
