//! The kill harness's checker is fed each violation that it exists to find, and finds it; and passes
//! what is allowed.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::collections::BTreeMap;

use affiant_bench::kill::{Counts, Held, Journal};
use affiant_proof::TxId;

const HEARD: u64 = 1;
const EARLY: u64 = 2;
const SILENT: u64 = 3;

fn txid(seqno: u64) -> TxId {
    TxId::new(2, seqno)
}

fn held(number: u64, seqno: u64) -> Held {
    Held { number, seqno, intact: true }
}

/// One record reported committed at 2.11, one answered early with 2.12, one never answered.
fn journal() -> Journal {
    let mut journal = Journal::default();
    for number in [HEARD, EARLY, SILENT] {
        journal.submitted(number);
    }
    journal.committed(HEARD, txid(11));
    journal.answered(EARLY, txid(12));
    journal
}

fn check(journal: &mut Journal, held: &[Held], committed: &[(u64, bool)]) -> String {
    let statuses: BTreeMap<TxId, bool> =
        committed.iter().map(|(seqno, status)| (txid(*seqno), *status)).collect();
    let found = journal.check(held, &statuses);
    found.into_iter().map(|violation| violation.0).collect::<Vec<_>>().join("; ")
}

#[test]
fn what_is_allowed_passes_and_settles() {
    let everything = [held(HEARD, 11), held(EARLY, 12), held(SILENT, 13)];
    let mut all_kept = journal();
    assert_eq!(check(&mut all_kept, &everything, &[(11, true), (12, true)]), "");
    let counts = all_kept.counts();
    assert_eq!(
        counts,
        Counts { submitted: 3, committed: 2, found: 1, lost: 0, lost_after_answer: 0 }
    );

    let mut tail_lost = journal();
    assert_eq!(tail_lost.undecided(), [txid(12)]);
    assert_eq!(check(&mut tail_lost, &[held(HEARD, 11)], &[(11, true), (12, false)]), "");
    let counts = tail_lost.counts();
    assert_eq!(
        counts,
        Counts { submitted: 3, committed: 1, found: 0, lost: 2, lost_after_answer: 1 }
    );
    assert_eq!(tail_lost.decided(), [txid(11), txid(12)]);
    assert!(tail_lost.undecided().is_empty());
}

#[test]
fn a_lost_committed_record_is_found() {
    let faults = check(&mut journal(), &[], &[(12, false)]);
    assert!(faults.contains("reported committed at 2.11, and is not there"), "{faults}");
}

#[test]
fn a_committed_id_with_other_content_is_found() {
    let mut moved = journal();
    let faults = check(&mut moved, &[held(HEARD, 14)], &[(12, false)]);
    assert!(faults.contains("reported committed at 2.11, and is at seqno 14"), "{faults}");

    let faults = check(&mut journal(), &[held(HEARD, 11)], &[(11, false), (12, false)]);
    assert!(faults.contains("no longer said to be committed"), "{faults}");
}

#[test]
fn an_early_answer_is_kept_to_its_id() {
    let faults = check(&mut journal(), &[held(HEARD, 11)], &[(12, true)]);
    assert!(faults.contains("said to be committed, and is not there"), "{faults}");

    let kept = [held(HEARD, 11), held(EARLY, 12)];
    let faults = check(&mut journal(), &kept, &[(12, false)]);
    assert!(faults.contains("is there, but the id is not said to be committed"), "{faults}");

    let moved = [held(HEARD, 11), held(EARLY, 13)];
    let faults = check(&mut journal(), &moved, &[(12, false)]);
    assert!(faults.contains("answered with 2.12, and is at seqno 13"), "{faults}");

    let faults = check(&mut journal(), &[held(HEARD, 11)], &[]);
    assert!(faults.contains("was not asked"), "{faults}");
}

#[test]
fn inventions_and_mixtures_are_found() {
    let invented = [held(HEARD, 11), held(99, 13)];
    let faults = check(&mut journal(), &invented, &[(12, false)]);
    assert!(faults.contains("record 99 at seqno 13 was never submitted"), "{faults}");

    let broken = [Held { number: HEARD, seqno: 11, intact: false }];
    let faults = check(&mut journal(), &broken, &[(12, false)]);
    assert!(faults.contains("does not hold what was submitted"), "{faults}");

    let shared = [held(HEARD, 11), held(SILENT, 11)];
    let faults = check(&mut journal(), &shared, &[(12, false)]);
    assert!(faults.contains("share seqno 11"), "{faults}");
}

#[test]
fn what_is_settled_stays_settled() {
    let mut lost = journal();
    assert_eq!(check(&mut lost, &[held(HEARD, 11)], &[(12, false)]), "");
    let back = [held(HEARD, 11), held(EARLY, 12), held(SILENT, 13)];
    let faults = check(&mut lost, &back, &[]);
    assert!(faults.contains("record 2: was not there after an earlier restart"), "{faults}");
    assert!(faults.contains("record 3: was not there after an earlier restart"), "{faults}");
    let faults = check(&mut lost, &[held(HEARD, 11)], &[(12, true)]);
    assert!(faults.contains("its id 2.12 is said to be committed"), "{faults}");

    let mut kept = journal();
    assert_eq!(check(&mut kept, &back, &[(12, true)]), "");
    let faults = check(&mut kept, &[held(HEARD, 11), held(EARLY, 12)], &[]);
    assert!(faults.contains("was there at seqno 13 after an earlier restart"), "{faults}");
    let faults = check(&mut kept, &[held(EARLY, 12), held(SILENT, 14)], &[]);
    assert!(faults.contains("record 1: reported committed"), "{faults}");
    assert!(faults.contains("record 3: was at seqno 13"), "{faults}");
}
