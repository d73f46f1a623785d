//! Writes entries into chunk files: turns them into disk operations, performs none.
//!
//! Invariants
//! * Operations come out in the order in which they must be performed; entries are synced by the end
//!   of each batch, and a new file's name with them.
//! * A chunk's table and header are written after all its entries, and synced before the next chunk
//!   is created. So only the newest file can be torn.

use std::collections::VecDeque;
use std::sync::Arc;

use affiant_proof::chunk::{CHUNK_HEADER_BYTES, ChunkName, encode_positions};
use bytes::Bytes;

use super::index::{LedgerIndex, OpenChunk};
use crate::error::KvError;
use crate::limits::CHUNK_BYTES_MAX;
use crate::replica::DiskOp;
use crate::sidecar::join;

pub(crate) struct Writer {
    dir: Arc<str>,
    chunk_bytes: u64,
    index: Arc<LedgerIndex>,
    open: Option<Open>,
    /// Completed, but still under its first name.
    completed: VecDeque<Completed>,
    ops: Vec<DiskOp>,
}

struct Open {
    path: Arc<str>,
    size: u64,
    /// Its name is not yet durable.
    is_new: bool,
    /// Entries of the current batch.
    parts: Vec<Bytes>,
    sizes: Vec<u32>,
}

struct Completed {
    first: u64,
    last: u64,
}

impl Writer {
    pub(crate) fn new(dir: &str, chunk_bytes: u64, index: Arc<LedgerIndex>) -> Self {
        let chunk_bytes = chunk_bytes.clamp(1, CHUNK_BYTES_MAX);
        Self {
            dir: dir.into(),
            chunk_bytes,
            index,
            open: None,
            completed: VecDeque::new(),
            ops: Vec::new(),
        }
    }

    /// Goes on in the chunk that a restart found open.
    pub(crate) fn resume(&mut self, chunk: &OpenChunk) {
        assert!(self.open.is_none(), "a writer resumes before it writes");
        self.open = Some(Open {
            path: self.path_of(ChunkName::open(chunk.first)),
            size: u64::from(chunk.end),
            is_new: false,
            parts: Vec::new(),
            sizes: Vec::new(),
        });
    }

    /// Whether the next signature ends the chunk.
    pub(crate) fn chunk_is_full(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.size >= self.chunk_bytes)
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// The chunk would grow beyond what its positions can say: its signature came too late.
    pub(crate) fn append(&mut self, seqno: u64, entry: Bytes) -> Result<(), KvError> {
        if self.open.is_none() {
            self.start_chunk(seqno);
        }
        let Some(open) = &mut self.open else { unreachable!("a chunk was just started") };
        let size = open.size + entry.len() as u64;
        let limit = u64::from(u32::MAX);
        if size > limit {
            let what = "a chunk that no signature has ended in time";
            return Err(KvError::TooLarge { what, size: size as usize, limit: limit as usize });
        }
        open.size = size;
        open.sizes.push(entry.len() as u32);
        open.parts.push(entry);
        Ok(())
    }

    fn start_chunk(&mut self, first: u64) {
        let path = self.path_of(ChunkName::open(first));
        self.index.start_chunk(first, CHUNK_HEADER_BYTES as u32);
        self.ops.push(DiskOp::Create { path: path.clone() });
        self.open = Some(Open {
            path,
            size: CHUNK_HEADER_BYTES as u64,
            is_new: true,
            parts: vec![Bytes::from_static(&[0; CHUNK_HEADER_BYTES])],
            sizes: Vec::new(),
        });
    }

    /// Ends the chunk behind the entry that was added last.
    pub(crate) fn end_chunk(&mut self) {
        let Some(mut open) = self.open.take() else { unreachable!("a signature was just added") };
        self.index.add(&open.sizes);
        let (chunk, positions) = self.index.complete_chunk();
        assert_eq!(u64::from(chunk.end), open.size, "index and writer agree");
        open.parts.push(encode_positions(&positions).into());
        let header = Bytes::copy_from_slice(&open.size.to_le_bytes());
        let path = open.path.clone();
        self.ops.push(DiskOp::Append { path: path.clone(), parts: open.parts });
        self.ops.push(DiskOp::WriteAt { path: path.clone(), offset: 0, bytes: header });
        self.ops.push(DiskOp::Sync { path });
        if open.is_new {
            self.ops.push(DiskOp::SyncDir { path: self.dir.clone() });
        }
        self.completed.push_back(Completed { first: chunk.first, last: chunk.last });
    }

    /// The operations of the batch, its syncs included.
    pub(crate) fn flush(&mut self) -> Vec<DiskOp> {
        if let Some(open) = &mut self.open
            && !open.parts.is_empty()
        {
            self.index.add(&core::mem::take(&mut open.sizes));
            let (path, parts) = (open.path.clone(), core::mem::take(&mut open.parts));
            self.ops.push(DiskOp::Append { path: path.clone(), parts });
            self.ops.push(DiskOp::Sync { path });
            if core::mem::take(&mut open.is_new) {
                self.ops.push(DiskOp::SyncDir { path: self.dir.clone() });
            }
        }
        core::mem::take(&mut self.ops)
    }

    /// Renames the completed chunks whose last entry is at or below the commit point. The names need
    /// no sync of their own: a restart that finds a complete chunk under its first name renames it.
    pub(crate) fn rename_committed(&mut self, committed: u64) -> Vec<DiskOp> {
        let mut ops = Vec::new();
        while self.completed.front().is_some_and(|chunk| chunk.last <= committed) {
            let Some(chunk) = self.completed.pop_front() else { break };
            ops.push(DiskOp::Rename {
                from: self.path_of(ChunkName::open(chunk.first)),
                to: self.path_of(ChunkName::committed(chunk.first, chunk.last)),
            });
        }
        ops
    }

    fn path_of(&self, name: ChunkName) -> Arc<str> {
        join(&self.dir, &name.to_string()).into()
    }
}
