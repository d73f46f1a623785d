//! Writes entries into chunk files: turns them into disk operations, performs none.
//!
//! Invariants
//! * Operations come out in the order in which they must be performed; entries are synced by the end
//!   of each batch, and a new file's name with them.
//! * Small entries lie one behind the other in the bytes of one operation; a large one has bytes of its
//!   own, which nobody copies.
//! * A chunk's table and header are written after all its entries, and synced before the next chunk
//!   is created. So only the newest file can be torn.

use std::collections::VecDeque;
use std::sync::Arc;

use affiant_proof::chunk::{CHUNK_HEADER_BYTES, ChunkName, encode_positions};
use bytes::{Bytes, BytesMut};

use super::index::{LedgerIndex, OpenChunk};
use crate::error::KvError;
use crate::limits::{BUFFER_BYTES, CHUNK_BYTES_MAX, GATHERED_ENTRY_BYTES_MAX};
use crate::recycler::Recycler;
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
    buffers: Recycler,
}

struct Open {
    path: Arc<str>,
    size: u64,
    /// Its name is not yet durable.
    is_new: bool,
    /// Entries of the current batch: first these parts, then what is gathered.
    parts: Vec<Bytes>,
    gathered: BytesMut,
    sizes: Vec<u32>,
}

impl Open {
    fn new(path: Arc<str>, size: u64, is_new: bool) -> Self {
        let (parts, gathered, sizes) = (Vec::new(), BytesMut::new(), Vec::new());
        Self { path, size, is_new, parts, gathered, sizes }
    }

    fn gather(&mut self, bytes: &[u8], buffers: &mut Recycler) {
        if self.gathered.len() + bytes.len() > BUFFER_BYTES {
            self.part(buffers);
        }
        if self.gathered.is_empty() {
            self.gathered = buffers.take();
        }
        self.gathered.extend_from_slice(bytes);
    }

    /// Makes a part of what is gathered.
    fn part(&mut self, buffers: &mut Recycler) {
        if !self.gathered.is_empty() {
            self.parts.push(buffers.hand_out(core::mem::take(&mut self.gathered)));
        }
    }

    /// All parts of the batch.
    fn take_parts(&mut self, buffers: &mut Recycler) -> Vec<Bytes> {
        self.part(buffers);
        core::mem::take(&mut self.parts)
    }
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
            buffers: Recycler::default(),
        }
    }

    /// Goes on in the chunk that a restart found open.
    pub(crate) fn resume(&mut self, chunk: &OpenChunk) {
        assert!(self.open.is_none(), "a writer resumes before it writes");
        let path = self.path_of(ChunkName::open(chunk.first));
        self.open = Some(Open::new(path, u64::from(chunk.end), false));
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
        if entry.len() <= GATHERED_ENTRY_BYTES_MAX {
            open.gather(&entry, &mut self.buffers);
        } else {
            open.part(&mut self.buffers);
            open.parts.push(entry);
        }
        Ok(())
    }

    fn start_chunk(&mut self, first: u64) {
        let path = self.path_of(ChunkName::open(first));
        self.index.start_chunk(first, CHUNK_HEADER_BYTES as u32);
        self.ops.push(DiskOp::Create { path: path.clone() });
        let mut open = Open::new(path, CHUNK_HEADER_BYTES as u64, true);
        open.gather(&[0; CHUNK_HEADER_BYTES], &mut self.buffers);
        self.open = Some(open);
    }

    /// Ends the chunk behind the entry that was added last.
    pub(crate) fn end_chunk(&mut self) {
        let Some(mut open) = self.open.take() else { unreachable!("a signature was just added") };
        self.index.add(&open.sizes);
        let (chunk, positions) = self.index.complete_chunk();
        assert_eq!(u64::from(chunk.end), open.size, "index and writer agree");
        open.gather(&encode_positions(&positions), &mut self.buffers);
        let parts = open.take_parts(&mut self.buffers);
        let header = Bytes::copy_from_slice(&open.size.to_le_bytes());
        let path = open.path.clone();
        self.ops.push(DiskOp::Append { path: path.clone(), parts });
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
            && !open.sizes.is_empty()
        {
            self.index.add(&open.sizes);
            open.sizes.clear();
            let (path, parts) = (open.path.clone(), open.take_parts(&mut self.buffers));
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
