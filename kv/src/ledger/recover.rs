//! Restart: reads all chunks in order, verifies every entry, replays it, and repairs what a crash
//! may leave. Anything else is refused by file and offset.
//!
//! What is verified: names and continuity of the files; headers and position tables; of each entry
//! its framing, its tag over both domains, its seqno, its view, its commit evidence; the root at each
//! signature. The tag is made with the ledger secret, which only this service's nodes hold, so the
//! elliptic-curve signatures add little here; only the last one is verified, by the caller.
//!
//! What a crash may leave, always in the newest file only, since a chunk is synced whole before the
//! next one is created:
//! * an empty file, or one that holds less than a whole entry: removed;
//! * bytes behind the last authentic entry: cut (see `tail.rs` for when they are damage instead);
//! * a chunk whose last entry ends it, with table or header missing or torn: completed;
//! * a header without what it promises: reset;
//! * a complete chunk under its first name, of any age: renamed.
//!
//! Nothing on the disk is changed before all of it has been verified: repairs are given back to be
//! performed, and a refusal leaves the directory as it was.
//!
//! Everything that was synced is kept, signed or not. What is not on record as synced is written and
//! synced again before it is relied upon: a process that was killed leaves bytes that are only in the
//! system's memory, and after a failed sync that memory passes for clean, so that a second sync alone
//! would report success and write nothing.

use std::sync::Arc;

use affiant_proof::TxId;
use affiant_proof::chunk::{
    CHUNK_HEADER_BYTES, ChunkName, ChunkState, POSITION_BYTES, encode_positions,
};
use affiant_proof::merkle::Tree;
use bytes::Bytes;

use super::check::{Checked, Names, Refusal};
use super::index::{CompletedChunk, OpenChunk};
use super::scan::Scan;
use super::tail::{Tail, committed_at};
use crate::disk::Disk;
use crate::error::KvError;
use crate::limits::{RECOVERY_THREADS_MAX, RECOVERY_WINDOW_BYTES};
use crate::replica::{DiskOp, Recovered, SignedRoot};
use crate::seal::Sealer;
use crate::sidecar::join;
use crate::store::Store;

/// What the consensus record says of the ledger.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    /// Entries up to this seqno were synced.
    pub(crate) synced: u64,
    /// No entry has a higher view.
    pub(crate) view_max: u64,
}

/// What the ledger holds.
pub(crate) struct Found {
    pub(crate) tree: Tree,
    pub(crate) chunks: Vec<CompletedChunk>,
    pub(crate) open: Option<OpenChunk>,
    pub(crate) entries: u64,
    pub(crate) last: TxId,
    pub(crate) last_signature: TxId,
    pub(crate) last_signed: Option<LastSigned>,
    cut_bytes: u64,
    cut_at: Option<(String, u64)>,
    /// What makes the directory whole again, to be performed in order.
    pub(crate) repairs: Vec<DiskOp>,
}

/// The last signature, and where it lies.
pub(crate) struct LastSigned {
    pub(crate) root: SignedRoot,
    pub(crate) file: String,
    pub(crate) offset: u64,
}

impl Found {
    pub(crate) fn report(&self) -> Recovered {
        Recovered::new(
            self.entries,
            self.last,
            self.last_signature,
            self.cut_bytes,
            self.cut_at.clone(),
        )
    }
}

/// One chunk file of the directory.
struct File {
    name: ChunkName,
    path: String,
    size: u64,
}

impl File {
    fn path_shared(&self) -> Arc<str> {
        self.path.as_str().into()
    }
}

struct Recovery<'a> {
    disk: &'a dyn Disk,
    dir: &'a str,
    sealer: &'a dyn Sealer,
    store: &'a Store,
    bounds: Bounds,
    progress: &'a mut dyn FnMut(u64, u64),
    names: [Names; RECOVERY_THREADS_MAX],
    done_bytes: u64,
    all_bytes: u64,
    /// The highest commit point that a signature entry has told of.
    committed: u64,
    found: Found,
}

/// What one pass over a chunk's entries gave.
struct Pass {
    positions: Vec<u32>,
    /// Where the entries end.
    end: u64,
    ends_chunk: bool,
    refusal: Option<Refusal>,
}

impl Pass {
    /// Where the last entry begins.
    fn last_entry(&self) -> u64 {
        self.positions.last().map_or(CHUNK_HEADER_BYTES as u64, |position| u64::from(*position))
    }
}

/// Verifies the ledger in `dir`, replays it into `store`, and finds out what a crash left.
pub(crate) fn recover(
    disk: &dyn Disk,
    dir: &str,
    sealer: &dyn Sealer,
    store: &Store,
    bounds: Bounds,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Found, KvError> {
    let files = list(disk, dir)?;
    let all_bytes = files.iter().map(|file| file.size).sum();
    let found = Found {
        tree: Tree::new(),
        chunks: Vec::new(),
        open: None,
        entries: 0,
        last: TxId::default(),
        last_signature: TxId::default(),
        last_signed: None,
        cut_bytes: 0,
        cut_at: None,
        repairs: Vec::new(),
    };
    let names = Default::default();
    let mut recovery = Recovery {
        disk,
        dir,
        sealer,
        store,
        bounds,
        progress,
        names,
        done_bytes: 0,
        all_bytes,
        committed: 0,
        found,
    };
    recovery.run(&files)?;
    Ok(recovery.found)
}

/// The chunk files, in order. Every other name is refused.
fn list(disk: &dyn Disk, dir: &str) -> Result<Vec<File>, KvError> {
    let mut files = Vec::new();
    for name in disk.list(dir)? {
        if name.ends_with(".ignored") {
            continue;
        }
        let path = join(dir, &name);
        let strange = |why: &str| damaged(&path, 0, &format!("{why}; move it elsewhere"));
        let parsed = ChunkName::parse(&name)
            .map_err(|_| strange("the ledger directory holds a file that is no chunk"))?;
        let ours = matches!(parsed.state, ChunkState::Open | ChunkState::Committed);
        if !ours || parsed.recovery || parsed.to_string() != name {
            return Err(strange("this node writes no chunk file of this kind"));
        }
        let size = disk.size(&path)?;
        files.push(File { name: parsed, path, size });
    }
    files.sort_by_key(|file| (file.name.first, file.name.last));
    Ok(files)
}

impl Recovery<'_> {
    fn run(&mut self, files: &[File]) -> Result<(), KvError> {
        for (position, file) in files.iter().enumerate() {
            let expected = self.found.last.seqno + 1;
            if file.name.first != expected {
                let relation = if file.name.first > expected { "missing" } else { "held twice" };
                let reason = format!("entries from seqno {expected} on are {relation}");
                return Err(damaged(&file.path, 0, &reason));
            }
            let is_newest = position + 1 == files.len();
            if is_newest && file.name.state == ChunkState::Open {
                self.read_newest(file)?;
            } else {
                self.read_complete(file)?;
            }
            (self.progress)(self.done_bytes, self.all_bytes);
        }
        let last = self.found.last.seqno;
        if last < self.bounds.synced.max(self.committed) {
            let file = files.last().map_or(self.dir, |file| &file.path);
            let reason = format!(
                "the ledger ends at seqno {last}, but entries up to {} were synced; restore them",
                self.bounds.synced
            );
            return Err(damaged(file, 0, &reason));
        }
        if !files.is_empty() {
            self.repair(DiskOp::SyncDir { path: self.dir.into() });
        }
        Ok(())
    }

    fn repair(&mut self, op: DiskOp) {
        self.found.repairs.push(op);
    }

    /// A chunk that was synced whole: nothing in it may be amiss.
    fn read_complete(&mut self, file: &File) -> Result<(), KvError> {
        let table = self.header(file)?.filter(|table| {
            *table > CHUNK_HEADER_BYTES as u64
                && *table < file.size
                && (file.size - table).is_multiple_of(POSITION_BYTES as u64)
        });
        let Some(table) = table else {
            let reason = "the header does not lead to a position table, as a complete chunk's does";
            return Err(damaged(&file.path, 0, reason));
        };
        // Looked at first, so that a damaged header is not taken for damaged entries.
        let first = self.disk.read_at(&file.path, table, POSITION_BYTES)?;
        if first != (CHUNK_HEADER_BYTES as u32).to_le_bytes() {
            let reason = "the header does not lead to the position table, or that is damaged";
            return Err(damaged(&file.path, 0, reason));
        }
        let pass = self.pass(file, table)?;
        match &pass.refusal {
            Some(Refusal::Wrong(reason)) if pass.ends_chunk => {
                return Err(damaged(&file.path, pass.last_entry(), reason));
            }
            Some(Refusal::NotAuthentic(reason) | Refusal::Wrong(reason)) => {
                return Err(damaged(&file.path, pass.end, reason));
            }
            None => {}
        }
        if !pass.ends_chunk {
            let reason = "the last entry is not a signature that ends the chunk";
            return Err(damaged(&file.path, pass.last_entry(), reason));
        }
        let last = self.found.last.seqno;
        if file.name.last.is_some_and(|named| named != last) {
            let reason = format!("its name promises another last entry than {last}");
            return Err(damaged(&file.path, 0, &reason));
        }
        if !self.table_is(file, table, &pass.positions)? {
            return Err(damaged(&file.path, table, "the position table does not fit the entries"));
        }
        self.complete(file, &pass);
        Ok(())
    }

    /// The newest chunk, which a crash may have left in any state. A position table is no entry: the
    /// pass stops at it, wherever the header says that it is.
    fn read_newest(&mut self, file: &File) -> Result<(), KvError> {
        let header = self.header(file)?;
        let mut pass = self.pass(file, file.size)?;
        let at = if pass.ends_chunk { pass.last_entry() } else { pass.end };
        match pass.refusal.take() {
            Some(Refusal::Wrong(reason)) => return Err(damaged(&file.path, at, &reason)),
            Some(Refusal::NotAuthentic(reason)) if !pass.ends_chunk => {
                self.judge(file, &pass, &reason)?;
            }
            _ => {}
        }
        if pass.ends_chunk {
            return self.finish(file, header, &pass);
        }
        if header.is_some_and(|table| table > 0 && table <= pass.end) {
            let reason =
                "the header says that the chunk is complete, and its entries say it is not";
            return Err(damaged(&file.path, 0, reason));
        }
        let end = if pass.positions.is_empty() { 0 } else { pass.end };
        self.note_cut(file, end);
        let path = file.path_shared();
        if pass.positions.is_empty() {
            self.repair(DiskOp::Remove { path });
            return Ok(());
        }
        if end < file.size {
            self.repair(DiskOp::Truncate { path: path.clone(), size: end });
        }
        if header != Some(0) {
            let bytes = Bytes::from_static(&[0; CHUNK_HEADER_BYTES]);
            self.repair(DiskOp::WriteAt { path: path.clone(), offset: 0, bytes });
        }
        self.write_again(file, &pass)?;
        self.repair(DiskOp::Sync { path });
        let first = file.name.first;
        self.found.open = Some(OpenChunk { first, positions: pass.positions, end: end as u32 });
        Ok(())
    }

    /// Cuts or refuses: `tail.rs` has the rules.
    fn judge(&self, file: &File, pass: &Pass, reason: &str) -> Result<(), KvError> {
        let seqno = self.found.last.seqno + 1;
        let refuse = |why: &str| {
            let reason = format!(
                "entry {seqno} is damaged ({reason}), and {why}; restore the file from a copy"
            );
            damaged(&file.path, pass.end, &reason)
        };
        let synced = self.bounds.synced.max(self.committed);
        if seqno <= synced {
            return Err(refuse(&format!("entries up to {synced} were synced")));
        }
        let tail = Tail {
            disk: self.disk,
            path: &file.path,
            sealer: self.sealer,
            at: pass.end,
            end: file.size,
            seqno,
            view_max: self.bounds.view_max,
        };
        match tail.evidence()? {
            Some(why) => Err(refuse(&why)),
            None => Ok(()),
        }
    }

    /// Does again what ends a chunk, as far as a crash has undone it.
    fn finish(&mut self, file: &File, header: Option<u64>, pass: &Pass) -> Result<(), KvError> {
        let table = encode_positions(&pass.positions);
        let intact = header == Some(pass.end) && self.table_is(file, pass.end, &pass.positions)?;
        let path = file.path_shared();
        let last = self.found.last.seqno;
        if !intact {
            if last <= self.bounds.synced.max(self.committed) {
                // The end of a chunk is synced together with its last entry.
                let reason = "its last entry ends the chunk and was synced, but header and position \
                              table do not say so; restore the file from a copy";
                return Err(damaged(&file.path, 0, reason));
            }
            self.note_cut(file, pass.end);
        }
        if !intact || last > self.bounds.synced {
            self.write_again(file, pass)?;
            let header = Bytes::copy_from_slice(&pass.end.to_le_bytes());
            self.repair(DiskOp::Truncate { path: path.clone(), size: pass.end });
            self.repair(DiskOp::Append { path: path.clone(), parts: vec![table.into()] });
            self.repair(DiskOp::WriteAt { path: path.clone(), offset: 0, bytes: header });
        }
        self.repair(DiskOp::Sync { path });
        self.complete(file, pass);
        Ok(())
    }

    /// Writes again, as they are, the entries that are not on record as synced.
    fn write_again(&mut self, file: &File, pass: &Pass) -> Result<(), KvError> {
        let synced = (self.bounds.synced + 1).saturating_sub(file.name.first) as usize;
        let Some(first) = pass.positions.get(synced) else { return Ok(()) };
        // The header came with the first entry.
        let mut at = if synced == 0 { 0 } else { u64::from(*first) };
        while at < pass.end {
            let size = (pass.end - at).min(RECOVERY_WINDOW_BYTES as u64) as usize;
            let mut bytes = self.disk.read_at(&file.path, at, size)?;
            if at == 0 && bytes.len() >= CHUNK_HEADER_BYTES {
                bytes[..CHUNK_HEADER_BYTES].fill(0);
            }
            let (path, bytes) = (file.path_shared(), bytes.into());
            self.repair(DiskOp::WriteAt { path, offset: at, bytes });
            at += size as u64;
        }
        Ok(())
    }

    fn complete(&mut self, file: &File, pass: &Pass) {
        let (first, last) = (file.name.first, self.found.last.seqno);
        assert_eq!(last + 1 - first, pass.positions.len() as u64, "a position for each entry");
        if file.name.state == ChunkState::Open {
            let to = join(self.dir, &ChunkName::committed(first, last).to_string()).into();
            self.repair(DiskOp::Rename { from: file.path_shared(), to });
        }
        self.found.chunks.push(CompletedChunk { first, last, end: pass.end as u32 });
    }

    fn note_cut(&mut self, file: &File, size: u64) {
        if size < file.size {
            self.found.cut_bytes = file.size - size;
            self.found.cut_at = Some((file.path.clone(), size));
        }
    }

    /// Where the header says the table begins; `None` if the file is too short to have a header.
    fn header(&self, file: &File) -> Result<Option<u64>, KvError> {
        if file.size > u64::from(u32::MAX) {
            return Err(damaged(&file.path, 0, "it is larger than a chunk can be (4 GiB)"));
        }
        if file.size < CHUNK_HEADER_BYTES as u64 {
            return Ok(None);
        }
        let bytes = self.disk.read_at(&file.path, 0, CHUNK_HEADER_BYTES)?;
        Ok(bytes.try_into().ok().map(u64::from_le_bytes))
    }

    fn table_is(&self, file: &File, at: u64, positions: &[u32]) -> Result<bool, KvError> {
        let expected = encode_positions(positions);
        if file.size - at != expected.len() as u64 {
            return Ok(false);
        }
        Ok(self.disk.read_at(&file.path, at, expected.len())? == expected)
    }

    /// Verifies and replays the entries of a chunk up to `end`.
    fn pass(&mut self, file: &File, end: u64) -> Result<Pass, KvError> {
        let at = (CHUNK_HEADER_BYTES as u64).min(end);
        let seqno = self.found.last.seqno + 1;
        let mut pass = Pass { positions: Vec::new(), end: at, ends_chunk: false, refusal: None };
        let Self { disk, found, store, bounds, committed, names, .. } = self;
        let mut scan = Scan { disk: *disk, path: &file.path, sealer: self.sealer, at, end, seqno };
        let (done, all, progress) = (self.done_bytes, self.all_bytes, &mut *self.progress);
        pass.refusal = scan.run(names, |offset, size, checked| {
            if pass.ends_chunk {
                let reason = "an entry follows the one that ends its chunk";
                return Err(Refusal::Wrong(reason.to_owned()));
            }
            pass.ends_chunk = checked.ends_chunk;
            found.take(&file.path, offset, checked, bounds.view_max, committed, store)?;
            pass.positions.push(offset as u32);
            pass.end = offset + u64::from(size);
            if pass.positions.len().is_multiple_of(PROGRESS_ENTRIES) {
                progress(done + pass.end, all);
            }
            Ok(())
        })?;
        self.done_bytes += file.size;
        Ok(pass)
    }
}

/// Entries between two reports of progress.
const PROGRESS_ENTRIES: usize = 4_096;

impl Found {
    /// Checks an authentic entry against all before it, and replays it.
    fn take(
        &mut self,
        file: &str,
        offset: u64,
        checked: Checked,
        view_max: u64,
        committed: &mut u64,
        store: &Store,
    ) -> Result<(), Refusal> {
        let Checked { txid, leaf, writes, signature, .. } = checked;
        let refuse = |reason: String| Err(Refusal::Wrong(reason));
        if txid.view < self.last.view || txid.view > view_max {
            let before = self.last;
            return refuse(format!("entry {txid} follows {before}; the newest view is {view_max}"));
        }
        if txid.view > self.last.view && txid.seqno > 1 && signature.is_none() {
            return refuse(format!("entry {txid} opens a view without a signature"));
        }
        if let Some(signature) = &signature {
            if signature.signed_root.root != self.tree.root() {
                let before = self.last_signature.seqno;
                return refuse(format!(
                    "the root that {txid} signs is not that of the entries before it; one of those \
                     after seqno {before} has changed"
                ));
            }
            *committed = (*committed).max(committed_at(&signature.tree));
        }
        store.replay(txid, writes);
        self.tree.append(leaf);
        self.entries += 1;
        self.last = txid;
        if let Some(signature) = signature {
            self.last_signature = txid;
            let flushed = self.tree.flush_to(txid.seqno);
            assert!(flushed.is_ok(), "the signature is a leaf of the tree");
            let root = (*signature.signed_root).clone();
            self.last_signed = Some(LastSigned { root, file: file.to_owned(), offset });
        }
        Ok(())
    }
}

fn damaged(file: &str, offset: u64, reason: &str) -> KvError {
    KvError::Damaged { file: file.to_owned(), offset, reason: reason.to_owned() }
}
