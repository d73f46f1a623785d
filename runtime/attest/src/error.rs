//! The one error of this crate: bytes that cannot be read at all, or a signed message that does not
//! hold in itself. Evidence that can be read and does not hold is a failed check of a
//! [`crate::Verdict`], not an error.

use core::fmt;

/// Why something could not be read. `what` names the thing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttestError {
    /// The bytes break the format.
    Malformed {
        /// The thing being read.
        what: &'static str,
        /// The rule that was broken, and where.
        why: String,
    },
    /// A size or count is over its bound (see [`crate::limits`]).
    TooLarge {
        /// The size or count.
        what: &'static str,
        /// Its value.
        found: u64,
        /// Its bound.
        limit: u64,
    },
    /// A version, product or algorithm that this crate does not know.
    Unknown {
        /// The thing.
        what: &'static str,
        /// What it was.
        found: String,
    },
    /// It can be read, and does not hold.
    Refused {
        /// The thing.
        what: &'static str,
        /// What does not hold.
        why: String,
    },
    /// A signature does not verify.
    BadSignature {
        /// What is signed, and by whom.
        what: String,
    },
    /// The platform or a file of it does not answer as it should.
    Platform {
        /// What was asked for.
        what: String,
        /// What it said, and what to do.
        why: String,
    },
}

impl AttestError {
    pub(crate) fn malformed(what: &'static str, why: impl Into<String>) -> Self {
        Self::Malformed { what, why: why.into() }
    }

    pub(crate) fn refused(what: &'static str, why: impl Into<String>) -> Self {
        Self::Refused { what, why: why.into() }
    }

    /// Fails if `found` is over `limit`.
    pub(crate) fn bound(what: &'static str, found: usize, limit: usize) -> Result<(), Self> {
        if found <= limit {
            return Ok(());
        }
        Err(Self::TooLarge { what, found: found as u64, limit: limit as u64 })
    }
}

impl fmt::Display for AttestError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { what, why } => write!(out, "{what} cannot be read: {why}"),
            Self::TooLarge { what, found, limit } => {
                write!(out, "{what} is {found}, over the limit of {limit}")
            }
            Self::Unknown { what, found } => write!(out, "unknown {what}: {found}"),
            Self::Refused { what, why } => write!(out, "{what} does not hold: {why}"),
            Self::BadSignature { what } => write!(out, "the signature of {what} does not verify"),
            Self::Platform { what, why } => write!(out, "{what}: {why}"),
        }
    }
}

impl std::error::Error for AttestError {}
