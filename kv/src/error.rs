//! What can go wrong here. Outcomes of a commit are values ([`crate::CommitOutcome`]), not errors.

use core::fmt;

use crate::disk::DiskError;
use crate::seal::KeyError;

/// A failure of this crate.
///
/// ```
/// use affiant_kv::{KvError, MapName};
///
/// let error = MapName::new("").unwrap_err();
/// assert!(matches!(error, KvError::MapName { .. }));
/// println!("{error}"); // what happened, in a sentence
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KvError {
    /// A map name that no map may have.
    MapName {
        /// The name, cut to 64 characters where too long.
        name: String,
        /// Why it is refused.
        reason: &'static str,
    },
    /// A key, value or entry larger than its bound.
    TooLarge {
        /// What was too large.
        what: &'static str,
        /// Its size in bytes.
        size: usize,
        /// The bound in bytes.
        limit: usize,
    },
    /// A key operation failed.
    Key(KeyError),
    /// A disk operation failed.
    Disk(DiskError),
    /// The data directory holds something that this node did not write or that was changed since.
    Damaged {
        /// The file, relative to the data root.
        file: String,
        /// The offset in the file, in bytes.
        offset: u64,
        /// What is wrong there, and what the operator can do.
        reason: String,
    },
    /// The node has stopped accepting writes for good, because of an earlier failure.
    Poisoned {
        /// The first failure.
        reason: String,
    },
    /// The consensus engine refused or failed.
    Consensus(String),
}

impl fmt::Display for KvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MapName { name, reason } => write!(f, "map name {name:?}: {reason}"),
            Self::TooLarge { what, size, limit } => {
                write!(f, "{what} of {size} bytes; the limit is {limit} bytes")
            }
            Self::Key(error) => write!(f, "key operation failed: {error}"),
            Self::Disk(error) => write!(f, "disk: {error}"),
            Self::Damaged { file, offset, reason } => {
                write!(f, "{file} at offset {offset}: {reason}")
            }
            Self::Poisoned { reason } => {
                write!(f, "the node accepts no more writes since an earlier failure: {reason}")
            }
            Self::Consensus(reason) => write!(f, "consensus: {reason}"),
        }
    }
}

impl core::error::Error for KvError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Key(error) => Some(error),
            Self::Disk(error) => Some(error),
            _ => None,
        }
    }
}

impl From<KeyError> for KvError {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl From<DiskError> for KvError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}
