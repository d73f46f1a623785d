//! Where entries lie: which chunk holds a seqno, and at which offset.
//!
//! Invariants
//! * Chunks are contiguous from seqno 1; only the last one may be open.
//! * The positions of a committed chunk are in its file, those of younger ones here: memory grows by a
//!   few words per chunk, not per entry. A table is read from a file only once it is durable there.
//! * `committed` never falls. Everything at or below it is durable and in its place.

use std::collections::VecDeque;

use parking_lot::RwLock;

/// Where entries lie in the chunk files. Shared by the replica, which writes it, and by readers on
/// other threads.
#[derive(Default)]
pub struct LedgerIndex {
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    committed: u64,
    chunks: Vec<CompletedChunk>,
    /// Completed, but not committed: the table may not be in the file yet.
    closing: VecDeque<OpenChunk>,
    open: Option<OpenChunk>,
}

impl State {
    /// The chunk that holds `seqno`, if its positions are here.
    fn young(&self, seqno: u64) -> Option<&OpenChunk> {
        self.open.iter().chain(self.closing.iter().rev()).find(|chunk| seqno >= chunk.first)
    }
}

/// A chunk with a position table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CompletedChunk {
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// Where its entries end and the table begins, in bytes.
    pub(crate) end: u32,
}

/// The chunk that is being written.
#[derive(Clone, Debug, Default)]
pub(crate) struct OpenChunk {
    pub(crate) first: u64,
    pub(crate) positions: Vec<u32>,
    /// Where its entries end, in bytes.
    pub(crate) end: u32,
}

impl OpenChunk {
    /// Its last seqno; the one before its first while it is empty.
    fn last(&self) -> u64 {
        self.first + self.positions.len() as u64 - 1
    }
}

/// Where one entry lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// In an open chunk, or one whose end is not yet committed, between two offsets.
    Open { first: u64, from: u32, to: u32 },
    /// In a completed chunk, at an index of its position table.
    Completed(CompletedChunk),
}

impl Location {
    /// The first seqno of the chunk.
    pub(crate) const fn chunk(&self) -> u64 {
        match self {
            Self::Open { first, .. } => *first,
            Self::Completed(chunk) => chunk.first,
        }
    }
}

impl LedgerIndex {
    /// The newest committed signature; everything at or below it can be read.
    #[must_use]
    pub fn committed(&self) -> u64 {
        self.state.read().committed
    }

    pub(crate) fn set_committed(&self, seqno: u64) {
        let mut state = self.state.write();
        assert!(seqno >= state.committed, "the commit point never goes back");
        state.committed = seqno;
        while state.closing.front().is_some_and(|chunk| chunk.last() <= seqno) {
            state.closing.pop_front();
        }
    }

    /// Takes over what a restart found.
    pub(crate) fn restore(&self, chunks: Vec<CompletedChunk>, open: Option<OpenChunk>) {
        let mut state = self.state.write();
        (state.chunks, state.open) = (chunks, open);
    }

    pub(crate) fn start_chunk(&self, first: u64, header_bytes: u32) {
        let mut state = self.state.write();
        assert!(state.open.is_none(), "the chunk before is complete");
        let expected = state.chunks.last().map_or(1, |chunk| chunk.last + 1);
        assert_eq!(first, expected, "chunks are contiguous");
        state.open = Some(OpenChunk { first, positions: Vec::new(), end: header_bytes });
    }

    /// Adds entries of these sizes to the open chunk.
    pub(crate) fn add(&self, sizes: &[u32]) {
        let mut state = self.state.write();
        let open = state.open.as_mut().expect("entries are added to an open chunk");
        for size in sizes {
            open.positions.push(open.end);
            open.end += size;
        }
    }

    /// Ends the open chunk and hands out its positions.
    pub(crate) fn complete_chunk(&self) -> (CompletedChunk, Vec<u32>) {
        let mut state = self.state.write();
        let open = state.open.take().expect("an open chunk is completed");
        assert!(!open.positions.is_empty(), "a chunk holds an entry");
        let chunk = CompletedChunk { first: open.first, last: open.last(), end: open.end };
        state.chunks.push(chunk);
        let positions = open.positions.clone();
        state.closing.push_back(open);
        (chunk, positions)
    }

    /// Where the entries end, summed over the chunks from the one that begins at `from` up to the one
    /// that begins at `to`, without the latter; in bytes.
    pub(crate) fn bytes_between(&self, from: u64, to: u64) -> u64 {
        let state = self.state.read();
        let first = state.chunks.partition_point(|chunk| chunk.first < from);
        let ends = state.chunks.iter().skip(first).take_while(|chunk| chunk.first < to);
        ends.map(|chunk| u64::from(chunk.end)).sum()
    }

    /// Where the entry at `seqno` lies, if it is committed.
    pub(crate) fn locate(&self, seqno: u64) -> Option<Location> {
        let state = self.state.read();
        if seqno == 0 || seqno > state.committed {
            return None;
        }
        if let Some(open) = state.young(seqno) {
            let position = (seqno - open.first) as usize;
            let from = *open.positions.get(position)?;
            let to = open.positions.get(position + 1).copied().unwrap_or(open.end);
            return Some(Location::Open { first: open.first, from, to });
        }
        let chunk = state.chunks.partition_point(|chunk| chunk.last < seqno);
        state.chunks.get(chunk).copied().map(Location::Completed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_in_the_open_and_in_completed_chunks() {
        let index = LedgerIndex::default();
        index.start_chunk(1, 8);
        index.add(&[10, 20]);
        let (chunk, positions) = index.complete_chunk();
        assert_eq!(chunk, CompletedChunk { first: 1, last: 2, end: 38 });
        assert_eq!(positions, [8, 18]);
        index.start_chunk(3, 8);
        index.add(&[5, 6]);
        assert_eq!(index.locate(1), None, "nothing is committed");
        index.set_committed(4);
        assert_eq!(index.locate(2), Some(Location::Completed(chunk)));
        assert_eq!(index.locate(3), Some(Location::Open { first: 3, from: 8, to: 13 }));
        assert_eq!(index.locate(4), Some(Location::Open { first: 3, from: 13, to: 19 }));
        assert_eq!((index.locate(0), index.locate(5)), (None, None));
    }

    #[test]
    fn the_table_of_a_chunk_is_not_looked_for_in_its_file_before_its_end_is_committed() {
        let index = LedgerIndex::default();
        index.start_chunk(1, 8);
        index.add(&[10, 20]);
        index.set_committed(2);
        index.add(&[30]);
        let (chunk, _) = index.complete_chunk();
        index.start_chunk(4, 8);
        index.add(&[7]);
        assert_eq!(index.locate(1), Some(Location::Open { first: 1, from: 8, to: 18 }));
        assert_eq!(index.locate(2), Some(Location::Open { first: 1, from: 18, to: 38 }));
        index.set_committed(3);
        assert_eq!(index.locate(1), Some(Location::Completed(chunk)));
        assert_eq!(index.locate(3), Some(Location::Completed(chunk)));
    }
}
