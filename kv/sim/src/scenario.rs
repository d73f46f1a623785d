//! What one seed chooses before anything happens: sizes, speeds, faults, lives.

use crate::disk::{FaultRates, Latency, Stop};
use crate::keys::SignerKind;
use crate::rng::Rng;
use crate::workload::Shape;

/// The options of one run. All of them follow from the seed.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The chunk size in bytes.
    pub chunk_bytes: u64,
    /// Entries after which a signature is due.
    pub signature_entries_max: u64,
    /// Age of an unsigned entry at which a signature is due, in milliseconds.
    pub signature_delay_ms: u64,
    /// The bound on uncommitted transactions.
    pub uncommitted_count_max: usize,
    /// How roots are signed.
    pub signer: SignerKind,
    /// Lives of the process before the last, quiet one.
    pub lives: u64,
    /// Client steps in a life, at most.
    pub steps_per_life_max: u64,
    /// Mean pause between client steps, in microseconds.
    pub pace_us: u64,
    /// Chance per million that a client waits for the commit of its transaction.
    pub wait: u32,
    /// Chance per million that a client waits for its transaction to be durable.
    pub wait_durable: u32,
    /// What transactions look like.
    pub shape: Shape,
    /// What may go wrong with the disk.
    pub rates: FaultRates,
    /// How fast the disk is.
    pub latency: Latency,
    /// Chance per million that a stop is a power cut rather than a kill.
    pub power_cut: u32,
    /// Chance per million that a recovery is interrupted.
    pub interrupt_recovery: u32,
    /// Chance per million that one bit rots before a start.
    pub bit_rot: u32,
}

impl Scenario {
    /// The scenario of a seed.
    #[must_use]
    pub fn new(rng: &mut Rng) -> Self {
        let real = rng.chance(15_000);
        let chunk_bytes = match rng.below(4) {
            0 => 300,
            1 => rng.between(3_000, 9_000),
            2 => rng.between(9_000, 40_000),
            _ => 1_000_000,
        };
        Self {
            chunk_bytes,
            signature_entries_max: *rng.pick(&[1, 2, 5, 20, 100, 5_000]),
            signature_delay_ms: *rng.pick(&[1, 5, 20, 100, 1_000]),
            uncommitted_count_max: *rng.pick(&[3, 20, 10_000, 10_000, 10_000]),
            signer: if real { SignerKind::Real } else { SignerKind::Fast },
            lives: rng.between(1, 6),
            steps_per_life_max: *rng.pick(&[20, 60, 150, 300]),
            pace_us: *rng.pick(&[5, 50, 300, 1_500, 10_000]),
            wait: *rng.pick(&[0, 50_000, 400_000, 1_000_000]),
            wait_durable: *rng.pick(&[0, 50_000, 400_000, 1_000_000]),
            shape: Shape {
                key_count: rng.between(2, 12),
                value_bytes_max: *rng.pick(&[0, 20, 120, 120, 1_500]),
                operation_count_max: rng.between(2, 10),
            },
            rates: rates(rng),
            latency: latency(rng),
            power_cut: *rng.pick(&[0, 500_000, 800_000, 1_000_000]),
            interrupt_recovery: *rng.pick(&[0, 100_000, 400_000]),
            bit_rot: if rng.chance(80_000) { 500_000 } else { 0 },
        }
    }

    /// How the machine stops this time.
    pub fn stop(&self, rng: &mut Rng) -> Stop {
        if rng.chance(self.power_cut) { Stop::PowerCut } else { Stop::Kill }
    }
}

fn rates(rng: &mut Rng) -> FaultRates {
    if rng.chance(400_000) {
        return FaultRates::default();
    }
    let mut rate = |rates: &[u32]| if rng.chance(300_000) { *rng.pick(rates) } else { 0 };
    FaultRates {
        write_error: rate(&[3_000, 20_000]),
        sync_error: rate(&[3_000, 20_000]),
        name_error: rate(&[3_000, 30_000]),
        read_error: rate(&[1_000, 10_000]),
        full: rate(&[2_000, 10_000]),
        slow_sync: rate(&[2_000, 20_000]),
        lasting: rate(&[500_000]),
    }
}

fn latency(rng: &mut Rng) -> Latency {
    match rng.below(3) {
        0 => Latency { operation_us: 1, sync_us_min: 5, sync_us_max: 50 },
        1 => Latency::default(),
        _ => Latency { operation_us: 20, sync_us_min: 2_000, sync_us_max: 30_000 },
    }
}
