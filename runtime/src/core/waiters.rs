//! Who waits for the commit of what.
//!
//! Invariants
//! * Every waiter hears exactly once: committed, invalid, or failed.
//! * A waiter registered after its transaction was committed hears at once: the check and the
//!   insertion share a lock with the core's resolution, which follows the move of the commit point.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;

use affiant_kv::{ReceiptParts, Store, TxStatus};
use affiant_proof::TxId;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::limits::WAITERS_COUNT_MAX;

/// How a wait for commit ended.
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
    by_seqno: BTreeMap<u64, Vec<Waiter>>,
    failed: Option<String>,
}

#[derive(Default)]
pub(crate) struct Waiters {
    state: Mutex<State>,
    count: AtomicUsize,
    /// As many waiters as the core hopes for before it signs.
    expected: AtomicUsize,
}

impl Waiters {
    /// Says how many waiters the core hopes for.
    pub(crate) fn expect(&self, count: usize) {
        self.expected.store(count, Ordering::Release);
    }

    /// Adds a waiter. Returns whether the core must be woken: it is the first, or the last that was
    /// hoped for.
    pub(crate) fn register(
        &self,
        store: &Store,
        txid: TxId,
        want_receipt: bool,
        reply: Reply,
    ) -> bool {
        let mut state = self.state.lock();
        let settled = match (store.status(txid), &state.failed) {
            (TxStatus::Committed, _) => Some(CommitNotice::Committed { receipt: None }),
            (TxStatus::Invalid, _) => Some(CommitNotice::Invalid),
            (_, Some(reason)) => Some(CommitNotice::Failed(reason.clone())),
            _ if self.count() >= WAITERS_COUNT_MAX => {
                Some(CommitNotice::Failed("too many requests wait for commit".to_owned()))
            }
            _ => None,
        };
        if let Some(notice) = settled {
            drop(state);
            reply.send(notice);
            return false;
        }
        let count = self.count.fetch_add(1, Ordering::AcqRel) + 1;
        state.by_seqno.entry(txid.seqno).or_default().push(Waiter { txid, want_receipt, reply });
        count == 1 || count == self.expected.load(Ordering::Acquire)
    }

    /// How many wait.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Tells everyone at or below `committed`, after the store's commit point has moved there.
    pub(crate) fn resolve(
        &self,
        store: &Store,
        committed: TxId,
        mut receipt: impl FnMut(u64) -> Option<ReceiptParts>,
    ) {
        if self.count() == 0 {
            return;
        }
        let mut state = self.state.lock();
        let later = state.by_seqno.split_off(&(committed.seqno + 1));
        let settled = core::mem::replace(&mut state.by_seqno, later);
        drop(state);
        for waiter in settled.into_values().flatten() {
            self.count.fetch_sub(1, Ordering::AcqRel);
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
        let all = core::mem::take(&mut state.by_seqno);
        drop(state);
        for waiter in all.into_values().flatten() {
            self.count.fetch_sub(1, Ordering::AcqRel);
            waiter.reply.send(CommitNotice::Failed(reason.to_owned()));
        }
    }

    /// The first failure.
    pub(crate) fn failed(&self) -> Option<String> {
        self.state.lock().failed.clone()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn register(
        waiters: &Waiters,
        store: &Store,
        seqno: u64,
    ) -> (oneshot::Receiver<CommitNotice>, bool) {
        let (sender, receiver) = oneshot::channel();
        let first = waiters.register(store, TxId::new(2, seqno), true, Reply::Task(sender));
        (receiver, first)
    }

    #[test]
    fn every_waiter_hears_once() {
        let store = Store::new();
        let waiters = Waiters::default();
        let (mut first, woke) = register(&waiters, &store, 5);
        assert!(woke);
        let (mut second, woke) = register(&waiters, &store, 9);
        assert!(!woke);
        assert!(first.try_recv().is_err());
        // The store has committed nothing, so what is resolved below the point is invalid.
        waiters.resolve(&store, TxId::new(2, 5), |_| None);
        assert!(matches!(first.try_recv().unwrap(), CommitNotice::Invalid));
        assert!(second.try_recv().is_err());
        assert_eq!(waiters.count(), 1);
        waiters.fail("the disk is full");
        let notice = second.try_recv().unwrap();
        assert!(matches!(notice, CommitNotice::Failed(why) if why.contains("full")));
        let (mut late, woke) = register(&waiters, &store, 10);
        assert!(!woke && waiters.count() == 0);
        assert!(matches!(late.try_recv().unwrap(), CommitNotice::Failed(_)));
    }

    #[test]
    fn the_core_is_woken_by_the_first_and_by_the_last_it_hopes_for() {
        let store = Store::new();
        let waiters = Waiters::default();
        waiters.expect(3);
        let woke: Vec<bool> = (1..=4).map(|seqno| register(&waiters, &store, seqno).1).collect();
        assert_eq!(woke, [true, false, true, false]);
    }

    #[test]
    fn who_hung_up_is_passed_over() {
        let store = Store::new();
        let waiters = Waiters::default();
        drop(register(&waiters, &store, 5));
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        waiters.register(&store, TxId::new(2, 5), false, Reply::Thread(sender));
        let mut receipts = 0;
        waiters.resolve(&store, TxId::new(2, 6), |_| {
            receipts += 1;
            None
        });
        assert!(matches!(receiver.recv().unwrap(), CommitNotice::Invalid));
        assert_eq!((waiters.count(), receipts), (0, 0));
    }
}
