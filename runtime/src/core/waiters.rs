//! Who waits for what, and when the core is to see to it.
//!
//! Invariants
//! * Every waiter hears exactly once: it is so, it is invalid, or the node has failed.
//! * A waiter registered after its transaction was committed, or durable, hears at once: the check and
//!   the insertion share a lock with the core's resolution, which follows the move of either point.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Instant;

use affiant_kv::{ReceiptParts, Store, TxStatus};
use affiant_proof::TxId;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::limits::WAITERS_COUNT_MAX;

/// How a wait for commit ended.
///
/// ```
/// use affiant::node::{Node, NodeSettings};
/// use affiant::{CommitNotice, CommitOutcome, MapName};
///
/// let node = Node::start(NodeSettings::in_memory())?;
/// let mut tx = node.begin();
/// tx.put(&MapName::new("notes")?, b"7", b"first")?;
/// let CommitOutcome::Sequenced(txid) = node.commit(tx) else { panic!("nobody else writes") };
/// let notice = node.wait_committed_blocking(txid);
/// assert!(matches!(notice, CommitNotice::Committed { .. }));
/// node.shutdown()?;
/// # Ok::<(), affiant::RuntimeError>(())
/// ```
#[derive(Clone, Debug)]
pub enum CommitNotice {
    /// The transaction is final and durable.
    Committed {
        /// Its receipt, where it was asked for before the commit; ask [`crate::node::Node::receipt`]
        /// otherwise.
        receipt: Option<Arc<ReceiptParts>>,
    },
    /// Another transaction has its number: it never was.
    Invalid,
    /// The node has failed or stopped; what became of the transaction is not known here.
    Failed(String),
}

/// How a wait for durability ended.
///
/// ```
/// use affiant::node::{Node, NodeSettings};
/// use affiant::{CommitOutcome, DurableNotice, MapName};
///
/// let node = Node::start(NodeSettings::in_memory())?;
/// let mut tx = node.begin();
/// tx.put(&MapName::new("notes")?, b"7", b"first")?;
/// let CommitOutcome::Sequenced(txid) = node.commit(tx) else { panic!("nobody else writes") };
/// assert_eq!(node.wait_durable_blocking(txid), DurableNotice::Durable);
/// node.shutdown()?;
/// # Ok::<(), affiant::RuntimeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DurableNotice {
    /// The transaction is synced: no restart loses it.
    Durable,
    /// Another transaction has its number: it never was.
    Invalid,
    /// The node has failed or stopped; what became of the transaction is not known here.
    Failed(String),
}

impl From<CommitNotice> for DurableNotice {
    fn from(notice: CommitNotice) -> Self {
        match notice {
            CommitNotice::Committed { .. } => Self::Durable,
            CommitNotice::Invalid => Self::Invalid,
            CommitNotice::Failed(reason) => Self::Failed(reason),
        }
    }
}

/// What somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitFor {
    /// It is synced: no restart loses it. The notice is that of a commit, without a receipt.
    Durable,
    /// It is synced and signed.
    Committed {
        /// The notice is to bring the receipt.
        receipt: bool,
    },
}

/// When the core is to see to a new waiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// It knows, or has nothing to do.
    No,
    /// Now: this is the first waiter, or the last that was hoped for.
    Now,
    /// Then at the latest: until then others may come, to share what it costs.
    By(Instant),
}

/// Where the notice goes.
pub(crate) enum Reply {
    /// To an asynchronous task.
    Task(oneshot::Sender<CommitNotice>),
    /// To a thread that waits for it.
    Thread(SyncSender<CommitNotice>),
}

impl Reply {
    /// Whoever hung up does not want to know.
    fn send(self, notice: CommitNotice) {
        match self {
            Self::Task(sender) => drop(sender.send(notice)),
            Self::Thread(sender) => drop(sender.try_send(notice)),
        }
    }

    fn is_closed(&self) -> bool {
        matches!(self, Self::Task(sender) if sender.is_closed())
    }
}

struct Waiter {
    txid: TxId,
    want_receipt: bool,
    reply: Reply,
}

#[derive(Default)]
struct State {
    for_commit: BTreeMap<u64, Vec<Waiter>>,
    for_durability: BTreeMap<u64, Vec<Waiter>>,
    /// Everything up to this seqno is durable.
    durable: u64,
    /// As many waiters as the core hopes for before it sees to them, and until when it hopes.
    expected: usize,
    hopes_until: Option<Instant>,
    failed: Option<String>,
}

#[derive(Default)]
pub(crate) struct Waiters {
    state: Mutex<State>,
    count: AtomicUsize,
    /// Those among them who wait for commit.
    commit_count: AtomicUsize,
}

impl Waiters {
    /// Says how many waiters the core hopes for, and until when.
    pub(crate) fn expect(&self, count: usize, until: Instant) {
        let mut state = self.state.lock();
        (state.expected, state.hopes_until) = (count, Some(until));
    }

    /// Adds a waiter.
    pub(crate) fn register(
        &self,
        store: &Store,
        txid: TxId,
        wait_for: WaitFor,
        reply: Reply,
    ) -> Wake {
        let mut state = self.state.lock();
        let durable = wait_for == WaitFor::Durable && txid.seqno <= state.durable;
        let settled = match (store.status(txid), &state.failed) {
            (TxStatus::Committed, _) => Some(CommitNotice::Committed { receipt: None }),
            (TxStatus::Invalid, _) => Some(CommitNotice::Invalid),
            (TxStatus::Pending, _) if durable => Some(CommitNotice::Committed { receipt: None }),
            (_, Some(reason)) => Some(CommitNotice::Failed(reason.clone())),
            _ if self.count() >= WAITERS_COUNT_MAX => {
                Some(CommitNotice::Failed("too many requests wait for commit".to_owned()))
            }
            _ => None,
        };
        if let Some(notice) = settled {
            drop(state);
            reply.send(notice);
            return Wake::No;
        }
        let (waiting, want_receipt) = match wait_for {
            WaitFor::Durable => (&mut state.for_durability, false),
            WaitFor::Committed { receipt } => {
                self.commit_count.fetch_add(1, Ordering::AcqRel);
                (&mut state.for_commit, receipt)
            }
        };
        waiting.entry(txid.seqno).or_default().push(Waiter { txid, want_receipt, reply });
        let count = self.count.fetch_add(1, Ordering::AcqRel) + 1;
        match state.hopes_until {
            _ if count == state.expected => Wake::Now,
            Some(until) if count == 1 && count < state.expected => Wake::By(until),
            _ if count == 1 => Wake::Now,
            _ => Wake::No,
        }
    }

    /// How many wait.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Whether anybody waits for commit, and not for durability alone.
    pub(crate) fn want_commit(&self) -> bool {
        self.commit_count.load(Ordering::Acquire) > 0
    }

    /// Tells everyone who waits for durability at or below `seqno`.
    pub(crate) fn resolve_durable(&self, store: &Store, seqno: u64) {
        let mut state = self.state.lock();
        state.durable = seqno;
        let settled = settled(&mut state.for_durability, seqno);
        drop(state);
        for waiter in settled {
            self.count.fetch_sub(1, Ordering::AcqRel);
            let notice = match store.status(waiter.txid) {
                TxStatus::Invalid | TxStatus::Unknown => CommitNotice::Invalid,
                TxStatus::Pending | TxStatus::Committed => {
                    CommitNotice::Committed { receipt: None }
                }
            };
            waiter.reply.send(notice);
        }
    }

    /// Tells everyone who waits for commit at or below `committed`, after the store's commit point has
    /// moved there.
    pub(crate) fn resolve(
        &self,
        store: &Store,
        committed: TxId,
        mut receipt: impl FnMut(u64) -> Option<ReceiptParts>,
    ) {
        if !self.want_commit() {
            return;
        }
        let settled = settled(&mut self.state.lock().for_commit, committed.seqno);
        for waiter in settled {
            self.count.fetch_sub(1, Ordering::AcqRel);
            self.commit_count.fetch_sub(1, Ordering::AcqRel);
            if waiter.reply.is_closed() {
                continue;
            }
            let notice = if store.status(waiter.txid) == TxStatus::Committed {
                let wanted = waiter.want_receipt;
                let receipt = wanted.then(|| receipt(waiter.txid.seqno)).flatten().map(Arc::new);
                CommitNotice::Committed { receipt }
            } else {
                CommitNotice::Invalid
            };
            waiter.reply.send(notice);
        }
    }

    /// Tells everyone, now and later, that the node has failed.
    pub(crate) fn fail(&self, reason: &str) {
        let mut state = self.state.lock();
        state.failed.get_or_insert_with(|| reason.to_owned());
        let for_commit = core::mem::take(&mut state.for_commit);
        let for_durability = core::mem::take(&mut state.for_durability);
        drop(state);
        self.commit_count.fetch_sub(for_commit.values().map(Vec::len).sum(), Ordering::AcqRel);
        for waiter in for_commit.into_values().chain(for_durability.into_values()).flatten() {
            self.count.fetch_sub(1, Ordering::AcqRel);
            waiter.reply.send(CommitNotice::Failed(reason.to_owned()));
        }
    }

    /// The first failure.
    pub(crate) fn failed(&self) -> Option<String> {
        self.state.lock().failed.clone()
    }
}

/// Takes out those at or below `seqno`.
fn settled(
    waiting: &mut BTreeMap<u64, Vec<Waiter>>,
    seqno: u64,
) -> impl Iterator<Item = Waiter> + use<> {
    let later = waiting.split_off(&(seqno + 1));
    core::mem::replace(waiting, later).into_values().flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::time::Duration;

    use super::*;

    const COMMITTED: WaitFor = WaitFor::Committed { receipt: true };

    fn register(
        waiters: &Waiters,
        store: &Store,
        seqno: u64,
        wait_for: WaitFor,
    ) -> (oneshot::Receiver<CommitNotice>, Wake) {
        let (sender, receiver) = oneshot::channel();
        let txid = TxId::new(2, seqno);
        (receiver, waiters.register(store, txid, wait_for, Reply::Task(sender)))
    }

    #[test]
    fn every_waiter_hears_once() {
        let store = Store::new();
        let waiters = Waiters::default();
        let (mut first, wake) = register(&waiters, &store, 5, COMMITTED);
        assert_eq!(wake, Wake::Now);
        let (mut second, wake) = register(&waiters, &store, 9, COMMITTED);
        assert_eq!(wake, Wake::No);
        assert!(first.try_recv().is_err());
        // The store has committed nothing, so what is resolved below the point is invalid.
        waiters.resolve(&store, TxId::new(2, 5), |_| None);
        assert!(matches!(first.try_recv().unwrap(), CommitNotice::Invalid));
        assert!(second.try_recv().is_err());
        assert_eq!(waiters.count(), 1);
        waiters.fail("the disk is full");
        let notice = second.try_recv().unwrap();
        assert!(matches!(notice, CommitNotice::Failed(why) if why.contains("full")));
        let (mut late, wake) = register(&waiters, &store, 10, COMMITTED);
        assert!(wake == Wake::No && waiters.count() == 0 && !waiters.want_commit());
        assert!(matches!(late.try_recv().unwrap(), CommitNotice::Failed(_)));
    }

    #[test]
    fn who_waits_for_durability_alone_hears_before_the_commit() {
        let store = Store::new();
        let waiters = Waiters::default();
        let (mut durable, _) = register(&waiters, &store, 5, WaitFor::Durable);
        assert!(!waiters.want_commit());
        let (mut committed, _) = register(&waiters, &store, 5, COMMITTED);
        assert!(waiters.want_commit());
        waiters.resolve_durable(&store, 4);
        assert!(durable.try_recv().is_err());
        waiters.resolve_durable(&store, 5);
        // The store never heard of it.
        assert!(matches!(durable.try_recv().unwrap(), CommitNotice::Invalid));
        assert!(committed.try_recv().is_err());
        assert_eq!(waiters.count(), 1);
        waiters.fail("the disk is full");
        assert!(matches!(committed.try_recv().unwrap(), CommitNotice::Failed(_)));
    }

    #[test]
    fn the_core_is_woken_by_the_first_and_by_the_last_it_hopes_for() {
        let store = Store::new();
        let waiters = Waiters::default();
        let until = Instant::now() + Duration::from_secs(3_600);
        let wakes = |expected: usize| {
            waiters.expect(expected, until);
            let wakes = (1..=4).map(|seqno| register(&waiters, &store, seqno, COMMITTED).1);
            let wakes: Vec<Wake> = wakes.collect();
            waiters.resolve(&store, TxId::new(2, 4), |_| None);
            wakes
        };
        assert_eq!(wakes(3), [Wake::By(until), Wake::No, Wake::Now, Wake::No]);
        assert_eq!(wakes(1), [Wake::Now, Wake::No, Wake::No, Wake::No]);
        assert_eq!(wakes(0), [Wake::Now, Wake::No, Wake::No, Wake::No]);
    }

    #[test]
    fn who_hung_up_is_passed_over() {
        let store = Store::new();
        let waiters = Waiters::default();
        drop(register(&waiters, &store, 5, COMMITTED));
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let alone = WaitFor::Committed { receipt: false };
        waiters.register(&store, TxId::new(2, 5), alone, Reply::Thread(sender));
        let mut receipts = 0;
        waiters.resolve(&store, TxId::new(2, 6), |_| {
            receipts += 1;
            None
        });
        assert!(matches!(receiver.recv().unwrap(), CommitNotice::Invalid));
        assert_eq!((waiters.count(), receipts), (0, 0));
    }
}
