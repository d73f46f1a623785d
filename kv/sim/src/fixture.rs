//! A small sound ledger for the checkers' own tests: what a faultless run leaves.

use std::sync::Arc;

use affiant_kv::{ReceiptParts, SignedRoot};

use crate::disk::{FaultRates, Latency, View};
use crate::keys::SignerKind;
use crate::rng::Rng;
use crate::scenario::Scenario;
use crate::trace::Trace;
use crate::workload::Shape;
use crate::world::World;

/// Files, commit points in order, and a receipt of an application's transaction.
pub(crate) struct SmallLedger {
    files: Vec<(String, Vec<u8>)>,
    pub(crate) roots: Vec<Arc<SignedRoot>>,
    pub(crate) receipt: ReceiptParts,
}

impl SmallLedger {
    pub(crate) fn files(&self) -> Vec<(&str, &[u8])> {
        self.files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect()
    }
}

pub(crate) fn small_ledger() -> SmallLedger {
    let scenario = Scenario {
        chunk_bytes: 1_000_000,
        signature_entries_max: 5,
        signature_delay_ms: 10,
        uncommitted_count_max: 100,
        signer: SignerKind::Fast,
        lives: 0,
        steps_per_life_max: 10,
        pace_us: 1_000,
        wait: 1_000_000,
        wait_durable: 0,
        shape: Shape { key_count: 4, value_bytes_max: 20, operation_count_max: 3 },
        rates: FaultRates::default(),
        latency: Latency::default(),
        power_cut: 0,
        interrupt_recovery: 0,
        bit_rot: 0,
    };
    let mut world = World::with(&Rng::new(1), scenario, None, Trace::new(false, false));
    assert_eq!(world.run(), Ok(()), "a faultless run");
    let directory = world.node().ledger_dir();
    let files = world.node().disk.with_files(View::Live, directory, |files| {
        files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())).collect()
    });
    let roots = world.oracle().roots().to_vec();
    let receipt = world
        .oracle()
        .receipts()
        .find(|parts| parts.proof.as_ref().is_some_and(|proof| proof.path.steps().len() > 1))
        .cloned();
    SmallLedger { files, roots, receipt: receipt.expect("clients asked for receipts") }
}
