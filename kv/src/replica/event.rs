//! What goes into [`crate::Replica::step`] and what comes out: plain values.
//!
//! Invariants
//! * Batches are performed whole and in the order of their ids, and acknowledged in that order.
//! * A batch whose operations have all returned is durable as far as its `Sync` operations say.

use std::sync::Arc;

use affiant_proof::{Digest, TxId};
use bytes::Bytes;

use crate::disk::{Disk, DiskError, DiskResult};
use crate::limits;
use crate::write_set::SealedEntry;

/// Where a replica keeps its files and when it signs.
#[derive(Clone, Debug)]
pub struct ReplicaConfig {
    /// Directory of the ledger's chunk files, relative to the disk's root. Nothing else lies there.
    pub ledger_dir: String,
    /// Directory of the consensus record; outside the ledger directory, whose readers refuse
    /// strange files.
    pub state_dir: String,
    /// A chunk ends with the first signature at or beyond this size, in bytes.
    pub chunk_bytes: u64,
    /// Entries after which a signature is due.
    pub signature_entries_max: u64,
    /// Age of the oldest unsigned entry at which a signature is due, in milliseconds.
    pub signature_delay_ms: u64,
    /// This node's number in the consensus group; not zero.
    pub node: u64,
    /// View = consensus term + this; 1 in a new service, so that its first view is 2.
    pub view_offset: u64,
}

impl Default for ReplicaConfig {
    fn default() -> Self {
        Self {
            ledger_dir: "ledger".to_owned(),
            state_dir: "state".to_owned(),
            chunk_bytes: limits::CHUNK_BYTES_DEFAULT,
            signature_entries_max: limits::SIGNATURE_ENTRIES_MAX_DEFAULT,
            signature_delay_ms: limits::SIGNATURE_DELAY_MS_DEFAULT,
            node: 1,
            view_offset: 1,
        }
    }
}

/// Something that happened. Time comes in as an event, like everything else.
pub enum Event {
    /// Time has passed.
    Tick {
        /// Monotonic, in milliseconds.
        now_ms: u64,
        /// Wall clock, in unix seconds; goes into signatures and is used for nothing else.
        unix_s: u64,
    },
    /// Sealed entries, contiguous but for the numbers that signatures took
    /// ([`crate::SealedQueue::drain`]).
    Entries(Vec<SealedEntry>),
    /// Somebody waits for the commit of what is sequenced now.
    CommitWanted,
    /// Somebody waits for what has arrived to be durable, signed or not. To be said again for what
    /// arrives later.
    DurableWanted,
    /// All operations of a batch have returned well.
    Synced {
        /// The batch.
        batch: u64,
    },
    /// An operation of a batch failed; nothing after it was performed.
    DiskFailed {
        /// The batch.
        batch: u64,
        /// What failed.
        error: DiskError,
    },
    /// End the chunk with the next signature, and sign soon.
    EndChunk,
    /// Sign now, even if nobody waits.
    SignNow,
}

/// What the host must do after a step. Reusable: a step adds to it, the host drains it.
#[derive(Default)]
pub struct Effects {
    /// To be performed in order, on a thread of their own.
    pub disk: Vec<DiskBatch>,
    /// Signatures that became the commit point, in order: everything at or below the last one is
    /// committed.
    pub committed: Vec<Arc<SignedRoot>>,
    /// Everything up to this seqno has become durable, signed or not: the consensus group has it on
    /// its disks, and every restart keeps it.
    pub durable: Option<u64>,
    /// The replica has failed for good, and why. Set once.
    pub poisoned: Option<String>,
}

/// The signed root of one signature entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRoot {
    /// The signature entry. The root covers leaves 0 to its seqno minus one.
    pub txid: TxId,
    /// The Merkle root.
    pub root: Digest,
    /// ECDSA by the node's key directly over the root; DER.
    pub signature: Vec<u8>,
    /// The COSE_Sign1 by the service's key over the detached root.
    pub cose: Vec<u8>,
    /// Hex SHA-256 of the DER public key of the node that signed.
    pub node_id: String,
    /// The certificate of the node that signed; PEM.
    pub node_certificate_pem: String,
    /// When it was signed, in unix seconds.
    pub unix_s: u64,
}

/// Disk operations that are durable together.
#[derive(Debug)]
pub struct DiskBatch {
    /// Ascending; named in [`Event::Synced`] and [`Event::DiskFailed`].
    pub id: u64,
    /// In order.
    pub ops: Vec<DiskOp>,
}

/// One call to the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskOp {
    /// Creates a directory and its parents.
    CreateDir {
        /// The directory.
        path: Arc<str>,
    },
    /// Creates an empty file that must not exist.
    Create {
        /// The file.
        path: Arc<str>,
    },
    /// Appends the parts, one after the other.
    Append {
        /// The file.
        path: Arc<str>,
        /// The bytes, one call for each.
        parts: Vec<Bytes>,
    },
    /// Overwrites bytes within a file.
    WriteAt {
        /// The file.
        path: Arc<str>,
        /// Where, in bytes.
        offset: u64,
        /// The bytes.
        bytes: Bytes,
    },
    /// Cuts a file.
    Truncate {
        /// The file.
        path: Arc<str>,
        /// Its new size in bytes.
        size: u64,
    },
    /// Makes a file's contents durable.
    Sync {
        /// The file.
        path: Arc<str>,
    },
    /// Renames a file.
    Rename {
        /// Its name.
        from: Arc<str>,
        /// Its new name.
        to: Arc<str>,
    },
    /// Makes a directory's names durable.
    SyncDir {
        /// The directory.
        path: Arc<str>,
    },
    /// Removes a file.
    Remove {
        /// The file.
        path: Arc<str>,
    },
}

impl DiskBatch {
    /// Performs every operation in order and stops at the first that fails.
    ///
    /// # Errors
    /// As the disk says. The replica must then be told by [`Event::DiskFailed`].
    pub fn perform(&self, disk: &mut dyn Disk) -> DiskResult<()> {
        self.ops.iter().try_for_each(|op| op.perform(disk))
    }

    /// Bytes that the batch writes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.ops.iter().map(DiskOp::bytes).sum()
    }
}

impl DiskOp {
    /// Performs the operation.
    ///
    /// # Errors
    /// As the disk says.
    pub fn perform(&self, disk: &mut dyn Disk) -> DiskResult<()> {
        match self {
            Self::CreateDir { path } => disk.create_dir(path),
            Self::Create { path } => disk.create(path),
            Self::Append { path, parts } => {
                parts.iter().try_for_each(|part| disk.append(path, part))
            }
            Self::WriteAt { path, offset, bytes } => disk.write_at(path, *offset, bytes),
            Self::Truncate { path, size } => disk.truncate(path, *size),
            Self::Sync { path } => disk.sync(path),
            Self::Rename { from, to } => disk.rename(from, to),
            Self::SyncDir { path } => disk.sync_dir(path),
            Self::Remove { path } => disk.remove(path),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Append { parts, .. } => parts.iter().map(Bytes::len).sum(),
            Self::WriteAt { bytes, .. } => bytes.len(),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::disk::MemDisk;

    #[test]
    fn parts_arrive_in_order_whatever_their_sizes() {
        let mut disk = MemDisk::new();
        let big = vec![7; limits::BUFFER_BYTES + 3];
        let parts: Vec<Bytes> = [&b"ab"[..], &big, b"", b"cd", &big[..limits::BUFFER_BYTES - 1]]
            .iter()
            .map(|part| Bytes::copy_from_slice(part))
            .collect();
        let expected: Vec<u8> = parts.concat();
        let path: Arc<str> = "f".into();
        let batch = DiskBatch {
            id: 1,
            ops: vec![
                DiskOp::Create { path: path.clone() },
                DiskOp::Append { path: path.clone(), parts },
            ],
        };
        batch.perform(&mut disk).unwrap();
        assert_eq!(disk.read_at("f", 0, expected.len()).unwrap(), expected);
        assert_eq!(disk.size("f").unwrap(), batch.bytes() as u64);
        let again = DiskBatch { id: 2, ops: vec![DiskOp::Create { path }] };
        assert!(again.perform(&mut disk).is_err());
    }
}
