//! The replica: a pure state machine that joins store, history, ledger and consensus.

mod event;
mod receipt;

use std::sync::Arc;

use affiant_proof::TxId;
use affiant_proof::merkle::MerklePath;

use crate::commit::SealedQueue;
use crate::disk::Disk;
use crate::error::KvError;
use crate::ledger::LedgerIndex;
use crate::seal::{Sealer, Signer};
use crate::store::Store;

pub use event::{DiskBatch, DiskOp, Effects, Event, ReplicaConfig, SignedRoot};
pub use receipt::ReceiptParts;

/// What [`Replica::recover`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovered {
    /// Entries in the ledger, all verified.
    pub entries: u64,
    /// The last of them; 0.0 in an empty ledger.
    pub last: TxId,
    /// The last signature among them; 0.0 if there is none.
    pub last_signature: TxId,
    /// Bytes of an unsynced tail that were cut.
    pub cut_bytes: u64,
    /// Where they were cut: the file and its new size.
    pub cut_at: Option<(String, u64)>,
}

/// One node's share in the service: everything between a sealed entry and its commit.
pub struct Replica {
    index: Arc<LedgerIndex>,
}

impl Replica {
    /// Starts a new service on an empty ledger directory. The first transaction pushed is its first
    /// entry, 2.1 with a view offset of 1. The effects must be performed before anything else.
    ///
    /// # Errors
    /// The consensus engine refuses the configuration.
    pub fn create(
        _config: ReplicaConfig,
        _store: Arc<Store>,
        _queue: Arc<SealedQueue>,
        _sealer: Arc<dyn Sealer>,
        _signer: Box<dyn Signer>,
    ) -> Result<(Self, Effects), KvError> {
        Err(KvError::Consensus("the replica is not built yet".to_owned()))
    }

    /// Resumes from the data directory: verifies and replays the ledger into `store`, cuts an unsynced
    /// tail, and opens the next view with a signature entry. `progress` hears of bytes done and all.
    ///
    /// # Errors
    /// [`KvError::Damaged`] with file and offset for anything this node did not write, or that was
    /// changed since; or as the disk says.
    pub fn recover(
        _config: ReplicaConfig,
        _disk: &mut dyn Disk,
        _store: Arc<Store>,
        _queue: Arc<SealedQueue>,
        _sealer: Arc<dyn Sealer>,
        _signer: Box<dyn Signer>,
        _progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(Self, Effects, Recovered), KvError> {
        Err(KvError::Consensus("the replica is not built yet".to_owned()))
    }

    /// Takes one event in, and adds to `effects` what the host must do.
    pub fn step(&mut self, _event: Event, _effects: &mut Effects) {}

    /// When the next [`Event::Tick`] matters, on its clock; `None` while nothing waits for time.
    #[must_use]
    pub fn next_due_ms(&self) -> Option<u64> {
        None
    }

    /// The path of the entry at `seqno` to a root that the last step reported as committed.
    #[must_use]
    pub fn path_for(&self, _seqno: u64, _root: &SignedRoot) -> Option<MerklePath> {
        None
    }

    /// The receipt of the entry at `seqno`, if the last step reported its commit by `root`. Later it
    /// is to be had from a [`crate::LedgerReader`].
    #[must_use]
    pub fn receipt_for(&self, _seqno: u64, _root: &Arc<SignedRoot>) -> Option<ReceiptParts> {
        None
    }

    /// Where entries lie in the chunk files, for [`crate::LedgerReader`]s on other threads.
    #[must_use]
    pub fn reader_index(&self) -> Arc<LedgerIndex> {
        self.index.clone()
    }
}
