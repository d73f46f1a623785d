//! The engine's view of its log: descriptors of batches that are not yet known to be committed.
//!
//! Invariant: entries are contiguous from `compacted + 1`.

use std::collections::VecDeque;

use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::{Error, GetEntriesContext, RaftState, Storage, StorageError};

use super::Hard;

pub(super) struct Log {
    voters: Vec<u64>,
    hard: Hard,
    /// Index and term of the newest entry that is forgotten.
    compacted: (u64, u64),
    entries: VecDeque<Entry>,
}

impl Log {
    pub(super) fn new(voters: Vec<u64>, hard: Hard, index: u64, term: u64) -> Self {
        Self { voters, hard, compacted: (index, term), entries: VecDeque::new() }
    }

    pub(super) fn set_hard(&mut self, hard: Hard) {
        assert!(hard.term >= self.hard.term, "a term never goes back");
        self.hard = hard;
    }

    /// Takes entries in; those that overlap replace what was there, and all behind it.
    pub(super) fn append(&mut self, entries: Vec<Entry>) {
        let Some(first) = entries.first().map(|entry| entry.index) else { return };
        assert!(first > self.compacted.0, "a committed entry is never replaced");
        assert!(first <= self.last() + 1, "entries leave no gap");
        self.entries.truncate((first - self.compacted.0 - 1) as usize);
        for entry in entries {
            assert_eq!(entry.index, self.last() + 1, "entries are contiguous");
            self.entries.push_back(entry);
        }
    }

    /// Forgets the entries up to `index`.
    pub(super) fn compact(&mut self, index: u64) {
        while self.compacted.0 < index {
            let Some(entry) = self.entries.pop_front() else { return };
            self.compacted = (entry.index, entry.term);
        }
    }

    fn last(&self) -> u64 {
        self.compacted.0 + self.entries.len() as u64
    }
}

impl Storage for Log {
    fn initial_state(&self) -> raft::Result<RaftState> {
        let hard_state = HardState {
            term: self.hard.term,
            vote: self.hard.vote,
            commit: self.hard.commit,
            ..HardState::default()
        };
        let conf_state = ConfState { voters: self.voters.clone(), ..ConfState::default() };
        Ok(RaftState { hard_state, conf_state })
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        _max_size: impl Into<Option<u64>>,
        _context: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        if low <= self.compacted.0 {
            return Err(Error::Store(StorageError::Compacted));
        }
        if high > self.last() + 1 {
            return Err(Error::Store(StorageError::Unavailable));
        }
        // Descriptors are a few bytes: no limit on their size is worth keeping.
        let from = (low - self.compacted.0 - 1) as usize;
        let to = (high - self.compacted.0 - 1) as usize;
        Ok(self.entries.range(from..to).cloned().collect())
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        if index == self.compacted.0 {
            return Ok(self.compacted.1);
        }
        if index < self.compacted.0 {
            return Err(Error::Store(StorageError::Compacted));
        }
        let position = (index - self.compacted.0 - 1) as usize;
        let entry = self.entries.get(position);
        entry.map(|entry| entry.term).ok_or(Error::Store(StorageError::Unavailable))
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.compacted.0 + 1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last())
    }

    fn snapshot(&self, _request_index: u64, _to: u64) -> raft::Result<Snapshot> {
        Err(Error::Store(StorageError::SnapshotTemporarilyUnavailable))
    }
}
