//! From a finished transaction to a place in the queue of the core: sequence under the store's
//! short lock, seal and hash outside it, hand over in order.
//!
//! Invariant: every number taken reaches the queue, or the queue is poisoned: the core never waits
//! for a hole.

use std::collections::VecDeque;
use std::sync::Arc;

use affiant_proof::TxId;
use parking_lot::{Condvar, Mutex};
use std::time::Duration;

use crate::error::KvError;
use crate::seal::Sealer;
use crate::store::{Sequencing, Store};
use crate::tx::Tx;
use crate::write_set::SealedEntry;

/// How a commit attempt ended. An outcome, not an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitOutcome {
    /// It has its id and is visible to those who follow; durable once the commit point reaches it.
    Sequenced(TxId),
    /// It wrote nothing; the id of its snapshot, if it read anything.
    ReadOnly(Option<TxId>),
    /// Something it read has changed; run the handler again.
    Conflict,
    /// This node does not sequence transactions now.
    NotPrimary,
    /// Too many transactions wait for commit; try again shortly.
    TooManyPending,
    /// The node has failed and accepts nothing more.
    Poisoned(String),
}

/// Entries on their way to the core, in seqno order. Bounded by the store's bound on uncommitted
/// transactions.
#[derive(Default)]
pub struct SealedQueue {
    state: Mutex<QueueState>,
    wake: Condvar,
}

#[derive(Default)]
struct QueueState {
    /// The seqno of slot 0.
    next: u64,
    slots: VecDeque<Slot>,
    bytes: usize,
    poisoned: Option<String>,
    /// Someone needs the core now.
    urgent: bool,
}

/// What is known of one number.
enum Slot {
    /// Taken, but still being sealed.
    Awaited,
    Sealed(SealedEntry),
    /// A signature has it; the core makes that entry itself.
    Signature,
}

impl Slot {
    fn bytes(&self) -> usize {
        match self {
            Self::Sealed(entry) => entry.bytes.len(),
            Self::Awaited | Self::Signature => 0,
        }
    }
}

/// Queued bytes at which the core is woken at once.
const WAKE_BYTES: usize = 1 << 20;
/// Queued entries at which the core is woken at once.
const WAKE_ENTRIES: usize = 1_024;

impl QueueState {
    fn slot(&mut self, seqno: u64) -> &mut Slot {
        assert!(seqno >= self.next, "a number is queued once");
        let position = (seqno - self.next) as usize;
        if self.slots.len() <= position {
            self.slots.resize_with(position + 1, || Slot::Awaited);
        }
        let slot = &mut self.slots[position];
        assert!(matches!(slot, Slot::Awaited), "a number is queued once");
        slot
    }
}

impl SealedQueue {
    /// Expects the entry at `seqno` next; forgets what is queued.
    pub fn restart(&self, seqno: u64) {
        let mut state = self.state.lock();
        state.next = seqno;
        state.slots.clear();
        state.bytes = 0;
    }

    /// Adds an entry; entries may come out of order, from any thread.
    pub fn push(&self, entry: SealedEntry) {
        let mut state = self.state.lock();
        if state.poisoned.is_some() {
            return;
        }
        state.bytes += entry.bytes.len();
        let first = state.slots.is_empty();
        let seqno = entry.txid.seqno;
        *state.slot(seqno) = Slot::Sealed(entry);
        if first || state.slots.len() >= WAKE_ENTRIES || state.bytes >= WAKE_BYTES {
            drop(state);
            self.wake.notify_one();
        }
    }

    /// Expects no entry at `seqno`: a signature has taken the number.
    pub(crate) fn skip(&self, seqno: u64) {
        let mut state = self.state.lock();
        if state.poisoned.is_none() {
            *state.slot(seqno) = Slot::Signature;
        }
    }

    /// Takes the entries before the first number that is still being sealed.
    pub fn drain(&self) -> Vec<SealedEntry> {
        let mut state = self.state.lock();
        let awaited = state.slots.iter().position(|slot| matches!(slot, Slot::Awaited));
        let rest = awaited.map(|position| state.slots.split_off(position)).unwrap_or_default();
        let ready = core::mem::replace(&mut state.slots, rest);
        state.next += ready.len() as u64;
        state.bytes = state.slots.iter().map(Slot::bytes).sum();
        drop(state);
        let sealed = ready.into_iter().filter_map(|slot| match slot {
            Slot::Sealed(entry) => Some(entry),
            Slot::Awaited | Slot::Signature => None,
        });
        sealed.collect()
    }

    /// Wakes the core at once: somebody waits for commit, or an event came.
    pub fn wake(&self) {
        self.state.lock().urgent = true;
        self.wake.notify_one();
    }

    /// Blocks the core until there is something to do, or for `timeout`. Early answers do not hurry
    /// it: entries gather until there are many, or somebody calls [`Self::wake`].
    pub fn wait(&self, timeout: Duration) {
        let mut state = self.state.lock();
        if !state.urgent && state.slots.len() < WAKE_ENTRIES && state.bytes < WAKE_BYTES {
            self.wake.wait_for(&mut state, timeout);
        }
        state.urgent = false;
    }

    /// Refuses everything from now on; the first reason stays.
    pub fn poison(&self, reason: &str) {
        let mut state = self.state.lock();
        state.poisoned.get_or_insert_with(|| reason.to_owned());
        state.slots.clear();
        state.bytes = 0;
        state.urgent = true;
        drop(state);
        self.wake.notify_one();
    }

    /// Why the queue is poisoned, if it is.
    #[must_use]
    pub fn poisoned(&self) -> Option<String> {
        self.state.lock().poisoned.clone()
    }
}

/// Commits transactions. Cheap to clone, used from any thread.
#[derive(Clone)]
pub struct Committer {
    store: Arc<Store>,
    sealer: Arc<dyn Sealer>,
    queue: Arc<SealedQueue>,
}

impl Committer {
    /// Joins a store, its sealer and the queue of its core.
    #[must_use]
    pub fn new(store: Arc<Store>, sealer: Arc<dyn Sealer>, queue: Arc<SealedQueue>) -> Self {
        Self { store, sealer, queue }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The queue to the core.
    #[must_use]
    pub fn queue(&self) -> &Arc<SealedQueue> {
        &self.queue
    }

    /// Starts a transaction.
    #[must_use]
    pub fn begin(&self) -> Tx {
        self.store.begin()
    }

    /// Sequences, seals and queues `tx`.
    #[must_use]
    pub fn commit(&self, tx: Tx) -> CommitOutcome {
        let sequenced = match self.store.sequence(tx) {
            Sequencing::Done(sequenced) => sequenced,
            Sequencing::ReadOnly(txid) => return CommitOutcome::ReadOnly(txid),
            Sequencing::Conflict => return CommitOutcome::Conflict,
            Sequencing::NotPrimary => {
                return match self.queue.poisoned() {
                    Some(reason) => CommitOutcome::Poisoned(reason),
                    None => CommitOutcome::NotPrimary,
                };
            }
            Sequencing::TooManyPending => {
                self.queue.wake();
                return CommitOutcome::TooManyPending;
            }
        };
        let txid = sequenced.txid;
        let guard = HoleGuard { committer: self, armed: true };
        match sequenced.seal(&*self.sealer) {
            Ok(entry) => {
                self.queue.push(entry);
                guard.disarm();
                CommitOutcome::Sequenced(txid)
            }
            Err(error) => {
                let reason = format!("transaction {txid} could not be sealed: {error}");
                self.fail(&reason);
                guard.disarm();
                CommitOutcome::Poisoned(reason)
            }
        }
    }

    /// Stops the store and the queue for good.
    pub fn fail(&self, reason: &str) {
        self.store.stop_sequencing();
        self.queue.poison(reason);
    }
}

/// Stops everything if sealing unwinds, since the number it was for would leave a hole.
struct HoleGuard<'a> {
    committer: &'a Committer,
    armed: bool,
}

impl HoleGuard<'_> {
    fn disarm(mut self) {
        self.armed = false;
    }
}

impl Drop for HoleGuard<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.committer.fail("sealing a transaction panicked");
        }
    }
}

impl From<KvError> for CommitOutcome {
    fn from(error: KvError) -> Self {
        Self::Poisoned(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use affiant_proof::Digest;

    use super::*;
    use crate::KeyError;
    use crate::name::MapName;

    /// Seals nothing, and fails or panics at one seqno.
    struct Breaking {
        fails_at: u64,
        panics_at: u64,
    }

    impl Sealer for Breaking {
        fn seal(&self, txid: TxId, _aad: &[u8], _: &mut [u8]) -> Result<[u8; 16], KeyError> {
            assert_ne!(txid.seqno, self.panics_at, "the sealer breaks");
            if txid.seqno == self.fails_at { Err(KeyError("no".to_owned())) } else { Ok([0; 16]) }
        }

        fn open(&self, _: TxId, _: &[u8], _: &mut [u8], _: &[u8; 16]) -> Result<(), KeyError> {
            Ok(())
        }

        fn commit_nonce(&self, _: TxId) -> Result<Digest, KeyError> {
            Ok(Digest::ZERO)
        }
    }

    fn committer(fails_at: u64, panics_at: u64) -> Committer {
        let (store, queue) = (Store::new(), Arc::new(SealedQueue::default()));
        queue.restart(1);
        store.open_view(2);
        Committer::new(store, Arc::new(Breaking { fails_at, panics_at }), queue)
    }

    fn write(committer: &Committer) -> CommitOutcome {
        let mut tx = committer.begin();
        tx.put(&MapName::new("records").unwrap(), b"key", b"value").unwrap();
        committer.commit(tx)
    }

    #[test]
    fn a_number_that_is_lost_stops_the_node() {
        for (fails_at, panics_at) in [(2, 0), (0, 2)] {
            let committer = committer(fails_at, panics_at);
            assert!(matches!(write(&committer), CommitOutcome::Sequenced(_)));
            let lost = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| write(&committer)));
            assert!(lost.is_err() == (panics_at == 2));
            assert!(matches!(write(&committer), CommitOutcome::Poisoned(_)));
            assert!(committer.queue().poisoned().is_some() && committer.queue().drain().is_empty());
        }
    }

    #[test]
    fn entries_leave_the_queue_in_order_and_never_past_a_hole() {
        let committer = committer(0, 0);
        let seal = |seqno: u64| {
            let txid = TxId::new(2, seqno);
            crate::write_set::encode(txid, 0, Digest::ZERO, &[], &*committer.sealer).unwrap()
        };
        let queue = committer.queue();
        let drained = || queue.drain().iter().map(|entry| entry.txid.seqno).collect::<Vec<_>>();
        queue.push(seal(2));
        assert!(drained().is_empty());
        queue.skip(3);
        queue.push(seal(5));
        queue.push(seal(1));
        assert_eq!(drained(), [1, 2]);
        queue.push(seal(4));
        assert_eq!(drained(), [4, 5]);
        assert_eq!(queue.state.lock().next, 6);
        assert_eq!(queue.state.lock().bytes, 0);
    }
}
