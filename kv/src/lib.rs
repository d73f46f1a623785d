//! The replicated, provable state: named maps, the ledger that records every write to them, the
//! Merkle history over it, and the replica that joins them.
//!
//! No keys ([`Sealer`] and [`Signer`] are the doors to them), no clock, no network; the disk is a
//! trait. Production and simulator run the same code.
#![forbid(unsafe_code)]

mod commit;
mod consensus;
mod disk;
mod error;
mod history;
mod key;
mod ledger;
pub mod limits;
mod map;
mod name;
mod ordered;
mod queue;
mod recycler;
mod replica;
mod seal;
mod sidecar;
mod store;
mod tree;
mod tx;
mod write_set;

pub use commit::{CommitOutcome, Committer};
pub use disk::{Disk, DiskError, DiskResult, MemDisk, RealDisk};
pub use error::KvError;
pub use key::Key;
pub use ledger::{CommittedEntry, EntryWrites, LedgerIndex, LedgerReader, SignatureEntry};
pub use map::Value;
pub use name::{Category, MapName};
pub use queue::SealedQueue;
pub use replica::{
    DiskBatch, DiskOp, Effects, Event, ReceiptParts, Recovered, Replica, ReplicaConfig, SignedRoot,
};
pub use seal::{KeyError, Sealer, Signer};
pub use store::{Sequenced, Sequencing, Snapshot, Store, TxStatus};
pub use tx::{Reads, Tx};
pub use write_set::{Digests, SealedEntry, commit_evidence};
