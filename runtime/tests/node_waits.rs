//! Waiting for a transaction: durable or committed, alone or with others, on a disk that fails.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::ThreadId;
use std::time::Duration;

use affiant::node::{Node, NodeSettings, StartMode, Storage};
use affiant::{CommitNotice, CommitOutcome, DurableNotice, MapName, TxId, TxStatus};
use affiant_kv::{Disk, DiskError, DiskResult, MemDisk};
use parking_lot::Mutex;

/// A disk in memory that remembers which thread synced last, and fails when told to.
#[derive(Clone, Default)]
struct Watched {
    inner: MemDisk,
    facts: Arc<Facts>,
}

#[derive(Default)]
struct Facts {
    synced_by: Mutex<Option<ThreadId>>,
    syncs: AtomicU64,
    fails: AtomicBool,
}

impl Disk for Watched {
    fn create_dir(&mut self, path: &str) -> DiskResult<()> {
        self.inner.create_dir(path)
    }
    fn create(&mut self, path: &str) -> DiskResult<()> {
        self.inner.create(path)
    }
    fn append(&mut self, path: &str, bytes: &[u8]) -> DiskResult<()> {
        self.inner.append(path, bytes)
    }
    fn write_at(&mut self, path: &str, offset: u64, bytes: &[u8]) -> DiskResult<()> {
        self.inner.write_at(path, offset, bytes)
    }
    fn read_at(&self, path: &str, offset: u64, length: usize) -> DiskResult<Vec<u8>> {
        self.inner.read_at(path, offset, length)
    }
    fn size(&self, path: &str) -> DiskResult<u64> {
        self.inner.size(path)
    }
    fn truncate(&mut self, path: &str, size: u64) -> DiskResult<()> {
        self.inner.truncate(path, size)
    }
    fn sync(&mut self, path: &str) -> DiskResult<()> {
        if self.facts.fails.load(Ordering::Acquire) {
            return Err(DiskError::new("sync", path, "the disk is gone"));
        }
        *self.facts.synced_by.lock() = Some(std::thread::current().id());
        self.facts.syncs.fetch_add(1, Ordering::AcqRel);
        self.inner.sync(path)
    }
    fn rename(&mut self, from: &str, to: &str) -> DiskResult<()> {
        self.inner.rename(from, to)
    }
    fn sync_dir(&mut self, path: &str) -> DiskResult<()> {
        self.inner.sync_dir(path)
    }
    fn list(&self, path: &str) -> DiskResult<Vec<String>> {
        self.inner.list(path)
    }
    fn remove(&mut self, path: &str) -> DiskResult<()> {
        self.inner.remove(path)
    }
}

/// A node that signs for waiters only, its settings to start it again, and its disk's facts.
fn node() -> (Arc<Node>, NodeSettings, Arc<Facts>) {
    let disk = Watched::default();
    let facts = disk.facts.clone();
    let mut settings = NodeSettings::in_memory();
    settings.storage =
        Storage::Custom(Arc::new(move || Ok(Box::new(disk.clone()) as Box<dyn Disk>)));
    settings.start = StartMode::ResumeOrNew;
    settings.signature_delay_ms = 3_600_000;
    (Node::start(settings.clone()).unwrap(), settings, facts)
}

fn write(node: &Node, key: u64) -> TxId {
    let mut tx = node.begin();
    tx.put(&MapName::new("records").unwrap(), &key.to_le_bytes(), b"value").unwrap();
    match node.commit(tx) {
        CommitOutcome::Sequenced(txid) => txid,
        other => panic!("not sequenced: {other:?}"),
    }
}

fn is_committed(notice: &CommitNotice) -> bool {
    matches!(notice, CommitNotice::Committed { .. })
}

#[test]
fn what_is_durable_is_there_after_a_crash_though_no_signature_covered_it() {
    let (node, settings, facts) = node();
    let signatures = node.metrics().signatures;
    let mut last = TxId::default();
    for key in 0..20 {
        last = write(&node, key);
        let syncs = facts.syncs.load(Ordering::Acquire);
        assert_eq!(node.wait_durable_blocking(last), DurableNotice::Durable);
        assert!(facts.syncs.load(Ordering::Acquire) > syncs, "{last} was synced while we waited");
        assert_eq!(node.wait_durable_blocking(last), DurableNotice::Durable, "still");
    }
    assert_eq!(node.metrics().signatures, signatures);
    assert_eq!(node.store().status(last), TxStatus::Pending);
    // Without a shutdown: as a power failure would.
    drop(node);
    let node = Node::start(settings).unwrap();
    assert_eq!(node.store().status(last), TxStatus::Committed);
    for key in 0..20_u64 {
        assert!(node.snapshot().get("records", &key.to_le_bytes()).is_some(), "{key}");
    }
    node.shutdown().unwrap();
}

#[test]
fn a_commit_is_durable_and_durability_becomes_a_commit() {
    let (node, _, _) = node();
    let first = write(&node, 1);
    assert!(is_committed(&node.wait_committed_blocking(first)));
    assert_eq!(node.wait_durable_blocking(first), DurableNotice::Durable);
    let second = write(&node, 2);
    assert_eq!(node.wait_durable_blocking(second), DurableNotice::Durable);
    assert!(is_committed(&node.wait_committed_blocking(second)));
    let elsewhere = TxId::new(second.view + 1, second.seqno);
    assert_eq!(node.wait_durable_blocking(elsewhere), DurableNotice::Invalid);
    let never = TxId::new(second.view, second.seqno + 1_000);
    assert_eq!(node.wait_durable_for(never, Duration::from_millis(1)), None);
    node.shutdown().unwrap();
    let after = node.wait_durable_blocking(never);
    assert!(matches!(after, DurableNotice::Failed(_)), "{after:?}");
}

#[test]
fn a_thread_that_waits_alone_does_the_work_itself() {
    let (node, _, facts) = node();
    let own = Some(std::thread::current().id());
    // The core's own thread may be quicker now and then.
    let helped = (0..10_000).any(|key| {
        let txid = write(&node, key);
        assert!(is_committed(&node.wait_committed_for(txid, Duration::from_secs(600)).unwrap()));
        *facts.synced_by.lock() == own
    });
    assert!(helped);
    // Who has little patience does not run into a disk that hangs.
    for key in 0..50 {
        let txid = write(&node, key);
        *facts.synced_by.lock() = None;
        while node.wait_durable_for(txid, Duration::from_millis(100)).is_none() {}
        assert_ne!(*facts.synced_by.lock(), own);
    }
    node.shutdown().unwrap();
}

#[test]
fn threads_that_wait_for_this_and_that_all_hear() {
    let (node, settings, _) = node();
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let node = &node;
            scope.spawn(move || {
                for round in 0..100 {
                    let txid = write(node, thread * 1_000 + round);
                    match (thread + round) % 4 {
                        0 => assert!(is_committed(&node.wait_committed_blocking(txid))),
                        1 => {
                            let receiver = node.wait_committed(txid, true);
                            assert!(is_committed(&receiver.blocking_recv().unwrap()));
                        }
                        _ => {
                            assert_eq!(node.wait_durable_blocking(txid), DurableNotice::Durable);
                        }
                    }
                }
            });
        }
    });
    drop(node);
    let node = Node::start(settings).unwrap();
    let records = MapName::new("records").unwrap();
    assert_eq!(node.begin().len(&records), 800);
    node.shutdown().unwrap();
}

#[test]
fn a_disk_that_fails_under_a_waiter_fails_the_node_and_not_the_thread() {
    let (node, settings, facts) = node();
    let safe = write(&node, 1);
    assert_eq!(node.wait_durable_blocking(safe), DurableNotice::Durable);
    facts.fails.store(true, Ordering::Release);
    let doomed = write(&node, 2);
    let DurableNotice::Failed(reason) = node.wait_durable_blocking(doomed) else {
        panic!("durable without a disk")
    };
    assert!(reason.contains("the disk is gone"), "{reason}");
    assert_eq!(node.wait_durable_blocking(doomed), DurableNotice::Failed(reason));
    assert!(node.shutdown().is_err());
    drop(node);
    facts.fails.store(false, Ordering::Release);
    let node = Node::start(settings).unwrap();
    assert_eq!(node.store().status(safe), TxStatus::Committed);
    node.shutdown().unwrap();
}
