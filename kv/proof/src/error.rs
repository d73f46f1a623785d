//! The one error of this crate. Every variant says what was read, where, and what did not match.

use core::fmt;

use crate::TxId;

/// Why bytes were refused. `what` names the thing that was being read or checked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProofError {
    /// The bytes end before the item does. A torn tail of an open chunk shows itself so.
    Truncated {
        /// The item being read.
        what: &'static str,
        /// Where it starts, in bytes from the start of the input.
        offset: usize,
        /// How many bytes it needs from there.
        needed: u64,
        /// How many there are.
        available: u64,
    },
    /// The bytes break the format.
    Malformed {
        /// The item being read.
        what: &'static str,
        /// Where it starts, in bytes from the start of the input.
        offset: usize,
        /// The rule that was broken.
        why: &'static str,
    },
    /// A size or count is over its bound (see `limits`).
    TooLarge {
        /// The size or count.
        what: &'static str,
        /// Its value.
        found: u64,
        /// Its bound.
        limit: u64,
    },
    /// A version, kind or algorithm that this crate does not know.
    Unsupported {
        /// The field.
        what: &'static str,
        /// Its value.
        found: String,
    },
    /// Two values that must agree do not.
    Mismatch {
        /// The value.
        what: &'static str,
        /// What it must be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// An index outside of what is held.
    OutOfRange {
        /// The index.
        what: &'static str,
        /// Its value.
        found: u64,
        /// The lowest value allowed.
        low: u64,
        /// One above the highest value allowed.
        high: u64,
    },
    /// A signature does not verify.
    BadSignature {
        /// What was signed, and by whom.
        what: &'static str,
    },
    /// A certificate or a public key was refused.
    Certificate {
        /// Which one.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// JSON text was refused.
    Json {
        /// Which text.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// The authentication tag of a sealed entry does not match: wrong secret, or altered bytes.
    BadTag {
        /// The entry.
        txid: TxId,
    },
}

impl fmt::Display for ProofError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { what, offset, needed, available } => write!(
                f,
                "{what} at offset {offset} is cut short: {needed} bytes needed, {available} there"
            ),
            Self::Malformed { what, offset, why } => {
                write!(f, "{what} at offset {offset} is malformed: {why}")
            }
            Self::TooLarge { what, found, limit } => {
                write!(f, "{what} is {found}, over the limit of {limit}")
            }
            Self::Unsupported { what, found } => write!(f, "{what} {found} is not supported"),
            Self::Mismatch { what, expected, found } => {
                write!(f, "{what} does not match: expected {expected}, found {found}")
            }
            Self::OutOfRange { what, found, low, high } => {
                write!(f, "{what} {found} is outside of {low}..{high}")
            }
            Self::BadSignature { what } => write!(f, "the signature of {what} does not verify"),
            Self::Certificate { what, why } => write!(f, "{what} was refused: {why}"),
            Self::Json { what, why } => write!(f, "the JSON of {what} was refused: {why}"),
            Self::BadTag { txid } => write!(
                f,
                "entry {txid} fails authentication: altered bytes, or not sealed by this secret"
            ),
        }
    }
}

impl core::error::Error for ProofError {}
