//! One bit changed anywhere in real evidence, and it is refused: every bit of one report, samples
//! of the other reports and of every chain. (Of UVM endorsements: `uvm.rs`.)
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod sets;
mod wire;

use affiant_attest::{Evidence, Policy, verify};
use sets::{AT, sets};

/// Steps are odd, so that every bit of a byte comes up.
const REPORT_STEP: usize = 37;
const CHAIN_STEP: usize = 53;

fn bare(evidence: Evidence) -> Evidence {
    Evidence {
        uvm_endorsement: None,
        policy_text: None,
        endorsed_tcb: None,
        bound: None,
        ..evidence
    }
}

fn policy() -> Policy {
    let mut policy = Policy::genuine_only();
    policy.guest_policy.debug = None;
    policy
}

fn refused(name: &str, changed: impl Iterator<Item = (usize, Evidence)>) -> usize {
    let policy = policy();
    let mut tried = 0;
    for (bit, evidence) in changed {
        let verdict = verify(&evidence, &policy, AT);
        assert!(!verdict.is_trusted(), "{name}: bit {bit} changed\n{verdict}");
        tried += 1;
    }
    tried
}

#[test]
fn every_bit_of_a_report_counts() {
    for set in sets().into_iter().filter(|set| set.name == "milan") {
        let evidence = bare(set.evidence);
        assert!(verify(&evidence, &policy(), AT).is_trusted());
        let reports = wire::flipped(&evidence.report, 0..evidence.report.len(), 1);
        let changed = reports.map(|(bit, report)| (bit, Evidence { report, ..evidence.clone() }));
        assert_eq!(refused(set.name, changed), 1184 * 8);
    }
}

#[test]
fn bits_of_every_report_count() {
    for set in sets() {
        let evidence = bare(set.evidence);
        assert!(verify(&evidence, &policy(), AT).is_trusted());
        let reports = wire::flipped(&evidence.report, 0..evidence.report.len(), REPORT_STEP);
        let changed = reports.map(|(bit, report)| (bit, Evidence { report, ..evidence.clone() }));
        assert!(refused(set.name, changed) > 250);
    }
}

#[test]
fn bits_of_every_chain_count() {
    for set in sets() {
        let evidence = bare(set.evidence);
        // Turin's lines end in CR LF, and one bit makes a tabulator of a CR: white space, as
        // before.
        let chain: Vec<u8> =
            evidence.endorsements.iter().copied().filter(|byte| *byte != b'\r').collect();
        let chains = wire::flipped(&chain, 0..chain.len(), CHAIN_STEP);
        let changed =
            chains.map(|(bit, endorsements)| (bit, Evidence { endorsements, ..evidence.clone() }));
        assert!(refused(set.name, changed) > 500);
    }
}
