//! Chunk files of a ledger: their names, their 8-byte header and their position table.
//!
//! A chunk is a header (the offset of the position table, 0 while the chunk is open), entries
//! back to back, and once completed a table of the entries' 32-bit offsets.

use core::fmt;
use core::str::FromStr;

use crate::ProofError;
use crate::bytes::Cursor;
use crate::entry::EntryView;
use crate::limits::{CHUNK_BYTES_MAX, CHUNK_NAME_BYTES_MAX};

/// Bytes before the first entry.
pub const CHUNK_HEADER_BYTES: usize = 8;
/// Bytes of one position.
pub const POSITION_BYTES: usize = 4;

const PREFIX: &str = "ledger_";
const COMMITTED: &str = ".committed";
const COMMITTED_PREFIX: &str = ".committed_prefix";
const RECOVERY: &str = ".recovery";
const IGNORED: &str = ".ignored";

/// How far a chunk has come, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkState {
    /// `ledger_<first>`: open, or completed and not yet committed.
    Open,
    /// `ledger_<first>-<last>`: completed, not committed.
    Completed,
    /// `ledger_<first>-<last>.committed`: every entry is committed; never changes again.
    Committed,
    /// `ledger_<first>-<last>.committed_prefix`: the committed entries of an open chunk, as
    /// downloaded from a node.
    CommittedPrefix,
}

/// The name of a chunk file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkName {
    /// The seqno of the first entry.
    pub first: u64,
    /// The seqno of the last entry, if the name says it.
    pub last: Option<u64>,
    /// How far the chunk has come.
    pub state: ChunkState,
    /// Whether it was written during disaster recovery and the service is not yet open.
    pub recovery: bool,
    /// Whether it is quarantined: no reader takes it into account.
    pub ignored: bool,
}

impl ChunkName {
    /// The name of the open chunk that starts at `first`.
    #[must_use]
    pub const fn open(first: u64) -> Self {
        Self { first, last: None, state: ChunkState::Open, recovery: false, ignored: false }
    }

    /// The name of the committed chunk from `first` to `last`.
    #[must_use]
    pub const fn committed(first: u64, last: u64) -> Self {
        let state = ChunkState::Committed;
        Self { first, last: Some(last), state, recovery: false, ignored: false }
    }

    /// Reads a file name, without directories.
    ///
    /// # Errors
    /// The name is not one of a chunk file.
    pub fn parse(name: &str) -> Result<Self, ProofError> {
        if name.len() > CHUNK_NAME_BYTES_MAX {
            let (found, limit) = (name.len() as u64, CHUNK_NAME_BYTES_MAX as u64);
            return Err(ProofError::TooLarge { what: "chunk file name", found, limit });
        }
        let refused = |why| Err(ProofError::Malformed { what: "chunk file name", offset: 0, why });
        let Some(rest) = name.strip_prefix(PREFIX) else {
            return refused("it does not start with \"ledger_\"");
        };
        let (rest, ignored) = strip(rest, IGNORED);
        let (rest, recovery) = strip(rest, RECOVERY);
        let (rest, prefix) = strip(rest, COMMITTED_PREFIX);
        let (rest, committed) = strip(rest, COMMITTED);
        let (first, last) = match rest.split_once('-') {
            Some((first, last)) => (seqno(first), Some(seqno(last))),
            None => (seqno(rest), None),
        };
        let state = match (last, committed, prefix) {
            (_, true, true) => return refused("it has two suffixes that exclude each other"),
            (Some(_), true, false) => ChunkState::Committed,
            (Some(_), false, true) => ChunkState::CommittedPrefix,
            (Some(_), false, false) => ChunkState::Completed,
            (None, false, false) => ChunkState::Open,
            (None, ..) => return refused("a committed chunk names its last seqno"),
        };
        match (first, last) {
            (Some(first), None) => Ok(Self { first, last: None, state, recovery, ignored }),
            (Some(first), Some(Some(last))) if first <= last => {
                Ok(Self { first, last: Some(last), state, recovery, ignored })
            }
            _ => refused("its seqnos are not decimal numbers above zero, in order"),
        }
    }
}

fn strip<'a>(name: &'a str, suffix: &str) -> (&'a str, bool) {
    name.strip_suffix(suffix).map_or((name, false), |rest| (rest, true))
}

/// A decimal number above zero without leading zeros.
fn seqno(text: &str) -> Option<u64> {
    let canonical = !text.starts_with(['0', '+']);
    text.parse().ok().filter(|_| canonical)
}

impl FromStr for ChunkName {
    type Err = ProofError;

    fn from_str(name: &str) -> Result<Self, ProofError> {
        Self::parse(name)
    }
}

impl fmt::Display for ChunkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.first)?;
        if let Some(last) = self.last {
            write!(f, "-{last}")?;
        }
        f.write_str(match self.state {
            ChunkState::Open | ChunkState::Completed => "",
            ChunkState::Committed => COMMITTED,
            ChunkState::CommittedPrefix => COMMITTED_PREFIX,
        })?;
        f.write_str(if self.recovery { RECOVERY } else { "" })?;
        f.write_str(if self.ignored { IGNORED } else { "" })
    }
}

/// A chunk file, seen in its bytes.
#[derive(Clone, Copy)]
pub struct ChunkView<'a> {
    bytes: &'a [u8],
    /// Where the entries end.
    end: usize,
    completed: bool,
}

impl<'a> ChunkView<'a> {
    /// Reads the header and finds the position table. The entries are read by
    /// [`ChunkView::entries`], and the table checked by [`ChunkView::position`].
    ///
    /// # Errors
    /// The file is too short or too long, or its header points outside of it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ProofError> {
        let found = bytes.len() as u64;
        if found > CHUNK_BYTES_MAX {
            let limit = CHUNK_BYTES_MAX;
            return Err(ProofError::TooLarge { what: "chunk file size", found, limit });
        }
        let table = Cursor::new(bytes, 0).u64_le("chunk header")?;
        if table == 0 {
            return Ok(Self { bytes, end: bytes.len(), completed: false });
        }
        let malformed = |why| ProofError::Malformed { what: "chunk header", offset: 0, why };
        let end = usize::try_from(table).ok().filter(|end| *end <= bytes.len());
        let end = end.ok_or_else(|| malformed("the position table is outside of the file"))?;
        if end < CHUNK_HEADER_BYTES {
            return Err(malformed("the position table is inside of the header"));
        }
        if !(bytes.len() - end).is_multiple_of(POSITION_BYTES) {
            return Err(malformed("the position table is not a whole number of positions"));
        }
        Ok(Self { bytes, end, completed: true })
    }

    /// Whether the chunk was completed, and so has a position table.
    #[must_use]
    pub const fn is_completed(&self) -> bool {
        self.completed
    }

    /// The offset at which the entries end.
    #[must_use]
    pub const fn entries_end(&self) -> usize {
        self.end
    }

    /// The number of entries according to the position table.
    #[must_use]
    pub const fn position_count(&self) -> usize {
        (self.bytes.len() - self.end) / POSITION_BYTES
    }

    /// The offset of the entry at `index` according to the position table.
    #[must_use]
    pub fn position(&self, index: usize) -> Option<u32> {
        let at = self.end.checked_add(index.checked_mul(POSITION_BYTES)?)?;
        let bytes = self.bytes.get(at..at.checked_add(POSITION_BYTES)?)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    }

    /// The entries in order, each with its offset in the file. Stops after the first error.
    #[must_use]
    pub const fn entries(&self) -> Entries<'a> {
        Entries { bytes: self.bytes, at: CHUNK_HEADER_BYTES, end: self.end }
    }
}

/// The entries of a chunk, each with its offset in the file.
#[derive(Clone)]
pub struct Entries<'a> {
    bytes: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Iterator for Entries<'a> {
    type Item = (usize, Result<EntryView<'a>, ProofError>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let at = self.at;
        match EntryView::parse(&self.bytes[at..self.end]) {
            Ok((entry, size)) => {
                self.at += size;
                Some((at, Ok(entry)))
            }
            Err(error) => {
                self.at = self.end;
                Some((at, Err(error)))
            }
        }
    }
}

/// The position table of a chunk whose entries start at `offsets`.
#[must_use]
pub fn encode_positions(offsets: &[u32]) -> Vec<u8> {
    offsets.iter().flat_map(|offset| offset.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn names_round_trip_with_every_suffix() {
        for name in [
            "ledger_1",
            "ledger_15-46",
            "ledger_15-46.committed",
            "ledger_15-46.committed.recovery",
            "ledger_494.recovery",
            "ledger_15-46.committed_prefix",
            "ledger_7.ignored",
            "ledger_15-46.committed.recovery.ignored",
        ] {
            assert_eq!(ChunkName::parse(name).unwrap().to_string(), name);
        }
        assert_eq!(ChunkName::parse("ledger_15-46.committed"), Ok(ChunkName::committed(15, 46)));
        assert_eq!(ChunkName::parse("ledger_1"), Ok(ChunkName::open(1)));
    }

    #[test]
    fn other_names_are_refused() {
        for name in [
            "",
            "ledger_",
            "ledger_0",
            "ledger_01",
            "ledger_+1",
            "ledger_1.committed",
            "ledger_9-8.committed",
            "ledger_1-2.commited",
            "ledger_1-2.committed.committed_prefix",
            "ledger_1-2-3",
            "ledger_1-",
            "ledger_18446744073709551616",
            "index.db",
            "snapshot_1_2.committed",
        ] {
            assert!(ChunkName::parse(name).is_err(), "{name}");
        }
        assert!(ChunkName::parse(&format!("ledger_{}", "1".repeat(400))).is_err());
    }

    #[test]
    fn headers_that_point_elsewhere_are_refused() {
        assert!(ChunkView::parse(&[0; 7]).is_err());
        for table in [1_u64, 7, 9, 11, 17, u64::MAX] {
            let file = [&table.to_le_bytes()[..], &[0; 8]].concat();
            assert!(ChunkView::parse(&file).is_err(), "{table}");
        }
        let file = [&8_u64.to_le_bytes()[..], &[8, 0, 0, 0, 1, 1, 0, 0]].concat();
        let chunk = ChunkView::parse(&file).unwrap();
        assert_eq!((chunk.position(0), chunk.position(1)), (Some(8), Some(257)));
        assert_eq!((chunk.position(2), chunk.position(usize::MAX)), (None, None));
        assert_eq!(chunk.position_count(), 2);
        assert_eq!(encode_positions(&[8, 257]), file[8..]);
    }
}
