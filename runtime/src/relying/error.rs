//! Why there is no verdict at all. A verdict that is not trusted is none of these.

use core::fmt;

/// Why nothing can be said about a service. Each text says what happened, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RelyingError {
    /// The caller asked for what cannot be: a malformed URL, nonce or certificate.
    Usage {
        /// What was given.
        what: &'static str,
        /// What is wrong with it, and what would do.
        why: String,
    },
    /// No connection, no answer in time, or an answer that is none.
    Unreachable {
        /// Where it was tried.
        url: String,
        /// What happened.
        why: String,
    },
    /// An answer, or a file, that cannot be read as what it should be.
    Unreadable {
        /// What was read, and where it came from.
        what: String,
        /// The rule that it breaks.
        why: String,
    },
}

impl RelyingError {
    pub(super) fn usage(what: &'static str, why: impl Into<String>) -> Self {
        Self::Usage { what, why: why.into() }
    }

    pub(super) fn unreachable(url: impl Into<String>, why: impl fmt::Display) -> Self {
        Self::Unreachable { url: url.into(), why: why.to_string() }
    }

    pub(super) fn unreadable(what: impl Into<String>, why: impl fmt::Display) -> Self {
        Self::Unreadable { what: what.into(), why: why.to_string() }
    }
}

impl fmt::Display for RelyingError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage { what, why } => write!(out, "{what}: {why}"),
            Self::Unreachable { url, why } => write!(out, "{url} cannot be reached: {why}"),
            Self::Unreadable { what, why } => write!(out, "{what} cannot be read: {why}"),
        }
    }
}

impl core::error::Error for RelyingError {}
