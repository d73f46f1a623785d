//! Reads committed entries and cuts receipts, on any thread, while the replica writes.
//!
//! Invariants
//! * Only what is committed is read, and it never changes; a chunk may be renamed meanwhile.
//! * What is read is checked before it is used: an entry by its own numbers, a receipt by its root.
//! * A receipt costs a bounded number of reads: the entry, its positions, and the entries up to the
//!   next signature, whose tree table holds every leaf since the signature before.
//! * Every read takes a bounded window of one chunk, or a single entry where that is larger.

use std::collections::VecDeque;
use std::sync::Arc;

use affiant_proof::chunk::{ChunkName, POSITION_BYTES};
use affiant_proof::claims;
use affiant_proof::cose::InclusionProof;
use affiant_proof::entry::EntryView;
use affiant_proof::merkle::{MerklePath, Tree};
use affiant_proof::{ProofError, TxId};

use super::check::{self, Names, Refusal};
use super::index::{CompletedChunk, LedgerIndex, Location};
use crate::disk::{Disk, DiskResult};
use crate::error::KvError;
use crate::history;
use crate::key::Key;
use crate::limits::{READER_SIGNATURES_MAX, READER_WINDOW_BYTES};
use crate::map::Value;
use crate::name::MapName;
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

/// What one entry did to one map: keys, ascending, and their new values; `None` for a removal.
pub type EntryWrites = Vec<(Key, Option<Value>)>;

/// One committed transaction as the ledger holds it: authenticated and opened by the ledger secret of
/// its seqno, with a receipt whose path leads to the root that the signature entry holds. Whether the
/// signature over that root is a node's of this service is for who knows the service's certificate.
// No Debug: it holds private data.
#[derive(Clone)]
pub struct CommittedEntry {
    /// The transaction.
    pub txid: TxId,
    /// Bytes of the entry in the ledger.
    pub ledger_bytes: u64,
    /// What it wrote, by map: public maps first, then private ones, both in the order of the ledger.
    pub maps: Vec<(MapName, EntryWrites)>,
    /// What its receipt is made of.
    pub receipt: ReceiptParts,
}

/// Reads committed entries and cuts receipts; one per thread that reads.
pub struct LedgerReader {
    disk: Box<dyn Disk>,
    dir: String,
    index: Arc<LedgerIndex>,
    sealer: Arc<dyn Sealer>,
    /// Recently used signatures, newest last.
    signatures: VecDeque<Cached>,
    names: Names,
}

/// Bytes of one chunk from the start of an entry on: at least one whole entry, the last may be cut.
struct Window {
    path: String,
    /// Offset in the file.
    from: u32,
    bytes: Vec<u8>,
}

impl Window {
    /// The whole entries, which are those from `seqno` on, each with its offset in the file.
    fn entries(
        &self,
        mut seqno: u64,
    ) -> impl Iterator<Item = Result<(u32, EntryView<'_>), KvError>> {
        let mut at = 0;
        core::iter::from_fn(move || {
            let rest = self.bytes.get(at..).filter(|rest| !rest.is_empty())?;
            let offset = self.from + at as u32;
            match EntryView::parse(rest) {
                Ok((entry, size)) if entry.txid().seqno == seqno => {
                    at += size;
                    seqno += 1;
                    Some(Ok((offset, entry)))
                }
                Ok(_) => {
                    let reason = "the entry that is expected here is not the one found";
                    Some(Err(damaged(&self.path, offset, reason)))
                }
                // Cut by the end of the window; what is really wrong shows in the next one.
                Err(_) if at > 0 => None,
                Err(error) => Some(Err(damaged(&self.path, offset, &error.to_string()))),
            }
        })
    }
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
        Self {
            disk,
            dir: ledger_dir.to_owned(),
            index,
            sealer,
            signatures: VecDeque::new(),
            names: Names::default(),
        }
    }

    /// The newest committed signature; everything at or below it can be read.
    #[must_use]
    pub fn committed(&self) -> u64 {
        self.index.committed()
    }

    /// The bytes that the entries from `first` to `last` take in the ledger; `None` if they are not all
    /// committed. Costs two reads.
    ///
    /// # Errors
    /// As the disk says, or what was read is damaged.
    pub fn span_bytes(&self, first: u64, last: u64) -> Result<Option<u64>, KvError> {
        let (Some(start), Some(end)) = (self.index.locate(first), self.index.locate(last)) else {
            return Ok(None);
        };
        if first > last {
            return Ok(Some(0));
        }
        let (_, from, _) = self.bounds(start, first)?;
        let (_, _, to) = self.bounds(end, last)?;
        let before = self.index.bytes_between(start.chunk(), end.chunk());
        Ok(Some((before + u64::from(to)).saturating_sub(u64::from(from))))
    }

    /// Consecutive entries from `first` on: those up to `last` that lie within a window of one chunk,
    /// at least one; none if `first` is not committed.
    ///
    /// # Errors
    /// As the disk says; an entry does not authenticate; its leaf is not under the next root.
    pub fn entries(&mut self, first: u64, last: u64) -> Result<Vec<CommittedEntry>, KvError> {
        let mut found = Vec::new();
        let Some(window) = self.window(first)? else { return Ok(found) };
        for (seqno, entry) in (first..=last).zip(window.entries(first)) {
            let (offset, entry) = entry?;
            let checked = check::check(entry.bytes(), seqno, &*self.sealer, &mut self.names)
                .map_err(|(Refusal::NotAuthentic(why) | Refusal::Wrong(why))| {
                    damaged(&window.path, offset, &why)
                })?;
            let Some(receipt) = self.receipt_of(&entry)? else { break };
            found.push(CommittedEntry {
                txid: checked.txid,
                ledger_bytes: entry.bytes().len() as u64,
                maps: checked
                    .writes
                    .into_iter()
                    .map(|map| (map.name, ascending(map.writes)))
                    .collect(),
                receipt,
            });
        }
        Ok(found)
    }

    /// A window that begins with the entry at `seqno`; `None` if that is not committed.
    fn window(&self, seqno: u64) -> Result<Option<Window>, KvError> {
        let Some(location) = self.index.locate(seqno) else { return Ok(None) };
        let (path, from, to) = self.bounds(location, seqno)?;
        let end = match location {
            Location::Open { first, .. } => self.end_of_open(first).unwrap_or(to),
            Location::Completed(chunk) => chunk.end,
        };
        let to = to.max(end.min(from.saturating_add(READER_WINDOW_BYTES as u32)));
        let bytes = match location {
            Location::Open { first, .. } => self.read_open(first, from, to)?,
            Location::Completed(chunk) => self.read_completed(chunk, from, to)?,
        };
        Ok(Some(Window { path, from, bytes }))
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
        self.receipt_of(&entry)
    }

    fn receipt_of(&mut self, entry: &EntryView<'_>) -> Result<Option<ReceiptParts>, KvError> {
        let txid = entry.txid();
        let seqno = txid.seqno;
        if let Some(own) =
            history::parse_signature(entry).map_err(|error| self.refused(seqno, &error))?
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
        while let Some(window) = self.window(seqno)? {
            for entry in window.entries(seqno) {
                let (offset, entry) = entry?;
                let signature = history::parse_signature(&entry);
                match signature.map_err(|why| damaged(&window.path, offset, &why))? {
                    Some(signature) => return Ok(Some(signature)),
                    None => seqno += 1,
                }
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

/// Our own entries are in this order already.
fn ascending(mut writes: EntryWrites) -> EntryWrites {
    writes.sort_by(|(a, _), (b, _)| a.cmp(b));
    writes
}

fn damaged(file: &str, offset: u32, reason: &str) -> KvError {
    let reason = format!("{reason}; the file has changed since it was committed");
    KvError::Damaged { file: file.to_owned(), offset: u64::from(offset), reason }
}
