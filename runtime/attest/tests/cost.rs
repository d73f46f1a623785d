//! What a verification costs: not a part of the ordinary run, since it measures.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod sets;
mod wire;

use affiant_attest::{CHECKS, Policy, verify};
use rustix::time::{ClockId, clock_gettime};
use sets::{AT, sets};

const ROUNDS: u32 = 200;

/// CPU time of this thread, in seconds.
fn cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

#[test]
#[ignore = "measures; run it alone: cargo test -p affiant-attest --test cost -- --ignored --nocapture"]
fn a_verification_costs_less_than_three_milliseconds_of_cpu() {
    for set in sets() {
        let policy = Policy::genuine_only();
        let start = cpu_s();
        for _ in 0..ROUNDS {
            assert_eq!(verify(&set.evidence, &policy, AT).checks.len(), CHECKS.len());
        }
        let each_ms = (cpu_s() - start) * 1e3 / f64::from(ROUNDS);
        println!("{:<20} {each_ms:.2} ms of CPU", set.name);
        assert!(each_ms < 3.0, "{}: {each_ms:.2} ms", set.name);
    }
}
