//! The ledger: CCF's chunk files.

use std::sync::Arc;

use crate::disk::Disk;
use crate::error::KvError;
use crate::replica::{ReceiptParts, SignedRoot};
use crate::seal::Sealer;

/// Where entries lie in the chunk files. Shared by the replica, which writes it, and by readers.
#[derive(Default)]
pub struct LedgerIndex {}

/// One signature entry, parsed.
#[derive(Clone, Debug)]
pub struct SignatureEntry {
    /// The root and its signatures.
    pub signed_root: Arc<SignedRoot>,
    /// The table `public:ccf.internal.tree` as written.
    pub tree: Arc<[u8]>,
}

/// Reads committed entries and cuts receipts; one per thread that reads.
pub struct LedgerReader {
    _disk: Box<dyn Disk>,
}

impl LedgerReader {
    /// Reads the ledger in `ledger_dir` through its own handle on the disk.
    #[must_use]
    pub fn new(
        disk: Box<dyn Disk>,
        _ledger_dir: &str,
        _index: Arc<LedgerIndex>,
        _sealer: Arc<dyn Sealer>,
    ) -> Self {
        Self { _disk: disk }
    }

    /// The bytes of the entry at `seqno`; `None` if it is not committed.
    ///
    /// # Errors
    /// As the disk says, or what was read is damaged.
    pub fn entry(&mut self, _seqno: u64) -> Result<Option<Vec<u8>>, KvError> {
        Ok(None)
    }

    /// The first committed signature after `seqno`, and its tree table; `None` if there is none yet.
    ///
    /// # Errors
    /// As the disk says, or what was read is damaged.
    pub fn signature_covering(&mut self, _seqno: u64) -> Result<Option<SignatureEntry>, KvError> {
        Ok(None)
    }

    /// The receipt of the entry at `seqno`; `None` if it is not committed.
    ///
    /// # Errors
    /// As the disk says, or what was read is damaged.
    pub fn receipt(&mut self, _seqno: u64) -> Result<Option<ReceiptParts>, KvError> {
        Ok(None)
    }
}
