//! Reads committed entries and cuts receipts, on any thread, while the replica writes.
//!
//! Invariants
//! * Only what is committed is read, and it never changes; a chunk may be renamed meanwhile.
//! * What is read is checked before it is used: an entry by its own numbers, a receipt by its root.
//! * A receipt costs a bounded number of reads: the entry, its positions, and the entries up to the
//!   next signature, whose tree table holds every leaf since the signature before.

use std::collections::VecDeque;
use std::sync::Arc;

use affiant_proof::chunk::{ChunkName, POSITION_BYTES};
use affiant_proof::claims;
use affiant_proof::cose::InclusionProof;
use affiant_proof::entry::EntryView;
use affiant_proof::merkle::{MerklePath, Tree};
use affiant_proof::{ProofError, TxId};

use super::index::{CompletedChunk, LedgerIndex, Location};
use crate::disk::{Disk, DiskResult};
use crate::error::KvError;
use crate::history;
use crate::limits::{READER_SIGNATURES_MAX, READER_WINDOW_BYTES};
use crate::replica::{ReceiptParts, SignedRoot};
use crate::seal::Sealer;
use crate::sidecar::join;

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
    disk: Box<dyn Disk>,
    dir: String,
    index: Arc<LedgerIndex>,
    sealer: Arc<dyn Sealer>,
    /// Recently used signatures, newest last.
    signatures: VecDeque<Cached>,
}

/// A signature, and the first seqno that it is known to be the next signature of.
struct Cached {
    from: u64,
    entry: SignatureEntry,
    /// Its tree, once a receipt was asked for.
    tree: Option<Tree>,
}

impl Cached {
    fn path(&mut self, seqno: u64) -> Result<MerklePath, ProofError> {
        let tree = match self.tree.take() {
            Some(tree) => tree,
            None => Tree::deserialise(&self.entry.tree)?,
        };
        self.tree.insert(tree).path(seqno)
    }
}

impl LedgerReader {
    /// Reads the ledger in `ledger_dir` through its own handle on the disk.
    #[must_use]
    pub fn new(
        disk: Box<dyn Disk>,
        ledger_dir: &str,
        index: Arc<LedgerIndex>,
        sealer: Arc<dyn Sealer>,
    ) -> Self {
        Self { disk, dir: ledger_dir.to_owned(), index, sealer, signatures: VecDeque::new() }
    }

    /// The bytes of the entry at `seqno`; `None` if it is not committed.
    ///
    /// # Errors
    /// As the disk says, or what was read is damaged.
    pub fn entry(&mut self, seqno: u64) -> Result<Option<Vec<u8>>, KvError> {
        let Some(location) = self.index.locate(seqno) else { return Ok(None) };
        let (path, from, to) = self.bounds(location, seqno)?;
        let bytes = match location {
            Location::Open { first, .. } => self.read_open(first, from, to)?,
            Location::Completed(chunk) => self.read_completed(chunk, from, to)?,
        };
        match EntryView::parse(&bytes) {
            Ok((entry, size)) if size == bytes.len() && entry.txid().seqno == seqno => {
                Ok(Some(bytes))
            }
            _ => Err(damaged(&path, from, "the entry that is expected here is not the one found")),
        }
    }

    /// The first committed signature after `seqno`, and its tree table; `None` if there is none yet.
    ///
    /// # Errors
    /// As the disk says, or what was read is damaged.
    pub fn signature_covering(&mut self, seqno: u64) -> Result<Option<SignatureEntry>, KvError> {
        Ok(self.covering(seqno)?.map(|cached| cached.entry.clone()))
    }

    /// The first committed signature after `seqno`, moved to the newest end of the cache.
    fn covering(&mut self, seqno: u64) -> Result<Option<&mut Cached>, KvError> {
        let covers =
            |cached: &Cached| cached.from <= seqno && seqno < cached.entry.signed_root.txid.seqno;
        let known = self.signatures.iter().position(covers);
        let known = match known.and_then(|position| self.signatures.remove(position)) {
            Some(cached) => cached,
            None => {
                let Some(entry) = self.find_signature(seqno + 1)? else { return Ok(None) };
                let txid = entry.signed_root.txid;
                let same = |cached: &Cached| cached.entry.signed_root.txid == txid;
                match self.signatures.iter().position(same) {
                    // Known, but not to cover so much.
                    Some(position) => match self.signatures.remove(position) {
                        Some(cached) => Cached { from: seqno, ..cached },
                        None => Cached { from: seqno, entry, tree: None },
                    },
                    None => Cached { from: seqno, entry, tree: None },
                }
            }
        };
        if self.signatures.len() >= READER_SIGNATURES_MAX {
            self.signatures.pop_front();
        }
        self.signatures.push_back(known);
        Ok(self.signatures.back_mut())
    }

    /// The receipt of the entry at `seqno`; `None` if it is not committed. A transaction that the
    /// newest signature does not cover yet is not committed either.
    ///
    /// # Errors
    /// As the disk says, or what was read is damaged.
    pub fn receipt(&mut self, seqno: u64) -> Result<Option<ReceiptParts>, KvError> {
        let Some(bytes) = self.entry(seqno)? else { return Ok(None) };
        let (entry, _) = EntryView::parse(&bytes).map_err(|error| self.refused(seqno, &error))?;
        let txid = entry.txid();
        if let Some(own) =
            history::parse_signature(&entry).map_err(|error| self.refused(seqno, &error))?
        {
            let signed_root = own.signed_root;
            return Ok(Some(ReceiptParts { txid, proof: None, signed_root }));
        }
        let nonce = self.sealer.commit_nonce(txid).map_err(|error| self.refused(seqno, &error))?;
        let Some(next) = self.covering(seqno)? else { return Ok(None) };
        let signed_root = next.entry.signed_root.clone();
        let path = next.path(seqno);
        let proof = InclusionProof {
            write_set_digest: entry.write_set_digest(),
            commit_evidence: claims::commit_evidence(txid, &nonce.0),
            claims_digest: entry.claims_digest().unwrap_or_default(),
            path: path.map_err(|error| self.refused(seqno, &error))?,
        };
        if proof.root() != signed_root.root {
            let at = signed_root.txid;
            return Err(self.refused(seqno, &format!("its leaf is not under the root of {at}")));
        }
        Ok(Some(ReceiptParts { txid, proof: Some(proof), signed_root }))
    }

    /// The first committed signature at or after `seqno`.
    fn find_signature(&mut self, mut seqno: u64) -> Result<Option<SignatureEntry>, KvError> {
        while let Some(location) = self.index.locate(seqno) {
            let (path, from, _) = self.bounds(location, seqno)?;
            let (end, last) = match location {
                Location::Open { first, to, .. } => (self.end_of_open(first).unwrap_or(to), None),
                Location::Completed(chunk) => (chunk.end, Some(chunk.last)),
            };
            let to = end.min(from.saturating_add(READER_WINDOW_BYTES as u32));
            let window = match location {
                Location::Open { first, .. } => self.read_open(first, from, to)?,
                Location::Completed(chunk) => self.read_completed(chunk, from, to)?,
            };
            let mut at = 0;
            let start = seqno;
            while let Ok((entry, size)) = EntryView::parse(window.get(at..).unwrap_or_default()) {
                if entry.txid().seqno != seqno {
                    let offset = from + at as u32;
                    return Err(damaged(&path, offset, "its seqno is not the one expected here"));
                }
                let signature = history::parse_signature(&entry);
                match signature.map_err(|why| damaged(&path, from + at as u32, &why))? {
                    Some(signature) => return Ok(Some(signature)),
                    None => seqno += 1,
                }
                at += size;
                if last.is_some_and(|last| seqno > last) {
                    break;
                }
            }
            if seqno == start {
                // Larger than the window: read it by itself.
                let Some(bytes) = self.entry(seqno)? else { return Ok(None) };
                let parsed = EntryView::parse(&bytes).map_err(|error| error.to_string());
                let (entry, _) = parsed.map_err(|why| damaged(&path, from, &why))?;
                let signature = history::parse_signature(&entry);
                if let Some(found) = signature.map_err(|why| damaged(&path, from, &why))? {
                    return Ok(Some(found));
                }
                seqno += 1;
            }
        }
        Ok(None)
    }

    fn end_of_open(&self, first: u64) -> Option<u32> {
        match self.index.locate(self.index.committed())? {
            Location::Open { first: open, to, .. } if open == first => Some(to),
            _ => None,
        }
    }

    /// The file that holds the entry, and the offsets of its first byte and of the byte behind it.
    fn bounds(&self, location: Location, seqno: u64) -> Result<(String, u32, u32), KvError> {
        match location {
            Location::Open { first, from, to } => Ok((self.open_path(first), from, to)),
            Location::Completed(chunk) => {
                let path = self.committed_path(&chunk);
                let at = chunk.end + (seqno - chunk.first) as u32 * POSITION_BYTES as u32;
                let more = seqno < chunk.last;
                let table_end = at + POSITION_BYTES as u32 * (1 + u32::from(more));
                let bytes = self.read_completed(chunk, at, table_end)?;
                let mut positions = bytes
                    .chunks_exact(POSITION_BYTES)
                    .map(|bytes| bytes.try_into().map_or(0, u32::from_le_bytes));
                let from = positions.next().unwrap_or(0);
                let to = positions.next().unwrap_or(chunk.end);
                if from >= to || to > chunk.end {
                    return Err(damaged(&path, at, "the position table is out of order"));
                }
                Ok((path, from, to))
            }
        }
    }

    fn open_path(&self, first: u64) -> String {
        join(&self.dir, &ChunkName::open(first).to_string())
    }

    fn committed_path(&self, chunk: &CompletedChunk) -> String {
        join(&self.dir, &ChunkName::committed(chunk.first, chunk.last).to_string())
    }

    /// The chunk may have been completed and renamed since it was looked up.
    fn read_open(&self, first: u64, from: u32, to: u32) -> Result<Vec<u8>, KvError> {
        match self.read(&self.open_path(first), from, to) {
            Err(error) if error.missing => match self.index.locate(first) {
                Some(Location::Completed(chunk)) => self.read_completed(chunk, from, to),
                _ => Err(error.into()),
            },
            other => Ok(other?),
        }
    }

    /// The chunk may not have been renamed yet, or be renamed between two attempts.
    fn read_completed(
        &self,
        chunk: CompletedChunk,
        from: u32,
        to: u32,
    ) -> Result<Vec<u8>, KvError> {
        let committed = self.committed_path(&chunk);
        match self.read(&committed, from, to) {
            Err(error) if error.missing => {}
            other => return Ok(other?),
        }
        match self.read(&self.open_path(chunk.first), from, to) {
            Err(error) if error.missing => Ok(self.read(&committed, from, to)?),
            other => Ok(other?),
        }
    }

    fn read(&self, path: &str, from: u32, to: u32) -> DiskResult<Vec<u8>> {
        self.disk.read_at(path, u64::from(from), to.saturating_sub(from) as usize)
    }

    fn refused(&self, seqno: u64, why: &dyn core::fmt::Display) -> KvError {
        let path = match self.index.locate(seqno) {
            Some(Location::Open { first, .. }) => self.open_path(first),
            Some(Location::Completed(chunk)) => self.committed_path(&chunk),
            None => self.dir.clone(),
        };
        damaged(&path, 0, &format!("entry {seqno}: {why}"))
    }

    /// The committed id at `seqno`, if there is one.
    ///
    /// # Errors
    /// As [`Self::entry`].
    pub fn txid(&mut self, seqno: u64) -> Result<Option<TxId>, KvError> {
        let Some(bytes) = self.entry(seqno)? else { return Ok(None) };
        let entry = EntryView::parse(&bytes).map_err(|error| self.refused(seqno, &error))?;
        Ok(Some(entry.0.txid()))
    }
}

fn damaged(file: &str, offset: u32, reason: &str) -> KvError {
    let reason = format!("{reason}; the file has changed since it was committed");
    KvError::Damaged { file: file.to_owned(), offset: u64::from(offset), reason }
}
