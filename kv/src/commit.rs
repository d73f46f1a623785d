//! From a finished transaction to a place in the queue of the core: sequence under the store's
//! short lock, seal and hash outside it, hand over.
//!
//! Invariant: every number taken reaches the queue, or the queue is poisoned: the core never waits
//! for a hole.

use std::cell::RefCell;
use std::sync::Arc;

use affiant_proof::TxId;

use crate::error::KvError;
use crate::limits::GATHERED_ENTRY_BYTES_MAX;
use crate::queue::SealedQueue;
use crate::seal::Sealer;
use crate::store::{Sequenced, Sequencing, Store};
use crate::tx::Tx;

/// How a commit attempt ended. An outcome, not an error.
///
/// ```
#[doc = include_str!("store/example.txt")]
/// use affiant_kv::CommitOutcome;
///
/// let mut tx = committer.begin();
/// tx.put(&notes, b"d", b"fourth").unwrap();
/// match committer.commit(tx) {
///     CommitOutcome::Sequenced(txid) => assert_eq!(txid.to_string(), "2.2"),
///     CommitOutcome::Conflict => println!("run it again"),
///     other => panic!("{other:?}"),
/// }
/// ```
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
        match self.seal_and_queue(&sequenced) {
            Ok(()) => {
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

    fn seal_and_queue(&self, sequenced: &Sequenced) -> Result<(), KvError> {
        thread_local! {
            /// Where this thread's entries are made; their bytes are copied out of it.
            static ROOM: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        // Taken out, so that a sealer that comes here again finds room of its own.
        let mut bytes = ROOM.take();
        let digests = sequenced.seal_into(&*self.sealer, &mut bytes)?;
        self.queue.push_bytes(sequenced.txid, digests, &mut bytes);
        if bytes.capacity() <= GATHERED_ENTRY_BYTES_MAX {
            ROOM.set(bytes);
        }
        Ok(())
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
}
