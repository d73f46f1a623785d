//! What the writer of a ledger calls for every entry: run by hand, prints, asserts no time.

use std::hint::black_box;
use std::time::Instant;

use affiant_proof::claims::EvidenceKey;
use affiant_proof::entry::EntryView;
use affiant_proof::merkle::Tree;
use affiant_proof::{Digest, TxId};

fn measure(what: &str, rounds: u64, mut work: impl FnMut(u64)) {
    let start = Instant::now();
    (0..rounds).for_each(&mut work);
    let nanoseconds = start.elapsed().as_nanos() / u128::from(rounds);
    println!("{what}: {nanoseconds} ns");
}

/// `cargo test -p affiant-proof --test hot_path -- --ignored --nocapture`
#[test]
#[ignore = "a measurement: prints nanoseconds per call"]
fn nanoseconds_per_call() {
    const ROUNDS: u64 = 200_000;
    let leaves: Vec<Digest> = (0..ROUNDS).map(|at| Digest::of(&at.to_le_bytes())).collect();
    let mut tree = Tree::new();
    measure("append a leaf", ROUNDS, |at| tree.append(leaves[at as usize]));
    measure("root", ROUNDS, |_| {
        black_box(tree.root());
    });
    measure("path", ROUNDS, |at| drop(black_box(tree.path(at))));
    let key = EvidenceKey::new(&[7; 32]);
    measure("commit evidence digest", ROUNDS, |at| {
        black_box(key.evidence_digest(TxId::new(2, at + 1)));
    });
    let bytes = [0x5a; 220];
    measure("digest of 220 bytes", ROUNDS, |_| {
        black_box(Digest::of(black_box(&bytes)));
    });
    let [a, b, c] = [Digest::of(b"a"), Digest::of(b"b"), Digest::of(b"c")];
    measure("leaf", ROUNDS, |_| {
        black_box(affiant_proof::claims::leaf(black_box(&a), &b, &c));
    });
    let frame = affiant_proof::entry::encode::frame(0, &[0; 16], &[0; 12], 81, 70);
    let mut entry = frame.to_vec();
    entry.push(4);
    entry.resize(44 + 81 + 70, 0);
    measure("parse an entry", ROUNDS, |_| {
        black_box(EntryView::parse(black_box(&entry)).is_ok());
    });
}
