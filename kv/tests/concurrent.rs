//! Many threads, one store, one core: no number is lost, no update is lost, everything is committed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use affiant_kv::{
    CommitOutcome, Committer, Effects, Event, MapName, MemDisk, Replica, ReplicaConfig,
    SealedQueue, Store, Tx, Value,
};
use common::{Keys, Node};

const THREADS: u64 = 4;
const ROUNDS: u64 = 150;

/// Runs a core until `done` and nothing is left to commit.
fn core(
    mut replica: Replica,
    mut effects: Effects,
    mut disk: MemDisk,
    queue: &SealedQueue,
    done: &AtomicBool,
) {
    let start = Instant::now();
    while !(done.load(Ordering::Acquire) && replica.is_idle()) {
        let now_ms = start.elapsed().as_millis() as u64;
        replica.step(Event::Tick { now_ms, unix_s: 1_700_000_000 }, &mut effects);
        replica.step(Event::Entries(queue.drain()), &mut effects);
        replica.step(Event::CommitWanted, &mut effects);
        for batch in core::mem::take(&mut effects.disk) {
            batch.perform(&mut disk).unwrap();
            replica.step(Event::Synced { batch: batch.id }, &mut effects);
        }
        effects.committed.clear();
        assert_eq!(effects.poisoned, None);
        queue.wait(Duration::from_millis(1));
    }
}

/// Adds one to a counter that all threads share, and writes an entry of its own.
fn work(committer: &Committer, thread: u64) {
    let (shared, own) = (MapName::new("public:shared").unwrap(), MapName::new("own").unwrap());
    for round in 0..ROUNDS {
        loop {
            let mut tx = committer.begin();
            let seen = tx.get(&shared, b"counter");
            let count = seen.map_or(0, |bytes| u64::from_le_bytes(bytes[..].try_into().unwrap()));
            tx.put(&shared, b"counter", &(count + 1).to_le_bytes()).unwrap();
            tx.put(&own, format!("{thread}.{round}").as_bytes(), b"done").unwrap();
            match committer.commit(tx) {
                CommitOutcome::Sequenced(_) => break,
                CommitOutcome::Conflict => {}
                CommitOutcome::TooManyPending => std::thread::yield_now(),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn p03_no_update_is_lost_between_threads_and_a_restart_finds_them_all() {
    let (keys, disk) = (Keys::new(), MemDisk::new());
    let (store, queue) = (Store::new(), Arc::new(SealedQueue::default()));
    store.set_uncommitted_count_max(64);
    let config = ReplicaConfig { chunk_bytes: 20_000, ..ReplicaConfig::default() };
    let (replica, effects) =
        Replica::create(config.clone(), store.clone(), queue.clone(), keys.sealer(), keys.signer())
            .unwrap();
    let committer = Committer::new(store.clone(), keys.sealer(), queue.clone());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let core = scope.spawn(|| core(replica, effects, disk.clone(), &queue, &done));
        let workers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let committer = &committer;
                scope.spawn(move || work(committer, thread))
            })
            .collect();
        for worker in workers {
            worker.join().unwrap();
        }
        done.store(true, Ordering::Release);
        queue.wake();
        core.join().unwrap();
    });
    assert_eq!(store.committed(), store.last());
    let expected = (THREADS * ROUNDS).to_le_bytes();
    assert_eq!(store.snapshot().get("public:shared", b"counter").as_deref(), Some(&expected[..]));

    let (again, recovered) = Node::recover(config, disk, keys).unwrap();
    assert_eq!(recovered.last, store.last());
    let snapshot = again.store().snapshot();
    assert_eq!(snapshot.get("public:shared", b"counter").as_deref(), Some(&expected[..]));
    assert_eq!(snapshot.entries("own").count() as u64, THREADS * ROUNDS);
}

/// Governance and an application's table change under readers that rely on what they once read of
/// governance: whatever stands is of one state, and none older than what was acknowledged before.
#[test]
fn p03_what_is_relied_on_and_what_is_read_are_of_one_state_that_is_not_old() {
    let (keys, queue, store) = (Keys::new(), Arc::new(SealedQueue::default()), Store::new());
    let (config, doors) = (ReplicaConfig::default(), (store.clone(), queue.clone()));
    let (replica, effects) =
        Replica::create(config, doors.0, doors.1, keys.sealer(), keys.signer()).unwrap();
    let committer = Committer::new(store, keys.sealer(), queue.clone());
    let (done, written) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let core = scope.spawn(|| core(replica, effects, MemDisk::new(), &queue, &done));
        let writer = scope.spawn(|| {
            for round in 1..=ROUNDS_OF_TWO {
                while !write_round(&committer, round) {
                    std::thread::yield_now();
                }
                written.store(round, Ordering::Release);
            }
        });
        let readers: Vec<_> = [false, true]
            .map(|writes| {
                let (committer, written, done) = (&committer, &written, &done);
                scope.spawn(move || rely(committer, written, done, writes))
            })
            .into();
        writer.join().unwrap();
        done.store(true, Ordering::Release);
        queue.wake();
        core.join().unwrap();
        for reader in readers {
            assert!(reader.join().unwrap() > 0);
        }
    });
}

const ROUNDS_OF_TWO: u64 = 2_000;

fn tables() -> (MapName, MapName) {
    (MapName::new("public:ccf.gov.round").unwrap(), MapName::new("round").unwrap())
}

fn number(value: Option<Value>) -> u64 {
    value.map_or(0, |bytes| u64::from_le_bytes(bytes[..].try_into().unwrap()))
}

/// Governance changes with every fourth round only, to the application's number.
fn write_round(committer: &Committer, round: u64) -> bool {
    let (governance, application) = tables();
    let mut tx = committer.begin();
    if round.is_multiple_of(4) {
        tx.put(&governance, b"key", &round.to_le_bytes()).unwrap();
    }
    tx.put(&application, b"key", &round.to_le_bytes()).unwrap();
    stands(committer, tx)
}

/// How many of its transactions stood.
fn rely(committer: &Committer, written: &AtomicU64, done: &AtomicBool, writes: bool) -> u64 {
    let (governance, application) = tables();
    let (mut stood, mut known) = (0, None);
    while !done.load(Ordering::Acquire) || stood == 0 {
        let before = written.load(Ordering::Acquire);
        let mut tx = committer.begin();
        let (reads, seen) = known.get_or_insert_with(|| {
            let mut first = committer.begin();
            let seen = number(first.get(&governance, b"key"));
            (first.reads().unwrap(), seen)
        });
        tx.rely_on(reads.clone());
        let newer = number(tx.get(&application, b"key"));
        assert!(newer >= before, "the application's table is old");
        if writes {
            tx.put(&application, b"own", b"written").unwrap();
        }
        if stands(committer, tx) {
            assert_eq!(*seen, newer - newer % 4, "of two states");
            stood += 1;
        } else {
            known = None;
        }
    }
    stood
}

fn stands(committer: &Committer, tx: Tx) -> bool {
    match committer.commit(tx) {
        CommitOutcome::Sequenced(_) | CommitOutcome::ReadOnly(Some(_)) => true,
        CommitOutcome::Conflict | CommitOutcome::TooManyPending => false,
        other => panic!("{other:?}"),
    }
}
