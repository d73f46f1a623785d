//! Why past transactions are not handed out.

use core::fmt;

use crate::limits::HISTORICAL_ENTRIES_COUNT_MAX;

/// Why a range of past transactions cannot be had. That it is not loaded or not committed yet is no
/// error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HistoricalError {
    /// It ends before it starts, or starts at 0.
    InvalidRange {
        /// Its first seqno.
        first: u64,
        /// Its last seqno.
        last: u64,
    },
    /// It has more entries than one range may have.
    TooManyEntries {
        /// How many it has.
        count: u64,
    },
    /// It takes more memory than the cache has (`historical_cache_soft_limit`).
    TooLarge {
        /// What it takes, in bytes.
        bytes: usize,
        /// What there is, in bytes.
        limit: usize,
    },
    /// The ledger cannot be read there, or is not what was written; the log says what and where.
    Unreadable {
        /// The first seqno of those that were read together.
        seqno: u64,
    },
    /// The node is stopping, or there is none.
    Unavailable,
}

impl fmt::Display for HistoricalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidRange { first: 0, .. } => {
                f.write_str("Invalid range for historical query: the first seqno is 1")
            }
            // CCF's words.
            Self::InvalidRange { first, last } => {
                write!(f, "Invalid range for historical query: end {last} is before start {first}")
            }
            Self::TooManyEntries { count } => write!(
                f,
                "Invalid range for historical query: it has {count} entries; ask for at most \
                 {HISTORICAL_ENTRIES_COUNT_MAX} at a time"
            ),
            Self::TooLarge { bytes, limit } => write!(
                f,
                "the range takes {bytes} bytes of memory and the historical cache has {limit}; ask \
                 for fewer entries, or raise historical_cache_soft_limit"
            ),
            Self::Unreadable { seqno } => {
                write!(
                    f,
                    "the ledger cannot be read from entry {seqno} on; the node's log says why"
                )
            }
            Self::Unavailable => f.write_str("the historical cache is not available"),
        }
    }
}

impl core::error::Error for HistoricalError {}
