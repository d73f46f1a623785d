//! Time, commits and loaded entries come in by hand.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use affiant_kv::{CommittedEntry, MapName, ReceiptParts, SignedRoot};
use affiant_proof::{Digest, TxId};

use super::*;

const FAR_MS: u64 = 1_000_000;

fn slots(bytes_max: usize) -> Slots {
    Slots::new(Bounds { bytes_max, handles_max: 3, slots_max: 5 })
}

fn key(application: u64, handle: u64) -> SlotKey {
    SlotKey { namespace: HistoricalNamespace { application, frontend: 0 }, handle }
}

fn range(first: u64, last: u64) -> Range {
    Range { first, last }
}

fn state(seqno: u64, value_bytes: usize) -> Arc<HistoricalState> {
    let txid = TxId::new(2, seqno);
    let signed_root = Arc::new(SignedRoot {
        txid: TxId::new(2, seqno + 1),
        root: Digest::ZERO,
        signature: Vec::new(),
        cose: Vec::new(),
        node_id: String::new(),
        node_certificate_pem: String::new(),
        unix_s: 0,
    });
    let value = vec![0; value_bytes];
    let writes = vec![(b"key"[..].into(), Some(value.into()))];
    Arc::new(HistoricalState::new(CommittedEntry {
        txid,
        ledger_bytes: 0,
        maps: vec![(MapName::new("records").unwrap(), writes)],
        receipt: ReceiptParts { txid, proof: None, signed_root },
    }))
}

/// Everything with its defaults: now, committed far, expiring late.
fn ask(slots: &mut Slots, key: SlotKey, range: Range) -> Answer {
    slots.ask(key, range, FAR_MS, 0, u64::MAX, &mut Vec::new())
}

/// Loads what is wanted until nothing is, `value_bytes` per entry.
fn load_all(slots: &mut Slots, value_bytes: usize) {
    let mut garbage = Vec::new();
    for _ in 0..1_000 {
        let Some(piece) = slots.next_piece() else { return };
        let bytes = value_bytes * piece.whole.count() as usize;
        if !piece.reserved && slots.reserve(&piece, bytes, &mut garbage) != Reservation::Granted {
            continue;
        }
        let more = (piece.part.first..=piece.part.last).map(|seqno| state(seqno, value_bytes));
        slots.deliver(&piece, more.collect(), 7, &mut garbage);
    }
    panic!("it never ends");
}

fn seqnos(answer: Answer) -> Vec<u64> {
    match answer {
        Answer::Ready(states) => states.iter().map(|state| state.txid().seqno).collect(),
        other => panic!("not ready: {other:?}"),
    }
}

/// The sum that `bytes` must be.
fn assert_counted(slots: &Slots) {
    assert_eq!(slots.bytes, slots.slots.values().map(|slot| slot.bytes).sum::<usize>());
    assert!(slots.bytes <= slots.bounds.bytes_max);
}

#[test]
fn a_range_is_pending_until_its_last_piece_is_there() {
    let mut slots = slots(10 << 20);
    let wanted = range(5, 5 + 2 * HISTORICAL_PIECE_COUNT_MAX);
    assert!(matches!(ask(&mut slots, key(1, 9), wanted), Answer::Pending));
    let piece = slots.next_piece().unwrap();
    assert_eq!(piece.part, range(5, 4 + HISTORICAL_PIECE_COUNT_MAX));
    assert!(!piece.reserved);
    assert_eq!(slots.reserve(&piece, 1_000, &mut Vec::new()), Reservation::Granted);
    // A reader gives fewer than were asked for where a chunk ends.
    assert_eq!(slots.deliver(&piece, vec![state(5, 1)], 3, &mut Vec::new()), None);
    let piece = slots.next_piece().unwrap();
    assert_eq!(piece.part.first, 6);
    assert!(piece.reserved);
    assert!(matches!(ask(&mut slots, key(1, 9), wanted), Answer::Pending));
    load_all(&mut slots, 1);
    let found = seqnos(ask(&mut slots, key(1, 9), wanted));
    assert_eq!(found, (wanted.first..=wanted.last).collect::<Vec<_>>());
    assert_counted(&slots);
}

#[test]
fn what_is_not_committed_waits_and_starts_when_it_is() {
    let mut slots = slots(1 << 20);
    let mut garbage = Vec::new();
    let answer = slots.ask(key(1, 1), range(5, 6), FAR_MS, 0, 5, &mut garbage);
    assert!(matches!(answer, Answer::Pending));
    assert_eq!(slots.next_piece(), None);
    slots.ask(key(1, 1), range(5, 6), FAR_MS, 0, 6, &mut garbage);
    load_all(&mut slots, 1);
    assert_eq!(seqnos(ask(&mut slots, key(1, 1), range(5, 6))), [5, 6]);
}

#[test]
fn handles_are_of_their_namespace_and_another_range_replaces() {
    let mut slots = slots(1 << 20);
    ask(&mut slots, key(1, 1), range(5, 6));
    ask(&mut slots, key(2, 1), range(7, 7));
    load_all(&mut slots, 1);
    assert_eq!(seqnos(ask(&mut slots, key(1, 1), range(5, 6))), [5, 6]);
    assert_eq!(seqnos(ask(&mut slots, key(2, 1), range(7, 7))), [7]);
    assert!(matches!(ask(&mut slots, key(1, 1), range(5, 7)), Answer::Pending));
    load_all(&mut slots, 1);
    assert_eq!(seqnos(ask(&mut slots, key(1, 1), range(5, 7))), [5, 6, 7]);
    assert!(slots.remove(key(1, 1), &mut Vec::new()));
    assert!(!slots.remove(key(1, 1), &mut Vec::new()));
    assert_eq!(seqnos(ask(&mut slots, key(2, 1), range(7, 7))), [7]);
    assert_counted(&slots);
}

#[test]
fn each_question_puts_the_expiry_off() {
    let mut slots = slots(1 << 20);
    let mut garbage = Vec::new();
    let mut at = |slots: &mut Slots, now_ms: u64| {
        slots.expire(now_ms, &mut garbage);
        slots.ask(key(1, 1), range(5, 5), now_ms + 100, now_ms, u64::MAX, &mut garbage)
    };
    at(&mut slots, 0);
    load_all(&mut slots, 1);
    for now_ms in [50, 149, 248] {
        assert!(matches!(at(&mut slots, now_ms), Answer::Ready(_)), "{now_ms}");
    }
    // Not asked in time; also where no sweep came by.
    assert!(matches!(at(&mut slots, 348), Answer::Pending));
    load_all(&mut slots, 1);
    let answer = slots.ask(key(1, 1), range(5, 5), FAR_MS, 448, u64::MAX, &mut Vec::new());
    assert!(matches!(answer, Answer::Pending), "it expired at 448");
    slots.expire(FAR_MS, &mut Vec::new());
    assert!(slots.is_empty());
    assert_counted(&slots);
}

#[test]
fn the_least_recently_asked_for_makes_room() {
    let one = state(1, 50_000).memory_bytes();
    let mut slots = slots(2 * one + 1_000);
    for handle in [1, 2] {
        ask(&mut slots, key(handle, 0), range(handle, handle));
        load_all(&mut slots, 50_000);
    }
    assert_eq!(seqnos(ask(&mut slots, key(1, 0), range(1, 1))), [1]);
    ask(&mut slots, key(3, 0), range(3, 3));
    load_all(&mut slots, 50_000);
    assert_eq!(seqnos(ask(&mut slots, key(3, 0), range(3, 3))), [3]);
    assert_eq!(seqnos(ask(&mut slots, key(1, 0), range(1, 1))), [1]);
    assert!(matches!(ask(&mut slots, key(2, 0), range(2, 2)), Answer::Pending), "it had to go");
    assert_counted(&slots);
}

#[test]
fn two_that_do_not_fit_together_are_loaded_one_after_the_other() {
    let mut slots = slots(100_000);
    let mut garbage = Vec::new();
    ask(&mut slots, key(1, 0), range(1, 2));
    ask(&mut slots, key(2, 0), range(3, 4));
    let first = slots.next_piece().unwrap();
    assert_eq!(slots.reserve(&first, 70_000, &mut garbage), Reservation::Granted);
    let second = slots.next_piece().unwrap();
    assert_ne!(first.key, second.key, "ranges take turns");
    assert_eq!(slots.reserve(&second, 70_000, &mut garbage), Reservation::Later);
    slots.deliver(&first, vec![state(1, 30_000), state(2, 30_000)], 1, &mut garbage);
    assert_eq!(seqnos(ask(&mut slots, key(1, 0), range(1, 2))), [1, 2]);
    let second = slots.next_piece().unwrap();
    assert_eq!(slots.reserve(&second, 70_000, &mut garbage), Reservation::Granted);
    assert_counted(&slots);
}

#[test]
fn what_never_fits_is_an_error_once() {
    let mut slots = slots(100_000);
    let mut garbage = Vec::new();
    ask(&mut slots, key(1, 0), range(1, 2));
    let piece = slots.next_piece().unwrap();
    assert_eq!(slots.reserve(&piece, 100_001, &mut garbage), Reservation::Void);
    let error = HistoricalError::TooLarge { bytes: 100_001, limit: 100_000 };
    let Answer::Failed(found) = ask(&mut slots, key(1, 0), range(1, 2)) else { panic!() };
    assert_eq!(found, error);
    // The guess was too low: what is there decides.
    ask(&mut slots, key(1, 0), range(1, 2));
    let piece = slots.next_piece().unwrap();
    assert_eq!(slots.reserve(&piece, 10, &mut garbage), Reservation::Granted);
    slots.deliver(&piece, vec![state(1, 200_000)], 1, &mut garbage);
    let answer = ask(&mut slots, key(1, 0), range(1, 2));
    assert!(matches!(answer, Answer::Failed(HistoricalError::TooLarge { .. })), "{answer:?}");
    assert!(matches!(ask(&mut slots, key(1, 0), range(1, 2)), Answer::Pending));
    assert_counted(&slots);
}

#[test]
fn what_was_replaced_while_it_was_read_is_dropped() {
    let mut slots = slots(1 << 20);
    let mut garbage = Vec::new();
    ask(&mut slots, key(1, 0), range(1, 1));
    let old = slots.next_piece().unwrap();
    ask(&mut slots, key(1, 0), range(2, 2));
    assert_eq!(slots.reserve(&old, 10, &mut garbage), Reservation::Void);
    assert_eq!(slots.deliver(&old, vec![state(1, 1)], 1, &mut garbage), None);
    slots.fail(&old, HistoricalError::Unreadable { seqno: 1 }, &mut garbage);
    assert!(matches!(ask(&mut slots, key(1, 0), range(2, 2)), Answer::Pending));
    load_all(&mut slots, 1);
    assert_eq!(seqnos(ask(&mut slots, key(1, 0), range(2, 2))), [2]);
}

#[test]
fn handles_are_bounded_by_namespace_and_in_all() {
    let mut slots = slots(1 << 20);
    for handle in 1..=4 {
        ask(&mut slots, key(1, handle), range(1, 1));
    }
    assert_eq!(slots.slots.len(), 3);
    assert!(!slots.slots.contains_key(&key(1, 1)), "the oldest of its namespace went");
    for handle in 1..=3 {
        ask(&mut slots, key(2, handle), range(1, 1));
    }
    assert_eq!(slots.slots.len(), 5);
    assert!(!slots.slots.contains_key(&key(1, 2)), "the oldest of all went");
    assert_counted(&slots);
}

#[test]
fn single_transactions_go_before_ranges() {
    let mut slots = slots(10 << 20);
    ask(&mut slots, key(1, 1), range(1, 1_000));
    assert_eq!(slots.next_piece().unwrap().key, key(1, 1));
    ask(&mut slots, key(1, 2), range(7, 7));
    assert_eq!(slots.next_piece().unwrap().key, key(1, 2));
    load_all(&mut slots, 1);
    assert_eq!(seqnos(ask(&mut slots, key(1, 2), range(7, 7))), [7]);
}
