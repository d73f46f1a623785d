//! Why an exchange failed.

use core::fmt;

/// The step that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The URL cannot be used, or not with the access that the caller gave.
    Url,
    /// No connection came about.
    Connect,
    /// The handshake failed, or the certificate was refused.
    Tls,
    /// What came back is not HTTP, or the connection ended early.
    Http,
    /// The body is over its bound.
    TooLarge,
    /// There was no whole answer in time.
    Deadline,
}

/// Where an exchange failed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientError {
    /// The URL without its query.
    pub(crate) place: String,
    /// The step.
    pub(crate) failure: Failure,
    /// In words.
    pub(crate) reason: String,
}

impl fmt::Display for ClientError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.place, self.reason)
    }
}

impl core::error::Error for ClientError {}

/// A failure whose place is still to be named.
#[derive(Debug)]
pub(super) struct Placeless(pub(super) Failure, pub(super) String);

impl Placeless {
    pub(super) fn at(self, place: &str) -> ClientError {
        ClientError { place: place.to_owned(), failure: self.0, reason: self.1 }
    }
}
